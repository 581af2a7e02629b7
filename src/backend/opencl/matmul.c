/* SPDX-License-Identifier: MIT */
/* matmul: a, b, bias?, residual? → y. */
#include "backend/opencl/clblast.h"
#include "backend/opencl/matmul_thin.h"
#include "backend/opencl/thresholds.h"

#include "base/size.h"

enum { A, B, BIAS, RESIDUAL };

static struct graft_product_sizes product_of(const struct graft_call *call)
{
    const struct graft_matmul_attributes *attributes = &call->attributes.matmul;
    const struct graft_shape *a = &call->in[A].shape, *b = &call->in[B].shape, *y = &call->out[0].shape;
    struct graft_product_sizes p = {.batches = 1,
                                    .m = y->dim[y->rank - 2],
                                    .n = y->dim[y->rank - 1],
                                    .k = a->dim[a->rank - (attributes->transpose_a ? 2 : 1)],
                                    .transpose_a = attributes->transpose_a,
                                    .transpose_b = attributes->transpose_b,
                                    .shared = b->rank == 2};
    for (int i = 0; i < y->rank - 2; i++)
        p.batches *= y->dim[i];
    /* Batches that share b are rows of one matrix. */
    if (p.shared && !p.transpose_a) {
        p.m *= p.batches;
        p.batches = 1;
    }
    return p;
}

/* NULL, or why indices of the kernels, which are int, could overflow. */
static const char *limits(const struct graft_product_sizes *p)
{
    const int64_t limit = 1 << 30;
    if (p->m > limit || p->n > limit || p->k > limit || p->batches > limit)
        return "more than 2^30 rows, columns, terms or batches";
    return NULL;
}

static struct graft_products products_of(const struct graft_opencl_kernel *kernel,
                                         const struct graft_product_sizes *p, const struct graft_tensor *in,
                                         const struct graft_tensor *out)
{
    return (struct graft_products){.a = in[A],
                                   .b = in[B],
                                   .bias = in[BIAS],
                                   .residual = in[RESIDUAL],
                                   .y = out[0],
                                   .groups = 1,
                                   .batches = (int)p->batches,
                                   .a_batch = (int32_t)(p->m * p->k),
                                   .y_batch = (int32_t)(p->m * p->n),
                                   .b_batch = p->shared ? 0 : (uint64_t)(p->k * p->n),
                                   .accumulate = (kernel->call.accumulate & 1u) != 0,
                                   .activation = kernel->call.attributes.matmul.activation};
}

/* ---- tile: register tiles of the CPU family; b in panels, or for aᵀ·b both as they are ---- */

enum { PACK, PRODUCT, SUM };

static struct graft_gemm_pack pack_of(const struct graft_product_sizes *p)
{
    return (struct graft_gemm_pack){.batch_step = p->shared ? 0 : (int32_t)(p->k * p->n),
                                    .inner_step = p->transpose_b ? 1 : (int32_t)p->n,
                                    .column_step = p->transpose_b ? (int32_t)p->k : 1,
                                    .outer_size = 1,
                                    .inner_size = (int32_t)p->k,
                                    .columns = (int32_t)p->n,
                                    .groups = 1,
                                    .batches = p->shared ? 1 : (int32_t)p->batches};
}

/* aᵀ·b: terms are the pixels of made-up lines. */
static struct graft_outer outer_of(const struct graft_product_sizes *p)
{
    struct graft_outer outer = {.rows = (int32_t)p->m,
                                .columns = (int32_t)p->n,
                                .a_pixel = (int32_t)p->m,
                                .leading = (int32_t)p->n,
                                .chunks = 1};
    graft_outer_dense(&outer, p->k);
    outer.pixel = p->transpose_b ? 1 : (int32_t)p->n;
    outer.column = p->transpose_b ? (int32_t)p->k : 1;
    outer.chunk = outer.lines;
    return outer;
}

/* A long sum of which nothing else is made is cut; of a shorter one the parts would cost more than they
 * bring. tiles: of the CPU family. */
