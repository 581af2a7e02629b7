/* SPDX-License-Identifier: MIT */
/* From cases to jobs: names, filters, calls. */
#include "harness.h"
#include "tolerance.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct graft_case_set *graft_case_set_of(enum graft_op op)
{
    static const struct graft_case_set *const sets[GRAFT_OP_COUNT] = {
#define GRAFT_OP(name, NAME) &graft_cases_##name,
#include "op/ops.def"
#undef GRAFT_OP
    };
    return sets[op];
}

const struct graft_case *graft_job_case(const struct graft_job *job)
{
    return &graft_case_set_of(job->op)->cases[job->index];
}

uint32_t graft_job_accumulate(const struct graft_job *job)
{
    const uint32_t all = (1u << graft_op_get(job->op)->n_outputs) - 1;
    if (!job->accumulate) {
        return 0;
    }
    return all == 1 || job->index % 2 == 0 ? all : 1u << (job->index / 2 % graft_op_get(job->op)->n_outputs);
}

char *graft_job_format(const struct graft_job *job, char *text, size_t size)
{
    const char *const tier = job->tier == GRAFT_TIER_EXACT      ? "exact"
                             : job->tier == GRAFT_TIER_ROUNDING ? "rounding"
                                                                : "gradient";
    snprintf(text, size, "%s/%s/%s%s", graft_op_get(job->op)->name, graft_job_case(job)->name, tier,
             job->accumulate ? "+accumulate" : "");
    return text;
}

/* The filter is the whole name, its beginning up to a slash, or a pattern. */
static bool name_fits(const char *name, const char *filter)
{
    const size_t length = strlen(filter);
    if (strncmp(name, filter, length) == 0 && (name[length] == '\0' || name[length] == '/')) {
        return true;
    }
    return strpbrk(filter, "*?[") != NULL && fnmatch(filter, name, 0) == 0;
}

static bool append(struct graft_jobs *jobs, const struct graft_conform_options *options, struct graft_job job)
{
    char name[160];
    if (options->test != NULL && !name_fits(graft_job_format(&job, name, sizeof name), options->test)) {
        return true;
    }
    if (jobs->count % 256 == 0) {
        struct graft_job *const items = realloc(jobs->items, (size_t)(jobs->count + 256) * sizeof *items);
        if (items == NULL) {
            return false;
        }
        jobs->items = items;
    }
    jobs->items[jobs->count++] = job;
    return true;
}

static bool append_case(struct graft_jobs *jobs, const struct graft_conform_options *options,
                        enum graft_op op, int index, bool gradients)
{
    const struct graft_case *const test = &graft_case_set_of(op)->cases[index];
    const uint32_t tiers =
        test->tiers != 0 ? test->tiers : GRAFT_TIER_EXACT | GRAFT_TIER_ROUNDING | GRAFT_TIER_GRADIENT;
    const enum graft_tier plain[] = {GRAFT_TIER_EXACT, GRAFT_TIER_ROUNDING};
    for (int t = 0; t < 2; t++) {
        if (!(tiers & plain[t]) || (plain[t] == GRAFT_TIER_EXACT && !graft_tolerance_has_exact(op))) {
            continue;
        }
        for (int accumulate = 0; accumulate <= (graft_op_get(op)->accumulates ? 1 : 0); accumulate++) {
            if (!append(jobs, options, (struct graft_job){op, index, plain[t], accumulate != 0})) {
                return false;
            }
        }
    }
    if (gradients && (tiers & GRAFT_TIER_GRADIENT) && graft_gradient_applies(op, test)) {
        return append(jobs, options, (struct graft_job){op, index, GRAFT_TIER_GRADIENT, false});
    }
    return true;
}

bool graft_jobs_open(const struct graft_conform_options *options, bool gradients, struct graft_jobs *jobs)
{
    *jobs = (struct graft_jobs){NULL, 0};
    for (int op = 0; op < GRAFT_OP_COUNT; op++) {
        if (options->op != NULL && strcmp(options->op, graft_op_get((enum graft_op)op)->name) != 0) {
            continue;
        }
        for (int i = 0; i < graft_case_set_of((enum graft_op)op)->count; i++) {
            if (!append_case(jobs, options, (enum graft_op)op, i, gradients)) {
                graft_jobs_close(jobs);
                return false;
            }
        }
    }
    return true;
}

void graft_jobs_close(struct graft_jobs *jobs)
{
    free(jobs->items);
    *jobs = (struct graft_jobs){NULL, 0};
}

enum graft_status graft_case_call(struct graft_context *context, enum graft_op op,
                                  const struct graft_case *test, enum graft_dtype real,
                                  struct graft_call *call)
{
    *call = (struct graft_call){.op = op, .attributes = test->attributes};
    for (int i = 0; i < GRAFT_MAX_INPUTS; i++) {
        const struct graft_case_input *const input = &test->in[i];
        if (input->dtype != GRAFT_DTYPE_NONE) {
            call->in[i].dtype = input->dtype == GRAFT_DTYPE_F32 ? real : input->dtype;
            call->in[i].shape = input->shape;
            call->n_inputs = i + 1;
        }
    }
    if (call->n_inputs < graft_op_get(op)->min_inputs) {
        call->n_inputs = graft_op_get(op)->min_inputs;
    }
    call->real = real;
    const enum graft_status status = graft_op_infer(context, call);
    for (int i = 0; status == GRAFT_OK && i < GRAFT_MAX_OUTPUTS; i++) {
        if (test->unwanted >> i & 1u) {
            call->out[i].dtype = GRAFT_DTYPE_NONE;
        }
    }
    return status;
}
