/* SPDX-License-Identifier: MIT */
/* Whether the features of what is frozen are kept: what is asked for, what varies, and what it costs. */
#include "base/clock.h"
#include "base/context.h"
#include "data/mix.h"
#include "train/rates.h"
#include "train/share.h"

#include <string.h>

static bool asked(const struct graft_fit_job *job, const char *how)
{
    return strcmp(job->options.cache, how) == 0;
}

/* The option by which pictures change from epoch to epoch; NULL: they stay as they are. */
static const char *varies(const struct graft_fit_job *job)
{
    return job->varied.count > 0 || graft_mixes(&job->mix) ? "--augment"
           : job->options.adversarial > 0                  ? "--adversarial"
                                                           : NULL;
}

/* The stage of the network that features enter where layers from `first` on learn; NULL: nothing is frozen.
 */
static const char *cut_before(const struct graft_fit_job *job, int first)
{
    const int stage = job->whole->layers[first].stage;
    return stage > 0 ? job->whole->stages[stage].name : NULL;
}

enum graft_status graft_fit_check_cache(struct graft_fit_job *job)
{
    const struct graft_recipe *const o = &job->options;
    const char *const cause = varies(job);
    bool frozen = false;
    if (!asked(job, "always"))
        return GRAFT_OK;
    if (cause)
        return graft_fail(
            job->context, GRAFT_ERROR_ARGUMENT,
            "--cache always keeps features, and with %s each epoch has others: leave one of them out", cause);
    for (int s = 0; s < o->stage_count && !frozen; s++) {
        struct graft_fit_rates rates;
        const enum graft_status status = graft_fit_rates_open(job, s, &rates);
        if (status != GRAFT_OK)
            return status;
        frozen = cut_before(job, rates.first) != NULL;
        graft_fit_rates_close(job, &rates);
    }
    return frozen ? GRAFT_OK
                  : graft_fail(job->context, GRAFT_ERROR_ARGUMENT,
                               "--cache always keeps features of what is frozen, and all of %s learns from "
                               "the first stage "
                               "of --stages on: leave it out, or begin with --stages head",
                               job->card.network);
}

static void say_anew(const struct graft_fit_job *job, const char *cut, const char *why)
{
    const int64_t train = graft_dataset_count(job->dataset, GRAFT_SPLIT_TRAIN);
    const int64_t val = job->search ? 0 : graft_dataset_count(job->dataset, GRAFT_SPLIT_VAL);
    graft_log(job->context, GRAFT_LOG_REMARK,
              "features before %s: computed anew (--cache %s), as %s: in each epoch %lld pictures go through "
              "the whole network",
              cut, job->options.cache, why, (long long)(train + val));
}

static void say_kept(const struct graft_fit_job *job, const char *cut, double seconds)
{
    int64_t pictures = 0;
    uint64_t bytes = 0;
    for (int s = 0; s < GRAFT_SPLIT_COUNT; s++) {
        pictures += job->features[s].count;
        bytes += (uint64_t)job->features[s].count * job->features[s].row_bytes;
    }
    graft_log(job->context, GRAFT_LOG_REMARK,
              "features before %s: kept (--cache %s), as nothing varies: %lld pictures went through it once, "
              "in %.1f s; %.1f MiB",
              cut, job->options.cache, (long long)pictures, seconds, (double)bytes / 1048576);
}

enum graft_status graft_fit_cache(struct graft_fit_job *job, int first, const char **cut)
{
    const char *const here = cut_before(job, first);
    const char *const cause = varies(job);
    const char *const held = job->features[GRAFT_SPLIT_TRAIN].cut;
    const bool already = here && held && strcmp(here, held) == 0;
    bool kept = here && !cause && !asked(job, "never");
    const double begin = graft_seconds();
    enum graft_status status = GRAFT_OK;
    if (kept)
        status = graft_features_prepare(job, here, &kept);
    if (status == GRAFT_OK && here && cause)
        say_anew(job, here,
                 strcmp(cause, "--augment") == 0 ? "--augment varies the pictures"
                                                 : "--adversarial changes the pictures");
    else if (status == GRAFT_OK && here && asked(job, "never"))
        say_anew(job, here, "it is asked for");
    else if (status == GRAFT_OK && kept && !already)
        say_kept(job, here, graft_seconds() - begin);
    for (int s = 0; s < GRAFT_SPLIT_COUNT && !kept; s++)
        graft_features_close(job->context, &job->features[s]);
    *cut = kept ? here : NULL;
    return status;
}
