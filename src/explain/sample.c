/* SPDX-License-Identifier: MIT */
#include "explain/sample.h"

#include "base/random.h"

#include <math.h>
#include <string.h>

/* Half a pixel of a centre crop between sizes of different parity is rounded as Python does, half to even. */
static double straight_shift(int32_t size, int32_t view)
{
    const double before = (size - view) / 2.0;
    return nearbyint(before) - before;
}

struct graft_glance graft_glance_straight(int32_t height, int32_t width, int32_t view_height, int32_t view_width)
{
    return (struct graft_glance){
        .matrix = {{1, 0}, {0, 1}},
        .shift = {straight_shift(width, view_width), straight_shift(height, view_height)}};
}

struct graft_glance graft_glance_draw(const struct graft_glance *straight, uint64_t seed, uint64_t stream,
                                      double pixels, int32_t side)
{
    struct graft_random random;
    double drawn[4];
    graft_random_start(&random, seed, stream);
    for (int i = 0; i < 4; i++)
        drawn[i] = pixels * (2 * (double)graft_random_uniform(&random) - 1);
    const double edge = 2.0 / side;
    const double scale = exp(drawn[2] * edge), angle = drawn[3] * edge;
    const double along = scale * cos(angle), aside = scale * sin(angle);
    return (struct graft_glance){.matrix = {{along, -aside}, {aside, along}},
                                 .shift = {straight->shift[0] + drawn[0], straight->shift[1] + drawn[1]}};
}

/* The four pixels around a place, as offsets, and their shares. */
struct corners {
    int64_t at[4];
    float share[4];
};

static struct corners corners_of(const struct graft_glance *glance, int32_t height, int32_t width,
                                 int32_t channels, double x, double y)
{
    const double across = fmin(
        fmax(glance->matrix[0][0] * x + glance->matrix[0][1] * y + glance->shift[0] + (width - 1) / 2.0, 0), width - 1);
    const double down =
        fmin(fmax(glance->matrix[1][0] * x + glance->matrix[1][1] * y + glance->shift[1] + (height - 1) / 2.0, 0),
             height - 1);
    const int32_t left = (int32_t)across, top = (int32_t)down;
    const int32_t right = left + 1 < width ? left + 1 : left, bottom = top + 1 < height ? top + 1 : top;
    const float a = (float)(across - left), d = (float)(down - top);
    return (struct corners){{((int64_t)top * width + left) * channels, ((int64_t)top * width + right) * channels,
                             ((int64_t)bottom * width + left) * channels,
                             ((int64_t)bottom * width + right) * channels},
                            {(1 - d) * (1 - a), (1 - d) * a, d * (1 - a), d * a}};
}

void graft_glance_see(const struct graft_glance *glance, const float *picture, int32_t height, int32_t width,
                      int32_t channels, int32_t view_height, int32_t view_width, float *view)
{
    for (int32_t y = 0; y < view_height; y++)
        for (int32_t x = 0; x < view_width; x++, view += channels) {
            const struct corners at = corners_of(glance, height, width, channels, x - (view_width - 1) / 2.0,
                                                 y - (view_height - 1) / 2.0);
            for (int32_t c = 0; c < channels; c++)
                view[c] = at.share[0] * picture[at.at[0] + c] + at.share[1] * picture[at.at[1] + c] +
                          at.share[2] * picture[at.at[2] + c] + at.share[3] * picture[at.at[3] + c];
        }
}

void graft_glance_back(const struct graft_glance *glance, const float *view, int32_t view_height,
                       int32_t view_width, int32_t channels, int32_t height, int32_t width, float *slope)
{
    memset(slope, 0, (size_t)height * (size_t)width * (size_t)channels * sizeof *slope);
    for (int32_t y = 0; y < view_height; y++)
        for (int32_t x = 0; x < view_width; x++, view += channels) {
            const struct corners at = corners_of(glance, height, width, channels, x - (view_width - 1) / 2.0,
                                                 y - (view_height - 1) / 2.0);
            for (int k = 0; k < 4; k++)
                for (int32_t c = 0; c < channels; c++)
                    slope[at.at[k] + c] += at.share[k] * view[c];
        }
}
