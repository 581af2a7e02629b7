/* SPDX-License-Identifier: MIT */
/*
 * The backend contract: 16 functions, every one mandatory.
 *
 * A buffer is an opaque handle of the backend; a tensor is a buffer and a byte offset (a multiple of 64,
 * except for views that the planner makes, which are multiples of the element size). Work is queued in order:
 * kernel_run, buffer_fill and buffer_fetch may return before the work is done; buffer_read and synchronize
 * wait.
 */
#ifndef GRAFT_SRC_BACKEND_BACKEND_H
#define GRAFT_SRC_BACKEND_BACKEND_H

#include "graft/device.h"
#include "op/op.h"

struct graft_pool;
struct graft_tuning;
struct graft_buffer; /* each backend defines its own and casts */
struct graft_kernel; /* likewise */

struct graft_tensor {
    struct graft_buffer *buffer; /* NULL: absent */
    uint64_t offset;             /* bytes */
};

/* Whose memory a device's buffers are: it decides what they count against. */
enum graft_device_memory {
    GRAFT_DEVICE_MEMORY_OWN = 0,    /* the device's */
    GRAFT_DEVICE_MEMORY_HOST = 1,   /* the host's, taken by the driver */
    GRAFT_DEVICE_MEMORY_CONTEXT = 2 /* the host's, taken by graft_allocate */
};

/* Every backend's device begins with this. */
struct graft_device {
    const struct graft_backend *backend;
    struct graft_context *context;
    struct graft_device_info info;
    uint64_t live_bytes; /* allocated in buffers now; kept by the graft_buffer_* wrappers in device.c */
    uint64_t peak_bytes;
    uint64_t lost; /* how often work failed after it was queued: what kernels have packed may be missing */
    enum graft_device_memory memory;
    /* Of devices whose memory is much slower than their caches, 0 for others: plans then take a few pictures
     * at a time through many layers. */
    uint64_t cache_bytes;
    uint64_t last_cache_bytes; /* of the last cache before memory; 0: not known */
    struct graft_tuning
        *tuning; /* tuning.h: what was measured on this device; NULL before it is looked for */
    /* Not NULL: kernel_run may be called from items of a run of this pool, side by side with other tensors.
     */
    struct graft_pool *lanes;
};

enum graft_limit {
    GRAFT_LIMIT_FMA = 0, /* f32 additions and multiplications, in a loop of multiply-adds */
    /* Bytes read and written back, each counted twice, by passes over a buffer of `bytes`: each pass touches
     * all of it once, before any of it is touched again (measure.h). */
    GRAFT_LIMIT_MEMORY = 1,
    /* 1 or 0: whether kernels compute with halves; whether they read and write them. By trying. */
    GRAFT_LIMIT_HALF_ARITHMETIC = 2,
    GRAFT_LIMIT_HALF_STORAGE = 3
};

/* What a variant needs, known without touching the device. */
struct graft_variant_info {
    const char *name;   /* "reference", "gemm", "winograd4" …: stable, used to force and to report it */
    const char *reason; /* why it cannot do the call; NULL if it can. Stays as long as the device */
    uint64_t workspace_bytes; /* scratch memory during kernel_run */
    uint64_t
        prepared_bytes; /* memory that kernel_prepare fills (packed constant weights); owned by the kernel */
    /* How many multiplications of the op's definition one of its own stands for; 0: 1. HUGE_VAL where the
     * device's limit of multiply-adds is not its limit. */
    double saving;
    /* Bit i: input (output) i may be a view, with rows that lie apart (call.in_pitch, call.out_pitch); others
     * are refused for all variants alike. */
    uint32_t pitched_inputs, pitched_outputs;
    bool spare; /* it can do the call, but a later variant suits it better: taken if forced, or if measured to
                   be faster, or if there is no other */
    bool emulated; /* the device has not what it is made for: it is for tests, and taken if forced only */
    /* In: do not try out on the device what `check` would have to; out: it has to, and was not. */
    bool untried;
    bool tf32; /* it rounds the factors of its products: taken before all others where the call allows that,
                  and else if forced only */
};

/* NULL, or why a variant that has told what it can do is not to be given the call: for the backends' check.
 */
static inline const char *graft_variant_refuses_pitch(const struct graft_call *call,
                                                      const struct graft_variant_info *info)
{
    const uint32_t inputs = info->pitched_inputs | graft_op_get(call->op)->shape_only;
    for (int i = 0; i < GRAFT_MAX_INPUTS; i++)
        if (call->in_pitch[i] && !(inputs >> i & 1u))
            return "it reads tensors whose rows lie one behind the other, and this one is a view";
    for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++)
        if (call->out_pitch[i] && !(info->pitched_outputs >> i & 1u))
            return "it writes tensors whose rows lie one behind the other, and this one is a view";
    return NULL;
}

struct graft_backend {
    const char *name; /* "reference", "cpu", "opencl" */

    /* Appends this backend's devices; none is no failure, but then a hint what to install is appended to
     * `hint`. */
    enum graft_status (*list)(struct graft_context *context, struct graft_device_list *list);
    enum graft_status (*open)(struct graft_context *context, int index, struct graft_device **device);
    void (*close)(struct graft_device *device);

