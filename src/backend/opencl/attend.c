/* SPDX-License-Identifier: MIT */
#include "backend/opencl/attend.h"

#include "base/size.h"

#include <stdio.h>

#define ROWS 8         /* that lie in local memory: cl/attention.h */
#define MOST_DEPTH 512 /* numbers that a lane keeps of a row */

const char *graft_opencl_check_attention(const struct graft_opencl_device *device,
                                         const struct graft_call *call, struct graft_variant_info *info)
{
    const struct graft_attention_layout l = graft_attention_layout_of(call);
    (void)info;
    if (l.depth + l.width > MOST_DEPTH)
        return "heads of more than 512 numbers of q and v do not fit into a work-item";
    if (device->traits.local_bytes < (uint64_t)(ROWS * (l.depth + l.width)) * sizeof(float) ||
        device->traits.max_group < GRAFT_ATTENTION_GROUP ||
        device->traits.max_items[0] < GRAFT_ATTENTION_GROUP)
        return "work-groups or local memory are too small for its rows";
    return NULL;
}

enum graft_status graft_opencl_attention_add(struct graft_opencl_device *device,
                                             struct graft_opencl_kernel *kernel, const char *name)
{
    const struct graft_attention_layout l = graft_attention_layout_of(&kernel->call);
    char source[64];
    (void)snprintf(source, sizeof source, "%s.cl", name);
    return graft_opencl_flat_add(device, kernel, source, name, " -DDEPTH=%d -DWIDTH=%d", (int)l.depth,
                                 (int)graft_max_i64(l.width, 1));
}

int graft_opencl_attention_flags(const struct graft_opencl_kernel *kernel, int first, int second)
{
    const struct graft_attention_layout l = graft_attention_layout_of(&kernel->call);
    const int outputs[2] = {first, second};
    int flags =
        (kernel->call.attributes.attention.causal ? 1 : 0) | (l.bias >= 0 ? 2 : 0) | (l.mask >= 0 ? 4 : 0);
    for (int i = 0; i < 2; i++)
        if (outputs[i] >= 0 && kernel->call.out[outputs[i]].dtype != GRAFT_DTYPE_NONE)
            flags |= 8 << i | (graft_opencl_accumulates(kernel, outputs[i]) ? 32 << i : 0);
    return flags;
}

enum graft_status graft_opencl_attention_launch(struct graft_opencl_device *device,
                                                struct graft_opencl_kernel *kernel,
                                                const struct graft_tensor *in, const struct graft_tensor *out,
                                                struct graft_attention_launch launch)
{
    const struct graft_call *const call = &kernel->call;
    const struct graft_attention_layout l = graft_attention_layout_of(call);
    const int64_t group = GRAFT_ATTENTION_GROUP, blocks = graft_ceil_div(launch.lanes, group);
    const struct graft_opencl_range range = {
        .dimensions = 1, .global = {(size_t)(l.images * l.heads * blocks * group)}, .local = {(size_t)group}};
    const struct graft_tensor none = {0};
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, out[launch.first], sizeof(float));
    graft_opencl_arg_tensor(device, &args, launch.second >= 0 ? out[launch.second] : none, sizeof(float));
    const int inputs = call->op == GRAFT_OP_ATTENTION ? 5 : 8;
    for (int i = 0; i < inputs; i++)
        graft_opencl_arg_tensor(device, &args, i < call->n_inputs ? in[i] : none, sizeof(float));
    graft_opencl_arg_float(&args, (double)call->attributes.attention.scale);
    graft_opencl_arg_ints(
        &args, (const int32_t[]){(int32_t)l.queries, (int32_t)l.keys, (int32_t)l.heads, (int32_t)blocks}, 4);
    graft_opencl_arg_ints(&args, (const int32_t[]){(int32_t)l.biases, (int32_t)l.masks}, 2);
    graft_opencl_arg_int(&args, graft_opencl_attention_flags(kernel, launch.first, launch.second));
    return graft_opencl_launch(device, kernel, launch.step, &args, &range);
}
