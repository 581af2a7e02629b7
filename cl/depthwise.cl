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

#define BLOCK 4 /* pixels of a line, or taps, at a time */

/* BLOCK pixels of a line from v on, channels c to c + n_c: sum[] += all taps. `from`: image and channel. */
static inline void depthwise_block(const struct gather *g, global const float *from, global const float *w,
                                   const int u, const int v, const int n_c, real *sum)
{
    const int step = g->step_x * g->pixel;
    const bool full = v + BLOCK <= g->grid_x && n_c == VEC;
    for (int tap_y = 0; tap_y < g->taps_y; ++tap_y) {
        const int from_y = u * g->step_y + g->base_y + tap_y * g->tap_y;
        if (from_y < 0 || from_y >= g->height)
            continue;
        int from_x = v * g->step_x + g->base_x;
        global const float *pixel = from + ((long)from_y * g->width + from_x) * g->pixel;
        global const float *weight = w + (size_t)(g->first_tap + tap_y * g->tap_row) * g->pixel;
        for (int tap_x = 0; tap_x < g->taps_x; ++tap_x) {
            if (full && from_x >= 0 && from_x + (BLOCK - 1) * g->step_x < g->width) {
                const real value = LOAD(weight);
                _Pragma("unroll") for (int i = 0; i < BLOCK; ++i) sum[i] =
                    fma(LOAD(pixel + (long)i * step), value, sum[i]);
            } else {
                const real value = load_some(weight, n_c);
                _Pragma("unroll") for (int i = 0; i < BLOCK;
                                       ++i) if (v + i < g->grid_x &&
                                                (uint)(from_x + i * g->step_x) < (uint)g->width) sum[i] =
                    fma(load_some(pixel + (long)i * step, n_c), value, sum[i]);
            }
            from_x += g->tap_x;
            pixel += (long)g->tap_x * g->pixel;
            weight += (size_t)g->tap_column * g->pixel;
        }
    }
}

/*
 * Range: channels / g.run, lines / g.tiles. The numbers: row_end: lines (images × grid_y), run: channels of a
 * work-item, pixel: channels.
 */
kernel void depthwise(global const float *x, const ulong x_at, global const float *w, const ulong w_at,
                      global const float *bias, const ulong bias_at, global const float *residual,
                      const ulong residual_at, global float *y, const ulong y_at, const int16 numbers0,
                      const int16 numbers1)
{
    const struct gather g = gather_of(numbers0, numbers1);
    const int c_first = (int)get_global_id(0) * g.run, c_end = min(c_first + g.run, g.pixel);
    const int line_first = (int)get_global_id(1) * g.tiles, line_end = min(line_first + g.tiles, g.row_end);
    for (int line = line_first; line < line_end; ++line) {
        const int n = line / g.grid_y, u = line - n * g.grid_y;
        const size_t to_line =
            ((size_t)n * g.to_height + u * g.to_step_y + g.to_base_y) * g.to_width + g.to_base_x;
        global const float *from = x + x_at + (size_t)n * g.height * g.width * g.pixel;
        for (int v = 0; v < g.grid_x; v += BLOCK)
            for (int c = c_first; c < c_end; c += VEC) {
                const int n_c = min(VEC, c_end - c);
                real sum[BLOCK];
                const real start = (g.flags & 1) ? load_some(bias + bias_at + c, n_c) : (real)(0.0f);
                _Pragma("unroll") for (int i = 0; i < BLOCK; ++i) sum[i] = start;
                depthwise_block(&g, from + c, w + w_at + c, u, v, n_c, sum);
                _Pragma("unroll") for (int i = 0; i < BLOCK; ++i) if (v + i < g.grid_x)
                {
                    const size_t at = (to_line + (size_t)(v + i) * g.to_step_x) * g.pixel + c;
                    if (g.flags & 2)
                        sum[i] += load_some(residual + residual_at + at, n_c);
                    store_result(ACTIVATE(g.flags >> 3, real, sum[i]), y + y_at + at, n_c, g.flags >> 2 & 1);
                }
            }
    }
}

/*
 * A work-item takes BLOCK taps that lie side by side. numbers: kernel h, w; stride h, w; dilation h, w; pad
 * top, left; x's h, w; dy's h, w; channels; lines of dy; lines of a chunk. Range: channels / VEC, kernel h ×
 * blocks of kernel w, chunks.
 */
kernel void depthwise_weight(global const float *x, const ulong x_at, global const float *dy,
                             const ulong dy_at, global float *parts, const ulong parts_at,
                             const int16 numbers)
{
    const int channels = numbers.sc, kernel_x = numbers.s1, blocks_x = (kernel_x + BLOCK - 1) / BLOCK;
    const int c = (int)get_global_id(0) * VEC, n_c = min(VEC, channels - c);
    const int tap_y = (int)get_global_id(1) / blocks_x, tap_x = (int)get_global_id(1) % blocks_x * BLOCK;
    const int chunk = (int)get_global_id(2), taps = min(BLOCK, kernel_x - tap_x);
    if (c >= channels)
        return;
    const int height = numbers.s8, width = numbers.s9, to_height = numbers.sa, to_width = numbers.sb;
    const int stride_y = numbers.s2, stride_x = numbers.s3, dilation_x = numbers.s5;
    const int move_y = tap_y * numbers.s4 - numbers.s6, move_x = tap_x * dilation_x - numbers.s7;
    const int line_first = chunk * numbers.se, line_end = min(line_first + numbers.se, numbers.sd);
    const int reach_x = (taps - 1) * dilation_x;
    real sum[BLOCK];
    _Pragma("unroll") for (int i = 0; i < BLOCK; ++i) sum[i] = (real)(0.0f);
    for (int line = line_first; line < line_end; ++line) {
        const int n = line / to_height, from_y = (line - n * to_height) * stride_y + move_y;
        if (from_y < 0 || from_y >= height)
            continue;
        global const float *from = x + x_at + ((long)n * height + from_y) * width * channels + c;
        global const float *gradient = dy + dy_at + (size_t)line * to_width * channels + c;
        for (int v = 0; v < to_width; ++v) {
            const int from_x = v * stride_x + move_x;
            const real value = load_some(gradient + (size_t)v * channels, n_c);
            if (n_c == VEC && from_x >= 0 && from_x + reach_x < width) {
                _Pragma("unroll") for (int i = 0; i < BLOCK; ++i) if (i < taps) sum[i] =
                    fma(LOAD(from + (long)(from_x + i * dilation_x) * channels), value, sum[i]);
            } else {
                _Pragma("unroll") for (int i = 0; i < BLOCK;
                                       ++i) if (i < taps && (uint)(from_x + i * dilation_x) < (uint)width)
                    sum[i] =
                        fma(load_some(from + (long)(from_x + i * dilation_x) * channels, n_c), value, sum[i]);
            }
        }
    }
    parts += parts_at + (((size_t)chunk * numbers.s0 + tap_y) * kernel_x + tap_x) * channels + c;
    _Pragma("unroll") for (int i = 0; i < BLOCK; ++i) if (i < taps)
        store_some(sum[i], parts + (size_t)i * channels, n_c);
}

/* Range: channels, taps. */
kernel void depthwise_sum(global const float *parts, const ulong parts_at, global float *dw,
                          const ulong dw_at, const int channels, const int taps, const int chunks,
                          const int accumulate)
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
