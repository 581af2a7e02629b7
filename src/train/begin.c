/* SPDX-License-Identifier: MIT */
/* How a run begins, or goes on: what is said of it, data, network, weights, folder. */
#include "backend/backend.h"
#include "base/context.h"
#include "graft/weights.h"
#include "train/fit.h"

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
    for (int r = 0; r < GRAFT_RECIPE_ROWS && status == GRAFT_OK; r++) {
        const char **const text = graft_recipe_text_of(&given, r);
        if (!text || !*text)
            continue;
        job->texts[r] = graft_duplicate_text(job->context, *text);
        *text = job->texts[r];
        status = *text ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    }
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
    if (status == GRAFT_OK && !job->resumed && job->call.source) {
        job->options.data = job->texts[0] =
            graft_duplicate_text(job->context, job->call.source->title ? job->call.source->title : "memory");
        job->options.given.data = true;
        status = job->options.data ? GRAFT_OK : GRAFT_ERROR_MEMORY;
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
    const struct graft_fit_options *const call = &job->call;
    const bool resumed = job->resumed;
    const enum graft_status status = graft_recipe_open_data(
        job->context, &job->options, call->source, resumed ? job->card.class_names : call->class_names,
        resumed ? job->card.class_count : call->class_count, &job->dataset);
    return status != GRAFT_OK || resumed
               ? status
               : graft_card_set_classes(job->context, &job->card, graft_dataset_class_names(job->dataset),
                                        graft_dataset_class_count(job->dataset));
}

enum graft_status graft_fit_begin(struct graft_fit_job *job)
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
            context, &(struct graft_run_wish){job->call.out, job->options.data, job->call.recipe.model},
            &job->run);
    if (status == GRAFT_OK && job->resumed)
        status = graft_fit_load(job);
    if (status == GRAFT_OK)
        status = graft_fit_config_write(job);
    graft_card_close(context, &of_weights);
    graft_tensor_set_close(&set);
    return status;
}
