/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include <math.h>

static const double halves[] = {0.5, 0, 0, 2};
static const double usual[] = {0.1, 0, 0, 1};
static const double scaled[] = {0.003, 0, 0, 0.0625};

#define PLAIN(name, how, hyper, decay, ...)                                                                  \
    {name, .attributes.update = {.weight_decay = decay},                                                     \
     .in = {REAL(__VA_ARGS__), REAL(__VA_ARGS__), ABSENT, LITERAL(hyper, 4)}, .tiers = how}
#define MOMENTUM(name, how, hyper, rate, decay, look_ahead, ...)                                             \
    {name, .attributes.update = {.momentum = rate, .weight_decay = decay, .nesterov = look_ahead},           \
     .in = {REAL(__VA_ARGS__), REAL(__VA_ARGS__), REAL(__VA_ARGS__), LITERAL(hyper, 4)}, .tiers = how}

static const double small[] = {4}; /* norm 2 · scale: within the limits below */
static const double large[] = {12345.678};
static const double tiny[] = {1e-12}; /* as small as what is added to the norm */
static const double infinite[] = {HUGE_VAL};
static const double no_number[] = {NAN};
static const double negative[] = {-3.5}; /* no sum of squares: a number that need only be finite */

#define CLIPPED(name, how, hyper, rate, most, squares, ...)                                                  \
    {name, .attributes.update = {.momentum = rate, .weight_decay = 0.25f, .max_norm = most},                 \
     .in = {REAL(__VA_ARGS__), REAL(__VA_ARGS__), REAL(__VA_ARGS__), LITERAL(hyper, 4),                      \
            LITERAL(squares, 1)},                                                                            \
     .tiers = how}

static const struct graft_case cases[] = {
    PLAIN("plain_exact", GRAFT_TIER_EXACT, halves, 0, 257),
    PLAIN("plain_decay_exact", GRAFT_TIER_EXACT, halves, 0.25f, 3, 31),
    PLAIN("plain", GRAFT_TIER_ROUNDING, usual, 0, 33, 3, 3, 17),
    PLAIN("plain_decay", GRAFT_TIER_ROUNDING, scaled, 1e-2f, 1000),
    PLAIN("one", GRAFT_TIER_ROUNDING, usual, 1e-4f, 1),
    PLAIN("empty", GRAFT_TIER_ROUNDING, usual, 1e-4f, 0),
    MOMENTUM("momentum_exact", GRAFT_TIER_EXACT, halves, 0.5f, 0.25f, false, 65, 3),
    MOMENTUM("nesterov_exact", GRAFT_TIER_EXACT, halves, 0.5f, 0.25f, true, 65, 3),
    MOMENTUM("momentum", GRAFT_TIER_ROUNDING, usual, 0.9f, 1e-4f, false, 64, 3, 3, 5),
    MOMENTUM("momentum_scaled", GRAFT_TIER_ROUNDING, scaled, 0.9f, 0, false, 31, 33),
    CLIPPED("within_norm_exact", GRAFT_TIER_EXACT, halves, 0.5f, 64, small, 31, 17),
    CLIPPED("clipped", GRAFT_TIER_ROUNDING, usual, 0.9f, 1, large, 31, 17),
    CLIPPED("clipped_scaled", GRAFT_TIER_ROUNDING, scaled, 0.9f, 0.5f, large, 1023),
    CLIPPED("clipped_tiny", GRAFT_TIER_ROUNDING, usual, 0.9f, 1e-6f, tiny, 65),
    CLIPPED("infinite_norm", GRAFT_TIER_EXACT, halves, 0.5f, 1, infinite, 31, 17),
    CLIPPED("norm_of_nan", GRAFT_TIER_EXACT, halves, 0.5f, 1, no_number, 257),
    {"guarded", .attributes.update = {.momentum = 0.5f},
     .in = {REAL(31, 17), REAL(31, 17), REAL(31, 17), LITERAL(halves, 4), LITERAL(negative, 1)},
     .tiers = GRAFT_TIER_EXACT},
    {"guarded_by_infinity",
     .in = {REAL(257), REAL(257), ABSENT, LITERAL(halves, 4), LITERAL(infinite, 1)},
     .tiers = GRAFT_TIER_EXACT},
    {"plain_clipped", .attributes.update = {.max_norm = 2},
     .in = {REAL(65), REAL(65), ABSENT, LITERAL(usual, 4), LITERAL(large, 1)}, .tiers = GRAFT_TIER_ROUNDING},
    MOMENTUM("nesterov", GRAFT_TIER_ROUNDING, usual, 0.9f, 1e-3f, true, 1023),
};

const struct graft_case_set graft_cases_sgd = {cases, CASE_COUNT(cases)};
