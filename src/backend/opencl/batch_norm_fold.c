/* SPDX-License-Identifier: MIT */
#include "backend/opencl/flat.h"

enum { W, BIAS, GAMMA, BETA, MEAN, VAR };
enum { WEIGHT_STEP, BIAS_STEP };

static enum graft_status open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    static const char *const names[] = {"batch_norm_fold_weight", "batch_norm_fold_bias"};
    enum graft_status status = GRAFT_OK;
    for (int i = WEIGHT_STEP; i <= BIAS_STEP && status == GRAFT_OK; i++)
        status = graft_opencl_simple_add(device, kernel, names[i]);
    return status;
}

static enum graft_status run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor workspace)
{
    (void)workspace;
    const struct graft_opencl_flat flat = graft_opencl_flat_sizes(device, kernel->variant->family);
    const double epsilon = (double)kernel->call.attributes.batch_norm.epsilon;
    const struct graft_shape *w = &kernel->call.in[W].shape;
    const int64_t filters = w->dim[0];
    if (out[0].buffer != NULL && graft_shape_count(w) > 0) {
        const struct graft_opencl_grid grid =
            graft_opencl_grid_make(&flat, filters, graft_shape_count(w) / filters, 1);
        const struct graft_opencl_range range = graft_opencl_grid_range(&flat, &grid);
        struct graft_opencl_args args = {0};
        graft_opencl_arg_tensor(device, &args, out[0], sizeof(float));
        graft_opencl_arg_tensor(device, &args, in[W], sizeof(float));
        graft_opencl_arg_tensor(device, &args, in[GAMMA], sizeof(float));
        graft_opencl_arg_tensor(device, &args, in[VAR], sizeof(float));
        graft_opencl_arg_float(&args, epsilon);
        graft_opencl_arg_grid(&args, &grid);
        const enum graft_status status = graft_opencl_launch(device, kernel, WEIGHT_STEP, &args, &range);
        if (status != GRAFT_OK)
            return status;
    }
    if (out[1].buffer == NULL)
        return GRAFT_OK;
    const struct graft_opencl_range range = graft_opencl_flat_range(&flat, filters);
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, out[1], sizeof(float));
    for (int i = BIAS; i <= VAR; i++)
        graft_opencl_arg_tensor(device, &args, in[i], sizeof(float));
    graft_opencl_arg_int(&args, in[BIAS].buffer != NULL);
    graft_opencl_arg_float(&args, epsilon);
    graft_opencl_arg_int(&args, filters);
    return graft_opencl_launch(device, kernel, BIAS_STEP, &args, &range);
}

GRAFT_OPENCL_FLAT_VARIANTS(batch_norm_fold, graft_opencl_check_none, open, run);
