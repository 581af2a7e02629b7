/* SPDX-License-Identifier: MIT */
/*
 * p[i] −= lr × step, of the elements of several tensors: g = scale × gradient + decay × p; without momentum the step is g,
 * else v = momentum × v + g and the step is v, or g + momentum × v with nesterov. Required -D: those of
 * simple.h.
 */
#include "update.h"

KERNEL void sgd(global float *p, const global float *gradient, global float *v, UPDATE_ARGUMENTS)
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
        real by = g;
        if (momentum != 0.0f) {
            const real moment = momentum * load_some(v + i, (int)n) + g;
            store_some(moment, v + i, (int)n);
            by = nesterov ? g + momentum * moment : moment;
        }
        store_some(old - rate * by, p + i, (int)n);
    }
}
