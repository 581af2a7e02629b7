/* SPDX-License-Identifier: MIT */
/* 1×1 convolutions and their gradients as a product of CLBlast; taken where it was measured to win. */
#include "backend/opencl/clblast.h"
#include "backend/opencl/conv.h"

/* y = x wᵀ, dx = dy w, dw = dyᵀ x */
static struct graft_product_sizes sizes_of(const struct graft_call *call, const struct graft_conv *conv)
{
    struct graft_product_sizes sizes = {.batches = 1};
    if (call->op == GRAFT_OP_CONV2D) {
        sizes.m = conv->to_pixels;
        sizes.n = conv->filters;
        sizes.k = conv->channels;
        sizes.transpose_b = true;
    } else if (call->op == GRAFT_OP_CONV2D_GRAD_INPUT) {
        sizes.m = conv->to_pixels;
        sizes.n = conv->channels;
        sizes.k = conv->filters;
    } else {
        sizes.m = conv->filters;
        sizes.n = conv->channels;
        sizes.k = conv->to_pixels;
        sizes.transpose_a = true;
    }
    return sizes;
}

const char *graft_clblast_conv_check(const struct graft_opencl_device *device, const struct graft_call *call,
                                     struct graft_variant_info *info)
{
    const struct graft_conv conv = graft_conv_of(call);
    const char *const reason = graft_conv_limits(&conv);
    info->spare = true;
    if (reason != NULL)
        return reason;
    if (!graft_conv_is_dense(&conv) || conv.groups > 1)
        return "its weights are not one matrix: it takes 1x1 filters without stride and groups";
    const struct graft_product_sizes sizes = sizes_of(call, &conv);
    return graft_clblast_check(device, call, &sizes, info);
}

enum graft_status graft_clblast_conv_run(struct graft_opencl_device *device,
                                         struct graft_opencl_kernel *kernel, const struct graft_tensor *in,
                                         const struct graft_tensor *out, struct graft_tensor workspace)
{
    const struct graft_call *const call = &kernel->call;
    const struct graft_conv conv = graft_conv_of(call);
    const struct graft_product_sizes sizes = sizes_of(call, &conv);
    struct graft_products operands = {.a = in[0],
                                      .b = in[1],
                                      .y = out[0],
                                      .groups = 1,
                                      .batches = 1,
                                      .accumulate = (call->accumulate & 1u) != 0};
    if (call->op == GRAFT_OP_CONV2D) {
        operands.bias = in[2];
        operands.residual = in[3];
        operands.activation = call->attributes.conv2d.activation;
    } else if (call->op == GRAFT_OP_CONV2D_GRAD_WEIGHT) { /* of x, dy */
        operands.a = in[1];
        operands.b = in[0];
    }
    return graft_clblast_run(device, kernel, &sizes, &operands, workspace);
}
