/* SPDX-License-Identifier: MIT */
/* What is not given of a recipe, by the network, the weights and the data. */
#include "backend/backend.h"
#include "base/context.h"
#include "data/mix.h"
#include "io/pulled.h"
#include "model/published.h"
#include "train/fit.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file that holds a network holds its weights too. */
static enum graft_status choose_file(struct graft_fit_job *job)
{
    struct graft_recipe *const o = &job->options;
    char model[PATH_MAX], weights[PATH_MAX];
    const bool same = o->weights && realpath(o->model, model) && realpath(o->weights, weights) &&
                      strcmp(model, weights) == 0;
    if (o->weights && !same)
        return graft_fail(
            job->context, GRAFT_ERROR_ARGUMENT,
            "%s holds its weights itself: leave --weights %s out, or --model, to go on from those", o->model,
            o->weights);
    o->weights = o->model;
    o->given.weights = true;
    return GRAFT_OK;
}

/* Grey pictures of 28×28, as MNIST's: they have a small network of their own, which learns them from scratch.
 */
static bool are_digits(const struct graft_fit_job *job)
{
    int32_t width = 0, height = 0, channels = 0;
    return graft_dataset_fixed_size(job->dataset, &width, &height, &channels) && width == 28 &&
           height == 28 && channels == 1;
}

/* Where none are named: those that `graft pull` has fetched for the network, or those that ship, which go
 * with a network of their own; "none" is from scratch. */
enum graft_status graft_fit_choose_weights(struct graft_fit_job *job)
{
    struct graft_recipe *const o = &job->options;
    struct graft_text path = {0};
    if (o->model && graft_network_is_file(o->model))
        return choose_file(job);
    if (o->weights && strcmp(o->weights, "none") == 0) {
        o->weights = NULL;
        o->given.weights = false;
        return GRAFT_OK;
    }
    if (o->weights || (!o->model && are_digits(job)))
        return GRAFT_OK;
    const char *const network = o->model ? o->model : GRAFT_SHIPPED_NETWORK;
    const enum graft_status status = graft_pulled_find(job->context, network, &path);
    if (status == GRAFT_OK && !path.data && strcmp(network, GRAFT_SHIPPED_NETWORK) == 0)
        return graft_fail(job->context, GRAFT_ERROR_NOT_FOUND,
                          GRAFT_SHIPPED_ABSENT "; name others (graft pull --list, --model, --weights), or learn from "
                                               "scratch with --weights none");
    if (status != GRAFT_OK || !path.data)
        return status;
    for (int r = 0; r < GRAFT_RECIPE_ROWS; r++)
        if (graft_recipe_text_of(o, r) == &o->weights)
            job->texts[r] = path.data;
    o->weights = path.data;
    o->given.weights = true;
    return GRAFT_OK;
}

/* Which network, which weights, why, and how to get better ones: before all that was said of the data, which the
 * choice may depend on. */
static void say_network(struct graft_fit_job *job, const char *network)
{
    const struct graft_recipe *const o = &job->options;
    const struct graft_recipe *const asked = &job->call.recipe;
    const bool published = graft_published_first(network) != NULL;
    const bool brought = asked->model && graft_network_is_file(asked->model); /* the weights come with it */
    graft_log_end_hold(&job->held);
    const char *const why = asked->model ? "" : o->weights && asked->weights ? ", as the weights say" : NULL;
    if (o->weights && strcmp(network, GRAFT_SHIPPED_NETWORK) == 0 && !asked->weights)
        graft_log(job->context, GRAFT_LOG_REMARK,
                  "network: %s, pretrained, since it ships with Graft%s; larger ones know more: graft pull "
                  "mobilenet_v2, then --model mobilenet_v2",
                  network, asked->model ? "" : " and none was named");
    else if (o->weights)
        graft_log(job->context, GRAFT_LOG_REMARK, "network: %s%s; weights: %s%s", network, why ? why : "",
                  o->weights, asked->weights || brought ? "" : "; from scratch with --weights none");
    else
        graft_log(job->context, GRAFT_LOG_REMARK, "network: %s%s, from scratch%s%s", network,
                  why               ? why
                  : are_digits(job) ? ", which suits grey pictures of 28x28"
                                    : ", small enough to learn everything from your pictures",
                  published ? "; pretrained weights: graft pull " : "", published ? network : "");
    graft_log_tell_held(job->context, &job->held);
}

