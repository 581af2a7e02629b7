/* SPDX-License-Identifier: MIT */
/*
 * Tasks: what of a picture is learnt, one of several classes, all labels that apply, or a number; and what
 * follows from it: the loss, how outputs are read, by which figure epochs are judged.
 */
#ifndef GRAFT_TASK_H
#define GRAFT_TASK_H

#include "graft/base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum graft_task_kind {
    GRAFT_TASK_AUTO = 0,    /* of a data set: found out; of anything else: CLASSES */
    GRAFT_TASK_CLASSES = 1, /* one class a picture */
    GRAFT_TASK_LABELS = 2,  /* as many of the classes as apply, each by itself */
    GRAFT_TASK_NUMBER = 3   /* a number */
};

/* What is learnt by: the mean over the rows of PyTorch's function of that name. */
enum graft_loss {
    GRAFT_LOSS_CROSS_ENTROPY = 0, /* of labels: CrossEntropyLoss with indices of classes */
    GRAFT_LOSS_SOFT = 1,          /* of targets, shares of the classes: CrossEntropyLoss with probabilities */
    GRAFT_LOSS_SIGMOID = 2,       /* of targets in 0..1, each class by itself: BCEWithLogitsLoss */
    GRAFT_LOSS_L2 = 3,            /* of targets, numbers: MSELoss */
    GRAFT_LOSS_L1 = 4,            /* L1Loss */
    GRAFT_LOSS_HUBER = 5          /* HuberLoss with delta 1 */
};

struct graft_task_info {
    const char *name;   /* "classes": of --task, config.json and cards */
    const char *figure; /* "top1": by which epochs are judged; behind "val_" its column in history.csv */
    const char *title;  /* "accuracy": the same for people */
    const char *loss;   /* "cross-entropy": for people */
    bool by_loss;       /* the best epoch is that of the lowest validation loss, not of the highest figure */
    bool trained;       /* the figure is known of training pictures, too */
};
/* Never NULL. */
GRAFT_API const struct graft_task_info *graft_task_info(enum graft_task_kind task);
/* GRAFT_ERROR_NOT_FOUND, with the names there are. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_task_find(struct graft_context *context, const char *name,
                                                             enum graft_task_kind *task);

/* "cross-entropy", "soft cross-entropy", "sigmoid", "l2", "l1", "huber"; NULL for a number that is none. */
GRAFT_API const char *graft_loss_name(enum graft_loss loss);
/* GRAFT_ERROR_NOT_FOUND. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_loss_find(struct graft_context *context, const char *name,
                                                             enum graft_loss *loss);

/* What the outputs of a network mean. All zero: logits of classes. */
struct graft_target {
    enum graft_task_kind task;
    enum graft_loss loss;   /* by which it was learnt */
    double mean, deviation; /* NUMBER: an output is (number − mean) / deviation */
    const float
        *thresholds; /* LABELS: [outputs] of the probabilities from which a label applies; NULL: 1/2 */
};
/* outputs → what they say: CLASSES: probabilities (softmax); LABELS: probabilities, each by itself (sigmoid);
 * NUMBER: the number. */
GRAFT_API void graft_target_read(const struct graft_target *target, const float *outputs, int32_t count,
                                 float *values);
/* Does label `c` apply with this probability? */
GRAFT_API bool graft_target_applies(const struct graft_target *target, int32_t c, double probability);

#ifdef __cplusplus
}
#endif
#endif
