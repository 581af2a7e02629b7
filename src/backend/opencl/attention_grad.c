/* SPDX-License-Identifier: MIT */
#include "backend/attention.h"
#include "backend/opencl/attend.h"

#include "base/size.h"

enum { DQ, DK, DV, DBIAS };

/* ---- the GPU family: a kernel for each side that is summed over */

static bool wanted(const struct graft_opencl_kernel *kernel, int output)
{
    return kernel->call.out[output].dtype != GRAFT_DTYPE_NONE;
}

static enum graft_status open_sides(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    enum graft_status status = GRAFT_OK;
    if (wanted(kernel, DQ))
        status = graft_opencl_attention_add(device, kernel, "attention_grad_query");
    if (status == GRAFT_OK && (wanted(kernel, DK) || wanted(kernel, DV)))
        status = graft_opencl_attention_add(device, kernel, "attention_grad_key");
    if (status == GRAFT_OK && wanted(kernel, DBIAS))
        status = graft_opencl_attention_add(device, kernel, "attention_grad_bias");
    return status;
}

/* A work-item for each pair of a query and a key. */
static enum graft_status run_bias(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                  int step, const struct graft_tensor *in, struct graft_tensor dbias)
{
    const struct graft_attention_layout l = graft_attention_layout_of(&kernel->call);
    const struct graft_opencl_flat flat = graft_opencl_flat_sizes(device, kernel->variant->family);
    const struct graft_opencl_range range = {.dimensions = 1,
                                             .global = {(size_t)(l.biases * l.heads * l.queries * l.keys)},
                                             .local = {(size_t)flat.group}};
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, dbias, sizeof(float));
    for (int i = 0; i < 8; i++)
        graft_opencl_arg_tensor(device, &args, i < kernel->call.n_inputs ? in[i] : (struct graft_tensor){0},
                                sizeof(float));
    graft_opencl_arg_float(&args, (double)kernel->call.attributes.attention.scale);
    graft_opencl_arg_ints(&args,
                          (const int32_t[]){(int32_t)l.queries, (int32_t)l.keys, (int32_t)l.heads,
                                            (int32_t)l.images, (int32_t)l.biases, (int32_t)l.masks, 0, 0},
                          8);
    graft_opencl_arg_int(&args, graft_opencl_attention_flags(kernel, DBIAS, -1));
    return graft_opencl_launch(device, kernel, step, &args, &range);
}

static enum graft_status run_sides(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
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

/* ---- the CPU family: one kernel for all, and the sums of its runs */

/* Floats of the scratch of a work-item: lay_out in cl/attention_grad.cl. */
static int64_t scratch_floats(const struct graft_attention_layout *l, int64_t vector)
{
    const int64_t depth = graft_opencl_padded(l->depth, vector),
                  width = graft_opencl_padded(graft_max_i64(l->width, 1), vector);
    const int64_t rows = graft_opencl_padded(l->queries + graft_attention_height(l->queries), vector);
    return rows * (2 * depth + width + 2) + (vector + 1) * (depth + width);
}

static int64_t sums_floats(const struct graft_attention_layout *l, const struct graft_attention_runs *cut,
                           int64_t vector)
{
    return cut->groups * cut->runs * l->heads * l->queries * graft_opencl_padded(l->keys, vector);
}

static const char *check_items(const struct graft_opencl_device *device, const struct graft_call *call,
                               struct graft_variant_info *info)
{
    const struct graft_attention_layout l = graft_attention_layout_of(call);
    const struct graft_opencl_flat flat = graft_opencl_flat_sizes(device, GRAFT_OPENCL_CPU);
    const bool biased = call->out[DBIAS].dtype != GRAFT_DTYPE_NONE;
    const struct graft_attention_runs cut = graft_attention_runs_of(&l, biased);
    const int64_t scratch = scratch_floats(&l, flat.vector),
                  sums = biased ? sums_floats(&l, &cut, flat.vector) : 0;
    if (scratch > INT32_MAX || sums > INT32_MAX)
        return "its sums and scratch are 2^31 floats or more";
    info->workspace_bytes = (uint64_t)(graft_opencl_item_groups(device) * scratch + sums) * sizeof(float);
    return graft_opencl_check_attention(device, call, info);
}

static enum graft_status open_items(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    const struct graft_attention_layout l = graft_attention_layout_of(&kernel->call);
    enum graft_status status = GRAFT_OK;
    for (int i = 0; i < (wanted(kernel, DBIAS) ? 2 : 1) && status == GRAFT_OK; i++)
        status = graft_opencl_flat_add(device, kernel, "attention_grad.cl",
                                       i == 0 ? "attention_grad" : "attention_grad_sum",
                                       " -DDEPTH=%d -DWIDTH=%d -DHEIGHT=%d", (int)l.depth,
                                       (int)graft_max_i64(l.width, 1), graft_attention_height(l.queries));
    return status;
}

static enum graft_status run_sums(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                  const struct graft_attention_runs *cut, struct graft_tensor sums,
                                  struct graft_tensor dbias)
{
    const struct graft_attention_layout l = graft_attention_layout_of(&kernel->call);
    const struct graft_opencl_range range = {
        .dimensions = 1, .global = {(size_t)(l.biases * l.heads * l.queries)}, .local = {1}};
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, dbias, sizeof(float));
    graft_opencl_arg_tensor(device, &args, sums, sizeof(float));
    graft_opencl_arg_ints(
        &args, (const int32_t[]){(int32_t)l.queries, (int32_t)l.keys, (int32_t)l.heads, (int32_t)l.biases},
        4);
    graft_opencl_arg_int(&args, cut->runs);
    graft_opencl_arg_int(&args, graft_opencl_accumulates(kernel, DBIAS));
    return graft_opencl_launch(device, kernel, 1, &args, &range);
}

