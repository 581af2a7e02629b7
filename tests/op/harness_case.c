/* SPDX-License-Identifier: MIT */
/* From cases to jobs: names, filters, calls. */
#include "harness.h"
#include "real.h"
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
    if (job->real != NULL) {
        return job->real->call.accumulate;
    }
    if (!job->accumulate) {
        return 0;
    }
    return all == 1 || job->index % 2 == 0 ? all : 1u << (job->index / 2 % graft_op_get(job->op)->n_outputs);
}

char *graft_job_format(const struct graft_job *job, char *text, size_t size)
{
    if (job->real != NULL) {
        snprintf(text, size, "%s/%s/real", graft_op_get(job->op)->name, job->real->name);
        return text;
    }
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
            if (!append(jobs, options, (struct graft_job){op, index, plain[t], accumulate != 0, NULL})) {
                return false;
            }
        }
    }
    if (gradients && (tiers & GRAFT_TIER_GRADIENT) && graft_gradient_applies(op, test)) {
        return append(jobs, options, (struct graft_job){op, index, GRAFT_TIER_GRADIENT, false, NULL});
    }
    return true;
}

static bool append_small(struct graft_jobs *jobs, const struct graft_conform_options *options, bool gradients)
{
    for (int op = 0; op < GRAFT_OP_COUNT; op++) {
        if (options->op != NULL && strcmp(options->op, graft_op_get((enum graft_op)op)->name) != 0) {
            continue;
        }
        for (int i = 0; i < graft_case_set_of((enum graft_op)op)->count; i++) {
            if (!append_case(jobs, options, (enum graft_op)op, i, gradients)) {
                return false;
            }
        }
    }
    return true;
}

/* The reference takes seconds for this: with its loops, the real cases would take a day. */
static bool is_for_oracle(const struct graft_call *call)
{
    return graft_real_cost(call) <= GRAFT_REAL_PLAIN_COST;
}

static bool append_real(struct graft_jobs *jobs, const struct graft_conform_options *options, bool small_real,
                        char *error, size_t error_size)
{
    jobs->borrowed = options->reals != NULL;
    jobs->reals = jobs->borrowed ? options->reals : calloc(1, sizeof *jobs->reals);
    if (jobs->reals == NULL || (!jobs->borrowed && !graft_reals_open(jobs->reals, error, error_size))) {
        return false;
    }
    /* What is asked for by its name may be any network's. */
    const bool all = options->every_network || options->test != NULL;
    for (int i = 0; i < jobs->reals->count; i++) {
        struct graft_real *const real = &jobs->reals->items[i];
        real->preferred_only = real->preferred_only && !all && options->variant == NULL;
        const struct graft_job job = {.op = real->call.op, .tier = GRAFT_TIER_REAL, .real = real};
        const bool wanted =
            (options->op == NULL || strcmp(options->op, graft_op_get(real->call.op)->name) == 0) &&
            (!small_real || is_for_oracle(&real->call));
        const bool repeats = real->repeats && !all;
        const int before = jobs->count;
        if (wanted && !repeats && !append(jobs, options, job)) {
            return false;
        }
        jobs->real_calls += jobs->count > before;
        jobs->real_repeats += wanted && repeats;
    }
    return true;
}

/* The filter names a small case ("conv2d/k3_p1") or a tier that only small ones have. */
static bool names_small(const char *filter)
{
    char name[160];
    const char *const slash = strrchr(filter, '/');
    if (slash == NULL || strncmp(slash, "/exact", 6) == 0 || strncmp(slash, "/rounding", 9) == 0 ||
        strcmp(slash, "/gradient") == 0) {
        return slash != NULL;
    }
    for (int op = 0; op < GRAFT_OP_COUNT; op++) {
        const struct graft_case_set *const set = graft_case_set_of((enum graft_op)op);
        for (int i = 0; i < set->count; i++) {
            snprintf(name, sizeof name, "%s/%s", graft_op_get((enum graft_op)op)->name, set->cases[i].name);
            if (strcmp(name, filter) == 0) {
                return true;
            }
        }
    }
    return false;
}

bool graft_jobs_want_real(const struct graft_conform_options *options)
{
    return options->sizes != GRAFT_CONFORM_SMALL && (options->test == NULL || !names_small(options->test));
}

bool graft_jobs_open(const struct graft_conform_options *options, bool gradients, bool small_real,
                     struct graft_jobs *jobs, char *error, size_t error_size)
{
    *jobs = (struct graft_jobs){NULL, 0};
    snprintf(error, error_size, "no memory for the list of cases");
    if ((options->sizes == GRAFT_CONFORM_REAL || append_small(jobs, options, gradients)) &&
        (!graft_jobs_want_real(options) || append_real(jobs, options, small_real, error, error_size))) {
        return true;
    }
    graft_jobs_close(jobs);
    return false;
}

void graft_jobs_close(struct graft_jobs *jobs)
{
    if (jobs->reals != NULL && !jobs->borrowed) {
        graft_reals_close(jobs->reals);
        free(jobs->reals);
    }
    free(jobs->items);
    *jobs = (struct graft_jobs){NULL, 0};
}

bool graft_jobs_part(const struct graft_jobs *jobs, int part, struct graft_jobs *own)
{
    *own = *jobs;
    own->count = 0;
    own->borrowed = true;
    own->items = calloc((size_t)jobs->count + 1, sizeof *own->items);
    for (int i = 0; i < jobs->count && own->items != NULL; i++) {
        const struct graft_real *const real = jobs->items[i].real;
        const bool first = i % 3 == 0 || (real != NULL && real->preferred_only);
        if (first == (part == 0)) {
            own->items[own->count++] = jobs->items[i];
        }
    }
    return own->items != NULL;
}

enum graft_status graft_job_call(struct graft_context *context, const struct graft_job *job,
                                 struct graft_call *call)
{
    if (job->real != NULL) {
        *call = job->real->call;
        return GRAFT_OK;
    }
    const enum graft_status status =
        graft_case_call(context, job->op, graft_job_case(job), GRAFT_DTYPE_F32, call);
    if (status == GRAFT_OK) {
        call->accumulate = graft_job_accumulate(job);
    }
    return status;
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
