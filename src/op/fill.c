/* SPDX-License-Identifier: MIT */
/* y = one value everywhere. */
#include "op/check.h"

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_shape *const shape = &call->attributes.fill.shape;
    if (!graft_shape_check(shape)) {
        return graft_op_fail(context, call, "the shape asked for is not valid");
    }
    graft_call_output(call, 0, shape);
    return GRAFT_OK;
}

static void format(const struct graft_call *call, char *text, size_t size)
{
    graft_format_append(text, size, " with %g", (double)call->attributes.fill.value);
}

const struct graft_op_def graft_op_fill = {
    .name = "fill",
    .min_inputs = 0,
    .max_inputs = 0,
    .n_outputs = 1,
    .infer = infer,
    .work = graft_work_copy,
    .format = format,
};
