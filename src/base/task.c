/* SPDX-License-Identifier: MIT */
#include "graft/task.h"

#include "base/context.h"

#include <math.h>
#include <string.h>

static const struct graft_task_info tasks[] = {
    [GRAFT_TASK_AUTO] = {"classes", "top1", "accuracy", "cross-entropy", .trained = true},
    [GRAFT_TASK_CLASSES] = {"classes", "top1", "accuracy", "cross-entropy", .trained = true},
    [GRAFT_TASK_LABELS] = {"labels", "map", "mean average precision", "binary cross-entropy"},
    [GRAFT_TASK_NUMBER] = {"number", "r2", "R²", "loss", .by_loss = true},
};
#define TASKS (sizeof tasks / sizeof tasks[0])

static const char *const losses[] = {[GRAFT_LOSS_CROSS_ENTROPY] = "cross-entropy",
                                     [GRAFT_LOSS_SOFT] = "soft cross-entropy",
                                     [GRAFT_LOSS_SIGMOID] = "sigmoid",
                                     [GRAFT_LOSS_L2] = "l2",
                                     [GRAFT_LOSS_L1] = "l1",
                                     [GRAFT_LOSS_HUBER] = "huber"};
#define LOSSES (sizeof losses / sizeof losses[0])

const struct graft_task_info *graft_task_info(enum graft_task_kind task)
{
    return &tasks[(int)task >= 0 && (size_t)task < TASKS ? task : GRAFT_TASK_CLASSES];
}

enum graft_status graft_task_find(struct graft_context *context, const char *name, enum graft_task_kind *task)
{
    for (size_t i = GRAFT_TASK_CLASSES; i < TASKS; i++) {
        if (strcmp(tasks[i].name, name) == 0) {
            *task = (enum graft_task_kind)i;
            return GRAFT_OK;
        }
    }
    return graft_fail(context, GRAFT_ERROR_NOT_FOUND,
                      "there is no task '%.60s': it is classes, labels or number", name);
}

const char *graft_loss_name(enum graft_loss loss)
{
    return (int)loss >= 0 && (size_t)loss < LOSSES ? losses[loss] : NULL;
}

enum graft_status graft_loss_find(struct graft_context *context, const char *name, enum graft_loss *loss)
{
    for (size_t i = 0; i < LOSSES; i++) {
        if (strcmp(losses[i], name) == 0) {
            *loss = (enum graft_loss)i;
            return GRAFT_OK;
        }
    }
    return graft_fail(context, GRAFT_ERROR_NOT_FOUND, "there is no loss '%.60s'", name);
}

static void softmax(const float *logits, int32_t classes, float *probabilities)
{
    double largest = -INFINITY;
    double sum = 0;
    for (int32_t i = 0; i < classes; i++)
        largest = (double)logits[i] > largest ? (double)logits[i] : largest;
    for (int32_t i = 0; i < classes; i++)
        sum += exp((double)logits[i] - largest);
    for (int32_t i = 0; i < classes; i++)
        probabilities[i] = (float)(exp((double)logits[i] - largest) / sum);
}

void graft_target_read(const struct graft_target *target, const float *outputs, int32_t count, float *values)
{
    switch (target->task) {
    case GRAFT_TASK_LABELS:
        for (int32_t i = 0; i < count; i++)
            values[i] = (float)(1 / (1 + exp(-(double)outputs[i])));
        break;
    case GRAFT_TASK_NUMBER:
        for (int32_t i = 0; i < count; i++)
            values[i] = (float)(target->mean + target->deviation * (double)outputs[i]);
        break;
    case GRAFT_TASK_AUTO:
    case GRAFT_TASK_CLASSES:
        softmax(outputs, count, values);
        break;
    }
}

bool graft_target_applies(const struct graft_target *target, int32_t c, double probability)
{
    return probability >= (target->thresholds ? (double)target->thresholds[c] : 0.5);
}
