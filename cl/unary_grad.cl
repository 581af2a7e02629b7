/* SPDX-License-Identifier: MIT */
/*
 * dx[i] = f'(s[i]) × dy[i], or += if accumulate, of `count` elements; s is f's argument or its value,
 * whichever the derivative follows from. Functions, first and second as in unary.cl, and those whose
 * derivative needs no exponential. dx may be dy. Required -D: those of simple.h.
 */
#include "simple.h"

real unary_slope(const int kind, const real s, const real dy, const float first, const float second);
real unary_slope(const int kind, const real s, const real dy, const float first, const float second)
{
    const real zero = (real)(0.0f);
    switch (kind) {
    case UNARY_RELU:
        return s > zero ? dy : zero;
    case UNARY_RELU6:
        return s > zero && s < (real)(6.0f) ? dy : zero;
    case UNARY_LEAKY_RELU:
        return s > zero ? dy : dy * first;
    case UNARY_SIGMOID:
        return dy * (s * (1.0f - s));
    case UNARY_TANH:
        return dy * (1.0f - s * s);
    case UNARY_HARD_SIGMOID:
        return s > (real)(-3.0f) && s < (real)(3.0f) ? dy * (1.0f / 6.0f) : zero;
    case UNARY_HARD_SWISH:
        return s <= (real)(-3.0f) ? zero : s < (real)(3.0f) ? dy * ((s + s + 3.0f) * (1.0f / 6.0f)) : dy;
    case UNARY_SQRT:
        return dy / (s + s);
    case UNARY_EXP:
        return dy * s;
    case UNARY_LOG:
        return dy / s;
    case UNARY_ABS:
        return s > zero ? dy : s < zero ? -dy : zero;
    case UNARY_CLIP:
        return s > (real)(first) && s < (real)(second) ? dy : zero;
    }
    return dy;
}

/* The same of [rows, inner] where rows lie apart; pitch: floats from row to row of s, dy and dx. */
KERNEL void unary_grad_rows(global float *dx, const ulong dx_at, const global float *s, const ulong s_at,
                            const global float *dy, const ulong dy_at, const int kind, const float first,
                            const float second, const int accumulate, const int4 pitch, const int rows,
                            const int inner, const int blocks, const int rows_each)
{
    ROWS_OF(row_begin, row_end, rows, blocks, rows_each);
    COLUMNS_OF(column, column_end, inner, blocks, SPAN);
    dx += dx_at;
    s += s_at;
    dy += dy_at;
    for (int row = row_begin; row < row_end; row++)
        for (int i = column; i < column_end; i += VEC) {
            const int n = min(column_end - i, VEC);
            const real value = unary_slope(kind, load_some(s + (row * pitch.s0 + i), n),
                                           load_some(dy + (row * pitch.s1 + i), n), first, second);
            store_result(value, dx + (row * pitch.s2 + i), n, accumulate);
        }
}

KERNEL void unary_grad(global float *dx, const ulong dx_at, const global float *s, const ulong s_at,
                       const global float *dy, const ulong dy_at, const int kind, const float first,
                       const float second, const int accumulate, const int count)
{
    dx += dx_at;
    s += s_at;
    dy += dy_at;
    for (FLAT_LOOP(i, n, count)) {
        const real value =
            unary_slope(kind, load_some(s + i, (int)n), load_some(dy + i, (int)n), first, second);
        store_result(value, dx + i, (int)n, accumulate);
    }
}
