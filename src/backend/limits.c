/* SPDX-License-Identifier: MIT */
/* What a device can do at most, measured on it in about 0.2 s. */
#include "backend/backend.h"

#include "base/clock.h"
#include "base/context.h"

#include <math.h>

#define BURST_SECONDS 0.003 /* the least length of what is timed */
#define BURSTS 4
#define MOST_ROUNDS (INT64_C(1) << 30)

enum graft_status graft_limit_rate(graft_limit_function *run, void *user, double *rounds_per_second)
{
    int64_t rounds = 1;
    double best = 0;
    for (int burst = 0; burst < BURSTS;) {
        const double begin = graft_seconds();
        const enum graft_status status = run(user, rounds);
        const double seconds = graft_seconds() - begin;
        if (status != GRAFT_OK)
            return status;
        if (seconds < BURST_SECONDS && rounds < MOST_ROUNDS) {
            rounds *= seconds < BURST_SECONDS / 16 ? 8 : 2;
            continue;
        }
        best = fmax(best, (double)rounds / fmax(seconds, 1e-9));
        burst++;
    }
    *rounds_per_second = best;
    return GRAFT_OK;
}

/* A lack of memory for the larger sizes is no failure: less is measured then. */
static enum graft_status measure_memory(struct graft_device *device, struct graft_device_limits *limits)
{
    static const uint64_t sizes[GRAFT_LIMIT_SIZES] = {64u << 10, 512u << 10, 4u << 20, 32u << 20, 128u << 20};
    struct graft_kept_error before;
    graft_keep_error(device->context, &before);
    for (int i = 0; i < GRAFT_LIMIT_SIZES; i++) {
        double rate = 0;
        enum graft_status status = GRAFT_ERROR_MEMORY;
        if (sizes[i] <= device->info.max_allocation_bytes)
            status = device->backend->limit(device, GRAFT_LIMIT_MEMORY, sizes[i], &rate);
        if (status == GRAFT_ERROR_MEMORY && i > 0) {
            graft_restore_error(device->context, &before);
            break;
        }
        if (status != GRAFT_OK)
            return status;
        limits->memory[limits->n_memory].bytes = sizes[i];
        limits->memory[limits->n_memory++].bytes_per_second = rate;
    }
    /* What fits into less memory is no slower there: a short launch can only look so. */
    for (int i = limits->n_memory - 2; i >= 0; i--)
        limits->memory[i].bytes_per_second =
            fmax(limits->memory[i].bytes_per_second, limits->memory[i + 1].bytes_per_second);
    return GRAFT_OK;
}

enum graft_status graft_device_measure(struct graft_device *device, struct graft_device_limits *limits)
{
    *limits = (struct graft_device_limits){0};
    enum graft_status status = device->backend->synchronize(device, NULL);
    if (status == GRAFT_OK)
        status = device->backend->limit(device, GRAFT_LIMIT_FMA, 0, &limits->flops);
    return status == GRAFT_OK ? measure_memory(device, limits) : status;
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
