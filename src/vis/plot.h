/* SPDX-License-Identifier: MIT */
/* The plots of graft/vis.h, appended to a text as PNG instead of written to a file. */
#ifndef GRAFT_SRC_VIS_PLOT_H
#define GRAFT_SRC_VIS_PLOT_H

#include "base/text.h"
#include "graft/vis.h"

GRAFT_MUST_CHECK enum graft_status graft_draw_lines(struct graft_context *context,
                                                    const struct graft_plot_panel *panels, int panel_count,
                                                    int width, int height, struct graft_text *png);
GRAFT_MUST_CHECK enum graft_status graft_draw_matrix(struct graft_context *context,
                                                     const struct graft_plot_matrix *matrix,
                                                     struct graft_text *png);
GRAFT_MUST_CHECK enum graft_status
graft_draw_bars(struct graft_context *context, const struct graft_plot_bars *bars, struct graft_text *png);
GRAFT_MUST_CHECK enum graft_status graft_draw_sheet(struct graft_context *context, const char *title,
                                                    const struct graft_sheet_tile *tiles, int32_t count,
                                                    int32_t columns, int32_t side, struct graft_text *png);

#endif
