/* SPDX-License-Identifier: MIT */
/* Sums of gradients as one range of bytes: what several devices add up between gradients and update. */
#include "base/context.h"
#include "base/random.h"
#include "base/size.h"
#include "graph/plan.h"

#include <stdio.h>

/* Where a chunk of the arena begins in the range. */
static uint64_t chunk_begin(const struct graft_plan *plan, int chunk)
{
    uint64_t begin = 0;
    for (int c = 0; c < chunk; c++)
        begin += plan->memory.chunk_bytes[GRAFT_ARENA_SUM][c];
    return begin;
}

uint64_t graft_plan_sum_bytes(const struct graft_plan *plan)
{
    return chunk_begin(plan, plan->memory.n_chunks[GRAFT_ARENA_SUM]);
}

enum graft_status graft_plan_order_sums(struct graft_plan *plan)
{
    const struct graft_memory *const memory = &plan->memory;
    const uint64_t all = graft_plan_sum_bytes(plan);
    if (all == 0)
        return GRAFT_OK;
    plan->ready = graft_allocate(plan->context, (size_t)plan->n_steps, sizeof *plan->ready);
    if (!plan->ready)
        return GRAFT_ERROR_MEMORY;
    for (int s = 0; s < plan->n_steps; s++)
        plan->ready[s] = all;
    for (int i = 0; i < memory->n_storages; i++) {
        const struct graft_storage *const storage = &memory->storages[i];
        if (storage->arena != GRAFT_ARENA_SUM || storage->first < 1)
            continue;
        uint64_t *const before = &plan->ready[storage->first - 1];
        *before = graft_min_u64(*before, chunk_begin(plan, storage->chunk) + storage->offset);
    }
    for (int s = plan->n_steps - 2; s >= 0; s--)
        plan->ready[s] = graft_min_u64(plan->ready[s], plan->ready[s + 1]);
    return GRAFT_OK;
}

uint64_t graft_plan_sum_layout(const struct graft_plan *plan)
{
    const struct graft_memory *const memory = &plan->memory;
    uint64_t number = graft_plan_sum_bytes(plan);
    for (int v = 0; v < plan->n_graph_values; v++) {
        const int at = memory->storage[v];
        char text[96];
        if (at < 0 || memory->storages[at].arena != GRAFT_ARENA_SUM)
            continue;
        (void)snprintf(text, sizeof text, "%d at %llu: %llu", v,
                       (unsigned long long)(chunk_begin(plan, memory->storages[at].chunk) + memory->storages[at].offset),
                       (unsigned long long)memory->storages[at].bytes);
        number = number * UINT64_C(0x100000001B3) + graft_hash_text(text);
    }
    return number;
}

/* The tensor of byte `begin` of the range, and how many of `bytes` lie in its chunk. */
static struct graft_tensor tensor_at(const struct graft_plan *plan, uint64_t begin, uint64_t bytes, uint64_t *here)
{
    int chunk = 0;
    while (begin >= plan->memory.chunk_bytes[GRAFT_ARENA_SUM][chunk])
        begin -= plan->memory.chunk_bytes[GRAFT_ARENA_SUM][chunk++];
    *here = graft_min_u64(bytes, plan->memory.chunk_bytes[GRAFT_ARENA_SUM][chunk] - begin);
    return (struct graft_tensor){plan->buffers[GRAFT_ARENA_SUM][chunk], begin};
}

enum graft_status graft_plan_fetch_sums(struct graft_plan *plan, uint64_t begin, void *to, uint64_t bytes,
                                        uint64_t *ticket)
{
    enum graft_status status = GRAFT_OK;
    for (uint64_t at = 0, here = 0; at < bytes && status == GRAFT_OK; at += here) {
        const struct graft_tensor from = tensor_at(plan, begin + at, bytes - at, &here);
        status = plan->device->backend->buffer_fetch(plan->device, (char *)to + at, from, here, ticket);
    }
    return status;
}

enum graft_status graft_plan_write_sums(struct graft_plan *plan, uint64_t begin, const void *from, uint64_t bytes)
{
    enum graft_status status = GRAFT_OK;
    for (uint64_t at = 0, here = 0; at < bytes && status == GRAFT_OK; at += here) {
        const struct graft_tensor to = tensor_at(plan, begin + at, bytes - at, &here);
        status = plan->device->backend->buffer_write(plan->device, to, (const char *)from + at, here);
    }
    return status;
}
