/* SPDX-License-Identifier: MIT */
/* y[n, oh, ow, c] = the largest element of the window; of equal ones the first, and NaN above all. */
#include "op/check.h"
#include "op/emit.h"

enum { X };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    struct graft_shape y;
    enum graft_status status;
    if ((status = graft_check_rank(context, call, X, 4, 4)) != GRAFT_OK ||
        (status = graft_pool_shape(context, call, graft_call_shape(call, X), &y)) != GRAFT_OK) {
        return status;
    }
    graft_call_output(call, 0, &y);
    return GRAFT_OK;
}

static void gradient(struct graft_gradient *g)
{
    graft_gradient_start(g);
    if (graft_gradient_wanted(g, X)) {
        g->input_gradients[X] = graft_emit_two(g->emitter, GRAFT_OP_MAX_POOL_GRAD, &g->call->attributes,
                                               g->inputs[X], g->output_gradients[0]);
    }
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    const struct graft_pool_attributes *const a = &call->attributes.pool;
    graft_work_elementwise(call, (double)a->kernel[0] * a->kernel[1], work);
}

const struct graft_op_def graft_op_max_pool = {
    .name = "max_pool",
    .input_names = {"x"},
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .infer = infer,
    .separate = graft_separate_x,
    .gradient = gradient,
    .work = work,
    .format = graft_format_pool,
};
