/* SPDX-License-Identifier: MIT */
#include "explain/octaves.h"

#include "base/context.h"
#include "base/random.h"

#include <math.h>
#include <string.h>

#define LEAST_SIDE 4
#define SMOOTH 0.0004f /* of the total variation's root, so that it has a gradient on an even picture */

/* How large the finest octave becomes, and each coarser one against the one before it. */
#define LIMIT 1.8
#define COARSER 0.6

/* Red, green, blue of lightness, of yellow against blue, of red against green. */
static const float mix[3][3] = {{1.00f, 0.52f, 0.30f}, {1.00f, 0.12f, -0.35f}, {1.00f, -0.64f, 0.05f}};

enum graft_status graft_octaves_open(struct graft_context *context, int32_t height, int32_t width,
                                     int32_t channels, int count, struct graft_octaves **octaves)
{
    struct graft_octaves *made = graft_allocate(context, 1, sizeof *made);
    bool complete;
    *octaves = NULL;
    if (!made)
        return GRAFT_ERROR_MEMORY;
    *made = (struct graft_octaves){.context = context, .height = height, .width = width, .channels = channels};
    made->pixels = graft_allocate(context, (size_t)height * (size_t)width, (size_t)channels * sizeof(float));
    made->start = graft_allocate(context, (size_t)height * (size_t)width, (size_t)channels * sizeof(float));
    complete = made->pixels && made->start;
    for (int o = 0; o < count && complete; o++) {
        struct graft_octave *const octave = &made->octave[o];
        if (o > 0 && (height < 2 * LEAST_SIDE || width < 2 * LEAST_SIDE))
            break;
        height = o > 0 ? (height + 1) / 2 : height;
        width = o > 0 ? (width + 1) / 2 : width;
        const size_t bytes = (size_t)channels * sizeof(float), places = (size_t)height * (size_t)width;
        octave->height = height;
        octave->width = width;
        octave->values = graft_allocate(context, places, bytes);
        octave->drift = graft_allocate(context, places, bytes);
        octave->sum = graft_allocate(context, places, bytes);
        complete = octave->values && octave->drift && octave->sum;
        made->count++;
    }
    if (!complete)
        graft_octaves_close(&made);
    *octaves = made;
    return complete ? GRAFT_OK : GRAFT_ERROR_MEMORY;
}

void graft_octaves_close(struct graft_octaves **octaves)
{
    struct graft_octaves *const old = *octaves;
    if (!old)
        return;
    for (int o = 0; o < old->count; o++) {
        graft_release(old->context, old->octave[o].values);
        graft_release(old->context, old->octave[o].drift);
        graft_release(old->context, old->octave[o].sum);
    }
    graft_release(old->context, old->start);
    graft_release(old->context, old->pixels);
    graft_release(old->context, old);
    *octaves = NULL;
}

static int64_t numbers_of(const struct graft_octaves *octaves, int o)
{
    return (int64_t)octaves->octave[o].height * octaves->octave[o].width * octaves->channels;
}

void graft_octaves_noise(struct graft_octaves *octaves, uint64_t seed, uint64_t stream, double deviation)
{
    struct graft_random random;
    graft_random_start(&random, seed, stream);
    memset(octaves->start, 0, (size_t)numbers_of(octaves, 0) * sizeof(float));
    for (int o = 0; o < octaves->count; o++) {
        memset(octaves->octave[o].drift, 0, (size_t)numbers_of(octaves, o) * sizeof(float));
        graft_random_normals(&random, deviation, octaves->octave[o].values, numbers_of(octaves, o));
    }
}

/* ---- colours */

static void to_colours(int32_t channels, const float *u, float *x)
{
    if (channels != 3) {
        x[0] = u[0];
        return;
    }
    for (int c = 0; c < 3; c++)
        x[c] = mix[c][0] * u[0] + mix[c][1] * u[1] + mix[c][2] * u[2];
}

/* Cramer's rule. */
static void from_colours(int32_t channels, const float *x, float *u)
{
    if (channels != 3) {
        u[0] = x[0];
        return;
    }
    double m[3][3], whole = 0;
    for (int column = -1; column < 3; column++) {
        for (int i = 0; i < 9; i++)
            m[i / 3][i % 3] = (double)(i % 3 == column ? x[i / 3] : mix[i / 3][i % 3]);
        const double d = m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) -
                         m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
                         m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
        if (column < 0)
            whole = d;
        else
            u[column] = (float)(d / whole);
    }
}

void graft_octaves_picture(struct graft_octaves *octaves, const uint8_t *pixels)
{
    const int32_t channels = octaves->channels;
    for (int o = 0; o < octaves->count; o++) {
        memset(octaves->octave[o].drift, 0, (size_t)numbers_of(octaves, o) * sizeof(float));
        memset(octaves->octave[o].values, 0, (size_t)numbers_of(octaves, o) * sizeof(float));
    }
    for (int64_t i = 0; i < numbers_of(octaves, 0); i += channels) {
        float x[3] = {0};
        for (int32_t c = 0; c < channels; c++) {
            const double share = (0.5 + pixels[i + c]) / 256;
            x[c] = (float)log(share / (1 - share));
        }
        from_colours(channels, x, octaves->start + i);
    }
}

/* ---- between octaves */

/* Between which two pixels of `from` the middle of pixel `at` of `to` lies, and how far from the first. */
static void between(int32_t at, int32_t from, int32_t to, int32_t *first, int32_t *second, float *part)
{
    const double place = fmax(((double)at + 0.5) * from / to - 0.5, 0);
    *first = (int32_t)place < from - 1 ? (int32_t)place : from - 1;
    *second = *first + 1 < from ? *first + 1 : *first;
    *part = (float)(place - *first);
}

