/* SPDX-License-Identifier: MIT */
/*
 * Sizes at which the kernels' host side changes its way: the only place where they stand, and the list that
 * the conformance suite reads, which has cases on both sides of each (tests/op/real_thresholds.c). A way is
 * changed where the quantity is more than the value.
 */
#ifndef GRAFT_SRC_BACKEND_OPENCL_THRESHOLDS_H
#define GRAFT_SRC_BACKEND_OPENCL_THRESHOLDS_H

/* matmul_thin.c */
#define GRAFT_THIN_MOST_ROWS 16  /* THIN of cl/matmul_thin.cl: rows … */
#define GRAFT_THIN_MOST_OTHERS 8 /* … where b is as it is, and terms: with more of them packing pays */
/* gemm.c: terms of a sum whose factors stay in the cache; sums of twice as many are not cut */
#define GRAFT_GEMM_BLOCK_TERMS 768
/* gemm_local.c: rows and columns of the block that a work-group computes, or … */
#define GRAFT_LOCAL_NARROW 64
#define GRAFT_LOCAL_WIDE 128
/* gemm_local.c: pixels (of aᵀ·b terms) that are worth a chunk with a result of its own, which goes through memory */
#define GRAFT_LOCAL_CHUNK_TERMS 256
/* gemm.c, matmul.c: likewise of tiles, about, and up to so many */
#define GRAFT_WEIGHT_CHUNK_PIXELS 1024
#define GRAFT_WEIGHT_MOST_PIXELS 4096
/* winograd.c, in phases: tiles that a product sees at most */
#define GRAFT_WINOGRAD_MOST_TILES 448
#define GRAFT_WINOGRAD_MOST_TILES_LOCAL 8192
/* depthwise.c: channels of a work-item of the CPU family */
#define GRAFT_DEPTHWISE_EACH_CHANNELS 128 /* that it packs or sums */
#define GRAFT_DEPTHWISE_MAX_CHANNELS 512
/* columns.c: what a work-item of the CPU family sums up, about */
#define GRAFT_COLUMNS_CPU_ELEMENTS 65536
/* reduce.c: of a long row, the work of one group */
#define GRAFT_REDUCE_CHUNK_COLUMNS 8192
/* row.c, group.c: what a work-item of the CPU family takes at least, if rows or groups are short */
#define GRAFT_ROW_CPU_ELEMENTS 1024
/* flat.c: what a work-item of the CPU family takes: 4 KiB */
#define GRAFT_FLAT_ITEM_ELEMENTS 1024
/* transpose.c */
#define GRAFT_TRANSPOSE_LEAST_TILE 12 /* where a side is shorter, most of a tile would be idle */
#define GRAFT_TRANSPOSE_BLOCK 64      /* of the CPU family, where both sides are long */
/* normalize.c: a work-item of the wide variant keeps their numbers in private memory */
#define GRAFT_NORMALIZE_MAX_WIDE_CHANNELS 64
/* max_pool_grad.c: LINE of cl/max_pool_grad.cl, vectors of 16 channels */
#define GRAFT_POOL_LINE_VECTORS 64

/* GRAFT_X(value, "ops", quantity) */
#define GRAFT_OPENCL_THRESHOLDS(GRAFT_X)                                                                     \
    GRAFT_X(GRAFT_THIN_MOST_ROWS, "matmul", ROWS_TURNED)                                                     \
    GRAFT_X(GRAFT_THIN_MOST_OTHERS, "matmul", ROWS_PLAIN)                                                    \
    GRAFT_X(GRAFT_THIN_MOST_OTHERS, "matmul", TERMS_TURNED)                                                  \
    GRAFT_X(2 * GRAFT_GEMM_BLOCK_TERMS, "matmul conv2d conv2d_grad_input", TERMS)                            \
    GRAFT_X(GRAFT_LOCAL_NARROW, "matmul conv2d conv2d_grad_input conv2d_grad_weight", COLUMNS)               \
    GRAFT_X(GRAFT_LOCAL_WIDE, "matmul conv2d conv2d_grad_input conv2d_grad_weight", COLUMNS)                 \
    GRAFT_X(GRAFT_LOCAL_NARROW, "matmul conv2d conv2d_grad_input", ROWS)                                     \
    GRAFT_X(GRAFT_LOCAL_WIDE, "matmul conv2d conv2d_grad_input", ROWS)                                       \
    GRAFT_X(GRAFT_LOCAL_CHUNK_TERMS, "conv2d_grad_weight", PIXELS)                                           \
    GRAFT_X(GRAFT_LOCAL_CHUNK_TERMS, "matmul", TERMS_TURNED)                                                 \
    GRAFT_X(GRAFT_WEIGHT_CHUNK_PIXELS, "conv2d_grad_weight", PIXELS)                                         \
    GRAFT_X(GRAFT_WEIGHT_MOST_PIXELS, "conv2d_grad_weight", PIXELS)                                          \
    GRAFT_X(GRAFT_WEIGHT_MOST_PIXELS, "matmul", TERMS_TURNED)                                                \
    GRAFT_X(GRAFT_WINOGRAD_MOST_TILES, "conv2d conv2d_grad_input", TILES)                                    \
    GRAFT_X(GRAFT_WINOGRAD_MOST_TILES_LOCAL, "conv2d conv2d_grad_input", TILES)                              \
    GRAFT_X(GRAFT_DEPTHWISE_EACH_CHANNELS, "conv2d conv2d_grad_input conv2d_grad_weight", GROUPS)            \
    GRAFT_X(GRAFT_DEPTHWISE_MAX_CHANNELS, "conv2d conv2d_grad_input conv2d_grad_weight", GROUPS)             \
    GRAFT_X(GRAFT_COLUMNS_CPU_ELEMENTS, "batch_norm_stats batch_norm_grad_param", SUMMED)                    \
    GRAFT_X(GRAFT_REDUCE_CHUNK_COLUMNS, "reduce", ROW_SUMMED)                                                \
    GRAFT_X(GRAFT_ROW_CPU_ELEMENTS, "softmax softmax_grad log_softmax log_softmax_grad cross_entropy", LAST) \
    GRAFT_X(GRAFT_FLAT_ITEM_ELEMENTS, "unary binary unary_grad batch_norm concat slice pad", LAST)           \
    GRAFT_X(GRAFT_TRANSPOSE_LEAST_TILE - 1, "transpose", TURNED_SIDE)                                        \
    GRAFT_X(GRAFT_TRANSPOSE_BLOCK, "transpose", TURNED_SIDE)                                                 \
    GRAFT_X(GRAFT_NORMALIZE_MAX_WIDE_CHANNELS, "normalize", LAST)                                            \
    GRAFT_X(16 * GRAFT_POOL_LINE_VECTORS, "max_pool_grad", LAST)

#endif
