/* SPDX-License-Identifier: MIT */
#include "harness.h"

static const double halves[] = {0.5, 0, 0, 2};
static const double usual[] = {0.1, 0, 0, 1};
static const double scaled[] = {0.003, 0, 0, 0.0625};

#define PLAIN(name, how, hyper, decay, ...)                                                                  \
    {name, .attributes.update = {.weight_decay = decay},                                                     \
     .in = {REAL(__VA_ARGS__), REAL(__VA_ARGS__), ABSENT, LITERAL(hyper, 4)}, .tiers = how}
#define MOMENTUM(name, how, hyper, rate, decay, look_ahead, ...)                                             \
    {name, .attributes.update = {.momentum = rate, .weight_decay = decay, .nesterov = look_ahead},           \
     .in = {REAL(__VA_ARGS__), REAL(__VA_ARGS__), REAL(__VA_ARGS__), LITERAL(hyper, 4)}, .tiers = how}

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
    MOMENTUM("nesterov", GRAFT_TIER_ROUNDING, usual, 0.9f, 1e-3f, true, 1023),
};

const struct graft_case_set graft_cases_sgd = {cases, CASE_COUNT(cases)};
