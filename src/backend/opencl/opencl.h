/* SPDX-License-Identifier: MIT */
/*
 * Inside of the OpenCL backend: the device, the row of an op, programs, and the one launch function.
 *
 * A row lists variants. check decides from device properties and the call alone; open names the kernels
 * (source file in cl/, kernel name, -D options); prepare packs constant inputs; run sets arguments and
 * launches. Nothing is supported by default: a row without variants says why.
 *
 * Kernels see a tensor as two arguments: `global T *` and `const ulong` offset in elements. Tensors of 2^31
 * elements and more are refused for all ops before a row is asked, so indices inside a tensor may be int. An
 * op is never launched when an output has no elements and nothing else is to be written: rows return before.
 *
 * To add an op: src/backend/opencl/<op>.c with its row, cl/<op>.cl with its kernels. What goes through memory
 * once includes cl/simple.h and is launched with the helpers of flat.h (any shape), pool.h (windows),
 * columns.h (sums over rows) or row.h (whole rows); such kernels share one program and have the two families
 * from one source.
 */
#ifndef GRAFT_SRC_BACKEND_OPENCL_OPENCL_H
#define GRAFT_SRC_BACKEND_OPENCL_OPENCL_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include "backend/backend.h"
#include "backend/opencl/clblast_sets.h"

/* Two families of kernels; one function (graft_opencl_describe) decides from device properties which suits.
 */
enum graft_opencl_family {
    GRAFT_OPENCL_ANY = 0, /* decent on both */
    GRAFT_OPENCL_CPU =
        1, /* a work-item is a whole tile, vectors of 16 along channels, no local memory, no barriers */
    GRAFT_OPENCL_GPU = 2 /* coalesced along channels, local memory */
};

/* Properties, read once when the device is opened. */
struct graft_opencl_traits {
    enum graft_opencl_family family; /* CPU or GPU: the variants preferred */
    int compute_units;
    int max_dimensions; /* of a launch */
    size_t max_group;   /* work-items of a work-group */
    size_t max_items[3];
    uint64_t local_bytes; /* local memory of a work-group */
    uint64_t cache_bytes; /* of the cache before global memory; 0: not told */
    uint64_t max_allocation;
    uint32_t align_bytes; /* of where a part of a buffer may begin */
    int address_bits;
    bool unified;      /* host and device share memory: map instead of copy */
    bool exact_divide; /* -cl-fp32-correctly-rounded-divide-sqrt is there */
    bool short_loops;  /* a work-item's loops end after 65,535 rounds in all, as measured */
    int vector_floats; /* of the processor's vectors, as the driver says: 4, 8, 16; 1 where it has none */
    /* Of matrix products and convolutions: floating-point operations of one launch, so that it stays short;
     * terms of a sum whose factors stay in the cache; bytes of partial results and copies in a workspace,
     * about. */
    double launch_flops;
    int block_terms;
    uint64_t scratch_bytes;
    int64_t library_reach; /* floats of a buffer that CLBlast's kernels can count */
};

struct graft_opencl_program; /* program.c */
struct graft_opencl_helpers; /* jobs.c */
struct graft_opencl_upload;  /* upload.c */
struct graft_opencl_small;   /* upload.c */
struct graft_opencl_fetches; /* fetch.c */
struct graft_opencl_updates; /* update.c */

/* Whether the driver itself keeps what it compiles: as seen so far. */
enum graft_opencl_keeping {
    GRAFT_OPENCL_KEEPING_UNKNOWN = 0,
    GRAFT_OPENCL_KEEPING_DRIVER = 1,
    GRAFT_OPENCL_KEEPING_NOBODY = 2
};

/* Whether a library's kernels have been seen to compute right on the device. */
struct graft_opencl_proof {
    bool done;
    char fault[160]; /* "": they do */
};

/* A batch's statistics whose parts wait to be combined (batch_norm_stats.h). */
struct graft_opencl_statistics {
    struct graft_opencl_kernel *kernel; /* NULL: none wait */
    struct graft_tensor mean, var, parts;
};

#define GRAFT_OPENCL_MAX_PENDING 512
#define GRAFT_OPENCL_TICKETS 16384

