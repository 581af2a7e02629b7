/* SPDX-License-Identifier: MIT */
/* The report of a run: one HTML file that loads nothing else and runs nothing. */
#include "vis/drawing.h"

#include "base/context.h"
#include "io/json.h"
#include "run/run.h"
#include "vis/canvas.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_CONFUSED 10
#define LONGEST_TEXT 4096 /* of a name or a setting */

struct report {
    const struct graft_run *run;
    const struct graft_evaluation *evaluation; /* NULL: none */
    struct graft_text *html;
};

static const char style[] =
    "body{font:15px/1.5 system-ui,'DejaVu Sans',sans-serif;color:#222;background:#fff;max-width:1080px;"
    "margin:2em auto;padding:0 1.2em}\n"
    "h1{font-size:1.5em;margin-bottom:.2em}h2{font-size:1.15em;margin-top:2em}\n"
    "p.sub{color:#666;margin-top:0}img{max-width:100%;height:auto;display:block}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.25em .9em;text-align:right;border-bottom:1px solid #e4e4e8}\n"
    "th{color:#555;font-weight:600;border-bottom:2px solid "
    "#ccc}th:first-child,td:first-child{text-align:left}\n"
    "td.text{text-align:left;overflow-wrap:anywhere}tr.best td{font-weight:600;background:#f2f7fc}\n"
    ".figures{display:flex;flex-wrap:wrap;gap:1em;margin:1.4em 0}\n"
    ".figures div{background:#f4f6f9;border-radius:8px;padding:.7em 1.2em}\n"
    ".figures b{display:block;font-size:1.5em}.figures span{color:#666;font-size:.9em}\n"
    "summary{cursor:pointer;color:#06c;margin:.6em 0}\n";

static void put(const struct report *report, const char *text)
{
    graft_text_append_bytes(report->run->context, report->html, text, strlen(text));
}

/* Text of somebody else: no markup, valid UTF-8, nothing that cannot be seen. */
static void put_escaped(const struct report *report, const char *text)
{
    char clean[LONGEST_TEXT];
    (void)graft_text_show(text, clean, sizeof clean);
    for (const char *at = clean; *at != '\0';) {
        const size_t plain = strcspn(at, "&<>\"'");
        graft_text_append_bytes(report->run->context, report->html, at, plain);
        at += plain;
        if (*at != '\0') {
            graft_text_append(report->run->context, report->html, "&#%d;", *at);
            at++;
        }
    }
}

static void put_number(const struct report *report, const char *format, double number)
{
    char text[64];
    (void)graft_format(text, sizeof text, format, number);
    put(report, isfinite(number) ? text : "&ndash;");
}

static void put_cell(const struct report *report, const char *format, double number)
{
    put(report, "<td>");
    put_number(report, format, number);
    put(report, "</td>");
}

