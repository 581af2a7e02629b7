/* SPDX-License-Identifier: MIT */
/* Colours of pixels, each by itself or by the histogram. */
#include "data/pixels.h"

#include <math.h>
#include <string.h>

static size_t count_of(const struct graft_pixels *pixels)
{
    return (size_t)pixels->width * (size_t)pixels->height;
}

static uint8_t luma_of(const uint8_t *pixel, int32_t channels)
{
    return channels == 3 ? graft_luma(pixel) : pixel[0];
}

/* From one grey towards the picture. */
static void blend_from(const struct graft_pixels *pixels, int grey, float factor)
{
    const size_t values = count_of(pixels) * (size_t)pixels->channels;
    uint8_t table[256];
    for (int i = 0; i < 256; i++) {
        table[i] = graft_pixels_blend(grey, i, factor);
    }
    for (size_t i = 0; i < values; i++) {
        pixels->data[i] = table[pixels->data[i]];
    }
}

void graft_pixels_brightness(const struct graft_pixels *pixels, float factor)
{
    blend_from(pixels, 0, factor);
}

void graft_pixels_contrast(const struct graft_pixels *pixels, float factor)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count_of(pixels); i++) {
        sum += luma_of(pixels->data + i * (size_t)pixels->channels, pixels->channels);
    }
    blend_from(pixels, (int)((double)sum / (double)count_of(pixels) + 0.5), factor);
}

void graft_pixels_saturation(const struct graft_pixels *pixels, float factor)
{
    for (size_t i = 0; pixels->channels == 3 && i < count_of(pixels); i++) {
        uint8_t *const pixel = pixels->data + 3 * i;
        const int grey = graft_luma(pixel);
        for (int c = 0; c < 3; c++) {
            pixel[c] = graft_pixels_blend(grey, pixel[c], factor);
        }
    }
}

void graft_pixels_gray(const struct graft_pixels *pixels)
{
    for (size_t i = 0; pixels->channels == 3 && i < count_of(pixels); i++) {
        memset(pixels->data + 3 * i, graft_luma(pixels->data + 3 * i), 3);
    }
}

/* ---- hue: through Pillow's HSV of 8 bits */

static uint8_t clip(int value)
{
    return value < 0 ? 0 : value > 255 ? 255 : (uint8_t)value;
}

static void to_hsv(const uint8_t *rgb, uint8_t hsv[3])
{
    const uint8_t r = rgb[0], g = rgb[1], b = rgb[2];
    const uint8_t most = r > g ? (r > b ? r : b) : (g > b ? g : b);
    const uint8_t least = r < g ? (r < b ? r : b) : (g < b ? g : b);
    hsv[0] = hsv[1] = 0;
    hsv[2] = most;
    if (most == least) {
        return;
    }
    const float range = (float)(most - least);
    const float from_r = (float)(most - r) / range, from_g = (float)(most - g) / range,
                from_b = (float)(most - b) / range;
    const float sixths = r == most   ? from_b - from_g
                         : g == most ? (float)(2.0 + (double)from_r - (double)from_b)
                                     : (float)(4.0 + (double)from_g - (double)from_r);
    const float turns = (float)fmod((double)sixths / 6.0 + 1.0, 1.0);
    hsv[0] = clip((int)((double)turns * 255.0));
    hsv[1] = clip((int)((double)(range / (float)most) * 255.0));
}

static void to_rgb(const uint8_t hsv[3], uint8_t *rgb)
{
    const float sixths = (float)((double)((float)hsv[0] * 6.0f) / 255.0);
    const int sector = (int)floorf(sixths);
    const float rest = sixths - (float)sector;
    const float s = (float)((double)(float)hsv[1] / 255.0);
    const float v = (float)hsv[2];
    const uint8_t p = clip((int)round((double)v * (1.0 - (double)s)));
    const uint8_t q = clip((int)round((double)v * (1.0 - (double)(s * rest))));
    const uint8_t t = clip((int)round((double)v * (1.0 - (double)s * (1.0 - (double)rest))));
    const uint8_t colors[6][3] = {{hsv[2], t, p}, {q, hsv[2], p}, {p, hsv[2], t},
                                  {p, q, hsv[2]}, {t, p, hsv[2]}, {hsv[2], p, q}};
    memcpy(rgb, colors[sector % 6], 3);
}