struct graft_opencl_device {
    struct graft_device base;
    cl_platform_id platform;
    cl_device_id id;
    cl_context context;
    cl_command_queue queue;               /* in order */
    struct graft_opencl_upload *upload;   /* NULL before the first write that takes that way */
    struct graft_opencl_small *small;     /* small writes under way */
    struct graft_opencl_fetches *fetches; /* readings under way; NULL before the first */
    struct graft_opencl_updates *updates; /* parameters' updates that wait; NULL before the first */
    struct graft_opencl_statistics statistics;
    cl_mem none;                          /* 64 bytes: what absent tensors point to */
    cl_mem tickets;                       /* GRAFT_OPENCL_TICKETS counters for graft_opencl_launch_items */
    int tickets_used;                     /* the others are 0 once the queue gets there; a launch takes one */
    struct graft_opencl_traits traits;
    struct graft_opencl_program *programs; /* wanted or built in this process */
    struct graft_opencl_helpers *helpers;  /* jobs.c */
    struct graft_opencl_kernel *waiting;   /* opened since the device was synchronized: not made yet */
    bool deferring;                        /* a call's kernels are named now, and built when they are used */
    enum graft_opencl_keeping keeping;
    bool told_unkept; /* that programs cannot be kept on disk */

    bool matrix_asked, matrix_unit; /* gemm_matrix.c: whether it has a unit was tried, and it has */
    bool copies_asked, copies;      /* likewise asynchronous copies to local memory */
    bool clblast; /* CLBlast holds programs of this context */
    struct graft_opencl_proof clblast_proofs[GRAFT_CLBLAST_SETS];

    /* Timing, from the first call of time on. */
    bool timing;
    double seconds;

    /* Commands in the queue, oldest first; full means waiting, which bounds the work that is queued. Each has
     * to be looked at when it is over: a queue itself does not tell that one of them failed. */
    struct {
        cl_event event;
        cl_event since;   /* its time begins where this one ended; NULL: with itself */
        const char *what; /* for messages; static */
    } pending[GRAFT_OPENCL_MAX_PENDING];
    int pending_count;
};

#define GRAFT_OPENCL_MAX_STEPS 8

/* Of a block of cl/gemm_local.cl or, with the last two, cl/gemm_matrix.cl; see gemm.h. */
struct graft_local_tile {
    int rows, columns;
    int warp_rows; /* of a warp */
    int items;     /* of the work-group, one behind the other; 0: 16 × 16 */
};

/* One prepared use of an op (struct graft_kernel of this backend). */
struct graft_opencl_kernel {
    struct graft_call call;
    const struct graft_opencl_variant *variant;
    struct graft_variant_info info;
    int steps; /* kernels added by open */
    int ready; /* of them are there */
    struct graft_opencl_kernel *next_waiting;
    struct graft_opencl_program *program[GRAFT_OPENCL_MAX_STEPS];
    cl_kernel step[GRAFT_OPENCL_MAX_STEPS];
    size_t step_group[GRAFT_OPENCL_MAX_STEPS]; /* the most work-items of a group for this kernel */
    const char *step_name[GRAFT_OPENCL_MAX_STEPS];
    struct graft_local_tile local_tile; /* of the steps from cl/gemm_local.cl */
    struct graft_tensor prepared;       /* info.prepared_bytes; buffer NULL if 0 */
    void *state;                        /* the row's, from graft_opencl_state; released by the backend */
};

