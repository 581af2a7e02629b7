/* SPDX-License-Identifier: MIT */
#include "backend/opencl/clblast.h"

#include "backend/opencl/internal.h"

#include "base/context.h"

#ifdef GRAFT_HAVE_CLBLAST
#include <clblast_c.h>

#define FINISH_GROUP 64 /* work-items of a group of matmul_finish */

enum { BIAS = 2, RESIDUAL = 3 }; /* of matmul and conv2d; gradients of convolutions have neither */

static enum graft_unary activation_of(const struct graft_call *call)
{
    return call->op == GRAFT_OP_MATMUL ? call->attributes.matmul.activation
                                       : call->attributes.conv2d.activation;
}

const char *graft_clblast_reason(const struct graft_opencl_device *device, const struct graft_call *call,
                                 int64_t k)
{
    if (k == 0)
        return "CLBlast has no product without terms";
    if ((call->accumulate & 1u) != 0 && activation_of(call) != GRAFT_UNARY_NONE)
        return "CLBlast cannot add what an activation gives to the output";
    if (device->traits.max_group < FINISH_GROUP || device->traits.max_items[0] < FINISH_GROUP)
        return "the device has no work-groups of 64";
    return NULL;
}

enum graft_status graft_clblast_open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    const struct graft_call *const call = &kernel->call;
    const bool finish = call->in[BIAS].dtype != GRAFT_DTYPE_NONE ||
                        call->in[RESIDUAL].dtype != GRAFT_DTYPE_NONE ||
                        activation_of(call) != GRAFT_UNARY_NONE;
    return finish ? graft_opencl_add(device, kernel, "matmul.cl", "matmul_finish", "%s", "") : GRAFT_OK;
}

static enum graft_status run_finish(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                    const struct graft_product_sizes *p,
                                    const struct graft_products *operands)
{
    const int64_t count = p->batches * p->m * p->n;
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, operands->bias, sizeof(float));
    graft_opencl_arg_tensor(device, &args, operands->residual, sizeof(float));
    graft_opencl_arg_tensor(device, &args, operands->y, sizeof(float));
    graft_opencl_arg_int(&args, count);
    graft_opencl_arg_int(&args, p->n);
    graft_opencl_arg_int(&args, graft_product_flags(operands));
    const struct graft_opencl_range range = {
        .dimensions = 1, .global = {(size_t)count}, .local = {FINISH_GROUP}};
    return graft_opencl_launch(device, kernel, 0, &args, &range);
}

enum graft_status graft_clblast_run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                    const struct graft_product_sizes *p,
                                    const struct graft_products *operands)
{
    const struct graft_tensor a = operands->a, b = operands->b, y = operands->y;
    if (p->batches * p->m * p->n == 0)
        return GRAFT_OK;
    cl_event event = NULL;
    device->clblast = true;
    const CLBlastStatusCode code = CLBlastSgemmStridedBatched(
        CLBlastLayoutRowMajor, p->transpose_a ? CLBlastTransposeYes : CLBlastTransposeNo,
        p->transpose_b ? CLBlastTransposeYes : CLBlastTransposeNo, (size_t)p->m, (size_t)p->n, (size_t)p->k,
        1.0f, graft_opencl_memory(a), a.offset / sizeof(float), (size_t)(p->transpose_a ? p->m : p->k),
        (size_t)(p->m * p->k), graft_opencl_memory(b), b.offset / sizeof(float),
        (size_t)(p->transpose_b ? p->k : p->n), p->shared ? 0 : (size_t)(p->k * p->n),
        operands->accumulate ? 1.0f : 0.0f, graft_opencl_memory(y), y.offset / sizeof(float), (size_t)p->n,
        (size_t)(p->m * p->n), (size_t)p->batches, &device->queue, &event);
    if (code == CLBlastSuccess && event == NULL)
        return graft_fail(device->base.context, GRAFT_ERROR_DEVICE,
                          "CLBlastSgemmStridedBatched gave no event");
    if (code != CLBlastSuccess)
        return graft_opencl_fail(device->base.context, code, "CLBlastSgemmStridedBatched",
                                 graft_op_get(kernel->call.op)->name);
    const enum graft_status status = graft_opencl_enqueued(device, event, "CLBlastSgemmStridedBatched");
    return status != GRAFT_OK || kernel->steps == 0 ? status : run_finish(device, kernel, p, operands);
}

/* Its programs hold on to the context. The cache is of all contexts: others compile theirs once more. */
void graft_opencl_clblast_close(struct graft_opencl_device *device)
{
    if (device->clblast)
        (void)CLBlastClearCache();
    device->clblast = false;
}

#else

const char *graft_clblast_reason(const struct graft_opencl_device *device, const struct graft_call *call,
                                 int64_t k)
{
    (void)device;
    (void)call;
    (void)k;
    return "this build is without CLBlast (libclblast-dev)";
}

enum graft_status graft_clblast_open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    return graft_fail(device->base.context, GRAFT_ERROR_UNSUPPORTED, "%s: this build is without CLBlast",
                      graft_op_get(kernel->call.op)->name);
}

enum graft_status graft_clblast_run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                    const struct graft_product_sizes *product,
                                    const struct graft_products *operands)
{
    (void)product;
    (void)operands;
    return graft_clblast_open(device, kernel);
}

void graft_opencl_clblast_close(struct graft_opencl_device *device)
{
    (void)device;
}

#endif
