/* SPDX-License-Identifier: MIT */
/* y[n, oh, ow, c] = the mean of the window. */
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
    const struct graft_shape *const x = graft_call_shape(g->call, X);
    union graft_attributes attributes = g->call->attributes;
    attributes.pool.size[0] = (int32_t)x->dim[1];
    attributes.pool.size[1] = (int32_t)x->dim[2];
    if (graft_gradient_wanted(g, X)) {
        g->input_gradients[X] =
            graft_emit_one(g->emitter, GRAFT_OP_AVG_POOL_GRAD, &attributes, g->output_gradients[0]);
    }
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    const struct graft_shape *const x = graft_call_shape(call, X);
    const struct graft_shape *const y = &call->out[0].shape;
    double window = 1;
    for (int i = 0; i < 2; i++) {
        const struct graft_pool_attributes *const a = &call->attributes.pool;
        window *= a->adaptive[0] > 0 ? (double)x->dim[1 + i] / (double)y->dim[1 + i] + 1 : a->kernel[i];
    }
    graft_work_elementwise(call, window + 1, work);
    work->terms = window;
}

const struct graft_op_def graft_op_avg_pool = {
    .name = "avg_pool",
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
