/* SPDX-License-Identifier: MIT */
/*
 * The gradient tier: for y = op(x…) and L = Σ y·r with random r, the graph's gradient of L is compared with
 * central differences of the f64 reference kernel, for some single elements and along a random direction
 * through all of them.
 *
 * (L(x + h·d) − L(x − h·d)) / 2h errs by h²·L'''/6 and by the rounding of L, about 2^-53·Σ|y·r| / h. With h =
 * 1e-5 the first is some 1e-10 of the gradient's size and the second some 1e-11 of Σ|y·r|; the bound is
 * 1e-6·Σ|g·d| and 16·2^-53·Σ|y·r| / h. Where a kink (relu, max) lies within h of x, a smaller h decides.
 */
#include "harness.h"
#include "base/random.h"
#include "graph/graph.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define SINGLE_ELEMENTS 6
#define MAX_ELEMENTS 20000

struct differential {
    struct graft_heap *heap;
    const struct graft_job *job;
    const struct graft_case_set *set;
    struct graft_call call; /* f64 */
    struct graft_inputs inputs;
    double *weights[GRAFT_MAX_OUTPUTS]; /* r */
    double *out[GRAFT_MAX_OUTPUTS];
    double *gradients[GRAFT_MAX_INPUTS]; /* of the real inputs; NULL: none */
    double size;                         /* Σ|y·r| */
};

bool graft_gradient_applies(enum graft_op op, const struct graft_case *test)
{
    const struct graft_call call = {.op = op, .attributes = test->attributes};
    if (graft_op_get(op)->gradient == NULL ||
        graft_unary_needs(graft_op_activation(&call)) == GRAFT_UNARY_FROM_X) {
        return false;
    }
    for (int i = 0; i < GRAFT_MAX_INPUTS; i++) {
        const struct graft_case_input *const input = &test->in[i];
        switch (input->values) {
        case GRAFT_VALUES_TIES:
        case GRAFT_VALUES_KINKS:
        case GRAFT_VALUES_SPECIAL:
        case GRAFT_VALUES_INFINITE:
        case GRAFT_VALUES_EXTREME:
            return false;
        default:
            break;
        }
        const int64_t count = graft_shape_count(&input->shape);
        if (input->dtype != GRAFT_DTYPE_NONE && (count == 0 || count > MAX_ELEMENTS)) {
            return false;
        }
    }
    return true;
}

static bool is_real(const struct graft_call *call, int i)
{
    return i < call->n_inputs && call->in[i].dtype == GRAFT_DTYPE_F64;
}

/* L, and Σ|y·r| in `size` if that is not NULL. */
static double loss(const struct differential *d, double *size)
{
    double sum = 0;
    double sizes = 0;
    graft_reference_run(&d->call, d->inputs.in, d->out);
    for (int o = 0; o < GRAFT_MAX_OUTPUTS; o++) {
        const int64_t count = d->out[o] != NULL ? graft_shape_count(&d->call.out[o].shape) : 0;
        for (int64_t i = 0; i < count; i++) {
            sum += d->out[o][i] * d->weights[o][i];
            sizes += fabs(d->out[o][i] * d->weights[o][i]);
        }
    }
    if (size != NULL) {
        *size = sizes;
    }
    return sum;
}

/* L at x[input] + step × direction; direction NULL: the single element. Restores x. */
static double loss_at(const struct differential *d, int input, const double *direction, int64_t element,
                      double step)
{
    const int64_t count = graft_shape_count(&d->call.in[input].shape);
    double *real[GRAFT_MAX_INPUTS];
    struct differential moved = *d;
    struct graft_heap heap = {NULL, 0, 0};
    for (int i = 0; i < d->call.n_inputs; i++) {
        if (is_real(&d->call, i)) {
            const size_t bytes = (size_t)graft_shape_count(&d->call.in[i].shape) * sizeof(double);
            moved.inputs.in[i] = memcpy(graft_heap_get(&heap, bytes, 1), d->inputs.in[i], bytes);
        }
        real[i] = moved.inputs.in[i];
    }
    for (int64_t i = 0; i < count; i++) {
        real[input][i] += step * (direction != NULL ? direction[i] : i == element ? 1 : 0);
    }
    if (d->set->derive != NULL) {
        d->set->derive(&d->call, real);
    }
    const double result = loss(&moved, NULL);
    graft_heap_close(&heap);
    return result;
}

