/* SPDX-License-Identifier: MIT */
/*
 * The graph of a training step: loss, gradients, updates; as large a part of the batch at a time as fits.
 * Where a batch has several parts, the compute segment adds their gradients up, and the update segment takes
 * the sums.
 */
#include "train/trainer.h"

#include "backend/backend.h"
#include "base/context.h"
#include "base/size.h"
#include "graph/plan.h"
#include "infer/micro.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* An input of labels or targets, and the loss of each row. */
static void add_losses(const struct graft_trainer *trainer, struct graft_trainer_part *part, float label_smoothing)
{
    struct graft_graph *const graph = part->model->graph;
    const struct graft_shape rows = graft_shape_of(1, part->model->batch);
    const struct graft_shape classes = graft_shape_of(1, part->model->classes);
    if (!trainer->loss->labels) {
        const struct graft_shape cells =
            graft_shape_of(2, part->model->batch * part->model->classes, trainer->loss->columns);
        part->labels = graft_graph_input(graph, "targets", graft_graph_real(graph), &cells);
        part->losses = trainer->loss->add(graph, part->model->logits, part->labels);
        return;
    }
    const int class_weights = trainer->class_weights ? graft_graph_constant(graph, "class_weights", &classes,
                                                                            trainer->class_weights)
                                                     : -1;
    part->labels = graft_graph_input(graph, "labels", GRAFT_DTYPE_I32, &rows);
    part->losses =
        graft_cross_entropy(graph, part->model->logits, part->labels, class_weights, label_smoothing);
}

/* loss = Σ row_weight · losses: partial batches and micro-batches need no other plan. */
static int add_loss(const struct graft_trainer *trainer, struct graft_trainer_part *part,
                    float label_smoothing)
{
    struct graft_graph *const graph = part->model->graph;
    const struct graft_shape rows = graft_shape_of(1, part->model->batch);
    graft_graph_layer(graph, "loss");
    part->row_weights = graft_graph_input(graph, "row_weights", graft_graph_real(graph), &rows);
    add_losses(trainer, part, label_smoothing);
    graft_graph_output(graph, part->losses);
    graft_graph_output(graph, part->model->logits);
    const struct graft_reduce_attributes sum = {.kind = GRAFT_REDUCE_SUM, .axes = 1u};
    const int loss = graft_reduce(graph, graft_mul(graph, part->losses, part->row_weights), &sum);
    part->total = part->summed ? graft_graph_sum(graph, loss) : loss;
    graft_graph_output(graph, part->total);
    return loss;
}

/*
 * What must be finite for an update to change anything: the loss, or with clipping the squares, to which 0 ×
 * the loss adds nothing else. So the host need not have seen the loss when it queues the update.
 */
static int add_guard(const struct graft_trainer *trainer, struct graft_trainer_part *part)
{
    struct graft_graph *const graph = part->model->graph;
    part->squares = -1;
    if (trainer->update.max_norm <= 0)
        return part->total;
    graft_graph_segment(graph, GRAFT_SEGMENT_UPDATE);
    graft_graph_layer(graph, "gradient norm");
    const int squares = graft_sum_squares(graph, part->gradients, part->model->parameter_count);
    const struct graft_desc *const one = graft_graph_desc(graph, part->total);
    const int zero = one ? graft_fill(graph, &one->shape, 0) : -1;
    part->squares = graft_add(graph, squares, graft_mul(graph, part->total, zero));
    graft_graph_output(graph, part->squares);
    graft_graph_segment(graph, GRAFT_SEGMENT_COMPUTE);
    return part->squares;
}

