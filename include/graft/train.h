/* SPDX-License-Identifier: MIT */
/*
 * Training networks: one training step, figures of an evaluation, and `graft_fit`, the whole of transfer
 * learning with its run folder.
 */
#ifndef GRAFT_TRAIN_H
#define GRAFT_TRAIN_H

#include "graft/data.h"
#include "graft/model.h"
#include "graft/ranks.h"
#include "graft/recipe.h"
#include "graft/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- one training step */

struct graft_trainer_options {
    enum graft_optimizer optimizer;
    enum graft_loss loss;
    struct graft_update_attributes
        update; /* all zero: the optimizer's usual values; for others begin with graft_update_defaults */
    /* > 0: gradients of all parameters together are scaled to a norm of at most this, as
     * torch.nn.utils.clip_grad_norm_ does it, before weight decay is added; 0: as they are */
    float clip_norm;
    /* > 0: the variable "<parameter>.ema" is a moving average of each parameter that is trained: after the first step
     * the parameter, then ema × itself + (1 − ema) × the parameter, as of torch.optim.swa_utils */
    float ema;
    float label_smoothing;      /* of CROSS_ENTROPY, SOFT and SIGMOID */
    const float *class_weights; /* [model->classes], each > 0, copied; NULL: 1 for all. Of CROSS_ENTROPY and SOFT */
    const float *factors; /* [model->parameter_count] of the learning rate, copied; NULL: 1 for all */
    /* [model->parameter_count] of the weight decay, copied; NULL: 1 for weights, 0 for biases and what
     * normalization learns */
    const float *decay_factors;
    bool keep_gradients;        /* graft_trainer_gradient can be called */
    int64_t micro_batch; /* the most rows to be computed at a time; 0: the batch. Fewer where memory asks for
                            it */
    uint64_t reserve;    /* bytes of memory to be left free for what comes later */
    struct graft_plan_options plan; /* deferred: sizes only, of the whole batch; no step can be made */
    /* NULL, or those that share each batch: the model's batch is this rank's part. For sessions, which see to it that all
     * make the same steps. */
    struct graft_ranks *ranks;
    bool sync_statistics; /* with ranks: normalization that learns takes its statistics from the rows of all of them */
};

/* momentum 0.9 (sgd); beta 0.9, 0.999, epsilon 1e-8 (adam, adamw; this with weight decay 0.01); alpha 0.99,
 * epsilon 1e-8 (rmsprop). */
GRAFT_API struct graft_update_attributes graft_update_defaults(enum graft_optimizer optimizer);
/* "sgd", "adam", "rmsprop", "adamw". */
GRAFT_API const char *graft_optimizer_name(enum graft_optimizer optimizer);
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_optimizer_find(struct graft_context *context, const char *name, enum graft_optimizer *optimizer);

struct graft_trainer;

/*
 * Adds loss, gradients and updates of the trainable stages to the graph of a model that was opened with
 * options.training and has logits (whole, or from a cut on), and plans it. Model, device and variables must
 * outlive the trainer; parameters must have been loaded or initialized. Statuses of graft_plan_open; after a
 * failure the graph holds a part of what was to be added: open the model anew.
 *
 * A batch that does not fit in memory is computed in micro-batches, the largest that fit, and their gradients
 * are added up before the one update; a remark says so. Loss and gradients are those of the whole batch but
 * for the rounding of sums; dropout drops the same elements. Only a batch normalization that trains takes its
 * statistics from each micro-batch, and moves the running ones with each. GRAFT_ERROR_MEMORY: not even one
 * row.
 *
 * Statistics are of valid rows: where they are trained, a batch that is not full is planned anew for its own
 * size, in the memory of the full one. (Where no division of the rows by a number fits in memory, the last
 * micro-batch repeats some of its rows.)
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_trainer_open(struct graft_device *device, struct graft_model *model, struct graft_variables *variables,
                   const struct graft_trainer_options *options, struct graft_trainer **trainer);
GRAFT_API void graft_trainer_close(struct graft_trainer **trainer);

struct graft_step {
    /* in */
    const void *input;       /* the model's input: the whole batch, rows beyond `valid` are ignored */
    const void *const *rows; /* or instead of it [batch]: where each picture lies; NULL: `input` counts */
    const int32_t *labels;   /* [batch]; or, for losses of targets: */
    const float *targets;    /* [batch, model->classes] */
    int64_t valid;           /* 1..batch */
    double learning_rate;
    int64_t number; /* from 1: bias correction of adam, dropout */
    bool no_update; /* compute loss and gradients only */
    /* out */
    double loss;          /* mean over the valid rows, weighted by class_weights as PyTorch does it */
    int64_t correct;      /* rows whose largest logit is the label's, or that of the largest share; 0 with other losses */
    double gradient_norm; /* with clip_norm, after an update: of all gradients together, before clipping; else
                             0 */
};

