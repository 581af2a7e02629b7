/* SPDX-License-Identifier: MIT */
/*
 * Run folders, as graft_fit writes them: what a reader needs of one, and the figures of an evaluation.
 */
#ifndef GRAFT_RUN_H
#define GRAFT_RUN_H

#include "graft/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- what logits say */

/* probabilities[i] = softmax(logits)[i], in double. */
GRAFT_API void graft_softmax_row(const float *logits, int32_t classes, float *probabilities);
/* Indexes of the `k` largest, the largest first; equal values by index. */
GRAFT_API void graft_top_k(const float *values, int32_t classes, int32_t k, int32_t *indexes);

/* ---- figures of an evaluation */

struct graft_class_figures {
    int64_t images;
    double precision; /* 0 if the class is never predicted */
    double recall;
    double f1;
};

struct graft_evaluation {
    int64_t images;
    double loss; /* NaN if any output was: such figures say nothing */
    double top1; /* share in [0, 1] */
    double top5;
    int32_t classes;
    struct graft_class_figures *figures; /* [classes] */
    int64_t *confusion;                  /* [classes (true), classes (predicted)] */
    double seconds;
};

/* Zeroes and allocates for `classes`; add rows; finish computes the figures. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_evaluation_open(struct graft_context *context, int32_t classes, struct graft_evaluation *evaluation);
GRAFT_API void graft_evaluation_close(struct graft_context *context, struct graft_evaluation *evaluation);
GRAFT_API void graft_evaluation_add(struct graft_evaluation *evaluation, const float *logits,
                                    const int32_t *labels, int64_t rows);
GRAFT_API void graft_evaluation_finish(struct graft_evaluation *evaluation);

/* ---- reading a run */

struct graft_run_epoch {
    int stage, epoch;     /* epoch counts through all stages, from 1 */
    double learning_rate; /* at its beginning */
    double train_loss, train_top1;
    double val_loss, val_top1; /* NaN without validation pictures; a loss alone: outputs were NaN */
    double seconds;
};

/* A run folder. Readers see a whole one, also while it is written: files are replaced, never changed. */
struct graft_run;

/*
 * Reads what the folder says: config.json, history.csv, evaluation.json. GRAFT_ERROR_NOT_FOUND (no run),
 * GRAFT_ERROR_FORMAT (a damaged file: the message names file and line), GRAFT_ERROR_MEMORY, GRAFT_ERROR_IO.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_run_open(struct graft_context *context, const char *folder,
                                                            struct graft_run **run);
GRAFT_API void graft_run_close(struct graft_run **run);

/* All of them are valid as long as the run is open. */
GRAFT_API const char *graft_run_folder(const struct graft_run *run);
/* The recipe: the text of config.json. */
GRAFT_API const char *graft_run_recipe(const struct graft_run *run);
/* An entry of the recipe: a text, or NULL; a number (true is 1, false 0), or `otherwise`. */
GRAFT_API const char *graft_run_text(const struct graft_run *run, const char *key);
GRAFT_API double graft_run_number(const struct graft_run *run, const char *key, double otherwise);
GRAFT_API int32_t graft_run_class_count(const struct graft_run *run);
GRAFT_API const char *const *graft_run_class_names(const struct graft_run *run); /* [class_count] */
/* From which stage of the network on it learns in a stage of the run ("head", "all"); NULL: no such stage. */
GRAFT_API const char *graft_run_stage(const struct graft_run *run, int stage);
/* The epochs so far; their number. */
GRAFT_API int graft_run_history(const struct graft_run *run, const struct graft_run_epoch **epochs);
/*
 * The epoch whose weights are kept in model.safetensors, as an index of the history: most right in
 * validation, then the lowest loss, then the first; without validation the last. An epoch whose outputs were
 * NaN is never it. −1: none.
 */
GRAFT_API int graft_run_best(const struct graft_run *run);
/* The most right in validation, in [0, 1], among the epochs of a stage (from 0); NaN: it had none. */
GRAFT_API double graft_run_stage_top1(const struct graft_run *run, int stage);
/* What the best weights were worth when they were last evaluated, and on which part ("test", "val" …); NULL
 * if they were not. */
GRAFT_API const struct graft_evaluation *graft_run_evaluation(const struct graft_run *run);
GRAFT_API const char *graft_run_evaluated(const struct graft_run *run);

/*
 * Writes evaluation.json into the run folder; `part` says what was measured ("val"). The classes must be the
 * run's: GRAFT_ERROR_ARGUMENT. GRAFT_ERROR_MEMORY, GRAFT_ERROR_IO.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_run_write_evaluation(struct graft_run *run, const struct graft_evaluation *evaluation,
                           const char *part);

#ifdef __cplusplus
}
#endif
#endif
