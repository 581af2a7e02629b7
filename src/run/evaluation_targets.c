/* SPDX-License-Identifier: MIT */
/* Figures of labels that apply each by itself, and of numbers. */
#include "base/context.h"
#include "run/run.h"
#include "run/scored.h"

#include <math.h>
#include <string.h>

enum graft_status graft_evaluation_open_target(struct graft_context *context,
                                               const struct graft_target *target, int32_t classes,
                                               int64_t most, struct graft_evaluation *evaluation)
{
    const bool labels = target->task == GRAFT_TASK_LABELS;
    if (!labels && target->task != GRAFT_TASK_NUMBER) {
        return graft_evaluation_open(context, classes, evaluation);
    }
    *evaluation = (struct graft_evaluation){
        .classes = classes, .task = target->task, .most = most, .target = *target, .map = (double)NAN};
    const size_t width = (size_t)classes * sizeof(float);
    evaluation->values = graft_allocate(context, (size_t)most + 1, width);
    evaluation->targets = graft_allocate(context, (size_t)most + 1, width);
    evaluation->figures =
        labels ? graft_allocate(context, (size_t)classes, sizeof *evaluation->figures) : NULL;
    evaluation->scratch = labels ? graft_allocate(context, (size_t)most + 1, sizeof(struct graft_scored)) : NULL;
    if (evaluation->values && evaluation->targets &&
        (!labels || (evaluation->figures && evaluation->scratch))) {
        return GRAFT_OK;
    }
    graft_evaluation_close(context, evaluation);
    return GRAFT_ERROR_MEMORY;
}

void graft_evaluation_forget(struct graft_context *context, struct graft_evaluation *evaluation)
{
    graft_release(context, evaluation->values);
    graft_release(context, evaluation->targets);
    graft_release(context, evaluation->scratch);
    evaluation->values = evaluation->targets = NULL;
    evaluation->scratch = NULL;
}

/* log(1 + exp(x)), without overflow */
static double softplus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

/* Of one output, by the loss that was learnt by. */
static double loss_of(const struct graft_target *target, double output, double wanted)
{
    if (target->task == GRAFT_TASK_LABELS) {
        return wanted * softplus(-output) + (1 - wanted) * softplus(output);
    }
    const double difference = fabs(output - (wanted - target->mean) / target->deviation);
    switch (target->loss) {
    case GRAFT_LOSS_L1:
        return difference;
    case GRAFT_LOSS_HUBER:
        return difference < 1 ? difference * difference / 2 : difference - 0.5;
    default:
        return difference * difference;
    }
}

/* loss holds a sum until it is finished. */
void graft_evaluation_add_targets(struct graft_evaluation *evaluation, const float *outputs,
                                  const float *targets)
{
    const int32_t classes = evaluation->classes;
    double sum = 0;
    if (evaluation->images == evaluation->most) {
        return;
    }
    graft_target_read(&evaluation->target, outputs, classes,
                      evaluation->values + evaluation->images * classes);
    memcpy(evaluation->targets + evaluation->images * classes, targets, (size_t)classes * sizeof *targets);
    for (int32_t c = 0; c < classes; c++) {
        sum += loss_of(&evaluation->target, (double)outputs[c], (double)targets[c]);
    }
    evaluation->loss += sum / classes;
    evaluation->images++;
}

static double f1_of(int64_t right, int64_t told, int64_t true_ones)
{
    return told + true_ones > 0 ? 2 * (double)right / (double)(told + true_ones) : 0;
}

/* Average precision, and the threshold of the highest F1: in the middle between two probabilities. */
static void judge_label(struct graft_class_figures *figures, struct graft_scored *scored, int64_t count)
{
    struct graft_scored_walk walk = {.scored = scored, .count = count};
    double best = 0;
    figures->threshold = 0.5;
    graft_scored_begin(&walk);
    while (graft_scored_next(&walk)) {
        const double f1 = f1_of(walk.hits, walk.taken, figures->images);
        if (f1 > best) {
            const double next = walk.taken < count ? scored[walk.taken].score : 0;
            best = f1;
            figures->threshold = (scored[walk.taken - 1].score + next) / 2;
        }
    }
    figures->average_precision = figures->images > 0 ? walk.precisions / (double)figures->images : (double)NAN;
}

static void count_at(struct graft_class_figures *figures, const struct graft_scored *scored, int64_t count)
{
    int64_t told = 0, right = 0;
    const float threshold = (float)figures->threshold;
    for (int64_t i = 0; i < count; i++) {
        told += (float)scored[i].score >= threshold;
        right += (float)scored[i].score >= threshold && scored[i].positive;
    }
    figures->precision = told ? (double)right / (double)told : 0;
    figures->recall = figures->images ? (double)right / (double)figures->images : 0;
    figures->f1 = f1_of(right, told, figures->images);
}

static void finish_labels(struct graft_evaluation *e)
{
    const int64_t classes = e->classes;
    struct graft_scored *const scored = e->scratch;
    double sum = 0;
    int64_t known = 0;
    for (int32_t c = 0; c < e->classes; c++) {
        struct graft_class_figures *const figures = &e->figures[c];
        *figures = (struct graft_class_figures){0};
        for (int64_t i = 0; i < e->images; i++) {
            scored[i] = (struct graft_scored){(double)e->values[i * classes + c], e->targets[i * classes + c] > 0.5f};
            figures->images += scored[i].positive;
        }
        judge_label(figures, scored, e->images);
        if (!e->chooses) {
            figures->threshold = e->target.thresholds ? (double)e->target.thresholds[c] : 0.5;
        }
        count_at(figures, scored, e->images);
        sum += figures->images > 0 ? figures->average_precision : 0;
        known += figures->images > 0;
    }
    e->map = known > 0 ? sum / (double)known : 0;
}

/* R² of numbers that are all the same is 1 where they are met, else 0, as scikit-learn's r2_score. */
static void finish_number(struct graft_evaluation *e)
{
    double absolute = 0, squares = 0, mean = 0, spread = 0;
    for (int64_t i = 0; i < e->images; i++) {
        const double difference = (double)e->values[i] - (double)e->targets[i];
        absolute += fabs(difference);
        squares += difference * difference;
        mean += (double)e->targets[i] / (double)e->images;
    }
    for (int64_t i = 0; i < e->images; i++) {
        spread += ((double)e->targets[i] - mean) * ((double)e->targets[i] - mean);
    }
    const double images = e->images > 0 ? (double)e->images : 1;
    e->mae = absolute / images;
    e->rmse = sqrt(squares / images);
    e->r2 = spread > 0 ? 1 - squares / spread : squares == 0;
}

void graft_evaluation_finish_targets(struct graft_evaluation *evaluation)
{
    evaluation->loss /= evaluation->images > 0 ? (double)evaluation->images : 1;
    if (evaluation->task == GRAFT_TASK_LABELS) {
        finish_labels(evaluation);
    } else {
        finish_number(evaluation);
    }
}

double graft_evaluation_figure(const struct graft_evaluation *evaluation)
{
    return evaluation->task == GRAFT_TASK_LABELS   ? evaluation->map
           : evaluation->task == GRAFT_TASK_NUMBER ? evaluation->r2
                                                   : evaluation->top1;
}
