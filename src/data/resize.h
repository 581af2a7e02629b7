/* SPDX-License-Identifier: MIT */
/* Resizing of which only a window is computed. */
#ifndef GRAFT_SRC_DATA_RESIZE_H
#define GRAFT_SRC_DATA_RESIZE_H

#include "data/decode.h"

/* The part [y, y + rows) × [x, x + columns) of the picture resized to width × height. */
struct graft_window {
    int32_t width;
    int32_t height;
    int32_t x;
    int32_t y;
    int32_t columns;
    int32_t rows;
};

/*
 * Writes the window to `result`, row y at result + y × stride; the channels are the view's. The window must
 * lie inside the resized picture. The pixels are those of a whole resize followed by a crop. False: no
 * memory.
 */
bool graft_resize_view(struct graft_scratch *scratch, const struct graft_view *view, enum graft_filter filter,
                       const struct graft_window *window, uint8_t *result, size_t stride);

/*
 * One axis by itself, from `in` to `out` pixels: output `at` is the sum of weights[k] × input[*from + k], k < the result,
 * which is at most graft_resize_most. Weights have GRAFT_RESIZE_BITS fractional bits.
 */
int32_t graft_resize_most(int32_t in, int32_t out, enum graft_filter filter);
int32_t graft_resize_taps(int32_t in, int32_t out, enum graft_filter filter, int32_t at, int32_t *from,
                          int32_t *weights);

#endif
