/* SPDX-License-Identifier: MIT */
/* Rows of networks that tell labels, each by itself, or a number. */
#include "classified_targets.h"

#include "io/csv.h"
#include "output.h"

#include <string.h>

static bool is_number(const struct graft_rows *rows)
{
    return rows->target->task == GRAFT_TASK_NUMBER;
}

bool graft_rows_targeted(const struct graft_rows *rows)
{
    return rows->target != NULL && rows->target->task > GRAFT_TASK_CLASSES;
}

static double threshold_of(const struct graft_rows *rows, int32_t c)
{
    return rows->target->thresholds != NULL ? (double)rows->target->thresholds[c] : 0.5;
}

/* The k-th label by its probability; false: it does not apply any more. */
static bool applies(const struct graft_rows *rows, int32_t k)
{
    return k < rows->classes &&
           graft_target_applies(rows->target, rows->order[k], (double)rows->probabilities[rows->order[k]]);
}

/* Labels that apply come first, each by its probability. */
void graft_rows_read_targets(struct graft_rows *rows, const float *outputs)
{
    int32_t count = 0;
    graft_target_read(rows->target, outputs, rows->classes, rows->probabilities);
    for (int pass = 0; pass < 2; pass++) {
        const int32_t first = count;
        for (int32_t c = 0; c < rows->classes; c++) {
            if (graft_target_applies(rows->target, c, (double)rows->probabilities[c]) != (pass == 0)) {
                continue;
            }
            int32_t at = count++;
            for (; at > first && rows->probabilities[rows->order[at - 1]] < rows->probabilities[c]; at--) {
                rows->order[at] = rows->order[at - 1];
            }
            rows->order[at] = c;
        }
    }
}

json_t *graft_rows_describe_targets(const struct graft_rows *rows, const char *name)
{
    if (is_number(rows)) {
        return json_pack("{s:o, s:o, s:o}", "file", graft_json_text(name), "name",
                         graft_json_text(rows->names[0]), "number",
                         graft_json_real((double)rows->probabilities[0]));
    }
    json_t *const list = json_array();
    for (int32_t k = 0; applies(rows, k); k++) {
        const int32_t c = rows->order[k];
        graft_json_add_item(list, json_pack("{s:i, s:o, s:o, s:o}", "index", (int)c, "name",
                                            graft_json_text(rows->names[c]), "probability",
                                            graft_json_real((double)rows->probabilities[c]), "threshold",
                                            graft_json_real(threshold_of(rows, c))));
    }
    return json_pack("{s:o, s:o}", "file", graft_json_text(name), "labels", list);
}

void graft_rows_print_targets(const struct graft_rows *rows)
{
    char shown[GRAFT_NAME_SHOWN];
    if (is_number(rows)) {
        printf("  %10.6g  %s\n", (double)rows->probabilities[0], graft_show_name(rows->names[0], shown));
        return;
    }
    for (int32_t k = 0; applies(rows, k); k++) {
        printf("  %6.2f %%  %s\n", 100 * (double)rows->probabilities[rows->order[k]],
               graft_show_name(rows->names[rows->order[k]], shown));
    }
    if (!applies(rows, 0)) {
        const int32_t c = rows->order[0];
        printf("  none; the most probable is %s with %.2f %%, which applies from %.2f %% on\n",
               graft_show_name(rows->names[c], shown), 100 * (double)rows->probabilities[c],
               100 * threshold_of(rows, c));
    }
}

void graft_rows_head_targets(struct graft_rows *rows)
{
    struct graft_context *const context = rows->command->context;
    if (rows->truth) {
        graft_csv_text(context, &rows->text, "truth");
    }
    graft_csv_text(context, &rows->text, is_number(rows) ? rows->names[0] : "labels");
    graft_csv_text(context, &rows->text, "error");
    for (int32_t c = 0; c < rows->classes && !is_number(rows); c++) {
        graft_csv_text(context, &rows->text, rows->names[c]);
    }
}

static void put_labels(struct graft_rows *rows)
{
    struct graft_context *const context = rows->command->context;
    struct graft_text labels = {0};
    for (int32_t k = 0; applies(rows, k); k++) {
        graft_text_append(context, &labels, "%s%s", k > 0 ? ";" : "", rows->names[rows->order[k]]);
    }
    rows->text.failed = rows->text.failed || labels.failed;
    graft_csv_text(context, &rows->text, labels.data != NULL ? labels.data : "none");
    graft_text_close(context, &labels);
}

void graft_rows_put_targets(struct graft_rows *rows, const struct graft_classified *picture,
                            const char *reason)
{
    struct graft_context *const context = rows->command->context;
    const bool read = picture->values != NULL;
    char truth[4096] = "";
    if (rows->truth && rows->dataset != NULL) {
        graft_dataset_truth(rows->dataset, picture->split, picture->index, truth, sizeof truth);
    }
    if (rows->truth) {
        graft_csv_text(context, &rows->text, truth);
    }
    if (!read) {
        graft_csv_text(context, &rows->text, "");
    } else if (is_number(rows)) {
        graft_csv_number(context, &rows->text, (double)rows->probabilities[0]);
    } else {
        put_labels(rows);
    }
    graft_csv_text(context, &rows->text, reason);
    for (int32_t c = 0; c < rows->classes && !is_number(rows); c++) {
        if (read) {
            graft_csv_number(context, &rows->text, (double)rows->probabilities[c]);
        } else {
            graft_csv_text(context, &rows->text, "");
        }
    }
}
