/* SPDX-License-Identifier: MIT */
#include "backend/cpu/index.h"
#include "backend/cpu/reference.h"

enum { X, DY, MEAN, VAR };
enum { DGAMMA, DBETA };

void REFERENCE(batch_norm_grad_param)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const double epsilon = (double)call->attributes.batch_norm.epsilon;
    const int64_t channels = index_columns(&call->in[X].shape);
    const int64_t rows = index_rows(&call->in[X].shape);
    const real *const x = args->in[X];
    const real *const dy = args->in[DY];
    const real *const mean = args->in[MEAN];
    const real *const var = args->in[VAR];
    real *const dgamma = args->out[DGAMMA];
    real *const dbeta = args->out[DBETA];
    for (int64_t c = 0; c < channels; c++) {
        const double deviation = sqrt((double)var[c] + epsilon);
        double scaled = 0;
        double sum = 0;
        for (int64_t row = 0; row < rows; row++) {
            const int64_t i = row * channels + c;
            scaled += (double)dy[i] * ((double)x[i] - (double)mean[c]) / deviation;
            sum += (double)dy[i];
        }
        if (dgamma != NULL) {
            reference_store(call, DGAMMA, &dgamma[c], scaled);
        }
        if (dbeta != NULL) {
            reference_store(call, DBETA, &dbeta[c], sum);
        }
    }
}
