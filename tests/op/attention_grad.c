/* SPDX-License-Identifier: MIT */
#include "attentions.h"

/* q, k, v, dy, lse, delta */
#define GIVEN(kind, n, tq, tk, h, d, e)                                                                      \
    REAL_OF(kind, n, tq, h, d), REAL_OF(kind, n, tk, h, d), REAL(n, tk, h, e), REAL(n, tq, h, e),            \
        REAL(n, tq, h), REAL(n, tq, h)

#define PLAIN(name, scale, ...)                                                                              \
    {                                                                                                        \
        name, .attributes.attention = {scale}, .in = { GIVEN(NORMAL, __VA_ARGS__) }                          \
    }
#define CAUSAL(name, ...)                                                                                    \
    {                                                                                                        \
        name, .attributes.attention = {0.3f, true}, .in = { GIVEN(NORMAL, __VA_ARGS__) }                     \
    }
#define BIAS(name, n, tq, tk, h, d, e, p)                                                                    \
    {                                                                                                        \
        name, .attributes.attention = {0.3f}, .in = {                                                        \
            GIVEN(NORMAL, n, tq, tk, h, d, e),                                                               \
            REAL(p, h, tq, tk)                                                                               \
        }                                                                                                    \
    }

static const struct graft_case cases[] = {
    PLAIN("one", 1, 1, 1, 1, 1, 1, 1),
    PLAIN("small", 0.5f, 2, 3, 5, 2, 8, 5),
    PLAIN("self", 0.25f, 2, 17, 17, 3, 32, 32),
    PLAIN("tokens", 0.125f, 1, 197, 197, 2, 64, 64),
    PLAIN("d33_e17", 0.11f, 2, 31, 63, 2, 33, 17),
    PLAIN("d128_e257", 0.11f, 1, 32, 31, 1, 128, 257),
    PLAIN("many_keys", 0.3f, 1, 2, 1543, 2, 8, 5),
    PLAIN("many_queries", 0.3f, 1, 1543, 2, 2, 8, 5),
    PLAIN("many_heads", 0.3f, 2, 5, 6, 130, 8, 5),
    PLAIN("none", 0.5f, 0, 5, 6, 2, 8, 5),
    PLAIN("no_queries", 0.5f, 2, 0, 6, 2, 8, 5),
    {"far", .attributes.attention = {0.35f}, .in = {GIVEN(DEEP, 2, 17, 40, 2, 8, 5)}},
    CAUSAL("causal", 2, 18, 18, 2, 8, 5),
    CAUSAL("causal_few_keys", 1, 35, 9, 2, 8, 5),
    CAUSAL("causal_more_keys", 1, 9, 35, 2, 8, 5),
    {"mask", .attributes.attention = {0.3f},
     .in = {GIVEN(NORMAL, 4, 9, 10, 2, 8, 5), ABSENT, REAL_OF(INFINITE, 1, 9, 10)}},
    {"nothing", .attributes.attention = {0.3f},
     .in = {GIVEN(NORMAL, 2, 5, 20, 2, 8, 5), ABSENT, LITERAL(attention_nothing, 1, 5, 20)}},

    BIAS("bias", 4, 9, 10, 2, 8, 5, 1),
    BIAS("bias_2", 4, 9, 10, 2, 8, 5, 2),
    BIAS("bias_one", 1, 1, 1, 1, 1, 1, 1),
    BIAS("bias_small", 2, 3, 5, 2, 8, 5, 1),
    BIAS("bias_self", 2, 17, 17, 3, 32, 32, 2),
    BIAS("bias_2_of_6", 6, 9, 20, 2, 8, 5, 2),
    BIAS("bias_tokens", 1, 65, 197, 2, 64, 64, 1),
    BIAS("bias_d33_e17", 2, 31, 63, 2, 33, 17, 1),
    BIAS("bias_d128_e257", 2, 32, 31, 1, 128, 257, 1),
    BIAS("bias_many_images", 257, 5, 6, 2, 8, 5, 1),
    BIAS("bias_many_keys", 2, 2, 1543, 2, 8, 5, 1),
    BIAS("bias_many_heads", 2, 5, 6, 130, 8, 5, 1),
    BIAS("bias_no_queries", 2, 0, 6, 2, 8, 5, 1),
    BIAS("bias_none", 0, 3, 5, 2, 8, 5, 1),
    {"bias_nothing", .attributes.attention = {0.3f},
     .in = {GIVEN(NORMAL, 2, 5, 20, 2, 8, 5), REAL(1, 2, 5, 20), LITERAL(attention_nothing, 1, 5, 20)}},
    {"bias_mask", .attributes.attention = {0.3f},
     .in = {GIVEN(NORMAL, 6, 9, 10, 2, 8, 5), REAL(1, 2, 9, 10), REAL_OF(EXTREME, 3, 9, 10)}},
    {"bias_mask_infinite", .attributes.attention = {0.3f},
     .in = {GIVEN(NORMAL, 4, 9, 10, 2, 8, 5), REAL(1, 2, 9, 10), REAL_OF(INFINITE, 2, 9, 10)}},
    {"bias_causal", .attributes.attention = {0.3f, true},
     .in = {GIVEN(NORMAL, 4, 19, 35, 2, 8, 5), REAL(1, 2, 19, 35)}},
    {"bias_mask_causal", .attributes.attention = {0.3f, true},
     .in = {GIVEN(NORMAL, 6, 35, 19, 2, 8, 5), REAL(3, 2, 35, 19), REAL(2, 35, 19)}},
    {"bias_mask_causal_more", .attributes.attention = {0.3f, true},
     .in = {GIVEN(NORMAL, 6, 19, 21, 2, 8, 5), REAL(3, 2, 19, 21), REAL(2, 19, 21)}},
    {"windows", .attributes.attention = {0.17677669f},
     .in = {GIVEN(NORMAL, 8, 49, 49, 3, 32, 32), REAL(1, 3, 49, 49), REAL_OF(TIES, 4, 49, 49)}},

    {"only_queries", .attributes.attention = {0.25f}, .in = {GIVEN(NORMAL, 2, 17, 19, 3, 8, 5)},
     .unwanted = 6},
    {"only_keys", .attributes.attention = {0.25f}, .in = {GIVEN(NORMAL, 2, 17, 19, 3, 8, 5)}, .unwanted = 5},
    {"only_values", .attributes.attention = {0.25f}, .in = {GIVEN(NORMAL, 2, 17, 19, 3, 8, 5)},
     .unwanted = 3},
    {"only_bias", .attributes.attention = {0.25f},
     .in = {GIVEN(NORMAL, 4, 17, 19, 3, 8, 5), REAL(2, 3, 17, 19)}, .unwanted = 7},
    {"all_but_bias", .attributes.attention = {0.25f},
     .in = {GIVEN(NORMAL, 4, 17, 19, 3, 8, 5), REAL(2, 3, 17, 19)}, .unwanted = 8},
};

const struct graft_case_set graft_cases_attention_grad = {cases, CASE_COUNT(cases),
                                                          .derive = graft_attention_rows};
