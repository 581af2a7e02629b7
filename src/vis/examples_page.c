/* SPDX-License-Identifier: MIT */
/* Examples as a section of a page. */
#include "vis/examples.h"

#include "vis/reliability.h"

#include <stdio.h>

static enum graft_status put_example(const struct graft_page *page, const struct graft_examples *examples,
                                     const struct graft_example *item)
{
    const bool right = item->label == item->predicted;
    const char *const label = examples->class_names[item->label], *const predicted =
                                                                      examples->class_names[item->predicted];
    char text[256];
    graft_page_put(page, "<figure><div class=\"pair\">");
    (void)snprintf(text, sizeof text, "a picture of %.200s", label);
    enum graft_status status = graft_page_picture(page, &item->picture, GRAFT_EXAMPLE_SIDE, text, NULL);
    for (int k = 0; k < (right ? 1 : 2) && status == GRAFT_OK; k++) {
        (void)snprintf(text, sizeof text, "what speaks for %.200s in it", k == 0 ? predicted : label);
        status = graft_page_picture(page, &item->overlays[k], GRAFT_EXAMPLE_SIDE, text, NULL);
    }
    graft_page_put(page, right ? "</div><figcaption>" : "</div><figcaption><span class=\"wrong\">");
    graft_page_text(page, label);
    graft_page_put(page, right ? ", " : ", taken for ");
    if (!right) {
        graft_page_text(page, predicted);
        graft_page_put(page, "</span>, ");
    }
    graft_page_number(page, "%.1f %%", 100 * item->predicted_share);
    if (!right) {
        graft_page_put(page, " against ");
        graft_page_number(page, "%.1f %%", 100 * item->label_share);
        graft_page_put(page, "; what speaks for the one, for the other");
    }
    graft_page_put(page, "<br><small>");
    graft_page_text(page, item->name);
    graft_page_put(page, "</small></figcaption></figure>\n");
    return status;
}

static enum graft_status put_looks(const struct graft_page *page, const struct graft_examples *examples)
{
    enum graft_status status = GRAFT_OK;
    graft_page_put(
        page, "<h2>Where it looks</h2>\n<p>Of each class the picture that it is surest of and is right, and "
              "the one that it is surest of and is wrong: Grad-CAM at ");
    graft_page_text(page, examples->layer);
    graft_page_put(page, ".</p>\n<div class=\"pictures\">\n");
    for (int64_t i = 0; i < examples->count && status == GRAFT_OK; i++)
        status = put_example(page, examples, &examples->items[i]);
    graft_page_put(page, "</div>\n");
    if (examples->left_out > 0)
        graft_text_append(page->context, page->html,
                          "<p class=\"sub\">The other %d classes have mistakes that are less sure.</p>\n",
                          examples->left_out);
    return status;
}

enum graft_status graft_examples_put(const struct graft_page *page, const struct graft_examples *examples)
{
    enum graft_status status = graft_reliability_put(page, &examples->predictions, examples->class_names);
    if (status == GRAFT_OK)
        status = graft_album_put(page, &examples->album, examples->class_names);
    return status == GRAFT_OK ? put_looks(page, examples) : status;
}
