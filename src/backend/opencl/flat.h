/* SPDX-License-Identifier: MIT */
/*
 * For kernels that go through memory once (cl/vector.h): how much a work-item takes, in both families.
 * A flat kernel sees `count` elements; a rows kernel sees [rows, inner] and takes a block of columns of some
 * rows.
 */
#ifndef GRAFT_SRC_BACKEND_OPENCL_FLAT_H
#define GRAFT_SRC_BACKEND_OPENCL_FLAT_H

#include "backend/opencl/opencl.h"

/*
 * Adds the kernel `name` of one of the files in cl/ that include simple.h, with the options of the variant's
 * family: they all are one program, because compilers take most of their time for the first line.
 */
GRAFT_MUST_CHECK enum graft_status graft_opencl_simple_add(struct graft_opencl_device *device,
                                                           struct graft_opencl_kernel *kernel,
                                                           const char *name);

/* Adds the kernel `name` of another file, which includes kernel.h, with VEC and SPAN and further options. */
GRAFT_MUST_CHECK enum graft_status graft_opencl_flat_add(struct graft_opencl_device *device,
                                                         struct graft_opencl_kernel *kernel,
                                                         const char *source, const char *name,
                                                         const char *options_format, ...) GRAFT_PRINTF(5, 6);

/* The check of a variant that takes every call, and whose x and y may be views. */
const char *graft_opencl_check_views(const struct graft_opencl_device *device, const struct graft_call *call,
                                     struct graft_variant_info *info);

/* The variants of an op whose kernel is written with VEC and SPAN: "wide" for CPUs, "narrow" for GPUs. */
#define GRAFT_OPENCL_FLAT_VARIANTS(op, check_, open_, run_)                                                  \
    static const struct graft_opencl_variant variants[] = {                                                  \
        {.name = "wide", .family = GRAFT_OPENCL_CPU, .check = check_, .open = open_, .run = run_},           \
        {.name = "narrow", .family = GRAFT_OPENCL_GPU, .check = check_, .open = open_, .run = run_},         \
        {.name = NULL},                                                                                      \
    };                                                                                                       \
    const struct graft_opencl_row graft_opencl_##op = {.variants = variants}

/* What simple kernels are built with (cl/simple.h), and the work-group size to launch them with. */
struct graft_opencl_flat {
    int vector; /* VEC */
    int span;   /* SPAN: vectors one after the other */
    int few;    /* FEW, KEPT and SUMMED: vectors side by side in kernels for pooling, normalization, sums */
    int kept;
    int summed;
    int group; /* work-items of a group */
};

struct graft_opencl_flat graft_opencl_flat_sizes(const struct graft_opencl_device *device,
                                                 enum graft_opencl_family family);

/* Three arguments of unary.cl and unary_grad.cl: int kind, float first, float second. */
void graft_opencl_arg_unary(struct graft_opencl_args *args, const struct graft_unary_attributes *unary);

/* The range of a flat kernel over `count` elements. */
struct graft_opencl_range graft_opencl_flat_range(const struct graft_opencl_flat *flat, int64_t count);

/* A rows kernel: `blocks` of VEC × SPAN columns, `rows_each` rows a work-item. */
struct graft_opencl_grid {
    int64_t rows;
    int64_t inner;
    int64_t blocks;
    int64_t rows_each;
};

/* Splits [rows, inner] so that a work-item has enough to do; `least_rows` > 1 where it pays to keep what
 * depends on the column. */
struct graft_opencl_grid graft_opencl_grid_make(const struct graft_opencl_flat *flat, int64_t rows,
                                                int64_t inner, int64_t least_rows);
struct graft_opencl_range graft_opencl_grid_range(const struct graft_opencl_flat *flat,
                                                  const struct graft_opencl_grid *grid);
/* Four arguments: int rows, inner, blocks, rows_each. */
void graft_opencl_arg_grid(struct graft_opencl_args *args, const struct graft_opencl_grid *grid);

/* Always true: for ops without conditions of their own. */
const char *graft_opencl_check_none(const struct graft_opencl_device *device, const struct graft_call *call,
                                    struct graft_variant_info *info);

/* An argument, int2 or int4: floats from row to row of tensors (graft_call_in_pitch), 2 to 4 of them. */
void graft_opencl_arg_pitches(struct graft_opencl_args *args, const int64_t *pitches, int count);

/* Elements of input or output i. */
int64_t graft_opencl_count_in(const struct graft_opencl_kernel *kernel, int i);
int64_t graft_opencl_count_out(const struct graft_opencl_kernel *kernel, int i);
/* Last dimension (1 for a scalar), and the product of the others. */
int64_t graft_opencl_inner(const struct graft_shape *shape);
int64_t graft_opencl_rows(const struct graft_shape *shape);
/* 1 if output i is to be added to. */
int graft_opencl_accumulates(const struct graft_opencl_kernel *kernel, int i);
/* The most work-items of a group that share a sum: LANES of the GPU family. A power of two. */
int graft_opencl_lanes(const struct graft_opencl_device *device);

/*
 * Tensors that are stretched, cut or moved: all seen through y's dimensions, from the outermost. Dimensions
 * of 1 are dropped and neighbours merged where every operand allows it; the last one is `inner` and `rows`
 * the others' product. Inner strides are 0 or 1: a last dimension with larger steps becomes an outer one.
 */
#define GRAFT_OPENCL_MAX_OPERANDS 2
struct graft_opencl_strided {
    int outer;                                    /* dimensions before the inner one: 0 to 6 */
    int32_t dim[8];                               /* their sizes; 1 beyond */
    int32_t stride[GRAFT_OPENCL_MAX_OPERANDS][8]; /* elements */
    int32_t inner;
    int32_t inner_stride[GRAFT_OPENCL_MAX_OPERANDS];
    int64_t rows;
};
void graft_opencl_strided_make(struct graft_opencl_strided *strided, const struct graft_shape *y,
                               int operands, const int64_t strides[][GRAFT_MAX_RANK]);
/* The same of a kernel's inputs 0 and 1, stretched to output 0; and its ten arguments: int outer, int8 dim
 * and two strides, int inner strides, and the grid. */
struct graft_opencl_pair {
    struct graft_opencl_strided strided;
    struct graft_opencl_flat flat;
    struct graft_opencl_grid grid;
};
void graft_opencl_pair_make(const struct graft_opencl_device *device,
                            const struct graft_opencl_kernel *kernel, struct graft_opencl_pair *pair);
void graft_opencl_arg_pair(struct graft_opencl_args *args, const struct graft_opencl_pair *pair);

/* Strides, in y's dimensions, of x stretched to y (NumPy's rules): 0 where x has 1 or nothing. */
void graft_opencl_broadcast_strides(const struct graft_shape *x, const struct graft_shape *y,
                                    int64_t strides[GRAFT_MAX_RANK]);

#endif
