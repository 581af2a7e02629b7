/* SPDX-License-Identifier: MIT */
#include "harness.h"
#include "responses.h"

#define PLAIN(name, size, alpha, beta, k, values, ...)                                                       \
    {#name, .attributes.lrn = {size, alpha, beta, k},                                                        \
     .in = {REAL_OF(values, __VA_ARGS__), REAL(__VA_ARGS__)}},

static const struct graft_case cases[] = {
    RESPONSES(PLAIN){"special_dy", .attributes.lrn = {5, 1, 0.75f, 1},
                     .in = {REAL(9, 40), REAL_OF(SPECIAL, 9, 40)}, .tiers = GRAFT_TIER_ROUNDING},
};

const struct graft_case_set graft_cases_lrn_grad = {cases, CASE_COUNT(cases)};
