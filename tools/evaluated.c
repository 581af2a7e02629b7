/* SPDX-License-Identifier: MIT */
#include "evaluated.h"

#include "output.h"
#include "terminal.h"

#include <stdio.h>

#define WIDEST_CONFUSION 16

static json_t *describe_classes(const struct graft_evaluation *evaluation, const char *const *names)
{
    json_t *const list = json_array();
    for (int32_t c = 0; c < evaluation->classes; c++) {
        const struct graft_class_figures *const figures = &evaluation->figures[c];
        graft_json_add_item(
            list, json_pack("{s:o, s:I, s:o, s:o, s:o}", "name", graft_json_text(names[c]), "images",
                            (json_int_t)figures->images, "precision", graft_json_real(figures->precision),
                            "recall", graft_json_real(figures->recall), "f1", graft_json_real(figures->f1)));
    }
    return list;
}

static json_t *describe_confusion(const struct graft_evaluation *evaluation)
{
    json_t *const rows = json_array();
    for (int32_t c = 0; c < evaluation->classes; c++) {
        json_t *const row = json_array();
        for (int32_t p = 0; p < evaluation->classes; p++) {
            graft_json_add_item(row,
                                json_integer(evaluation->confusion[(int64_t)c * evaluation->classes + p]));
        }
        graft_json_add_item(rows, row);
    }
    return rows;
}

static json_t *describe_calibration(const struct graft_calibration *calibration)
{
    json_t *const bins = json_array();
    for (int b = 0; b < GRAFT_CALIBRATION_BINS; b++) {
        const struct graft_calibration_bin *const bin = &calibration->bins[b];
        graft_json_add_item(bins, json_pack("{s:I, s:o, s:o}", "images", (json_int_t)bin->images,
                                            "confidence", graft_json_real(bin->confidence), "accuracy",
                                            graft_json_real(bin->accuracy)));
    }
    return json_pack("{s:o, s:o, s:o}", "error", graft_json_real(calibration->error), "largest",
                     graft_json_real(calibration->largest), "bins", bins);
}

static json_t *describe_ranking(const struct graft_evaluated *evaluated)
{
    json_t *const precisions = json_object();
    for (int c = 0; c < 2; c++) {
        graft_json_add_member(precisions, evaluated->names[c],
                              graft_json_real(evaluated->rankings[c].average_precision));
    }
    return json_pack("{s:o, s:o}", "roc_auc", graft_json_real(evaluated->rankings[1].auc),
                     "average_precision", precisions);
}

static json_t *describe_coverage(const struct graft_coverage *coverage)
{
    return json_pack("{s:o, s:I, s:o, s:o}", "confidence", graft_json_real(coverage->threshold), "images",
                     (json_int_t)coverage->sure, "coverage", graft_json_real(coverage->coverage), "top1",
                     graft_json_real(coverage->accuracy));
}

static json_t *describe_labels(const struct graft_evaluated *evaluated)
{
    const struct graft_evaluation *const e = evaluated->evaluation;
    json_t *const list = describe_classes(e, evaluated->names);
    for (size_t c = 0; c < json_array_size(list); c++) {
        json_t *const one = json_array_get(list, c);
        graft_json_add_member(one, "average_precision", graft_json_real(e->figures[c].average_precision));
        graft_json_add_member(one, "threshold", graft_json_real(e->figures[c].threshold));
    }
    return json_pack("{s:I, s:o, s:o, s:o}", "images", (json_int_t)e->images, "loss", graft_json_real(e->loss), "map",
                     graft_json_real(e->map), "labels", list);
}

static json_t *describe_number(const struct graft_evaluation *e)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:o}", "images", (json_int_t)e->images, "loss", graft_json_real(e->loss),
                     "mae", graft_json_real(e->mae), "rmse", graft_json_real(e->rmse), "r2", graft_json_real(e->r2));
}

json_t *graft_evaluated_json(const struct graft_evaluated *evaluated)
{
    const struct graft_evaluation *const evaluation = evaluated->evaluation;
    if (evaluation->task == GRAFT_TASK_LABELS) {
        return describe_labels(evaluated);
    }
    if (evaluation->task == GRAFT_TASK_NUMBER) {
        return describe_number(evaluation);
    }
    json_t *const document =
        json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "images", (json_int_t)evaluation->images, "loss",
                  graft_json_real(evaluation->loss), "top1", graft_json_real(evaluation->top1), "top5",
                  graft_json_real(evaluation->top5), "classes",
                  describe_classes(evaluation, evaluated->names), "confusion", describe_confusion(evaluation),
                  "calibration", describe_calibration(evaluated->calibration));
    if (document != NULL && evaluated->rankings != NULL) {
        graft_json_add_member(document, "ranking", describe_ranking(evaluated));
    }
    if (document != NULL && evaluated->coverage != NULL) {
        graft_json_add_member(document, "threshold", describe_coverage(evaluated->coverage));
    }
    return document;
}

