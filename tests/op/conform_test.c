/* SPDX-License-Identifier: MIT */
/* The conformance suite as a test: `conform_test DEVICE [--case C] [--op O] [--variant V] [--seed N]
 * [--quiet] …`. */
#include "conform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_line(void *user, enum graft_conform_line kind, const char *text)
{
    const bool quiet = *(const bool *)user;
    if (!quiet || kind != GRAFT_CONFORM_REMARK) {
        fprintf(kind == GRAFT_CONFORM_LISTING ? stdout : stderr, "%s\n", text);
    }
}

static void print_coverage(const struct graft_conform_report *report)
{
    printf("  %-24s %-16s %6s %8s %6s %6s %8s\n", "op", "variant", "exact", "rounding", "real", "failed",
           "refused");
    for (int i = 0; i < report->n_coverage; i++) {
        const struct graft_conform_coverage *const row = &report->coverage[i];
        printf("  %-24s %-16s %6d %8d %6d %6d %8d  %s\n", row->op, row->variant, row->passed_exact,
               row->passed_rounding, row->passed_real, row->failed, row->refused, row->reason);
    }
}

static bool parse(int count, char **arguments, struct graft_conform_options *options, bool *quiet,
                  bool *coverage)
{
    for (int i = 1; i < count; i++) {
        const char *const value = i + 1 < count ? arguments[i + 1] : NULL;
        const char *const name = arguments[i];
        if (strcmp(name, "--list") == 0) {
            options->list = true;
        } else if (strcmp(name, "--bench") == 0) {
            options->bench = true;
        } else if (strcmp(name, "--quiet") == 0) {
            *quiet = true;
        } else if (strcmp(name, "--cover") == 0) {
            options->real_cover = true;
        } else if (strcmp(name, "--coverage") == 0) {
            *coverage = true;
        } else if (name[0] != '-') {
            options->device = name;
        } else if (value == NULL) {
            return false;
        } else {
            i++;
            if (strcmp(name, "--case") == 0) {
                options->test = value;
            } else if (strcmp(name, "--op") == 0) {
                options->op = value;
            } else if (strcmp(name, "--variant") == 0) {
                options->variant = value;
            } else if (strcmp(name, "--seed") == 0) {
                options->seed = strtoull(value, NULL, 0);
            } else if (strcmp(name, "--min-cases") == 0) {
                options->min_cases = atoi(value);
            } else if (strcmp(name, "--threads") == 0) {
                options->threads = atoi(value);
            } else if (strcmp(name, "--seconds") == 0) {
                options->seconds = atof(value);
            } else if (strcmp(name, "--sizes") == 0) {
                options->sizes = strcmp(value, "real") == 0 ? GRAFT_CONFORM_REAL : GRAFT_CONFORM_SMALL;
            } else if (strcmp(name, "--most-work") == 0) {
                options->most_work = atof(value);
            } else {
                return false;
            }
        }
    }
    return true;
}

int main(int count, char **arguments)
{
    struct graft_conform_options options = {.seed = 1, .line = print_line};
    struct graft_conform_reports reports;
    bool quiet = false;
    bool coverage = false;
    options.user = &quiet;
    if (!parse(count, arguments, &options, &quiet, &coverage)) {
        fprintf(stderr,
                "usage: %s [DEVICE] [--op O] [--case C] [--variant V] [--seed N] [--min-cases N] "
                "[--threads N] [--sizes small|real] [--seconds N] [--cover] [--most-work N] [--list] [--bench] "
                "[--coverage] [--quiet]\n",
                arguments[0]);
        return GRAFT_CONFORM_USAGE;
    }
    const enum graft_conform_exit exit = graft_conform(&options, &reports);
    int passed = 0;
    int failed = 0;
    int skipped = 0;
    for (int i = 0; i < reports.count; i++) {
        const struct graft_conform_report *const report = &reports.items[i];
        passed += report->passed;
        failed += report->failed;
        skipped += report->unsupported + report->skipped;
        printf("%s (%s): %d ran, %d passed, %d failed, %d unsupported, %d skipped, %.1f s\n", report->info.id,
               report->info.name, report->ran, report->passed, report->failed, report->unsupported,
               report->skipped, report->seconds);
        for (int k = 0; k < report->n_worst && k < 3 && !quiet; k++) {
            printf("  %.3f of the tolerance: %s\n", report->worst[k].share_of_tolerance,
                   report->worst[k].test);
        }
        if (coverage) {
            print_coverage(report);
        }
    }
    graft_conform_reports_close(&reports);
    if (!options.list) {
        printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
    }
    return (int)exit;
}
