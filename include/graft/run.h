/* SPDX-License-Identifier: MIT */
/*
 * Run folders, as graft_fit writes them: what a reader needs of one, and the figures of an evaluation.
 */
#ifndef GRAFT_RUN_H
#define GRAFT_RUN_H

#include "graft/task.h"

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
    /* LABELS: average precision, Σ (recall − recall before) · precision along the pictures by falling probability, equal ones
     * together, as scikit-learn's average_precision_score; NaN without a picture of it. And the threshold of the other
     * figures. */
    double average_precision;
    double threshold;
};

struct graft_evaluation {
    int64_t images;
    double loss; /* NaN if any output was: such figures say nothing */
    double top1; /* share in [0, 1] */
    double top5;
    int32_t classes;
    struct graft_class_figures *figures; /* [classes]; NULL of a NUMBER */
    int64_t *confusion;                  /* [classes (true), classes (predicted)]; of CLASSES, else NULL */
    double seconds;
    enum graft_task_kind task;
    double map;           /* LABELS: mean of the average precisions */
    double mae, rmse, r2; /* NUMBER: mean absolute error, root of the mean square error, coefficient of determination */
    float *values;        /* of LABELS and NUMBER [images, classes]: probabilities, or the number; NULL: read from a file */
    float *targets;       /* [images, classes] likewise: what is true */
    int64_t most;         /* images that there is room for */
    void *scratch;        /* of LABELS, to sort in */
    bool chooses; /* LABELS: finish chooses the thresholds, of each label that with the highest F1 */
    struct graft_target target; /* of the outputs that are added */
};

/* Zeroes and allocates for `classes`; add rows; finish computes the figures. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_evaluation_open(struct graft_context *context, int32_t classes, struct graft_evaluation *evaluation);
GRAFT_API void graft_evaluation_close(struct graft_context *context, struct graft_evaluation *evaluation);
GRAFT_API void graft_evaluation_add(struct graft_evaluation *evaluation, const float *logits,
                                    const int32_t *labels, int64_t rows);
GRAFT_API void graft_evaluation_finish(struct graft_evaluation *evaluation);
/* The same of any task, for at most so many images; `target` is copied, its thresholds must outlive the evaluation. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_evaluation_open_target(struct graft_context *context, const struct graft_target *target, int32_t classes,
                             int64_t most, struct graft_evaluation *evaluation);
/* A row, of LABELS and NUMBER: `targets` [classes] as of graft_dataset_targets. */
GRAFT_API void graft_evaluation_add_targets(struct graft_evaluation *evaluation, const float *outputs,
                                            const float *targets);
/* The figure by which epochs are judged: see graft_task_info. */
GRAFT_API double graft_evaluation_figure(const struct graft_evaluation *evaluation);

/* ---- what is said of each picture, and whether its certainty can be relied on */

struct graft_prediction {
    int32_t split; /* enum graft_split */
    int32_t label; /* the true class */
    int32_t predicted;
    int64_t index;     /* in that part of the data */
    double loss;       /* −log of the probability of the label */
    double truth;      /* that probability */
    double confidence; /* the largest: of the predicted class */
    double second;     /* the next */
    double last;       /* of the last class: with two classes, what they are told apart by */
};

/* Zero it before the first. */
struct graft_predictions {
    struct graft_prediction *items; /* [count] */
    int64_t count, capacity;
    int32_t classes;
};

/* GRAFT_ERROR_MEMORY. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_predictions_add(struct graft_context *context,
                                                                   struct graft_predictions *predictions,
                                                                   const float *logits, int32_t classes,
                                                                   int32_t label, int split, int64_t index);
GRAFT_API void graft_predictions_close(struct graft_context *context, struct graft_predictions *predictions);

/*
 * Calibration after Guo et al. 2017 ("On Calibration of Modern Neural Networks"): bin m of M = 15 holds the
 * pictures whose confidence lies in ((m − 1) / M, m / M]; the expected calibration error is Σ (pictures of
 * the bin / all) · |accuracy − mean confidence|.
 */
