/* SPDX-License-Identifier: MIT */
/* A session: a run step by step, in a part of the context of its own. */
#include "backend/backend.h"
#include "base/clock.h"
#include "base/context.h"
#include "graft/weights.h"
#include "train/share.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

_Static_assert(offsetof(struct graft_fit_options, given) == offsetof(struct graft_fit_options, recipe.given),
               "the recipe's fields lie in the options as in the recipe");

struct graft_session {
    struct graft_fit_job job;
    struct graft_fit_learning learning;
    struct graft_session_position position;
    struct graft_context *outer; /* the device's, between calls */
};

/* While a call lasts, whatever the device says and takes is the session's. */
static void enter(struct graft_session *session)
{
    session->job.device->context = session->job.context;
}

static enum graft_status leave(struct graft_session *session, enum graft_status status)
{
    if (status != GRAFT_OK) /* the other ranks must not wait for this one */
        graft_ranks_fail(session->job.ranks, status, graft_context_error(session->job.context));
    session->job.device->context = session->outer;
    return status;
}

static void note_position(struct graft_session *session)
{
    const struct graft_run_position *const at = &session->job.position;
    const struct graft_recipe *const o = &session->job.options;
    const struct graft_fit_learning *const learning = &session->learning;
    struct graft_session_position *const now = &session->position;
    *now = (struct graft_session_position){
        .stage = at->stage,
        .epoch = at->epoch + 1,
        .batch = at->batch,
        .step = at->number,
        .loss = learning->loss,
        .learning_rate = learning->learning_rate,
        .epoch_loss = at->seen ? at->loss_sum / (double)at->seen : (double)NAN,
        .epoch_top1 = graft_fit_train_figure(&session->job),
        .epoch_over = learning->over,
        .done = at->stage >= o->stage_count};
    for (int s = 0; s < o->stage_count; s++) {
        now->epoch += s < at->stage ? graft_stage_epochs(&o->stages[s]) : 0;
        now->epochs += graft_stage_epochs(&o->stages[s]);
    }
    if (now->done)
        return;
    now->from = o->stages[at->stage].from;
    now->batches = learning->stage ? graft_fit_source_batches(&learning->source) : 0;
}

enum graft_status graft_session_open(struct graft_device *device, const struct graft_fit_options *options,
                                     struct graft_session **session)
{
    struct graft_context *const outer = device->context;
    struct graft_context *inner = NULL;
    *session = NULL;
    enum graft_status status = graft_context_fork(outer, &inner);
    if (status != GRAFT_OK)
        return status;
    struct graft_session *const made = graft_allocate(inner, 1, sizeof *made);
    if (!made) {
        status = graft_fail(outer, GRAFT_ERROR_MEMORY, "%s", graft_context_error(inner));
        graft_context_close(&inner);
        return status;
    }
    made->outer = outer;
    made->job = (struct graft_fit_job){.context = inner, .device = device, .call = *options};
    made->job.begin = made->job.last_saved = graft_seconds();
    made->job.ranks = options->ranks;
    graft_ranks_use(made->job.ranks, inner);
    enter(made);
    status = leave(made, graft_fit_begin(&made->job));
    if (status != GRAFT_OK) {
        (void)graft_fail(outer, status, "%s", graft_context_error(inner));
        *session = made;
        graft_session_close(session);
        return status;
    }
    /* A run can have been saved between a stage's last epoch and the next stage. */
    for (struct graft_run_position *at = &made->job.position;
         at->stage < made->job.options.stage_count &&
         at->epoch >= graft_stage_epochs(&made->job.options.stages[at->stage]);
         at->stage++)
        at->number = at->epoch = 0;
    note_position(made);
    *session = made;
    return GRAFT_OK;
}

void graft_session_close(struct graft_session **session)
{
    if (!session || !*session)
        return;
    struct graft_session *const old = *session;
    struct graft_fit_job *const job = &old->job;
    struct graft_context *context = job->context;
    *session = NULL;
    enter(old);
    graft_fit_end(job, &old->learning);
    graft_ranks_use(job->ranks, NULL);
    (void)leave(old, GRAFT_OK);
    graft_release(context, old);
    graft_context_close(&context);
}

