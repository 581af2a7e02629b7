/* SPDX-License-Identifier: MIT */
/* Panels of lines, side by side. */
#include "vis/plot.h"

#include "base/context.h"
#include "base/file.h"
#include "vis/axis.h"
#include "vis/canvas.h"

#include <math.h>

#define HEIGHT 400.0    /* of a picture, in the units of what follows */
#define TEXT 12.5       /* size of ticks, names and labels */
#define BEYOND 1e100    /* what is larger is no figure: a gap */
#define POINTS_UP_TO 60 /* values: more are drawn without points */

static const struct graft_lettering tick_text = {.size = TEXT, .colour = {0.42, 0.42, 0.46}};
static const struct graft_lettering name_text = {.size = TEXT, .colour = {0.13, 0.13, 0.16}};
static const struct graft_lettering title_text = {.size = 15, .bold = true, .colour = {0.13, 0.13, 0.16}};

/* One panel while it is drawn: where its axes are, what they span. */
struct panel {
    struct graft_canvas *canvas;
    const struct graft_plot_panel *what;
    double left, right, top, bottom; /* of the area between the axes */
    struct graft_axis x, y;
};

static double place_x(const struct panel *panel, double x)
{
    return panel->left + graft_axis_place(&panel->x, x) * (panel->right - panel->left);
}

static double place_y(const struct panel *panel, double y)
{
    return panel->bottom - graft_axis_place(&panel->y, y) * (panel->bottom - panel->top);
}

static bool shown(const struct graft_plot_panel *panel, double y)
{
    return isfinite(y) && fabs(y) < BEYOND && (!panel->logarithmic_y || y > 0);
}

static void fit_axes(struct panel *panel)
{
    const struct graft_plot_panel *const what = panel->what;
    double x_low = INFINITY, x_high = -INFINITY, y_low = INFINITY, y_high = -INFINITY;
    for (int l = 0; l < what->line_count; l++) {
        for (int64_t i = 0; i < what->lines[l].count; i++) {
            x_low = fmin(x_low, what->lines[l].x[i]);
            x_high = fmax(x_high, what->lines[l].x[i]);
            if (shown(what, what->lines[l].y[i])) {
                y_low = fmin(y_low, what->lines[l].y[i]);
                y_high = fmax(y_high, what->lines[l].y[i]);
            }
        }
    }
    if (!(x_low <= x_high)) { /* nothing at all: an empty frame */
        x_low = 1;
        x_high = 2;
    }
    if (!(y_low <= y_high)) {
        y_low = what->logarithmic_y ? 0.1 : 0;
        y_high = 1;
    }
    if (what->percent) {
        y_high = fmax(y_high, 1);
        y_low = fmin(y_low, 0.99);
    } else if (!what->logarithmic_y && y_low > 0 && y_low < 0.6 * y_high) {
        y_low = 0;
    }
    const double room = what->logarithmic_x ? 0 : x_high > x_low ? 0.02 * (x_high - x_low) : 0.5;
    panel->x = (struct graft_axis){.logarithmic = what->logarithmic_x, .whole = what->whole_x};
    panel->y = (struct graft_axis){.logarithmic = what->logarithmic_y, .percent = what->percent};
    graft_axis_fit(&panel->x, x_low - room, x_high + room, false, (int)((panel->right - panel->left) / 38));
    graft_axis_fit(&panel->y, y_low, y_high, true, 7);
}

static void draw_axes(const struct panel *panel)
{
    struct graft_canvas *const canvas = panel->canvas;
    struct graft_lettering centred = tick_text, ends = tick_text;
    char label[64];
    centred.align = 0.5;
    ends.align = 1;
    for (int i = 0; i < panel->y.tick_count; i++) {
        const double y = place_y(panel, panel->y.ticks[i]);
        graft_canvas_line(canvas, panel->left, y, panel->right, y, 1, GRAFT_GRID);
        graft_axis_label(&panel->y, panel->y.ticks[i], label, sizeof label);
        graft_canvas_text(canvas, panel->left - 8, y, &ends, label);
    }
    for (int i = 0; i < panel->x.tick_count; i++) {
        const double x = place_x(panel, panel->x.ticks[i]);
        graft_canvas_line(canvas, x, panel->bottom, x, panel->bottom + 4, 1, GRAFT_FAINT);
        graft_axis_label(&panel->x, panel->x.ticks[i], label, sizeof label);
        graft_canvas_text(canvas, x, panel->bottom + 15, &centred, label);
    }
    graft_canvas_line(canvas, panel->left, panel->bottom, panel->right, panel->bottom, 1, GRAFT_FAINT);
    centred.room = panel->right - panel->left;
    graft_canvas_text(canvas, (panel->left + panel->right) / 2, panel->bottom + 35, &centred,
                      panel->what->x_label);
}

