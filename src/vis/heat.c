/* SPDX-License-Identifier: MIT */
/* Heat over pictures: colours in which equal steps look equal, and a map laid over the picture it explains.
 */
#include "base/context.h"
#include "graft/vis.h"
#include "vis/colour.h"

#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846

static double encode(double linear)
{
    const double x = fmin(fmax(linear, 0), 1);
    return x <= 0.0031308 ? 12.92 * x : 1.055 * pow(x, 1 / 2.4) - 0.055;
}

/* A way through OKLab (Ottosson 2020), whose lightness is what people see: evenly lighter from a dark violet
 * over red to a pale yellow. */
struct graft_colour graft_colour_heat(double share)
{
    const double t = fmin(fmax(share, 0), 1);
    const double lightness = 0.16 + 0.80 * t, hue = (290 + 180 * t) * PI / 180;
    const double chroma = 0.17 * sqrt(sin(PI * (0.10 + 0.78 * t)));
    const double a = chroma * cos(hue), b = chroma * sin(hue);
    const double l = pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3),
                 m = pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3),
                 s = pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3);
    return (struct graft_colour){encode(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
                                 encode(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
                                 encode(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s)};
}

void graft_heat_colours(uint8_t table[256][3])
{
    for (int i = 0; i < 256; i++) {
        const struct graft_colour colour = graft_colour_heat(i / 255.0);
        table[i][0] = (uint8_t)lround(255 * colour.red);
        table[i][1] = (uint8_t)lround(255 * colour.green);
        table[i][2] = (uint8_t)lround(255 * colour.blue);
    }
}

static int index_of(double share)
{
    return share > 0 ? (int)lround(255 * fmin(share, 1)) : 0; /* NaN: 0 */
}

enum graft_status graft_vis_heat(struct graft_context *context, const float *heat, int32_t width,
                                 int32_t height, struct graft_image *result)
{
    uint8_t table[256][3];
    const size_t count = (size_t)width * (size_t)height;
    *result = (struct graft_image){.width = width, .height = height, .channels = 3};
    result->pixels = graft_allocate(context, count, 3);
    if (!result->pixels)
        return GRAFT_ERROR_MEMORY;
    graft_heat_colours(table);
    for (size_t i = 0; i < count; i++)
        memcpy(result->pixels + 3 * i, table[index_of((double)heat[i])], 3);
    return GRAFT_OK;
}

/* Of heat [height, width] at a place in its pixels, between their middles. */
static double heat_at(const float *heat, int32_t width, int32_t height, double x, double y)
{
    const double across = fmin(fmax(x - 0.5, 0), width - 1), down = fmin(fmax(y - 0.5, 0), height - 1);
    const int32_t left = (int32_t)across, top = (int32_t)down;
    const int32_t right = left + 1 < width ? left + 1 : left, bottom = top + 1 < height ? top + 1 : top;
    const double part = across - left;
    const float *const above = heat + (int64_t)top * width, *const below = heat + (int64_t)bottom * width;
    const double high = (double)above[left] + part * (double)(above[right] - above[left]);
    const double low = (double)below[left] + part * (double)(below[right] - below[left]);
    return high + (down - top) * (low - high);
}

enum graft_status graft_vis_overlay(struct graft_context *context, const struct graft_image *picture,
                                    const struct graft_region *region, const float *heat, int32_t width,
                                    int32_t height, struct graft_image *result)
{
    uint8_t table[256][3];
    *result = (struct graft_image){.width = picture->width, .height = picture->height, .channels = 3};
    result->pixels = graft_allocate(context, (size_t)picture->width * (size_t)picture->height, 3);
    if (!result->pixels)
        return GRAFT_ERROR_MEMORY;
    graft_heat_colours(table);
    for (int32_t y = 0; y < picture->height; y++)
        for (int32_t x = 0; x < picture->width; x++) {
            const int64_t at = (int64_t)y * picture->width + x;
            const uint8_t *const from = picture->pixels + at * picture->channels;
            const double across = (x + 0.5 - region->left) / region->across,
                         down = (y + 0.5 - region->top) / region->down;
            const bool seen = across >= 0 && down >= 0 && across < width && down < height;
            const double share = seen ? heat_at(heat, width, height, across, down) : 0;
            /* The picture in grey, darker where nothing speaks for the class, so that both stay readable. */
            const double rgb[3] = {from[0], from[picture->channels > 1], from[2 * (picture->channels > 1)]};
            const double grey = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
            const double cover = seen ? 0.12 + 0.53 * fmin(share, 1) : 0;
            const uint8_t *const colour = table[index_of(share)];
            for (int c = 0; c < 3; c++) {
                const double base = seen ? 0.5 * rgb[c] + 0.5 * grey : 0.45 * grey;
                result->pixels[3 * at + c] = (uint8_t)lround(base + cover * (colour[c] - base));
            }
        }
    return GRAFT_OK;
}
