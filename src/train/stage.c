/* SPDX-License-Identifier: MIT */
/* One stage of a fit: epochs of steps, validation after each. */
#include "backend/backend.h"
#include "base/clock.h"
#include "base/context.h"
#include "base/size.h"
#include "base/text.h"
#include "data/dataset.h"
#include "data/mix.h"
#include "explain/adversary.h"
#include "model/parts.h"
#include "train/rates.h"
#include "train/share.h"
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The figure of this epoch's training pictures so far; NaN: the task has none. */
double graft_fit_train_figure(const struct graft_fit_job *job)
{
    const struct graft_run_position *const at = &job->position;
    return graft_task_info(job->card.target.task)->trained && at->seen > 0 ? (double)at->correct / (double)at->seen
                                                                           : (double)NAN;
}

/* Momentum of an earlier stage must not act in this one. */
static enum graft_status reset_optimizer(struct graft_fit_job *job)
{
    for (int i = 0;; i++) {
        struct graft_desc desc;
        enum graft_value_kind kind;
        const char *const name = graft_variables_at(job->variables, i, &desc, &kind);
        bool of_model = false;
        if (!name)
            return GRAFT_OK;
        for (int p = 0; p < job->whole->parameter_count && !of_model; p++)
            of_model = strcmp(job->whole->parameters[p].name, name) == 0;
        if (kind != GRAFT_VALUE_STATE || of_model)
            continue;
        const uint64_t bytes = graft_desc_bytes(&desc);
        void *const zeros = graft_allocate(job->context, 1, (size_t)bytes);
        const enum graft_status status =
            zeros ? graft_variables_write(job->variables, name, zeros, bytes) : GRAFT_ERROR_MEMORY;
        graft_release(job->context, zeros);
        if (status != GRAFT_OK)
            return status;
    }
}

static void report_step(struct graft_fit_job *job, const struct graft_fit_learning *learning)
{
    const struct graft_run_position *const at = &job->position;
    const double seconds = graft_seconds() - learning->begin;
    const double rate = seconds > 0 ? (double)learning->seen / seconds : 0;
    if (!job->call.progress || job->search)
        return;
    const int64_t pictures = graft_dataset_count(job->dataset, GRAFT_SPLIT_TRAIN);
    const char *const phase = learning->source.features ? "head" : at->stage > 0 ? "fine-tuning" : "training";
    const int64_t epochs_left = learning->epochs_in_all - learning->epochs_before - at->epoch - 1;
    const int64_t left = pictures - at->seen + epochs_left * pictures;
    const struct graft_progress now = {.phase = phase,
                                       .stage = at->stage,
                                       .epoch = learning->epochs_before + at->epoch + 1,
                                       .epochs = learning->epochs_in_all,
                                       .done = at->seen,
                                       .total = pictures,
                                       .images_per_second = learning->source.features ? 0 : rate,
                                       .seconds_left = rate > 0 ? (double)left / rate : -1,
                                       .loss = at->loss_sum / (double)at->seen,
                                       .accuracy = graft_fit_train_figure(job)};
    job->call.progress(job->call.user, &now);
}

static double rate_at(const struct graft_fit_job *job, const struct graft_fit_learning *learning,
                      int64_t batch)
{
    const int64_t batches = graft_fit_source_batches(&learning->source);
    const struct graft_rate_range *const search = job->search;
    if (search)
        return search->from *
               pow(search->to / search->from, (double)job->position.number / (double)(search->steps - 1));
    struct graft_schedule_options schedule = job->schedule;
    schedule.steps = batches * learning->stage->epochs;
    schedule.epoch = batches;
    schedule.restart *= batches;
    return learning->stage->learning_rate * learning->plateau *
           graft_schedule_factor(&schedule, job->position.epoch * batches + batch);
}

/* The losses by which epochs of the stage are judged, and their number; NULL: no memory. The caller releases
 * them. */
static double *losses_of_stage(const struct graft_fit_job *job, int *count)
{
    const struct graft_run_history *const history = &job->run->history;
    double *const losses = graft_allocate(job->context, (size_t)history->count + 1, sizeof *losses);
    *count = 0;
    for (int e = 0; losses && e < history->count; e++) {
        const struct graft_run_epoch *const epoch = &history->epochs[e];
        if (epoch->stage == job->position.stage)
            losses[(*count)++] = isnan(epoch->val_top1) ? epoch->train_loss : epoch->val_loss;
    }
    return losses;
}

