/* SPDX-License-Identifier: MIT */
/* Pictures on a plane, as PNG. */
#include "vis/plane.h"

#include "base/context.h"
#include "base/file.h"
#include "vis/canvas.h"

#include <math.h>
#include <stdio.h>

#define EDGE 24.0
#define TITLE 56.0
#define LEGEND 200.0
#define LEGEND_CLASSES 24
#define LINE 22.0
#define DOT 7.0

/* Turns of the colour wheel that never come back near a hue (the golden ratio). */
struct graft_colour graft_colour_class(int32_t label, int32_t classes)
{
    if (label < 0)
        return GRAFT_FAINT;
    if (classes <= 7) /* the eighth, yellow, is pale on white */
        return graft_colour_series(label);
    const double hue = 6 * fmod(0.05 + 0.61803398875 * label, 1), light = label % 2 ? 0.45 : 0.72;
    const double channels[3] = {fabs(hue - 3) - 1, 2 - fabs(hue - 2), 2 - fabs(hue - 4)};
    double out[3];
    for (int c = 0; c < 3; c++)
        out[c] = light * (0.12 + 0.88 * fmin(fmax(channels[c], 0), 1));
    return (struct graft_colour){out[0], out[1], out[2]};
}

void graft_plane_place(const struct graft_plane *plane, struct graft_plane_frame *frame)
{
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    for (int64_t i = 0; i < plane->count; i++) {
        const double at[2] = {plane->points[i].x, plane->points[i].y};
        for (int d = 0; d < 2; d++) {
            low[d] = fmin(low[d], at[d]);
            high[d] = fmax(high[d], at[d]);
        }
    }
    const double larger = fmax(high[0] - low[0], high[1] - low[1]);
    frame->scale = larger > 0 ? 1 / larger : 1;
    for (int d = 0; d < 2; d++)
        frame->first[d] = (low[d] + high[d] - larger) / 2;
}

enum graft_status graft_plane_check(struct graft_context *context, const struct graft_plane *plane)
{
    bool good = plane->count > 0;
    for (int64_t i = 0; i < plane->count && good; i++)
        good = isfinite(plane->points[i].x) && isfinite(plane->points[i].y) &&
               plane->points[i].label < plane->class_count;
    return good ? GRAFT_OK
                : graft_fail(context, GRAFT_ERROR_ARGUMENT,
                             "a plane of %lld pictures: there is nothing to draw, or a place that is none",
                             (long long)plane->count);
}

static void put_legend(struct graft_canvas *canvas, const struct graft_plane *plane)
{
    const double x = canvas->width - LEGEND;
    for (int32_t c = 0; c < plane->class_count && plane->class_count <= LEGEND_CLASSES; c++) {
        const double y = TITLE + EDGE + c * LINE;
        graft_canvas_box(canvas, x, y - 7, 14, 14, graft_colour_class(c, plane->class_count));
        graft_canvas_text(
            canvas, x + 22, y,
            &(struct graft_lettering){.size = 14, .colour = GRAFT_INK, .room = LEGEND - EDGE - 22},
            plane->class_names[c]);
    }
}

static enum graft_status put_points(struct graft_canvas *canvas, const struct graft_plane *plane, double side)
{
    struct graft_plane_frame frame;
    const double fit = 0.9 * side / sqrt((double)plane->count), box = fmin(fmax(fit, 14), 72);
    const double room = side - 2 * EDGE - box;
    enum graft_status status = GRAFT_OK;
    graft_plane_place(plane, &frame);
    for (int64_t i = 0; i < plane->count && status == GRAFT_OK; i++) {
        const struct graft_plane_point *const point = &plane->points[i];
        const struct graft_colour colour = graft_colour_class(point->label, plane->class_count);
        const double x = EDGE + (point->x - frame.first[0]) * frame.scale * room,
                     y = TITLE + EDGE + (1 - (point->y - frame.first[1]) * frame.scale) * room;
        if (point->picture == NULL) {
            graft_canvas_box(canvas, x + (box - DOT) / 2, y + (box - DOT) / 2, DOT, DOT, colour);
            continue;
        }
        const double larger = fmax(point->picture->width, point->picture->height);
        const double width = (box - 4) * point->picture->width / larger,
                     height = (box - 4) * point->picture->height / larger;
        graft_canvas_box(canvas, x + (box - width) / 2 - 2, y + (box - height) / 2 - 2, width + 4, height + 4,
                         colour);
        status = graft_canvas_picture(canvas, point->picture, x + 2, y + 2, box - 4);
    }
    return status;
}

enum graft_status graft_vis_plane(struct graft_context *context, const char *path,
                                  const struct graft_plane *plane, int32_t side)
{
    struct graft_canvas canvas;
    struct graft_text png = {0};
    const bool legend = plane->class_count > 0 && plane->class_count <= LEGEND_CLASSES;
    enum graft_status status = graft_plane_check(context, plane);
    if (status != GRAFT_OK)
        return status;
    if (side < 400 || side > 8000)
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "a plane of %d pixels: use 400 to 8000", side);
    status = graft_canvas_open(context, side + (legend ? (int)LEGEND : 0), side + (int)TITLE, 1, &canvas);
    if (status != GRAFT_OK)
        return status;
    graft_canvas_text(&canvas, EDGE, 26,
                      &(struct graft_lettering){
                          .size = 19, .bold = true, .colour = GRAFT_INK, .room = canvas.width - 2 * EDGE},
                      plane->title);
    if (plane->facts != NULL)
        graft_canvas_text(
            &canvas, EDGE, 50,
            &(struct graft_lettering){.size = 14, .colour = GRAFT_FAINT, .room = canvas.width - 2 * EDGE},
            plane->facts);
    if (legend)
        put_legend(&canvas, plane);
    status = put_points(&canvas, plane, side);
    if (status == GRAFT_OK)
        status = graft_canvas_png(&canvas, &png);
    if (status == GRAFT_OK)
        status = graft_file_write(context, path, png.data, png.length);
    graft_text_close(context, &png);
    graft_canvas_close(&canvas);
    return status;
}
