/* SPDX-License-Identifier: MIT */
/* The drawings of a run, and its report. */
#ifndef GRAFT_SRC_VIS_DRAWING_H
#define GRAFT_SRC_VIS_DRAWING_H

#include "base/text.h"
#include "vis/examples.h"

struct graft_drawing {
    const struct graft_run *run;
    const struct graft_evaluation *evaluation; /* NULL: none */
    struct graft_text curves;                  /* PNG */
    const struct graft_examples *examples;     /* NULL: none */
    struct graft_text confusion;               /* PNG; empty: none */
};

/* Appends the report as HTML. GRAFT_ERROR_MEMORY. */
GRAFT_MUST_CHECK enum graft_status graft_report_write(const struct graft_drawing *drawing,
                                                      struct graft_text *html);
/* For TensorBoard, where the run writes for it. GRAFT_ERROR_MEMORY, GRAFT_ERROR_IO. */
GRAFT_MUST_CHECK enum graft_status graft_events_draw(const struct graft_drawing *drawing);
/* Appends the confusion matrix as PNG. Statuses of graft_plot_matrix. */
GRAFT_MUST_CHECK enum graft_status graft_draw_confusion(struct graft_context *context,
                                                        const struct graft_evaluation *evaluation,
                                                        const char *const *class_names,
                                                        struct graft_text *png);

#endif
