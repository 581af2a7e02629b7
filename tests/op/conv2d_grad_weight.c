/* SPDX-License-Identifier: MIT */
#include "harness.h"
#include "convolutions.h"

#define PLAIN(name, n, h, w, c, o, kh, kw, sh, sw, dh, dw, pt, pb, pl, pr, g)                                \
    {#name, CONVOLUTION_ATTRIBUTES(sh, sw, dh, dw, pt, pb, pl, pr, g, .size = {kh, kw}),                     \
     .in = {REAL(n, h, w, c),                                                                                \
            REAL(n, CONVOLUTION_SIZE(h, kh, sh, dh, pt, pb), CONVOLUTION_SIZE(w, kw, sw, dw, pl, pr), o)}},

static const struct graft_case cases[] = {
    CONVOLUTIONS(PLAIN)
    /* many pixels: long sums, split over work-items in a fixed order */
    {"many_pixels", CONVOLUTION_ATTRIBUTES(1, 1, 1, 1, 1, 1, 1, 1, 1, .size = {3, 3}),
     .in = {REAL(2, 40, 41, 3), REAL(2, 40, 41, 5)}, .tiers = GRAFT_TIER_EXACT | GRAFT_TIER_ROUNDING},
    {"two_chunks", CONVOLUTION_ATTRIBUTES(1, 1, 1, 1, 0, 0, 0, 0, 1, .size = {1, 1}),
     .in = {REAL(1, 33, 32, 2), REAL(1, 33, 32, 3)}, .tiers = GRAFT_TIER_EXACT | GRAFT_TIER_ROUNDING},
    {"many_pixels_k1", CONVOLUTION_ATTRIBUTES(1, 1, 1, 1, 0, 0, 0, 0, 1, .size = {1, 1}),
     .in = {REAL(3, 40, 41, 17), REAL(3, 40, 41, 9)}, .tiers = GRAFT_TIER_EXACT | GRAFT_TIER_ROUNDING},
    {"many_pixels_dw", CONVOLUTION_ATTRIBUTES(1, 1, 1, 1, 1, 1, 1, 1, 18, .size = {3, 3}),
     .in = {REAL(2, 40, 41, 18), REAL(2, 40, 41, 18)}, .tiers = GRAFT_TIER_EXACT | GRAFT_TIER_ROUNDING},
    /* so many lines and channels that a chunk has two lines on GPUs, too, the last one but one */
    {"many_lines_dw", CONVOLUTION_ATTRIBUTES(1, 1, 1, 1, 1, 1, 1, 1, 190, .size = {3, 3}),
     .in = {REAL(3, 311, 1, 190), REAL(3, 311, 1, 190)}, .tiers = GRAFT_TIER_EXACT | GRAFT_TIER_ROUNDING},
    /* lines so long that a matrix unit's steps end inside of them, and begin there two pixels of x apart */
    {"long_lines_s2", CONVOLUTION_ATTRIBUTES(2, 2, 1, 1, 1, 1, 1, 1, 1, .size = {3, 3}),
     .in = {REAL(1, 5, 39, 4), REAL(1, 3, 20, 32)}, .tiers = GRAFT_TIER_EXACT | GRAFT_TIER_ROUNDING},
    /* tiles of 4 × 4: so few that a simulator does them too, in one kernel and in phases */
    {"tiles_4", CONVOLUTION_ATTRIBUTES(1, 1, 1, 1, 1, 1, 1, 1, 1, .size = {3, 3}),
     .in = {REAL(1, 5, 7, 16), REAL(1, 5, 7, 17)}, .tiers = GRAFT_TIER_EXACT | GRAFT_TIER_ROUNDING},
    {"tiles_28", CONVOLUTION_ATTRIBUTES(1, 1, 1, 1, 1, 1, 1, 1, 1, .size = {3, 3}),
     .in = {REAL(1, 15, 27, 16), REAL(1, 15, 27, 17)}, .tiers = GRAFT_TIER_EXACT | GRAFT_TIER_ROUNDING},
    /* tiles of 4 × 4: several runs of tiles, channels that fill no panel, products too large for a run */
    {"many_tiles", CONVOLUTION_ATTRIBUTES(1, 1, 1, 1, 1, 1, 1, 1, 1, .size = {3, 3}),
     .in = {REAL(1, 50, 51, 33), REAL(1, 50, 51, 16)}, .tiers = GRAFT_TIER_EXACT | GRAFT_TIER_ROUNDING},
    {"tiles_turned", CONVOLUTION_ATTRIBUTES(1, 1, 1, 1, 1, 0, 0, 1, 1, .size = {3, 3}),
     .in = {REAL(2, 14, 13, 20), REAL(2, 13, 12, 32)}, .tiers = GRAFT_TIER_EXACT | GRAFT_TIER_ROUNDING},
    {"tiles_in_phases", CONVOLUTION_ATTRIBUTES(1, 1, 1, 1, 0, 0, 0, 0, 1, .size = {3, 3}),
     .in = {REAL(2, 17, 16, 90), REAL(2, 15, 14, 66)}, .tiers = GRAFT_TIER_EXACT | GRAFT_TIER_ROUNDING},
    /* pixels of many channels, packed a few channels at a time */
    {"k1_large", CONVOLUTION_ATTRIBUTES(1, 1, 1, 1, 0, 0, 0, 0, 1, .size = {1, 1}),
     .in = {REAL(1, 20, 33, 201), REAL(1, 20, 33, 130)}, .tiers = GRAFT_TIER_EXACT | GRAFT_TIER_ROUNDING},
    {"special_pixels", CONVOLUTION_ATTRIBUTES(1, 1, 1, 1, 1, 1, 1, 1, 1, .size = {3, 3}),
     .in = {REAL_OF(SPECIAL, 1, 5, 5, 3), REAL(1, 5, 5, 7)}, .tiers = GRAFT_TIER_ROUNDING},
    {"special", CONVOLUTION_ATTRIBUTES(1, 1, 1, 1, 1, 1, 1, 1, 1, .size = {3, 3}),
     .in = {REAL_OF(SPECIAL, 1, 3, 5, 3), REAL(1, 3, 5, 7)}, .tiers = GRAFT_TIER_ROUNDING},
};

const struct graft_case_set graft_cases_conv2d_grad_weight = {cases, CASE_COUNT(cases)};
