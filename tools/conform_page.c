/* SPDX-License-Identifier: MIT */
/* The page of `graft conform --report`: one HTML file to send to the maker of a device. */
#include "conform_output.h"

#include "base/context.h"
#include "base/file.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#define LONGEST_TEXT 4096
#define MOST_FAILURES 200 /* shown of a device; the rest is counted */

struct page {
    struct graft_context *context;
    struct graft_text html;
};

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1d2129;--soft:#626b78;--line:#dfe3e8;--paper:#fff;--card:#f5f7f9;"
    "--good:#14713d;--goodbg:#e5f5eb;--bad:#b3201f;--badbg:#fdeaea;--bar:#7aa7d9}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e4e7eb;--soft:#9aa4b2;--line:#333b45;--paper:#14181d;"
    "--card:#1d232a;--good:#6fd298;--goodbg:#15301f;--bad:#ff8f8a;--badbg:#3a1b1c;--bar:#3f6ea5}}\n"
    "body{font:15px/1.5 system-ui,'DejaVu Sans',sans-serif;color:var(--ink);background:var(--paper);"
    "max-width:1080px;margin:2em auto;padding:0 1.2em}\n"
    "h1{font-size:1.6em;margin:0 0 .2em}h2{font-size:1.3em;margin:2.4em 0 .6em;border-top:2px solid "
    "var(--line);padding-top:1.2em}h3{font-size:1.05em;margin:2em 0 .5em}\n"
    "p.soft,td.soft,span.soft{color:var(--soft)}p{max-width:62em}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums;width:100%}\n"
    "table.facts{width:auto}table.facts th{font-weight:400;color:var(--soft);white-space:nowrap}\n"
    "th,td{padding:.28em .8em;text-align:right;border-bottom:1px solid var(--line);vertical-align:top}\n"
    "th{color:var(--soft);font-weight:600}.facts th,.facts td,.text{text-align:left!important}\n"
    ".text{overflow-wrap:anywhere}td.op{font-weight:600}\n"
    "code{font:13px/1.5 ui-monospace,'DejaVu Sans Mono',monospace;overflow-wrap:anywhere}\n"
    "p.verdict{max-width:none;padding:.8em 1.1em;border-radius:8px;font-size:1.1em;font-weight:600}\n"
    ".good{color:var(--good);background:var(--goodbg)}.bad{color:var(--bad);background:var(--badbg)}\n"
    "td.bad,td.good{background:none}td.bad{font-weight:600}\n"
    ".figures{display:flex;flex-wrap:wrap;gap:.8em;margin:1.2em 0}\n"
    ".figures div{background:var(--card);border-radius:8px;padding:.6em 1.1em}\n"
    ".figures b{display:block;font-size:1.4em}.figures span{color:var(--soft);font-size:.88em}\n"
    ".case{background:var(--card);border-radius:8px;padding:.7em 1.1em;margin:.8em 0}\n"
    ".case p{margin:.3em 0}.case table{width:auto;margin:.4em 0}\n"
    ".bar{display:inline-block;height:.62em;border-radius:2px;background:var(--bar);margin-right:.5em}\n"
    ".scroll{overflow-x:auto}summary{cursor:pointer;margin:.6em 0}\n";

static void put(struct page *page, const char *text)
{
    graft_text_append_bytes(page->context, &page->html, text, strlen(text));
}

/* Text of somebody else, a driver's name too: no markup, valid UTF-8. */
static void put_escaped(struct page *page, const char *text)
{
    char clean[LONGEST_TEXT];
    (void)graft_text_show(text, clean, sizeof clean);
    for (const char *at = clean; *at != '\0';) {
        const size_t plain = strcspn(at, "&<>\"'");
        graft_text_append_bytes(page->context, &page->html, at, plain);
        at += plain;
        if (*at != '\0') {
            graft_text_append(page->context, &page->html, "&#%d;", *at);
            at++;
        }
    }
}

static void put_fact(struct page *page, const char *name, const char *value)
{
    put(page, "<tr><th>");
    put(page, name);
    put(page, "</th><td class=\"text\">");
    put_escaped(page, value);
    put(page, "</td></tr>\n");
}

static void put_figure(struct page *page, const char *value, const char *what)
{
    put(page, "<div><b>");
    put_escaped(page, value);
    put(page, "</b><span>");
    put(page, what);
    put(page, "</span></div>\n");
}

/* 9 digits tell every f32; NaN and Inf by name. */
static void put_number(struct page *page, double value)
{
    if (isnan(value)) {
        put(page, "NaN");
    } else if (isinf(value)) {
        put(page, value < 0 ? "&minus;Inf" : "Inf");
    } else {
        graft_text_append(page->context, &page->html, "%.9g", value);
    }
}

