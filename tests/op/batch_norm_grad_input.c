/* SPDX-License-Identifier: MIT */
#include "batch_norms.h"

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
#define SLOPE(name, kind, activate, c, ...)                                                                  \
    {                                                                                                        \
        name,                                                                                                \
            .attributes.batch_norm = {.epsilon = 1e-3f,                                                      \
                                      .training = true,                                                      \
                                      .activation = GRAFT_UNARY_##activate},                                 \
            .in = {REAL_OF(kind, __VA_ARGS__), REAL(__VA_ARGS__), REAL(c), REAL_OF(kind, c),                 \
                   REAL_OF(POSITIVE, c),       REAL(c),           REAL(c), REAL(c)}                          \
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
    SLOPE("relu", NORMAL, RELU, 33, 2, 5, 3, 33),
    SLOPE("relu_c1", NORMAL, RELU, 1, 2, 3, 3, 1),
    SLOPE("relu_offset", OFFSET, RELU, 5, 31, 5),
    SLOPE("relu_empty", NORMAL, RELU, 5, 0, 5),
    SLOPE("relu6", NORMAL, RELU6, 64, 2, 4, 4, 64),
    SLOPE("sigmoid", NORMAL, SIGMOID, 33, 2, 5, 3, 33),
    SLOPE("hard_sigmoid", NORMAL, HARD_SIGMOID, 257, 3, 257),
    SLOPE("hard_swish", NORMAL, HARD_SWISH, 33, 2, 5, 3, 33),
    SLOPE("silu", NORMAL, SILU, 33, 2, 5, 3, 33),
    SLOPE("silu_2d", NORMAL, SILU, 257, 3, 257),
    {"frozen_relu", .attributes.batch_norm = {.epsilon = 1e-5f, .activation = GRAFT_UNARY_RELU},
     .in = {REAL(2, 5, 3, 33), REAL(2, 5, 3, 33), REAL(33), REAL(33), REAL_OF(POSITIVE, 33), ABSENT, ABSENT,
            REAL(33)}},
    {"frozen_silu", .attributes.batch_norm = {.epsilon = 1e-5f, .activation = GRAFT_UNARY_SILU},
     .in = {REAL(2, 5, 3, 33), REAL(2, 5, 3, 33), REAL(33), REAL(33), REAL_OF(POSITIVE, 33), ABSENT, ABSENT,
            REAL(33)}},
};

static void derive(const struct graft_call *call, double *const *in)
{
    graft_keep_off_kinks(call, in[0], in[2], in[7], in[3], in[4]);
}

const struct graft_case_set graft_cases_batch_norm_grad_input = {cases, CASE_COUNT(cases),
                                                                 .constants = 1u << 2, .derive = derive};
