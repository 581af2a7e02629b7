/* SPDX-License-Identifier: MIT */
#include "explain/adversary.h"

#include "backend/backend.h"
#include "base/context.h"
#include "base/random.h"

#include <string.h>

#define STRIDE 1.25 /* of epsilon: how long the step is; it ends within epsilon all the same */

struct graft_adversary {
    struct graft_context *context;
    struct graft_slope *slope;
    struct graft_preprocess preprocess;
    int levels;
    uint64_t seed;
    int64_t batch;
    uint8_t *pixels; /* [batch, numbers] */
};

enum graft_status graft_adversary_open(const struct graft_slope_network *network,
                                       const struct graft_adversary_options *options,
                                       struct graft_adversary **adversary)
{
    struct graft_context *const context = network->device->context;
    const struct graft_slope_options slope = {.goal = GRAFT_SLOPE_LOG_SOFTMAX,
                                              .batch = options->rows,
                                              .height = options->preprocess->crop_height,
                                              .width = options->preprocess->crop_width,
                                              .plan = options->plan};
    const int levels = (int)(options->epsilon * 255 + 1e-4);
    *adversary = NULL;
    if (levels < 1)
        return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                          "pictures changed by %g: less than a level of 8 bits, which is 1/255 (0.004)",
                          options->epsilon);
    struct graft_adversary *made = graft_allocate(context, 1, sizeof *made);
    if (!made)
        return GRAFT_ERROR_MEMORY;
    made->context = context;
    made->preprocess = *options->preprocess;
    made->levels = levels;
    made->seed = options->seed;
    made->batch = options->batch;
    enum graft_status status = graft_slope_open(network, &slope, &made->slope);
    if (status == GRAFT_OK) {
        made->pixels = graft_allocate(context, (size_t)options->batch, (size_t)made->slope->numbers);
        status = made->pixels ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    }
    if (status != GRAFT_OK)
        graft_adversary_close(&made);
    *adversary = made;
    return status;
}

void graft_adversary_close(struct graft_adversary **adversary)
{
    struct graft_adversary *const old = *adversary;
    if (!old)
        return;
    graft_slope_close(&old->slope);
    graft_release(old->context, old->pixels);
    graft_release(old->context, old);
    *adversary = NULL;
}

static uint8_t within(int value, int original, int levels)
{
    const int low = original - levels > 0 ? original - levels : 0;
    const int high = original + levels < 255 ? original + levels : 255;
    return (uint8_t)(value < low ? low : value > high ? high : value);
}

/* Somewhere within epsilon of the original. */
static void start(const struct graft_adversary *adversary, const uint8_t *original, int64_t row, uint8_t *pixels)
{
    struct graft_random random;
    const uint32_t places = 2 * (uint32_t)adversary->levels + 1;
    graft_random_start(&random, adversary->seed, graft_hash_text("adversary") + (uint64_t)row);
    for (int64_t i = 0; i < adversary->slope->numbers; i++) {
        const int by = (int)graft_random_below(&random, places) - adversary->levels;
        pixels[i] = within(original[i] + by, original[i], adversary->levels);
    }
}

enum graft_status graft_adversary_change(struct graft_adversary *adversary, const void *pixels,
                                         const int32_t *labels, int64_t valid, int64_t before, const void **changed)
{
    struct graft_slope *const slope = adversary->slope;
    const int64_t numbers = slope->numbers;
    const uint8_t *const originals = pixels;
    const int stride = (int)(STRIDE * adversary->levels + 0.5);
    memcpy(adversary->pixels, pixels, (size_t)(adversary->batch * numbers)); /* rows that only fill it up */
    for (int64_t first = 0; first < valid; first += slope->batch) {
        const int64_t rows = valid - first < slope->batch ? valid - first : slope->batch;
        memset(slope->weights, 0, (size_t)(slope->batch * slope->goals) * sizeof *slope->weights);
        for (int64_t r = 0; r < rows; r++) {
            uint8_t *const at = adversary->pixels + (first + r) * numbers;
            const int32_t label = labels[first + r];
            start(adversary, originals + (first + r) * numbers, before + first + r, at);
            graft_slope_normalize(&adversary->preprocess, at, numbers, 1, slope->input + r * numbers);
            if (label >= 0 && label < slope->goals)
                slope->weights[r * slope->goals + label] = -1;
        }
        const enum graft_status status = graft_slope_run(slope);
        if (status != GRAFT_OK)
            return status;
        for (int64_t r = 0; r < rows; r++)
            for (int64_t i = 0; i < numbers; i++) {
                const float uphill = slope->gradients[r * numbers + i];
                const int64_t at = (first + r) * numbers + i;
                const int by = uphill > 0 ? stride : uphill < 0 ? -stride : 0;
                adversary->pixels[at] = within(adversary->pixels[at] + by, originals[at], adversary->levels);
            }
    }
    *changed = adversary->pixels;
    return GRAFT_OK;
}
