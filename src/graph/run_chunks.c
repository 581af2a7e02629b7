/* SPDX-License-Identifier: MIT */
/* Running the steps that take a few rows at a time: see chunk.h. Nothing here allocates. */
#include "base/clock.h"
#include "base/context.h"
#include "base/pool.h"
#include "graph/plan.h"

struct run {
    struct graft_plan *plan;
    int begin, end; /* steps */
    int64_t first;  /* chunk of item 0 */
    bool profile;
};

struct graft_tensor graft_plan_chunk_tensor(const struct graft_plan *plan, int value,
                                            struct graft_tensor tensor, int64_t chunk, int lane)
{
    const struct graft_chunks *const chunks = &plan->chunks;
    if (value < 0 || !tensor.buffer || !chunks->batched[value])
        return tensor;
    if (chunks->inner[value]) {
        const struct graft_storage *const at = &plan->memory.storages[plan->memory.storage[value]];
        tensor.buffer =
            plan->buffers[GRAFT_ARENA_LANE][lane * plan->memory.n_chunks[GRAFT_ARENA_LANE] + at->chunk];
    } else {
        const struct graft_value *const whole = &plan->graph->values[value];
        uint64_t bytes = graft_chunks_bytes(chunks, whole, chunks->rows);
        if (plan->memory.pitch[value])
            bytes =
                bytes / (uint64_t)graft_shape_width(&whole->desc.shape) * (uint64_t)plan->memory.pitch[value];
        tensor.offset += (uint64_t)chunk * bytes;
    }
    return tensor;
}

static enum graft_status run_step(struct graft_plan *plan, int s, int64_t chunk, int lane)
{
    struct graft_plan_step step = plan->steps[s];
    for (int i = 0; i < step.node->call.n_inputs; i++)
        step.in[i] = graft_plan_chunk_tensor(plan, step.node->inputs[i], step.in[i], chunk, lane);
    for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++)
        step.out[i] = graft_plan_chunk_tensor(plan, step.node->outputs[i], step.out[i], chunk, lane);
    if (plan->memory.workspace[s] >= 0) {
        const struct graft_storage *const at = &plan->memory.storages[plan->memory.workspace[s]];
        step.workspace.buffer =
            plan->buffers[GRAFT_ARENA_LANE][lane * plan->memory.n_chunks[GRAFT_ARENA_LANE] + at->chunk];
    }
    return graft_plan_run_step(plan, &step);
}

/* The steps for one chunk, in the lane of that number. */
static void run_chunk(void *argument, int64_t item, int lane)
{
    const struct run *const run = argument;
    struct graft_plan *const plan = run->plan;
    struct graft_lane *const notes = &plan->lanes[lane];
    const struct graft_backend *const backend = plan->device->backend;
    for (int s = run->begin; s < run->end && notes->status == GRAFT_OK; s++) {
        const double begin = run->profile ? graft_seconds() : 0;
        notes->status = run_step(plan, s, run->first + item, lane);
        if (run->profile && notes->status == GRAFT_OK && !plan->device->lanes)
            notes->status = backend->synchronize(plan->device, NULL);
        if (run->profile)
            notes->seconds[s] += graft_seconds() - begin;
    }
}

/* Of lanes that work side by side each has its share of the time. */
static void sum_seconds(struct graft_plan *plan)
{
    for (int s = plan->chunks.begin; s < plan->chunks.end; s++) {
        plan->steps[s].seconds = 0;
        for (int lane = 0; lane < plan->chunks.lanes; lane++)
            plan->steps[s].seconds += plan->lanes[lane].seconds[s] / plan->chunks.lanes;
    }
}

/* Chunks that are too few for all lanes have all threads, one after the other. */
static void run_all(struct run *run)
{
    const struct graft_plan *const plan = run->plan;
    const struct graft_chunks *const chunks = &plan->chunks;
    for (int lane = 0; lane < chunks->lanes; lane++)
        plan->lanes[lane].status = GRAFT_OK;
    const int64_t together = chunks->lanes > 1 ? chunks->count - chunks->count % chunks->lanes : 0;
    if (together > 0)
        graft_pool_run(plan->device->lanes, together, run_chunk, run);
    for (run->first = together; run->first < chunks->count; run->first++)
        run_chunk(run, 0, 0);
}

static enum graft_status status_of(const struct graft_plan *plan)
{
    for (int lane = 0; lane < plan->chunks.lanes; lane++)
        if (plan->lanes[lane].status != GRAFT_OK)
            return plan->lanes[lane].status;
    return GRAFT_OK;
}

enum graft_status graft_plan_run_chunks(struct graft_plan *plan, bool profile)
{
    const struct graft_chunks *const chunks = &plan->chunks;
    struct run run = {plan, chunks->begin, chunks->end, 0, profile};
    for (int lane = 0; lane < chunks->lanes; lane++)
        for (int s = chunks->begin; s < chunks->end && profile; s++)
            plan->lanes[lane].seconds[s] = 0;
    run_all(&run);
    if (profile) {
        double counted; /* by the device: not that of the next step */
        const enum graft_status status = plan->device->backend->synchronize(plan->device, &counted);
        if (status != GRAFT_OK)
            return status;
        sum_seconds(plan);
    }
    return status_of(plan);
}

enum graft_status graft_plan_run_chunked_step(struct graft_plan *plan, int s)
{
    struct run run = {plan, s, s + 1, 0, false};
    run_all(&run);
    return status_of(plan);
}
