/* SPDX-License-Identifier: MIT */
/*
 * out = dy · ∂(a op b)/∂a, or ∂b, in dy's shape, which is that of a op b: the sum over what was stretched is
 * a node of its own. Sums and products have gradients made of other ops.
 */
#include "op/check.h"

enum { A, B, DY };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_binary_attributes *const a = &call->attributes.binary;
    struct graft_shape y;
    enum graft_status status;
    if ((status = graft_check_binary(context, call)) != GRAFT_OK) {
        return status;
    }
    if (a->kind == GRAFT_BINARY_ADD || a->kind == GRAFT_BINARY_SUB || a->kind == GRAFT_BINARY_MUL) {
        return graft_op_fail(context, call, "the gradient of %s is made of other ops",
                             graft_binary_name(a->kind));
    }
    if (a->operand != A && a->operand != B) {
        return graft_op_fail(context, call, "operand is %d; it must be 0 or 1", (int)a->operand);
    }
    if (a->activation != GRAFT_UNARY_NONE) {
        return graft_op_fail(context, call, "it has no activation");
    }
    if (!graft_shape_broadcast(graft_call_shape(call, A), graft_call_shape(call, B), &y)) {
        return graft_op_fail(context, call,
                             "the shapes do not fit: aligned at the last, dimensions must be equal or 1");
    }
    if ((status = graft_check_shape(context, call, DY, &y, "that of a and b stretched")) != GRAFT_OK) {
        return status;
    }
    graft_call_output(call, 0, &y);
    return GRAFT_OK;
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    graft_work_elementwise(call, 3, work);
}

static void format(const struct graft_call *call, char *text, size_t size)
{
    const struct graft_binary_attributes *const a = &call->attributes.binary;
    graft_format_append(text, size, " %s for %s", graft_binary_name(a->kind), a->operand == A ? "a" : "b");
}

const struct graft_op_def graft_op_binary_grad = {
    .name = "binary_grad",
    .input_names = {"a", "b", "dy"},
    .min_inputs = 3,
    .max_inputs = 3,
    .n_outputs = 1,
    .in_place = 1u << A | 1u << B | 1u << DY,
    .accumulates = true,
    .infer = infer,
    .work = work,
    .format = format,
};
