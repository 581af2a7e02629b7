/* SPDX-License-Identifier: MIT */
/* Inside of graft_fit: the job, its sources of batches, its run folder. */
#ifndef GRAFT_SRC_TRAIN_FIT_H
#define GRAFT_SRC_TRAIN_FIT_H

#include "base/log_hold.h"
#include "data/order.h"
#include "graft/io.h"
#include "graft/train.h"
#include "io/network_source.h"
#include "run/run.h"
#include "run/card.h"
#include "run/recipe.h"
#include "infer/runner.h"

/* For ranks: each computes on the OpenCL device of its number on its machine. */
#define GRAFT_DEVICE_OF_RANK "opencl:rank"

/* Features of a frozen trunk (or nothing), computed once: [count, row]. */
struct graft_features {
    char *cut; /* stage that they enter */
    int64_t count;
    uint64_t row_bytes;
    uint8_t *rows;
    int32_t *labels;
    int64_t *samples; /* of the part */
};

/*
 * Where batches come from: pictures through the loader, or cached features. Whole batches: rows beyond
 * `valid` repeat others.
 */
struct graft_fit_source {
    struct graft_context *context;
    struct graft_loader *loader; /* NULL: features */
    const struct graft_features *features;
    int64_t batch;
    bool shuffle;
    int part, parts; /* of ranks that share: of each batch with shuffle, else of all rows */
    uint64_t seed;
    int64_t *order;
    struct graft_balance balance; /* to draw from, where classes are to come alike */
    int64_t next, end;            /* rows of order */
    const void **rows;
    int32_t *labels;
    int64_t *samples;
    const struct graft_dataset *dataset;
    enum graft_split split;
    const struct graft_target *target;
    float *targets; /* [batch + 1, classes]; NULL: the loss takes labels */
};

/* The network, or what follows the cached features, for inference on one split. */
struct graft_fit_evaluator {
    struct graft_model *model;
    struct graft_plan *plan;
    struct graft_fit_source source;
    enum graft_split split;
};

struct graft_fit_job {
    struct graft_context *context;
    struct graft_device *device;
    struct graft_recipe options; /* resolved: nothing left at "by default" */
    struct graft_fit_options call;
    struct graft_plan_options plan_options;
    const struct graft_rate_range *search; /* NULL: a run; else steps at these rates, without a folder */
    enum graft_optimizer optimizer;
    struct graft_schedule_options schedule; /* without what depends on the stage */
    enum graft_batch_norm_mode bn;
    struct graft_ranks *ranks; /* who train together; NULL: this process alone */
    bool balanced; /* classes come alike */
    bool resumed;
    bool late;            /* steps are begun before the results of the one before are there */
    float *class_weights; /* [classes]; NULL: none */
    struct graft_transforms varied; /* of training pictures; count 0: as preprocessing has them */
    struct graft_mix mix;           /* likewise, of their batches */
    enum graft_loss loss;           /* of training */
    struct graft_dataset *dataset;
    char fingerprints[GRAFT_SPLIT_COUNT][20]; /* of the data as the run found them */
    struct graft_card card;
    struct graft_network_source source; /* of the network that is trained */
    struct graft_model *whole;          /* inference, one picture: names, saving */
    struct graft_variables *variables;
    struct graft_features features[GRAFT_SPLIT_COUNT];
    struct graft_tensor_set *best; /* weights of the best epoch */
    struct graft_run *run;         /* its folder; NULL: not yet claimed */
    struct graft_run_position position;
    int64_t steps;                   /* of this process */
    double begin;                    /* clock at the start of this process's part */
    double last_saved, save_seconds; /* clock; what it took, 0: not yet saved */
    bool best_unsaved;
    struct graft_plan *plan;        /* of training; NULL outside of a stage */
    struct graft_plan *validation;  /* likewise */
    bool lent;                      /* the training plan's memory was needed for something else */
    char *texts[GRAFT_RECIPE_ROWS]; /* of the options, as the caller gave them */
    char *weights_path;             /* of a run whose weights are taken */
    void *config;                   /* of a resumed run: holds the texts that options point to */
    struct graft_log_hold held; /* what is said of the data, until the network is named */
    struct graft_predictions *predictions; /* of each picture that is evaluated; NULL: nobody asks */
    struct graft_text graph; /* of the network, for the folder of a new run; empty: its name is enough */
};

