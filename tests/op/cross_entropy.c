/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include <math.h>

#define ROWS(name, kind, smooth, n, classes)                                                                 \
    {                                                                                                        \
        name, .attributes.cross_entropy = {smooth}, .in = {REAL_OF(kind, n, classes), LABELS(n, classes)}    \
    }

#define WEIGHTED(name, kind, smooth, n, classes)                                                             \
    {                                                                                                        \
        name, .attributes.cross_entropy = {smooth},                                                          \
              .in = {REAL_OF(kind, n, classes), LABELS(n, classes), REAL_OF(POSITIVE, classes)}              \
    }

/* A class that counts nothing is impossible besides: 0 · ∞ is 0 here. */
static const double impossible[5] = {0.5, -(double)INFINITY, 1, 2.25, -1};
static const double ignored[5] = {1, 0, 2, 0.5, 1};
#define IGNORED(name, smooth)                                                                                \
    {                                                                                                        \
        name, .attributes.cross_entropy = {smooth},                                                          \
              .in = {LITERAL(impossible, 40, 5), LABELS(40, 5), LITERAL(ignored, 5)},                        \
              .tiers = GRAFT_TIER_ROUNDING                                                                   \
    }

static const struct graft_case cases[] = {
    ROWS("1x1", NORMAL, 0, 1, 1),
    ROWS("2x1000", NORMAL, 0, 2, 1000),
    ROWS("32x10", NORMAL, 0, 32, 10),
    ROWS("257x2", NORMAL, 0, 257, 2),
    ROWS("5x33", NORMAL, 0, 5, 33),
    ROWS("4x65", NORMAL, 0, 4, 65),
    ROWS("smoothed", NORMAL, 0.1f, 9, 31),
    ROWS("smoothed_2x1000", NORMAL, 0.3f, 2, 1000),
    ROWS("extreme", EXTREME, 0, 40, 21),
    ROWS("extreme_smoothed", EXTREME, 0.1f, 40, 21),
    ROWS("deep", DEEP, 0, 5, 37),
    ROWS("offset", OFFSET, 0, 6, 40),
    ROWS("empty", NORMAL, 0, 0, 10),
    ROWS("infinite", INFINITE, 0, 40, 17),
    WEIGHTED("weighted", NORMAL, 0, 9, 31),
    WEIGHTED("weighted_smoothed", NORMAL, 0.1f, 32, 10),
    WEIGHTED("weighted_smoothed_2x1000", NORMAL, 0.3f, 2, 1000),
    WEIGHTED("weighted_extreme", EXTREME, 0.1f, 40, 21),
    WEIGHTED("weighted_infinite", INFINITE, 0, 40, 17),
    IGNORED("ignored_class", 0),
    IGNORED("ignored_class_smoothed", 0.1f),
    /* labels that are no class give NaN */
    {"no_class", .attributes.cross_entropy = {0}, .in = {REAL(40, 17), LABELS(40, 25)},
     .tiers = GRAFT_TIER_ROUNDING},
    {"no_class_smoothed", .attributes.cross_entropy = {0.1f}, .in = {REAL(40, 17), LABELS(40, 25)},
     .tiers = GRAFT_TIER_ROUNDING},
    {"no_class_next", .attributes.cross_entropy = {0}, .in = {REAL(60, 3), LABELS(60, 4)},
     .tiers = GRAFT_TIER_ROUNDING},
    {"no_class_weighted", .attributes.cross_entropy = {0.1f},
     .in = {REAL(40, 17), LABELS(40, 25), REAL_OF(POSITIVE, 17)}, .tiers = GRAFT_TIER_ROUNDING},
};

const struct graft_case_set graft_cases_cross_entropy = {cases, CASE_COUNT(cases), .no_gradient = 1u << 2};
