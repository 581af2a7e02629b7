/* SPDX-License-Identifier: MIT */
/* conv2d_grad_weight: x, dy → dw[o, (kh, kw, c)] = sum over pixels of dy[pixel, o] × x[pixel (kh, kw), c]. */
#include "backend/opencl/clblast.h"
#include "backend/opencl/thresholds.h"
#include "backend/opencl/depthwise.h"
#include "backend/opencl/winograd.h"

#include "base/size.h"

enum { X, DY };

/*
 * ---- tile and local: the matrix products of the CPU and of the GPU family ----
 * The sum is cut into chunks of lines. Each has a result of its own in the workspace, and these are added up
 * in their order. For tiles, few channels of x are taken together with the taps as columns. Chunks depend on
 * the shape only (and on the family), so that sums do not depend on the device's units.
 */

enum { OUTER, SUM };

struct plan {
    struct graft_outer outer;
    struct graft_chunks chunks;
};

/* tiles: of the CPU family. */
static struct plan make_plan(const struct graft_opencl_device *device, const struct graft_conv *conv,
                             bool tiles)
{
    const int64_t pixels = (int64_t)conv->images * conv->to_height * conv->to_width;
    struct plan plan = {0};
    struct graft_outer *o = &plan.outer;
    *o = (struct graft_outer){.rows = conv->group_filters,
                              .columns = conv->group_channels,
                              .taps_y = conv->kernel_y,
                              .taps_x = conv->kernel_x,
                              .lines = conv->images * conv->to_height,
                              .line = conv->to_width,
                              .pixels = (int32_t)pixels,
                              .grid_y = conv->to_height,
                              .step_y = conv->stride_y,
                              .step_x = conv->stride_x,
                              .base_y = -conv->top,
                              .base_x = -conv->left,
                              .tap_y = conv->dilation_y,
                              .tap_x = conv->dilation_x,
                              .height = conv->height,
                              .width = conv->width,
                              .pixel = conv->x_pixel,
                              .column = 1,
                              .a_pixel = conv->y_pixel,
                              .a_group = conv->group_filters,
                              .b_group = conv->group_channels,
                              .leading = conv->kernel_y * conv->kernel_x * conv->group_channels,
                              .tap_to = conv->group_channels};
    if (tiles && conv->group_channels < graft_gemm_tile(device).vector &&
        conv->kernel_y * conv->kernel_x > 1) {
        o->flat = conv->group_channels;
        o->columns = o->leading;
        o->tap_to = 0;
    }
    if (graft_conv_is_dense(conv))
        graft_outer_dense(o, pixels);
    const int64_t chunks = tiles ? graft_gemm_chunks(o, conv->groups, pixels)
                                 : graft_local_chunks(o->rows, o->leading, conv->groups, pixels);
    plan.chunks = graft_outer_cut(device, o, chunks, (int64_t)conv->filters * o->leading);
    return plan;
}

static const char *tile_check(const struct graft_opencl_device *device, const struct graft_call *call,
                              struct graft_variant_info *info)
{
    const struct graft_conv conv = graft_conv_grad_weight(call);
    info->workspace_bytes = make_plan(device, &conv, true).chunks.parts_bytes;
    info->pitched_inputs = 1u << X | 1u << DY;
    return graft_conv_limits(&conv);
}

static const char *local_check(const struct graft_opencl_device *device, const struct graft_call *call,
                               struct graft_variant_info *info)
{
    const struct graft_conv conv = graft_conv_grad_weight(call);
    const char *reason = graft_conv_limits(&conv);
    if (reason != NULL)
        return reason;
    info->workspace_bytes = make_plan(device, &conv, false).chunks.parts_bytes;
    info->pitched_inputs = 1u << X | 1u << DY;
    return graft_local_reason(device);
}

static enum graft_status tile_open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    const enum graft_status status = graft_gemm_add(device, kernel, "gemm_outer");
    return status == GRAFT_OK ? graft_gemm_add(device, kernel, "gemm_sum") : status;
}

static const char *local_wide_check(const struct graft_opencl_device *device, const struct graft_call *call,
                                    struct graft_variant_info *info)
{
    const struct graft_conv conv = graft_conv_grad_weight(call);
    const char *reason = local_check(device, call, info);
    if (reason != NULL)
        return reason;
    const struct plan plan = make_plan(device, &conv, false);
    return graft_local_wide_check(device, conv.group_filters, plan.outer.leading,
                                  (int64_t)conv.groups * plan.chunks.most, info);
}

