/* SPDX-License-Identifier: MIT */
/*
 * The variants of conv2d (x, w, bias?, residual? → y) and conv2d_grad_input (dy, w → dx). Both gather: pixels
 * of y from x, and the pixels of each phase (conv.h) of dx from dy. They read from the call which op it is.
 */
#include "backend/opencl/conv_variants.h"

#include "backend/opencl/clblast.h"
#include "backend/opencl/depthwise.h"
#include "backend/opencl/winograd.h"

#include "base/size.h"

enum { FROM, W, BIAS, RESIDUAL };
enum { PACK, RUN };

static bool is_backward(const struct graft_call *call)
{
    return call->op == GRAFT_OP_CONV2D_GRAD_INPUT;
}

/* ---- launches: all pixels of y, or those of dx by phases ---- */

static int32_t count_parts(const struct graft_call *call, const struct graft_conv *conv)
{
    return is_backward(call) ? graft_conv_phases(conv) : 1;
}

/* False: there is nothing to do, as no tap reaches these pixels and what is there stays. */
static bool find_part(const struct graft_call *call, const struct graft_conv *conv, int32_t part,
                      struct graft_gather *gather)
{
    if (is_backward(call))
        return graft_conv_phase(conv, part, gather) || (call->accumulate & 1u) == 0;
    graft_conv_gather(conv, gather);
    return true;
}

/* Columns of the product in a group. */
static int32_t columns_of(const struct graft_call *call, const struct graft_conv *conv)
{
    return is_backward(call) ? conv->group_channels : conv->group_filters;
}

/* Bytes of packed weights, where they belong: with the kernel if they are constant. */
static void place(const struct graft_call *call, uint64_t bytes, struct graft_variant_info *info)
{
    if ((call->constant >> W & 1u) != 0)
        info->prepared_bytes = bytes;
    else
        info->workspace_bytes = bytes;
}

/* What the matrix products and Winograd's algorithm read and write as views: a residual lies as y does. */
static void tell_pitches(const struct graft_call *call, struct graft_variant_info *info)
{
    info->pitched_inputs = 1u;
    info->pitched_outputs = is_backward(call) || call->in[RESIDUAL].dtype == GRAFT_DTYPE_NONE;
}

static struct graft_products products_of(const struct graft_opencl_kernel *kernel,
                                         const struct graft_conv *conv, const struct graft_tensor *in,
                                         const struct graft_tensor *out, struct graft_tensor w)
{
    return (struct graft_products){.a = in[FROM],
                                   .b = w,
                                   .bias = in[BIAS],
                                   .residual = in[RESIDUAL],
                                   .y = out[0],
                                   .groups = conv->groups,
                                   .batches = 1,
                                   .accumulate = (kernel->call.accumulate & 1u) != 0,
                                   .activation = is_backward(&kernel->call)
                                                     ? GRAFT_UNARY_NONE
                                                     : kernel->call.attributes.conv2d.activation};
}

/* w [o, kh, kw, c]: terms (kh, kw, c) and columns o, or terms (kh, kw, o) and columns c. */
static struct graft_gemm_pack pack_of(const struct graft_call *call, const struct graft_conv *conv)
{
    const bool backward = is_backward(call);
    const int32_t inner = backward ? conv->group_filters : conv->group_channels;
    const int32_t taps = conv->kernel_y * conv->kernel_x, filter = taps * conv->group_channels;
    return (struct graft_gemm_pack){.group_step = conv->group_filters * filter,
                                    .outer_step = conv->group_channels,
                                    .inner_step = backward ? filter : 1,
                                    .column_step = backward ? 1 : filter,
                                    .outer_size = taps,
                                    .inner_size = inner,
                                    .columns = columns_of(call, conv),
                                    .groups = conv->groups,
                                    .batches = 1,
                                    .zeros = inner};
}

/* ---- tile: implicit matrix product of the CPU family ---- */

static const char *tile_check(const struct graft_opencl_device *device, const struct graft_call *call,
                              struct graft_variant_info *info)
{
    const struct graft_conv conv = graft_conv_of(call);
    const struct graft_gemm_pack pack = pack_of(call, &conv);
    place(call, graft_gemm_packed_floats(device, &pack) * sizeof(float), info);
    tell_pitches(call, info);
    return graft_conv_limits(&conv);
}

static enum graft_status tile_open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    const enum graft_status status = graft_gemm_add(device, kernel, "gemm_pack");
    return status != GRAFT_OK ? status : graft_gemm_add(device, kernel, "gemm_gather");
}

