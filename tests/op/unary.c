/* SPDX-License-Identifier: MIT */
#include "harness.h"

#define WITH(function, ...) .attributes.unary = {.kind = GRAFT_UNARY_##function, __VA_ARGS__}

#define EACH(name, kind, ...)                                                                                \
    {name "_1", WITH(kind, __VA_ARGS__), .in = {REAL(1)}},                                                   \
        {name "_scalar", WITH(kind, __VA_ARGS__), .in = {SCALAR}},                                           \
        {name "_away", WITH(kind, __VA_ARGS__), .in = {REAL_OF(AWAY, 3, 5, 7)}},                             \
        {name "_kinks", WITH(kind, __VA_ARGS__), .in = {REAL_OF(KINKS, 257)}},                               \
        {name "_long", WITH(kind, __VA_ARGS__), .in = {REAL(7, 31, 63)}},                                    \
        {name "_6d", WITH(kind, __VA_ARGS__), .in = {REAL(2, 1, 3, 2, 3, 4)}},                               \
        {name "_empty", WITH(kind, __VA_ARGS__), .in = {REAL(4, 0)}},                                        \
    {                                                                                                        \
        name "_special", WITH(kind, __VA_ARGS__), .in = {REAL_OF(SPECIAL, 300)},                             \
            .tiers = GRAFT_TIER_ROUNDING                                                                     \
    }

/* Functions that round: no exact tier. `values` are those of the op's domain. */
#define SMOOTH(name, kind, values)                                                                           \
    {name "_1", WITH(kind), .in = {REAL_OF(values, 1)}, .tiers = INEXACT},                                   \
        {name "_scalar", WITH(kind), .in = {REAL_OF(values, 1, 1)}, .tiers = INEXACT},                       \
        {name "_long", WITH(kind), .in = {REAL_OF(values, 7, 31, 63)}, .tiers = INEXACT},                    \
        {name "_6d", WITH(kind), .in = {REAL_OF(values, 2, 1, 3, 2, 3, 4)}, .tiers = INEXACT},               \
        {name "_empty", WITH(kind), .in = {REAL_OF(values, 4, 0)}, .tiers = INEXACT},                        \
        {name "_wide", WITH(kind), .in = {LITERAL(wide, CASE_COUNT(wide))}, .tiers = GRAFT_TIER_ROUNDING},   \
        {name "_fine", WITH(kind), .in = {LITERAL(fine, CASE_COUNT(fine))}, .tiers = GRAFT_TIER_ROUNDING},   \
        {name "_extreme", WITH(kind), .in = {REAL_OF(EXTREME, 500)}, .tiers = GRAFT_TIER_ROUNDING},          \
    {                                                                                                        \
        name "_special", WITH(kind), .in = {REAL_OF(SPECIAL, 300)}, .tiers = GRAFT_TIER_ROUNDING             \
    }
#define INEXACT (GRAFT_TIER_ROUNDING | GRAFT_TIER_GRADIENT)

/* Where exponentials begin to overflow and to vanish, where halves of functions meet, signed zeros. Not
 * subnormal: a device may take such arguments for 0, and log(0) is far from log(1e-40). */
static const double wide[] = {
    0,     -0.0,  88.7,   88.8,       89,     -87.3,   -87.4,  -88.7,  -89,    -103.9, -104.1, 0.6249,
    0.625, 9.01,  -9.01,  20,         -20,    44,      -44,    0.5,    2,      1.5,    -1.5,   3,
    -3,    5.9,   -5.9,   13,         -13,    14.9,    -14.9,  15.1,   -15.1,  1e-3,   -1e-3,  1e-6,
    -1e-6, 1e-20, -1e-20, 1e-30,      -1e-30, 1e-37,   -1e-37, 1e4,    -1e4,   1e10,   -1e10,  1e18,
    -1e18, 1e15,  -1e15,  0.70710677, 1.414,  1.41422, 1,      0.9999, 1.0001, 0.1353, -0.1353};

/* Near 1, where a logarithm is small. */
static const double fine[] = {1,           1 + 0x1p-23, 1 - 0x1p-24, 1 + 0x1p-22, 1 - 0x1p-23,
                              1 + 0x1p-12, 1 - 0x1p-12, 1.01,        0.99,        0.7072,
                              0.707,       1.4142,      1.4143,      2,           4};

static const struct graft_case cases[] = {
    EACH("none", NONE),
    EACH("relu", RELU),
    EACH("relu6", RELU6),
    EACH("leaky_relu", LEAKY_RELU, .alpha = 0.125f),
    EACH("abs", ABS),
    EACH("clip", CLIP, .low = -1.5f, .high = 2.5f),
    {"leaky_relu_plain_slope", WITH(LEAKY_RELU, .alpha = 0.01f), .in = {REAL_OF(AWAY, 3, 97)},
     .tiers = INEXACT},
    {"clip_below", WITH(CLIP, .low = -__builtin_inff(), .high = 1), .in = {REAL(3, 97)}},
    {"clip_above", WITH(CLIP, .low = 1, .high = __builtin_inff()), .in = {REAL(3, 97)}},
    {"clip_point", WITH(CLIP, .low = 1, .high = 1), .in = {REAL_OF(KINKS, 97)}},
    SMOOTH("sigmoid", SIGMOID, AWAY),
    SMOOTH("tanh", TANH, NORMAL),
    SMOOTH("hard_sigmoid", HARD_SIGMOID, NORMAL),
    SMOOTH("hard_swish", HARD_SWISH, NORMAL),
    SMOOTH("silu", SILU, AWAY),
    SMOOTH("gelu", GELU, AWAY),
    SMOOTH("gelu_tanh", GELU_TANH, AWAY),
    SMOOTH("sqrt", SQRT, POSITIVE),
    SMOOTH("exp", EXP, AWAY),
    SMOOTH("log", LOG, POSITIVE),
    {"hard_sigmoid_kinks", WITH(HARD_SIGMOID), .in = {REAL_OF(KINKS, 257)}, .tiers = GRAFT_TIER_ROUNDING},
    {"hard_swish_kinks", WITH(HARD_SWISH), .in = {REAL_OF(KINKS, 257)}, .tiers = GRAFT_TIER_ROUNDING},
};

const struct graft_case_set graft_cases_unary = {cases, CASE_COUNT(cases)};
