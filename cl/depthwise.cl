/* SPDX-License-Identifier: MIT */
/*
 * Depthwise convolution (one filter a channel) along channels: a work-item takes VEC channels.
 *
 *   depthwise_pack    w [c, kh, kw] → [kh, kw, c]
 *   depthwise         forward, and with dy for x the gradient to the input (gather.h)
 *   depthwise_weight  for each chunk of lines: its part [kh, kw, c] of the gradient to the weight
 *   depthwise_weight_nine  the same for 3 × 3 taps, of the CPU family
 *   depthwise_sum     adds the parts of all chunks in their order: → [c, kh, kw]
 *
 * Required -D: VEC, SPAN=1 (vector.h). Work-group: 1 × 1 × 1; with VEC=1 any, of depthwise_sum c × 1 × lanes, up to
 * 16 × 1 × 16, lanes a power of two.
 */
#include "gather.h"
#include "items.h"
#include "vector.h"

/* Where vectors are written out, a work-group is one work-item, and no compiler is to make vectors of them.
 */
#if VEC > 1
#define KERNEL kernel __attribute__((vec_type_hint(real))) __attribute__((reqd_work_group_size(1, 1, 1)))
#else
#define KERNEL kernel
#endif

/* Behind the last tap: zeros. Range: channels / each, taps + 1. */
KERNEL void depthwise_pack(global const float *w, const ulong w_at, global float *to, const ulong to_at,
                           const int channels, const int taps, const int each)
{
    const int first = (int)get_global_id(0) * each, tap = (int)get_global_id(1);
    for (int c = first; c < min(first + each, channels) && tap <= taps; ++c)
        to[to_at + (size_t)tap * channels + c] = tap < taps ? w[w_at + (size_t)c * taps + tap] : 0.0f;
}

#define BLOCK 4 /* pixels of a line, or taps, at a time */

/* What a work-item needs for one line: taps [tap_y, tap_y_end) of those that lie inside x, their first
 * pixels. */
struct depthwise_line {
    int tap_y, tap_y_end;
    long from; /* offset of pixel (0, 0) of tap (tap_y, 0), before the image */
    long to;   /* offset of the first pixel of y */
};

static inline struct depthwise_line depthwise_line_of(const struct graft_gather *g, const int line)
{
    const int n = line / g->grid_y, u = line - n * g->grid_y, y = u * g->step_y + g->base_y;
    struct depthwise_line l = {0, g->taps_y, 0, 0};
    while (l.tap_y < l.tap_y_end && (uint)(y + l.tap_y * g->tap_y) >= (uint)g->height)
        ++l.tap_y;
    while (l.tap_y < l.tap_y_end && (uint)(y + (l.tap_y_end - 1) * g->tap_y) >= (uint)g->height)
        --l.tap_y_end;
    l.from = (((long)n * g->height + y + l.tap_y * g->tap_y) * g->width + g->base_x) * g->pixel;
    l.to =
        (((long)n * g->to_height + u * g->to_step_y + g->to_base_y) * g->to_width + g->to_base_x) * g->pixel;
    return l;
}

/* One pixel: sum + all taps; x and w at the first channel of n_c. */
static inline real depthwise_one(const struct graft_gather *g, const struct depthwise_line *l,
                                 global const float *x, global const float *w, const int v, const int n_c,
                                 real sum)
{
    const int first_x = v * g->step_x + g->base_x;
    for (int tap_y = l->tap_y; tap_y < l->tap_y_end; ++tap_y) {
        global const float *pixel =
            x + l->from + ((long)(tap_y - l->tap_y) * g->tap_y * g->width + v * g->step_x) * g->pixel;
        global const float *weight = w + (long)(g->first_tap + tap_y * g->tap_row) * g->pixel;
        for (int tap_x = 0; tap_x < g->taps_x; ++tap_x)
            if ((uint)(first_x + tap_x * g->tap_x) < (uint)g->width)
                sum = fma(load_some(pixel + (long)tap_x * g->tap_x * g->pixel, n_c),
                          load_some(weight + (long)tap_x * g->tap_column * g->pixel, n_c), sum);
    }
    return sum;
}

