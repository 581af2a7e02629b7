/* SPDX-License-Identifier: MIT */
/*
 * What the GPU family's kernels of attention share. A work-item is a query, or a key in the gradients for keys and
 * for the bias; a work-group takes a block of them, and the rows of the other side ROWS at a time in local memory,
 * so that nothing is summed across work-items. Required -D: those of vector.h, with VEC=1; DEPTH and WIDTH, the
 * elements of a row of q and k, and of v.
 */
#ifndef GRAFT_CL_ATTENTION_H
#define GRAFT_CL_ATTENTION_H

#include "kernel.h"

#if !defined(DEPTH) || !defined(WIDTH)
#error "attention.h needs -DDEPTH and -DWIDTH"
#endif

#define ROWS 8

/* What a work-item keeps of a row is in registers if that is little. */
#if DEPTH + WIDTH <= 160
#define ROW_LOOP _Pragma("unroll")
#else
#define ROW_LOOP
#endif

/* bits of `flags` */
#define CAUSAL 1
#define HAS_BIAS 2
#define HAS_MASK 4
#define FIRST_WANTED 8
#define SECOND_WANTED 16
#define FIRST_ADDS 32
#define SECOND_ADDS 64

/* shape: queries, keys, heads, blocks of a head. This work-item's block, head and image; its query or key. */
#define BLOCK_OF(shape) ((int)get_group_id(0) % (shape).s3)
#define HEAD_OF(shape) ((int)get_group_id(0) / (shape).s3 % (shape).s2)
#define IMAGE_OF(shape) ((int)get_group_id(0) / (shape).s3 / (shape).s2)
#define LANE_OF(shape) (BLOCK_OF(shape) * (int)get_local_size(0) + (int)get_local_id(0))
/* Behind the last one of the block. */
#define LANES_END(shape) ((BLOCK_OF(shape) + 1) * (int)get_local_size(0))

/* A work-item's own row; zeros for one that is not there. */
static inline void load_row(float *to, const global float *row, const bool there, const int size)
{
    ROW_LOOP for (int c = 0; c < size; c++) to[c] = there ? row[c] : 0.0f;
}

static inline void store_row(global float *row, const float *from, const float factor, const int size,
                             const int adds)
{
    ROW_LOOP for (int c = 0; c < size; c++) row[c] = adds ? row[c] + from[c] * factor : from[c] * factor;
}

static inline void clear_row(float *row, const int size)
{
    ROW_LOOP for (int c = 0; c < size; c++) row[c] = 0.0f;
}

/* A row's lse; 0 instead of −∞ where nothing is left, so that all shares are exp(−∞) there. */
static inline float base_of(const float lse)
{
    return lse == -INFINITY ? 0.0f : lse;
}

/* Rows i … i + count − 1 of [.., heads, size], brought to local memory by all. Between two of these lies a
 * barrier of the caller's. */
static inline void take_rows(local float *memory, const global float *rows, const int pitch, const int count,
                             const int size)
{
    for (int at = (int)get_local_id(0); at < ROWS * size; at += (int)get_local_size(0))
        memory[at] = at / size < count ? rows[at / size * pitch + at % size] : 0.0f;
}

/* What becomes of a product of a query and a key; its bias and mask lie at `at`. */
static inline float score_of(const float product, const float scale, const global float *bias,
                             const global float *mask, const int at, const int flags, const bool there)
{
    float score = product * scale;
    if ((flags & HAS_BIAS) && there)
        score += bias[at];
    if ((flags & HAS_MASK) && there)
        score += mask[at];
    return score;
}

/* sums[r] = Σ own[c] · row r's element c */
static inline void row_dot(float *sums, const float *own, const local float *rows, const int size)
{
    for (int r = 0; r < ROWS; r++)
        sums[r] = 0.0f;
    ROW_LOOP for (int c = 0; c < size; c++)
    {
        const float x = own[c];
        _Pragma("unroll") for (int r = 0; r < ROWS; r++) sums[r] += x * rows[r * size + c];
    }
}

/* own[c] = keep · own[c] + Σ factors[r] · row r's element c */
static inline void row_add(float *own, const float *factors, const local float *rows, const int count,
                           const int size, const float keep)
{
    ROW_LOOP for (int c = 0; c < size; c++)
    {
        float sum = own[c] * keep;
        if (count == ROWS) {
            _Pragma("unroll") for (int r = 0; r < ROWS; r++) sum += factors[r] * rows[r * size + c];
        } else {
            for (int r = 0; r < count; r++)
                sum += factors[r] * rows[r * size + c];
        }
        own[c] = sum;
    }
}

#endif
