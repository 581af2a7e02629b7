/* SPDX-License-Identifier: MIT */
/* A session that several ranks share (job->ranks): see share.c. All but graft_fit_writes and graft_fit_parts are for all
 * ranks at the same time. */
#ifndef GRAFT_SRC_TRAIN_SHARE_H
#define GRAFT_SRC_TRAIN_SHARE_H

#include "ranks/ranks.h"
#include "train/fit.h"

/* Whether this rank has the run folder. */
static inline bool graft_fit_writes(const struct graft_fit_job *job)
{
    return graft_ranks_number(job->ranks) == 0;
}

/* How many ranks share so many pictures that come in their order; where there are fewer pictures than ranks, all take all. */
static inline int graft_fit_parts(const struct graft_fit_job *job, int64_t pictures)
{
    const int count = graft_ranks_count(job->ranks);
    return pictures < count ? 1 : count;
}

/* Data, recipe and version must be the same everywhere. GRAFT_ERROR_ARGUMENT. */
GRAFT_MUST_CHECK enum graft_status graft_fit_check_ranks(const struct graft_fit_job *job);

/* From the first rank to all. Text: a copy, which the caller releases. */
GRAFT_MUST_CHECK enum graft_status graft_fit_spread(const struct graft_fit_job *job, void *data, uint64_t bytes);
GRAFT_MUST_CHECK enum graft_status graft_fit_spread_text(const struct graft_fit_job *job, const char *text, char **here);
GRAFT_MUST_CHECK enum graft_status graft_fit_spread_variables(struct graft_fit_job *job);
/* Position and history. */
GRAFT_MUST_CHECK enum graft_status graft_fit_spread_position(struct graft_fit_job *job);

/* What all ranks' parts of a batch come to, for the trainer. GRAFT_ERROR_CANCELLED: some rank `stops`. */
struct graft_step;
GRAFT_MUST_CHECK enum graft_status graft_fit_share_step(struct graft_fit_job *job, struct graft_fit_learning *learning,
                                                        const struct graft_step *step, int64_t batch, bool stops);
/* *yes on all ranks, or on none. */
GRAFT_MUST_CHECK enum graft_status graft_fit_agree(const struct graft_fit_job *job, bool *yes);

/* What this rank makes of its part of the pictures that come in their order, a row each. */
struct graft_fit_rows {
    bool shared; /* else rows need not be kept */
    uint64_t row_bytes;
    int64_t count;
    char *values;
    int32_t *samples; /* of the part of the data */
};
typedef void graft_fit_rows_function(void *user, const void *values, int32_t sample);
GRAFT_MUST_CHECK enum graft_status graft_fit_rows_open(const struct graft_fit_job *job, enum graft_split split,
                                                       uint64_t row_bytes, struct graft_fit_rows *rows);
void graft_fit_rows_close(const struct graft_fit_job *job, struct graft_fit_rows *rows);
void graft_fit_rows_add(struct graft_fit_rows *rows, const void *values, int32_t sample);
/* Hands all ranks' rows to `take`, in the order of the pictures. */
GRAFT_MUST_CHECK enum graft_status graft_fit_rows_share(const struct graft_fit_job *job, struct graft_fit_rows *rows,
                                                        graft_fit_rows_function *take, void *user);

#endif
