/* SPDX-License-Identifier: MIT */
/* Inside of trainers: the whole batch as the caller knows it, and the part of it that one run computes. */
#ifndef GRAFT_SRC_TRAIN_TRAINER_H
#define GRAFT_SRC_TRAIN_TRAINER_H

#include "graft/train.h"
#include "ranks/ranks.h"
#include "train/loss.h"

/* The graph of one run: `model->batch` rows. Value ids are of model->graph. */
struct graft_trainer_part {
    struct graft_model *model;
    bool own;        /* opened here, with fewer rows than the caller's */
    bool summed;     /* several runs make up a step: their gradients are added up */
    int labels;      /* i32 [rows]; of losses of targets: real [rows · classes, loss->columns] */
    int row_weights; /* real [rows]: 1 / Σ class weights of the whole batch's valid rows, else 0 */
    int losses;      /* real [rows] */
    int total;       /* real, one number: Σ losses · row_weights of the whole batch */
    int squares;     /* real, one number: of all gradients together; -1 without clipping */
    int average;     /* input [4] of the moving averages; -1 without */
    int *hypers;     /* for each group: input [4]; -1 where no parameter of it is trained */
    int *gradients;  /* for each parameter: value, -1; summed over runs if `summed` */
    struct graft_plan *plan;
};

/* A step that was begun: what is needed when its results are there. */
struct graft_trainer_flight {
    struct graft_step step; /* input and rows are the caller's, and may be gone */
    int32_t *labels;        /* [batch]; of targets that of the largest */
    double divisor;         /* of the losses */
    void *losses;           /* real [2 × batch]: whole parts, of which the last may reach beyond the batch */
    void *logits;           /* real [2 × batch, classes] */
    double total[1];        /* a real number in it; likewise squares */
    double squares[1];
    uint64_t ticket; /* of what was fetched last */
};

#define GRAFT_TRAINER_FLIGHTS 2

/* What a step is a part of, where ranks share a batch. */
struct graft_trainer_whole {
    int64_t before; /* valid rows of the ranks before this one */
    int64_t valid;  /* of all ranks */
    double divisor; /* of all ranks' losses: see graft_trainer_divisor */
};

/* What goes to the other ranks, in the host's memory. */
struct graft_trainer_reduction {
    char *sums; /* all sums of the plan, cut into pieces that are exchanged one by one */
    uint64_t bytes;
    struct graft_ranks_job *jobs; /* [pieces] */
    uint64_t *tickets;            /* likewise: of what is on its way from the device */
    int pieces, fetched, begun;
    char *statistics; /* running ones, of all layers */
    uint64_t statistics_bytes;
    /* Where normalization goes over the rows of all ranks: */
    double *mine;  /* [1 + ranks][row]: what one layer has, of this rank and of each */
    uint64_t row;
    void *numbers; /* of a layer, in the graph's type */
    void *nothing; /* input and targets of a rank that has no row */
    bool empty;    /* it has none */
};

struct graft_trainer {
    struct graft_context *context;
    struct graft_device *device;
    struct graft_model *model; /* the caller's: the whole batch */
    struct graft_variables *variables;
    struct graft_trainer_part part;
    /* Where statistics are trained, a batch that is not full has a plan of its own: rows that only fill it up
     * must not be in them. It has the memory of the other one, which comes back with the next step. */
    struct graft_trainer_part partial;
    int64_t partial_valid; /* the rows that it is for; 0: none yet */
    struct graft_trainer_part *now;
    bool statistics;
    bool sync; /* of the rows of all ranks */
    bool keep_gradients;
    const struct graft_loss_kind *loss;
    float label_smoothing;
    struct graft_plan_options options; /* of plans; … */
    char *variants;                    /* … owns a text */
    enum graft_optimizer optimizer;
    struct graft_update_attributes update;
    float ema;
    /* Parameters of the same factor of the learning rate are a group. */
    int *groups;    /* for each parameter */
    float *factors; /* for each group */
    int group_count;
    float *decay_factors;  /* for each parameter */
    double *class_weights; /* [classes]; NULL: all 1 */
    /* one run's inputs where rows are repeated */
    const void **host_rows; /* [rows of a part] */
    int32_t *host_labels;
    void *host_targets;  /* real [batch · classes, loss->columns]; NULL: the loss takes labels */
    double *host_target; /* of one row */
    void *host_weights;
    struct graft_trainer_flight flights[GRAFT_TRAINER_FLIGHTS]; /* a ring */
    int first, in_flight;
    int last; /* the one whose results were taken last */
    struct graft_ranks *ranks; /* NULL: this one has the whole batch */
    struct graft_trainer_whole whole; /* of the step to come */
    struct graft_trainer_reduction reduction;
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
    return trainer->now->model->batch;
}

