/* SPDX-License-Identifier: MIT */
#include "harness.h"

#define WITH(number, ...) .attributes.fill = {.shape = DIMS(__VA_ARGS__), .value = number}

static const struct graft_case cases[] = {
    {"zero", WITH(0, 5, 7)},
    {"one", WITH(1, 1)},
    {"tenth", WITH(0.1f, 31, 33)},
    {"vector", WITH(-3, 257)},
    {"6d", WITH(2.5f, 2, 1, 3, 2, 3, 4)},
    {"scalar", .attributes.fill = {.shape = {0, {0}}, .value = 7}},
    {"empty", WITH(1, 4, 0)},
    {"infinite", WITH(__builtin_inff(), 65), .tiers = GRAFT_TIER_ROUNDING},
};

const struct graft_case_set graft_cases_fill = {cases, CASE_COUNT(cases)};
