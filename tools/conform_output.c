/* SPDX-License-Identifier: MIT */
#include "conform_output.h"

#include <stdio.h>
#include <string.h>

static const char *plural(int count)
{
    return count == 1 ? "" : "s";
}

void graft_conform_verdict(const struct graft_conform_report *report, char *text, size_t size)
{
    if (report->failed > 0) {
        char ops[400];
        graft_conform_failed_ops(report, ops, sizeof ops);
        snprintf(text, size, "%s computes WRONG: %d of %d cases, in %s", report->info.id, report->failed,
                 report->ran, ops);
    } else if (report->ran == 0) {
        snprintf(text, size, "%s: nothing was run%s", report->info.id,
                 report->interrupted ? ": interrupted" : "");
    } else if (report->interrupted) {
        snprintf(text, size, "%s: interrupted after %d of %d cases, all within the bounds", report->info.id,
                 report->ran, report->cases);
    } else {
        snprintf(text, size, "%s computes right: %d of %d cases within the bounds", report->info.id,
                 report->passed, report->ran);
    }
}

void graft_conform_failed_ops(const struct graft_conform_report *report, char *text, size_t size)
{
    enum { MOST = 6 };
    const char *names[MOST] = {NULL};
    int counts[MOST] = {0};
    int others = report->failed;
    for (int i = 0; i < report->n_coverage; i++) {
        const char *const op = report->coverage[i].op;
        int count = 0;
        for (int k = 0; k < report->n_coverage; k++) {
            count += report->coverage[k].op == op ? report->coverage[k].failed : 0;
        }
        int at = MOST;
        bool listed = count == 0;
        for (int k = 0; k < MOST; k++) {
            listed = listed || names[k] == op;
        }
        while (at > 0 && counts[at - 1] < count) {
            at--;
        }
        if (!listed && at < MOST) {
            memmove(&names[at + 1], &names[at], (size_t)(MOST - 1 - at) * sizeof names[0]);
            memmove(&counts[at + 1], &counts[at], (size_t)(MOST - 1 - at) * sizeof counts[0]);
            names[at] = op;
            counts[at] = count;
        }
    }
    size_t used = 0;
    text[0] = '\0';
    for (int k = 0; k < MOST && names[k] != NULL && used < size; k++) {
        used += (size_t)snprintf(text + used, size - used, "%s%s (%d case%s)", k > 0 ? ", " : "", names[k],
                                 counts[k], plural(counts[k]));
        others -= counts[k];
    }
    if (others > 0 && used < size) {
        snprintf(text + used, size - used, "%sothers (%d case%s)", used > 0 ? ", " : "", others,
                 plural(others));
    }
}

void graft_conform_advice(const struct graft_conform_report *report, char *text, size_t size)
{
    if (strncmp(report->info.id, "opencl:", 7) == 0) {
        snprintf(
            text, size,
            "Until it passes, compute with --device cpu. Try another version of the driver (this is %s).",
            report->info.driver);
    } else {
        snprintf(text, size,
                 "This is no driver's fault. Run it again: if other cases fail then, the machine's memory or "
                 "clock is to blame; if the same do, this build of Graft is.");
    }
}

void graft_conform_show_share(double share, char text[32])
{
    snprintf(text, 32, share < 10 ? "%.3g %%" : "%.2g x", share < 10 ? 100 * share : share);
}

void graft_conform_show_worst(const struct graft_conform_report *report, char text[32])
{
    const double share = report->n_worst > 0 ? report->worst[0].share_of_tolerance : 0;
    if (report->ran == 0) {
        snprintf(text, 32, "-");
    } else if (report->failed > 0 && share <= 1) { /* NaN, a crash, another number where equality is due */
        snprintf(text, 32, "exceeds it");
    } else {
        graft_conform_show_share(share, text);
    }
}

