/* SPDX-License-Identifier: MIT */
#include "graph/memory.h"

#include "base/context.h"
#include "base/size.h"

#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64u

/* What is needed while planning. */
struct planner {
    const struct graft_graph *graph;
    struct graft_memory *memory;
    const struct graft_chunks *chunks;
    int *last_use; /* for each root: the last step that reads or writes it; n_steps: kept to the end */
    int *first;    /* for each root */
    int n_steps;
    bool in_place;
};

bool graft_memory_is_alias(const struct graft_graph *graph, const struct graft_node *node)
{
    if (node->call.placed)
        return node->call.placed == (1u << node->call.n_inputs) - 1;
    if (node->call.op != GRAFT_OP_RESHAPE || node->call.accumulate)
        return false;
    const enum graft_value_kind kind = graph->values[node->inputs[0]].kind;
    return kind != GRAFT_VALUE_PARAMETER && kind != GRAFT_VALUE_STATE;
}

static void note_use(struct planner *planner, int value, int step)
{
    int *const last = &planner->last_use[value];
    *last = step > *last ? step : *last;
}

/* Steps of the last use of every value by itself, before aliases are merged. */
static void find_uses(struct planner *planner, const int *order)
{
    const struct graft_graph *const graph = planner->graph;
    for (int v = 0; v < graph->n_values; v++) {
        planner->memory->root[v] = v;
        planner->memory->storage[v] = -1;
        planner->first[v] = -1;
        planner->last_use[v] = graph->values[v].output ? planner->n_steps : -1;
    }
    for (int step = 0; step < planner->n_steps; step++) {
        const struct graft_node *const node = &graph->nodes[order[step]];
        for (int i = 0; i < node->call.n_inputs; i++)
            if (node->inputs[i] >= 0)
                note_use(planner, node->inputs[i], step);
        if (node->continues >= 0)
            note_use(planner, node->continues, step);
        for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++)
            if (node->outputs[i] >= 0 && node->call.out[i].dtype != GRAFT_DTYPE_NONE)
                note_use(planner, node->outputs[i], step);
    }
}

/* `value` lies where `other` does, `column` elements further on in each row. */
static void merge(struct planner *planner, int value, int other, int64_t column)
{
    struct graft_memory *const memory = planner->memory;
    memory->root[value] = memory->root[other];
    memory->column[value] = memory->column[other] + column;
    note_use(planner, memory->root[value], planner->last_use[value]);
}

/* What a concatenation has in its place lives in its output: the last of a chain first, so that each finds
 * where that lies. */
static void place_parts(struct planner *planner, const int *order)
{
    for (int step = planner->n_steps - 1; step >= 0; step--) {
        const struct graft_node *const node = &planner->graph->nodes[order[step]];
        int64_t column = 0;
        for (int i = 0; i < node->call.n_inputs && node->call.op == GRAFT_OP_CONCAT; i++) {
            if (node->call.placed >> i & 1u)
                merge(planner, node->inputs[i], node->outputs[0], column);
            column += graft_shape_width(&node->call.in[i].shape);
        }
    }
}

static void note_pitches(struct planner *planner, const int *order)
{
    for (int step = 0; step < planner->n_steps; step++) {
        const struct graft_node *const node = &planner->graph->nodes[order[step]];
        for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++)
            if (node->outputs[i] >= 0)
                planner->memory->pitch[node->outputs[i]] = node->call.out_pitch[i];
    }
}