static void draw_line(const struct panel *panel, const struct graft_plot_line *line,
                      struct graft_colour colour)
{
    cairo_t *const cairo = panel->canvas->cairo;
    bool pen_down = false;
    graft_canvas_colour(panel->canvas, colour);
    cairo_set_line_width(cairo, 2);
    cairo_set_line_join(cairo, CAIRO_LINE_JOIN_ROUND);
    cairo_set_line_cap(cairo, CAIRO_LINE_CAP_ROUND);
    for (int64_t i = 0; i < line->count; i++) {
        const bool here = shown(panel->what, line->y[i]);
        if (here && pen_down) {
            cairo_line_to(cairo, place_x(panel, line->x[i]), place_y(panel, line->y[i]));
        } else if (here) {
            cairo_move_to(cairo, place_x(panel, line->x[i]), place_y(panel, line->y[i]));
            cairo_rel_line_to(cairo, 0, 0); /* a value alone is a dot */
        }
        pen_down = here;
    }
    cairo_stroke(cairo);
    for (int64_t i = 0; i < line->count && line->count <= POINTS_UP_TO; i++) {
        if (shown(panel->what, line->y[i])) {
            cairo_arc(cairo, place_x(panel, line->x[i]), place_y(panel, line->y[i]), 2.8, 0, 2 * M_PI);
            cairo_fill(cairo);
        }
    }
    cairo_set_line_cap(cairo, CAIRO_LINE_CAP_BUTT);
}

/* The mark to the right of `mark`, in whatever order they are given (NULL: the first one); NULL: there is none. */
static const struct graft_plot_mark *next_mark(const struct graft_plot_panel *what, const struct graft_plot_mark *mark)
{
    const struct graft_plot_mark *next = NULL;
    for (int i = 0; i < what->mark_count; i++) {
        const struct graft_plot_mark *const one = &what->marks[i];
        const bool right = mark == NULL || one->x > mark->x || (one->x == mark->x && one > mark);
        next = isfinite(one->x) && right && (next == NULL || one->x < next->x) ? one : next;
    }
    return next;
}

/* Names to the right of their line, or to its left where there is no room. */
static void draw_marks(const struct panel *panel)
{
    static const double dashes[] = {4, 3};
    struct graft_lettering text = tick_text;
    double taken = panel->left;
    const struct graft_plot_mark *mark = NULL;
    while ((mark = next_mark(panel->what, mark)) != NULL) {
        const struct graft_plot_mark *const behind = next_mark(panel->what, mark);
        const double x = place_x(panel, mark->x);
        if (!(x >= panel->left - 1 && x <= panel->right + 1)) {
            continue;
        }
        cairo_set_dash(panel->canvas->cairo, dashes, 2, 0);
        graft_canvas_line(panel->canvas, x, panel->top - 16, x, panel->bottom, 1.2, GRAFT_FAINT);
        cairo_set_dash(panel->canvas->cairo, NULL, 0, 0);
        if (mark->name == NULL) {
            continue;
        }
        const double next = behind != NULL ? place_x(panel, behind->x) : panel->right;
        const double after = fmin(next, panel->right) - x - 8, before = x - taken - 8;
        text.room = 0;
        const double width = graft_canvas_text_width(panel->canvas, &text, mark->name);
        const bool left = width > after && before > after;
        text.room = left ? before : after;
        text.align = left ? 1 : 0;
        if (text.room > 24) {
            graft_canvas_text(panel->canvas, left ? x - 4 : x + 4, panel->top - 10, &text, mark->name);
        }
        taken = left ? x : x + 8 + fmin(width, after);
    }
}

/* In the line of the title, from the right. The room that remains for the title. */
static double draw_legend(const struct panel *panel, double y)
{
    double x = panel->right;
    for (int l = panel->what->line_count - 1; l >= 0; l--) {
        const char *const name = panel->what->lines[l].name;
        struct graft_lettering text = name_text;
        text.room = 0.4 * (panel->right - panel->left);
        const double width = graft_canvas_text_width(panel->canvas, &text, name);
        if (x - width - 34 < panel->left) {
            break;
        }
        graft_canvas_text(panel->canvas, x - width, y, &text, name);
        graft_canvas_line(panel->canvas, x - width - 24, y, x - width - 6, y, 3, graft_colour_series(l));
        x -= width + 38;
    }
    return x - panel->left;
}

