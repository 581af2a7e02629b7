/* SPDX-License-Identifier: MIT */
/*
 * Geometries that the poolings and their gradients share.
 * POOLING(name, n, h, w, c, kh, kw, stride h, w, pad top, bottom, left, right, ceil, oh, ow)
 * The last two are the output's size, worked out by hand from the formula in graft/op.h.
 */
#ifndef GRAFT_TESTS_OP_POOLINGS_H
#define GRAFT_TESTS_OP_POOLINGS_H

#define POOLINGS(POOLING)                                                                                    \
    POOLING(k2_s2, 2, 8, 6, 16, 2, 2, 2, 2, 0, 0, 0, 0, false, 4, 3)                                         \
    POOLING(k2_s2_odd, 1, 9, 7, 33, 2, 2, 2, 2, 0, 0, 0, 0, false, 4, 3)                                     \
    POOLING(k2_s2_ceil, 1, 9, 7, 5, 2, 2, 2, 2, 0, 0, 0, 0, true, 5, 4)                                      \
    POOLING(k2_s2_p1_ceil, 1, 5, 4, 6, 2, 2, 2, 2, 1, 1, 1, 1, true, 3, 3)                                   \
    POOLING(k2_s1, 1, 5, 6, 31, 2, 2, 1, 1, 0, 0, 0, 0, false, 4, 5)                                         \
    POOLING(k3_s2, 2, 13, 11, 64, 3, 3, 2, 2, 0, 0, 0, 0, false, 6, 5)                                       \
    POOLING(k3_s2_ceil, 1, 12, 14, 65, 3, 3, 2, 2, 0, 0, 0, 0, true, 6, 7)                                   \
    POOLING(k3_s2_p1, 1, 12, 11, 8, 3, 3, 2, 2, 1, 1, 1, 1, false, 6, 6)                                     \
    POOLING(k3_s2_p1_ceil, 1, 12, 11, 3, 3, 3, 2, 2, 1, 1, 1, 1, true, 7, 6)                                 \
    POOLING(k2_s3_ceil, 1, 10, 11, 4, 2, 2, 3, 3, 0, 0, 0, 0, true, 4, 4)                                    \
    POOLING(k3_s3_p1_ceil, 2, 8, 10, 17, 3, 3, 3, 3, 1, 1, 1, 1, true, 3, 4)                                 \
    POOLING(k2_s4_p1_ceil, 1, 8, 9, 5, 2, 2, 4, 4, 1, 1, 1, 1, true, 3, 3)                                   \
    POOLING(k3_s2_uneven_ceil, 1, 10, 9, 31, 3, 3, 2, 2, 2, 0, 0, 2, true, 6, 5)                             \
    POOLING(k4x3_s3x2_ceil, 1, 9, 6, 8, 4, 3, 3, 2, 1, 2, 1, 1, true, 4, 4)                                  \
    POOLING(k5_s1_p2_ceil, 1, 4, 5, 3, 5, 5, 1, 1, 2, 2, 2, 2, true, 4, 5)                                   \
    POOLING(k4_s4_ceil_one, 1, 2, 3, 6, 4, 4, 4, 4, 1, 1, 1, 1, true, 1, 1)                                  \
    POOLING(k3_s1_p1, 1, 7, 6, 17, 3, 3, 1, 1, 1, 1, 1, 1, false, 7, 6)                                      \
    POOLING(k3_s2_pad_after, 1, 8, 10, 2, 3, 3, 2, 2, 0, 1, 0, 1, false, 4, 5)                               \
    POOLING(k3_s2_pad_before, 1, 8, 10, 2, 3, 3, 2, 2, 2, 0, 1, 0, false, 4, 5)                              \
    POOLING(k4_s4, 1, 8, 12, 1, 4, 4, 4, 4, 0, 0, 0, 0, false, 2, 3)                                         \
    POOLING(k1x4_s1x2, 1, 5, 13, 7, 1, 4, 1, 2, 0, 0, 1, 2, false, 5, 7)                                     \
    POOLING(k2_s3, 1, 11, 10, 4, 2, 2, 3, 3, 0, 0, 0, 0, false, 4, 3)                                        \
    POOLING(k1_s1, 1, 4, 5, 3, 1, 1, 1, 1, 0, 0, 0, 0, false, 4, 5)                                          \
    POOLING(whole, 3, 8, 8, 257, 8, 8, 1, 1, 0, 0, 0, 0, false, 1, 1)                                        \
    POOLING(one_pixel, 1, 1, 1, 2, 2, 2, 1, 1, 1, 0, 0, 1, false, 1, 1)                                      \
    POOLING(no_pictures, 0, 4, 4, 3, 2, 2, 2, 2, 0, 0, 0, 0, false, 2, 2)

#define POOL_ATTRIBUTES(kh, kw, sh, sw, pt, pb, pl, pr, ceil, ...)                                           \
    .attributes.pool = {                                                                                     \
        .kernel = {kh, kw}, .stride = {sh, sw}, .pad = {pt, pb, pl, pr}, .ceil_mode = ceil, __VA_ARGS__}

#endif