/* average += rate × (parameter − average), as descent along average − parameter. */
static void add_average(const struct graft_trainer_part *part, int parameter, int guard)
{
    struct graft_graph *const graph = part->model->graph;
    const struct graft_desc *const desc = graft_graph_desc(graph, parameter);
    char name[GRAFT_MODEL_NAME_SIZE + 8];
    (void)snprintf(name, sizeof name, "%s.ema", graft_graph_name(graph, parameter));
    graft_graph_segment(graph, GRAFT_SEGMENT_UPDATE);
    const struct graft_shape shape = desc ? desc->shape : graft_shape_of(1, 1);
    const int average = graft_graph_state(graph, name, &shape, 0);
    const int difference = graft_sub(graph, average, parameter);
    graft_graph_segment(graph, GRAFT_SEGMENT_COMPUTE);
    (void)graft_update(graph, GRAFT_SGD, average, difference, part->average, guard,
                       &(struct graft_update_attributes){.momentum = 0});
}

/* An input for the learning rate of each group of parameters; updates for all that is trained. */
static enum graft_status add_updates(const struct graft_trainer *trainer, struct graft_trainer_part *part)
{
    const struct graft_model *const model = part->model;
    struct graft_graph *const graph = model->graph;
    const struct graft_shape four = graft_shape_of(1, 4);
    for (int g = 0; g < trainer->group_count; g++) {
        char name[32];
        (void)snprintf(name, sizeof name, "hyper.%d", g);
        part->hypers[g] = -1;
        for (int p = 0; p < model->parameter_count && part->hypers[g] < 0; p++)
            if (trainer->groups[p] == g && part->gradients[p] >= 0)
                part->hypers[g] = graft_graph_input(graph, name, graft_graph_real(graph), &four);
    }
    part->average =
        trainer->ema > 0 ? graft_graph_input(graph, "hyper.average", graft_graph_real(graph), &four) : -1;
    const int guard = add_guard(trainer, part);
    for (int p = 0; p < model->parameter_count; p++) {
        const struct graft_model_parameter *const parameter = &model->parameters[p];
        if (part->gradients[p] < 0)
            continue;
        struct graft_update_attributes update = trainer->update;
        update.weight_decay *= trainer->decay_factors[p];
        graft_graph_layer(graph, model->layers[parameter->layer].name);
        (void)graft_update(graph, trainer->optimizer, parameter->value, part->gradients[p],
                           part->hypers[trainer->groups[p]], guard, &update);
        if (part->average >= 0)
            add_average(part, parameter->value, guard);
    }
    return graft_graph_status(graph);
}

static enum graft_status add_gradients(const struct graft_trainer *trainer, struct graft_trainer_part *part,
                                       int loss)
{
    const struct graft_model *const model = part->model;
    int *const targets = graft_allocate(trainer->context, (size_t)model->parameter_count, sizeof *targets);
    if (!targets)
        return GRAFT_ERROR_MEMORY;
    int trainable = 0;
    for (int p = 0; p < model->parameter_count; p++) {
        const struct graft_model_parameter *const parameter = &model->parameters[p];
        targets[p] = parameter->trainable && !parameter->state ? parameter->value : -1;
        trainable += targets[p] >= 0;
    }
    enum graft_status status =
        trainable
            ? graft_graph_gradient(model->graph, loss, targets, model->parameter_count, part->gradients)
            : graft_fail(trainer->context, GRAFT_ERROR_ARGUMENT,
                         "no parameter of %s is trainable: open the model for training", model->info->name);
    graft_release(trainer->context, targets);
    for (int p = 0; p < model->parameter_count && status == GRAFT_OK && part->summed; p++) {
        graft_graph_layer(model->graph, model->layers[model->parameters[p].layer].name);
        part->gradients[p] = graft_graph_sum(model->graph, part->gradients[p]);
    }
    return status == GRAFT_OK ? graft_graph_status(model->graph) : status;
}

/* Are there statistics that depend on how a batch is cut? */
static bool trains_statistics(const struct graft_model *model)
{
    const struct graft_graph *const graph = model->graph;
    for (int n = 0; n < graph->n_nodes; n++)
        if (graph->nodes[n].call.op == GRAFT_OP_BATCH_NORM_STATS)
            return true;
    return false;
}