static enum graft_status find_plateau(const struct graft_fit_job *job, struct graft_fit_learning *learning)
{
    int count;
    learning->plateau = 1;
    if (job->schedule.kind != GRAFT_SCHEDULE_PLATEAU || job->search)
        return GRAFT_OK;
    double *const losses = losses_of_stage(job, &count);
    if (!losses)
        return GRAFT_ERROR_MEMORY;
    learning->plateau = graft_plateau_factor(losses, count, (int)job->options.plateau, job->options.lr_gamma);
    graft_release(job->context, losses);
    return GRAFT_OK;
}

enum graft_status graft_fit_learning_stops(struct graft_fit_job *job, struct graft_fit_learning *learning)
{
    struct graft_fit_stage *const stage = &job->options.stages[job->position.stage];
    const struct graft_recipe *const o = &job->options;
    int count;
    if (o->patience == 0 || job->position.epoch >= graft_stage_epochs(stage))
        return GRAFT_OK;
    double *const losses = losses_of_stage(job, &count);
    if (!losses)
        return GRAFT_ERROR_MEMORY;
    const bool stops = graft_stops_early(losses, count, (int)o->patience, o->min_change);
    graft_release(job->context, losses);
    if (!stops)
        return GRAFT_OK;
    stage->stopped = job->position.epoch;
    graft_log(job->context, GRAFT_LOG_REMARK,
              "stage %d of %d ends after %d of %d epochs: for %lld of them the %s loss was not lower",
              job->position.stage + 1, o->stage_count, stage->stopped, stage->epochs, (long long)o->patience,
              learning->validates ? "validation" : "training");
    return graft_fit_config_write(job);
}

/* The epoch at job->position begins, or goes on from its batch. */
static enum graft_status begin_epoch(struct graft_fit_job *job, struct graft_fit_learning *learning)
{
    const struct graft_run_position *const at = &job->position;
    learning->running = true;
    learning->begin = graft_seconds();
    learning->seconds_before = at->seconds;
    learning->seen = 0;
    const enum graft_status status = find_plateau(job, learning);
    if (status != GRAFT_OK)
        return status;
    return graft_fit_source_start(&learning->source, learning->epochs_before + at->epoch, at->batch);
}

/* Rows of all steps before this rank's part of the next one, after so many of them. */
static int64_t rows_before(const struct graft_fit_job *job, const struct graft_fit_learning *learning, int64_t steps)
{
    return steps * job->options.batch + learning->trainer->whole.before;
}

/* The batch of a step again, as it was: the trainer looks for the layer that made NaN or Inf. */
static enum graft_status explain(struct graft_fit_job *job, struct graft_fit_learning *learning,
                                 const struct graft_step *done, int64_t number)
{
    struct graft_step step = *done;
    struct graft_fit_batch batch = {0};
    struct graft_kept_error kept;
    graft_keep_error(job->context, &kept);
    graft_trainer_forget(learning->trainer);
    learning->in_flight = 0;
    enum graft_status status =
        graft_fit_source_start(&learning->source, learning->epochs_before + job->position.epoch, number);
    if (status == GRAFT_OK)
        status = graft_fit_source_next(&learning->source, &batch);
    if (status == GRAFT_OK && learning->adversary && batch.valid > 0)
        status = graft_adversary_change(learning->adversary, batch.input, batch.labels, batch.valid,
                                        rows_before(job, learning, done->number - 1), &batch.input);
    step.input = batch.input;
    step.rows = batch.rows;
    step.labels = batch.labels;
    step.targets = batch.targets;
    graft_restore_error(job->context, &kept);
    return status == GRAFT_OK && batch.number == number && batch.valid == step.valid
               ? graft_trainer_explain(learning->trainer, &step)
               : GRAFT_ERROR_NUMERIC;
}

