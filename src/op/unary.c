/* SPDX-License-Identifier: MIT */
/* y = f(x), element by element. */
#include "op/check.h"
#include "op/emit.h"

enum { X };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    graft_call_output(call, 0, graft_call_shape(call, X));
    return graft_check_unary(context, call);
}

static void gradient(struct graft_gradient *g)
{
    graft_gradient_start(g);
    const enum graft_unary kind = g->call->attributes.unary.kind;
    const int dy = g->output_gradients[0];
    if (!graft_gradient_wanted(g, X) || dy < 0) {
        return;
    }
    if (kind == GRAFT_UNARY_NONE) {
        g->input_gradients[X] = dy;
        return;
    }
    const bool from_x = graft_unary_needs(kind) == GRAFT_UNARY_FROM_X;
    const int inputs[] = {from_x ? g->inputs[X] : -1, from_x ? -1 : g->outputs[0], dy};
    g->input_gradients[X] =
        g->emitter->apply(g->emitter, GRAFT_OP_UNARY_GRAD, &g->call->attributes, inputs, 3, NULL);
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    graft_work_elementwise(call, 1, work);
}

const struct graft_op_def graft_op_unary = {
    .name = "unary",
    .input_names = {"x"},
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .in_place = 1u << X,
    .infer = infer,
    .separate = graft_separate_x,
    .narrow = graft_narrow_x,
    .gradient = gradient,
    .work = work,
    .format = graft_format_unary,
};
