/* SPDX-License-Identifier: MIT */
/*
 * What follows a product that a library has computed: y [count] = activation(y + bias[i % columns] +
 * residual). (Our own products: gemm.cl, gemm_local.cl.) Required -D: none. Work-group: g × 1 × 1, any g.
 */
#include "common.h"

/* flags: 1 bias, 2 residual, 8 × activation. */
kernel void matmul_finish(global const float *bias, const ulong bias_at, global const float *residual,
                          const ulong residual_at, global float *y, const ulong y_at, const int count,
                          const int columns, const int flags)
{
    const int i = (int)get_global_id(0);
    if (i >= count)
        return;
    float value = y[y_at + i];
    if (flags & 1)
        value += bias[bias_at + i % columns];
    if (flags & 2)
        value += residual[residual_at + i];
    y[y_at + i] = ACTIVATE(flags >> 3, float, value);
}