/* BLOCK pixels whose taps are all inside along the line: sum[] += all taps. */
static inline void depthwise_any(const struct graft_gather *g, const struct depthwise_line *l,
                                 global const float *x, global const float *w, const int v, real *sum)
{
    const long step = (long)g->step_x * g->pixel;
    for (int tap_y = l->tap_y; tap_y < l->tap_y_end; ++tap_y) {
        global const float *pixel =
            x + l->from + (long)(tap_y - l->tap_y) * g->tap_y * g->width * g->pixel + v * step;
        global const float *weight = w + (long)(g->first_tap + tap_y * g->tap_row) * g->pixel;
        for (int tap_x = 0; tap_x < g->taps_x; ++tap_x) {
            const real value = GLOBAL_LOAD(weight);
            _Pragma("unroll") for (int i = 0; i < BLOCK; ++i) sum[i] =
                fma(GLOBAL_LOAD(pixel + i * step), value, sum[i]);
            pixel += (long)g->tap_x * g->pixel;
            weight += (long)g->tap_column * g->pixel;
        }
    }
}

static inline void depthwise_finish(real sum, const int flags, global const float *residual, global float *y,
                                    const long at, const int n_c)
{
    if (flags & 2)
        sum += load_some(residual + at, n_c);
    store_result(ACTIVATE(flags >> 3, real, sum), y + at, n_c, flags >> 2 & 1);
}

#if VEC > 1
/* sum[] += the taps of line `tap_y`: pixel of tap j of pixel i is at[i × SHARED + j]. */
#define DEPTHWISE_LINE(sum, at, weight, c, shared)                                                           \
    do {                                                                                                     \
        const real line_w0 = GLOBAL_LOAD((weight)[0] + (c)), line_w1 = GLOBAL_LOAD((weight)[1] + (c));       \
        const real line_w2 = GLOBAL_LOAD((weight)[2] + (c));                                                 \
        real line_x[(shared) ? BLOCK + 2 : 3 * BLOCK];                                                       \
        _Pragma("unroll") for (int i = 0; i < ((shared) ? BLOCK + 2 : 3 * BLOCK); ++i) line_x[i] =           \
            GLOBAL_LOAD((at)[i] + (c));                                                                      \
        _Pragma("unroll") for (int i = 0; i < BLOCK; ++i)                                                    \
        {                                                                                                    \
            const int first = (shared) ? i : 3 * i;                                                          \
            sum[i] = fma(line_x[first], line_w0, sum[i]);                                                    \
            sum[i] = fma(line_x[first + 1], line_w1, sum[i]);                                                \
            sum[i] = fma(line_x[first + 2], line_w2, sum[i]);                                                \
        }                                                                                                    \
    } while (0)

/*
 * BLOCK pixels from v on, 3 × 3 taps, for all whole vectors of channels: pointers are chosen once, those
 * outside x point to zeros. Returns the first channel that is left.
 */
#define DEPTHWISE_NINE(name, shared)                                                                         \
    static inline int name(const struct graft_gather *g, const int line, const int v, const int c_first,           \
                           const int c_end, global const float *x, global const float *w,                    \
                           global const float *zeros, global const float *bias,                              \
                           global const float *residual, global float *y)                                    \
    {                                                                                                        \
        const int n = line / g->grid_y, u = line - n * g->grid_y, count = min(BLOCK, g->grid_x - v);         \
        global const float *at[3][(shared) ? BLOCK + 2 : 3 * BLOCK], *weight[3][3];                          \
        for (int tap_y = 0; tap_y < 3; ++tap_y) {                                                            \
            const int from_y = u * g->step_y + g->base_y + tap_y * g->tap_y;                                 \
            for (int i = 0; i < ((shared) ? BLOCK + 2 : 3 * BLOCK); ++i) {                                   \
                const int from_x = (shared) ? (v + i) * g->step_x + g->base_x                                \
                                            : (v + i / 3) * g->step_x + g->base_x + i % 3 * g->tap_x;        \
                const bool there = (uint)from_y < (uint)g->height && (uint)from_x < (uint)g->width;          \
                at[tap_y][i] =                                                                               \
                    there ? x + (((long)n * g->height + from_y) * g->width + from_x) * g->pixel : zeros;     \
            }                                                                                                \
            for (int i = 0; i < 3; ++i)                                                                      \
                weight[tap_y][i] =                                                                           \
                    w + (long)(g->first_tap + tap_y * g->tap_row + i * g->tap_column) * g->pixel;            \
        }                                                                                                    \
        const long to = (((long)n * g->to_height + u * g->to_step_y + g->to_base_y) * g->to_width +          \
                         v * g->to_step_x + g->to_base_x) *                                                  \
                        g->pixel;                                                                            \
        const long to_step = (long)g->to_step_x * g->pixel;                                                  \
        int c = c_first;                                                                                     \
        for (; c + VEC <= c_end; c += VEC) {                                                                 \
            const real start = (g->flags & 1) ? GLOBAL_LOAD(bias + c) : (real)(0.0f);                        \
            real sum[BLOCK];                                                                                 \
            _Pragma("unroll") for (int i = 0; i < BLOCK; ++i) sum[i] = start;                                \
            DEPTHWISE_LINE(sum, at[0], weight[0], c, shared);                                                \
            DEPTHWISE_LINE(sum, at[1], weight[1], c, shared);                                                \
            DEPTHWISE_LINE(sum, at[2], weight[2], c, shared);                                                \
            _Pragma("unroll") for (int i = 0; i < BLOCK; ++i) if (i < count)                                 \
            {                                                                                                \
                if (g->flags & 2)                                                                            \
                    sum[i] += GLOBAL_LOAD(residual + to + i * to_step + c);                                  \
                sum[i] = ACTIVATE(g->flags >> 3, real, sum[i]);                                              \
                if (g->flags & 4)                                                                            \
                    sum[i] += GLOBAL_LOAD(y + to + i * to_step + c);                                         \
                GLOBAL_STORE(sum[i], y + to + i * to_step + c);                                              \
            }                                                                                                \
        }                                                                                                    \
        return c;                                                                                            \
    }

