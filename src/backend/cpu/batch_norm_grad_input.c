/* SPDX-License-Identifier: MIT */
#include "backend/cpu/functions.h"
#include "backend/cpu/index.h"

enum { X, DY, GAMMA, MEAN, VAR, DGAMMA, DBETA, BETA };

void REFERENCE(batch_norm_grad_input)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const struct graft_batch_norm_attributes *const a = &call->attributes.batch_norm;
    const int64_t channels = index_columns(&call->in[X].shape);
    const int64_t rows = index_rows(&call->in[X].shape);
    const real *const x = args->in[X];
    const real *const dy = args->in[DY];
    const real *const gamma = args->in[GAMMA];
    const real *const mean = args->in[MEAN];
    const real *const var = args->in[VAR];
    const real *const dgamma = args->in[DGAMMA];
    const real *const dbeta = args->in[DBETA];
    const real *const beta = args->in[BETA];
    real *const dx = args->out[0];
    for (int64_t row = 0; row < rows; row++) {
        for (int64_t c = 0; c < channels; c++) {
            const int64_t i = row * channels + c;
            const double inverse = 1 / sqrt((double)var[c] + (double)a->epsilon);
            double slope = (double)dy[i];
            if (a->activation != GRAFT_UNARY_NONE) {
                const double z =
                    ((double)x[i] - (double)mean[c]) * ((double)gamma[c] * inverse) + (double)beta[c];
                slope = function_activation_grad(a->activation, z, slope);
            }
            if (a->training) {
                const double normalized = ((double)x[i] - (double)mean[c]) * inverse;
                slope -= ((double)dbeta[c] + normalized * (double)dgamma[c]) / (double)rows;
            }
            reference_store(call, 0, &dx[i], (double)gamma[c] * inverse * slope);
        }
    }
}
