/* SPDX-License-Identifier: MIT */
/*
 * A few pictures at a time through many layers.
 *
 * Run layer by layer, a batch of activations is too large for the caches, and every layer reads and writes
 * main memory. So the first steps of the compute segment, as long as each row along dimension 0 stands for
 * itself, run chunk by chunk, and their intermediates exist for one chunk only. On a device with lanes (the
 * CPU) each thread takes a chunk of its own through all these steps, without waiting for the others. Later
 * layers, whose weights are larger than their activations, see the whole batch again.
 */
#ifndef GRAFT_SRC_GRAPH_CHUNK_H
#define GRAFT_SRC_GRAPH_CHUNK_H

#include "backend/backend.h"
#include "graph/graph.h"

struct graft_chunks {
    int begin, end; /* steps [begin, end) run chunk by chunk; begin == end: none */
    int64_t batch;  /* pictures in all: dimension 0 of a value that is in rows is a multiple of it */
    int64_t rows;   /* pictures in a chunk */
    int64_t count;  /* of chunks */
    int lanes;      /* chunks at a time, each with memory of its own; 1: one after the other */
    bool *batched;  /* for each value: a chunk reads and writes its rows only */
    bool *inner;    /* for each value: it exists for a chunk at a time */
};

/*
 * Chooses the steps and the size of a chunk, and changes the calls of these steps to it. `order`: the nodes'
 * indexes, step by step. On failure nothing has to be closed.
 */
GRAFT_MUST_CHECK enum graft_status graft_chunks_open(struct graft_graph *graph,
                                                     const struct graft_device *device, const int *order,
                                                     int n_steps, struct graft_chunks *chunks);
void graft_chunks_close(struct graft_context *context, struct graft_chunks *chunks);

static inline bool graft_chunks_has_step(const struct graft_chunks *chunks, int step)
{
    return step >= chunks->begin && step < chunks->end;
}

/* Bytes of a value, of so many pictures of it if `rows` > 0. */
uint64_t graft_chunks_bytes(const struct graft_chunks *chunks, const struct graft_value *value, int64_t rows);

#endif
