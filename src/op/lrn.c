/* SPDX-License-Identifier: MIT */
/* y = x divided by a power of the mean square of its neighbours along the channels. */
#include "op/check.h"
#include "op/emit.h"

#include <float.h>

enum { X };

enum graft_status graft_lrn_check(struct graft_context *context, const struct graft_call *call)
{
    const struct graft_lrn_attributes *const a = &call->attributes.lrn;
    enum graft_status status;
    if ((status = graft_check_rank(context, call, X, 1, GRAFT_MAX_RANK)) != GRAFT_OK ||
        (status = graft_check_number(context, call, "size", a->size, 1, 0x1p31)) != GRAFT_OK ||
        (status = graft_check_number(context, call, "alpha", (double)a->alpha, 0, FLT_MAX)) != GRAFT_OK ||
        (status = graft_check_number(context, call, "beta", (double)a->beta, 0, FLT_MAX)) != GRAFT_OK) {
        return status;
    }
    return graft_check_number(context, call, "k", (double)a->k, 0, FLT_MAX);
}

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const enum graft_status status = graft_lrn_check(context, call);
    if (status == GRAFT_OK) {
        graft_call_output(call, 0, graft_call_shape(call, X));
    }
    return status;
}

static void gradient(struct graft_gradient *g)
{
    graft_gradient_start(g);
    if (graft_gradient_wanted(g, X)) {
        g->input_gradients[X] = graft_emit_two(g->emitter, GRAFT_OP_LRN_GRAD, &g->call->attributes,
                                               g->inputs[X], g->output_gradients[0]);
    }
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    graft_work_elementwise(call, 2.0 * call->attributes.lrn.size + 4, work);
    work->terms = call->attributes.lrn.size;
}

const struct graft_op_def graft_op_lrn = {
    .name = "lrn",
    .input_names = {"x"},
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .infer = infer,
    .separate = graft_separate_x,
    .gradient = gradient,
    .work = work,
    .format = graft_format_lrn,
};
