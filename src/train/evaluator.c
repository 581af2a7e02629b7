/* SPDX-License-Identifier: MIT */
/* Parts of the network that is trained, and its evaluation on a split. */
#include "backend/backend.h"
#include "base/clock.h"
#include "base/context.h"
#include "data/dataset.h"
#include "graph/plan.h"
#include "train/share.h"
#include "infer/inference.h"

#include <math.h>

enum graft_status graft_fit_open_part(struct graft_fit_job *job, int64_t batch, const char *cut,
                                      bool training, const char *train_from, struct graft_model **model)
{
    const struct graft_preprocess *const p = &job->card.preprocess;
    const bool none = job->options.given.dropout && job->options.dropout == 0;
    const float dropout = none ? -1 : (float)job->options.dropout; /* 0: the network's own */
    const struct graft_model_options options = {.batch = batch,
                                                .height = p->crop_height,
                                                .width = p->crop_width,
                                                .classes = job->card.class_count,
                                                .part = cut ? GRAFT_MODEL_FROM : GRAFT_MODEL_WHOLE,
                                                .cut = cut,
                                                .input_u8 = true,
                                                .mean = p->mean,
                                                .std = p->std,
                                                .training = training,
                                                .train_from = train_from,
                                                .bn = job->bn,
                                                .dropout = dropout,
                                                .seed = (uint64_t)job->options.seed};
    return graft_model_open_network(job->context, job->source.network, &options, model);
}

void graft_fit_evaluator_close(struct graft_fit_evaluator *evaluator)
{
    graft_fit_source_close(&evaluator->source);
    graft_plan_close(&evaluator->plan);
    graft_model_close(&evaluator->model);
}

enum graft_status graft_fit_evaluator_open(struct graft_fit_job *job, enum graft_split split,
                                           struct graft_fit_evaluator *evaluator)
{
    const struct graft_features *const features = &job->features[split];
    const bool cached = features->rows != NULL;
    *evaluator = (struct graft_fit_evaluator){.split = split, .source = {.context = job->context}};
    const char *const cut = cached ? job->features[GRAFT_SPLIT_TRAIN].cut : NULL;
    const int64_t pictures = graft_dataset_count(job->dataset, split);
    const int64_t batch = job->options.batch < pictures ? job->options.batch : pictures;
    enum graft_status status = graft_fit_open_part(job, batch, cut, false, NULL, &evaluator->model);
    struct graft_plan_options options = job->plan_options;
    options.deferred = true; /* it may have the memory of training: see graft_fit_make_room */
    const struct graft_inference inference = {.device = job->device,
                                              .variables = job->variables,
                                              .options = &options,
                                              .reserve = graft_fit_reserve(job, cached)};
    if (status == GRAFT_OK)
        status = graft_inference_open(&inference, &evaluator->model, &evaluator->plan);
    if (status == GRAFT_OK)
        status = cached ? graft_fit_source_open_features(job, features, evaluator->model->batch, false,
                                                         &evaluator->source)
                        : graft_fit_source_open_pictures(job, split, evaluator->model->batch, false,
                                                         &evaluator->source);
    if (status != GRAFT_OK)
        graft_fit_evaluator_close(evaluator);
    return status;
}

/* A run of the evaluator. */
struct validation {
    struct graft_fit_job *job;
    struct graft_fit_evaluator *evaluator;
    struct graft_evaluation *evaluation;
    struct graft_fit_rows rows;
    int64_t done;
    float *targets; /* of a picture; NULL: labels */
    enum graft_status status; /* of keeping what was said */
    double begin;
};

static enum graft_status next_batch(void *source, struct graft_fit_batch *batch)
{
    return graft_fit_source_next(source, batch);
}

static void judge_row(void *user, const void *values, int32_t sample)
{
    struct validation *const validation = user;
    const struct graft_dataset *const data = validation->job->dataset;
    const enum graft_split split = validation->evaluator->split;
    if (validation->targets) {
        graft_dataset_targets(data, split, sample, validation->targets);
        graft_evaluation_add_targets(validation->evaluation, values, validation->targets);
    } else {
        const int32_t label = graft_dataset_label(data, split, sample);
        graft_evaluation_add(validation->evaluation, values, &label, 1);
        if (validation->job->predictions && validation->status == GRAFT_OK)
            validation->status =
                graft_predictions_add(validation->job->context, validation->job->predictions, values,
                                      validation->evaluation->classes, label, (int)split, sample);
    }
}

static enum graft_status take_row(void *user, const struct graft_runner_row *row)
{
    struct validation *const validation = user;
    validation->done++;
    if (validation->rows.shared)
        graft_fit_rows_add(&validation->rows, row->values, (int32_t)row->sample);
    else
        judge_row(user, row->values, (int32_t)row->sample);
    return GRAFT_OK;
}

