/* SPDX-License-Identifier: MIT */
#include "backend/measure.h"

#include "base/clock.h"
#include "base/context.h"
#include "base/size.h"

#include <math.h>

#define BURST_SECONDS 0.003 /* the least length of what is timed */
#define LEAST_BURSTS 2
#define MOST_BURSTS 5
#define SECONDS 0.1 /* of all bursts, about */
#define MOST_ROUNDS (INT64_C(1) << 30)

enum graft_status graft_measure(graft_measure_function *run, void *user, double *seconds)
{
    int64_t rounds = 1;
    double spent = 0;
    for (int bursts = 0; bursts < LEAST_BURSTS || (bursts < MOST_BURSTS && spent < SECONDS);) {
        const double begin = graft_seconds();
        const enum graft_status status = run(user, rounds);
        const double burst = graft_seconds() - begin;
        if (status != GRAFT_OK)
            return status;
        if (burst < BURST_SECONDS && rounds < MOST_ROUNDS) {
            rounds *= burst < BURST_SECONDS / 16 ? 8 : 2;
            continue;
        }
        const double round = fmax(burst, 1e-9) / (double)rounds;
        *seconds = bursts++ == 0 ? round : fmin(*seconds, round);
        spent += burst;
    }
    return GRAFT_OK;
}

/* ---- limits ---- */

/* The largest sweep: four times the last cache, so that hardly anything of the pass before is left in it. */
static uint64_t largest_sweep(const struct graft_device *device)
{
    uint64_t bytes = UINT64_C(128) << 20;
    if (device->info.kind == GRAFT_DEVICE_GPU)
        bytes = UINT64_C(1) << 30;
    bytes = graft_max_u64(bytes, graft_min_u64(4 * device->last_cache_bytes, UINT64_C(8) << 30));
    bytes = graft_min_u64(bytes, device->info.max_allocation_bytes);
    /* A quarter of what there is, because others need memory, too. */
    return graft_min_u64(bytes, graft_device_free_bytes(device) / 4) / 4096 * 4096;
}

/* A lack of memory for the larger sizes is no failure: less is measured then. Nor is a smaller size ever
 * given the figure of a larger one: what it cannot reach, because a pass is over too soon, it has not
 * reached. */
static enum graft_status measure_memory(struct graft_device *device, struct graft_device_limits *limits)
{
    static const uint64_t sizes[GRAFT_LIMIT_SIZES - 1] = {64u << 10, 512u << 10, 4u << 20, 32u << 20,
                                                          128u << 20};
    const uint64_t largest = largest_sweep(device);
    struct graft_kept_error before;
    graft_keep_error(device->context, &before);
    for (int i = 0; i < GRAFT_LIMIT_SIZES; i++) {
        const uint64_t bytes = i < GRAFT_LIMIT_SIZES - 1 ? graft_min_u64(sizes[i], largest) : largest;
        double rate = 0;
        if (bytes == 0 || (limits->n_memory > 0 && bytes <= limits->memory[limits->n_memory - 1].bytes))
            continue;
        const enum graft_status status = device->backend->limit(device, GRAFT_LIMIT_MEMORY, bytes, &rate);
        if (status == GRAFT_ERROR_MEMORY && i > 0) {
            graft_restore_error(device->context, &before);
            break;
        }
        if (status != GRAFT_OK)
            return status;
        limits->memory[limits->n_memory].bytes = bytes;
        limits->memory[limits->n_memory++].bytes_per_second = rate;
    }
    return GRAFT_OK;
}

enum graft_status graft_device_measure(struct graft_device *device, struct graft_device_limits *limits)
{
    const uint64_t peak = device->peak_bytes; /* what is taken here is nobody's use of the device */
    *limits = (struct graft_device_limits){0};
    enum graft_status status = device->backend->synchronize(device, NULL);
    if (status == GRAFT_OK)
        status = device->backend->limit(device, GRAFT_LIMIT_FMA, 0, &limits->flops);
    if (status == GRAFT_OK)
        status = measure_memory(device, limits);
    device->peak_bytes = peak;
    return status;
}

double graft_device_memory_rate(const struct graft_device_limits *limits, double bytes)
{
    const struct graft_device_memory_limit *const at = limits->memory;
    int i = 0;
    if (limits->n_memory == 0)
        return 0;
    while (i < limits->n_memory && (double)at[i].bytes < bytes)
        i++;
    if (i == 0 || i == limits->n_memory)
        return at[i == 0 ? 0 : i - 1].bytes_per_second;
    const double share =
        log(bytes / (double)at[i - 1].bytes) / log((double)at[i].bytes / (double)at[i - 1].bytes);
    return at[i - 1].bytes_per_second * pow(at[i].bytes_per_second / at[i - 1].bytes_per_second, share);
}

void graft_measure_merge(struct graft_device_limits *limits, const struct graft_device_limits *again)
{
    limits->flops = fmax(limits->flops, again->flops);
    for (int i = 0; i < limits->n_memory && i < again->n_memory; i++)
        if (limits->memory[i].bytes == again->memory[i].bytes)
            limits->memory[i].bytes_per_second =
                fmax(limits->memory[i].bytes_per_second, again->memory[i].bytes_per_second);
}

/* The greatest rate at which something that touches so many bytes can touch them: of the size below, whose
 * cache they may just fit, and of all above, because a pass over few bytes may have been over too soon. */
static double greatest_rate(const struct graft_device_limits *limits, double bytes)
{
    double rate = 0;
    for (int i = 0; i < limits->n_memory; i++)
        if (i + 1 == limits->n_memory || (double)limits->memory[i + 1].bytes > bytes)
            rate = fmax(rate, limits->memory[i].bytes_per_second);
    return rate;
}

double graft_measure_least(const struct graft_device_limits *limits, const struct graft_work *work,
                           double at_once, double saving)
{
    const double flops = work->flops / (saving > 0 ? saving : 1);
    const double rate = greatest_rate(limits, at_once);
    return fmax(limits->flops > 0 ? flops / limits->flops : 0, rate > 0 ? work->bytes / rate : 0);
}