/* One step. GRAFT_ERROR_NUMERIC if the loss is not finite, or with clip_norm the
 * gradients' norm (neither parameters nor optimizer state are changed then); the message names the first
 * layer that made NaN or Inf. After any other failure they may have been changed in part: write them again.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_trainer_step(struct graft_trainer *trainer,
                                                                struct graft_step *step);
/* Rows computed at a time. */
GRAFT_API int64_t graft_trainer_micro_batch(const struct graft_trainer *trainer);
/* Its plan (of a micro-batch, where there are several), to look at memory, nodes and profile. */
GRAFT_API struct graft_plan *graft_trainer_plan(struct graft_trainer *trainer);
/* Gradient of parameter `index` of the model after a step, in our layout; GRAFT_ERROR_NOT_FOUND if it has
 * none, or the trainer was opened without keep_gradients. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_trainer_gradient(struct graft_trainer *trainer, int index,
                                                                    void *data, uint64_t bytes);

/* ---- learning-rate schedules */

enum graft_schedule {
    GRAFT_SCHEDULE_COSINE = 0,
    GRAFT_SCHEDULE_CONSTANT = 1,
    GRAFT_SCHEDULE_STEP = 2,
    GRAFT_SCHEDULE_EXPONENTIAL = 3,
    GRAFT_SCHEDULE_ONE_CYCLE = 4,
    GRAFT_SCHEDULE_PLATEAU = 5 /* constant from step to step: see graft_plateau_factor */
};
GRAFT_API const char *graft_schedule_name(enum graft_schedule schedule);
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_schedule_find(struct graft_context *context, const char *name, enum graft_schedule *schedule);
struct graft_schedule_options {
    enum graft_schedule kind;
    int64_t steps;          /* in all */
    int64_t warmup;         /* steps in which the rate rises from 1 / warmup on; the rest follows them */
    int64_t epoch;          /* steps of an epoch, by which STEP and EXPONENTIAL count; 0: 1 */
    double end;             /* COSINE: where it ends */
    int64_t restart;        /* COSINE: steps after which it begins anew; 0: never */
    int64_t restart_factor; /* … each round so many times as long as the one before; 0: 1 */
    int64_t period;         /* STEP: epochs from fall to fall; 0: it falls at 1/2 and 3/4 of the steps */
    double gamma;           /* STEP, EXPONENTIAL: factor of a fall, of an epoch; 0: 0.1, 0.9 */
    double peak;            /* ONE_CYCLE: share of the steps in which it rises; 0: 0.3 */
};
/* Factor in [0, 1] of the learning rate for step `step`, from 0. As PyTorch's CosineAnnealingLR,
 * CosineAnnealingWarmRestarts, StepLR, ExponentialLR and OneCycleLR (by cosines from 1/25 to 1 to 1/250000; the
 * momentum stays), after its LinearLR. */
GRAFT_API double graft_schedule_factor(const struct graft_schedule_options *schedule, int64_t step);
/* Factor after epochs of these losses, as PyTorch's ReduceLROnPlateau(mode "min", threshold 1e-4, relative): times
 * gamma when more than `patience` epochs have brought no lower one. */
GRAFT_API double graft_plateau_factor(const double *losses, int epochs, int patience, double gamma);
/* Whether the last of these losses is the patience-th in a row that is not lower than the best before it by more than
 * `least`, as Keras' EarlyStopping(patience, min_delta). */
GRAFT_API bool graft_stops_early(const double *losses, int epochs, int patience, double least);

struct graft_rate_point {
    double rate, loss, smoothed; /* of a step; the loss, and its moving average of 0.98, corrected as Adam's */
};

/* The range of a test; 0: from 1e-7 to 10 in 100 steps. */
struct graft_rate_range {
    double from, to;
    int64_t steps;
};

struct graft_rate_search {
    struct graft_rate_point *points; /* [count]; owned by the search */
    int count;
    bool diverged;   /* it ended before its last step, at four times the least average, or at a loss that is no number */
    /* The rate about which the average falls the fastest over the rate's logarithm, within a tenth of the steps; the first
     * tenth is left out. NaN: it never falls. */
    double steepest;
    double minimum;  /* the rate where it is the lowest: a tenth of it is what people take */
};

/* ---- the fastest device for a network */