void graft_pixels_hue(const struct graft_pixels *pixels, double turns)
{
    const uint8_t change = (uint8_t)(int)(turns * 255);
    for (size_t i = 0; pixels->channels == 3 && i < count_of(pixels); i++) {
        uint8_t hsv[3];
        to_hsv(pixels->data + 3 * i, hsv);
        hsv[0] = (uint8_t)(hsv[0] + change);
        if (hsv[1] == 0) {
            memset(pixels->data + 3 * i, hsv[2], 3);
        } else {
            to_rgb(hsv, pixels->data + 3 * i);
        }
    }
}

/* ---- tables, a channel each */

static void apply_table(const struct graft_pixels *pixels, int32_t channel, const uint8_t table[256])
{
    const size_t step = (size_t)pixels->channels;
    for (size_t i = (size_t)channel; i < count_of(pixels) * step; i += step) {
        pixels->data[i] = table[pixels->data[i]];
    }
}

void graft_pixels_posterize(const struct graft_pixels *pixels, int bits)
{
    uint8_t table[256];
    for (int i = 0; i < 256; i++) {
        table[i] = (uint8_t)(i & ~((1 << (8 - bits)) - 1));
    }
    for (int32_t c = 0; c < pixels->channels; c++) {
        apply_table(pixels, c, table);
    }
}

void graft_pixels_solarize(const struct graft_pixels *pixels, double threshold)
{
    uint8_t table[256];
    for (int i = 0; i < 256; i++) {
        table[i] = (uint8_t)(i < threshold ? i : 255 - i);
    }
    for (int32_t c = 0; c < pixels->channels; c++) {
        apply_table(pixels, c, table);
    }
}

static void count_values(const struct graft_pixels *pixels, int32_t channel, uint64_t counts[256])
{
    const size_t step = (size_t)pixels->channels;
    memset(counts, 0, 256 * sizeof *counts);
    for (size_t i = (size_t)channel; i < count_of(pixels) * step; i += step) {
        counts[pixels->data[i]]++;
    }
}

void graft_pixels_autocontrast(const struct graft_pixels *pixels)
{
    for (int32_t c = 0; c < pixels->channels; c++) {
        uint64_t counts[256];
        uint8_t table[256];
        int least = 0, most = 255;
        count_values(pixels, c, counts);
        while (least < 255 && !counts[least]) {
            least++;
        }
        while (most > 0 && !counts[most]) {
            most--;
        }
        if (most <= least) {
            continue;
        }
        const double scale = 255.0 / (most - least);
        for (int i = 0; i < 256; i++) {
            table[i] = clip((int)(i * scale + -least * scale));
        }
        apply_table(pixels, c, table);
    }
}

void graft_pixels_equalize(const struct graft_pixels *pixels)
{
    for (int32_t c = 0; c < pixels->channels; c++) {
        uint64_t counts[256], last = 0;
        uint8_t table[256];
        int different = 0;
        count_values(pixels, c, counts);
        for (int i = 0; i < 256; i++) {
            different += counts[i] > 0;
            last = counts[i] ? counts[i] : last;
        }
        const uint64_t step = (count_of(pixels) - last) / 255;
        if (different <= 1 || step == 0) {
            continue;
        }
        uint64_t sum = step / 2;
        for (int i = 0; i < 256; i++) {
            table[i] = (uint8_t)(sum / step > 255 ? 255 : sum / step);
            sum += counts[i];
        }
        apply_table(pixels, c, table);
    }
}

void graft_pixels_fill(const struct graft_pixels *pixels, int32_t x, int32_t y, int32_t width, int32_t height,
                       const uint8_t color[3])
{
    const size_t channels = (size_t)pixels->channels;
    for (int32_t row = y; row < y + height; row++) {
        uint8_t *at = pixels->data + ((size_t)row * (size_t)pixels->width + (size_t)x) * channels;
        for (int32_t i = 0; i < width; i++, at += channels) {
            memcpy(at, color, channels);
        }
    }
}