/* ---- source.c */
GRAFT_MUST_CHECK enum graft_status graft_fit_source_open_pictures(struct graft_fit_job *job,
                                                                  enum graft_split split, int64_t batch,
                                                                  bool training,
                                                                  struct graft_fit_source *source);
GRAFT_MUST_CHECK enum graft_status graft_fit_source_open_features(struct graft_fit_job *job,
                                                                  const struct graft_features *features,
                                                                  int64_t batch, bool training,
                                                                  struct graft_fit_source *source);
void graft_fit_source_close(struct graft_fit_source *source);
GRAFT_MUST_CHECK enum graft_status graft_fit_source_start(struct graft_fit_source *source, int64_t epoch,
                                                          int64_t first_batch);
GRAFT_MUST_CHECK enum graft_status graft_fit_source_next(struct graft_fit_source *source,
                                                         struct graft_fit_batch *batch);
int64_t graft_fit_source_batches(const struct graft_fit_source *source);

/* ---- features.c */
/* Makes sure that job->features hold train and validation pictures' features before stage `cut`. *cached is
 * false (and nothing is kept) if they would exceed the limit; GRAFT_ERROR_MEMORY where they are to be kept always. */
GRAFT_MUST_CHECK enum graft_status graft_features_prepare(struct graft_fit_job *job, const char *cut,
                                                          bool *cached);
void graft_features_close(struct graft_context *context, struct graft_features *features);

/* ---- cache.c */
/* GRAFT_ERROR_ARGUMENT: features are to be kept, and something varies, or nothing is frozen. */
GRAFT_MUST_CHECK enum graft_status graft_fit_check_cache(struct graft_fit_job *job);
/* The features for a stage that learns from layer `first` on, if they are kept: *cut is what they enter; NULL: they
 * are not, and those of the stage before are gone. Says which, and what it costs. */
GRAFT_MUST_CHECK enum graft_status graft_fit_cache(struct graft_fit_job *job, int first, const char **cut);

/* ---- stage.c */
double graft_fit_train_figure(const struct graft_fit_job *job);

/* A step that was begun. */
struct graft_fit_flight {
    int64_t batch; /* the loader's number */
    int64_t valid; /* rows of all ranks */
    double begin;  /* clock */
};

struct graft_adversary;

/* A stage of training while it goes on. */
struct graft_fit_learning {
    const struct graft_fit_stage *stage; /* NULL: none goes on */
    struct graft_model *model;
    struct graft_trainer *trainer;
    struct graft_fit_source source;
    struct graft_fit_evaluator evaluator;
    struct graft_adversary *adversary; /* NULL: pictures as they are */
    bool validates;
    int epochs_before; /* of earlier stages */
    int epochs_in_all;
    bool running;                 /* an epoch has begun, … */
    bool over;                    /* … and has no batch left */
    double begin, seconds_before; /* of the epoch: clock, and what was spent before this process's part */
    int64_t seen;                 /* pictures since then */
    double loss, learning_rate;   /* of the latest step */
    double plateau;               /* factor of the learning rate in this epoch */
    struct graft_fit_flight flights[2]; /* under way, the oldest first */
    int in_flight;
    double ended; /* clock: when the results of the latest step were there */
};
/* The stage at job->position. */
GRAFT_MUST_CHECK enum graft_status graft_fit_learning_open(struct graft_fit_job *job,
                                                           struct graft_fit_learning *learning);
void graft_fit_learning_close(struct graft_fit_job *job, struct graft_fit_learning *learning);
/* One training step, and job->position behind it, or with job->late behind the one before it, but for the
 * last of an epoch; learning->over: the epoch has no more. After a failure no step is under way.
 * GRAFT_ERROR_CANCELLED leaves the position where it can go on. */