static void print_unsupported(const struct graft_conform_report *report)
{
    enum { MOST = 8 };
    if (report->unsupported > 0) {
        printf("  %d case%s no variant of %s can do:\n", report->unsupported, plural(report->unsupported),
               report->info.id);
    }
    for (int i = 0; i < report->n_reasons && i < MOST; i++) {
        printf("    %d of %s: %s\n", report->reasons[i].cases, report->reasons[i].op,
               report->reasons[i].reason);
    }
    if (report->n_reasons > MOST) {
        printf("    and more; --json and --report list all\n");
    }
}

/* Variants that were not reached, in real sizes (`real`) or at all. */
static void print_left(const struct graft_conform_report *report, bool real)
{
    enum { MOST = 8 };
    int count = 0;
    const char *reason = "";
    for (int i = 0; i < report->n_coverage; i++) {
        const struct graft_conform_coverage *const row = &report->coverage[i];
        if (real ? row->left_real : row->left_small) {
            count++;
            reason = row->reason;
        }
    }
    if (count == 0) {
        return;
    }
    printf("  not tried in %s sizes (%d of %d variants):", real ? "real" : "small", count,
           report->n_coverage);
    for (int i = 0, shown = 0; i < report->n_coverage && shown < MOST; i++) {
        const struct graft_conform_coverage *const row = &report->coverage[i];
        if (real ? row->left_real : row->left_small) {
            printf("%s %s %s", shown++ > 0 ? "," : "", row->op, row->variant);
        }
    }
    if (count > MOST) {
        printf(" and %d more", count - MOST);
    }
    printf(": %s\n", reason);
}

static void print_verdict(const struct graft_conform_report *report, bool page)
{
    char text[900];
    graft_conform_verdict(report, text, sizeof text);
    printf("%s (%s).\n", text, report->info.name);
    if (report->failed > 0) {
        for (int i = 0; i < report->n_failures && i < 3; i++) {
            printf("  again: %s\n", report->failures[i].command);
        }
        graft_conform_advice(report, text, sizeof text);
        printf("  %s\n", text);
        if (!page) {
            printf("  A page to send to its maker, and to Graft's: graft conform --device %s --report "
                   "conform.html\n",
                   report->info.id);
        }
    }
    print_unsupported(report);
    if (report->real_calls > 0) {
        printf("  real sizes: %d call%s, the smallest of each kind", report->real_calls,
               plural(report->real_calls));
        if (report->real_repeats > 0) {
            printf("; %d more of networks repeat these (--every-network)", report->real_repeats);
        }
        printf("\n");
    }
    if (report->left_slow > 0) {
        printf("  not run: %d time%s a kernel on a call of real size that would take it seconds of the "
               "processor, "
               "or a tenth\n  of one where others are four times as fast; it ran smaller ones\n",
               report->left_slow, plural(report->left_slow));
    }
    print_left(report, false);
    print_left(report, true);
}

void graft_conform_print(const struct graft_conform_reports *reports, bool page)
{
    bool complete = true;
    bool left = false;
    bool interrupted = false;
    char share[32];
    char time[32];
    if (reports->count == 0) {
        return;
    }
    printf("%-10s %7s %7s %7s %7s %12s %12s %8s\n", "device", "ran", "of", "passed", "failed", "unsupported",
           "worst/bound", "time");
    for (int i = 0; i < reports->count; i++) {
        const struct graft_conform_report *const report = &reports->items[i];
        graft_conform_show_worst(report, share);
        printf("%-10s %7d %7d %7d %7d %12d %12s %8s\n", report->info.id, report->ran, report->cases,
               report->passed, report->failed, report->unsupported, share,
               graft_show_duration(report->seconds, time));
        complete = complete && report->complete;
        interrupted = interrupted || report->interrupted;
        for (int k = 0; k < report->n_coverage; k++) {
            left = left || report->coverage[k].left_real;
        }
    }
    printf("\n");
    for (int i = 0; i < reports->count; i++) {
        print_verdict(&reports->items[i], page);
    }
    if (interrupted) {
        printf("Interrupted: what had not begun was not run.\n");
    } else if (!complete) {
        printf("A sample was run: every op in every variant that cases of the size allowed try%s, then what "
               "time allowed. All cases: graft conform --full\n",
               left ? ", but for those in real sizes named above" : "");
    }
}

