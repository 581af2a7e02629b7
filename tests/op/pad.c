/* SPDX-License-Identifier: MIT */
#include "harness.h"

#define PADDED(name, first, last, with, ...)                                                                 \
    {                                                                                                        \
        name, .attributes.pad = {.before = first, .after = last, .value = with}, .in = {REAL(__VA_ARGS__)}   \
    }
#define AT(...) {__VA_ARGS__}
#define SPREAD(name, first, last, gap, with, ...)                                                            \
    {                                                                                                        \
        name, .attributes.pad = {.before = first, .after = last, .value = with, .between = gap},             \
              .in = {REAL(__VA_ARGS__)}                                                                      \
    }

static const struct graft_case cases[] = {
    PADDED("none", AT(0, 0), AT(0, 0), 0, 5, 7),
    PADDED("vector", AT(3), AT(40), 0.5f, 257),
    PADDED("before", AT(0, 2, 1, 0), AT(0, 0, 0, 0), 0, 2, 5, 6, 3),
    PADDED("after", AT(0, 0, 0, 0), AT(0, 1, 2, 0), 0, 2, 5, 6, 33),
    PADDED("pictures", AT(0, 1, 1, 0), AT(0, 1, 1, 0), 0, 2, 7, 9, 16),
    PADDED("channels", AT(0, 0, 0, 64), AT(0, 0, 0, 1), 0, 2, 3, 5, 64),
    PADDED("all_sides", AT(1, 2, 3, 4), AT(2, 1, 0, 3), -2, 2, 3, 4, 5),
    PADDED("6d", AT(1, 0, 0, 2, 0, 1), AT(0, 1, 0, 0, 3, 0), 1, 2, 3, 1, 2, 2, 3),
    SPREAD("between_vector", AT(2), AT(1), AT(2), 0.5f, 87),
    SPREAD("between_rows", AT(1, 0), AT(0, 0), AT(1, 0), 0, 5, 33),
    SPREAD("between_columns", AT(0, 3), AT(0, 0), AT(0, 4), 2, 5, 16),
    SPREAD("between_columns_of_zeros", AT(0, 3), AT(0, 1), AT(0, 4), 0, 5, 16),
    SPREAD("between_pixels", AT(0, 0, 1, 0), AT(0, 1, 0, 0), AT(0, 1, 2, 0), 0, 2, 5, 4, 16),
    SPREAD("between_all", AT(1, 2, 3, 4), AT(2, 1, 0, 3), AT(1, 2, 1, 3), -2, 2, 3, 4, 5),
    SPREAD("between_one", AT(1, 0), AT(1, 1), AT(7, INT64_MAX - 1), 1, 3, 1),
    SPREAD("between_of_nothing", AT(2, 1), AT(1, 0), AT(3, 1), 7, 0, 4),
    SPREAD("between_6d", AT(1, 0, 0, 2, 0, 1), AT(0, 1, 0, 0, 3, 0), AT(1, 0, 2, 0, 1, 1), 1, 2, 3, 1, 2, 2,
           3),
    PADDED("of_nothing", AT(2, 1), AT(1, 0), 7, 0, 4),
    PADDED("to_nothing", AT(0, 1), AT(0, 0), 7, 0, 4),
    {"infinite", .attributes.pad = {.before = AT(0, 1), .after = AT(1, 0), .value = -__builtin_inff()},
     .in = {REAL(3, 31)}, .tiers = GRAFT_TIER_EXACT | GRAFT_TIER_ROUNDING},
};

const struct graft_case_set graft_cases_pad = {cases, CASE_COUNT(cases)};