/* The input whose memory output 0 of the node may take over, or -1. */
static int dying_input(const struct planner *planner, const struct graft_node *node, int step)
{
    const struct graft_graph *const graph = planner->graph;
    const uint32_t allowed = graft_op_get(node->call.op)->in_place;
    for (int i = 0; i < node->call.n_inputs; i++) {
        if (!(allowed >> i & 1u) || node->inputs[i] < 0 || planner->memory->pitch[node->inputs[i]])
            continue;
        const int root = planner->memory->root[node->inputs[i]];
        const struct graft_value *const value = &graph->values[root];
        bool possible = value->kind == GRAFT_VALUE_INTERMEDIATE && !value->sum &&
                        !graph->nodes[value->producer].once && planner->last_use[root] == step &&
                        value->desc.dtype == node->call.out[0].dtype &&
                        graft_shape_equal(&node->call.in[i].shape, &node->call.out[0].shape) &&
                        graft_shape_count(&value->desc.shape) ==
                            graft_shape_count(&graph->values[node->outputs[0]].desc.shape) &&
                        planner->chunks->inner[root] == planner->chunks->inner[node->outputs[0]];
        for (int k = 0; k < node->call.n_inputs && possible; k++)
            possible = k == i || node->inputs[k] < 0 || planner->memory->root[node->inputs[k]] != root;
        if (possible)
            return root;
    }
    return -1;
}

/* Decides for each value whose memory it lives in. */
static void find_roots(struct planner *planner, const int *order)
{
    const struct graft_graph *const graph = planner->graph;
    for (int step = 0; step < planner->n_steps; step++) {
        const struct graft_node *const node = &graph->nodes[order[step]];
        const int output = node->outputs[0];
        const bool wanted =
            output >= 0 && node->call.out[0].dtype != GRAFT_DTYPE_NONE; /* the second may be */
        int other = -1;
        int64_t column = 0;
        if (!wanted || planner->memory->root[output] != output) /* nothing to place, or placed by a concat */
            other = -1;
        else if (node->continues >= 0)
            other = node->continues;
        else if (node->call.op == GRAFT_OP_SLICE && node->call.placed) {
            other = node->inputs[0];
            column = node->call.attributes.slice.begin[node->call.in[0].shape.rank - 1];
        } else if (node->call.op != GRAFT_OP_CONCAT && graft_memory_is_alias(graph, node))
            other = node->inputs[0];
        else if (planner->in_place && !node->once && !node->call.accumulate)
            other = dying_input(planner, node, step);
        if (other >= 0)
            merge(planner, output, other, column);
        for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++) {
            int *const first =
                node->outputs[i] >= 0 ? &planner->first[planner->memory->root[node->outputs[i]]] : NULL;
            if (first && *first < 0)
                *first = step;
        }
    }
}

static enum graft_arena arena_of(const struct planner *planner, int value)
{
    const struct graft_graph *const graph = planner->graph;
    const struct graft_value *const v = &graph->values[value];
    if (planner->chunks->inner[value])
        return GRAFT_ARENA_LANE;
    if (v->kind == GRAFT_VALUE_INPUT)
        return GRAFT_ARENA_INPUT;
    if (v->kind == GRAFT_VALUE_CONSTANT || graph->nodes[v->producer].once)
        return GRAFT_ARENA_CONSTANT;
    return v->sum ? GRAFT_ARENA_SUM : GRAFT_ARENA_ACTIVATION;
}

static uint64_t round_bytes(uint64_t bytes)
{
    return graft_round_up(bytes ? bytes : 1, ALIGNMENT);
}

static uint64_t value_bytes(const struct planner *planner, int value)
{
    return round_bytes(graft_chunks_bytes(planner->chunks, &planner->graph->values[value],
                                          planner->chunks->inner[value] ? planner->chunks->rows : 0));
}

static bool is_activation(enum graft_arena arena)
{
    return arena == GRAFT_ARENA_ACTIVATION || arena == GRAFT_ARENA_LANE;
}

