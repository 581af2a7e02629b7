/* SPDX-License-Identifier: MIT */
/* Drawing pictures of made-up flowers: what the files of this folder share. */
#ifndef GRAFT_TOOLS_FLOWERS_H
#define GRAFT_TOOLS_FLOWERS_H

#include "base/random.h"

#include <cairo.h>
#include <stdbool.h>

struct colour {
    double red, green, blue; /* 0..1 */
};

/* What a picture is drawn with: every choice comes from its own stream of random numbers. */
struct brush {
    cairo_t *cairo;
    struct graft_random random;
    double width, height; /* of the picture, pixels */
};

struct species {
    const char *name;
    /* Draws one flower around (0, 0) with radius 1, upwards being −y. */
    void (*draw)(struct brush *brush, struct colour petals);
    double turn;        /* largest turn to either side, radians */
    double slant;       /* looked at from the side down to this height: 1 is from the front only */
    const int *colours; /* indexes for petal_colour, ended by −1 */
};

#define SPECIES 5
extern const struct species graft_flower_species[SPECIES];

/* ---- brush.c */
double between(struct brush *brush, double low, double high);
int below(struct brush *brush, int bound);
struct colour mix(struct colour a, struct colour b, double share_of_b);
/* Lighter (above 1) or darker. */
struct colour shade(struct colour colour, double factor);
/* The same colour, a little different each time. */
struct colour vary(struct brush *brush, struct colour colour, double by);
void use(struct brush *brush, struct colour colour, double opacity);
/* White, yellow, orange, red, pink, purple, blue. */
struct colour petal_colour(struct brush *brush, int index);
struct colour leaf_colour(struct brush *brush);
/* From (0, 0) to (0, −length), `width` to each side; `point` is 0 for round ends and 1 for pointed ones. */
void petal_path(struct brush *brush, double length, double width, double point);
/* That path, filled from colour to colour and outlined. */
void petal(struct brush *brush, double length, double width, double point, struct colour base,
           struct colour tip);

/* ---- scenery.c */
void draw_background(struct brush *brush);
/* Leaves and blades of grass in front of what is there. */
void draw_foreground(struct brush *brush);
/* A side that is brighter than the other. */
void draw_light(struct brush *brush);

#endif
