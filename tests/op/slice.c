/* SPDX-License-Identifier: MIT */
#include "harness.h"

#define PART(name, first, extent, ...)                                                                       \
    {                                                                                                        \
        name, .attributes.slice = {.begin = first, .size = extent}, .in = {REAL(__VA_ARGS__)}                \
    }
#define AT(...) {__VA_ARGS__}

static const struct graft_case cases[] = {
    PART("whole", AT(0, 0), AT(5, 7), 5, 7),
    PART("vector", AT(3), AT(257), 300),
    PART("rows", AT(2, 0), AT(3, 33), 9, 33),
    PART("columns", AT(0, 1), AT(9, 31), 9, 33),
    PART("channels", AT(0, 0, 0, 64), AT(2, 3, 5, 64), 2, 3, 5, 128),
    PART("odd_channels", AT(0, 0, 0, 1), AT(2, 3, 5, 2), 2, 3, 5, 7),
    PART("inner", AT(1, 2, 3, 4), AT(1, 3, 2, 5), 3, 6, 7, 11),
    PART("one", AT(2, 3), AT(1, 1), 4, 5),
    PART("6d", AT(0, 1, 0, 2, 1, 0), AT(2, 1, 2, 1, 2, 3), 2, 3, 2, 4, 3, 3),
    PART("to_nothing", AT(1, 2), AT(2, 0), 4, 5),
    PART("last", AT(3, 4), AT(1, 1), 4, 5),
    {"special", .attributes.slice = {.begin = {1, 1}, .size = {7, 9}}, .in = {REAL_OF(SPECIAL, 9, 11)},
     .tiers = GRAFT_TIER_ROUNDING},
};

const struct graft_case_set graft_cases_slice = {cases, CASE_COUNT(cases)};
