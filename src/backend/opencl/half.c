/* SPDX-License-Identifier: MIT */
/* Whether a driver's compiler takes halves: by having it compile, and running what came of it. */
#include "backend/opencl/internal.h"

#include "base/context.h"

#define X 1.5f /* exact in halves, and so is what becomes of it */

static enum graft_status run_probe(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                   double *can)
{
    const struct graft_tensor y = {(struct graft_buffer *)(void *)device->none, 0}; /* 64 bytes of nobody */
    const struct graft_opencl_range range = {.dimensions = 1, .global = {1}, .local = {1}};
    struct graft_opencl_args args = {0};
    float made = 0;
    graft_opencl_arg_tensor(device, &args, y, sizeof(float));
    graft_opencl_arg_float(&args, X);
    enum graft_status status = graft_opencl_launch(device, kernel, 0, &args, &range);
    if (status == GRAFT_OK)
        status = device->base.backend->buffer_read(&device->base, &made, y, sizeof(made));
    *can = made == X * X + 1;
    return status;
}

enum graft_status graft_opencl_half(struct graft_opencl_device *device, bool storage, double *can)
{
    const struct graft_opencl_variant variant = {.name = "half", .family = device->traits.family};
    struct graft_opencl_kernel kernel = {.variant = &variant};
    struct graft_kept_error before;
    graft_keep_error(device->base.context, &before);
    *can = 0;
    enum graft_status status =
        graft_opencl_add(device, &kernel, "half.cl", "half_probe", "-DHALF_STORAGE=%d", storage);
    if (status == GRAFT_OK)
        status = run_probe(device, &kernel, can);
    for (int i = 0; i < kernel.steps; i++)
        if (kernel.step[i] != NULL)
            clReleaseKernel(kernel.step[i]);
    if (status != GRAFT_ERROR_DEVICE && status != GRAFT_ERROR_UNSUPPORTED)
        return status;
    graft_restore_error(device->base.context, &before); /* it does not take them: that was the question */
    *can = 0;
    return GRAFT_OK;
}