/* One storage for each root that is used, one for each workspace. */
static void make_storages(struct planner *planner, const uint64_t *workspaces)
{
    const struct graft_graph *const graph = planner->graph;
    struct graft_memory *const memory = planner->memory;
    for (int v = 0; v < graph->n_values; v++) {
        const struct graft_value *const value = &graph->values[v];
        if (memory->root[v] != v || value->kind == GRAFT_VALUE_PARAMETER || value->kind == GRAFT_VALUE_STATE)
            continue;
        const bool source = value->kind == GRAFT_VALUE_INPUT || value->kind == GRAFT_VALUE_CONSTANT;
        if (source ? planner->last_use[v] < 0 && value->kind == GRAFT_VALUE_CONSTANT : planner->first[v] < 0)
            continue;
        struct graft_storage *const storage = &memory->storages[memory->n_storages];
        storage->arena = arena_of(planner, v);
        storage->bytes = value_bytes(planner, v);
        const bool lasting = storage->arena == GRAFT_ARENA_INPUT || storage->arena == GRAFT_ARENA_CONSTANT;
        storage->first = lasting ? 0 : planner->first[v];
        storage->last = lasting ? planner->n_steps : planner->last_use[v];
        if (storage->arena == GRAFT_ARENA_ACTIVATION) {
            /* Steps that run chunk by chunk are all at work until the last chunk is done. */
            if (graft_chunks_has_step(planner->chunks, storage->first))
                storage->first = planner->chunks->begin;
            if (graft_chunks_has_step(planner->chunks, storage->last))
                storage->last = planner->chunks->end - 1;
        }
        memory->storage[v] = memory->n_storages++;
    }
    for (int v = 0; v < graph->n_values; v++) {
        memory->storage[v] = memory->storage[memory->root[v]];
        if (graph->values[v].kind == GRAFT_VALUE_INTERMEDIATE && memory->storage[v] >= 0 &&
            !memory->pitch[v] && is_activation(memory->storages[memory->storage[v]].arena))
            memory->bytes_without_reuse += value_bytes(planner, v);
    }
    for (int step = 0; step < planner->n_steps; step++) {
        memory->workspace[step] = -1;
        if (workspaces[step] == 0)
            continue;
        const enum graft_arena arena =
            graft_chunks_has_step(planner->chunks, step) ? GRAFT_ARENA_LANE : GRAFT_ARENA_ACTIVATION;
        memory->storages[memory->n_storages] = (struct graft_storage){
            .bytes = round_bytes(workspaces[step]), .arena = arena, .first = step, .last = step};
        memory->bytes_without_reuse += round_bytes(workspaces[step]);
        memory->workspace[step] = memory->n_storages++;
    }
}

/* Large ones first, then in order of their beginning: the classic offline greedy placement. Sums lie as they become
 * ready, so that the front of them can be sent while the rest is computed. */
