/* SPDX-License-Identifier: MIT */
/* Inside of plans: steps and where their tensors are. */
#ifndef GRAFT_SRC_GRAPH_PLAN_H
#define GRAFT_SRC_GRAPH_PLAN_H

#include "backend/backend.h"
#include "graph/graph.h"
#include "graph/memory.h"
#include "graph/variables.h"

#define GRAFT_CALL_TEXT 1024 /* bytes of a call as text */

struct graft_plan_step {
    struct graft_node *node; /* of the plan's own graph */
    int variant;
    struct graft_variant_info info;
    struct graft_kernel *kernel; /* NULL: an alias, nothing to run */
    struct graft_tensor in[GRAFT_MAX_INPUTS];
    struct graft_tensor out[GRAFT_MAX_OUTPUTS];
    struct graft_tensor workspace;
    char *text;
    char *key;  /* of the call of the whole batch: what a measurement is kept under */
    bool tuned; /* the variant is a measured choice */
    double seconds;
};

/* What a lane notes while it runs. */
struct graft_lane {
    enum graft_status status;
    double *seconds; /* for each step, of profiled runs */
};

struct graft_plan {
    struct graft_context *context;
    struct graft_device *device;
    struct graft_variables *variables;
    struct graft_plan_options options;
    char *variants;            /* copy of options.variants */
    struct graft_graph *graph; /* after the passes */
    int n_graph_values;        /* ids that the caller's graph has */
    struct graft_plan_step *steps;
    int n_steps;
    struct graft_chunks chunks;
    struct graft_lane *lanes; /* [chunks.lanes] */
    struct graft_memory memory;
    struct graft_buffer *
        *buffers[GRAFT_ARENA_COUNT]; /* by chunk of memory; of the lanes' arena by lane first */
    struct graft_plan_memory books;
    bool acquired;    /* buffers and kernels are there */
    uint64_t version; /* of the variables when weights were packed last; 0: never */
    uint64_t lost;    /* of the device at that time */
    uint64_t *ready;  /* [n_steps]: bytes of the sums, from their front on, that are final behind a step; NULL: no sums */
    bool mutates[2];  /* the segment changes variables */
    void *numbers;    /* host memory for check_numbers */
    uint64_t numbers_bytes;
};

/* Fills the books once steps and places are known. */
void graft_plan_count(struct graft_plan *plan);

/* ---- for those who look for a batch that fits */
/* Bytes that graft_plan_acquire would take: own memory and variables that are not there yet. */
uint64_t graft_plan_need(const struct graft_plan *plan);
/* Bytes that it may take, `reserve` being left over. */
uint64_t graft_plan_room(const struct graft_plan *plan, uint64_t reserve);
/* Would graft_plan_acquire find room, with `reserve` bytes left over? */
bool graft_plan_fits(const struct graft_plan *plan, uint64_t reserve);
/* GRAFT_ERROR_MEMORY with figures: what is needed, what there is, the largest parts. `advice`: what to do. */
enum graft_status graft_plan_refuse(const struct graft_plan *plan, uint64_t reserve, const char *advice);

/* Where a value lives now; buffer NULL if it is not planned. */
struct graft_tensor graft_plan_tensor(const struct graft_plan *plan, int value);

/* As graft_plan_write, of rows (along the first dimension) that do not lie one behind the other. */
GRAFT_MUST_CHECK enum graft_status graft_plan_write_rows(struct graft_plan *plan, int value,
                                                         const void *const *rows, int64_t count);

/* As graft_plan_read, but `data` is filled when the ticket is waited for: see the backend's buffer_fetch. */
GRAFT_MUST_CHECK enum graft_status graft_plan_fetch(struct graft_plan *plan, int value, void *data,
                                                    uint64_t bytes, uint64_t *ticket);

/* Chunks of memory of an arena, those of all lanes counted. */
int graft_plan_buffer_count(const struct graft_plan *plan, int arena);

/* ---- run_sums.c: the values of graft_graph_sum as one range of bytes, in the order in which a run finishes them */
GRAFT_MUST_CHECK enum graft_status graft_plan_order_sums(struct graft_plan *plan);
uint64_t graft_plan_sum_bytes(const struct graft_plan *plan);
/* A number for which value lies where in it. */
uint64_t graft_plan_sum_layout(const struct graft_plan *plan);
/* As the backend's buffer_fetch and buffer_write, of a part of it. */
GRAFT_MUST_CHECK enum graft_status graft_plan_fetch_sums(struct graft_plan *plan, uint64_t begin, void *to,
                                                         uint64_t bytes, uint64_t *ticket);
GRAFT_MUST_CHECK enum graft_status graft_plan_write_sums(struct graft_plan *plan, uint64_t begin, const void *from,
                                                         uint64_t bytes);
/* Who is told of a run as it goes on. */
struct graft_plan_watcher {
    /* A step has been queued that makes more of the sums final: `bytes` from the front on. */
    enum graft_status (*ready)(void *user, uint64_t bytes);
    enum graft_status (*made)(void *user, int step); /* NULL, or of every step before the next one is queued */
    void *user;
    uint64_t told;
};
/* As graft_plan_run, of the compute segment. */
GRAFT_MUST_CHECK enum graft_status graft_plan_run_sums(struct graft_plan *plan, struct graft_plan_watcher watcher);

/* Runs a step with its tensors as they are planned, or with other ones. */
enum graft_status graft_plan_run_step(struct graft_plan *plan, const struct graft_plan_step *step);
/* Runs the steps of plan->chunks; `profile`: and notes their seconds. */
enum graft_status graft_plan_run_chunks(struct graft_plan *plan, bool profile);
/* Runs one of them for all chunks. */
enum graft_status graft_plan_run_chunked_step(struct graft_plan *plan, int s);
/* Where a value of a chunk is, from where its step has it: that of chunk 0 in lane 0. */
struct graft_tensor graft_plan_chunk_tensor(const struct graft_plan *plan, int value,
                                            struct graft_tensor tensor, int64_t chunk, int lane);

/* ---- run_time.c */
/* Seconds of a step (of all chunks, if it runs in chunks) by graft_measure. It runs many times, and changes
 * what it changes; the plan must have run once. */
GRAFT_MUST_CHECK enum graft_status graft_plan_time_step(struct graft_plan *plan, int s, double *seconds);
/* The least that the limits allow it, with a variant of that `saving` (graft_variant_info). */
double graft_plan_least_seconds(const struct graft_plan *plan, int s,
                                const struct graft_device_limits *limits, double saving);

/* The name forced for an op by options.variants, into `name`; false if none is. */
bool graft_plan_forced_variant(const char *variants, const char *op, char *name, size_t size);

#endif