static void draw_panel(struct graft_canvas *canvas, const struct graft_plot_panel *what, double x,
                       double width)
{
    struct panel panel = {
        .canvas = canvas, .what = what, .right = x + width - 22, .top = 68, .bottom = canvas->height - 52};
    char label[64];
    panel.left = x + 60; /* a first guess, for the number of ticks */
    fit_axes(&panel);
    double widest = 0;
    for (int i = 0; i < panel.y.tick_count; i++) {
        graft_axis_label(&panel.y, panel.y.ticks[i], label, sizeof label);
        widest = fmax(widest, graft_canvas_text_width(canvas, &tick_text, label));
    }
    panel.left = x + 42 + widest;
    draw_axes(&panel);
    struct graft_lettering sideways = tick_text;
    sideways.align = 0.5;
    sideways.angle = -M_PI / 2;
    sideways.room = panel.bottom - panel.top;
    graft_canvas_text(canvas, x + 18, (panel.top + panel.bottom) / 2, &sideways, what->y_label);
    draw_marks(&panel);
    for (int l = 0; l < what->line_count; l++) {
        draw_line(&panel, &what->lines[l], graft_colour_series(l));
    }
    struct graft_lettering title = title_text;
    title.room = fmax(draw_legend(&panel, 28), 20);
    graft_canvas_text(canvas, panel.left, 28, &title, what->title);
}

static enum graft_status check(struct graft_context *context, const struct graft_plot_panel *panels,
                               int count, int width, int height)
{
    if (count < 1 || count > GRAFT_PLOT_MAX_PANELS || width < 200 || width > 8192 || height < 200 ||
        height > 8192) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                          "a plot of %d panels on %d x %d pixels: 1 to %d panels, sides of 200 to 8192",
                          count, width, height, GRAFT_PLOT_MAX_PANELS);
    }
    for (int p = 0; p < count; p++) {
        const struct graft_plot_panel *const panel = &panels[p];
        if (panel->line_count < 0 || panel->line_count > GRAFT_PLOT_MAX_LINES || panel->mark_count < 0) {
            return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                              "panel \"%s\" has %d lines, at most %d are drawn", panel->title,
                              panel->line_count, GRAFT_PLOT_MAX_LINES);
        }
        for (int l = 0; l < panel->line_count; l++) {
            for (int64_t i = 0; i < panel->lines[l].count; i++) {
                const double x = panel->lines[l].x[i];
                if (!(fabs(x) < BEYOND) || (panel->logarithmic_x && x <= 0)) {
                    return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                                      "panel \"%s\", line \"%s\": x[%lld] is %g, which has no place",
                                      panel->title, panel->lines[l].name, (long long)i, x);
                }
            }
        }
    }
    return GRAFT_OK;
}

enum graft_status graft_draw_lines(struct graft_context *context, const struct graft_plot_panel *panels,
                                   int panel_count, int width, int height, struct graft_text *png)
{
    width = width == 0 ? 1440 : width;
    height = height == 0 ? 600 : height;
    struct graft_canvas canvas = {0};
    enum graft_status status = check(context, panels, panel_count, width, height);
    if (status == GRAFT_OK) {
        status = graft_canvas_open(context, width, height, height / HEIGHT, &canvas);
    }
    if (status != GRAFT_OK) {
        return status;
    }
    for (int p = 0; p < panel_count; p++) {
        draw_panel(&canvas, &panels[p], p * canvas.width / panel_count, canvas.width / panel_count);
    }
    status = graft_canvas_png(&canvas, png);
    graft_canvas_close(&canvas);
    return status;
}

enum graft_status graft_plot_lines(struct graft_context *context, const char *path,
                                   const struct graft_plot_panel *panels, int panel_count, int width,
                                   int height)
{
    struct graft_text png = {0};
    enum graft_status status = graft_draw_lines(context, panels, panel_count, width, height, &png);
    if (status == GRAFT_OK) {
        status = graft_file_write(context, path, png.data, png.length);
    }
    graft_text_close(context, &png);
    return status;
}
