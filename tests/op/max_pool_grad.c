/* SPDX-License-Identifier: MIT */
/* Ties: the first maximum gets the gradient, so inputs with few different values are the rule here. */
#include "harness.h"
#include "poolings.h"

#define PLAIN(name, n, h, w, c, kh, kw, sh, sw, pt, pb, pl, pr, ceil, oh, ow)                                \
    {#name, POOL_ATTRIBUTES(kh, kw, sh, sw, pt, pb, pl, pr, ceil, .count_include_pad = false),               \
     .in = {REAL_OF(DISTINCT, n, h, w, c), REAL(n, oh, ow, c)}},                                             \
        {#name "_ties", POOL_ATTRIBUTES(kh, kw, sh, sw, pt, pb, pl, pr, ceil, .count_include_pad = false),   \
         .in = {REAL_OF(TIES, n, h, w, c), REAL(n, oh, ow, c)}},

static const struct graft_case cases[] = {
    POOLINGS(PLAIN){"infinite", POOL_ATTRIBUTES(2, 2, 2, 2, 0, 0, 0, 0, false, .count_include_pad = false),
                    .in = {REAL_OF(INFINITE, 2, 8, 8, 3), REAL(2, 4, 4, 3)}, .tiers = GRAFT_TIER_ROUNDING},
    /* large enough to be cut into bands of rows that share windows */
    {"bands", POOL_ATTRIBUTES(3, 3, 2, 2, 1, 1, 1, 1, false, .count_include_pad = false),
     .in = {REAL_OF(TIES, 1, 35, 40, 99), REAL(1, 18, 20, 99)}},
    /* places in more windows than are gone through at once, more channels than are side by side */
    {"many_windows", POOL_ATTRIBUTES(5, 5, 1, 1, 0, 0, 0, 0, false, .count_include_pad = false),
     .in = {REAL_OF(TIES, 1, 9, 9, 1100), REAL(1, 5, 5, 1100)}},
    {"special_x", POOL_ATTRIBUTES(3, 3, 2, 2, 1, 1, 1, 1, false, .count_include_pad = false),
     .in = {REAL_OF(SPECIAL, 2, 9, 9, 18), REAL(2, 5, 5, 18)}, .tiers = GRAFT_TIER_ROUNDING},
    {"special_dy", POOL_ATTRIBUTES(2, 2, 2, 2, 0, 0, 0, 0, false, .count_include_pad = false),
     .in = {REAL_OF(DISTINCT, 2, 8, 8, 3), REAL_OF(SPECIAL, 2, 4, 4, 3)}, .tiers = GRAFT_TIER_ROUNDING},
};

const struct graft_case_set graft_cases_max_pool_grad = {cases, CASE_COUNT(cases)};