const struct graft_session_position *graft_session_position(const struct graft_session *session)
{
    return &session->position;
}

const char *graft_session_error(const struct graft_session *session)
{
    return graft_context_error(session->job.context);
}

const char *graft_session_folder(const struct graft_session *session)
{
    return session->job.run->folder;
}

void graft_session_cancel(struct graft_session *session)
{
    if (session) {
        graft_context_cancel(session->job.context);
    }
}

static enum graft_status end_epoch(struct graft_session *session, struct graft_run_epoch *epoch)
{
    struct graft_fit_job *const job = &session->job;
    struct graft_run_position *const at = &job->position;
    enum graft_status status = graft_fit_learning_end_epoch(job, &session->learning, epoch);
    if (status == GRAFT_OK)
        status = graft_fit_learning_stops(job, &session->learning);
    if (status == GRAFT_OK && at->epoch == graft_stage_epochs(session->learning.stage)) {
        graft_fit_learning_close(job, &session->learning);
        at->stage++;
        at->epoch = 0;
        at->number = 0;
    }
    return status;
}

static enum graft_status step(struct graft_session *session)
{
    struct graft_fit_job *const job = &session->job;
    struct graft_fit_learning *const learning = &session->learning;
    struct graft_run_epoch epoch;
    enum graft_status status = learning->over ? end_epoch(session, &epoch) : GRAFT_OK;
    if (status != GRAFT_OK || job->position.stage >= job->options.stage_count)
        return status;
    if (!learning->stage)
        status = graft_fit_learning_open(job, learning);
    if (status == GRAFT_OK)
        status = graft_fit_learning_step(job, learning);
    return status;
}

enum graft_status graft_session_step(struct graft_session *session)
{
    const struct graft_fit_options *const call = &session->job.call;
    const int64_t steps = session->job.steps;
    enter(session);
    enum graft_status status = step(session);
    note_position(session);
    if (status == GRAFT_OK && call->step_done && session->job.steps > steps &&
        !call->step_done(call->user, &session->position))
        status = graft_fail(session->job.context, GRAFT_ERROR_CANCELLED, "stopped in epoch %d",
                            session->position.epoch);
    return leave(session, status);
}

enum graft_status graft_session_validate(struct graft_session *session, struct graft_run_epoch *epoch)
{
    struct graft_run_epoch own;
    if (!session->learning.over)
        return graft_fail(session->job.context, GRAFT_ERROR_ARGUMENT,
                          "an epoch is validated at its end: %lld of %lld batches are done",
                          (long long)session->position.batch, (long long)session->position.batches);
    enter(session);
    const enum graft_status status = end_epoch(session, epoch ? epoch : &own);
    note_position(session);
    return leave(session, status);
}

enum graft_status graft_session_evaluate(struct graft_session *session, enum graft_split split,
                                         struct graft_evaluation *evaluation)
{
    enter(session);
    return leave(session, graft_fit_evaluate(&session->job, split, evaluation));
}

enum graft_status graft_session_save(struct graft_session *session)
{
    struct graft_fit_job *const job = &session->job;
    enter(session);
    graft_context_ignore_cancel(job->context); /* what must be done is done without further asking */
    enum graft_status status = job->best ? GRAFT_OK : graft_fit_keep_best(job);
    if (status == GRAFT_OK)
        status = graft_fit_save(job);
    graft_context_cancel_clear(job->context);
    return leave(session, status);
}

void graft_session_hurry(struct graft_session *session)
{
    session->job.late = session->job.call.step_done == NULL;
}

bool graft_session_is_save_due(const struct graft_session *session)
{
    /* A tenth of the time, and never 5 s without. */
    const struct graft_fit_job *const job = &session->job;
    const double since = graft_seconds() - job->last_saved;
    return job->save_seconds == 0 || since >= 5 || since >= 10 * job->save_seconds;
}

enum graft_status graft_session_save_end(struct graft_session *session, enum graft_status status)
{
    enter(session);
    graft_context_ignore_cancel(session->job.context);
    return leave(session, graft_fit_save_end(&session->job, status));
}

