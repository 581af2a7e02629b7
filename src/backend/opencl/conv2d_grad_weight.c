/* SPDX-License-Identifier: MIT */
/* conv2d_grad_weight: x, dy → dw. */
#include "backend/opencl/conv.h"
#include "backend/opencl/gemm.h"

#include "base/size.h"

enum { X, DY };

/*
 * ---- tile: dw[o, (kh, kw, c)] = sum over pixels of dy[pixel, o] × x[pixel (kh, kw), c] ----
 * The sum is cut into chunks of lines whose part of x stays in the cache. Each chunk has a result of its own in the
 * workspace, and these are added up in their order. Where the channels do not fill vectors, a copy of x does, with
 * a border of zeros; if they are few, (kw, c), which lie one behind the other in a line, are taken as channels.
 */

#define CHUNK_PIXELS 1024           /* of a chunk, about */
#define PARTS_BYTES (32u << 20)     /* of results of chunks in the workspace, unless one is larger */
#define COPY_BYTES (64u << 20)      /* of copies of x in the workspace, unless one image is larger */

enum { TILE_BORDER, TILE_OUTER, TILE_SUM };

struct tile_plan {
    struct graft_gemm_outer outer; /* for `images` images; chunk set, chunks in all */
    struct graft_gemm_border border;
    bool copied;
    int32_t images; /* of one pass */
    int32_t chunks; /* of one launch */
    uint64_t panel_step;
    uint64_t copy_bytes, parts_bytes; /* of the workspace */
};

static void plan_copy(struct tile_plan *plan, const struct graft_conv *conv, const struct graft_gemm_tile *tile)
{
    struct graft_gemm_outer *o = &plan->outer;
    const bool merged = conv->groups == 1 && conv->dilation_x == 1 && conv->kernel_x > 1 &&
                        conv->channels < tile->columns;
    plan->copied = merged || conv->group_channels % tile->vector != 0;
    if (!plan->copied)
        return;
    const int32_t channels = merged ? conv->group_channels
                                    : (int32_t)graft_round_up((uint64_t)conv->group_channels, (uint64_t)tile->vector);
    const int32_t height = (conv->to_height - 1) * conv->stride_y + (conv->kernel_y - 1) * conv->dilation_y + 1;
    const int32_t width = (conv->to_width - 1) * conv->stride_x + (conv->kernel_x - 1) * conv->dilation_x + 1;
    plan->border = (struct graft_gemm_border){
        .height = conv->height, .width = conv->width, .channels = conv->group_channels, .groups = conv->groups,
        .to_height = height, .to_width = width, .to_channels = channels, .top = conv->top, .left = conv->left};
    o->height = height;
    o->width = width;
    o->base_y = o->base_x = 0;
    o->pixel = conv->groups * channels;
    o->b_group = channels;
    if (merged) {
        o->columns = conv->kernel_x * conv->group_channels;
        o->tap_to = o->columns;
        o->taps_x = 1;
    }
    const uint64_t image_bytes = (uint64_t)height * (uint64_t)width * (uint64_t)o->pixel * sizeof(float);
    const uint64_t fit = image_bytes > 0 ? COPY_BYTES / image_bytes : 1;
    plan->images = (int32_t)graft_max_i64(1, graft_min_i64((int64_t)fit, conv->images));
    /* Vectors of the last pixel may reach behind it. */
    plan->copy_bytes =
        graft_round_up((uint64_t)plan->images * image_bytes + (uint64_t)tile->columns * sizeof(float), 256);
}

static struct tile_plan make_plan(const struct graft_opencl_device *device, const struct graft_conv *conv)
{
    const struct graft_gemm_tile tile = graft_gemm_tile(device);
    struct tile_plan plan = {.images = conv->images, .panel_step = (uint64_t)tile.columns};
    struct graft_gemm_outer *o = &plan.outer;
    *o = (struct graft_gemm_outer){
        .rows = conv->group_filters, .columns = conv->group_channels, .taps_y = conv->kernel_y,
        .taps_x = conv->kernel_x, .line = conv->to_width, .grid_y = conv->to_height, .step_y = conv->stride_y,
        .step_x = conv->stride_x, .base_y = -conv->top, .base_x = -conv->left, .tap_y = conv->dilation_y,
        .tap_x = conv->dilation_x, .height = conv->height, .width = conv->width, .pixel = conv->channels,
        .a_pixel = conv->filters, .a_group = conv->group_filters, .b_group = conv->group_channels,
        .leading = conv->kernel_y * conv->kernel_x * conv->group_channels, .tap_to = conv->group_channels};
    plan_copy(&plan, conv, &tile);
    o->lines = plan.images * conv->to_height;
    o->pixels = o->lines * conv->to_width;
    if (graft_conv_is_dense(conv) && !plan.copied)
        graft_gemm_outer_dense(o, conv->to_pixels);

