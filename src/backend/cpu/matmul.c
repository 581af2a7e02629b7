/* SPDX-License-Identifier: MIT */
#include "base/size.h"
#include "backend/cpu/index.h"
#include "backend/cpu/reference.h"

enum { A, B, BIAS, RESIDUAL };

#define BLOCK 64 /* columns summed side by side, each in the order of k */

/* A matrix as it is multiplied: element (i, j) at i · row + j · column. */
struct matrix {
    const real *data;
    int64_t row, column;
};

static struct matrix matrix_of(const real *data, const struct graft_shape *shape, bool transpose)
{
    const int64_t columns = index_columns(shape);
    return transpose ? (struct matrix){data, 1, columns} : (struct matrix){data, columns, 1};
}

static void multiply(const struct graft_cpu_args *args, struct matrix a, struct matrix b, int64_t m,
                     int64_t n, int64_t k, int64_t first_row)
{
    const struct graft_call *const call = args->call;
    const real *const bias = args->in[BIAS];
    const real *const residual = args->in[RESIDUAL];
    real *const y = args->out[0];
    for (int64_t i = 0; i < m; i++) {
        for (int64_t first = 0; first < n; first += BLOCK) {
            const int64_t count = graft_min_i64(BLOCK, n - first);
            double sums[BLOCK] = {0};
            for (int64_t l = 0; l < k; l++) {
                const double factor = (double)a.data[i * a.row + l * a.column];
                const real *const row = b.data + l * b.row + first * b.column;
                for (int64_t j = 0; j < count; j++) {
                    sums[j] += factor * (double)row[j * b.column];
                }
            }
            for (int64_t j = 0; j < count; j++) {
                const int64_t at = (first_row + i) * n + first + j;
                double value = sums[j];
                value += bias != NULL ? (double)bias[first + j] : 0;
                value += residual != NULL ? (double)residual[at] : 0;
                reference_store(call, 0, &y[at],
                                reference_activate(call->attributes.matmul.activation, value));
            }
        }
    }
}

void REFERENCE(matmul)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const struct graft_shape *const a = &call->in[A].shape;
    const struct graft_shape *const b = &call->in[B].shape;
    const struct graft_shape *const y = &call->out[0].shape;
    const bool transpose_a = call->attributes.matmul.transpose_a;
    const int64_t m = y->dim[y->rank - 2];
    const int64_t n = y->dim[y->rank - 1];
    const int64_t k = a->dim[a->rank - (transpose_a ? 2 : 1)];
    const int64_t batches = m > 0 ? index_rows(y) / m : 0;
    for (int64_t batch = 0; batch < batches; batch++) {
        const real *const a_data = (const real *)args->in[A] + batch * m * k;
        const real *const b_data = (const real *)args->in[B] + (b->rank == 2 ? 0 : batch * k * n);
        multiply(args, matrix_of(a_data, a, transpose_a),
                 matrix_of(b_data, b, call->attributes.matmul.transpose_b), m, n, k, batch * m);
    }
}
