/* SPDX-License-Identifier: MIT */
/* The processor's limits: a loop of multiply-adds and a sweep over memory, on all threads. */
#include "backend/cpu/fast/limit.h"
#include "backend/measure.h"
#include "base/context.h"
#include "base/pool.h"
#include "base/size.h"

#define FMA_LOOPS 2048 /* of an item and a round */
#define LINE_FLOATS 16 /* of a cache line: blocks begin at one */

#if defined(GRAFT_FAST_X86)
static const struct fast_limit *const sets[GRAFT_ISA_COUNT] = {
    &graft_fast_baseline_limit, &graft_fast_avx2_limit, &graft_fast_avx512_limit};
#else
static const struct fast_limit *const sets[GRAFT_ISA_COUNT] = {
    &graft_fast_baseline_limit, &graft_fast_baseline_limit, &graft_fast_baseline_limit};
#endif

struct run {
    const struct graft_cpu_device *device;
    const struct fast_limit *set;
    int64_t items, rounds, floats; /* floats: of an item's block */
    int64_t passes;                /* made so far */
    float *block;
    float *sums; /* [items] */
};

static void fma_item(void *argument, int64_t item, int thread)
{
    const struct run *const run = argument;
    (void)thread;
    run->sums[item * LINE_FLOATS] = run->set->fma(run->rounds * FMA_LOOPS, 0.5f);
}

static void sweep_item(void *argument, int64_t item, int thread)
{
    const struct run *const run = argument;
    (void)thread;
    run->set->sweep(run->block + item * run->floats, run->floats, run->rounds);
}

static void run_items(struct run *run, void (*item)(void *argument, int64_t item, int thread))
{
    if (run->device->reference)
        for (int64_t i = 0; i < run->items; i++)
            item(run, i, 0);
    else
        graft_pool_run(run->device->pool, run->items, item, run);
}

static enum graft_status run_fma(void *user, int64_t rounds)
{
    struct run *const run = user;
    run->rounds = rounds;
    run_items(run, fma_item);
    return GRAFT_OK;
}

/* A small block is swept again and again by the thread that has it; of a large one a pass is over before the
 * next begins: a thread that takes two items must not have one of them in its cache all along. */
static enum graft_status run_sweep(void *user, int64_t rounds)
{
    struct run *const run = user;
    const uint64_t bytes = (uint64_t)(run->items * run->floats) * sizeof(float);
    run->rounds = bytes <= GRAFT_MEASURE_PASS_BYTES ? rounds : 1;
    for (int64_t done = 0; done < rounds; done += run->rounds)
        run_items(run, sweep_item);
    run->passes += rounds;
    return GRAFT_OK;
}

/* Every float has been counted up once a pass; 2^24 is the last number that 1 can be added to. */
static enum graft_status check_sweep(struct graft_context *context, const struct run *run)
{
    const float wanted = (float)graft_min_i64(run->passes, 1 << 24);
    for (int64_t i = 0; i < run->items * run->floats; i++)
        if (run->block[i] != wanted)
            return graft_fail(context, GRAFT_ERROR_DEVICE,
                              "measuring memory: float %lld was touched %.0f times in %lld passes",
                              (long long)i, (double)run->block[i], (long long)run->passes);
    return GRAFT_OK;
}

enum graft_status graft_cpu_limit(struct graft_device *base, enum graft_limit limit, uint64_t bytes,
                                  double *per_second)
{
    struct graft_cpu_device *const device = (struct graft_cpu_device *)base;
    struct graft_context *const context = base->context;
    const int threads = device->reference ? 1 : graft_pool_threads(device->pool);
    struct run run = {.device = device, .set = sets[device->reference ? GRAFT_ISA_BASELINE : device->isa]};
    double seconds = 1;
    enum graft_status status;
    *per_second = 0;
    if (limit == GRAFT_LIMIT_HALF_ARITHMETIC || limit == GRAFT_LIMIT_HALF_STORAGE)
        return GRAFT_OK; /* kernels of the processor know floats only */
    if (limit == GRAFT_LIMIT_FMA) {
        run.items = 4 * (int64_t)threads;
        run.sums = graft_allocate(context, (size_t)run.items * LINE_FLOATS, sizeof *run.sums);
        status = run.sums != NULL ? graft_measure(run_fma, &run, &seconds) : GRAFT_ERROR_MEMORY;
        *per_second = (double)run.items * FMA_LOOPS * (double)run.set->loop_flops / seconds;
        graft_release(context, run.sums);
        return status;
    }
    run.items = threads;
    run.floats = (int64_t)(bytes / sizeof(float)) / threads / LINE_FLOATS * LINE_FLOATS;
    run.block = graft_allocate(context, (size_t)(run.items * run.floats), sizeof *run.block);
    status = run.block != NULL ? graft_measure(run_sweep, &run, &seconds) : GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK)
        status = check_sweep(context, &run);
    *per_second = 2 * (double)(run.items * run.floats) * sizeof(float) / seconds;
    graft_release(context, run.block);
    return status;
}