static struct graft_chunks cut_sum(const struct graft_opencl_device *device, const struct graft_call *call,
                                   const struct graft_product_sizes *p, bool tiles, struct graft_outer *outer)
{
    const bool alone = call->in[BIAS].dtype == GRAFT_DTYPE_NONE &&
                       call->in[RESIDUAL].dtype == GRAFT_DTYPE_NONE &&
                       call->attributes.matmul.activation == GRAFT_UNARY_NONE;
    const bool cuts = alone && p->batches == 1 && (!tiles || p->k > GRAFT_WEIGHT_MOST_PIXELS);
    const int64_t chunks = !cuts   ? 1
                           : tiles ? graft_gemm_chunks(outer, 1, p->k)
                                   : graft_local_chunks(p->m, p->n, 1, p->k);
    return graft_outer_cut(device, outer, chunks, p->m * p->n);
}

static const char *tile_check(const struct graft_opencl_device *device, const struct graft_call *call,
                              struct graft_variant_info *info)
{
    const struct graft_product_sizes p = product_of(call);
    const char *const reason = limits(&p);
    if (reason != NULL)
        return reason;
    if (p.transpose_a) {
        struct graft_outer outer = outer_of(&p);
        info->workspace_bytes = cut_sum(device, call, &p, true, &outer).parts_bytes;
        return NULL;
    }
    const struct graft_gemm_pack pack = pack_of(&p);
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
    enum graft_status status = graft_gemm_add(device, kernel, "gemm_pack");
    if (status == GRAFT_OK)
        status = graft_gemm_add(device, kernel, outer ? "gemm_outer" : "gemm_gather");
    return status == GRAFT_OK && outer ? graft_gemm_add(device, kernel, "gemm_sum") : status;
}

static enum graft_status tile_prepare(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                      const struct graft_tensor *in)
{
    if (kernel->info.prepared_bytes == 0)
        return GRAFT_OK;
    const struct graft_product_sizes p = product_of(&kernel->call);
    const struct graft_gemm_pack pack = pack_of(&p);
    return graft_gemm_run_pack(device, kernel, PACK, &pack, in[B], kernel->prepared);
}

static enum graft_status tile_run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                  const struct graft_tensor *in, const struct graft_tensor *out,
                                  struct graft_tensor workspace)
{
    const struct graft_product_sizes p = product_of(&kernel->call);
    struct graft_products products = products_of(kernel, &p, in, out);
    if (graft_shape_count(&kernel->call.out[0].shape) == 0)
        return GRAFT_OK;
    if (p.transpose_a) {
        struct graft_outer outer = outer_of(&p);
        const struct graft_chunks chunks = cut_sum(device, &kernel->call, &p, true, &outer);
        return graft_outer_run(device, kernel, PRODUCT, &outer, &chunks, &products, workspace, p.m * p.n);
    }
    const struct graft_gemm_pack pack = pack_of(&p);
    const bool prepared = kernel->info.prepared_bytes > 0;
    products.b = prepared ? kernel->prepared : workspace;
    products.b_batch = p.shared ? 0 : graft_gemm_panel_floats(device, &pack);
    if (!prepared && kernel->info.workspace_bytes > 0) {
        const enum graft_status status = graft_gemm_run_pack(device, kernel, PACK, &pack, in[B], workspace);
        if (status != GRAFT_OK)
            return status;
    }
    struct graft_gather gather;
    graft_gather_dense(&gather, p.m, p.k, p.n);
    return graft_gemm_run_gather(device, kernel, PRODUCT, &gather, &products);
}

/* ---- local: blocks of the GPU family; a and b as they are ---- */

/* The products that a launch makes, each of fewer terms where a sum is cut; and what its parts take. */
static struct graft_product_sizes launched(const struct graft_opencl_device *device,
                                           const struct graft_call *call, struct graft_variant_info *info)
{
    struct graft_product_sizes p = product_of(call);
    if (p.transpose_a && limits(&p) == NULL) {
        struct graft_outer outer = outer_of(&p);
        const struct graft_chunks chunks = cut_sum(device, call, &p, false, &outer);
        info->workspace_bytes = chunks.parts_bytes;
        p.batches *= chunks.most;
        p.k = graft_ceil_div(p.k, (int64_t)chunks.all);
    }
    return p;
}

static const char *local_check(const struct graft_opencl_device *device, const struct graft_call *call,
                               struct graft_variant_info *info)
{
    const struct graft_product_sizes p = launched(device, call, info);
    const char *const reason = limits(&p);
    return reason != NULL ? reason : graft_local_reason(device);
}

