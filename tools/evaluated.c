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

json_t *graft_evaluated_json(const struct graft_evaluation *evaluation, const char *const *names)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o}", "images", (json_int_t)evaluation->images, "loss",
                     graft_json_real(evaluation->loss), "top1", graft_json_real(evaluation->top1), "top5",
                     graft_json_real(evaluation->top5), "classes", describe_classes(evaluation, names),
                     "confusion", describe_confusion(evaluation));
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

void graft_evaluated_print(const struct graft_evaluation *evaluation, const char *const *names)
{
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
}