GRAFT_MUST_CHECK enum graft_status graft_fit_learning_step(struct graft_fit_job *job,
                                                           struct graft_fit_learning *learning);
/* Validates, notes the epoch, keeps the best, and goes to the next. */
GRAFT_MUST_CHECK enum graft_status graft_fit_learning_end_epoch(struct graft_fit_job *job,
                                                                struct graft_fit_learning *learning,
                                                                struct graft_run_epoch *epoch);

/* Whether the stage ends before its time; it is said and written down then. */
GRAFT_MUST_CHECK enum graft_status graft_fit_learning_stops(struct graft_fit_job *job,
                                                            struct graft_fit_learning *learning);

/* ---- average.c: moving averages of weights */
/* Weights and their averages, where the stage that is open keeps some, change places. */
GRAFT_MUST_CHECK enum graft_status graft_fit_average_swap(struct graft_fit_job *job,
                                                          const struct graft_fit_learning *learning);

/* To the next epoch, without a word on this one. */
void graft_fit_learning_turn(struct graft_fit_job *job, struct graft_fit_learning *learning);

/* ---- announce.c */
/* Says what the stage that is open does: which parts learn at which rates, schedule, decay, steps. */
struct graft_fit_rates;
void graft_fit_announce(const struct graft_fit_job *job, const struct graft_fit_learning *learning,
                        const struct graft_fit_rates *rates);

/* ---- evaluator.c */
/* A part of the network as this fit uses it: from `cut` on, or the whole (NULL). */
GRAFT_MUST_CHECK enum graft_status graft_fit_open_part(struct graft_fit_job *job, int64_t batch,
                                                       const char *cut, bool training, const char *train_from,
                                                       struct graft_model **model);
/* Takes no memory for the plan before it is run. */
GRAFT_MUST_CHECK enum graft_status graft_fit_evaluator_open(struct graft_fit_job *job, enum graft_split split,
                                                            struct graft_fit_evaluator *evaluator);
GRAFT_MUST_CHECK enum graft_status graft_fit_evaluator_run(struct graft_fit_job *job,
                                                           struct graft_fit_evaluator *evaluator,
                                                           struct graft_evaluation *evaluation);
void graft_fit_evaluator_close(struct graft_fit_evaluator *evaluator);
/* GRAFT_ERROR_NUMERIC if the loss of an evaluation says that outputs are not numbers. */
GRAFT_MUST_CHECK enum graft_status graft_fit_check_outputs(const struct graft_fit_job *job,
                                                           enum graft_split split, double loss);
/* Evaluates the variables as they are on a split; from cached features where there are some. */
GRAFT_MUST_CHECK enum graft_status graft_fit_evaluate(struct graft_fit_job *job, enum graft_split split,
                                                      struct graft_evaluation *evaluation);

/* ---- room.c: what a fit holds besides plans, within the limit of memory */
/* Bytes that can be had for what lies in the host's memory. */
uint64_t graft_fit_free_bytes(const struct graft_fit_job *job);
/* Bytes that a plan must leave: for pictures on their way (not with cached features) and the best weights. 0
 * where plans have memory of their own. */
uint64_t graft_fit_reserve(const struct graft_fit_job *job, bool cached);
/* Takes the memory of the validation's plan away if `bytes` cannot be had otherwise on the device (or in the
 * host's memory, if the device computes there), and that of the training's (job->lent); and gives it back. */
void graft_fit_make_room(struct graft_fit_job *job, uint64_t bytes);
void graft_fit_make_room_on_host(struct graft_fit_job *job, uint64_t bytes);
GRAFT_MUST_CHECK enum graft_status graft_fit_take_back(struct graft_fit_job *job);
/* Bytes that saving takes for a while. GRAFT_ERROR_MEMORY: they cannot be had, not even then. */
uint64_t graft_fit_save_bytes(const struct graft_fit_job *job);
GRAFT_MUST_CHECK enum graft_status graft_fit_check_saving(const struct graft_fit_job *job);
/* For loaders: batches ahead (2 in memory instead of 4 where they would take much), and bytes for pictures
 * that are kept decoded. */
