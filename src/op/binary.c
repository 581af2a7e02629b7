/* SPDX-License-Identifier: MIT */
/* y = activation(a op b), shapes broadcast. */
#include "op/check.h"
#include "op/emit.h"

enum { A, B };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_binary_attributes *const a = &call->attributes.binary;
    struct graft_shape y;
    enum graft_status status;
    if ((status = graft_check_binary(context, call)) != GRAFT_OK ||
        (status = graft_check_activation(context, call, a->activation)) != GRAFT_OK) {
        return status;
    }
    if (!graft_shape_broadcast(graft_call_shape(call, A), graft_call_shape(call, B), &y)) {
        return graft_op_fail(context, call,
                             "the shapes do not fit: aligned at the last, dimensions must be equal or 1");
    }
    graft_call_output(call, 0, &y);
    return GRAFT_OK;
}

/* The gradient for an operand, before the sum over what was stretched. */
static int full_gradient(struct graft_gradient *g, int operand, int dy)
{
    const enum graft_binary kind = g->call->attributes.binary.kind;
    const union graft_attributes attributes = {.binary = {.kind = kind, .operand = operand}};
    const int inputs[] = {g->inputs[A], g->inputs[B], dy};
    switch (kind) {
    case GRAFT_BINARY_ADD:
    case GRAFT_BINARY_SUB: /* the sign of b comes after the sum */
        return dy;
    case GRAFT_BINARY_MUL:
        return graft_emit_binary(g->emitter, GRAFT_BINARY_MUL, dy, g->inputs[A + B - operand]);
    case GRAFT_BINARY_DIV:
        if (operand == A) {
            return graft_emit_binary(g->emitter, GRAFT_BINARY_DIV, dy, g->inputs[B]);
        }
        break;
    default:
        break;
    }
    return dy < 0 ? -1 : g->emitter->apply(g->emitter, GRAFT_OP_BINARY_GRAD, &attributes, inputs, 3, NULL);
}

static void gradient(struct graft_gradient *g)
{
    graft_gradient_start(g);
    const struct graft_binary_attributes *const a = &g->call->attributes.binary;
    const int dy =
        graft_emit_activation_grad(g->emitter, a->activation, g->outputs[0], g->output_gradients[0]);
    for (int i = A; i <= B; i++) {
        if (graft_gradient_wanted(g, i)) {
            const struct graft_shape *const shape = graft_call_shape(g->call, i);
            const int sum = graft_emit_sum_to(g->emitter, full_gradient(g, i, dy), shape);
            g->input_gradients[i] = i == B && a->kind == GRAFT_BINARY_SUB
                                        ? graft_emit_broadcast(g->emitter, sum, shape, -1)
                                        : sum;
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
    graft_format_append(text, size, " %s", graft_binary_name(a->kind));
    graft_format_activation(a->activation, text, size);
}

/* What is not in rows must be the same for all of them. */
static bool separate(struct graft_call *call, uint32_t batched, int64_t rows)
{
    (void)rows;
    const int rank = call->out[0].shape.rank;
    for (int i = A; i <= B; i++) {
        const struct graft_shape *const shape = graft_call_shape(call, i);
        if (batched >> i & 1u ? shape->rank != rank : shape->rank == rank && shape->dim[0] != 1) {
            return false;
        }
    }
    return rank >= 2;
}

/* What is stretched along the dimension is the same for all of it. */
static bool narrow(struct graft_call *call, const struct graft_rows *rows, struct graft_rows *in)
{
    const int rank = call->out[0].shape.rank;
    for (int i = A; i <= B; i++) {
        const struct graft_shape *const shape = graft_call_shape(call, i);
        const int dimension = rows->dimension - (rank - shape->rank);
        if (dimension >= 0 && shape->dim[dimension] != 1) {
            in[i] = *rows;
            in[i].dimension = dimension;
        }
    }
    return rows->dimension < rank - 1;
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
    .activation = offsetof(union graft_attributes, binary.activation),
    .infer = infer,
    .separate = separate,
    .narrow = narrow,
    .gradient = gradient,
    .work = work,
    .format = format,
};