/* The network: named by the user, by the weights, or by the kind of the data. */
enum graft_status graft_fit_choose_network(struct graft_fit_job *job, const struct graft_card *of_weights)
{
    const struct graft_recipe *const o = &job->options;
    const struct graft_network *const brought = job->source.network;
    const char *const known = brought ? graft_network_info(brought)->name : of_weights->network;
    const char *name = o->model && !graft_network_is_file(o->model) ? o->model : NULL;
    if (!name && known[0])
        name = known;
    if (!name)
        name = are_digits(job) ? "mnist_convnet" : "tiny_convnet";
    if (known[0] && strcmp(name, known) != 0)
        return graft_fail(job->context, GRAFT_ERROR_ARGUMENT, "%s holds weights of %s, not of %s", o->weights,
                          known, name);
    enum graft_status status =
        brought ? GRAFT_OK : graft_network_source_open(job->context, name, &job->source, NULL);
    if (status == GRAFT_OK)
        status = graft_head_join(job->context, o->pool, o->head, job->card.head);
    if (status == GRAFT_OK && !job->card.head[0]) /* what has learnt goes on learning */
        strcpy(job->card.head, of_weights->head);
    if (status == GRAFT_OK && job->card.head[0])
        status = graft_network_source_put_head(job->context, job->card.head, &job->source);
    if (status == GRAFT_OK)
        status = graft_network_source_graph(job->context, &job->source, &job->graph, job->card.graph);
    if (status != GRAFT_OK)
        return status;
    const struct graft_model_info *const info = graft_network_info(job->source.network);
    (void)snprintf(job->card.network, sizeof job->card.network, "%s", info->name);
    say_network(job, info->name);
    if (job->card.head[0])
        graft_log(job->context, GRAFT_LOG_REMARK,
                  "head: %s and a dense layer to the classes, in place of the network's own", job->card.head);
    if (of_weights->has_preprocess && !o->given.input) {
        job->card.preprocess = of_weights->preprocess;
        return GRAFT_OK;
    }
    status = graft_card_preprocess(job->context, info, of_weights, o->weights, o->input, o->input_width,
                                   &job->card.preprocess);
    job->card.preprocess.ignore_orientation = false; /* pictures of its own are learnt upright */
    return status;
}

/* Gives an option a value that has none. */
#define DECIDE(option, value)                                                                                \
    do {                                                                                                     \
        if (!o->given.option)                                                                                \
            o->option = (value);                                                                             \
        o->given.option = true;                                                                              \
    } while (0)

/* What the optimizer is told; what it would ignore is refused. */
static enum graft_status resolve_optimizer(struct graft_fit_job *job)
{
    struct graft_recipe *const o = &job->options;
    const enum graft_status status = graft_optimizer_find(job->context, o->optimizer, &job->optimizer);
    if (status != GRAFT_OK)
        return status;
    const bool sgd = job->optimizer == GRAFT_SGD;
    if (!sgd && (o->nesterov || o->momentum > 0))
        return graft_fail(job->context, GRAFT_ERROR_ARGUMENT,
                          "momentum and nesterov are of the optimizer sgd; %s has none", o->optimizer);
    if (sgd)
        DECIDE(momentum, 0.9);
    if (sgd && o->nesterov && o->momentum == 0)
        return graft_fail(job->context, GRAFT_ERROR_ARGUMENT, "nesterov needs a momentum above 0");
    DECIDE(weight_decay, job->optimizer == GRAFT_ADAMW ? 0.01 : 0);
    return GRAFT_OK;
}

