/* SPDX-License-Identifier: MIT */
/* Depthwise convolution: launches of cl/depthwise.cl. */
#include "backend/opencl/depthwise.h"
#include "backend/opencl/thresholds.h"

#include "base/size.h"

#include <string.h>

#define GROUP 64       /* work-items of a group on GPUs */
#define ITEM_TAPS 4096 /* products of a vector that a work-item of the CPU family should have */
/* Of dy in a chunk of the gradient to the weight, about; the same on all devices, so that the sums are. On GPUs as many
 * as leave so many work-items: more than the largest run at once. */
#define CHUNK_FLOATS 98304
#define WEIGHT_ITEMS 262144
#define SUM_SIDE 16 /* channels of a work-group that sums chunks up, and lanes that share them */
#define BLOCK 4     /* taps of a work-item, as in cl/depthwise.cl */

/* Channels of a work-item, work-items of a group. */
static int vector_of(const struct graft_opencl_device *device, const struct graft_opencl_kernel *kernel)
{
    return kernel->variant->family == GRAFT_OPENCL_GPU ? 1 : graft_gemm_tile(device).vector;
}

static struct graft_opencl_range range_of(const struct graft_opencl_device *device,
                                          const struct graft_opencl_kernel *kernel, int64_t x, int64_t y,
                                          int64_t z)
{
    size_t group = kernel->variant->family == GRAFT_OPENCL_GPU ? GROUP : 1;
    while (group > device->traits.max_group || group > device->traits.max_items[0])
        group /= 2;
    return (struct graft_opencl_range){
        .dimensions = 3, .global = {(size_t)x, (size_t)y, (size_t)z}, .local = {group, 1, 1}};
}

/* Work-groups on GPUs take several of dimension `other` where there are few channels, which would leave some of their
 * work-items idle. */
static struct graft_opencl_range range_by(const struct graft_opencl_device *device,
                                          const struct graft_opencl_kernel *kernel, int64_t x, int64_t y,
                                          int64_t z, int other)
{
    struct graft_opencl_range range = range_of(device, kernel, x, y, z);
    while ((int64_t)range.local[0] >= 2 * x && 2 * range.local[other] <= device->traits.max_items[other]) {
        range.local[0] /= 2;
        range.local[other] *= 2;
    }
    return range;
}

const char *graft_depthwise_reason(const struct graft_conv *conv)
{
    if (conv->group_channels != 1 || conv->group_filters != 1)
        return "it is not depthwise: a group has more than one channel or filter";
    return graft_conv_limits(conv);
}

uint64_t graft_depthwise_packed_bytes(const struct graft_conv *conv)
{
    return ((uint64_t)conv->kernel_y * (uint64_t)conv->kernel_x + 1) * (uint64_t)conv->channels *
           sizeof(float);
}

enum graft_status graft_depthwise_add(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                      const char *name)
{
    return graft_opencl_add(device, kernel, "depthwise.cl", name, "-DVEC=%d -DSPAN=1",
                            vector_of(device, kernel));
}

enum graft_status graft_depthwise_run_pack(struct graft_opencl_device *device,
                                           struct graft_opencl_kernel *kernel, int step,
                                           const struct graft_conv *conv, struct graft_tensor w,
                                           struct graft_tensor to)
{
    const int64_t taps = (int64_t)conv->kernel_y * conv->kernel_x;
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, w, sizeof(float));
    graft_opencl_arg_tensor(device, &args, to, sizeof(float));
    graft_opencl_arg_int(&args, conv->channels);
    graft_opencl_arg_int(&args, taps);
    const int64_t each = vector_of(device, kernel) == 1 ? 1 : GRAFT_DEPTHWISE_EACH_CHANNELS;
    graft_opencl_arg_int(&args, each);
    const struct graft_opencl_range range =
        range_of(device, kernel, graft_ceil_div(conv->channels, each), taps + 1, 1);
    return graft_opencl_launch(device, kernel, step, &args, &range);
}

enum graft_status graft_depthwise_run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                      int step, const struct graft_gather *gather,
                                      const struct graft_products *products)
{
    struct graft_gather g = *gather;
    const int vector = vector_of(device, kernel);
    /* a multiple of the vector */
    g.run = vector == 1 ? 1 : (int32_t)graft_min_i64(g.pixel, GRAFT_DEPTHWISE_MAX_CHANNELS);
    const int64_t line = (int64_t)g.grid_x * g.taps_y * g.taps_x * (g.run / vector + 1);
    g.row_end = (int32_t)(g.row_end / graft_max_i64(g.grid_x, 1)); /* lines */
    g.tiles = vector == 1 ? 1 : (int32_t)graft_max_i64(1, ITEM_TAPS / graft_max_i64(line, 1));
    g.flags = graft_product_flags(products);
    int32_t numbers[32];
    memcpy(numbers, &g, sizeof(numbers));
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, products->a, sizeof(float));
    graft_opencl_arg_tensor(device, &args, products->b, sizeof(float));
    graft_opencl_arg_tensor(device, &args, products->bias, sizeof(float));
    graft_opencl_arg_tensor(device, &args, products->residual, sizeof(float));
    graft_opencl_arg_tensor(device, &args, products->y, sizeof(float));
    graft_opencl_arg_ints(&args, numbers, 16);
    graft_opencl_arg_ints(&args, numbers + 16, 16);
    const struct graft_opencl_range range =
        range_by(device, kernel, graft_ceil_div(g.pixel, g.run), graft_ceil_div(g.row_end, g.tiles), 1, 1);
    return graft_opencl_launch_items(device, kernel, step, &args, &range);
}

