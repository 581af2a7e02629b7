/* SPDX-License-Identifier: MIT */
/* Learning rates from step to step and from epoch to epoch. */
#include "graft/train.h"

#include <math.h>

#define PI 3.14159265358979323846
#define FIRST (1.0 / 25)   /* OneCycleLR's div_factor */
#define LAST (FIRST / 1e4) /* its final_div_factor */
#define THRESHOLD 1e-4     /* ReduceLROnPlateau's */

/* From `from` to `to` along half a cosine. */
static double anneal(double from, double to, double done)
{
    return to + (from - to) / 2 * (1 + cos(PI * done));
}

static double cosine(const struct graft_schedule_options *s, double step, double steps)
{
    double round = s->restart > 0 ? (double)s->restart : steps;
    while (s->restart > 0 && step >= round) {
        step -= round;
        round *= s->restart_factor > 0 ? (double)s->restart_factor : 1;
    }
    return anneal(1, s->end, step < round ? step / round : 1);
}

static double one_cycle(const struct graft_schedule_options *s, double step, double steps)
{
    const double top = (s->peak > 0 ? s->peak : 0.3) * steps - 1, end = steps - 1;
    if (step < top)
        return anneal(FIRST, 1, step / top);
    const double begin = top > 0 ? top : 0;
    return anneal(1, LAST, end > begin && step < end ? (step - begin) / (end - begin) : 1);
}

static double falls(const struct graft_schedule_options *s, double step, double steps)
{
    const double gamma = s->gamma > 0 ? s->gamma : 0.1;
    const double epoch = s->epoch > 0 ? (double)s->epoch : 1;
    if (s->period > 0)
        return pow(gamma, floor(floor(step / epoch) / (double)s->period));
    return step < 0.5 * steps ? 1 : step < 0.75 * steps ? gamma : gamma * gamma;
}

double graft_schedule_factor(const struct graft_schedule_options *s, int64_t step)
{
    if (step < s->warmup)
        return (double)(step + 1) / (double)s->warmup;
    const double steps = s->steps > s->warmup ? (double)(s->steps - s->warmup) : 1;
    const double now = (double)(step - s->warmup);
    switch (s->kind) {
    case GRAFT_SCHEDULE_COSINE:
        return cosine(s, now, steps);
    case GRAFT_SCHEDULE_STEP:
        return falls(s, now, steps);
    case GRAFT_SCHEDULE_EXPONENTIAL:
        return pow(s->gamma > 0 ? s->gamma : 0.9, floor(now / (s->epoch > 0 ? (double)s->epoch : 1)));
    case GRAFT_SCHEDULE_ONE_CYCLE:
        return one_cycle(s, now, steps);
    case GRAFT_SCHEDULE_CONSTANT:
    case GRAFT_SCHEDULE_PLATEAU:
        break;
    }
    return 1;
}

double graft_plateau_factor(const double *losses, int epochs, int patience, double gamma)
{
    double best = HUGE_VAL, factor = 1;
    for (int e = 0, bad = 0; e < epochs; e++) {
        const bool better = losses[e] < best * (1 - THRESHOLD);
        best = better ? losses[e] : best;
        bad = better ? 0 : bad + 1;
        if (bad > patience) {
            factor *= gamma;
            bad = 0;
        }
    }
    return factor;
}

bool graft_stops_early(const double *losses, int epochs, int patience, double least)
{
    double best = HUGE_VAL;
    int waited = 0;
    for (int e = 0; e < epochs; e++) {
        const bool better = losses[e] + least < best;
        best = better ? losses[e] : best;
        waited = better ? 0 : waited + 1;
    }
    return patience > 0 && waited >= patience;
}
