/* SPDX-License-Identifier: MIT */
/* One call of a reference kernel in both precisions: for the tests that hold them against PyTorch's numbers.
 */
#ifndef GRAFT_TESTS_REFERENCE_TRIAL_H
#define GRAFT_TESTS_REFERENCE_TRIAL_H

#include "backend/cpu/cpu.h"
#include "base/context.h"
#include "support/support.h"

#include <math.h>

#define SHAPE(rank, ...) graft_shape_of(rank, __VA_ARGS__)

typedef void (*kernel)(const struct graft_cpu_args *args);

static const kernel kernels_f32[] = {
#define GRAFT_OP(name, NAME) [GRAFT_OP_##NAME] = graft_reference_##name##_f32,
#include "op/ops.def"
#undef GRAFT_OP
};

static const kernel kernels_f64[] = {
#define GRAFT_OP(name, NAME) [GRAFT_OP_##NAME] = graft_reference_##name##_f64,
#include "op/ops.def"
#undef GRAFT_OP
};

static inline int open_context(void **state)
{
    struct graft_context *context;
    if (graft_context_open(&(struct graft_context_options){.threads = 1}, &context) != GRAFT_OK) {
        return -1;
    }
    *state = context;
    return 0;
}

static inline int close_context(void **state)
{
    struct graft_context *context = *state;
    graft_context_close(&context);
    return 0;
}

/* Element i of a test tensor: the same as numbers() of op_expected.py. */
static inline double number(int64_t i, int seed)
{
    return (double)((i * 7 + seed * 3 + i / 11) % 11 - 5) / 4;
}

/* A call with its tensors in f64; run() converts for f32. */
struct trial {
    struct graft_context *context;
    struct graft_call call;
    double in[GRAFT_MAX_INPUTS][256];
    int32_t labels[16];
    uint8_t bytes[64];
    double out[GRAFT_MAX_OUTPUTS][256];
};

static inline struct trial *trial_new(struct graft_context *context, enum graft_op op)
{
    struct trial *const trial = calloc(1, sizeof *trial);
    assert_non_null(trial);
    trial->context = context;
    trial->call.op = op;
    trial->call.real = GRAFT_DTYPE_F64;
    return trial;
}

static inline void give_absent(struct trial *trial)
{
    trial->call.n_inputs++;
}

/* Appends an input of numbers. */
static inline void give(struct trial *trial, struct graft_shape shape, int seed)
{
    const int input = trial->call.n_inputs++;
    trial->call.in[input] = (struct graft_desc){GRAFT_DTYPE_F64, shape};
    assert_true(graft_shape_count(&shape) <= 256);
    for (int64_t i = 0; i < graft_shape_count(&shape); i++) {
        trial->in[input][i] = number(i, seed);
    }
}

static inline void give_values(struct trial *trial, struct graft_shape shape, const double *values)
{
    give(trial, shape, 0);
    memcpy(trial->in[trial->call.n_inputs - 1], values, (size_t)graft_shape_count(&shape) * sizeof *values);
}

static inline void give_labels(struct trial *trial, int count, const int32_t *labels)
{
    trial->call.in[trial->call.n_inputs++] = (struct graft_desc){GRAFT_DTYPE_I32, SHAPE(1, count)};
    memcpy(trial->labels, labels, (size_t)count * sizeof *labels);
}

static inline void infer(struct trial *trial)
{
    if (graft_op_infer(trial->context, &trial->call) != GRAFT_OK) {
        fail_msg("%s", graft_context_error(trial->context));
    }
}

static inline void copy_reals(void *to, const void *from, int64_t count, bool from_f64, bool to_f64)
{
    for (int64_t i = 0; i < count; i++) {
        const double value = from_f64 ? ((const double *)from)[i] : (double)((const float *)from)[i];
        if (to_f64) {
            ((double *)to)[i] = value;
        } else {
            ((float *)to)[i] = (float)value;
        }
    }
}

/* Runs the kernel in one precision, on copies of exactly the tensors' size (so that a sanitizer sees
 * overruns), and puts outputs and changed inputs back. */
static inline void run(struct trial *trial, enum graft_dtype real)
{
    struct graft_call call = trial->call;
    call.real = real;
    const bool f64 = real == GRAFT_DTYPE_F64;
    struct graft_cpu_args args = {.call = &call};
    for (int i = 0; i < GRAFT_MAX_INPUTS; i++) {
        struct graft_desc *const desc = &call.in[i];
        if (desc->dtype == GRAFT_DTYPE_F64) {
            desc->dtype = real;
            args.in[i] = malloc(graft_desc_bytes(desc) + 1);
            copy_reals(args.in[i], trial->in[i], graft_shape_count(&desc->shape), true, f64);
        } else if (desc->dtype != GRAFT_DTYPE_NONE) {
            args.in[i] = desc->dtype == GRAFT_DTYPE_I32 ? (void *)trial->labels : (void *)trial->bytes;
        }
    }
    for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++) {
        struct graft_desc *const desc = &call.out[i];
        if (desc->dtype != GRAFT_DTYPE_NONE) {
            desc->dtype = real;
            args.out[i] = malloc(graft_desc_bytes(desc) + 1);
            copy_reals(args.out[i], trial->out[i], graft_shape_count(&desc->shape), true, f64);
        }
    }
    (f64 ? kernels_f64 : kernels_f32)[call.op](&args);
    for (int i = 0; i < GRAFT_MAX_INPUTS; i++) {
        if (graft_op_get(call.op)->mutates >> i & 1u && args.in[i] != NULL) {
            copy_reals(trial->in[i], args.in[i], graft_shape_count(&call.in[i].shape), f64, true);
        }
        if (trial->call.in[i].dtype == GRAFT_DTYPE_F64) {
            free(args.in[i]);
        }
    }
    for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++) {
        if (args.out[i] != NULL) {
            copy_reals(trial->out[i], args.out[i], graft_shape_count(&call.out[i].shape), f64, true);
            free(args.out[i]);
        }
    }
}

static inline void compare(const double *got, const double *expected, int64_t count, double tolerance,
                           const char *what)
{
    for (int64_t i = 0; i < count; i++) {
        if (!(fabs(got[i] - expected[i]) <= tolerance * fmax(1, fabs(expected[i])))) {
            fail_msg("%s: element %d is %.17g, expected %.17g", what, (int)i, got[i], expected[i]);
        }
    }
}

/* Runs in both precisions; output 0 must be `expected`. */
static inline void check_output(struct trial *trial, const double *expected, size_t count, const char *what)
{
    infer(trial);
    assert_int_equal(graft_shape_count(&trial->call.out[0].shape), count);
    memset(trial->out, 0xFF, sizeof trial->out); /* NaN: what is not written is noticed */
    run(trial, GRAFT_DTYPE_F32);
    compare(trial->out[0], expected, (int64_t)count, 1e-6, what);
    memset(trial->out, 0xFF, sizeof trial->out);
    run(trial, GRAFT_DTYPE_F64);
    compare(trial->out[0], expected, (int64_t)count, 1e-14, what);
}

#define CHECK_OUTPUT(trial, name) check_output(trial, name, sizeof(name) / sizeof *(name), #name)

#endif