/* What the schedule is told; what it would ignore is refused. */
static enum graft_status resolve_schedule(struct graft_fit_job *job)
{
    struct graft_recipe *const o = &job->options;
    enum graft_schedule kind;
    const enum graft_status status = graft_schedule_find(job->context, o->schedule, &kind);
    if (status != GRAFT_OK)
        return status;
    const bool cosine = kind == GRAFT_SCHEDULE_COSINE, step = kind == GRAFT_SCHEDULE_STEP;
    const bool gamma = step || kind == GRAFT_SCHEDULE_EXPONENTIAL || kind == GRAFT_SCHEDULE_PLATEAU;
    const char *const lost = !cosine && o->lr_end > 0                             ? "--lr-end"
                             : !cosine && o->restart > 0                          ? "--restart"
                             : o->restart == 0 && o->restart_factor > 1           ? "--restart-factor"
                             : !step && o->lr_period > 0                          ? "--lr-period"
                             : !gamma && !job->resumed && o->lr_gamma > 0         ? "--lr-gamma"
                             : kind != GRAFT_SCHEDULE_ONE_CYCLE && o->peak != 0.3 ? "--peak"
                             : kind == GRAFT_SCHEDULE_ONE_CYCLE && o->warmup > 0  ? "--warmup"
                                                                                  : NULL;
    if (lost)
        return graft_fail(job->context, GRAFT_ERROR_ARGUMENT,
                          "%s says nothing to the schedule %s%s: leave it out", lost, o->schedule,
                          o->restart == 0 && o->restart_factor > 1 ? " without --restart" : "");
    DECIDE(lr_gamma, kind == GRAFT_SCHEDULE_EXPONENTIAL ? 0.9 : 0.1);
    job->schedule = (struct graft_schedule_options){.kind = kind,
                                                    .warmup = o->warmup,
                                                    .end = o->lr_end,
                                                    .restart = o->restart,
                                                    .restart_factor = o->restart_factor,
                                                    .period = o->lr_period,
                                                    .gamma = o->lr_gamma,
                                                    .peak = o->peak};
    return GRAFT_OK;
}

static enum graft_status resolve_batch_norm(struct graft_fit_job *job)
{
    struct graft_recipe *const o = &job->options;
    const bool scratch = !o->weights;
    DECIDE(bn, scratch ? "train" : "frozen");
    job->bn = strcmp(o->bn, "train") == 0 ? GRAFT_BATCH_NORM_TRAIN : GRAFT_BATCH_NORM_FROZEN;
    if (o->bn_sync && job->bn == GRAFT_BATCH_NORM_FROZEN)
        return graft_fail(job->context, GRAFT_ERROR_ARGUMENT,
                          "--bn-sync is for statistics that are trained, and these are frozen: add --bn train, or leave it out");
    return scratch && job->bn == GRAFT_BATCH_NORM_FROZEN
               ? graft_fail(job->context, GRAFT_ERROR_ARGUMENT,
                            "--bn frozen keeps the statistics of pretrained weights, and there are none: "
                            "give --weights, or leave it out")
               : GRAFT_OK;
}

static enum graft_status resolve_stages(struct graft_fit_job *job)
{
    struct graft_recipe *const o = &job->options;
    struct graft_recipe_decay decay;
    const enum graft_status status = graft_recipe_read_decay(job->context, o->lr_decay, &decay);
    if (status != GRAFT_OK)
        return status;
    const bool scratch = !o->weights;
    const int64_t pictures = graft_dataset_count(job->dataset, GRAFT_SPLIT_TRAIN);
    const double rate = o->given.learning_rate ? o->learning_rate : job->optimizer == GRAFT_SGD ? 1e-2 : 1e-3;
    if (o->stage_count == 0) {
        o->stage_count = 1;
        (void)snprintf(o->stages[0].from, sizeof o->stages[0].from, "%s", scratch ? "all" : "head");
    }
    o->given.stages = true;
    for (int s = 0; s < o->stage_count; s++) {
        struct graft_fit_stage *const stage = &o->stages[s];
        const bool head = strcmp(stage->from, "head") == 0;
        if (stage->epochs == 0)
            stage->epochs = o->epochs > 0      ? (int)o->epochs
                            : head             ? 20
                            : !scratch         ? 5
                            : pictures > 20000 ? 5
                                               : 30;
        /* A decay names the rate that it begins with; where only the head learns nothing decays. */
        if (stage->learning_rate == 0)
            stage->learning_rate = decay.first > 0 && !head ? decay.first : s == 0 ? rate : rate / 10;
    }
    return GRAFT_OK;
}

/* How training pictures are varied; mixed ones have shares of classes for their labels. */
static enum graft_status resolve_augment(struct graft_fit_job *job)
{
    const struct graft_recipe *const o = &job->options;
    const enum graft_status status =
        graft_augment_parse(job->context, o->augment, &job->card.preprocess, &job->varied, &job->mix);
    if (status != GRAFT_OK || !graft_mixes(&job->mix))
        return status;
    if (o->adversarial > 0)
        return graft_fail(job->context, GRAFT_ERROR_ARGUMENT,
                          "--adversarial changes pictures against their one class, and mixup and cutmix give them two: "
                          "leave one of them out");
    if (job->card.target.task <= GRAFT_TASK_CLASSES)
        job->loss = GRAFT_LOSS_SOFT;
    return GRAFT_OK;
}