int32_t graft_fit_ahead(const struct graft_fit_job *job, int64_t batch);
uint64_t graft_fit_keep_limit(const struct graft_fit_job *job);

/* ---- class_weights.c */
/* What options.class_weights says, into job->class_weights; the caller releases it. GRAFT_ERROR_ARGUMENT
 * names what is no weight. */
GRAFT_MUST_CHECK enum graft_status graft_fit_class_weights(struct graft_fit_job *job);

/* ---- session.c: of graft_fit alone */
/* Steps need not wait for the results of the one before: nobody looks between them. */
void graft_session_hurry(struct graft_session *session);
/* An epoch has ended: writing may cost more than one does on cached features. */
bool graft_session_is_save_due(const struct graft_session *session);
/* See graft_fit_save_end. */
GRAFT_MUST_CHECK enum graft_status graft_session_save_end(struct graft_session *session,
                                                          enum graft_status status);

/* ---- begin.c */
/* Data, network, weights, folder: everything before the first step. */
GRAFT_MUST_CHECK enum graft_status graft_fit_begin(struct graft_fit_job *job);
/* And everything is closed, whatever came of it. */
void graft_fit_end(struct graft_fit_job *job, struct graft_fit_learning *learning);

/* ---- start.c */
/* The name of a tensor that holds NaN or infinity; NULL: none does. */
const char *graft_fit_not_finite(const struct graft_tensor_set *set);
/* Initial values: drawn (set NULL), or the weights. Their head goes on where it knows the classes: all of
 * it, or the rows of those that it knows. */
GRAFT_MUST_CHECK enum graft_status graft_fit_start_weights(struct graft_fit_job *job,
                                                           const struct graft_tensor_set *set,
                                                           const struct graft_card *of_weights);

/* ---- resolve.c: what is not given, by network, weights and data */
/* The weights that were pulled, where none are named; those of the network, where a file holds both. */
GRAFT_MUST_CHECK enum graft_status graft_fit_choose_weights(struct graft_fit_job *job);
/* Finds the network, where the weights have not brought it (job->source), and fills job->card but for the
 * classes, from the options and the card of the weights. */
GRAFT_MUST_CHECK enum graft_status graft_fit_choose_network(struct graft_fit_job *job,
                                                            const struct graft_card *of_weights);
/* Whatever of the options is still open gets its value; config.json then says it all. */
GRAFT_MUST_CHECK enum graft_status graft_fit_resolve(struct graft_fit_job *job);

/* ---- config.c */
/* config.json with the resolved options; and back, for a run that is resumed (job->config then owns texts).
 */
GRAFT_MUST_CHECK enum graft_status graft_fit_config_write(struct graft_fit_job *job);
GRAFT_MUST_CHECK enum graft_status graft_fit_config_read(struct graft_fit_job *job);
void graft_fit_config_close(struct graft_fit_job *job);

/* ---- save.c */
/* All files of the run but config.json; model.safetensors if the best weights changed. */
GRAFT_MUST_CHECK enum graft_status graft_fit_save(struct graft_fit_job *job);
/* After the training ended with `status`: saves what there is, whatever that was, and adds to its message
 * where. GRAFT_ERROR_CANCELLED becomes GRAFT_OK. */
GRAFT_MUST_CHECK enum graft_status graft_fit_save_end(struct graft_fit_job *job, enum graft_status status);
/* Variables, position, history and best weights of an interrupted run. */
GRAFT_MUST_CHECK enum graft_status graft_fit_load(struct graft_fit_job *job);
/* Takes the weights as they are now as the best. GRAFT_ERROR_NUMERIC: they are not all numbers. */
GRAFT_MUST_CHECK enum graft_status graft_fit_keep_best(struct graft_fit_job *job);

#endif
