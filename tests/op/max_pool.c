/* SPDX-License-Identifier: MIT */
#include "harness.h"
#include "poolings.h"

#define PLAIN(name, n, h, w, c, kh, kw, sh, sw, pt, pb, pl, pr, ceil, oh, ow)                                \
    {#name, POOL_ATTRIBUTES(kh, kw, sh, sw, pt, pb, pl, pr, ceil, .count_include_pad = false),               \
     .in = {REAL_OF(DISTINCT, n, h, w, c)}},

static const struct graft_case cases[] = {
    POOLINGS(PLAIN){"negative", POOL_ATTRIBUTES(3, 3, 2, 2, 1, 1, 1, 1, false, .count_include_pad = true),
                    .in = {LITERAL(((const double[]){-5, -7, -1, -2, -9, -4, -8}), 1, 7, 1, 1)}},
    {"special", POOL_ATTRIBUTES(3, 3, 2, 2, 1, 1, 1, 1, false, .count_include_pad = false),
     .in = {REAL_OF(SPECIAL, 2, 9, 9, 18)}, .tiers = GRAFT_TIER_ROUNDING},
    {"infinite", POOL_ATTRIBUTES(1, 2, 1, 1, 0, 0, 1, 1, false, .count_include_pad = false),
     .in = {REAL_OF(INFINITE, 2, 9, 9, 3)}, .tiers = GRAFT_TIER_ROUNDING},
    {"many_places", POOL_ATTRIBUTES(3, 2, 2, 1, 1, 1, 0, 0, false, .count_include_pad = false),
     .in = {REAL_OF(DISTINCT, 3, 25, 16, 70)}},
};

const struct graft_case_set graft_cases_max_pool = {cases, CASE_COUNT(cases)};
