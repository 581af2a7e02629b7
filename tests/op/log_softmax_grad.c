/* SPDX-License-Identifier: MIT */
#include "harness.h"

#define ROWS(name, ...)                                                                                      \
    {                                                                                                        \
        name, .in = {REAL(__VA_ARGS__), REAL(__VA_ARGS__)}                                                   \
    }

static const struct graft_case cases[] = {
    ROWS("1x1", 1, 1),       ROWS("5x2", 5, 2),       ROWS("3x1000", 3, 1000),
    ROWS("257x10", 257, 10), ROWS("4x65", 4, 65),     ROWS("33x31", 33, 31),
    ROWS("vector", 7),       ROWS("4d", 2, 3, 4, 33), ROWS("empty", 0, 10),
};

const struct graft_case_set graft_cases_log_softmax_grad = {cases, CASE_COUNT(cases)};
