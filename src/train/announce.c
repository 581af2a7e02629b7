/* SPDX-License-Identifier: MIT */
/* What a stage of training is about to do, in a line of the log. */
#include "base/context.h"
#include "base/text.h"
#include "train/fit.h"

#include <string.h>

/* "layer1 to layer4 at 1e-05, fc at 0.0001": neighbours of the same rate together. */
static void put_rates(const struct graft_fit_job *job, const struct graft_fit_stage *stage, int first,
                      const float *factors, struct graft_text *text)
{
    const struct graft_model *const model = job->whole;
    for (int s = first, last; s < model->stage_count; s = last + 1) {
        for (last = s; last + 1 < model->stage_count && factors[last + 1] == factors[s];)
            last++;
        const double rate = stage->learning_rate * (double)factors[s];
        graft_text_append(job->context, text, "%s%s", s > first ? ", " : "", model->stages[s].name);
        if (last > s)
            graft_text_append(job->context, text, " to %s", model->stages[last].name);
        if (rate > 0)
            graft_text_append(job->context, text, " at %.3g", rate);
        else
            graft_text_append(job->context, text, " not at all");
    }
}

void graft_fit_announce(const struct graft_fit_job *job, const struct graft_fit_learning *learning, int first,
                        const float *factors)
{
    const struct graft_recipe *const o = &job->options;
    const struct graft_fit_stage *const stage = learning->stage;
    struct graft_text text = {0};
    const int from = learning->epochs_before + 1;
    graft_text_append(job->context, &text,
                      "stage %d of %d, epochs %d to %d: learning rates: ", job->position.stage + 1,
                      o->stage_count, from, from + stage->epochs - 1);
    put_rates(job, stage, first, factors, &text);
    graft_text_append(job->context, &text, "; %s, %s", o->optimizer, o->schedule);
    if (o->warmup > 0)
        graft_text_append(job->context, &text, " after %lld steps of warm-up", (long long)o->warmup);
    if (o->weight_decay > 0)
        graft_text_append(job->context, &text, "; weight decay %.3g, not of biases and normalization",
                          o->weight_decay);
    else
        graft_text_append(job->context, &text, "; no weight decay");
    graft_text_append(job->context, &text, "; %lld pictures a step, %lld steps an epoch", (long long)o->batch,
                      (long long)graft_fit_source_batches(&learning->source));
    if (!text.failed)
        graft_log(job->context, GRAFT_LOG_REMARK, "%s", text.data);
    graft_text_close(job->context, &text);
}
