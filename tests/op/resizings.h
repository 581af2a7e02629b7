/* SPDX-License-Identifier: MIT */
/*
 * Sizes that resize and its gradient share.
 * RESIZING(name, mode, corners, tiers, n, h, w, c, h of y, w of y); exact where every weight is a fraction
 * with a power of two below.
 */
#ifndef GRAFT_TESTS_OP_RESIZINGS_H
#define GRAFT_TESTS_OP_RESIZINGS_H

#define INEXACT (GRAFT_TIER_ROUNDING | GRAFT_TIER_GRADIENT)

#define RESIZINGS(RESIZING)                                                                                  \
    RESIZING(nearest_same, NEAREST, false, 0, 2, 5, 7, 3, 5, 7)                                              \
    RESIZING(nearest_double, NEAREST, false, 0, 2, 5, 7, 33, 10, 14)                                         \
    RESIZING(nearest_half, NEAREST, false, 0, 1, 8, 6, 64, 4, 3)                                             \
    RESIZING(nearest_up, NEAREST, false, 0, 1, 3, 5, 17, 11, 13)                                             \
    RESIZING(nearest_down, NEAREST, false, 0, 1, 13, 17, 5, 4, 7)                                            \
    RESIZING(nearest_rounded, NEAREST, false, 0, 1, 2, 3, 1, 82, 123) /* i · s is rounded below a whole */   \
    RESIZING(nearest_to_one, NEAREST, false, 0, 2, 9, 7, 16, 1, 1)                                           \
    RESIZING(nearest_of_one, NEAREST, false, 0, 2, 1, 1, 65, 4, 6)                                           \
    RESIZING(nearest_up_and_down, NEAREST, false, 0, 1, 4, 9, 8, 9, 4)                                       \
    RESIZING(same, BILINEAR, false, 0, 2, 5, 7, 3, 5, 7)                                                     \
    RESIZING(twice, BILINEAR, false, 0, 2, 5, 7, 33, 10, 14)                                                 \
    RESIZING(four_times, BILINEAR, false, 0, 1, 4, 3, 64, 16, 12)                                            \
    RESIZING(half, BILINEAR, false, 0, 1, 8, 6, 16, 4, 3)                                                    \
    RESIZING(third, BILINEAR, false, 0, 1, 9, 6, 5, 3, 2)                                                    \
    RESIZING(up, BILINEAR, false, INEXACT, 1, 3, 5, 17, 11, 13)                                              \
    RESIZING(down, BILINEAR, false, INEXACT, 1, 13, 17, 31, 4, 7)                                            \
    RESIZING(up_and_down, BILINEAR, false, INEXACT, 2, 4, 9, 2, 9, 4)                                        \
    RESIZING(to_one, BILINEAR, false, 0, 2, 9, 7, 16, 1, 1)                                                  \
    RESIZING(of_one, BILINEAR, false, 0, 2, 1, 1, 65, 4, 6)                                                  \
    RESIZING(of_two, BILINEAR, false, INEXACT, 1, 2, 2, 257, 7, 5)                                           \
    RESIZING(far, BILINEAR, false, INEXACT, 1, 2, 3, 1, 97, 61)                                              \
    RESIZING(corners_same, BILINEAR, true, 0, 2, 5, 7, 3, 5, 7)                                              \
    RESIZING(corners_twice, BILINEAR, true, 0, 1, 5, 3, 33, 9, 5)                                            \
    RESIZING(corners_half, BILINEAR, true, 0, 1, 9, 5, 64, 5, 3)                                             \
    RESIZING(corners_up, BILINEAR, true, INEXACT, 1, 3, 5, 17, 11, 13)                                       \
    RESIZING(corners_down, BILINEAR, true, INEXACT, 1, 13, 17, 31, 4, 7)                                     \
    RESIZING(corners_to_one, BILINEAR, true, 0, 2, 9, 7, 16, 1, 1)                                           \
    RESIZING(corners_of_one, BILINEAR, true, 0, 2, 1, 1, 65, 4, 6)                                           \
    RESIZING(corners_of_two, BILINEAR, true, INEXACT, 1, 2, 2, 5, 7, 6)                                      \
    RESIZING(no_pictures, BILINEAR, false, 0, 0, 4, 4, 3, 8, 2)

#endif
