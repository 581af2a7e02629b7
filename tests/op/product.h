/* SPDX-License-Identifier: MIT */
/* Convolutions and matrix products as sums of products: which operands an element of the result takes. */
#ifndef GRAFT_TESTS_OP_PRODUCT_H
#define GRAFT_TESTS_OP_PRODUCT_H

#include "harness.h"

/*
 * A call of conv2d, conv2d_grad_input, conv2d_grad_weight or matmul with its operands. The first operand
 * holds integers; the second one, bias, residual, prior and results hold integers times 2^-exponent, which
 * lets an activation with an upper end (relu6) be the identity on all of them.
 */
struct graft_product {
    const struct graft_call *call;
    const float *in[GRAFT_MAX_INPUTS];
    const float *prior; /* what the result is added to, or NULL */
    int exponent;
    const bool *clipped; /* [channels of the result]: those where the activation is no identity, which the
                            check leaves out; NULL: none */
};

/* The result as [images, places, channels]; places are what Freivalds' check tells apart. */
struct graft_product_form {
    int64_t images, places, channels;
};

bool graft_product_is(enum graft_op op);
struct graft_product_form graft_product_form_of(const struct graft_call *call);
/* One element of the result, summed up as the definition says, activation included. Exact. */
double graft_product_element(const struct graft_product *product, int64_t index);
/* Products that this sum takes. */
double graft_product_terms(const struct graft_call *call);

/* Of a convolution or one of its gradients. */
struct graft_product_geometry {
    int64_t n, h, w, c; /* of the side that the window moves over: x, or dx */
    int64_t oh, ow, o;  /* of the other one: y, or dy */
    int64_t kh, kw, groups, c_each, o_each;
    int32_t stride[2], dilation[2], pad[2];
};

struct graft_product_geometry graft_product_geometry_of(const struct graft_call *call);

/* The place of x that output (oh, ow) reads at tap (y, x); -1: outside. */
static inline int64_t graft_product_input_place(const struct graft_product_geometry *g, int64_t oh,
                                                int64_t ow, int64_t y, int64_t x)
{
    const int64_t h = oh * g->stride[0] + y * g->dilation[0] - g->pad[0];
    const int64_t w = ow * g->stride[1] + x * g->dilation[1] - g->pad[1];
    return h >= 0 && h < g->h && w >= 0 && w < g->w ? h * g->w + w : -1;
}

/* The output that reads (h, w) of x at tap (y, x); -1: none. */
static inline int64_t graft_product_output_place(const struct graft_product_geometry *g, int64_t h, int64_t w,
                                                 int64_t y, int64_t x)
{
    const int64_t oh = h + g->pad[0] - y * g->dilation[0];
    const int64_t ow = w + g->pad[1] - x * g->dilation[1];
    if (oh < 0 || ow < 0 || oh % g->stride[0] != 0 || ow % g->stride[1] != 0 || oh / g->stride[0] >= g->oh ||
        ow / g->stride[1] >= g->ow) {
        return -1;
    }
    return oh / g->stride[0] * g->ow + ow / g->stride[1];
}

/* Of matmul: batches of [m, k] · [k, n], whose operands may be stored transposed; b may be shared. */
struct graft_product_matrices {
    int64_t batches, m, n, k;
    bool turned_a, turned_b, shared;
};

struct graft_product_matrices graft_product_matrices_of(const struct graft_call *call);

#endif
