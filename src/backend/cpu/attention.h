/* SPDX-License-Identifier: MIT */
/* Scores of attention, from the definition: graft_attention_attributes. */
#ifndef GRAFT_SRC_BACKEND_CPU_ATTENTION_H
#define GRAFT_SRC_BACKEND_CPU_ATTENTION_H

#include "backend/cpu/reference.h"

struct attention {
    const struct graft_call *call;
    struct graft_attention_layout l;
    const real *q, *k, *v, *bias, *mask;
};

static inline struct attention attention_of(const struct graft_cpu_args *args)
{
    struct attention a = {.call = args->call,
                          .l = graft_attention_layout_of(args->call),
                          .q = args->in[0],
                          .k = args->in[1],
                          .v = args->in[2]};
    a.bias = a.l.bias >= 0 ? args->in[a.l.bias] : NULL;
    a.mask = a.l.mask >= 0 ? args->in[a.l.mask] : NULL;
    return a;
}

/* Where row `i` of image n and a head begins in a tensor [n, count, heads, size]. */
static inline int64_t attention_row(const struct attention *a, int64_t n, int64_t count, int64_t i,
                                    int64_t head, int64_t size)
{
    return ((n * count + i) * a->l.heads + head) * size;
}

static inline double attention_dot(const real *a, const real *b, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

/* What is taken off scores before their exponentials: a row in which nothing is left has −∞ for it. */
static inline double attention_base(double largest)
{
    return largest == -(double)INFINITY ? 0 : largest;
}

/* How many keys query i sees. */
static inline int64_t attention_keys(const struct attention *a, int64_t i)
{
    return a->call->attributes.attention.causal && i + 1 < a->l.keys ? i + 1 : a->l.keys;
}

/* s[i, j] */
static inline double attention_score(const struct attention *a, int64_t n, int64_t head, int64_t i, int64_t j)
{
    const struct graft_attention_layout *const l = &a->l;
    double score = (double)a->call->attributes.attention.scale *
                   attention_dot(a->q + attention_row(a, n, l->queries, i, head, l->depth),
                                 a->k + attention_row(a, n, l->keys, j, head, l->depth), l->depth);
    if (a->bias != NULL) {
        score += (double)a->bias[((n % l->biases * l->heads + head) * l->queries + i) * l->keys + j];
    }
    if (a->mask != NULL) {
        score += (double)a->mask[(n % l->masks * l->queries + i) * l->keys + j];
    }
    return score;
}

/* For the gradients, whose inputs 3 to 5 are dy, lse and delta: p[i, j], and g[i, j] in *gradient, of a pair
 * that is seen. */
static inline double attention_share(const struct attention *a, const struct graft_cpu_args *args, int64_t n,
                                     int64_t head, int64_t i, int64_t j, double *gradient)
{
    const struct graft_attention_layout *const l = &a->l;
    const int64_t row = attention_row(a, n, l->queries, i, head, 1);
    const double p = exp(attention_score(a, n, head, i, j) -
                         attention_base((double)((const real *)args->in[4])[row]));
    const double product =
        attention_dot((const real *)args->in[3] + attention_row(a, n, l->queries, i, head, l->width),
                      a->v + attention_row(a, n, l->keys, j, head, l->width), l->width);
    *gradient = p * (product - (double)((const real *)args->in[5])[row]);
    return p;
}

#endif