#define GRAFT_CALIBRATION_BINS 15
struct graft_calibration {
    struct graft_calibration_bin {
        int64_t images;
        double confidence, accuracy; /* means; NaN without pictures */
    } bins[GRAFT_CALIBRATION_BINS];
    double error;   /* expected: ECE; NaN without pictures */
    double largest; /* of a bin: MCE */
};
GRAFT_API void graft_calibrate(const struct graft_predictions *predictions,
                               struct graft_calibration *calibration);

/* Where a picture of less than this confidence counts as unsure. */
struct graft_coverage {
    double threshold;
    int64_t images, sure;
    double coverage; /* sure / images */
    double accuracy; /* of the sure; NaN: none are */
};
GRAFT_API struct graft_coverage graft_coverage_at(const struct graft_predictions *predictions,
                                                  double threshold);

/*
 * Two classes ranked by the probability of one: each point takes all pictures of at least some score for that
 * class, from none to all; equal scores go together. Areas and average precision are defined as
 * scikit-learn's roc_auc_score (trapezoids) and average_precision_score (Σ (recall − the recall before) ·
 * precision).
 */
struct graft_ranking {
    int32_t positive;
    int64_t count;            /* points */
    double *false_positive;   /* [count] rate: of the other class */
    double *recall;           /* [count] the rate of true positives */
    double *precision;        /* [count]; 1 at the first, where nothing is taken */
    double auc;               /* area under recall over false_positive; NaN: a class has no pictures */
    double average_precision; /* NaN: the class has no pictures */
};
/* `positive`: 0 or 1. GRAFT_ERROR_ARGUMENT: not two classes; GRAFT_ERROR_MEMORY. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_rank(struct graft_context *context,
                                                        const struct graft_predictions *predictions,
                                                        int32_t positive, struct graft_ranking *ranking);
GRAFT_API void graft_ranking_close(struct graft_context *context, struct graft_ranking *ranking);

/* ---- reading a run */

struct graft_run_epoch {
    int stage, epoch;     /* epoch counts through all stages, from 1 */
    double learning_rate; /* at its beginning */
    /* top1: or what stands for it in another task, graft_task_info(task)->figure */
    double train_loss, train_top1;
    double val_loss, val_top1; /* NaN without validation pictures; a loss alone: outputs were NaN */
    double seconds;
    enum graft_task_kind task; /* AUTO: CLASSES */
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
GRAFT_API enum graft_task_kind graft_run_task(const struct graft_run *run);
GRAFT_API const char *const *graft_run_class_names(const struct graft_run *run); /* [class_count] */
/* From which stage of the network on it learns in a stage of the run ("head", "all"); NULL: no such stage. */
GRAFT_API const char *graft_run_stage(const struct graft_run *run, int stage);
/* The epochs so far; their number. */
GRAFT_API int graft_run_history(const struct graft_run *run, const struct graft_run_epoch **epochs);
/*
 * The epoch whose weights are kept in model.safetensors, as an index of the history: most right in
 * validation, then the lowest loss, then the first (of a NUMBER the lowest loss); without validation the last. An epoch whose outputs were
 * NaN is never it. −1: none.
 */
GRAFT_API int graft_run_best(const struct graft_run *run);
/* The most right in validation, in [0, 1], among the epochs of a stage (from 0); NaN: it had none. */
GRAFT_API double graft_run_stage_top1(const struct graft_run *run, int stage);
/* What the best weights were worth when they were last evaluated, and on which part ("test", "val" …); NULL
 * if they were not. */
GRAFT_API const struct graft_evaluation *graft_run_evaluation(const struct graft_run *run);
GRAFT_API const char *graft_run_evaluated(const struct graft_run *run);

/* What teaching it took. 0: not known, as of a run that has not ended, or whose steps were all on features. */
struct graft_run_cost {
    double images_per_second; /* through training steps */
    double memory_bytes;      /* the most that was taken at a time: of host and device, of one rank */
};
GRAFT_API struct graft_run_cost graft_run_cost(const struct graft_run *run);

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
