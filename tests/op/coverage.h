/* SPDX-License-Identifier: MIT */
#ifndef GRAFT_TESTS_OP_COVERAGE_H
#define GRAFT_TESTS_OP_COVERAGE_H

#include "conform.h"

/* A line for options->line. */
void graft_conform_say(const struct graft_conform_options *options, enum graft_conform_line kind, const char *format,
                       ...) GRAFT_PRINTF(3, 4);
/* What a whole run has not tried becomes a failure or a remark. */
void graft_conform_check_coverage(const struct graft_conform_options *options, const char *device,
                                  struct graft_conform_report *report);

#endif
