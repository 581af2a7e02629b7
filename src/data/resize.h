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

#endif
