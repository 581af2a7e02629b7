/* SPDX-License-Identifier: MIT */
/* A sheet: rows of pictures and bars of equal size with captions. */
#include "base/context.h"
#include "base/file.h"
#include "vis/canvas.h"
#include "vis/plot.h"

#include <math.h>
#include <stdio.h>

#define GAP 14.0
#define CAPTION 26.0
#define TITLE 34.0
#define BAR 40.0

static void put_bars(struct graft_canvas *canvas, const struct graft_sheet_tile *tile, double x, double y,
                     double side)
{
    for (int32_t i = 0; i < tile->bar_count && (i + 1) * BAR <= side + 1; i++) {
        const struct graft_sheet_bar *const bar = &tile->bars[i];
        const double top = y + i * BAR;
        char value[32];
        (void)snprintf(value, sizeof value, "%.1f %%", 100 * bar->share);
        graft_canvas_text(canvas, x, top + 8,
                          &(struct graft_lettering){
                              .size = 13, .bold = bar->marked, .colour = GRAFT_INK, .room = side - 60},
                          bar->name);
        graft_canvas_text(canvas, x + side, top + 8,
                          &(struct graft_lettering){.size = 13, .colour = GRAFT_INK, .align = 1}, value);
        graft_canvas_box(canvas, x, top + 18, side, 8, GRAFT_GRID);
        graft_canvas_box(canvas, x, top + 18, side * fmin(fmax(bar->share, 0), 1), 8,
                         graft_colour_series(bar->marked ? 1 : 0));
    }
}

static enum graft_status put_tile(struct graft_canvas *canvas, const struct graft_sheet_tile *tile, double x,
                                  double y, double side)
{
    if (tile->caption != NULL) {
        graft_canvas_text(canvas, x, y + CAPTION / 2 - 2,
                          &(struct graft_lettering){.size = 13, .colour = GRAFT_FAINT, .room = side},
                          tile->caption);
    }
    if (tile->bar_count > 0) {
        put_bars(canvas, tile, x, y + CAPTION, side);
    }
    return tile->picture != NULL ? graft_canvas_picture(canvas, tile->picture, x, y + CAPTION, side)
                                 : GRAFT_OK;
}

enum graft_status graft_draw_sheet(struct graft_context *context, const char *title,
                                   const struct graft_sheet_tile *tiles, int32_t count, int32_t columns,
                                   int32_t side, struct graft_text *png)
{
    if (count < 1 || columns < 1 || side < 16) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                          "a sheet of %d pictures in %d columns of %d pixels: there is nothing to draw",
                          count, columns, side);
    }
    const int32_t across = columns < count ? columns : count, rows = (count - 1) / across + 1;
    const double above = title != NULL ? TITLE : 0;
    struct graft_canvas canvas;
    enum graft_status status =
        graft_canvas_open(context, (int)(GAP + across * (side + GAP)),
                          (int)(GAP + above + rows * (side + CAPTION + GAP)), 1, &canvas);
    if (status != GRAFT_OK) {
        return status;
    }
    if (title != NULL) {
        graft_canvas_text(&canvas, GAP, GAP + 10,
                          &(struct graft_lettering){
                              .size = 17, .bold = true, .colour = GRAFT_INK, .room = canvas.width - 2 * GAP},
                          title);
    }
    for (int32_t i = 0; i < count && status == GRAFT_OK; i++) {
        status = put_tile(&canvas, &tiles[i], GAP + i % across * (side + GAP),
                          GAP + above + i / across * (side + CAPTION + GAP), side);
    }
    if (status == GRAFT_OK) {
        status = graft_canvas_png(&canvas, png);
    }
    graft_canvas_close(&canvas);
    return status;
}

enum graft_status graft_vis_sheet(struct graft_context *context, const char *path, const char *title,
                                  const struct graft_sheet_tile *tiles, int32_t count, int32_t columns,
                                  int32_t side)
{
    struct graft_text png = {0};
    enum graft_status status = graft_draw_sheet(context, title, tiles, count, columns, side, &png);
    if (status == GRAFT_OK) {
        status = graft_file_write(context, path, png.data, png.length);
    }
    graft_text_close(context, &png);
    return status;
}
