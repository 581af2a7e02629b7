/* SPDX-License-Identifier: MIT */
/*
 * The matrix products of cl/gemm.cl (CPU family) and cl/gemm_local.cl (GPU family), as matmul, conv2d and its
 * gradients use them: numbers of a launch, sizes of packed panels, and the launches, each kept short.
 */
#ifndef GRAFT_SRC_BACKEND_OPENCL_GEMM_H
#define GRAFT_SRC_BACKEND_OPENCL_GEMM_H

#include "backend/opencl/opencl.h"

#include "../../../cl/gather.h"
#include "../../../cl/outer.h"

struct graft_gemm_tile {
    int vector;  /* floats */
    int rows;    /* of a tile */
    int columns; /* of a tile: 2 × vector */
};
struct graft_gemm_tile graft_gemm_tile(const struct graft_opencl_device *device);

/* Adds a kernel of cl/gemm.cl as the next step. */
GRAFT_MUST_CHECK enum graft_status graft_gemm_add(struct graft_opencl_device *device,
                                                  struct graft_opencl_kernel *kernel, const char *name);

/* gemm_pack: element (k = outer × inner_size + inner, column) of batch and group of b. Steps in floats. */
struct graft_gemm_pack {
    int32_t batch_step, group_step, outer_step, inner_step, column_step;
    int32_t outer_size, inner_size, columns; /* columns of a group */
    int32_t groups, batches;
    int32_t zeros; /* floats of 0 behind the panels */
};
/* Panels of a group; floats of one batch's panels, k × panels × columns of the tile; of everything. */
int32_t graft_gemm_panels(const struct graft_opencl_device *device, int64_t columns);
uint64_t graft_gemm_panel_floats(const struct graft_opencl_device *device,
                                 const struct graft_gemm_pack *pack);
uint64_t graft_gemm_packed_floats(const struct graft_opencl_device *device,
                                  const struct graft_gemm_pack *pack);
GRAFT_MUST_CHECK enum graft_status graft_gemm_run_pack(struct graft_opencl_device *device,
                                                       struct graft_opencl_kernel *kernel, int step,
                                                       const struct graft_gemm_pack *pack,
                                                       struct graft_tensor from, struct graft_tensor to);

/* struct graft_gather: row_first, panels, tiles and flags are set when it is run, row_end says all rows.
 * struct graft_outer: panels, flags and spread are set when it is run. */
struct graft_products {
    struct graft_tensor a, b, bias, residual, y; /* b: packed (gather), any (outer) */
    uint64_t zeros;                              /* gather: floats from b's beginning to its row of zeros */
    int groups, batches;
    int32_t a_batch, y_batch; /* floats between batches */
    uint64_t b_batch;
    bool accumulate;
    enum graft_unary activation;
};
/* y [m, n] = or += a·b over k terms, `batches` of them, matrices side by side in memory. */
struct graft_product_sizes {
    int64_t batches, m, n, k;
    bool transpose_a, transpose_b;
    bool shared; /* b has no batches */
};
/* Rows that are the pixels of a themselves, one tap: a·b and 1×1 convolutions. `inner` is the length of a
 * row. */
void graft_gather_dense(struct graft_gather *gather, int64_t rows, int64_t inner, int64_t columns);
GRAFT_MUST_CHECK enum graft_status graft_gemm_run_gather(struct graft_opencl_device *device,
                                                         struct graft_opencl_kernel *kernel, int step,
                                                         const struct graft_gather *gather,
                                                         const struct graft_products *products);

/* Lines that are made up: `pixels` rows of a and b, one tap. */
void graft_outer_dense(struct graft_outer *outer, int64_t pixels);
/* Into how many chunks the CPU family cuts the sum over `pixels`: each has a result of its own, and these are added
 * up in their order. By the shape only, so that sums do not depend on the device's units. */
int64_t graft_gemm_chunks(const struct graft_outer *outer, int64_t groups, int64_t pixels);
/* Launches `chunks` chunks from chunk_first on; y_chunk floats between their results. */
GRAFT_MUST_CHECK enum graft_status graft_gemm_run_outer(struct graft_opencl_device *device,
                                                        struct graft_opencl_kernel *kernel, int step,
                                                        const struct graft_outer *outer,
                                                        const struct graft_products *products,
                                                        uint64_t y_chunk);

