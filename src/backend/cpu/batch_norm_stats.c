/* SPDX-License-Identifier: MIT */
#include "backend/cpu/index.h"
#include "backend/cpu/reference.h"

void REFERENCE(batch_norm_stats)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const int64_t channels = index_columns(&call->in[0].shape);
    const int64_t rows = index_rows(&call->in[0].shape);
    const real *const x = args->in[0];
    real *const mean = args->out[0];
    real *const var = args->out[1];
    for (int64_t c = 0; c < channels; c++) {
        double sum = 0;
        for (int64_t row = 0; row < rows; row++) {
            sum += (double)x[row * channels + c];
        }
        const double centre = sum / (double)rows;
        double squares = 0;
        for (int64_t row = 0; row < rows; row++) {
            const double distance = (double)x[row * channels + c] - centre;
            squares += distance * distance;
        }
        if (mean != NULL) {
            mean[c] = (real)centre;
        }
        if (var != NULL) {
            var[c] = (real)(squares / (double)rows);
        }
    }
}