/* Waits for the oldest step under way: the position is behind it then. */
static enum graft_status end_step(struct graft_fit_job *job, struct graft_fit_learning *learning)
{
    struct graft_run_position *const at = &job->position;
    const struct graft_fit_flight flight = learning->flights[0];
    struct graft_step step;
    const enum graft_status status = graft_trainer_end(learning->trainer, &step);
    learning->flights[0] = learning->flights[1];
    learning->in_flight--;
    if (status != GRAFT_OK)
        return status == GRAFT_ERROR_NUMERIC ? explain(job, learning, &step, flight.batch) : status;
    at->number++;
    at->batch = flight.batch + 1; /* the loader's number: it passes over batches without a valid picture */
    at->loss_sum += step.loss * (double)flight.valid;
    at->correct += step.correct;
    at->seen += flight.valid;
    job->steps++;
    learning->seen += flight.valid;
    learning->loss = step.loss;
    learning->learning_rate = step.learning_rate;
    const double now = graft_seconds();
    /* Steps overlap. On features they say nothing of pictures. */
    const double spent = learning->source.features ? 0 : now - fmax(flight.begin, learning->ended);
    if (!learning->source.features) { /* else it is no rate of pictures */
        at->trained += flight.valid;
        at->train_seconds += spent;
    }
    if (job->run && graft_fit_writes(job))
        graft_run_note_step(job->run, &(struct graft_run_step){.loss = step.loss,
                                                               .learning_rate = step.learning_rate,
                                                               .correct = step.correct,
                                                               .seen = flight.valid,
                                                               .seconds = spent});
    learning->ended = now;
    at->seconds = learning->seconds_before + now - learning->begin;
    report_step(job, learning);
    return GRAFT_OK;
}

/* All but the newest `left` that are under way. */
static enum graft_status end_steps(struct graft_fit_job *job, struct graft_fit_learning *learning, int left)
{
    enum graft_status status = GRAFT_OK;
    while (status == GRAFT_OK && learning->in_flight > left)
        status = end_step(job, learning);
    return status;
}

/* The next batch that any rank has a picture of; *valid: those of all. An interruption of one ends the step of all. */
static enum graft_status next_shared(struct graft_fit_job *job, struct graft_fit_learning *learning,
                                     struct graft_fit_batch *batch, int64_t *valid)
{
    enum graft_status status = GRAFT_OK;
    for (*valid = 0; status == GRAFT_OK && *valid == 0;) {
        status = graft_fit_source_next(&learning->source, batch);
        const bool stops = status == GRAFT_ERROR_CANCELLED || graft_context_cancelled(job->context);
        if (status != GRAFT_OK && !stops)
            return status;
        learning->over = !stops && batch->number == graft_fit_source_batches(&learning->source);
        if (learning->over)
            return GRAFT_OK;
        const struct graft_step step = {.labels = batch->labels, .valid = stops ? 0 : batch->valid};
        status = graft_fit_share_step(job, learning, &step, batch->number, stops);
        *valid = learning->trainer->whole.valid;
    }
    return status;
}

static enum graft_status next_batch(struct graft_fit_job *job, struct graft_fit_learning *learning,
                                    struct graft_fit_batch *batch, int64_t *valid)
{
    *batch = (struct graft_fit_batch){0};
    if (job->ranks)
        return next_shared(job, learning, batch, valid);
    const enum graft_status status = graft_fit_source_next(&learning->source, batch);
    *valid = batch->valid;
    learning->over = status == GRAFT_OK && batch->valid == 0;
    return status;
}

static enum graft_status begin_step(struct graft_fit_job *job, struct graft_fit_learning *learning)
{
    struct graft_run_position *const at = &job->position;
    const double begin = graft_seconds();
    struct graft_fit_batch batch;
    int64_t valid = 0;
    enum graft_status status = graft_fit_take_back(job);
    if (status == GRAFT_OK && !learning->running)
        status = begin_epoch(job, learning);
    if (status == GRAFT_OK)
        status = next_batch(job, learning, &batch, &valid);
    if (status != GRAFT_OK || learning->over)
        return status;
    if (learning->adversary)
        status = graft_adversary_change(learning->adversary, batch.input, batch.labels, batch.valid,
                                        rows_before(job, learning, at->number + learning->in_flight), &batch.input);
    if (status != GRAFT_OK)
        return status;
    const struct graft_step step = {.input = batch.input,
                                    .rows = batch.rows,
                                    .labels = batch.labels,
                                    .targets = batch.targets,
                                    .valid = batch.valid,
                                    .number = at->number + learning->in_flight + 1,
                                    .learning_rate = rate_at(job, learning, batch.number)};
    status = graft_trainer_begin(learning->trainer, &step);
    if (status != GRAFT_OK)
        return status;
    learning->flights[learning->in_flight++] =
        (struct graft_fit_flight){.batch = batch.number, .valid = valid, .begin = begin};
    learning->over = batch.number + 1 == graft_fit_source_batches(&learning->source);
    return GRAFT_OK;
}

