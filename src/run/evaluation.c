/* SPDX-License-Identifier: MIT */
/* Figures of a classifier: loss, top 1, top 5, confusion, precision and recall. */
#include "base/context.h"
#include "run/run.h"

#include <math.h>

void graft_softmax_row(const float *logits, int32_t classes, float *probabilities)
{
    graft_target_read(&(struct graft_target){.task = GRAFT_TASK_CLASSES}, logits, classes, probabilities);
}

void graft_top_k(const float *values, int32_t classes, int32_t k, int32_t *indexes)
{
    for (int32_t n = 0; n < k; n++) {
        int32_t best = -1;
        for (int32_t i = 0; i < classes; i++) {
            bool taken = false;
            for (int32_t j = 0; j < n && !taken; j++)
                taken = indexes[j] == i;
            if (!taken && (best < 0 || values[i] > values[best]))
                best = i;
        }
        indexes[n] = best;
    }
}

enum graft_status graft_evaluation_open(struct graft_context *context, int32_t classes,
                                        struct graft_evaluation *evaluation)
{
    *evaluation = (struct graft_evaluation){.classes = classes, .task = GRAFT_TASK_CLASSES};
    evaluation->figures = graft_allocate(context, (size_t)classes, sizeof *evaluation->figures);
    evaluation->confusion = graft_allocate(context, (size_t)classes * (size_t)classes, sizeof(int64_t));
    if (evaluation->figures && evaluation->confusion)
        return GRAFT_OK;
    graft_evaluation_close(context, evaluation);
    return GRAFT_ERROR_MEMORY;
}

void graft_evaluation_close(struct graft_context *context, struct graft_evaluation *evaluation)
{
    graft_release(context, evaluation->figures);
    graft_release(context, evaluation->confusion);
    graft_evaluation_forget(context, evaluation);
    *evaluation = (struct graft_evaluation){0};
}

/* loss, top1 and top5 hold sums until graft_evaluation_finish. */
void graft_evaluation_add(struct graft_evaluation *evaluation, const float *logits, const int32_t *labels,
                          int64_t rows)
{
    const int32_t classes = evaluation->classes;
    for (int64_t row = 0; row < rows; row++) {
        const float *const x = logits + row * classes;
        const int32_t label = labels[row];
        double largest = -INFINITY;
        double sum = 0;
        int32_t best = 0;
        int32_t rank = 0; /* classes that come before the label's */
        for (int32_t i = 0; i < classes; i++) {
            if (x[i] > x[best])
                best = i;
            rank += x[i] > x[label] || (x[i] == x[label] && i < label);
            largest = (double)x[i] > largest ? (double)x[i] : largest;
        }
        for (int32_t i = 0; i < classes; i++)
            sum += exp((double)x[i] - largest);
        evaluation->loss += largest + log(sum) - (double)x[label];
        evaluation->top1 += best == label;
        evaluation->top5 += rank < 5;
        evaluation->confusion[(int64_t)label * classes + best]++;
    }
    evaluation->images += rows;
}

void graft_evaluation_finish(struct graft_evaluation *evaluation)
{
    if (evaluation->values) {
        graft_evaluation_finish_targets(evaluation);
        return;
    }
    const int32_t classes = evaluation->classes;
    const double images = evaluation->images > 0 ? (double)evaluation->images : 1;
    evaluation->loss /= images;
    evaluation->top1 /= images;
    evaluation->top5 /= images;
    for (int32_t i = 0; i < classes; i++) {
        struct graft_class_figures *const figures = &evaluation->figures[i];
        int64_t predicted = 0;
        const int64_t right = evaluation->confusion[(int64_t)i * classes + i];
        figures->images = 0;
        for (int32_t k = 0; k < classes; k++) {
            figures->images += evaluation->confusion[(int64_t)i * classes + k];
            predicted += evaluation->confusion[(int64_t)k * classes + i];
        }
        figures->precision = predicted ? (double)right / (double)predicted : 0;
        figures->recall = figures->images ? (double)right / (double)figures->images : 0;
        const double sum = figures->precision + figures->recall;
        figures->f1 = sum > 0 ? 2 * figures->precision * figures->recall / sum : 0;
    }
}
