/* SPDX-License-Identifier: MIT */
/* conv2d_grad_weight: x, dy → dw[o, (kh, kw, c)] = sum over pixels of dy[pixel, o] × x[pixel (kh, kw), c]. */
#include "backend/opencl/depthwise.h"
#include "backend/opencl/winograd.h"

#include "base/size.h"

enum { X, DY };

/*
 * ---- tile and local: the matrix products of the CPU and of the GPU family ----
 * The sum is cut into chunks of lines. Each has a result of its own in the workspace, and these are added up
 * in their order. For tiles, few channels of x are taken together with the taps as columns, and a dy of few
 * filters is copied with zeros behind them.
 */

#define CHUNK_PIXELS 1024 /* of a chunk, about; the same on all devices, so that the sums are */

enum { OUTER, SUM, WIDEN };

struct plan {
    struct graft_outer outer;         /* for `images` images */
    int32_t widened;                  /* filters of a group in a copy of dy; 0: none */
    int32_t images;                   /* of one pass */
    int32_t chunks;                   /* of one launch */
    uint64_t copy_bytes, parts_bytes; /* of the workspace */
};

/* What only tiles need. */
static void plan_tiles(const struct graft_opencl_device *device, struct plan *plan,
                       const struct graft_conv *conv, const struct graft_gemm_tile *tile)
{
    struct graft_outer *o = &plan->outer;
    if (conv->group_channels < tile->vector && conv->kernel_y * conv->kernel_x > 1) {
        o->flat = conv->group_channels;
        o->columns = o->leading;
        o->tap_to = 0;
    }
    if (conv->group_filters < tile->rows) {
        plan->widened = o->a_group = tile->rows;
        o->a_pixel = conv->groups * tile->rows;
        const uint64_t image_bytes =
            (uint64_t)conv->to_height * (uint64_t)conv->to_width * (uint64_t)o->a_pixel * sizeof(float);
        const int64_t fit = image_bytes > 0 ? (int64_t)(device->traits.scratch_bytes / image_bytes) : 1;
        plan->images = (int32_t)graft_max_i64(1, graft_min_i64(fit, conv->images));
        plan->copy_bytes = graft_round_up((uint64_t)plan->images * image_bytes, 256);
    }
}

/* tile: NULL for the GPU family. */
static struct plan make_plan(const struct graft_opencl_device *device, const struct graft_conv *conv,
                             const struct graft_gemm_tile *tile)
{
    const int64_t image_pixels = (int64_t)conv->to_height * conv->to_width;
    struct plan plan = {.images = conv->images};
    struct graft_outer *o = &plan.outer;
    *o = (struct graft_outer){.rows = conv->group_filters,
                              .columns = conv->group_channels,
                              .taps_y = conv->kernel_y,
                              .taps_x = conv->kernel_x,
                              .line = conv->to_width,
                              .grid_y = conv->to_height,
                              .step_y = conv->stride_y,
                              .step_x = conv->stride_x,
                              .base_y = -conv->top,
                              .base_x = -conv->left,
                              .tap_y = conv->dilation_y,
                              .tap_x = conv->dilation_x,
                              .height = conv->height,
                              .width = conv->width,
                              .pixel = conv->channels,
                              .column = 1,
                              .a_pixel = conv->filters,
                              .a_group = conv->group_filters,
                              .b_group = conv->group_channels,
                              .leading = conv->kernel_y * conv->kernel_x * conv->group_channels,
                              .tap_to = conv->group_channels};
    if (tile != NULL)
        plan_tiles(device, &plan, conv, tile);
    o->lines = plan.images * conv->to_height;
    o->pixels = (int32_t)(plan.images * image_pixels);
    if (graft_conv_is_dense(conv))
        graft_outer_dense(o, o->pixels);

    const int64_t size = (int64_t)conv->filters * o->leading; /* of dw */
    o->chunk = (int32_t)graft_max_i64(1, CHUNK_PIXELS / graft_max_i64(o->line, 1));
    const int64_t chunks = graft_max_i64(1, graft_ceil_div(o->lines, o->chunk));
    const double chunk_flops = 2.0 * CHUNK_PIXELS * (double)size + 1;
    const int64_t fit = graft_min_i64(
        (int64_t)(device->traits.scratch_bytes / sizeof(float) / (uint64_t)graft_max_i64(size, 1)),
        (int64_t)(device->traits.launch_flops / chunk_flops));
    plan.chunks = (int32_t)graft_max_i64(1, graft_min_i64(fit, chunks));
    plan.parts_bytes = plan.chunks > 1 ? (uint64_t)plan.chunks * (uint64_t)size * sizeof(float) : 0;
    return plan;
}

