/* SPDX-License-Identifier: MIT */
#include "harness.h"
#include "poolings.h"

#define EXACT_IF(condition) ((condition) ? 0 : GRAFT_TIER_ROUNDING)
#define PLAIN(name, n, h, w, c, kh, kw, sh, sw, pt, pb, pl, pr, ceil, oh, ow)                                \
    {#name,                                                                                                  \
     POOL_ATTRIBUTES(kh, kw, sh, sw, pt, pb, pl, pr, ceil, .count_include_pad = false, .size = {h, w}),      \
     .in = {REAL(n, oh, ow, c)},                                                                             \
     .tiers = EXACT_IF(((kh) * (kw) & ((kh) * (kw) - 1)) == 0 && (pl) + (pr) + (pt) + (pb) == 0)},           \
        {#name "_with_pad",                                                                                  \
         POOL_ATTRIBUTES(kh, kw, sh, sw, pt, pb, pl, pr, ceil, .count_include_pad = true, .size = {h, w}),   \
         .in = {REAL(n, oh, ow, c)}, .tiers = EXACT_IF(((kh) * (kw) & ((kh) * (kw) - 1)) == 0)},

static const struct graft_case cases[] = {
    POOLINGS(PLAIN){"global", .attributes.pool = {.adaptive = {1, 1}, .size = {8, 8}},
                    .in = {REAL(2, 1, 1, 33)}},
    {"global_7x7", .attributes.pool = {.adaptive = {1, 1}, .size = {7, 7}}, .in = {REAL(2, 1, 1, 64)},
     .tiers = GRAFT_TIER_ROUNDING},
    {"adaptive_2x4", .attributes.pool = {.adaptive = {2, 4}, .size = {8, 16}}, .in = {REAL(1, 2, 4, 5)}},
    {"adaptive_6x6", .attributes.pool = {.adaptive = {6, 6}, .size = {13, 13}}, .in = {REAL(1, 6, 6, 17)},
     .tiers = GRAFT_TIER_ROUNDING},
    {"adaptive_7x7_of_5x3", .attributes.pool = {.adaptive = {7, 7}, .size = {5, 3}}, .in = {REAL(1, 7, 7, 4)},
     .tiers = GRAFT_TIER_ROUNDING},
    {"k70x65", POOL_ATTRIBUTES(70, 65, 1, 1, 0, 0, 0, 0, false, .count_include_pad = false, .size = {139, 66}),
     .in = {REAL(1, 70, 2, 3)}, .tiers = GRAFT_TIER_ROUNDING},
    {"special", POOL_ATTRIBUTES(3, 3, 2, 2, 1, 1, 1, 1, false, .count_include_pad = false, .size = {9, 9}),
     .in = {REAL_OF(SPECIAL, 2, 5, 5, 3)}, .tiers = GRAFT_TIER_ROUNDING},
};

const struct graft_case_set graft_cases_avg_pool_grad = {cases, CASE_COUNT(cases)};
