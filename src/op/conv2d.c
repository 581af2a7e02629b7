/* SPDX-License-Identifier: MIT */
/* y[n, oh, ow, o] = activation(sum over kh, kw, c of x[n, ih, iw, c] · w[o, kh, kw, c] + bias[o] + residual).
 */
#include "op/check.h"
#include "op/emit.h"

enum { X, W, BIAS, RESIDUAL };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    struct graft_shape y;
    enum graft_status status;
    if ((status = graft_check_rank(context, call, X, 4, 4)) != GRAFT_OK ||
        (status = graft_check_rank(context, call, W, 4, 4)) != GRAFT_OK ||
        (status = graft_conv2d_shape(context, call, graft_call_shape(call, X), graft_call_shape(call, W),
                                     &y)) != GRAFT_OK ||
        (status = graft_check_vector(context, call, BIAS, y.dim[3])) != GRAFT_OK ||
        (status = graft_check_shape(context, call, RESIDUAL, &y, "that of the output")) != GRAFT_OK) {
        return status;
    }
    graft_call_output(call, 0, &y);
    return GRAFT_OK;
}

static void gradient(struct graft_gradient *g)
{
    graft_gradient_start(g);
    const struct graft_shape *const x = graft_call_shape(g->call, X);
    const struct graft_shape *const w = graft_call_shape(g->call, W);
    union graft_attributes attributes = g->call->attributes;
    struct graft_conv2d_attributes *const a = &attributes.conv2d;
    const int dy =
        graft_emit_activation_grad(g->emitter, a->activation, g->outputs[0], g->output_gradients[0]);
    a->activation = GRAFT_UNARY_NONE;
    if (graft_gradient_wanted(g, X)) {
        a->size[0] = (int32_t)x->dim[1];
        a->size[1] = (int32_t)x->dim[2];
        g->input_gradients[X] =
            graft_emit_two(g->emitter, GRAFT_OP_CONV2D_GRAD_INPUT, &attributes, dy, g->inputs[W]);
    }
    if (graft_gradient_wanted(g, W)) {
        a->size[0] = (int32_t)w->dim[1];
        a->size[1] = (int32_t)w->dim[2];
        g->input_gradients[W] =
            graft_emit_two(g->emitter, GRAFT_OP_CONV2D_GRAD_WEIGHT, &attributes, g->inputs[X], dy);
    }
    if (graft_gradient_wanted(g, BIAS)) {
        g->input_gradients[BIAS] = graft_emit_sum_rows(g->emitter, dy);
    }
    if (graft_gradient_wanted(g, RESIDUAL)) {
        g->input_gradients[RESIDUAL] = dy;
    }
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    const struct graft_shape *const w = graft_call_shape(call, W);
    const double products = (double)w->dim[1] * (double)w->dim[2] * (double)w->dim[3];
    graft_work_products(call, (double)graft_shape_count(&call->out[0].shape), products, work);
}

const struct graft_op_def graft_op_conv2d = {
    .name = "conv2d",
    .input_names = {"x", "w", "bias", "residual"},
    .min_inputs = 2,
    .max_inputs = 4,
    .n_outputs = 1,
    .optional = 1u << BIAS | 1u << RESIDUAL,
    .fuses_unary = true,
    .is_product = true,
    .activation = offsetof(union graft_attributes, conv2d.activation),
    .residual_input = RESIDUAL,
    .infer = infer,
    .separate = graft_separate_x,
    .gradient = gradient,
    .work = work,
    .format = graft_format_conv2d,
};
