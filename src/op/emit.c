/* SPDX-License-Identifier: MIT */
/* Nodes that gradient rules add. */
#include "op/emit.h"

void graft_gradient_start(struct graft_gradient *gradient)
{
    for (int i = 0; i < GRAFT_MAX_INPUTS; i++) {
        gradient->input_gradients[i] = -1;
    }
}

int graft_emit_one(struct graft_emitter *emitter, enum graft_op op, const union graft_attributes *attributes,
                   int x)
{
    return x < 0 ? -1 : emitter->apply(emitter, op, attributes, &x, 1, NULL);
}

int graft_emit_two(struct graft_emitter *emitter, enum graft_op op, const union graft_attributes *attributes,
                   int a, int b)
{
    const int inputs[] = {a, b};
    return a < 0 || b < 0 ? -1 : emitter->apply(emitter, op, attributes, inputs, 2, NULL);
}

int graft_emit_matmul(struct graft_emitter *emitter, int a, bool transpose_a, int b, bool transpose_b)
{
    const union graft_attributes attributes = {
        .matmul = {.transpose_a = transpose_a, .transpose_b = transpose_b}};
    return graft_emit_two(emitter, GRAFT_OP_MATMUL, &attributes, a, b);
}

int graft_emit_binary(struct graft_emitter *emitter, enum graft_binary kind, int a, int b)
{
    const union graft_attributes attributes = {.binary = {.kind = kind}};
    return graft_emit_two(emitter, GRAFT_OP_BINARY, &attributes, a, b);
}

int graft_emit_activation_grad(struct graft_emitter *emitter, enum graft_unary kind, int y, int dy)
{
    if (kind == GRAFT_UNARY_NONE || dy < 0 || y < 0) {
        return kind == GRAFT_UNARY_NONE ? dy : -1;
    }
    const union graft_attributes attributes = {.unary = {.kind = kind}};
    const int inputs[] = {-1, y, dy};
    return emitter->apply(emitter, GRAFT_OP_UNARY_GRAD, &attributes, inputs, 3, NULL);
}

int graft_emit_sum(struct graft_emitter *emitter, int x, uint32_t axes)
{
    const union graft_attributes attributes = {.reduce = {.kind = GRAFT_REDUCE_SUM, .axes = axes}};
    return axes == 0 ? x : graft_emit_one(emitter, GRAFT_OP_REDUCE, &attributes, x);
}

int graft_emit_sum_rows(struct graft_emitter *emitter, int x)
{
    const int rank = graft_emit_shape(emitter, x).rank;
    return graft_emit_sum(emitter, x, rank > 1 ? (1u << (rank - 1)) - 1 : 0);
}

int graft_emit_reshape(struct graft_emitter *emitter, int x, const struct graft_shape *shape)
{
    const struct graft_shape from = graft_emit_shape(emitter, x);
    const union graft_attributes attributes = {.reshape = {.shape = *shape}};
    return graft_shape_equal(&from, shape) ? x : graft_emit_one(emitter, GRAFT_OP_RESHAPE, &attributes, x);
}

int graft_emit_broadcast(struct graft_emitter *emitter, int x, const struct graft_shape *shape, float scale)
{
    const union graft_attributes attributes = {.broadcast = {.shape = *shape, .scale = scale}};
    return graft_emit_one(emitter, GRAFT_OP_BROADCAST, &attributes, x);
}

int graft_emit_sum_to(struct graft_emitter *emitter, int x, const struct graft_shape *shape)
{
    const struct graft_shape from = graft_emit_shape(emitter, x);
    uint32_t axes = 0;
    for (int i = 0; i < from.rank; i++) {
        const int at = i - (from.rank - shape->rank);
        const int64_t dim = at < 0 ? 1 : shape->dim[at];
        if (dim != from.dim[i]) {
            axes |= 1u << i;
        }
    }
    return graft_emit_reshape(emitter, graft_emit_sum(emitter, x, axes), shape);
}
