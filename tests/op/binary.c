/* SPDX-License-Identifier: MIT */
#include "harness.h"

#define BINARY(name, operation, activate, ...)                                                               \
    {                                                                                                        \
        name, .attributes.binary = {GRAFT_BINARY_##operation, GRAFT_UNARY_##activate}, .in = {__VA_ARGS__}   \
    }
#define BOTH(name, ...)                                                                                      \
    BINARY("add_" name, ADD, NONE, __VA_ARGS__), BINARY("mul_" name, MUL, NONE, __VA_ARGS__),                \
        BINARY("sub_" name, SUB, NONE, __VA_ARGS__), BINARY("max_" name, MAX, NONE, __VA_ARGS__),            \
        BINARY("min_" name, MIN, NONE, __VA_ARGS__)
#define LATE(name, operation, activate)                                                                      \
    {name, .attributes.binary = {GRAFT_BINARY_##operation, GRAFT_UNARY_##activate},                          \
     .in = {REAL_OF(POSITIVE, 3, 5, 17), REAL(17)}, .tiers = GRAFT_TIER_ROUNDING}
/* Neither is exact: OpenCL lets them err by 2.5 and by 16 units. */
#define INEXACT(name, operation, ...)                                                                        \
    {name, .attributes.binary = {GRAFT_BINARY_##operation, GRAFT_UNARY_NONE}, .in = {__VA_ARGS__},           \
     .tiers = GRAFT_TIER_ROUNDING | GRAFT_TIER_GRADIENT}
#define SPECIALS(name, operation)                                                                            \
    {name, .attributes.binary = {GRAFT_BINARY_##operation, GRAFT_UNARY_NONE},                                \
     .in = {LITERAL(specials, CASE_COUNT(specials), 1), LITERAL(specials, 1, CASE_COUNT(specials))},         \
     .tiers = GRAFT_TIER_ROUNDING}

/* Each with each other: the special cases of C's pow, divisions by 0 and what overflows. */
static const double specials[] = {0,
                                  -0.0,
                                  1,
                                  -1,
                                  2,
                                  -2,
                                  3,
                                  -3,
                                  0.5,
                                  -0.5,
                                  1.5,
                                  1e10,
                                  -1e10,
                                  1e-10,
                                  1e30,
                                  -1e-30,
                                  (double)__builtin_inff(),
                                  -(double)__builtin_inff(),
                                  (double)__builtin_nanf("")};

/* Where a product of exponent and rounded logarithm would be far off. */
static const double near_one[] = {1 + 0x1p-23, 1 - 0x1p-24, 1.001, 0.999, 1.5, 0.66};
static const double large[] = {1e6, -1e6, 8e6, -8e6, 87, -87, 214.5, -214.5};
static const double whole[] = {-3, -2, -1, 0, 1, 2, 3, 4, 5, -4, 17};

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
    LATE("add_sigmoid", ADD, SIGMOID),
    LATE("mul_hard_sigmoid", MUL, HARD_SIGMOID),
    LATE("add_hard_swish", ADD, HARD_SWISH),
    LATE("sub_silu", SUB, SILU),
    LATE("pow_silu", POW, SILU),
    BINARY("mul_relu", MUL, RELU, REAL(3, 5, 17), REAL(17)),
    {"add_special", .attributes.binary = {GRAFT_BINARY_ADD, GRAFT_UNARY_NONE},
     .in = {REAL_OF(SPECIAL, 300), REAL_OF(SPECIAL, 300)}, .tiers = GRAFT_TIER_ROUNDING},
    {"mul_special_relu", .attributes.binary = {GRAFT_BINARY_MUL, GRAFT_UNARY_RELU},
     .in = {REAL_OF(SPECIAL, 20, 15), REAL_OF(SPECIAL, 15)}, .tiers = GRAFT_TIER_ROUNDING},
    {"add_special_relu6", .attributes.binary = {GRAFT_BINARY_ADD, GRAFT_UNARY_RELU6},
     .in = {REAL_OF(SPECIAL, 20, 15), REAL_OF(SPECIAL, 20, 1)}, .tiers = GRAFT_TIER_ROUNDING},
    {"sub_special_relu", .attributes.binary = {GRAFT_BINARY_SUB, GRAFT_UNARY_RELU},
     .in = {REAL_OF(SPECIAL, 20, 15), REAL_OF(SPECIAL, 20, 1)}, .tiers = GRAFT_TIER_ROUNDING},
    SPECIALS("sub_specials", SUB),
    SPECIALS("div_specials", DIV),
    SPECIALS("pow_specials", POW),
    SPECIALS("max_specials", MAX),
    SPECIALS("min_specials", MIN),
    INEXACT("div_1", DIV, REAL(1), REAL_OF(UNIT, 1)),
    INEXACT("div_257", DIV, REAL(257), REAL_OF(UNIT, 257)),
    INEXACT("div_4d", DIV, REAL(2, 5, 7, 33), REAL_OF(POSITIVE, 2, 5, 7, 33)),
    INEXACT("div_scalars", DIV, SCALAR, REAL_OF(UNIT, 1)),
    INEXACT("div_left", DIV, REAL(17), REAL_OF(POSITIVE, 4, 3, 17)),
    INEXACT("div_channels", DIV, REAL(2, 3, 5, 65), REAL_OF(POSITIVE, 65)),
    INEXACT("div_crossed", DIV, REAL(4, 1, 6, 1), REAL_OF(POSITIVE, 3, 1, 5)),
    INEXACT("div_empty", DIV, REAL(0, 5), REAL_OF(UNIT, 5)),
    {"div_relu6", .attributes.binary = {GRAFT_BINARY_DIV, GRAFT_UNARY_RELU6},
     .in = {REAL_OF(AWAY, 3, 97), REAL_OF(UNIT, 97)}, .tiers = GRAFT_TIER_ROUNDING},
    INEXACT("pow_1", POW, REAL_OF(POSITIVE, 1), REAL(1)),
    INEXACT("pow_257", POW, REAL_OF(POSITIVE, 257), REAL(257)),
    INEXACT("pow_scalar_right", POW, REAL_OF(POSITIVE, 9, 33), REAL(1)),
    INEXACT("pow_scalar_left", POW, REAL_OF(POSITIVE, 1), REAL(3, 5, 17)),
    INEXACT("pow_crossed", POW, REAL_OF(POSITIVE, 4, 1, 6, 1), REAL(3, 1, 5)),
    INEXACT("pow_empty", POW, REAL_OF(POSITIVE, 0, 5), REAL(5)),
    {"pow_far", .attributes.binary = {GRAFT_BINARY_POW, GRAFT_UNARY_NONE},
     .in = {REAL_OF(POSITIVE, 500), REAL_OF(EXTREME, 500)}, .tiers = GRAFT_TIER_ROUNDING},
    {"pow_near_1", .attributes.binary = {GRAFT_BINARY_POW, GRAFT_UNARY_NONE},
     .in = {LITERAL(near_one, CASE_COUNT(near_one), 1), LITERAL(large, 1, CASE_COUNT(large))},
     .tiers = GRAFT_TIER_ROUNDING},
    {"pow_whole", .attributes.binary = {GRAFT_BINARY_POW, GRAFT_UNARY_NONE},
     .in = {REAL(31, 1), LITERAL(whole, 1, CASE_COUNT(whole))}, .tiers = GRAFT_TIER_ROUNDING},
    {"pow_relu6", .attributes.binary = {GRAFT_BINARY_POW, GRAFT_UNARY_RELU6},
     .in = {REAL_OF(POSITIVE, 3, 97), REAL_OF(POSITIVE, 97)}, .tiers = GRAFT_TIER_ROUNDING},
};

const struct graft_case_set graft_cases_binary = {cases, CASE_COUNT(cases), .constants = 1u << 1};
