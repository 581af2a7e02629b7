/* SPDX-License-Identifier: MIT */
/* What the matrix products of the GPU family share, whether sums are made by work-items or by matrix units: how a
 * work-item counts through terms and pixels, and what becomes of a sum. Required -D: none. */
#ifndef GRAFT_CL_PRODUCT_H
#define GRAFT_CL_PRODUCT_H

#include "common.h"
#include "gather.h"
#include "outer.h"

/* y[at] = or += activation(sum + bias + residual). */
static inline void product_finish(float sum, const int flags, global const float *bias,
                                global const float *residual, global float *y, const size_t column,
                                const size_t at)
{
    if (flags & 1)
        sum += bias[column];
    if (flags & 2)
        sum += residual[at];
    sum = ACTIVATE(flags >> 3, float, sum);
    y[at] = (flags & 4) ? y[at] + sum : sum;
}

/* A term of a gather: float `run` of tap (tap_y, tap_x). Behind the last one tap_y is taps_y. */
struct term {
    int run, tap_y, tap_x;
};

static inline struct term term_of(const struct graft_gather g, const int k)
{
    const int tap = k / max(g.run, 1), tap_y = tap / max(g.taps_x, 1);
    const struct term t = {k - tap * g.run, tap_y, tap - tap_y * g.taps_x};
    return t;
}

/* `count` terms on. A tap is rarely shorter than that; no loop, whose rounds would differ among work-items. */
static inline struct term term_on(struct term t, const struct graft_gather g, const int count)
{
    t.run += count;
    if (count > 1 && g.run < count) {
        const int taps = t.run / g.run, x = t.tap_x + taps, rows = x / g.taps_x;
        t.run -= taps * g.run;
        t.tap_x = x - rows * g.taps_x;
        t.tap_y += rows;
    } else if (t.run >= g.run) {
        t.run -= g.run;
        if (++t.tap_x == g.taps_x) {
            t.tap_x = 0;
            ++t.tap_y;
        }
    }
    return t;
}

/* A pixel of an outer product: v of line u of image n. */
struct place {
    int at, n, u, v;
};

static inline struct place skip_pixels(struct place p, const struct graft_outer o, const int count)
{
    p.at += count;
    p.v += count;
    while (p.v >= o.line && p.at < o.pixels) {
        p.v -= o.line;
        if (++p.u >= o.grid_y) {
            p.u = 0;
            ++p.n;
        }
    }
    return p;
}

#endif
