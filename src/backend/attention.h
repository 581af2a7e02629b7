/* SPDX-License-Identifier: MIT */
/* How the processors' kernels of attention cut their work: fixed by the call, so that results are too. */
#ifndef GRAFT_SRC_BACKEND_ATTENTION_H
#define GRAFT_SRC_BACKEND_ATTENTION_H

#include "base/size.h"
#include "op/op.h"

/* Images that share a bias are cut into runs with sums for dbias of their own; without dbias each image is
 * one. */
struct graft_attention_runs {
    int64_t groups, runs, images; /* of runs; runs of a group; images of a run */
};

static inline struct graft_attention_runs graft_attention_runs_of(const struct graft_attention_layout *l,
                                                                  bool biased)
{
    enum { ITEMS = 128, MOST_SUMS = 1 << 24 }; /* heads of runs; floats of all sums */
    const int64_t groups = biased ? l->biases : 1, images = l->images / groups;
    const int64_t heads = graft_max_i64(groups * l->heads, 1);
    const int64_t most = graft_min_i64(graft_ceil_div(ITEMS, heads),
                                       MOST_SUMS / graft_max_i64(heads * l->queries * l->keys, 1));
    struct graft_attention_runs cut = {.groups = groups};
    cut.images = biased ? graft_ceil_div(images, graft_max_i64(most, 1)) : 1;
    cut.images = graft_max_i64(cut.images, 1);
    cut.runs = graft_ceil_div(images, cut.images);
    return cut;
}

/* Rows that are taken together: 49 are seven times seven. Few rows are not worth a program of their own. */
static inline int graft_attention_height(int64_t rows)
{
    return rows > 40 && graft_ceil_div(rows, 7) * 7 < graft_ceil_div(rows, 8) * 8 ? 7 : 8;
}

#endif
