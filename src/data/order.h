/* SPDX-License-Identifier: MIT */
/* In which order pictures come. */
#ifndef GRAFT_SRC_DATA_ORDER_H
#define GRAFT_SRC_DATA_ORDER_H

#include "base/random.h"
#include "graft/base.h"

/* 0 … count − 1, shuffled (Fisher–Yates). */
void graft_order_shuffle(struct graft_random *random, int64_t *order, int64_t count);

/* Pictures by their class, to draw from. All zero: nothing. */
struct graft_balance {
    int64_t *members; /* [count]: class by class */
    int64_t *ends;    /* [classes]: of each class that has pictures, in members */
    int32_t classes;  /* that have pictures */
};
GRAFT_MUST_CHECK enum graft_status graft_balance_open(struct graft_context *context, int64_t count,
                                                      int32_t classes,
                                                      int32_t (*label)(const void *user, int64_t index),
                                                      const void *user, struct graft_balance *balance);
void graft_balance_close(struct graft_context *context, struct graft_balance *balance);
/* Draws with replacement: a class, each as probable as the others, then one of its pictures. As PyTorch's
 * WeightedRandomSampler with one by the size of its class as the weight of each picture. */
void graft_balance_draw(const struct graft_balance *balance, struct graft_random *random, int64_t *order,
                        int64_t count);

#endif
