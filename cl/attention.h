/* SPDX-License-Identifier: MIT */
/*
 * What the kernels of attention share. A lane (one of VEC in a work-item) is a query, or a key in the
 * gradients for keys and for the bias; the rows of the other side are taken ROWS at a time, so that nothing
 * is summed across lanes. In the CPU family a work-item takes a block of VEC lanes of a head and reads the
 * rows from global memory; in the GPU family (VEC=1) a work-group takes a block of as many lanes as it has
 * work-items, and shares the rows in local memory. Required -D: those of vector.h; DEPTH and WIDTH, the
 * elements of a row of q and k, and of v.
 */
#ifndef GRAFT_CL_ATTENTION_H
#define GRAFT_CL_ATTENTION_H

#include "kernel.h"

#if !defined(DEPTH) || !defined(WIDTH)
#error "attention.h needs -DDEPTH and -DWIDTH"
#endif

#define ROWS 8

#if VEC == 1
#define SIDE local
#define SIDE_MEMORY(name, size) local float name[ROWS * (size)];
/* What a work-item keeps of a row is in registers if that is little. */
#if DEPTH + WIDTH <= 160
#define LANES_LOOP _Pragma("unroll")
#else
#define LANES_LOOP
#endif
#else
#define SIDE global
#define SIDE_MEMORY(name, size)
#define LANES_LOOP
#endif

/* bits of `flags` */
#define CAUSAL 1
#define HAS_BIAS 2
#define HAS_MASK 4
#define FIRST_WANTED 8
#define SECOND_WANTED 16
#define FIRST_ADDS 32
#define SECOND_ADDS 64

/* shape: queries, keys, heads, blocks of lanes of a head. This work-item's block, head and image; its first
 * lane. */
#define BLOCK_OF(shape) ((int)get_group_id(0) % (shape).s3)
#define HEAD_OF(shape) ((int)get_group_id(0) / (shape).s3 % (shape).s2)
#define IMAGE_OF(shape) ((int)get_group_id(0) / (shape).s3 / (shape).s2)
#define FIRST_LANE(shape) ((BLOCK_OF(shape) * (int)get_local_size(0) + (int)get_local_id(0)) * VEC)
/* Behind the last lane of the block. */
#define LANES_END(shape) ((BLOCK_OF(shape) + 1) * (int)get_local_size(0) * VEC)

/* `count` rows, `pitch` floats apart, become lanes; lanes without a row are 0. */
static inline void load_lanes(real *lanes, const global float *rows, const int pitch, const int count,
                              const int size)
{
    LANES_LOOP for (int c = 0; c < size; c++)
    {
        float part[VEC];
        for (int i = 0; i < VEC; i++)
            part[i] = i < count ? rows[i * pitch + c] : 0.0f;
        lanes[c] = LOAD(part);
    }
}

/* The way back. */
static inline void store_lanes(global float *rows, const real *lanes, const real factor, const int pitch,
                               const int count, const int size, const int adds)
{
    LANES_LOOP for (int c = 0; c < size; c++)
    {
        float part[VEC];
        STORE(lanes[c] * factor, part);
        for (int i = 0; i < count; i++)
            rows[i * pitch + c] = adds ? rows[i * pitch + c] + part[i] : part[i];
    }
}

static inline void clear_lanes(real *lanes, const int size)
{
    LANES_LOOP for (int c = 0; c < size; c++) lanes[c] = (real)(0.0f);
}

/* One number a lane. */
static inline real load_numbers(const global float *numbers, const int pitch, const int count)
{
    float part[VEC];
    for (int i = 0; i < VEC; i++)
        part[i] = i < count ? numbers[i * pitch] : 0.0f;
    return LOAD(part);
}

/* A row's lse; 0 instead of −∞ where nothing is left, so that all shares are exp(−∞) there. */
static inline real base_of(const real lse)
{
    return lse == (real)(-INFINITY) ? (real)(0.0f) : lse;
}

/* first, first + 1 … */
static inline integer lane_numbers(const int first)
{
    int part[VEC];
    for (int i = 0; i < VEC; i++)
        part[i] = first + i;
    return LOAD(part);
}

/*
 * Rows i … i + count − 1 of [.., heads, size]: in the GPU family all lanes bring them to local memory.
 * Between two of these lies a barrier of the caller's.
 */
#if VEC == 1
static inline const local float *take_rows(local float *memory, const global float *rows, const int pitch,
                                           const int count, const int size)
{
    for (int at = (int)get_local_id(0); at < ROWS * size; at += (int)get_local_size(0))
        memory[at] = at / size < count ? rows[at / size * pitch + at % size] : 0.0f;
    return memory;
}
#define TAKE_ROWS(memory, rows, pitch, count, size) take_rows(memory, rows, pitch, count, size)
#define TAKEN_PITCH(pitch, size) (size)
#define ROWS_BARRIER barrier(CLK_LOCAL_MEM_FENCE)
#else
#define TAKE_ROWS(memory, rows, pitch, count, size) (rows)
#define TAKEN_PITCH(pitch, size) (pitch)
#define ROWS_BARRIER
#endif

/* sums[r] = Σ lanes[c] · row r's element c; rows from `count` on repeat the last one. */
static inline void lanes_dot(real *sums, const real *lanes, const SIDE float *rows, const int pitch,
                             const int count, const int size)
{
    const SIDE float *row[ROWS];
    for (int r = 0; r < ROWS; r++) {
        row[r] = rows + min(r, count - 1) * pitch;
        sums[r] = (real)(0.0f);
    }
    LANES_LOOP for (int c = 0; c < size; c++)
    {
        const real x = lanes[c];
        _Pragma("unroll") for (int r = 0; r < ROWS; r++) sums[r] += x * row[r][c];
    }
}

/* lanes[c] = keep · lanes[c] + Σ factors[r] · row r's element c */
static inline void lanes_add(real *lanes, const real *factors, const SIDE float *rows, const int pitch,
                             const int count, const int size, const real keep)
{
    LANES_LOOP for (int c = 0; c < size; c++)
    {
        real sum = lanes[c] * keep;
        if (count == ROWS) {
            _Pragma("unroll") for (int r = 0; r < ROWS; r++) sum += factors[r] * rows[r * pitch + c];
        } else {
            for (int r = 0; r < count; r++)
                sum += factors[r] * rows[r * pitch + c];
        }
        lanes[c] = sum;
    }
}

#endif