/* Compares along a direction, or for one element. */
static bool check_one(const struct differential *d, int input, const double *direction, int64_t element,
                      char *text, size_t size)
{
    const int64_t count = graft_shape_count(&d->call.in[input].shape);
    double slope = 0;
    double slope_size = 0;
    for (int64_t i = 0; i < count && d->gradients[input] != NULL; i++) {
        const double part = d->gradients[input][i] * (direction != NULL ? direction[i]
                                                      : i == element    ? 1
                                                                        : 0);
        slope += part;
        slope_size += fabs(part);
    }
    double difference = 0;
    double tolerance = 0;
    for (int scale = 5; scale <= 7; scale++) {
        const double h = pow(10, -scale);
        difference =
            (loss_at(d, input, direction, element, h) - loss_at(d, input, direction, element, -h)) / (2 * h);
        tolerance = 1e-6 * slope_size + 16 * 0x1p-53 * d->size / h;
        if (fabs(difference - slope) <= tolerance) {
            return true;
        }
    }
    snprintf(text, size,
             "d/d(input %d) %s %" PRId64 ": gradient %.12g, difference quotient %.12g, tolerance %.3g", input,
             direction != NULL ? "along a direction through all of" : "at element",
             direction != NULL ? count : element, slope, difference, tolerance);
    return false;
}

static bool check_input(const struct differential *d, int input, struct graft_random *random, char *text,
                        size_t size)
{
    const int64_t count = graft_shape_count(&d->call.in[input].shape);
    double *const direction = graft_heap_get(d->heap, (size_t)count, sizeof *direction);
    for (int64_t i = 0; i < count; i++) {
        direction[i] = graft_random_normal(random);
    }
    for (int k = 0; k < SINGLE_ELEMENTS; k++) {
        const int64_t element = graft_random_below(random, (uint32_t)count);
        if (!check_one(d, input, NULL, element, text, size)) {
            return false;
        }
    }
    return check_one(d, input, direction, 0, text, size);
}

/* y = op(x…), L = Σ y·r as a graph; returns L's id. Real inputs become parameters, so that gradients are
 * computed. */
static int build(struct graft_graph *graph, const struct differential *d, int values[GRAFT_MAX_INPUTS])
{
    int outputs[GRAFT_MAX_OUTPUTS] = {-1, -1};
    char name[16];
    for (int i = 0; i < d->call.n_inputs; i++) {
        const struct graft_desc *const desc = &d->call.in[i];
        snprintf(name, sizeof name, "in%d", i);
        values[i] = -1;
        if (is_real(&d->call, i)) {
            values[i] = graft_graph_parameter(graph, name, &desc->shape);
        } else if (desc->dtype != GRAFT_DTYPE_NONE) {
            values[i] = graft_graph_input(graph, name, desc->dtype, &desc->shape);
        }
    }
    graft_graph_apply(graph, d->call.op, &d->call.attributes, values, d->call.n_inputs, outputs);
    int sum = -1;
    for (int o = 0; o < graft_op_get(d->call.op)->n_outputs; o++) {
        if (d->out[o] == NULL) {
            continue;
        }
        const struct graft_shape *const shape = &d->call.out[o].shape;
        snprintf(name, sizeof name, "r%d", o);
        const int product =
            graft_mul(graph, outputs[o], graft_graph_constant(graph, name, shape, d->weights[o]));
        const struct graft_reduce_attributes all = {.kind = GRAFT_REDUCE_SUM,
                                                    .axes = (1u << shape->rank) - 1};
        const int part = graft_reduce(graph, product, &all);
        sum = sum < 0 ? part : graft_add(graph, sum, part);
    }
    return sum;
}

static enum graft_status write_values(struct graft_variables *variables, struct graft_plan *plan,
                                      const struct differential *d, const int *values)
{
    enum graft_status status = GRAFT_OK;
    for (int i = 0; i < d->call.n_inputs && status == GRAFT_OK; i++) {
        const uint64_t bytes = graft_desc_bytes(&d->call.in[i]);
        char name[16];
        snprintf(name, sizeof name, "in%d", i);
        if (is_real(&d->call, i)) {
            status = graft_variables_write(variables, name, d->inputs.in[i], bytes);
        } else if (values[i] >= 0) {
            status = graft_plan_write(plan, values[i], d->inputs.in[i], bytes);
        }
    }
    return status;
}

/* Gradients by the graph with respect to the real inputs of `mask`; the context has the reason of a failure.
 */
