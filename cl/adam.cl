/* SPDX-License-Identifier: MIT */
/*
 * Adam, all elements of several tensors: g = scale × gradient (+ decay × p if not decoupled); m = b1 × m + (1 − b1) × g;
 * v = b2 × v + (1 − b2) × g²; p −= lr × decay × p (decoupled); p −= lr × (m / h1) / (sqrt(v / h2) + epsilon).
 * Required -D: those of simple.h.
 */
#include "update.h"

KERNEL void adam(global float *p, const global float *gradient, global float *m, global float *v, UPDATE_ARGUMENTS)
{
    const global ulong *const part = update_part(table, parts);
    p += part[1];
    gradient += part[2];
    m += part[3];
    v += part[4];
    hyper += hyper_at;
    const float scale = update_scale(hyper, squares + squares_at, max_norm);
    if (isnan(scale))
        return;
    const real rate = (real)(hyper[0]), correction1 = (real)(hyper[1]), correction2 = (real)(hyper[2]);
    for (UPDATE_LOOP(i, n, part)) {
        real value = load_some(p + i, (int)n);
        real g = scale * load_some(gradient + i, (int)n);
        if (decoupled)
            value -= rate * decay * value;
        else
            g += decay * value;
        const real first = beta1 * load_some(m + i, (int)n) + rest1 * g;
        const real second = beta2 * load_some(v + i, (int)n) + rest2 * g * g;
        store_some(first, m + i, (int)n);
        store_some(second, v + i, (int)n);
        value -= rate * (first / correction1) / (sqrt(second / correction2) + epsilon);
        store_some(value, p + i, (int)n);
    }
}
