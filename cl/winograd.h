/* SPDX-License-Identifier: MIT */
/*
 * Winograd's minimal filtering F(4×4, 3×3) (Lavin and Gray, "Fast algorithms for convolutional neural
 * networks", 2016): 4×4 outputs of a 3×3 filter from a 6×6 patch with 36 products a channel instead of 144.
 *
 *   Y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A, summed over channels between Bᵀ d B and Aᵀ … A: 36 matrix products
 *
 * The gradient by the filters is that turned round:
 *
 *   dg = Gᵀ [ Σ over tiles of (A dY Aᵀ) ⊙ (Bᵀ d B) ] G
 *
 * with the points 0, ±√½, ±√2 and infinity, which round best among simple ones. Transformed tiles lie as
 * [point][tile][channel]; a patch goes through its two transforms column by column and then row by row.
 *
 * Required -D: VEC, SPAN=1 (vector.h).
 */
#ifndef GRAFT_CL_WINOGRAD_H
#define GRAFT_CL_WINOGRAD_H

#include "vector.h"

#define WINOGRAD_TILE 4
#define WINOGRAD_PATCH 6
#define WINOGRAD_POINTS 36
#define WINOGRAD_TAPS 9

#define POINT_A 0.70710678118654752f /* √½ */
#define POINT_B 1.41421356237309505f /* √2 */

#if VEC > 1
#define WINOGRAD_LOOP /* lines of a patch pass through memory: there are not so many registers */
#else
#define WINOGRAD_LOOP _Pragma("unroll")
#endif
#define WINOGRAD_UNROLL _Pragma("unroll")

/* In the order of the int16 and the int2 that kernels get. Host side: struct graft_winograd_numbers. */
struct winograd {
    int height, width, channels;      /* of x; backward of dy */
    int to_height, to_width, filters; /* of y; backward of dx */
    int base_y, base_x;               /* input position of the first tap of output (0, 0) */
    int tiles_y, tiles_x;             /* of a picture */
    int first, end;                   /* tiles of this launch */
    int in_point, in_pitch;           /* transformed patches: floats between points, between tiles */
    int out_point, out_pitch;         /* products likewise */
    int x_pixel, y_pixel;             /* floats from pixel to pixel of x and of y */
};

static inline struct winograd winograd_of(const int16 p, const int2 q)
{
    const struct winograd w = {p.s0, p.s1, p.s2, p.s3, p.s4, p.s5, p.s6, p.s7, p.s8,
                               p.s9, p.sa, p.sb, p.sc, p.sd, p.se, p.sf, q.s0, q.s1};
    return w;
}

/* Bᵀ d: six values a step apart. */
static inline void winograd_patch_line(const real *d, real *r)
{
    const real even_a = d[4] - 2.0f * d[2], odd_a = POINT_A * (d[3] - 2.0f * d[1]);
    const real even_b = d[4] - 0.5f * d[2], odd_b = POINT_B * (d[3] - 0.5f * d[1]);
    r[0] = d[0] - 2.5f * d[2] + d[4];
    r[1] = even_a + odd_a;
    r[2] = even_a - odd_a;
    r[3] = even_b + odd_b;
    r[4] = even_b - odd_b;
    r[5] = d[1] - 2.5f * d[3] + d[5];
}

/* Aᵀ m. */
static inline void winograd_sums_line(const real *m, real *r)
{
    const real even_a = m[1] + m[2], odd_a = POINT_A * (m[1] - m[2]);
    const real even_b = m[3] + m[4], odd_b = POINT_B * (m[3] - m[4]);
    r[0] = m[0] + even_a + even_b;
    r[1] = odd_a + odd_b;
    r[2] = 0.5f * even_a + 2.0f * even_b;
    r[3] = 0.5f * odd_a + 2.0f * odd_b + m[5];
}

/* G g. */
static inline void winograd_taps_line(const real *g, real *r)
{
    const real even_a = (-1 / 1.5f) * g[0] + (-0.5f / 1.5f) * g[2], odd_a = (-POINT_A / 1.5f) * g[1];
    const real even_b = (1.0f / 6) * g[0] + (2.0f / 6) * g[2], odd_b = (POINT_B / 6) * g[1];
    r[0] = g[0];
    r[1] = even_a + odd_a;
    r[2] = even_a - odd_a;
    r[3] = even_b + odd_b;
    r[4] = even_b - odd_b;
    r[5] = g[2];
}