static enum graft_status allocate_flights(struct graft_trainer *trainer)
{
    const size_t batch = (size_t)trainer->model->batch;
    const uint64_t row_bytes = graft_trainer_real_bytes(trainer, 1);
    for (int i = 0; i < GRAFT_TRAINER_FLIGHTS; i++) {
        struct graft_trainer_flight *const flight = &trainer->flights[i];
        flight->labels = graft_allocate(trainer->context, batch, sizeof *flight->labels);
        flight->losses = graft_allocate(trainer->context, 2 * batch, (size_t)row_bytes);
        flight->logits = graft_allocate(trainer->context, 2 * batch,
                                        (size_t)(row_bytes * (uint64_t)trainer->model->classes));
        if (!flight->labels || !flight->losses || !flight->logits)
            return GRAFT_ERROR_MEMORY;
    }
    return GRAFT_OK;
}

/* Groups by the factor of the learning rate; weight decay by itself is for weights: not for biases, nor for
 * scale and shift of normalization. */
static enum graft_status group_parameters(struct graft_trainer *trainer,
                                          const struct graft_trainer_options *options)
{
    const struct graft_model *const model = trainer->model;
    const size_t count = (size_t)model->parameter_count;
    trainer->groups = graft_allocate(trainer->context, count, sizeof *trainer->groups);
    trainer->factors = graft_allocate(trainer->context, count, sizeof *trainer->factors);
    trainer->decay_factors = graft_allocate(trainer->context, count, sizeof *trainer->decay_factors);
    if (!trainer->groups || !trainer->factors || !trainer->decay_factors)
        return GRAFT_ERROR_MEMORY;
    for (int p = 0; p < model->parameter_count; p++) {
        const float factor = options->factors ? options->factors[p] : 1;
        int group = 0;
        while (group < trainer->group_count && trainer->factors[group] != factor)
            group++;
        trainer->factors[group] = factor;
        trainer->group_count += group == trainer->group_count;
        trainer->groups[p] = group;
        const float usual = model->parameters[p].layout == GRAFT_LAYOUT_VECTOR ? 0 : 1;
        trainer->decay_factors[p] = options->decay_factors ? options->decay_factors[p] : usual;
    }
    return GRAFT_OK;
}

/* Memory for targets, where the loss takes these. */
static enum graft_status choose_loss(struct graft_trainer *trainer, const struct graft_trainer_options *options)
{
    const size_t batch = (size_t)trainer->model->batch, classes = (size_t)trainer->model->classes;
    trainer->loss = graft_loss_kind(options->loss);
    if (!trainer->loss)
        return graft_fail(trainer->context, GRAFT_ERROR_ARGUMENT, "there is no loss of number %d", (int)options->loss);
    if (options->class_weights && !trainer->loss->tells_class)
        return graft_fail(trainer->context, GRAFT_ERROR_ARGUMENT, "the loss %s takes no weights of classes",
                          graft_loss_name(options->loss));
    if (trainer->loss->labels)
        return GRAFT_OK;
    const size_t width = classes * (size_t)trainer->loss->columns;
    trainer->host_targets = graft_allocate(trainer->context, batch, width * graft_trainer_real_bytes(trainer, 1));
    trainer->host_target = graft_allocate(trainer->context, width, sizeof *trainer->host_target);
    return trainer->host_targets && trainer->host_target ? GRAFT_OK : GRAFT_ERROR_MEMORY;
}

