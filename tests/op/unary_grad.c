/* SPDX-License-Identifier: MIT */
/* x and y are given both: which of them the derivative needs is the op's affair. Both are free, not y = f(x).
 */
#include "harness.h"

#define EACH(name, kind)                                                                                     \
    {name "_1", .attributes.unary = {GRAFT_UNARY_##kind}, .in = {REAL(1), REAL(1), REAL(1)}},                \
        {name "_kinks", .attributes.unary = {GRAFT_UNARY_##kind},                                            \
         .in = {REAL_OF(KINKS, 257), REAL_OF(KINKS, 257), REAL(257)}},                                       \
        {name "_long", .attributes.unary = {GRAFT_UNARY_##kind},                                             \
         .in = {REAL(7, 31, 63), REAL(7, 31, 63), REAL(7, 31, 63)}},                                         \
        {name "_empty", .attributes.unary = {GRAFT_UNARY_##kind},                                            \
         .in = {REAL(4, 0), REAL(4, 0), REAL(4, 0)}},                                                        \
    {                                                                                                        \
        name "_special", .attributes.unary = {GRAFT_UNARY_##kind},                                           \
                         .in = {REAL_OF(KINKS, 300), REAL_OF(KINKS, 300), REAL_OF(SPECIAL, 300)},            \
                         .tiers = GRAFT_TIER_ROUNDING                                                        \
    }

static const struct graft_case cases[] = {
    EACH("none", NONE),
    EACH("relu", RELU),
    EACH("relu6", RELU6),
    /* as the graph uses it: only what is needed */
    {"relu_from_y", .attributes.unary = {GRAFT_UNARY_RELU},
     .in = {ABSENT, REAL_OF(KINKS, 9, 33), REAL(9, 33)}},
    {"relu6_from_y", .attributes.unary = {GRAFT_UNARY_RELU6},
     .in = {ABSENT, REAL_OF(KINKS, 9, 33), REAL(9, 33)}},
};

const struct graft_case_set graft_cases_unary_grad = {cases, CASE_COUNT(cases)};
