/* SPDX-License-Identifier: MIT */
/*
 * Where the outputs of a resizing stand along an axis from `in` to `out` elements; the formulas are in
 * graft/op.h. `mode` is RESIZE_*; sizes are at most 32767, so that no product leaves 31 bits. `scale` is in /
 * out, rounded on the host.
 */
#ifndef GRAFT_CL_RESIZING_H
#define GRAFT_CL_RESIZING_H

#include "common.h"

#define RESIZE_NEAREST 0
#define RESIZE_BILINEAR 1
#define RESIZE_CORNERS 2 /* bilinear, corners on corners */

/* {at, next, part, whole}: output i reads element `at` with the weight (whole − part) / whole, `next` with
 * part / whole. */
int4 resize_place(const int i, const int in, const int out, const float scale, const int mode);
int4 resize_place(const int i, const int in, const int out, const float scale, const int mode)
{
    if (mode == RESIZE_NEAREST) {
        const int nearest = min((int)(convert_float(i) * scale), in - 1);
        return (int4)(nearest, nearest, 0, 1);
    }
    const int whole = mode == RESIZE_CORNERS ? max(out - 1, 1) : 2 * out;
    const int place = mode == RESIZE_CORNERS ? i * (in - 1) : max((2 * i + 1) * in - out, 0);
    const int at = place / whole;
    return (int4)(at, min(at + 1, in - 1), place - at * whole, whole);
}

float2 resize_weights(const int4 place);
float2 resize_weights(const int4 place)
{
    const float whole = convert_float(place.w);
    return (float2)(convert_float(place.w - place.z) / whole, convert_float(place.z) / whole);
}

/* First and last + 1 of the outputs that may read element `at`: those that stand between its neighbours, and
 * one more on each side for what rounding does to the nearest. */
int2 resize_readers(const int at, const int in, const int out, const int mode);
int2 resize_readers(const int at, const int in, const int out, const int mode)
{
    if (mode == RESIZE_CORNERS) {
        if (in == 1)
            return (int2)(0, out);
        return (int2)(max(at - 1, 0) * (out - 1) / (in - 1), min((at + 1) * (out - 1) / (in - 1) + 1, out));
    }
    const int from = mode == RESIZE_NEAREST ? at * out / in - 1 : ((2 * at - 1) * out - in) / (2 * in);
    const int to =
        mode == RESIZE_NEAREST ? (at + 1) * out / in + 1 : ((2 * at + 3) * out - in) / (2 * in) + 1;
    return (int2)(max(from, 0), min(to + 1, out));
}

/* The weight with which output i reads element `at`: how near it stands to it, places beyond the ends being moved
 * onto them. */
float resize_weight(const int i, const int at, const int in, const int out, const float scale, const int mode);
float resize_weight(const int i, const int at, const int in, const int out, const float scale, const int mode)
{
    if (mode == RESIZE_NEAREST)
        return resize_place(i, in, out, scale, mode).x == at ? 1.0f : 0.0f;
    const int whole = mode == RESIZE_CORNERS ? max(out - 1, 1) : 2 * out;
    const int place = mode == RESIZE_CORNERS ? i * (in - 1) : (2 * i + 1) * in - out;
    const int away = (int)abs(clamp(place, 0, (in - 1) * whole) - at * whole);
    return away < whole ? convert_float(whole - away) / convert_float(whole) : 0.0f;
}

#endif
