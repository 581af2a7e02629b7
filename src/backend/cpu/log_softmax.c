/* SPDX-License-Identifier: MIT */
#include "backend/cpu/index.h"
#include "backend/cpu/softmax.h"

void REFERENCE(log_softmax)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const int64_t classes = index_columns(&call->out[0].shape);
    const int64_t rows = index_rows(&call->out[0].shape);
    for (int64_t n = 0; n < rows; n++) {
        const real *const x = (const real *)args->in[0] + n * classes;
        real *const y = (real *)args->out[0] + n * classes;
        const struct softmax_row row = softmax_row_of(x, classes);
        for (int64_t c = 0; c < classes; c++) {
            y[c] = (real)((double)x[c] - row.largest - log(row.sum));
        }
    }
}
