/* SPDX-License-Identifier: MIT */
/* How a run begins, or goes on: what is said of it, data, network, weights, folder. */
#include "base/context.h"
#include "base/text.h"
#include "data/known.h"
#include "graft/device.h"
#include "graft/weights.h"
#include "train/share.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static enum graft_status open_network(struct graft_fit_job *job)
{
    const struct graft_preprocess *const p = &job->card.preprocess;
    const struct graft_model_options options = {.height = p->crop_height,
                                                .width = p->crop_width,
                                                .classes = job->card.class_count,
                                                .input_u8 = true,
                                                .mean = p->mean,
                                                .std = p->std};
    enum graft_status status =
        graft_model_open_network(job->context, job->source.network, &options, &job->whole);
    if (status == GRAFT_OK)
        status = graft_variables_open(job->device, &job->variables);
    if (status == GRAFT_OK)
        status = graft_variables_add(job->variables, job->whole->graph);
    return status;
}

/* The bits are those of a device: another one must have been asked for. */
static enum graft_status check_device(struct graft_fit_job *job, bool asked)
{
    const struct graft_device_info *const here = graft_device_get_info(job->device);
    const char *const id = job->options.device ? job->options.device : "";
    const char *const name = json_string_value(json_object_get(job->config, "device_name"));
    const bool numbered = strcmp(id, GRAFT_DEVICE_OF_RANK) == 0 && graft_text_starts(here->id, "opencl:");
    const bool same = numbered || strcmp(id, here->id) == 0;
    if (!same && !asked)
        return graft_fail(
            job->context, GRAFT_ERROR_ARGUMENT,
            "%s was begun on %s, not on %s: with --device %s it goes on here, but not to the same "
            "bits",
            job->run->folder, id, here->id, here->id);
    if (!same || (name && strcmp(name, here->name) != 0))
        graft_log(job->context, GRAFT_LOG_REMARK,
                  "%s was begun on %s (%s): on %s (%s) it goes on, but not to "
                  "the same bits",
                  job->run->folder, id, name ? name : "?", here->id, here->name);
    return GRAFT_OK;
}

/* The name of a pulled data set becomes its path, so that the run can be resumed from everywhere. */
static enum graft_status find_data(struct graft_fit_job *job, struct graft_recipe *given)
{
    struct graft_text path = {0};
    if (job->call.source || !given->data)
        return GRAFT_OK;
    const enum graft_status status = graft_known_find(job->context, given->data, &path);
    if (status != GRAFT_OK || !path.data)
        return status;
    graft_release(job->context, job->texts[0]);
    given->data = job->texts[0] = path.data;
    graft_log(job->context, GRAFT_LOG_REMARK, "data: %s", path.data);
    return GRAFT_OK;
}

/* `weights` may be a run folder: the best weights of it. */
static enum graft_status find_weights(struct graft_fit_job *job)
{
    struct graft_text path = {0};
    struct stat facts;
    const char *const given = job->options.weights;
    if (!given || stat(given, &facts) != 0 || !S_ISDIR(facts.st_mode))
        return GRAFT_OK;
    graft_text_append(job->context, &path, "%s/%s", given, GRAFT_RUN_BEST);
    job->options.weights = job->weights_path = path.data;
    return path.failed ? GRAFT_ERROR_MEMORY : GRAFT_OK;
}

/* What the run has come to goes on for some epochs: a stage like the last one. */
static enum graft_status add_stage(struct graft_fit_job *job)
{
    struct graft_recipe *const o = &job->options;
    if (job->call.more_epochs > GRAFT_MAX_EPOCHS || o->stage_count == 0)
        return graft_fail(job->context, GRAFT_ERROR_ARGUMENT, "%d more epochs of %d stages make no sense",
                          job->call.more_epochs, o->stage_count);
    if (o->stage_count == GRAFT_FIT_MAX_STAGES)
        return graft_fail(
            job->context, GRAFT_ERROR_ARGUMENT,
            "%s has %d stages already, which is the most there are: begin another run with --weights %s",
            job->run->folder, o->stage_count, job->run->folder);
    const struct graft_fit_stage *const last = &o->stages[o->stage_count - 1];
    struct graft_fit_stage *const more = &o->stages[o->stage_count++];
    *more = (struct graft_fit_stage){.epochs = job->call.more_epochs,
                                     .learning_rate = last->learning_rate,
                                     .micro_batch = last->micro_batch};
    memcpy(more->from, last->from, sizeof more->from);
    return GRAFT_OK;
}

