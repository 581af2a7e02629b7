/* SPDX-License-Identifier: MIT */
#include "product.h"

#include <math.h>

struct graft_product_geometry graft_product_geometry_of(const struct graft_call *call)
{
    const struct graft_conv2d_attributes *const a = &call->attributes.conv2d;
    const struct graft_shape *x = &call->in[0].shape;
    const struct graft_shape *w = &call->in[1].shape;
    const struct graft_shape *y = &call->out[0].shape;
    if (call->op == GRAFT_OP_CONV2D_GRAD_INPUT) {
        x = &call->out[0].shape;
        y = &call->in[0].shape;
    } else if (call->op == GRAFT_OP_CONV2D_GRAD_WEIGHT) {
        w = &call->out[0].shape;
        y = &call->in[1].shape;
    }
    return (struct graft_product_geometry){.n = x->dim[0],
                                           .h = x->dim[1],
                                           .w = x->dim[2],
                                           .c = x->dim[3],
                                           .oh = y->dim[1],
                                           .ow = y->dim[2],
                                           .o = y->dim[3],
                                           .kh = w->dim[1],
                                           .kw = w->dim[2],
                                           .groups = a->groups,
                                           .c_each = x->dim[3] / a->groups,
                                           .o_each = y->dim[3] / a->groups,
                                           .stride = {a->stride[0], a->stride[1]},
                                           .dilation = {a->dilation[0], a->dilation[1]},
                                           .pad = {a->pad[0], a->pad[2]}};
}

struct graft_product_matrices graft_product_matrices_of(const struct graft_call *call)
{
    const struct graft_shape *const a = &call->in[0].shape;
    const struct graft_shape *const y = &call->out[0].shape;
    struct graft_product_matrices s = {.batches = 1,
                                       .m = y->dim[y->rank - 2],
                                       .n = y->dim[y->rank - 1],
                                       .turned_a = call->attributes.matmul.transpose_a,
                                       .turned_b = call->attributes.matmul.transpose_b,
                                       .shared = call->in[1].shape.rank < y->rank};
    s.k = a->dim[a->rank - (s.turned_a ? 2 : 1)];
    for (int d = 0; d + 2 < y->rank; d++) {
        s.batches *= y->dim[d];
    }
    return s;
}

bool graft_product_is(enum graft_op op)
{
    return op == GRAFT_OP_CONV2D || op == GRAFT_OP_CONV2D_GRAD_INPUT || op == GRAFT_OP_CONV2D_GRAD_WEIGHT ||
           op == GRAFT_OP_MATMUL;
}

struct graft_product_form graft_product_form_of(const struct graft_call *call)
{
    if (call->op == GRAFT_OP_MATMUL) {
        const struct graft_product_matrices s = graft_product_matrices_of(call);
        return (struct graft_product_form){1, s.batches * s.m, s.n};
    }
    const struct graft_shape *const y = &call->out[0].shape;
    return (struct graft_product_form){y->dim[0], y->dim[1] * y->dim[2], y->dim[3]};
}

/* ---- the definition ---- */

static double sum_conv2d(const struct graft_product *product, int64_t index)
{
    const struct graft_product_geometry g = graft_product_geometry_of(product->call);
    const int64_t o = index % g.o;
    const int64_t p = index / g.o % (g.oh * g.ow);
    const int64_t n = index / g.o / (g.oh * g.ow);
    double sum = 0;
    for (int64_t t = 0; t < g.kh * g.kw; t++) {
        const int64_t place = graft_product_input_place(&g, p / g.ow, p % g.ow, t / g.kw, t % g.kw);
        if (place < 0) {
            continue;
        }
        const float *const x = product->in[0] + (n * g.h * g.w + place) * g.c + o / g.o_each * g.c_each;
        const float *const w = product->in[1] + (o * g.kh * g.kw + t) * g.c_each;
        for (int64_t c = 0; c < g.c_each; c++) {
            sum += (double)x[c] * (double)w[c];
        }
    }
    return sum;
}

static double sum_grad_input(const struct graft_product *product, int64_t index)
{
    const struct graft_product_geometry g = graft_product_geometry_of(product->call);
    const int64_t c = index % g.c;
    const int64_t q = index / g.c % (g.h * g.w);
    const int64_t n = index / g.c / (g.h * g.w);
    const int64_t group = c / g.c_each;
    double sum = 0;
    for (int64_t t = 0; t < g.kh * g.kw; t++) {
        const int64_t place = graft_product_output_place(&g, q / g.w, q % g.w, t / g.kw, t % g.kw);
        for (int64_t o = group * g.o_each; place >= 0 && o < (group + 1) * g.o_each; o++) {
            sum += (double)product->in[0][(n * g.oh * g.ow + place) * g.o + o] *
                   (double)product->in[1][(o * g.kh * g.kw + t) * g.c_each + c % g.c_each];
        }
    }
    return sum;
}

static double sum_grad_weight(const struct graft_product *product, int64_t index)
{
    const struct graft_product_geometry g = graft_product_geometry_of(product->call);
    const int64_t c = index % g.c_each;
    const int64_t t = index / g.c_each % (g.kh * g.kw);
    const int64_t o = index / g.c_each / (g.kh * g.kw);
    double sum = 0;
    for (int64_t i = 0; i < g.n * g.oh * g.ow; i++) {
        const int64_t n = i / (g.oh * g.ow);
        const int64_t p = i % (g.oh * g.ow);
        const int64_t place = graft_product_input_place(&g, p / g.ow, p % g.ow, t / g.kw, t % g.kw);
        if (place >= 0) {
            sum += (double)product->in[0][(n * g.h * g.w + place) * g.c + o / g.o_each * g.c_each + c] *
                   (double)product->in[1][i * g.o + o];
        }
    }
    return sum;
}

static double sum_matmul(const struct graft_product *product, int64_t index)
{
    const struct graft_product_matrices s = graft_product_matrices_of(product->call);
    const int64_t n = index % s.n;
    const int64_t m = index / s.n % s.m;
    const int64_t batch = index / s.n / s.m;
    const float *const a = product->in[0] + batch * s.m * s.k;
    const float *const b = product->in[1] + (s.shared ? 0 : batch * s.k * s.n);
    double sum = 0;
    for (int64_t k = 0; k < s.k; k++) {
        sum += (double)a[s.turned_a ? k * s.m + m : m * s.k + k] *
               (double)b[s.turned_b ? n * s.k + k : k * s.n + n];
    }
    return sum;
}

double graft_product_element(const struct graft_product *product, int64_t index)
{
    const struct graft_call *const call = product->call;
    double sum = call->op == GRAFT_OP_CONV2D               ? sum_conv2d(product, index)
                 : call->op == GRAFT_OP_CONV2D_GRAD_INPUT  ? sum_grad_input(product, index)
                 : call->op == GRAFT_OP_CONV2D_GRAD_WEIGHT ? sum_grad_weight(product, index)
                                                           : sum_matmul(product, index);
    sum += product->in[2] != NULL ? (double)product->in[2][index % graft_product_form_of(call).channels] : 0;
    sum += product->in[3] != NULL ? (double)product->in[3][index] : 0;
    sum += product->prior != NULL ? (double)product->prior[index] : 0;
    switch (graft_op_activation(call)) {
    case GRAFT_UNARY_RELU:
        return fmax(sum, 0);
    case GRAFT_UNARY_RELU6:
        return fmin(fmax(sum, 0), 6);
    default:
        return sum;
    }
}

double graft_product_terms(const struct graft_call *call)
{
    struct graft_work work = {0};
    graft_op_get(call->op)->work(call, &work);
    return work.terms;
}
