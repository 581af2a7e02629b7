/* SPDX-License-Identifier: MIT */
#include "harness.h"

#define TO(factor, ...) .attributes.broadcast = {.shape = DIMS(__VA_ARGS__), .scale = factor}

static const struct graft_case cases[] = {
    {"same", TO(1, 5, 7), .in = {REAL(5, 7)}},
    {"rows", TO(1, 33, 17), .in = {REAL(17)}},
    {"columns", TO(1, 31, 65), .in = {REAL(31, 1)}},
    {"one", TO(2, 257), .in = {REAL(1)}},
    {"scalar", TO(0.5f, 2, 3, 4), .in = {SCALAR}},
    {"pixels", TO(0.25f, 2, 8, 6, 33), .in = {REAL(2, 1, 1, 33)}},
    {"outer", TO(1, 3, 1, 5, 1, 2), .in = {REAL(5, 1, 1)}},
    {"6d", TO(-1, 2, 3, 2, 2, 3, 4), .in = {REAL(3, 1, 2, 1, 4)}},
    {"empty", TO(1, 0, 4), .in = {REAL(1, 4)}},
    {"third", TO(0.3333333f, 9, 64), .in = {REAL(9, 1)}, .tiers = GRAFT_TIER_ROUNDING | GRAFT_TIER_GRADIENT},
    {"special", TO(1, 4, 60), .in = {REAL_OF(SPECIAL, 60)}, .tiers = GRAFT_TIER_ROUNDING},
};

const struct graft_case_set graft_cases_broadcast = {cases, CASE_COUNT(cases)};
