/* SPDX-License-Identifier: MIT */
#include "backend/cpu/update.h"

enum { P, GRADIENT, M, V, HYPER };

void REFERENCE(adam)(const struct graft_cpu_args *args)
{
    const struct graft_update_attributes *const a = &args->call->attributes.update;
    const struct update_hyper hyper = update_hyper_of(args, HYPER);
    const double beta1 = (double)a->beta1;
    const double beta2 = (double)a->beta2;
    const double decay = (double)a->weight_decay;
    const real *const gradient = args->in[GRADIENT];
    real *const p = args->in[P];
    real *const m = args->in[M];
    real *const v = args->in[V];
    const int64_t count = graft_shape_count(&args->call->in[P].shape);
    for (int64_t i = 0; !hyper.skip && i < count; i++) {
        double old = (double)p[i];
        const double g = hyper.gradient_scale * (double)gradient[i] + (a->decoupled ? 0 : decay * old);
        old -= a->decoupled ? hyper.rate * decay * old : 0;
        const double first = beta1 * (double)m[i] + (1 - beta1) * g;
        const double second = beta2 * (double)v[i] + (1 - beta2) * g * g;
        m[i] = (real)first;
        v[i] = (real)second;
        p[i] = (real)(old - hyper.rate * (first / hyper.correction1) /
                                (sqrt(second / hyper.correction2) + (double)a->epsilon));
    }
}