static int compare_storages(const void *a, const void *b)
{
    const struct graft_storage *const x = *(const struct graft_storage *const *)a;
    const struct graft_storage *const y = *(const struct graft_storage *const *)b;
    const bool sums = x->arena == GRAFT_ARENA_SUM && y->arena == GRAFT_ARENA_SUM;
    if (x->arena != y->arena && (x->arena == GRAFT_ARENA_SUM || y->arena == GRAFT_ARENA_SUM))
        return x->arena == GRAFT_ARENA_SUM ? -1 : 1;
    if (!sums && x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* The lowest offset in `chunk` at which the storage meets nobody in space and time. `placed` is sorted by
 * offset. */
static uint64_t lowest_gap(struct graft_storage *const *placed, int n_placed,
                           const struct graft_storage *storage, int chunk)
{
    uint64_t cursor = 0;
    for (int i = 0; i < n_placed; i++) {
        const struct graft_storage *const other = placed[i];
        if (other->arena != storage->arena || other->chunk != chunk || other->last < storage->first ||
            other->first > storage->last)
            continue;
        if (other->offset >= cursor && other->offset - cursor >= storage->bytes)
            return cursor;
        cursor = other->offset + other->bytes > cursor ? other->offset + other->bytes : cursor;
    }
    return cursor;
}

/* Puts one storage in the first chunk that has room, opening a new one if none has. */
static void place(struct graft_memory *memory, struct graft_storage **placed, int n_placed,
                  struct graft_storage *storage, uint64_t chunk_limit)
{
    const enum graft_arena arena = storage->arena;
    int chunk = 0;
    uint64_t offset = 0;
    for (; chunk < memory->n_chunks[arena]; chunk++) {
        offset = lowest_gap(placed, n_placed, storage, chunk);
        if (offset + storage->bytes <= chunk_limit)
            break;
    }
    if (chunk == memory->n_chunks[arena]) {
        offset = 0;
        memory->n_chunks[arena]++;
    }
    storage->chunk = chunk;
    storage->offset = offset;
    if (memory->chunk_bytes[arena][chunk] < offset + storage->bytes)
        memory->chunk_bytes[arena][chunk] = offset + storage->bytes;
    int at = n_placed;
    for (; at > 0 && placed[at - 1]->offset > offset; at--)
        placed[at] = placed[at - 1];
    placed[at] = storage;
}

static enum graft_status place_all(struct graft_context *context, struct graft_memory *memory,
                                   uint64_t chunk_limit)
{
    const size_t n = (size_t)memory->n_storages;
    struct graft_storage **const sorted = graft_allocate(context, n, sizeof(struct graft_storage *));
    struct graft_storage **const placed = graft_allocate(context, n, sizeof(struct graft_storage *));
    enum graft_status status = GRAFT_OK;
    for (int arena = 0; arena < GRAFT_ARENA_COUNT; arena++) {
        memory->chunk_bytes[arena] = graft_allocate(context, n + 1, sizeof(uint64_t));
        if (!memory->chunk_bytes[arena])
            status = GRAFT_ERROR_MEMORY;
    }
    if (!sorted || !placed)
        status = GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK) {
        for (size_t i = 0; i < n; i++)
            sorted[i] = &memory->storages[i];
        qsort(sorted, n, sizeof *sorted, compare_storages);
        for (size_t i = 0; i < n; i++)
            place(memory, placed, (int)i, sorted[i], chunk_limit);
    }
    graft_release(context, sorted);
    graft_release(context, placed);
    return status;
}

enum graft_status graft_memory_open(const struct graft_graph *graph, const int *order, int n_steps,
                                    const uint64_t *workspaces, const struct graft_chunks *chunks,
                                    bool in_place, uint64_t chunk_limit, struct graft_memory *memory)
{
    struct graft_context *const context = graph->context;
    const size_t n_values = (size_t)graph->n_values;
    memset(memory, 0, sizeof *memory);
    struct planner planner = {
        .graph = graph, .memory = memory, .chunks = chunks, .n_steps = n_steps, .in_place = in_place};
    planner.last_use = graft_allocate(context, n_values, sizeof(int));
    planner.first = graft_allocate(context, n_values, sizeof(int));
    memory->root = graft_allocate(context, n_values, sizeof(int));
    memory->column = graft_allocate(context, n_values, sizeof(int64_t));
    memory->pitch = graft_allocate(context, n_values, sizeof(int64_t));
    memory->storage = graft_allocate(context, n_values, sizeof(int));
    memory->workspace = graft_allocate(context, (size_t)n_steps, sizeof(int));
    memory->storages = graft_allocate(context, n_values + (size_t)n_steps, sizeof *memory->storages);
    enum graft_status status = GRAFT_ERROR_MEMORY;
    if (planner.last_use && planner.first && memory->root && memory->column && memory->pitch &&
        memory->storage && memory->workspace && memory->storages) {
        find_uses(&planner, order);
        note_pitches(&planner, order);
        place_parts(&planner, order);
        find_roots(&planner, order);
        make_storages(&planner, workspaces);
        status = place_all(context, memory, chunk_limit);
    }
    graft_release(context, planner.last_use);
    graft_release(context, planner.first);
    if (status != GRAFT_OK)
        graft_memory_close(context, memory);
    return status;
}

void graft_memory_close(struct graft_context *context, struct graft_memory *memory)
{
    graft_release(context, memory->root);
    graft_release(context, memory->column);
    graft_release(context, memory->pitch);
    graft_release(context, memory->storage);
    graft_release(context, memory->workspace);
    graft_release(context, memory->storages);
    for (int arena = 0; arena < GRAFT_ARENA_COUNT; arena++)
        graft_release(context, memory->chunk_bytes[arena]);
    memset(memory, 0, sizeof *memory);
}
