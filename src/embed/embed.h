/* SPDX-License-Identifier: MIT */
/* Inside of embeddings. */
#ifndef GRAFT_SRC_EMBED_EMBED_H
#define GRAFT_SRC_EMBED_EMBED_H

#include "graft/embed.h"

/*
 * Products of rows, a block at a time, on the device: all similarities are handed out in blocks. `values`:
 * [rows, columns] with `stride` numbers from row to row; of the block that begins at query `first_row` and
 * embedded picture `first_column`. Blocks of one query come one after the other, from the first column on.
 */
typedef void graft_products_function(void *user, const float *values, int64_t stride, int64_t first_row,
                                     int64_t rows, int64_t first_column, int64_t columns);
GRAFT_MUST_CHECK enum graft_status graft_embed_products(struct graft_device *device,
                                                        const struct graft_embedding *embedding,
                                                        const float *queries, int64_t count,
                                                        graft_products_function *function, void *user);

/* A tree of quarters over points on a plane, for sums over all of them (Barnes and Hut 1986). */
struct graft_quadtree_cell {
    double x, y, side;     /* the middle, and the length of a side */
    double mass_x, mass_y; /* centre of mass */
    int64_t count;         /* points in it */
    int32_t first;         /* of its four parts; −1: it has none */
};

struct graft_quadtree {
    struct graft_quadtree_cell *cells;
    int32_t count, capacity;
    int32_t *leaf; /* [points] the cell without parts that a point is in */
};

GRAFT_MUST_CHECK enum graft_status graft_quadtree_open(struct graft_context *context, int64_t points,
                                                       struct graft_quadtree *tree);
void graft_quadtree_close(struct graft_context *context, struct graft_quadtree *tree);
/* Of points [count, 2]. GRAFT_ERROR_MEMORY. */
GRAFT_MUST_CHECK enum graft_status graft_quadtree_fill(struct graft_context *context,
                                                       struct graft_quadtree *tree, const double *points,
                                                       int64_t count);
/* Σ over the other points j of w² (y_i − y_j) into `force` and Σ w, w = 1 / (1 + |y_i − y_j|²), cells that
 * look smaller than theta taken as one point. */
double graft_quadtree_repel(const struct graft_quadtree *tree, const double *points, int64_t i, double theta,
                            double force[2]);

/* How near the neighbours of a point are, as probabilities whose entropy is log(perplexity): distances [k],
 * squared, → p [k]. */
void graft_tsne_probabilities(const double *distances, int64_t k, double perplexity, double *p);

#endif
