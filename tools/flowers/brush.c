/* SPDX-License-Identifier: MIT */
/* Chance, colours, and the shape of which most of a flower is made. */
#include "flowers.h"

#include <math.h>

static const struct colour black = {0, 0, 0}, white = {1, 1, 1};

double between(struct brush *brush, double low, double high)
{
    return low + (high - low) * (double)graft_random_uniform(&brush->random);
}

int below(struct brush *brush, int bound)
{
    return (int)graft_random_below(&brush->random, (uint32_t)bound);
}

static double clamp(double value)
{
    return fmax(0, fmin(1, value));
}

struct colour mix(struct colour a, struct colour b, double share_of_b)
{
    return (struct colour){a.red + share_of_b * (b.red - a.red), a.green + share_of_b * (b.green - a.green),
                           a.blue + share_of_b * (b.blue - a.blue)};
}

struct colour shade(struct colour colour, double factor)
{
    return factor < 1 ? mix(black, colour, factor) : mix(colour, white, fmin(factor - 1, 1));
}

struct colour vary(struct brush *brush, struct colour colour, double by)
{
    const double all = between(brush, -by, by);
    return (struct colour){clamp(colour.red + all + between(brush, -by, by) / 2),
                           clamp(colour.green + all + between(brush, -by, by) / 2),
                           clamp(colour.blue + all + between(brush, -by, by) / 2)};
}

void use(struct brush *brush, struct colour colour, double opacity)
{
    cairo_set_source_rgba(brush->cairo, colour.red, colour.green, colour.blue, opacity);
}

struct colour petal_colour(struct brush *brush, int index)
{
    static const struct colour colours[] = {
        {0.95, 0.94, 0.90}, {0.96, 0.82, 0.15}, {0.95, 0.55, 0.12}, {0.80, 0.12, 0.14},
        {0.93, 0.55, 0.68}, {0.55, 0.28, 0.68}, {0.33, 0.40, 0.85},
    };
    return vary(brush, colours[index], 0.06);
}

struct colour leaf_colour(struct brush *brush)
{
    const struct colour young = {0.45, 0.66, 0.22}, old = {0.12, 0.36, 0.14};
    return vary(brush, mix(young, old, between(brush, 0, 1)), 0.05);
}

void petal_path(struct brush *brush, double length, double width, double point)
{
    cairo_t *const cairo = brush->cairo;
    const double shoulder = width * (1.25 - 0.55 * point), tip = length * (1.04 - 0.2 * point);
    cairo_new_path(cairo);
    cairo_move_to(cairo, 0, 0);
    cairo_curve_to(cairo, width * 0.9, -0.22 * length, shoulder, -tip, 0, -length);
    cairo_curve_to(cairo, -shoulder, -tip, -width * 0.9, -0.22 * length, 0, 0);
    cairo_close_path(cairo);
}

void petal(struct brush *brush, double length, double width, double point, struct colour base,
           struct colour tip)
{
    cairo_t *const cairo = brush->cairo;
    cairo_pattern_t *const fill = cairo_pattern_create_linear(0, 0, 0.25 * width, -length);
    cairo_pattern_add_color_stop_rgb(fill, 0, base.red, base.green, base.blue);
    cairo_pattern_add_color_stop_rgb(fill, 1, tip.red, tip.green, tip.blue);
    petal_path(brush, length, width, point);
    cairo_set_source(cairo, fill);
    cairo_fill_preserve(cairo);
    cairo_pattern_destroy(fill);
    use(brush, shade(base, 0.55), 0.5);
    cairo_set_line_width(cairo, 0.02);
    cairo_stroke(cairo);
    cairo_move_to(cairo, 0, -0.1 * length); /* the vein */
    cairo_line_to(cairo, 0, -0.75 * length);
    use(brush, shade(base, 0.7), 0.35);
    cairo_stroke(cairo);
}
