/* SPDX-License-Identifier: MIT */
/* The channels of a feature map side by side. */
#include "base/context.h"
#include "graft/vis.h"
#include "vis/colour.h"

#include <math.h>
#include <string.h>

#define LARGEST_SIDE 8192
#define GAP 2

struct grid {
    int32_t columns, rows;
    int32_t times; /* pixels of the image for a place of the map */
};

static void put_pixel(struct graft_image *image, int32_t x, int32_t y, const uint8_t colour[3])
{
    memcpy(image->pixels + 3 * ((int64_t)y * image->width + x), colour, 3);
}

/* A thin cross, in a colour that the scale does not have. */
static void cross_out(struct graft_image *image, int32_t left, int32_t top, int32_t width, int32_t height)
{
    static const uint8_t blue[3] = {0, 150, 220};
    const int32_t steps = width > height ? width : height;
    for (int32_t i = 0; i < steps; i++) {
        const int32_t x = (int32_t)((int64_t)i * (width - 1) / (steps > 1 ? steps - 1 : 1));
        const int32_t y = (int32_t)((int64_t)i * (height - 1) / (steps > 1 ? steps - 1 : 1));
        put_pixel(image, left + x, top + y, blue);
        put_pixel(image, left + width - 1 - x, top + y, blue);
    }
}

static struct grid lay_out(int32_t height, int32_t width, int32_t channels, int32_t cell)
{
    const int32_t larger = width > height ? width : height;
    struct grid grid = {.times = cell / larger > 1 ? cell / larger : 1};
    const double across = width * grid.times + GAP, down = height * grid.times + GAP;
    grid.columns = (int32_t)ceil(sqrt(channels * down / across));
    grid.columns = grid.columns < channels ? grid.columns : channels;
    grid.rows = (channels - 1) / grid.columns + 1;
    return grid;
}

enum graft_status graft_vis_channels(struct graft_context *context, const float *values, int32_t height,
                                     int32_t width, int32_t channels, float lowest, float highest,
                                     int32_t cell, struct graft_image *result)
{
    static const uint8_t white[3] = {255, 255, 255};
    const struct grid grid = lay_out(height, width, channels, cell);
    const int64_t across = (int64_t)width * grid.times + GAP, down = (int64_t)height * grid.times + GAP;
    const int64_t whole_width = grid.columns * across + GAP, whole_height = grid.rows * down + GAP;
    uint8_t table[256][3];
    *result = (struct graft_image){0};
    if (whole_width > LARGEST_SIDE || whole_height > LARGEST_SIDE)
        return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                          "%d channels of %d x %d side by side are more than %d pixels: name a later layer",
                          channels, width, height, LARGEST_SIDE);
    *result = (struct graft_image){(int32_t)whole_width, (int32_t)whole_height, 3, NULL};
    result->pixels = graft_allocate(context, (size_t)(whole_width * whole_height), 3);
    if (!result->pixels)
        return GRAFT_ERROR_MEMORY;
    memset(result->pixels, white[0], (size_t)(3 * whole_width * whole_height));
    graft_heat_colours(table);
    const double scale = highest > lowest ? 255 / (double)(highest - lowest) : 0;
    for (int32_t c = 0; c < channels; c++) {
        const int32_t left = (int32_t)(GAP + c % grid.columns * across),
                      top = (int32_t)(GAP + c / grid.columns * down);
        bool dead = true;
        for (int32_t y = 0; y < height * grid.times; y++)
            for (int32_t x = 0; x < width * grid.times; x++) {
                const float value =
                    values[((int64_t)(y / grid.times) * width + x / grid.times) * channels + c];
                const double place = scale * (double)(value - lowest);
                dead = dead && value == 0;
                put_pixel(result, left + x, top + y, table[place > 0 ? (int)fmin(place + 0.5, 255) : 0]);
            }
        if (dead)
            cross_out(result, left, top, width * grid.times, height * grid.times);
    }
    return GRAFT_OK;
}