/*
 * A step in two halves, so that the device computes while the host makes the next batch ready. _begin queues
 * all of it; what `step` points to may be reused when it returns. _end waits for the oldest step that was
 * begun, and fills *step with it and its results; GRAFT_ERROR_NUMERIC as of graft_trainer_step, but without a
 * layer: _explain looks for that, with a step that has the same batch again. At most GRAFT_TRAINER_FLIGHTS
 * are under way. A step whose loss or norm is not finite changes nothing, but one that was begun after it may
 * have.
 */
GRAFT_MUST_CHECK enum graft_status graft_trainer_begin(struct graft_trainer *trainer,
                                                       const struct graft_step *step);
GRAFT_MUST_CHECK enum graft_status graft_trainer_end(struct graft_trainer *trainer, struct graft_step *step);
GRAFT_MUST_CHECK enum graft_status graft_trainer_explain(struct graft_trainer *trainer,
                                                         const struct graft_step *step);
/* Waits for what is under way, and forgets it. */
void graft_trainer_forget(struct graft_trainer *trainer);

/* Σ class weights of the valid rows: what the losses of a batch are divided by. */
double graft_trainer_divisor(const struct graft_trainer *trainer, const struct graft_step *step);

/* ---- reduce.c: gradients of all ranks are added up between the two segments of a step */
/* Of a trainer with ranks: a step's rows, which may be none, are this rank's part of a batch; before each step ->whole says of
 * what. All ranks do the same. */
GRAFT_MUST_CHECK enum graft_status graft_trainer_reduction_open(struct graft_trainer *trainer);
void graft_trainer_reduction_close(struct graft_trainer *trainer);
/* Runs the compute segment (`computes`; else this rank has nothing to add), and puts the sums of all ranks in place of what it
 * has made; they are under way while the rest is computed. After a failure the other ranks know. */
GRAFT_MUST_CHECK enum graft_status graft_trainer_reduction_run(struct graft_trainer *trainer, bool computes);
/* Loss and number of right rows become those of all ranks. */
GRAFT_MUST_CHECK enum graft_status graft_trainer_reduction_results(struct graft_trainer *trainer, struct graft_step *step);

/* ---- sync.c: statistics of normalization over the rows of all ranks */
GRAFT_MUST_CHECK enum graft_status graft_trainer_sync_open(struct graft_trainer *trainer);
void graft_trainer_sync_close(struct graft_trainer *trainer);
/* See graft_plan_watcher; `user`: the trainer. */
GRAFT_MUST_CHECK enum graft_status graft_trainer_sync_step(void *user, int step);

/* Plans for batches of so many valid rows, so that what cannot be is told before the first step. */
GRAFT_MUST_CHECK enum graft_status graft_trainer_prepare(struct graft_trainer *trainer, int64_t valid);
/* trainer->now, with its memory, becomes the part for so many valid rows. */
GRAFT_MUST_CHECK enum graft_status graft_trainer_choose(struct graft_trainer *trainer, int64_t valid);

#endif
