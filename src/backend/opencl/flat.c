/* SPDX-License-Identifier: MIT */
#include "backend/opencl/flat.h"
#include "backend/opencl/thresholds.h"

#include "backend/merge.h"
#include "base/size.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MOST_LANES 256

int graft_opencl_lanes(const struct graft_opencl_device *device)
{
    const struct graft_opencl_traits *traits = &device->traits;
    int lanes = MOST_LANES;
    while (lanes > 1 && ((size_t)lanes > traits->max_group || (size_t)lanes > traits->max_items[0]))
        lanes /= 2;
    return lanes;
}

struct graft_opencl_flat graft_opencl_flat_sizes(const struct graft_opencl_device *device,
                                                 enum graft_opencl_family family)
{
    if (family == GRAFT_OPENCL_CPU)
        return (struct graft_opencl_flat){
            16, GRAFT_FLAT_ITEM_ELEMENTS / 16, .few = 4, .kept = 16, .summed = 8, .group = 1};
    return (struct graft_opencl_flat){1,         1,           .few = 1,
                                      .kept = 1, .summed = 1, .group = graft_opencl_lanes(device)};
}

const char *graft_opencl_check_views(const struct graft_opencl_device *device, const struct graft_call *call,
                                     struct graft_variant_info *info)
{
    (void)device;
    (void)call;
    info->pitched_inputs = info->pitched_outputs = 1u;
    return NULL;
}

/* For processors all simple kernels are one program, as their compilers take most of their time to begin; for
 * GPUs each file is one: what a network needs of them is compiled, several at once. */
static const char *program_of(const struct graft_opencl_device *device, const char *name)
{
    const struct graft_opencl_simple_kernel *kernel = graft_opencl_simple_kernels;
    while (kernel->name != NULL && strcmp(kernel->name, name) != 0)
        kernel++;
    return device->base.info.kind == GRAFT_DEVICE_CPU || kernel->name == NULL ? "simple.cl" : kernel->source;
}

enum graft_status graft_opencl_simple_add(struct graft_opencl_device *device,
                                          struct graft_opencl_kernel *kernel, const char *name)
{
    const enum graft_opencl_family family = kernel->variant->family;
    const struct graft_opencl_flat flat = graft_opencl_flat_sizes(device, family);
    return graft_opencl_add(device, kernel, program_of(device, name), name, "-DVEC=%d -DSPAN=%d -DLANES=%d%s",
                            flat.vector, flat.span, family == GRAFT_OPENCL_CPU ? 1 : flat.group,
                            device->traits.exact_divide ? " -cl-fp32-correctly-rounded-divide-sqrt" : "");
}

enum graft_status graft_opencl_flat_add(struct graft_opencl_device *device,
                                        struct graft_opencl_kernel *kernel, const char *source,
                                        const char *name, const char *options_format, ...)
{
    const struct graft_opencl_flat flat = graft_opencl_flat_sizes(device, kernel->variant->family);
    char options[64];
    va_list arguments;
    va_start(arguments, options_format);
    graft_format_list(options, sizeof(options), options_format, arguments);
    va_end(arguments);
    return graft_opencl_add(device, kernel, source, name, "-DVEC=%d -DSPAN=%d%s%s", flat.vector, flat.span,
                            options,
                            device->traits.exact_divide ? " -cl-fp32-correctly-rounded-divide-sqrt" : "");
}

void graft_opencl_arg_unary(struct graft_opencl_args *args, const struct graft_unary_attributes *unary)
{
    const bool clips = unary->kind == GRAFT_UNARY_CLIP;
    graft_opencl_arg_int(args, (int)unary->kind);
    graft_opencl_arg_float(args, (double)(clips ? unary->low : unary->alpha));
    graft_opencl_arg_float(args, (double)unary->high);
}

struct graft_opencl_range graft_opencl_flat_range(const struct graft_opencl_flat *flat, int64_t count)
{
    return (struct graft_opencl_range){
        .dimensions = 1,
        .global = {(size_t)graft_ceil_div(count, (int64_t)flat->vector * flat->span)},
        .local = {(size_t)flat->group},
    };
}

struct graft_opencl_grid graft_opencl_grid_make(const struct graft_opencl_flat *flat, int64_t rows,
                                                int64_t inner, int64_t least_rows)
{
    struct graft_opencl_grid grid = {.rows = rows, .inner = inner};
    const int64_t width = (int64_t)flat->vector * flat->span;
    grid.blocks = graft_max_i64(graft_ceil_div(inner, width), 1);
    /* Narrow kernels: one element a work-item, or the few rows that the kernel asks for. */
    const int64_t elements = flat->vector == 1 ? 1 : GRAFT_FLAT_ITEM_ELEMENTS;
    const int64_t columns = graft_max_i64(graft_min_i64(width, inner), 1);
    grid.rows_each = graft_max_i64(graft_min_i64(graft_max_i64(elements / columns, least_rows), rows), 1);
    return grid;
}

struct graft_opencl_range graft_opencl_grid_range(const struct graft_opencl_flat *flat,
                                                  const struct graft_opencl_grid *grid)
{
    return (struct graft_opencl_range){
        .dimensions = 1,
        .global = {(size_t)(grid->inner > 0 ? grid->blocks * graft_ceil_div(grid->rows, grid->rows_each)
                                            : 0)},
        .local = {(size_t)flat->group},
    };
}

