/* SPDX-License-Identifier: MIT */
/* y = exp(x − max) / sum of exp(x − max), along the last dimension. */
#include "op/check.h"
#include "op/emit.h"

enum { X };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_shape *const x = graft_call_shape(call, X);
    const enum graft_status status = graft_check_rank(context, call, X, 1, GRAFT_MAX_RANK);
    if (status != GRAFT_OK) {
        return status;
    }
    if (graft_shape_last(x) < 1) {
        return graft_op_fail(context, call, "there are no classes in the last dimension");
    }
    graft_call_output(call, 0, x);
    return GRAFT_OK;
}

static void gradient(struct graft_gradient *g)
{
    graft_gradient_start(g);
    if (graft_gradient_wanted(g, X)) {
        g->input_gradients[X] = graft_emit_two(g->emitter, GRAFT_OP_SOFTMAX_GRAD, &g->call->attributes,
                                               g->outputs[0], g->output_gradients[0]);
    }
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    graft_work_elementwise(call, 5, work);
    work->terms = (double)graft_shape_last(graft_call_shape(call, X));
}

const struct graft_op_def graft_op_softmax = {
    .name = "softmax",
    .input_names = {"x"},
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .infer = infer,
    .separate = graft_separate_x,
    .narrow = graft_narrow_x,
    .gradient = gradient,
    .work = work,
};
