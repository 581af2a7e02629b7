/* SPDX-License-Identifier: MIT */
/* The truth: the f64 reference kernel on the same inputs. */
#include "harness.h"
#include "real.h"
#include "tolerance.h"
#include "backend/cpu/cpu.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Integers of the exact tiers reach 4 in size, so sums of that many products stay below 2^24. */
#define MAX_EXACT_TERMS 0x1p20

void graft_reference_run(const struct graft_call *call, void *const *in, double *const *out)
{
    static void (*const kernels[GRAFT_OP_COUNT])(const struct graft_cpu_args *args) = {
#define GRAFT_OP(name, NAME) graft_reference_##name##_f64,
#include "op/ops.def"
#undef GRAFT_OP
    };
    struct graft_cpu_args args = {.call = call};
    for (int i = 0; i < call->n_inputs; i++) {
        args.in[i] = call->in[i].dtype != GRAFT_DTYPE_NONE ? in[i] : NULL;
    }
    for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++) {
        args.out[i] = call->out[i].dtype != GRAFT_DTYPE_NONE ? out[i] : NULL;
    }
    kernels[call->op](&args);
}

static double *copy_of(struct graft_heap *heap, const double *from, int64_t count)
{
    double *const to = graft_heap_get(heap, (size_t)count, sizeof *to);
    if (count > 0 && from != NULL) {
        memcpy(to, from, (size_t)count * sizeof *to);
    }
    return to;
}

/* What is accumulated is added here, not by the kernel. */
void graft_truth_compute(struct graft_heap *heap, const struct graft_call *call, struct graft_truth *truth)
{
    const struct graft_op_def *const def = graft_op_get(call->op);
    void *in[GRAFT_MAX_INPUTS];
    double *out[GRAFT_MAX_OUTPUTS] = {NULL};
    memcpy(in, truth->inputs.in, sizeof in);
    for (int i = 0; i < def->n_outputs; i++) {
        if (call->out[i].dtype == GRAFT_DTYPE_NONE) {
            continue;
        }
        const int64_t count = graft_shape_count(&call->out[i].shape);
        out[i] = copy_of(heap, NULL, count);
        truth->results[truth->n_results++] = (struct graft_result){false, i, count, out[i], NULL};
    }
    for (int i = 0; i < call->n_inputs; i++) {
        if ((def->mutates >> i & 1u) && call->in[i].dtype != GRAFT_DTYPE_NONE) {
            const int64_t count = graft_shape_count(&call->in[i].shape);
            double *const values = copy_of(heap, in[i], count);
            in[i] = values;
            truth->results[truth->n_results++] = (struct graft_result){true, i, count, values, NULL};
        }
    }
    graft_reference_run(call, in, out);
    for (int i = 0; i < def->n_outputs; i++) {
        for (int64_t k = 0; truth->prior[i] != NULL && k < graft_shape_count(&call->out[i].shape); k++) {
            out[i][k] += truth->prior[i][k];
        }
    }
}

/* What outputs hold that are added to. */
static void make_priors(struct graft_heap *heap, const struct graft_job *job, uint64_t seed,
                        struct graft_truth *truth)
{
    for (int i = 0; i < graft_op_get(job->op)->n_outputs; i++) {
        const bool wanted = truth->call.out[i].dtype != GRAFT_DTYPE_NONE;
        if (wanted && (truth->call.accumulate >> i & 1u)) {
            truth->prior[i] =
                graft_prior_make(heap, job, i, graft_shape_count(&truth->call.out[i].shape), seed);
        }
    }
}

/* The exact tier is one only if its truth has no more bits than f32. */
static bool truth_is_exact(const struct graft_truth *truth, char *error, size_t error_size)
{
    if (truth->terms > MAX_EXACT_TERMS) {
        snprintf(error, error_size, "the exact tier has %g terms: too many to stay exact", truth->terms);
        return false;
    }
    for (int r = 0; r < truth->n_results; r++) {
        for (int64_t i = 0; i < truth->results[r].count; i++) {
            const double x = truth->results[r].wanted[i];
            if ((double)(float)x != x) {
                snprintf(error, error_size, "the exact tier's truth is %.17g, which f32 does not hold", x);
                return false;
            }
        }
    }
    return true;
}

bool graft_truth_make(struct graft_heap *heap, struct graft_context *context, const struct graft_job *job,
                      uint64_t seed, struct graft_truth *truth, char *error, size_t error_size)
{
    if (job->real != NULL) {
        return graft_real_truth_make(heap, context, job, seed, truth, error, error_size);
    }
    const struct graft_case *const test = graft_job_case(job);
    struct graft_call call64;
    *truth = (struct graft_truth){.n_results = 0};
    if (graft_case_call(context, job->op, test, GRAFT_DTYPE_F32, &truth->call) != GRAFT_OK ||
        graft_case_call(context, job->op, test, GRAFT_DTYPE_F64, &call64) != GRAFT_OK) {
        snprintf(error, error_size, "the case is refused: %s", graft_context_error(context));
        return false;
    }
    truth->call.accumulate = graft_job_accumulate(job);
    graft_inputs_make(heap, job, &truth->call, seed, &truth->inputs);
    struct graft_work work = {0};
    graft_op_get(job->op)->work(&truth->call, &work);
    truth->terms = work.terms;
    make_priors(heap, job, seed, truth);
    graft_truth_compute(heap, &call64, truth);
    if (job->tier == GRAFT_TIER_EXACT) {
        return truth_is_exact(truth, error, error_size);
    }
    graft_tolerance_fill(heap, &call64, truth);
    return true;
}

bool graft_truth_adapt(struct graft_heap *heap, const struct graft_job *job, const char *variant,
                       const struct graft_truth *plain, struct graft_truth *adapted)
{
    *adapted = *plain;
    if (graft_variant_is_tf32(variant) && job->tier != GRAFT_TIER_EXACT) {
        graft_tolerance_tf32(heap, adapted);
    }
    if (graft_variant_has_exact(variant)) {
        return true;
    }
    return job->tier != GRAFT_TIER_EXACT && graft_tolerance_winograd(heap, adapted);
}
