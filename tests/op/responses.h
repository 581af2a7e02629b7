/* SPDX-License-Identifier: MIT */
/* What lrn and its gradient share. RESPONSE(name, size, alpha, beta, k, values, shape) */
#ifndef GRAFT_TESTS_OP_RESPONSES_H
#define GRAFT_TESTS_OP_RESPONSES_H

#define RESPONSES(RESPONSE)                                                                                  \
    RESPONSE(alexnet, 5, 1e-4f, 0.75f, 2, NORMAL, 2, 5, 7, 96)                                               \
    RESPONSE(strong, 5, 2, 0.75f, 1, NORMAL, 2, 3, 5, 65)                                                    \
    RESPONSE(even, 4, 1.5f, 0.75f, 0.5f, NORMAL, 2, 3, 3, 33)                                                \
    RESPONSE(two, 2, 1, 0.75f, 1, NORMAL, 3, 31)                                                             \
    RESPONSE(one, 1, 1, 0.75f, 1, NORMAL, 2, 3, 3, 17)                                                       \
    RESPONSE(root, 3, 1, 0.5f, 1, NORMAL, 2, 3, 3, 16)                                                       \
    RESPONSE(plain, 3, 0.5f, 1, 1, NORMAL, 1, 7, 64)                                                         \
    RESPONSE(odd_power, 7, 3, 1.3f, 0.7f, NORMAL, 2, 9, 32)                                                  \
    RESPONSE(no_power, 3, 1, 0, 1, NORMAL, 4, 5)                                                             \
    RESPONSE(no_alpha, 3, 0, 0.75f, 2, NORMAL, 4, 5)                                                         \
    RESPONSE(no_k, 3, 1, 0.75f, 0, POSITIVE, 3, 37)                                                          \
    RESPONSE(wider_than_all, 21, 2, 0.75f, 1, NORMAL, 5, 6)                                                  \
    RESPONSE(huge, INT32_MAX, 1e9f, 0.75f, 1, NORMAL, 2, 19)                                                 \
    RESPONSE(one_channel, 5, 1, 0.75f, 1, NORMAL, 40, 1)                                                     \
    RESPONSE(vector, 5, 1, 0.75f, 1, NORMAL, 257)                                                            \
    RESPONSE(many, 5, 1, 0.75f, 1, NORMAL, 3, 1031)                                                          \
    RESPONSE(nothing, 5, 1, 0.75f, 1, NORMAL, 0, 7)                                                          \
    RESPONSE(special, 5, 1, 0.75f, 1, SPECIAL, 9, 40)

#endif
