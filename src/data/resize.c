/* SPDX-License-Identifier: MIT */
/*
 * Antialiased resizing in fixed point, bit for bit as Pillow 13: weights in double, rounded to 22 fractional
 * bits; a horizontal pass into u8, then a vertical one. When the height loses more than twice as many pixels
 * as the width, Pillow has taken the vertical pass first since version 13, which rounds a few pixels
 * otherwise; so do we. This file is compiled without contraction: the weights must be rounded operation by
 * operation.
 */
#include "data/resize.h"

#include "data/resize_rows.h"

#include <math.h>
#include <string.h>

/* Weights of one axis: output i is the sum of weight[i × most + k] × input[from[i] + k], k < taps[i]. */
struct axis {
    int32_t *from;
    int32_t *taps;
    int32_t *weight;
    size_t most; /* taps at most */
};

static double weight_box(double x)
{
    return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
}

static double weight_bilinear(double x)
{
    const double distance = fabs(x);
    return distance < 1.0 ? 1.0 - distance : 0.0;
}

/* Keys' cubic convolution with a = −0.5. */
static double weight_bicubic(double x)
{
    const double a = -0.5;
    const double distance = fabs(x);
    if (distance < 1.0) {
        return ((a + 2.0) * distance - (a + 3.0)) * distance * distance + 1;
    }
    return distance < 2.0 ? (((distance - 5) * distance + 8) * distance - 4) * a : 0.0;
}

static double sinc(double x)
{
    const double angle = x * 3.14159265358979323846;
    return x == 0.0 ? 1.0 : sin(angle) / angle;
}

static double weight_lanczos(double x)
{
    return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0;
}

static const struct {
    double (*weight)(double x);
    double support;
} kernels[] = {
    [GRAFT_FILTER_BILINEAR] = {weight_bilinear, 1.0},
    [GRAFT_FILTER_BOX] = {weight_box, 0.5},
    [GRAFT_FILTER_BICUBIC] = {weight_bicubic, 2.0},
    [GRAFT_FILTER_LANCZOS] = {weight_lanczos, 3.0},
};

static double axis_support(int32_t in, int32_t out, enum graft_filter filter)
{
    const double scale = (double)in / out;
    return kernels[filter].support * (scale < 1.0 ? 1.0 : scale);
}

static size_t axis_most(int32_t in, int32_t out, enum graft_filter filter)
{
    return (size_t)ceil(axis_support(in, out, filter)) * 2 + 1;
}

/* Weights for outputs [begin, begin + count) of an axis that goes from `in` to `out` pixels. */
static void fill_axis(struct axis *axis, int32_t in, int32_t out, int32_t begin, int32_t count,
                      enum graft_filter filter)
{
    const double scale = (double)in / out;
    const double step = 1.0 / (scale < 1.0 ? 1.0 : scale);
    const double support = axis_support(in, out, filter);
    for (int32_t i = 0; i < count; i++) {
        const double center = (begin + i + 0.5) * scale;
        int32_t from = (int32_t)(center - support + 0.5);
        int32_t to = (int32_t)(center + support + 0.5);
        from = from < 0 ? 0 : from;
        to = to > in ? in : to;
        int32_t *const weight = axis->weight + (size_t)i * axis->most;
        double sum = 0.0;
        for (int32_t k = 0; k < to - from; k++) {
            sum += kernels[filter].weight((k + from - center + 0.5) * step);
        }
        for (int32_t k = 0; k < to - from; k++) {
            double share = kernels[filter].weight((k + from - center + 0.5) * step);
            share = sum != 0.0 ? share / sum : share;
            weight[k] = (int32_t)(share * (1 << GRAFT_RESIZE_BITS) + (share < 0 ? -0.5 : 0.5));
        }
        axis->from[i] = from;
        axis->taps[i] = to - from;
    }
}

int32_t graft_resize_most(int32_t in, int32_t out, enum graft_filter filter)
{
    return filter == GRAFT_FILTER_NEAREST ? 1 : (int32_t)axis_most(in, out, filter);
}

int32_t graft_resize_taps(int32_t in, int32_t out, enum graft_filter filter, int32_t at, int32_t *from,
                          int32_t *weights)
{
    int32_t taps = 1;
    struct axis axis = {.from = from, .taps = &taps, .weight = weights};
    if (filter == GRAFT_FILTER_NEAREST) {
        const double step = (double)in / out;
        double place = step * 0.5;
        for (int32_t i = 0; i < at; i++) { /* rounded as resize_nearest does */
            place += step;
        }
        *from = (int32_t)place < in ? (int32_t)place : in - 1;
        weights[0] = 1 << GRAFT_RESIZE_BITS;
        return 1;
    }
    axis.most = axis_most(in, out, filter);
    fill_axis(&axis, in, out, at, 1, filter);
    return taps;
}

