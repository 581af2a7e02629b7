/* SPDX-License-Identifier: MIT */
#include "backend/cpu/index.h"
#include "backend/cpu/reference.h"

enum { Y, DY };

void REFERENCE(log_softmax_grad)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const int64_t classes = index_columns(&call->out[0].shape);
    const int64_t rows = index_rows(&call->out[0].shape);
    for (int64_t n = 0; n < rows; n++) {
        const real *const y = (const real *)args->in[Y] + n * classes;
        const real *const dy = (const real *)args->in[DY] + n * classes;
        real *const dx = (real *)args->out[0] + n * classes;
        double sum = 0;
        for (int64_t c = 0; c < classes; c++) {
            sum += (double)dy[c];
        }
        for (int64_t c = 0; c < classes; c++) {
            reference_store(call, 0, &dx[c], (double)dy[c] - exp((double)y[c]) * sum);
        }
    }
}
