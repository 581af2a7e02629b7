/* SPDX-License-Identifier: MIT */
/* From a call to the row of its op, and the life of a kernel. */
#include "backend/opencl/batch_norm_stats.h"
#include "backend/opencl/internal.h"
#include "backend/opencl/update.h"

#include "base/context.h"

#include <string.h>

static const struct graft_opencl_row *const rows[GRAFT_OP_COUNT] = {
#define GRAFT_OP(name, NAME) &graft_opencl_##name,
#include "op/ops.def"
#undef GRAFT_OP
};

/* Variant number `number` of a row: those that suit the device first, then the others. */
static const struct graft_opencl_variant *find_variant(const struct graft_opencl_device *device,
                                                       const struct graft_opencl_row *row, int number)
{
    for (int pass = 0; pass < 2; pass++) {
        for (const struct graft_opencl_variant *variant = row->variants; variant->name != NULL; variant++) {
            const bool suits =
                variant->family == GRAFT_OPENCL_ANY || variant->family == device->traits.family;
            if (suits == (pass == 0) && number-- == 0)
                return variant;
        }
    }
    return NULL;
}

#define MAX_ELEMENTS (INT32_MAX - 65536) /* so that an index rounded up to a whole work-group fits, too */

/* What no kernel of this backend does. */
static const char *common_reason(const struct graft_call *call)
{
    if (call->real == GRAFT_DTYPE_F64)
        return "f64 is on the reference device only";
    for (int i = 0; i < call->n_inputs; i++)
        if (call->in[i].dtype != GRAFT_DTYPE_NONE && graft_shape_count(&call->in[i].shape) > MAX_ELEMENTS)
            return "a tensor of 2^31 elements or more; use a smaller batch";
    for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++)
        if (call->out[i].dtype != GRAFT_DTYPE_NONE && graft_shape_count(&call->out[i].shape) > MAX_ELEMENTS)
            return "a tensor of 2^31 elements or more; use a smaller batch";
    return NULL;
}

enum graft_status graft_opencl_check(struct graft_device *base, const struct graft_call *call, int number,
                                     struct graft_variant_info *info)
{
    struct graft_opencl_device *device = (struct graft_opencl_device *)base;
    const struct graft_opencl_row *row = rows[call->op];
    const char *op = graft_op_get(call->op)->name;
    const bool untried = info->untried;
    memset(info, 0, sizeof(*info));
    if (row->variants == NULL && number == 0) {
        info->name = "none";
        info->reason = row->missing;
        return graft_fail(base->context, GRAFT_ERROR_UNSUPPORTED, "%s on %s: %s", op, base->info.id,
                          row->missing);
    }
    const struct graft_opencl_variant *variant =
        row->variants != NULL ? find_variant(device, row, number) : NULL;
    if (variant == NULL)
        return graft_fail(base->context, GRAFT_ERROR_NOT_FOUND, "%s on %s: no variant number %d", op,
                          base->info.id, number);
    info->name = variant->name;
    info->tf32 = variant->tf32;
    const char *reason = common_reason(call);
    if (reason == NULL && device->traits.short_loops && variant->family == GRAFT_OPENCL_CPU)
        reason =
            "this device ends the loops of a work-item after 65,535 rounds, and those of this variant are "
            "longer";
    if (reason == NULL)
        reason = variant->check(device, call, info);
    if (reason == NULL)
        reason = graft_variant_refuses_pitch(call, info);
    info->untried = reason == NULL && variant->prove != NULL && untried;
    if (reason == NULL && variant->prove != NULL && !untried) {
        const enum graft_status status = variant->prove(device, variant, info);
        if (status != GRAFT_OK)
            return status;
        reason = info->reason;
    }
    info->reason = reason;
    if (reason != NULL)
        return graft_fail(base->context, GRAFT_ERROR_UNSUPPORTED, "%s (%s) on %s: %s", op, variant->name,
                          base->info.id, reason);
    return GRAFT_OK;
}

void *graft_opencl_state(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel, size_t bytes)
{
    kernel->state = graft_allocate(device->base.context, 1, bytes);
    return kernel->state;
}