static const char *local_wide_check(const struct graft_opencl_device *device, const struct graft_call *call,
                                    struct graft_variant_info *info)
{
    const struct graft_product_sizes p = launched(device, call, info);
    const char *const reason = limits(&p);
    return reason != NULL ? reason : graft_local_wide_check(device, p.m, p.n, p.batches, info);
}

static enum graft_status local_open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    const bool outer = kernel->call.attributes.matmul.transpose_a;
    const struct graft_local_tile tile = graft_local_tile(kernel->variant->wide, product_of(&kernel->call).n);
    const enum graft_status status =
        graft_local_add(device, kernel, outer ? "local_outer" : "local_gather", tile);
    return status == GRAFT_OK && outer ? graft_local_add_sum(device, kernel) : status;
}

static enum graft_status local_run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                   const struct graft_tensor *in, const struct graft_tensor *out,
                                   struct graft_tensor workspace)
{
    const struct graft_product_sizes p = product_of(&kernel->call);
    const struct graft_gemm_pack steps = pack_of(&p);
    const struct graft_products products = products_of(kernel, &p, in, out);
    if (graft_shape_count(&kernel->call.out[0].shape) == 0)
        return GRAFT_OK;
    if (p.transpose_a) {
        struct graft_outer outer = outer_of(&p);
        const struct graft_chunks chunks = cut_sum(device, &kernel->call, &p, false, &outer);
        return graft_outer_run(device, kernel, 0, &outer, &chunks, &products, workspace, p.m * p.n);
    }
    struct graft_gather gather;
    graft_gather_dense(&gather, p.m, p.k, p.n);
    return graft_local_run_gather(device, kernel, 0, &gather, &products, &steps);
}

/* ---- matrix: the same by a matrix unit ---- */

static const char *matrix_check_tile(const struct graft_opencl_device *device, const struct graft_call *call,
                                     bool wide, struct graft_variant_info *info)
{
    const struct graft_product_sizes p = launched(device, call, info);
    const char *const reason = limits(&p);
    return reason != NULL ? reason : graft_matrix_check(device, call, &p, wide, info);
}

GRAFT_MATRIX_CHECKS(matrix_check_tile)

static enum graft_status matrix_open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    const struct graft_product_sizes p = product_of(&kernel->call);
    const enum graft_status status =
        graft_matrix_add(device, kernel, p.transpose_a ? "matrix_outer" : "matrix_gather",
                         graft_matrix_tile(device, kernel->variant->wide, p.n), !p.transpose_b);
    return status == GRAFT_OK && p.transpose_a ? graft_local_add_sum(device, kernel) : status;
}

/* ---- clblast: the library's product, then bias, residual and activation ---- */

static const char *clblast_check(const struct graft_opencl_device *device, const struct graft_call *call,
                                 struct graft_variant_info *info)
{
    const struct graft_product_sizes p = product_of(call);
    const char *const reason = limits(&p);
    return reason != NULL ? reason : graft_clblast_check(device, call, &p, info);
}

static enum graft_status clblast_run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                     const struct graft_tensor *in, const struct graft_tensor *out,
                                     struct graft_tensor workspace)
{
    const struct graft_product_sizes p = product_of(&kernel->call);
    const struct graft_products operands = products_of(kernel, &p, in, out);
    return graft_clblast_run(device, kernel, &p, &operands, workspace);
}

static const struct graft_opencl_variant variants[] = {
    {.name = "thin",
     .family = GRAFT_OPENCL_CPU,
     .check = graft_thin_check,
     .open = graft_thin_open,
     .run = graft_thin_run},
    {.name = "tile",
     .family = GRAFT_OPENCL_CPU,
     .check = tile_check,
     .open = tile_open,
     .prepare = tile_prepare,
     .run = tile_run},
    GRAFT_MATRIX_VARIANTS(local_run),
#define GRAFT_CLBLAST_CHECK clblast_check
#define GRAFT_CLBLAST_RUN clblast_run
#include "backend/opencl/clblast_variants.def"
    {.name = "local_wide",
     .family = GRAFT_OPENCL_GPU,
     .wide = true,
     .check = local_wide_check,
     .open = local_open,
     .run = local_run},
    {.name = "local", .family = GRAFT_OPENCL_GPU, .check = local_check, .open = local_open, .run = local_run},
    {.name = NULL},
};

const struct graft_opencl_row graft_opencl_matmul = {.variants = variants};
