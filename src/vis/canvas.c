/* SPDX-License-Identifier: MIT */
#include "vis/canvas.h"

#include "base/context.h"
#include "base/text.h"
#include "data/encode.h"

#include <math.h>
#include <string.h>

#define LARGEST_SIDE 8192
#define TEXT_BYTES 512
#define ELLIPSIS "\xe2\x80\xa6"

struct graft_colour graft_colour_series(int index)
{
    static const struct graft_colour colours[] = {
        {0.00, 0.45, 0.70}, {0.84, 0.37, 0.00}, {0.00, 0.62, 0.45}, {0.80, 0.47, 0.65},
        {0.34, 0.71, 0.91}, {0.90, 0.62, 0.00}, {0.35, 0.35, 0.35}, {0.94, 0.89, 0.26},
    };
    return colours[(unsigned)index % (sizeof colours / sizeof colours[0])];
}

struct graft_colour graft_colour_share(double share)
{
    static const struct graft_colour stops[] = {{0.975, 0.980, 0.988},
                                                {0.79, 0.87, 0.95},
                                                {0.46, 0.69, 0.86},
                                                {0.16, 0.45, 0.71},
                                                {0.04, 0.19, 0.42}};
    const int last = sizeof stops / sizeof stops[0] - 1;
    /* The root spreads small shares: few mistakes are to be seen too. */
    const double place = share > 0 ? sqrt(share < 1 ? share : 1) * last : 0;
    const int from = place < last ? (int)place : last - 1;
    const double part = place - from;
    const struct graft_colour *const a = &stops[from], *const b = &stops[from + 1];
    return (struct graft_colour){a->red + part * (b->red - a->red), a->green + part * (b->green - a->green),
                                 a->blue + part * (b->blue - a->blue)};
}

static enum graft_status fail_cairo(struct graft_context *context, cairo_status_t status)
{
    return graft_fail(context,
                      status == CAIRO_STATUS_NO_MEMORY ? GRAFT_ERROR_MEMORY : GRAFT_ERROR_UNSUPPORTED,
                      "a plot could not be drawn: %s", cairo_status_to_string(status));
}

enum graft_status graft_canvas_open(struct graft_context *context, int width, int height, double scale,
                                    struct graft_canvas *canvas)
{
    *canvas = (struct graft_canvas){.context = context, .width = width / scale, .height = height / scale};
    if (width < 1 || height < 1 || width > LARGEST_SIDE || height > LARGEST_SIDE) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "a plot of %d x %d pixels: sides are 1 to %d", width,
                          height, LARGEST_SIDE);
    }
    const int stride = cairo_format_stride_for_width(CAIRO_FORMAT_RGB24, width);
    canvas->pixels = graft_allocate(context, (size_t)stride, (size_t)height);
    if (canvas->pixels == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    canvas->surface =
        cairo_image_surface_create_for_data(canvas->pixels, CAIRO_FORMAT_RGB24, width, height, stride);
    canvas->cairo = cairo_create(canvas->surface);
    const cairo_status_t status = cairo_status(canvas->cairo);
    if (status != CAIRO_STATUS_SUCCESS) {
        graft_canvas_close(canvas);
        return fail_cairo(context, status);
    }
    /* Outlines as designed: the same layout at every scale. */
    cairo_font_options_t *const options = cairo_font_options_create();
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_set_font_options(canvas->cairo, options);
    cairo_font_options_destroy(options);
    cairo_set_source_rgb(canvas->cairo, 1, 1, 1);
    cairo_paint(canvas->cairo);
    cairo_scale(canvas->cairo, scale, scale);
    return GRAFT_OK;
}

void graft_canvas_close(struct graft_canvas *canvas)
{
    if (canvas->cairo != NULL) {
        cairo_destroy(canvas->cairo);
    }
    if (canvas->surface != NULL) {
        cairo_surface_destroy(canvas->surface);
    }
    if (canvas->pixels != NULL) {
        graft_release(canvas->context, canvas->pixels);
    }
    *canvas = (struct graft_canvas){0};
}

