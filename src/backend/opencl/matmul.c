/* SPDX-License-Identifier: MIT */
/* matmul: a, b, bias?, residual? → y. */
#include "backend/opencl/gemm.h"

#include "base/size.h"

enum { A, B, BIAS, RESIDUAL };

struct product {
    int64_t batches, m, n, k;
    bool transpose_a, transpose_b;
    bool shared; /* b has no batches */
    bool small;  /* sizes fit in int */
};

static struct product product_of(const struct graft_call *call)
{
    const struct graft_matmul_attributes *attributes = &call->attributes.matmul;
    const struct graft_shape *a = &call->in[A].shape, *b = &call->in[B].shape, *y = &call->out[0].shape;
    struct product p = {.batches = 1, .m = y->dim[y->rank - 2], .n = y->dim[y->rank - 1],
                        .k = a->dim[a->rank - (attributes->transpose_a ? 2 : 1)],
                        .transpose_a = attributes->transpose_a, .transpose_b = attributes->transpose_b,
                        .shared = b->rank == 2};
    for (int i = 0; i < y->rank - 2; i++)
        p.batches *= y->dim[i];
    /* Batches that share b are rows of one matrix. */
    if (p.shared && !p.transpose_a) {
        p.m *= p.batches;
        p.batches = 1;
    }
    const int64_t limit = 1 << 30;
    p.small = p.m <= limit && p.n <= limit && p.k <= limit && p.batches <= limit;
    return p;
}

static struct graft_gemm_operands operands_of(const struct graft_opencl_kernel *kernel, const struct product *p,
                                              const struct graft_tensor *in, const struct graft_tensor *out)
{
    return (struct graft_gemm_operands){
        .a = in[A], .b = in[B], .bias = in[BIAS], .residual = in[RESIDUAL], .y = out[0], .groups = 1,
        .batches = (int)p->batches, .a_batch = (int32_t)(p->m * p->k), .y_batch = (int32_t)(p->m * p->n),
        .b_batch = p->shared ? 0 : (uint64_t)(p->k * p->n), .accumulate = (kernel->call.accumulate & 1u) != 0,
        .activation = kernel->call.attributes.matmul.activation};
}

/* ---- tile: register tiles of the CPU family; b in panels, or for aᵀ·b an a of few rows with zeros behind ---- */

enum { TILE_PACK, TILE_PRODUCT };

static struct graft_gemm_pack tile_pack(const struct product *p)
{
    return (struct graft_gemm_pack){.batch_step = p->shared ? 0 : (int32_t)(p->k * p->n),
                                    .inner_step = p->transpose_b ? 1 : (int32_t)p->n,
                                    .column_step = p->transpose_b ? (int32_t)p->k : 1, .outer_size = 1,
                                    .inner_size = (int32_t)p->k, .columns = (int32_t)p->n, .groups = 1,
                                    .batches = p->shared ? 1 : (int32_t)p->batches};
}

/* Of aᵀ·b with fewer rows than a tile: those are copied, with zeros behind. */
static bool tile_widens(const struct graft_opencl_device *device, const struct product *p)
{
    return p->transpose_a && p->m < graft_gemm_tile(device).rows;
}

static const char *tile_check(const struct graft_opencl_device *device, const struct graft_call *call,
                              struct graft_variant_info *info)
{
    const struct product p = product_of(call);
    if (!p.small)
        return "more than 2^30 rows, columns, terms or batches";
    if (p.transpose_a) {
        const int64_t rows = graft_gemm_tile(device).rows;
        if (tile_widens(device, &p) && p.batches * p.k > INT32_MAX / rows)
            return "a with zeros behind its columns has more than 2^31 elements";
        info->workspace_bytes = tile_widens(device, &p) ? (uint64_t)(p.batches * p.k * rows) * sizeof(float) : 0;
        return NULL;
    }
    const struct graft_gemm_pack pack = tile_pack(&p);
    const uint64_t bytes = graft_gemm_packed_floats(device, &pack) * sizeof(float);
    if ((call->constant >> B & 1u) != 0)
        info->prepared_bytes = bytes;
    else
        info->workspace_bytes = bytes;
    return NULL;
}

static enum graft_status tile_open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    const bool outer = kernel->call.attributes.matmul.transpose_a;
    const enum graft_status status = graft_gemm_add(device, kernel, outer ? "gemm_widen" : "gemm_pack");
    return status != GRAFT_OK ? status : graft_gemm_add(device, kernel, outer ? "gemm_outer" : "gemm_gather");
}

static enum graft_status tile_prepare(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                      const struct graft_tensor *in)
{
    if (kernel->info.prepared_bytes == 0)
        return GRAFT_OK;
    const struct product p = product_of(&kernel->call);
    const struct graft_gemm_pack pack = tile_pack(&p);
    return graft_gemm_run_pack(device, kernel, TILE_PACK, &pack, in[B], kernel->prepared);
}

/* aᵀ·b: terms are the pixels of one line after the other. */
static enum graft_status run_transposed(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                        const struct product *p, struct graft_gemm_operands operands,
                                        struct graft_tensor workspace)
{
    struct graft_gemm_outer outer = {.rows = (int32_t)p->m, .columns = (int32_t)p->n, .a_pixel = (int32_t)p->m,
                                     .leading = (int32_t)p->n, .chunks = 1};
    graft_gemm_outer_dense(&outer, p->k);
    outer.pixel = p->transpose_b ? 1 : (int32_t)p->n;
    outer.column = p->transpose_b ? (int32_t)p->k : 1;
    outer.chunk = outer.lines;
    if (tile_widens(device, p)) {
        const int32_t rows = graft_gemm_tile(device).rows;
        const enum graft_status status = graft_gemm_run_widen(device, kernel, TILE_PACK, p->batches * p->k,
                                                              (int32_t)p->m, rows, operands.a, workspace);
        if (status != GRAFT_OK)
            return status;
        operands.a = workspace;
        operands.a_batch = (int32_t)(rows * p->k);
        outer.a_pixel = rows;
    }
    return graft_gemm_run_outer(device, kernel, TILE_PRODUCT, &outer, &operands, 0);
}

static enum graft_status tile_run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                  const struct graft_tensor *in, const struct graft_tensor *out,
                                  struct graft_tensor workspace)
{
    const struct product p = product_of(&kernel->call);
    struct graft_gemm_operands operands = operands_of(kernel, &p, in, out);
    if (graft_shape_count(&kernel->call.out[0].shape) == 0)
        return GRAFT_OK;
    if (p.transpose_a)
        return run_transposed(device, kernel, &p, operands, workspace);
    const struct graft_gemm_pack pack = tile_pack(&p);
    const bool prepared = kernel->info.prepared_bytes > 0;
    operands.b = prepared ? kernel->prepared : workspace;
    operands.b_batch = p.shared ? 0 : graft_gemm_panel_floats(device, &pack);
    if (!prepared && kernel->info.workspace_bytes > 0) {
        const enum graft_status status = graft_gemm_run_pack(device, kernel, TILE_PACK, &pack, in[B], workspace);
        if (status != GRAFT_OK)
            return status;
    }
    struct graft_gemm_gather gather;
    graft_gemm_gather_dense(&gather, p.m, p.k, p.n);
    return graft_gemm_run_gather(device, kernel, TILE_PRODUCT, &gather, &operands);
}

static const struct graft_opencl_variant variants[] = {
    {.name = "tile", .family = GRAFT_OPENCL_CPU, .check = tile_check, .open = tile_open, .prepare = tile_prepare,
     .run = tile_run},
    {.name = NULL},
};

const struct graft_opencl_row graft_opencl_matmul = {.variants = variants};
