/* SPDX-License-Identifier: MIT */
/* Horizontal bars, in groups. */
#include "vis/plot.h"

#include "base/context.h"
#include "base/file.h"
#include "base/text.h"
#include "vis/axis.h"
#include "vis/canvas.h"

#include <math.h>
#include <stdio.h>

#define SCALE 1.5 /* pixels to a unit */
#define WIDTH 960
#define MOST_GROUPS 200
#define BEYOND 1e100 /* what is larger is no figure: no bar */

static const struct graft_lettering small_text = {.size = 12.5, .colour = {0.42, 0.42, 0.46}};
static const struct graft_lettering name_text = {.size = 12.5, .colour = {0.13, 0.13, 0.16}, .room = 300};

static double value_of(const struct graft_plot_bars *bars, int group, int series)
{
    const double value = bars->values[group * bars->series + series];
    return value < BEYOND ? value : (double)NAN;
}

/* Three digits that count, without an exponent where it can be told plainly. */
static void value_text(double value, char *text, size_t size)
{
    if (value >= 100 && value < 1e7) {
        (void)graft_format(text, size, "%.0f", value);
    } else {
        (void)graft_format(text, size, "%.3g", value);
    }
}

static void draw_legend(struct graft_canvas *canvas, const struct graft_plot_bars *bars, double x, double y)
{
    for (int s = 0; s < bars->series && bars->series_names != NULL; s++) {
        graft_canvas_box(canvas, x, y - 5, 14, 10, graft_colour_series(s));
        graft_canvas_text(canvas, x + 20, y, &name_text, bars->series_names[s]);
        x += 44 + graft_canvas_text_width(canvas, &name_text, bars->series_names[s]);
    }
}

static void draw(struct graft_canvas *canvas, const struct graft_plot_bars *bars, double top, double bar)
{
    const double group = bar * bars->series + 12, bottom = top + group * bars->groups;
    struct graft_lettering ends = name_text, centred = small_text;
    double left = 0, largest = 0;
    char text[64];
    for (int g = 0; g < bars->groups; g++) {
        left = fmax(left, graft_canvas_text_width(canvas, &name_text, bars->names[g]));
        for (int s = 0; s < bars->series; s++) {
            largest = fmax(largest, value_of(bars, g, s)); /* fmax passes NaN over */
        }
    }
    left += 32;
    const double right = canvas->width - 80;
    struct graft_axis axis = {0};
    graft_axis_fit(&axis, 0, largest > 0 ? largest : 1, true, 9);
    ends.align = 1;
    centred.align = 0.5;
    for (int i = 0; i < axis.tick_count; i++) {
        const double x = left + graft_axis_place(&axis, axis.ticks[i]) * (right - left);
        graft_canvas_line(canvas, x, top, x, bottom, 1, GRAFT_GRID);
        graft_axis_label(&axis, axis.ticks[i], text, sizeof text);
        graft_canvas_text(canvas, x, bottom + 13, &centred, text);
    }
    for (int g = 0; g < bars->groups; g++) {
        const double y = top + g * group + 6;
        graft_canvas_text(canvas, left - 10, y + bar * bars->series / 2, &ends, bars->names[g]);
        for (int s = 0; s < bars->series; s++) {
            const double value = value_of(bars, g, s);
            if (!(value >= 0)) {
                continue;
            }
            const double length = graft_axis_place(&axis, value) * (right - left);
            graft_canvas_box(canvas, left, y + s * bar + 1, length, bar - 2, graft_colour_series(s));
            value_text(value, text, sizeof text);
            graft_canvas_text(canvas, left + length + 6, y + (s + 0.5) * bar, &name_text, text);
        }
    }
    graft_canvas_line(canvas, left, top, left, bottom, 1, GRAFT_FAINT);
    centred.room = right - left;
    graft_canvas_text(canvas, (left + right) / 2, bottom + 34, &centred, bars->value_label);
    draw_legend(canvas, bars, left, top - 16);
}

enum graft_status graft_draw_bars(struct graft_context *context, const struct graft_plot_bars *bars,
                                  struct graft_text *png)
{
    struct graft_canvas canvas;
    if (bars->groups < 1 || bars->groups > MOST_GROUPS || bars->series < 1 ||
        bars->series > GRAFT_PLOT_MAX_LINES) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                          "%d groups of %d bars: 1 to %d groups of 1 to %d are drawn", bars->groups,
                          bars->series, MOST_GROUPS, GRAFT_PLOT_MAX_LINES);
    }
    /* Slim where there are many, so that the picture stays below the largest side. */
    const int count = bars->groups * bars->series;
    const double bar = count <= 12 ? 22 : count <= 160 ? 16 : 2400.0 / count;
    const double top = bars->series_names != NULL ? 76 : 52;
    const double height = top + (bar * bars->series + 12) * bars->groups + 52;
    enum graft_status status =
        graft_canvas_open(context, (int)(WIDTH * SCALE), (int)ceil(height * SCALE), SCALE, &canvas);
    if (status != GRAFT_OK) {
        return status;
    }
    const struct graft_lettering title = {.size = 15, .bold = true, .colour = GRAFT_INK, .room = WIDTH - 40};
    graft_canvas_text(&canvas, 20, 28, &title, bars->title);
    draw(&canvas, bars, top, bar);
    status = graft_canvas_png(&canvas, png);
    graft_canvas_close(&canvas);
    return status;
}

enum graft_status graft_plot_bars(struct graft_context *context, const char *path,
                                  const struct graft_plot_bars *bars)
{
    struct graft_text png = {0};
    enum graft_status status = graft_draw_bars(context, bars, &png);
    if (status == GRAFT_OK) {
        status = graft_file_write(context, path, png.data, png.length);
    }
    graft_text_close(context, &png);
    return status;
}