static enum graft_status run_items(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                   const struct graft_tensor *in, const struct graft_tensor *out,
                                   struct graft_tensor workspace)
{
    const struct graft_call *const call = &kernel->call;
    const struct graft_attention_layout l = graft_attention_layout_of(call);
    const struct graft_opencl_flat flat = graft_opencl_flat_sizes(device, kernel->variant->family);
    const bool biased = wanted(kernel, DBIAS);
    const struct graft_attention_runs cut = graft_attention_runs_of(&l, biased);
    const int64_t scratch = scratch_floats(&l, flat.vector);
    const struct graft_opencl_range range = {
        .dimensions = 3, .global = {(size_t)l.heads, (size_t)cut.runs, (size_t)cut.groups}};
    const struct graft_tensor sums =
        graft_opencl_at(workspace, (uint64_t)(graft_opencl_item_groups(device) * scratch) * sizeof(float));
    int flags = (call->attributes.attention.causal ? 1 : 0) | (l.bias >= 0 ? 2 : 0) | (l.mask >= 0 ? 4 : 0);
    for (int i = DQ; i <= DBIAS; i++)
        flags |= (wanted(kernel, i) ? 8 << i : 0) | (graft_opencl_accumulates(kernel, i) ? 128 << i : 0);
    struct graft_opencl_args args = {0};
    for (int i = DQ; i <= DV; i++)
        graft_opencl_arg_tensor(device, &args, wanted(kernel, i) ? out[i] : (struct graft_tensor){0},
                                sizeof(float));
    graft_opencl_arg_tensor(device, &args, sums, sizeof(float));
    graft_opencl_arg_tensor(device, &args, workspace, sizeof(float));
    for (int i = 0; i < 8; i++)
        graft_opencl_arg_tensor(device, &args, i < call->n_inputs ? in[i] : (struct graft_tensor){0},
                                sizeof(float));
    graft_opencl_arg_float(&args, (double)call->attributes.attention.scale);
    graft_opencl_arg_ints(&args,
                          (const int32_t[]){(int32_t)l.queries, (int32_t)l.keys, (int32_t)l.heads,
                                            (int32_t)l.images, (int32_t)l.biases, (int32_t)l.masks,
                                            (int32_t)cut.runs, (int32_t)cut.images},
                          8);
    graft_opencl_arg_int(&args, scratch);
    graft_opencl_arg_int(&args, flags);
    const enum graft_status status = graft_opencl_launch_items(device, kernel, 0, &args, &range);
    return status == GRAFT_OK && biased ? run_sums(device, kernel, &cut, sums, out[DBIAS]) : status;
}

GRAFT_OPENCL_ATTENTION_VARIANTS(attention_grad, check_items, open_items, run_items, open_sides, run_sides);