enum graft_status graft_opencl_kernel_open(struct graft_device *base, const struct graft_call *call,
                                           int number, struct graft_kernel **result)
{
    struct graft_opencl_device *device = (struct graft_opencl_device *)base;
    struct graft_variant_info info;
    *result = NULL;
    enum graft_status status = graft_opencl_check(base, call, number, &info);
    if (status != GRAFT_OK)
        return status;
    struct graft_opencl_kernel *kernel = graft_allocate(base->context, 1, sizeof(*kernel));
    if (kernel == NULL)
        return GRAFT_ERROR_MEMORY;
    kernel->call = *call;
    kernel->info = info;
    kernel->variant = find_variant(device, rows[call->op], number);
    if (info.prepared_bytes > 0)
        status = graft_buffer_open(base, info.prepared_bytes, &kernel->prepared.buffer);
    if (status == GRAFT_OK) {
        device->deferring = true;
        status = kernel->variant->open(device, kernel);
        device->deferring = false;
    }
    if (status != GRAFT_OK) {
        graft_opencl_kernel_close(base, (struct graft_kernel *)kernel);
        return status;
    }
    kernel->next_waiting = device->waiting;
    device->waiting = kernel;
    *result = (struct graft_kernel *)kernel;
    return GRAFT_OK;
}

enum graft_status graft_opencl_kernel_prepare(struct graft_device *base, struct graft_kernel *given,
                                              const struct graft_tensor *in)
{
    struct graft_opencl_kernel *kernel = (struct graft_opencl_kernel *)given;
    if (kernel->variant->prepare == NULL)
        return GRAFT_OK;
    enum graft_status status = graft_opencl_updates_flush((struct graft_opencl_device *)base);
    if (status == GRAFT_OK)
        status = graft_opencl_ready((struct graft_opencl_device *)base, kernel);
    return status == GRAFT_OK ? kernel->variant->prepare((struct graft_opencl_device *)base, kernel, in)
                              : status;
}

/* Launches what waits, but for kernels that may go along with it. */
static enum graft_status flush_before(struct graft_opencl_device *device,
                                      const struct graft_opencl_kernel *kernel)
{
    if (kernel->call.op == GRAFT_OP_BATCH_NORM_UPDATE)
        return GRAFT_OK;
    return kernel->variant->run == graft_opencl_update_run ? graft_opencl_statistics_flush(device)
                                                           : graft_opencl_updates_flush(device);
}

enum graft_status graft_opencl_kernel_run(struct graft_device *base, struct graft_kernel *given,
                                          const struct graft_tensor *in, const struct graft_tensor *out,
                                          struct graft_tensor workspace)
{
    struct graft_opencl_kernel *kernel = (struct graft_opencl_kernel *)given;
    enum graft_status status = graft_opencl_ready((struct graft_opencl_device *)base, kernel);
    if (status == GRAFT_OK)
        status = flush_before((struct graft_opencl_device *)base, kernel);
    return status == GRAFT_OK
               ? kernel->variant->run((struct graft_opencl_device *)base, kernel, in, out, workspace)
               : status;
}

void graft_opencl_kernel_close(struct graft_device *base, struct graft_kernel *given)
{
    struct graft_opencl_kernel *kernel = (struct graft_opencl_kernel *)given;
    if (kernel == NULL)
        return;
    struct graft_opencl_kernel **waiting = &((struct graft_opencl_device *)base)->waiting;
    while (*waiting != NULL && *waiting != kernel)
        waiting = &(*waiting)->next_waiting;
    if (*waiting == kernel)
        *waiting = kernel->next_waiting;
    if (kernel->variant->close != NULL)
        kernel->variant->close((struct graft_opencl_device *)base, kernel);
    for (int i = 0; i < kernel->ready; i++)
        clReleaseKernel(kernel->step[i]);
    if (kernel->prepared.buffer != NULL)
        graft_buffer_close(base, &kernel->prepared.buffer, kernel->info.prepared_bytes);
    graft_release(base->context, kernel->state);
    graft_release(base->context, kernel);
}
