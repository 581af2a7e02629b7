/* SPDX-License-Identifier: MIT */
/*
 * What the ops' shape rules share: each check passes for an input that is absent and fails with a message
 * that names op, input and shapes.
 */
#ifndef GRAFT_SRC_OP_CHECK_H
#define GRAFT_SRC_OP_CHECK_H

#include "base/context.h"
#include "op/op.h"

static inline bool graft_call_has(const struct graft_call *call, int input)
{
    return call->in[input].dtype != GRAFT_DTYPE_NONE;
}

static inline const struct graft_shape *graft_call_shape(const struct graft_call *call, int input)
{
    return &call->in[input].shape;
}

/* Makes output `output` a real tensor of that shape. */
static inline void graft_call_output(struct graft_call *call, int output, const struct graft_shape *shape)
{
    call->out[output] = (struct graft_desc){call->real, *shape};
}

/* The last dimension: channels, classes. The rank must be ≥ 1. */
static inline int64_t graft_shape_last(const struct graft_shape *shape)
{
    return shape->dim[shape->rank - 1];
}

enum graft_status graft_check_rank(struct graft_context *context, const struct graft_call *call, int input,
                                   int lowest, int highest);
/* `like` says where the shape comes from: "that of x". */
enum graft_status graft_check_shape(struct graft_context *context, const struct graft_call *call, int input,
                                    const struct graft_shape *expected, const char *like);
enum graft_status graft_check_vector(struct graft_context *context, const struct graft_call *call, int input,
                                     int64_t length);
/* lowest ≤ value < limit, so NaN fails. */
enum graft_status graft_check_number(struct graft_context *context, const struct graft_call *call,
                                     const char *name, double value, double lowest, double limit);
/* The attributes of unary and unary_grad. */
enum graft_status graft_check_unary(struct graft_context *context, const struct graft_call *call);
/* Those of binary and binary_grad, but for the activation. */
enum graft_status graft_check_binary(struct graft_context *context, const struct graft_call *call);
/* The activation of another op: one that fuses. */
enum graft_status graft_check_activation(struct graft_context *context, const struct graft_call *call,
                                         enum graft_unary kind);

/* Shape rules that several ops have in common. */

/* Attributes and shapes of a convolution of x [n, h, w, c] with w [o, kh, kw, c / groups] → y [n, oh, ow, o].
 */
enum graft_status graft_conv2d_shape(struct graft_context *context, const struct graft_call *call,
                                     const struct graft_shape *x, const struct graft_shape *w,
                                     struct graft_shape *y);
/* Attributes and shapes of a pooling of x [n, h, w, c] → y [n, oh, ow, c]; adaptive sizes are for averages
 * only. */
enum graft_status graft_pool_shape(struct graft_context *context, const struct graft_call *call,
                                   const struct graft_shape *x, struct graft_shape *y);
/* Attributes and shapes of a resizing of x [n, h, w, c] to y [n, size, c]. */
enum graft_status graft_resize_check(struct graft_context *context, const struct graft_call *call, int input);
enum graft_status graft_lrn_check(struct graft_context *context, const struct graft_call *call);
/* x, y, dy of a batch normalization: rank ≥ 2, channels last, each of the given inputs a vector of them. */
enum graft_status graft_batch_norm_check(struct graft_context *context, const struct graft_call *call,
                                         int first_vector, int last_vector);
/* Of its gradients: an activation's slope takes the input (gamma, beta), and nothing else does. */
enum graft_status graft_batch_norm_check_slope(struct graft_context *context, const struct graft_call *call,
                                               int input);
/* x of a group normalization: rank ≥ 2, groups that divide the channels and are not empty; the input `vector`
 * one of channels, `stats` [n, groups, 2]. -1 for an input that the op does not have. */
enum graft_status graft_group_norm_check(struct graft_context *context, const struct graft_call *call,
                                         int vector, int stats);
void graft_format_group_norm(const struct graft_call *call, char *text, size_t size);
void graft_format_attention(const struct graft_call *call, char *text, size_t size);
/* Inputs and attributes of attention; of its gradients, dy, lse and delta too. */
enum graft_status graft_attention_check(struct graft_context *context, const struct graft_call *call);
/* Work of an attention op with so many products of vectors for each pair of a query and a key. */
void graft_work_attention(const struct graft_call *call, double products, double terms, struct graft_work *work);
/* p, gradient and the states have one shape, hyper is [4], and the attributes are in range. */
enum graft_status graft_update_check(struct graft_context *context, const struct graft_call *call);

/* For graft_op_def.narrow: of x, whose shape is the output's and whose last dimension belongs together. */
bool graft_narrow_x(struct graft_call *call, const struct graft_rows *rows, struct graft_rows *in);
/* For graft_op_def.separate: x, and the residual if there is one, are in rows; then all inputs that are
 * given. */
bool graft_separate_x(struct graft_call *call, uint32_t batched, int64_t rows);
bool graft_separate_all(struct graft_call *call, uint32_t batched, int64_t rows);
/* An attribute that is the shape of output 0: its dimension 0 must be that of x, and becomes `rows`. */
bool graft_separate_shape(struct graft_shape *shape, const struct graft_call *call, int64_t rows);

/* Text of attributes, for graft_op_def.format. */
void graft_format_append(char *text, size_t size, const char *format, ...) GRAFT_PRINTF(3, 4);
void graft_format_activation(enum graft_unary kind, char *text, size_t size);
void graft_format_unary(const struct graft_call *call, char *text, size_t size);
void graft_format_conv2d(const struct graft_call *call, char *text, size_t size);
void graft_format_pool(const struct graft_call *call, char *text, size_t size);
void graft_format_batch_norm(const struct graft_call *call, char *text, size_t size);
void graft_format_resize(const struct graft_call *call, char *text, size_t size);
void graft_format_lrn(const struct graft_call *call, char *text, size_t size);
/* What all updates have, behind their own. */
void graft_format_update(const struct graft_call *call, char *text, size_t size);

/* Work. */

/* Each present input read once, each output written once; what is accumulated or changed in place moves
 * twice. */
double graft_work_bytes(const struct graft_call *call);
/* `flops` for each element of output 0, and one term. */
void graft_work_elementwise(const struct graft_call *call, double flops, struct graft_work *work);
/* An op that only moves elements. */
void graft_work_copy(const struct graft_call *call, struct graft_work *work);
/* `terms` multiply-adds for each of `count` results. */
void graft_work_products(const struct graft_call *call, double count, double terms, struct graft_work *work);

#endif
