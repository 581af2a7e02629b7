/* SPDX-License-Identifier: MIT */
/* In training mean and var are those of x: the difference quotients must move them too. */
#include "harness.h"

#define PLAIN(name, c, ...)                                                                                  \
    {                                                                                                        \
        name, .attributes.batch_norm = {.epsilon = 1e-5f},                                                   \
              .in = {REAL(__VA_ARGS__), REAL(c), REAL(c), REAL(c), REAL_OF(POSITIVE, c)}                     \
    }
#define FUSED(name, train, activate, c, ...)                                                                 \
    {                                                                                                        \
        name,                                                                                                \
            .attributes.batch_norm = {.epsilon = 1e-3f,                                                      \
                                      .training = train,                                                     \
                                      .activation = GRAFT_UNARY_##activate},                                 \
            .in = {REAL(__VA_ARGS__), REAL(c), REAL(c), REAL(c), REAL_OF(POSITIVE, c), REAL(__VA_ARGS__)}    \
    }
#define TRAINING(name, c, ...)                                                                               \
    {                                                                                                        \
        name, .attributes.batch_norm = {.epsilon = 1e-5f, .training = true},                                 \
              .in = {REAL(__VA_ARGS__), REAL(c), REAL(c), REAL(c), REAL_OF(POSITIVE, c)}                     \
    }

static const struct graft_case cases[] = {
    PLAIN("c1", 1, 1, 1, 1, 1),
    PLAIN("c3", 3, 2, 5, 7, 3),
    PLAIN("c16", 16, 2, 4, 4, 16),
    PLAIN("c33", 33, 1, 6, 5, 33),
    PLAIN("c64", 64, 2, 7, 5, 64),
    PLAIN("c257", 257, 3, 2, 2, 257),
    PLAIN("2d", 31, 65, 31),
    PLAIN("3d", 7, 4, 9, 7),
    PLAIN("empty", 5, 0, 3, 3, 5),
    TRAINING("training_c3", 3, 2, 5, 7, 3),
    TRAINING("training_c33", 33, 4, 3, 3, 33),
    TRAINING("training_2d", 17, 9, 17),
    FUSED("residual", false, NONE, 20, 2, 5, 3, 20),
    FUSED("residual_relu", false, RELU, 33, 2, 5, 3, 33),
    FUSED("residual_sigmoid", false, SIGMOID, 33, 2, 5, 3, 33),
    FUSED("residual_hard_sigmoid", false, HARD_SIGMOID, 33, 2, 5, 3, 33),
    FUSED("residual_hard_swish", false, HARD_SWISH, 33, 2, 5, 3, 33),
    FUSED("residual_silu", false, SILU, 33, 2, 5, 3, 33),
    FUSED("residual_relu6_training", true, RELU6, 8, 2, 5, 3, 8),
    {"relu", .attributes.batch_norm = {.epsilon = 1e-5f, .activation = GRAFT_UNARY_RELU},
     .in = {REAL(2, 5, 3, 18), REAL(18), REAL(18), REAL(18), REAL_OF(POSITIVE, 18)}},
    {"relu6", .attributes.batch_norm = {.epsilon = 1e-5f, .activation = GRAFT_UNARY_RELU6},
     .in = {REAL_OF(AWAY, 2, 5, 3, 18), REAL(18), REAL(18), REAL(18), REAL_OF(POSITIVE, 18)}},
    {"special", .attributes.batch_norm = {.epsilon = 1e-5f, .activation = GRAFT_UNARY_RELU},
     .in = {REAL_OF(SPECIAL, 20, 18), REAL(18), REAL(18), REAL(18), REAL_OF(POSITIVE, 18)},
     .tiers = GRAFT_TIER_ROUNDING},
    {"offset", .attributes.batch_norm = {.epsilon = 1e-5f, .training = true},
     .in = {REAL_OF(OFFSET, 40, 5), REAL(5), REAL(5), REAL(5), REAL_OF(POSITIVE, 5)}},
};

static void derive(const struct graft_call *call, double *const *in)
{
    if (!call->attributes.batch_norm.training) {
        return;
    }
    const struct graft_shape *const shape = &call->in[0].shape;
    const int64_t channels = shape->dim[shape->rank - 1];
    const int64_t rows = graft_shape_count(shape) / channels;
    for (int64_t c = 0; c < channels; c++) {
        double mean = 0;
        double var = 0;
        for (int64_t i = 0; i < rows; i++) {
            mean += in[0][i * channels + c] / (double)rows;
        }
        for (int64_t i = 0; i < rows; i++) {
            const double distance = in[0][i * channels + c] - mean;
            var += distance * distance / (double)rows;
        }
        in[3][c] = mean;
        in[4][c] = var;
    }
}

const struct graft_case_set graft_cases_batch_norm = {
    cases,
    CASE_COUNT(cases),
    .constants = 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4,
    .no_gradient = 1u << 3 | 1u << 4,
    .derive = derive,
};
