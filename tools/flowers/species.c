/* SPDX-License-Identifier: MIT */
/* Five kinds of flowers, told apart by form: they share their colours. */
#include "flowers.h"

#include <math.h>

static void dot(struct brush *brush, double x, double y, double radius)
{
    cairo_arc(brush->cairo, x, y, radius, 0, 2 * M_PI);
    cairo_fill(brush->cairo);
}

/* A round heart with seeds along a spiral. */
static void draw_heart(struct brush *brush, double radius, struct colour colour)
{
    const double golden = M_PI * (3 - sqrt(5));
    const int seeds = 20 + (int)(90 * radius);
    use(brush, shade(colour, 0.75), 1);
    dot(brush, 0, 0, radius);
    use(brush, colour, 1);
    dot(brush, -0.06 * radius, -0.08 * radius, 0.86 * radius);
    for (int i = 0; i < seeds; i++) {
        const double far = 0.92 * radius * sqrt((i + 0.5) / seeds);
        use(brush, shade(colour, i % 2 == 0 ? 0.55 : 1.35), 0.8);
        dot(brush, far * cos(i * golden), far * sin(i * golden), 0.03);
    }
}

struct ring {
    int petals;
    double start;  /* radians */
    double inside; /* radius at which they begin */
    double length, width, point;
};

static void draw_ring(struct brush *brush, const struct ring *ring, struct colour base, struct colour tip)
{
    for (int i = 0; i < ring->petals; i++) {
        const double angle = ring->start + (i + between(brush, -0.16, 0.16)) * 2 * M_PI / ring->petals;
        const double light = between(brush, 0.88, 1.08);
        cairo_save(brush->cairo);
        cairo_rotate(brush->cairo, angle);
        cairo_translate(brush->cairo, 0, -ring->inside);
        petal(brush, ring->length * between(brush, 0.9, 1.05), ring->width * between(brush, 0.88, 1.12),
              ring->point, shade(base, light), shade(tip, light));
        cairo_restore(brush->cairo);
    }
}

/* Many narrow petals with round ends around a small heart. */
static void draw_daisy(struct brush *brush, struct colour petals)
{
    static const struct colour hearts[] = {{0.92, 0.72, 0.12}, {0.85, 0.55, 0.10}, {0.35, 0.24, 0.12}};
    const double heart = between(brush, 0.2, 0.28);
    const struct ring ring = {.petals = 11 + below(brush, 8),
                              .inside = 0.6 * heart,
                              .length = 1 - 0.6 * heart,
                              .width = between(brush, 0.13, 0.19),
                              .point = between(brush, 0, 0.2)};
    draw_ring(brush, &ring, shade(petals, 0.85), petals);
    draw_heart(brush, heart, vary(brush, hearts[below(brush, 3)], 0.05));
}

/* Two rings of pointed petals around a large dark heart. */
static void draw_sunflower(struct brush *brush, struct colour petals)
{
    static const struct colour hearts[] = {{0.30, 0.19, 0.10}, {0.18, 0.13, 0.10}, {0.45, 0.33, 0.12}};
    const double heart = between(brush, 0.44, 0.54);
    struct ring ring = {.petals = 15 + below(brush, 8),
                        .inside = 0.8 * heart,
                        .length = 1 - 0.8 * heart,
                        .width = between(brush, 0.15, 0.2),
                        .point = between(brush, 0.75, 1)};
    draw_ring(brush, &ring, shade(petals, 0.65), shade(petals, 0.85));
    ring.start = M_PI / ring.petals;
    ring.length *= 0.9;
    draw_ring(brush, &ring, shade(petals, 0.8), petals);
    draw_heart(brush, heart, vary(brush, hearts[below(brush, 3)], 0.04));
}

