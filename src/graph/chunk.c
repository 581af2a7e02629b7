/* SPDX-License-Identifier: MIT */
#include "graph/chunk.h"

#include "base/context.h"
#include "base/pool.h"
#include "base/size.h"
#include "graph/memory.h"

#include <string.h>

uint64_t graft_chunks_bytes(const struct graft_chunks *chunks, const struct graft_value *value, int64_t rows)
{
    const uint64_t bytes = graft_desc_bytes(&value->desc);
    return rows > 0 ? bytes / (uint64_t)chunks->batch * (uint64_t)rows : bytes;
}

struct chooser {
    struct graft_graph *graph;
    const int *order;
    int n_steps;
    bool *constant; /* for each value: packed once, not chunk by chunk */
    struct graft_chunks *chunks;
};

static struct graft_node *node_at(const struct chooser *chooser, int step)
{
    return &chooser->graph->nodes[chooser->order[step]];
}

static bool is_batched(const struct chooser *chooser, int value)
{
    return value >= 0 && chooser->chunks->batched[value];
}

static uint32_t batched_inputs(const struct chooser *chooser, const struct graft_node *node)
{
    uint32_t mask = 0;
    for (int i = 0; i < node->call.n_inputs; i++)
        mask |= (uint32_t)is_batched(chooser, node->inputs[i]) << i;
    return mask;
}

/* Made once, with the same rows for all pictures: a chunk takes the first of them. */
static bool is_same_for_all(const struct chooser *chooser, int value)
{
    const int producer = value >= 0 ? chooser->graph->values[value].producer : -1;
    const struct graft_node *const node = producer >= 0 ? &chooser->graph->nodes[producer] : NULL;
    if (!node || !node->once || !graft_op_get(node->call.op)->separate)
        return false;
    struct graft_call call = node->call;
    return graft_op_get(call.op)->separate(&call, 0, 1);
}

/* Rows of a picture: all inputs of the mask have as many. 0: there is no such number. */
static int64_t rows_each(const struct chooser *chooser, const struct graft_call *call, uint32_t batched)
{
    const int64_t batch = chooser->chunks->batch;
    int64_t rows = 0;
    for (int i = 0; i < call->n_inputs; i++)
        if (batched >> i & 1u) {
            if (rows > 0 && call->in[i].shape.dim[0] != rows)
                return 0;
            rows = call->in[i].shape.dim[0];
        }
    return rows % batch == 0 ? rows / batch : 0;
}

/* The node's call for so many pictures; false if their rows do not stand for themselves. */
static bool separate(const struct chooser *chooser, const struct graft_node *node, int64_t pictures,
                     struct graft_call *call)
{
    const struct graft_op_def *const def = graft_op_get(node->call.op);
    const int64_t batch = chooser->chunks->batch;
    uint32_t batched = batched_inputs(chooser, node);
    *call = node->call;
    for (int i = 0; i < call->n_inputs && batched != 0; i++)
        batched |= (uint32_t)(node->inputs[i] >= 0 && call->in[i].shape.rank == call->out[0].shape.rank &&
                              call->in[i].shape.dim[0] == call->out[0].shape.dim[0] &&
                              is_same_for_all(chooser, node->inputs[i]))
                   << i;
    const int64_t each = rows_each(chooser, call, batched);
    if (each == 0 || !def->separate || !def->separate(call, batched, each * pictures) ||
        (node->continues >= 0 && !is_batched(chooser, node->continues)))
        return false;
    for (int i = 0; i < call->n_inputs; i++)
        if (batched >> i & 1u)
            call->in[i].shape.dim[0] = each * pictures;
        else if (node->inputs[i] >= 0 && !chooser->constant[node->inputs[i]])
            return false;
    for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++) {
        struct graft_shape *const shape = &call->out[i].shape;
        if (call->out[i].dtype == GRAFT_DTYPE_NONE)
            continue;
        if (shape->rank < 1 || shape->dim[0] < batch || shape->dim[0] % batch != 0 ||
            (node->outputs[i] >= 0 && chooser->graph->values[node->outputs[i]].sum))
            return false;
        shape->dim[0] = shape->dim[0] / batch * pictures;
    }
    return true;
}

