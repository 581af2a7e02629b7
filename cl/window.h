/* SPDX-License-Identifier: MIT */
/*
 * Windows of pooling. `shape` is {h, w of x, h, w of y}, `window` {kernel h, w, stride h, w, pad top, bottom,
 * left, right}. With `adaptive` window i of n over a size s is [floor(i s / n), ceil((i + 1) s / n)).
 */
#ifndef GRAFT_CL_WINDOW_H
#define GRAFT_CL_WINDOW_H

#include "common.h"

/* Begin and end of window `out` along one axis, inside x. */
int2 window_of(const int out, const int size, const int outs, const int kernel_size, const int stride,
               const int pad, const int adaptive);
int2 window_of(const int out, const int size, const int outs, const int kernel_size, const int stride,
               const int pad, const int adaptive)
{
    if (adaptive && outs == 1)
        return (int2)(0, size);
    if (adaptive)
        return (int2)((int)((long)out * size / outs), (int)(((long)(out + 1) * size + outs - 1) / outs));
    const int first = out * stride - pad;
    return (int2)(max(first, 0), min(first + kernel_size, size));
}

/* First and last + 1 of the windows that hold position `at`. */
int2 windows_over(const int at, const int size, const int outs, const int kernel_size, const int stride,
                  const int pad, const int adaptive);
int2 windows_over(const int at, const int size, const int outs, const int kernel_size, const int stride,
                  const int pad, const int adaptive)
{
    if (adaptive && outs == 1)
        return (int2)(0, 1);
    if (adaptive)
        return (int2)((int)((long)at * outs / size), (int)(((long)(at + 1) * outs + size - 1) / size));
    const int before = at + pad - kernel_size; /* windows that begin at or before this end too early */
    return (int2)(before < 0 ? 0 : before / stride + 1, min((at + pad) / stride + 1, outs));
}

/* Elements that an average divides by, along one axis: all of the window that lies in x, or in x and its
 * padding. */
int window_count(const int out, const int size, const int outs, const int kernel_size, const int stride,
                 const int pad, const int pad_after, const int adaptive, const int include_pad);
int window_count(const int out, const int size, const int outs, const int kernel_size, const int stride,
                 const int pad, const int pad_after, const int adaptive, const int include_pad)
{
    if (include_pad && !adaptive)
        return min(out * stride - pad + kernel_size, size + pad_after) - (out * stride - pad);
    const int2 range = window_of(out, size, outs, kernel_size, stride, pad, adaptive);
    return range.y - range.x;
}

#endif
