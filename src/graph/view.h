/* SPDX-License-Identifier: MIT */
/*
 * Concatenations and slices of the last dimension (of channels) without copies.
 *
 * The output of a concatenation is one matrix, and its inputs are columns of it: where the kernel that makes
 * an input can write rows that lie apart, and all that read it can read them, the input lives in its place
 * from the start. So does a slice in what it is cut from. Each kernel says what it can do (pitched_inputs and
 * pitched_outputs of graft_variant_info); where one cannot, the copy stays.
 */
#ifndef GRAFT_SRC_GRAPH_VIEW_H
#define GRAFT_SRC_GRAPH_VIEW_H

#include "graph/plan.h"

/*
 * Sets `placed` and the pitches of the steps' calls; what lies in a value that outlives a chunk (chunk.h)
 * does so, too. The variants are chosen and stay; their info becomes that of the call with its pitches.
 */
GRAFT_MUST_CHECK enum graft_status graft_views_make(struct graft_plan *plan);

#endif
