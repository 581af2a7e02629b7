/* SPDX-License-Identifier: MIT */
#include "harness.h"

#define GRAD(name, operation, which, ...)                                                                    \
    {name, .attributes.binary = {.kind = GRAFT_BINARY_##operation, .operand = which}, .in = {__VA_ARGS__},   \
     .tiers = GRAFT_TIER_ROUNDING}
#define EXACT(name, operation, which, ...)                                                                   \
    {name, .attributes.binary = {.kind = GRAFT_BINARY_##operation, .operand = which}, .in = {__VA_ARGS__},   \
     .tiers = GRAFT_TIER_EXACT}
#define BOTH(name, operation, ...)                                                                           \
    GRAD(name "_a", operation, 0, __VA_ARGS__), GRAD(name "_b", operation, 1, __VA_ARGS__)
/* Every way of stretching; `values` are those of b. */
#define SHAPES(name, operation, left, values)                                                                \
    BOTH(name "_1", operation, REAL_OF(left, 1), REAL_OF(values, 1), REAL(1)),                               \
        BOTH(name "_257", operation, REAL_OF(left, 257), REAL_OF(values, 257), REAL(257)),                   \
        BOTH(name "_channels", operation, REAL_OF(left, 2, 3, 5, 33), REAL_OF(values, 33),                   \
             REAL(2, 3, 5, 33)),                                                                             \
        BOTH(name "_left", operation, REAL_OF(left, 17), REAL_OF(values, 4, 3, 17), REAL(4, 3, 17)),         \
        BOTH(name "_scalar_left", operation, REAL_OF(left, 1), REAL_OF(values, 9, 33), REAL(9, 33)),         \
        BOTH(name "_scalar_right", operation, REAL_OF(left, 9, 33), REAL_OF(values, 1), REAL(9, 33)),        \
        BOTH(name "_crossed", operation, REAL_OF(left, 4, 1, 6, 1), REAL_OF(values, 3, 1, 5),                \
             REAL(4, 3, 6, 5)),                                                                              \
        BOTH(name "_6d", operation, REAL_OF(left, 2, 1, 3, 2, 1, 5), REAL_OF(values, 2, 2, 1, 2, 3, 5),      \
             REAL(2, 2, 3, 2, 3, 5)),                                                                        \
        BOTH(name "_empty", operation, REAL_OF(left, 0, 5), REAL_OF(values, 5), REAL(0, 5)),                 \
        BOTH(name "_long", operation, REAL_OF(left, 7, 31, 65), REAL_OF(values, 7, 31, 65), REAL(7, 31, 65))
/* Each special value with each other. */
#define SPECIALS(name, operation)                                                                            \
    BOTH(name "_specials", operation, LITERAL(specials, CASE_COUNT(specials), 1),                            \
         LITERAL(specials, 1, CASE_COUNT(specials)), REAL(CASE_COUNT(specials), CASE_COUNT(specials)))
/* Equal pairs, and NaN and Inf coming in. */
#define TIES(name, operation)                                                                                \
    BOTH(name "_ties", operation, REAL_OF(TIES, 9, 33), REAL_OF(TIES, 33), REAL(9, 33)),                     \
        BOTH(name "_in", operation, REAL_OF(TIES, 9, 33), REAL_OF(TIES, 33), REAL_OF(SPECIAL, 9, 33))

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
                                  1e4,
                                  -1e4,
                                  1e-4,
                                  (double)__builtin_inff(),
                                  -(double)__builtin_inff(),
                                  (double)__builtin_nanf("")};

static const struct graft_case cases[] = {
    SHAPES("div", DIV, NORMAL, POSITIVE),
    SHAPES("pow", POW, POSITIVE, NORMAL),
    SHAPES("max", MAX, NORMAL, NORMAL),
    SHAPES("min", MIN, NORMAL, NORMAL),
    SPECIALS("div", DIV),
    SPECIALS("pow", POW),
    SPECIALS("max", MAX),
    SPECIALS("min", MIN),
    TIES("max", MAX),
    TIES("min", MIN),
    BOTH("pow_zeros", POW, REAL_OF(TIES, 9, 33), REAL_OF(TIES, 33), REAL(9, 33)),
    /* Who is chosen gets all, of equals each gets half: exactly. */
    EXACT("max_exact", MAX, 0, REAL_OF(TIES, 9, 33), REAL_OF(TIES, 33), REAL(9, 33)),
    EXACT("max_exact_b", MAX, 1, REAL_OF(TIES, 9, 33), REAL_OF(TIES, 33), REAL(9, 33)),
    EXACT("min_exact", MIN, 0, REAL_OF(TIES, 9, 33), REAL_OF(TIES, 33), REAL(9, 33)),
    EXACT("min_exact_b", MIN, 1, REAL_OF(TIES, 9, 33), REAL_OF(TIES, 33), REAL(9, 33)),
};

const struct graft_case_set graft_cases_binary_grad = {cases, CASE_COUNT(cases)};
