/* SPDX-License-Identifier: MIT */
/*
 * One training step: every part of the batch through the compute segment, then one update. Each row's weight
 * in the loss comes from the whole batch, so it does not matter how the batch is cut. Nothing of it waits for
 * the device before the results are asked for, which the next step may come before.
 */
#include "base/context.h"
#include "graph/plan.h"
#include "train/trainer.h"

#include <math.h>
#include <string.h>

static double get_real(const struct graft_trainer *trainer, const void *data, int64_t index)
{
    return graft_trainer_wide(trainer) ? ((const double *)data)[index] : (double)((const float *)data)[index];
}

static void set_real(const struct graft_trainer *trainer, void *data, int64_t index, double value)
{
    if (graft_trainer_wide(trainer))
        ((double *)data)[index] = value;
    else
        ((float *)data)[index] = (float)value;
}

/* A label that is no class counts 1: its loss is NaN and will be told. */
double graft_trainer_divisor(const struct graft_trainer *trainer, const struct graft_step *step)
{
    if (!trainer->class_weights || !trainer->loss->labels) /* of shares PyTorch takes the mean over the rows */
        return (double)step->valid;
    double sum = 0;
    for (int64_t row = 0; row < step->valid; row++) {
        const int32_t label = step->labels[row];
        sum += label >= 0 && label < trainer->model->classes ? trainer->class_weights[label] : 1;
    }
    return sum;
}

static double divisor_of(const struct graft_trainer *trainer, const struct graft_step *step)
{
    return trainer->ranks ? trainer->whole.divisor : graft_trainer_divisor(trainer, step);
}

/* Row `row` of a part's targets is row `at` of the batch's. */
static void set_targets(const struct graft_trainer *trainer, const struct graft_step *step, int64_t row, int64_t at)
{
    const int64_t classes = trainer->model->classes, width = classes * trainer->loss->columns;
    trainer->loss->write(step->targets + at * classes, classes, trainer->class_weights,
                         (double)trainer->label_smoothing, trainer->host_target);
    for (int64_t i = 0; i < width; i++)
        set_real(trainer, trainer->host_targets, row * width + i, trainer->host_target[i]);
}

/* Input and labels of the part that begins at row `first`: where the batch ends within it, its rows are
 * repeated. */
static enum graft_status write_batch(const struct graft_trainer *trainer, struct graft_plan *plan,
                                     const struct graft_step *step, int64_t first)
{
    const struct graft_model *const part = trainer->now->model;
    const int64_t rows = part->batch, left = trainer->model->batch - first;
    const uint64_t bytes = graft_desc_bytes(graft_graph_desc(part->graph, part->input));
    const uint64_t row_bytes = bytes / (uint64_t)rows;
    const void *labels = trainer->loss->labels ? step->labels + first : NULL;
    uint64_t label_bytes = (uint64_t)rows * sizeof(int32_t);
    for (int64_t row = 0; row < rows; row++) {
        const int64_t at = first + (row < left ? row : row % left);
        trainer->host_rows[row] =
            step->rows ? step->rows[at] : (const uint8_t *)step->input + (uint64_t)at * row_bytes;
        if (!trainer->loss->labels)
            set_targets(trainer, step, row, at);
        else if (rows > left)
            trainer->host_labels[row] = step->labels[at];
    }
    if (!trainer->loss->labels) {
        labels = trainer->host_targets;
        label_bytes = graft_trainer_real_bytes(trainer, rows * trainer->model->classes * trainer->loss->columns);
    } else if (rows > left) {
        labels = trainer->host_labels;
    }
    const enum graft_status status = step->rows || rows > left
                                         ? graft_plan_write_rows(plan, part->input, trainer->host_rows, rows)
                                         : graft_plan_write(plan, part->input, trainer->host_rows[0], bytes);
    return status == GRAFT_OK
               ? graft_plan_write(plan, trainer->now->labels, labels, label_bytes)
               : status;
}

