/* SPDX-License-Identifier: MIT */
/*
 * RMSprop, all elements of several tensors: g = scale × gradient + decay × p; v = b2 × v + (1 − b2) × g²;
 * p −= lr × g / (sqrt(v) + epsilon). Required -D: those of simple.h.
 */
#include "update.h"

KERNEL void rmsprop(global float *p, const global float *gradient, global float *v, UPDATE_ARGUMENTS)
{
    const global ulong *const part = update_part(table, parts);
    p += part[1];
    gradient += part[2];
    v += part[3];
    hyper += hyper_at;
    const float scale = update_scale(hyper, squares + squares_at, max_norm);
    if (isnan(scale))
        return;
    const real rate = (real)(hyper[0]);
    for (UPDATE_LOOP(i, n, part)) {
        const real old = load_some(p + i, (int)n);
        const real g = scale * load_some(gradient + i, (int)n) + decay * old;
        const real second = beta2 * load_some(v + i, (int)n) + rest2 * g * g;
        store_some(second, v + i, (int)n);
        store_some(old - rate * g / (sqrt(second) + epsilon), p + i, (int)n);
    }
}