DEPTHWISE_NINE(depthwise_shared, 1) /* the taps of a pixel are those of the next, one further */
DEPTHWISE_NINE(depthwise_apart, 0)
#endif

/* Lines [line_first, line_end) of channels [c_first, c_end). */
static inline void depthwise_lines(const struct graft_gather *g, const int line_first, const int line_end,
                                   const int c_first, const int c_end, global const float *x,
                                   global const float *w, global const float *bias,
                                   global const float *residual, global float *y)
{
    const int low_x = g->base_x + min(0, (g->taps_x - 1) * g->tap_x);
    const int high_x = g->base_x + max(0, (g->taps_x - 1) * g->tap_x) + (BLOCK - 1) * g->step_x;
    for (int line = line_first; line < line_end; ++line) {
        const struct depthwise_line l = depthwise_line_of(g, line);
        for (int v = 0; v < g->grid_x; v += BLOCK) {
            const int count = min(BLOCK, g->grid_x - v);
            const bool inside =
                count == BLOCK && v * g->step_x + low_x >= 0 && v * g->step_x + high_x < g->width;
            const long to = l.to + (long)v * g->to_step_x * g->pixel;
            int c = c_first;
#if VEC > 1
            global const float *zeros = w + (long)g->packed * g->pixel;
            if (g->taps_y == 3 && g->taps_x == 3)
                c = g->step_x == g->tap_x
                        ? depthwise_shared(g, line, v, c, c_end, x, w, zeros, bias, residual, y)
                        : depthwise_apart(g, line, v, c, c_end, x, w, zeros, bias, residual, y);
#endif
            for (; c < c_end; c += VEC) {
                const int n_c = min(VEC, c_end - c);
                real sum[BLOCK];
                const real start = (g->flags & 1) ? load_some(bias + c, n_c) : (real)(0.0f);
                _Pragma("unroll") for (int i = 0; i < BLOCK; ++i) sum[i] = start;
                if (inside && n_c == VEC)
                    depthwise_any(g, &l, x + c, w + c, v, sum);
                else
                    _Pragma("unroll") for (int i = 0; i < BLOCK; ++i) if (i < count) sum[i] =
                        depthwise_one(g, &l, x + c, w + c, v + i, n_c, start);
                _Pragma("unroll") for (int i = 0; i < BLOCK; ++i) if (i < count) depthwise_finish(
                    sum[i], g->flags, residual, y, to + (long)i * g->to_step_x * g->pixel + c, n_c);
            }
        }
    }
}

/*
 * Items: channels / g.run, lines / g.tiles, 1. The numbers: row_end: lines (images × grid_y), run: channels
 * of an item, pixel: channels. w as depthwise_pack writes it.
 */
KERNEL void depthwise(global const float *x, const ulong x_at, global const float *w, const ulong w_at,
                      global const float *bias, const ulong bias_at, global const float *residual,
                      const ulong residual_at, global float *y, const ulong y_at, const int16 numbers0,
                      const int16 numbers1, ITEM_ARGUMENTS)
{
    const struct graft_gather g = gather_of(numbers0, numbers1);
    for (ITEM_LOOP(at)) {
        const int c_first = at.x * g.run, line_first = at.y * g.tiles;
        depthwise_lines(&g, line_first, min(line_first + g.tiles, g.row_end), c_first,
                        min(c_first + g.run, g.pixel), x + x_at, w + w_at, bias + bias_at,
                        residual + residual_at, y + y_at);
    }
}

