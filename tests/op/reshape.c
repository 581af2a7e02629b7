/* SPDX-License-Identifier: MIT */
#include "harness.h"

#define TO(...) .attributes.reshape = {.shape = DIMS(__VA_ARGS__)}

static const struct graft_case cases[] = {
    {"same", TO(5, 7), .in = {REAL(5, 7)}},
    {"flatten", TO(2, 105), .in = {REAL(2, 3, 5, 7)}},
    {"unflatten", TO(3, 2, 11, 1, 4), .in = {REAL(66, 4)}},
    {"rows", TO(12, 5), .in = {REAL(3, 4, 5)}},
    {"rows_apart", TO(3, 4, 5), .in = {REAL(12, 5)}},
    {"vector", TO(257), .in = {REAL(257, 1)}},
    {"one_to_scalar", .attributes.reshape = {.shape = {0, {0}}}, .in = {REAL(1, 1)}},
    {"scalar_to_one", TO(1, 1, 1), .in = {SCALAR}},
    {"long", TO(63, 217), .in = {REAL(7, 31, 63)}},
    {"empty", TO(3, 0), .in = {REAL(0, 5)}},
    {"special", TO(100), .in = {REAL_OF(SPECIAL, 10, 10)}, .tiers = GRAFT_TIER_ROUNDING},
};

const struct graft_case_set graft_cases_reshape = {cases, CASE_COUNT(cases)};
