/* SPDX-License-Identifier: MIT */
/* y = the inputs one after the other along one dimension. */
#include "op/check.h"
#include "op/emit.h"

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    struct graft_shape y = *graft_call_shape(call, 0);
    const int axis = call->attributes.concat.axis;
    if (axis < 0 || axis >= y.rank) {
        return graft_op_fail(context, call, "axis is %d; it must be in 0 to %d", axis, y.rank - 1);
    }
    for (int i = 1; i < call->n_inputs; i++) {
        const struct graft_shape *const x = graft_call_shape(call, i);
        bool fits = x->rank == y.rank;
        for (int d = 0; d < y.rank && fits; d++) {
            fits = d == axis || x->dim[d] == y.dim[d];
        }
        if (!fits || __builtin_add_overflow(y.dim[axis], x->dim[axis], &y.dim[axis])) {
            return graft_op_fail(context, call,
                                 "input %d does not fit to input 0: only dimension %d may differ", i, axis);
        }
    }
    graft_call_output(call, 0, &y);
    return GRAFT_OK;
}

static void gradient(struct graft_gradient *g)
{
    graft_gradient_start(g);
    const int axis = g->call->attributes.concat.axis;
    int64_t begin = 0;
    for (int i = 0; i < g->call->n_inputs; i++) {
        const struct graft_shape *const x = graft_call_shape(g->call, i);
        union graft_attributes attributes = {0};
        for (int d = 0; d < x->rank; d++) {
            attributes.slice.size[d] = x->dim[d];
        }
        attributes.slice.begin[axis] = begin;
        begin += x->dim[axis];
        if (graft_gradient_wanted(g, i)) {
            g->input_gradients[i] =
                graft_emit_one(g->emitter, GRAFT_OP_SLICE, &attributes, g->output_gradients[0]);
        }
    }
}

/* What lies in its place is neither read nor written. */
static void work(const struct graft_call *call, struct graft_work *work)
{
    graft_work_copy(call, work);
    for (int i = 0; i < call->n_inputs; i++) {
        if (call->placed >> i & 1u) {
            work->bytes -= 2 * (double)graft_desc_bytes(&call->in[i]);
        }
    }
}

static void format(const struct graft_call *call, char *text, size_t size)
{
    graft_format_append(text, size, " axis %d", call->attributes.concat.axis);
}

static bool separate(struct graft_call *call, uint32_t batched, int64_t rows)
{
    return call->attributes.concat.axis > 0 && graft_separate_all(call, batched, rows);
}

const struct graft_op_def graft_op_concat = {
    .name = "concat",
    .input_names = {"x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7"},
    .min_inputs = 1,
    .max_inputs = GRAFT_MAX_INPUTS,
    .n_outputs = 1,
    .infer = infer,
    .separate = separate,
    .gradient = gradient,
    .work = work,
    .format = format,
};