/* y [count] = or += sum of `parts` parts. */
GRAFT_MUST_CHECK enum graft_status graft_gemm_run_sum(struct graft_opencl_device *device,
                                                      struct graft_opencl_kernel *kernel, int step,
                                                      struct graft_tensor from, uint64_t part_step, int parts,
                                                      struct graft_tensor y, int64_t count, bool accumulate);

/* ---- cl/gemm_local.cl: the GPU family ---- */

/* NULL, or why the device cannot run them. */
const char *graft_local_reason(const struct graft_opencl_device *device);
/* Likewise for wide blocks and `others` products of rows × columns; info->spare if it does not suit them. */
const char *graft_local_wide_check(const struct graft_opencl_device *device, int64_t rows, int64_t columns,
                                   int64_t others, struct graft_variant_info *info);
/* Whether the device has room for wide blocks, is kept busy by them, and they are not half empty. */
bool graft_local_suits_wide(const struct graft_opencl_device *device, int64_t rows, int64_t columns,
                            int64_t others);
/* Into how many chunks a sum over `terms` is cut where its blocks alone would leave units of a large device idle. By
 * the shape only, as graft_gemm_chunks. */
int64_t graft_local_chunks(int64_t rows, int64_t columns, int64_t groups, int64_t terms);
/* Of a block: 64 × 64, or if wide 128 rows and what suits the columns. */
struct graft_local_tile graft_local_tile(bool wide, int64_t columns);
/* All steps of a kernel have the same tile, which is kept in it. */
GRAFT_MUST_CHECK enum graft_status graft_local_add(struct graft_opencl_device *device,
                                                   struct graft_opencl_kernel *kernel, const char *name,
                                                   struct graft_local_tile tile);
/* local_sum behind local_outer or matrix_outer, for graft_outer_run. */
GRAFT_MUST_CHECK enum graft_status graft_local_add_sum(struct graft_opencl_device *device,
                                                       struct graft_opencl_kernel *kernel);
/* b lies as `steps` says; its sizes are not looked at. */
GRAFT_MUST_CHECK enum graft_status graft_local_run_gather(struct graft_opencl_device *device,
                                                          struct graft_opencl_kernel *kernel, int step,
                                                          const struct graft_gather *gather,
                                                          const struct graft_products *products,
                                                          const struct graft_gemm_pack *steps);
GRAFT_MUST_CHECK enum graft_status graft_local_run_outer(struct graft_opencl_device *device,
                                                         struct graft_opencl_kernel *kernel, int step,
                                                         const struct graft_outer *outer,
                                                         const struct graft_products *products,
                                                         uint64_t y_chunk);
GRAFT_MUST_CHECK enum graft_status graft_local_run_sum(struct graft_opencl_device *device,
                                                       struct graft_opencl_kernel *kernel, int step,
                                                       struct graft_tensor from, uint64_t part_step,
                                                       int parts, struct graft_tensor y, int64_t count,
                                                       bool accumulate);

/* ---- long sums of either family, in chunks: each has a result of its own in the workspace, and these are added up in
 * their order ---- */

struct graft_chunks {
    int32_t all, most;    /* chunks; of one launch */
    uint64_t parts_bytes; /* of the workspace */
};
/* Cuts the sum into `chunks` chunks of lines, about, for a result of `size` floats. */
struct graft_chunks graft_outer_cut(const struct graft_opencl_device *device, struct graft_outer *outer,
                                    int64_t chunks, int64_t size);
/* The product is the kernel's step `step`, the sum of parts the one behind it. */
GRAFT_MUST_CHECK enum graft_status graft_outer_run(struct graft_opencl_device *device,
                                                   struct graft_opencl_kernel *kernel, int step,
                                                   const struct graft_outer *outer,
                                                   const struct graft_chunks *chunks,
                                                   const struct graft_products *products,
                                                   struct graft_tensor parts, int64_t size);

/* ---- cl/gemm_matrix.cl: the GPU family's by a matrix unit; launched as those of cl/gemm_local.cl ---- */

/* Shorter sums are not left to a unit: the three products that stand for one err by 8 units of 2^-24 at most,
 * apart from the rounding of the unit's sums, and conformance allows 4 times the root of the number of terms.
 */
#define GRAFT_MATRIX_LEAST_TERMS 16
/* Tries out whether the device has a unit that cl/matrix.h knows, or (for tests) the emulation. */
GRAFT_MUST_CHECK enum graft_status graft_matrix_probe(struct graft_opencl_device *device, bool emulated,
                                                      bool *there);
