/* SPDX-License-Identifier: MIT */
/* y = x with its dimensions in another order. */
#include "op/check.h"
#include "op/emit.h"

enum { X };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const int32_t *const order = call->attributes.transpose.order;
    const struct graft_shape *const x = graft_call_shape(call, X);
    struct graft_shape y = {.rank = x->rank};
    uint32_t seen = 0;
    for (int i = 0; i < x->rank; i++) {
        if (order[i] < 0 || order[i] >= x->rank || (seen >> order[i] & 1u)) {
            return graft_op_fail(context, call,
                                 "entry %d of the order is %d; each of 0 to %d must stand there once", i,
                                 order[i], x->rank - 1);
        }
        seen |= 1u << order[i];
        y.dim[i] = x->dim[order[i]];
    }
    graft_call_output(call, 0, &y);
    return GRAFT_OK;
}

static void gradient(struct graft_gradient *g)
{
    graft_gradient_start(g);
    const int32_t *const order = g->call->attributes.transpose.order;
    union graft_attributes attributes = {0};
    for (int i = 0; i < graft_call_shape(g->call, X)->rank; i++) {
        attributes.transpose.order[order[i]] = i;
    }
    if (graft_gradient_wanted(g, X)) {
        g->input_gradients[X] =
            graft_emit_one(g->emitter, GRAFT_OP_TRANSPOSE, &attributes, g->output_gradients[0]);
    }
}

static void format(const struct graft_call *call, char *text, size_t size)
{
    for (int i = 0; i < call->in[X].shape.rank && i < GRAFT_MAX_RANK; i++) {
        graft_format_append(text, size, "%s%d", i == 0 ? " order " : ",",
                            call->attributes.transpose.order[i]);
    }
}

static bool separate(struct graft_call *call, uint32_t batched, int64_t rows)
{
    return call->attributes.transpose.order[0] == 0 && graft_separate_x(call, batched, rows);
}

static bool narrow(struct graft_call *call, const struct graft_rows *rows, struct graft_rows *in)
{
    in[X] = *rows;
    in[X].dimension = call->attributes.transpose.order[rows->dimension];
    return true;
}

const struct graft_op_def graft_op_transpose = {
    .name = "transpose",
    .input_names = {"x"},
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .accumulates = true,
    .infer = infer,
    .separate = separate,
    .narrow = narrow,
    .gradient = gradient,
    .work = graft_work_copy,
    .format = format,
};