/* Writes everything that a run depends on, for the part of the batch that begins at row `first`. */
static enum graft_status write_inputs(struct graft_trainer *trainer, struct graft_plan *plan,
                                      const struct graft_step *step, double divisor, int64_t first)
{
    const struct graft_trainer_part *const part = trainer->now;
    const struct graft_model *const model = part->model;
    const int64_t rows = model->batch;
    for (int64_t row = 0; row < rows; row++)
        set_real(trainer, trainer->host_weights, row, first + row < step->valid ? 1 / divisor : 0);
    enum graft_status status = write_batch(trainer, plan, step, first);
    if (status == GRAFT_OK)
        status = graft_plan_write(plan, part->row_weights, trainer->host_weights,
                                  graft_trainer_real_bytes(trainer, rows));
    if (status == GRAFT_OK && model->step >= 0) {
        const int32_t numbers[2] = {(int32_t)step->number, (int32_t)(first + trainer->whole.before)};
        status = graft_plan_write(plan, model->step, numbers, sizeof numbers);
    }
    return status;
}

/* The first average is what the first step has made. */
static enum graft_status write_average(struct graft_trainer *trainer, const struct graft_step *step)
{
    double hyper[4];
    set_real(trainer, hyper, 0, step->number == 1 ? 1 : 1 - (double)trainer->ema);
    for (int i = 1; i < 4; i++)
        set_real(trainer, hyper, i, 1);
    return graft_plan_write(trainer->now->plan, trainer->now->average, hyper,
                            graft_trainer_real_bytes(trainer, 4));
}

/* What the update depends on besides gradients. */
static enum graft_status write_hypers(struct graft_trainer *trainer, const struct graft_step *step)
{
    enum graft_status status = trainer->now->average >= 0 ? write_average(trainer, step) : GRAFT_OK;
    for (int g = 0; g < trainer->group_count && status == GRAFT_OK; g++) {
        if (trainer->now->hypers[g] < 0)
            continue;
        double hyper[4];
        set_real(trainer, hyper, 0, step->learning_rate * (double)trainer->factors[g]);
        set_real(trainer, hyper, 1, 1 - pow((double)trainer->update.beta1, (double)step->number));
        set_real(trainer, hyper, 2, 1 - pow((double)trainer->update.beta2, (double)step->number));
        set_real(trainer, hyper, 3, 1);
        status = graft_plan_write(trainer->now->plan, trainer->now->hypers[g], hyper,
                                  graft_trainer_real_bytes(trainer, 4));
    }
    return status;
}

/* Losses and logits of the part that begins at row `first`, into their places in the whole batch. */
static enum graft_status fetch_part(struct graft_trainer *trainer, struct graft_trainer_flight *flight,
                                    int64_t first)
{
    const struct graft_trainer_part *const part = trainer->now;
    const int64_t rows = part->model->batch, classes = trainer->model->classes;
    char *const losses = (char *)flight->losses + graft_trainer_real_bytes(trainer, first);
    char *const logits = (char *)flight->logits + graft_trainer_real_bytes(trainer, first * classes);
    enum graft_status status = graft_plan_fetch(part->plan, part->losses, losses,
                                                graft_trainer_real_bytes(trainer, rows), &flight->ticket);
    if (status == GRAFT_OK)
        status = graft_plan_fetch(part->plan, part->model->logits, logits,
                                  graft_trainer_real_bytes(trainer, rows * classes), &flight->ticket);
    return status;
}

static enum graft_status await(struct graft_trainer *trainer, struct graft_trainer_flight *flight)
{
    static const struct graft_tensor none;
    return trainer->device->backend->buffer_fetch(trainer->device, NULL, none, 0, &flight->ticket);
}

static void sum_results(const struct graft_trainer *trainer, const struct graft_trainer_flight *flight,
                        struct graft_step *step)
{
    const int64_t classes = trainer->model->classes;
    step->loss = 0;
    step->correct = 0;
    for (int64_t row = 0; row < step->valid; row++) {
        int64_t best = 0;
        for (int64_t c = 1; c < classes; c++)
            if (get_real(trainer, flight->logits, row * classes + c) >
                get_real(trainer, flight->logits, row * classes + best))
                best = c;
        step->correct += trainer->loss->tells_class && best == flight->labels[row];
        step->loss += get_real(trainer, flight->losses, row) / flight->divisor;
    }
}

/* The first part with a row whose loss is not finite, as its first row. */
static int64_t find_part(const struct graft_trainer *trainer, const struct graft_step *step)
{
    const int64_t rows = graft_trainer_rows(trainer);
    for (int64_t row = 0; row < step->valid; row++)
        if (!isfinite(get_real(trainer, trainer->flights[trainer->last].losses, row)))
            return row - row % rows;
    return 0;
}

/* The same once more on a plan that looks at every number, to name the layer. It may have the memory of the
 * trainer's plan. */
