/* SPDX-License-Identifier: MIT */
/*
 * An op that says which parts of its inputs make some rows of its output is believed by graft_pass_narrow:
 * every case of every such op is computed whole and for some rows along each dimension, with the f64
 * reference, and must be equal.
 */
#include "harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct trial {
    struct graft_context *context;
    const struct graft_job *job;
    struct graft_heap heap;
    struct graft_call call; /* whole */
    struct graft_inputs inputs;
    double *out[GRAFT_MAX_OUTPUTS];
    int count; /* of parts that were said to be possible */
};

static int64_t product(const struct graft_shape *shape, int from, int to)
{
    int64_t count = 1;
    for (int d = from; d < to; d++)
        count *= shape->dim[d];
    return count;
}

/* The rows of a tensor, one behind the other; `shape` becomes theirs. */
static void *take(struct trial *trial, const void *whole, struct graft_desc *desc,
                  const struct graft_rows *rows)
{
    struct graft_shape *const shape = &desc->shape;
    const size_t size = graft_dtype_size(desc->dtype);
    const int64_t outer = product(shape, 0, rows->dimension), count = shape->dim[rows->dimension];
    const int64_t inner = product(shape, rows->dimension + 1, shape->rank);
    assert_true(rows->dimension < shape->rank && rows->begin >= 0 && rows->size >= 1 && rows->step >= 1 &&
                rows->begin + (rows->size - 1) * rows->step < count);
    char *const part = graft_heap_get(&trial->heap, (size_t)(outer * rows->size * inner) + 1, size);
    char *to = part;
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < rows->size; i++, to += (size_t)inner * size)
            memcpy(to,
                   (const char *)whole + (size_t)((o * count + rows->begin + i * rows->step) * inner) * size,
                   (size_t)inner * size);
    shape->dim[rows->dimension] = rows->size;
    return part;
}

static void try_rows(struct trial *trial, const struct graft_rows *rows)
{
    struct graft_call call = trial->call;
    struct graft_rows parts[GRAFT_MAX_INPUTS];
    for (int i = 0; i < GRAFT_MAX_INPUTS; i++)
        parts[i] = (struct graft_rows){.dimension = -1};
    if (!graft_op_get(call.op)->narrow(&call, rows, parts))
        return;
    trial->count++;
    void *in[GRAFT_MAX_INPUTS] = {NULL};
    double *out[GRAFT_MAX_OUTPUTS] = {NULL};
    for (int i = 0; i < call.n_inputs; i++)
        in[i] = parts[i].dimension < 0 ? trial->inputs.in[i]
                                       : take(trial, trial->inputs.in[i], &call.in[i], &parts[i]);
    assert_int_equal(graft_op_infer(trial->context, &call), GRAFT_OK);
    struct graft_desc expected = trial->call.out[0];
    const void *const wanted = take(trial, trial->out[0], &expected, rows);
    for (int o = 0; o < GRAFT_MAX_OUTPUTS; o++)
        if (call.out[o].dtype != GRAFT_DTYPE_NONE)
            out[o] = graft_heap_get(&trial->heap, (size_t)graft_shape_count(&call.out[o].shape) + 1,
                                    sizeof(double));
    const bool same_shape = graft_shape_equal(&expected.shape, &call.out[0].shape);
    if (same_shape)
        graft_reference_run(&call, in, out);
    if (!same_shape || memcmp(out[0], wanted, graft_desc_bytes(&expected)) != 0) {
        char text[256];
        fail_msg("%s: %lld rows of dimension %d from %lld on, %lld apart, by themselves differ",
                 graft_job_format(trial->job, text, sizeof text), (long long)rows->size, rows->dimension,
                 (long long)rows->begin, (long long)rows->step);
    }
}

/* One row, all but one, and what is so many apart for each divisor of their number. */
static void try_dimension(struct trial *trial, int dimension)
{
    const int64_t count = trial->call.out[0].shape.dim[dimension];
    if (count < 2)
        return;
    try_rows(trial, &(struct graft_rows){dimension, 0, 1, 1});
    try_rows(trial, &(struct graft_rows){dimension, count - 1, 1, 1});
    try_rows(trial, &(struct graft_rows){dimension, 1, count - 1, 1});
    for (int64_t step = 2; step < count; step++)
        if (count % step == 0)
            for (int64_t begin = 0; begin < step; begin += step - 1)
                try_rows(trial, &(struct graft_rows){dimension, begin, count / step, step});
}

static int try_job(struct graft_context *context, const struct graft_job *job)
{
    struct trial trial = {.context = context, .job = job};
    assert_int_equal(graft_case_call(context, job->op, graft_job_case(job), GRAFT_DTYPE_F64, &trial.call),
                     GRAFT_OK);
    if (trial.call.out[0].dtype != GRAFT_DTYPE_NONE && graft_shape_count(&trial.call.out[0].shape) > 0) {
        graft_inputs_make(&trial.heap, job, &trial.call, 1, &trial.inputs);
        for (int o = 0; o < GRAFT_MAX_OUTPUTS; o++)
            if (trial.call.out[o].dtype != GRAFT_DTYPE_NONE)
                trial.out[o] = graft_heap_get(
                    &trial.heap, (size_t)graft_shape_count(&trial.call.out[o].shape) + 1, sizeof(double));
        graft_reference_run(&trial.call, trial.inputs.in, trial.out);
        for (int d = 0; d < trial.call.out[0].shape.rank; d++)
            try_dimension(&trial, d);
    }
    graft_heap_close(&trial.heap);
    return trial.count;
}

static void rows_are_made_of_their_parts(void **state)
{
    (void)state;
    struct graft_context *context = NULL;
    struct graft_jobs jobs;
    char error[300];
    int counts[GRAFT_OP_COUNT] = {0};
    assert_int_equal(graft_context_open(NULL, &context), GRAFT_OK);
    assert_true(graft_jobs_open(&(struct graft_conform_options){.sizes = GRAFT_CONFORM_SMALL}, false, false,
                                &jobs, error, sizeof error));
    for (int j = 0; j < jobs.count; j++) {
        const struct graft_job *const job = &jobs.items[j];
        if (graft_op_get(job->op)->narrow && job->tier == GRAFT_TIER_ROUNDING && !job->accumulate)
            counts[job->op] += try_job(context, job);
    }
    graft_jobs_close(&jobs);
    for (int op = 0; op < GRAFT_OP_COUNT; op++)
        if (graft_op_get((enum graft_op)op)->narrow && counts[op] == 0)
            fail_msg("no case of %s can be computed for some rows", graft_op_get((enum graft_op)op)->name);
    graft_context_close(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_are_made_of_their_parts)};
    return cmocka_run_group_tests_name("narrow", tests, NULL, NULL);
}