/* The first of the compute segment's steps, and the rows of the batch: those of the input that it reads. */
static bool find_begin(struct chooser *chooser)
{
    struct graft_chunks *const chunks = chooser->chunks;
    int step = 0;
    while (step < chooser->n_steps &&
           (node_at(chooser, step)->once || node_at(chooser, step)->segment != GRAFT_SEGMENT_COMPUTE))
        step++;
    chunks->begin = chunks->end = step;
    if (step == chooser->n_steps || node_at(chooser, step)->inputs[0] < 0)
        return false;
    const struct graft_graph *const graph = chooser->graph;
    const struct graft_value *const first = &graph->values[node_at(chooser, step)->inputs[0]];
    if (first->kind != GRAFT_VALUE_INPUT || first->desc.shape.rank < 2)
        return false;
    chunks->batch = first->desc.shape.dim[0];
    for (int v = 0; v < graph->n_values; v++) {
        const struct graft_value *const value = &graph->values[v];
        chunks->batched[v] = value->kind == GRAFT_VALUE_INPUT && value->desc.shape.rank >= 2 &&
                             value->desc.shape.dim[0] == chunks->batch;
    }
    return chunks->batch > 1;
}

/* Goes on as long as rows stand for themselves; marks what is made. */
static void find_end(struct chooser *chooser)
{
    struct graft_chunks *const chunks = chooser->chunks;
    for (; chunks->end < chooser->n_steps; chunks->end++) {
        struct graft_node *const node = node_at(chooser, chunks->end);
        struct graft_call call;
        if (node->segment != GRAFT_SEGMENT_COMPUTE || !separate(chooser, node, 1, &call))
            break;
        for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++)
            if (node->outputs[i] >= 0)
                chunks->batched[node->outputs[i]] = true;
    }
}

/* Bytes of a step's weights, and of its activations in one row. */
static void traffic(const struct chooser *chooser, int step, double *weights, double *activations)
{
    const struct graft_node *const node = node_at(chooser, step);
    const struct graft_graph *const graph = chooser->graph;
    *weights = *activations = 0;
    if (graft_memory_is_alias(graph, node))
        return;
    for (int i = 0; i < node->call.n_inputs + GRAFT_MAX_OUTPUTS; i++) {
        const int value = i < node->call.n_inputs ? node->inputs[i] : node->outputs[i - node->call.n_inputs];
        if (value < 0)
            continue;
        if (is_batched(chooser, value))
            *activations += (double)graft_chunks_bytes(chooser->chunks, &graph->values[value], 1);
        else
            *weights += (double)graft_chunks_bytes(chooser->chunks, &graph->values[value], 0);
    }
}

/* In the time that it takes to start a kernel on all units and to wait for the last one, some 20 µs, a
 * processor moves about this part of its last cache. */
#define LAUNCH_PART 128

/* Of the cache, for the activations of a step: of chunks side by side each has a part. */
static double cache_share(const struct graft_device *device, int lanes)
{
    return (double)device->cache_bytes / (device->lanes ? 4.0 * lanes : 2.0);
}

/*
 * Where the whole batch is better again. Chunked steps read their weights once for each chunk, the others
 * move their activations through memory once: the cut is where the sum of both is least.
 */
static void choose_end(struct chooser *chooser, const struct graft_device *device)
{
    struct graft_chunks *const chunks = chooser->chunks;
    double best = 0;
    double sum = 0; /* chunked up to here, against nothing chunked */
    int end = chunks->begin;
    for (int step = chunks->begin; step < chunks->end; step++) {
        double weights, activations;
        traffic(chooser, step, &weights, &activations);
        double saved = activations * (double)chunks->batch;
        if (!device->lanes) { /* a step is work for all units, and the caches hold what it has just made */
            weights += (double)device->cache_bytes / LAUNCH_PART;
            saved = saved > cache_share(device, 1) ? saved : 0;
        }
        sum += weights * (double)(chunks->count - 1) - saved;
        if (sum < best) {
            best = sum;
            end = step + 1;
        }
    }
    chunks->end = end;
}

