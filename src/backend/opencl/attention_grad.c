/* SPDX-License-Identifier: MIT */
#include "backend/opencl/attend.h"

#include "base/size.h"

enum { DQ, DK, DV, DBIAS };

static bool wanted(const struct graft_opencl_kernel *kernel, int output)
{
    return kernel->call.out[output].dtype != GRAFT_DTYPE_NONE;
}

/* Queries of a work-item: where vectors of keys are loaded many, so that they are loaded rarely; else one, so
 * that there are many work-items. */
static int chunk_of(const struct graft_opencl_kernel *kernel)
{
    return kernel->variant->family == GRAFT_OPENCL_CPU ? 64 : 1;
}

static enum graft_status open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    const struct graft_attention_layout l = graft_attention_layout_of(&kernel->call);
    enum graft_status status = GRAFT_OK;
    if (wanted(kernel, DQ))
        status = graft_opencl_attention_add(device, kernel, "attention_grad_query");
    if (status == GRAFT_OK && (wanted(kernel, DK) || wanted(kernel, DV)))
        status = graft_opencl_attention_add(device, kernel, "attention_grad_key");
    if (status == GRAFT_OK && wanted(kernel, DBIAS))
        status = graft_opencl_flat_add(device, kernel, "attention_grad_bias.cl", "attention_grad_bias",
                                       " -DDEPTH=%d -DWIDTH=%d -DCHUNK=%d", (int)l.depth,
                                       (int)graft_max_i64(l.width, 1), chunk_of(kernel));
    return status;
}

static enum graft_status run_bias(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                  int step, const struct graft_tensor *in, struct graft_tensor dbias)
{
    const struct graft_attention_layout l = graft_attention_layout_of(&kernel->call);
    const struct graft_opencl_flat flat = graft_opencl_flat_sizes(device, kernel->variant->family);
    const int64_t blocks = graft_ceil_div(l.keys, flat.vector),
                  chunks = graft_ceil_div(l.queries, chunk_of(kernel));
    const struct graft_opencl_range range = {.dimensions = 1,
                                             .global = {(size_t)(l.biases * l.heads * chunks * blocks)},
                                             .local = {(size_t)flat.group}};
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, dbias, sizeof(float));
    for (int i = 0; i < 8; i++)
        graft_opencl_arg_tensor(device, &args, i < kernel->call.n_inputs ? in[i] : (struct graft_tensor){0},
                                sizeof(float));
    graft_opencl_arg_float(&args, (double)kernel->call.attributes.attention.scale);
    graft_opencl_arg_ints(&args,
                          (const int32_t[]){(int32_t)l.queries, (int32_t)l.keys, (int32_t)l.heads,
                                            (int32_t)blocks, (int32_t)l.images, (int32_t)l.biases,
                                            (int32_t)l.masks, (int32_t)chunks},
                          8);
    graft_opencl_arg_int(&args, graft_opencl_attention_flags(kernel, DBIAS, -1));
    return graft_opencl_launch(device, kernel, step, &args, &range);
}

static enum graft_status run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor workspace)
{
    (void)workspace;
    const struct graft_attention_layout l = graft_attention_layout_of(&kernel->call);
    enum graft_status status = GRAFT_OK;
    int step = 0;
    if (wanted(kernel, DQ))
        status = graft_opencl_attention_launch(
            device, kernel, in, out,
            (struct graft_attention_launch){.step = step++, .lanes = l.queries, .first = DQ, .second = -1});
    if (status == GRAFT_OK && (wanted(kernel, DK) || wanted(kernel, DV)))
        status = graft_opencl_attention_launch(
            device, kernel, in, out,
            (struct graft_attention_launch){.step = step++, .lanes = l.keys, .first = DK, .second = DV});
    if (status == GRAFT_OK && wanted(kernel, DBIAS))
        status = run_bias(device, kernel, step, in, out[DBIAS]);
    return status;
}

GRAFT_OPENCL_ATTENTION_VARIANTS(attention_grad, open, run);
