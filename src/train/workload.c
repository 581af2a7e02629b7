/* SPDX-License-Identifier: MIT */
#include "train/workload.h"

#include "backend/backend.h"
#include "base/clock.h"
#include "base/context.h"
#include "base/random.h"
#include "infer/inference.h"

#define SECONDS 0.5 /* of measurement */
#define LEAST_ROUNDS 3
#define MOST_SECONDS 1.0 /* even if those are not done */

static enum graft_status make_batch(struct graft_workload *workload)
{
    struct graft_context *const context = workload->device->context;
    const struct graft_model *const model = workload->model;
    struct graft_random random;
    workload->pixels = graft_allocate_raw(context, 1, (size_t)workload->pixel_bytes);
    workload->labels = graft_allocate(context, (size_t)model->batch, sizeof *workload->labels);
    workload->logits = graft_allocate_raw(context, 1, (size_t)workload->logit_bytes);
    if (!workload->pixels || !workload->labels || !workload->logits)
        return GRAFT_ERROR_MEMORY;
    graft_random_start(&random, workload->options.seed, graft_hash_text("bench"));
    for (uint64_t i = 0; i < workload->pixel_bytes; i++)
        workload->pixels[i] = (uint8_t)(graft_random_u32(&random) >> 24);
    for (int64_t i = 0; i < model->batch; i++)
        workload->labels[i] = (int32_t)graft_random_below(&random, (uint32_t)model->classes);
    return GRAFT_OK;
}

static enum graft_status open_model(struct graft_workload *workload)
{
    const struct graft_workload_options *const options = &workload->options;
    const struct graft_model_options model = {.batch = options->batch,
                                              .height = options->side,
                                              .width = options->width > 0 ? options->width : options->side,
                                              .input_u8 = true,
                                              .training = options->train,
                                              .bn = GRAFT_BATCH_NORM_TRAIN};
    graft_model_close(&workload->model);
    return graft_model_open(workload->device->context, options->model, &model, &workload->model);
}

enum graft_status graft_workload_plan(struct graft_workload *workload)
{
    /* A trainer adds to the model's graph: each wants a new one. */
    const bool again = workload->plan != NULL;
    graft_trainer_close(&workload->trainer);
    graft_plan_close(&workload->own_plan);
    workload->plan = NULL;
    enum graft_status status = again ? open_model(workload) : GRAFT_OK;
    if (status != GRAFT_OK)
        return status;
    struct graft_model *const model = workload->model;
    const struct graft_plan_options plan = {.variants = workload->options.variants,
                                            .tf32 = workload->options.tf32};
    /* The batch of pictures lies in the host's memory too. */
    const uint64_t reserve = graft_inference_reserve(
        workload->device, model->batch,
        (uint64_t)(model->height * model->width) * (uint64_t)model->info->channels, 1);
    const double begin = graft_seconds();
    if (workload->options.train) {
        const struct graft_trainer_options trainer = {
            .optimizer = GRAFT_ADAM, .reserve = reserve, .plan = plan};
        status =
            graft_trainer_open(workload->device, model, workload->variables, &trainer, &workload->trainer);
        workload->plan = status == GRAFT_OK ? graft_trainer_plan(workload->trainer) : NULL;
    } else {
        const struct graft_inference inference = {.device = workload->device,
                                                  .variables = workload->variables,
                                                  .options = &plan,
                                                  .reserve = reserve};
        status = graft_inference_open(&inference, &workload->model, &workload->own_plan);
        workload->plan = workload->own_plan;
        if (status == GRAFT_OK)
            status = graft_plan_refresh(workload->plan);
    }
    workload->pixel_bytes =
        graft_desc_bytes(graft_graph_desc(workload->model->graph, workload->model->input));
    workload->logit_bytes = (uint64_t)(workload->model->batch * workload->model->classes) * sizeof(float);
    workload->plan_seconds = graft_seconds() - begin;
    return status;
}

enum graft_status graft_workload_open(struct graft_device *device,
                                      const struct graft_workload_options *options,
                                      struct graft_workload *workload)
{
    *workload = (struct graft_workload){.device = device, .options = *options};
    enum graft_status status = open_model(workload);
    if (status == GRAFT_OK)
        status = graft_variables_open(device, &workload->variables);
    if (status == GRAFT_OK)
        status = graft_model_initialize(workload->model, workload->variables, options->seed, 0);
    if (status == GRAFT_OK)
        status = graft_workload_plan(workload);
    if (status == GRAFT_OK)
        status = make_batch(workload);
    if (status != GRAFT_OK)
        graft_workload_close(workload);
    return status;
}

enum graft_status graft_workload_run(struct graft_workload *workload)
{
    const struct graft_model *const model = workload->model;
    if (workload->trainer) {
        struct graft_step step = {.input = workload->pixels,
                                  .labels = workload->labels,
                                  .valid = model->batch,
                                  .learning_rate = 1e-6,
                                  .number = ++workload->step};
        return graft_trainer_step(workload->trainer, &step);
    }
    enum graft_status status =
        graft_plan_write(workload->plan, model->input, workload->pixels, workload->pixel_bytes);
    if (status == GRAFT_OK)
        status = graft_plan_run(workload->plan, GRAFT_SEGMENT_COMPUTE);
    return status == GRAFT_OK
               ? graft_plan_read(workload->plan, model->logits, workload->logits, workload->logit_bytes)
               : status;
}

enum graft_status graft_workload_measure(struct graft_workload *workload, double *seconds)
{
    enum graft_status status = graft_workload_run(workload);
    const double begin = graft_seconds();
    for (int round = 0; status == GRAFT_OK; round++) {
        const double spent = graft_seconds() - begin;
        if (round > 0 && (spent > MOST_SECONDS || (round >= LEAST_ROUNDS && spent > SECONDS)))
            break;
        if (graft_context_cancelled(workload->device->context))
            return GRAFT_ERROR_CANCELLED;
        status = graft_workload_run(workload);
        const double taken = graft_seconds() - begin - spent;
        *seconds = round == 0 || taken < *seconds ? taken : *seconds;
    }
    return status;
}

void graft_workload_close(struct graft_workload *workload)
{
    if (!workload->device)
        return;
    struct graft_context *const context = workload->device->context;
    graft_trainer_close(&workload->trainer);
    graft_plan_close(&workload->own_plan);
    graft_variables_close(&workload->variables);
    graft_model_close(&workload->model);
    graft_release(context, workload->pixels);
    graft_release(context, workload->labels);
    graft_release(context, workload->logits);
    *workload = (struct graft_workload){0};
}