struct graft_opencl_variant {
    const char *name; /* NULL ends the list */
    /* Variants of the device's family (or ANY) come first, each in the order of the row. */
    enum graft_opencl_family family;
    bool wide; /* blocks of 128 rows instead of 64, see gemm.h */
    bool tf32; /* one product of TF32 factors, instead of the three that stand for f32 */
    bool async; /* factors come by asynchronous copies, see gemm.h */
    /* NULL if it can do the call on this device, else the reason why not. Fills workspace_bytes and
     * prepared_bytes (both 0 before; name is the variant's). Pure. */
    const char *(*check)(const struct graft_opencl_device *device, const struct graft_call *call,
                         struct graft_variant_info *info);
    /* For kernels of others, and for what not every device has: tries that out on the device at the first call
     * that it could do. info->reason: NULL, or why it is not to be used there. NULL where there is nothing to
     * prove. */
    enum graft_status (*prove)(struct graft_opencl_device *device, const struct graft_opencl_variant *variant,
                               struct graft_variant_info *info);
    /* Adds the kernels and fills state. kernel->call and ->info are set. */
    enum graft_status (*open)(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel);
    /* Packs the constant inputs into kernel->prepared. NULL if prepared_bytes is always 0. */
    enum graft_status (*prepare)(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                 const struct graft_tensor *in);
    enum graft_status (*run)(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor workspace);
    /* Whatever open made beyond kernels and state. May be NULL; also called when open failed half-way. */
    void (*close)(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel);
};

/* One per op, in src/backend/opencl/<name>.c. */
struct graft_opencl_row {
    const struct graft_opencl_variant *variants; /* NULL: the op is not there */
    const char *missing;                         /* then: why */
};
#define GRAFT_OP(name, NAME) extern const struct graft_opencl_row graft_opencl_##name;
#include "op/ops.def"
#undef GRAFT_OP

/* ---- for open ---- */

/* Zeroed memory for the row's numbers, in kernel->state. NULL with the error recorded. */
void *graft_opencl_state(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                         size_t bytes);

/*
 * Adds the kernel `name` of cl/<source> (for example "binary.cl") as the next step (0, 1, …). The options are
 * -D definitions ("-DVEC=%d -DTRANSPOSE=1"); -cl-std=CL1.2 is added, and -DACTIVATION=… where the call has
 * one that epilogues do not know (cl/common.h). Programs are shared per (source, options), built at the first
 * use (in a variant's open: not yet, but with all others that are wanted by then), and kept on disk. A
 * failure to compile names file and line in cl/ and quotes the log.
 */
GRAFT_MUST_CHECK enum graft_status graft_opencl_add(struct graft_opencl_device *device,
                                                    struct graft_opencl_kernel *kernel, const char *source,
                                                    const char *name, const char *options_format, ...)
    GRAFT_PRINTF(5, 6);

/* The program itself, owned by the device. */
GRAFT_MUST_CHECK enum graft_status graft_opencl_program(struct graft_opencl_device *device,
                                                        const char *source, const char *options,
                                                        cl_program *program);

/* ---- for prepare and run ---- */

#define GRAFT_OPENCL_MAX_ARGS 40

/* Arguments in the order of the kernel's parameters. Begin with `struct graft_opencl_args args = {0};`. */
struct graft_opencl_args {
    int count;
    bool failed; /* more than GRAFT_OPENCL_MAX_ARGS */
    struct {
        size_t size;
        union {
            cl_mem memory;
            cl_int i;
            cl_ulong u;
            cl_float f;
            cl_int v[16];
        } value;
    } at[GRAFT_OPENCL_MAX_ARGS];
};

/* Two arguments: `global T *`, `ulong` offset in elements of `element_size` bytes. Absent (buffer NULL): a
 * valid address that must not be used. */
void graft_opencl_arg_tensor(struct graft_opencl_device *device, struct graft_opencl_args *args,
                             struct graft_tensor tensor, size_t element_size);
void graft_opencl_arg_memory(struct graft_opencl_args *args, cl_mem memory); /* `global T *` alone */
void graft_opencl_arg_int(struct graft_opencl_args *args, int64_t value); /* int; must fit */
void graft_opencl_arg_ulong(struct graft_opencl_args *args, uint64_t value);
void graft_opencl_arg_float(struct graft_opencl_args *args, double value);
/* int2, int4, int8, int16: `count` is 2, 4, 8 or 16. */
void graft_opencl_arg_ints(struct graft_opencl_args *args, const int32_t *values, int count);

/* Work-items wanted and work-group size; unused dimensions are 1 or 0 alike. `global` is rounded up to a
 * multiple of `local`, so kernels check their range. Always give the same local size for a kernel: some
 * drivers compile again for each. A global of 0 in dimension 0 to 2 of `dimensions` launches nothing. */
