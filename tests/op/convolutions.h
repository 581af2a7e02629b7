/* SPDX-License-Identifier: MIT */
/*
 * Geometries that conv2d and its two gradients share. Sizes lie on both sides of tile edges (1, 16, 32, 64,
 * 257) and among primes; pads on one side only, strides beyond the kernel, kernels as large as the picture.
 *
 * CONVOLUTION(name, n, h, w, c, o, kh, kw, stride h, w, dilation h, w, pad top, bottom, left, right, groups)
 */
#ifndef GRAFT_TESTS_OP_CONVOLUTIONS_H
#define GRAFT_TESTS_OP_CONVOLUTIONS_H

#define CONVOLUTIONS(CONVOLUTION)                                                                            \
    CONVOLUTION(k1, 2, 7, 9, 16, 24, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1)                                        \
    CONVOLUTION(k1_c64_o65, 1, 16, 13, 64, 65, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1)                              \
    CONVOLUTION(k1_c257_o33, 1, 5, 13, 257, 33, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1)                             \
    CONVOLUTION(k1_s2, 2, 9, 8, 5, 7, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0, 1)                                       \
    CONVOLUTION(k1_p2, 1, 3, 4, 3, 5, 1, 1, 1, 1, 1, 1, 2, 1, 0, 2, 1)                                       \
    CONVOLUTION(k1_s3, 1, 8, 10, 6, 31, 1, 1, 3, 3, 1, 1, 0, 0, 0, 0, 1)                                     \
    CONVOLUTION(one_pixel, 5, 1, 1, 63, 10, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1)                                 \
    CONVOLUTION(one_of_all, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1)                                  \
    CONVOLUTION(k3_p1, 2, 8, 8, 3, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1)                                      \
    CONVOLUTION(k3_p1_c64, 1, 15, 17, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1)                               \
    CONVOLUTION(k3_p1_c31_o33, 2, 9, 10, 31, 33, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1)                            \
    CONVOLUTION(k3_p1_c128, 1, 5, 4, 128, 17, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1)                               \
    CONVOLUTION(k3_p1_c1_o1, 3, 7, 5, 1, 1, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1)                                 \
    CONVOLUTION(k3_p0, 1, 10, 11, 16, 16, 3, 3, 1, 1, 1, 1, 0, 0, 0, 0, 1)                                   \
    CONVOLUTION(k3_p2, 1, 6, 6, 16, 20, 3, 3, 1, 1, 1, 1, 2, 2, 2, 2, 1)                                     \
    CONVOLUTION(k3_s2_p1, 2, 17, 14, 8, 20, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1)                                 \
    CONVOLUTION(k3_s2_pad_after, 1, 12, 10, 5, 9, 3, 3, 2, 2, 1, 1, 0, 1, 0, 1, 1)                           \
    CONVOLUTION(k3_pad_before, 1, 7, 9, 4, 6, 3, 3, 1, 1, 1, 1, 2, 0, 1, 0, 1)                               \
    CONVOLUTION(k3_d2_p2, 1, 11, 9, 7, 13, 3, 3, 1, 1, 2, 2, 2, 2, 2, 2, 1)                                  \
    CONVOLUTION(k3_d2_s2, 1, 13, 14, 4, 8, 3, 3, 2, 2, 2, 2, 1, 2, 0, 1, 1)                                  \
    CONVOLUTION(k3_d1x2, 1, 9, 12, 3, 5, 3, 3, 1, 1, 1, 2, 1, 1, 2, 2, 1)                                    \
    CONVOLUTION(k3_d3x1_s1x2, 1, 12, 9, 3, 5, 3, 3, 1, 2, 3, 1, 3, 3, 1, 1, 1)                               \
    CONVOLUTION(k5_p2, 1, 11, 12, 6, 10, 5, 5, 1, 1, 1, 1, 2, 2, 2, 2, 1)                                    \
    CONVOLUTION(k7_s2_p3, 1, 29, 31, 3, 16, 7, 7, 2, 2, 1, 1, 3, 3, 3, 3, 1)                                 \
    CONVOLUTION(k7_p3_c9, 1, 6, 7, 9, 5, 7, 7, 1, 1, 1, 1, 3, 3, 3, 3, 1)                                    \
    CONVOLUTION(k1x3, 2, 6, 13, 5, 7, 1, 3, 1, 1, 1, 1, 0, 0, 1, 1, 1)                                       \
    CONVOLUTION(k7x1, 1, 13, 6, 5, 7, 7, 1, 1, 1, 1, 1, 3, 3, 0, 0, 1)                                       \
    CONVOLUTION(k2_s2, 1, 8, 7, 10, 12, 2, 2, 2, 2, 1, 1, 0, 0, 0, 0, 1)                                     \
    CONVOLUTION(k2_s5, 1, 12, 13, 3, 4, 2, 2, 5, 5, 1, 1, 0, 0, 0, 0, 1)                                     \
    CONVOLUTION(whole_picture, 3, 6, 5, 12, 32, 6, 5, 1, 1, 1, 1, 0, 0, 0, 0, 1)                             \
    CONVOLUTION(one_row, 1, 1, 65, 8, 16, 1, 3, 1, 1, 1, 1, 0, 0, 1, 1, 1)                                   \
    CONVOLUTION(g2_p1, 1, 8, 9, 8, 12, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 2)                                      \
    CONVOLUTION(g3_s2_p1, 2, 9, 11, 9, 6, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 3)                                   \
    CONVOLUTION(g2_c36, 1, 4, 8, 36, 36, 1, 3, 1, 1, 1, 1, 0, 0, 1, 1, 2)                                    \
    CONVOLUTION(g4_k1, 1, 7, 6, 64, 128, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 4)                                    \
    CONVOLUTION(g32_c4, 1, 6, 5, 128, 128, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 32)                                 \
    CONVOLUTION(dw_c32, 2, 9, 8, 32, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 32)                                   \
    CONVOLUTION(dw_c33_s2, 1, 12, 13, 33, 33, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 33)                              \
    CONVOLUTION(dw_c65_k5, 1, 9, 9, 65, 65, 5, 5, 1, 1, 1, 1, 2, 2, 2, 2, 65)                                \
    CONVOLUTION(dw_k3x7_d1x2, 1, 5, 19, 5, 5, 3, 7, 1, 1, 1, 2, 1, 1, 6, 6, 5)                               \
    CONVOLUTION(dw_c2_d2, 1, 10, 9, 2, 2, 3, 3, 1, 1, 2, 2, 2, 2, 2, 2, 2)                                   \
    CONVOLUTION(dw_s2_pad_after, 1, 10, 12, 16, 16, 3, 3, 2, 2, 1, 1, 0, 1, 0, 1, 16)                        \
    CONVOLUTION(dw_twice, 1, 8, 7, 8, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 8)                                   \
    CONVOLUTION(dw_whole_picture, 2, 7, 7, 17, 17, 7, 7, 1, 1, 1, 1, 0, 0, 0, 0, 17)                         \
    CONVOLUTION(no_pictures, 0, 8, 8, 3, 4, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1)

#define CONVOLUTION_SIZE(in, kernel, stride, dilation, before, after)                                        \
    (((in) + (before) + (after) - (dilation) * ((kernel) - 1) - 1) / (stride) + 1)

#define CONVOLUTION_ATTRIBUTES(sh, sw, dh, dw, pt, pb, pl, pr, g, ...)                                       \
    .attributes.conv2d = {                                                                                   \
        .stride = {sh, sw}, .dilation = {dh, dw}, .pad = {pt, pb, pl, pr}, .groups = g, __VA_ARGS__}

#endif
