/* SPDX-License-Identifier: MIT */
/*
 * y[.., c] = (x[.., c] / 255 − mean[c]) / std[c] of bytes x, `count` elements.
 * `channels` ≤ MOST_CHANNELS unless VEC is 1. Required -D: those of simple.h.
 */
#include "simple.h"

#define MOST_CHANNELS 64

KERNEL void normalize_bytes(global float *y, const ulong y_at, const global uchar *x, const ulong x_at,
                            const global float *mean, const ulong mean_at, const global float *std,
                            const ulong std_at, const int channels, const int count)
{
    y += y_at;
    x += x_at;
    mean += mean_at;
    std += std_at;
#if VEC == 1
    for (FLAT_LOOP(i, n, count))
        y[i] = (convert_float(x[i]) / 255.0f - mean[i % channels]) / std[i % channels];
#else
    /* The channels' numbers again and again: a vector may begin at any channel. */
    float means[VEC + MOST_CHANNELS], stds[VEC + MOST_CHANNELS];
    for (int i = 0; i < VEC + channels; i++) {
        means[i] = mean[i % channels];
        stds[i] = std[i % channels];
    }
    for (FLAT_LOOP(i, n, count)) {
        if (n == VEC) {
            const real byte = CONVERT_REAL(GRAFT_PASTE(vload, VEC)(0, x + i));
            GLOBAL_STORE((byte / 255.0f - LOAD(means + i % channels)) / LOAD(stds + i % channels), y + i);
        } else {
            for (uint k = i; k < i + n; k++)
                y[k] = (convert_float(x[k]) / 255.0f - means[k % channels]) / stds[k % channels];
        }
    }
#endif
}
