/* SPDX-License-Identifier: MIT */
#include "backend/cpu/update.h"

enum { P, GRADIENT, V, HYPER };

void REFERENCE(rmsprop)(const struct graft_cpu_args *args)
{
    const struct graft_update_attributes *const a = &args->call->attributes.update;
    const struct update_hyper hyper = update_hyper_of(args, HYPER);
    const double alpha = (double)a->beta2;
    const real *const gradient = args->in[GRADIENT];
    real *const p = args->in[P];
    real *const v = args->in[V];
    const int64_t count = graft_shape_count(&args->call->in[P].shape);
    for (int64_t i = 0; !hyper.skip && i < count; i++) {
        const double g = hyper.gradient_scale * (double)gradient[i] + (double)a->weight_decay * (double)p[i];
        const double second = alpha * (double)v[i] + (1 - alpha) * g * g;
        v[i] = (real)second;
        p[i] = (real)((double)p[i] - hyper.rate * g / (sqrt(second) + (double)a->epsilon));
    }
}