struct graft_fastest_options {
    const char *network; /* a network's name */
    int64_t batch;       /* pictures at a time while measuring; 0: 16 */
    bool train;          /* training steps instead of inference */
    bool measure;        /* measure if nothing is remembered; else `cpu` then */
};

/*
 * Opens the device that is the fastest for a network. Each device but the reference runs the network with
 * random weights for about half a second, after a first run in which its kernels may have to be compiled;
 * remarks say what came of it. What was measured is remembered in the cache folder, for this number of
 * threads, until another OpenCL driver is installed or Graft changes. A device that fails is passed over,
 * with a remark. Where there is only `cpu`, nothing is measured. Statuses of graft_device_open;
 * GRAFT_ERROR_NOT_FOUND: no network of that name.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_device_open_fastest(struct graft_context *context, const struct graft_fastest_options *options,
                          struct graft_device **device);

/* ---- progress */

/* What the caller may show while something runs; calls come from the calling thread. */
struct graft_progress {
    const char *phase;        /* "features", "head", "fine-tuning", "training", "validation", "evaluation" */
    int stage;                /* from 0 */
    int epoch, epochs;        /* from 1; 0 outside epochs */
    int64_t done, total;      /* pictures of this phase */
    double images_per_second; /* 0: what passes are features that were computed before */
    double seconds_left;      /* of the whole job as far as it can be told; < 0: not known */
    double loss, accuracy;    /* so far in this epoch; NaN if there are none */
};
typedef void graft_progress_function(void *user, const struct graft_progress *progress);

/* ---- a training run */

/* Where a session stands. */
struct graft_session_position {
    int stage;         /* from 0 */
    const char *from;  /* the first stage of the network that learns in it; NULL: done */
    int epoch, epochs; /* through all stages, from 1 */
    int64_t batch,
        batches;          /* of the epoch: how far it is, by the loader's number; in all (0: not yet known) */
    int64_t step;         /* training steps done in this stage */
    double loss;          /* of the latest step */
    double learning_rate; /* of the latest step, of the head */
    double epoch_loss, epoch_top1; /* of this epoch so far; NaN: nothing yet */
    bool epoch_over;               /* no batch is left: graft_session_validate comes next */
    bool done;                     /* all stages are */
};

/*
 * The pictures that a run is fitted on, split as it has split them, with its classes in its order; the caller
 * closes the data set. GRAFT_ERROR_ARGUMENT: they are not the same ones any more. Statuses of
 * graft_dataset_open.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_run_open_data(const struct graft_run *run,
                                                                 struct graft_dataset **dataset);

/* All zero but recipe.data: a head on the default network, or the whole network from scratch if there are no
 * weights. */
struct graft_fit_options {
    /* The recipe, as a whole or field by field: options.batch is options.recipe.batch. */
    GRAFT_UNNAMED union {
        struct graft_recipe recipe;
        GRAFT_UNNAMED struct {
#define GRAFT_RECIPE_ROW(kind, name, flag, argument, usual, range, change, help)                             \
    GRAFT_RECIPE_TYPE_##kind(name)
#include "graft/recipe.def"
#undef GRAFT_RECIPE_ROW
            struct graft_recipe_given given;
        };
    };
    const char *out;    /* run folder to be written; must not hold a run yet. NULL: runs/DATA-MODEL-N */
    const char *resume; /* run folder to be continued; of the recipe then only what may change (FREE), or
                           what is as it was */
    int more_epochs;    /* with `resume`: another stage of so many epochs, like the last one; 0: none */
    /* NULL, or the classes in the order that they are to have: see graft_dataset_options */
    const char *const *class_names;
    int32_t class_count;
    /* NULL, or pictures of the program's own in place of recipe.data. What it gives for a picture must not
     * change: a run that is resumed compares names and labels. */
    const struct graft_picture_source *source;
    /* NULL, or those who train together, each with a part of every batch; it must outlive the session. All of them do the
     * same, and the first one writes the run folder. */
    struct graft_ranks *ranks;
    graft_progress_function *progress;
    /* NULL, or called after each training step; false stops there, as graft_session_cancel does */
    bool (*step_done)(void *user, const struct graft_session_position *position);
    /* NULL, or called after each epoch; `from` is the first stage that learnt in it */
    void (*epoch_done)(void *user, const struct graft_run_epoch *epoch, const char *from);
    void *user;
};

