/* SPDX-License-Identifier: MIT */
#include "harness.h"

#define EACH(name, kind)                                                                                     \
    {name "_1", .attributes.unary = {GRAFT_UNARY_##kind}, .in = {REAL(1)}},                                  \
        {name "_scalar", .attributes.unary = {GRAFT_UNARY_##kind}, .in = {SCALAR}},                          \
        {name "_away", .attributes.unary = {GRAFT_UNARY_##kind}, .in = {REAL_OF(AWAY, 3, 5, 7)}},            \
        {name "_kinks", .attributes.unary = {GRAFT_UNARY_##kind}, .in = {REAL_OF(KINKS, 257)}},              \
        {name "_long", .attributes.unary = {GRAFT_UNARY_##kind}, .in = {REAL(7, 31, 63)}},                   \
        {name "_6d", .attributes.unary = {GRAFT_UNARY_##kind}, .in = {REAL(2, 1, 3, 2, 3, 4)}},              \
        {name "_empty", .attributes.unary = {GRAFT_UNARY_##kind}, .in = {REAL(4, 0)}},                       \
    {                                                                                                        \
        name "_special", .attributes.unary = {GRAFT_UNARY_##kind}, .in = {REAL_OF(SPECIAL, 300)},            \
                         .tiers = GRAFT_TIER_ROUNDING                                                        \
    }

static const struct graft_case cases[] = {
    EACH("none", NONE),
    EACH("relu", RELU),
    EACH("relu6", RELU6),
};

const struct graft_case_set graft_cases_unary = {cases, CASE_COUNT(cases)};
