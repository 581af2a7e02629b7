/* SPDX-License-Identifier: MIT */
/* graft_fit: from a folder of pictures to a trained network in a run folder. */
#include "backend/backend.h"
#include "base/clock.h"
#include "base/context.h"
#include "graft/weights.h"
#include "train/fit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define FEATURES_LIMIT (2048ull << 20)

static const char *text_or(const char *text, const char *otherwise)
{
    return text ? text : otherwise;
}

/* The network: named by the user, by the weights, or by the kind of the data. */
static enum graft_status choose_network(struct graft_fit_job *job, const struct graft_card *of_weights)
{
    const struct graft_fit_options *const options = &job->options;
    int32_t width = 0, height = 0, channels = 0;
    const bool fixed = graft_dataset_fixed_size(job->dataset, &width, &height, &channels);
    const char *name = options->model;
    if (!name && of_weights->network[0])
        name = of_weights->network;
    if (!name && options->weights)
        name = "squeezenet1_0";
    if (!name)
        name = fixed && width == 28 && height == 28 && channels == 1 ? "mnist_convnet" : "tiny_convnet";
    if (of_weights->network[0] && strcmp(name, of_weights->network) != 0)
        return graft_fail(job->context, GRAFT_ERROR_ARGUMENT, "%s holds weights of %s, not of %s",
                          options->weights, of_weights->network, name);
    const struct graft_model_info *info;
    const enum graft_status status = graft_model_find(job->context, name, &info);
    if (status != GRAFT_OK)
        return status;
    (void)snprintf(job->card.network, sizeof job->card.network, "%s", info->name);
    if (of_weights->has_preprocess && options->input == 0) {
        job->card.preprocess = of_weights->preprocess;
        return GRAFT_OK;
    }
    const enum graft_status known =
        graft_card_preprocess(job->context, info, options->input, &job->card.preprocess);
    job->card.preprocess.ignore_orientation = false; /* pictures of its own are learnt upright */
    return known;
}

/* What the optimizer is told; what it would ignore is refused. */
static enum graft_status resolve_optimizer(struct graft_fit_job *job)
{
    struct graft_fit_options *const o = &job->options;
    const enum graft_status status =
        graft_optimizer_find(job->context, text_or(o->optimizer, "adam"), &job->optimizer);
    if (status != GRAFT_OK)
        return status;
    o->optimizer = graft_optimizer_name(job->optimizer);
    const bool sgd = job->optimizer == GRAFT_SGD;
    if (!sgd && !o->resume && (o->nesterov || o->momentum > 0))
        return graft_fail(job->context, GRAFT_ERROR_ARGUMENT,
                          "momentum and nesterov are of the optimizer sgd; %s has none", o->optimizer);
    if (sgd && o->nesterov && o->momentum < 0)
        return graft_fail(job->context, GRAFT_ERROR_ARGUMENT, "nesterov needs a momentum above 0");
    if (!(o->clip_norm >= 0 && isfinite(o->clip_norm)))
        return graft_fail(job->context, GRAFT_ERROR_ARGUMENT,
                          "gradients cannot be clipped to a norm of %g: it must be above 0, or 0 for none",
                          o->clip_norm);
    if (o->momentum == 0 && sgd)
        o->momentum = 0.9;
    if (o->weight_decay == 0)
        o->weight_decay = job->optimizer == GRAFT_ADAMW ? 0.01 : -1;
    return GRAFT_OK;
}

/* Whatever is still open gets its value; config.json then says it all. */
static enum graft_status resolve(struct graft_fit_job *job)
{
    struct graft_fit_options *const o = &job->options;
    const bool scratch = !o->weights;
    const int64_t pictures = graft_dataset_count(job->dataset, GRAFT_SPLIT_TRAIN);
    enum graft_status status = resolve_optimizer(job);
    if (status != GRAFT_OK)
        return status;
    if (o->batch == 0)
        o->batch = scratch ? 64 : 32;
    if (o->batch > pictures)
        o->batch = pictures;
    if (o->features_limit == 0)
        o->features_limit = FEATURES_LIMIT;
    if (o->trunk_factor == 0)
        o->trunk_factor = scratch ? 1 : 0.1;
    if (scratch)
        o->bn = GRAFT_BATCH_NORM_TRAIN;
    if (o->stage_count == 0) {
        o->stage_count = 1;
        (void)snprintf(o->stages[0].from, sizeof o->stages[0].from, "%s", scratch ? "all" : "head");
    }
    status = graft_fit_class_weights(job);
    if (status != GRAFT_OK)
        return status;
    const double rate = o->learning_rate > 0 ? o->learning_rate : job->optimizer == GRAFT_SGD ? 1e-2 : 1e-3;
    for (int s = 0; s < o->stage_count; s++) {
        struct graft_fit_stage *const stage = &o->stages[s];
        const bool head = strcmp(stage->from, "head") == 0;
        if (stage->epochs == 0)
            stage->epochs = o->epochs > 0 ? o->epochs : head ? 20 : !scratch ? 5 : pictures > 20000 ? 5 : 30;
        if (stage->learning_rate == 0)
            stage->learning_rate = s == 0 ? rate : rate / 10;
        if (stage->epochs < 0 || stage->epochs > 100000 ||
            !(stage->learning_rate > 0 && stage->learning_rate < 1e6))
            return graft_fail(job->context, GRAFT_ERROR_ARGUMENT,
                              "stage %s: %d epochs at learning rate %g make no sense", stage->from,
                              stage->epochs, stage->learning_rate);
        const bool known =
            strcmp(stage->from, "all") == 0 || graft_model_stage_find(job->whole, stage->from) >= 0;
        if (!known)
            return graft_fail(job->context, GRAFT_ERROR_NOT_FOUND,
                              "%s has no stage \"%s\"; `graft summary %s` lists them", job->card.network,
                              stage->from, job->card.network);
    }
    return GRAFT_OK;
}