enum graft_status graft_fit_learning_step(struct graft_fit_job *job, struct graft_fit_learning *learning)
{
    struct graft_kept_error kept;
    enum graft_status status = GRAFT_OK;
    if (!job->ranks && graft_context_cancelled(job->context)) /* ranks end together */
        status = graft_fail(job->context, GRAFT_ERROR_CANCELLED, "cancelled in epoch %d",
                            learning->epochs_before + job->position.epoch + 1);
    if (status == GRAFT_OK)
        status = begin_step(job, learning);
    if (status == GRAFT_OK) {
        status = end_steps(job, learning, job->late && !learning->over ? 1 : 0);
        if (status == GRAFT_OK && learning->over)
            job->position.batch = graft_fit_source_batches(&learning->source);
        return status;
    }
    /* What has learnt already belongs to what is saved. */
    graft_keep_error(job->context, &kept);
    const enum graft_status ended = end_steps(job, learning, 0);
    if (ended == GRAFT_ERROR_NUMERIC)
        return ended;
    graft_restore_error(job->context, &kept);
    return status;
}

/* What the epoch came to, into the history; its weights are kept if they are the best. */
static enum graft_status judge_epoch(struct graft_fit_job *job, struct graft_fit_learning *learning,
                                     struct graft_run_epoch *epoch, double begin)
{
    struct graft_run_history *const history = &job->run->history;
    enum graft_status status = GRAFT_OK;
    struct graft_evaluation evaluation = {0};
    if (learning->validates) {
        status = graft_fit_evaluator_run(job, &learning->evaluator, &evaluation);
        if (status != GRAFT_OK)
            return status;
        epoch->val_loss = evaluation.loss;
        epoch->val_top1 = graft_evaluation_figure(&evaluation);
    }
    epoch->seconds = job->position.seconds + graft_seconds() - begin;
    status = graft_run_history_add(job->context, history, epoch);
    if (status == GRAFT_OK && graft_run_history_best(history) == history->count - 1) {
        if (learning->validates && evaluation.task == GRAFT_TASK_LABELS)
            status = graft_card_set_thresholds(job->context, &job->card, &evaluation);
        if (status == GRAFT_OK)
            status = graft_fit_keep_best(job);
        history->count -= status != GRAFT_OK; /* it is not the best after all */
    }
    graft_evaluation_close(job->context, &evaluation);
    return status;
}

/* By the averages, where there are some; the weights themselves go on learning. */
static enum graft_status judge_average(struct graft_fit_job *job, struct graft_fit_learning *learning,
                                       struct graft_run_epoch *epoch, double begin)
{
    struct graft_kept_error kept;
    enum graft_status status = graft_fit_average_swap(job, learning);
    if (status != GRAFT_OK)
        return status;
    status = judge_epoch(job, learning, epoch, begin);
    graft_keep_error(job->context, &kept);
    const enum graft_status back = graft_fit_average_swap(job, learning);
    if (status == GRAFT_OK)
        return back;
    graft_restore_error(job->context, &kept);
    return status;
}

void graft_fit_learning_turn(struct graft_fit_job *job, struct graft_fit_learning *learning)
{
    struct graft_run_position *const at = &job->position;
    at->epoch++;
    at->batch = at->seen = at->correct = 0;
    at->loss_sum = at->seconds = 0;
    learning->running = learning->over = false;
}

enum graft_status graft_fit_learning_end_epoch(struct graft_fit_job *job, struct graft_fit_learning *learning,
                                               struct graft_run_epoch *epoch)
{
    struct graft_run_position *const at = &job->position;
    const double begin = graft_seconds();
    *epoch = (struct graft_run_epoch){.stage = at->stage,
                                      .epoch = learning->epochs_before + at->epoch + 1,
                                      .learning_rate = rate_at(job, learning, 0),
                                      .train_loss = at->loss_sum / (double)at->seen,
                                      .train_top1 = graft_fit_train_figure(job),
                                      .val_loss = (double)NAN,
                                      .val_top1 = (double)NAN,
                                      .task = job->card.target.task};
    if (at->seen == 0)
        return graft_dataset_unreadable(job->dataset, GRAFT_SPLIT_TRAIN);
    enum graft_status status = judge_average(job, learning, epoch, begin);
    if (status == GRAFT_OK && job->call.epoch_done)
        job->call.epoch_done(job->call.user, epoch, learning->stage->from);
    if (status == GRAFT_OK && learning->validates)
        status = graft_fit_check_outputs(job, GRAFT_SPLIT_VAL, epoch->val_loss);
    if (status != GRAFT_OK)
        return status;
    graft_fit_learning_turn(job, learning);
    return GRAFT_OK;
}

