/* SPDX-License-Identifier: MIT */
#include "harness.h"

#define BINARY(name, operation, activate, ...)                                                               \
    {                                                                                                        \
        name, .attributes.binary = {GRAFT_BINARY_##operation, GRAFT_UNARY_##activate}, .in = {__VA_ARGS__}   \
    }
#define BOTH(name, ...)                                                                                      \
    BINARY("add_" name, ADD, NONE, __VA_ARGS__), BINARY("mul_" name, MUL, NONE, __VA_ARGS__)

static const struct graft_case cases[] = {
    BOTH("1", REAL(1), REAL(1)),
    BOTH("257", REAL(257), REAL(257)),
    BOTH("4d", REAL(2, 5, 7, 33), REAL(2, 5, 7, 33)),
    BOTH("scalars", SCALAR, SCALAR),
    BOTH("scalar_right", REAL(3, 31), SCALAR),
    BOTH("scalar_left", SCALAR, REAL(3, 31)),
    BOTH("one_right", REAL(65, 2), REAL(1)),
    BOTH("channels", REAL(2, 3, 5, 64), REAL(64)),
    BOTH("channels_65", REAL(2, 3, 5, 65), REAL(1, 1, 1, 65)),
    BOTH("channels_left", REAL(17), REAL(4, 3, 17)),
    BOTH("columns", REAL(9, 33), REAL(9, 1)),
    BOTH("pictures", REAL(3, 4, 5, 6), REAL(3, 1, 1, 1)),
    BOTH("squeeze", REAL(2, 6, 7, 32), REAL(2, 1, 1, 32)),
    BOTH("outer", REAL(31, 1), REAL(1, 32)),
    BOTH("crossed", REAL(4, 1, 6, 1), REAL(3, 1, 5)),
    BOTH("6d", REAL(2, 1, 3, 2, 1, 5), REAL(2, 2, 1, 2, 3, 5)),
    BOTH("empty", REAL(0, 5), REAL(5)),
    BOTH("empty_stretched", REAL(0), REAL(1)),
    BINARY("add_relu", ADD, RELU, REAL(3, 5, 17), REAL(3, 5, 17)),
    BINARY("add_relu6", ADD, RELU6, REAL_OF(KINKS, 3, 5, 17), REAL_OF(KINKS, 3, 5, 17)),
    BINARY("mul_relu", MUL, RELU, REAL(3, 5, 17), REAL(17)),
    {"add_special", .attributes.binary = {GRAFT_BINARY_ADD, GRAFT_UNARY_NONE},
     .in = {REAL_OF(SPECIAL, 300), REAL_OF(SPECIAL, 300)}, .tiers = GRAFT_TIER_ROUNDING},
    {"mul_special_relu", .attributes.binary = {GRAFT_BINARY_MUL, GRAFT_UNARY_RELU},
     .in = {REAL_OF(SPECIAL, 20, 15), REAL_OF(SPECIAL, 15)}, .tiers = GRAFT_TIER_ROUNDING},
    {"add_special_relu6", .attributes.binary = {GRAFT_BINARY_ADD, GRAFT_UNARY_RELU6},
     .in = {REAL_OF(SPECIAL, 20, 15), REAL_OF(SPECIAL, 20, 1)}, .tiers = GRAFT_TIER_ROUNDING},
};

const struct graft_case_set graft_cases_binary = {cases, CASE_COUNT(cases), .constants = 1u << 1};