static void put_base64(const struct report *report, const struct graft_text *bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *const data = (const unsigned char *)bytes->data;
    char line[4 * 256];
    size_t used = 0;
    for (size_t i = 0; i < bytes->length; i += 3) {
        const size_t rest = bytes->length - i;
        const uint32_t word = (uint32_t)data[i] << 16 | (rest > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
                              (rest > 2 ? (uint32_t)data[i + 2] : 0);
        line[used++] = digits[word >> 18];
        line[used++] = digits[word >> 12 & 63];
        line[used++] = rest > 1 ? digits[word >> 6 & 63] : '=';
        line[used++] = rest > 2 ? digits[word & 63] : '=';
        if (used == sizeof line || rest <= 3) {
            graft_text_append_bytes(report->run->context, report->html, line, used);
            used = 0;
        }
    }
}

static void put_image(const struct report *report, const struct graft_text *png, const char *name)
{
    put(report, "<img alt=\"");
    put(report, name);
    put(report, "\" src=\"data:image/png;base64,");
    put_base64(report, png);
    put(report, "\">\n");
}

static void put_figure(const struct report *report, const char *format, double number, const char *what)
{
    put(report, "<div><b>");
    put_number(report, format, number);
    put(report, "</b><span>");
    put(report, what);
    put(report, "</span></div>\n");
}

static void put_head(const struct report *report)
{
    const struct graft_run *const run = report->run;
    const struct graft_run_epoch *epochs;
    const int count = graft_run_history(run, &epochs), best = graft_run_best(run);
    const char *const network = graft_run_text(run, "network");
    const char *const data = graft_run_text(run, "data");
    put(report, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
                "style-src 'unsafe-inline'\">\n<title>");
    put_escaped(report, run->folder);
    put(report, "</title>\n<style>\n");
    put(report, style);
    put(report, "</style></head><body>\n<h1>");
    put_escaped(report, network != NULL ? network : "A run");
    put(report, " on ");
    put_escaped(report, data != NULL ? data : "its data");
    put(report, "</h1>\n<p class=\"sub\">");
    put_escaped(report, run->folder);
    put(report, "</p>\n<div class=\"figures\">\n");
    if (best >= 0) {
        put_figure(report, "%.2f %%", 100 * epochs[best].val_top1,
                   "of the validation pictures right, best epoch");
        put_figure(report, "%.4f", epochs[best].val_loss, "validation loss of that epoch");
        put_figure(report, "%.0f", epochs[best].epoch, "is the best epoch");
    }
    put_figure(report, "%.0f", count, "epochs");
    if (report->evaluation != NULL) {
        put_figure(report, "%.2f %%", 100 * report->evaluation->top1, "right, as evaluated below");
    }
    put(report, "</div>\n");
}

static void put_history(const struct report *report)
{
    const struct graft_run_epoch *epochs;
    const int count = graft_run_history(report->run, &epochs), best = graft_run_best(report->run);
    put(report,
        "<details><summary>All epochs</summary><table><tr><th>epoch</th><th>learning rate</th>"
        "<th>training loss</th><th>training accuracy</th><th>validation loss</th><th>validation accuracy</th>"
        "<th>seconds</th></tr>\n");
    for (int i = 0; i < count; i++) {
        put(report, i == best ? "<tr class=\"best\">" : "<tr>");
        put_cell(report, "%.0f", epochs[i].epoch);
        put_cell(report, "%.3g", epochs[i].learning_rate);
        put_cell(report, "%.4f", epochs[i].train_loss);
        put_cell(report, "%.2f %%", 100 * epochs[i].train_top1);
        put_cell(report, "%.4f", epochs[i].val_loss);
        put_cell(report, "%.2f %%", 100 * epochs[i].val_top1);
        put_cell(report, "%.2f", epochs[i].seconds);
        put(report, "</tr>\n");
    }
    put(report, "</table></details>\n");
}

static void put_classes(const struct report *report)
{
    const struct graft_evaluation *const e = report->evaluation;
    char text[256], top5[64] = "";
    if (e->classes > 5) { /* else all are among the first five */
        (void)graft_format(top5, sizeof top5, ", %.2f %% among the first five", 100 * e->top5);
    }
    (void)graft_format(text, sizeof text,
                       "<h2>Classes</h2>\n<p>%lld pictures: %.2f %% right%s, loss %.4f.</p>\n",
                       (long long)e->images, 100 * e->top1, top5, e->loss);
    put(report, text);
    put(report,
        "<table><tr><th>class</th><th>pictures</th><th>precision</th><th>recall</th><th>F1</th></tr>\n");
    for (int32_t i = 0; i < e->classes; i++) {
        put(report, "<tr><td class=\"text\">");
        put_escaped(report, graft_run_class_names(report->run)[i]);
        put(report, "</td>");
        put_cell(report, "%.0f", (double)e->figures[i].images);
        put_cell(report, "%.2f %%", 100 * e->figures[i].precision);
        put_cell(report, "%.2f %%", 100 * e->figures[i].recall);
        put_cell(report, "%.4f", e->figures[i].f1);
        put(report, "</tr>\n");
    }
    put(report, "</table>\n");
}

/* The pairs that are confused most often, the worst first. */
static void put_confused(const struct report *report)
{
    const struct graft_evaluation *const e = report->evaluation;
    int64_t worst[MOST_CONFUSED];
    int count = 0;
    for (int64_t i = 0; i < (int64_t)e->classes * e->classes; i++) {
        if (i / e->classes == i % e->classes || e->confusion[i] == 0) {
            continue;
        }
        int place = count;
        while (place > 0 && e->confusion[worst[place - 1]] < e->confusion[i]) {
            place--;
        }
        if (place < MOST_CONFUSED) {
            count += count < MOST_CONFUSED ? 1 : 0;
            memmove(&worst[place + 1], &worst[place], (size_t)(count - 1 - place) * sizeof *worst);
            worst[place] = i;
        }
    }
    if (count == 0) {
        return;
    }
    put(report,
        "<h2>Most often confused</h2>\n<table><tr><th>is</th><th>is taken for</th><th>pictures</th></tr>\n");
    for (int i = 0; i < count; i++) {
        put(report, "<tr><td class=\"text\">");
        put_escaped(report, graft_run_class_names(report->run)[worst[i] / e->classes]);
        put(report, "</td><td class=\"text\">");
        put_escaped(report, graft_run_class_names(report->run)[worst[i] % e->classes]);
        put(report, "</td>");
        put_cell(report, "%.0f", (double)e->confusion[worst[i]]);
        put(report, "</tr>\n");
    }
    put(report, "</table>\n");
}

/* What learnt at which rate. */
static void put_rates(const struct report *report)
{
    const json_t *const rates = json_object_get(report->run->config, "rates");
    if (json_array_size(rates) == 0) {
        return;
    }
    put(report, "<h2>Learning rates</h2>\n<table><tr><th>part</th><th>stage</th><th>parameters</th>"
                "<th>learning rate</th></tr>\n");
    for (size_t i = 0; i < json_array_size(rates); i++) {
        const json_t *const line = json_array_get(rates, i);
        const char *const part = json_string_value(json_object_get(line, "part"));
        put(report, "<tr><td class=\"text\">");
        put_escaped(report, part != NULL ? part : "?");
        put(report, "</td>");
        put_cell(report, "%.0f", json_number_value(json_object_get(line, "stage")));
        put_cell(report, "%.0f", json_number_value(json_object_get(line, "parameters")));
        put_cell(report, "%.4g", json_number_value(json_object_get(line, "learning_rate")));
        put(report, "</tr>\n");
    }
    put(report, "</table>\n");
}

static void put_settings(const struct report *report)
{
    const char *key;
    json_t *value;
    put(report, "<h2>Settings</h2>\n<table>\n");
    json_object_foreach((json_t *)report->run->config, key, value)
    {
        if (strcmp(key, "classes") == 0 || strcmp(key, "rates") == 0) {
            continue;
        }
        put(report, "<tr><td class=\"text\">");
        put_escaped(report, key);
        put(report, "</td><td class=\"text\">");
        if (json_is_string(value)) {
            put_escaped(report, json_string_value(value));
        } else {
            struct graft_json shown = {.value = json_incref(value)};
            char *text = NULL;
            size_t size = 0;
            if (graft_json_write(report->run->context, &shown, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6), key,
                                 &text, &size) != GRAFT_OK) {
                report->html->failed = true;
                return;
            }
            put_escaped(report, json_is_null(value) ? "none" : text);
            graft_release(report->run->context, text);
        }
        put(report, "</td></tr>\n");
    }
    put(report, "</table>\n");
}

void graft_report_write(const struct graft_drawing *drawing, struct graft_text *html)
{
    const struct report report = {drawing->run, drawing->evaluation, html};
    put_head(&report);
    put_image(&report, &drawing->curves, "curves of loss and accuracy");
    put_history(&report);
    if (drawing->evaluation != NULL) {
        put_classes(&report);
        put_confused(&report);
        put(&report, "<h2>Confusion matrix</h2>\n");
        put_image(&report, &drawing->confusion, "confusion matrix");
    }
    put_rates(&report);
    put_settings(&report);
    put(&report, "<p class=\"sub\">Written by Graft " GRAFT_VERSION "</p>\n</body></html>\n");
}
