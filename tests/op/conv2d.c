/* SPDX-License-Identifier: MIT */
#include "harness.h"
#include "convolutions.h"

#define PLAIN(name, n, h, w, c, o, kh, kw, sh, sw, dh, dw, pt, pb, pl, pr, g)                                \
    {#name, CONVOLUTION_ATTRIBUTES(sh, sw, dh, dw, pt, pb, pl, pr, g, .activation = GRAFT_UNARY_NONE),       \
     .in = {REAL(n, h, w, c), REAL(o, kh, kw, (c) / (g)), REAL(o)}},

#define SAME(activate) CONVOLUTION_ATTRIBUTES(1, 1, 1, 1, 1, 1, 1, 1, 1, .activation = GRAFT_UNARY_##activate)
#define POINT(activate)                                                                                      \
    CONVOLUTION_ATTRIBUTES(1, 1, 1, 1, 0, 0, 0, 0, 1, .activation = GRAFT_UNARY_##activate)
#define DEPTHWISE(g, activate)                                                                               \
    CONVOLUTION_ATTRIBUTES(1, 1, 1, 1, 1, 1, 1, 1, g, .activation = GRAFT_UNARY_##activate)

/* Activations that come after the epilogue: in every kind of kernel, with sums that are cut. */
#define LATE(name, activate)                                                                                 \
    {name, SAME(activate), .in = {REAL(1, 6, 7, 5), REAL(18, 3, 3, 5), REAL(18)},                            \
     .tiers = GRAFT_TIER_ROUNDING},                                                                          \
        {name "_residual", SAME(activate),                                                                   \
         .in = {REAL(2, 9, 10, 31), REAL(35, 3, 3, 31), REAL(35), REAL(2, 9, 10, 35)},                       \
         .tiers = GRAFT_TIER_ROUNDING},                                                                      \
        {name "_k1", POINT(activate),                                                                        \
         .in = {REAL(1, 6, 7, 1543), REAL(33, 1, 1, 1543), REAL(33), REAL(1, 6, 7, 33)},                     \
         .tiers = GRAFT_TIER_ROUNDING},                                                                      \
        {name "_dw", DEPTHWISE(40, activate), .in = {REAL(2, 6, 7, 40), REAL(40, 3, 3, 1), REAL(40)},        \
         .tiers = GRAFT_TIER_ROUNDING},                                                                      \
        {name "_g2", DEPTHWISE(2, activate), .in = {REAL(1, 6, 7, 10), REAL(36, 3, 3, 5), REAL(36)},         \
         .tiers = GRAFT_TIER_ROUNDING},                                                                      \
    {                                                                                                        \
        name "_special", SAME(activate), .in = {REAL_OF(SPECIAL, 1, 9, 9, 3), REAL(20, 3, 3, 3), REAL(20)},  \
            .tiers = GRAFT_TIER_ROUNDING                                                                     \
    }

static const struct graft_case cases[] = {
    CONVOLUTIONS(PLAIN)
    /* what is fused: with and without bias, residual and activation */
    {"bare", SAME(NONE), .in = {REAL(1, 6, 7, 5), REAL(18, 3, 3, 5)}},
    {"relu", SAME(RELU), .in = {REAL(1, 6, 7, 5), REAL(18, 3, 3, 5), REAL(18)}},
    {"relu6", SAME(RELU6), .in = {REAL(1, 6, 7, 5), REAL(18, 3, 3, 5), REAL(18)}},
    {"residual", SAME(NONE), .in = {REAL(1, 6, 7, 5), REAL(18, 3, 3, 5), ABSENT, REAL(1, 6, 7, 18)}},
    {"residual_relu", SAME(RELU), .in = {REAL(2, 6, 7, 16), REAL(35, 3, 3, 16), REAL(35), REAL(2, 6, 7, 35)}},
    LATE("sigmoid", SIGMOID),
    LATE("hard_sigmoid", HARD_SIGMOID),
    LATE("hard_swish", HARD_SWISH),
    LATE("silu", SILU),
    /* sums that are cut: bias and residual once, the activation after the last part */
    {"long_sum", SAME(RELU), .in = {REAL(1, 4, 5, 200), REAL(18, 3, 3, 200), REAL(18), REAL(1, 4, 5, 18)}},
    {"k1_long_sum", POINT(RELU6),
     .in = {REAL(1, 4, 5, 1543), REAL(18, 1, 1, 1543), REAL(18), REAL(1, 4, 5, 18)}},
    {"k1_bare", POINT(NONE), .in = {REAL(1, 6, 7, 5), REAL(18, 1, 1, 5)}},
    {"k1_relu6", POINT(RELU6), .in = {REAL(1, 6, 7, 33), REAL(18, 1, 1, 33), REAL(18)}},
    {"k1_residual", POINT(NONE), .in = {REAL(1, 6, 7, 32), REAL(32, 1, 1, 32), REAL(32), REAL(1, 6, 7, 32)}},
    {"k1_residual_relu", POINT(RELU),
     .in = {REAL(2, 5, 7, 64), REAL(48, 1, 1, 64), ABSENT, REAL(2, 5, 7, 48)}},
    {"dw_bare", DEPTHWISE(40, NONE), .in = {REAL(1, 6, 7, 40), REAL(40, 3, 3, 1)}},
    {"dw_relu6", DEPTHWISE(40, RELU6), .in = {REAL(1, 6, 7, 40), REAL(40, 3, 3, 1), REAL(40)}},
    {"dw_residual_relu", DEPTHWISE(19, RELU),
     .in = {REAL(1, 6, 7, 19), REAL(19, 3, 3, 1), REAL(19), REAL(1, 6, 7, 19)}},
    {"g2_residual_relu", DEPTHWISE(2, RELU),
     .in = {REAL(1, 6, 7, 10), REAL(22, 3, 3, 5), REAL(22), REAL(1, 6, 7, 22)}},
    /* Winograd's tiles of 4 × 4: so few that a simulator does them all; as many as one kernel takes through
     * all stages on two units */
    {"tiles_4", SAME(RELU), .in = {REAL(1, 5, 7, 16), REAL(17, 3, 3, 16), ABSENT, REAL(1, 5, 7, 17)}},
    {"tiles_28", SAME(RELU), .in = {REAL(1, 15, 27, 16), REAL(17, 3, 3, 16), ABSENT, REAL(1, 15, 27, 17)}},
    {"tiles_110", SAME(RELU), .in = {REAL(1, 38, 42, 16), REAL(17, 3, 3, 16), ABSENT, REAL(1, 38, 42, 17)}},
    {"tiles_shifted", CONVOLUTION_ATTRIBUTES(1, 1, 1, 1, 1, 0, 0, 1, 1),
     .in = {REAL(1, 9, 7, 16), REAL(17, 3, 3, 16)}},
    /* filters so large that they are packed a few at a time; sums in two blocks */
    {"k1_large", POINT(RELU), .in = {REAL(1, 11, 12, 131), REAL(1030, 1, 1, 131), REAL(1030), REAL(1, 11, 12, 1030)}},
    {"k1_large_s1x2", CONVOLUTION_ATTRIBUTES(1, 2, 1, 1, 0, 0, 0, 0, 1),
     .in = {REAL(1, 11, 23, 131), REAL(1030, 1, 1, 131)}},
    {"k1_large_p1", CONVOLUTION_ATTRIBUTES(1, 1, 1, 1, 1, 1, 1, 1, 1),
     .in = {REAL(1, 9, 10, 131), REAL(1030, 1, 1, 131)}},
    {"k1_large_blocks", POINT(NONE), .in = {REAL(1, 11, 12, 1100), REAL(200, 1, 1, 1100), REAL(200)}},
    /* NaN and Inf go where the sum takes them, and nowhere else */
    {"special", SAME(NONE), .in = {REAL_OF(SPECIAL, 1, 9, 9, 3), REAL(20, 3, 3, 3), REAL(20)},
     .tiers = GRAFT_TIER_ROUNDING},
    {"special_relu", SAME(RELU), .in = {REAL_OF(SPECIAL, 1, 9, 9, 3), REAL(20, 3, 3, 3), REAL(20)},
     .tiers = GRAFT_TIER_ROUNDING},
    {"special_k1_relu6", POINT(RELU6), .in = {REAL_OF(SPECIAL, 1, 9, 9, 3), REAL(20, 1, 1, 3), REAL(20)},
     .tiers = GRAFT_TIER_ROUNDING},
    {"special_dw_relu", DEPTHWISE(18, RELU),
     .in = {REAL_OF(SPECIAL, 1, 9, 9, 18), REAL(18, 3, 3, 1), REAL(18)}, .tiers = GRAFT_TIER_ROUNDING},
};

const struct graft_case_set graft_cases_conv2d = {cases, CASE_COUNT(cases), .constants = 1u << 1 | 1u << 2};