    const int64_t size = (int64_t)conv->filters * o->leading; /* of dw */
    o->chunk = (int32_t)graft_max_i64(1, CHUNK_PIXELS / graft_max_i64(o->line, 1));
    o->chunks = (int32_t)graft_max_i64(1, graft_ceil_div(o->lines, o->chunk));
    const double chunk_flops = 2.0 * CHUNK_PIXELS * (double)size + 1;
    const int64_t fit = graft_min_i64((int64_t)(PARTS_BYTES / sizeof(float) / (uint64_t)graft_max_i64(size, 1)),
                                      (int64_t)(GRAFT_GEMM_LAUNCH_FLOPS / chunk_flops));
    plan.chunks = (int32_t)graft_max_i64(1, graft_min_i64(fit, o->chunks));
    plan.parts_bytes = plan.chunks > 1 ? (uint64_t)plan.chunks * (uint64_t)size * sizeof(float) : 0;
    return plan;
}

static const char *tile_check(const struct graft_opencl_device *device, const struct graft_call *call,
                              struct graft_variant_info *info)
{
    const struct graft_conv conv = graft_conv_grad_weight(call);
    const struct tile_plan plan = make_plan(device, &conv);
    info->workspace_bytes = plan.copy_bytes + plan.parts_bytes;
    if (plan.copied && (int64_t)plan.border.to_width * plan.outer.pixel > INT32_MAX / 2)
        return "a line of the padded input has more than 2^30 elements";
    return graft_conv_limits(&conv);
}

static enum graft_status tile_open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    enum graft_status status = graft_gemm_add(device, kernel, "gemm_border");
    if (status == GRAFT_OK)
        status = graft_gemm_add(device, kernel, "gemm_outer");
    return status == GRAFT_OK ? graft_gemm_add(device, kernel, "gemm_sum") : status;
}

/* One pass: all chunks of its images, a few at a time. */
static enum graft_status run_chunks(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                    const struct tile_plan *plan, struct graft_gemm_operands *operands,
                                    struct graft_tensor dw, struct graft_tensor parts)
{
    const int64_t size = graft_shape_count(&kernel->call.out[0].shape);
    struct graft_gemm_outer outer = plan->outer;
    const int32_t all = (int32_t)graft_max_i64(1, graft_ceil_div(outer.lines, outer.chunk));
    bool accumulate = operands->accumulate;
    enum graft_status status = GRAFT_OK;
    for (int32_t first = 0; first < all && status == GRAFT_OK; first += plan->chunks) {
        outer.chunk_first = first;
        outer.chunks = (int32_t)graft_min_i64(plan->chunks, all - first);
        const bool direct = outer.chunks == 1;
        operands->accumulate = direct && accumulate;
        operands->y = direct ? dw : parts;
        status = graft_gemm_run_outer(device, kernel, TILE_OUTER, &outer, operands, plan->panel_step, (uint64_t)size);
        if (status == GRAFT_OK && !direct)
            status = graft_gemm_run_sum(device, kernel, TILE_SUM, parts, (uint64_t)size, outer.chunks, dw, size,
                                        accumulate);
        accumulate = true;
    }
    return status;
}

static enum graft_status tile_run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                  const struct graft_tensor *in, const struct graft_tensor *out,
                                  struct graft_tensor workspace)
{
    const struct graft_conv conv = graft_conv_grad_weight(&kernel->call);
    struct tile_plan plan = make_plan(device, &conv);
    const struct graft_tensor parts = graft_opencl_at(workspace, plan.copy_bytes);
    const uint64_t image_x = (uint64_t)conv.height * (uint64_t)conv.width * (uint64_t)conv.channels * sizeof(float);
    const uint64_t image_dy = (uint64_t)conv.to_height * (uint64_t)conv.to_width * (uint64_t)conv.filters *
                              sizeof(float);
    struct graft_gemm_operands operands = {.groups = conv.groups, .batches = 1,
                                           .accumulate = (kernel->call.accumulate & 1u) != 0};
    enum graft_status status = GRAFT_OK;
    if (graft_shape_count(&kernel->call.out[0].shape) == 0)
        return GRAFT_OK;
    int32_t image = 0;
    do {
        const int32_t images = (int32_t)graft_min_i64(plan.images, conv.images - image);
        operands.a = graft_opencl_at(in[DY], (uint64_t)image * image_dy);
        operands.b = in[X];
        if (plan.copied) {
            operands.b = workspace;
            status = graft_gemm_run_border(device, kernel, TILE_BORDER, &plan.border, images,
                                           graft_opencl_at(in[X], (uint64_t)image * image_x), workspace);
            plan.outer.lines = images * conv.to_height;
            plan.outer.pixels = plan.outer.lines * conv.to_width;
        }
        if (status == GRAFT_OK)
            status = run_chunks(device, kernel, &plan, &operands, out[0], parts);
        operands.accumulate = true;
        image += plan.images;
    } while (image < conv.images && status == GRAFT_OK);
    return status;
}

static const struct graft_opencl_variant variants[] = {
    {.name = "tile", .family = GRAFT_OPENCL_CPU, .check = tile_check, .open = tile_open, .run = tile_run},
    {.name = NULL},
};

const struct graft_opencl_row graft_opencl_conv2d_grad_weight = {.variants = variants};