/*
 * A work-item takes BLOCK taps that lie side by side. numbers: kernel h, w; stride h, w; dilation h, w; pad
 * top, left; x's h, w; dy's h, w; channels; lines of dy; lines of a chunk; chunks. Range: channels / VEC, kernel h ×
 * blocks of kernel w, chunks.
 */
#define PIXELS (VEC == 1 ? 4 : 1) /* whose readings are under way at once: a GPU's work-item waits for each else */

KERNEL void depthwise_weight(global const float *x, const ulong x_at, global const float *dy,
                             const ulong dy_at, global float *parts, const ulong parts_at,
                             const int16 numbers)
{
    const int channels = numbers.sc, kernel_x = numbers.s1, blocks_x = (kernel_x + BLOCK - 1) / BLOCK;
    const int c = (int)get_global_id(0) * VEC, n_c = min(VEC, channels - c);
    const int tap_y = (int)get_global_id(1) / blocks_x, tap_x = (int)get_global_id(1) % blocks_x * BLOCK;
    const int chunk = (int)get_global_id(2), taps = min(BLOCK, kernel_x - tap_x);
    if (c >= channels || chunk >= numbers.sf)
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
            if (PIXELS > 1 && v + PIXELS <= to_width && from_x >= 0 &&
                from_x + (PIXELS - 1) * stride_x + reach_x < width) {
                real some[PIXELS], pixel[PIXELS][BLOCK];
                _Pragma("unroll") for (int j = 0; j < PIXELS; ++j)
                {
                    some[j] = GLOBAL_LOAD(gradient + (size_t)(v + j) * channels);
                    _Pragma("unroll") for (int i = 0; i < BLOCK; ++i) pixel[j][i] = GLOBAL_LOAD(
                        from + (long)(from_x + j * stride_x + min(i, taps - 1) * dilation_x) * channels);
                }
                _Pragma("unroll") for (int j = 0; j < PIXELS; ++j)
                    _Pragma("unroll") for (int i = 0; i < BLOCK; ++i) sum[i] = fma(pixel[j][i], some[j], sum[i]);
                v += PIXELS - 1;
                continue;
            }
            const real value = load_some(gradient + (size_t)v * channels, n_c);
            if (n_c == VEC && from_x >= 0 && from_x + reach_x < width) {
                _Pragma("unroll") for (int i = 0; i < BLOCK; ++i) if (i < taps) sum[i] =
                    fma(GLOBAL_LOAD(from + (long)(from_x + i * dilation_x) * channels), value, sum[i]);
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

#if VEC > 1
/* Where a block of BLOCK pixels of dy is: x at tap (0, 0) of its first pixel, which may lie outside. */
struct depthwise_block {
    global const float *x, *dy;
    global float *part;
    long row;             /* floats between lines of x */
    int channels;         /* floats between pixels */
    int first_x, width;   /* pixel of x that tap (0, 0) sees; of a line */
    int count;            /* pixels of dy that there are */
    int tap_y, tap_y_end; /* taps inside x */
};

/* part [3 × 3][channels] += n_c channels of a block; edge: some of its pixels do not exist. */
static inline void depthwise_weight_block(const struct depthwise_block *b, const int c, const int n_c,
                                          const int stride, const bool edge)
{
    real value[BLOCK], line[2 * BLOCK + 1];
    _Pragma("unroll") for (int i = 0; i < BLOCK; ++i) value[i] =
        !edge || i < b->count ? load_some(b->dy + (long)i * b->channels + c, n_c) : (real)(0.0f);
    for (int tap_y = b->tap_y; tap_y < b->tap_y_end; ++tap_y) {
        global const float *from = b->x + tap_y * b->row + c;
        global float *to = b->part + tap_y * 3 * b->channels + c;
        real sum0 = load_some(to, n_c), sum1 = load_some(to + b->channels, n_c);
        real sum2 = load_some(to + 2 * b->channels, n_c);
        _Pragma("unroll") for (int i = 0; i < BLOCK * stride + 3 - stride; ++i) line[i] =
            !edge || (uint)(b->first_x + i) < (uint)b->width ? load_some(from + (long)i * b->channels, n_c)
                                                             : (real)(0.0f);
        _Pragma("unroll") for (int i = 0; i < BLOCK; ++i)
        {
            sum0 = fma(line[i * stride], value[i], sum0);
            sum1 = fma(line[i * stride + 1], value[i], sum1);
            sum2 = fma(line[i * stride + 2], value[i], sum2);
        }
        store_some(sum0, to, n_c);
        store_some(sum1, to + b->channels, n_c);
        store_some(sum2, to + 2 * b->channels, n_c);
    }
}

static inline void depthwise_weight_channels(const struct depthwise_block *b, const int stride)
{
    const bool edge =
        b->first_x < 0 || b->first_x + BLOCK * stride + 3 - stride > b->width || b->count < BLOCK;
    int c = 0;
    for (; !edge && c + VEC <= b->channels; c += VEC)
        depthwise_weight_block(b, c, VEC, stride, false);
    for (; c + VEC <= b->channels; c += VEC)
        depthwise_weight_block(b, c, VEC, stride, true);
    if (c < b->channels)
        depthwise_weight_block(b, c, b->channels - c, stride, true);
}

/* depthwise_weight of 3 × 3 taps side by side with stride 1 or 2 along x: a work-item takes a chunk, so that
 * x and dy are read as they lie in memory. Range: chunks. */
KERNEL void depthwise_weight_nine(global const float *x, const ulong x_at, global const float *dy,
                                  const ulong dy_at, global float *parts, const ulong parts_at,
                                  const int16 numbers)
{
    const int chunk = (int)get_global_id(0);
    const int height = numbers.s8, to_height = numbers.sa, to_width = numbers.sb, stride = numbers.s3;
    const int line_first = chunk * numbers.se, line_end = min(line_first + numbers.se, numbers.sd);
    struct depthwise_block b = {.channels = numbers.sc, .width = numbers.s9};
    b.row = (long)b.width * b.channels;
    b.part = parts + parts_at + (size_t)chunk * 9 * b.channels;
    for (int i = 0; i < 9 * b.channels; ++i)
        b.part[i] = 0.0f;
    for (int line = line_first; line < line_end; ++line) {
        const int n = line / to_height, y = (line - n * to_height) * numbers.s2 - numbers.s6;
        b.tap_y = max(0, -y);
        b.tap_y_end = min(3, height - y);
        for (int v = 0; v < to_width; v += BLOCK) {
            b.first_x = v * stride - numbers.s7;
            b.count = min(BLOCK, to_width - v);
            b.x = x + x_at + ((long)n * height + y) * b.row + (long)b.first_x * b.channels;
            b.dy = dy + dy_at + ((size_t)line * to_width + v) * b.channels;
            if (stride == 1)
                depthwise_weight_channels(&b, 1);
            else
                depthwise_weight_channels(&b, 2);
        }
    }
}
#endif

/* Range: channels / each, taps, and with VEC=1 lanes: these take chunks in turn, and their sums are added in pairs. */
KERNEL void depthwise_sum(global const float *parts, const ulong parts_at, global float *dw,
                          const ulong dw_at, const int channels, const int taps, const int chunks,
                          const int accumulate, const int each)
{
    const int first = (int)get_global_id(0) * each, tap = (int)get_global_id(1);
#if VEC > 1
    for (int c = first; c < min(first + each, channels); ++c) {
        float sum = 0.0f;
        for (int chunk = 0; chunk < chunks; ++chunk)
            sum += parts[parts_at + ((size_t)chunk * taps + tap) * channels + c];
        global float *to = dw + dw_at + (size_t)c * taps + tap;
        *to = accumulate ? *to + sum : sum;
    }
#else
    local float sums[16][16];
    const int lx = (int)get_local_id(0), lane = (int)get_local_id(2), lanes = (int)get_local_size(2);
    float sum = 0.0f;
    for (int chunk = lane; first < channels && chunk < chunks; chunk += BLOCK * lanes) {
        float some[BLOCK];
        _Pragma("unroll") for (int i = 0; i < BLOCK; ++i) some[i] =
            parts[parts_at + ((size_t)min(chunk + i * lanes, chunks - 1) * taps + tap) * channels + first];
        _Pragma("unroll") for (int i = 0; i < BLOCK; ++i) sum += chunk + i * lanes < chunks ? some[i] : 0.0f;
    }
    sums[lane][lx] = sum;
    for (int width = lanes / 2; width > 0; width /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (lane < width)
            sums[lane][lx] = sum += sums[lane + width][lx];
    }
    if (first < channels && lane == 0) {
        global float *to = dw + dw_at + (size_t)first * taps + tap;
        *to = accumulate ? *to + sum : sum;
    }
#endif
}
