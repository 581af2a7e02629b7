/* SPDX-License-Identifier: MIT */
/* The drawings of a run, and its report. */
#ifndef GRAFT_SRC_VIS_DRAWING_H
#define GRAFT_SRC_VIS_DRAWING_H

#include "base/text.h"
#include "graft/vis.h"

struct graft_drawing {
    const struct graft_run *run;
    const struct graft_evaluation *evaluation; /* NULL: none */
    struct graft_text curves;                  /* PNG */
    struct graft_text confusion;               /* PNG; empty: none */
};

/* Appends the report as HTML; check html->failed. */
void graft_report_write(const struct graft_drawing *drawing, struct graft_text *html);

#endif