/* The distribution's name from os-release: text of the system's, cut and escaped like any other. */
static void system_name(struct page *page, char *name, size_t size)
{
    char *text = NULL;
    size_t length = 0;
    snprintf(name, size, "unknown system");
    if (graft_file_read(page->context, "/etc/os-release", 65536, &text, &length) != GRAFT_OK) {
        return;
    }
    const char *const key = "PRETTY_NAME=\"";
    const char *const found = strstr(text, key);
    if (found != NULL) {
        const char *const begin = found + strlen(key);
        snprintf(name, size, "%.*s", (int)strcspn(begin, "\"\n"), begin);
    }
    graft_release(page->context, text);
}

/* The processor as the cpu device names it, if that was among the devices listed. */
static void put_host(struct page *page)
{
    char system[200];
    char text[700];
    struct utsname kernel;
    struct graft_device *cpu = NULL;
    system_name(page, system, sizeof system);
    if (uname(&kernel) == 0) {
        snprintf(text, sizeof text, "%s, %s %s, %s", system, kernel.sysname, kernel.release, kernel.machine);
        put_fact(page, "host", text);
    }
    if (graft_device_open(page->context, "cpu", &cpu) == GRAFT_OK) {
        char memory[32];
        const struct graft_device_info *const info = graft_device_get_info(cpu);
        snprintf(text, sizeof text, "%s, %d threads, %s of memory", info->name,
                 graft_context_threads(page->context), graft_show_bytes(info->memory_bytes, memory));
        put_fact(page, "processor", text);
        graft_device_close(&cpu);
    }
}

static void put_head(struct page *page, const struct graft_conform_page *what)
{
    char text[64];
    const time_t now = time(NULL);
    struct tm date;
    put(page,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
        "style-src 'unsafe-inline'\">\n<title>Does it compute right? Graft conformance</title>\n<style>\n");
    put(page, style);
    put(page,
        "</style></head><body>\n<h1>Does it compute right?</h1>\n<p class=\"soft\">Graft runs each of its "
        "operations on a device and compares every number with the same operation computed in f64.</p>\n"
        "<table class=\"facts\">\n");
    if (gmtime_r(&now, &date) != NULL && strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &date) > 0) {
        put_fact(page, "date", text);
    }
    put_fact(page, "Graft", GRAFT_VERSION);
    put_host(page);
    put_fact(page, "run as", what->command_line);
    snprintf(text, sizeof text, "%llu", (unsigned long long)what->seed);
    put_fact(page, "seed", text);
    put(page, "</table>\n");
}

static void put_overview(struct page *page, const struct graft_conform_reports *reports, const char *errors)
{
    put(page, "<h3>All devices</h3>\n<div class=\"scroll\"><table><tr><th class=\"text\">device</th>"
              "<th>cases run</th><th>of</th><th>passed</th><th>failed</th><th>unsupported</th>"
              "<th>largest error / bound</th><th>time</th></tr>\n");
    for (int i = 0; i < reports->count; i++) {
        const struct graft_conform_report *const report = &reports->items[i];
        char time[32];
        put(page, "<tr><td class=\"text\"><b>");
        put_escaped(page, report->info.id);
        put(page, "</b> ");
        put_escaped(page, report->info.name);
        graft_text_append(page->context, &page->html,
                          "</td><td>%d</td><td>%d</td><td>%d</td><td class=\"%s\">%d</td><td>%d</td><td>",
                          report->ran, report->cases, report->passed, report->failed > 0 ? "bad" : "good",
                          report->failed, report->unsupported);
        char share[32];
        graft_conform_show_worst(report, share);
        put(page, share);
        graft_text_append(page->context, &page->html, "</td><td>%s</td></tr>\n",
                          graft_show_duration(report->seconds, time));
    }
    put(page, "</table></div>\n");
    if (errors[0] != '\0') {
        put(page, "<p class=\"verdict bad\">");
        put_escaped(page, errors);
        put(page, "</p>\n");
    }
}