static enum graft_status local_open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    const struct graft_conv conv = graft_conv_grad_weight(&kernel->call);
    const struct graft_local_tile tile =
        graft_local_tile(kernel->variant->wide, make_plan(device, &conv, false).outer.leading);
    const enum graft_status status = graft_local_add(device, kernel, "local_outer", tile);
    return status == GRAFT_OK ? graft_local_add_sum(device, kernel) : status;
}

static const char *matrix_check_tile(const struct graft_opencl_device *device, const struct graft_call *call,
                                     bool wide, struct graft_variant_info *info)
{
    const struct graft_conv conv = graft_conv_grad_weight(call);
    const char *const reason = local_check(device, call, info);
    if (reason != NULL)
        return reason;
    const struct plan plan = make_plan(device, &conv, false);
    const struct graft_product_sizes sizes = {.batches = (int64_t)conv.groups * plan.chunks.most,
                                              .m = conv.group_filters,
                                              .n = plan.outer.leading,
                                              .k = conv.to_pixels};
    return graft_matrix_check(device, call, &sizes, wide, info);
}

GRAFT_MATRIX_CHECKS(matrix_check_tile)

static enum graft_status matrix_open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    const struct graft_conv conv = graft_conv_grad_weight(&kernel->call);
    const struct graft_local_tile tile =
        graft_matrix_tile(device, kernel->variant->wide, make_plan(device, &conv, false).outer.leading);
    const enum graft_status status = graft_matrix_add(device, kernel, "matrix_outer", tile, true);
    return status == GRAFT_OK ? graft_local_add_sum(device, kernel) : status;
}

static enum graft_status run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor parts)
{
    const struct graft_conv conv = graft_conv_grad_weight(&kernel->call);
    const struct plan plan = make_plan(device, &conv, kernel->variant->family == GRAFT_OPENCL_CPU);
    const struct graft_products products = {.a = in[DY],
                                            .b = in[X],
                                            .y = out[0],
                                            .groups = conv.groups,
                                            .batches = 1,
                                            .accumulate = (kernel->call.accumulate & 1u) != 0};
    return graft_outer_run(device, kernel, OUTER, &plan.outer, &plan.chunks, &products, parts,
                           graft_shape_count(&kernel->call.out[0].shape));
}

/* ---- depthwise: along channels ---- */

static const char *check_depthwise(const struct graft_call *call, enum graft_opencl_family family,
                                   struct graft_variant_info *info)
{
    const struct graft_conv conv = graft_conv_grad_weight(call);
    info->workspace_bytes = graft_depthwise_parts_bytes(&conv, family);
    return graft_depthwise_reason(&conv);
}

static const char *depthwise_check(const struct graft_opencl_device *device, const struct graft_call *call,
                                   struct graft_variant_info *info)
{
    (void)device;
    return check_depthwise(call, GRAFT_OPENCL_CPU, info);
}

static const char *depthwise_narrow_check(const struct graft_opencl_device *device,
                                          const struct graft_call *call, struct graft_variant_info *info)
{
    (void)device;
    return check_depthwise(call, GRAFT_OPENCL_GPU, info);
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
     .check = depthwise_narrow_check,
     .open = depthwise_open,
     .run = depthwise_run},
    {.name = "winograd4_matrix",
     .family = GRAFT_OPENCL_GPU,
     .check = graft_winograd_weight_matrix_check,
     .prove = graft_matrix_prove,
     .open = graft_winograd_weight_open,
     .run = graft_winograd_weight_run},
    {.name = "winograd4_local",
     .family = GRAFT_OPENCL_GPU,
     .check = graft_winograd_weight_local_check,
     .open = graft_winograd_weight_open,
     .run = graft_winograd_weight_run},
    GRAFT_MATRIX_VARIANTS(run),
    {.name = "local_wide",
     .family = GRAFT_OPENCL_GPU,
     .wide = true,
     .check = local_wide_check,
     .open = local_open,
     .run = run},
    {.name = "local", .family = GRAFT_OPENCL_GPU, .check = local_check, .open = local_open, .run = run},
#define GRAFT_CLBLAST_CHECK graft_clblast_conv_check
#define GRAFT_CLBLAST_RUN graft_clblast_conv_run
#include "backend/opencl/clblast_variants.def"
    {.name = NULL},
};

const struct graft_opencl_row graft_opencl_conv2d_grad_weight = {.variants = variants};
