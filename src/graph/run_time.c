/* SPDX-License-Identifier: MIT */
/* How long a step takes, by the clock around many runs of it: see backend/measure.h. */
#include "backend/measure.h"
#include "graph/plan.h"

/* A step that changes what it reads is run so many times before its operands get fresh numbers: e.g. GELU of
 * GELU … comes to numbers so small that processors take their time for them. */
#define RUNS_OF_NUMBERS 16
#define FRESH_BYTE 0x3f /* f32: 0.747 */

struct timed {
    struct graft_plan *plan;
    int s;
    bool in_chunks, in_place;
};

static bool same_place(struct graft_tensor a, struct graft_tensor b)
{
    return a.buffer && a.buffer == b.buffer && a.offset == b.offset;
}

static bool is_in_place(const struct graft_plan_step *step)
{
    for (int i = 0; i < step->node->call.n_inputs; i++)
        if (same_place(step->in[i], step->out[0]))
            return true;
    return false;
}

/* The first output of a chunk, or of the step, of real numbers. */
static enum graft_status refresh(const struct timed *timed, int64_t chunk, int lane)
{
    struct graft_plan *const plan = timed->plan;
    const struct graft_plan_step *const step = &plan->steps[timed->s];
    const struct graft_desc *const desc = &step->node->call.out[0];
    if (desc->dtype != GRAFT_DTYPE_F32 || graft_shape_count(&desc->shape) == 0)
        return GRAFT_OK;
    const struct graft_tensor to =
        timed->in_chunks ? graft_plan_chunk_tensor(plan, step->node->outputs[0], step->out[0], chunk, lane)
                         : step->out[0];
    return plan->device->backend->buffer_fill(plan->device, to, FRESH_BYTE, graft_desc_bytes(desc));
}

/* A graft_measure_function. */
static enum graft_status run_rounds(void *user, int64_t rounds)
{
    const struct timed *const timed = user;
    struct graft_plan *const plan = timed->plan;
    const int lanes = timed->in_chunks ? plan->chunks.lanes : 1;
    enum graft_status status = GRAFT_OK;
    for (int64_t round = 0; round < rounds && status == GRAFT_OK; round++) {
        for (int lane = 0; timed->in_place && round % RUNS_OF_NUMBERS == 0 && lane < lanes; lane++)
            if (status == GRAFT_OK)
                status = refresh(timed, lane, lane);
        if (status == GRAFT_OK)
            status = timed->in_chunks ? graft_plan_run_chunked_step(plan, timed->s)
                                      : graft_plan_run_step(plan, &plan->steps[timed->s]);
    }
    return status == GRAFT_OK ? plan->device->backend->synchronize(plan->device, NULL) : status;
}

enum graft_status graft_plan_time_step(struct graft_plan *plan, int s, double *seconds)
{
    struct timed timed = {.plan = plan,
                          .s = s,
                          .in_chunks = graft_chunks_has_step(&plan->chunks, s),
                          .in_place = is_in_place(&plan->steps[s])};
    const enum graft_status status = plan->device->backend->synchronize(plan->device, NULL);
    return status == GRAFT_OK ? graft_measure(run_rounds, &timed, seconds) : status;
}

double graft_plan_least_seconds(const struct graft_plan *plan, int s,
                                const struct graft_device_limits *limits, double saving)
{
    const struct graft_call *const call = &plan->steps[s].node->call;
    const struct graft_op_def *const def = graft_op_get(call->op);
    const bool in_chunks = graft_chunks_has_step(&plan->chunks, s);
    struct graft_work work = {0};
    if (def->work)
        def->work(call, &work);
    const double at_once = work.bytes * (in_chunks ? (double)plan->chunks.lanes : 1);
    work.flops *= in_chunks ? (double)plan->chunks.count : 1;
    work.bytes *= in_chunks ? (double)plan->chunks.count : 1;
    return graft_measure_least(limits, &work, at_once, saving);
}
