/* SPDX-License-Identifier: MIT */
/* Parts of the network that is trained, and its evaluation on a split. */
#include "backend/backend.h"
#include "base/clock.h"
#include "base/context.h"
#include "graph/plan.h"
#include "train/fit.h"
#include "train/inference.h"

#include <math.h>

enum graft_status graft_fit_open_part(struct graft_fit_job *job, const char *cut, bool training,
                                      const char *train_from, struct graft_model **model)
{
    const struct graft_preprocess *const p = &job->card.preprocess;
    const bool none = job->options.given.dropout && job->options.dropout == 0;
    const float dropout = none ? -1 : (float)job->options.dropout; /* 0: the network's own */
    const struct graft_model_options options = {.batch = job->options.batch,
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
    return graft_model_open(job->context, job->card.network, &options, model);
}

void graft_fit_evaluator_close(struct graft_fit_job *job, struct graft_fit_evaluator *evaluator)
{
    graft_fit_source_close(&evaluator->source);
    graft_plan_close(&evaluator->plan);
    graft_model_close(&evaluator->model);
    graft_release(job->context, evaluator->logits);
    evaluator->logits = NULL;
}

enum graft_status graft_fit_evaluator_open(struct graft_fit_job *job, enum graft_split split,
                                           struct graft_fit_evaluator *evaluator)
{
    const struct graft_features *const features = &job->features[split];
    const bool cached = features->rows != NULL;
    *evaluator = (struct graft_fit_evaluator){.split = split, .source = {.context = job->context}};
    enum graft_status status = graft_fit_open_part(job, cached ? job->features[GRAFT_SPLIT_TRAIN].cut : NULL,
                                                   false, NULL, &evaluator->model);
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
    if (status == GRAFT_OK) {
        evaluator->logits = graft_allocate(
            job->context, (size_t)(evaluator->model->batch * evaluator->model->classes), sizeof(float));
        status = evaluator->logits ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    }
    if (status != GRAFT_OK)
        graft_fit_evaluator_close(job, evaluator);
    return status;
}

enum graft_status graft_fit_evaluator_run(struct graft_fit_job *job, struct graft_fit_evaluator *evaluator,
                                          struct graft_evaluation *evaluation)
{
    const struct graft_model *const model = evaluator->model;
    const double begin = graft_seconds();
    const uint64_t input_bytes = graft_desc_bytes(graft_graph_desc(model->graph, model->input));
    const uint64_t logits_bytes = (uint64_t)(model->batch * model->classes) * sizeof(float);
    *evaluation = (struct graft_evaluation){0};
    enum graft_status status = graft_evaluation_open(job->context, (int32_t)model->classes, evaluation);
    if (!evaluator->plan->acquired)
        graft_fit_make_room(job, graft_plan_need(evaluator->plan) + graft_fit_reserve(job, true));
    if (status == GRAFT_OK)
        status = graft_plan_acquire(evaluator->plan);
    if (status == GRAFT_OK)
        status = graft_fit_source_start(&evaluator->source, 0, 0);
    while (status == GRAFT_OK) {
        struct graft_fit_batch batch;
        status = graft_fit_source_next(&evaluator->source, &batch);
        if (status != GRAFT_OK || batch.valid == 0)
            break;
        status = batch.rows ? graft_plan_write_rows(evaluator->plan, model->input, batch.rows, model->batch)
                            : graft_plan_write(evaluator->plan, model->input, batch.input, input_bytes);
        if (status == GRAFT_OK)
            status = graft_plan_run(evaluator->plan, GRAFT_SEGMENT_COMPUTE);
        if (status == GRAFT_OK)
            status = graft_plan_read(evaluator->plan, model->logits, evaluator->logits, logits_bytes);
        if (status != GRAFT_OK)
            break;
        graft_evaluation_add(evaluation, evaluator->logits, batch.labels, batch.valid);
        if (job->call.progress && !evaluator->source.features) {
            struct graft_progress now = {.phase = "validation",
                                         .stage = job->position.stage,
                                         .done = evaluation->images,
                                         .total = graft_dataset_count(job->dataset, evaluator->split),
                                         .seconds_left = -1,
                                         .loss = (double)NAN,
                                         .accuracy = (double)NAN};
            now.images_per_second = (double)now.done / (graft_seconds() - begin);
            job->call.progress(job->call.user, &now);
        }
    }
    if (status == GRAFT_OK)
        graft_evaluation_finish(evaluation);
    else
        graft_evaluation_close(job->context, evaluation);
    if (job->lent)
        graft_plan_release(evaluator->plan);
    evaluation->seconds = graft_seconds() - begin;
    return status;
}

enum graft_status graft_fit_evaluate(struct graft_fit_job *job, enum graft_split split,
                                     struct graft_evaluation *evaluation)
{
    struct graft_fit_evaluator evaluator;
    enum graft_status status = graft_fit_evaluator_open(job, split, &evaluator);
    if (status == GRAFT_OK) {
        status = graft_fit_evaluator_run(job, &evaluator, evaluation);
        graft_fit_evaluator_close(job, &evaluator);
    }
    return status;
}
