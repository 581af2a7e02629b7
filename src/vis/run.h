/* SPDX-License-Identifier: MIT */
/* A run folder as the drawings need it, and its report. */
#ifndef GRAFT_SRC_VIS_RUN_H
#define GRAFT_SRC_VIS_RUN_H

#include "base/text.h"
#include "vis/history.h"
#include "graft/vis.h"

struct graft_run {
    struct graft_context *context;
    const char *folder;
    void *config;             /* json_t, an object */
    const char **class_names; /* [classes], texts of config */
    int32_t classes;
    struct graft_history history;
    const struct graft_evaluation *evaluation; /* NULL: none */
    struct graft_text curves;                  /* PNG */
    struct graft_text confusion;               /* PNG; empty: none */
};

/* Appends the report as HTML; check html->failed. */
void graft_report_write(const struct graft_run *run, struct graft_text *html);

#endif
