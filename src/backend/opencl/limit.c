/* SPDX-License-Identifier: MIT */
/* A device's limits: a loop of multiply-adds and a sweep over memory, over as many work-items as keep it
 * busy. */
#include "backend/opencl/flat.h"
#include "backend/opencl/internal.h"

#include "backend/measure.h"
#include "base/context.h"
#include "base/size.h"

#include <string.h>

#define CHAINS 12      /* of limit_fma */
#define FMA_LOOPS 1024 /* of a work-item and a round */
#define CPU_ITEMS 8    /* a compute unit */
#define GPU_ITEMS 2048
#define GPU_SWEEPERS 1024 /* a compute unit: what is in flight at once, about */
#define GPU_VECTOR 4
/* Of a GPU, whose launches take longer than a pass over less. All work-items are in flight at once there. */
#define GPU_PASS_BYTES (UINT64_C(64) << 20)
#define MANY_ROUNDS 70000 /* of limit_rounds */
#define MOST_LOOPS 61440  /* of a launch: some devices end a work-item's loops after 65,535 */

struct run {
    struct graft_opencl_device *device;
    struct graft_opencl_kernel kernel;
    struct graft_opencl_args args; /* the number of loops comes last */
    struct graft_opencl_range range;
    int loops;      /* of a round */
    int most_loops; /* of a launch */
    int64_t passes; /* rounds made so far */
};

static enum graft_status run_rounds(void *user, int64_t rounds)
{
    struct run *const run = user;
    const int64_t most = graft_max_i64(run->most_loops / run->loops, 1);
    enum graft_status status = GRAFT_OK;
    for (int64_t left = rounds; left > 0 && status == GRAFT_OK; left -= most) {
        struct graft_opencl_args args = run->args;
        graft_opencl_arg_int(&args, graft_min_i64(left, most) * run->loops);
        status = graft_opencl_launch(run->device, &run->kernel, 0, &args, &run->range);
    }
    run->passes += rounds;
    return status == GRAFT_OK ? graft_opencl_finish(run->device) : status;
}

static void close_run(struct run *run)
{
    for (int i = 0; i < run->kernel.steps; i++)
        clReleaseKernel(run->kernel.step[i]);
}

static enum graft_status measure_fma(struct run *run, const struct graft_opencl_flat *flat,
                                     double *per_second)
{
    struct graft_opencl_device *const device = run->device;
    const int64_t items = (int64_t)device->traits.compute_units * (flat->vector > 1 ? CPU_ITEMS : GPU_ITEMS);
    const uint64_t bytes = (uint64_t)(items * flat->vector) * sizeof(float);
    struct graft_tensor y = {0};
    double seconds = 1;
    enum graft_status status = graft_buffer_open(&device->base, bytes, &y.buffer);
    if (status == GRAFT_OK)
        status = graft_opencl_flat_add(device, &run->kernel, "limit.cl", "limit_fma", "%s", "");
    if (status == GRAFT_OK) {
        graft_opencl_arg_tensor(device, &run->args, y, sizeof(float));
        graft_opencl_arg_float(&run->args, 0.5);
        graft_opencl_arg_int(&run->args, items);
        run->loops = FMA_LOOPS;
        run->most_loops = MOST_LOOPS;
        run->range = (struct graft_opencl_range){
            .dimensions = 1, .global = {(size_t)items}, .local = {(size_t)flat->group}};
        status = graft_measure(run_rounds, run, &seconds);
    }
    *per_second = (double)items * flat->vector * 2 * CHAINS * FMA_LOOPS / seconds;
    close_run(run);
    graft_buffer_close(&device->base, &y.buffer, bytes);
    return status;
}

/* Every float has been counted up once a pass: some of them, all over the buffer. 2^24 is the last number
 * that 1 can be added to. */
static enum graft_status check_sweep(const struct run *run, struct graft_tensor y, int64_t count)
{
    const float wanted = (float)graft_min_i64(run->passes, 1 << 24);
    for (int k = 0; k <= 64; k++) {
        const int64_t at = (count - 1) / 64 * k + (k == 64 ? (count - 1) % 64 : 0);
        float made = 0;
        const enum graft_status status = run->device->base.backend->buffer_read(
            &run->device->base, &made, graft_opencl_at(y, (uint64_t)at * sizeof made), sizeof made);
        if (status != GRAFT_OK)
            return status;
        if (made != wanted)
            return graft_fail(run->device->base.context, GRAFT_ERROR_DEVICE,
                              "measuring memory: %s touched float %lld %.0f times in %lld passes",
                              run->device->base.info.id, (long long)at, (double)made, (long long)run->passes);
    }
    return GRAFT_OK;
}