static enum graft_status allocate(struct graft_trainer *trainer, const struct graft_trainer_options *options)
{
    struct graft_context *const context = trainer->context;
    const struct graft_model *const model = trainer->model;
    enum graft_status status = choose_loss(trainer, options);
    if (status == GRAFT_OK)
        status = group_parameters(trainer, options);
    if (status != GRAFT_OK)
        return status;
    trainer->host_weights = graft_allocate(context, (size_t)model->batch, sizeof(double));
    if (options->class_weights) {
        trainer->class_weights =
            graft_allocate(context, (size_t)model->classes, sizeof *trainer->class_weights);
        if (!trainer->class_weights)
            return GRAFT_ERROR_MEMORY;
        for (int64_t c = 0; c < model->classes; c++) {
            trainer->class_weights[c] = (double)options->class_weights[c];
            if (!(trainer->class_weights[c] > 0 && isfinite(trainer->class_weights[c])))
                return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                                  "the weight of class %lld is %g: it must be above 0", (long long)c,
                                  trainer->class_weights[c]);
        }
    }
    trainer->host_rows = graft_allocate(context, (size_t)model->batch, sizeof *trainer->host_rows);
    trainer->host_labels = graft_allocate(context, (size_t)model->batch, sizeof *trainer->host_labels);
    trainer->statistics = trains_statistics(model);
    trainer->sync = trainer->sync && trainer->statistics;
    trainer->keep_gradients = options->keep_gradients;
    trainer->label_smoothing = options->label_smoothing;
    trainer->options = options->plan;
    trainer->options.deferred = true;
    if (options->plan.variants) {
        trainer->variants = graft_duplicate_text(context, options->plan.variants);
        if (!trainer->variants)
            return GRAFT_ERROR_MEMORY;
        trainer->options.variants = trainer->variants;
    }
    return trainer->host_rows && trainer->host_labels && trainer->host_weights ? allocate_flights(trainer)
                                                                               : GRAFT_ERROR_MEMORY;
}

static void close_part(const struct graft_trainer *trainer, struct graft_trainer_part *part)
{
    graft_plan_close(&part->plan);
    graft_release(trainer->context, part->hypers);
    graft_release(trainer->context, part->gradients);
    if (part->own)
        graft_model_close(&part->model);
    *part = (struct graft_trainer_part){0};
}

/* What an attempt needs to know. */
struct opening {
    struct graft_trainer *trainer;
    const struct graft_trainer_options *options;
    uint64_t whole_need; /* bytes for the whole batch */
};

/* A part of so many rows, planned, without memory yet. */
static enum graft_status open_part(struct graft_trainer *trainer, struct graft_trainer_part *part,
                                   int64_t rows, bool summed)
{
    const struct graft_model *const whole = trainer->model;
    close_part(trainer, part);
    enum graft_status status = GRAFT_OK;
    part->summed = summed;
    part->model = trainer->model;
    if (rows != whole->batch) {
        status = graft_model_reopen(whole, rows, &part->model);
        part->own = status == GRAFT_OK;
    }
    part->hypers = graft_allocate(trainer->context, (size_t)trainer->group_count, sizeof *part->hypers);
    part->gradients =
        graft_allocate(trainer->context, (size_t)whole->parameter_count, sizeof *part->gradients);
    if (status == GRAFT_OK && (!part->hypers || !part->gradients))
        status = GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK)
        status = add_gradients(trainer, part, add_loss(trainer, part, trainer->label_smoothing));
    if (status == GRAFT_OK)
        status = add_updates(trainer, part);
    for (int p = 0; p < whole->parameter_count && status == GRAFT_OK && trainer->keep_gradients; p++)
        graft_graph_output(part->model->graph, part->gradients[p]);
    if (status == GRAFT_OK)
        status = graft_plan_open(part->model->graph, trainer->device, trainer->variables, &trainer->options,
                                 &part->plan);
    return status;
}

static enum graft_status attempt(void *user, int64_t rows, struct graft_micro_size *size)
{
    struct opening *const opening = user;
    struct graft_trainer_part *const part = &opening->trainer->part;
    const enum graft_status status =
        part->plan && part->model->batch == rows
            ? GRAFT_OK
            : open_part(opening->trainer, part, rows,
                        rows < opening->trainer->model->batch || opening->options->ranks);
    if (status != GRAFT_OK)
        return status;
    const struct graft_plan *const plan = part->plan;
    const uint64_t reserve = opening->options->reserve;
    const bool deferred = opening->options->plan.deferred; /* what is free now says nothing then */
    size->need = graft_plan_need(plan);
    size->room = deferred ? size->need : graft_plan_room(plan, reserve);
    size->fits = deferred || graft_plan_fits(plan, reserve);
    if (rows == opening->trainer->model->batch)
        opening->whole_need = size->need;
    return GRAFT_OK;
}

