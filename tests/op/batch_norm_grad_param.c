/* SPDX-License-Identifier: MIT */
#include "harness.h"

#define SUMS(name, kind, c, ...)                                                                             \
    {                                                                                                        \
        name, .attributes.batch_norm = {.epsilon = 1e-5f},                                                   \
              .in = {REAL_OF(kind, __VA_ARGS__), REAL(__VA_ARGS__), REAL_OF(kind, c), REAL_OF(POSITIVE, c)}  \
    }

static const struct graft_case cases[] = {
    SUMS("c1", NORMAL, 1, 2, 3, 3, 1),
    SUMS("c3", NORMAL, 3, 4, 9, 9, 3),
    SUMS("c33", NORMAL, 33, 2, 7, 5, 33),
    SUMS("c64", NORMAL, 64, 4, 7, 7, 64),
    SUMS("c257", NORMAL, 257, 3, 2, 2, 257),
    SUMS("2d", NORMAL, 31, 65, 31),
    SUMS("one_row", NORMAL, 20, 1, 1, 1, 20),
    SUMS("many_rows", NORMAL, 3, 2, 50, 51, 3),
    SUMS("many_rows_c20", NORMAL, 20, 1537, 20),
    SUMS("many_chunks", NORMAL, 20, 9001, 20),
    SUMS("offset", OFFSET, 5, 301, 5),
    SUMS("empty", NORMAL, 5, 0, 5),
    {"gamma_only", .attributes.batch_norm = {.epsilon = 1e-5f},
     .in = {REAL(2, 5, 5, 33), REAL(2, 5, 5, 33), REAL(33), REAL_OF(POSITIVE, 33)}, .unwanted = 2},
    {"beta_only", .attributes.batch_norm = {.epsilon = 1e-5f},
     .in = {REAL(2, 5, 5, 33), REAL(2, 5, 5, 33), REAL(33), REAL_OF(POSITIVE, 33)}, .unwanted = 1},
};

const struct graft_case_set graft_cases_batch_norm_grad_param = {cases, CASE_COUNT(cases)};