/* Broad petals one within the other, each with a bright edge. */
static void draw_rose(struct brush *brush, struct colour petals)
{
    cairo_t *const cairo = brush->cairo;
    const int count = 15 + below(brush, 6);
    const double step = between(brush, 2.2, 2.6), start = between(brush, 0, 2 * M_PI);
    for (int i = 0; i < count; i++) {
        const double size = 1 - 0.9 * i / count, angle = start + i * step;
        const double x = 0.46 * size * cos(angle), y = 0.46 * size * sin(angle);
        const double radius = 0.56 * size * between(brush, 0.92, 1.06);
        const struct colour inner = shade(petals, 0.5 + 0.1 * size),
                            edge = shade(petals, between(brush, 0.95, 1.18));
        cairo_pattern_t *const fill =
            cairo_pattern_create_radial(x * 0.3, y * 0.3, 0.1 * radius, x, y, radius);
        cairo_pattern_add_color_stop_rgb(fill, 0, inner.red, inner.green, inner.blue);
        cairo_pattern_add_color_stop_rgb(fill, 0.75, petals.red, petals.green, petals.blue);
        cairo_pattern_add_color_stop_rgb(fill, 1, edge.red, edge.green, edge.blue);
        cairo_save(cairo);
        cairo_translate(cairo, x, y);
        cairo_rotate(cairo, angle);
        cairo_scale(cairo, 0.86, 1.08);
        cairo_arc(cairo, 0, 0, radius, 0, 2 * M_PI);
        cairo_restore(cairo);
        cairo_set_source(cairo, fill);
        cairo_fill_preserve(cairo);
        cairo_pattern_destroy(fill);
        use(brush, shade(petals, 0.45), 0.6);
        cairo_set_line_width(cairo, 0.025);
        cairo_stroke(cairo);
    }
}

static void draw_stem(struct brush *brush, double x, double y, double bend, double length,
                      struct colour colour)
{
    cairo_set_line_cap(brush->cairo, CAIRO_LINE_CAP_ROUND);
    cairo_set_line_width(brush->cairo, 0.1);
    cairo_move_to(brush->cairo, x, y);
    cairo_curve_to(brush->cairo, x, y + length / 3, x + bend, y + length * 2 / 3, x + bend, y + length);
    use(brush, colour, 1);
    cairo_stroke(brush->cairo);
}

/* A cup on a stem, seen from the side: petals that stand upright, leaves like swords. */
static void draw_tulip(struct brush *brush, struct colour petals)
{
    cairo_t *const cairo = brush->cairo;
    const struct colour green = leaf_colour(brush);
    const double open = between(brush, 0.22, 0.42), width = between(brush, 0.42, 0.52);
    static const double back[] = {-0.55, 0.55}, front[] = {-1, 1, 0};
    draw_stem(brush, 0, 0.4, between(brush, -0.25, 0.25), 2.2, shade(green, 0.9));
    for (int i = below(brush, 2); i < 3; i++) {
        cairo_save(cairo);
        cairo_translate(cairo, 0, 1.9);
        cairo_rotate(cairo, (i % 2 == 0 ? 1 : -1) * between(brush, 0.2, 0.5));
        petal(brush, between(brush, 1.2, 1.9), 0.2, 1, shade(green, 0.7), green);
        cairo_restore(cairo);
    }
    for (int i = 0; i < 2 + 3; i++) {
        const bool behind = i < 2;
        const double lean = open * (behind ? back[i] : front[i - 2]);
        const double light = behind ? 0.72 : between(brush, 0.92, 1.06);
        cairo_save(cairo);
        cairo_translate(cairo, 0.5 * lean, 0.55);
        cairo_rotate(cairo, lean);
        petal(brush, (behind ? 1.45 : 1.38) * between(brush, 0.95, 1.04), width * (i == 4 ? 1.05 : 0.9), 0.55,
              shade(petals, 0.72 * light), shade(petals, light));
        cairo_restore(cairo);
    }
}