void graft_opencl_arg_grid(struct graft_opencl_args *args, const struct graft_opencl_grid *grid)
{
    graft_opencl_arg_int(args, grid->rows);
    graft_opencl_arg_int(args, grid->inner);
    graft_opencl_arg_int(args, grid->blocks);
    graft_opencl_arg_int(args, grid->rows_each);
}

const char *graft_opencl_check_none(const struct graft_opencl_device *device, const struct graft_call *call,
                                    struct graft_variant_info *info)
{
    (void)device;
    (void)call;
    (void)info;
    return NULL;
}

void graft_opencl_arg_pitches(struct graft_opencl_args *args, const int64_t *pitches, int count)
{
    int32_t values[4] = {0};
    for (int i = 0; i < count; i++)
        values[i] = (int32_t)pitches[i];
    graft_opencl_arg_ints(args, values, count == 2 ? 2 : 4);
}

int64_t graft_opencl_count_in(const struct graft_opencl_kernel *kernel, int i)
{
    return graft_shape_count(&kernel->call.in[i].shape);
}

int64_t graft_opencl_count_out(const struct graft_opencl_kernel *kernel, int i)
{
    return graft_shape_count(&kernel->call.out[i].shape);
}

int64_t graft_opencl_inner(const struct graft_shape *shape)
{
    return shape->rank > 0 ? shape->dim[shape->rank - 1] : 1;
}

int64_t graft_opencl_rows(const struct graft_shape *shape)
{
    int64_t rows = 1;
    for (int i = 0; i + 1 < shape->rank; i++)
        rows *= shape->dim[i];
    return rows;
}

int graft_opencl_accumulates(const struct graft_opencl_kernel *kernel, int i)
{
    return (int)(kernel->call.accumulate >> i & 1u);
}

void graft_opencl_broadcast_strides(const struct graft_shape *x, const struct graft_shape *y,
                                    int64_t strides[GRAFT_MAX_RANK])
{
    int64_t step = 1;
    memset(strides, 0, sizeof(strides[0]) * GRAFT_MAX_RANK);
    for (int i = x->rank - 1; i >= 0; i--) {
        const int at = i + y->rank - x->rank;
        strides[at] = x->dim[i] == 1 && y->dim[at] != 1 ? 0 : step;
        step *= x->dim[i];
    }
}

void graft_opencl_strided_make(struct graft_opencl_strided *strided, const struct graft_shape *y,
                               int operands, const int64_t strides[][GRAFT_MAX_RANK])
{
    struct graft_merged merged;
    graft_merge_dims(&merged, y->rank, y->dim, operands, strides);
    int count = merged.count;
    memset(strided, 0, sizeof(*strided));
    for (int i = 0; i < count; i++) {
        strided->dim[i] = (int32_t)merged.dim[i];
        for (int k = 0; k < operands; k++)
            strided->stride[k][i] = (int32_t)merged.step[k][i];
    }
    if (count == 0) {
        strided->dim[count++] = 1;
        for (int k = 0; k < operands; k++)
            strided->stride[k][0] = 1;
    }
    for (int k = 0; k < operands; k++) { /* kernels know runs and single elements only */
        if (strided->stride[k][count - 1] > 1 && strided->dim[count - 1] > 1) {
            for (int j = 0; j < operands; j++)
                strided->stride[j][count] = 0;
            strided->dim[count++] = 1;
            break;
        }
    }
    strided->outer = count - 1;
    strided->inner = strided->dim[count - 1];
    strided->rows = 1;
    for (int i = 0; i < strided->outer; i++)
        strided->rows *= strided->dim[i];
    for (int k = 0; k < operands; k++)
        strided->inner_stride[k] = strided->stride[k][count - 1];
    for (int i = strided->outer; i < 8; i++) { /* what lies behind the outer ones counts as dimensions of 1 */
        strided->dim[i] = 1;
        for (int k = 0; k < operands; k++)
            strided->stride[k][i] = 0;
    }
}

void graft_opencl_pair_make(const struct graft_opencl_device *device,
                            const struct graft_opencl_kernel *kernel, struct graft_opencl_pair *pair)
{
    const struct graft_shape *y = &kernel->call.out[0].shape;
    int64_t strides[2][GRAFT_MAX_RANK];
    for (int i = 0; i < 2; i++)
        graft_opencl_broadcast_strides(&kernel->call.in[i].shape, y, strides[i]);
    graft_opencl_strided_make(&pair->strided, y, 2, strides);
    pair->flat = graft_opencl_flat_sizes(device, kernel->variant->family);
    pair->grid = graft_opencl_grid_make(&pair->flat, pair->strided.rows, pair->strided.inner, 1);
}

void graft_opencl_arg_pair(struct graft_opencl_args *args, const struct graft_opencl_pair *pair)
{
    graft_opencl_arg_int(args, pair->strided.outer);
    graft_opencl_arg_ints(args, pair->strided.dim, 8);
    for (int i = 0; i < 2; i++)
        graft_opencl_arg_ints(args, pair->strided.stride[i], 8);
    for (int i = 0; i < 2; i++)
        graft_opencl_arg_int(args, pair->strided.inner_stride[i]);
    graft_opencl_arg_grid(args, &pair->grid);
}