static bool has_nine(const struct graft_opencl_kernel *kernel, const struct graft_conv *conv)
{
    return kernel->variant->family == GRAFT_OPENCL_CPU && conv->kernel_y == 3 && conv->kernel_x == 3 &&
           conv->dilation_y == 1 && conv->dilation_x == 1 && conv->stride_x <= 2;
}

enum graft_status graft_depthwise_add_weight(struct graft_opencl_device *device,
                                             struct graft_opencl_kernel *kernel,
                                             const struct graft_conv *conv)
{
    const enum graft_status status = graft_depthwise_add(
        device, kernel, has_nine(kernel, conv) ? "depthwise_weight_nine" : "depthwise_weight");
    return status != GRAFT_OK ? status : graft_depthwise_add(device, kernel, "depthwise_sum");
}

static int64_t chunk_lines(const struct graft_conv *conv, enum graft_opencl_family family)
{
    const int64_t lines = (int64_t)conv->images * conv->to_height;
    const int64_t of_line = (int64_t)conv->channels * conv->kernel_y * graft_ceil_div(conv->kernel_x, BLOCK);
    return graft_max_i64(1, family == GRAFT_OPENCL_GPU
                                ? lines * of_line / WEIGHT_ITEMS
                                : CHUNK_FLOATS / graft_max_i64((int64_t)conv->to_width * conv->channels, 1));
}

static int64_t chunk_count(const struct graft_conv *conv, enum graft_opencl_family family)
{
    const int64_t lines = (int64_t)conv->images * conv->to_height;
    return graft_max_i64(1, graft_ceil_div(lines, chunk_lines(conv, family)));
}

uint64_t graft_depthwise_parts_bytes(const struct graft_conv *conv, enum graft_opencl_family family)
{
    return (uint64_t)chunk_count(conv, family) * graft_depthwise_packed_bytes(conv);
}

enum graft_status graft_depthwise_run_weight(struct graft_opencl_device *device,
                                             struct graft_opencl_kernel *kernel, int step,
                                             const struct graft_conv *conv, struct graft_tensor x,
                                             struct graft_tensor dy, struct graft_tensor dw,
                                             struct graft_tensor workspace, bool accumulate)
{
    const int64_t taps = (int64_t)conv->kernel_y * conv->kernel_x, chunks = chunk_count(conv, kernel->variant->family);
    const int32_t numbers[16] = {conv->kernel_y,
                                 conv->kernel_x,
                                 conv->stride_y,
                                 conv->stride_x,
                                 conv->dilation_y,
                                 conv->dilation_x,
                                 conv->top,
                                 conv->left,
                                 conv->height,
                                 conv->width,
                                 conv->to_height,
                                 conv->to_width,
                                 conv->channels,
                                 conv->images * conv->to_height,
                                 (int32_t)chunk_lines(conv, kernel->variant->family),
                                 (int32_t)chunks};
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, x, sizeof(float));
    graft_opencl_arg_tensor(device, &args, dy, sizeof(float));
    graft_opencl_arg_tensor(device, &args, workspace, sizeof(float));
    graft_opencl_arg_ints(&args, numbers, 16);
    const struct graft_opencl_range range =
        has_nine(kernel, conv)
            ? range_of(device, kernel, chunks, 1, 1)
            : range_by(device, kernel, graft_ceil_div(conv->channels, vector_of(device, kernel)),
                       conv->kernel_y * graft_ceil_div(conv->kernel_x, BLOCK), chunks, 2);
    const enum graft_status status = graft_opencl_launch(device, kernel, step, &args, &range);
    if (status != GRAFT_OK)
        return status;
    struct graft_opencl_args sum = {0};
    graft_opencl_arg_tensor(device, &sum, workspace, sizeof(float));
    graft_opencl_arg_tensor(device, &sum, dw, sizeof(float));
    graft_opencl_arg_int(&sum, conv->channels);
    graft_opencl_arg_int(&sum, taps);
    graft_opencl_arg_int(&sum, chunks);
    graft_opencl_arg_int(&sum, accumulate ? 1 : 0);
    const int64_t each = vector_of(device, kernel) == 1 ? 1 : GRAFT_DEPTHWISE_EACH_CHANNELS;
    graft_opencl_arg_int(&sum, each);
    struct graft_opencl_range sum_range =
        range_of(device, kernel, graft_ceil_div(conv->channels, each), taps, 1);
    if (kernel->variant->family == GRAFT_OPENCL_GPU) {
        size_t lanes = SUM_SIDE;
        sum_range.local[0] = (size_t)graft_min_i64(SUM_SIDE, (int64_t)sum_range.local[0]);
        while (lanes > 1 && (lanes * sum_range.local[0] > device->traits.max_group ||
                             lanes > device->traits.max_items[2] || (int64_t)lanes >= 2 * chunks))
            lanes /= 2;
        sum_range.global[2] = sum_range.local[2] = lanes;
    }
    return graft_opencl_launch(device, kernel, step + 1, &sum, &sum_range);
}
