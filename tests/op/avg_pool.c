/* SPDX-License-Identifier: MIT */
/* Exact where every divisor is a power of two. */
#include "harness.h"
#include "poolings.h"

#define PLAIN(name, n, h, w, c, kh, kw, sh, sw, pt, pb, pl, pr, ceil, oh, ow)                                \
    {#name, POOL_ATTRIBUTES(kh, kw, sh, sw, pt, pb, pl, pr, ceil, .count_include_pad = false),               \
     .in = {REAL(n, h, w, c)},                                                                               \
     .tiers = ((kh) * (kw) & ((kh) * (kw) - 1)) == 0 && (pl) + (pr) + (pt) + (pb) == 0                       \
                  ? 0                                                                                        \
                  : GRAFT_TIER_ROUNDING | GRAFT_TIER_GRADIENT},                                              \
        {#name "_with_pad",                                                                                  \
         POOL_ATTRIBUTES(kh, kw, sh, sw, pt, pb, pl, pr, ceil, .count_include_pad = true),                   \
         .in = {REAL(n, h, w, c)},                                                                           \
         .tiers = ((kh) * (kw) & ((kh) * (kw) - 1)) == 0 ? 0 : GRAFT_TIER_ROUNDING | GRAFT_TIER_GRADIENT},
#define ADAPTIVE(name, how, oh, ow, ...)                                                                     \
    {name, .attributes.pool = {.adaptive = {oh, ow}}, .in = {REAL(__VA_ARGS__)}, .tiers = how}
#define INEXACT (GRAFT_TIER_ROUNDING | GRAFT_TIER_GRADIENT)

static const struct graft_case cases[] = {
    POOLINGS(PLAIN) ADAPTIVE("global", 0, 1, 1, 2, 8, 8, 33),
    ADAPTIVE("global_7x7", INEXACT, 1, 1, 2, 7, 7, 64),
    ADAPTIVE("global_13x13", INEXACT, 1, 1, 1, 13, 13, 257),
    ADAPTIVE("adaptive_2x4", 0, 2, 4, 1, 8, 16, 5),
    ADAPTIVE("adaptive_6x6", INEXACT, 6, 6, 1, 13, 13, 17),
    ADAPTIVE("adaptive_7x7_of_5x3", INEXACT, 7, 7, 1, 5, 3, 4),
    ADAPTIVE("adaptive_same", 0, 4, 5, 1, 4, 5, 3),
    {"offset", .attributes.pool = {.adaptive = {1, 1}}, .in = {REAL_OF(OFFSET, 1, 31, 33, 3)},
     .tiers = INEXACT},
    {"special", POOL_ATTRIBUTES(3, 3, 2, 2, 1, 1, 1, 1, false, .count_include_pad = false),
     .in = {REAL_OF(SPECIAL, 2, 9, 9, 18)}, .tiers = GRAFT_TIER_ROUNDING},
    {"many_places", POOL_ATTRIBUTES(2, 2, 1, 1, 0, 0, 0, 0, false, .count_include_pad = false),
     .in = {REAL(3, 14, 14, 70)}},
};

const struct graft_case_set graft_cases_avg_pool = {cases, CASE_COUNT(cases)};
