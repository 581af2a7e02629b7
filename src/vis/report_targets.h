/* SPDX-License-Identifier: MIT */
/* What a report says of labels and of numbers. */
#ifndef GRAFT_SRC_VIS_REPORT_TARGETS_H
#define GRAFT_SRC_VIS_REPORT_TARGETS_H

#include "vis/page.h"

/* Appends the plot of an evaluation that has its rows as PNG. Statuses of graft_canvas_open and
 * graft_canvas_png. */
GRAFT_MUST_CHECK enum graft_status graft_draw_scatter(struct graft_context *context,
                                                      const struct graft_evaluation *evaluation,
                                                      const char *name, struct graft_text *png);
/* The figures of an evaluation of LABELS or a NUMBER. `names`: [classes]. */
GRAFT_MUST_CHECK enum graft_status graft_report_targets(const struct graft_page *page,
                                                        const struct graft_evaluation *evaluation,
                                                        const char *const *names);
/* An epoch's figure: 97.50 %, or of a NUMBER 0.9750. */
const char *graft_report_format(enum graft_task_kind task);
double graft_report_factor(enum graft_task_kind task);

#endif