/* A y: four gradients of outputs. */
static inline void winograd_gradient_line(const real *y, real *r)
{
    const real even_a = y[0] + 0.5f * y[2], odd_a = POINT_A * (y[1] + 0.5f * y[3]);
    const real even_b = y[0] + 2.0f * y[2], odd_b = POINT_B * (y[1] + 2.0f * y[3]);
    r[0] = y[0];
    r[1] = even_a + odd_a;
    r[2] = even_a - odd_a;
    r[3] = even_b + odd_b;
    r[4] = even_b - odd_b;
    r[5] = y[3];
}

/* Gᵀ s. */
static inline void winograd_weights_line(const real *s, real *r)
{
    const real even_a = s[1] + s[2], even_b = s[3] + s[4];
    r[0] = s[0] + (-1 / 1.5f) * even_a + (1.0f / 6) * even_b;
    r[1] = (-POINT_A / 1.5f) * (s[1] - s[2]) + (POINT_B / 6) * (s[3] - s[4]);
    r[2] = (-0.5f / 1.5f) * even_a + (2.0f / 6) * even_b + s[5];
}

/* The first pixel of a tile's outputs. */
struct winograd_place {
    int n, y, x;
};

static inline struct winograd_place winograd_locate(const struct winograd *w, const int tile)
{
    const int line = tile / w->tiles_x, n = line / w->tiles_y;
    const struct winograd_place place = {n, (line - n * w->tiles_y) * WINOGRAD_TILE,
                                         (tile - line * w->tiles_x) * WINOGRAD_TILE};
    return place;
}

/* Bᵀ d B of n_c channels: pixel (y, x) of the picture is from[0]; what is outside of x counts as 0. */
static inline void winograd_patch(const struct winograd *w, global const float *x, const long from,
                                  const int y0, const int x0, const bool inside, const int n_c,
                                  global float *to)
{
    real columns[WINOGRAD_PATCH][WINOGRAD_PATCH]; /* [x][y] */
    WINOGRAD_LOOP for (int j = 0; j < WINOGRAD_PATCH; ++j)
    {
        real d[WINOGRAD_PATCH];
        WINOGRAD_UNROLL for (int i = 0; i < WINOGRAD_PATCH; ++i)
        {
            const bool there =
                inside || ((uint)(y0 + i) < (uint)w->height && (uint)(x0 + j) < (uint)w->width);
            d[i] = there ? load_some(x + from + ((long)i * w->width + j) * w->x_pixel, n_c) : (real)(0.0f);
        }
        winograd_patch_line(d, columns[j]);
    }
    WINOGRAD_LOOP for (int i = 0; i < WINOGRAD_PATCH; ++i)
    {
        real d[WINOGRAD_PATCH], r[WINOGRAD_PATCH];
        WINOGRAD_UNROLL for (int j = 0; j < WINOGRAD_PATCH; ++j) d[j] = columns[j][i];
        winograd_patch_line(d, r);
        WINOGRAD_UNROLL for (int j = 0; j < WINOGRAD_PATCH; ++j)
            GLOBAL_STORE(r[j], to + (long)(i * WINOGRAD_PATCH + j) * w->in_point);
    }
}

/* Channels [c_first, c_end) of a tile; to: at point 0, channel 0. */
static inline void winograd_input_tile(const struct winograd *w, global const float *x, const int tile,
                                       const int c_first, const int c_end, global float *to)
{
    const struct winograd_place place = winograd_locate(w, tile);
    const int y0 = place.y + w->base_y, x0 = place.x + w->base_x;
    const long from = (((long)place.n * w->height + y0) * w->width + x0) * w->x_pixel;
    const bool inside =
        y0 >= 0 && x0 >= 0 && y0 + WINOGRAD_PATCH <= w->height && x0 + WINOGRAD_PATCH <= w->width;
    int c = c_first;
    for (; inside && c + VEC <= c_end; c += VEC)
        winograd_patch(w, x, from + c, y0, x0, true, VEC, to + c);
    for (; c + VEC <= c_end; c += VEC)
        winograd_patch(w, x, from + c, y0, x0, false, VEC, to + c);
#if VEC > 1
    if (c < c_end)
        winograd_patch(w, x, from + c, y0, x0, false, c_end - c, to + c);
#endif
}

