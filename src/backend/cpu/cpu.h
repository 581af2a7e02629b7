/* SPDX-License-Identifier: MIT */
/*
 * The CPU's kernels: the reference (plain loops from the definition, compiled for float and for double) and
 * the fast variants put over it. The device `reference` has the reference rows only and runs on one thread;
 * `cpu` tries the fast variants first.
 */
#ifndef GRAFT_SRC_BACKEND_CPU_CPU_H
#define GRAFT_SRC_BACKEND_CPU_CPU_H

#include "backend/backend.h"

#include <stdatomic.h>

struct graft_pool;

/* What a kernel gets: memory addresses, in the order of the call. */
struct graft_cpu_args {
    const struct graft_call *call;
    void *in[GRAFT_MAX_INPUTS];   /* NULL: absent; written only if the op mutates it */
    void *out[GRAFT_MAX_OUTPUTS]; /* NULL: not wanted */
    void *workspace;              /* aligned to 64 */
    const void *prepared;         /* what prepare has written; NULL if nothing */
    struct graft_pool *pool;
};

/* Instruction sets for which the fast kernels are compiled; each includes those before it. */
enum graft_isa { GRAFT_ISA_BASELINE = 0, GRAFT_ISA_AVX2 = 1, GRAFT_ISA_AVX512 = 2, GRAFT_ISA_COUNT = 3 };

struct graft_cpu_device {
    struct graft_device base;
    struct graft_pool *pool;
    enum graft_isa isa; /* the best this processor has, or lower by $GRAFT_ISA (baseline, avx2, avx512) */
    bool reference;
    atomic_int_fast64_t nanoseconds; /* spent in kernel_run since the last call of time */
};

/* A fast variant of an op. */
struct graft_cpu_variant {
    const char *name;
    /* NULL if it can do the call on this device, else the reason why not. Fills workspace and prepared bytes.
     */
    const char *(*check)(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info);
    /* Packs constant inputs into `prepared`; NULL if there is nothing to pack. */
    void (*prepare)(const struct graft_cpu_device *device, const struct graft_cpu_args *args, void *prepared);
    void (*run)(const struct graft_cpu_device *device, const struct graft_cpu_args *args);
};

/* One row an op, defined in src/backend/cpu/fast/<name>.c: by preference, ended by an entry without name. An
 * op that is not hot has an empty row in fast/none.c. */
struct graft_cpu_row {
    const struct graft_cpu_variant *variants;
};

/* The backends' `limit`. */
enum graft_status graft_cpu_limit(struct graft_device *device, enum graft_limit limit, uint64_t bytes,
                                  double *per_second);

/* Reference kernels: src/backend/cpu/<name>.c, compiled twice. They see whole tensors and one thread. */
#define GRAFT_OP(name, NAME)                                                                                 \
    void graft_reference_##name##_f32(const struct graft_cpu_args *args);                                    \
    void graft_reference_##name##_f64(const struct graft_cpu_args *args);                                    \
    extern const struct graft_cpu_row graft_cpu_##name;
#include "op/ops.def"
#undef GRAFT_OP

#endif
