/* SPDX-License-Identifier: MIT */
#include "explain/change.h"

#include "base/context.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 30 /* of a bisection: to 1e-9 of its interval */

enum graft_status graft_change_open(struct graft_context *context, int64_t count, struct graft_change *change)
{
    *change = (struct graft_change){.context = context, .count = count};
    change->levels = graft_allocate(context, (size_t)count, sizeof *change->levels);
    change->slope = graft_allocate(context, (size_t)count, sizeof *change->slope);
    if (change->levels && change->slope)
        return GRAFT_OK;
    graft_change_close(change);
    return GRAFT_ERROR_MEMORY;
}

void graft_change_close(struct graft_change *change)
{
    if (!change->context)
        return;
    graft_release(change->context, change->levels);
    graft_release(change->context, change->slope);
    *change = (struct graft_change){0};
}

void graft_change_clear(struct graft_change *change)
{
    memset(change->levels, 0, (size_t)change->count * sizeof *change->levels);
}

static uint8_t round_level(float level)
{
    return (uint8_t)lroundf(fminf(fmaxf(level, 0), 255));
}

void graft_change_step_linf(struct graft_change *change, const uint8_t *original, double radius, double share,
                            uint8_t *result)
{
    const float most = (float)radius, step = (float)(share * radius);
    for (int64_t i = 0; i < change->count; i++) {
        const float old = (float)original[i], slope = change->slope[i];
        const float moved = change->levels[i] + (slope > 0 ? step : slope < 0 ? -step : 0);
        const float low = fmaxf(-most, -old), high = fminf(most, 255 - old);
        change->levels[i] = fminf(fmaxf(moved, low), high);
        result[i] = round_level(old + change->levels[i]);
    }
}

/* The change scaled and rounded; its sum of squares. */
static double apply(const struct graft_change *change, const uint8_t *original, double scale, uint8_t *result)
{
    double sum = 0;
    for (int64_t i = 0; i < change->count; i++) {
        result[i] = round_level((float)original[i] + (float)scale * change->levels[i]);
        const double by = (double)result[i] - original[i];
        sum += by * by;
    }
    return sum;
}

void graft_change_step_l2(struct graft_change *change, const uint8_t *original, double radius, double share,
                          uint8_t *result)
{
    double squares = 0, sum = 0;
    for (int64_t i = 0; i < change->count; i++)
        squares += (double)change->slope[i] * (double)change->slope[i];
    const float step = squares > 0 ? (float)(share * radius / sqrt(squares)) : 0;
    for (int64_t i = 0; i < change->count; i++) {
        const float old = (float)original[i];
        change->levels[i] = fminf(fmaxf(change->levels[i] + step * change->slope[i], -old), 255 - old);
        sum += (double)change->levels[i] * (double)change->levels[i];
    }
    const float back = sum > radius * radius ? (float)(radius / sqrt(sum)) : 1;
    float largest = 0;
    for (int64_t i = 0; i < change->count; i++) {
        change->levels[i] *= back;
        largest = fmaxf(largest, fabsf(change->levels[i]));
    }
    if (!(largest > 0)) {
        memcpy(result, original, (size_t)change->count);
        return;
    }
    /* At the low end all is rounded away, but for ties; at the high one the largest alone is too much. */
    double low = 0.499 / (double)largest, high = fmax((radius + 1) / (double)largest, 2 * low);
    for (int round = 0; round < ROUNDS && high - low > 1e-4 * low; round++) {
        const double middle = (low + high) / 2;
        if (apply(change, original, middle, result) > radius * radius)
            high = middle;
        else
            low = middle;
    }
    (void)apply(change, original, low, result);
}

double graft_change_size(const uint8_t *original, const uint8_t *changed, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        const double by = (double)changed[i] - original[i];
        sum += by * by;
    }
    return sqrt(sum);
}

double graft_change_largest(const uint8_t *original, const uint8_t *changed, int64_t count)
{
    int largest = 0;
    for (int64_t i = 0; i < count; i++) {
        const int by = abs((int)changed[i] - (int)original[i]);
        largest = by > largest ? by : largest;
    }
    return largest;
}
