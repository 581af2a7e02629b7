/* SPDX-License-Identifier: MIT */
/* Where the values of a planned graph live: aliases, lifetimes, offsets. Knows sizes only, no device. */
#ifndef GRAFT_SRC_GRAPH_MEMORY_H
#define GRAFT_SRC_GRAPH_MEMORY_H

#include "graph/chunk.h"
#include "graph/graph.h"

/* LANE: activations of a chunk; each lane has such an arena. */
enum graft_arena {
    GRAFT_ARENA_INPUT,
    GRAFT_ARENA_CONSTANT,
    GRAFT_ARENA_ACTIVATION,
    GRAFT_ARENA_SUM, /* values that are summed over runs */
    GRAFT_ARENA_LANE,
    GRAFT_ARENA_COUNT
};

/* A piece of memory and the steps [first, last] in which it is in use. */
struct graft_storage {
    uint64_t bytes; /* a multiple of 64, ≥ 64 */
    int first;
    int last;
    enum graft_arena arena;
    int chunk;       /* of the arena: see graft_memory.chunk_bytes */
    uint64_t offset; /* in the chunk */
};

struct graft_memory {
    int *root;       /* for each value: the value whose memory it shares (itself, if its own) */
    int64_t *column; /* for each value: where its first row begins in the root's, in elements */
    int64_t *pitch;  /* for each value: elements from row to row; 0: its rows lie one behind the other */
    int *storage;    /* for each value: index of the root's storage; -1: a variable, or not planned */
    int *workspace;  /* for each step: index of its workspace's storage; -1 */
    struct graft_storage *storages;
    int n_storages;
    uint64_t *chunk_bytes[GRAFT_ARENA_COUNT];
    int n_chunks[GRAFT_ARENA_COUNT];
    uint64_t bytes_without_reuse;
};

/*
 * `order`: indexes of the nodes to run, step by step; `workspaces`: bytes for each step; `chunks`: steps that
 * run chunk by chunk. `in_place`: let
 * outputs take over the memory of inputs that die. `chunk_limit`: the largest single allocation; a value that
 * is larger is put in a chunk of its own (the device then refuses it with a message). On failure nothing has
 * to be closed.
 */
GRAFT_MUST_CHECK enum graft_status graft_memory_open(const struct graft_graph *graph, const int *order,
                                                     int n_steps, const uint64_t *workspaces,
                                                     const struct graft_chunks *chunks, bool in_place,
                                                     uint64_t chunk_limit, struct graft_memory *memory);
void graft_memory_close(struct graft_context *context, struct graft_memory *memory);

/* A reshape that is an alias, a concat or slice of which everything lies in its place: they need no kernel.
 */
bool graft_memory_is_alias(const struct graft_graph *graph, const struct graft_node *node);

#endif
