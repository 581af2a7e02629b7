/* SPDX-License-Identifier: MIT */
#include "attentions.h"

#define BIAS(name, n, tq, tk, h, d, e, p)                                                                    \
    {                                                                                                        \
        name, .attributes.attention = {0.3f}, .in = {                                                        \
            ATTENTION_GRAD(NORMAL, n, tq, tk, h, d, e),                                                      \
            REAL(p, h, tq, tk)                                                                               \
        }                                                                                                    \
    }

static const struct graft_case cases[] = {
    BIAS("one", 1, 1, 1, 1, 1, 1, 1),
    BIAS("small", 2, 3, 5, 2, 8, 5, 1),
    BIAS("self", 2, 17, 17, 3, 32, 32, 2),
    BIAS("p2", 6, 9, 20, 2, 8, 5, 2),
    BIAS("tokens", 1, 65, 197, 2, 64, 64, 1),
    BIAS("d33_e17", 2, 31, 63, 2, 33, 17, 1),
    BIAS("d128_e257", 2, 32, 31, 1, 128, 257, 1),
    BIAS("many_images", 257, 5, 6, 2, 8, 5, 1),
    BIAS("many_keys", 2, 2, 1543, 2, 8, 5, 1),
    BIAS("many_heads", 2, 5, 6, 130, 8, 5, 1),
    BIAS("no_queries", 2, 0, 6, 2, 8, 5, 1),
    {"none", .attributes.attention = {0.3f},
     .in = {ATTENTION_GRAD(NORMAL, 0, 3, 5, 2, 8, 5), REAL(1, 2, 3, 5)}},
    {"nothing", .attributes.attention = {0.3f},
     .in = {ATTENTION_GRAD(NORMAL, 2, 5, 20, 2, 8, 5), REAL(1, 2, 5, 20),
            LITERAL(attention_nothing, 1, 5, 20)}},
    {"mask", .attributes.attention = {0.3f},
     .in = {ATTENTION_GRAD(NORMAL, 4, 9, 10, 2, 8, 5), REAL(1, 2, 9, 10), REAL_OF(INFINITE, 2, 9, 10)}},
    {"causal", .attributes.attention = {0.3f, true},
     .in = {ATTENTION_GRAD(NORMAL, 4, 19, 35, 2, 8, 5), REAL(1, 2, 19, 35)}},
    {"causal_mask", .attributes.attention = {0.3f, true},
     .in = {ATTENTION_GRAD(NORMAL, 6, 35, 19, 2, 8, 5), REAL(3, 2, 35, 19), REAL(2, 35, 19)}},
    {"windows", .attributes.attention = {0.17677669f},
     .in = {ATTENTION_GRAD(NORMAL, 8, 49, 49, 3, 32, 32), REAL(1, 3, 49, 49), REAL_OF(TIES, 4, 49, 49)}},
};

const struct graft_case_set graft_cases_attention_grad_bias = {cases, CASE_COUNT(cases),
                                                               .derive = graft_attention_rows};
