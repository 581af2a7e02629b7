/* SPDX-License-Identifier: MIT */
/* Filters over neighbouring pixels. */
#include "data/pixels.h"

#include <math.h>
#include <string.h>

/* ImageFilter.SMOOTH: 1 1 1, 1 5 1, 1 1 1, divided by 13; pixels of the edge stay. */
static void smooth(const struct graft_pixels *pixels, uint8_t *to)
{
    const int32_t channels = pixels->channels;
    const size_t stride = (size_t)pixels->width * (size_t)channels;
    memcpy(to, pixels->data, stride * (size_t)pixels->height);
    for (int32_t y = 1; y + 1 < pixels->height; y++) {
        const uint8_t *const row = pixels->data + (size_t)y * stride;
        for (size_t i = (size_t)channels; i + (size_t)channels < stride; i++) {
            int sum = 4 * row[i];
            for (int32_t k = -1; k <= 1; k++) {
                const uint8_t *const at = row + (ptrdiff_t)i + k * channels;
                sum += at[0] + at[-(ptrdiff_t)stride] + at[stride];
            }
            to[(size_t)y * stride + i] = (uint8_t)((2 * sum + 13) / 26);
        }
    }
}

void graft_pixels_sharpness(const struct graft_pixels *pixels, uint8_t *spare, float factor)
{
    const size_t count = (size_t)pixels->width * (size_t)pixels->height * (size_t)pixels->channels;
    smooth(pixels, spare);
    for (size_t i = 0; i < count; i++) {
        pixels->data[i] = graft_pixels_blend(spare[i], pixels->data[i], factor);
    }
}

/* A place outside, mirrored at the edge pixel: −1 is 1. */
static int32_t mirrored(int32_t at, int32_t size)
{
    return at < 0 ? -at : at >= size ? 2 * (size - 1) - at : at;
}

/* Down the columns, all channels of a row at a time. */
static void blur_down(const struct graft_pixels *pixels, const float *weights, int32_t reach, float *to)
{
    const size_t stride = (size_t)pixels->width * (size_t)pixels->channels;
    for (int32_t y = 0; y < pixels->height; y++, to += stride) {
        memset(to, 0, stride * sizeof *to);
        for (int32_t k = -reach; k <= reach; k++) {
            const uint8_t *const row = pixels->data + (size_t)mirrored(y + k, pixels->height) * stride;
            const float weight = weights[k + reach];
            for (size_t i = 0; i < stride; i++) {
                to[i] += weight * (float)row[i];
            }
        }
    }
}

/* Along the rows; `wide` has room for a row with its mirrored ends. */
static void blur_across(const struct graft_pixels *pixels, const float *weights, int32_t reach,
                        const float *from, float *wide)
{
    const int32_t width = pixels->width, channels = pixels->channels;
    const size_t stride = (size_t)width * (size_t)channels;
    for (int32_t y = 0; y < pixels->height; y++, from += stride) {
        uint8_t *const to = pixels->data + (size_t)y * stride;
        for (int32_t x = -reach; x < width + reach; x++) {
            memcpy(wide + (size_t)((x + reach) * channels), from + (size_t)(mirrored(x, width) * channels),
                   (size_t)channels * sizeof *wide);
        }
        for (size_t i = 0; i < stride; i++) {
            float value = 0;
            for (int32_t k = 0; k <= 2 * reach; k++) {
                value += weights[k] * wide[i + (size_t)(k * channels)];
            }
            to[i] = (uint8_t)nearbyintf(value > 255 ? 255 : value);
        }
    }
}

void graft_pixels_blur(const struct graft_pixels *pixels, float *spare, double deviation, int32_t reach)
{
    float weights[2 * GRAFT_BLUR_REACH + 1];
    double sum = 0;
    for (int32_t k = -reach; k <= reach; k++) {
        sum += exp(-0.5 * (k / deviation) * (k / deviation));
    }
    for (int32_t k = -reach; k <= reach; k++) {
        weights[k + reach] = (float)(exp(-0.5 * (k / deviation) * (k / deviation)) / sum);
    }
    const size_t count = (size_t)pixels->width * (size_t)pixels->height * (size_t)pixels->channels;
    blur_down(pixels, weights, reach, spare);
    blur_across(pixels, weights, reach, spare, spare + count);
}
