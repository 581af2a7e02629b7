/* SPDX-License-Identifier: MIT */
#include "backend/opencl/update.h"

enum graft_status graft_opencl_update_open(struct graft_opencl_device *device,
                                           struct graft_opencl_kernel *kernel)
{
    return graft_opencl_simple_add(device, kernel, graft_op_get(kernel->call.op)->name);
}

enum graft_status graft_opencl_update_run(struct graft_opencl_device *device,
                                          struct graft_opencl_kernel *kernel, const struct graft_tensor *in,
                                          const struct graft_tensor *out, struct graft_tensor workspace)
{
    (void)out;
    (void)workspace;
    const struct graft_opencl_flat flat = graft_opencl_flat_sizes(device, kernel->variant->family);
    const struct graft_update_attributes *a = &kernel->call.attributes.update;
    const int64_t count = graft_opencl_count_in(kernel, 0);
    const struct graft_opencl_range range = graft_opencl_flat_range(&flat, count);
    const int inputs = graft_op_get(kernel->call.op)->max_inputs;
    const bool guarded = kernel->call.in[inputs - 1].dtype != GRAFT_DTYPE_NONE;
    const double numbers[] = {
        (double)a->momentum,     (double)a->beta1,
        1 - (double)a->beta1,    (double)a->beta2,
        1 - (double)a->beta2,    (double)a->epsilon,
        (double)a->weight_decay, guarded && a->max_norm == 0 ? -1 : (double)a->max_norm};
    struct graft_opencl_args args = {0};
    for (int i = 0; i < inputs; i++) {
        const bool given = i < kernel->call.n_inputs;
        graft_opencl_arg_tensor(device, &args, given ? in[i] : (struct graft_tensor){0}, sizeof(float));
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        graft_opencl_arg_float(&args, numbers[i]);
    graft_opencl_arg_int(&args, a->nesterov);
    graft_opencl_arg_int(&args, a->decoupled);
    graft_opencl_arg_int(&args, count);
    return graft_opencl_launch(device, kernel, 0, &args, &range);
}
