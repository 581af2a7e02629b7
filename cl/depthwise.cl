/* SPDX-License-Identifier: MIT */
/*
 * Depthwise convolution (one filter a channel) along channels: a work-item takes VEC channels.
 *
 *   depthwise_pack    w [c, kh, kw] → [kh, kw, c]
 *   depthwise         forward, and with dy for x the gradient to the input (gather.h)
 *   depthwise_weight  for each chunk of lines: its part [kh, kw, c] of the gradient to the weight
 *   depthwise_sum     adds the parts of all chunks in their order: → [c, kh, kw]
 *
 * Required -D: VEC, SPAN=1 (vector.h). Work-group: g × 1 × 1, any g.
 */
#include "gather.h"
#include "vector.h"

/* Range: channels, taps. */
kernel void depthwise_pack(global const float *w, const ulong w_at, global float *to, const ulong to_at,
                           const int channels, const int taps)
{
    const int c = (int)get_global_id(0), tap = (int)get_global_id(1);
    if (c < channels)
        to[to_at + (size_t)tap * channels + c] = w[w_at + (size_t)c * taps + tap];
}

#define BLOCK 4 /* pixels of a line at a time */

/* Range: channels / VEC, lines (images × grid_y) / tiles. The numbers row_end: lines; pixel, leading: channels. */
kernel void depthwise(global const float *x, const ulong x_at, global const float *w, const ulong w_at,
                      global const float *bias, const ulong bias_at, global const float *residual,
                      const ulong residual_at, global float *y, const ulong y_at, const int16 numbers0,
                      const int16 numbers1)
{
    const struct gather g = gather_of(numbers0, numbers1);
    const int c = (int)get_global_id(0) * VEC, n_c = min(VEC, g.pixel - c);
    if (c >= g.pixel)
        return;
    const real start = (g.flags & 1) ? load_some(bias + bias_at + c, n_c) : (real)(0.0f);
    const int low_x = g.base_x + min(0, (g.taps_x - 1) * g.tap_x);
    const int high_x = g.base_x + max(0, (g.taps_x - 1) * g.tap_x) + (BLOCK - 1) * g.step_x;
    const int line_first = (int)get_global_id(1) * g.tiles, line_end = min(line_first + g.tiles, g.row_end);
    for (int line = line_first; line < line_end; ++line) {
        const int n = line / g.grid_y, u = line - n * g.grid_y;
        const size_t to_line = ((size_t)n * g.to_height + u * g.to_step_y + g.to_base_y) * g.to_width + g.to_base_x;
        global const float *from = x + x_at + (size_t)n * g.height * g.width * g.pixel + c;
        for (int v = 0; v < g.grid_x; v += BLOCK) {
            const bool whole = v + BLOCK <= g.grid_x && v * g.step_x + low_x >= 0 &&
                               v * g.step_x + high_x < g.width && n_c == VEC;
            real sum[BLOCK];
            _Pragma("unroll") for (int i = 0; i < BLOCK; ++i) sum[i] = start;
            for (int tap_y = 0; tap_y < g.taps_y; ++tap_y) {
                const int from_y = u * g.step_y + g.base_y + tap_y * g.tap_y;
                if (from_y < 0 || from_y >= g.height)
                    continue;
                for (int tap_x = 0; tap_x < g.taps_x; ++tap_x) {
                    const int tap = g.first_tap + tap_y * g.tap_row + tap_x * g.tap_column;
                    const real value = load_some(w + w_at + (size_t)tap * g.pixel + c, n_c);
                    const int from_x = v * g.step_x + g.base_x + tap_x * g.tap_x;
                    global const float *pixel = from + ((long)from_y * g.width + from_x) * g.pixel;
                    if (whole) {
                        _Pragma("unroll") for (int i = 0; i < BLOCK; ++i)
                            sum[i] = fma(LOAD(pixel + (size_t)i * g.step_x * g.pixel), value, sum[i]);
                    } else {
                        _Pragma("unroll") for (int i = 0; i < BLOCK; ++i)
                            if (v + i < g.grid_x && (uint)(from_x + i * g.step_x) < (uint)g.width)
                                sum[i] = fma(load_some(pixel + (size_t)i * g.step_x * g.pixel, n_c), value, sum[i]);
                    }
                }
            }
            _Pragma("unroll") for (int i = 0; i < BLOCK; ++i)
                if (v + i < g.grid_x) {
                    const size_t at = (to_line + (size_t)(v + i) * g.to_step_x) * g.pixel + c;
                    if (g.flags & 2)
                        sum[i] += load_some(residual + residual_at + at, n_c);
                    store_result(ACTIVATE(g.flags >> 3, real, sum[i]), y + y_at + at, n_c, g.flags >> 2 & 1);
                }
        }
    }
}

