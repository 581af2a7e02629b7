/* SPDX-License-Identifier: MIT */
/* The order in which the nodes of a planned graph run. */
#ifndef GRAFT_SRC_GRAPH_ORDER_H
#define GRAFT_SRC_GRAPH_ORDER_H

#include "graph/graph.h"

/*
 * Steps: what is run once, then the compute segment, then the update segment; within each the graph's order,
 * except that nodes of the compute segment run at its end if nobody in it reads what they make and that is
 * larger than what they read: gradients of large weights come when the activations before them are gone.
 * Fills `order` (room for n_nodes) with the living nodes' indexes and sets `n_steps`.
 */
GRAFT_MUST_CHECK enum graft_status graft_order_steps(const struct graft_graph *graph, int *order,
                                                     int *n_steps);

#endif
