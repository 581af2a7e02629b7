/* SPDX-License-Identifier: MIT */
#include "harness.h"

#define ROWS(name, below, k, ...)                                                                            \
    {                                                                                                        \
        name, .in = { REAL(__VA_ARGS__), LABELS(k, below) }                                                  \
    }

static const struct graft_case cases[] = {
    ROWS("1x1", 1, 1, 1, 1),
    ROWS("vector", 7, 20, 7),
    ROWS("table", 169, 2401, 169, 3),
    ROWS("wide", 5, 9, 5, 257),
    ROWS("rank4", 6, 3, 6, 2, 3, 17),
    ROWS("no_index", 4, 0, 4, 3),
    ROWS("empty_rows", 4, 5, 4, 0),
    {"no_row", .in = {REAL(9, 5), LABELS(40, 12)}, .tiers = GRAFT_TIER_ROUNDING},
    {"special", .in = {REAL_OF(SPECIAL, 9, 5), LABELS(40, 9)}, .tiers = GRAFT_TIER_ROUNDING},
};

const struct graft_case_set graft_cases_gather = {cases, CASE_COUNT(cases)};
