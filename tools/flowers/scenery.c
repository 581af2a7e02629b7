/* SPDX-License-Identifier: MIT */
/* What is behind and before a flower, and the light on it. */
#include "flowers.h"

#include <math.h>

static void fill_gradient(struct brush *brush, struct colour top, struct colour bottom)
{
    cairo_pattern_t *const fill =
        cairo_pattern_create_linear(0, 0, between(brush, -0.3, 0.3) * brush->width, brush->height);
    cairo_pattern_add_color_stop_rgb(fill, 0, top.red, top.green, top.blue);
    cairo_pattern_add_color_stop_rgb(fill, 1, bottom.red, bottom.green, bottom.blue);
    cairo_set_source(brush->cairo, fill);
    cairo_paint(brush->cairo);
    cairo_pattern_destroy(fill);
}

/* A spot without an edge. */
static void draw_spot(struct brush *brush, double x, double y, double radius, struct colour colour,
                      double opacity)
{
    cairo_pattern_t *const fill = cairo_pattern_create_radial(x, y, radius * 0.2, x, y, radius);
    cairo_pattern_add_color_stop_rgba(fill, 0, colour.red, colour.green, colour.blue, opacity);
    cairo_pattern_add_color_stop_rgba(fill, 1, colour.red, colour.green, colour.blue, 0);
    cairo_set_source(brush->cairo, fill);
    cairo_arc(brush->cairo, x, y, radius, 0, 2 * M_PI);
    cairo_fill(brush->cairo);
    cairo_pattern_destroy(fill);
}

static void draw_blade(struct brush *brush, double x, double y, double length, struct colour colour)
{
    cairo_save(brush->cairo);
    cairo_translate(brush->cairo, x, y);
    cairo_rotate(brush->cairo, between(brush, -0.5, 0.5));
    petal_path(brush, length, length * between(brush, 0.03, 0.07), 1);
    use(brush, colour, 1);
    cairo_fill(brush->cairo);
    cairo_restore(brush->cairo);
}

static void draw_grass(struct brush *brush)
{
    const struct colour ground = leaf_colour(brush);
    fill_gradient(brush, shade(ground, between(brush, 0.7, 1.2)), shade(ground, 0.45));
    for (int i = 0; i < 110; i++) {
        const double y = brush->height * (0.2 + 1.0 * i / 110);
        draw_blade(brush, between(brush, -0.1, 1.1) * brush->width, y,
                   brush->height * between(brush, 0.2, 0.45),
                   shade(leaf_colour(brush), between(brush, 0.65, 1.1)));
    }
}

static void draw_sky(struct brush *brush)
{
    const struct colour clear = {0.35, 0.58, 0.86}, hazy = {0.78, 0.86, 0.93}, evening = {0.90, 0.66, 0.50};
    const struct colour top = vary(brush, mix(clear, hazy, between(brush, 0, 0.6)), 0.05);
    fill_gradient(brush, top, below(brush, 4) == 0 ? evening : mix(top, hazy, 0.7));
    for (int i = below(brush, 14); i > 0; i--) {
        draw_spot(brush, between(brush, 0, 1) * brush->width, between(brush, 0, 1) * brush->height,
                  between(brush, 0.1, 0.3) * brush->width, (struct colour){1, 1, 1},
                  between(brush, 0.2, 0.6));
    }
}

static void draw_soil(struct brush *brush)
{
    const struct colour earth = vary(brush, (struct colour){0.42, 0.30, 0.20}, 0.12);
    fill_gradient(brush, shade(earth, 1.1), shade(earth, 0.65));
    for (int i = 0; i < 220; i++) {
        const double radius = between(brush, 0.005, 0.03) * brush->width;
        use(brush, shade(vary(brush, earth, 0.06), between(brush, 0.5, 1.3)), between(brush, 0.4, 0.9));
        cairo_arc(brush->cairo, between(brush, 0, 1) * brush->width, between(brush, 0, 1) * brush->height,
                  radius, 0, 2 * M_PI);
        cairo_fill(brush->cairo);
    }
}

/* Something far out of focus: spots of leaves and of other flowers' colours. */
static void draw_blobs(struct brush *brush)
{
    const struct colour base = shade(leaf_colour(brush), between(brush, 0.4, 1));
    fill_gradient(brush, base, shade(base, between(brush, 0.6, 1.3)));
    for (int i = 12 + below(brush, 20); i > 0; i--) {
        const struct colour colour =
            below(brush, 3) == 0 ? petal_colour(brush, below(brush, 7)) : leaf_colour(brush);
        draw_spot(brush, between(brush, 0, 1) * brush->width, between(brush, 0, 1) * brush->height,
                  between(brush, 0.08, 0.3) * brush->width, shade(colour, between(brush, 0.6, 1.1)),
                  between(brush, 0.3, 0.85));
    }
}

void draw_background(struct brush *brush)
{
    static void (*const kinds[])(struct brush *) = {draw_grass, draw_sky, draw_soil, draw_blobs};
    kinds[below(brush, 4)](brush);
}

void draw_foreground(struct brush *brush)
{
    const double side = fmin(brush->width, brush->height);
    for (int i = 1 + below(brush, 3); i > 0; i--) {
        /* From somewhere at the edge towards the middle, not as far as that. */
        const double angle = between(brush, 0, 2 * M_PI), far = between(brush, 0.55, 0.75) * side;
        const struct colour green = shade(leaf_colour(brush), between(brush, 0.6, 1.05));
        cairo_save(brush->cairo);
        cairo_translate(brush->cairo, brush->width / 2 + far * cos(angle),
                        brush->height / 2 + far * sin(angle));
        cairo_rotate(brush->cairo, angle - M_PI / 2 + between(brush, -0.5, 0.5));
        cairo_scale(brush->cairo, side, side);
        petal(brush, between(brush, 0.3, 0.55), between(brush, 0.05, 0.13), between(brush, 0.5, 1),
              shade(green, 0.7), green);
        cairo_restore(brush->cairo);
    }
}

void draw_light(struct brush *brush)
{
    const double angle = between(brush, 0, 2 * M_PI);
    const double x = brush->width / 2 * (1 + cos(angle)), y = brush->height / 2 * (1 + sin(angle));
    cairo_pattern_t *const fill = cairo_pattern_create_linear(x, y, brush->width - x, brush->height - y);
    cairo_pattern_add_color_stop_rgba(fill, 0, 1, 1, 0.95, between(brush, 0, 0.3));
    cairo_pattern_add_color_stop_rgba(fill, 0.45, 1, 1, 0.95, 0);
    cairo_pattern_add_color_stop_rgba(fill, 0.55, 0, 0, 0.1, 0);
    cairo_pattern_add_color_stop_rgba(fill, 1, 0, 0, 0.1, between(brush, 0, 0.4));
    cairo_set_source(brush->cairo, fill);
    cairo_paint(brush->cairo);
    cairo_pattern_destroy(fill);
}
