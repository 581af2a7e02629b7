/* SPDX-License-Identifier: MIT */
#include "harness.h"

#define SUM(name, mask, keep, ...)                                                                           \
    {                                                                                                        \
        name, .attributes.reduce = {GRAFT_REDUCE_SUM, mask, keep}, .in = {REAL(__VA_ARGS__)}                 \
    }
#define MEAN(name, mask, keep, how, ...)                                                                     \
    {name, .attributes.reduce = {GRAFT_REDUCE_MEAN, mask, keep}, .in = {REAL(__VA_ARGS__)}, .tiers = how}
#define SQUARES(name, mask, how, ...)                                                                        \
    {name, .attributes.reduce = {GRAFT_REDUCE_SQUARES, mask, false}, .in = {REAL(__VA_ARGS__)}, .tiers = how}
#define INEXACT (GRAFT_TIER_ROUNDING | GRAFT_TIER_GRADIENT)

static const struct graft_case cases[] = {
    SUM("rows", 1, false, 33, 17),
    SUM("columns", 2, false, 33, 65),
    SUM("columns_kept", 2, true, 5, 257),
    SUM("all", 3, false, 31, 64),
    SUM("all_kept", 3, true, 7, 9),
    SUM("one", 1, false, 1),
    SUM("vector", 1, false, 1543),
    SUM("none", 0, false, 5, 7),
    SUM("pixels", 7, false, 2, 9, 11, 33),
    SUM("pixels_kept", 6, true, 2, 9, 11, 64),
    SUM("outer_and_inner", 9, false, 3, 4, 5, 6),
    SUM("middle", 2, false, 5, 31, 8),
    SUM("alternating", 21, false, 2, 3, 2, 5, 3, 2),
    SUM("alternating_other", 42, true, 2, 3, 2, 5, 3, 2),
    SUM("around", 11, false, 7, 6, 3, 33),
    SUM("around_in_chunks", 11, true, 50, 41, 3, 32),
    SUM("around_each", 10, false, 3, 35, 4, 21),
    SUM("around_and_inside", 5, false, 3, 4, 5, 6),
    SUM("around_of_nothing", 10, false, 3, 5, 4, 0),
    SUM("long_rows", 1, false, 5000, 3),
    SUM("long_columns", 2, false, 3, 5000),
    SUM("chunks_of_rows", 1, false, 12345, 3),
    SUM("many_chunks", 1, false, 9001, 20),
    SUM("chunks_of_columns", 2, false, 2, 40011),
    SUM("of_nothing", 1, false, 0, 5),
    SUM("to_nothing", 2, false, 0, 5),
    MEAN("mean_rows", 1, false, 0, 32, 17),
    MEAN("mean_columns", 2, false, 0, 9, 64),
    MEAN("mean_all", 3, false, INEXACT, 31, 33),
    MEAN("mean_pixels", 6, false, INEXACT, 3, 7, 7, 65),
    MEAN("mean_around", 11, false, INEXACT, 5, 8, 3, 17),
    MEAN("mean_none", 0, false, 0, 4, 5),
    SQUARES("squares", 1, 0, 1543),
    SQUARES("squares_all", 15, 0, 17, 3, 3, 11),
    SQUARES("squares_rows", 1, 0, 33, 65),
    SQUARES("squares_columns", 2, 0, 5, 257),
    SQUARES("squares_alternating", 21, 0, 2, 3, 2, 5, 3, 2),
    SQUARES("squares_around", 11, 0, 5, 6, 3, 9),
    SQUARES("squares_long", 1, GRAFT_TIER_ROUNDING, 200000),
    SQUARES("squares_of_nothing", 1, 0, 0),
    {"squares_special", .attributes.reduce = {GRAFT_REDUCE_SQUARES, 2, false},
     .in = {REAL_OF(SPECIAL, 40, 5)}, .tiers = GRAFT_TIER_ROUNDING},
    {"offset", .attributes.reduce = {GRAFT_REDUCE_MEAN, 1, false}, .in = {REAL_OF(OFFSET, 3001, 2)},
     .tiers = INEXACT},
    {"special", .attributes.reduce = {GRAFT_REDUCE_SUM, 2, false}, .in = {REAL_OF(SPECIAL, 40, 5)},
     .tiers = GRAFT_TIER_ROUNDING},
    {"special_rows", .attributes.reduce = {GRAFT_REDUCE_SUM, 1, false}, .in = {REAL_OF(SPECIAL, 5, 40)},
     .tiers = GRAFT_TIER_ROUNDING},
    {"scalar", .attributes.reduce = {GRAFT_REDUCE_SUM, 0, false}, .in = {SCALAR}},
};

const struct graft_case_set graft_cases_reduce = {cases, CASE_COUNT(cases)};
