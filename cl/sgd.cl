/* SPDX-License-Identifier: MIT */
/*
 * p[i] −= lr × step, of `count` elements: g = scale × gradient + decay × p; without momentum the step is g,
 * else v = momentum × v + g and the step is v, or g + momentum × v with nesterov. Required -D: those of
 * simple.h.
 */
#include "update.h"

KERNEL void sgd(global float *p, const ulong p_at, const global float *gradient, const ulong gradient_at,
                global float *v, const ulong v_at, UPDATE_ARGUMENTS)
{
    p += p_at;
    gradient += gradient_at;
    v += v_at;
    hyper += hyper_at;
    const float scale = update_scale(hyper, squares + squares_at, max_norm);
    if (isnan(scale))
        return;
    const real rate = (real)(hyper[0]);
    for (FLAT_LOOP(i, n, count)) {
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
