/* SPDX-License-Identifier: MIT */
/*
 * max_pool_index: index[n, oh, ow, c] = place (iy × w + ix) of the first largest element of each window; NaN
 * wins. max_pool_grad: dx[n, h, w, c] = sum of dy over the windows whose index names the place; += if
 * accumulate. A row is one place of index or of dx, inner = c; where vectors are written out a work-item
 * takes LINE of them side by side and the places of a line, else some places of a channel. pitch: floats from place to place of x, of dy.
 * Required -D: those of simple.h. `shape` and `window` as in window.h.
 */
#include "simple.h"
#include "window.h"

#define LINE (VEC > 1 ? 64 : 1) /* vectors */
#if VEC > 1
#define AT_ONCE 16 /* windows */
#endif

/* Indices travel as floats' bits. */
KERNEL void max_pool_index(global float *index, const ulong index_at, const global float *x, const ulong x_at,
                           const int4 shape, const int8 window, const int pitch, const int rows,
                           const int inner, const int blocks, const int rows_each)
{
    ROWS_OF(row_begin, row_end, rows, blocks, rows_each);
    COLUMNS_OF(column, column_end, inner, blocks, LINE);
    index += index_at;
    x += x_at;
    int ox = row_begin % shape.s3, line = row_begin / shape.s3;
    for (int row = row_begin; row < row_end; row++) {
        const int oy = line % shape.s2, image = line / shape.s2;
        const int2 ys = window_of(oy, shape.s0, shape.s2, window.s0, window.s2, window.s4, 0);
        const int2 xs = window_of(ox, shape.s1, shape.s3, window.s1, window.s3, window.s6, 0);
        for (int i = column; i < column_end; i += VEC) {
            const int n = min(column_end - i, VEC);
            const global float *const from = x + (image * shape.s0 * shape.s1 * pitch + i);
            real best = load_some(from + (ys.x * shape.s1 + xs.x) * pitch, n);
            integer where = (integer)(ys.x * shape.s1 + xs.x);
            for (int iy = ys.x; iy < ys.y; iy++)
                for (int ix = xs.x; ix < xs.y; ix++) {
                    const real v = load_some(from + (iy * shape.s1 + ix) * pitch, n);
                    const integer better = (best == best) & ((v > best) | (v != v));
                    best = better ? v : best;
                    where = better ? (integer)(iy * shape.s1 + ix) : where;
                }
            store_some(AS_REAL(where), index + (row * inner + i), n);
        }
        if (++ox == shape.s3) {
            ox = 0;
            line++;
        }
    }
}

#if VEC > 1
/* dx[column …] = or += what the windows number at[0 … count) give to place `here`. */
void max_pool_add(global float *dx, const global float *dy, const global float *index, const int *at,
                  const int count, const int here, const int inner, const int pitch, const int column,
                  const int column_end, const int accumulate);
void max_pool_add(global float *dx, const global float *dy, const global float *index, const int *at,
                  const int count, const int here, const int inner, const int pitch, const int column,
                  const int column_end, const int accumulate)
{
    for (int i = column; i < column_end; i += VEC) {
        const int n = min(column_end - i, VEC);
        real sum = (real)(0.0f);
        for (int w = 0; w < count; w++) {
            const integer mine = AS_INTEGER(load_some(index + (at[w] * inner + i), n)) == (integer)(here);
            sum += mine ? load_some(dy + (at[w] * pitch + i), n) : (real)(0.0f);
        }
        store_result(sum, dx + i, n, accumulate);
    }
}

#else
/* What windows ys × xs, lines of `width`, give to place `here`; index and dy at the image and channel. Four windows are
 * read at once: as many as hold a place where they are up to twice as large as their stride. */
float max_pool_sum(const global float *dy, const global float *index, const int2 ys, const int2 xs, const int width,
                   const int here, const int inner, const int pitch);
float max_pool_sum(const global float *dy, const global float *index, const int2 ys, const int2 xs, const int width,
                   const int here, const int inner, const int pitch)
{
    float sum = 0.0f;
    for (int oy = ys.x; oy < ys.y; oy += 2)
        for (int ox = xs.x; ox < xs.y; ox += 2) {
            int named[4];
            float value[4];
            _Pragma("unroll") for (int w = 0; w < 4; w++)
            {
                const int at = min(oy + w / 2, ys.y - 1) * width + min(ox + w % 2, xs.y - 1);
                named[w] = as_int(index[at * inner]);
                value[w] = dy[at * pitch];
            }
            _Pragma("unroll") for (int w = 0; w < 4; w++)
            {
                const bool mine = named[w] == here && oy + w / 2 < ys.y && ox + w % 2 < xs.y;
                sum += mine ? value[w] : 0.0f;
            }
        }
    return sum;
}
#endif

KERNEL void max_pool_grad(global float *dx, const ulong dx_at, const global float *dy, const ulong dy_at,
                          const global float *index, const ulong index_at, const int4 shape,
                          const int8 window, const int accumulate, const int pitch, const int rows,
                          const int inner, const int blocks, const int rows_each)
{
    ROWS_OF(row_begin, row_end, rows, blocks, rows_each);
    COLUMNS_OF(column, column_end, inner, blocks, LINE);
#if VEC > 1
    int at[AT_ONCE];
#endif
    int2 ys = (int2)(0), xs = (int2)(0);
    dx += dx_at;
    dy += dy_at;
    index += index_at;
    const int line = row_begin / shape.s1;
    int ix = row_begin - line * shape.s1 - 1;
    int iy = line % shape.s0, image = line / shape.s0;
    for (int row = row_begin; row < row_end; row++) {
        if (++ix == shape.s1) {
            ix = 0;
            if (++iy == shape.s0) {
                iy = 0;
                image++;
            }
        }
        if (ix == 0 || row == row_begin)
            ys = windows_over(iy, shape.s0, shape.s2, window.s0, window.s2, window.s4, 0);
        xs = windows_over(ix, shape.s1, shape.s3, window.s1, window.s3, window.s6, 0);
#if VEC == 1
        const int begin = image * shape.s2 * shape.s3;
        store_result(max_pool_sum(dy + (begin * pitch + column), index + (begin * inner + column), ys, xs, shape.s3,
                                  iy * shape.s1 + ix, inner, pitch),
                     dx + (row * inner + column), 1, accumulate);
#else
        int count = 0, adds = accumulate;
        for (int oy = ys.x; oy < ys.y; oy++)
            for (int ox = xs.x; ox < xs.y; ox++) {
                if (count == AT_ONCE) {
                    max_pool_add(dx + row * inner, dy, index, at, count, iy * shape.s1 + ix, inner, pitch,
                                 column, column_end, adds);
                    count = 0;
                    adds = 1;
                }
                at[count++] = (image * shape.s2 + oy) * shape.s3 + ox;
            }
        if (count > 0 || !adds)
            max_pool_add(dx + row * inner, dy, index, at, count, iy * shape.s1 + ix, inner, pitch, column,
                         column_end, adds);
#endif
    }
}