static enum graft_status tile_pack(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                   struct graft_tensor w, struct graft_tensor to)
{
    const struct graft_conv conv = graft_conv_of(&kernel->call);
    const struct graft_gemm_pack pack = pack_of(&kernel->call, &conv);
    return graft_gemm_run_pack(device, kernel, PACK, &pack, w, to);
}

static enum graft_status tile_prepare(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                      const struct graft_tensor *in)
{
    return kernel->info.prepared_bytes > 0 ? tile_pack(device, kernel, in[W], kernel->prepared) : GRAFT_OK;
}

static enum graft_status tile_run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                  const struct graft_tensor *in, const struct graft_tensor *out,
                                  struct graft_tensor workspace)
{
    const struct graft_conv conv = graft_conv_of(&kernel->call);
    const struct graft_gemm_pack pack = pack_of(&kernel->call, &conv);
    const bool prepared = kernel->info.prepared_bytes > 0;
    struct graft_products products =
        products_of(kernel, &conv, in, out, prepared ? kernel->prepared : workspace);
    enum graft_status status = GRAFT_OK;
    if (graft_shape_count(&kernel->call.out[0].shape) == 0)
        return GRAFT_OK;
    if (!prepared)
        status = tile_pack(device, kernel, in[W], workspace);
    products.zeros = graft_gemm_panel_floats(device, &pack);
    for (int32_t part = 0; part < count_parts(&kernel->call, &conv) && status == GRAFT_OK; part++) {
        struct graft_gather gather;
        if (find_part(&kernel->call, &conv, part, &gather))
            status = graft_gemm_run_gather(device, kernel, RUN, &gather, &products);
    }
    return status;
}

/* ---- local: implicit matrix product of the GPU family; weights as they are ---- */

static const char *local_check(const struct graft_opencl_device *device, const struct graft_call *call,
                               struct graft_variant_info *info)
{
    const struct graft_conv conv = graft_conv_of(call);
    const char *reason = graft_local_reason(device);
    tell_pitches(call, info);
    return reason != NULL ? reason : graft_conv_limits(&conv);
}

static const char *local_wide_check(const struct graft_opencl_device *device, const struct graft_call *call,
                                    struct graft_variant_info *info)
{
    const struct graft_conv conv = graft_conv_of(call);
    const char *const reason = graft_conv_limits(&conv);
    tell_pitches(call, info);
    if (reason != NULL)
        return reason;
    const int64_t pixels =
        is_backward(call) ? (int64_t)conv.images * conv.height * conv.width : conv.to_pixels;
    return graft_local_wide_check(device, pixels / graft_max_i64(1, count_parts(call, &conv)),
                                  columns_of(call, &conv), conv.groups, info);
}

static enum graft_status local_open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    const struct graft_conv conv = graft_conv_of(&kernel->call);
    return graft_local_add(device, kernel, "local_gather",
                           graft_local_tile(kernel->variant->wide, columns_of(&kernel->call, &conv)));
}

static enum graft_status local_run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                   const struct graft_tensor *in, const struct graft_tensor *out,
                                   struct graft_tensor workspace)
{
    (void)workspace;
    const struct graft_conv conv = graft_conv_of(&kernel->call);
    const struct graft_gemm_pack steps = pack_of(&kernel->call, &conv);
    const struct graft_products products = products_of(kernel, &conv, in, out, in[W]);
    enum graft_status status = GRAFT_OK;
    if (graft_shape_count(&kernel->call.out[0].shape) == 0)
        return GRAFT_OK;
    for (int32_t part = 0; part < count_parts(&kernel->call, &conv) && status == GRAFT_OK; part++) {
        struct graft_gather gather;
        if (find_part(&kernel->call, &conv, part, &gather))
            status = graft_local_run_gather(device, kernel, 0, &gather, &products, &steps);
    }
    return status;
}

/* ---- matrix: the same by a matrix unit ---- */

static const char *matrix_check_tile(const struct graft_opencl_device *device, const struct graft_call *call,
                                     bool wide, struct graft_variant_info *info)
{
    const struct graft_conv conv = graft_conv_of(call);
    const bool backward = is_backward(call);
    const char *const reason = graft_conv_limits(&conv);
    tell_pitches(call, info);
    if (reason != NULL)
        return reason;
    const int64_t pixels = backward ? (int64_t)conv.images * conv.height * conv.width : conv.to_pixels;
    const int64_t parts = graft_max_i64(1, count_parts(call, &conv));
    const int64_t taps = (int64_t)conv.kernel_y * conv.kernel_x;
    const struct graft_product_sizes sizes = {.batches = conv.groups,
                                              .m = pixels / parts,
                                              .n = columns_of(call, &conv),
                                              .k = backward ? taps * conv.group_filters / parts
                                                            : taps * conv.group_channels};
    return graft_matrix_check(device, call, &sizes, wide, info);
}

