/* SPDX-License-Identifier: MIT */
#include "batch_norms.h"

#define SUMS(name, kind, c, ...)                                                                             \
    {                                                                                                        \
        name, .attributes.batch_norm = {.epsilon = 1e-5f},                                                   \
              .in = {REAL_OF(kind, __VA_ARGS__), REAL(__VA_ARGS__), REAL_OF(kind, c), REAL_OF(POSITIVE, c)}  \
    }
#define SLOPE(name, kind, activate, c, ...)                                                                  \
    {                                                                                                        \
        name, .attributes.batch_norm = {.epsilon = 1e-3f, .activation = GRAFT_UNARY_##activate},             \
              .in = {REAL_OF(kind, __VA_ARGS__), REAL(__VA_ARGS__), REAL_OF(kind, c), REAL_OF(POSITIVE, c),  \
                     REAL(c),                    REAL(c)}                                                    \
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
    SLOPE("relu", NORMAL, RELU, 33, 2, 7, 5, 33),
    SLOPE("relu_c1", NORMAL, RELU, 1, 2, 3, 3, 1),
    SLOPE("relu_many_rows", NORMAL, RELU, 20, 1537, 20),
    SLOPE("relu_offset", OFFSET, RELU, 5, 301, 5),
    SLOPE("relu_empty", NORMAL, RELU, 5, 0, 5),
    SLOPE("relu6", NORMAL, RELU6, 64, 4, 7, 7, 64),
    SLOPE("sigmoid", NORMAL, SIGMOID, 33, 2, 7, 5, 33),
    SLOPE("hard_sigmoid", NORMAL, HARD_SIGMOID, 257, 3, 2, 2, 257),
    SLOPE("hard_swish", NORMAL, HARD_SWISH, 33, 2, 7, 5, 33),
    SLOPE("hard_swish_many_rows", NORMAL, HARD_SWISH, 3, 2, 50, 51, 3),
    SLOPE("silu", NORMAL, SILU, 33, 2, 7, 5, 33),
    SLOPE("silu_2d", NORMAL, SILU, 31, 65, 31),
    {"gamma_only", .attributes.batch_norm = {.epsilon = 1e-5f},
     .in = {REAL(2, 5, 5, 33), REAL(2, 5, 5, 33), REAL(33), REAL_OF(POSITIVE, 33)}, .unwanted = 2},
    {"beta_only", .attributes.batch_norm = {.epsilon = 1e-5f},
     .in = {REAL(2, 5, 5, 33), REAL(2, 5, 5, 33), REAL(33), REAL_OF(POSITIVE, 33)}, .unwanted = 1},
};

static void derive(const struct graft_call *call, double *const *in)
{
    graft_keep_off_kinks(call, in[0], in[4], in[5], in[2], in[3]);
}

const struct graft_case_set graft_cases_batch_norm_grad_param = {cases, CASE_COUNT(cases), .derive = derive};
