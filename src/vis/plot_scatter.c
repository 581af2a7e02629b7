/* SPDX-License-Identifier: MIT */
/* Numbers as a network tells them over what is true: on the diagonal where it is right. */
#include "vis/axis.h"
#include "vis/canvas.h"
#include "vis/report_targets.h"

#include <math.h>

#define SCALE 1.5 /* pixels to a unit */
#define WIDTH 520
#define HEIGHT 470
#define SIDE 370.0 /* of the plot */
#define LEFT 100.0
#define TOP 40.0

static const struct graft_lettering tick_text = {.size = 12.5, .colour = {0.42, 0.42, 0.46}, .align = 0.5};
static const struct graft_lettering title_text = {.size = 15, .bold = true, .colour = {0.13, 0.13, 0.16}};

/* One axis for both: the same scale, so that the diagonal is one. */
static void fit_axis(const struct graft_evaluation *e, struct graft_axis *axis)
{
    double low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < e->images; i++) {
        const double numbers[] = {(double)e->values[i], (double)e->targets[i]};
        for (int k = 0; k < 2; k++) {
            low = isfinite(numbers[k]) ? fmin(low, numbers[k]) : low;
            high = isfinite(numbers[k]) ? fmax(high, numbers[k]) : high;
        }
    }
    if (!(low < high)) {
        low = isfinite(low) ? low - 0.5 : 0;
        high = low + 1;
    }
    graft_axis_fit(axis, low, high, true, 7);
}

static void draw_frame(struct graft_canvas *canvas, const struct graft_axis *axis, const char *name)
{
    struct graft_lettering sideways = tick_text, ends = tick_text;
    char text[96];
    sideways.angle = -1.5707963267948966;
    sideways.room = SIDE;
    ends.align = 1;
    for (int i = 0; i < axis->tick_count; i++) {
        const double at = SIDE * graft_axis_place(axis, axis->ticks[i]);
        graft_canvas_line(canvas, LEFT, TOP + SIDE - at, LEFT + SIDE, TOP + SIDE - at, 1, GRAFT_GRID);
        graft_canvas_line(canvas, LEFT + at, TOP, LEFT + at, TOP + SIDE, 1, GRAFT_GRID);
        graft_axis_label(axis, axis->ticks[i], text, sizeof text);
        graft_canvas_text(canvas, LEFT - 8, TOP + SIDE - at, &ends, text);
        graft_canvas_text(canvas, LEFT + at, TOP + SIDE + 14, &tick_text, text);
    }
    graft_canvas_line(canvas, LEFT, TOP + SIDE, LEFT + SIDE, TOP, 1, GRAFT_FAINT);
    (void)graft_format(text, sizeof text, "%.60s, as it is", name);
    graft_canvas_text(canvas, LEFT + SIDE / 2, TOP + SIDE + 38, &tick_text, text);
    (void)graft_format(text, sizeof text, "%.60s, as predicted", name);
    graft_canvas_text(canvas, LEFT - 76, TOP + SIDE / 2, &sideways, text);
}

enum graft_status graft_draw_scatter(struct graft_context *context, const struct graft_evaluation *evaluation,
                                     const char *name, struct graft_text *png)
{
    struct graft_canvas canvas;
    struct graft_axis axis = {0};
    char title[96];
    enum graft_status status =
        graft_canvas_open(context, (int)(WIDTH * SCALE), (int)(HEIGHT * SCALE), SCALE, &canvas);
    if (status != GRAFT_OK) {
        return status;
    }
    fit_axis(evaluation, &axis);
    (void)graft_format(title, sizeof title, "Off by %.4g in the mean; R² %.4f", evaluation->mae,
                       evaluation->r2);
    graft_canvas_text(&canvas, LEFT, 20, &title_text, title);
    draw_frame(&canvas, &axis, name);
    for (int64_t i = 0; i < evaluation->images; i++) {
        const double x = graft_axis_place(&axis, (double)evaluation->targets[i]);
        const double y = graft_axis_place(&axis, (double)evaluation->values[i]);
        if (isfinite(x) && isfinite(y)) {
            graft_canvas_box(&canvas, LEFT + SIDE * x - 1.5, TOP + SIDE * (1 - y) - 1.5, 3, 3,
                             graft_colour_series(0));
        }
    }
    status = graft_canvas_png(&canvas, png);
    graft_canvas_close(&canvas);
    return status;
}