/* What is only of classes. */
static const char *of_classes(const struct graft_fit_job *job)
{
    const struct graft_recipe *const o = &job->options;
    return o->class_weights && strcmp(o->class_weights, "none") != 0 ? "--class-weights"
           : strcmp(o->sampling, "balanced") == 0                    ? "--sampling balanced"
           : o->adversarial > 0                                      ? "--adversarial"
           : o->label_smoothing > 0 && job->card.target.task == GRAFT_TASK_NUMBER ? "--label-smoothing"
                                                                                  : NULL;
}

/* By what is learnt: the task says it, and which one of a number the caller. */
static enum graft_status resolve_loss(struct graft_fit_job *job)
{
    struct graft_recipe *const o = &job->options;
    struct graft_target *const target = &job->card.target;
    const char *const task = graft_task_info(target->task)->name;
    const bool classes = target->task <= GRAFT_TASK_CLASSES, number = target->task == GRAFT_TASK_NUMBER;
    const enum graft_loss usual =
        classes ? GRAFT_LOSS_CROSS_ENTROPY : number ? GRAFT_LOSS_L2 : GRAFT_LOSS_SIGMOID;
    enum graft_status status = GRAFT_OK;
    target->loss = usual;
    if (o->given.loss)
        status = graft_loss_find(job->context, o->loss, &target->loss);
    if (status != GRAFT_OK)
        return status;
    if (number ? target->loss < GRAFT_LOSS_L2 : target->loss != usual)
        return graft_fail(job->context, GRAFT_ERROR_ARGUMENT, "--loss %s is none of the task %s: it is %s", o->loss, task,
                          number ? "l2, l1 or huber" : graft_loss_name(usual));
    const char *const lost = classes ? NULL : of_classes(job);
    if (lost)
        return graft_fail(job->context, GRAFT_ERROR_ARGUMENT, "%s is of classes, and the task is %s: leave it out", lost,
                          task);
    o->loss = graft_loss_name(target->loss);
    o->given.loss = true;
    job->loss = target->loss;
    return GRAFT_OK;
}

enum graft_status graft_fit_resolve(struct graft_fit_job *job)
{
    struct graft_recipe *const o = &job->options;
    const bool scratch = !o->weights;
    const int64_t pictures = graft_dataset_count(job->dataset, GRAFT_SPLIT_TRAIN);
    if (pictures == 0)
        return graft_fail(job->context, GRAFT_ERROR_ARGUMENT,
                          "%s has no pictures to train with: a part \"train\" with a folder for each class "
                          "is expected, or such "
                          "folders without any part",
                          o->data);
    job->card.preprocess.scaled = strcmp(o->decode, "scaled") == 0;
    enum graft_status status = graft_recipe_find_stages(job->context, job->whole, o);
    if (status == GRAFT_OK)
        status = resolve_optimizer(job);
    if (status == GRAFT_OK)
        status = resolve_batch_norm(job);
    if (status == GRAFT_OK)
        status = resolve_schedule(job);
    if (status == GRAFT_OK)
        status = resolve_loss(job);
    if (status == GRAFT_OK && strcmp(o->augment, "none") != 0)
        status = resolve_augment(job);
    if (status != GRAFT_OK)
        return status;
    if (!o->given.model)
        o->model = job->card.network;
    o->given.model = true;
    DECIDE(batch, scratch ? 64 : 32);
    if (o->batch > pictures)
        o->batch = pictures;
    DECIDE(trunk_factor, scratch || o->lr_decay ? 1 : 0.1);
    status = resolve_stages(job);
    if (status != GRAFT_OK)
        return status;
    status = graft_fit_check_cache(job);
    if (status != GRAFT_OK)
        return status;
    job->balanced = strcmp(o->sampling, "balanced") == 0;
    for (int s = 0; s < o->stage_count; s++) /* a stage that has begun has noted what it does */
        if (o->given.micro_batch && o->micro_batch < o->batch && o->stages[s].micro_batch == 0)
            o->stages[s].micro_batch = o->micro_batch;
    if (!job->ranks || !o->device || strcmp(o->device, GRAFT_DEVICE_OF_RANK) != 0)
        o->device = job->device->info.id;
    o->given.device = true;
    o->threads = graft_context_threads(job->context);
    o->given.threads = true;
    return graft_fit_class_weights(job);
}
