/* SPDX-License-Identifier: MIT */
/* What the attention ops' cases share: shapes, and the rows' statistics that the gradient ops are given. */
#ifndef GRAFT_TESTS_ATTENTIONS_H
#define GRAFT_TESTS_ATTENTIONS_H

#include "harness.h"

#include <math.h>

/* s[i, j] of image n and a head, −∞ where the query does not see the key; in *size its summands' absolute
 * values. */
double graft_attention_score(const struct graft_call *call, const struct graft_attention_layout *l,
                             const double *q, const double *k, const double *bias, const double *mask,
                             const int64_t at[4], double *size);

/* lse and delta of the rows, from all other inputs of a gradient op. */
void graft_attention_rows(const struct graft_call *call, double *const *in);

/* q, k, v, dy, lse, delta */
#define ATTENTION_GRAD(kind, n, tq, tk, h, d, e)                                                             \
    REAL_OF(kind, n, tq, h, d), REAL_OF(kind, n, tk, h, d), REAL(n, tk, h, e), REAL(n, tq, h, e),            \
        REAL(n, tq, h), REAL(n, tq, h)

static const double attention_nothing[] = {-(double)INFINITY}; /* a mask that leaves nothing */

/* The cases of the gradients for queries, and for keys and values. */
#define ATTENTION_GRAD_CASES                                                                                 \
    {"one", .attributes.attention = {1}, .in = {ATTENTION_GRAD(NORMAL, 1, 1, 1, 1, 1, 1)}},                  \
        {"small", .attributes.attention = {0.5f}, .in = {ATTENTION_GRAD(NORMAL, 2, 3, 5, 2, 8, 5)}},         \
        {"self", .attributes.attention = {0.25f}, .in = {ATTENTION_GRAD(NORMAL, 2, 17, 17, 3, 32, 32)}},     \
        {"causal", .attributes.attention = {0.3f, true},                                                     \
         .in = {ATTENTION_GRAD(NORMAL, 2, 18, 18, 2, 8, 5)}},                                                \
        {"causal_few_keys", .attributes.attention = {0.3f, true},                                            \
         .in = {ATTENTION_GRAD(NORMAL, 1, 35, 9, 2, 8, 5)}},                                                 \
        {"causal_more_keys", .attributes.attention = {0.3f, true},                                           \
         .in = {ATTENTION_GRAD(NORMAL, 1, 9, 35, 2, 8, 5)}},                                                 \
        {"bias", .attributes.attention = {0.3f},                                                             \
         .in = {ATTENTION_GRAD(NORMAL, 4, 9, 10, 2, 8, 5), REAL(1, 2, 9, 10)}},                              \
        {"bias_2", .attributes.attention = {0.3f},                                                           \
         .in = {ATTENTION_GRAD(NORMAL, 4, 9, 10, 2, 8, 5), REAL(2, 2, 9, 10)}},                              \
        {"mask", .attributes.attention = {0.3f},                                                             \
         .in = {ATTENTION_GRAD(NORMAL, 4, 9, 10, 2, 8, 5), ABSENT, REAL_OF(INFINITE, 1, 9, 10)}},            \
        {"bias_mask", .attributes.attention = {0.3f},                                                        \
         .in = {ATTENTION_GRAD(NORMAL, 6, 9, 10, 2, 8, 5), REAL(1, 2, 9, 10), REAL_OF(EXTREME, 3, 9, 10)}},  \
        {"bias_mask_causal", .attributes.attention = {0.3f, true},                                           \
         .in = {ATTENTION_GRAD(NORMAL, 6, 19, 21, 2, 8, 5), REAL(3, 2, 19, 21), REAL(2, 19, 21)}},           \
        {"windows", .attributes.attention = {0.17677669f},                                                   \
         .in = {ATTENTION_GRAD(NORMAL, 8, 49, 49, 3, 32, 32), REAL(1, 3, 49, 49),                            \
                REAL_OF(TIES, 4, 49, 49)}},                                                                  \
        {"tokens", .attributes.attention = {0.125f},                                                         \
         .in = {ATTENTION_GRAD(NORMAL, 1, 197, 197, 2, 64, 64)}},                                            \
        {"d33_e17", .attributes.attention = {0.11f}, .in = {ATTENTION_GRAD(NORMAL, 2, 31, 63, 2, 33, 17)}},  \
        {"d128_e257", .attributes.attention = {0.11f},                                                       \
         .in = {ATTENTION_GRAD(NORMAL, 1, 32, 31, 1, 128, 257)}},                                            \
        {"nothing", .attributes.attention = {0.3f},                                                          \
         .in = {ATTENTION_GRAD(NORMAL, 2, 5, 20, 2, 8, 5), ABSENT, LITERAL(attention_nothing, 1, 5, 20)}},   \
        {"many_keys", .attributes.attention = {0.3f}, .in = {ATTENTION_GRAD(NORMAL, 1, 2, 1543, 2, 8, 5)}},  \
        {"many_queries", .attributes.attention = {0.3f},                                                     \
         .in = {ATTENTION_GRAD(NORMAL, 1, 1543, 2, 2, 8, 5)}},                                               \
        {"many_heads", .attributes.attention = {0.3f}, .in = {ATTENTION_GRAD(NORMAL, 2, 5, 6, 130, 8, 5)}},  \
        {"far", .attributes.attention = {0.35f}, .in = {ATTENTION_GRAD(DEEP, 2, 17, 40, 2, 8, 5)}},          \
        {"none", .attributes.attention = {0.5f}, .in = {ATTENTION_GRAD(NORMAL, 0, 5, 6, 2, 8, 5)}},          \
    {                                                                                                        \
        "no_queries", .attributes.attention = {0.5f}, .in = { ATTENTION_GRAD(NORMAL, 2, 0, 6, 2, 8, 5) }     \
    }

#endif
