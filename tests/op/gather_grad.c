/* SPDX-License-Identifier: MIT */
#include "harness.h"

#define ROWS(name, n, below, k, ...)                                                                         \
    {                                                                                                        \
        name, .attributes.gather = {n}, .in = { REAL(k, __VA_ARGS__), LABELS(k, below) }                     \
    }

static const struct graft_case cases[] = {
    ROWS("1x1", 1, 1, 1, 1),          {"vector", .attributes.gather = {7}, .in = {REAL(20), LABELS(20, 7)}},
    ROWS("table", 169, 169, 2401, 3), ROWS("wide", 5, 5, 9, 257),
    ROWS("rank4", 6, 6, 3, 2, 3, 17), ROWS("many", 2, 2, 5001, 33),
    ROWS("no_index", 4, 4, 0, 3),     ROWS("no_rows", 0, 4, 5, 3),
    ROWS("no_row", 9, 12, 40, 5),
};

const struct graft_case_set graft_cases_gather_grad = {cases, CASE_COUNT(cases)};