GRAFT_MATRIX_CHECKS(matrix_check_tile)

static enum graft_status matrix_open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    const struct graft_conv conv = graft_conv_of(&kernel->call);
    return graft_matrix_add(
        device, kernel, "matrix_gather",
        graft_matrix_tile(device, kernel->variant->wide, columns_of(&kernel->call, &conv)),
        is_backward(&kernel->call));
}

/* ---- depthwise: along channels; weights as [kh, kw, c] ---- */

static const char *depthwise_check(const struct graft_opencl_device *device, const struct graft_call *call,
                                   struct graft_variant_info *info)
{
    (void)device;
    const struct graft_conv conv = graft_conv_of(call);
    place(call, graft_depthwise_packed_bytes(&conv), info);
    return graft_depthwise_reason(&conv);
}

static enum graft_status depthwise_open(struct graft_opencl_device *device,
                                        struct graft_opencl_kernel *kernel)
{
    const enum graft_status status = graft_depthwise_add(device, kernel, "depthwise_pack");
    return status != GRAFT_OK ? status : graft_depthwise_add(device, kernel, "depthwise");
}

static enum graft_status depthwise_prepare(struct graft_opencl_device *device,
                                           struct graft_opencl_kernel *kernel, const struct graft_tensor *in)
{
    const struct graft_conv conv = graft_conv_of(&kernel->call);
    if (kernel->info.prepared_bytes == 0)
        return GRAFT_OK;
    return graft_depthwise_run_pack(device, kernel, PACK, &conv, in[W], kernel->prepared);
}

static enum graft_status depthwise_run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                       const struct graft_tensor *in, const struct graft_tensor *out,
                                       struct graft_tensor workspace)
{
    const struct graft_conv conv = graft_conv_of(&kernel->call);
    const bool prepared = kernel->info.prepared_bytes > 0;
    const struct graft_products products =
        products_of(kernel, &conv, in, out, prepared ? kernel->prepared : workspace);
    enum graft_status status = GRAFT_OK;
    if (graft_shape_count(&kernel->call.out[0].shape) == 0)
        return GRAFT_OK;
    if (!prepared)
        status = graft_depthwise_run_pack(device, kernel, PACK, &conv, in[W], workspace);
    for (int32_t part = 0; part < count_parts(&kernel->call, &conv) && status == GRAFT_OK; part++) {
        struct graft_gather gather;
        if (find_part(&kernel->call, &conv, part, &gather))
            status = graft_depthwise_run(device, kernel, RUN, &gather, &products);
    }
    return status;
}

const struct graft_opencl_variant graft_conv_variants[] = {
    {.name = "depthwise",
     .family = GRAFT_OPENCL_CPU,
     .check = depthwise_check,
     .open = depthwise_open,
     .prepare = depthwise_prepare,
     .run = depthwise_run},
    {.name = "winograd4",
     .family = GRAFT_OPENCL_CPU,
     .check = graft_winograd_check,
     .open = graft_winograd_open,
     .prepare = graft_winograd_prepare,
     .run = graft_winograd_run},
    {.name = "tile",
     .family = GRAFT_OPENCL_CPU,
     .check = tile_check,
     .open = tile_open,
     .prepare = tile_prepare,
     .run = tile_run},
    {.name = "depthwise_narrow",
     .family = GRAFT_OPENCL_GPU,
     .check = depthwise_check,
     .open = depthwise_open,
     .prepare = depthwise_prepare,
     .run = depthwise_run},
    {.name = "winograd4_matrix",
     .family = GRAFT_OPENCL_GPU,
     .check = graft_winograd_matrix_check,
     .prove = graft_matrix_prove,
     .open = graft_winograd_open,
     .prepare = graft_winograd_prepare,
     .run = graft_winograd_run},
    {.name = "winograd4_local",
     .family = GRAFT_OPENCL_GPU,
     .check = graft_winograd_local_check,
     .open = graft_winograd_open,
     .prepare = graft_winograd_prepare,
     .run = graft_winograd_run},
    GRAFT_MATRIX_VARIANTS(local_run),
    {.name = "local_wide",
     .family = GRAFT_OPENCL_GPU,
     .wide = true,
     .check = local_wide_check,
     .open = local_open,
     .run = local_run},
    {.name = "local", .family = GRAFT_OPENCL_GPU, .check = local_check, .open = local_open, .run = local_run},
#define GRAFT_CLBLAST_CHECK graft_clblast_conv_check
#define GRAFT_CLBLAST_RUN graft_clblast_conv_run
#include "backend/opencl/clblast_variants.def"
    {.name = NULL},
};
