/* SPDX-License-Identifier: MIT */
/* How the pixels of a convolution's output see those of its input, and the other way round. */
#include "backend/opencl/conv.h"

#include "base/size.h"

void graft_conv_gather(const struct graft_conv *conv, struct graft_gather *gather)
{
    graft_gather_dense(gather, conv->to_pixels, conv->channels, conv->filters);
    gather->columns = conv->group_filters;
    gather->group = gather->run = conv->group_channels;
    gather->packed = conv->kernel_y * conv->kernel_x * conv->group_channels;
    gather->pixel = conv->x_pixel;
    gather->leading = conv->y_pixel;
    if (graft_conv_is_dense(conv))
        return;
    gather->taps_y = conv->kernel_y;
    gather->taps_x = conv->kernel_x;
    gather->grid_y = gather->to_height = conv->to_height;
    gather->grid_x = gather->to_width = conv->to_width;
    gather->step_y = conv->stride_y;
    gather->step_x = conv->stride_x;
    gather->base_y = -conv->top;
    gather->base_x = -conv->left;
    gather->tap_y = conv->dilation_y;
    gather->tap_x = conv->dilation_x;
    gather->height = conv->height;
    gather->width = conv->width;
    gather->tap_row = conv->kernel_x;
}

/* Along one axis: input positions phase, phase + stride, … and the taps that reach them. */
struct phase {
    int32_t count; /* positions */
    int32_t taps;  /* how many; they are first, first + step, … */
    int32_t first, step;
    int32_t base, tap; /* output position of position 0 and tap `first`; its change from tap to tap */
};

static int32_t common_divisor(int32_t a, int32_t b)
{
    while (b != 0) {
        const int32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static struct phase make_phase(int32_t phase, int32_t size, int32_t kernel, int32_t stride, int32_t dilation,
                               int32_t pad)
{
    struct phase p = {.count = (int32_t)graft_ceil_div(size - phase, stride)};
    p.step = stride / common_divisor(stride, dilation);
    const int32_t tries = kernel < p.step ? kernel : p.step;
    while (p.first < tries && (phase + pad - p.first * dilation) % stride != 0)
        p.first++;
    if (p.first == tries) {
        p.first = 0;
        return p;
    }
    p.taps = (kernel - p.first + p.step - 1) / p.step;
    p.base = (phase + pad - p.first * dilation) / stride;
    p.tap = -(p.step * dilation / stride);
    return p;
}

/* Phases along an axis: those that have a position. */
static int32_t axis_phases(int32_t size, int32_t stride)
{
    return stride < size ? stride : size;
}

int32_t graft_conv_phases(const struct graft_conv *conv)
{
    if (graft_conv_is_dense(conv))
        return 1;
    return axis_phases(conv->height, conv->stride_y) * axis_phases(conv->width, conv->stride_x);
}

bool graft_conv_phase(const struct graft_conv *conv, int32_t phase, struct graft_gather *gather)
{
    if (graft_conv_is_dense(conv)) {
        graft_gather_dense(gather, conv->to_pixels, conv->filters, conv->channels);
        gather->columns = conv->group_channels;
        gather->group = gather->run = gather->packed = conv->group_filters;
        gather->pixel = conv->y_pixel;
        gather->leading = conv->x_pixel;
        return true;
    }
    const int32_t phases_x = axis_phases(conv->width, conv->stride_x);
    const int32_t phase_y = phase / phases_x, phase_x = phase % phases_x;
    const struct phase y =
        make_phase(phase_y, conv->height, conv->kernel_y, conv->stride_y, conv->dilation_y, conv->top);
    const struct phase x =
        make_phase(phase_x, conv->width, conv->kernel_x, conv->stride_x, conv->dilation_x, conv->left);
    const bool reached = y.taps > 0 && x.taps > 0;
    *gather = (struct graft_gather){.row_end = conv->images * y.count * x.count,
                                    .columns = conv->group_channels,
                                    .run = conv->group_filters,
                                    .taps_y = reached ? y.taps : 0,
                                    .taps_x = reached ? x.taps : 0,
                                    .grid_y = y.count,
                                    .grid_x = x.count,
                                    .step_y = 1,
                                    .step_x = 1,
                                    .base_y = y.base,
                                    .base_x = x.base,
                                    .tap_y = y.tap,
                                    .tap_x = x.tap,
                                    .height = conv->to_height,
                                    .width = conv->to_width,
                                    .pixel = conv->y_pixel,
                                    .group = conv->group_filters,
                                    .first_tap = y.first * conv->kernel_x + x.first,
                                    .tap_row = y.step * conv->kernel_x,
                                    .tap_column = x.step,
                                    .to_height = conv->height,
                                    .to_width = conv->width,
                                    .to_step_y = conv->stride_y,
                                    .to_step_x = conv->stride_x,
                                    .to_base_y = phase_y,
                                    .to_base_x = phase_x,
                                    .leading = conv->x_pixel,
                                    .packed = conv->kernel_y * conv->kernel_x * conv->group_filters};
    return reached;
}