/*
 * numbers: kernel h, w; stride h, w; dilation h, w; pad top, left; x's h, w; dy's h, w; channels; lines of dy; lines of
 * a chunk; first chunk. Range: channels / VEC, taps, chunks.
 */
kernel void depthwise_weight(global const float *x, const ulong x_at, global const float *dy, const ulong dy_at,
                             global float *parts, const ulong parts_at, const int16 numbers)
{
    const int channels = numbers.sc, kernel_x = numbers.s1;
    const int c = (int)get_global_id(0) * VEC, n_c = min(VEC, channels - c);
    const int tap = (int)get_global_id(1), chunk = (int)get_global_id(2), taps = numbers.s0 * kernel_x;
    if (c >= channels)
        return;
    const int height = numbers.s8, width = numbers.s9, to_height = numbers.sa, to_width = numbers.sb;
    const int move_y = tap / kernel_x * numbers.s4 - numbers.s6, move_x = tap % kernel_x * numbers.s5 - numbers.s7;
    const int stride_y = numbers.s2, stride_x = numbers.s3;
    const int line_first = (numbers.sf + chunk) * numbers.se, line_end = min(line_first + numbers.se, numbers.sd);
    const int v_first = move_x >= 0 ? 0 : (stride_x - 1 - move_x) / stride_x;
    const int v_end = move_x >= width ? 0 : min((width - move_x + stride_x - 1) / stride_x, to_width);
    real sum[BLOCK];
    _Pragma("unroll") for (int i = 0; i < BLOCK; ++i) sum[i] = (real)(0.0f);
    for (int line = line_first; line < line_end; ++line) {
        const int n = line / to_height, from_y = (line - n * to_height) * stride_y + move_y;
        if (from_y < 0 || from_y >= height)
            continue;
        global const float *from =
            x + x_at + (((long)n * height + from_y) * width + v_first * stride_x + move_x) * channels + c;
        global const float *gradient = dy + dy_at + ((size_t)line * to_width + v_first) * channels + c;
        int v = v_first;
        for (; v + BLOCK <= v_end && n_c == VEC; v += BLOCK) {
            _Pragma("unroll") for (int i = 0; i < BLOCK; ++i)
            {
                sum[i] = fma(LOAD(from), LOAD(gradient), sum[i]);
                from += (size_t)stride_x * channels;
                gradient += channels;
            }
        }
        for (; v < v_end; ++v) {
            sum[0] = fma(load_some(from, n_c), load_some(gradient, n_c), sum[0]);
            from += (size_t)stride_x * channels;
            gradient += channels;
        }
    }
    const real all = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    store_some(all, parts + parts_at + ((size_t)chunk * taps + tap) * channels + c, n_c);
}

/* Range: channels, taps. */
kernel void depthwise_sum(global const float *parts, const ulong parts_at, global float *dw, const ulong dw_at,
                          const int channels, const int taps, const int chunks, const int accumulate)
{
    const int c = (int)get_global_id(0), tap = (int)get_global_id(1);
    if (c >= channels)
        return;
    float sum = 0.0f;
    for (int chunk = 0; chunk < chunks; ++chunk)
        sum += parts[parts_at + ((size_t)chunk * taps + tap) * channels + c];
    global float *to = dw + dw_at + (size_t)c * taps + tap;
    *to = accumulate ? *to + sum : sum;
}