static void put_failure(struct page *page, const struct graft_conform_failure *failure)
{
    const struct graft_conform_difference *const d = &failure->difference;
    put(page, "<div class=\"case\"><p><b>");
    put_escaped(page, failure->test);
    put(page, "</b> <span class=\"soft\">");
    put_escaped(page, failure->variant);
    put(page, "</span></p>\n");
    if (d->known) {
        put(page, "<table><tr><th class=\"text\">first wrong element</th><th>wanted</th><th>got</th>"
                  "<th>error</th><th>bound</th><th>elements that differ</th></tr>\n<tr><td class=\"text\">");
        put_escaped(page, d->place);
        graft_text_append(page->context, &page->html, " <span class=\"soft\">(number %lld)</span></td><td>",
                          (long long)d->index);
        put_number(page, d->wanted);
        put(page, "</td><td class=\"bad\">");
        put_number(page, d->got);
        put(page, "</td><td>");
        put_number(page, fabs(d->got - d->wanted));
        put(page, "</td><td>");
        put_number(page, d->tolerance);
        graft_text_append(page->context, &page->html, "</td><td>%lld of %lld</td></tr></table>\n",
                          (long long)d->bad, (long long)d->count);
    }
    put(page, "<p>");
    put_escaped(page, failure->text);
    put(page, "</p>\n<p><code>");
    put_escaped(page, failure->command);
    put(page, "</code></p></div>\n");
}

static void put_failures(struct page *page, const struct graft_conform_report *report)
{
    if (report->failed == 0) {
        return;
    }
    put(page, "<h3>Failing cases</h3>\n<p class=\"soft\">The line below each runs it again, on this machine "
              "or another: a case with its seed is the same numbers everywhere.</p>\n");
    const int shown = report->n_failures < MOST_FAILURES ? report->n_failures : MOST_FAILURES;
    for (int i = 0; i < shown; i++) {
        put_failure(page, &report->failures[i]);
    }
    if (report->failed > shown) {
        graft_text_append(page->context, &page->html, "<p>And %d more.</p>\n", report->failed - shown);
    }
}

static void put_share(struct page *page, double share)
{
    char text[32];
    graft_conform_show_share(share, text);
    graft_text_append(page->context, &page->html,
                      "<td><span class=\"bar\" style=\"width:%.2fem\"></span>%s</td>",
                      share < 1 ? 5 * share : 5, text);
}

static void put_operations(struct page *page, const struct graft_conform_report *report)
{
    put(page, "<h3>Operations</h3>\n<div class=\"scroll\"><table><tr><th class=\"text\">operation</th>"
              "<th class=\"text\">algorithm</th><th>equal to the bit</th><th>within the bound</th>"
              "<th>real sizes</th>"
              "<th>failed</th><th>cannot do</th><th>largest error / bound</th></tr>\n");
    const char *last = "";
    for (int op = 0; op < report->n_coverage; op++) {
        /* Rows come in the order in which variants were first met; here all of an op stand together. */
        bool first = true;
        for (int k = 0; k < op; k++) {
            first = first && report->coverage[k].op != report->coverage[op].op;
        }
        for (int i = op; i < report->n_coverage && first; i++) {
            const struct graft_conform_coverage *const row = &report->coverage[i];
            if (row->op != report->coverage[op].op) {
                continue;
            }
            put(page, "<tr><td class=\"text op\">");
            put(page, row->op != last ? row->op : "");
            last = row->op;
            put(page, "</td><td class=\"text\">");
            put_escaped(page, row->variant);
            graft_text_append(page->context, &page->html,
                              "</td><td>%d</td><td>%d</td><td>%d</td><td class=\"%s\">%d</td><td>%d</td>",
                              row->passed_exact, row->passed_rounding, row->passed_real,
                              row->failed > 0 ? "bad" : "good", row->failed, row->refused);
            if (row->failed > 0) {
                put(page, "<td class=\"bad\">exceeds it</td>");
            } else {
                put_share(page, row->worst);
            }
            put(page, "</tr>\n");
        }
    }
    put(page, "</table></div>\n");
}

static void put_unsupported(struct page *page, const struct graft_conform_report *report)
{
    if (report->n_reasons == 0) {
        return;
    }
    put(page, "<h3>What it cannot do</h3>\n<table><tr><th class=\"text\">operation</th><th>cases</th>"
              "<th class=\"text\">why</th></tr>\n");
    for (int i = 0; i < report->n_reasons; i++) {
        put(page, "<tr><td class=\"text op\">");
        put_escaped(page, report->reasons[i].op);
        graft_text_append(page->context, &page->html, "</td><td>%d</td><td class=\"text\">",
                          report->reasons[i].cases);
        put_escaped(page, report->reasons[i].reason);
        put(page, "</td></tr>\n");
    }
    put(page, "</table>\n");
}