/* By our own writer: cairo's tries five filters for each row and compresses harder, for three times the work. */
enum graft_status graft_canvas_png(struct graft_canvas *canvas, struct graft_text *png)
{
    const cairo_status_t drawn = cairo_status(canvas->cairo);
    if (drawn != CAIRO_STATUS_SUCCESS) {
        return fail_cairo(canvas->context, drawn);
    }
    cairo_surface_flush(canvas->surface);
    struct graft_image image = {.width = cairo_image_surface_get_width(canvas->surface),
                                .height = cairo_image_surface_get_height(canvas->surface),
                                .channels = 3};
    const int stride = cairo_image_surface_get_stride(canvas->surface);
    image.pixels = graft_allocate(canvas->context, (size_t)image.width * (size_t)image.height, 3);
    if (image.pixels == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    uint8_t *to = image.pixels;
    for (int y = 0; y < image.height; y++) {
        const uint8_t *const row = (const uint8_t *)canvas->pixels + (size_t)y * (size_t)stride;
        for (int x = 0; x < image.width; x++, to += 3) {
            uint32_t pixel; /* CAIRO_FORMAT_RGB24: a number whose highest byte is unused */
            memcpy(&pixel, row + 4 * (size_t)x, sizeof pixel);
            to[0] = (uint8_t)(pixel >> 16);
            to[1] = (uint8_t)(pixel >> 8);
            to[2] = (uint8_t)pixel;
        }
    }
    const enum graft_status status = graft_image_encode_png(canvas->context, &image, png);
    graft_image_close(canvas->context, &image);
    return status;
}

static double advance(struct graft_canvas *canvas, const char *text)
{
    cairo_text_extents_t extents;
    cairo_text_extents(canvas->cairo, text, &extents);
    return extents.x_advance;
}

/* Sets the font, cleans and cuts; the width that remains. `fit` holds TEXT_BYTES. */
static double prepare(struct graft_canvas *canvas, const struct graft_lettering *l, const char *text,
                      char *fit)
{
    cairo_select_font_face(canvas->cairo, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                           l->bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(canvas->cairo, l->size);
    (void)graft_text_show(text, fit, TEXT_BYTES - sizeof ELLIPSIS);
    double width = advance(canvas, fit);
    size_t length = strlen(fit);
    while (l->room > 0 && width > l->room && length > 0) {
        do {
            length--;
        } while (length > 0 && ((unsigned char)fit[length] & 0xC0) == 0x80);
        while (length > 0 && fit[length - 1] == ' ') {
            length--;
        }
        strcpy(fit + length, ELLIPSIS);
        width = advance(canvas, fit);
    }
    return width;
}

double graft_canvas_text_width(struct graft_canvas *canvas, const struct graft_lettering *lettering,
                               const char *text)
{
    char fit[TEXT_BYTES];
    return prepare(canvas, lettering, text, fit);
}

void graft_canvas_text(struct graft_canvas *canvas, double x, double y,
                       const struct graft_lettering *lettering, const char *text)
{
    const double capitals = 0.72; /* their height, for a size of 1 */
    char fit[TEXT_BYTES];
    const double width = prepare(canvas, lettering, text, fit);
    cairo_save(canvas->cairo);
    graft_canvas_colour(canvas, lettering->colour);
    cairo_translate(canvas->cairo, x, y);
    cairo_rotate(canvas->cairo, lettering->angle);
    cairo_move_to(canvas->cairo, -lettering->align * width, 0.5 * capitals * lettering->size);
    cairo_show_text(canvas->cairo, fit);
    cairo_new_path(canvas->cairo);
    cairo_restore(canvas->cairo);
}

void graft_canvas_colour(struct graft_canvas *canvas, struct graft_colour colour)
{
    cairo_set_source_rgb(canvas->cairo, colour.red, colour.green, colour.blue);
}

void graft_canvas_line(struct graft_canvas *canvas, double x0, double y0, double x1, double y1, double width,
                       struct graft_colour colour)
{
    graft_canvas_colour(canvas, colour);
    cairo_set_line_width(canvas->cairo, width);
    cairo_move_to(canvas->cairo, x0, y0);
    cairo_line_to(canvas->cairo, x1, y1);
    cairo_stroke(canvas->cairo);
}

void graft_canvas_box(struct graft_canvas *canvas, double x, double y, double width, double height,
                      struct graft_colour colour)
{
    graft_canvas_colour(canvas, colour);
    cairo_rectangle(canvas->cairo, x, y, width, height);
    cairo_fill(canvas->cairo);
}

enum graft_status graft_canvas_picture(struct graft_canvas *canvas, const struct graft_image *picture, double x,
                                       double y, double side)
{
    const int stride = cairo_format_stride_for_width(CAIRO_FORMAT_RGB24, picture->width);
    uint32_t *const pixels = graft_allocate(canvas->context, (size_t)stride, (size_t)picture->height);
    if (pixels == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    for (int32_t row = 0; row < picture->height; row++) {
        for (int32_t column = 0; column < picture->width; column++) {
            const uint8_t *const from =
                picture->pixels + ((int64_t)row * picture->width + column) * picture->channels;
            const int green = picture->channels > 1, blue = 2 * green;
            pixels[row * (stride / 4) + column] =
                (uint32_t)from[0] << 16 | (uint32_t)from[green] << 8 | from[blue];
        }
    }
    const double larger = picture->width > picture->height ? picture->width : picture->height;
    const double scale = side / larger;
    cairo_surface_t *const surface = cairo_image_surface_create_for_data(
        (unsigned char *)pixels, CAIRO_FORMAT_RGB24, picture->width, picture->height, stride);
    cairo_save(canvas->cairo);
    cairo_translate(canvas->cairo, x + (side - scale * picture->width) / 2,
                    y + (side - scale * picture->height) / 2);
    cairo_scale(canvas->cairo, scale, scale);
    cairo_set_source_surface(canvas->cairo, surface, 0, 0);
    cairo_pattern_set_filter(cairo_get_source(canvas->cairo),
                             scale > 3 ? CAIRO_FILTER_NEAREST : CAIRO_FILTER_GOOD);
    cairo_paint(canvas->cairo);
    cairo_restore(canvas->cairo);
    cairo_surface_destroy(surface);
    graft_release(canvas->context, pixels);
    return GRAFT_OK;
}
