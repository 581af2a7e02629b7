/* SPDX-License-Identifier: MIT */
/* What a stage of training is about to do, in a line of the log. */
#include "base/context.h"
#include "base/text.h"
#include "train/rates.h"

#include <string.h>

/* More of them go into a table of their own. */
#define INLINE 8

static void put_rate(const struct graft_fit_job *job, const struct graft_fit_rate *line, struct graft_text *text)
{
    if (line->rate > 0)
        graft_text_append(job->context, text, "%s at %.3g", line->part, line->rate);
    else
        graft_text_append(job->context, text, "%s not at all", line->part);
}

/* "layer1 to layer4 at 1e-05, fc at 0.0001": neighbours of the same rate together. The number of these lines. */
static int put_rates(const struct graft_fit_job *job, const struct graft_fit_rates *rates, struct graft_text *text)
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
        graft_log(job->context, GRAFT_LOG_REMARK, "  %-40s %12lld %14.4g", line.part, (long long)line.parameters,
                  line.rate);
}

/* "not of biases and normalization", or what is said of them. */
static void put_decay(const struct graft_fit_job *job, struct graft_text *text)
{
    const struct graft_recipe *const o = &job->options;
    if (!(o->weight_decay > 0))
        graft_text_append(job->context, text, "; no weight decay");
    else if (o->decay_factors)
        graft_text_append(job->context, text, "; weight decay %.3g times %s, where nothing is said not of biases and normalization",
                          o->weight_decay, o->decay_factors);
    else
        graft_text_append(job->context, text, "; weight decay %.3g, not of biases and normalization",
                          o->weight_decay);
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
    graft_text_append(job->context, &text, "; %s, %s", o->optimizer, o->schedule);
    if (o->warmup > 0)
        graft_text_append(job->context, &text, " after %lld steps of warm-up", (long long)o->warmup);
    put_decay(job, &text);
    graft_text_append(job->context, &text, "; %lld pictures a step, %lld steps an epoch", (long long)o->batch,
                      (long long)graft_fit_source_batches(&learning->source));
    if (!text.failed)
        graft_log(job->context, GRAFT_LOG_REMARK, "%s", text.data);
    graft_text_close(job->context, &text);
    if (count > INLINE)
        show_table(job, rates);
}
