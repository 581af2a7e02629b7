/* SPDX-License-Identifier: MIT */
#include "harness.h"
#include "resizings.h"

#define PLAIN(name, how, corners, which, n, h, w, c, oh, ow)                                                 \
    {#name, .attributes.resize = {GRAFT_RESIZE_##how, corners, {h, w}}, .in = {REAL(n, oh, ow, c)},          \
     .tiers = which},

static const struct graft_case cases[] = {
    RESIZINGS(PLAIN){"special_nearest", .attributes.resize = {GRAFT_RESIZE_NEAREST, false, {5, 12}},
                     .in = {REAL_OF(SPECIAL, 2, 9, 9, 18)}, .tiers = GRAFT_TIER_ROUNDING},
    {"special", .attributes.resize = {GRAFT_RESIZE_BILINEAR, false, {5, 12}},
     .in = {REAL_OF(SPECIAL, 2, 9, 9, 18)}, .tiers = GRAFT_TIER_ROUNDING},
};

const struct graft_case_set graft_cases_resize_grad = {cases, CASE_COUNT(cases)};
