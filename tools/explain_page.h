/* SPDX-License-Identifier: MIT */
/* The page of graft explain: each picture, what speaks for its classes, and what the network says. */
#ifndef GRAFT_TOOLS_EXPLAIN_PAGE_H
#define GRAFT_TOOLS_EXPLAIN_PAGE_H

#include "base/text.h"
#include "graft/explain.h"
#include "graft/vis.h"

struct graft_explain_page {
    struct graft_context *context;
    struct graft_text html;
};

void graft_explain_page_begin(struct graft_explain_page *page, struct graft_context *context,
                              const char *network, const char *method, const char *layer);
/* `images`: the picture, then map and overlay of each class, with captions; `bars`: the most probable
 * classes. */
GRAFT_MUST_CHECK enum graft_status graft_explain_page_add(struct graft_explain_page *page, const char *name,
                                                          const struct graft_sheet_tile *images, int count,
                                                          const struct graft_sheet_bar *bars, int bar_count);
GRAFT_MUST_CHECK enum graft_status graft_explain_page_write(struct graft_explain_page *page,
                                                            const char *path);
void graft_explain_page_close(struct graft_explain_page *page);

#endif
