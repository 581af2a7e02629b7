/* SPDX-License-Identifier: MIT */
/* For tests that compute every case of some ops whole, with the f64 reference, and then parts of it. */
#ifndef GRAFT_TESTS_OP_WHOLE_H
#define GRAFT_TESTS_OP_WHOLE_H

#include "harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct whole {
    struct graft_context *context;
    const struct graft_job *job;
    struct graft_heap heap; /* the caller's to close */
    struct graft_call call;
    struct graft_inputs inputs;
    double *out[GRAFT_MAX_OUTPUTS];
};

/* Memory for the outputs that the call has. */
static inline void whole_outputs(struct graft_heap *heap, const struct graft_call *call,
                                 double *out[GRAFT_MAX_OUTPUTS])
{
    for (int o = 0; o < GRAFT_MAX_OUTPUTS; o++)
        out[o] =
            call->out[o].dtype == GRAFT_DTYPE_NONE
                ? NULL
                : graft_heap_get(heap, (size_t)graft_shape_count(&call->out[o].shape) + 1, sizeof(double));
}

static inline void whole_open(struct whole *whole, struct graft_context *context, const struct graft_job *job)
{
    *whole = (struct whole){.context = context, .job = job};
    assert_int_equal(graft_case_call(context, job->op, graft_job_case(job), GRAFT_DTYPE_F64, &whole->call),
                     GRAFT_OK);
    graft_inputs_make(&whole->heap, job, &whole->call, 1, &whole->inputs);
    whole_outputs(&whole->heap, &whole->call, whole->out);
    graft_reference_run(&whole->call, whole->inputs.in, whole->out);
}

/* Every small case of the ops that are `meant`: `try` returns how many parts it could compute, at least one
 * of some case of each op; `what`: "computed …", for the message. */
static inline void whole_try(bool (*meant)(const struct graft_op_def *def),
                             int (*try)(struct graft_context *context, const struct graft_job *job),
                             const char *what)
{
    struct graft_context *context = NULL;
    struct graft_jobs jobs;
    char error[300];
    int counts[GRAFT_OP_COUNT] = {0};
    assert_int_equal(graft_context_open(NULL, &context), GRAFT_OK);
    assert_true(graft_jobs_open(&(struct graft_conform_options){.sizes = GRAFT_CONFORM_SMALL}, false, false,
                                &jobs, error, sizeof error));
    for (int j = 0; j < jobs.count; j++) {
        const struct graft_job *const job = &jobs.items[j];
        if (meant(graft_op_get(job->op)) && job->tier == GRAFT_TIER_ROUNDING && !job->accumulate)
            counts[job->op] += try(context, job);
    }
    graft_jobs_close(&jobs);
    for (int op = 0; op < GRAFT_OP_COUNT; op++)
        if (meant(graft_op_get((enum graft_op)op)) && counts[op] == 0)
            fail_msg("no case of %s can be %s", graft_op_get((enum graft_op)op)->name, what);
    graft_context_close(&context);
}

#endif
