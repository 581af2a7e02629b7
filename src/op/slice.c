/* SPDX-License-Identifier: MIT */
/* y = the part of x from `begin` on, of size `size`. */
#include "op/check.h"
#include "op/emit.h"

#include <inttypes.h>

enum { X };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_slice_attributes *const a = &call->attributes.slice;
    const struct graft_shape *const x = graft_call_shape(call, X);
    struct graft_shape y = {.rank = x->rank};
    for (int i = 0; i < x->rank; i++) {
        if (a->begin[i] < 0 || a->size[i] < 0 || a->begin[i] > x->dim[i] ||
            a->size[i] > x->dim[i] - a->begin[i]) {
            return graft_op_fail(context, call,
                                 "%" PRId64 " elements from %" PRId64 " on are not in dimension %d",
                                 a->size[i], a->begin[i], i);
        }
        y.dim[i] = a->size[i];
    }
    graft_call_output(call, 0, &y);
    return GRAFT_OK;
}

static void gradient(struct graft_gradient *g)
{
    graft_gradient_start(g);
    const struct graft_slice_attributes *const a = &g->call->attributes.slice;
    const struct graft_shape *const x = graft_call_shape(g->call, X);
    union graft_attributes attributes = {0};
    for (int i = 0; i < x->rank; i++) {
        attributes.pad.before[i] = a->begin[i];
        attributes.pad.after[i] = x->dim[i] - a->begin[i] - a->size[i];
    }
    if (graft_gradient_wanted(g, X)) {
        g->input_gradients[X] = graft_emit_one(g->emitter, GRAFT_OP_PAD, &attributes, g->output_gradients[0]);
    }
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    graft_work_copy(call, work);
    work->bytes = 2 * (double)graft_desc_bytes(&call->out[0]); /* the rest of x is not read */
}

static void format(const struct graft_call *call, char *text, size_t size)
{
    const struct graft_slice_attributes *const a = &call->attributes.slice;
    for (int i = 0; i < call->in[X].shape.rank && i < GRAFT_MAX_RANK; i++) {
        graft_format_append(text, size, "%s%" PRId64 "+%" PRId64, i == 0 ? " from " : ",", a->begin[i],
                            a->size[i]);
    }
}

const struct graft_op_def graft_op_slice = {
    .name = "slice",
    .input_names = {"x"},
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .accumulates = true,
    .infer = infer,
    .gradient = gradient,
    .work = work,
    .format = format,
};