    /* Contents of a new buffer are undefined. bytes ≥ 1, already checked against info.max_allocation_bytes.
     */
    enum graft_status (*buffer_alloc)(struct graft_device *device, uint64_t bytes,
                                      struct graft_buffer **buffer);
    void (*buffer_free)(struct graft_device *device, struct graft_buffer *buffer);
    enum graft_status (*buffer_write)(struct graft_device *device, struct graft_tensor to, const void *from,
                                      uint64_t bytes); /* `from` may be reused when it returns */
    enum graft_status (*buffer_read)(struct graft_device *device, void *to, struct graft_tensor from,
                                     uint64_t bytes);
    /*
     * Reads in the order of the other work, and waits for nobody: work that is queued later finds the device
     * busy. `to` is filled when `*ticket` is waited for, which is what a call with `from` absent does: it
     * waits for all that was fetched up to this ticket, and reports the first of it that failed. Until then
     * `to` must stay, after a failure too.
     */
    enum graft_status (*buffer_fetch)(struct graft_device *device, void *to, struct graft_tensor from,
                                      uint64_t bytes, uint64_t *ticket);
    enum graft_status (*buffer_fill)(struct graft_device *device, struct graft_tensor to, uint8_t byte,
                                     uint64_t bytes);

    /*
     * Variant number `variant` (0, 1, …: by preference on this device) of call->op. Pure: depends on device
     * properties and the call only, and on what trying it out has shown, once a device.
     * GRAFT_ERROR_NOT_FOUND: no such number. GRAFT_ERROR_UNSUPPORTED: it cannot do this call, for
     * info->reason, which the context's error says too; info->name is set all the same.
     */
    enum graft_status (*check)(struct graft_device *device, const struct graft_call *call, int variant,
                               struct graft_variant_info *info);
    /* Gets ready what the call needs. What takes long (OpenCL: programs) may wait for synchronize, or for the
     * first use, and fail there. */
    enum graft_status (*kernel_open)(struct graft_device *device, const struct graft_call *call, int variant,
                                     struct graft_kernel **kernel);
    /* Packs the constant inputs (call.constant); called before the first run and whenever they have changed.
     * in[] of other inputs may have buffer NULL. */
    enum graft_status (*kernel_prepare)(struct graft_device *device, struct graft_kernel *kernel,
                                        const struct graft_tensor *in);
    /* in[] has GRAFT_MAX_INPUTS, out[] GRAFT_MAX_OUTPUTS entries; workspace holds info.workspace_bytes. */
    enum graft_status (*kernel_run)(struct graft_device *device, struct graft_kernel *kernel,
                                    const struct graft_tensor *in, const struct graft_tensor *out,
                                    struct graft_tensor workspace);
    void (*kernel_close)(struct graft_device *device, struct graft_kernel *kernel);

    /* Waits for all work. `seconds` (may be NULL): device time of all kernel_run since it was asked for last
     * (0 before). */
    enum graft_status (*synchronize)(struct graft_device *device, double *seconds);
    /* Measures what the device can do at most: graft_measure. GRAFT_ERROR_MEMORY: it has not so many bytes.
     * GRAFT_ERROR_DEVICE: it has not done what was to be measured. */
    enum graft_status (*limit)(struct graft_device *device, enum graft_limit limit, uint64_t bytes,
                               double *per_second);
};

extern const struct graft_backend graft_backend_reference;
extern const struct graft_backend graft_backend_cpu;
extern const struct graft_backend graft_backend_opencl;
/* All, NULL at the end. */
extern const struct graft_backend *const graft_backends[];

/* For the backends' list functions: appends a copy of `info`; appends a sentence to the list's hint (cut if
 * full). */
GRAFT_MUST_CHECK enum graft_status graft_device_list_append(struct graft_context *context,
                                                            struct graft_device_list *list,
                                                            const struct graft_device_info *info);
void graft_device_list_hint(struct graft_device_list *list, const char *sentence);

/* Allocation through the device's books: checks the limit (message names bytes, limit and device), counts. */
GRAFT_MUST_CHECK enum graft_status graft_buffer_open(struct graft_device *device, uint64_t bytes,
                                                     struct graft_buffer **buffer);
void graft_buffer_close(struct graft_device *device, struct graft_buffer **buffer, uint64_t bytes);

/* What can still be allocated in buffers: by the device's size, by what the system has free where the memory
 * is the host's, and by the context's limit. */
uint64_t graft_device_free_bytes(const struct graft_device *device);

/* Fails with what to do about it where no variant of a device computes products in TF32 by a unit. */
GRAFT_MUST_CHECK enum graft_status graft_device_need_tf32(struct graft_device *device);

/* Whether what a variant works in can be allocated. */
static inline bool graft_variant_fits(const struct graft_device *device,
                                      const struct graft_variant_info *info)
{
    return info->workspace_bytes <= device->info.max_allocation_bytes &&
           info->prepared_bytes <= device->info.max_allocation_bytes;
}

/* The first variant that can do the call (forced == NULL), or the one of that name. NOT_FOUND lists the names
 * there are; UNSUPPORTED gives each variant's reason. */
GRAFT_MUST_CHECK enum graft_status graft_variant_choose(struct graft_device *device,
                                                        const struct graft_call *call, const char *forced,
                                                        int *variant, struct graft_variant_info *info);

#endif
