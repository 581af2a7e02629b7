/* SPDX-License-Identifier: MIT */
#include "vis/axis.h"

#include "base/text.h"

#include <math.h>
#include <stdio.h>

/* 1, 2 or 5 (2.5 too where numbers may be broken) times a power of ten: the smallest that is at least
 * `least`. */
static double round_step(double least, bool whole)
{
    const double factors[] = {1, 2, 2.5, 5, 10};
    const double power = pow(10, floor(log10(least)));
    double step = 10 * power;
    for (int i = 4; i >= 0; i--) {
        const bool fits = factors[i] * power >= least * (1 - 1e-9);
        if (fits && !(whole && factors[i] == 2.5)) {
            step = factors[i] * power;
        }
    }
    return whole && step < 1 ? 1 : step;
}

static void add_tick(struct graft_axis *axis, double tick)
{
    if (axis->tick_count < GRAFT_AXIS_TICKS) {
        axis->ticks[axis->tick_count++] = tick;
    }
}

static void fit_logarithmic(struct graft_axis *axis, double low, double high, bool round_ends, int most)
{
    /* More than twelve decades tell nothing: what is smaller lies below the axis. */
    low = low > high * 1e-12 ? low : high * 1e-12;
    const double from = floor(log10(low) + 1e-9), to = ceil(log10(high) - 1e-9);
    axis->low = round_ends ? pow(10, from) : low;
    axis->high = round_ends ? pow(10, to > from ? to : from + 1) : high > low ? high : low * 10;
    const int decades = (int)(to - from) + 1;
    const int every = decades > most ? (decades + most - 1) / most : 1;
    const double parts[] = {1, 2, 5};
    for (int d = 0; d <= decades; d += every) {
        for (int p = 0; p < (3 * decades <= most + 3 ? 3 : 1); p++) {
            const double tick = parts[p] * pow(10, from + d);
            if (tick >= axis->low * (1 - 1e-9) && tick <= axis->high * (1 + 1e-9)) {
                add_tick(axis, tick);
            }
        }
    }
}

void graft_axis_fit(struct graft_axis *axis, double low, double high, bool round_ends, int most)
{
    axis->tick_count = 0;
    axis->step = 0;
    most = most < 2 ? 2 : most > GRAFT_AXIS_TICKS - 4 ? GRAFT_AXIS_TICKS - 4 : most;
    if (axis->logarithmic) {
        fit_logarithmic(axis, low, high, round_ends, most);
        return;
    }
    /* Halves, so that not even the largest numbers overflow; a range of nothing is widened. */
    const double largest = fmax(fabs(low), fabs(high));
    double half = high / 2 - low / 2;
    if (!(half > largest * 1e-12)) {
        half = largest > 0 ? largest * 0.05 : 0.5;
        low -= half;
        high += half;
    }
    half = fmax(half, 1e-300);
    axis->step = round_step(half / most * 2, axis->whole);
    axis->low = round_ends ? floor(low / axis->step + 1e-9) * axis->step : low;
    axis->high = round_ends ? ceil(high / axis->step - 1e-9) * axis->step : high;
    const double first = ceil(axis->low / axis->step - 1e-9);
    const double last = floor(axis->high / axis->step + 1e-9);
    for (double i = first; i <= last && axis->tick_count < GRAFT_AXIS_TICKS; i++) {
        add_tick(axis, i * axis->step);
    }
}

double graft_axis_place(const struct graft_axis *axis, double value)
{
    if (axis->logarithmic) {
        return (log(value) - log(axis->low)) / (log(axis->high) - log(axis->low));
    }
    return (value / 2 - axis->low / 2) / (axis->high / 2 - axis->low / 2);
}

void graft_axis_label(const struct graft_axis *axis, double tick, char *label, size_t size)
{
    const double unit = axis->percent ? 100 : 1;
    const double value = tick * unit, step = axis->step * unit;
    const double largest = fmax(fabs(axis->low), fabs(axis->high)) * unit;
    if (axis->logarithmic || largest >= 1e6 || step < 1e-5) {
        (void)graft_format(label, size, "%.4g%s", value, axis->percent ? " %" : "");
        return;
    }
    int decimals = 0; /* as many as the step has */
    for (double s = step; decimals < 6 && fabs(s - round(s)) > 1e-6 * s; s *= 10) {
        decimals++;
    }
    /* +0: no "-0" */
    (void)graft_format(label, size, "%.*f%s", decimals, fabs(value) < step / 2 ? 0.0 : value,
                   axis->percent ? " %" : "");
}
