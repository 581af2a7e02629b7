/* SPDX-License-Identifier: MIT */
/* Transposition of the two inner dimensions, in blocks that stay in the cache. */
#include "io/layout.h"

#include "base/size.h"

#include <string.h>

enum { BLOCK = 32 };

/* With a constant `element` the copy becomes one load and one store. */
static inline __attribute__((always_inline)) void transpose(int64_t outer, int64_t rows, int64_t columns,
                                                            size_t element, const char *from, char *to)
{
    for (int64_t o = 0; o < outer; o++) {
        const char *const source = from + (size_t)(o * rows * columns) * element;
        char *const target = to + (size_t)(o * rows * columns) * element;
        for (int64_t r0 = 0; r0 < rows; r0 += BLOCK) {
            for (int64_t c0 = 0; c0 < columns; c0 += BLOCK) {
                const int64_t r1 = graft_min_i64(r0 + BLOCK, rows), c1 = graft_min_i64(c0 + BLOCK, columns);
                for (int64_t c = c0; c < c1; c++) {
                    for (int64_t r = r0; r < r1; r++) {
                        memcpy(target + (size_t)(c * rows + r) * element,
                               source + (size_t)(r * columns + c) * element, element);
                    }
                }
            }
        }
    }
}

void graft_layout_transpose(int64_t outer, int64_t rows, int64_t columns, size_t element, const void *from,
                            void *to)
{
    switch (element) {
    case 4:
        transpose(outer, rows, columns, 4, from, to);
        break;
    case 8:
        transpose(outer, rows, columns, 8, from, to);
        break;
    default:
        transpose(outer, rows, columns, element, from, to);
        break;
    }
}

/* Cubic convolution (Keys 1981) with a = −0.75: weights of the four places around one that lies `t` behind
 * the second. */
static void cubic_weights(double t, double weight[4])
{
    static const double a = -0.75;
    const double distance[4] = {t + 1, t, 1 - t, 2 - t};
    for (int i = 0; i < 4; i++) {
        const double x = distance[i];
        weight[i] = i == 1 || i == 2 ? ((a + 2) * x - (a + 3)) * x * x + 1
                                     : ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
    }
}

/* The places that output i of `out` is made of, at the border the last one again, and their weights. */
static void cubic_places(int64_t i, int64_t in, int64_t out, int64_t place[4], double weight[4])
{
    const double at = out > 1 ? (double)i * (double)(in - 1) / (double)(out - 1) : 0;
    const int64_t first = (int64_t)at;
    cubic_weights(at - (double)first, weight);
    for (int k = 0; k < 4; k++)
        place[k] = graft_max_i64(graft_min_i64(first - 1 + k, in - 1), 0);
}

void graft_layout_resample(const float *from, int64_t before, int64_t side, int64_t channels, float *to,
                           int64_t height, int64_t width)
{
    memcpy(to, from, (size_t)(before * channels) * sizeof *to);
    from += before * channels;
    to += before * channels;
    for (int64_t at = 0; at < height * width; at++) {
        int64_t y[4], x[4];
        double wy[4], wx[4];
        cubic_places(at / width, side, height, y, wy);
        cubic_places(at % width, side, width, x, wx);
        for (int64_t c = 0; c < channels; c++) {
            double sum = 0;
            for (int k = 0; k < 16; k++)
                sum += wy[k / 4] * wx[k % 4] * (double)from[(y[k / 4] * side + x[k % 4]) * channels + c];
            to[at * channels + c] = (float)sum;
        }
    }
}
