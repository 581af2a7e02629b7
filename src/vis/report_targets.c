/* SPDX-License-Identifier: MIT */
#include "vis/report_targets.h"

#include <stdio.h>

const char *graft_report_format(enum graft_task_kind task)
{
    return task == GRAFT_TASK_NUMBER ? "%.4f" : "%.2f %%";
}

double graft_report_factor(enum graft_task_kind task)
{
    return task == GRAFT_TASK_NUMBER ? 1 : 100;
}

static void put_labels(const struct graft_page *page, const struct graft_evaluation *e,
                       const char *const *names)
{
    char text[256];
    (void)graft_format(
        text, sizeof text,
        "<h2>Labels</h2>\n<p>%lld pictures: mean average precision %.2f %%, loss %.4f. Precision, recall and "
        "F1 are those at the threshold, from which on a label applies.</p>\n",
        (long long)e->images, 100 * e->map, e->loss);
    graft_page_put(page, text);
    graft_page_put(page,
                   "<table><tr><th>label</th><th>pictures</th><th>average precision</th><th>threshold</th>"
                   "<th>precision</th><th>recall</th><th>F1</th></tr>\n");
    for (int32_t i = 0; i < e->classes; i++) {
        const struct graft_class_figures *const figures = &e->figures[i];
        graft_page_put(page, "<tr>");
        graft_page_text_cell(page, names[i]);
        graft_page_cell(page, "%.0f", (double)figures->images);
        graft_page_cell(page, "%.2f %%", 100 * figures->average_precision);
        graft_page_cell(page, "%.3f", figures->threshold);
        graft_page_cell(page, "%.2f %%", 100 * figures->precision);
        graft_page_cell(page, "%.2f %%", 100 * figures->recall);
        graft_page_cell(page, "%.4f", figures->f1);
        graft_page_put(page, "</tr>\n");
    }
    graft_page_put(page, "</table>\n");
}

static enum graft_status put_number(const struct graft_page *page, const struct graft_evaluation *e,
                                    const char *name)
{
    struct graft_text png = {0};
    graft_page_put(page, "<h2>Numbers</h2>\n<p>");
    graft_page_text(page, name);
    graft_page_number(page, " of %.0f pictures: ", (double)e->images);
    graft_page_number(page, "mean absolute error %.4g, ", e->mae);
    graft_page_number(page, "root of the mean square error %.4g, ", e->rmse);
    graft_page_number(page, "R² %.4f.</p>\n", e->r2);
    if (e->values == NULL) {
        return GRAFT_OK;
    }
    const enum graft_status status = graft_draw_scatter(page->context, e, name, &png);
    if (status == GRAFT_OK) {
        graft_page_png(page, &png, "numbers as predicted over numbers as they are");
    }
    graft_text_close(page->context, &png);
    return status;
}

enum graft_status graft_report_targets(const struct graft_page *page,
                                       const struct graft_evaluation *evaluation, const char *const *names)
{
    if (evaluation->task == GRAFT_TASK_NUMBER) {
        return put_number(page, evaluation, names[0]);
    }
    put_labels(page, evaluation, names);
    return GRAFT_OK;
}
