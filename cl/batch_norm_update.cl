/* SPDX-License-Identifier: MIT */
/*
 * running_mean[c] = rest × running_mean[c] + momentum × mean[c]; running_var likewise with var[c] × unbiased.
 * rest = 1 − momentum, unbiased = m / (m − 1) for m elements a channel. Required -D: those of simple.h.
 */
#include "running.h"

KERNEL void batch_norm_update(global float *running_mean, const ulong running_mean_at,
                              global float *running_var, const ulong running_var_at, const global float *mean,
                              const ulong mean_at, const global float *var, const ulong var_at,
                              const float momentum, const float rest, const float unbiased, const int count)
{
    running_mean += running_mean_at;
    running_var += running_var_at;
    for (FLAT_LOOP(i, n, count)) {
        move_running(running_mean + i, load_some(mean + mean_at + i, (int)n), momentum, rest, (int)n);
        move_running(running_var + i, load_some(var + var_at + i, (int)n) * unbiased, momentum, rest, (int)n);
    }
}
