/* SPDX-License-Identifier: MIT */
/*
 * CLBlast's matrix products: variants of matmul and of 1×1 convolutions and their gradients, one for each set
 * of parameters in clblast.def. Nothing outside of this folder knows the library.
 *
 * Its plain product alone is used. The strided batched one of 1.5.3 to 1.7.0 forgets offsets and strides
 * where a matrix consists of whole tiles. The room for copies is a workspace of the plan.
 */
#ifndef GRAFT_SRC_BACKEND_OPENCL_CLBLAST_H
#define GRAFT_SRC_BACKEND_OPENCL_CLBLAST_H

#include "backend/opencl/clblast_sets.h"
#include "backend/opencl/gemm.h"

/* Of the set whose name is info->name: NULL with the workspace, or why not. Spare where another set suits the
 * size better. */
const char *graft_clblast_check(const struct graft_opencl_device *device, const struct graft_call *call,
                                const struct graft_product_sizes *product, struct graft_variant_info *info);
/* Small products of the set, in every orientation and far from the beginning of a buffer, must come out
 * exactly: once a device. */
GRAFT_MUST_CHECK enum graft_status graft_clblast_prove(struct graft_opencl_device *device,
                                                       const struct graft_opencl_variant *variant,
                                                       struct graft_variant_info *info);
GRAFT_MUST_CHECK enum graft_status graft_clblast_open(struct graft_opencl_device *device,
                                                      struct graft_opencl_kernel *kernel);
/* `operands`: tensors, accumulate and activation. Bias, residual and activation of the call follow in a pass
 * of their own. */
GRAFT_MUST_CHECK enum graft_status graft_clblast_run(struct graft_opencl_device *device,
                                                     struct graft_opencl_kernel *kernel,
                                                     const struct graft_product_sizes *product,
                                                     const struct graft_products *operands,
                                                     struct graft_tensor workspace);
void graft_clblast_close(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel);

/* Of conv2d and its gradients, where weights are one matrix; spare. They read from the call which op it is.
 */
const char *graft_clblast_conv_check(const struct graft_opencl_device *device, const struct graft_call *call,
                                     struct graft_variant_info *info);
GRAFT_MUST_CHECK enum graft_status graft_clblast_conv_run(struct graft_opencl_device *device,
                                                          struct graft_opencl_kernel *kernel,
                                                          const struct graft_tensor *in,
                                                          const struct graft_tensor *out,
                                                          struct graft_tensor workspace);

/* One product through the library, for clblast.c and clblast_prove.c. Offsets in floats. */
struct graft_clblast_product {
    int set; /* of graft_clblast_sets */
    int64_t m, n, k;
    bool transpose_a, transpose_b, accumulate;
    cl_mem a, b, y, copies; /* copies: NULL where the set needs none */
    uint64_t a_at, b_at, y_at;
};
/* Enqueues it on device->queue. `name` is the call that the code is of. */
cl_int graft_clblast_enqueue(struct graft_opencl_device *device, const struct graft_clblast_product *product,
                             cl_event *event, const char **name);
/* Bytes of copies that a product with operands at any offset needs: as we know it, and as the library says.
 */
uint64_t graft_clblast_copies(int set, const struct graft_product_sizes *product);
cl_int graft_clblast_ask_copies(const struct graft_opencl_device *device, int set,
                                const struct graft_product_sizes *product, uint64_t *bytes);
/* The number of the set that the variant is named after. */
int graft_clblast_find(const char *variant);

#endif