static void tell_parts(const struct opening *opening, bool statistics)
{
    const struct graft_trainer *const trainer = opening->trainer;
    const int64_t batch = trainer->model->batch, rows = graft_trainer_rows(trainer);
    char why[160] = "";
    if (opening->whole_need > 0)
        (void)snprintf(why, sizeof why, " needs %.0f MiB on %s, of which %.0f can be had: it",
                       (double)opening->whole_need / 1048576, trainer->device->info.id,
                       (double)graft_plan_room(trainer->part.plan, opening->options->reserve) / 1048576);
    graft_log(trainer->context, GRAFT_LOG_REMARK,
              "the batch of %lld%s is computed in %lld micro-batches of %lld, their gradients added up%s",
              (long long)batch, why, (long long)((batch + rows - 1) / rows), (long long)rows,
              statistics ? "; batch normalization takes its statistics from each micro-batch" : "");
}

/* As many rows at a time as fit, at most options->micro_batch. */
static enum graft_status choose_part(struct opening *opening)
{
    struct graft_trainer *const trainer = opening->trainer;
    const int64_t batch = trainer->model->batch;
    const int64_t wanted = opening->options->micro_batch;
    const int64_t most = wanted > 0 && wanted < batch ? wanted : batch;
    struct graft_micro_size size;
    int64_t rows;
    enum graft_status status =
        graft_micro_search(batch, most, trainer->statistics, attempt, opening, &rows, &size);
    if (status != GRAFT_OK)
        return status;
    if (!size.fits)
        return graft_plan_refuse(trainer->part.plan, opening->options->reserve,
                                 batch > 1
                                     ? "not even one picture at a time fits: allow more memory, or use "
                                       "smaller pictures or a smaller network"
                                     : "allow more memory, or use smaller pictures or a smaller network");
    if (rows < batch)
        tell_parts(opening, trainer->statistics);
    return opening->options->plan.deferred ? GRAFT_OK : graft_plan_acquire(trainer->part.plan);
}

/* Nothing is said: the optimizer's defaults. By fields, because what lies between them may hold anything. */
static bool is_default(const struct graft_update_attributes *a)
{
    return a->momentum == 0 && a->beta1 == 0 && a->beta2 == 0 && a->epsilon == 0 && a->weight_decay == 0 &&
           a->max_norm == 0 && !a->nesterov && !a->decoupled;
}

enum graft_status graft_trainer_open(struct graft_device *device, struct graft_model *model,
                                     struct graft_variables *variables,
                                     const struct graft_trainer_options *options,
                                     struct graft_trainer **trainer)
{
    struct graft_context *const context = graft_graph_context(model->graph);
    *trainer = NULL;
    if (model->logits < 0)
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "a part of %s without logits cannot be trained",
                          model->info->name);
    struct graft_trainer *made = graft_allocate(context, 1, sizeof *made);
    if (!made)
        return GRAFT_ERROR_MEMORY;
    made->context = context;
    made->now = &made->part;
    made->device = device;
    made->model = model;
    made->variables = variables;
    made->optimizer = options->optimizer;
    made->update = options->update;
    if (is_default(&made->update))
        made->update = graft_update_defaults(options->optimizer);
    made->update.max_norm = options->clip_norm;
    made->ema = options->ema;
    made->ranks = options->ranks;
    made->sync = options->ranks && options->sync_statistics;
    enum graft_status status = allocate(made, options);
    struct opening opening = {.trainer = made, .options = options};
    if (status == GRAFT_OK)
        status = choose_part(&opening);
    if (status == GRAFT_OK && made->ranks)
        status = graft_trainer_reduction_open(made);
    if (status != GRAFT_OK)
        graft_trainer_close(&made);
    *trainer = made;
    return status;
}

