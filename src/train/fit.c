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
        return graft_model_initialize(job->whole, job->variables, (uint64_t)job->options.seed, 0);
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
        status = graft_model_initialize(job->whole, job->variables, (uint64_t)job->options.seed, head);
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

/* What is said of the run: by the caller, or by the run that is resumed. */
static enum graft_status read_options(struct graft_fit_job *job)
{
    struct graft_recipe given = job->call.recipe;
    graft_recipe_settle(&given);
    enum graft_status status = graft_recipe_check(job->context, &given);
    job->resumed = job->call.resume && *job->call.resume;
    if (status == GRAFT_OK && job->resumed) {
        status = graft_run_claim_again(job->context, job->call.resume, &job->run);
        if (status == GRAFT_OK)
            status = graft_fit_config_read(job);
        if (status == GRAFT_OK)
            status = graft_recipe_resume(job->context, &job->options, &given);
    } else {
        job->options = given;
    }
    if (status == GRAFT_OK && !job->options.data)
        status = graft_fail(job->context, GRAFT_ERROR_ARGUMENT,
                            "fit needs data: a folder with a folder for each class");
    if (status == GRAFT_OK)
        status = graft_recipe_defaults(job->context, &job->options);
    job->plan_options.variants = job->options.variants;
    return status;
}

static enum graft_status open_data(struct graft_fit_job *job)
{
    static const char *const kinds[] = {"auto", "folders", "names", "idx", "csv"};
    struct graft_recipe *const o = &job->options;
    struct graft_dataset_options options = {
        .seed = (uint64_t)o->split_seed,
        .val_fraction = o->given.val_fraction && o->val_fraction == 0 ? -1 : o->val_fraction,
        .val_path = o->val,
        .memory_limit = o->archive_limit,
        .class_names = job->resumed ? (const char *const *)job->card.class_names : job->call.class_names,
        .class_count = job->resumed ? job->card.class_count : job->call.class_count};
    for (int kind = 1; o->kind && kind < 5; kind++)
        if (strcmp(kinds[kind], o->kind) == 0)
            options.kind = (enum graft_dataset_kind)kind;
    enum graft_status status = graft_dataset_open(job->context, o->data, &options, &job->dataset);
    if (status != GRAFT_OK)
        return status;
    o->kind = kinds[graft_dataset_kind(job->dataset)];
    o->given.kind = true;
    return job->resumed
               ? GRAFT_OK
               : graft_card_set_classes(job->context, &job->card, graft_dataset_class_names(job->dataset),
                                        graft_dataset_class_count(job->dataset));
}

/* Data, network, weights, folder: everything before the first step. */
static enum graft_status prepare(struct graft_fit_job *job)
{
    struct graft_context *const context = job->context;
    struct graft_tensor_set *set = NULL;
    struct graft_card of_weights = {0};
    enum graft_status status = read_options(job);
    if (status == GRAFT_OK && job->options.memory_limit > 0)
        graft_context_limit_memory(context, job->options.memory_limit);
    if (status == GRAFT_OK)
        status = open_data(job);
    if (status == GRAFT_OK && job->options.weights && !job->resumed) {
        status = graft_tensor_set_load(context, job->options.weights, &set);
        if (status == GRAFT_OK)
            status = graft_card_read(context, set, job->options.weights, &of_weights);
    }
    if (status == GRAFT_OK && !job->resumed)
        status = graft_fit_choose_network(job, &of_weights);
    if (status == GRAFT_OK)
        status = open_network(job);
    if (status == GRAFT_OK)
        status = graft_fit_resolve(job);
    if (status == GRAFT_OK && !job->resumed)
        status = start_weights(job, set, &of_weights);
    if (status == GRAFT_OK && !job->resumed)
        status = graft_run_claim(
            context,
            &(struct graft_run_wish){job->call.out, job->options.data, job->call.recipe.model}, &job->run);
    if (status == GRAFT_OK && job->resumed)
        status = graft_fit_load(job);
    if (status == GRAFT_OK)
        status = graft_fit_config_write(job);
    graft_card_close(context, &of_weights);
    graft_tensor_set_close(&set);
    return status;
}

static enum graft_status train(struct graft_fit_job *job)
{
    struct graft_run_position *const at = &job->position;
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
    if (status == GRAFT_OK)
        status = graft_fit_check_outputs(job, result->evaluated, result->evaluation.loss);
    if (status == GRAFT_OK)
        status = graft_run_write_evaluation(job->run, &result->evaluation,
                                            graft_split_name(result->evaluated));
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
    graft_run_close(&job->run);
    graft_release(job->context, job->class_weights);
}

/* What the caller gets to see, besides figures. */
static enum graft_status finish(struct graft_fit_job *job)
{
    struct graft_fit_result *const result = job->result;
    const struct graft_run_position *const at = &job->position;
    struct graft_run_history *const history = &job->run->history;
    const int best = graft_run_history_best(history);
    if (best >= 0) {
        result->best_epoch = history->epochs[best].epoch;
        result->val_top1 = history->epochs[best].val_top1;
        result->val_loss = history->epochs[best].val_loss;
    }
    result->history = history->epochs; /* it goes over to the result */
    result->epochs = history->count;
    *history = (struct graft_run_history){0};
    (void)snprintf(result->model, sizeof result->model, "%s", job->card.network);
    result->seconds = at->total_seconds + graft_seconds() - job->begin;
    result->images_per_second = at->train_seconds > 0 ? (double)at->trained / at->train_seconds : 0;
    result->classes = job->card.class_count;
    result->run = graft_duplicate_text(job->context, job->run->folder);
    struct graft_card names = {0};
    const enum graft_status status =
        graft_card_set_classes(job->context, &names, job->card.class_names, job->card.class_count);
    result->class_names = names.class_names;
    return result->run ? status : GRAFT_ERROR_MEMORY;
}

enum graft_status graft_fit(struct graft_device *device, const struct graft_fit_options *options,
                            struct graft_fit_result *result)
{
    struct graft_fit_job job = {
        .context = device->context, .device = device, .call = *options, .result = result};
    *result =
        (struct graft_fit_result){.val_top1 = (double)NAN, .val_loss = (double)NAN, .test_top1 = (double)NAN};
    const uint64_t limit = graft_context_memory_limit(device->context);
    job.begin = job.last_saved = graft_seconds();
    enum graft_status status = prepare(&job);
    if (status == GRAFT_OK)
        status = graft_fit_save_end(&job, train(&job));
    if (status == GRAFT_OK && !result->cancelled)
        status = evaluate_best(&job);
    if (status == GRAFT_OK)
        status = finish(&job);
    else if (job.run)
        graft_run_abandon(job.run);
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
    graft_release(context, (void *)(uintptr_t)result->history);
    graft_release(context, (void *)(uintptr_t)result->run);
    *result = (struct graft_fit_result){0};
}
