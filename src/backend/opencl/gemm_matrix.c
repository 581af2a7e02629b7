/* SPDX-License-Identifier: MIT */
/*
 * The matrix products of cl/gemm_matrix.cl: whether the device has a unit for them, which blocks, and the
 * programs. They are launched as those of cl/gemm_local.cl.
 */
#include "backend/opencl/gemm.h"
#include "backend/opencl/internal.h"
#include "backend/opencl/thresholds.h"

#include "base/context.h"
#include "base/size.h"

#include <math.h>
#include <string.h>

#define LANES 32 /* of cl/matrix.h, and elements of its product */
#define PRODUCT (16 * 8)
#define WARP_COLUMNS 32 /* of cl/matrix_tile.h */
#define DEPTH 16
#define EXCHANGE (6 * LANES) /* floats of a warp, where it is emulated */
#define STAGES 2             /* tiles in local memory; by asynchronous copies: */
#define ASYNC_STAGES 4
#define ASYNC_WIDE_STAGES 3 /* of blocks of 128 × 128: 48 KiB, which is all that many devices have */
#define COPIED 48           /* floats of cl/copies_probe.cl that are right */
#define COPY_LANES 16       /* of its work-group, which writes as many floats */

/* The emulation's costs are those of the whole block, however little of it is there: small ones for small
 * cases, and the large ones as they are. */
#define EMULATED_SIDE 32
#define EMULATED_WASTE 4
#define LEAST_LOCAL_BYTES 32768
#define EMULATED_MOST 1200000 /* multiply-adds of a call, on processors: some hundredths of a second */

struct graft_local_tile graft_matrix_tile(const struct graft_opencl_device *device, bool wide,
                                          int64_t columns)
{
    struct graft_local_tile tile = graft_local_tile(wide, columns);
    if (!wide && !device->matrix_unit)
        tile.rows = tile.columns = EMULATED_SIDE;
    /* Sums of 64 rows keep all of a work-item's registers busy: as few warps then, each reads less. */
    tile.warp_rows = tile.rows == GRAFT_LOCAL_WIDE && tile.columns == GRAFT_LOCAL_WIDE ? 64 : 32;
    tile.items = tile.rows / tile.warp_rows * (tile.columns / WARP_COLUMNS) * LANES;
    return tile;
}

static int stages_of(const struct graft_local_tile *tile, bool async)
{
    const bool largest = tile->rows == GRAFT_LOCAL_WIDE && tile->columns == GRAFT_LOCAL_WIDE;
    return !async ? STAGES : largest ? ASYNC_WIDE_STAGES : ASYNC_STAGES;
}

static uint64_t local_bytes(const struct graft_opencl_device *device, const struct graft_local_tile *tile,
                            bool async)
{
    const int floats = stages_of(tile, async) * (tile->rows + tile->columns) * DEPTH;
    /* Until a GPU was asked it is taken for one that has a unit: graft_matrix_prove looks again. */
    const bool emulated =
        !device->matrix_unit && (device->matrix_asked || device->base.info.kind == GRAFT_DEVICE_CPU);
    const int exchange = emulated ? tile->items / LANES * EXCHANGE : 0;
    return (uint64_t)(floats + exchange) * sizeof(float);
}

/* Processors have no unit: the variants are there for tests. */
static const char *emulation_refuses(const struct graft_opencl_device *device,
                                     const struct graft_product_sizes *p, const struct graft_local_tile *tile)
{
    const double work = (double)p->batches * (double)(graft_ceil_div(p->m, tile->rows) * tile->rows) *
                        (double)(graft_ceil_div(p->n, tile->columns) * tile->columns) * (double)p->k;
    if (device->base.info.kind != GRAFT_DEVICE_CPU || device->matrix_unit)
        return NULL;
    /* rusticl 22.3 on llvmpipe: right for the probe's product, wrong in the kernel, with every barrier and
     * without the aliases of local memory, too; PoCL, Intel's and Oclgrind's compilers are right. */
    if (device->traits.short_loops)
        return "the device has no matrix unit, and a compiler that ends loops early makes its emulation "
               "wrong";
    if (tile->rows == GRAFT_LOCAL_WIDE && p->m <= GRAFT_LOCAL_NARROW && p->n <= GRAFT_LOCAL_NARROW)
        return "the device has no matrix unit, and its emulation leaves small products to small blocks";
    /* A simulator takes minutes for what is mostly padding; it has as little local memory as OpenCL asks for.
     */
    const bool simulator = device->traits.local_bytes <= LEAST_LOCAL_BYTES;
    if ((tile->rows == EMULATED_SIDE || simulator) &&
        work > EMULATED_WASTE * (double)p->batches * (double)p->m * (double)p->n * (double)p->k)
        return "the device has no matrix unit, and its emulation leaves blocks that are mostly empty to "
               "others";
    return work > EMULATED_MOST ? "the device has no matrix unit, and its emulation is for small products"
                                : NULL;
}

const char *graft_matrix_check(const struct graft_opencl_device *device, const struct graft_call *call,
                               const struct graft_product_sizes *p, bool wide,
                               struct graft_variant_info *info)
{
    const struct graft_local_tile tile = graft_matrix_tile(device, wide, p->n);
    const struct graft_opencl_traits *const traits = &device->traits;
    /* No unit has run them yet: those for f32 are chosen by `bench --tune` or by name. */
    info->spare = !info->tf32 || (wide && !graft_local_suits_wide(device, p->m, p->n, p->batches));
    if (p->k < GRAFT_MATRIX_LEAST_TERMS)
        return "a matrix unit errs too much in sums of less than 16 terms";
    if (traits->max_group < (size_t)tile.items || traits->max_items[0] < (size_t)tile.items)
        return "the device has no work-groups as large as its matrix products' take";
    if (traits->local_bytes < local_bytes(device, &tile, false))
        return "the device has less local memory than its matrix products take";
    /* Each would take a program of its own to compile. */
    if (device->base.info.kind == GRAFT_DEVICE_CPU && !device->matrix_unit &&
        graft_op_activation(call) > GRAFT_UNARY_RELU6)
        return "the device has no matrix unit, and its emulation knows relu and relu6";
    return emulation_refuses(device, p, &tile);
}

