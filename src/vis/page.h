/* SPDX-License-Identifier: MIT */
/*
 * What pages are made of: one HTML file that loads nothing, works from the disk, is readable by keyboard and
 * by screen readers, in light and dark, and prints. A page is appended to a text: check html->failed at the
 * end.
 */
#ifndef GRAFT_SRC_VIS_PAGE_H
#define GRAFT_SRC_VIS_PAGE_H

#include "base/text.h"
#include "graft/vis.h"

struct graft_page {
    struct graft_context *context;
    struct graft_text *html;
};

/* Head, style and the first heading; `heading` and `below` are texts, not markup; `below` may be NULL.
 * `script`: code of ours that graft_page_end puts behind the body needs to be allowed. */
void graft_page_begin(const struct graft_page *page, const char *title, const char *heading,
                      const char *below, bool script);
/* `script`: NULL: none. */
void graft_page_end(const struct graft_page *page, const char *script);

void graft_page_put(const struct graft_page *page, const char *markup);
/* Text of somebody else: no markup, valid UTF-8, nothing that cannot be seen. */
void graft_page_text(const struct graft_page *page, const char *text);
/* A finite number; else a dash. */
void graft_page_number(const struct graft_page *page, const char *format, double number);
void graft_page_cell(const struct graft_page *page, const char *format, double number);
void graft_page_text_cell(const struct graft_page *page, const char *text);
/* One of the large numbers in the head: inside of <div class="figures">. */
void graft_page_figure(const struct graft_page *page, const char *format, double number, const char *what);

/* "data:image/png;base64,…" */
void graft_page_data(const struct graft_page *page, const char *type, const struct graft_text *bytes);
/* An image that is PNG already; `alt` is a text. */
void graft_page_png(const struct graft_page *page, const struct graft_text *png, const char *alt);
/* Makes a picture smaller in place, if its longer side is above `side` pixels. GRAFT_ERROR_MEMORY. */
GRAFT_MUST_CHECK enum graft_status graft_page_shrink(struct graft_context *context, struct graft_image *image,
                                                     int32_t side);
/* A picture made smaller to `side` pixels, as JPEG; `attributes` are markup, or NULL. GRAFT_ERROR_MEMORY. */
GRAFT_MUST_CHECK enum graft_status graft_page_picture(const struct graft_page *page,
                                                      const struct graft_image *image, int32_t side,
                                                      const char *alt, const char *attributes);

#endif