/* Classes as the weights have them, in the same order: the trained head can go on. */
static bool same_classes(const struct graft_card *a, const struct graft_card *b)
{
    bool same = a->class_count == b->class_count;
    for (int32_t i = 0; same && i < a->class_count; i++)
        same = strcmp(a->class_names[i], b->class_names[i]) == 0;
    return same;
}

/* Initial values: from scratch, or the weights with a new head. */
static enum graft_status start_weights(struct graft_fit_job *job, const struct graft_tensor_set *set,
                                       const struct graft_card *of_weights)
{
    const int head = job->whole->stage_count - 1;
    if (!set)
        return graft_model_initialize(job->whole, job->variables, job->options.seed, 0);
    const bool keep_head = same_classes(of_weights, &job->card);
    struct graft_weights_report report;
    enum graft_status status = graft_model_load_weights(job->whole, job->variables, set, !keep_head, &report);
    if (status != GRAFT_OK)
        return graft_fail_prefix(job->context, status, "%s", job->options.weights);
    if (report.unused > 0)
        graft_log(job->context, GRAFT_LOG_REMARK, "%s: %d tensors are not used: %s", job->options.weights,
                  report.unused, report.unused_names);
    if (!keep_head) {
        graft_log(job->context, GRAFT_LOG_REMARK, "%s: %d tensors loaded; the head is new, for %d classes",
                  job->options.weights, report.loaded, job->card.class_count);
        status = graft_model_initialize(job->whole, job->variables, job->options.seed, head);
    }
    return status;
}

static enum graft_status open_network(struct graft_fit_job *job)
{
    const struct graft_preprocess *const p = &job->card.preprocess;
    const struct graft_model_options options = {.height = p->crop_height,
                                                .width = p->crop_width,
                                                .classes = job->card.class_count,
                                                .input_u8 = true,
                                                .mean = p->mean,
                                                .std = p->std};
    enum graft_status status = graft_model_open(job->context, job->card.network, &options, &job->whole);
    if (status == GRAFT_OK)
        status = graft_variables_open(job->device, &job->variables);
    if (status == GRAFT_OK)
        status = graft_variables_add(job->variables, job->whole->graph);
    return status;
}

/* Data, network, weights, folder: everything before the first step. */
static enum graft_status prepare(struct graft_fit_job *job, const struct graft_fit_options *options)
{
    struct graft_context *const context = job->context;
    struct graft_tensor_set *set = NULL;
    struct graft_card of_weights = {0};
    enum graft_status status = GRAFT_OK;
    if (options->resume)
        status = graft_fit_config_read(job, options->resume);
    else if (!options->data)
        status = graft_fail(context, GRAFT_ERROR_ARGUMENT,
                            "fit needs data: a folder with a folder for each class");
    if (status == GRAFT_OK && job->options.memory_limit > 0)
        graft_context_limit_memory(context, job->options.memory_limit);
    if (status == GRAFT_OK)
        status = graft_dataset_open(context, job->options.data, &job->options.dataset, &job->dataset);
    if (status == GRAFT_OK)
        status = graft_card_set_classes(context, &job->card, graft_dataset_class_names(job->dataset),
                                        graft_dataset_class_count(job->dataset));
    if (status == GRAFT_OK && job->options.weights && !options->resume) {
        status = graft_tensor_set_load(context, job->options.weights, &set);
        if (status == GRAFT_OK)
            status = graft_card_read(context, set, job->options.weights, &of_weights);
    }
    if (status == GRAFT_OK)
        status = choose_network(job, &of_weights);
    if (status == GRAFT_OK)
        status = open_network(job);
    if (status == GRAFT_OK)
        status = resolve(job);
    if (status == GRAFT_OK && !options->resume)
        status = start_weights(job, set, &of_weights);
    if (status == GRAFT_OK && !options->resume)
        status = graft_fit_folder_create(job);
    if (status == GRAFT_OK && !options->resume)
        status = graft_fit_config_write(job);
    if (status == GRAFT_OK && options->resume)
        status = graft_fit_load(job);
    job->folder_ready = status == GRAFT_OK;
    graft_card_close(context, &of_weights);
    graft_tensor_set_close(&set);
    return status;
}

