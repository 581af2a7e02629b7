/* SPDX-License-Identifier: MIT */
/*
 * Whether the device has a matrix unit that matrix.h knows: for finding out only.
 *
 * matrix_probe: y[0] = how many elements of a product are what integers say, MATRIX_ROWS × MATRIX_COLUMNS if all.
 *
 * Required -D: MATRIX. Work-group: MATRIX_LANES, one.
 */
#include "matrix.h"

/* No two rows, columns or terms are alike; each is a TF32. */
static inline int element_a(const int row, const int term)
{
    return 37 * row - 41 * term + (row ^ 3 * term);
}

static inline int element_b(const int term, const int column)
{
    return 29 * column - 53 * term - (term ^ 5 * column);
}

__attribute__((reqd_work_group_size(MATRIX_LANES, 1, 1))) kernel void matrix_probe(global float *y, const ulong y_at)
{
    MATRIX_EXCHANGES(exchange, 1);
    local int right[MATRIX_LANES];
    const int lane = (int)get_local_id(0);
    uint a[MATRIX_A], b[MATRIX_B];
    float sums[MATRIX_SUMS];
    MATRIX_UNROLL for (int i = 0; i < MATRIX_A; ++i) a[i] =
        as_uint((float)element_a(MATRIX_A_ROW(lane, i), MATRIX_A_TERM(lane, i)));
    MATRIX_UNROLL for (int i = 0; i < MATRIX_B; ++i) b[i] =
        as_uint((float)element_b(MATRIX_B_TERM(lane, i), MATRIX_B_COLUMN(lane, i)));
    MATRIX_UNROLL for (int i = 0; i < MATRIX_SUMS; ++i) sums[i] = (float)(lane - 3 * i);
    MATRIX_MULTIPLY_ADD(sums, a, b, lane, exchange);
    MATRIX_MULTIPLY_ADD(sums, a, b, lane, exchange);

    right[lane] = 0;
    MATRIX_UNROLL for (int i = 0; i < MATRIX_SUMS; ++i)
    {
        int wanted = lane - 3 * i;
        for (int term = 0; term < MATRIX_TERMS; ++term)
            wanted += 2 * element_a(MATRIX_SUM_ROW(lane, i), term) * element_b(term, MATRIX_SUM_COLUMN(lane, i));
        right[lane] += sums[i] == (float)wanted;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (lane == 0) {
        int all = 0;
        for (int i = 0; i < MATRIX_LANES; ++i)
            all += right[i];
        y[y_at] = (float)all;
    }
}
