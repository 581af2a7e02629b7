/* SPDX-License-Identifier: MIT */
/* One training step: loss, gradients, updates over one plan. */
#include "base/context.h"
#include "base/random.h"
#include "graft/train.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct graft_trainer {
    struct graft_context *context;
    struct graft_device *device;
    struct graft_model *model;
    struct graft_variables *variables;
    struct graft_plan *plan;
    enum graft_optimizer optimizer;
    struct graft_update_attributes update;
    int labels;            /* i32 [batch] */
    int row_weights;       /* real [batch]: 1 / Σ class weights of the valid rows, else 0 */
    int losses;            /* real [batch] */
    int *hypers;           /* for each stage: input [4]; -1 for a frozen one */
    float *factors;        /* for each stage */
    double *class_weights; /* [classes]; NULL: all 1 */
    double divisor;        /* of this step's losses */
    int *gradients;        /* for each parameter: value, -1 */
    void *host_weights;
    void *host_losses;
    void *host_logits;
};

static bool wide(const struct graft_trainer *trainer)
{
    return graft_graph_real(trainer->model->graph) == GRAFT_DTYPE_F64;
}

static uint64_t real_bytes(const struct graft_trainer *trainer, int64_t count)
{
    return (uint64_t)count * graft_dtype_size(graft_graph_real(trainer->model->graph));
}

static double get_real(const struct graft_trainer *trainer, const void *data, int64_t index)
{
    return wide(trainer) ? ((const double *)data)[index] : (double)((const float *)data)[index];
}

static void set_real(const struct graft_trainer *trainer, void *data, int64_t index, double value)
{
    if (wide(trainer))
        ((double *)data)[index] = value;
    else
        ((float *)data)[index] = (float)value;
}

/* loss = Σ row_weight · cross-entropy: partial batches and micro-batches need no other plan. */
static int add_loss(struct graft_trainer *trainer, float label_smoothing)
{
    struct graft_graph *const graph = trainer->model->graph;
    const struct graft_shape rows = graft_shape_of(1, trainer->model->batch);
    const struct graft_shape classes = graft_shape_of(1, trainer->model->classes);
    graft_graph_layer(graph, "loss");
    const int class_weights = trainer->class_weights ? graft_graph_constant(graph, "class_weights", &classes,
                                                                            trainer->class_weights)
                                                     : -1;
    trainer->labels = graft_graph_input(graph, "labels", GRAFT_DTYPE_I32, &rows);
    trainer->row_weights = graft_graph_input(graph, "row_weights", graft_graph_real(graph), &rows);
    trainer->losses =
        graft_cross_entropy(graph, trainer->model->logits, trainer->labels, class_weights, label_smoothing);
    graft_graph_output(graph, trainer->losses);
    graft_graph_output(graph, trainer->model->logits);
    const struct graft_reduce_attributes sum = {.kind = GRAFT_REDUCE_SUM, .axes = 1u};
    return graft_reduce(graph, graft_mul(graph, trainer->losses, trainer->row_weights), &sum);
}

/* An input for the learning rate of each trainable stage; updates for all its parameters. */
static enum graft_status add_updates(struct graft_trainer *trainer)
{
    struct graft_model *const model = trainer->model;
    struct graft_graph *const graph = model->graph;
    const struct graft_shape four = graft_shape_of(1, 4);
    for (int s = 0; s < model->stage_count; s++) {
        char name[GRAFT_MODEL_NAME_SIZE + 16];
        (void)snprintf(name, sizeof name, "hyper.%s", model->stages[s].name);
        trainer->hypers[s] = -1;
        for (int p = 0; p < model->parameter_count && trainer->hypers[s] < 0; p++)
            if (model->parameters[p].stage == s && trainer->gradients[p] >= 0)
                trainer->hypers[s] = graft_graph_input(graph, name, graft_graph_real(graph), &four);
    }
    for (int p = 0; p < model->parameter_count; p++) {
        const struct graft_model_parameter *const parameter = &model->parameters[p];
        if (trainer->gradients[p] < 0)
            continue;
        struct graft_update_attributes update = trainer->update;
        /* Weight decay is for weights: not for biases, nor for scale and shift of normalization. */
        if (parameter->layout == GRAFT_LAYOUT_VECTOR)
            update.weight_decay = 0;
        graft_graph_layer(graph, model->layers[parameter->layer].name);
        (void)graft_update(graph, trainer->optimizer, parameter->value, trainer->gradients[p],
                           trainer->hypers[parameter->stage], &update);
    }
    return graft_graph_status(graph);
}