static enum graft_status train(struct graft_fit_job *job)
{
    struct graft_fit_position *const at = &job->position;
    enum graft_status status = GRAFT_OK;
    while (status == GRAFT_OK && at->stage < job->options.stage_count) {
        status = graft_fit_run_stage(job, &job->options.stages[at->stage]);
        if (status == GRAFT_OK) {
            at->stage++;
            at->epoch = 0;
            at->number = 0;
        }
    }
    return status;
}

/* Best weights back into the variables, and what they are worth. */
static enum graft_status evaluate_best(struct graft_fit_job *job)
{
    struct graft_fit_result *const result = job->result;
    const bool test = graft_dataset_count(job->dataset, GRAFT_SPLIT_TEST) > 0;
    const bool val = graft_dataset_count(job->dataset, GRAFT_SPLIT_VAL) > 0;
    result->evaluated = test ? GRAFT_SPLIT_TEST : val ? GRAFT_SPLIT_VAL : GRAFT_SPLIT_TRAIN;
    enum graft_status status = graft_model_load_weights(job->whole, job->variables, job->best, false, NULL);
    if (status == GRAFT_OK)
        status = graft_fit_evaluate(job, result->evaluated, &result->evaluation);
    if (status == GRAFT_OK && test)
        result->test_top1 = result->evaluation.top1;
    return status;
}

static void close_job(struct graft_fit_job *job)
{
    for (int s = 0; s < GRAFT_SPLIT_COUNT; s++)
        graft_features_close(job->context, &job->features[s]);
    graft_tensor_set_close(&job->best);
    graft_variables_close(&job->variables);
    graft_model_close(&job->whole);
    graft_dataset_close(&job->dataset);
    graft_card_close(job->context, &job->card);
    graft_fit_config_close(job);
    graft_release(job->context, job->class_weights);
}

/* What the caller gets to see, besides history and figures. */
static enum graft_status finish(struct graft_fit_job *job)
{
    struct graft_fit_result *const result = job->result;
    const struct graft_fit_position *const at = &job->position;
    (void)snprintf(result->model, sizeof result->model, "%s", job->card.network);
    (void)snprintf(result->run, sizeof result->run, "%s", job->options.out);
    result->seconds = at->total_seconds + graft_seconds() - job->begin;
    result->images_per_second = at->train_seconds > 0 ? (double)at->trained / at->train_seconds : 0;
    result->classes = job->card.class_count;
    struct graft_card names = {0};
    const enum graft_status status =
        graft_card_set_classes(job->context, &names, job->card.class_names, job->card.class_count);
    result->class_names = names.class_names;
    return status;
}

enum graft_status graft_fit(struct graft_device *device, const struct graft_fit_options *options,
                            struct graft_fit_result *result)
{
    struct graft_fit_job job = {
        .context = device->context, .device = device, .options = *options, .result = result};
    *result =
        (struct graft_fit_result){.val_top1 = (double)NAN, .val_loss = (double)NAN, .test_top1 = (double)NAN};
    const uint64_t limit = graft_context_memory_limit(device->context);
    job.begin = job.last_saved = graft_seconds();
    enum graft_status status = prepare(&job, options);
    if (status == GRAFT_OK)
        status = train(&job);
    if (status == GRAFT_ERROR_CANCELLED && job.folder_ready) {
        /* What must still be done is done without further asking. */
        graft_context_cancel_clear(job.context);
        result->cancelled = true;
        status = result->best_epoch == 0 ? graft_fit_keep_best(&job) : GRAFT_OK;
    }
    if (status == GRAFT_OK)
        status = graft_fit_save(&job);
    if (status == GRAFT_OK && !result->cancelled)
        status = evaluate_best(&job);
    if (status == GRAFT_OK)
        status = finish(&job);
    else
        graft_fit_folder_abandon(&job);
    close_job(&job);
    graft_context_limit_memory(device->context, limit);
    if (status != GRAFT_OK)
        graft_fit_result_close(device->context, result);
    return status;
}

void graft_fit_result_close(struct graft_context *context, struct graft_fit_result *result)
{
    struct graft_card names = {.class_count = result->classes,
                               .class_names = (const char **)(uintptr_t)result->class_names};
    graft_card_close(context, &names);
    graft_evaluation_close(context, &result->evaluation);
    graft_release(context, result->history);
    *result = (struct graft_fit_result){0};
}
