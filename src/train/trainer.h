/* SPDX-License-Identifier: MIT */
/* Inside of trainers: the whole batch as the caller knows it, and the part of it that one run computes. */
#ifndef GRAFT_SRC_TRAIN_TRAINER_H
#define GRAFT_SRC_TRAIN_TRAINER_H

#include "graft/train.h"

/* The graph of one run: `model->batch` rows. Value ids are of model->graph. */
struct graft_trainer_part {
    struct graft_model *model;
    bool own;        /* opened here, with fewer rows than the caller's */
    int labels;      /* i32 [rows] */
    int row_weights; /* real [rows]: 1 / Σ class weights of the whole batch's valid rows, else 0 */
    int losses;      /* real [rows] */
    int squares;     /* real, one number: of all gradients together; -1 without clipping */
    int *hypers;     /* for each stage: input [4]; -1 for a frozen one */
    int *gradients;  /* for each parameter: value, -1; summed over runs where a batch has several */
    struct graft_plan *plan;
};

struct graft_trainer {
    struct graft_context *context;
    struct graft_device *device;
    struct graft_model *model; /* the caller's: the whole batch */
    struct graft_variables *variables;
    struct graft_trainer_part part;
    enum graft_optimizer optimizer;
    struct graft_update_attributes update;
    float *factors;        /* for each stage */
    double *class_weights; /* [classes]; NULL: all 1 */
    double divisor;        /* of this step's losses */
    bool released;         /* the plan gave its memory back to explain a loss, and did not get it again */
    /* one run's inputs where rows are repeated, and the whole batch's results */
    const void **host_rows; /* [rows of a part] */
    int32_t *host_labels;
    void *host_weights;
    void *host_losses;
    void *host_logits;
};

/* The graph's real numbers in host memory. */
static inline bool graft_trainer_wide(const struct graft_trainer *trainer)
{
    return graft_graph_real(trainer->model->graph) == GRAFT_DTYPE_F64;
}

static inline uint64_t graft_trainer_real_bytes(const struct graft_trainer *trainer, int64_t count)
{
    return (uint64_t)count * graft_dtype_size(graft_graph_real(trainer->model->graph));
}

static inline int64_t graft_trainer_rows(const struct graft_trainer *trainer)
{
    return trainer->part.model->batch;
}

/* More than one run may make up a step. */
static inline bool graft_trainer_in_parts(const struct graft_trainer *trainer)
{
    return trainer->part.own;
}

#endif
