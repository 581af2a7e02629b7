/* SPDX-License-Identifier: MIT */
/* Losses: what each is made of, and what a picture's targets are to it. */
#ifndef GRAFT_SRC_TRAIN_LOSS_H
#define GRAFT_SRC_TRAIN_LOSS_H

#include "graft/train.h"

struct graft_loss_kind {
    bool labels;      /* takes labels, i32 [rows]; else targets */
    bool tells_class; /* the largest output is what it says: rows can be right */
    int64_t columns;  /* numbers of the graph's targets for each output */
    /* Targets of a picture [outputs] as the graph takes them [columns · outputs]. `weights` [outputs] or
     * NULL. */
    void (*write)(const float *targets, int64_t outputs, const double *weights, double smoothing,
                  double *row);
    /* logits [rows, outputs], targets [rows · outputs, columns] → losses [rows]. */
    int (*add)(struct graft_graph *graph, int logits, int targets);
};

/* NULL for a number that is none. */
const struct graft_loss_kind *graft_loss_kind(enum graft_loss loss);

#endif
