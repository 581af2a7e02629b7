/* SPDX-License-Identifier: MIT */
#include "backend/cpu/functions.h"
#include "backend/cpu/index.h"

enum { X, DY, MEAN, VAR, GAMMA, BETA };
enum { DGAMMA, DBETA };

void REFERENCE(batch_norm_grad_param)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const struct graft_batch_norm_attributes *const a = &call->attributes.batch_norm;
    const int64_t channels = index_columns(&call->in[X].shape);
    const int64_t rows = index_rows(&call->in[X].shape);
    const real *const x = args->in[X];
    const real *const dy = args->in[DY];
    const real *const mean = args->in[MEAN];
    const real *const var = args->in[VAR];
    const real *const gamma = args->in[GAMMA];
    const real *const beta = args->in[BETA];
    real *const dgamma = args->out[DGAMMA];
    real *const dbeta = args->out[DBETA];
    for (int64_t c = 0; c < channels; c++) {
        const double deviation = sqrt((double)var[c] + (double)a->epsilon);
        double scaled = 0;
        double sum = 0;
        for (int64_t row = 0; row < rows; row++) {
            const int64_t i = row * channels + c;
            const double distance = (double)x[i] - (double)mean[c];
            double dz = (double)dy[i];
            if (a->activation != GRAFT_UNARY_NONE) {
                const double z = distance * ((double)gamma[c] / deviation) + (double)beta[c];
                dz = function_activation_grad(a->activation, z, dz);
            }
            scaled += dz * distance / deviation;
            sum += dz;
        }
        if (dgamma != NULL) {
            reference_store(call, DGAMMA, &dgamma[c], scaled);
        }
        if (dbeta != NULL) {
            reference_store(call, DBETA, &dbeta[c], sum);
        }
    }
}
