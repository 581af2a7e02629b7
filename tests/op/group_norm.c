/* SPDX-License-Identifier: MIT */
/* Gradients are those of y alone: the statistics have none. */
#include "harness.h"

#define NORM(name, kind, count, unwanted_, c, ...)                                                           \
    {name, .attributes.group_norm = {.groups = count, .epsilon = 1e-5f},                                     \
     .in = {REAL_OF(kind, __VA_ARGS__), REAL(c), REAL(c)}, .unwanted = unwanted_}
#define BOTH(name, kind, count, c, ...)                                                                      \
    {name, .attributes.group_norm = {.groups = count, .epsilon = 1e-5f},                                     \
     .in = {REAL_OF(kind, __VA_ARGS__), REAL(c), REAL(c)}, .tiers = GRAFT_TIER_ROUNDING}

static const struct graft_case cases[] = {
    NORM("g2", NORMAL, 2, 2, 6, 2, 3, 5, 6),
    NORM("g1", NORMAL, 1, 2, 7, 2, 4, 3, 7),
    NORM("instance", NORMAL, 33, 2, 33, 2, 5, 3, 33),
    NORM("width_17", NORMAL, 3, 2, 51, 2, 3, 3, 51),
    NORM("vectors", NORMAL, 1, 2, 65, 9, 65),
    NORM("vectors_of_one", NORMAL, 5, 2, 5, 4, 5),
    NORM("offset", OFFSET, 4, 2, 8, 3, 7, 5, 8),
    BOTH("stats", NORMAL, 2, 6, 2, 3, 5, 6),
    BOTH("stats_offset", OFFSET, 2, 32, 2, 17, 16, 32),
    BOTH("stats_offset_wide", OFFSET, 1, 1000, 3, 1000),
    BOTH("g32_c64", NORMAL, 32, 64, 3, 7, 9, 64),
    BOTH("g2_c257x2", OFFSET, 2, 514, 2, 5, 514),
    BOTH("g129_c258", NORMAL, 129, 258, 2, 3, 258),
    BOTH("wide_width", NORMAL, 2, 640, 2, 3, 2, 640),
    BOTH("many_pixels", NORMAL, 3, 6, 2, 31, 33, 6),
    BOTH("many_rows", NORMAL, 1, 16, 1543, 16),
    BOTH("one_element", NORMAL, 1, 1, 3, 1),
    BOTH("none", NORMAL, 2, 6, 0, 3, 5, 6),
    BOTH("equal", TIES, 2, 2, 9, 2),
    BOTH("special", SPECIAL, 2, 6, 20, 3, 6),
    {"only_stats", .attributes.group_norm = {.groups = 2, .epsilon = 1e-3f},
     .in = {REAL(2, 3, 5, 6), REAL(6), REAL(6)}, .tiers = GRAFT_TIER_ROUNDING, .unwanted = 1},
};

const struct graft_case_set graft_cases_group_norm = {cases, CASE_COUNT(cases),
                                                      .constants = 1u << 1 | 1u << 2};
