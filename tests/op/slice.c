/* SPDX-License-Identifier: MIT */
#include "harness.h"

#define PART(name, first, extent, ...)                                                                       \
    {                                                                                                        \
        name, .attributes.slice = {.begin = first, .size = extent}, .in = {REAL(__VA_ARGS__)}                \
    }
#define AT(...) {__VA_ARGS__}
#define STEPPED(name, first, extent, apart, ...)                                                             \
    {                                                                                                        \
        name, .attributes.slice = {.begin = first, .size = extent, .step = apart}, .in = {REAL(__VA_ARGS__)} \
    }

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
    STEPPED("step_vector", AT(2), AT(86), AT(3), 260), /* ends with the last element */
    STEPPED("step_two", AT(1), AT(130), AT(2), 261),
    STEPPED("step_rows", AT(1, 0), AT(4, 33), AT(2, 1), 9, 33),
    STEPPED("step_columns", AT(0, 3), AT(5, 15), AT(1, 4), 5, 63),
    STEPPED("step_pixels", AT(0, 1, 0, 0), AT(2, 4, 3, 16), AT(0, 2, 3, 0), 2, 9, 8, 16),
    STEPPED("step_part", AT(0, 1, 2, 3), AT(2, 3, 2, 5), AT(1, 3, 2, 1), 2, 9, 8, 17),
    STEPPED("step_whole_and_part", AT(0, 0, 1), AT(3, 3, 2), AT(1, 1, 3), 3, 3, 6),
    STEPPED("step_one", AT(3, 0), AT(1, 5), AT(7, 1), 6, 5),
    STEPPED("step_beyond", AT(0, 2), AT(4, 1), AT(1, INT64_MAX), 4, 5),
    STEPPED("step_6d", AT(0, 1, 0, 2, 1, 0), AT(1, 2, 2, 1, 2, 2), AT(2, 2, 1, 5, 1, 3), 2, 4, 2, 4, 3, 5),
    STEPPED("step_to_nothing", AT(1, 5), AT(2, 0), AT(2, 2), 4, 5),
    {"special", .attributes.slice = {.begin = {1, 1}, .size = {7, 9}}, .in = {REAL_OF(SPECIAL, 9, 11)},
     .tiers = GRAFT_TIER_ROUNDING},
};

const struct graft_case_set graft_cases_slice = {cases, CASE_COUNT(cases)};