/* On processors a work-item for each unit, with a part of the buffer of its own; on others neighbours take
 * neighbouring vectors, and go on behind the last one. */
static void arrange_sweep(struct run *run, const struct graft_opencl_flat *flat, int64_t count)
{
    const bool apart = flat->vector > 1;
    const int64_t units = run->device->traits.compute_units, vector = apart ? flat->vector : GPU_VECTOR;
    const int64_t vectors = count / vector;
    const int64_t items = graft_min_i64(vectors, apart ? units : units * GPU_SWEEPERS);
    const int64_t share = apart ? graft_ceil_div(vectors, items) : 1;
    const uint64_t bytes = (uint64_t)count * sizeof(float);
    graft_opencl_arg_int(&run->args, vectors);
    graft_opencl_arg_int(&run->args, share);
    run->loops = 1;
    run->most_loops = 1;
    if (bytes <= (apart ? GRAFT_MEASURE_PASS_BYTES : GPU_PASS_BYTES))
        run->most_loops =
            (int)graft_max_i64(MOST_LOOPS / graft_ceil_div(vectors, graft_max_i64(items, 1)), 1);
    run->range = (struct graft_opencl_range){
        .dimensions = 1, .global = {(size_t)items}, .local = {(size_t)flat->group}};
}

static enum graft_status measure_memory(struct run *run, const struct graft_opencl_flat *flat, uint64_t bytes,
                                        double *per_second)
{
    struct graft_opencl_device *const device = run->device;
    const int64_t count = (int64_t)(bytes / sizeof(float));
    struct graft_tensor y = {0};
    double seconds = 1;
    enum graft_status status = graft_buffer_open(&device->base, bytes, &y.buffer);
    if (status == GRAFT_OK)
        status = device->base.backend->buffer_fill(&device->base, y, 0, bytes);
    if (status == GRAFT_OK)
        status = graft_opencl_flat_add(device, &run->kernel, "limit.cl", "limit_sweep", "%s", "");
    if (status == GRAFT_OK) {
        graft_opencl_arg_tensor(device, &run->args, y, sizeof(float));
        arrange_sweep(run, flat, count);
        status = graft_measure(run_rounds, run, &seconds);
    }
    if (status == GRAFT_OK)
        status = check_sweep(run, y, count);
    *per_second = 2 * (double)bytes / seconds;
    close_run(run);
    graft_buffer_close(&device->base, &y.buffer, bytes);
    return status;
}

enum graft_status graft_opencl_loops(struct graft_opencl_device *device)
{
    const struct graft_opencl_variant variant = {.name = "limit", .family = device->traits.family};
    struct run run = {
        .device = device, .kernel = {.variant = &variant}, .loops = 1, .most_loops = MANY_ROUNDS};
    const struct graft_tensor y = {(struct graft_buffer *)(void *)device->none, 0}; /* 64 bytes of nobody */
    float made = 0;
    enum graft_status status =
        graft_opencl_flat_add(device, &run.kernel, "limit.cl", "limit_rounds", "%s", "");
    if (status == GRAFT_OK) {
        graft_opencl_arg_tensor(device, &run.args, y, sizeof(float));
        run.range = (struct graft_opencl_range){.dimensions = 1, .global = {1}, .local = {1}};
        status = run_rounds(&run, MANY_ROUNDS);
    }
    if (status == GRAFT_OK)
        status = device->base.backend->buffer_read(&device->base, &made, y, sizeof(made));
    close_run(&run);
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
    switch (limit) {
    case GRAFT_LIMIT_FMA:
        return measure_fma(&run, &flat, per_second);
    case GRAFT_LIMIT_MEMORY:
        return measure_memory(&run, &flat, bytes, per_second);
    default:
        return graft_opencl_half(device, limit == GRAFT_LIMIT_HALF_STORAGE, per_second);
    }
}
