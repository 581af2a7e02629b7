/* SPDX-License-Identifier: MIT */
/*
 * What the CPU family's kernels of attention share. Rows of one side, VEC at a time, are turned, so that vector c
 * holds element c of each: the lanes. The other side's rows lie packed, filled up with zeros to whole vectors and
 * with some rows of zeros behind them, and are taken HEIGHT at a time. Required -D: those of vector.h, with VEC ≥ 4;
 * DEPTH and WIDTH, the elements of a row of q and k, and of v; HEIGHT.
 */
#ifndef GRAFT_CL_TURNED_H
#define GRAFT_CL_TURNED_H

#include "kernel.h"

#if !defined(DEPTH) || !defined(WIDTH) || !defined(HEIGHT)
#error "turned.h needs -DDEPTH, -DWIDTH and -DHEIGHT"
#endif

#define PADDED(count) (((count) + VEC - 1) / VEC * VEC)
/* A last block of so few lanes would be mostly empty: they are taken one by one. */
#define SINGLE (VEC / 2)

static inline void clear_floats(global float *to, const int count)
{
    for (int i = 0; i < count; i += VEC)
        GLOBAL_STORE((real)(0.0f), to + i);
}

/* `count` rows, `pitch` floats apart, become packed ones. */
static inline void pack_rows(global float *to, const global float *rows, const int pitch, const int count,
                             const int size)
{
    for (int r = 0; r < count; r++)
        for (int c = 0; c < size; c += VEC)
            GLOBAL_STORE(load_some(rows + r * pitch + c, min(size - c, VEC)), to + r * PADDED(size) + c);
}

/* a row = factor · a packed one, or += . */
static inline void store_row(global float *to, const global float *row, const float factor, const int size,
                             const int adds)
{
    for (int c = 0; c < size; c += VEC)
        store_result(GLOBAL_LOAD(row + c) * factor, to + c, min(size - c, VEC), adds);
}

/* a0 b0 a1 b1 … of the lower and of the upper halves. Clang takes far longer for what the standard has for it. */
static inline void interleave(const real a, const real b, real *lower, real *upper)
{
#if defined(__clang__) && VEC == 16
    *lower = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    *upper = __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
#else
    lower->even = a.lo;
    lower->odd = b.lo;
    upper->even = a.hi;
    upper->odd = b.hi;
#endif
}

/* The rows of a square become its columns. */
static inline void turn(real *square)
{
    _Pragma("unroll") for (int width = 1; width < VEC; width *= 2)
    {
        real other[VEC];
        _Pragma("unroll") for (int i = 0; i < VEC / 2; i++)
            interleave(square[i], square[i + VEC / 2], &other[2 * i], &other[2 * i + 1]);
        _Pragma("unroll") for (int i = 0; i < VEC; i++) square[i] = other[i];
    }
}

/* Packed rows become lanes: those without a row are 0. */
static inline void load_turned(real *lanes, const global float *rows, const int count, const int size)
{
    for (int c = 0; c < size; c += VEC) {
        real square[VEC];
        _Pragma("unroll") for (int r = 0; r < VEC; r++) square[r] =
            r < count ? GLOBAL_LOAD(rows + r * PADDED(size) + c) : (real)(0.0f);
        turn(square);
        _Pragma("unroll") for (int r = 0; r < VEC; r++) lanes[c + r] = square[r];
    }
}

/* The way back, to rows `pitch` floats apart. */
static inline void store_turned(global float *rows, const real *lanes, const real factor, const int pitch,
                                const int count, const int size, const int adds)
{
    for (int c = 0; c < size; c += VEC) {
        real square[VEC];
        _Pragma("unroll") for (int r = 0; r < VEC; r++) square[r] = lanes[c + r] * factor;
        turn(square);
        _Pragma("unroll") for (int r = 0; r < VEC; r++) if (r < count)
            store_result(square[r], rows + r * pitch + c, min(size - c, VEC), adds);
    }
}

/* sums[r] = Σ lanes[c] · row r's element c */
static inline void rows_dot(real *sums, const real *lanes, const global float *rows, const int pitch, const int size)
{
    real sum[HEIGHT];
    _Pragma("unroll") for (int r = 0; r < HEIGHT; r++) sum[r] = (real)(0.0f);
    for (int c = 0; c < size; c++) {
        const real x = lanes[c];
        _Pragma("unroll") for (int r = 0; r < HEIGHT; r++) sum[r] += x * rows[r * pitch + c];
    }
    _Pragma("unroll") for (int r = 0; r < HEIGHT; r++) sums[r] = sum[r];
}

/* lanes[c] += Σ factors[r] · row r's element c */
static inline void rows_add(real *lanes, const real *factors, const global float *rows, const int pitch,
                            const int size)
{
    for (int c = 0; c < size; c++) {
        real sum = lanes[c];
        _Pragma("unroll") for (int r = 0; r < HEIGHT; r++) sum += factors[r] * rows[r * pitch + c];
        lanes[c] = sum;
    }
}

/* Lane r: the product of row r of VEC with `other`. */
static inline real row_dots(const global float *rows, const int pitch, const global float *other)
{
    real sum[VEC];
    _Pragma("unroll") for (int r = 0; r < VEC; r++)
    {
        sum[r] = (real)(0.0f);
        for (int c = 0; c < pitch; c += VEC)
            sum[r] += GLOBAL_LOAD(rows + r * pitch + c) * GLOBAL_LOAD(other + c);
    }
    _Pragma("unroll") for (int span = VEC / 2; span > 0; span /= 2)
    {
        _Pragma("unroll") for (int i = 0; i < span; i++)
        {
            real lower, upper;
            interleave(sum[i], sum[i + span], &lower, &upper);
            sum[i] = lower + upper;
        }
    }
    return sum[0];
}

/* One number a lane. */
static inline real load_numbers(const global float *numbers, const int pitch, const int count)
{
    float part[VEC];
    for (int i = 0; i < VEC; i++)
        part[i] = i < count ? numbers[i * pitch] : 0.0f;
    return LOAD(part);
}

/* first, first + 1 … */
static inline integer numbers_from(const int first)
{
    int part[VEC];
    for (int i = 0; i < VEC; i++)
        part[i] = first + i;
    return LOAD(part);
}

/* A row's lse; 0 instead of −∞ where nothing is left, so that all shares are exp(−∞) there. */
static inline float base_of(const float lse)
{
    return lse == -INFINITY ? 0.0f : lse;
}

#endif
