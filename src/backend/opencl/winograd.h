/* SPDX-License-Identifier: MIT */
/*
 * Winograd's F(4×4, 3×3) for conv2d and conv2d_grad_input: cl/winograd.h says what it is. The functions are
 * those of a variant, graft_opencl_variant; they read from kernel->call which op it is.
 *
 * Two ways to order the work. Fused (CPU family): a work-item takes blocks of tiles through all three stages
 * in scratch memory that stays in its cache. In phases: where the filters are large, so that each product
 * must see many tiles to be worth loading them, and on GPUs: the transforms and 36 batched products are
 * kernels of their own, for a batch of tiles at a time, so that the workspace is bounded.
 */
#ifndef GRAFT_SRC_BACKEND_OPENCL_WINOGRAD_H
#define GRAFT_SRC_BACKEND_OPENCL_WINOGRAD_H

#include "backend/opencl/conv.h"

#define GRAFT_WINOGRAD_TILE 4
#define GRAFT_WINOGRAD_POINTS 36
#define GRAFT_WINOGRAD_EXTRA                                                                                 \
    16 /* floats between points, so that they do not fall on the same sets of a cache */

/* In the order of struct winograd in cl/winograd.h. */
struct graft_winograd_numbers {
    int32_t height, width, channels;
    int32_t to_height, to_width, filters;
    int32_t base_y, base_x;
    int32_t tiles_y, tiles_x;
    int32_t first, end;
    int32_t in_point, in_pitch;
    int32_t out_point, out_pitch;
    int32_t x_pixel, y_pixel; /* an int2 of its own */
};
void graft_winograd_arg_numbers(struct graft_opencl_args *args, const struct graft_winograd_numbers *numbers);
/* Floats from tile to tile. */
int32_t graft_winograd_pitch(int64_t channels, int64_t vector);
/* The largest block of tiles that keeps to `most`, a multiple of `step`, of those that cut all evenly. */
int64_t graft_winograd_block(int64_t tiles, int64_t step, int64_t most);
/* x items along vectors or channels, y along k, tiles or filters. */
struct graft_opencl_range graft_winograd_range(const struct graft_opencl_device *device, bool local,
                                               int64_t x, int64_t y);
/* What "winograd4_matrix" checks of its products, one for each point. */
const char *graft_winograd_matrix_reason(const struct graft_opencl_device *device,
                                         const struct graft_call *call,
                                         const struct graft_product_sizes *sizes,
                                         struct graft_variant_info *info);
/* Adds the products as the next step: gathered, or summed over tiles (`outer`). By the variant those of
 * cl/gemm.h, of cl/gemm_local.cl, in the blocks that suit them, or of cl/gemm_matrix.cl. */
GRAFT_MUST_CHECK enum graft_status graft_winograd_add_products(struct graft_opencl_device *device,
                                                               struct graft_opencl_kernel *kernel,
                                                               const struct graft_product_sizes *sizes,
                                                               bool outer);
/* Adds a kernel of cl/winograd.cl as the next step. */
GRAFT_MUST_CHECK enum graft_status graft_winograd_add(struct graft_opencl_device *device,
                                                      struct graft_opencl_kernel *kernel, const char *name,
                                                      bool local);
static inline bool graft_winograd_is_local(const struct graft_opencl_kernel *kernel)
{
    return kernel->variant->family == GRAFT_OPENCL_GPU;
}
/* Whether it suits the GPU family: the multiplications that it saves take longer than what its transforms
 * move, on a device that computes 30 FLOP for each byte that it moves. A tile saves 216 C O FLOP and moves
 * 352 (C + O) bytes. */
static inline bool graft_winograd_suits_local(int64_t channels, int64_t filters)
{
    return 216 * channels * filters >= 30 * 352 * (channels + filters);
}
/* Launches a transform of tiles [n->first, n->end): winograd_input, winograd_gradient. x: channels of it. */
GRAFT_MUST_CHECK enum graft_status
graft_winograd_run_transform(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel, int step,
                             bool local, const struct graft_winograd_numbers *n, int32_t channels,
                             struct graft_tensor from, struct graft_tensor to);

/* ---- variants of conv2d and conv2d_grad_input ---- */

/* Variant "winograd4", family CPU. */
const char *graft_winograd_check(const struct graft_opencl_device *device, const struct graft_call *call,
                                 struct graft_variant_info *info);
/* Variant "winograd4_local", family GPU. */
const char *graft_winograd_local_check(const struct graft_opencl_device *device,
                                       const struct graft_call *call, struct graft_variant_info *info);
/* Variant "winograd4_matrix": its products by a matrix unit. */
const char *graft_winograd_matrix_check(const struct graft_opencl_device *device,
                                        const struct graft_call *call, struct graft_variant_info *info);

/* Of all. */
GRAFT_MUST_CHECK enum graft_status graft_winograd_open(struct graft_opencl_device *device,
                                                       struct graft_opencl_kernel *kernel);
GRAFT_MUST_CHECK enum graft_status graft_winograd_prepare(struct graft_opencl_device *device,
                                                          struct graft_opencl_kernel *kernel,
                                                          const struct graft_tensor *in);
GRAFT_MUST_CHECK enum graft_status graft_winograd_run(struct graft_opencl_device *device,
                                                      struct graft_opencl_kernel *kernel,
                                                      const struct graft_tensor *in,
                                                      const struct graft_tensor *out,
                                                      struct graft_tensor workspace);

/* ---- variants of conv2d_grad_weight (winograd_weight.c) ---- */

const char *graft_winograd_weight_check(const struct graft_opencl_device *device,
                                        const struct graft_call *call, struct graft_variant_info *info);
const char *graft_winograd_weight_local_check(const struct graft_opencl_device *device,
                                              const struct graft_call *call, struct graft_variant_info *info);
/* "winograd4_matrix", as for conv2d. */
const char *graft_winograd_weight_matrix_check(const struct graft_opencl_device *device,
                                               const struct graft_call *call,
                                               struct graft_variant_info *info);
GRAFT_MUST_CHECK enum graft_status graft_winograd_weight_open(struct graft_opencl_device *device,
                                                              struct graft_opencl_kernel *kernel);
GRAFT_MUST_CHECK enum graft_status graft_winograd_weight_run(struct graft_opencl_device *device,
                                                             struct graft_opencl_kernel *kernel,
                                                             const struct graft_tensor *in,
                                                             const struct graft_tensor *out,
                                                             struct graft_tensor workspace);

#endif
