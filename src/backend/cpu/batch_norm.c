/* SPDX-License-Identifier: MIT */
#include "backend/cpu/index.h"
#include "backend/cpu/reference.h"

enum { X, GAMMA, BETA, MEAN, VAR, RESIDUAL };

void REFERENCE(batch_norm)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const struct graft_batch_norm_attributes *const a = &call->attributes.batch_norm;
    const int64_t channels = index_columns(&call->out[0].shape);
    const int64_t rows = index_rows(&call->out[0].shape);
    const real *const x = args->in[X];
    const real *const gamma = args->in[GAMMA];
    const real *const beta = args->in[BETA];
    const real *const mean = args->in[MEAN];
    const real *const var = args->in[VAR];
    const real *const residual = args->in[RESIDUAL];
    real *const y = args->out[0];
    for (int64_t row = 0; row < rows; row++) {
        for (int64_t c = 0; c < channels; c++) {
            const int64_t i = row * channels + c;
            const double scale = (double)gamma[c] / sqrt((double)var[c] + (double)a->epsilon);
            double value = ((double)x[i] - (double)mean[c]) * scale + (double)beta[c];
            value += residual != NULL ? (double)residual[i] : 0;
            y[i] = (real)reference_activate(a->activation, value);
        }
    }
}
