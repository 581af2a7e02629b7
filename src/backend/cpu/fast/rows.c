/* SPDX-License-Identifier: MIT */
/*
 * The rows of the fast variants. Each variant is compiled once per instruction set under its own name; what
 * stands here calls the one of the device. By preference: the first variant that can do a call is taken
 * unless another is forced.
 */
#include "backend/cpu/cpu.h"

#if defined(GRAFT_FAST_X86)
#define SETS(variant)                                                                                        \
    extern const struct graft_cpu_variant graft_fast_baseline_##variant, graft_fast_avx2_##variant,          \
        graft_fast_avx512_##variant;                                                                         \
    static const struct graft_cpu_variant *const variant[GRAFT_ISA_COUNT] = {                                \
        &graft_fast_baseline_##variant, &graft_fast_avx2_##variant, &graft_fast_avx512_##variant};
#else
#define SETS(variant)                                                                                        \
    extern const struct graft_cpu_variant graft_fast_baseline_##variant;                                     \
    static const struct graft_cpu_variant *const variant[GRAFT_ISA_COUNT] = {                                \
        &graft_fast_baseline_##variant, &graft_fast_baseline_##variant, &graft_fast_baseline_##variant};
#endif

#define VARIANT(variant)                                                                                     \
    SETS(variant)                                                                                            \
    static const char *check_##variant(const struct graft_cpu_device *device, const struct graft_call *call, \
                                       struct graft_variant_info *info)                                      \
    {                                                                                                        \
        return variant[device->isa]->check(device, call, info);                                              \
    }                                                                                                        \
    static void prepare_##variant(const struct graft_cpu_device *device, const struct graft_cpu_args *args,  \
                                  void *prepared)                                                            \
    {                                                                                                        \
        if (variant[device->isa]->prepare)                                                                   \
            variant[device->isa]->prepare(device, args, prepared);                                           \
    }                                                                                                        \
    static void run_##variant(const struct graft_cpu_device *device, const struct graft_cpu_args *args)      \
    {                                                                                                        \
        variant[device->isa]->run(device, args);                                                             \
    }

#define ENTRY(variant, name) {name, check_##variant, prepare_##variant, run_##variant}
#define ROW(op, ...)                                                                                         \
    static const struct graft_cpu_variant row_##op[] = {__VA_ARGS__, {NULL}};                                \
    const struct graft_cpu_row graft_cpu_##op = {row_##op};

VARIANT(conv2d_depthwise)
VARIANT(conv2d_winograd4)
VARIANT(conv2d_columns)
VARIANT(conv2d_gemm)
VARIANT(conv2d_grad_input_depthwise)
VARIANT(conv2d_grad_input_winograd4)
VARIANT(conv2d_grad_input_taps)
VARIANT(conv2d_grad_input_columns)
VARIANT(conv2d_grad_input_gemm)
VARIANT(conv2d_grad_weight_depthwise)
VARIANT(conv2d_grad_weight_winograd4)
VARIANT(conv2d_grad_weight_columns)
VARIANT(conv2d_grad_weight_gemm)
VARIANT(matmul_split_k)
VARIANT(matmul_columns)
VARIANT(matmul_gemm)
VARIANT(batch_norm_vector)
VARIANT(batch_norm_stats_vector)
VARIANT(batch_norm_grad_param_vector)
VARIANT(batch_norm_grad_input_vector)
VARIANT(softmax_vector)
VARIANT(group_norm_rows)
VARIANT(group_norm_vector)
VARIANT(group_norm_grad_input_rows)
VARIANT(group_norm_grad_input_vector)
VARIANT(group_norm_grad_param_rows)
VARIANT(group_norm_grad_param_vector)
VARIANT(attention_lanes)
VARIANT(attention_grad_lanes)
VARIANT(unary_vector)
VARIANT(unary_grad_vector)
VARIANT(binary_vector)
VARIANT(binary_grad_vector)
VARIANT(broadcast_vector)
VARIANT(reduce_vector)
VARIANT(max_pool_vector)
VARIANT(max_pool_grad_vector)
VARIANT(avg_pool_vector)
VARIANT(avg_pool_grad_vector)
VARIANT(dropout_vector)
VARIANT(gather_grad_columns)
VARIANT(concat_vector)
VARIANT(slice_vector)
VARIANT(pad_vector)
VARIANT(resize_vector)
VARIANT(resize_grad_vector)
VARIANT(lrn_vector)
VARIANT(lrn_grad_vector)
VARIANT(transpose_tiles)
VARIANT(reshape_vector)
VARIANT(normalize_vector)
VARIANT(sgd_vector)
VARIANT(adam_vector)
VARIANT(rmsprop_vector)

