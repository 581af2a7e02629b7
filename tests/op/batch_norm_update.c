/* SPDX-License-Identifier: MIT */
#include "harness.h"

#define UPDATE(name, how_much, c, ...)                                                                       \
    {                                                                                                        \
        name, .attributes.batch_norm = {.momentum = how_much},                                               \
              .in = {REAL(c), REAL_OF(POSITIVE, c), REAL(c), REAL_OF(POSITIVE, c), REAL(__VA_ARGS__)}        \
    }

static const struct graft_case cases[] = {
    UPDATE("c1", 0.1f, 1, 2, 1, 1, 1),       UPDATE("c33", 0.1f, 33, 2, 5, 7, 33),
    UPDATE("c64_two_rows", 0.1f, 64, 2, 64), UPDATE("c257", 0.01f, 257, 3, 4, 4, 257),
    UPDATE("nothing_new", 0.0f, 5, 9, 5),    UPDATE("all_new", 1.0f, 5, 9, 5),
};

const struct graft_case_set graft_cases_batch_norm_update = {cases, CASE_COUNT(cases)};
