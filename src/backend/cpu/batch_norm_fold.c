/* SPDX-License-Identifier: MIT */
#include "backend/cpu/reference.h"

enum { W, BIAS, GAMMA, BETA, MEAN, VAR };

void REFERENCE(batch_norm_fold)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const double epsilon = (double)call->attributes.batch_norm.epsilon;
    const int64_t filters = call->in[W].shape.dim[0];
    const int64_t each = filters > 0 ? graft_shape_count(&call->in[W].shape) / filters : 0;
    const real *const w = args->in[W];
    const real *const bias = args->in[BIAS];
    const real *const gamma = args->in[GAMMA];
    const real *const beta = args->in[BETA];
    const real *const mean = args->in[MEAN];
    const real *const var = args->in[VAR];
    real *const folded_w = args->out[0];
    real *const folded_bias = args->out[1];
    for (int64_t o = 0; o < filters; o++) {
        const double scale = (double)gamma[o] / sqrt((double)var[o] + epsilon);
        for (int64_t i = o * each; folded_w != NULL && i < (o + 1) * each; i++) {
            folded_w[i] = (real)(scale * (double)w[i]);
        }
        if (folded_bias != NULL) {
            const double old = bias != NULL ? (double)bias[o] : 0;
            folded_bias[o] = (real)((old - (double)mean[o]) * scale + (double)beta[o]);
        }
    }
}
