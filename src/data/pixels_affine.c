/* SPDX-License-Identifier: MIT */
/* A picture turned, moved, sheared and stretched: bilinear interpolation, cut off as Pillow does. This file
 * is compiled without contraction. */
#include "data/pixels.h"

#include <math.h>
#include <string.h>

/* Where pixel `at` of an axis is found in the picture. */
static int32_t inside(int64_t at, int32_t size, enum graft_fill fill)
{
    if (at >= 0 && at < size) {
        return (int32_t)at;
    }
    if (fill == GRAFT_FILL_WRAP) {
        const int64_t rest = at % size;
        return (int32_t)(rest < 0 ? rest + size : rest);
    }
    if (fill == GRAFT_FILL_REFLECT) { /* edge pixels twice */
        const int64_t period = 2 * (int64_t)size;
        const int64_t rest = (at % period + period) % period;
        return (int32_t)(rest < size ? rest : period - 1 - rest);
    }
    return at < 0 ? 0 : size - 1;
}

static double between(double a, double b, double share)
{
    return a + (b - a) * share;
}

/* A place that is too far away for its number to be a pixel's. */
#define FAR 1e9

static void sample(const struct graft_view *from, double x, double y, enum graft_fill fill, uint8_t *to)
{
    const int32_t channels = from->channels;
    const bool within = x >= 0 && x < from->width && y >= 0 && y < from->height;
    if (!(fabs(x) < FAR && fabs(y) < FAR) || (fill == GRAFT_FILL_CONSTANT && !within)) {
        memset(to, 0, (size_t)channels);
        return;
    }
    const double left = floor(x - 0.5), top = floor(y - 0.5);
    const double across = x - 0.5 - left, down = y - 0.5 - top;
    const int32_t x0 = inside((int64_t)left, from->width, fill) * channels;
    const int32_t x1 = inside((int64_t)left + 1, from->width, fill) * channels;
    const uint8_t *const row0 =
        from->pixels + (size_t)inside((int64_t)top, from->height, fill) * from->stride;
    const uint8_t *const row1 =
        from->pixels + (size_t)inside((int64_t)top + 1, from->height, fill) * from->stride;
    for (int32_t c = 0; c < channels; c++) {
        const double above = between(row0[x0 + c], row0[x1 + c], across);
        const double below = between(row1[x0 + c], row1[x1 + c], across);
        to[c] = (uint8_t)between(above, below, down);
    }
}

void graft_pixels_affine(const struct graft_view *from, const double m[6], enum graft_fill fill,
                         const struct graft_pixels *to)
{
    for (int32_t y = 0; y < to->height; y++) {
        uint8_t *at = to->data + (size_t)y * (size_t)to->width * (size_t)to->channels;
        for (int32_t x = 0; x < to->width; x++, at += to->channels) {
            sample(from, m[0] * (x + 0.5) + m[1] * (y + 0.5) + m[2],
                   m[3] * (x + 0.5) + m[4] * (y + 0.5) + m[5], fill, at);
        }
    }
}
