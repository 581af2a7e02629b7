/* SPDX-License-Identifier: MIT */
/* y[i, …] = x[index[i], …]. */
#include "op/check.h"
#include "op/emit.h"

enum { X, INDEX };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    enum graft_status status;
    if ((status = graft_check_rank(context, call, X, 1, GRAFT_MAX_RANK)) != GRAFT_OK ||
        (status = graft_check_rank(context, call, INDEX, 1, 1)) != GRAFT_OK)
        return status;
    struct graft_shape y = *graft_call_shape(call, X);
    y.dim[0] = graft_call_shape(call, INDEX)->dim[0];
    graft_call_output(call, 0, &y);
    return GRAFT_OK;
}

static void gradient(struct graft_gradient *g)
{
    graft_gradient_start(g);
    const union graft_attributes attributes = {.gather = {.rows = graft_call_shape(g->call, X)->dim[0]}};
    if (graft_gradient_wanted(g, X))
        g->input_gradients[X] = graft_emit_two(g->emitter, GRAFT_OP_GATHER_GRAD, &attributes,
                                               g->output_gradients[0], g->inputs[INDEX]);
}

const struct graft_op_def graft_op_gather = {
    .name = "gather",
    .input_names = {"x", "index"},
    .i32_inputs = 1u << INDEX,
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .infer = infer,
    .gradient = gradient,
    .work = graft_work_copy,
};