static enum graft_status add_gradients(struct graft_trainer *trainer, int loss)
{
    struct graft_model *const model = trainer->model;
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
            ? graft_graph_gradient(model->graph, loss, targets, model->parameter_count, trainer->gradients)
            : graft_fail(trainer->context, GRAFT_ERROR_ARGUMENT,
                         "no parameter of %s is trainable: open the model for training", model->info->name);
    graft_release(trainer->context, targets);
    return status;
}

static enum graft_status allocate(struct graft_trainer *trainer, const struct graft_trainer_options *options)
{
    struct graft_context *const context = trainer->context;
    const struct graft_model *const model = trainer->model;
    trainer->hypers = graft_allocate(context, (size_t)model->stage_count, sizeof *trainer->hypers);
    trainer->factors = graft_allocate(context, (size_t)model->stage_count, sizeof *trainer->factors);
    trainer->gradients = graft_allocate(context, (size_t)model->parameter_count, sizeof *trainer->gradients);
    trainer->host_weights = graft_allocate(context, (size_t)model->batch, sizeof(double));
    trainer->host_losses = graft_allocate(context, (size_t)model->batch, sizeof(double));
    trainer->host_logits = graft_allocate(context, (size_t)(model->batch * model->classes), sizeof(double));
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
    return trainer->hypers && trainer->factors && trainer->gradients && trainer->host_weights &&
                   trainer->host_losses && trainer->host_logits
               ? GRAFT_OK
               : GRAFT_ERROR_MEMORY;
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
    made->device = device;
    made->model = model;
    made->variables = variables;
    made->optimizer = options->optimizer;
    made->update = options->update;
    if (memcmp(&made->update, &(struct graft_update_attributes){0}, sizeof made->update) == 0)
        made->update = graft_update_defaults(options->optimizer);
    enum graft_status status = allocate(made, options);
    for (int s = 0; s < model->stage_count && status == GRAFT_OK; s++)
        made->factors[s] = options->stage_factors ? options->stage_factors[s] : 1;
    if (status == GRAFT_OK)
        status = add_gradients(made, add_loss(made, options->label_smoothing));
    if (status == GRAFT_OK)
        status = add_updates(made);
    for (int p = 0; p < model->parameter_count && status == GRAFT_OK && options->keep_gradients; p++)
        graft_graph_output(model->graph, made->gradients[p]);
    if (status == GRAFT_OK)
        status = graft_plan_open(model->graph, device, variables, &options->plan, &made->plan);
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
    graft_plan_close(&old->plan);
    graft_release(old->context, old->hypers);
    graft_release(old->context, old->factors);
    graft_release(old->context, old->class_weights);
    graft_release(old->context, old->gradients);
    graft_release(old->context, old->host_weights);
    graft_release(old->context, old->host_losses);
    graft_release(old->context, old->host_logits);
    graft_release(old->context, old);
    *trainer = NULL;
}

/* Σ class weights of the valid rows. A label that is no class counts 1: its loss is NaN and will be told. */
static double loss_divisor(const struct graft_trainer *trainer, const struct graft_step *step)
{
    if (!trainer->class_weights)
        return (double)step->valid;
    double sum = 0;
    for (int64_t row = 0; row < step->valid; row++) {
        const int32_t label = step->labels[row];
        sum += label >= 0 && label < trainer->model->classes ? trainer->class_weights[label] : 1;
    }
    return sum;
}

