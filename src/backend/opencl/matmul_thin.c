/* SPDX-License-Identifier: MIT */
#include "backend/opencl/matmul_thin.h"
#include "backend/opencl/thresholds.h"

#include "backend/opencl/flat.h"
#include "backend/opencl/gemm.h"

#include "base/size.h"

enum { A, B, BIAS, RESIDUAL };

#define SIDE_COLUMNS 4     /* SIDE */
#define MOST_VECTORS 64    /* WIDE */
#define LEAST_FLOATS 16384 /* of b, or of y, that a work-item goes through */
#define BLOCK_FLOATS 4096  /* of b that stay in the first-level cache */
#define ITEMS_A_UNIT 8     /* work-items that each compute unit should get at least */

enum kind { ROWS, SUM, OUTER };

static enum kind kind_of(const struct graft_call *call)
{
    const struct graft_matmul_attributes *matmul = &call->attributes.matmul;
    return matmul->transpose_a ? OUTER : matmul->transpose_b ? ROWS : SUM;
}

struct sizes {
    int64_t rows, columns, terms;
};

static struct sizes sizes_of(const struct graft_call *call)
{
    const struct graft_shape *a = &call->in[A].shape, *y = &call->out[0].shape;
    return (struct sizes){y->dim[0], y->dim[1], a->dim[call->attributes.matmul.transpose_a ? 0 : 1]};
}

const char *graft_thin_check(const struct graft_opencl_device *device, const struct graft_call *call,
                             struct graft_variant_info *info)
{
    (void)device;
    (void)info;
    const struct graft_matmul_attributes *matmul = &call->attributes.matmul;
    if (call->out[0].shape.rank != 2 || call->in[B].shape.rank != 2)
        return "it is for matrices without batches";
    const struct sizes s = sizes_of(call);
    const enum kind kind = kind_of(call);
    if (matmul->transpose_a && matmul->transpose_b)
        return "it does not take both factors transposed";
    if (kind == ROWS && s.rows > GRAFT_THIN_MOST_ROWS)
        return "it is for up to 16 rows";
    if (kind != ROWS && (kind == SUM ? s.rows : s.terms) > GRAFT_THIN_MOST_OTHERS)
        return "with b as it is it is for up to 8 rows, or terms of a transposed product";
    if (kind != ROWS &&
        (call->in[BIAS].dtype != GRAFT_DTYPE_NONE || call->in[RESIDUAL].dtype != GRAFT_DTYPE_NONE ||
         matmul->activation != GRAFT_UNARY_NONE))
        return "with b as it is it adds no bias or residual and has no activation";
    return NULL;
}

enum graft_status graft_thin_open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    static const char *const names[] = {"matmul_thin_rows", "matmul_thin_sum", "matmul_thin_outer"};
    return graft_opencl_simple_add(device, kernel, names[kind_of(&kernel->call)]);
}

enum graft_status graft_thin_run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                 const struct graft_tensor *in, const struct graft_tensor *out,
                                 struct graft_tensor workspace)
{
    (void)workspace;
    const struct graft_opencl_flat flat = graft_opencl_flat_sizes(device, kernel->variant->family);
    const struct sizes s = sizes_of(&kernel->call);
    const enum kind kind = kind_of(&kernel->call);
    if (s.rows == 0 || s.columns == 0)
        return GRAFT_OK;
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, in[A], sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[B], sizeof(float));
    if (kind == ROWS) {
        graft_opencl_arg_tensor(device, &args, in[BIAS], sizeof(float));
        graft_opencl_arg_tensor(device, &args, in[RESIDUAL], sizeof(float));
    }
    graft_opencl_arg_tensor(device, &args, out[0], sizeof(float));
    graft_opencl_arg_int(&args, s.rows);
    graft_opencl_arg_int(&args, s.columns);
    graft_opencl_arg_int(&args, s.terms);
    int64_t items;
    if (kind == ROWS) {
        const int64_t least = graft_ceil_div(LEAST_FLOATS, graft_max_i64(s.terms, 1));
        const int64_t each = graft_ceil_div(least, (int64_t)SIDE_COLUMNS) * SIDE_COLUMNS;
        const struct graft_products flags = {.bias = in[BIAS],
                                             .residual = in[RESIDUAL],
                                             .accumulate = graft_opencl_accumulates(kernel, 0) != 0,
                                             .activation = kernel->call.attributes.matmul.activation};
        graft_opencl_arg_int(&args, each);
        graft_opencl_arg_int(&args, graft_product_flags(&flags));
        items = graft_ceil_div(s.columns, each);
    } else {
        /* Whole pages of a row are the fastest to read and to write; but every unit is to have some. */
        const int64_t share = (int64_t)ITEMS_A_UNIT * graft_max_i64(device->traits.compute_units, 1);
        const int64_t fit = kind == SUM ? graft_ceil_div(s.columns, share * flat.vector)
                                        : BLOCK_FLOATS / flat.vector / graft_max_i64(s.terms, 1);
        const int64_t vectors = graft_max_i64(graft_min_i64(fit, MOST_VECTORS), 1);
        const int64_t blocks = graft_ceil_div(s.columns, vectors * flat.vector);
        graft_opencl_arg_int(&args, vectors);
        items = blocks;
        if (kind == OUTER) {
            const int64_t each = graft_ceil_div(LEAST_FLOATS, vectors * flat.vector);
            graft_opencl_arg_int(&args, each);
            items *= graft_ceil_div(s.rows, each);
        }
        graft_opencl_arg_int(&args, graft_opencl_accumulates(kernel, 0));
    }
    const struct graft_opencl_range range = {
        .dimensions = 1, .global = {(size_t)items}, .local = {(size_t)flat.group}};
    return graft_opencl_launch(device, kernel, 0, &args, &range);
}