void graft_trainer_close(struct graft_trainer **trainer)
{
    struct graft_trainer *const old = *trainer;
    if (!old)
        return;
    graft_trainer_forget(old);
    graft_trainer_reduction_close(old);
    close_part(old, &old->part);
    close_part(old, &old->partial);
    graft_release(old->context, old->variants);
    graft_release(old->context, old->groups);
    graft_release(old->context, old->factors);
    graft_release(old->context, old->decay_factors);
    graft_release(old->context, old->class_weights);
    graft_release(old->context, old->host_rows);
    graft_release(old->context, old->host_labels);
    graft_release(old->context, old->host_targets);
    graft_release(old->context, old->host_target);
    graft_release(old->context, old->host_weights);
    for (int i = 0; i < GRAFT_TRAINER_FLIGHTS; i++) {
        graft_release(old->context, old->flights[i].labels);
        graft_release(old->context, old->flights[i].losses);
        graft_release(old->context, old->flights[i].logits);
    }
    graft_release(old->context, old);
    *trainer = NULL;
}

struct graft_plan *graft_trainer_plan(struct graft_trainer *trainer)
{
    return trainer->part.plan;
}

int64_t graft_trainer_micro_batch(const struct graft_trainer *trainer)
{
    return trainer->part.model->batch;
}

/* A plan of its own is for batches whose last run would be filled up with rows that are in the statistics. */
static bool is_partial(const struct graft_trainer *trainer, int64_t valid)
{
    return trainer->statistics && valid < trainer->model->batch && valid % trainer->part.model->batch != 0;
}

enum graft_status graft_trainer_prepare(struct graft_trainer *trainer, int64_t valid)
{
    if (!is_partial(trainer, valid) || trainer->partial_valid == valid)
        return GRAFT_OK;
    const int64_t least = graft_ceil_div(valid, trainer->part.model->batch);
    int64_t runs = least;
    while (runs <= 2 * least && valid % runs != 0)
        runs++;
    const int64_t rows = graft_ceil_div(valid, runs <= 2 * least ? runs : least);
    trainer->partial_valid = 0;
    const enum graft_status status = open_part(trainer, &trainer->partial, rows, rows < valid || trainer->ranks);
    if (status != GRAFT_OK) {
        close_part(trainer, &trainer->partial);
        return graft_fail_prefix(trainer->context, status, "a batch of only %lld pictures", (long long)valid);
    }
    trainer->partial_valid = valid;
    return GRAFT_OK;
}

enum graft_status graft_trainer_choose(struct graft_trainer *trainer, int64_t valid)
{
    struct graft_trainer_part *const part = is_partial(trainer, valid) ? &trainer->partial : &trainer->part;
    enum graft_status status = GRAFT_OK;
    if (trainer->now != part || (part == &trainer->partial && trainer->partial_valid != valid)) {
        /* Another plan: what is under way still has the memory of this one. */
        status = trainer->in_flight > 0 ? graft_plan_wait(trainer->now->plan) : GRAFT_OK;
        graft_plan_release(trainer->now->plan);
    }
    trainer->now = &trainer->part; /* opening may fail */
    if (status == GRAFT_OK)
        status = graft_trainer_prepare(trainer, valid);
    if (status != GRAFT_OK)
        return status;
    trainer->now = part;
    return graft_plan_acquire(part->plan);
}

enum graft_status graft_trainer_gradient(struct graft_trainer *trainer, int index, void *data, uint64_t bytes)
{
    const struct graft_trainer_part *const part = trainer->now;
    if (index < 0 || index >= trainer->model->parameter_count || part->gradients[index] < 0)
        return graft_fail(trainer->context, GRAFT_ERROR_NOT_FOUND, "parameter %d has no gradient", index);
    return graft_plan_read(part->plan, part->gradients[index], data, bytes);
}
