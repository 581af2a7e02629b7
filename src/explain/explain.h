/* SPDX-License-Identifier: MIT */
/* Inside of an explainer: explain.c opens and runs it, heat.c makes maps of what came out. */
#ifndef GRAFT_SRC_EXPLAIN_EXPLAIN_H
#define GRAFT_SRC_EXPLAIN_EXPLAIN_H

#include "graft/explain.h"

/* What stands for a feature map: places in rows, `channels` numbers each; before them `skip` that are none.
 */
struct graft_explain_grid {
    int64_t skip; /* a class token: 0 or 1 */
    int32_t height, width;
    int64_t channels;
};

/* Of a value's shape, [n, h, w, c] or [n, tokens, c]. False: it is no map. */
bool graft_explain_grid_of(const struct graft_shape *shape, struct graft_explain_grid *grid);

/* GRADCAM, GRADCAM_PLUS, LAYERCAM: features and their gradient of one picture → map [height, width].
 * `weights`: room for [channels]. */
void graft_heat_of_features(enum graft_explain_method method, const struct graft_explain_grid *grid,
                            const float *features, const float *gradient, double *weights, float *map);
/* The largest value of a map. */
float graft_heat_largest(const float *map, int64_t count);
/* map [height, width] × factor → pixels [to_height, to_width], bilinear between the middles of places, as
 * PyTorch's interpolate without align_corners. */
void graft_heat_enlarge(const float *map, int32_t height, int32_t width, float factor, int32_t to_height,
                        int32_t to_width, float *pixels);

#endif
