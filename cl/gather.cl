/* SPDX-License-Identifier: MIT */
/* y[i, c] = x[index[i], c]; NaN where there is no such row of the `from` ones. A row is one of y. Required
 * -D: those of simple.h. */
#include "simple.h"

KERNEL void gather(global float *y, const ulong y_at, const global float *x, const ulong x_at,
                   const global int *index, const ulong index_at, const int from, const int rows,
                   const int inner, const int blocks, const int rows_each)
{
    ROWS_OF(row, row_end, rows, blocks, rows_each);
    COLUMNS_OF(column, column_end, inner, blocks, SPAN);
    for (int r = row; r < row_end; r++) {
        const int source = index[index_at + (ulong)(r)];
        for (int c = column; c < column_end; c += VEC) {
            const int n = min(column_end - c, VEC);
            if (source >= 0 && source < from)
                store_some(load_some(x + x_at + source * inner + c, n), y + y_at + r * inner + c, n);
            else
                store_some((real)(NAN), y + y_at + r * inner + c, n);
        }
    }
}
