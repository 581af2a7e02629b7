/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include <math.h>

/* learning rate, 1 − 0.9^t, 1 − 0.999^t, scale of the gradient: for t = 1, 7, 1000 */
static const double first[] = {1e-3, 0.1, 0.001, 1};
static const double seventh[] = {1e-2, 0.5217031, 0.006979035, 1};
static const double late[] = {3e-4, 1, 0.6323046, 0.125};
static const double nothing[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

static const double large[] = {54321};
static const double infinite[] = {HUGE_VAL};
static const double negative[] = {-3.5};
static const double no_number[] = {NAN};

#define CLIPPED(name, hyper, squares, apart, ...)                                                            \
    {                                                                                                        \
        name,                                                                                                \
            .attributes.update = {.beta1 = 0.9f,                                                             \
                                  .beta2 = 0.999f,                                                           \
                                  .epsilon = 1e-8f,                                                          \
                                  .weight_decay = 1e-2f,                                                     \
                                  .max_norm = 1,                                                             \
                                  .decoupled = apart},                                                       \
            .in = {REAL(__VA_ARGS__), REAL(__VA_ARGS__),  REAL(__VA_ARGS__), REAL_OF(POSITIVE, __VA_ARGS__), \
                   LITERAL(hyper, 4), LITERAL(squares, 1)}                                                   \
    }
/* No clipping: the last number need only be finite. */
#define GUARDED(name, number, ...)                                                                           \
    {                                                                                                        \
        name, .attributes.update = {.beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-8f},                       \
              .in = {REAL(__VA_ARGS__), REAL(__VA_ARGS__),   REAL(__VA_ARGS__),                              \
                     REAL_OF(POSITIVE, __VA_ARGS__), LITERAL(seventh, 4), LITERAL(number, 1)}                \
    }
#define ADAM(name, hyper, decay, apart, ...)                                                                 \
    {                                                                                                        \
        name,                                                                                                \
            .attributes.update = {.beta1 = 0.9f,                                                             \
                                  .beta2 = 0.999f,                                                           \
                                  .epsilon = 1e-8f,                                                          \
                                  .weight_decay = decay,                                                     \
                                  .decoupled = apart},                                                       \
            .in = {REAL(__VA_ARGS__), REAL(__VA_ARGS__), REAL(__VA_ARGS__), REAL_OF(POSITIVE, __VA_ARGS__),  \
                   LITERAL(hyper, 4)}                                                                        \
    }

static const struct graft_case cases[] = {
    ADAM("usual", seventh, 0, false, 33, 3, 3, 7),
    ADAM("late", late, 0, false, 257),
    ADAM("decay", seventh, 1e-2f, false, 31, 65),
    ADAM("decoupled", late, 1e-2f, true, 31, 65),
    CLIPPED("clipped", seventh, large, false, 31, 65),
    CLIPPED("clipped_decoupled", late, large, true, 257),
    CLIPPED("infinite_norm", seventh, infinite, true, 31, 3),
    GUARDED("guarded", negative, 31, 65),
    GUARDED("guarded_by_nan", no_number, 31, 3),
    ADAM("one", seventh, 0, false, 1),
    ADAM("empty", seventh, 0, false, 0),
    {"first_step", .attributes.update = {.beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-8f},
     .in = {REAL(20), REAL(20), LITERAL(nothing, 20), LITERAL(nothing, 20), LITERAL(first, 4)}},
    {"no_gradient", .attributes.update = {.beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-8f},
     .in = {REAL(20), LITERAL(nothing, 20), LITERAL(nothing, 20), LITERAL(nothing, 20), LITERAL(first, 4)}},
    {"other_betas", .attributes.update = {.beta1 = 0.5f, .beta2 = 0.9f, .epsilon = 1e-3f},
     .in = {REAL(7, 9), REAL(7, 9), REAL(7, 9), REAL_OF(POSITIVE, 7, 9), LITERAL(late, 4)}},
};

const struct graft_case_set graft_cases_adam = {cases, CASE_COUNT(cases)};
