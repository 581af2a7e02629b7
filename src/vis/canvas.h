/* SPDX-License-Identifier: MIT */
/* What plots are drawn on: an RGB surface with text that cannot go wrong, encoded as PNG in memory. */
#ifndef GRAFT_SRC_VIS_CANVAS_H
#define GRAFT_SRC_VIS_CANVAS_H

#include "base/text.h"
#include "graft/vis.h"

#include <cairo.h>

struct graft_colour {
    double red, green, blue; /* 0..1 */
};

/* Told apart by people who do not see all colours (after Okabe and Ito). Index modulo their number. */
struct graft_colour graft_colour_series(int index);
/* Pale to dark blue for a share in 0..1. */
struct graft_colour graft_colour_share(double share);

#define GRAFT_INK ((struct graft_colour){0.13, 0.13, 0.16})
#define GRAFT_FAINT ((struct graft_colour){0.42, 0.42, 0.46})
#define GRAFT_GRID ((struct graft_colour){0.90, 0.90, 0.92})

struct graft_canvas {
    struct graft_context *context;
    void *pixels;
    cairo_surface_t *surface;
    cairo_t *cairo; /* draw with it; units are those of width and height */
    double width, height;
};

/* White; `scale` pixels to a unit. GRAFT_ERROR_MEMORY, GRAFT_ERROR_ARGUMENT (sides outside 1..8192 pixels).
 */
GRAFT_MUST_CHECK enum graft_status graft_canvas_open(struct graft_context *context, int width, int height,
                                                     double scale, struct graft_canvas *canvas);
void graft_canvas_close(struct graft_canvas *canvas);

/* Appends the picture as PNG. GRAFT_ERROR_MEMORY, or what went wrong while it was drawn. */
GRAFT_MUST_CHECK enum graft_status graft_canvas_png(struct graft_canvas *canvas, struct graft_text *png);

struct graft_lettering {
    double size;
    bool bold;
    struct graft_colour colour;
    double align; /* 0: the text begins at x; 0.5: its middle; 1: it ends there */
    double angle; /* radians, clockwise */
    double room;  /* cut with an ellipsis to this width; 0: no limit */
};

/* Text with the middle of its capitals at height y. */
void graft_canvas_text(struct graft_canvas *canvas, double x, double y,
                       const struct graft_lettering *lettering, const char *text);
/* The width that it takes, cut to the room. */
double graft_canvas_text_width(struct graft_canvas *canvas, const struct graft_lettering *lettering,
                               const char *text);

void graft_canvas_colour(struct graft_canvas *canvas, struct graft_colour colour);
/* Crisp where the scale allows. */
void graft_canvas_line(struct graft_canvas *canvas, double x0, double y0, double x1, double y1, double width,
                       struct graft_colour colour);
void graft_canvas_box(struct graft_canvas *canvas, double x, double y, double width, double height,
                      struct graft_colour colour);
/* The picture in a box with equal sides, as large as fits, without changing its shape. GRAFT_ERROR_MEMORY. */
GRAFT_MUST_CHECK enum graft_status graft_canvas_picture(struct graft_canvas *canvas,
                                                        const struct graft_image *picture, double x, double y,
                                                        double side);

#endif
