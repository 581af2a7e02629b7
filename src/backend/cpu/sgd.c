/* SPDX-License-Identifier: MIT */
#include "backend/cpu/update.h"

enum { P, GRADIENT, V, HYPER };

void REFERENCE(sgd)(const struct graft_cpu_args *args)
{
    const struct graft_update_attributes *const a = &args->call->attributes.update;
    const struct update_hyper hyper = update_hyper_of(args, HYPER);
    const double momentum = (double)a->momentum;
    const real *const gradient = args->in[GRADIENT];
    real *const p = args->in[P];
    real *const v = args->in[V];
    const int64_t count = graft_shape_count(&args->call->in[P].shape);
    for (int64_t i = 0; !hyper.skip && i < count; i++) {
        double g = hyper.gradient_scale * (double)gradient[i] + (double)a->weight_decay * (double)p[i];
        if (v != NULL) {
            const double velocity = momentum * (double)v[i] + g;
            v[i] = (real)velocity;
            g = a->nesterov ? g + momentum * velocity : velocity;
        }
        p[i] = (real)((double)p[i] - hyper.rate * g);
    }
}
