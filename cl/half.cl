/* SPDX-License-Identifier: MIT */
/*
 * Whether halves can be used: for finding out only. HALF_STORAGE = 1: through vload_half and vstore_half, which
 * every OpenCL 1.2 has; 0: in arithmetic, which some compilers take without naming the extension.
 *
 * half_probe: y[0] = x[0]² + 1 by way of halves.
 *
 * Required -D: HALF_STORAGE.
 */
#ifndef HALF_STORAGE
#error "half.cl needs -DHALF_STORAGE=0 or 1"
#endif

#if HALF_STORAGE
kernel void half_probe(global float *y, const ulong y_at, const float x)
{
    global half *const halves = (global half *)(y + y_at + 1);
    vstore_half(x, 0, halves);
    vstore_half(vload_half(0, halves) * vload_half(0, halves) + 1.0f, 1, halves);
    y[y_at] = vload_half(1, halves);
}
#else
#ifdef cl_khr_fp16
#pragma OPENCL EXTENSION cl_khr_fp16 : enable
#endif
kernel void half_probe(global float *y, const ulong y_at, const float x)
{
    const half narrow = (half)x;
    const half result = narrow * narrow + (half)1.0f;
    y[y_at] = (float)result;
}
#endif
