/* SPDX-License-Identifier: MIT */
/* conv2d: x, w, bias?, residual? → y. */
#include "backend/opencl/conv.h"
#include "backend/opencl/gemm.h"

enum { X, W, BIAS, RESIDUAL };

/* ---- tile: implicit matrix product of the CPU family; w [o, kh, kw, c] in panels, k = (kh, kw, c) ---- */

enum { TILE_PACK, TILE_GATHER };

static struct graft_gemm_pack tile_pack(const struct graft_conv *conv)
{
    const int32_t inner = conv->kernel_y * conv->kernel_x * conv->group_channels;
    return (struct graft_gemm_pack){.group_step = conv->group_filters * inner, .inner_step = 1, .column_step = inner,
                                    .outer_size = 1, .inner_size = inner, .columns = conv->group_filters,
                                    .groups = conv->groups, .batches = 1, .zeros = conv->group_channels};
}

static const char *tile_check(const struct graft_opencl_device *device, const struct graft_call *call,
                              struct graft_variant_info *info)
{
    const struct graft_conv conv = graft_conv_forward(call);
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
    const struct graft_conv conv = graft_conv_forward(&kernel->call);
    const struct graft_gemm_pack pack = tile_pack(&conv);
    return graft_gemm_run_pack(device, kernel, TILE_PACK, &pack, in[W], kernel->prepared);
}

static enum graft_status tile_run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                  const struct graft_tensor *in, const struct graft_tensor *out,
                                  struct graft_tensor workspace)
{
    const struct graft_conv conv = graft_conv_forward(&kernel->call);
    const struct graft_gemm_pack pack = tile_pack(&conv);
    const bool prepared = kernel->info.prepared_bytes > 0;
    if (graft_shape_count(&kernel->call.out[0].shape) == 0)
        return GRAFT_OK;
    if (!prepared && kernel->info.workspace_bytes > 0) {
        const enum graft_status status = graft_gemm_run_pack(device, kernel, TILE_PACK, &pack, in[W], workspace);
        if (status != GRAFT_OK)
            return status;
    }
    struct graft_gemm_gather gather;
    graft_gemm_gather_dense(&gather, conv.to_pixels, conv.channels, conv.filters);
    gather.columns = conv.group_filters;
    gather.group = gather.run = conv.group_channels;
    gather.packed = pack.inner_size;
    if (!graft_conv_is_dense(&conv)) {
        gather.taps_y = conv.kernel_y;
        gather.taps_x = conv.kernel_x;
        gather.grid_y = gather.to_height = conv.to_height;
        gather.grid_x = gather.to_width = conv.to_width;
        gather.step_y = conv.stride_y;
        gather.step_x = conv.stride_x;
        gather.base_y = -conv.top;
        gather.base_x = -conv.left;
        gather.tap_y = conv.dilation_y;
        gather.tap_x = conv.dilation_x;
        gather.height = conv.height;
        gather.width = conv.width;
        gather.tap_row = conv.kernel_x;
    }
    const struct graft_gemm_operands operands = {
        .a = in[X], .b = prepared ? kernel->prepared : workspace, .bias = in[BIAS], .residual = in[RESIDUAL],
        .y = out[0], .zeros = graft_gemm_panel_floats(device, &pack), .groups = conv.groups, .batches = 1,
        .accumulate = (kernel->call.accumulate & 1u) != 0, .activation = kernel->call.attributes.conv2d.activation};
    return graft_gemm_run_gather(device, kernel, TILE_GATHER, &gather, &operands);
}

static const struct graft_opencl_variant variants[] = {
    {.name = "tile", .family = GRAFT_OPENCL_CPU, .check = tile_check, .open = tile_open, .prepare = tile_prepare,
     .run = tile_run},
    {.name = NULL},
};

const struct graft_opencl_row graft_opencl_conv2d = {.variants = variants};