/* A bell that hangs from (0, 0), as long as wide, with three lobes. */
static void draw_bell(struct brush *brush, double size, struct colour colour)
{
    cairo_t *const cairo = brush->cairo;
    const struct colour dark = shade(colour, 0.6), light = shade(colour, 1.15);
    cairo_save(cairo);
    cairo_scale(cairo, size, size);
    cairo_new_path(cairo);
    cairo_move_to(cairo, 0, 0);
    cairo_curve_to(cairo, 0.42, 0, 0.3, 0.6, 0.55, 0.95);
    cairo_curve_to(cairo, 0.4, 1.05, 0.25, 1, 0.19, 0.86);
    cairo_curve_to(cairo, 0.1, 1.12, -0.1, 1.12, -0.19, 0.86);
    cairo_curve_to(cairo, -0.25, 1, -0.4, 1.05, -0.55, 0.95);
    cairo_curve_to(cairo, -0.3, 0.6, -0.42, 0, 0, 0);
    cairo_pattern_t *const fill = cairo_pattern_create_linear(-0.4, 0, 0.4, 0.2);
    cairo_pattern_add_color_stop_rgb(fill, 0, light.red, light.green, light.blue);
    cairo_pattern_add_color_stop_rgb(fill, 1, dark.red, dark.green, dark.blue);
    cairo_set_source(cairo, fill);
    cairo_fill_preserve(cairo);
    cairo_pattern_destroy(fill);
    use(brush, shade(colour, 0.45), 0.6);
    cairo_set_line_width(cairo, 0.04);
    cairo_stroke(cairo);
    cairo_restore(cairo);
}

/* A stem that bows, with bells hanging from it. */
static void draw_bluebell(struct brush *brush, struct colour petals)
{
    cairo_t *const cairo = brush->cairo;
    const double side = below(brush, 2) == 0 ? -1 : 1, top = between(brush, -0.95, -0.8);
    const int bells = 4 + below(brush, 4);
    const struct colour green = leaf_colour(brush);
    draw_stem(brush, -0.35 * side, -0.2, 0, 2.4, shade(green, 0.8));
    cairo_set_line_width(cairo, 0.07);
    cairo_move_to(cairo, -0.35 * side, 0);
    cairo_curve_to(cairo, -0.35 * side, top, 0.35 * side, top, 0.75 * side, -0.3);
    use(brush, shade(green, 0.9), 1);
    cairo_stroke(cairo);
    for (int i = bells - 1; i >= 0; i--) {
        const double t = (i + 0.7) / bells, s = 1 - t;
        const double x = side * (-0.35 * s * s * s - 1.05 * s * s * t + 1.05 * s * t * t + 0.75 * t * t * t);
        const double y = 3 * top * s * t - 0.3 * t * t * t;
        cairo_save(cairo);
        cairo_translate(cairo, x + (i % 2 == 0 ? 0.1 : -0.1), y);
        cairo_rotate(cairo, side * between(brush, -0.3, 0.25) + (i % 2 == 0 ? -0.25 : 0.25));
        draw_bell(brush, between(brush, 0.52, 0.64), vary(brush, petals, 0.04));
        cairo_restore(cairo);
    }
}

static const int daisy_colours[] = {0, 1, 4, 5, 2, -1};
static const int sunflower_colours[] = {1, 2, 3, 0, -1};
static const int rose_colours[] = {3, 4, 0, 1, 2, -1};
static const int tulip_colours[] = {3, 1, 5, 4, 0, 2, -1};
static const int bluebell_colours[] = {6, 5, 4, 0, -1};

const struct species graft_flower_species[SPECIES] = {
    {"bluebell", draw_bluebell, 0.35, 1, bluebell_colours},
    {"daisy", draw_daisy, M_PI, 0.6, daisy_colours},
    {"rose", draw_rose, M_PI, 0.75, rose_colours},
    {"sunflower", draw_sunflower, M_PI, 0.6, sunflower_colours},
    {"tulip", draw_tulip, 0.45, 1, tulip_colours},
};
