/* SPDX-License-Identifier: MIT */
/* dx = dy · f'(x), from x or from y = f(x) as graft_unary_needs says. */
#include "op/check.h"

enum { X, Y, DY };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_shape *const dy = graft_call_shape(call, DY);
    const enum graft_unary kind = call->attributes.unary.kind;
    enum graft_status status;
    if ((status = graft_check_unary(context, call)) != GRAFT_OK ||
        (status = graft_check_shape(context, call, X, dy, "that of dy")) != GRAFT_OK ||
        (status = graft_check_shape(context, call, Y, dy, "that of dy")) != GRAFT_OK) {
        return status;
    }
    const int needed = graft_unary_needs(kind) == GRAFT_UNARY_FROM_X ? X : Y;
    if (!graft_call_has(call, needed)) {
        return graft_op_fail(context, call, "the derivative of %s is computed from %s, which is missing%s",
                             graft_unary_name(kind), needed == X ? "x" : "y",
                             needed == X ? ": make it an op of its own, not another's activation" : "");
    }
    graft_call_output(call, 0, dy);
    return GRAFT_OK;
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    graft_work_elementwise(call, 1, work);
}

static bool separate(struct graft_call *call, uint32_t batched, int64_t rows)
{
    const uint32_t there = (uint32_t)graft_call_has(call, X) << X | (uint32_t)graft_call_has(call, Y) << Y | 1u << DY;
    (void)rows;
    return batched == there && graft_call_shape(call, DY)->rank >= 2;
}

const struct graft_op_def graft_op_unary_grad = {
    .name = "unary_grad",
    .input_names = {"x", "y", "dy"},
    .min_inputs = 3,
    .max_inputs = 3,
    .n_outputs = 1,
    .optional = 1u << X | 1u << Y,
    .in_place = 1u << DY,
    .accumulates = true,
    .infer = infer,
    .separate = separate,
    .work = work,
    .format = graft_format_unary,
};