/* The folder of a run that goes on; other ranks than the first are told what is in it. */
static enum graft_status claim_again(struct graft_fit_job *job)
{
    char *text = NULL;
    enum graft_status status = graft_fit_writes(job)
                                   ? graft_run_claim_again(job->context, job->call.resume, &job->run)
                                   : graft_run_new(job->context, job->call.resume, &job->run);
    if (status != GRAFT_OK || !job->ranks)
        return status;
    status = graft_fit_spread_text(job, job->run->recipe, &text);
    if (status == GRAFT_OK && !graft_fit_writes(job))
        return graft_run_take_recipe(job->run, text);
    graft_release(job->context, text);
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
    if (status == GRAFT_OK)
        status = find_data(job, &given);
    job->resumed = job->call.resume && *job->call.resume;
    if (status == GRAFT_OK && job->call.more_epochs != 0 && !job->resumed)
        status = graft_fail(job->context, GRAFT_ERROR_ARGUMENT, "more epochs are for a run that is resumed");
    if (status == GRAFT_OK && job->resumed) {
        status = claim_again(job);
        if (status == GRAFT_OK)
            status = graft_fit_config_read(job);
        if (status == GRAFT_OK)
            status = check_device(job, given.given.device);
        if (status == GRAFT_OK)
            status = graft_recipe_resume(job->context, &job->options, &given);
        if (status == GRAFT_OK && job->call.more_epochs > 0)
            status = add_stage(job);
    } else {
        job->options = given;
    }
    if (status == GRAFT_OK)
        status = find_weights(job);
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
    job->plan_options.tf32 = status == GRAFT_OK && strcmp(job->options.precision, "tf32") == 0;
    return status;
}

/* Numbers are learnt in deviations from the mean of the training pictures' numbers. */
static enum graft_status measure_target(struct graft_fit_job *job)
{
    struct graft_target *const target = &job->card.target;
    const int64_t count = graft_dataset_count(job->dataset, GRAFT_SPLIT_TRAIN);
    double squares = 0;
    float number;
    target->task = graft_dataset_task(job->dataset);
    target->mean = 0;
    for (int64_t i = 0; i < count && target->task == GRAFT_TASK_NUMBER; i++) {
        graft_dataset_targets(job->dataset, GRAFT_SPLIT_TRAIN, i, &number);
        target->mean += (double)number / (double)count;
    }
    for (int64_t i = 0; i < count && target->task == GRAFT_TASK_NUMBER; i++) {
        graft_dataset_targets(job->dataset, GRAFT_SPLIT_TRAIN, i, &number);
        squares += ((double)number - target->mean) * ((double)number - target->mean);
    }
    target->deviation = count > 0 ? sqrt(squares / (double)count) : 0;
    return target->task != GRAFT_TASK_NUMBER || target->deviation > 1e-6 * fabs(target->mean) || count == 0
               ? GRAFT_OK
               : graft_fail(job->context, GRAFT_ERROR_ARGUMENT,
                            "%s: the number of all training pictures is %g: there is nothing to learn",
                            job->options.data, target->mean);
}

static enum graft_status open_data(struct graft_fit_job *job)
{
    const struct graft_fit_options *const call = &job->call;
    const bool resumed = job->resumed;
    enum graft_status status = graft_recipe_open_data(
        job->context, &job->options, call->source, resumed ? job->card.class_names : call->class_names,
        resumed ? job->card.class_count : call->class_count, &job->dataset);
    if (status != GRAFT_OK)
        return resumed
                   ? graft_fail_prefix(job->context, status, "%s was begun with other data", job->run->folder)
                   : status;
    for (int split = 0; split < GRAFT_SPLIT_COUNT && status == GRAFT_OK; split++)
        status = graft_run_fingerprint(job->context, job->dataset, (enum graft_split)split,
                                       job->fingerprints[split]);
    if (status != GRAFT_OK)
        return status;
    if (!resumed)
        status = measure_target(job);
    if (status != GRAFT_OK)
        return status;
    return resumed ? graft_run_check_data(job->run, job->dataset, true)
                   : graft_card_set_classes(job->context, &job->card, graft_dataset_class_names(job->dataset),
                                            graft_dataset_class_count(job->dataset));
}

/* The weights that are learnt from, and the network, where it comes with them: in their file, or as a graph
 * beside them; else, where none is named, its name by their tensors. */
