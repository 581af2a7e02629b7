/* SPDX-License-Identifier: MIT */
/*
 * The backends `reference` and `cpu`: one table of kernels, of which `reference` uses the reference column
 * only. A buffer is memory of the host; everything is done when a call returns.
 */
#include "backend/cpu/processor.h"
#include "base/clock.h"
#include "base/context.h"
#include "base/pool.h"
#include "base/system.h"

#include <stdio.h>
#include <string.h>

typedef void (*reference_kernel)(const struct graft_cpu_args *args);

static const struct {
    reference_kernel f32;
    reference_kernel f64;
    const struct graft_cpu_row *fast;
} rows[GRAFT_OP_COUNT] = {
#define GRAFT_OP(name, NAME)                                                                                 \
    [GRAFT_OP_##NAME] = {graft_reference_##name##_f32, graft_reference_##name##_f64, &graft_cpu_##name},
#include "op/ops.def"
#undef GRAFT_OP
};

struct cpu_kernel {
    struct graft_call call;
    const struct graft_cpu_variant *fast; /* NULL: the reference */
    struct graft_buffer *prepared;
    uint64_t prepared_bytes;
};

static struct graft_cpu_device *cpu_of(struct graft_device *device)
{
    return (struct graft_cpu_device *)device;
}

static void *address(struct graft_tensor tensor)
{
    return tensor.buffer != NULL ? (char *)tensor.buffer + tensor.offset : NULL;
}

static struct graft_device_info describe(bool reference, enum graft_isa isa, int threads)
{
    struct graft_device_info info = {
        .platform = "native",
        .kind = GRAFT_DEVICE_CPU,
        .memory_bytes = graft_system_memory(),
        .max_allocation_bytes = graft_system_memory(),
        .compute_units = threads,
        .fp64 = true,
    };
    snprintf(info.id, sizeof info.id, "%s", reference ? "reference" : "cpu");
    if (reference) {
        snprintf(info.name, sizeof info.name, "plain loops, one thread");
        snprintf(info.driver, sizeof info.driver, "%s", GRAFT_VERSION);
    } else {
        graft_processor_name(info.name, sizeof info.name);
        snprintf(info.driver, sizeof info.driver, "%s %s", GRAFT_VERSION, graft_isa_name(isa));
    }
    return info;
}

static enum graft_status list_one(struct graft_context *context, struct graft_device_list *list,
                                  bool reference)
{
    enum graft_isa isa;
    const enum graft_status status = graft_processor_isa(context, &isa);
    if (status != GRAFT_OK) {
        return status;
    }
    const struct graft_device_info info =
        describe(reference, isa, reference ? 1 : graft_context_threads(context));
    return graft_device_list_append(context, list, &info);
}

static enum graft_status list_reference(struct graft_context *context, struct graft_device_list *list)
{
    return list_one(context, list, true);
}

static enum graft_status list_cpu(struct graft_context *context, struct graft_device_list *list)
{
    return list_one(context, list, false);
}

static enum graft_status open_one(struct graft_context *context, const struct graft_backend *backend,
                                  bool reference, struct graft_device **device)
{
    *device = NULL;
    enum graft_isa isa;
    const enum graft_status status = graft_processor_isa(context, &isa);
    if (status != GRAFT_OK) {
        return status;
    }
    struct graft_pool *const pool = graft_context_pool(context);
    struct graft_cpu_device *const made = pool != NULL ? graft_allocate(context, 1, sizeof *made) : NULL;
    if (made == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    *made = (struct graft_cpu_device){
        .base =
            {
                .backend = backend,
                .context = context,
                .info = describe(reference, isa, reference ? 1 : graft_pool_threads(pool)),
                .memory = GRAFT_DEVICE_MEMORY_CONTEXT,
                .cache_bytes = reference ? 0 : graft_system_cache(),
                .last_cache_bytes = graft_system_cache(),
                .lanes = reference ? NULL : pool,
            },
        .pool = pool,
        .isa = isa,
        .reference = reference,
    };
    *device = &made->base;
    return GRAFT_OK;
}

static enum graft_status open_reference(struct graft_context *context, int index,
                                        struct graft_device **device)
{
    (void)index; /* there is one */
    return open_one(context, &graft_backend_reference, true, device);
}

static enum graft_status open_cpu(struct graft_context *context, int index, struct graft_device **device)
{
    (void)index;
    return open_one(context, &graft_backend_cpu, false, device);
}

static void close_device(struct graft_device *device)
{
    graft_release(device->context, device);
}

static enum graft_status buffer_alloc(struct graft_device *device, uint64_t bytes,
                                      struct graft_buffer **buffer)
{
    *buffer = graft_allocate_raw(device->context, bytes, 1);
    return *buffer != NULL ? GRAFT_OK : GRAFT_ERROR_MEMORY;
}

static void buffer_free(struct graft_device *device, struct graft_buffer *buffer)
{
    graft_release(device->context, buffer);
}

static enum graft_status buffer_write(struct graft_device *device, struct graft_tensor to, const void *from,
                                      uint64_t bytes)
{
    (void)device;
    memcpy(address(to), from, bytes);
    return GRAFT_OK;
}

static enum graft_status buffer_read(struct graft_device *device, void *to, struct graft_tensor from,
                                     uint64_t bytes)
{
    (void)device;
    memcpy(to, address(from), bytes);
    return GRAFT_OK;
}

/* The work is done when it has been queued: there is nothing to wait for. */
static enum graft_status buffer_fetch(struct graft_device *device, void *to, struct graft_tensor from,
                                      uint64_t bytes, uint64_t *ticket)
{
    *ticket = 0;
    return from.buffer != NULL ? buffer_read(device, to, from, bytes) : GRAFT_OK;
}

static enum graft_status buffer_fill(struct graft_device *device, struct graft_tensor to, uint8_t byte,
                                     uint64_t bytes)
{
    (void)device;
    memset(address(to), byte, bytes);
    return GRAFT_OK;
}

/* The fast variant of that number, or NULL with *is_reference telling whether it is the last one or none at
 * all. */
static const struct graft_cpu_variant *find_variant(const struct graft_cpu_device *device, enum graft_op op,
                                                    int variant, bool *is_reference)
{
    const struct graft_cpu_variant *const fast = device->reference ? NULL : rows[op].fast->variants;
    int count = 0;
    while (fast != NULL && fast[count].name != NULL) {
        if (count == variant) {
            *is_reference = false;
            return &fast[count];
        }
        count++;
    }
    *is_reference = variant == count;
    return NULL;
}

static enum graft_status check(struct graft_device *device, const struct graft_call *call, int variant,
                               struct graft_variant_info *info)
{
    *info = (struct graft_variant_info){0};
    bool is_reference;
    const struct graft_cpu_variant *const fast =
        find_variant(cpu_of(device), call->op, variant, &is_reference);
    if (is_reference) {
        info->name = "reference";
        info->reason = graft_variant_refuses_pitch(call, info);
        return info->reason == NULL
                   ? GRAFT_OK
                   : graft_fail(device->context, GRAFT_ERROR_UNSUPPORTED, "%s", info->reason);
    }
    if (fast == NULL) {
        return graft_fail(device->context, GRAFT_ERROR_NOT_FOUND, "%s has no variant number %d of %s",
                          device->info.id, variant, graft_op_get(call->op)->name);
    }
    const char *reason =
        call->real == GRAFT_DTYPE_F32 ? fast->check(cpu_of(device), call, info) : "it computes f32 only";
    reason = reason == NULL ? graft_variant_refuses_pitch(call, info) : reason;
    info->name = fast->name;
    info->reason = reason;
    return reason == NULL ? GRAFT_OK : graft_fail(device->context, GRAFT_ERROR_UNSUPPORTED, "%s", reason);
}

static void kernel_close(struct graft_device *device, struct graft_kernel *kernel)
{
    struct cpu_kernel *const cpu_kernel = (struct cpu_kernel *)kernel;
    if (cpu_kernel != NULL) {
        graft_buffer_close(device, &cpu_kernel->prepared, cpu_kernel->prepared_bytes);
        graft_release(device->context, cpu_kernel);
    }
}

static enum graft_status kernel_open(struct graft_device *device, const struct graft_call *call, int variant,
                                     struct graft_kernel **kernel)
{
    *kernel = NULL;
    struct graft_variant_info info;
    const enum graft_status status = check(device, call, variant, &info);
    if (status != GRAFT_OK) {
        return status;
    }
    struct cpu_kernel *const made = graft_allocate(device->context, 1, sizeof *made);
    if (made == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    bool is_reference;
    made->call = *call;
    made->fast = find_variant(cpu_of(device), call->op, variant, &is_reference);
    if (info.prepared_bytes > 0) {
        made->prepared_bytes = info.prepared_bytes;
        const enum graft_status taken = graft_buffer_open(device, info.prepared_bytes, &made->prepared);
        if (taken != GRAFT_OK) {
            kernel_close(device, (struct graft_kernel *)made);
            return taken;
        }
    }
    *kernel = (struct graft_kernel *)made;
    return GRAFT_OK;
}

static struct graft_cpu_args make_args(const struct graft_cpu_device *device, const struct cpu_kernel *kernel,
                                       const struct graft_tensor *in, const struct graft_tensor *out,
                                       void *workspace)
{
    struct graft_cpu_args args = {
        .call = &kernel->call,
        .workspace = workspace,
        .prepared = kernel->prepared,
        .pool = device->pool,
    };
    for (int i = 0; i < GRAFT_MAX_INPUTS; i++) {
        args.in[i] = kernel->call.in[i].dtype != GRAFT_DTYPE_NONE ? address(in[i]) : NULL;
    }
    for (int i = 0; i < GRAFT_MAX_OUTPUTS && out != NULL; i++) {
        args.out[i] = kernel->call.out[i].dtype != GRAFT_DTYPE_NONE ? address(out[i]) : NULL;
    }
    return args;
}

static enum graft_status kernel_prepare(struct graft_device *device, struct graft_kernel *kernel,
                                        const struct graft_tensor *in)
{
    const struct cpu_kernel *const cpu_kernel = (const struct cpu_kernel *)kernel;
    if (cpu_kernel->prepared != NULL && cpu_kernel->fast->prepare != NULL) {
        const struct graft_cpu_args args = make_args(cpu_of(device), cpu_kernel, in, NULL, NULL);
        cpu_kernel->fast->prepare(cpu_of(device), &args, cpu_kernel->prepared);
    }
    return GRAFT_OK;
}

static enum graft_status kernel_run(struct graft_device *device, struct graft_kernel *kernel,
                                    const struct graft_tensor *in, const struct graft_tensor *out,
                                    struct graft_tensor workspace)
{
    const struct cpu_kernel *const cpu_kernel = (const struct cpu_kernel *)kernel;
    const struct graft_cpu_args args = make_args(cpu_of(device), cpu_kernel, in, out, address(workspace));
    const int64_t begin = graft_nanoseconds();
    if (cpu_kernel->fast != NULL) {
        cpu_kernel->fast->run(cpu_of(device), &args);
    } else if (cpu_kernel->call.real == GRAFT_DTYPE_F64) {
        rows[cpu_kernel->call.op].f64(&args);
    } else {
        rows[cpu_kernel->call.op].f32(&args);
    }
    atomic_fetch_add_explicit(&cpu_of(device)->nanoseconds, graft_nanoseconds() - begin,
                              memory_order_relaxed);
    return GRAFT_OK;
}

static enum graft_status synchronize(struct graft_device *device, double *seconds)
{
    if (seconds != NULL) {
        *seconds = 1e-9 * (double)atomic_exchange(&cpu_of(device)->nanoseconds, 0);
    }
    return GRAFT_OK;
}

#define SHARED_FUNCTIONS                                                                                     \
    .close = close_device, .buffer_alloc = buffer_alloc, .buffer_free = buffer_free,                         \
    .buffer_write = buffer_write, .buffer_read = buffer_read, .buffer_fetch = buffer_fetch,                  \
    .buffer_fill = buffer_fill, .check = check, .kernel_open = kernel_open,                                  \
    .kernel_prepare = kernel_prepare, .kernel_run = kernel_run, .kernel_close = kernel_close,                \
    .synchronize = synchronize, .limit = graft_cpu_limit

const struct graft_backend graft_backend_reference = {
    .name = "reference", .list = list_reference, .open = open_reference, SHARED_FUNCTIONS};

const struct graft_backend graft_backend_cpu = {
    .name = "cpu", .list = list_cpu, .open = open_cpu, SHARED_FUNCTIONS};
