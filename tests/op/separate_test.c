/* SPDX-License-Identifier: MIT */
/*
 * An op that says that its rows stand for themselves is believed by the plans: every case of every op is
 * computed whole and row by row with the f64 reference, for every choice of inputs that are in rows, and must
 * be equal.
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
    struct graft_heap heap;
    struct graft_call call; /* whole */
    struct graft_inputs inputs;
    double *out[GRAFT_MAX_OUTPUTS];
};

/* Of one of so many parts. */
static size_t part_bytes(const struct graft_desc *desc, int64_t parts)
{
    return graft_desc_bytes(desc) / (size_t)parts;
}

/* How many rows all inputs of the mask have, of which the result has a multiple; 0: they do not. */
static int64_t rows_of(const struct graft_call *call, uint32_t mask)
{
    int64_t rows = 0;
    for (int i = 0; i < GRAFT_MAX_INPUTS; i++) {
        if (!(mask >> i & 1u))
            continue;
        if (i >= call->n_inputs || call->in[i].dtype == GRAFT_DTYPE_NONE || call->in[i].shape.rank < 1)
            return 0;
        rows = rows == 0 ? call->in[i].shape.dim[0] : rows;
        if (call->in[i].shape.dim[0] != rows)
            return 0;
    }
    return rows > 1 && call->out[0].dtype != GRAFT_DTYPE_NONE && call->out[0].shape.rank > 0 &&
                   call->out[0].shape.dim[0] > 0 && call->out[0].shape.dim[0] % rows == 0
               ? rows
               : 0;
}

/* One of `rows` rows by itself; false if the op's shape rule does not give that row. */
static bool row_is_equal(struct trial *trial, const struct graft_call *separated, uint32_t mask, int64_t row,
                         int64_t rows)
{
    struct graft_call call = *separated;
    void *in[GRAFT_MAX_INPUTS] = {NULL};
    double *out[GRAFT_MAX_OUTPUTS] = {NULL};
    for (int i = 0; i < call.n_inputs; i++) {
        const struct graft_desc *const desc = &trial->call.in[i];
        in[i] = trial->inputs.in[i];
        if (mask >> i & 1u) {
            in[i] = (char *)in[i] + (size_t)row * part_bytes(desc, rows);
            call.in[i].shape.dim[0] = 1;
        }
    }
    assert_int_equal(graft_op_infer(trial->context, &call), GRAFT_OK);
    for (int o = 0; o < GRAFT_MAX_OUTPUTS; o++) {
        const struct graft_desc *const whole = &trial->call.out[o];
        if (whole->dtype == GRAFT_DTYPE_NONE)
            continue;
        struct graft_shape expected = whole->shape;
        expected.dim[0] /= rows;
        if (!graft_shape_equal(&expected, &call.out[o].shape))
            return false;
        out[o] = graft_heap_get(&trial->heap, (size_t)graft_shape_count(&expected) + 1, sizeof(double));
    }
    graft_reference_run(&call, in, out);
    for (int o = 0; o < GRAFT_MAX_OUTPUTS; o++)
        if (out[o] &&
            memcmp(out[o], (const char *)trial->out[o] + (size_t)row * part_bytes(&trial->call.out[o], rows),
                   graft_desc_bytes(&call.out[o])) != 0)
            return false;
    return true;
}

/* All masks of one job; returns how many were said to be separate. */
static int try_job(struct graft_context *context, const struct graft_job *job)
{
    struct trial trial = {.context = context};
    int count = 0;
    assert_int_equal(graft_case_call(context, job->op, graft_job_case(job), GRAFT_DTYPE_F64, &trial.call),
                     GRAFT_OK);
    graft_inputs_make(&trial.heap, job, &trial.call, 1, &trial.inputs);
    for (int o = 0; o < GRAFT_MAX_OUTPUTS; o++)
        if (trial.call.out[o].dtype != GRAFT_DTYPE_NONE)
            trial.out[o] = graft_heap_get(
                &trial.heap, (size_t)graft_shape_count(&trial.call.out[o].shape) + 1, sizeof(double));
    graft_reference_run(&trial.call, trial.inputs.in, trial.out);
    for (uint32_t mask = 1; mask < 1u << trial.call.n_inputs; mask++) {
        struct graft_call call = trial.call;
        const int64_t rows = rows_of(&trial.call, mask);
        if (rows == 0 || !graft_op_get(job->op)->separate(&call, mask, 1))
            continue;
        count++;
        for (int64_t row = 0; row < rows; row++)
            if (!row_is_equal(&trial, &call, mask, row, rows)) {
                char text[256];
                fail_msg("%s, inputs 0x%x in rows: row %lld by itself differs",
                         graft_job_format(job, text, sizeof text), (unsigned)mask, (long long)row);
            }
    }
    graft_heap_close(&trial.heap);
    return count;
}

static void rows_stand_for_themselves(void **state)
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
        if (graft_op_get(job->op)->separate && job->tier == GRAFT_TIER_ROUNDING && !job->accumulate)
            counts[job->op] += try_job(context, job);
    }
    graft_jobs_close(&jobs);
    for (int op = 0; op < GRAFT_OP_COUNT; op++)
        if (graft_op_get((enum graft_op)op)->separate && counts[op] == 0)
            fail_msg("no case of %s can be computed row by row", graft_op_get((enum graft_op)op)->name);
    graft_context_close(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_stand_for_themselves)};
    return cmocka_run_group_tests_name("separate", tests, NULL, NULL);
}
