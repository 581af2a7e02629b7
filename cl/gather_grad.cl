/* SPDX-License-Identifier: MIT */
/* dx[r, c] = Σ dy[i, c] over the i with index[i] = r, in their order; += if accumulate. A row is one of dx.
 * Required -D: those of simple.h. */
#include "simple.h"

KERNEL void gather_grad(global float *dx, const ulong dx_at, const global float *dy, const ulong dy_at,
                        const global int *index, const ulong index_at, const int count, const int accumulate,
                        const int rows, const int inner, const int blocks, const int rows_each)
{
    ROWS_OF(row, row_end, rows, blocks, rows_each);
    COLUMNS_OF(column, column_end, inner, blocks, SPAN);
    for (int r = row; r < row_end; r++) {
        for (int c = column; c < column_end; c += VEC) {
            const int n = min(column_end - c, VEC);
            real sum = (real)(0.0f);
            for (int i = 0; i < count; i++)
                if (index[index_at + (ulong)(i)] == r)
                    sum += load_some(dy + dy_at + i * inner + c, n);
            store_result(sum, dx + dx_at + r * inner + c, n, accumulate);
        }
    }
}