static enum graft_status load_weights(struct graft_fit_job *job, struct graft_tensor_set **set,
                                      struct graft_card *of_weights)
{
    const char *const file = job->options.weights;
    enum graft_status status = graft_network_is_file(file)
                                   ? graft_network_source_open(job->context, file, &job->source, set)
                                   : graft_tensor_set_load(job->context, file, set);
    if (status == GRAFT_OK)
        status = graft_card_read(job->context, *set, file, of_weights);
    if (status == GRAFT_OK && of_weights->graph[0])
        status = graft_card_open_network(job->context, of_weights, file, &job->source);
    const struct graft_model_info *info = NULL;
    if (status == GRAFT_OK && !job->options.model && !job->source.network && !of_weights->network[0])
        status = graft_weights_recognize(job->context, *set, file, &info, NULL);
    if (info)
        (void)snprintf(of_weights->network, sizeof of_weights->network, "%s", info->name);
    return status;
}

/* The folder of a new run, with the network's graph where its name is not enough to find it again. */
static enum graft_status claim(struct graft_fit_job *job)
{
    const struct graft_run_wish wish = {job->call.out, job->options.data, job->call.recipe.model};
    char *folder = NULL;
    enum graft_status status =
        graft_fit_writes(job) ? graft_run_claim(job->context, &wish, &job->run) : GRAFT_OK;
    if (status == GRAFT_OK && graft_fit_writes(job) && job->graph.length > 0)
        status = graft_run_write(job->run, GRAFT_CARD_GRAPH, &job->graph);
    graft_text_close(job->context, &job->graph);
    if (status == GRAFT_OK && job->ranks)
        status = graft_fit_spread_text(job, job->run ? job->run->folder : NULL, &folder);
    if (status == GRAFT_OK && !job->run)
        status = graft_run_new(job->context, folder, &job->run);
    graft_release(job->context, folder);
    return status;
}

static enum graft_status find_network_again(struct graft_fit_job *job)
{
    struct graft_text path = {0};
    enum graft_status status = graft_run_path(job->run, GRAFT_RUN_BEST, &path);
    if (status == GRAFT_OK)
        status = graft_card_open_network(job->context, &job->card, path.data, &job->source);
    graft_text_close(job->context, &path);
    return status;
}

enum graft_status graft_fit_begin(struct graft_fit_job *job)
{
    struct graft_context *const context = job->context;
    struct graft_tensor_set *set = NULL;
    struct graft_card of_weights = {0};
    enum graft_status status = read_options(job);
    if (status == GRAFT_OK && job->options.memory_limit > 0)
        graft_context_limit_memory(context, job->options.memory_limit);
    if (status == GRAFT_OK && !job->resumed)
        graft_log_hold(context, &job->held);
    if (status == GRAFT_OK)
        status = open_data(job);
    if (status == GRAFT_OK && !job->resumed)
        status = graft_fit_choose_weights(job);
    if (status == GRAFT_OK && job->options.weights && !job->resumed)
        status = load_weights(job, &set, &of_weights);
    if (status == GRAFT_OK)
        status = job->resumed ? find_network_again(job) : graft_fit_choose_network(job, &of_weights);
    graft_log_end_hold(&job->held);
    graft_log_tell_held(context, &job->held);
    if (status == GRAFT_OK)
        status = open_network(job);
    if (status == GRAFT_OK)
        status = graft_fit_resolve(job);
    if (status == GRAFT_OK && !job->resumed)
        status = graft_fit_start_weights(job, set, &of_weights);
    if (status == GRAFT_OK)
        status = graft_fit_check_ranks(job);
    if (status == GRAFT_OK && !job->resumed && !job->search)
        status = claim(job);
    if (status == GRAFT_OK && job->resumed && graft_fit_writes(job))
        status = graft_fit_load(job);
    if (status == GRAFT_OK && job->resumed && job->ranks)
        status = graft_fit_spread_position(job);
    if (status == GRAFT_OK)
        status = graft_fit_spread_variables(job);
    if (status == GRAFT_OK && job->run)
        status = graft_fit_config_write(job);
    graft_card_close(context, &of_weights);
    graft_tensor_set_close(&set);
    return status;
}

void graft_fit_end(struct graft_fit_job *job, struct graft_fit_learning *learning)
{
    struct graft_context *const context = job->context;
    graft_fit_learning_close(job, learning);
    for (int s = 0; s < GRAFT_SPLIT_COUNT; s++)
        graft_features_close(context, &job->features[s]);
    graft_tensor_set_close(&job->best);
    graft_variables_close(&job->variables);
    graft_model_close(&job->whole);
    graft_network_source_close(&job->source);
    graft_text_close(context, &job->graph);
    graft_dataset_close(&job->dataset);
    graft_card_close(context, &job->card);
    graft_fit_config_close(job);
    if (job->run)
        graft_run_abandon(job->run);
    graft_run_close(&job->run);
    graft_release(context, job->class_weights);
    for (int r = 0; r < GRAFT_RECIPE_ROWS; r++)
        graft_release(context, job->texts[r]);
    graft_release(context, job->weights_path);
}
