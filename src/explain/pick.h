/* SPDX-License-Identifier: MIT */
/* Some channels of a layer, at the price of these. */
#ifndef GRAFT_SRC_EXPLAIN_PICK_H
#define GRAFT_SRC_EXPLAIN_PICK_H

#include "graft/graph.h"

/* [n, …, c] → the mean over all but the first and last dimension: [n, c] */
int graft_mean_of_places(struct graft_graph *graph, int map);
/*
 * Means over places of `count` channels of a map [n, h, w, c] or of tokens [n, t, c]: [n, count]. Where the map is a
 * convolution, with poolings and functions of single channels behind it, only those of its filters are
 * computed. -1 with the graph's status after a failure.
 */
int graft_pick_means(struct graft_graph *graph, int map, const int32_t *channels, int64_t count);

#endif
