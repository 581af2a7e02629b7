/* SPDX-License-Identifier: MIT */
#include "backend/cpu/index.h"
#include "backend/cpu/reference.h"

enum { RUNNING_MEAN, RUNNING_VAR, MEAN, VAR, X };

void REFERENCE(batch_norm_update)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const double momentum = (double)call->attributes.batch_norm.momentum;
    const double rows = (double)index_rows(&call->in[X].shape);
    const int64_t channels = index_columns(&call->in[X].shape);
    const real *const mean = args->in[MEAN];
    const real *const var = args->in[VAR];
    real *const running_mean = args->in[RUNNING_MEAN];
    real *const running_var = args->in[RUNNING_VAR];
    for (int64_t c = 0; c < channels; c++) {
        const double unbiased = (double)var[c] * rows / (rows - 1);
        running_mean[c] = (real)((1 - momentum) * (double)running_mean[c] + momentum * (double)mean[c]);
        running_var[c] = (real)((1 - momentum) * (double)running_var[c] + momentum * unbiased);
    }
}