/* Likewise asynchronous copies that cl/copies.h knows. */
GRAFT_MUST_CHECK enum graft_status graft_copies_probe(struct graft_opencl_device *device, bool emulated,
                                                      bool *there);
/* Both, once a device: a variant's `prove`. */
GRAFT_MUST_CHECK enum graft_status graft_matrix_prove(struct graft_opencl_device *device,
                                                      const struct graft_opencl_variant *variant,
                                                      struct graft_variant_info *info);
/* NULL, or why not these products; info->spare if wide blocks do not suit them. */
const char *graft_matrix_check(const struct graft_opencl_device *device, const struct graft_call *call,
                               const struct graft_product_sizes *sizes, bool wide,
                               struct graft_variant_info *info);
/* NULL, or why not by asynchronous copies, apart from that. */
const char *graft_matrix_async_check(const struct graft_opencl_device *device, bool wide,
                                     const struct graft_variant_info *info);
/* An op's checks of all matrix variants by check(device, call, wide, info). */
#define GRAFT_MATRIX_CHECK(name, check, is_wide, is_async)                                                   \
    static const char *name(const struct graft_opencl_device *device, const struct graft_call *call,         \
                            struct graft_variant_info *info)                                                 \
    {                                                                                                        \
        const char *const reason = check(device, call, is_wide, info);                                       \
        return reason == NULL && (is_async) ? graft_matrix_async_check(device, is_wide, info) : reason;            \
    }
#define GRAFT_MATRIX_CHECKS(check)                                                                           \
    GRAFT_MATRIX_CHECK(matrix_check, check, false, false)                                                    \
    GRAFT_MATRIX_CHECK(matrix_wide_check, check, true, false)                                                \
    GRAFT_MATRIX_CHECK(matrix_async_check, check, false, true)                                               \
    GRAFT_MATRIX_CHECK(matrix_async_wide_check, check, true, true)
#define GRAFT_MATRIX_VARIANT(text, is_wide, is_tf32, is_async, checks, runs)                                 \
    {                                                                                                        \
        .name = text, .family = GRAFT_OPENCL_GPU, .wide = is_wide, .tf32 = is_tf32, .async = is_async,       \
        .check = checks, .prove = graft_matrix_prove, .open = matrix_open, .run = runs                       \
    }
/* The rows for an op that has GRAFT_MATRIX_CHECKS and a matrix_open. Asynchronous ones come behind: no device has
 * shown yet that they are faster. */
#define GRAFT_MATRIX_VARIANTS(runs)                                                                          \
    GRAFT_MATRIX_VARIANT("matrix_tf32_wide", true, true, false, matrix_wide_check, runs),                    \
        GRAFT_MATRIX_VARIANT("matrix_tf32", false, true, false, matrix_check, runs),                         \
        GRAFT_MATRIX_VARIANT("matrix_tf32_async_wide", true, true, true, matrix_async_wide_check, runs),     \
        GRAFT_MATRIX_VARIANT("matrix_tf32_async", false, true, true, matrix_async_check, runs),              \
        GRAFT_MATRIX_VARIANT("matrix_wide", true, false, false, matrix_wide_check, runs),                    \
        GRAFT_MATRIX_VARIANT("matrix", false, false, false, matrix_check, runs),                             \
        GRAFT_MATRIX_VARIANT("matrix_async_wide", true, false, true, matrix_async_wide_check, runs),         \
        GRAFT_MATRIX_VARIANT("matrix_async", false, false, true, matrix_async_check, runs)
struct graft_local_tile graft_matrix_tile(const struct graft_opencl_device *device, bool wide,
                                          int64_t columns);
/* along: columns of b are neighbours; matrix_outer does not look at it. */
GRAFT_MUST_CHECK enum graft_status graft_matrix_add(struct graft_opencl_device *device,
                                                    struct graft_opencl_kernel *kernel, const char *name,
                                                    struct graft_local_tile tile, bool along);

/* ---- for all ---- */

/* The flags of kernels: 1 bias, 2 residual, 4 accumulate, 8 × activation. */
int32_t graft_product_flags(const struct graft_products *products);
/* Blocks of `block` rows of one launch, so that it stays well under a second; row_flops for all columns. */
int64_t graft_launch_blocks(const struct graft_opencl_device *device, int64_t rows, int64_t block,
                            double row_flops);

#endif