static void show_progress(void *user)
{
    const struct validation *const validation = user;
    const struct graft_fit_job *const job = validation->job;
    struct graft_progress now = {.phase = "validation",
                                 .stage = job->position.stage,
                                 .done = validation->done * graft_ranks_count(job->ranks),
                                 .total = graft_dataset_count(job->dataset, validation->evaluator->split),
                                 .seconds_left = -1,
                                 .loss = (double)NAN,
                                 .accuracy = (double)NAN};
    now.images_per_second = (double)now.done / (graft_seconds() - validation->begin);
    job->call.progress(job->call.user, &now);
}

enum graft_status graft_fit_check_outputs(const struct graft_fit_job *job, enum graft_split split,
                                          double loss)
{
    return isfinite(loss) ? GRAFT_OK
                          : graft_fail(job->context, GRAFT_ERROR_NUMERIC,
                                       "the network's outputs for %s pictures are not all numbers: training "
                                       "has diverged, a lower --lr may help",
                                       graft_split_name(split));
}

/* Thresholds are chosen on the validation pictures while the network learns, and kept for all others. */
static enum graft_status open_evaluation(struct validation *validation, int32_t classes)
{
    const struct graft_fit_job *const job = validation->job;
    const enum graft_status status = graft_evaluation_open_target(
        job->context, &job->card.target, classes, graft_dataset_count(job->dataset, validation->evaluator->split),
        validation->evaluation);
    validation->evaluation->chooses =
        job->position.stage < job->options.stage_count && validation->evaluator->split == GRAFT_SPLIT_VAL;
    if (status != GRAFT_OK || !validation->evaluation->values)
        return status;
    validation->targets = graft_allocate(job->context, (size_t)classes, sizeof *validation->targets);
    return validation->targets ? GRAFT_OK : GRAFT_ERROR_MEMORY;
}

enum graft_status graft_fit_evaluator_run(struct graft_fit_job *job, struct graft_fit_evaluator *evaluator,
                                          struct graft_evaluation *evaluation)
{
    const struct graft_model *const model = evaluator->model;
    struct validation validation = {
        .job = job, .evaluator = evaluator, .evaluation = evaluation, .begin = graft_seconds()};
    const bool shown = job->call.progress && !evaluator->source.features;
    const struct graft_runner runner = {.context = job->context,
                                        .model = model,
                                        .plan = evaluator->plan,
                                        .value = model->logits,
                                        .next = next_batch,
                                        .source = &evaluator->source,
                                        .take = take_row,
                                        .batch_done = shown ? show_progress : NULL,
                                        .user = &validation};
    *evaluation = (struct graft_evaluation){0};
    enum graft_status status = open_evaluation(&validation, (int32_t)model->classes);
    if (status == GRAFT_OK)
        status = graft_fit_rows_open(job, evaluator->split, graft_desc_bytes(graft_graph_desc(model->graph, model->logits)) /
                                                                (uint64_t)model->batch, &validation.rows);
    if (!evaluator->plan->acquired)
        graft_fit_make_room(job, graft_plan_need(evaluator->plan) + graft_fit_reserve(job, true));
    if (status == GRAFT_OK)
        status = graft_plan_acquire(evaluator->plan);
    if (status == GRAFT_OK)
        status = graft_fit_source_start(&evaluator->source, 0, 0);
    if (status == GRAFT_OK)
        status = graft_runner_run(&runner);
    if (status == GRAFT_OK)
        status = graft_fit_rows_share(job, &validation.rows, judge_row, &validation);
    graft_fit_rows_close(job, &validation.rows);
    if (status == GRAFT_OK)
        status = validation.status;
    if (status == GRAFT_OK && evaluation->images == 0)
        status = graft_dataset_unreadable(job->dataset, evaluator->split);
    if (status == GRAFT_OK)
        graft_evaluation_finish(evaluation);
    else
        graft_evaluation_close(job->context, evaluation);
    if (job->lent)
        graft_plan_release(evaluator->plan);
    graft_release(job->context, validation.targets);
    evaluation->seconds = graft_seconds() - validation.begin;
    return status;
}

enum graft_status graft_fit_evaluate(struct graft_fit_job *job, enum graft_split split,
                                     struct graft_evaluation *evaluation)
{
    struct graft_fit_evaluator evaluator;
    enum graft_status status = graft_fit_evaluator_open(job, split, &evaluator);
    if (status == GRAFT_OK) {
        status = graft_fit_evaluator_run(job, &evaluator, evaluation);
        graft_fit_evaluator_close(&evaluator);
    }
    return status;
}