static enum graft_status graph_gradients(struct graft_device *reference, const struct differential *d,
                                         uint32_t mask, double *gradients[GRAFT_MAX_INPUTS])
{
    struct graft_graph *graph = NULL;
    struct graft_variables *variables = NULL;
    struct graft_plan *plan = NULL;
    int values[GRAFT_MAX_INPUTS];
    int targets[GRAFT_MAX_INPUTS];
    int where[GRAFT_MAX_INPUTS];
    int ids[GRAFT_MAX_INPUTS];
    int count = 0;
    enum graft_status status = graft_graph_open(reference->context, GRAFT_DTYPE_F64, &graph);
    if (status != GRAFT_OK) {
        return status;
    }
    const int of = build(graph, d, values);
    for (int i = 0; i < d->call.n_inputs; i++) {
        if (mask >> i & 1u) {
            targets[count] = values[i];
            where[count++] = i;
        }
    }
    status = of >= 0 ? graft_graph_gradient(graph, of, targets, count, ids) : graft_graph_status(graph);
    for (int i = 0; i < count && status == GRAFT_OK; i++) {
        if (ids[i] >= 0) {
            graft_graph_output(graph, ids[i]);
        }
    }
    status = status == GRAFT_OK ? graft_variables_open(reference, &variables) : status;
    status = status == GRAFT_OK ? graft_plan_open(graph, reference, variables, NULL, &plan) : status;
    status = status == GRAFT_OK ? write_values(variables, plan, d, values) : status;
    status = status == GRAFT_OK ? graft_plan_refresh(plan) : status;
    status = status == GRAFT_OK ? graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE) : status;
    for (int i = 0; i < count && status == GRAFT_OK; i++) {
        if (ids[i] >= 0) {
            const uint64_t bytes = graft_desc_bytes(&d->call.in[where[i]]);
            gradients[where[i]] = graft_heap_get(d->heap, bytes, 1);
            status = graft_plan_read(plan, ids[i], gradients[where[i]], bytes);
        }
    }
    graft_plan_close(&plan);
    graft_variables_close(&variables);
    graft_graph_close(&graph);
    return status;
}

static uint32_t target_mask(const struct differential *d)
{
    uint32_t mask = 0;
    for (int i = 0; i < d->call.n_inputs; i++) {
        mask |= is_real(&d->call, i) && !(d->set->no_gradient >> i & 1u) ? 1u << i : 0;
    }
    return mask;
}

/* The gradient for one input must not depend on what else is asked for. */
static bool check_alone(struct graft_device *reference, const struct differential *d, int input, char *text,
                        size_t size)
{
    double *alone[GRAFT_MAX_INPUTS] = {NULL};
    if (graph_gradients(reference, d, 1u << input, alone) != GRAFT_OK) {
        snprintf(text, size, "only for input %d: %s", input, graft_context_error(reference->context));
        return false;
    }
    if ((alone[input] == NULL) != (d->gradients[input] == NULL) ||
        (alone[input] != NULL &&
         memcmp(alone[input], d->gradients[input], graft_desc_bytes(&d->call.in[input])) != 0)) {
        snprintf(text, size, "the gradient of input %d is another one when it alone is asked for", input);
        return false;
    }
    return true;
}

static void make_weights(struct differential *d, struct graft_random *random)
{
    for (int o = 0; o < GRAFT_MAX_OUTPUTS; o++) {
        if (d->call.out[o].dtype != GRAFT_DTYPE_F64) {
            continue;
        }
        const int64_t count = graft_shape_count(&d->call.out[o].shape);
        d->out[o] = graft_heap_get(d->heap, (size_t)count, sizeof(double));
        d->weights[o] = graft_heap_get(d->heap, (size_t)count, sizeof(double));
        for (int64_t i = 0; i < count; i++) {
            d->weights[o][i] = graft_random_normal(random);
        }
    }
}

void graft_gradient_run(struct graft_device *reference, const struct graft_job *job, struct graft_heap *heap,
                        uint64_t seed, struct graft_verdict *verdict)
{
    struct differential d = {.heap = heap, .job = job, .set = graft_case_set_of(job->op)};
    struct graft_random random;
    char name[160];
    *verdict = (struct graft_verdict){.outcome = GRAFT_OUTCOME_FAILED, .variant = "gradient"};
    if (graft_case_call(reference->context, job->op, graft_job_case(job), GRAFT_DTYPE_F64, &d.call) !=
        GRAFT_OK) {
        snprintf(verdict->text, sizeof verdict->text, "the case is refused: %s",
                 graft_context_error(reference->context));
        return;
    }
    graft_inputs_make(heap, job, &d.call, seed, &d.inputs);
    if (d.set->derive != NULL) { /* without rounding to f32 */
        double *real[GRAFT_MAX_INPUTS];
        memcpy(real, d.inputs.in, sizeof real);
        d.set->derive(&d.call, real);
    }
    graft_random_start(&random, seed, graft_hash_text(graft_job_format(job, name, sizeof name)));
    make_weights(&d, &random);
    loss(&d, &d.size);
    const uint32_t mask = target_mask(&d);
    if (graph_gradients(reference, &d, mask, d.gradients) != GRAFT_OK) {
        snprintf(verdict->text, sizeof verdict->text, "%s", graft_context_error(reference->context));
        return;
    }
    for (int i = 0; i < d.call.n_inputs; i++) {
        if ((mask >> i & 1u) && (!check_input(&d, i, &random, verdict->text, sizeof verdict->text) ||
                                 !check_alone(reference, &d, i, verdict->text, sizeof verdict->text))) {
            return;
        }
    }
    verdict->outcome = GRAFT_OUTCOME_PASSED;
}
