/* SPDX-License-Identifier: MIT */
#include "harness.h"

#define FROZEN(name, c, ...)                                                                                 \
    {                                                                                                        \
        name, .attributes.batch_norm = {.epsilon = 1e-5f},                                                   \
              .in = {REAL(__VA_ARGS__), REAL(__VA_ARGS__), REAL(c), REAL(c), REAL_OF(POSITIVE, c)}           \
    }
#define TRAINING(name, kind, c, ...)                                                                         \
    {                                                                                                        \
        name, .attributes.batch_norm = {.epsilon = 1e-5f, .training = true},                                 \
              .in = {REAL_OF(kind, __VA_ARGS__), REAL(__VA_ARGS__), REAL(c), REAL_OF(kind, c),               \
                     REAL_OF(POSITIVE, c),       REAL(c),           REAL(c)}                                 \
    }

static const struct graft_case cases[] = {
    FROZEN("c1", 1, 2, 3, 3, 1),
    FROZEN("c33", 33, 2, 5, 3, 33),
    FROZEN("c64", 64, 2, 4, 4, 64),
    FROZEN("2d", 257, 3, 257),
    FROZEN("empty", 5, 0, 5),
    TRAINING("training_c1", NORMAL, 1, 2, 3, 3, 1),
    TRAINING("training_c3", NORMAL, 3, 2, 5, 7, 3),
    TRAINING("training_c33", NORMAL, 33, 2, 5, 3, 33),
    TRAINING("training_c64", NORMAL, 64, 2, 4, 4, 64),
    TRAINING("training_2d", NORMAL, 257, 3, 257),
    TRAINING("training_offset", OFFSET, 5, 31, 5),
};

const struct graft_case_set graft_cases_batch_norm_grad_input = {cases, CASE_COUNT(cases),
                                                                 .constants = 1u << 2};