/* Pictures through training steps, a second; 0: all were on features. */
static double rate_of(const struct graft_fit_job *job)
{
    const struct graft_run_position *const at = &job->position;
    return at->train_seconds > 0 ? (double)at->trained / at->train_seconds : 0;
}

/* Of this process: what was done before an interruption took its own. */
static struct graft_run_cost cost_of(const struct graft_fit_job *job)
{
    uint64_t live, host, device;
    graft_context_memory(job->context, &live, &host);
    graft_device_memory(job->device, &live, &device);
    const bool apart = job->device->memory == GRAFT_DEVICE_MEMORY_OWN;
    return (struct graft_run_cost){.images_per_second = rate_of(job), .memory_bytes = (double)(host + (apart ? device : 0))};
}

/* Best weights back into the variables, and what they are worth. */
static enum graft_status evaluate_best(struct graft_fit_job *job, struct graft_fit_result *result)
{
    const bool test = graft_dataset_count(job->dataset, GRAFT_SPLIT_TEST) > 0;
    const bool val = graft_dataset_count(job->dataset, GRAFT_SPLIT_VAL) > 0;
    result->evaluated = test ? GRAFT_SPLIT_TEST : val ? GRAFT_SPLIT_VAL : GRAFT_SPLIT_TRAIN;
    enum graft_status status = graft_fit_writes(job) ? graft_model_load_weights(job->whole, job->variables, job->best,
                                                                                false, NULL)
                                                     : GRAFT_OK;
    if (status == GRAFT_OK)
        status = graft_fit_spread_variables(job);
    job->predictions = &result->predictions;
    if (status == GRAFT_OK)
        status = graft_fit_evaluate(job, result->evaluated, &result->evaluation);
    job->predictions = NULL;
    if (status == GRAFT_OK)
        status = graft_fit_check_outputs(job, result->evaluated, result->evaluation.loss);
    job->run->cost = cost_of(job);
    if (status == GRAFT_OK && graft_fit_writes(job))
        status =
            graft_run_write_evaluation(job->run, &result->evaluation, graft_split_name(result->evaluated));
    if (status == GRAFT_OK && graft_fit_writes(job))
        status = graft_run_end_events(job->run, &result->evaluation);
    if (status == GRAFT_OK && test)
        result->test_top1 = graft_evaluation_figure(&result->evaluation);
    return status;
}

/* What the caller gets to see, besides figures. */
static enum graft_status describe(struct graft_fit_job *job, struct graft_fit_result *result)
{
    const struct graft_run_position *const at = &job->position;
    struct graft_run_history *const history = &job->run->history;
    const int best = graft_run_history_best(history);
    if (best >= 0) {
        result->best_epoch = history->epochs[best].epoch;
        result->val_top1 = history->epochs[best].val_top1;
        result->val_loss = history->epochs[best].val_loss;
    }
    result->history = history->epochs; /* it goes over to the result */
    result->epochs = history->count;
    *history = (struct graft_run_history){0};
    result->task = graft_dataset_task(job->dataset);
    (void)snprintf(result->model, sizeof result->model, "%s", job->card.network);
    result->seconds = at->total_seconds + graft_seconds() - job->begin;
    result->images_per_second = rate_of(job);
    result->run = graft_duplicate_text(job->context, job->run->folder);
    struct graft_card names = {0};
    const enum graft_status status =
        graft_card_set_classes(job->context, &names, job->card.class_names, job->card.class_count);
    result->classes = names.class_count;
    result->class_names = names.class_names;
    return result->run ? status : GRAFT_ERROR_MEMORY;
}

enum graft_status graft_session_finish(struct graft_session *session, struct graft_fit_result *result)
{
    struct graft_fit_job *const job = &session->job;
    *result = (struct graft_fit_result){.val_top1 = (double)NAN,
                                        .val_loss = (double)NAN,
                                        .test_top1 = (double)NAN,
                                        .cancelled = !session->position.done};
    enter(session);
    enum graft_status status = GRAFT_OK;
    if (!result->cancelled)
        status = evaluate_best(job, result);
    if (status == GRAFT_OK)
        status = describe(job, result);
    if (status != GRAFT_OK)
        graft_fit_result_close(job->context, result);
    return leave(session, status);
}
