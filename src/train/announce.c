/* SPDX-License-Identifier: MIT */
/* What a stage of training is about to do, in a line of the log. */
#include "base/context.h"
#include "base/text.h"
#include "data/mix.h"
#include "train/rates.h"

#include <string.h>

/* More of them go into a table of their own. */
#define INLINE 8

static void put_rate(const struct graft_fit_job *job, const struct graft_fit_rate *line,
                     struct graft_text *text)
{
    if (line->rate > 0)
        graft_text_append(job->context, text, "%s at %.3g", line->part, line->rate);
    else
        graft_text_append(job->context, text, "%s not at all", line->part);
}

/* "layer1 to layer4 at 1e-05, fc at 0.0001": neighbours of the same rate together. The number of these lines.
 */
static int put_rates(const struct graft_fit_job *job, const struct graft_fit_rates *rates,
                     struct graft_text *text)
{
    const int stage = job->position.stage;
    struct graft_fit_rate line, first, last;
    int count = 0;
    for (int next = 0; graft_fit_rates_next(job, stage, rates, &next, &line); count++) {
        first = count == 0 ? line : first;
        last = line;
    }
    if (count > INLINE) {
        put_rate(job, &first, text);
        graft_text_append(job->context, text, " to ");
        put_rate(job, &last, text);
        graft_text_append(job->context, text, ", %d of them", count);
        return count;
    }
    count = 0;
    for (int next = 0; graft_fit_rates_next(job, stage, rates, &next, &line); count++) {
        graft_text_append(job->context, text, "%s", count > 0 ? ", " : "");
        put_rate(job, &line, text);
    }
    return count;
}

static void show_table(const struct graft_fit_job *job, const struct graft_fit_rates *rates)
{
    struct graft_fit_rate line;
    graft_log(job->context, GRAFT_LOG_REMARK, "  %-40s %12s %14s", "learns", "parameters", "learning rate");
    for (int next = 0; graft_fit_rates_next(job, job->position.stage, rates, &next, &line);)
        graft_log(job->context, GRAFT_LOG_REMARK, "  %-40s %12lld %14.4g", line.part,
                  (long long)line.parameters, line.rate);
}

/* "not of biases and normalization", or what is said of them. */
static void put_decay(const struct graft_fit_job *job, struct graft_text *text)
{
    const struct graft_recipe *const o = &job->options;
    if (!(o->weight_decay > 0))
        graft_text_append(job->context, text, "; no weight decay");
    else if (o->decay_factors)
        graft_text_append(
            job->context, text,
            "; weight decay %.3g times %s, where nothing is said not of biases and normalization",
            o->weight_decay, o->decay_factors);
    else
        graft_text_append(job->context, text, "; weight decay %.3g, not of biases and normalization",
                          o->weight_decay);
}

/* "cosine after 2 steps of warm-up, anew after 4 epochs" */
static void put_schedule(const struct graft_fit_job *job, struct graft_text *text)
{
    const struct graft_recipe *const o = &job->options;
    struct graft_context *const context = job->context;
    graft_text_append(context, text, "; %s, %s", o->optimizer, o->schedule);
    if (o->warmup > 0)
        graft_text_append(context, text, " after %lld steps of warm-up", (long long)o->warmup);
    switch (job->schedule.kind) {
    case GRAFT_SCHEDULE_COSINE:
        if (o->lr_end > 0)
            graft_text_append(context, text, " to %.3g of the rate", o->lr_end);
        if (o->restart > 0)
            graft_text_append(context, text, ", anew after %lld epochs", (long long)o->restart);
        if (o->restart_factor > 1)
            graft_text_append(context, text, ", then %lld times as many", (long long)o->restart_factor);
        break;
    case GRAFT_SCHEDULE_STEP:
        if (o->lr_period > 0)
            graft_text_append(context, text, ", times %.3g every %lld epochs", o->lr_gamma,
                              (long long)o->lr_period);
        else
            graft_text_append(context, text, ", times %.3g at 1/2 and 3/4", o->lr_gamma);
        break;
    case GRAFT_SCHEDULE_EXPONENTIAL:
        graft_text_append(context, text, ", times %.3g each epoch", o->lr_gamma);
        break;
    case GRAFT_SCHEDULE_ONE_CYCLE:
        graft_text_append(context, text, ", at its peak after %.3g of the steps", o->peak);
        break;
    case GRAFT_SCHEDULE_PLATEAU:
        graft_text_append(context, text, ", times %.3g after more than %lld epochs without a lower loss",
                          o->lr_gamma, (long long)o->plateau);
        break;
    case GRAFT_SCHEDULE_CONSTANT:
        break;
    }
}

/* What is not usual. */
static void put_rest(const struct graft_fit_job *job, struct graft_text *text)
{
    const struct graft_recipe *const o = &job->options;
    if (o->clip_norm > 0)
        graft_text_append(job->context, text, "; gradients of at most %.3g", o->clip_norm);
    if (o->ema > 0)
        graft_text_append(job->context, text, "; a moving average of %.6g is measured and kept", o->ema);
    if (o->patience > 0)
        graft_text_append(job->context, text, "; it ends after %lld epochs without a lower loss",
                          (long long)o->patience);
    if (job->balanced)
        graft_text_append(job->context, text, "; classes are drawn alike");
    if (graft_mixes(&job->mix))
        graft_text_append(job->context, text, job->card.target.task <= GRAFT_TASK_CLASSES
                                                  ? "; training loss and accuracy are of mixed pictures, where the class "
                                                    "of the larger share is the right one"
                                                  : "; the training loss is of mixed pictures");
}

void graft_fit_announce(const struct graft_fit_job *job, const struct graft_fit_learning *learning,
                        const struct graft_fit_rates *rates)
{
    const struct graft_recipe *const o = &job->options;
    const struct graft_fit_stage *const stage = learning->stage;
    struct graft_text text = {0};
    const int from = learning->epochs_before + 1;
    graft_text_append(job->context, &text,
                      "stage %d of %d, epochs %d to %d: learning rates: ", job->position.stage + 1,
                      o->stage_count, from, from + stage->epochs - 1);
    const int count = put_rates(job, rates, &text);
    put_schedule(job, &text);
    put_decay(job, &text);
    put_rest(job, &text);
    if (job->ranks)
        graft_text_append(job->context, &text, "; %d ranks%s", graft_ranks_count(job->ranks),
                          job->bn != GRAFT_BATCH_NORM_TRAIN ? ""
                          : o->bn_sync                      ? ", batch normalization over the whole batch"
                                                            : ", batch normalization over each one's part of the batch");
    graft_text_append(job->context, &text, "; %lld pictures a step, %lld steps an epoch", (long long)o->batch,
                      (long long)graft_fit_source_batches(&learning->source));
    if (!text.failed)
        graft_log(job->context, GRAFT_LOG_REMARK, "%s", text.data);
    graft_text_close(job->context, &text);
    if (count > INLINE)
        show_table(job, rates);
}
