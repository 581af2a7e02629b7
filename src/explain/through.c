/* SPDX-License-Identifier: MIT */
#include "explain/through.h"

#include "base/context.h"
#include "data/resize.h"
#include "data/resize_rows.h"
#include "data/transform.h"

#include <string.h>

static void close_axis(struct graft_context *context, struct graft_through_axis *axis)
{
    graft_release(context, axis->from);
    graft_release(context, axis->taps);
    graft_release(context, axis->weights);
    *axis = (struct graft_through_axis){0};
}

/* Of `out` outputs with at most `most` taps each. */
static bool open_axis(struct graft_context *context, int32_t in, int32_t out, int32_t most,
                      struct graft_through_axis *axis)
{
    *axis = (struct graft_through_axis){.in = in, .out = out, .most = most};
    axis->from = graft_allocate(context, (size_t)out, sizeof *axis->from);
    axis->taps = graft_allocate(context, (size_t)out, sizeof *axis->taps);
    axis->weights = graft_allocate(context, (size_t)out * (size_t)most, sizeof *axis->weights);
    if (axis->from && axis->taps && axis->weights)
        return true;
    close_axis(context, axis);
    return false;
}

/* The axis, then a resize to `out`. */
static bool resize_axis(struct graft_context *context, struct graft_through_axis *axis, int32_t out,
                        enum graft_filter filter)
{
    const struct graft_through_axis before = *axis;
    const int32_t taps = graft_resize_most(before.out, out, filter);
    struct graft_through_axis after;
    int32_t *const weights = graft_allocate(context, (size_t)taps, sizeof *weights);
    /* Neighbours' bands of the step before begin no further apart than they are wide in all. */
    int32_t most = 1;
    for (int32_t i = 0; i < out && weights; i++) {
        int32_t first;
        const int32_t count = graft_resize_taps(before.out, out, filter, i, &first, weights);
        const int32_t last = first + count - 1;
        const int32_t wide = count > 0 ? before.from[last] + before.taps[last] - before.from[first] : 0;
        most = wide > most ? wide : most;
    }
    if (!weights || !open_axis(context, before.in, out, most, &after)) {
        graft_release(context, weights);
        return false;
    }
    for (int32_t i = 0; i < out; i++) {
        int32_t first;
        const int32_t count = graft_resize_taps(before.out, out, filter, i, &first, weights);
        float *const to = after.weights + (size_t)i * (size_t)most;
        after.from[i] = before.from[first];
        for (int32_t k = 0; k < count; k++) {
            const int32_t middle = first + k, shift = before.from[middle] - after.from[i];
            const double share = (double)weights[k] / (1 << GRAFT_RESIZE_BITS);
            for (int32_t t = 0; t < before.taps[middle]; t++)
                to[shift + t] += (float)(share * (double)before.weights[(size_t)middle * (size_t)before.most + (size_t)t]);
            after.taps[i] = shift + before.taps[middle] > after.taps[i] ? shift + before.taps[middle] : after.taps[i];
        }
    }
    graft_release(context, weights);
    close_axis(context, axis);
    *axis = after;
    return true;
}

/* The axis, then its middle; what lies beyond its ends depends on nothing. */
static bool crop_axis(struct graft_context *context, struct graft_through_axis *axis, int32_t out)
{
    const struct graft_through_axis before = *axis;
    const struct graft_placement place = graft_center_place(before.out, out);
    struct graft_through_axis after;
    if (!open_axis(context, before.in, out, before.most, &after))
        return false;
    for (int32_t i = 0; i < place.count; i++) {
        const int32_t to = place.pad + i, from = place.cut + i;
        after.from[to] = before.from[from];
        after.taps[to] = before.taps[from];
        memcpy(after.weights + (size_t)to * (size_t)before.most, before.weights + (size_t)from * (size_t)before.most,
               (size_t)before.most * sizeof(float));
    }
    close_axis(context, axis);
    *axis = after;
    return true;
}

static bool begin_axis(struct graft_context *context, int32_t size, struct graft_through_axis *axis)
{
    if (!open_axis(context, size, size, 1, axis))
        return false;
    for (int32_t i = 0; i < size; i++) {
        axis->from[i] = i;
        axis->taps[i] = 1;
        axis->weights[i] = 1;
    }
    return true;
}

enum graft_status graft_through_open(struct graft_context *context, const struct graft_preprocess *preprocess,
                                     int32_t width, int32_t height, struct graft_through **through)
{
    struct graft_through *made = graft_allocate(context, 1, sizeof *made);
    *through = NULL;
    if (!made)
        return GRAFT_ERROR_MEMORY;
    const int32_t whole_width = width;
    made->context = context;
    made->channels = preprocess->channels;
    bool done = begin_axis(context, width, &made->across) && begin_axis(context, height, &made->down);
    for (int32_t i = 0; i < preprocess->transforms.count && done; i++) {
        const struct graft_transform *const step = &preprocess->transforms.steps[i];
        if (step->kind == GRAFT_TRANSFORM_RESIZE) {
            graft_resized(preprocess, step->resize.short_side, &height, &width);
            done = resize_axis(context, &made->across, width, step->resize.filter) &&
                   resize_axis(context, &made->down, height, step->resize.filter);
        } else if (step->kind == GRAFT_TRANSFORM_CENTER_CROP) {
            width = preprocess->crop_width;
            height = preprocess->crop_height;
            done = crop_axis(context, &made->across, width) && crop_axis(context, &made->down, height);
        }
    }
    if (done)
        made->rows = graft_allocate(context, (size_t)height * (size_t)whole_width,
                                    (size_t)made->channels * sizeof *made->rows);
    if (!made->rows)
        graft_through_close(&made);
    *through = made;
    return made ? GRAFT_OK : GRAFT_ERROR_MEMORY;
}

void graft_through_close(struct graft_through **through)
{
    struct graft_through *const old = *through;
    if (!old)
        return;
    close_axis(old->context, &old->across);
    close_axis(old->context, &old->down);
    graft_release(old->context, old->rows);
    graft_release(old->context, old);
    *through = NULL;
}

void graft_through_back(struct graft_through *through, const float *slope, float *picture)
{
    const struct graft_through_axis *const across = &through->across, *const down = &through->down;
    const int64_t channels = through->channels, line = across->in * channels;
    memset(through->rows, 0, (size_t)(down->out * line) * sizeof *through->rows);
    for (int32_t y = 0; y < down->out; y++)
        for (int32_t x = 0; x < across->out; x++) {
            const float *const from = slope + ((int64_t)y * across->out + x) * channels;
            float *const to = through->rows + y * line + across->from[x] * channels;
            for (int32_t k = 0; k < across->taps[x]; k++)
                for (int64_t c = 0; c < channels; c++)
                    to[k * channels + c] += across->weights[(int64_t)x * across->most + k] * from[c];
        }
    memset(picture, 0, (size_t)(down->in * line) * sizeof *picture);
    for (int32_t y = 0; y < down->out; y++)
        for (int32_t k = 0; k < down->taps[y]; k++) {
            const float weight = down->weights[(int64_t)y * down->most + k];
            const float *const from = through->rows + y * line;
            float *const to = picture + (down->from[y] + k) * line;
            for (int64_t i = 0; i < line; i++)
                to[i] += weight * from[i];
        }
}