/* Rows: what it is; columns: what the network says. */
static void print_confusion(const struct graft_evaluation *evaluation, const char *const *names)
{
    char shown[GRAFT_NAME_SHOWN];
    printf("\n%-24s", "is \\ predicted");
    for (int32_t p = 0; p < evaluation->classes; p++) {
        printf(" %s", graft_show_column(names[p], -8, shown, sizeof shown));
    }
    printf("\n");
    for (int32_t c = 0; c < evaluation->classes; c++) {
        printf("%s", graft_show_column(names[c], 24, shown, sizeof shown));
        for (int32_t p = 0; p < evaluation->classes; p++) {
            printf(" %8lld", (long long)evaluation->confusion[(int64_t)c * evaluation->classes + p]);
        }
        printf("\n");
    }
}

static void print_certainty(const struct graft_evaluated *evaluated)
{
    const struct graft_coverage *const at = evaluated->coverage;
    char shown[GRAFT_NAME_SHOWN];
    printf("\ncalibration error %.2f %% (ECE, 15 bins), largest of a bin %.2f %%\n",
           100 * evaluated->calibration->error, 100 * evaluated->calibration->largest);
    if (evaluated->rankings != NULL) {
        printf("area under the ROC curve %.4f; average precision of %s %.4f", evaluated->rankings[1].auc,
               graft_show_name(evaluated->names[1], shown), evaluated->rankings[1].average_precision);
        printf(", of %s %.4f\n", graft_show_name(evaluated->names[0], shown),
               evaluated->rankings[0].average_precision);
    }
    if (at != NULL) {
        printf("with a confidence of %g or more: %lld of %lld pictures (%.2f %%)", at->threshold,
               (long long)at->sure, (long long)at->images, 100 * at->coverage);
        if (at->sure > 0) {
            printf(", %.2f %% of them right", 100 * at->accuracy);
        }
        printf("; unsure are %lld\n", (long long)(at->images - at->sure));
    }
}

static void print_labels(const struct graft_evaluation *e, const char *const *names)
{
    char shown[GRAFT_NAME_SHOWN];
    printf("%lld pictures: mean average precision %.4f, loss %.4f\n\n", (long long)e->images, e->map, e->loss);
    printf("%-24s %8s %10s %10s %10s %8s %8s\n", "label", "images", "average p.", "threshold", "precision", "recall",
           "f1");
    for (int32_t c = 0; c < e->classes; c++) {
        const struct graft_class_figures *const f = &e->figures[c];
        printf("%s %8lld %10.4f %10.3f %10.4f %8.4f %8.4f\n", graft_show_column(names[c], 24, shown, sizeof shown),
               (long long)f->images, f->average_precision, f->threshold, f->precision, f->recall, f->f1);
    }
}

void graft_evaluated_print(const struct graft_evaluated *evaluated)
{
    const struct graft_evaluation *const evaluation = evaluated->evaluation;
    const char *const *const names = evaluated->names;
    if (evaluation->task == GRAFT_TASK_LABELS) {
        print_labels(evaluation, names);
        return;
    }
    if (evaluation->task == GRAFT_TASK_NUMBER) {
        printf("%lld pictures: mean absolute error %.6g, root of the mean square error %.6g, R² %.4f, loss %.4f\n",
               (long long)evaluation->images, evaluation->mae, evaluation->rmse, evaluation->r2, evaluation->loss);
        return;
    }
    char shown[GRAFT_NAME_SHOWN];
    char top5[32] = "";
    if (evaluation->classes > 5) { /* else it is all of them */
        snprintf(top5, sizeof top5, ", top 5 %.2f %%", 100 * evaluation->top5);
    }
    printf("%lld pictures: top 1 %.2f %%%s, loss %.4f\n\n", (long long)evaluation->images,
           100 * evaluation->top1, top5, evaluation->loss);
    printf("%-24s %8s %10s %8s %8s\n", "class", "images", "precision", "recall", "f1");
    for (int32_t c = 0; c < evaluation->classes; c++) {
        const struct graft_class_figures *const figures = &evaluation->figures[c];
        printf("%s %8lld %10.4f %8.4f %8.4f\n", graft_show_column(names[c], 24, shown, sizeof shown),
               (long long)figures->images, figures->precision, figures->recall, figures->f1);
    }
    if (evaluation->classes <= WIDEST_CONFUSION) {
        print_confusion(evaluation, names);
    }
    print_certainty(evaluated);
}