static const char *tile_check(const struct graft_opencl_device *device, const struct graft_call *call,
                              struct graft_variant_info *info)
{
    const struct graft_gemm_tile tile = graft_gemm_tile(device);
    const struct graft_conv conv = graft_conv_grad_weight(call);
    const char *reason = graft_conv_limits(&conv);
    if (reason != NULL)
        return reason;
    if ((int64_t)conv.to_height * conv.to_width * conv.groups * tile.rows > INT32_MAX)
        return "the gradient of one image has too many groups for 32-bit indices";
    const struct plan plan = make_plan(device, &conv, &tile);
    info->workspace_bytes = plan.copy_bytes + plan.parts_bytes;
    return NULL;
}

static const char *local_check(const struct graft_opencl_device *device, const struct graft_call *call,
                               struct graft_variant_info *info)
{
    const struct graft_conv conv = graft_conv_grad_weight(call);
    const char *reason = graft_conv_limits(&conv);
    if (reason != NULL)
        return reason;
    info->workspace_bytes = make_plan(device, &conv, NULL).parts_bytes;
    return graft_local_reason(device);
}

static enum graft_status tile_open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    enum graft_status status = graft_gemm_add(device, kernel, "gemm_outer");
    if (status == GRAFT_OK)
        status = graft_gemm_add(device, kernel, "gemm_sum");
    return status == GRAFT_OK ? graft_gemm_add(device, kernel, "gemm_widen") : status;
}

static enum graft_status local_open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    const enum graft_status status = graft_local_add(device, kernel, "local_outer");
    return status == GRAFT_OK ? graft_local_add(device, kernel, "local_sum") : status;
}

/* One pass: all chunks of its images, a few at a time. */
static enum graft_status run_chunks(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                    const struct plan *plan, struct graft_products products,
                                    struct graft_tensor dw, struct graft_tensor parts)
{
    const bool local = kernel->variant->family == GRAFT_OPENCL_GPU;
    const int64_t size = graft_shape_count(&kernel->call.out[0].shape);
    struct graft_outer outer = plan->outer;
    const int32_t all = (int32_t)graft_max_i64(1, graft_ceil_div(outer.lines, outer.chunk));
    bool accumulate = products.accumulate;
    enum graft_status status = GRAFT_OK;
    for (int32_t first = 0; first < all && status == GRAFT_OK; first += plan->chunks) {
        outer.chunk_first = first;
        outer.chunks = (int32_t)graft_min_i64(plan->chunks, all - first);
        const bool direct = outer.chunks == 1;
        products.accumulate = direct && accumulate;
        products.y = direct ? dw : parts;
        status = (local ? graft_local_run_outer : graft_gemm_run_outer)(device, kernel, OUTER, &outer,
                                                                        &products, (uint64_t)size);
        if (status == GRAFT_OK && !direct)
            status = (local ? graft_local_run_sum : graft_gemm_run_sum)(
                device, kernel, SUM, parts, (uint64_t)size, outer.chunks, dw, size, accumulate);
        accumulate = true;
    }
    return status;
}