/* The trainer is open: its plan can be lent, and into how many parts it cuts a batch is written down, so that
 * a resumed run does the same. */
static enum graft_status note_parts(struct graft_fit_job *job, struct graft_fit_learning *learning)
{
    struct graft_fit_stage *const stage = &job->options.stages[job->position.stage];
    const int64_t batch = learning->model->batch;
    const int64_t rows = graft_trainer_micro_batch(learning->trainer);
    const int64_t noted = stage->micro_batch;
    const int64_t before = stage->micro_batch > 0 ? stage->micro_batch : batch;
    job->plan = graft_trainer_plan(learning->trainer);
    job->validation = learning->validates ? learning->evaluator.plan : NULL;
    if (rows < before && job->resumed && job->position.number > 0)
        graft_log(job->context, GRAFT_LOG_REMARK,
                  "this stage was begun with %lld pictures at a time, for which there is no memory now: it "
                  "goes on, "
                  "but not to the same bits",
                  (long long)before);
    stage->micro_batch = rows < batch ? rows : 0;
    if (stage->micro_batch != noted && job->run) {
        const enum graft_status status = graft_fit_config_write(job);
        if (status != GRAFT_OK)
            return status;
    }
    return graft_fit_check_saving(job);
}

/* The network from where features are kept on, or all of it, as it learns in this stage. */
static enum graft_status open_model(struct graft_fit_job *job, struct graft_fit_learning *learning, int first,
                                    bool *cached)
{
    const char *cut = NULL;
    enum graft_status status = graft_fit_cache(job, first, &cut);
    *cached = cut != NULL;
    int64_t before;
    const int64_t batch =
        graft_part_of(job->options.batch, graft_ranks_number(job->ranks), graft_ranks_count(job->ranks), &before);
    learning->validates = !job->search && graft_dataset_count(job->dataset, GRAFT_SPLIT_VAL) > 0;
    if (status == GRAFT_OK && learning->validates)
        status = graft_fit_evaluator_open(job, GRAFT_SPLIT_VAL, &learning->evaluator);
    if (status == GRAFT_OK)
        status = graft_fit_open_part(job, batch, cut, true, graft_model_part_start(job->whole, first),
                                     &learning->model);
    return status;
}

/* Host memory for gradients on their way to other ranks. */
static uint64_t exchange_bytes(const struct graft_fit_job *job, const struct graft_model *model)
{
    uint64_t bytes = 0;
    for (int p = 0; p < model->parameter_count && job->ranks; p++) {
        const struct graft_model_parameter *const parameter = &model->parameters[p];
        const struct graft_desc desc = {GRAFT_DTYPE_F32, parameter->shape};
        bytes += parameter->trainable && !parameter->state ? graft_desc_bytes(&desc) : 0;
    }
    return bytes;
}

static enum graft_status open_trainer(struct graft_fit_job *job, struct graft_fit_learning *learning,
                                      const struct graft_fit_rates *rates, bool cached)
{
    const int count = learning->model->parameter_count;
    float *const numbers = graft_allocate(job->context, 2 * (size_t)count, sizeof *numbers);
    if (!numbers)
        return GRAFT_ERROR_MEMORY;
    graft_fit_rates_of_part(job, rates, learning->model, numbers, numbers + count);
    struct graft_trainer_options options = {.optimizer = job->optimizer,
                                            .loss = job->loss,
                                            .update = graft_update_defaults(job->optimizer),
                                            .clip_norm = (float)job->options.clip_norm,
                                            .ema = (float)job->options.ema,
                                            .label_smoothing = (float)job->options.label_smoothing,
                                            .class_weights = job->class_weights,
                                            .factors = numbers,
                                            .decay_factors = numbers + count,
                                            .micro_batch = learning->stage->micro_batch,
                                            .reserve = graft_fit_reserve(job, cached) +
                                                       exchange_bytes(job, learning->model),
                                            .plan = job->plan_options,
                                            .ranks = job->ranks,
                                            .sync_statistics = job->options.bn_sync};
    options.update.weight_decay = (float)job->options.weight_decay;
    if (job->optimizer == GRAFT_SGD) {
        options.update.momentum = (float)job->options.momentum;
        options.update.nesterov = job->options.nesterov;
    }
    const enum graft_status status =
        graft_trainer_open(job->device, learning->model, job->variables, &options, &learning->trainer);
    graft_release(job->context, numbers);
    return status;
}

