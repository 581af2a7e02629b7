/* SPDX-License-Identifier: MIT */
/* y = the part of x from `begin` on, of size `size`; of every `step`-th element. */
#include "op/check.h"
#include "op/emit.h"

#include <inttypes.h>

enum { X };

static int64_t step_of(const struct graft_slice_attributes *a, int dimension)
{
    return a->step[dimension] == 0 ? 1 : a->step[dimension];
}

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_slice_attributes *const a = &call->attributes.slice;
    const struct graft_shape *const x = graft_call_shape(call, X);
    struct graft_shape y = {.rank = x->rank};
    for (int i = 0; i < x->rank; i++) {
        if (a->step[i] < 0) {
            return graft_op_fail(context, call,
                                 "the step of dimension %d is %" PRId64 "; it must be at least 1", i,
                                 a->step[i]);
        }
        /* how many there are from begin on */
        const int64_t most = a->begin[i] < 0 || a->begin[i] > x->dim[i]
                                 ? -1
                                 : (x->dim[i] - a->begin[i]) / step_of(a, i) +
                                       ((x->dim[i] - a->begin[i]) % step_of(a, i) != 0);
        if (a->size[i] < 0 || a->size[i] > most) {
            char apart[48] = "";
            if (step_of(a, i) > 1) {
                graft_format_append(apart, sizeof apart, ", %" PRId64 " apart,", a->step[i]);
            }
            return graft_op_fail(context, call,
                                 "%" PRId64 " elements from %" PRId64 " on%s are not in dimension %d",
                                 a->size[i], a->begin[i], apart, i);
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
        attributes.pad.between[i] = step_of(a, i) - 1;
        const int64_t end = a->size[i] > 0 ? a->begin[i] + (a->size[i] - 1) * step_of(a, i) + 1 : a->begin[i];
        attributes.pad.after[i] = x->dim[i] - end;
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
        if (step_of(a, i) > 1) {
            graft_format_append(text, size, "x%" PRId64, a->step[i]);
        }
    }
}

static bool separate(struct graft_call *call, uint32_t batched, int64_t rows)
{
    struct graft_slice_attributes *const a = &call->attributes.slice;
    if (!graft_separate_x(call, batched, rows) || a->begin[0] != 0 ||
        a->size[0] != graft_call_shape(call, X)->dim[0]) {
        return false;
    }
    a->size[0] = rows;
    return true;
}

const struct graft_op_def graft_op_slice = {
    .name = "slice",
    .input_names = {"x"},
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .accumulates = true,
    .infer = infer,
    .separate = separate,
    .gradient = gradient,
    .work = work,
    .format = format,
};
