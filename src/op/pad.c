/* SPDX-License-Identifier: MIT */
/* y = x with `value` around it, and between its elements. */
#include "op/check.h"
#include "op/emit.h"

#include <inttypes.h>

enum { X };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_pad_attributes *const a = &call->attributes.pad;
    struct graft_shape y = *graft_call_shape(call, X);
    for (int i = 0; i < y.rank; i++) {
        int64_t gaps = 0;
        if (a->before[i] < 0 || a->after[i] < 0 || a->between[i] < 0 || a->between[i] == INT64_MAX ||
            (y.dim[i] > 1 && __builtin_mul_overflow(y.dim[i] - 1, a->between[i], &gaps)) ||
            __builtin_add_overflow(y.dim[i], gaps, &y.dim[i]) ||
            __builtin_add_overflow(y.dim[i], a->before[i], &y.dim[i]) ||
            __builtin_add_overflow(y.dim[i], a->after[i], &y.dim[i])) {
            return graft_op_fail(context, call,
                                 "pads %" PRId64 " and %" PRId64 " of dimension %d, and %" PRId64
                                 " between: they must be at least 0 and fit in 63 bits with the size",
                                 a->before[i], a->after[i], i, a->between[i]);
        }
    }
    graft_call_output(call, 0, &y);
    return GRAFT_OK;
}

static void gradient(struct graft_gradient *g)
{
    graft_gradient_start(g);
    const struct graft_shape *const x = graft_call_shape(g->call, X);
    union graft_attributes attributes = {0};
    for (int i = 0; i < x->rank; i++) {
        attributes.slice.begin[i] = g->call->attributes.pad.before[i];
        attributes.slice.size[i] = x->dim[i];
        attributes.slice.step[i] = g->call->attributes.pad.between[i] + 1;
    }
    if (graft_gradient_wanted(g, X)) {
        g->input_gradients[X] =
            graft_emit_one(g->emitter, GRAFT_OP_SLICE, &attributes, g->output_gradients[0]);
    }
}

static void format(const struct graft_call *call, char *text, size_t size)
{
    const struct graft_pad_attributes *const a = &call->attributes.pad;
    for (int i = 0; i < call->in[X].shape.rank && i < GRAFT_MAX_RANK; i++) {
        graft_format_append(text, size, "%s%" PRId64 "+%" PRId64, i == 0 ? " by " : ",", a->before[i],
                            a->after[i]);
        if (a->between[i] > 0) {
            graft_format_append(text, size, "/%" PRId64, a->between[i]);
        }
    }
    graft_format_append(text, size, " with %g", (double)a->value);
}

static bool separate(struct graft_call *call, uint32_t batched, int64_t rows)
{
    const struct graft_pad_attributes *const a = &call->attributes.pad;
    return a->before[0] == 0 && a->after[0] == 0 && graft_separate_x(call, batched, rows);
}

const struct graft_op_def graft_op_pad = {
    .name = "pad",
    .input_names = {"x"},
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .accumulates = true,
    .infer = infer,
    .separate = separate,
    .gradient = gradient,
    .work = graft_work_copy,
    .format = format,
};
