/* SPDX-License-Identifier: MIT */
/* x and y are given both: which of them the derivative needs is the op's affair. Both are free, not y = f(x).
 */
#include "harness.h"

#define WITH(function, ...) .attributes.unary = {.kind = GRAFT_UNARY_##function, __VA_ARGS__}

#define TIERS(name, kind, which, ...)                                                                        \
    {name "_1", WITH(kind, __VA_ARGS__), .in = {REAL(1), REAL(1), REAL(1)}, .tiers = which},                 \
        {name "_kinks", WITH(kind, __VA_ARGS__),                                                             \
         .in = {REAL_OF(KINKS, 257), REAL_OF(KINKS, 257), REAL(257)}, .tiers = which},                       \
        {name "_long", WITH(kind, __VA_ARGS__), .in = {REAL(7, 31, 63), REAL(7, 31, 63), REAL(7, 31, 63)},   \
         .tiers = which},                                                                                    \
        {name "_empty", WITH(kind, __VA_ARGS__), .in = {REAL(4, 0), REAL(4, 0), REAL(4, 0)},                 \
         .tiers = which},                                                                                    \
    {                                                                                                        \
        name "_special", WITH(kind, __VA_ARGS__),                                                            \
            .in = {REAL_OF(KINKS, 300), REAL_OF(KINKS, 300), REAL_OF(SPECIAL, 300)},                         \
            .tiers = GRAFT_TIER_ROUNDING                                                                     \
    }
#define EACH(name, kind, ...) TIERS(name, kind, 0, __VA_ARGS__)
#define SMOOTH(name, kind)                                                                                   \
    TIERS(name, kind, GRAFT_TIER_ROUNDING),                                                                  \
        {name "_deep", WITH(kind),                                                                           \
         .in = {LITERAL(deep, CASE_COUNT(deep)), LITERAL(deep, CASE_COUNT(deep)), REAL(CASE_COUNT(deep))},   \
         .tiers = GRAFT_TIER_ROUNDING},                                                                      \
    {                                                                                                        \
        name "_extreme", WITH(kind), .in = {REAL_OF(EXTREME, 500), REAL_OF(EXTREME, 500), REAL(500)},        \
            .tiers = GRAFT_TIER_ROUNDING                                                                     \
    }

/* Where parts of functions meet, vanish or would overflow. */
static const double deep[] = {-3,   3,     -2.999999, 2.999999, -3.000001, 3.000001, -20,  20,   -44,  44,
                              -87,  87,    -88.7,     88.7,     -89,       89,       -104, 104,  -5.5, 5.5,
                              -13,  13,    -14.9,     14.9,     -0.75,     -1.278,   -2.5, 1e-6, 0.5,  1,
                              1e-3, -1e-3, 1e-30,     1e10,     -1e10,     1e15,     -1e15};

static const struct graft_case cases[] = {
    EACH("none", NONE),
    EACH("relu", RELU),
    EACH("relu6", RELU6),
    EACH("leaky_relu", LEAKY_RELU, .alpha = 0.125f),
    EACH("abs", ABS),
    EACH("clip", CLIP, .low = -1.5f, .high = 2.5f),
    EACH("clip_below", CLIP, .low = -__builtin_inff(), .high = 1),
    EACH("sigmoid_exact", SIGMOID),
    EACH("tanh_exact", TANH),
    EACH("exp_exact", EXP),
    SMOOTH("sigmoid", SIGMOID),
    SMOOTH("tanh", TANH),
    SMOOTH("hard_sigmoid", HARD_SIGMOID),
    SMOOTH("hard_swish", HARD_SWISH),
    SMOOTH("silu", SILU),
    SMOOTH("gelu", GELU),
    SMOOTH("gelu_tanh", GELU_TANH),
    SMOOTH("sqrt", SQRT),
    SMOOTH("exp", EXP),
    SMOOTH("log", LOG),
    {"leaky_relu_plain_slope", WITH(LEAKY_RELU, .alpha = 0.01f), .in = {REAL(97), REAL(97), REAL(97)},
     .tiers = GRAFT_TIER_ROUNDING},
    /* as the graph uses it: only what is needed */
    {"relu_from_y", WITH(RELU), .in = {ABSENT, REAL_OF(KINKS, 9, 33), REAL(9, 33)}},
    {"relu6_from_y", WITH(RELU6), .in = {ABSENT, REAL_OF(KINKS, 9, 33), REAL(9, 33)}},
    {"abs_from_x", WITH(ABS), .in = {REAL_OF(KINKS, 9, 33), ABSENT, REAL(9, 33)}},
    {"silu_from_x", WITH(SILU), .in = {REAL(9, 33), ABSENT, REAL(9, 33)}, .tiers = GRAFT_TIER_ROUNDING},
    {"sigmoid_from_y", WITH(SIGMOID), .in = {ABSENT, REAL(9, 33), REAL(9, 33)}, .tiers = GRAFT_TIER_ROUNDING},
};

const struct graft_case_set graft_cases_unary_grad = {cases, CASE_COUNT(cases)};
