/* SPDX-License-Identifier: MIT */
/* Sizes at which the fast kernels change their way: as backend/opencl/thresholds.h. */
#ifndef GRAFT_SRC_BACKEND_CPU_FAST_THRESHOLDS_H
#define GRAFT_SRC_BACKEND_CPU_FAST_THRESHOLDS_H

/* common.h: elements of an item, so that small work stays in one thread */
#define FAST_CHUNK 16384
/* gemm.h: terms of a sum whose panel stays in the cache */
#define FAST_BLOCK_K 512
/* matmul.c: the same; results are written and taken up again less often where they are wide */
#define FAST_PRODUCT_K 1024
/* matmul_split.c: terms from which on a sum is taken in splits */
#define FAST_SPLIT_K 4096
/* matmul_columns.c: floats of b from which on it is packed by who multiplies it */
#define FAST_COLUMNS_B_FLOATS (128 * 1024)
/* gemm.h: rows that begin so many floats apart fall into few sets of the caches */
#define FAST_BAD_PITCH 512
/* correlate.c: so far apart, more of a tile's rows fall into a set of the first cache than it has ways */
#define FAST_BAD_ROW_PITCH 1024
/* depthwise.c: taps whose addresses are kept */
#define FAST_DEPTHWISE_MOST_TAPS 64
/* depthwise_weight.c: taps in a row */
#define FAST_DEPTHWISE_MOST_WIDTH 32
/* conv2d_grad_weight.c: columns of all taps that are taken together */
#define FAST_WEIGHT_MOST_JOINED 256
/* winograd.c, winograd_weight.c, in phases: floats of a batch of tiles, all points */
#define FAST_WINOGRAD_BATCH_FLOATS (6 * 1024 * 1024)
/* group_norm.c: pixels summed in f32 before they are joined in double */
#define FAST_GROUP_NORM_PIXELS 256
/* pool_grad.c: windows that hold an element */
#define FAST_POOL_MOST_WINDOWS 64
/* transpose.c: rows of a block where one side is short */
#define FAST_TRANSPOSE_FEW_ROWS 16
/* batch_norm_sums.c: chunks of rows, whose sums are joined */
#define FAST_BATCH_NORM_MOST_CHUNKS 512

#define GRAFT_CPU_THRESHOLDS(GRAFT_X)                                                                        \
    GRAFT_X(FAST_CHUNK, "unary unary_grad binary binary_grad dropout fill", ELEMENTS)                        \
    GRAFT_X(FAST_BLOCK_K, "conv2d conv2d_grad_input", TERMS)                                                 \
    GRAFT_X(FAST_PRODUCT_K, "matmul", TERMS)                                                                 \
    GRAFT_X(FAST_COLUMNS_B_FLOATS - 1, "matmul", B_FLOATS)                                                   \
    GRAFT_X(FAST_SPLIT_K - 1, "matmul", TERMS_TURNED)                                                        \
    GRAFT_X(FAST_BAD_PITCH - 1, "matmul conv2d conv2d_grad_input", TERMS)                                    \
    GRAFT_X(FAST_BAD_PITCH - 1, "conv2d conv2d_grad_input conv2d_grad_weight", CHANNELS)                     \
    GRAFT_X(FAST_BAD_ROW_PITCH - 1, "conv2d conv2d_grad_input conv2d_grad_weight", CHANNELS)                 \
    GRAFT_X(FAST_DEPTHWISE_MOST_TAPS, "conv2d conv2d_grad_input", TAPS)                                      \
    GRAFT_X(FAST_DEPTHWISE_MOST_WIDTH, "conv2d_grad_weight", TAPS_WIDTH)                                     \
    GRAFT_X(FAST_WEIGHT_MOST_JOINED, "conv2d_grad_weight", JOINED)                                           \
    GRAFT_X(FAST_WINOGRAD_BATCH_FLOATS, "conv2d conv2d_grad_input conv2d_grad_weight", TILE_FLOATS)          \
    GRAFT_X(FAST_GROUP_NORM_PIXELS, "group_norm group_norm_grad_input group_norm_grad_param", PLACES)        \
    GRAFT_X(FAST_POOL_MOST_WINDOWS, "max_pool_grad avg_pool_grad", WINDOWS)                                  \
    GRAFT_X(FAST_TRANSPOSE_FEW_ROWS, "transpose", TURNED_SIDE)                                               \
    GRAFT_X(FAST_BATCH_NORM_MOST_CHUNKS * FAST_CHUNK, "batch_norm_stats batch_norm_grad_param", ELEMENTS)

#endif
