/* SPDX-License-Identifier: MIT */
/* Inside of graphs: values, nodes, and what passes do with them. */
#ifndef GRAFT_SRC_GRAPH_GRAPH_H
#define GRAFT_SRC_GRAPH_GRAPH_H

#include "graft/graph.h"
#include "op/op.h"

struct graft_value {
    char *name; /* NULL for intermediates */
    enum graft_value_kind kind;
    struct graft_desc desc;
    int producer; /* node, -1 */
    int layer;    /* of the producer; -1 */
    double initial;
    void *data; /* constants: in the value's dtype */
    bool output;
    bool sum; /* its memory lasts, and its node adds to it in every run: see graft_graph_sum */
};

struct graft_node {
    struct graft_call call;
    int inputs[GRAFT_MAX_INPUTS];   /* value ids, -1 absent */
    int outputs[GRAFT_MAX_OUTPUTS]; /* value ids, -1 beyond the op's */
    int layer;                      /* index of a name, -1 */
    enum graft_segment segment;
    int continues; /* the value whose memory output 0 adds to (call.accumulate bit 0), -1 */
    int64_t row;   /* updates: the first of the rows of what they change, which are fewer than the variable's */
    bool dead;     /* taken out by a pass */
    bool once;     /* depends on nothing that changes from run to run: run when variables have changed */
};

/* Where names are, by their hashes: 1 + an index, 0: free. */
struct graft_name_table {
    int *places;
    int size; /* a power of 2, at least twice as many as are taken; 0: none yet */
    int count;
};

struct graft_graph {
    struct graft_emitter emitter; /* first: gradient rules get a pointer to it */
    struct graft_context *context;
    enum graft_dtype real;
    enum graft_status status;
    struct graft_value *values;
    int n_values;
    int value_capacity;
    struct graft_node *nodes;
    int n_nodes;
    int node_capacity;
    char **layers;
    int n_layers;
    int layer_capacity;
    struct graft_name_table value_names; /* but constants' */
    struct graft_name_table layer_names;
    int layer; /* of nodes added now; -1 */
    enum graft_segment segment;
};

/* Adds a node; see struct graft_emitter.apply. */
int graft_graph_apply(struct graft_graph *graph, enum graft_op op, const union graft_attributes *attributes,
                      const int *inputs, int n_inputs, int outputs[GRAFT_MAX_OUTPUTS]);
/* Adds a node as it is: for passes. False after a failure. */
bool graft_graph_append(struct graft_graph *graph, const struct graft_node *node);
/* The last node gets number `at`, those from there on go up by one. */
void graft_graph_move_last(struct graft_graph *graph, int at);
/* Adds a slice: some rows of a value; -1 after a failure. */
int graft_graph_rows(struct graft_graph *graph, int value, const struct graft_rows *rows);
/* Remembers the first failure; always -1. */
int graft_graph_fail(struct graft_graph *graph, enum graft_status status);
/* Adds an unnamed intermediate; -1 after a failure. For passes. */
int graft_graph_add_value(struct graft_graph *graph, const struct graft_desc *desc, int producer);
/* The value is no output any more: what only served it is not planned. */
void graft_graph_not_output(struct graft_graph *graph, int value);

GRAFT_MUST_CHECK enum graft_status graft_graph_copy(const struct graft_graph *graph,
                                                    struct graft_graph **copy);

/* How often each value is read by living nodes; graph outputs count as one more. [n_values], the caller's to
 * release; NULL: there is no memory, and graph->status says so. */
GRAFT_MUST_CHECK int *graft_graph_uses(struct graft_graph *graph);

/*
 * Passes, in the order in which the plan applies them. Each keeps what the graph computes.
 *
 * prune: nodes that serve no output and change no variable become dead; outputs nobody reads become unwanted. Readers
 * stand behind what they read, as they do until fold_batch_norm.
 * narrow: where one slice is all that reads a value, what makes it makes only that. `of` (-1: none) and `kept` stay as
 * they are, whoever reads them, as graph outputs do. Before differentiation too: so the gradients of rows that nobody
 * reads, which are zeros, are not computed. True if anything moved. Readers stand behind what they read, before and afterwards.
 * slope: the gradient of an activation behind a batch normalization moves into the normalization's gradients.
 * fold_batch_norm: conv2d → batch_norm with constant statistics becomes one conv2d with folded weights.
 * fuse: an addition (of a value of the same shape) and an activation move into the node before them.
 * hoist: nodes that depend on unchanging values only get `once`.
 * join: pad(a) + pad(b) + … that fill each other's gaps become concat(a, b, …): so does the gradient of slices.
 * accumulate: y = a + b becomes "b's node adds to a's memory" where its op can; a sum over runs takes what
 * its node adds straight from the op that makes it, where that op can.
 * pieces: an update whose gradient is made of little and has more than `bytes` is done so many at a time.
 */
void graft_pass_prune(struct graft_graph *graph);
bool graft_pass_narrow(struct graft_graph *graph, int of, const int *kept, int count);
void graft_pass_slope(struct graft_graph *graph);
void graft_pass_fold_batch_norm(struct graft_graph *graph);
void graft_pass_fuse(struct graft_graph *graph);
void graft_pass_hoist(struct graft_graph *graph);
void graft_pass_join(struct graft_graph *graph);
void graft_pass_accumulate(struct graft_graph *graph);
void graft_pass_pieces(struct graft_graph *graph, uint64_t bytes);

/* True for values that no living node changes: constants, unmutated variables, results of `once` nodes.
 * `constant` has n_values entries. */
void graft_graph_mark_constant(const struct graft_graph *graph, bool *constant);

#endif
