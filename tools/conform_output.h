/* SPDX-License-Identifier: MIT */
/* What `graft conform` tells in the end: table and verdict, JSON, and the page for a maker. */
#ifndef GRAFT_TOOLS_CONFORM_OUTPUT_H
#define GRAFT_TOOLS_CONFORM_OUTPUT_H

#include "conform.h"
#include "output.h"

/* One line that a person understands: "cpu computes right: 2274 of 2274 cases within the bounds". */
void graft_conform_verdict(const struct graft_conform_report *report, char *text, size_t size);
/* "max_pool (2 cases), softmax (1 case)": the ops with failures, most first. */
void graft_conform_failed_ops(const struct graft_conform_report *report, char *text, size_t size);
/* What to do about a device that computes wrong, one or two sentences. */
void graft_conform_advice(const struct graft_conform_report *report, char *text, size_t size);

/* The largest error: "89.5 %" of the bound, or "1.2e+05 x" the bound. */
void graft_conform_show_share(double share, char text[32]);
void graft_conform_show_worst(const struct graft_conform_report *report, char text[32]);

/* Table and verdicts on stdout; `page`: one is written anyhow, so none is proposed. */
void graft_conform_print(const struct graft_conform_reports *reports, bool page);
/* One device as a JSON document: the stable keys first. NULL: out of memory. */
json_t *graft_conform_json(const struct graft_conform_report *report);

/* Everything that the page holds. */
struct graft_conform_page {
    const struct graft_conform_reports *reports;
    const char *command_line;
    const char *errors; /* lines: devices that could not be run */
    uint64_t seed;
};

/* Writes one HTML file that loads nothing else and runs nothing. GRAFT_EXIT_DONE or GRAFT_EXIT_FAILED. */
int graft_conform_page_write(struct graft_command *command, const struct graft_conform_page *page,
                             const char *path);

#endif