struct graft_fit_result {
    const char *run;                       /* the run folder; owned by the result */
    const struct graft_run_epoch *history; /* [epochs]; likewise */
    int epochs;
    int best_epoch;            /* 0: none */
    enum graft_task_kind task;
    double val_top1, val_loss; /* of the best epoch; top1 or the task's figure, as in graft_run_epoch */
    double test_top1;          /* of the best epoch's weights; NaN without test pictures */
    double seconds;
    double images_per_second; /* pictures through training steps / their seconds; 0: all were on features */
    bool cancelled;
    struct graft_evaluation evaluation; /* of the best weights on test, else validation pictures */
    struct graft_predictions predictions; /* of classes: what was said of each of them */
    enum graft_split evaluated;
    char model[64];
    int32_t classes;
    const char *const *class_names; /* owned by the result */
};

/*
 * A session is a run that goes on step by step; graft_fit is a loop over one:
 *
 *     while (!status && !graft_session_position(session)->done) {
 *         status = graft_session_step(session);
 *         if (!status && graft_session_position(session)->epoch_over)
 *             status = graft_session_validate(session, NULL);
 *     }
 *
 * Error text, cancelling and memory limit (recipe.memory_limit) are its own. It has its device for itself:
 * while one is open, other threads leave the device alone; on another device of the same context another
 * thread may have another session.
 */
struct graft_session;

/* Finds data and network, loads weights, claims the run folder; or goes on where `resume` was saved. Options
 * and texts are copied but for `source`, which must outlive the session. After a failure the text is
 * graft_context_error of the device's context. Statuses of all that it uses; a folder that holds a run, and
 * what a resumed run cannot have changed, are GRAFT_ERROR_ARGUMENT. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_session_open(struct graft_device *device,
                                                                const struct graft_fit_options *options,
                                                                struct graft_session **session);
/* A run that was never saved leaves no folder behind. */
GRAFT_API void graft_session_close(struct graft_session **session);
/* Follows the session. */
GRAFT_API const struct graft_session_position *graft_session_position(const struct graft_session *session);
/* The text of the session's most recent failure. */
GRAFT_API const char *graft_session_error(const struct graft_session *session);
GRAFT_API const char *graft_session_folder(const struct graft_session *session);
/* Trains on the next batch; a stage's first one computes features before, if it can. At the end of an epoch
 * it finds no batch and sets epoch_over; where that was left alone, it validates first.
 * GRAFT_ERROR_CANCELLED: nothing is lost, it can be saved and go on. GRAFT_ERROR_NUMERIC: see
 * graft_trainer_step. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_session_step(struct graft_session *session);
/* Ends an epoch: measures on the validation part, notes it in the history, keeps the weights if they are the
 * best. `epoch` may be NULL. GRAFT_ERROR_ARGUMENT: the epoch is not over. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_session_validate(struct graft_session *session,
                                                                    struct graft_run_epoch *epoch);
/* Measures the weights as they are on a part of the data; the caller closes the evaluation. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_session_evaluate(struct graft_session *session,
                                                                    enum graft_split split,
                                                                    struct graft_evaluation *evaluation);
/* Writes the run folder, at any step, also after cancelling (which is over then). */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_session_save(struct graft_session *session);
/* What came of it, once it is saved: if all is done, the best weights are measured on the test part, else on
 * the validation part, and evaluation.json is written; no step follows. The caller closes the result. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_session_finish(struct graft_session *session,
                                                                  struct graft_fit_result *result);
/* Asks the session, if there is one, to end at the next step. From any thread, also in a signal handler. */
GRAFT_API void graft_session_cancel(struct graft_session *session);

/*
 * Trains and writes the run folder: config.json, model.safetensors (best), last.safetensors,
 * state.safetensors, history.csv, evaluation.json. After graft_context_cancel (or step_done) the run is
 * usable and can be resumed: GRAFT_OK with result->cancelled. Statuses of all that it uses; a run folder that
 * exists already is GRAFT_ERROR_ARGUMENT.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_fit(struct graft_device *device,
                                                       const struct graft_fit_options *options,
                                                       struct graft_fit_result *result);
/*
 * The range test: trains the first stage of a run as graft_fit would, with a rate that rises by the same factor from step
 * to step, and writes nothing. `range` may be NULL. Statuses of graft_session_open and graft_session_step; the caller
 * closes the search.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_find_rate(struct graft_device *device,
                                                             const struct graft_fit_options *options,
                                                             const struct graft_rate_range *range,
                                                             struct graft_rate_search *search);
GRAFT_API void graft_rate_search_close(struct graft_context *context, struct graft_rate_search *search);

GRAFT_API void graft_fit_result_close(struct graft_context *context, struct graft_fit_result *result);

#ifdef __cplusplus
}
#endif
#endif