/* A dy Aᵀ of filters [o_first, o_end) of a tile; to: at point 0, filter 0; behind the last pixel dy is 0. */
static inline void winograd_gradient_tile(const struct winograd *w, global const float *dy, const int tile,
                                          const int o_first, const int o_end, global float *to)
{
    const struct winograd_place place = winograd_locate(w, tile);
    const long from = (((long)place.n * w->to_height + place.y) * w->to_width + place.x) * w->y_pixel;
    for (int o = o_first; o < o_end; o += VEC) {
        const int n_o = min(VEC, o_end - o);
        real columns[WINOGRAD_TILE][WINOGRAD_PATCH]; /* [x][y] */
        WINOGRAD_LOOP for (int j = 0; j < WINOGRAD_TILE; ++j)
        {
            real y[WINOGRAD_TILE];
            WINOGRAD_UNROLL for (int i = 0; i < WINOGRAD_TILE; ++i)
            {
                const bool there = place.y + i < w->to_height && place.x + j < w->to_width;
                y[i] = there ? load_some(dy + from + ((long)i * w->to_width + j) * w->y_pixel + o, n_o)
                             : (real)(0.0f);
            }
            winograd_gradient_line(y, columns[j]);
        }
        WINOGRAD_LOOP for (int i = 0; i < WINOGRAD_PATCH; ++i)
        {
            real y[WINOGRAD_TILE], r[WINOGRAD_PATCH];
            WINOGRAD_UNROLL for (int j = 0; j < WINOGRAD_TILE; ++j) y[j] = columns[j][i];
            winograd_gradient_line(y, r);
            WINOGRAD_UNROLL for (int j = 0; j < WINOGRAD_PATCH; ++j)
                GLOBAL_STORE(r[j], to + (long)(i * WINOGRAD_PATCH + j) * w->out_point + o);
        }
    }
}

/* What is added when outputs are stored; absent tensors are not read. flags: 1 bias, 2 residual, 4
 * accumulate, 8 × activation. */
struct winograd_finish {
    int flags;
    global const float *bias, *residual;
    global float *y;
};

/* Aᵀ m A of n_c filters from o on; from: at point 0, filter o. */
static inline void winograd_outputs(const struct winograd *w, global const float *from,
                                    const struct winograd_place place, const int o, const int n_c,
                                    const struct winograd_finish *finish)
{
    real columns[WINOGRAD_PATCH][WINOGRAD_TILE]; /* [x][y] */
    WINOGRAD_LOOP for (int j = 0; j < WINOGRAD_PATCH; ++j)
    {
        real m[WINOGRAD_PATCH];
        WINOGRAD_UNROLL for (int i = 0; i < WINOGRAD_PATCH; ++i) m[i] =
            GLOBAL_LOAD(from + (long)(i * WINOGRAD_PATCH + j) * w->out_point);
        winograd_sums_line(m, columns[j]);
    }
    const real bias = (finish->flags & 1) ? load_some(finish->bias + o, n_c) : (real)(0.0f);
    const int kind = finish->flags >> 3, rows = min(WINOGRAD_TILE, w->to_height - place.y);
    WINOGRAD_LOOP for (int i = 0; i < WINOGRAD_TILE; ++i)
    {
        if (i >= rows)
            break;
        real m[WINOGRAD_PATCH], r[WINOGRAD_TILE];
        WINOGRAD_UNROLL for (int j = 0; j < WINOGRAD_PATCH; ++j) m[j] = columns[j][i];
        winograd_sums_line(m, r);
        const long at =
            (((long)place.n * w->to_height + place.y + i) * w->to_width + place.x) * w->y_pixel + o;
        WINOGRAD_UNROLL for (int j = 0; j < WINOGRAD_TILE; ++j) if (place.x + j < w->to_width)
        {
            const long to = at + (long)j * w->y_pixel;
            real sum = r[j] + bias;
            if (finish->flags & 2)
                sum += load_some(finish->residual + to, n_c);
            sum = ACTIVATE(kind, real, sum);
            if (finish->flags & 4)
                sum += load_some(finish->y + to, n_c);
            store_some(sum, finish->y + to, n_c);
        }
    }
}

/* Filters [o_first, o_end) of a tile; from: at point 0, filter 0. Rows of products are whole vectors. */
static inline void winograd_output_tile(const struct winograd *w, global const float *from, const int tile,
                                        const int o_first, const int o_end,
                                        const struct winograd_finish *finish)
{
    const struct winograd_place place = winograd_locate(w, tile);
    int o = o_first;
    for (; o + VEC <= o_end; o += VEC)
        winograd_outputs(w, from + o, place, o, VEC, finish);
#if VEC > 1
    if (o < o_end)
        winograd_outputs(w, from + o, place, o, o_end - o, finish);
#endif
}

#endif