/* As many rows as keep a step's activations in the lane's share of the cache, one at least; all lanes get
 * some. */
static void choose_rows(struct chooser *chooser, const struct graft_device *device)
{
    struct graft_chunks *const chunks = chooser->chunks;
    chunks->lanes = device->lanes ? graft_pool_threads(device->lanes) : 1;
    double most = 1;
    for (int step = chunks->begin; step < chunks->end; step++) {
        double weights, activations;
        traffic(chooser, step, &weights, &activations);
        most = activations > most ? activations : most;
    }
    const int64_t fitting = (int64_t)(cache_share(device, chunks->lanes) / most);
    int64_t rows = graft_max_i64(graft_min_i64(fitting, chunks->batch / chunks->lanes), 1);
    while (chunks->batch % rows)
        rows--;
    chunks->rows = rows;
    chunks->count = chunks->batch / rows;
}

/* Intermediates that nobody outside sees exist for a chunk only; what shares memory is of one kind. */
static void mark_inner(struct chooser *chooser)
{
    const struct graft_graph *const graph = chooser->graph;
    struct graft_chunks *const chunks = chooser->chunks;
    for (int step = chunks->begin; step < chunks->end; step++)
        for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++) {
            const int value = node_at(chooser, step)->outputs[i];
            if (value >= 0)
                chunks->inner[value] = !graph->values[value].output;
        }
    for (int step = chunks->end; step < chooser->n_steps; step++) {
        const struct graft_node *const node = node_at(chooser, step);
        for (int i = 0; i < node->call.n_inputs; i++)
            if (node->inputs[i] >= 0)
                chunks->inner[node->inputs[i]] = false;
        if (node->continues >= 0)
            chunks->inner[node->continues] = false;
    }
    for (bool changed = true; changed;) {
        changed = false;
        for (int step = chunks->begin; step < chunks->end; step++) {
            const struct graft_node *const node = node_at(chooser, step);
            const int from = graft_memory_is_alias(graph, node) ? node->inputs[0] : node->continues;
            const int to = node->outputs[0];
            if (from < 0 || to < 0 || chunks->inner[from] == chunks->inner[to])
                continue;
            chunks->inner[from] = chunks->inner[to] = false;
            changed = true;
        }
    }
}

enum graft_status graft_chunks_open(struct graft_graph *graph, const struct graft_device *device,
                                    const int *order, int n_steps, struct graft_chunks *chunks)
{
    memset(chunks, 0, sizeof *chunks);
    chunks->lanes = 1;
    chunks->batched = graft_allocate(graph->context, (size_t)graph->n_values + 1, sizeof *chunks->batched);
    chunks->inner = graft_allocate(graph->context, (size_t)graph->n_values + 1, sizeof *chunks->inner);
    bool *const constant = graft_allocate(graph->context, (size_t)graph->n_values + 1, sizeof *constant);
    if (!chunks->batched || !chunks->inner || !constant) {
        graft_release(graph->context, constant);
        graft_chunks_close(graph->context, chunks);
        return GRAFT_ERROR_MEMORY;
    }
    graft_graph_mark_constant(graph, constant);
    struct chooser chooser = {graph, order, n_steps, constant, chunks};
    if (device->cache_bytes > 0 && find_begin(&chooser)) {
        find_end(&chooser);
        choose_rows(&chooser, device);
        choose_end(&chooser, device);
    }
    if (chunks->count < 2 || chunks->count < chunks->lanes)
        chunks->end = chunks->begin;
    if (chunks->end == chunks->begin)
        chunks->lanes = 1;
    for (int step = chunks->begin; step < chunks->end; step++) {
        struct graft_call call;
        if (separate(&chooser, node_at(&chooser, step), chunks->rows, &call))
            node_at(&chooser, step)->call = call;
    }
    mark_inner(&chooser);
    graft_release(graph->context, constant);
    return GRAFT_OK;
}

void graft_chunks_close(struct graft_context *context, struct graft_chunks *chunks)
{
    graft_release(context, chunks->batched);
    graft_release(context, chunks->inner);
    memset(chunks, 0, sizeof *chunks);
}