struct graft_opencl_range {
    int dimensions; /* 1 to 3 */
    size_t global[3];
    size_t local[3];
};

/*
 * The one launch function: sets the arguments, checks sizes against the limits of device and kernel, enqueues
 * on the device's queue, times on request, bounds what is queued.
 */
GRAFT_MUST_CHECK enum graft_status graft_opencl_launch(struct graft_opencl_device *device,
                                                       struct graft_opencl_kernel *kernel, int step,
                                                       const struct graft_opencl_args *args,
                                                       const struct graft_opencl_range *range);

/*
 * The same for kernels that end with ITEM_ARGUMENTS (cl/items.h), which are added to `args`; `range` says how
 * many items there are. Variants of the CPU family have graft_opencl_item_groups work-items then (fewer if
 * there are fewer items), which take the items in turn; those of the GPU family one for each item.
 */
GRAFT_MUST_CHECK enum graft_status graft_opencl_launch_items(struct graft_opencl_device *device,
                                                             struct graft_opencl_kernel *kernel, int step,
                                                             struct graft_opencl_args *args,
                                                             const struct graft_opencl_range *range);
int64_t graft_opencl_item_groups(const struct graft_opencl_device *device);

/* For work that was enqueued on device->queue by other means: hand over its event (ours afterwards). `what`
 * names it in messages; static. */
GRAFT_MUST_CHECK enum graft_status graft_opencl_enqueued(struct graft_opencl_device *device, cl_event event,
                                                         const char *what);

/* For a library that gives the event of its last command only: graft_opencl_begin before the first, whose
 * *since (NULL while nothing is timed) is ours again afterwards. */
GRAFT_MUST_CHECK enum graft_status graft_opencl_begin(struct graft_opencl_device *device, cl_event *since);
GRAFT_MUST_CHECK enum graft_status graft_opencl_enqueued_since(struct graft_opencl_device *device,
                                                               cl_event since, cl_event event,
                                                               const char *what);

/* The cl_mem of a tensor's buffer. */
static inline cl_mem graft_opencl_memory(struct graft_tensor tensor)
{
    return (cl_mem)(void *)tensor.buffer;
}

/* A tensor `bytes` further on: for parts of the workspace. */
static inline struct graft_tensor graft_opencl_at(struct graft_tensor tensor, uint64_t bytes)
{
    tensor.offset += bytes;
    return tensor;
}

/* ---- errors ---- */

/* "CL_OUT_OF_RESOURCES" …; "unknown OpenCL error" for codes that are in no list. */
const char *graft_opencl_error_name(cl_int code);
/* Records "clEnqueueNDRangeKernel (conv2d): CL_OUT_OF_RESOURCES (-5)" with the status that fits the code
 * (memory or device). `what` may be NULL. */
enum graft_status graft_opencl_fail(struct graft_context *context, cl_int code, const char *call,
                                    const char *what);

/* ---- platform.c, used by device.c and tests ---- */

/* The devices shown, in the order of opencl:N. `ids` and `platforms` have room for `capacity`; returns how
 * many there are; `hint` says why there is none, or none of a driver. */
int graft_opencl_enumerate(cl_platform_id *platforms, cl_device_id *ids, int capacity, char *hint,
                           size_t hint_size);
/* Fills info and traits from device properties: the one place where families and sizes are chosen. Returns
 * NULL, or the name of a property without which the device cannot be used: the driver refuses to tell it, or
 * tells nonsense. */
const char *graft_opencl_describe(cl_platform_id platform, cl_device_id id, int index,
                                  struct graft_device_info *info, struct graft_opencl_traits *traits);

/* ---- sources embedded by tools/embed-kernels ---- */

struct graft_opencl_source {
    const char *name; /* "conv2d.cl" */
    const char *text; /* headers included, #line directives name cl/… */
};
extern const struct graft_opencl_source graft_opencl_sources[]; /* ended by a NULL name */
/* The kernels of "simple.cl", and the files that they are in. */
struct graft_opencl_simple_kernel {
    const char *name, *source;
};
extern const struct graft_opencl_simple_kernel graft_opencl_simple_kernels[]; /* likewise */

#endif