static enum graft_status open_adversary(struct graft_fit_job *job, struct graft_fit_learning *learning)
{
    const struct graft_slope_network network = {.device = job->device,
                                                .network = job->source.network,
                                                .variables = job->variables,
                                                .classes = job->card.class_count};
    const struct graft_adversary_options options = {.epsilon = job->options.adversarial,
                                                    .preprocess = &job->card.preprocess,
                                                    .batch = learning->model->batch,
                                                    .rows = graft_trainer_micro_batch(learning->trainer),
                                                    .seed = (uint64_t)job->options.seed,
                                                    .plan = job->plan_options};
    return graft_adversary_open(&network, &options, &learning->adversary);
}

static enum graft_status open_parts(struct graft_fit_job *job, struct graft_fit_learning *learning)
{
    struct graft_fit_rates rates;
    bool cached = false;
    enum graft_status status = graft_fit_rates_open(job, job->position.stage, &rates);
    if (status != GRAFT_OK)
        return status;
    status = open_model(job, learning, rates.first, &cached);
    const int64_t rows = cached ? job->features[GRAFT_SPLIT_TRAIN].count
                                : graft_dataset_count(job->dataset, GRAFT_SPLIT_TRAIN);
    if (status == GRAFT_OK)
        status = open_trainer(job, learning, &rates, cached);
    int64_t before;
    const int64_t last = graft_part_of(rows % job->options.batch, graft_ranks_number(job->ranks),
                                       graft_ranks_count(job->ranks), &before);
    if (status == GRAFT_OK && last != 0)
        status = graft_trainer_prepare(learning->trainer, last);
    if (status == GRAFT_OK && job->options.adversarial > 0)
        status = open_adversary(job, learning);
    if (status == GRAFT_OK)
        status = note_parts(job, learning);
    if (status == GRAFT_OK && job->position.number == 0)
        status = reset_optimizer(job);
    if (status == GRAFT_OK && job->resumed && job->position.number > 0)
        status = graft_fit_spread_variables(job);
    if (status == GRAFT_OK)
        status = cached ? graft_fit_source_open_features(job, &job->features[GRAFT_SPLIT_TRAIN],
                                                         job->options.batch, true, &learning->source)
                        : graft_fit_source_open_pictures(job, GRAFT_SPLIT_TRAIN, job->options.batch, true,
                                                         &learning->source);
    if (status == GRAFT_OK && !job->search)
        graft_fit_announce(job, learning, &rates);
    graft_fit_rates_close(job, &rates);
    return status;
}

enum graft_status graft_fit_learning_open(struct graft_fit_job *job, struct graft_fit_learning *learning)
{
    const int now = job->position.stage;
    *learning =
        (struct graft_fit_learning){.stage = &job->options.stages[now], .source = {.context = job->context}};
    for (int s = 0; s < job->options.stage_count; s++) {
        learning->epochs_before += s < now ? graft_stage_epochs(&job->options.stages[s]) : 0;
        learning->epochs_in_all += graft_stage_epochs(&job->options.stages[s]);
    }
    /* When results are waited for is part of what all ranks do in the same order. */
    enum graft_status status = graft_fit_agree(job, &job->late);
    if (status == GRAFT_OK)
        status = open_parts(job, learning);
    if (status != GRAFT_OK)
        graft_fit_learning_close(job, learning);
    return status;
}

void graft_fit_learning_close(struct graft_fit_job *job, struct graft_fit_learning *learning)
{
    graft_adversary_close(&learning->adversary);
    job->plan = job->validation = NULL;
    job->lent = false;
    if (learning->evaluator.model)
        graft_fit_evaluator_close(&learning->evaluator);
    if (learning->source.context)
        graft_fit_source_close(&learning->source);
    graft_trainer_close(&learning->trainer);
    graft_model_close(&learning->model);
    *learning = (struct graft_fit_learning){.stage = NULL};
}
