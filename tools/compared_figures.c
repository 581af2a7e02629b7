/* SPDX-License-Identifier: MIT */
#include "compared_figures.h"

#include <math.h>
#include <string.h>

/* Parameters that the last stage teaches. */
static double learnt_of(const json_t *rates)
{
    json_int_t last = 0;
    double learnt = 0;
    for (size_t i = 0; i < json_array_size(rates); i++) {
        const json_t *const part = json_array_get(rates, i);
        const json_int_t stage = json_integer_value(json_object_get(part, "stage"));
        learnt = stage == last ? learnt : 0;
        last = stage;
        learnt += json_number_value(json_object_get(part, "parameters"));
    }
    return learnt;
}

struct graft_compared_figures graft_compared_figures(const struct graft_run *run, const json_t *recipe)
{
    const struct graft_run_epoch *epochs;
    const struct graft_evaluation *const evaluation = graft_run_evaluation(run);
    const char *const part = graft_run_evaluated(run);
    const int count = graft_run_history(run, &epochs), best = graft_run_best(run);
    struct graft_compared_figures f = {.network = graft_run_text(run, "network"),
                                       .epochs = count,
                                       .best = -1,
                                       .top1 = (double)NAN,
                                       .loss = (double)NAN,
                                       .test = (double)NAN,
                                       .learnt = learnt_of(json_object_get(recipe, "rates")),
                                       .cost = graft_run_cost(run)};
    for (int i = 0; i < count; i++) {
        f.seconds += isfinite(epochs[i].seconds) ? epochs[i].seconds : 0;
    }
    if (best >= 0) {
        f.best = epochs[best].epoch;
        f.top1 = epochs[best].val_top1;
        f.loss = epochs[best].val_loss;
    }
    if (evaluation != NULL && part != NULL && strcmp(part, "test") == 0) {
        f.test = graft_evaluation_figure(evaluation);
    }
    return f;
}