/* ---- JSON ---- */

static json_t *worst_json(const struct graft_conform_report *report)
{
    json_t *const list = json_array();
    for (int i = 0; i < report->n_worst; i++) {
        graft_json_add_item(list, json_pack("{s:o, s:o}", "case", graft_json_text(report->worst[i].test),
                                            "share_of_tolerance",
                                            graft_json_real(report->worst[i].share_of_tolerance)));
    }
    return list;
}

static json_t *ops_json(const struct graft_conform_report *report)
{
    json_t *const list = json_array();
    for (int i = 0; i < report->n_coverage; i++) {
        const struct graft_conform_coverage *const row = &report->coverage[i];
        graft_json_add_item(list, json_pack("{s:s, s:o, s:i, s:i, s:i, s:i, s:i, s:o, s:o, s:o}", "op",
                                            row->op, "variant", graft_json_text(row->variant), "passed_exact",
                                            row->passed_exact, "passed_rounding", row->passed_rounding,
                                            "passed_real", row->passed_real, "failed", row->failed, "refused",
                                            row->refused, "reason", graft_json_text(row->reason),
                                            "share_of_tolerance", graft_json_real(row->worst), "seconds",
                                            graft_json_real(row->seconds)));
    }
    return list;
}

static json_t *reasons_json(const struct graft_conform_report *report)
{
    json_t *const list = json_array();
    for (int i = 0; i < report->n_reasons; i++) {
        graft_json_add_item(list, json_pack("{s:s, s:o, s:i}", "op", report->reasons[i].op, "reason",
                                            graft_json_text(report->reasons[i].reason), "cases",
                                            report->reasons[i].cases));
    }
    return list;
}

static json_t *failures_json(const struct graft_conform_report *report)
{
    json_t *const list = json_array();
    for (int i = 0; i < report->n_failures; i++) {
        const struct graft_conform_failure *const f = &report->failures[i];
        const struct graft_conform_difference *const d = &f->difference;
        json_t *const row =
            json_pack("{s:s, s:o, s:o, s:o, s:o}", "op", f->op, "case", graft_json_text(f->test), "variant",
                      graft_json_text(f->variant), "command", graft_json_text(f->command), "text",
                      graft_json_text(f->text));
        if (d->known) {
            json_object_update_new(
                row, json_pack("{s:o, s:I, s:I, s:I, s:o, s:o, s:o}", "place", graft_json_text(d->place),
                               "index", (json_int_t)d->index, "elements", (json_int_t)d->count, "differ",
                               (json_int_t)d->bad, "got", graft_json_real(d->got), "wanted",
                               graft_json_real(d->wanted), "tolerance", graft_json_real(d->tolerance)));
        }
        graft_json_add_item(list, row);
    }
    return list;
}

json_t *graft_conform_json(const struct graft_conform_report *report)
{
    char verdict[900];
    graft_conform_verdict(report, verdict, sizeof verdict);
    json_t *const all = json_pack(
        "{s:o, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:o}", "device", graft_json_text(report->info.id), "ran",
        report->ran, "passed", report->passed, "failed", report->failed, "unsupported", report->unsupported,
        "skipped", report->skipped, "real_calls", report->real_calls, "real_repeats", report->real_repeats,
        "left_slow", report->left_slow, "worst", worst_json(report));
    if (json_object_update_new(
            all,
            json_pack("{s:i, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "cases", report->cases,
                      "complete", (int)report->complete, "interrupted", (int)report->interrupted, "verdict",
                      graft_json_text(verdict), "name", graft_json_text(report->info.name), "platform",
                      graft_json_text(report->info.platform), "driver", graft_json_text(report->info.driver),
                      "seconds", graft_json_real(report->seconds), "ops", ops_json(report),
                      "unsupported_reasons", reasons_json(report), "failures", failures_json(report))) != 0) {
        json_decref(all);
        return NULL;
    }
    return all;
}