static void put_worst(struct page *page, const struct graft_conform_report *report)
{
    if (report->n_worst == 0) {
        return;
    }
    put(page, "<h3>The largest errors</h3>\n<table><tr><th class=\"text\">case</th>"
              "<th>error / bound</th></tr>\n");
    for (int i = 0; i < report->n_worst; i++) {
        put(page, "<tr><td class=\"text\">");
        put_escaped(page, report->worst[i].test);
        put(page, "</td>");
        put_share(page, report->worst[i].share_of_tolerance);
        put(page, "</tr>\n");
    }
    put(page, "</table>\n");
}

static void put_summary(struct page *page, const struct graft_conform_report *report)
{
    const struct graft_device_info *const info = &report->info;
    char text[900];
    char memory[2][32];
    put(page, "<h2>");
    put_escaped(page, info->id);
    put(page, "</h2>\n<p class=\"verdict ");
    put(page, report->failed > 0 || report->ran == 0 ? "bad\">" : "good\">");
    graft_conform_verdict(report, text, sizeof text);
    put_escaped(page, text);
    put(page, "</p>\n");
    if (report->failed > 0) {
        graft_conform_advice(report, text, sizeof text);
        put(page, "<p>");
        put_escaped(page, text);
        put(page, "</p>\n");
    }
    put(page, "<table class=\"facts\">\n");
    put_fact(page, "device", info->name);
    put_fact(page, "platform", info->platform);
    put_fact(page, "driver", info->driver);
    snprintf(text, sizeof text, "%s, %d compute unit%s, %s of memory, buffers up to %s%s",
             info->kind == GRAFT_DEVICE_GPU ? "GPU" : "CPU", info->compute_units,
             info->compute_units == 1 ? "" : "s", graft_show_bytes(info->memory_bytes, memory[0]),
             graft_show_bytes(info->max_allocation_bytes, memory[1]), info->fp64 ? ", fp64" : "");
    put_fact(page, "kind", text);
    put(page, "</table>\n<div class=\"figures\">\n");
    snprintf(text, sizeof text, "%d", report->passed);
    put_figure(page, text, "cases passed");
    snprintf(text, sizeof text, "%d", report->failed);
    put_figure(page, text, "failed");
    snprintf(text, sizeof text, "%d", report->unsupported);
    put_figure(page, text, "cannot be done on it");
    snprintf(text, sizeof text, "%d of %d", report->ran, report->cases);
    put_figure(page, text,
               report->complete      ? "cases run"
               : report->interrupted ? "cases run: interrupted"
                                     : "cases run: a sample");
    graft_conform_show_worst(report, memory[0]);
    put_figure(page, memory[0], "the largest error, by its bound");
    put(page, "</div>\n");
}

static void put_device(struct page *page, const struct graft_conform_report *report)
{
    put_summary(page, report);
    put_failures(page, report);
    put_unsupported(page, report);
    put(page, "<details open><summary>Operations, and the largest errors</summary>\n");
    put_operations(page, report);
    put_worst(page, report);
    put(page, "</details>\n");
}

static void put_foot(struct page *page)
{
    put(page,
        "<h2>How to read this</h2>\n<p>A case is one operation on one shape, by one algorithm. "
        "Where the inputs are small integers, every order of summation gives the same bits, and equality "
        "is demanded. Elsewhere the bound is made of the rounding unit of f32, the length of the sum and "
        "the sum of the magnitudes: 100&nbsp;% of the bound is the largest error that correct arithmetic "
        "can make, and what exceeds it is wrong. Outputs are filled with NaN before, memory around every "
        "tensor is watched, tensors begin at odd offsets, and each case runs more than once. Cases of real "
        "sizes are what networks ask for, sizes on both sides of those at which an algorithm changes, and "
        "places "
        "far into large memory: products of integers, checked as a whole by Freivalds' check.</p>\n"
        "</body></html>\n");
}

int graft_conform_page_write(struct graft_command *command, const struct graft_conform_page *what,
                             const char *path)
{
    struct page page = {.context = command->context};
    put_head(&page, what);
    put_overview(&page, what->reports, what->errors);
    for (int wrong = 1; wrong >= 0; wrong--) { /* those that fail come first */
        for (int i = 0; i < what->reports->count; i++) {
            if ((what->reports->items[i].failed > 0) == (wrong != 0)) {
                put_device(&page, &what->reports->items[i]);
            }
        }
    }
    put_foot(&page);
    enum graft_status status = GRAFT_ERROR_MEMORY;
    if (!page.html.failed) {
        status = graft_file_write(page.context, path, page.html.data, page.html.length);
    }
    graft_text_close(page.context, &page.html);
    return status == GRAFT_OK ? GRAFT_EXIT_DONE : graft_command_failed(command, status);
}
