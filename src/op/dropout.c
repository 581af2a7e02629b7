/* SPDX-License-Identifier: MIT */
/*
 * y = x / (1 − p) with probability 1 − p, else 0; which elements depends on seed, stream and step alone.
 * Element i looks at word i % 4 of block i / 4 + rows · ceil(row / 4), where `rows` of a larger batch come
 * before this part of it (step[1]; 0 if there is none) and a row has `row` elements: with rows of a multiple
 * of 4, a batch drops the same elements in parts as in one piece.
 */
#include "base/size.h"
#include "op/check.h"
#include "op/emit.h"

#include <inttypes.h>

enum { X, STEP };

int64_t graft_dropout_row_blocks(const struct graft_call *call)
{
    const struct graft_shape *const x = graft_call_shape(call, X);
    const bool part = graft_call_shape(call, STEP)->dim[0] == 2 && x->rank > 0 && x->dim[0] > 0;
    return part ? graft_ceil_div(graft_shape_count(x) / x->dim[0], 4) : 0;
}

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const double probability = (double)call->attributes.dropout.probability;
    enum graft_status status;
    const int64_t numbers = graft_call_shape(call, STEP)->dim[0] == 2 ? 2 : 1;
    if ((status = graft_check_vector(context, call, STEP, numbers)) != GRAFT_OK ||
        (status = graft_check_number(context, call, "probability", probability, 0, 1)) != GRAFT_OK) {
        return status;
    }
    graft_call_output(call, 0, graft_call_shape(call, X));
    return GRAFT_OK;
}

/* The same elements are dropped from the gradient. */
static void gradient(struct graft_gradient *g)
{
    graft_gradient_start(g);
    if (graft_gradient_wanted(g, X)) {
        g->input_gradients[X] = graft_emit_two(g->emitter, GRAFT_OP_DROPOUT, &g->call->attributes,
                                               g->output_gradients[0], g->inputs[STEP]);
    }
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    graft_work_elementwise(call, 1, work);
}

static void format(const struct graft_call *call, char *text, size_t size)
{
    const struct graft_dropout_attributes *const a = &call->attributes.dropout;
    graft_format_append(text, size, " p %g seed %" PRIu64 " stream %" PRIu32, (double)a->probability, a->seed,
                        a->stream);
}

const struct graft_op_def graft_op_dropout = {
    .name = "dropout",
    .input_names = {"x", "step"},
    .i32_inputs = 1u << STEP,
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .in_place = 1u << X,
    .accumulates = true,
    .infer = infer,
    .gradient = gradient,
    .work = work,
    .format = format,
};
