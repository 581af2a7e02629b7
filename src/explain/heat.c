/* SPDX-License-Identifier: MIT */
/* Maps of heat out of features and their gradients. Sums are in f64: what is summed changes its sign. */
#include "explain/explain.h"

#include "explain/octaves.h"

#include <math.h>
#include <string.h>

bool graft_explain_grid_of(const struct graft_shape *shape, struct graft_explain_grid *grid)
{
    const int64_t *const dim = shape->dim;
    if (shape->rank == 4) {
        *grid = (struct graft_explain_grid){
            .height = (int32_t)dim[1], .width = (int32_t)dim[2], .channels = dim[3]};
        return true;
    }
    if (shape->rank != 3)
        return false;
    for (int64_t skip = 0; skip <= 1; skip++) {
        const int64_t side = (int64_t)llround(sqrt((double)(dim[1] - skip)));
        if (side > 0 && side * side == dim[1] - skip) {
            *grid = (struct graft_explain_grid){
                .skip = skip, .height = (int32_t)side, .width = (int32_t)side, .channels = dim[2]};
            return true;
        }
    }
    return false;
}

/* Grad-CAM: the mean of the gradient; Grad-CAM++: its positive parts, weighed. */
static double channel_weight(enum graft_explain_method method, const float *features, const float *gradient,
                             int64_t places, int64_t channels)
{
    double all = 0, weight = 0;
    for (int64_t i = 0; i < places; i++)
        all +=
            method == GRAFT_EXPLAIN_GRADCAM ? (double)gradient[i * channels] : (double)features[i * channels];
    if (method == GRAFT_EXPLAIN_GRADCAM)
        return all / (double)places;
    for (int64_t i = 0; i < places; i++) {
        const double g = (double)gradient[i * channels];
        const double below = 2 * g * g + g * g * g * all;
        if (g > 0 && below != 0)
            weight += g * g / below * g;
    }
    return weight;
}

void graft_heat_of_features(enum graft_explain_method method, const struct graft_explain_grid *grid,
                            const float *features, const float *gradient, double *weights, float *map)
{
    const int64_t channels = grid->channels, places = (int64_t)grid->height * grid->width;
    const float *const a = features + grid->skip * channels, *const g = gradient + grid->skip * channels;
    const bool by_place = method == GRAFT_EXPLAIN_LAYERCAM;
    for (int64_t c = 0; c < channels && !by_place; c++)
        weights[c] = channel_weight(method, a + c, g + c, places, channels);
    for (int64_t i = 0; i < places; i++) {
        double sum = 0;
        for (int64_t c = 0; c < channels; c++)
            sum +=
                (double)a[i * channels + c] * (by_place ? fmax((double)g[i * channels + c], 0) : weights[c]);
        map[i] = (float)fmax(sum, 0);
    }
}

float graft_heat_largest(const float *map, int64_t count)
{
    float largest = 0;
    for (int64_t i = 0; i < count; i++)
        largest = fmaxf(largest, map[i]);
    return largest;
}

void graft_heat_enlarge(const float *map, int32_t height, int32_t width, float factor, int32_t to_height,
                        int32_t to_width, float *pixels)
{
    const int64_t count = (int64_t)to_height * to_width;
    memset(pixels, 0, (size_t)count * sizeof *pixels);
    graft_enlarge_add(map, height, width, to_height, to_width, 1, pixels);
    for (int64_t i = 0; i < count; i++)
        pixels[i] *= factor;
}