void graft_enlarge_add(const float *from, int32_t from_height, int32_t from_width, int32_t height, int32_t width,
                       int32_t channels, float *to)
{
    for (int32_t y = 0; y < height; y++) {
        int32_t top, bottom, left, right;
        float down, across;
        between(y, from_height, height, &top, &bottom, &down);
        const float *const above = from + (int64_t)top * from_width * channels,
                           *const below = from + (int64_t)bottom * from_width * channels;
        for (int32_t x = 0; x < width; x++) {
            between(x, from_width, width, &left, &right, &across);
            float *const at = to + ((int64_t)y * width + x) * channels;
            for (int32_t c = 0; c < channels; c++) {
                const float a = above[left * channels + c], b = below[left * channels + c];
                const float high = a + across * (above[right * channels + c] - a);
                const float low = b + across * (below[right * channels + c] - b);
                at[c] += high + down * (low - high);
            }
        }
    }
}

void graft_enlarge_back(const float *to, int32_t height, int32_t width, int32_t channels, int32_t from_height,
                        int32_t from_width, float *from)
{
    memset(from, 0, (size_t)from_height * (size_t)from_width * (size_t)channels * sizeof *from);
    for (int32_t y = 0; y < height; y++) {
        int32_t top, bottom, left, right;
        float down, across;
        between(y, from_height, height, &top, &bottom, &down);
        float *const above = from + (int64_t)top * from_width * channels,
                     *const below = from + (int64_t)bottom * from_width * channels;
        for (int32_t x = 0; x < width; x++) {
            between(x, from_width, width, &left, &right, &across);
            const float *const at = to + ((int64_t)y * width + x) * channels;
            for (int32_t c = 0; c < channels; c++) {
                const float low = down * at[c], high = at[c] - low;
                above[left * channels + c] += (1 - across) * high;
                above[right * channels + c] += across * high;
                below[left * channels + c] += (1 - across) * low;
                below[right * channels + c] += across * low;
            }
        }
    }
}

void graft_octaves_render(struct graft_octaves *octaves)
{
    const int32_t channels = octaves->channels;
    for (int o = octaves->count - 1; o >= 0; o--) {
        struct graft_octave *const octave = &octaves->octave[o], *const coarser = octave + 1;
        memcpy(octave->sum, octave->values, (size_t)numbers_of(octaves, o) * sizeof(float));
        if (o + 1 < octaves->count)
            graft_enlarge_add(coarser->sum, coarser->height, coarser->width, octave->height, octave->width,
                              channels, octave->sum);
    }
    for (int64_t i = 0; i < numbers_of(octaves, 0); i++)
        octaves->octave[0].sum[i] += octaves->start[i];
    for (int64_t i = 0; i < numbers_of(octaves, 0); i += channels) {
        to_colours(channels, octaves->octave[0].sum + i, octaves->pixels + i);
        for (int32_t c = 0; c < channels; c++)
            octaves->pixels[i + c] = 1 / (1 + expf(-octaves->pixels[i + c]));
    }
}

/* ---- moving */

static void move(struct graft_octave *octave, int64_t numbers, double rate, double inertia, double limit)
{
    double squares = 0;
    for (int64_t i = 0; i < numbers; i++)
        squares += (double)octave->sum[i] * (double)octave->sum[i];
    const double size = sqrt(squares / (double)numbers);
    if (!(size > 0) || !isfinite(size)) /* nothing leads uphill from here */
        return;
    const float share = (float)((1 - inertia) / size), keep = (float)inertia, step = (float)rate;
    const float back = (float)(1 / limit);
    for (int64_t i = 0; i < numbers; i++) {
        octave->drift[i] = keep * octave->drift[i] + share * octave->sum[i];
        octave->values[i] += step * (octave->drift[i] - back * octave->values[i]);
    }
}

void graft_octaves_step(struct graft_octaves *octaves, float *slope, int first, double rate, double inertia)
{
    const int32_t channels = octaves->channels;
    float *const finest = octaves->octave[0].sum;
    for (int64_t i = 0; i < numbers_of(octaves, 0); i += channels) {
        for (int32_t c = 0; c < channels; c++)
            slope[i + c] *= octaves->pixels[i + c] * (1 - octaves->pixels[i + c]);
        for (int32_t c = 0; c < channels; c++)
            finest[i + c] = channels == 3 ? mix[0][c] * slope[i] + mix[1][c] * slope[i + 1] + mix[2][c] * slope[i + 2]
                                          : slope[i + c];
    }
    for (int o = 0; o < octaves->count; o++) {
        struct graft_octave *const octave = &octaves->octave[o], *const coarser = octave + 1;
        if (o + 1 < octaves->count)
            graft_enlarge_back(octave->sum, octave->height, octave->width, channels, coarser->height,
                               coarser->width, coarser->sum);
        if (o >= first)
            move(octave, numbers_of(octaves, o), rate, inertia, LIMIT * pow(COARSER, o));
    }
}

void graft_add_variation_slope(const float *pixels, int32_t height, int32_t width, int32_t channels,
                               double factor, float *slope)
{
    const int64_t row = (int64_t)width * channels;
    const float by = (float)factor;
    for (int32_t y = 0; y < height; y++)
        for (int64_t i = 0; i < row; i++) {
            const int64_t at = y * row + i;
            const bool last_row = y + 1 == height, last_column = i + channels >= row;
            const float down = last_row ? 0 : pixels[at + row] - pixels[at];
            const float across = last_column ? 0 : pixels[at + channels] - pixels[at];
            const float size = by / sqrtf(down * down + across * across + SMOOTH);
            slope[at] -= size * (down + across);
            if (!last_row)
                slope[at + row] += size * down;
            if (!last_column)
                slope[at + channels] += size * across;
        }
}
