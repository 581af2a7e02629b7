/* SPDX-License-Identifier: MIT */
/* y[n, oh, ow, c] = x at a place between its pixels: the nearest one, or a mean of four. */
#include "op/check.h"
#include "op/emit.h"

#include <inttypes.h>

enum { X };

enum graft_status graft_resize_check(struct graft_context *context, const struct graft_call *call, int input)
{
    const struct graft_resize_attributes *const a = &call->attributes.resize;
    const enum graft_status status = graft_check_rank(context, call, input, 4, 4);
    if (status != GRAFT_OK) {
        return status;
    }
    if ((unsigned)a->mode > GRAFT_RESIZE_BILINEAR) {
        return graft_op_fail(context, call, "there is no way to resize of number %d", (int)a->mode);
    }
    if (a->align_corners && a->mode == GRAFT_RESIZE_NEAREST) {
        return graft_op_fail(context, call, "align_corners goes with the bilinear mode only");
    }
    for (int i = 0; i < 2; i++) {
        const int64_t in = graft_call_shape(call, input)->dim[1 + i];
        if (in < 1 || in > GRAFT_RESIZE_MAX_SIZE || a->size[i] < 1 || a->size[i] > GRAFT_RESIZE_MAX_SIZE) {
            return graft_op_fail(context, call,
                                 "from %" PRId64 " to %d along dimension %d: sizes are 1 to %d", in,
                                 a->size[i], 1 + i, GRAFT_RESIZE_MAX_SIZE);
        }
    }
    return GRAFT_OK;
}

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_resize_attributes *const a = &call->attributes.resize;
    const enum graft_status status = graft_resize_check(context, call, X);
    if (status != GRAFT_OK) {
        return status;
    }
    const struct graft_shape *const x = graft_call_shape(call, X);
    const struct graft_shape y = graft_shape_of(4, x->dim[0], a->size[0], a->size[1], x->dim[3]);
    graft_call_output(call, 0, &y);
    return GRAFT_OK;
}

static void gradient(struct graft_gradient *g)
{
    graft_gradient_start(g);
    union graft_attributes attributes = g->call->attributes;
    for (int i = 0; i < 2; i++) {
        attributes.resize.size[i] = (int32_t)graft_call_shape(g->call, X)->dim[1 + i];
    }
    if (graft_gradient_wanted(g, X)) {
        g->input_gradients[X] =
            graft_emit_one(g->emitter, GRAFT_OP_RESIZE_GRAD, &attributes, g->output_gradients[0]);
    }
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    const bool bilinear = call->attributes.resize.mode == GRAFT_RESIZE_BILINEAR;
    graft_work_elementwise(call, bilinear ? 7 : 0, work);
    work->terms = bilinear ? 4 : 1;
}

const struct graft_op_def graft_op_resize = {
    .name = "resize",
    .input_names = {"x"},
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .infer = infer,
    .separate = graft_separate_x,
    .gradient = gradient,
    .work = work,
    .format = graft_format_resize,
};