enum graft_status graft_trainer_explain(struct graft_trainer *trainer, const struct graft_step *step)
{
    const struct graft_plan_options options = {.check_numbers = true, .no_fusion = true};
    struct graft_plan *plan = NULL;
    struct graft_kept_error kept;
    graft_keep_error(trainer->context, &kept);
    graft_trainer_forget(trainer);
    enum graft_status status = graft_trainer_choose(trainer, step->valid);
    graft_plan_release(trainer->now->plan);
    if (status == GRAFT_OK)
        status =
            graft_plan_open(trainer->now->model->graph, trainer->device, trainer->variables, &options, &plan);
    if (status == GRAFT_OK)
        status = graft_plan_clear(plan);
    const int64_t rows = graft_trainer_rows(trainer);
    for (int64_t first = find_part(trainer, step); first < step->valid && status == GRAFT_OK; first += rows) {
        status = write_inputs(trainer, plan, step, divisor_of(trainer, step), first);
        if (status == GRAFT_OK)
            status = graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE);
    }
    graft_plan_close(&plan);
    if (status == GRAFT_ERROR_NUMERIC)
        status = graft_fail_prefix(trainer->context, status, "step %lld", (long long)step->number);
    else
        status = graft_fail(trainer->context, GRAFT_ERROR_NUMERIC, "%s", kept.text);
    const enum graft_status again = graft_plan_acquire(trainer->now->plan); /* else the next step tries */
    return again == GRAFT_OK ? status : again;
}

/* One update of all parameters, which does nothing if the loss, or the gradients' norm if that is asked for,
 * is not finite. */
static enum graft_status update(struct graft_trainer *trainer, struct graft_trainer_flight *flight)
{
    struct graft_plan *const plan = trainer->now->plan;
    enum graft_status status = write_hypers(trainer, &flight->step);
    if (status == GRAFT_OK)
        status = graft_plan_run(plan, GRAFT_SEGMENT_UPDATE);
    return status == GRAFT_OK && trainer->now->squares >= 0
               ? graft_plan_fetch(plan, trainer->now->squares, flight->squares,
                                  graft_trainer_real_bytes(trainer, 1), &flight->ticket)
               : status;
}

/* A rank without a row adds nothing; where layers meet over all ranks it goes along, with rows that count nowhere. */
static enum graft_status run_empty(struct graft_trainer *trainer, const struct graft_step *step)
{
    const void *const nothing = trainer->reduction.nothing;
    const struct graft_step empty = {.input = nothing, .labels = nothing, .targets = nothing, .number = step->number};
    if (!trainer->sync)
        return graft_trainer_reduction_run(trainer, false);
    const enum graft_status status = write_inputs(trainer, trainer->now->plan, &empty, 1, 0);
    return status == GRAFT_OK ? graft_trainer_reduction_run(trainer, true) : status;
}

static enum graft_status queue_step(struct graft_trainer *trainer, struct graft_trainer_flight *flight)
{
    const struct graft_step *const step = &flight->step;
    struct graft_plan *const plan = trainer->now->plan;
    const int64_t rows = graft_trainer_rows(trainer);
    enum graft_status status = trainer->now->summed ? graft_plan_clear(plan) : GRAFT_OK;
    for (int64_t first = 0; first < step->valid && status == GRAFT_OK; first += rows) {
        status = write_inputs(trainer, plan, step, flight->divisor, first);
        if (status == GRAFT_OK)
            status = trainer->ranks && first + rows >= step->valid ? graft_trainer_reduction_run(trainer, true)
                                                                   : graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE);
        if (status == GRAFT_OK)
            status = fetch_part(trainer, flight, first);
    }
    if (status == GRAFT_OK && step->valid == 0)
        status = run_empty(trainer, step);
    if (status == GRAFT_OK)
        status = graft_plan_fetch(plan, trainer->now->total, flight->total,
                                  graft_trainer_real_bytes(trainer, 1), &flight->ticket);
    return status == GRAFT_OK && !step->no_update ? update(trainer, flight) : status;
}

/* By which rows are right when their results come. */
static void keep_labels(const struct graft_trainer *trainer, const struct graft_step *step, int32_t *labels)
{
    const int64_t classes = trainer->model->classes;
    for (int64_t row = 0; row < step->valid; row++) {
        const float *const targets = trainer->loss->labels ? NULL : step->targets + row * classes;
        int32_t label = targets ? 0 : step->labels[row];
        for (int32_t c = 1; targets && c < classes; c++)
            label = targets[c] > targets[label] ? c : label;
        labels[row] = label;
    }
}