const char *graft_matrix_async_check(const struct graft_opencl_device *device, bool wide,
                                     const struct graft_variant_info *info)
{
    const struct graft_local_tile tile =
        graft_matrix_tile(device, wide, GRAFT_LOCAL_WIDE); /* the most columns */
    if (device->traits.local_bytes < local_bytes(device, &tile, true))
        return "the device has less local memory than asynchronous copies for its matrix products take";
    /* Copies know nothing of what is made of the factors, and each program would take long to compile. */
    if (device->base.info.kind == GRAFT_DEVICE_CPU && !device->matrix_unit && (info->tf32 || wide))
        return "the device has no matrix unit, and its emulation has copies for f32 and small blocks";
    return NULL;
}

/* A program that answers with a number, and whether it is the right one. */
struct probe {
    const char *source, *kernel, *options;
    size_t items;
    int wanted;
};

static enum graft_status run_probe(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                   const struct probe *probe, bool *there)
{
    const struct graft_tensor y = {(struct graft_buffer *)(void *)device->none, 0}; /* 64 bytes of nobody */
    const struct graft_opencl_range range = {
        .dimensions = 1, .global = {probe->items}, .local = {probe->items}};
    struct graft_opencl_args args = {0};
    float right = 0;
    graft_opencl_arg_tensor(device, &args, y, sizeof(float));
    enum graft_status status = graft_opencl_launch(device, kernel, 0, &args, &range);
    if (status == GRAFT_OK)
        status = device->base.backend->buffer_read(&device->base, &right, y, sizeof(right));
    *there = right == (float)probe->wanted;
    return status;
}

static enum graft_status ask(struct graft_opencl_device *device, const struct probe *probe, bool *there)
{
    const struct graft_opencl_variant variant = {.name = "matrix", .family = device->traits.family};
    struct graft_opencl_kernel kernel = {.variant = &variant};
    struct graft_kept_error before;
    graft_keep_error(device->base.context, &before);
    *there = false;
    enum graft_status status =
        graft_opencl_add(device, &kernel, probe->source, probe->kernel, "%s", probe->options);
    if (status == GRAFT_OK)
        status = run_probe(device, &kernel, probe, there);
    for (int i = 0; i < kernel.steps; i++)
        if (kernel.step[i] != NULL)
            clReleaseKernel(kernel.step[i]);
    if (status != GRAFT_ERROR_DEVICE && status != GRAFT_ERROR_UNSUPPORTED)
        return status;
    graft_restore_error(device->base.context, &before); /* it has none: that was the question */
    *there = false;
    return GRAFT_OK;
}

enum graft_status graft_matrix_probe(struct graft_opencl_device *device, bool emulated, bool *there)
{
    const struct probe probe = {"matrix_probe.cl", "matrix_probe", emulated ? "-DMATRIX=0" : "-DMATRIX=1",
                                LANES, PRODUCT};
    return ask(device, &probe, there);
}

enum graft_status graft_copies_probe(struct graft_opencl_device *device, bool emulated, bool *there)
{
    const struct probe probe = {"copies_probe.cl", "copies_probe",
                                emulated ? "-DMATRIX=0 -DCOPIES=0" : "-DMATRIX=1 -DCOPIES=1", COPY_LANES,
                                COPIED};
    return ask(device, &probe, there);
}

/* Processors are not asked: what they have of that kind is not for work-items of this family. */
enum graft_status graft_matrix_prove(struct graft_opencl_device *device,
                                     const struct graft_opencl_variant *variant,
                                     struct graft_variant_info *info)
{
    enum graft_status status = GRAFT_OK;
    if (!device->matrix_asked && device->base.info.kind != GRAFT_DEVICE_CPU)
        status = graft_matrix_probe(device, false, &device->matrix_unit);
    device->matrix_asked = status == GRAFT_OK;
    if (status == GRAFT_OK && variant->async && !device->copies_asked) {
        if (device->matrix_unit)
            status = graft_copies_probe(device, false, &device->copies);
        device->copies_asked = status == GRAFT_OK;
    }
    info->emulated = !device->matrix_unit || (variant->async && !device->copies);
    if (variant->async)
        info->reason = graft_matrix_async_check(device, variant->wide, info);
    if (device->matrix_unit)
        info->saving = HUGE_VAL;
    return status;
}

enum graft_status graft_matrix_add(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                   const char *name, struct graft_local_tile tile, bool along)
{
    const bool outer = strcmp(name, "matrix_outer") == 0, async = kernel->variant->async;
    kernel->local_tile = tile;
    return graft_opencl_add(device, kernel, "gemm_matrix.cl", name,
                            "-DMATRIX=%d -DPRODUCTS=%d -DTILE_ROWS=%d -DTILE_COLUMNS=%d -DWARP_ROWS=%d "
                            "-DSTAGES=%d -DOUTER=%d%s%s",
                            device->matrix_unit, kernel->variant->tf32 ? 1 : 3, tile.rows, tile.columns,
                            tile.warp_rows, stages_of(&tile, async), outer,
                            outer   ? ""
                            : along ? " -DALONG=1"
                                    : " -DALONG=0",
                            !async           ? ""
                            : device->copies ? " -DCOPIES=1"
                                             : " -DCOPIES=0");
}
