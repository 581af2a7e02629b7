/* SPDX-License-Identifier: MIT */
/*
 * The matrix product under conv2d, its gradients and matmul:
 *
 *   C[row, column] (+)= sum over segments s, k < segment.k of A(row, s, k) · B(s, k, column)
 *
 * Rows are grouped in tiles whose addresses the caller gives, so that A need not be a matrix: a row may be a
 * pixel and a segment a row of the filter window, which is im2col without copying. Each element of C is
 * summed in the order of the segments in one chain per block of segments; tiles and threads do not change a
 * bit of it.
 */
#ifndef GRAFT_SRC_BACKEND_CPU_FAST_GEMM_H
#define GRAFT_SRC_BACKEND_CPU_FAST_GEMM_H

#include "backend/cpu/cpu.h"
#include "backend/cpu/fast/thresholds.h"
#include "backend/cpu/fast/vector.h"

/* Up to FAST_ROWS rows of C: the first FAST_HALF of them from half 0, the others from half 1. */
struct fast_tile {
    const float *a[2]; /* A at segment offset 0, k 0, first row of each half */
    ptrdiff_t c[2];    /* index into c (and residual) of the first row of each half */
    int rows;
};

/* A run of k with constant steps in A and B. */
struct fast_segment {
    ptrdiff_t a; /* added to the tile's a */
    ptrdiff_t b; /* added to the panel's b */
    int64_t k;
};

/* Rows of A whose distance in floats is a multiple of this fall on the same few sets of the first-level
 * cache: such rows are copied to a pitch that is FAST_PITCH_EXTRA longer. */
#define FAST_PITCH_EXTRA 16
#define FAST_LINE_FLOATS 16 /* of a cache line */
#define FAST_ASKED_LINES 8  /* ahead of the one that is packed */

/*
 * What the caller will pack next, as lines of memory: while a product is made it comes to the second-level
 * cache, some lines of the cache at a time, so that packing does not wait for memory. NULL where a product
 * has none.
 */
struct fast_coming {
    const float *line;
    int64_t floats; /* of a line */
    ptrdiff_t step; /* from line to line */
    int64_t lines;  /* left */
    int64_t asked;  /* floats of the first of them */
    const struct fast_coming *next;
};

struct fast_product {
    const struct fast_tile *tiles;
    int n_tiles;
    ptrdiff_t a_row; /* step from row to row in A */
    ptrdiff_t a_k;   /* step in k: a_row or a_k must be 1 */
    const struct fast_segment *segments;
    int64_t n_segments;
    int64_t
        block_k;    /* segments are taken together up to this sum of k, then C is stored and taken up again */
    const float *b; /* FAST_COLUMNS floats are read for each k, of the last panel whole vectors */
    ptrdiff_t b_k;  /* step in k: FAST_COLUMNS if packed */
    ptrdiff_t b_panel; /* step from panel to panel of FAST_COLUMNS columns */
    float *c;
    ptrdiff_t c_row;
    int64_t columns;
    const float *bias;     /* [columns] or NULL */
    const float *residual; /* indexed as c, or NULL; may be c itself */
    bool accumulate;       /* C += */
    enum graft_unary activation;
    struct fast_coming *coming;
};

/* Computes all tiles × columns. */
void FAST(sweep)(const struct fast_product *product);

/* Appends tiles for `rows` rows from `a` on; returns the new count. Room for rows / FAST_ROWS + 1 must be
 * there. */
int FAST(tile_rows)(struct fast_tile *tiles, int n_tiles, const float *a, ptrdiff_t a_row, ptrdiff_t c,
                    ptrdiff_t c_row, int64_t rows);

/* Tiles of `rows` rows that lie packed: [ceil(rows / FAST_ROWS)][lines][FAST_ROWS]. Returns how many. */
int FAST(tile_packed)(struct fast_tile *tiles, const float *a, int64_t lines, ptrdiff_t c_row, int64_t rows);

/* Floats in B packed: [ceil(columns / FAST_COLUMNS)][k][FAST_COLUMNS], the last panel filled with 0. */
int64_t FAST(packed_floats)(int64_t k, int64_t columns);

/* Packs rows k of one panel: to[k][FAST_COLUMNS] = from[k * k_step + column * column_step], one step being 1.
 */
void FAST(pack_panel)(float *to, const float *from, int64_t k, int64_t columns, ptrdiff_t k_step,
                      ptrdiff_t column_step);

/* Packs `length` floats of `count` lines, `step` apart, into panels [length / panel][pitch lines][panel],
 * from `at` on. What the last panel has more is left as it is: sums of it are never stored. */
FAST_INLINE void fast_pack_lines(float *to, int64_t at, int64_t pitch, int panel, const float *from,
                                 ptrdiff_t step, int64_t count, int64_t length)
{
    const int64_t whole = length / panel * panel;
    for (int64_t i = 0; i < count; i++, from += step) {
        float *out = to + (at + i) * panel;
        int64_t j = 0;
        for (int64_t line = 0; i + FAST_ASKED_LINES < count && line < length; line += FAST_LINE_FLOATS)
            __builtin_prefetch(from + FAST_ASKED_LINES * step + line, 0, 2);
        for (; j < whole; j += panel, out += pitch * panel) {
            if (panel == FAST_COLUMNS)
                memcpy(out, from + j, FAST_COLUMNS * sizeof(float));
            else
                memcpy(out, from + j, FAST_ROWS * sizeof(float));
        }
        for (; j + FAST_WIDTH <= length; j += FAST_WIDTH, out += FAST_WIDTH)
            vec_store(out, vec_load(from + j));
        if (j < length)
            vec_store_part(out, vec_load_part(from + j, (int)(length - j)), (int)(length - j));
    }
}

/* Appends `segment` in pieces of at most `most` k; returns the new count. */
int64_t FAST(cut)(struct fast_segment *segments, int64_t count, struct fast_segment segment, ptrdiff_t a_k,
                  ptrdiff_t b_k, int64_t most);

#endif