/* Rows [first, first + rows) of the view, columns as the axis says, into `out`. */
static void horizontal_pass(const struct graft_view *view, int32_t first, int32_t rows,
                            const struct axis *axis, int32_t columns, uint8_t *out, size_t stride)
{
    const size_t channels = (size_t)view->channels;
    int32_t row = first;
    /* Reading on behind the last pixel needs 5 bytes, so two more rows. */
    const int32_t room = channels == 3 ? view->height - 2 : 0;
    for (; row + 4 <= first + rows && row + 4 <= room; row += 4, out += 4 * stride) {
        const uint8_t *const in = view->pixels + (size_t)row * view->stride;
        for (int32_t i = 0; i < columns; i++) {
            graft_resize_rgb4(in + (size_t)axis->from[i] * 3, view->stride,
                              axis->weight + (size_t)i * axis->most, axis->taps[i], out + 3 * (size_t)i,
                              stride);
        }
    }
    for (; row < first + rows; row++, out += stride) {
        const uint8_t *const in = view->pixels + (size_t)row * view->stride;
        for (size_t i = 0; i < (size_t)columns * channels; i++) {
            const size_t x = i / channels;
            out[i] = graft_resize_sum(in + (size_t)axis->from[x] * channels + i % channels, channels,
                                      axis->weight + x * axis->most, axis->taps[x]);
        }
    }
}

/* `in` is row 0 of the axis; `width` counts bytes. */
static void vertical_pass(const uint8_t *in, size_t in_stride, const struct axis *axis, int32_t rows,
                          size_t width, uint8_t *out, size_t out_stride)
{
    for (int32_t y = 0; y < rows; y++, out += out_stride) {
        const int32_t *const weight = axis->weight + (size_t)y * axis->most;
        const uint8_t *const top = in + (size_t)axis->from[y] * in_stride;
        size_t x = 0;
        for (; x + 16 <= width; x += 16) {
            graft_resize_down16(top + x, in_stride, weight, axis->taps[y], out + x);
        }
        for (; x < width; x++) {
            out[x] = graft_resize_sum(top + x, in_stride, weight, axis->taps[y]);
        }
    }
}

/* Takes the pixel under each output's centre; positions are accumulated, as Pillow does. */
static bool resize_nearest(struct graft_scratch *scratch, const struct graft_view *view,
                           const struct graft_window *window, uint8_t *result, size_t stride)
{
    const size_t channels = (size_t)view->channels;
    if (!graft_buffer_reserve(scratch->context, &scratch->weights,
                              (size_t)window->columns * sizeof(int32_t))) {
        return false;
    }
    int32_t *const column = (int32_t *)(void *)scratch->weights.data;
    const double step_x = (double)view->width / window->width;
    const double step_y = (double)view->height / window->height;
    double at = step_x * 0.5;
    for (int32_t x = 0; x < window->x + window->columns; x++, at += step_x) {
        if (x >= window->x) {
            const int32_t pixel = (int32_t)at;
            column[x - window->x] = pixel < view->width ? pixel : view->width - 1;
        }
    }
    at = step_y * 0.5;
    for (int32_t y = 0; y < window->y + window->rows; y++, at += step_y) {
        if (y < window->y) {
            continue;
        }
        const int32_t row = (int32_t)at < view->height ? (int32_t)at : view->height - 1;
        const uint8_t *const in = view->pixels + (size_t)row * view->stride;
        uint8_t *const out = result + (size_t)(y - window->y) * stride;
        for (int32_t x = 0; x < window->columns; x++) {
            memcpy(out + (size_t)x * channels, in + (size_t)column[x] * channels, channels);
        }
    }
    return true;
}

/* Lays the tables of both axes out in one buffer. */
static bool reserve_axes(struct graft_scratch *scratch, struct axis *axes, const size_t *counts)
{
    size_t numbers = 0;
    for (int i = 0; i < 2; i++) {
        numbers += counts[i] * (axes[i].most + 2);
    }
    if (!graft_buffer_reserve(scratch->context, &scratch->weights, numbers * sizeof(int32_t))) {
        return false;
    }
    int32_t *next = (int32_t *)(void *)scratch->weights.data;
    for (int i = 0; i < 2; i++) {
        axes[i].from = next;
        axes[i].taps = next + counts[i];
        axes[i].weight = next + 2 * counts[i];
        next += counts[i] * (axes[i].most + 2);
    }
    return true;
}

