/* SPDX-License-Identifier: MIT */
/* Calls of real sizes that no network makes: the edges. */
#ifndef GRAFT_TESTS_OP_REAL_EDGES_H
#define GRAFT_TESTS_OP_REAL_EDGES_H

#include "real.h"

/* A convolution in either direction: x [n, h, w, c], filters [o, k, k, c / groups]. */
struct graft_edge_conv {
    int64_t n, h, w, c, o;
    int32_t k, stride, pad, groups;
};

/* Each sets op, attributes and inputs of `call`; graft_edge_add infers the rest. */
void graft_edge_conv(struct graft_call *call, enum graft_op op, const struct graft_edge_conv *conv);
/* a [batches, m, k]·b [batches or none, k, n]; 0 batches: matrices. */
void graft_edge_matmul(struct graft_call *call, int64_t batches, int64_t m, int64_t n, int64_t k,
                       const char *turned, bool shared);
/* The op on a tensor [n, h, w, c]. False: it has no such form. */
bool graft_edge_plain(struct graft_call *call, enum graft_op op, const int64_t x[4]);

/* False: out of memory, or the call is refused, which the context's error tells. */
bool graft_edge_add(struct graft_reals *reals, struct graft_context *context, struct graft_call *call,
                    enum graft_real_place place);

/* real_thresholds.c: both sides of each threshold of src/backend. */
bool graft_edge_add_thresholds(struct graft_reals *reals, struct graft_context *context);
/* Bit i: the call lies above threshold i. */
uint64_t graft_edge_sides(const struct graft_call *call);
/* What has not both sides among the calls; NULL: nothing. For the coverage test. */
const char *graft_edge_missing(const struct graft_reals *reals, char *text, size_t size);
/* How many thresholds there are. */
int graft_edge_threshold_count(void);

#endif
