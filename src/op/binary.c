/* SPDX-License-Identifier: MIT */
/* y = activation(a + b) or activation(a · b), shapes broadcast. */
#include "op/check.h"
#include "op/emit.h"

enum { A, B };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_binary_attributes *const a = &call->attributes.binary;
    struct graft_shape y;
    if ((unsigned)a->kind > GRAFT_BINARY_MUL) {
        return graft_op_fail(context, call, "there is no binary function of number %d", (int)a->kind);
    }
    const enum graft_status status = graft_check_unary(context, call, a->activation);
    if (status != GRAFT_OK) {
        return status;
    }
    if (!graft_shape_broadcast(graft_call_shape(call, A), graft_call_shape(call, B), &y)) {
        return graft_op_fail(context, call,
                             "the shapes do not fit: aligned at the last, dimensions must be equal or 1");
    }
    graft_call_output(call, 0, &y);
    return GRAFT_OK;
}

static void gradient(struct graft_gradient *g)
{
    graft_gradient_start(g);
    const struct graft_binary_attributes *const a = &g->call->attributes.binary;
    const int dy =
        graft_emit_activation_grad(g->emitter, a->activation, g->outputs[0], g->output_gradients[0]);
    for (int i = A; i <= B; i++) {
        if (graft_gradient_wanted(g, i)) {
            const int full = a->kind == GRAFT_BINARY_MUL
                                 ? graft_emit_binary(g->emitter, GRAFT_BINARY_MUL, dy, g->inputs[A + B - i])
                                 : dy;
            g->input_gradients[i] = graft_emit_sum_to(g->emitter, full, graft_call_shape(g->call, i));
        }
    }
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    graft_work_elementwise(call, 1, work);
}

static void format(const struct graft_call *call, char *text, size_t size)
{
    const struct graft_binary_attributes *const a = &call->attributes.binary;
    graft_format_append(text, size, " %s", a->kind == GRAFT_BINARY_ADD ? "add" : "mul");
    graft_format_activation(a->activation, text, size);
}

const struct graft_op_def graft_op_binary = {
    .name = "binary",
    .input_names = {"a", "b"},
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .in_place = 1u << A | 1u << B,
    .accumulates = true,
    .fuses_unary = true,
    .infer = infer,
    .gradient = gradient,
    .work = work,
    .format = format,
};
