/* SPDX-License-Identifier: MIT */
#include "harness.h"
#include "resizings.h"

#define PLAIN(name, how, corners, which, n, h, w, c, oh, ow)                                                 \
    {#name, .attributes.resize = {GRAFT_RESIZE_##how, corners, {oh, ow}}, .in = {REAL(n, h, w, c)},          \
     .tiers = which},

static const struct graft_case cases[] = {
    RESIZINGS(PLAIN){"special_nearest", .attributes.resize = {GRAFT_RESIZE_NEAREST, false, {12, 5}},
                     .in = {REAL_OF(SPECIAL, 2, 9, 9, 18)}, .tiers = GRAFT_TIER_ROUNDING},
    {"special", .attributes.resize = {GRAFT_RESIZE_BILINEAR, false, {12, 5}},
     .in = {REAL_OF(SPECIAL, 2, 9, 9, 18)}, .tiers = GRAFT_TIER_ROUNDING},
};

const struct graft_case_set graft_cases_resize = {cases, CASE_COUNT(cases)};
