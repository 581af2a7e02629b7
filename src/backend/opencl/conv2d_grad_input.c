/* SPDX-License-Identifier: MIT */
/* conv2d_grad_input: dy, w → dx. */
#include "backend/opencl/conv.h"
#include "backend/opencl/gemm.h"

#include "base/size.h"

enum { DY, W };

/*
 * ---- tile: a gather over dy ----
 * dx[ih] takes dy[oh] × w[kh] where oh × stride + kh × dilation − pad = ih. Rows ih of one remainder by the stride
 * (a phase) have the same taps, evenly spaced, so that each phase is one implicit matrix product with
 * k = (kh, kw, filter); w [o, kh, kw, c] in panels of c.
 */

enum { TILE_PACK, TILE_GATHER };

static struct graft_gemm_pack tile_pack(const struct graft_conv *conv)
{
    const int32_t taps = conv->kernel_y * conv->kernel_x, filter = taps * conv->group_channels;
    return (struct graft_gemm_pack){.group_step = conv->group_filters * filter, .outer_step = conv->group_channels,
                                    .inner_step = filter, .column_step = 1, .outer_size = taps,
                                    .inner_size = conv->group_filters, .columns = conv->group_channels,
                                    .groups = conv->groups, .batches = 1, .zeros = conv->group_filters};
}

static const char *tile_check(const struct graft_opencl_device *device, const struct graft_call *call,
                              struct graft_variant_info *info)
{
    const struct graft_conv conv = graft_conv_grad_input(call);
    const struct graft_gemm_pack pack = tile_pack(&conv);
    const uint64_t bytes = graft_gemm_packed_floats(device, &pack) * sizeof(float);
    if ((call->constant >> W & 1u) != 0)
        info->prepared_bytes = bytes;
    else
        info->workspace_bytes = bytes;
    return graft_conv_limits(&conv);
}

static enum graft_status tile_open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    const enum graft_status status = graft_gemm_add(device, kernel, "gemm_pack");
    return status != GRAFT_OK ? status : graft_gemm_add(device, kernel, "gemm_gather");
}

static enum graft_status tile_prepare(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                      const struct graft_tensor *in)
{
    if (kernel->info.prepared_bytes == 0)
        return GRAFT_OK;
    const struct graft_conv conv = graft_conv_grad_input(&kernel->call);
    const struct graft_gemm_pack pack = tile_pack(&conv);
    return graft_gemm_run_pack(device, kernel, TILE_PACK, &pack, in[W], kernel->prepared);
}

/* Along one axis: input positions phase, phase + stride, … and the taps that reach them. */
struct phase {
    int32_t count;     /* positions */
    int32_t taps;      /* how many; they are first, first + step, … */
    int32_t first, step;
    int32_t base, tap; /* output position of position 0 and tap `first`; its change from tap to tap */
};

static int32_t common_divisor(int32_t a, int32_t b)
{
    while (b != 0) {
        const int32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static struct phase make_phase(int32_t phase, int32_t size, int32_t kernel, int32_t stride, int32_t dilation,
                               int32_t pad)
{
    struct phase p = {.count = (int32_t)graft_ceil_div(size - phase, stride)};
    p.step = stride / common_divisor(stride, dilation);
    const int32_t tries = kernel < p.step ? kernel : p.step;
    while (p.first < tries && (phase + pad - p.first * dilation) % stride != 0)
        p.first++;
    if (p.first == tries) {
        p.first = 0;
        return p;
    }
    p.taps = (kernel - p.first + p.step - 1) / p.step;
    p.base = (phase + pad - p.first * dilation) / stride;
    p.tap = -(p.step * dilation / stride);
    return p;
}

static enum graft_status run_phase(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                   const struct graft_conv *conv, const struct graft_gemm_operands *operands,
                                   int32_t phase_y, int32_t phase_x)
{
    const struct phase y =
        make_phase(phase_y, conv->height, conv->kernel_y, conv->stride_y, conv->dilation_y, conv->top);
    const struct phase x =
        make_phase(phase_x, conv->width, conv->kernel_x, conv->stride_x, conv->dilation_x, conv->left);
    const bool none = y.taps == 0 || x.taps == 0;
    if (none && operands->accumulate)
        return GRAFT_OK;
    const struct graft_gemm_gather gather = {
        .row_end = conv->images * y.count * x.count, .columns = conv->group_channels, .run = conv->group_filters,
        .taps_y = none ? 0 : y.taps, .taps_x = none ? 0 : x.taps, .grid_y = y.count, .grid_x = x.count,
        .step_y = 1, .step_x = 1, .base_y = y.base, .base_x = x.base, .tap_y = y.tap, .tap_x = x.tap,
        .height = conv->to_height, .width = conv->to_width, .pixel = conv->filters, .group = conv->group_filters,
        .first_tap = y.first * conv->kernel_x + x.first, .tap_row = y.step * conv->kernel_x, .tap_column = x.step,
        .to_height = conv->height, .to_width = conv->width, .to_step_y = conv->stride_y,
        .to_step_x = conv->stride_x, .to_base_y = phase_y, .to_base_x = phase_x, .leading = conv->channels,
        .packed = conv->kernel_y * conv->kernel_x * conv->group_filters};
    return graft_gemm_run_gather(device, kernel, TILE_GATHER, &gather, operands);
}

static enum graft_status tile_run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                  const struct graft_tensor *in, const struct graft_tensor *out,
                                  struct graft_tensor workspace)
{
    const struct graft_conv conv = graft_conv_grad_input(&kernel->call);
    const struct graft_gemm_pack pack = tile_pack(&conv);
    const bool prepared = kernel->info.prepared_bytes > 0;
    enum graft_status status = GRAFT_OK;
    if (graft_shape_count(&kernel->call.out[0].shape) == 0)
        return GRAFT_OK;
    if (!prepared && kernel->info.workspace_bytes > 0)
        status = graft_gemm_run_pack(device, kernel, TILE_PACK, &pack, in[W], workspace);
    const struct graft_gemm_operands operands = {.a = in[DY], .b = prepared ? kernel->prepared : workspace,
                                                 .y = out[0], .zeros = graft_gemm_panel_floats(device, &pack),
                                                 .groups = conv.groups, .batches = 1,
                                                 .accumulate = (kernel->call.accumulate & 1u) != 0};
    if (graft_conv_is_dense(&conv) && status == GRAFT_OK) {
        struct graft_gemm_gather gather;
        graft_gemm_gather_dense(&gather, conv.to_pixels, conv.filters, conv.channels);
        gather.columns = conv.group_channels;
        gather.group = gather.run = gather.packed = conv.group_filters;
        return graft_gemm_run_gather(device, kernel, TILE_GATHER, &gather, &operands);
    }
    for (int32_t y = 0; y < conv.stride_y && y < conv.height; y++)
        for (int32_t x = 0; x < conv.stride_x && x < conv.width && status == GRAFT_OK; x++)
            status = run_phase(device, kernel, &conv, &operands, y, x);
    return status;
}

static const struct graft_opencl_variant variants[] = {
    {.name = "tile", .family = GRAFT_OPENCL_CPU, .check = tile_check, .open = tile_open, .prepare = tile_prepare,
     .run = tile_run},
    {.name = NULL},
};

const struct graft_opencl_row graft_opencl_conv2d_grad_input = {.variants = variants};
