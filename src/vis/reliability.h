/* SPDX-License-Identifier: MIT */
/* Whether a network is as often right as it is sure; with two classes, how well it ranks them. */
#ifndef GRAFT_SRC_VIS_RELIABILITY_H
#define GRAFT_SRC_VIS_RELIABILITY_H

#include "vis/page.h"

/* Appends the calibration diagram as PNG. Statuses of graft_plot_lines. */
GRAFT_MUST_CHECK enum graft_status graft_draw_calibration(struct graft_context *context,
                                                          const struct graft_calibration *calibration,
                                                          struct graft_text *png);
/* A section of a page: the diagram and its error, what thresholds come to, the curves of two classes. */
GRAFT_MUST_CHECK enum graft_status graft_reliability_put(const struct graft_page *page,
                                                         const struct graft_predictions *predictions,
                                                         const char *const *class_names);

#endif
