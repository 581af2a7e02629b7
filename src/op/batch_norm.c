/* SPDX-License-Identifier: MIT */
/* y[.., c] = activation((x − mean[c]) · gamma[c] / sqrt(var[c] + epsilon) + beta[c] + residual). */
#include "op/check.h"
#include "op/emit.h"

#include <math.h>

enum { X, GAMMA, BETA, MEAN, VAR, RESIDUAL };

enum graft_status graft_batch_norm_check(struct graft_context *context, const struct graft_call *call,
                                         int first_vector, int last_vector)
{
    const struct graft_batch_norm_attributes *const a = &call->attributes.batch_norm;
    enum graft_status status;
    if ((status = graft_check_rank(context, call, X, 2, GRAFT_MAX_RANK)) != GRAFT_OK ||
        (status = graft_check_number(context, call, "epsilon", (double)a->epsilon, 0, HUGE_VAL)) !=
            GRAFT_OK ||
        (status = graft_check_activation(context, call, a->activation)) != GRAFT_OK) {
        return status;
    }
    const int64_t channels = graft_shape_last(graft_call_shape(call, X));
    for (int i = first_vector; i <= last_vector; i++) {
        if ((status = graft_check_vector(context, call, i, channels)) != GRAFT_OK) {
            return status;
        }
    }
    return GRAFT_OK;
}

enum graft_status graft_batch_norm_check_slope(struct graft_context *context, const struct graft_call *call,
                                               int input)
{
    const bool needed = call->attributes.batch_norm.activation != GRAFT_UNARY_NONE;
    if (graft_call_has(call, input) == needed) {
        return GRAFT_OK;
    }
    return graft_op_fail(
        context, call,
        needed ? "the slope of %s takes gamma and beta"
               : "without an activation (%s) nothing takes beta, and gamma only the gradient of x",
        graft_unary_name(call->attributes.batch_norm.activation));
}

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_shape *const x = graft_call_shape(call, X);
    enum graft_status status;
    if ((status = graft_batch_norm_check(context, call, GAMMA, VAR)) != GRAFT_OK ||
        (status = graft_check_shape(context, call, RESIDUAL, x, "that of x")) != GRAFT_OK) {
        return status;
    }
    graft_call_output(call, 0, x);
    return GRAFT_OK;
}

/* In training mean and var are functions of x; grad_input counts that in, so they get no gradient of their
 * own. */
static void gradient(struct graft_gradient *g)
{
    graft_gradient_start(g);
    const int *const in = g->inputs;
    union graft_attributes attributes = g->call->attributes;
    const bool training = attributes.batch_norm.training;
    const int dy = graft_emit_activation_grad(g->emitter, attributes.batch_norm.activation, g->outputs[0],
                                              g->output_gradients[0]);
    attributes.batch_norm.activation = GRAFT_UNARY_NONE;
    if (graft_gradient_wanted(g, RESIDUAL)) {
        g->input_gradients[RESIDUAL] = dy;
    }
    int sums[GRAFT_MAX_OUTPUTS] = {-1, -1}; /* dgamma, dbeta */
    const bool needs_sums = graft_gradient_wanted(g, GAMMA) || graft_gradient_wanted(g, BETA) ||
                            (graft_gradient_wanted(g, X) && training);
    if (dy >= 0 && needs_sums) {
        const int inputs[] = {in[X], dy, in[MEAN], in[VAR]};
        if (g->emitter->apply(g->emitter, GRAFT_OP_BATCH_NORM_GRAD_PARAM, &attributes, inputs, 4, sums) < 0) {
            return;
        }
    }
    if (graft_gradient_wanted(g, GAMMA)) {
        g->input_gradients[GAMMA] = sums[0];
    }
    if (graft_gradient_wanted(g, BETA)) {
        g->input_gradients[BETA] = sums[1];
    }
    if (dy >= 0 && graft_gradient_wanted(g, X)) {
        const int inputs[] = {in[X], dy, in[GAMMA], in[MEAN], in[VAR], sums[0], sums[1]};
        g->input_gradients[X] = g->emitter->apply(g->emitter, GRAFT_OP_BATCH_NORM_GRAD_INPUT, &attributes,
                                                  inputs, training ? 7 : 5, NULL);
    }
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    graft_work_elementwise(call, graft_call_has(call, RESIDUAL) ? 3 : 2, work);
}

static bool separate(struct graft_call *call, uint32_t batched, int64_t rows)
{
    return !call->attributes.batch_norm.training && graft_separate_x(call, batched, rows);
}

const struct graft_op_def graft_op_batch_norm = {
    .name = "batch_norm",
    .input_names = {"x", "gamma", "beta", "mean", "var", "residual"},
    .min_inputs = 5,
    .max_inputs = 6,
    .n_outputs = 1,
    .optional = 1u << RESIDUAL,
    .in_place = 1u << X | 1u << RESIDUAL,
    .fuses_unary = true,
    .activation = offsetof(union graft_attributes, batch_norm.activation),
    .residual_input = RESIDUAL,
    .infer = infer,
    .separate = separate,
    .gradient = gradient,
    .work = work,
    .format = graft_format_batch_norm,
};