/* Source positions that `count` outputs of an axis need: the first, and how many. */
static void axis_extent(const struct axis *axis, int32_t count, int32_t *first, int32_t *extent)
{
    *first = axis->from[0];
    *extent = axis->from[count - 1] + axis->taps[count - 1] - *first;
}

static void shift_axis(struct axis *axis, int32_t count, int32_t by)
{
    for (int32_t i = 0; i < count; i++) {
        axis->from[i] -= by;
    }
}

static bool resize_across_down(struct graft_scratch *scratch, const struct graft_view *view,
                               struct axis *axes, const struct graft_window *window, uint8_t *result,
                               size_t stride)
{
    const size_t middle_stride = (size_t)window->columns * (size_t)view->channels;
    int32_t first = 0, rows = 0;
    axis_extent(&axes[1], window->rows, &first, &rows);
    if (!graft_buffer_reserve(scratch->context, &scratch->rows, (size_t)rows * middle_stride)) {
        return false;
    }
    horizontal_pass(view, first, rows, &axes[0], window->columns, scratch->rows.data, middle_stride);
    shift_axis(&axes[1], window->rows, first);
    vertical_pass(scratch->rows.data, middle_stride, &axes[1], window->rows, middle_stride, result, stride);
    return true;
}

static bool resize_down_across(struct graft_scratch *scratch, const struct graft_view *view,
                               struct axis *axes, const struct graft_window *window, uint8_t *result,
                               size_t stride)
{
    int32_t first = 0, columns = 0;
    axis_extent(&axes[0], window->columns, &first, &columns);
    const size_t middle_stride = (size_t)columns * (size_t)view->channels;
    if (!graft_buffer_reserve(scratch->context, &scratch->rows, (size_t)window->rows * middle_stride)) {
        return false;
    }
    vertical_pass(view->pixels + (size_t)first * (size_t)view->channels, view->stride, &axes[1], window->rows,
                  middle_stride, scratch->rows.data, middle_stride);
    shift_axis(&axes[0], window->columns, first);
    const struct graft_view middle = {.pixels = scratch->rows.data,
                                      .width = columns,
                                      .height = window->rows,
                                      .channels = view->channels,
                                      .stride = middle_stride};
    horizontal_pass(&middle, 0, window->rows, &axes[0], window->columns, result, stride);
    return true;
}

bool graft_resize_view(struct graft_scratch *scratch, const struct graft_view *view, enum graft_filter filter,
                       const struct graft_window *window, uint8_t *result, size_t stride)
{
    if (filter == GRAFT_FILTER_NEAREST) {
        return resize_nearest(scratch, view, window, result, stride);
    }
    const size_t channels = (size_t)view->channels;
    const bool across = view->width != window->width;
    const bool down = view->height != window->height;
    struct axis axes[2] = {{.most = axis_most(view->width, window->width, filter)},
                           {.most = axis_most(view->height, window->height, filter)}};
    const size_t counts[2] = {(size_t)window->columns, (size_t)window->rows};
    if (!reserve_axes(scratch, axes, counts)) {
        return false;
    }
    fill_axis(&axes[0], view->width, window->width, window->x, window->columns, filter);
    fill_axis(&axes[1], view->height, window->height, window->y, window->rows, filter);
    if (across && down) {
        const int64_t lost = (int64_t)view->height - window->height;
        const bool down_first = lost > 0 && lost > 2 * ((int64_t)view->width - window->width);
        return (down_first ? resize_down_across : resize_across_down)(scratch, view, axes, window, result,
                                                                      stride);
    }
    if (across) {
        horizontal_pass(view, window->y, window->rows, &axes[0], window->columns, result, stride);
    } else if (down) {
        vertical_pass(view->pixels + (size_t)window->x * channels, view->stride, &axes[1], window->rows,
                      (size_t)window->columns * channels, result, stride);
    } else {
        for (int32_t y = 0; y < window->rows; y++) {
            memcpy(result + (size_t)y * stride,
                   view->pixels + (size_t)(window->y + y) * view->stride + (size_t)window->x * channels,
                   (size_t)window->columns * channels);
        }
    }
    return true;
}
