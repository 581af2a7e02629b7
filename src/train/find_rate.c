/* SPDX-License-Identifier: MIT */
/* The range test of learning rates (Smith, arXiv 1506.01186): a rate that rises from step to step, and what
 * the loss makes of it. */
#include "backend/backend.h"
#include "base/context.h"
#include "data/dataset.h"
#include "train/fit.h"

#include <math.h>

#define SMOOTHING 0.98 /* of the moving average of losses */
#define DIVERGED 4.0   /* times the least average: it ends */
#define LEAST_STEPS 5  /* before it may end */
#define USUAL_FROM 1e-7
#define USUAL_TO 10.0
#define USUAL_STEPS 100

/* The steepest fall over the logarithm of the rate, over a tenth of the steps and not among the first ones,
 * whose average is of few; and the least loss. */
static void suggest(struct graft_rate_search *search)
{
    const struct graft_rate_point *const p = search->points;
    const int half = search->count > 40 ? search->count / 20 : 2;
    double steepest = 0, least = HUGE_VAL;
    search->steepest = search->minimum = (double)NAN;
    for (int i = 3 * half; i + half < search->count; i++) {
        const double slope =
            (p[i + half].smoothed - p[i - half].smoothed) / log(p[i + half].rate / p[i - half].rate);
        if (slope < steepest) {
            steepest = slope;
            search->steepest = p[i].rate;
        }
    }
    for (int i = 0; i < search->count; i++)
        if (p[i].smoothed < least) {
            least = p[i].smoothed;
            search->minimum = p[i].rate;
        }
}

static void tell(const struct graft_fit_job *job, const struct graft_rate_search *search, int64_t steps)
{
    const struct graft_progress now = {.phase = "learning rates",
                                       .done = search->count,
                                       .total = steps,
                                       .seconds_left = -1,
                                       .loss = search->points[search->count - 1].smoothed,
                                       .accuracy = (double)NAN};
    if (job->call.progress)
        job->call.progress(job->call.user, &now);
}

/* A loss that is no number is where the curve ends. */
static enum graft_status walk(struct graft_fit_job *job, struct graft_fit_learning *learning,
                              struct graft_rate_search *search)
{
    const int64_t steps = job->search->steps;
    double average = 0, least = HUGE_VAL;
    while (search->count < steps && !search->diverged) {
        const int64_t before = job->steps;
        const enum graft_status status = graft_fit_learning_step(job, learning);
        if (status == GRAFT_ERROR_NUMERIC && search->count > 0) {
            search->diverged = true;
            break;
        }
        if (status != GRAFT_OK)
            return status;
        if (learning->over && job->position.seen == 0)
            return graft_dataset_unreadable(job->dataset, GRAFT_SPLIT_TRAIN);
        if (job->steps > before) {
            average = SMOOTHING * average + (1 - SMOOTHING) * learning->loss;
            const double smoothed = average / (1 - pow(SMOOTHING, search->count + 1));
            search->points[search->count++] =
                (struct graft_rate_point){learning->learning_rate, learning->loss, smoothed};
            least = fmin(least, smoothed);
            search->diverged = search->count > LEAST_STEPS && smoothed > DIVERGED * least;
            tell(job, search, steps);
        }
        if (learning->over)
            graft_fit_learning_turn(job, learning);
    }
    return GRAFT_OK;
}

static enum graft_status run(struct graft_fit_job *job, struct graft_rate_search *search)
{
    struct graft_fit_learning learning = {.stage = NULL};
    search->points = graft_allocate(job->context, (size_t)job->search->steps, sizeof *search->points);
    enum graft_status status = search->points ? graft_fit_begin(job) : GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK)
        status = graft_fit_learning_open(job, &learning);
    if (status == GRAFT_OK)
        status = walk(job, &learning, search);
    if (status == GRAFT_OK)
        suggest(search);
    graft_fit_end(job, &learning);
    return status;
}

enum graft_status graft_find_rate(struct graft_device *device, const struct graft_fit_options *options,
                                  const struct graft_rate_range *range, struct graft_rate_search *search)
{
    struct graft_context *const outer = device->context;
    struct graft_context *inner = NULL;
    struct graft_rate_range chosen = {.from = range && range->from > 0 ? range->from : USUAL_FROM,
                                      .to = range && range->to > 0 ? range->to : USUAL_TO,
                                      .steps = range && range->steps > 0 ? range->steps : USUAL_STEPS};
    *search = (struct graft_rate_search){.count = 0};
    if (!(chosen.to > chosen.from) || chosen.steps < 2 || (options->resume && *options->resume))
        return graft_fail(
            outer, GRAFT_ERROR_ARGUMENT,
            "rates rise from the lower to the higher one in 2 steps or more, of a run that begins anew");
    enum graft_status status = graft_context_fork(outer, &inner);
    if (status != GRAFT_OK)
        return status;
    struct graft_fit_job job = {.context = inner, .device = device, .call = *options, .search = &chosen};
    device->context = inner;
    status = run(&job, search);
    device->context = outer;
    if (status != GRAFT_OK) {
        (void)graft_fail(outer, status, "%s", graft_context_error(inner));
        graft_rate_search_close(inner, search);
    }
    graft_context_close(&inner);
    return status;
}

void graft_rate_search_close(struct graft_context *context, struct graft_rate_search *search)
{
    graft_release(context, search->points);
    *search = (struct graft_rate_search){.count = 0};
}
