/* SPDX-License-Identifier: MIT */
/* The calibration diagram: how often pictures of each confidence are right, and how many of them there are.
 */
#include "vis/reliability.h"

#include "vis/axis.h"
#include "vis/canvas.h"

#include <math.h>

#define SCALE 1.5 /* pixels to a unit */
#define WIDTH 960
#define HEIGHT 400
#define SIDE 290.0 /* of a panel */
#define TOP 50.0

static const struct graft_lettering tick_text = {.size = 12.5, .colour = {0.42, 0.42, 0.46}, .align = 0.5};
static const struct graft_lettering title_text = {.size = 15, .bold = true, .colour = {0.13, 0.13, 0.16}};

struct panel {
    struct graft_canvas *canvas;
    double left;
    double highest; /* share at its top */
};

static double height_of(const struct panel *panel, double share)
{
    return SIDE * share / panel->highest;
}

static void draw_frame(const struct panel *panel, const char *title, const char *y_label)
{
    struct graft_axis x = {0}, y = {.percent = true};
    struct graft_lettering sideways = tick_text, ends = tick_text;
    char text[32];
    sideways.angle = -1.5707963267948966;
    ends.align = 1;
    graft_axis_fit(&x, 0, 1, false, 6);
    graft_axis_fit(&y, 0, panel->highest, false, 6);
    graft_canvas_text(panel->canvas, panel->left, 24, &title_text, title);
    for (int i = 0; i < y.tick_count; i++) {
        const double at = TOP + SIDE - height_of(panel, y.ticks[i]);
        graft_canvas_line(panel->canvas, panel->left, at, panel->left + SIDE, at, 1, GRAFT_GRID);
        graft_axis_label(&y, y.ticks[i], text, sizeof text);
        graft_canvas_text(panel->canvas, panel->left - 8, at, &ends, text);
    }
    for (int i = 0; i < x.tick_count; i++) {
        graft_axis_label(&x, x.ticks[i], text, sizeof text);
        graft_canvas_text(panel->canvas, panel->left + SIDE * x.ticks[i], TOP + SIDE + 14, &tick_text, text);
    }
    graft_canvas_text(panel->canvas, panel->left + SIDE / 2, TOP + SIDE + 36, &tick_text, "confidence");
    graft_canvas_text(panel->canvas, panel->left - 62, TOP + SIDE / 2, &sideways, y_label);
}

static void draw_bar(const struct panel *panel, int b, double share, struct graft_colour colour)
{
    const double width = SIDE / GRAFT_CALIBRATION_BINS, height = height_of(panel, share);
    graft_canvas_box(panel->canvas, panel->left + b * width + 1, TOP + SIDE - height, width - 2, height,
                     colour);
}

/* Where the bar should end. */
static void draw_confidence(const struct panel *panel, int b, double confidence)
{
    const double width = SIDE / GRAFT_CALIBRATION_BINS;
    graft_canvas_box(panel->canvas, panel->left + b * width + 1,
                     TOP + SIDE - height_of(panel, confidence) - 1.5, width - 2, 3, graft_colour_series(1));
}

static void draw_axis(const struct panel *panel)
{
    graft_canvas_line(panel->canvas, panel->left, TOP + SIDE, panel->left + SIDE, TOP + SIDE, 1, GRAFT_FAINT);
    graft_canvas_line(panel->canvas, panel->left, TOP, panel->left, TOP + SIDE, 1, GRAFT_FAINT);
}

static void draw_diagram(const struct panel *panel, const struct graft_calibration *calibration)
{
    char text[64];
    draw_frame(panel, "Calibration", "pictures that are right");
    for (int b = 0; b < GRAFT_CALIBRATION_BINS; b++) {
        const struct graft_calibration_bin *const bin = &calibration->bins[b];
        if (bin->images > 0) {
            draw_bar(panel, b, bin->accuracy, graft_colour_series(0));
        }
    }
    for (int b = 0; b < GRAFT_CALIBRATION_BINS; b++) {
        if (calibration->bins[b].images > 0) {
            draw_confidence(panel, b, calibration->bins[b].confidence);
        }
    }
    draw_axis(panel);
    graft_canvas_line(panel->canvas, panel->left, TOP + SIDE, panel->left + SIDE, TOP, 1, GRAFT_FAINT);
    struct graft_lettering note = tick_text;
    note.align = 0;
    (void)graft_format(text, sizeof text, "ECE %.2f %%", 100 * calibration->error);
    graft_canvas_text(panel->canvas, panel->left + 12, TOP + 16, &note, text);
}

static void draw_histogram(struct panel *panel, const struct graft_calibration *calibration)
{
    int64_t images = 0, most = 0;
    for (int b = 0; b < GRAFT_CALIBRATION_BINS; b++) {
        images += calibration->bins[b].images;
        most = calibration->bins[b].images > most ? calibration->bins[b].images : most;
    }
    panel->highest = images > 0 ? (double)most / (double)images : 1;
    draw_frame(panel, "How sure it is", "share of the pictures");
    for (int b = 0; b < GRAFT_CALIBRATION_BINS && images > 0; b++) {
        draw_bar(panel, b, (double)calibration->bins[b].images / (double)images, graft_colour_series(2));
    }
    draw_axis(panel);
}

static void draw_legend(struct graft_canvas *canvas)
{
    const struct graft_lettering note = {.size = 12.5, .colour = GRAFT_INK, .room = 130};
    const struct {
        struct graft_colour colour;
        const char *text;
    } rows[] = {{graft_colour_series(0), "how many are right"}, {graft_colour_series(1), "mean confidence"}};
    for (int i = 0; i < 2; i++) {
        graft_canvas_box(canvas, 395, TOP + (i == 0 ? 10 : 14 + 24 * i), 14, i == 0 ? 10 : 3, rows[i].colour);
        graft_canvas_text(canvas, 415, TOP + 15 + 24 * i, &note, rows[i].text);
    }
    graft_canvas_line(canvas, 395, TOP + 63, 409, TOP + 63, 1, GRAFT_FAINT);
    graft_canvas_text(canvas, 415, TOP + 63, &note, "as it should be");
}

enum graft_status graft_draw_calibration(struct graft_context *context,
                                         const struct graft_calibration *calibration, struct graft_text *png)
{
    struct graft_canvas canvas;
    enum graft_status status =
        graft_canvas_open(context, (int)(WIDTH * SCALE), (int)(HEIGHT * SCALE), SCALE, &canvas);
    if (status != GRAFT_OK) {
        return status;
    }
    const struct panel diagram = {&canvas, 90, 1};
    struct panel histogram = {&canvas, 640, 1};
    draw_diagram(&diagram, calibration);
    draw_histogram(&histogram, calibration);
    draw_legend(&canvas);
    status = graft_canvas_png(&canvas, png);
    graft_canvas_close(&canvas);
    return status;
}
