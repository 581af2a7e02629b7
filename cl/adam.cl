/* SPDX-License-Identifier: MIT */
/*
 * Adam, `count` elements: g = scale × gradient (+ decay × p if not decoupled); m = b1 × m + (1 − b1) × g;
 * v = b2 × v + (1 − b2) × g²; p −= lr × decay × p (decoupled); p −= lr × (m / h1) / (sqrt(v / h2) + epsilon).
 * Required -D: those of simple.h.
 */
#include "update.h"

KERNEL void adam(global float *p, const ulong p_at, const global float *gradient, const ulong gradient_at,
                 global float *m, const ulong m_at, global float *v, const ulong v_at, UPDATE_ARGUMENTS)
{
    p += p_at;
    gradient += gradient_at;
    m += m_at;
    v += v_at;
    hyper += hyper_at;
    const float scale = update_scale(hyper, squares + squares_at, max_norm);
    if (isnan(scale))
        return;
    const real rate = (real)(hyper[0]), correction1 = (real)(hyper[1]), correction2 = (real)(hyper[2]);
    for (FLAT_LOOP(i, n, count)) {
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
