/* SPDX-License-Identifier: MIT */
/* Gradients are those of y alone: lse has none. Images, queries, keys, heads, depth, width of v. */
#include "attentions.h"

#define QKV(kind, n, tq, tk, h, d, e)                                                                        \
    REAL_OF(kind, n, tq, h, d), REAL_OF(kind, n, tk, h, d), REAL(n, tk, h, e)
#define GIVEN .tiers = GRAFT_TIER_ROUNDING | GRAFT_TIER_GRADIENT, .unwanted = 2
#define BOTH .tiers = GRAFT_TIER_ROUNDING

static const struct graft_case cases[] = {
    {"one", .attributes.attention = {1}, .in = {QKV(NORMAL, 1, 1, 1, 1, 1, 1)}, GIVEN},
    {"small", .attributes.attention = {0.5f}, .in = {QKV(NORMAL, 2, 3, 5, 2, 8, 5)}, GIVEN},
    {"self", .attributes.attention = {0.25f}, .in = {QKV(NORMAL, 2, 17, 17, 3, 32, 32)}, GIVEN},
    {"causal", .attributes.attention = {0.3f, true}, .in = {QKV(NORMAL, 2, 18, 18, 2, 8, 5)}, GIVEN},
    {"causal_few_keys", .attributes.attention = {0.3f, true}, .in = {QKV(NORMAL, 1, 35, 9, 2, 8, 5)}, GIVEN},
    {"causal_more_keys", .attributes.attention = {0.3f, true}, .in = {QKV(NORMAL, 1, 9, 35, 2, 8, 5)}, GIVEN},
    {"bias", .attributes.attention = {0.3f}, .in = {QKV(NORMAL, 4, 9, 10, 2, 8, 5), REAL(1, 2, 9, 10)},
     GIVEN},
    {"bias_2", .attributes.attention = {0.3f}, .in = {QKV(NORMAL, 4, 9, 10, 2, 8, 5), REAL(2, 2, 9, 10)},
     GIVEN},
    {"mask", .attributes.attention = {0.3f},
     .in = {QKV(NORMAL, 4, 9, 10, 2, 8, 5), ABSENT, REAL_OF(INFINITE, 1, 9, 10)}, GIVEN},
    {"bias_mask", .attributes.attention = {0.3f},
     .in = {QKV(NORMAL, 6, 9, 10, 2, 8, 5), REAL(1, 2, 9, 10), REAL_OF(EXTREME, 3, 9, 10)}, GIVEN},
    {"bias_mask_causal", .attributes.attention = {0.3f, true},
     .in = {QKV(NORMAL, 6, 19, 21, 2, 8, 5), REAL(3, 2, 19, 21), REAL(2, 19, 21)}, GIVEN},
    {"windows", .attributes.attention = {0.17677669f},
     .in = {QKV(NORMAL, 8, 49, 49, 3, 32, 32), REAL(1, 3, 49, 49), REAL_OF(TIES, 4, 49, 49)}, BOTH},
    {"tokens", .attributes.attention = {0.125f}, .in = {QKV(NORMAL, 1, 197, 197, 2, 64, 64)}, BOTH},
    {"d33_e17", .attributes.attention = {0.11f}, .in = {QKV(NORMAL, 2, 31, 63, 2, 33, 17)}, BOTH},
    {"d128_e257", .attributes.attention = {0.11f}, .in = {QKV(NORMAL, 1, 32, 31, 1, 128, 257)}, BOTH},
    {"many_keys", .attributes.attention = {0.3f}, .in = {QKV(NORMAL, 1, 2, 1543, 2, 8, 5)}, BOTH},
    {"many_heads", .attributes.attention = {0.3f}, .in = {QKV(NORMAL, 2, 5, 6, 130, 8, 5)}, BOTH},
    {"far", .attributes.attention = {0.35f}, .in = {QKV(DEEP, 2, 17, 40, 2, 8, 5)}, BOTH},
    {"rising", .attributes.attention = {-0.01f}, .in = {QKV(OFFSET, 2, 5, 70, 1, 8, 5)}, BOTH},
    {"special", .attributes.attention = {0.5f},
     .in = {REAL_OF(SPECIAL, 3, 40, 2, 1), REAL(3, 30, 2, 1), REAL(3, 30, 2, 1)}, BOTH},
    {"special_keys", .attributes.attention = {0.5f},
     .in = {REAL(60, 3, 2, 1), REAL_OF(SPECIAL, 60, 3, 2, 1), REAL(60, 3, 2, 1)}, BOTH},
    {"nothing", .attributes.attention = {0.5f},
     .in = {QKV(NORMAL, 2, 21, 20, 2, 8, 5), ABSENT, LITERAL(attention_nothing, 1, 21, 20)}, BOTH},
    {"none", .attributes.attention = {0.5f}, .in = {QKV(NORMAL, 0, 5, 6, 2, 8, 5)}, BOTH},
    {"no_queries", .attributes.attention = {0.5f}, .in = {QKV(NORMAL, 2, 0, 6, 2, 8, 5)}, BOTH},
    {"only_lse", .attributes.attention = {0.5f}, .in = {QKV(NORMAL, 2, 19, 6, 2, 8, 5)}, BOTH, .unwanted = 1},
};

const struct graft_case_set graft_cases_attention = {cases, CASE_COUNT(cases), .no_gradient = 1u << 4};