ROW(conv2d, ENTRY(conv2d_depthwise, "depthwise"), ENTRY(conv2d_winograd4, "winograd4"),
    ENTRY(conv2d_columns, "columns"), ENTRY(conv2d_gemm, "gemm"))
ROW(conv2d_grad_input, ENTRY(conv2d_grad_input_depthwise, "depthwise"),
    ENTRY(conv2d_grad_input_winograd4, "winograd4"), ENTRY(conv2d_grad_input_taps, "taps"),
    ENTRY(conv2d_grad_input_columns, "columns"), ENTRY(conv2d_grad_input_gemm, "gemm"))
ROW(conv2d_grad_weight, ENTRY(conv2d_grad_weight_depthwise, "depthwise"),
    ENTRY(conv2d_grad_weight_winograd4, "winograd4"),
    ENTRY(conv2d_grad_weight_columns, "columns"), ENTRY(conv2d_grad_weight_gemm, "gemm"))
ROW(matmul, ENTRY(matmul_split_k, "split_k"), ENTRY(matmul_columns, "columns"), ENTRY(matmul_gemm, "gemm"))
ROW(batch_norm, ENTRY(batch_norm_vector, "vector"))
ROW(batch_norm_stats, ENTRY(batch_norm_stats_vector, "vector"))
ROW(batch_norm_grad_param, ENTRY(batch_norm_grad_param_vector, "vector"))
ROW(batch_norm_grad_input, ENTRY(batch_norm_grad_input_vector, "vector"))
ROW(softmax, ENTRY(softmax_vector, "vector"))
ROW(softmax_grad, ENTRY(softmax_vector, "vector"))
ROW(log_softmax, ENTRY(softmax_vector, "vector"))
ROW(log_softmax_grad, ENTRY(softmax_vector, "vector"))
ROW(cross_entropy, ENTRY(softmax_vector, "vector"))
ROW(cross_entropy_grad, ENTRY(softmax_vector, "vector"))
ROW(group_norm, ENTRY(group_norm_rows, "rows"), ENTRY(group_norm_vector, "vector"))
ROW(group_norm_grad_input, ENTRY(group_norm_grad_input_rows, "rows"), ENTRY(group_norm_grad_input_vector, "vector"))
ROW(group_norm_grad_param, ENTRY(group_norm_grad_param_rows, "rows"), ENTRY(group_norm_grad_param_vector, "vector"))
ROW(attention, ENTRY(attention_lanes, "lanes"))
ROW(attention_grad, ENTRY(attention_grad_lanes, "lanes"))
ROW(unary, ENTRY(unary_vector, "vector"))
ROW(unary_grad, ENTRY(unary_grad_vector, "vector"))
ROW(binary, ENTRY(binary_vector, "vector"))
ROW(binary_grad, ENTRY(binary_grad_vector, "vector"))
ROW(broadcast, ENTRY(broadcast_vector, "vector"))
ROW(reduce, ENTRY(reduce_vector, "vector"))
ROW(max_pool, ENTRY(max_pool_vector, "vector"))
ROW(max_pool_grad, ENTRY(max_pool_grad_vector, "vector"))
ROW(avg_pool, ENTRY(avg_pool_vector, "vector"))
ROW(avg_pool_grad, ENTRY(avg_pool_grad_vector, "vector"))
ROW(dropout, ENTRY(dropout_vector, "vector"))
ROW(gather_grad, ENTRY(gather_grad_columns, "columns"))
ROW(concat, ENTRY(concat_vector, "vector"))
ROW(slice, ENTRY(slice_vector, "vector"))
ROW(pad, ENTRY(pad_vector, "vector"))
ROW(resize, ENTRY(resize_vector, "vector"))
ROW(resize_grad, ENTRY(resize_grad_vector, "vector"))
ROW(lrn, ENTRY(lrn_vector, "vector"))
ROW(lrn_grad, ENTRY(lrn_grad_vector, "vector"))
ROW(transpose, ENTRY(transpose_tiles, "tiles"))
ROW(reshape, ENTRY(reshape_vector, "vector"))
ROW(normalize, ENTRY(normalize_vector, "vector"))
ROW(sgd, ENTRY(sgd_vector, "vector"))
ROW(adam, ENTRY(adam_vector, "vector"))
ROW(rmsprop, ENTRY(rmsprop_vector, "vector"))
