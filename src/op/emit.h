/* SPDX-License-Identifier: MIT */
/*
 * Nodes that gradient rules add. Values are ids; a value of -1 (absent, or after a failure) gives -1, so
 * rules need no checks between their steps.
 */
#ifndef GRAFT_SRC_OP_EMIT_H
#define GRAFT_SRC_OP_EMIT_H

#include "op/op.h"

/* Sets all results to -1; the first line of every rule. */
void graft_gradient_start(struct graft_gradient *gradient);

static inline bool graft_gradient_wanted(const struct graft_gradient *gradient, int input)
{
    return input < gradient->call->n_inputs && gradient->inputs[input] >= 0 && gradient->wanted[input];
}

static inline struct graft_shape graft_emit_shape(struct graft_emitter *emitter, int value)
{
    const struct graft_desc *const desc = value >= 0 ? emitter->desc(emitter, value) : NULL;
    return desc != NULL ? desc->shape : (struct graft_shape){0};
}

int graft_emit_matmul(struct graft_emitter *emitter, int a, bool transpose_a, int b, bool transpose_b);
int graft_emit_binary(struct graft_emitter *emitter, enum graft_binary kind, int a, int b);
/* Through an activation whose derivative is computed from y; NONE gives dy itself. */
int graft_emit_activation_grad(struct graft_emitter *emitter, enum graft_unary kind, int y, int dy);
/* Sums over the axes and drops them; no axes gives x itself. */
int graft_emit_sum(struct graft_emitter *emitter, int x, uint32_t axes);
/* Sums over all dimensions but the last. */
int graft_emit_sum_rows(struct graft_emitter *emitter, int x);
/* x itself where it already has that shape. */
int graft_emit_reshape(struct graft_emitter *emitter, int x, const struct graft_shape *shape);
int graft_emit_broadcast(struct graft_emitter *emitter, int x, const struct graft_shape *shape, float scale);
/* The gradient of a broadcast from `shape`: sums over whatever was stretched. */
int graft_emit_sum_to(struct graft_emitter *emitter, int x, const struct graft_shape *shape);
/* An op with one required input and the given attributes. */
int graft_emit_one(struct graft_emitter *emitter, enum graft_op op, const union graft_attributes *attributes,
                   int x);
/* An op with two. */
int graft_emit_two(struct graft_emitter *emitter, enum graft_op op, const union graft_attributes *attributes,
                   int a, int b);

#endif