enum graft_status graft_trainer_begin(struct graft_trainer *trainer, const struct graft_step *step)
{
    if (step->valid < (trainer->ranks ? 0 : 1) || step->valid > trainer->model->batch || step->number < 1)
        return graft_fail(trainer->context, GRAFT_ERROR_ARGUMENT,
                          "a step has 1..%lld valid rows and a number from 1, not %lld and %lld",
                          (long long)trainer->model->batch, (long long)step->valid, (long long)step->number);
    if (trainer->in_flight == GRAFT_TRAINER_FLIGHTS)
        return graft_fail(trainer->context, GRAFT_ERROR_ARGUMENT,
                          "%d steps are under way: take their results first", trainer->in_flight);
    const int place = (trainer->first + trainer->in_flight) % GRAFT_TRAINER_FLIGHTS;
    struct graft_trainer_flight *const flight = &trainer->flights[place];
    enum graft_status status = graft_trainer_choose(trainer, step->valid);
    if (status != GRAFT_OK)
        return status;
    flight->step = *step;
    flight->divisor = divisor_of(trainer, step);
    trainer->reduction.empty = step->valid == 0;
    flight->ticket = 0;
    keep_labels(trainer, step, flight->labels);
    status = queue_step(trainer, flight);
    flight->step.input = flight->step.rows = NULL;
    flight->step.labels = flight->labels;
    flight->step.targets = NULL;
    if (status == GRAFT_OK) {
        trainer->in_flight++;
    } else {
        struct graft_kept_error kept;
        graft_keep_error(trainer->context, &kept);
        (void)await(trainer, flight); /* nothing is to arrive here later */
        graft_restore_error(trainer->context, &kept);
    }
    return status;
}

enum graft_status graft_trainer_end(struct graft_trainer *trainer, struct graft_step *step)
{
    if (trainer->in_flight == 0)
        return graft_fail(trainer->context, GRAFT_ERROR_ARGUMENT, "no step is under way");
    struct graft_trainer_flight *const flight = &trainer->flights[trainer->first];
    trainer->last = trainer->first;
    trainer->first = (trainer->first + 1) % GRAFT_TRAINER_FLIGHTS;
    trainer->in_flight--;
    *step = flight->step;
    step->loss = step->gradient_norm = 0;
    const enum graft_status status = await(trainer, flight);
    if (trainer->now == &trainer->partial && trainer->in_flight == 0 && !trainer->keep_gradients)
        graft_plan_release(trainer->now->plan); /* validation and saving may need its memory */
    if (status != GRAFT_OK)
        return status;
    sum_results(trainer, flight, step);
    const enum graft_status all = trainer->ranks ? graft_trainer_reduction_results(trainer, step) : GRAFT_OK;
    if (all != GRAFT_OK)
        return all;
    const bool clips = trainer->update.max_norm > 0 && !step->no_update;
    step->gradient_norm = clips ? sqrt(get_real(trainer, flight->squares, 0)) : 0;
    const bool counts = isfinite(step->loss) && isfinite(get_real(trainer, flight->total, 0));
    if (counts && isfinite(step->gradient_norm))
        return GRAFT_OK;
    return graft_fail(trainer->context, GRAFT_ERROR_NUMERIC,
                      "step %lld: the %s is not finite; a smaller learning rate often helps",
                      (long long)step->number, counts ? "gradient norm" : "loss");
}

void graft_trainer_forget(struct graft_trainer *trainer)
{
    for (; trainer->in_flight > 0; trainer->in_flight--) {
        (void)await(trainer, &trainer->flights[trainer->first]);
        trainer->first = (trainer->first + 1) % GRAFT_TRAINER_FLIGHTS;
    }
}

enum graft_status graft_trainer_step(struct graft_trainer *trainer, struct graft_step *step)
{
    struct graft_step done;
    enum graft_status status = graft_trainer_begin(trainer, step);
    if (status != GRAFT_OK)
        return status;
    status = graft_trainer_end(trainer, &done);
    step->loss = done.loss;
    step->correct = done.correct;
    step->gradient_norm = done.gradient_norm;
    return status == GRAFT_ERROR_NUMERIC ? graft_trainer_explain(trainer, step) : status;
}
