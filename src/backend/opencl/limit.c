/* SPDX-License-Identifier: MIT */
/* A device's limits: a loop of multiply-adds and a sweep over memory, over as many work-items as keep it
 * busy. */
#include "backend/opencl/flat.h"
#include "backend/opencl/internal.h"

#include "base/context.h"
#include "base/size.h"

#include <string.h>

#define CHAINS 12      /* of limit_fma */
#define FMA_LOOPS 1024 /* of a work-item and a round */
#define CPU_ITEMS 8    /* a compute unit */
#define GPU_ITEMS 2048
#define MANY_ROUNDS 70000 /* of limit_rounds */

struct run {
    struct graft_opencl_device *device;
    struct graft_opencl_kernel kernel;
    struct graft_opencl_args args; /* the number of rounds comes last */
    struct graft_opencl_range range;
    int loops; /* of a round */
};

static enum graft_status run_rounds(void *user, int64_t rounds)
{
    struct run *const run = user;
    struct graft_opencl_args args = run->args;
    graft_opencl_arg_int(&args, graft_min_i64(rounds * run->loops, INT32_MAX));
    const enum graft_status status = graft_opencl_launch(run->device, &run->kernel, 0, &args, &run->range);
    return status == GRAFT_OK ? graft_opencl_finish(run->device) : status;
}

static enum graft_status open_buffer(struct graft_opencl_device *device, uint64_t bytes,
                                     struct graft_tensor *tensor)
{
    cl_int code = CL_SUCCESS;
    const cl_mem memory = clCreateBuffer(device->context, CL_MEM_READ_WRITE, (size_t)bytes, NULL, &code);
    if (code != CL_SUCCESS)
        return graft_opencl_fail(device->base.context, code, "clCreateBuffer",
                                 "measuring the device's limits");
    *tensor = (struct graft_tensor){(struct graft_buffer *)(void *)memory, 0};
    return GRAFT_OK;
}

static void close_run(struct run *run, struct graft_tensor tensor)
{
    for (int i = 0; i < run->kernel.steps; i++)
        clReleaseKernel(run->kernel.step[i]);
    if (tensor.buffer != NULL)
        clReleaseMemObject(graft_opencl_memory(tensor));
}

static enum graft_status measure_fma(struct run *run, const struct graft_opencl_flat *flat,
                                     double *per_second)
{
    struct graft_opencl_device *const device = run->device;
    const int64_t items = (int64_t)device->traits.compute_units * (flat->vector > 1 ? CPU_ITEMS : GPU_ITEMS);
    struct graft_tensor y = {0};
    double rate = 0;
    enum graft_status status = open_buffer(device, (uint64_t)(items * flat->vector) * sizeof(float), &y);
    if (status == GRAFT_OK)
        status = graft_opencl_flat_add(device, &run->kernel, "limit.cl", "limit_fma", "%s", "");
    if (status == GRAFT_OK) {
        graft_opencl_arg_tensor(device, &run->args, y, sizeof(float));
        graft_opencl_arg_float(&run->args, 0.5);
        graft_opencl_arg_int(&run->args, items);
        run->loops = FMA_LOOPS;
        run->range = (struct graft_opencl_range){
            .dimensions = 1, .global = {(size_t)items}, .local = {(size_t)flat->group}};
        status = graft_limit_rate(run_rounds, run, &rate);
    }
    *per_second = rate * (double)items * flat->vector * 2 * CHAINS * FMA_LOOPS;
    close_run(run, y);
    return status;
}

static enum graft_status measure_memory(struct run *run, const struct graft_opencl_flat *flat, uint64_t bytes,
                                        double *per_second)
{
    struct graft_opencl_device *const device = run->device;
    struct graft_tensor y = {0};
    double rate = 0;
    enum graft_status status = open_buffer(device, bytes, &y);
    if (status == GRAFT_OK)
        status = device->base.backend->buffer_fill(&device->base, y, 0, bytes);
    if (status == GRAFT_OK)
        status = graft_opencl_flat_add(device, &run->kernel, "limit.cl", "limit_sweep", "%s", "");
    if (status == GRAFT_OK) {
        const int64_t count = (int64_t)(bytes / sizeof(float));
        graft_opencl_arg_tensor(device, &run->args, y, sizeof(float));
        graft_opencl_arg_int(&run->args, count);
        run->loops = 1;
        run->range = graft_opencl_flat_range(flat, count);
        status = graft_limit_rate(run_rounds, run, &rate);
    }
    *per_second = rate * 2 * (double)bytes;
    close_run(run, y);
    return status;
}

enum graft_status graft_opencl_loops(struct graft_opencl_device *device)
{
    const struct graft_opencl_variant variant = {.name = "limit", .family = device->traits.family};
    struct run run = {.device = device, .kernel = {.variant = &variant}, .loops = 1};
    struct graft_tensor y = {0};
    float made = 0;
    enum graft_status status = open_buffer(device, 64, &y);
    if (status == GRAFT_OK)
        status = graft_opencl_flat_add(device, &run.kernel, "limit.cl", "limit_rounds", "%s", "");
    if (status == GRAFT_OK) {
        graft_opencl_arg_tensor(device, &run.args, y, sizeof(float));
        run.range = (struct graft_opencl_range){.dimensions = 1, .global = {1}, .local = {1}};
        status = run_rounds(&run, MANY_ROUNDS);
    }
    if (status == GRAFT_OK)
        status = device->base.backend->buffer_read(&device->base, &made, y, sizeof(made));
    close_run(&run, y);
    if (status == GRAFT_OK && made < MANY_ROUNDS) {
        device->traits.short_loops = true;
        device->traits.family = GRAFT_OPENCL_GPU;
    }
    return status;
}

enum graft_status graft_opencl_limit(struct graft_device *base, enum graft_limit limit, uint64_t bytes,
                                     double *per_second)
{
    struct graft_opencl_device *const device = (struct graft_opencl_device *)base;
    const struct graft_opencl_variant variant = {.name = "limit", .family = device->traits.family};
    struct run run = {.device = device, .kernel = {.variant = &variant}};
    const struct graft_opencl_flat flat = graft_opencl_flat_sizes(device, device->traits.family);
    *per_second = 0;
    return limit == GRAFT_LIMIT_FMA ? measure_fma(&run, &flat, per_second)
                                    : measure_memory(&run, &flat, bytes, per_second);
}
