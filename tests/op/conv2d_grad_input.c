/* SPDX-License-Identifier: MIT */
#include "harness.h"
#include "convolutions.h"

#define PLAIN(name, n, h, w, c, o, kh, kw, sh, sw, dh, dw, pt, pb, pl, pr, g)                                \
    {#name, CONVOLUTION_ATTRIBUTES(sh, sw, dh, dw, pt, pb, pl, pr, g, .size = {h, w}),                       \
     .in = {REAL(n, CONVOLUTION_SIZE(h, kh, sh, dh, pt, pb), CONVOLUTION_SIZE(w, kw, sw, dw, pl, pr), o),    \
            REAL(o, kh, kw, (c) / (g))}},

static const struct graft_case cases[] = {
    CONVOLUTIONS(PLAIN)
    /* Winograd's tiles of 4 × 4, as in conv2d.c */
    {"tiles_4", CONVOLUTION_ATTRIBUTES(1, 1, 1, 1, 1, 1, 1, 1, 1, .size = {5, 7}),
     .in = {REAL(1, 5, 7, 17), REAL(17, 3, 3, 16)}},
    {"tiles_110", CONVOLUTION_ATTRIBUTES(1, 1, 1, 1, 1, 1, 1, 1, 1, .size = {38, 42}),
     .in = {REAL(1, 38, 42, 17), REAL(17, 3, 3, 16)}},
    {"tiles_shifted", CONVOLUTION_ATTRIBUTES(1, 1, 1, 1, 1, 2, 1, 2, 1, .size = {9, 7}),
     .in = {REAL(1, 10, 8, 17), REAL(17, 3, 3, 16)}},
    {"special", CONVOLUTION_ATTRIBUTES(2, 2, 1, 1, 1, 1, 1, 1, 1, .size = {9, 9}),
     .in = {REAL_OF(SPECIAL, 1, 5, 5, 3), REAL(3, 3, 3, 7)}, .tiers = GRAFT_TIER_ROUNDING},
};

const struct graft_case_set graft_cases_conv2d_grad_input = {cases, CASE_COUNT(cases), .constants = 1u << 1};
