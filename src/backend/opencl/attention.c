/* SPDX-License-Identifier: MIT */
#include "backend/attention.h"
#include "backend/opencl/attend.h"

#include "base/size.h"

enum { Y, LSE };

/* ---- the GPU family: a work-group takes a block of queries, and shares rows of keys and values */

static enum graft_status open_shared(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    return graft_opencl_attention_add(device, kernel, "attention");
}

static enum graft_status run_shared(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                    const struct graft_tensor *in, const struct graft_tensor *out,
                                    struct graft_tensor workspace)
{
    (void)workspace;
    const struct graft_attention_layout l = graft_attention_layout_of(&kernel->call);
    return graft_opencl_attention_launch(
        device, kernel, in, out,
        (struct graft_attention_launch){.step = 0, .lanes = l.queries, .first = Y, .second = LSE});
}

/* ---- the CPU family: an item takes blocks of queries of a head */

/* Floats of the scratch of a work-item: cl/attention_turned.cl. */
static int64_t scratch_floats(const struct graft_attention_layout *l, int64_t vector)
{
    const int64_t depth = graft_opencl_padded(l->depth, vector),
                  width = graft_opencl_padded(graft_max_i64(l->width, 1), vector);
    const int64_t rows = graft_opencl_padded(l->keys + graft_attention_height(l->keys), vector);
    return rows * (depth + width + 1) + vector * depth;
}

static const char *check_items(const struct graft_opencl_device *device, const struct graft_call *call,
                               struct graft_variant_info *info)
{
    const struct graft_attention_layout l = graft_attention_layout_of(call);
    const struct graft_opencl_flat flat = graft_opencl_flat_sizes(device, GRAFT_OPENCL_CPU);
    const int64_t scratch = scratch_floats(&l, flat.vector);
    if (scratch > INT32_MAX)
        return "its scratch is 2^31 floats or more";
    info->workspace_bytes = (uint64_t)(graft_opencl_item_groups(device) * scratch) * sizeof(float);
    return graft_opencl_check_attention(device, call, info);
}

static enum graft_status open_items(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    const struct graft_attention_layout l = graft_attention_layout_of(&kernel->call);
    return graft_opencl_flat_add(device, kernel, "attention_turned.cl", "attention_turned",
                                 " -DDEPTH=%d -DWIDTH=%d -DHEIGHT=%d", (int)l.depth,
                                 (int)graft_max_i64(l.width, 1), graft_attention_height(l.keys));
}

static enum graft_status run_items(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                   const struct graft_tensor *in, const struct graft_tensor *out,
                                   struct graft_tensor workspace)
{
    const struct graft_call *const call = &kernel->call;
    const struct graft_attention_layout l = graft_attention_layout_of(call);
    const struct graft_opencl_flat flat = graft_opencl_flat_sizes(device, kernel->variant->family);
    /* All of a head, whose keys and values are packed once, where there are heads enough. */
    const int64_t blocks = graft_ceil_div(l.queries, flat.vector),
                  heads = graft_max_i64(l.images * l.heads, 1);
    const int64_t parts =
        graft_min_i64(graft_ceil_div(2 * graft_opencl_item_groups(device), heads), graft_max_i64(blocks, 1));
    const int64_t each = graft_max_i64(graft_ceil_div(blocks, parts), 1);
    const struct graft_opencl_range range = {
        .dimensions = 3, .global = {(size_t)graft_ceil_div(blocks, each), (size_t)l.heads, (size_t)l.images}};
    const struct graft_tensor none = {0};
    struct graft_opencl_args args = {0};
    for (int i = Y; i <= LSE; i++)
        graft_opencl_arg_tensor(device, &args, call->out[i].dtype != GRAFT_DTYPE_NONE ? out[i] : none,
                                sizeof(float));
    graft_opencl_arg_tensor(device, &args, workspace, sizeof(float));
    for (int i = 0; i < 5; i++)
        graft_opencl_arg_tensor(device, &args, i < call->n_inputs ? in[i] : none, sizeof(float));
    graft_opencl_arg_float(&args, (double)call->attributes.attention.scale);
    graft_opencl_arg_ints(
        &args, (const int32_t[]){(int32_t)l.queries, (int32_t)l.keys, (int32_t)l.heads, (int32_t)each}, 4);
    graft_opencl_arg_ints(&args, (const int32_t[]){(int32_t)l.biases, (int32_t)l.masks}, 2);
    graft_opencl_arg_int(&args, scratch_floats(&l, flat.vector));
    graft_opencl_arg_int(&args, graft_opencl_attention_flags(kernel, Y, LSE));
    return graft_opencl_launch_items(device, kernel, 0, &args, &range);
}

GRAFT_OPENCL_ATTENTION_VARIANTS(attention, check_items, open_items, run_items, open_shared, run_shared);
