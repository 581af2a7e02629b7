/* SPDX-License-Identifier: MIT */
/* Inside of variables: what plans need. */
#ifndef GRAFT_SRC_GRAPH_VARIABLES_H
#define GRAFT_SRC_GRAPH_VARIABLES_H

#include "backend/backend.h"
#include "graft/graph.h"

struct graft_variable {
    char *name;
    uint64_t hash;
    struct graft_desc desc;
    enum graft_value_kind kind;
    struct graft_tensor tensor;
};

struct graft_variables_arena {
    struct graft_buffer *buffer;
    uint64_t bytes;
};

struct graft_variables {
    struct graft_device *device;
    struct graft_variable *entries;
    int count;
    int capacity;
    struct graft_variables_arena *arenas;
    int n_arenas;
    int arena_capacity;
    uint64_t version; /* counts changes, so that plans know when packed weights are stale */
};

/* NULL if there is none of that name. */
const struct graft_variable *graft_variables_find(const struct graft_variables *variables, const char *name);
/* Bytes that a variable takes in its arena. */
uint64_t graft_variables_size(const struct graft_desc *desc);

#endif