/* Writes everything that a step depends on. */
static enum graft_status write_inputs(struct graft_trainer *trainer, struct graft_plan *plan,
                                      const struct graft_step *step)
{
    const struct graft_model *const model = trainer->model;
    trainer->divisor = loss_divisor(trainer, step);
    for (int64_t row = 0; row < model->batch; row++)
        set_real(trainer, trainer->host_weights, row, row < step->valid ? 1 / trainer->divisor : 0);
    enum graft_status status = graft_plan_write(
        plan, model->input, step->input, graft_desc_bytes(graft_graph_desc(model->graph, model->input)));
    if (status == GRAFT_OK)
        status =
            graft_plan_write(plan, trainer->labels, step->labels, (uint64_t)model->batch * sizeof(int32_t));
    if (status == GRAFT_OK)
        status = graft_plan_write(plan, trainer->row_weights, trainer->host_weights,
                                  real_bytes(trainer, model->batch));
    if (status == GRAFT_OK && model->step >= 0) {
        const int32_t numbers[2] = {(int32_t)step->number, 0};
        status = graft_plan_write(plan, model->step, numbers, sizeof numbers);
    }
    for (int s = 0; s < model->stage_count && status == GRAFT_OK; s++) {
        if (trainer->hypers[s] < 0)
            continue;
        double hyper[4];
        set_real(trainer, hyper, 0, step->learning_rate * (double)trainer->factors[s]);
        set_real(trainer, hyper, 1, 1 - pow((double)trainer->update.beta1, (double)step->number));
        set_real(trainer, hyper, 2, 1 - pow((double)trainer->update.beta2, (double)step->number));
        set_real(trainer, hyper, 3, 1);
        status = graft_plan_write(plan, trainer->hypers[s], hyper, real_bytes(trainer, 4));
    }
    return status;
}

static enum graft_status read_results(struct graft_trainer *trainer, struct graft_step *step)
{
    const struct graft_model *const model = trainer->model;
    enum graft_status status = graft_plan_read(trainer->plan, trainer->losses, trainer->host_losses,
                                               real_bytes(trainer, model->batch));
    if (status == GRAFT_OK)
        status = graft_plan_read(trainer->plan, model->logits, trainer->host_logits,
                                 real_bytes(trainer, model->batch * model->classes));
    step->loss = 0;
    step->correct = 0;
    for (int64_t row = 0; row < step->valid && status == GRAFT_OK; row++) {
        int64_t best = 0;
        for (int64_t c = 1; c < model->classes; c++)
            if (get_real(trainer, trainer->host_logits, row * model->classes + c) >
                get_real(trainer, trainer->host_logits, row * model->classes + best))
                best = c;
        step->correct += best == step->labels[row];
        step->loss += get_real(trainer, trainer->host_losses, row) / trainer->divisor;
    }
    return status;
}

/* The loss is not finite: the same step once more on a plan that looks at every number, to name the layer. */
static enum graft_status explain_numbers(struct graft_trainer *trainer, const struct graft_step *step)
{
    const struct graft_plan_options options = {.check_numbers = true, .no_fusion = true};
    struct graft_plan *plan = NULL;
    enum graft_status status =
        graft_plan_open(trainer->model->graph, trainer->device, trainer->variables, &options, &plan);
    if (status == GRAFT_OK)
        status = write_inputs(trainer, plan, step);
    if (status == GRAFT_OK)
        status = graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE);
    graft_plan_close(&plan);
    if (status == GRAFT_ERROR_NUMERIC)
        return graft_fail_prefix(trainer->context, status, "step %lld", (long long)step->number);
    return graft_fail(trainer->context, GRAFT_ERROR_NUMERIC,
                      "step %lld: the loss is not finite; a smaller learning rate often helps",
                      (long long)step->number);
}

enum graft_status graft_trainer_step(struct graft_trainer *trainer, struct graft_step *step)
{
    if (step->valid < 1 || step->valid > trainer->model->batch || step->number < 1)
        return graft_fail(trainer->context, GRAFT_ERROR_ARGUMENT,
                          "a step has 1..%lld valid rows and a number from 1, not %lld and %lld",
                          (long long)trainer->model->batch, (long long)step->valid, (long long)step->number);
    enum graft_status status = write_inputs(trainer, trainer->plan, step);
    if (status == GRAFT_OK)
        status = graft_plan_run(trainer->plan, GRAFT_SEGMENT_COMPUTE);
    if (status == GRAFT_OK)
        status = read_results(trainer, step);
    if (status == GRAFT_OK && !isfinite(step->loss))
        return explain_numbers(trainer, step);
    if (status == GRAFT_OK && !step->no_update)
        status = graft_plan_run(trainer->plan, GRAFT_SEGMENT_UPDATE);
    return status;
}

struct graft_plan *graft_trainer_plan(struct graft_trainer *trainer)
{
    return trainer->plan;
}

enum graft_status graft_trainer_gradient(struct graft_trainer *trainer, int index, void *data, uint64_t bytes)
{
    if (index < 0 || index >= trainer->model->parameter_count || trainer->gradients[index] < 0)
        return graft_fail(trainer->context, GRAFT_ERROR_NOT_FOUND, "parameter %d has no gradient", index);
    return graft_plan_read(trainer->plan, trainer->gradients[index], data, bytes);
}
