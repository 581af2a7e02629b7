/* SPDX-License-Identifier: MIT */
#include "explain_page.h"

#include "base/file.h"
#include "vis/page.h"

#include <stdio.h>

#define SIDE 300 /* pixels of a picture */

void graft_explain_page_begin(struct graft_explain_page *page, struct graft_context *context,
                              const char *network, const char *method, const char *layer)
{
    char title[512], below[512];
    *page = (struct graft_explain_page){.context = context};
    const struct graft_page to = {context, &page->html};
    (void)snprintf(title, sizeof title, "What %.400s sees", network);
    (void)snprintf(below, sizeof below, "%.100s at %.300s", method, layer);
    graft_page_begin(&to, title, title, below, false);
}

enum graft_status graft_explain_page_add(struct graft_explain_page *page, const char *name,
                                         const struct graft_sheet_tile *images, int count,
                                         const struct graft_sheet_bar *bars, int bar_count)
{
    const struct graft_page to = {page->context, &page->html};
    enum graft_status status = GRAFT_OK;
    graft_page_put(&to, "<section><h2>");
    graft_page_text(&to, name);
    graft_page_put(&to, "</h2>\n<div class=\"pictures\">\n");
    for (int i = 0; i < count && status == GRAFT_OK; i++) {
        char alt[256];
        (void)snprintf(alt, sizeof alt, "%s%.200s",
                       i == 0       ? "the picture "
                       : i % 2 == 1 ? "heat map by "
                                    : "heat over the picture for ",
                       images[i].caption);
        graft_page_put(&to, "<figure>");
        status = graft_page_picture(&to, images[i].picture, SIDE, alt, NULL);
        graft_page_put(&to, "<figcaption>");
        graft_page_text(&to, images[i].caption);
        graft_page_put(&to, "</figcaption></figure>\n");
    }
    graft_page_put(&to, "</div>\n<table><tr><th>class</th><th>probability</th></tr>\n");
    for (int i = 0; i < bar_count; i++) {
        graft_page_put(&to, bars[i].marked ? "<tr class=\"best\">" : "<tr>");
        graft_page_text_cell(&to, bars[i].name);
        graft_page_cell(&to, "%.1f %%", 100 * bars[i].share);
        graft_page_put(&to, "</tr>\n");
    }
    graft_page_put(&to, "</table></section>\n");
    return status == GRAFT_OK && page->html.failed ? GRAFT_ERROR_MEMORY : status;
}

enum graft_status graft_explain_page_write(struct graft_explain_page *page, const char *path)
{
    const struct graft_page to = {page->context, &page->html};
    graft_page_end(&to, NULL);
    return page->html.failed ? GRAFT_ERROR_MEMORY
                             : graft_file_write(page->context, path, page->html.data, page->html.length);
}

void graft_explain_page_close(struct graft_explain_page *page)
{
    graft_text_close(page->context, &page->html);
}
