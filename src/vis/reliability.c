/* SPDX-License-Identifier: MIT */
#include "vis/reliability.h"

#include "base/context.h"
#include "vis/plot.h"

#include <math.h>

static enum graft_status put_calibration(const struct graft_page *page,
                                         const struct graft_calibration *calibration)
{
    struct graft_text png = {0};
    const enum graft_status status = graft_draw_calibration(page->context, calibration, &png);
    if (status == GRAFT_OK) {
        graft_page_number(page, "<p>Expected calibration error %.2f %%", 100 * calibration->error);
        graft_page_put(
            page, " (ECE): the mean difference between how sure it is and how often it is right, over 15 "
                  "bins of confidence, each by its share of the pictures. The largest of a bin is ");
        graft_page_number(page, "%.2f %%.</p>\n", 100 * calibration->largest);
        graft_page_png(
            page, &png,
            "calibration diagram: how often pictures are right, by confidence, and how many there are");
    }
    graft_text_close(page->context, &png);
    return status;
}

/* What is left to a person, and what the rest is worth. */
static void put_thresholds(const struct graft_page *page, const struct graft_predictions *predictions)
{
    static const double thresholds[] = {0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99};
    graft_page_put(page,
                   "<table><tr><th>taken from a confidence of</th><th>pictures</th><th>share of all</th>"
                   "<th>of them right</th></tr>\n");
    for (size_t i = 0; i < sizeof thresholds / sizeof thresholds[0]; i++) {
        const struct graft_coverage at = graft_coverage_at(predictions, thresholds[i]);
        graft_page_put(page, "<tr>");
        if (i == 0) {
            graft_page_text_cell(page, "0 %: all of them");
        } else {
            graft_page_cell(page, "%.0f %%", 100 * at.threshold);
        }
        graft_page_cell(page, "%.0f", (double)at.sure);
        graft_page_cell(page, "%.2f %%", 100 * at.coverage);
        graft_page_cell(page, "%.2f %%", 100 * at.accuracy);
        graft_page_put(page, "</tr>\n");
    }
    graft_page_put(page, "</table>\n");
}

/* Of both classes: their curves of precision differ, that of the rates is the same seen from the other
 * corner. */
static enum graft_status draw_ranking(struct graft_context *context, const struct graft_ranking rankings[2],
                                      const char *const *class_names, struct graft_text *png)
{
    static const double diagonal[2] = {0, 1};
    char name[64];
    (void)graft_format(name, sizeof name, "area %.4f", rankings[1].auc);
    const struct graft_plot_line rates[] = {
        {name, rankings[1].false_positive, rankings[1].recall, rankings[1].count},
        {"by chance", diagonal, diagonal, 2}};
    const struct graft_plot_line precisions[] = {
        {class_names[1], rankings[1].recall, rankings[1].precision, rankings[1].count},
        {class_names[0], rankings[0].recall, rankings[0].precision, rankings[0].count}};
    const struct graft_plot_panel panels[] = {{.title = "ROC",
                                               .x_label = "false positive rate",
                                               .y_label = "true positive rate",
                                               .lines = rates,
                                               .line_count = 2,
                                               .percent = true},
                                              {.title = "Precision and recall",
                                               .x_label = "recall",
                                               .y_label = "precision",
                                               .lines = precisions,
                                               .line_count = 2,
                                               .percent = true}};
    return graft_draw_lines(context, panels, 2, 0, 0, png);
}

static enum graft_status put_ranking(const struct graft_page *page,
                                     const struct graft_predictions *predictions,
                                     const char *const *class_names)
{
    struct graft_ranking rankings[2] = {{0}, {0}};
    struct graft_text png = {0};
    enum graft_status status = graft_rank(page->context, predictions, 0, &rankings[0]);
    if (status == GRAFT_OK) {
        status = graft_rank(page->context, predictions, 1, &rankings[1]);
    }
    const bool both = status == GRAFT_OK && isfinite(rankings[1].auc);
    if (both) {
        status = draw_ranking(page->context, rankings, class_names, &png);
    }
    if (both && status == GRAFT_OK) {
        graft_page_number(page, "<h2>Two classes apart</h2>\n<p>Area under the ROC curve %.4f",
                          rankings[1].auc);
        for (int c = 1; c >= 0; c--) {
            graft_page_put(page, c == 1 ? "; average precision of " : ", of ");
            graft_page_text(page, class_names[c]);
            graft_page_number(page, " %.4f", rankings[c].average_precision);
        }
        graft_page_put(page, ".</p>\n");
        graft_page_png(page, &png, "ROC curve, and precision over recall of both classes");
    }
    graft_text_close(page->context, &png);
    for (int c = 0; c < 2; c++) {
        graft_ranking_close(page->context, &rankings[c]);
    }
    return status;
}

enum graft_status graft_reliability_put(const struct graft_page *page,
                                        const struct graft_predictions *predictions,
                                        const char *const *class_names)
{
    struct graft_calibration calibration;
    if (predictions->count == 0) {
        return GRAFT_OK;
    }
    graft_calibrate(predictions, &calibration);
    graft_page_put(page, "<h2>How far its certainty can be relied on</h2>\n");
    enum graft_status status = put_calibration(page, &calibration);
    put_thresholds(page, predictions);
    if (status == GRAFT_OK && predictions->classes == 2) {
        status = put_ranking(page, predictions, class_names);
    }
    return status;
}