static enum graft_status run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor workspace)
{
    const struct graft_gemm_tile tile = graft_gemm_tile(device);
    const struct graft_conv conv = graft_conv_grad_weight(&kernel->call);
    struct plan plan = make_plan(device, &conv, kernel->variant->family == GRAFT_OPENCL_GPU ? NULL : &tile);
    const struct graft_tensor parts = graft_opencl_at(workspace, plan.copy_bytes);
    const int64_t image_pixels = (int64_t)conv.to_height * conv.to_width;
    const uint64_t image_x =
        (uint64_t)conv.height * (uint64_t)conv.width * (uint64_t)conv.channels * sizeof(float);
    const uint64_t image_dy = (uint64_t)image_pixels * (uint64_t)conv.filters * sizeof(float);
    struct graft_products products = {
        .groups = conv.groups, .batches = 1, .accumulate = (kernel->call.accumulate & 1u) != 0};
    enum graft_status status = GRAFT_OK;
    if (graft_shape_count(&kernel->call.out[0].shape) == 0)
        return GRAFT_OK;
    int32_t image = 0;
    do {
        const int32_t images = (int32_t)graft_min_i64(plan.images, conv.images - image);
        products.a = graft_opencl_at(in[DY], (uint64_t)image * image_dy);
        products.b = graft_opencl_at(in[X], (uint64_t)image * image_x);
        if (plan.widened > 0) {
            status = graft_gemm_run_widen(device, kernel, WIDEN, images * image_pixels * conv.groups,
                                          conv.group_filters, plan.widened, products.a, workspace);
            products.a = workspace;
        }
        if (graft_conv_is_dense(&conv)) {
            graft_outer_dense(&plan.outer, images * image_pixels);
        } else {
            plan.outer.lines = images * conv.to_height;
            plan.outer.pixels = (int32_t)(images * image_pixels);
        }
        if (status == GRAFT_OK)
            status = run_chunks(device, kernel, &plan, products, out[0], parts);
        products.accumulate = true;
        image += plan.images;
    } while (image < conv.images && status == GRAFT_OK);
    return status;
}

/* ---- depthwise: along channels ---- */

static const char *depthwise_check(const struct graft_opencl_device *device, const struct graft_call *call,
                                   struct graft_variant_info *info)
{
    (void)device;
    const struct graft_conv conv = graft_conv_grad_weight(call);
    info->workspace_bytes = graft_depthwise_parts_bytes(&conv);
    return graft_depthwise_reason(&conv);
}

static enum graft_status depthwise_open(struct graft_opencl_device *device,
                                        struct graft_opencl_kernel *kernel)
{
    const struct graft_conv conv = graft_conv_grad_weight(&kernel->call);
    return graft_depthwise_add_weight(device, kernel, &conv);
}

static enum graft_status depthwise_run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                       const struct graft_tensor *in, const struct graft_tensor *out,
                                       struct graft_tensor workspace)
{
    const struct graft_conv conv = graft_conv_grad_weight(&kernel->call);
    if (graft_shape_count(&kernel->call.out[0].shape) == 0)
        return GRAFT_OK;
    return graft_depthwise_run_weight(device, kernel, 0, &conv, in[X], in[DY], out[0], workspace,
                                      (kernel->call.accumulate & 1u) != 0);
}

static const struct graft_opencl_variant variants[] = {
    {.name = "depthwise",
     .family = GRAFT_OPENCL_CPU,
     .check = depthwise_check,
     .open = depthwise_open,
     .run = depthwise_run},
    {.name = "winograd4",
     .family = GRAFT_OPENCL_CPU,
     .check = graft_winograd_weight_check,
     .open = graft_winograd_weight_open,
     .run = graft_winograd_weight_run},
    {.name = "tile", .family = GRAFT_OPENCL_CPU, .check = tile_check, .open = tile_open, .run = run},
    {.name = "depthwise_narrow",
     .family = GRAFT_OPENCL_GPU,
     .check = depthwise_check,
     .open = depthwise_open,
     .run = depthwise_run},
    {.name = "local", .family = GRAFT_OPENCL_GPU, .check = local_check, .open = local_open, .run = run},
    {.name = "winograd4_local",
     .family = GRAFT_OPENCL_GPU,
     .check = graft_winograd_weight_local_check,
     .open = graft_winograd_weight_open,
     .run = graft_winograd_weight_run},
    {.name = NULL},
};

const struct graft_opencl_row graft_opencl_conv2d_grad_weight = {.variants = variants};
