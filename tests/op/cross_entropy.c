/* SPDX-License-Identifier: MIT */
#include "harness.h"

#define ROWS(name, kind, smooth, n, classes)                                                                 \
    {                                                                                                        \
        name, .attributes.cross_entropy = {smooth}, .in = {REAL_OF(kind, n, classes), LABELS(n, classes)}    \
    }

#define WEIGHTED(name, kind, smooth, n, classes)                                                             \
    {                                                                                                        \
        name, .attributes.cross_entropy = {smooth},                                                          \
              .in = {REAL_OF(kind, n, classes), LABELS(n, classes), REAL_OF(POSITIVE, classes)}              \
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
