/* SPDX-License-Identifier: MIT */
#include "harness.h"

#define TURNED(name, by, ...)                                                                                \
    {                                                                                                        \
        name, .attributes.transpose = {.order = by}, .in = {REAL(__VA_ARGS__)}                               \
    }
#define AS(...) {__VA_ARGS__}

static const struct graft_case cases[] = {
    TURNED("vector", AS(0), 257),
    TURNED("same", AS(0, 1, 2), 3, 5, 7),
    TURNED("matrix", AS(1, 0), 64, 32),
    TURNED("matrix_odd", AS(1, 0), 65, 33),
    TURNED("matrix_long", AS(1, 0), 3, 1031),
    TURNED("matrix_tall", AS(1, 0), 1031, 3),
    TURNED("matrix_blocks", AS(1, 0), 131, 197),
    TURNED("column", AS(1, 0), 63, 1),
    TURNED("to_nchw", AS(0, 3, 1, 2), 2, 7, 9, 33),
    TURNED("to_nhwc", AS(0, 2, 3, 1), 2, 33, 7, 9),
    TURNED("picture_to_nchw", AS(0, 3, 1, 2), 2, 15, 17, 3),
    TURNED("picture_to_nhwc", AS(0, 2, 3, 1), 2, 3, 15, 17),
    TURNED("swap_outer", AS(1, 0, 2), 5, 3, 31),
    TURNED("swap_outer_short", AS(1, 0, 2), 63, 65, 2),
    TURNED("shuffle_2", AS(0, 2, 1), 6, 2, 58),
    TURNED("shuffle_2_back", AS(0, 2, 1), 6, 58, 2),
    TURNED("shuffle_3", AS(0, 2, 1), 5, 3, 20),
    TURNED("shuffle_4", AS(0, 2, 1), 5, 4, 33),
    TURNED("shuffle_4_back", AS(0, 2, 1), 5, 33, 4),
    TURNED("shuffle_8", AS(0, 2, 1), 5, 8, 17),
    TURNED("two_long", AS(0, 2, 1), 2, 2, 4099),
    TURNED("two_tall", AS(0, 2, 1), 2, 4099, 2),
    TURNED("two_rows_apart", AS(2, 1, 0), 2, 5, 37), /* b = 2, but y has gaps between its rows */
    TURNED("two_columns_apart", AS(2, 1, 0), 37, 5, 2),
    TURNED("four_rows_apart", AS(2, 1, 0), 4, 5, 37),
    TURNED("four_columns_apart", AS(2, 1, 0), 37, 5, 4),
    TURNED("reversed", AS(3, 2, 1, 0), 3, 4, 5, 6),
    TURNED("6d", AS(5, 0, 3, 1, 4, 2), 2, 3, 4, 5, 2, 3),
    TURNED("6d_inner_stays", AS(4, 2, 0, 3, 1, 5), 2, 3, 2, 5, 2, 7),
    TURNED("ones", AS(2, 0, 3, 1), 1, 9, 1, 8),
    TURNED("all_ones", AS(1, 2, 0), 1, 1, 1),
    TURNED("nothing", AS(1, 0, 2), 3, 0, 4),
    {"scalar", .in = {SCALAR}},
    {"special", .attributes.transpose = {.order = {1, 0}}, .in = {REAL_OF(SPECIAL, 40, 37)},
     .tiers = GRAFT_TIER_ROUNDING},
};

const struct graft_case_set graft_cases_transpose = {cases, CASE_COUNT(cases)};
