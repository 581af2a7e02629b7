/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include <math.h>

static const double usual[] = {1e-3, 0, 0, 1};
static const double scaled[] = {1e-2, 0, 0, 0.125};
static const double nothing[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

static const double large[] = {54321};
static const double infinite[] = {HUGE_VAL};
static const double negative[] = {-3.5}; /* no sum of squares: a number that need only be finite */

#define CLIPPED(name, squares, ...)                                                                          \
    {                                                                                                        \
        name, .attributes.update = {.beta2 = 0.9f, .epsilon = 1e-8f, .weight_decay = 1e-2f, .max_norm = 1},  \
              .in = {REAL(__VA_ARGS__), REAL(__VA_ARGS__), REAL_OF(POSITIVE, __VA_ARGS__),                   \
                     LITERAL(scaled, 4), LITERAL(squares, 1)}                                                \
    }
#define RMSPROP(name, hyper, alpha, decay, ...)                                                              \
    {                                                                                                        \
        name,                                                                                                \
            .attributes.update = {.beta2 = alpha, .epsilon = 1e-8f, .weight_decay = decay},                  \
            .in = {REAL(__VA_ARGS__), REAL(__VA_ARGS__), REAL_OF(POSITIVE, __VA_ARGS__), LITERAL(hyper, 4)}  \
    }

static const struct graft_case cases[] = {
    RMSPROP("usual", usual, 0.99f, 0, 33, 3, 3, 7),
    RMSPROP("keras", usual, 0.9f, 0, 257),
    RMSPROP("decay", scaled, 0.99f, 1e-2f, 31, 65),
    CLIPPED("clipped", large, 31, 65),
    CLIPPED("infinite_norm", infinite, 31, 3),
    {"guarded", .attributes.update = {.beta2 = 0.9f, .epsilon = 1e-8f},
     .in = {REAL(65), REAL(65), REAL_OF(POSITIVE, 65), LITERAL(usual, 4), LITERAL(negative, 1)}},
    {"guarded_by_infinity", .attributes.update = {.beta2 = 0.9f, .epsilon = 1e-8f},
     .in = {REAL(33), REAL(33), REAL_OF(POSITIVE, 33), LITERAL(usual, 4), LITERAL(infinite, 1)}},
    {"large_epsilon", .attributes.update = {.beta2 = 0.9f, .epsilon = 0.25f},
     .in = {REAL(33), REAL(33), REAL_OF(POSITIVE, 33), LITERAL(usual, 4)}},
    RMSPROP("one", usual, 0.9f, 0, 1),
    RMSPROP("empty", usual, 0.9f, 0, 0),
    {"first_step", .attributes.update = {.beta2 = 0.9f, .epsilon = 1e-8f},
     .in = {REAL(20), REAL(20), LITERAL(nothing, 20), LITERAL(usual, 4)}},
    {"no_gradient", .attributes.update = {.beta2 = 0.9f, .epsilon = 1e-8f},
     .in = {REAL(20), LITERAL(nothing, 20), LITERAL(nothing, 20), LITERAL(usual, 4)}},
};

const struct graft_case_set graft_cases_rmsprop = {cases, CASE_COUNT(cases)};
