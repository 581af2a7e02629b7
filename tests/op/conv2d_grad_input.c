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
    {"tiles_28", CONVOLUTION_ATTRIBUTES(1, 1, 1, 1, 1, 1, 1, 1, 1, .size = {15, 27}),
     .in = {REAL(1, 15, 27, 17), REAL(17, 3, 3, 16)}},
    {"tiles_110", CONVOLUTION_ATTRIBUTES(1, 1, 1, 1, 1, 1, 1, 1, 1, .size = {38, 42}),
     .in = {REAL(1, 38, 42, 17), REAL(17, 3, 3, 16)}},
    {"tiles_shifted", CONVOLUTION_ATTRIBUTES(1, 1, 1, 1, 1, 2, 1, 2, 1, .size = {9, 7}),
     .in = {REAL(1, 10, 8, 17), REAL(17, 3, 3, 16)}},
    /* To pictures, in several bands of rows, over strides that filters reach across and not */
    {"bands_c3", CONVOLUTION_ATTRIBUTES(1, 1, 1, 1, 1, 1, 1, 1, 1, .size = {61, 152}),
     .in = {REAL(1, 61, 152, 17), REAL(17, 3, 3, 3)}},
    {"bands_c4_k7", CONVOLUTION_ATTRIBUTES(2, 2, 1, 1, 3, 3, 3, 3, 1, .size = {51, 101}),
     .in = {REAL(2, 26, 51, 9), REAL(9, 7, 7, 4)}},
    {"bands_c2_s4", CONVOLUTION_ATTRIBUTES(4, 3, 1, 1, 0, 0, 1, 0, 1, .size = {331, 90}),
     .in = {REAL(1, 83, 30, 5), REAL(5, 2, 4, 2)}},
    /* as in conv2d.c */
    {"k1_large", CONVOLUTION_ATTRIBUTES(1, 1, 1, 1, 0, 0, 0, 0, 1, .size = {11, 12}),
     .in = {REAL(1, 11, 12, 131), REAL(131, 1, 1, 1030)}},
    {"special", CONVOLUTION_ATTRIBUTES(2, 2, 1, 1, 1, 1, 1, 1, 1, .size = {9, 9}),
     .in = {REAL_OF(SPECIAL, 1, 5, 5, 3), REAL(3, 3, 3, 7)}, .tiers = GRAFT_TIER_ROUNDING},
};

const struct graft_case_set graft_cases_conv2d_grad_input = {cases, CASE_COUNT(cases), .constants = 1u << 1};
