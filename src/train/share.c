/* SPDX-License-Identifier: MIT */
/*
 * A session that several ranks share: all of them do the same, each with its part of the data. The first one has the run
 * folder; whatever decides how it goes on comes out the same on all.
 */
#include "base/context.h"
#include "base/random.h"
#include "base/size.h"
#include "data/order.h"
#include "train/share.h"
#include "train/trainer.h"

#include <string.h>

#define MOST_AT_ONCE (UINT64_C(16) << 20) /* bytes of a message that is not asked back */

/* ---- is it the same job? ---- */

/* What may differ from machine to machine. */
static bool may_differ(const char *name)
{
    static const char *const names[] = {"data", "val", "weights", "archive_limit", "memory_limit", "device", "threads"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* What ranks have in common, as numbers. */
struct identity {
    uint64_t version;
    uint64_t rows[2][GRAFT_RECIPE_ROWS]; /* as they were given, and as they came out */
    uint64_t data[GRAFT_SPLIT_COUNT];
};

static void identify(const struct graft_fit_job *job, struct identity *identity)
{
    const struct graft_recipe_row *row;
    char text[1024];
    *identity = (struct identity){.version = graft_hash_text(GRAFT_VERSION) + sizeof(struct graft_run_position)};
    for (int r = 0; (row = graft_recipe_row(r)) != NULL; r++)
        for (int k = 0; k < 2 && !may_differ(row->name); k++)
            identity->rows[k][r] =
                graft_hash_text(graft_recipe_get(k == 0 ? &job->call.recipe : &job->options, r, text, sizeof text));
    for (int s = 0; s < GRAFT_SPLIT_COUNT; s++)
        identity->data[s] = graft_hash_text(job->fingerprints[s]);
}

static enum graft_status compare(const struct graft_fit_job *job, const struct identity *first,
                                 const struct identity *other, int rank)
{
    char text[256];
    if (other->version != first->version)
        return graft_fail(job->context, GRAFT_ERROR_ARGUMENT, "rank %d is of another version of Graft than rank 0", rank);
    for (int s = 0; s < GRAFT_SPLIT_COUNT; s++)
        if (other->data[s] != first->data[s])
            return graft_fail(job->context, GRAFT_ERROR_ARGUMENT,
                              "rank %d has other %s pictures than rank 0 (names, sizes or classes): all ranks need the "
                              "same data",
                              rank, graft_split_name((enum graft_split)s));
    for (int i = 0; i < 2 * GRAFT_RECIPE_ROWS; i++) {
        const int r = i % GRAFT_RECIPE_ROWS, k = i / GRAFT_RECIPE_ROWS;
        if (other->rows[k][r] != first->rows[k][r])
            return graft_fail(job->context, GRAFT_ERROR_ARGUMENT,
                              "rank %d trains with another %s than rank 0 (here: \"%s\"): give all ranks the same options",
                              rank, graft_recipe_row(r)->flag,
                              graft_recipe_get(k == 0 ? &job->call.recipe : &job->options, r, text, sizeof text));
    }
    return GRAFT_OK;
}

enum graft_status graft_fit_check_ranks(const struct graft_fit_job *job)
{
    struct identity mine;
    if (!job->ranks)
        return GRAFT_OK;
    const int count = graft_ranks_count(job->ranks);
    if (job->options.batch < count)
        return graft_fail(job->context, GRAFT_ERROR_ARGUMENT,
                          "a batch of %lld pictures cannot be shared by %d ranks: give a larger --batch, or start fewer",
                          (long long)job->options.batch, count);
    struct identity *const all = graft_allocate(job->context, (size_t)count, sizeof *all);
    if (!all)
        return GRAFT_ERROR_MEMORY;
    identify(job, &mine);
    enum graft_status status = graft_ranks_gather(job->ranks, &mine, all, sizeof mine);
    for (int r = 1; r < count && status == GRAFT_OK; r++)
        status = compare(job, &all[0], &all[r], r);
    graft_release(job->context, all);
    return status;
}

/* ---- what the first rank knows ---- */

enum graft_status graft_fit_spread(const struct graft_fit_job *job, void *data, uint64_t bytes)
{
    enum graft_status status = GRAFT_OK;
    for (uint64_t at = 0; at < bytes && status == GRAFT_OK && job->ranks; at += MOST_AT_ONCE)
        status = graft_ranks_broadcast(job->ranks, 0, (char *)data + at, graft_min_u64(MOST_AT_ONCE, bytes - at));
    return status;
}

enum graft_status graft_fit_spread_text(const struct graft_fit_job *job, const char *text, char **here)
{
    uint64_t bytes = text ? strlen(text) + 1 : 0;
    enum graft_status status = graft_fit_spread(job, &bytes, sizeof bytes);
    *here = status == GRAFT_OK ? graft_allocate(job->context, (size_t)bytes + 1, 1) : NULL;
    if (status == GRAFT_OK && !*here)
        status = GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK && text)
        memcpy(*here, text, (size_t)bytes);
    return status == GRAFT_OK ? graft_fit_spread(job, *here, bytes) : status;
}

/* A variable on its way. */
struct label {
    char name[GRAFT_MODEL_NAME_SIZE + 32];
    uint64_t bytes;
};

static enum graft_status spread_variable(struct graft_fit_job *job, const struct label *label)
{
    void *const data = graft_allocate_raw(job->context, 1, (size_t)label->bytes);
    if (!data)
        return GRAFT_ERROR_MEMORY;
    enum graft_status status = graft_fit_writes(job)
                                   ? graft_variables_read(job->variables, label->name, data, label->bytes)
                                   : GRAFT_OK;
    if (status == GRAFT_OK)
        status = graft_fit_spread(job, data, label->bytes);
    bool known = false; /* optimizer state of a stage that is over may not be */
    const char *name;
    for (int k = 0; !known && (name = graft_variables_at(job->variables, k, NULL, NULL)); k++)
        known = strcmp(name, label->name) == 0;
    if (status == GRAFT_OK && known && !graft_fit_writes(job))
        status = graft_variables_write(job->variables, label->name, data, label->bytes);
    graft_release(job->context, data);
    return status;
}

enum graft_status graft_fit_spread_variables(struct graft_fit_job *job)
{
    enum graft_status status = GRAFT_OK;
    for (int i = 0; status == GRAFT_OK && job->ranks; i++) {
        struct label label = {.bytes = 0};
        struct graft_desc desc;
        const char *const name = graft_fit_writes(job) ? graft_variables_at(job->variables, i, &desc, NULL) : NULL;
        if (name) {
            (void)snprintf(label.name, sizeof label.name, "%s", name);
            label.bytes = graft_desc_bytes(&desc);
        }
        status = graft_fit_spread(job, &label, sizeof label);
        if (status != GRAFT_OK || !label.name[0])
            break;
        status = spread_variable(job, &label);
    }
    return status;
}

enum graft_status graft_fit_spread_position(struct graft_fit_job *job)
{
    struct graft_run_history *const history = &job->run->history;
    int count = history->count;
    enum graft_status status = graft_fit_spread(job, &job->position, sizeof job->position);
    if (status == GRAFT_OK)
        status = graft_fit_spread(job, &count, sizeof count);
    for (int e = 0; e < count && status == GRAFT_OK; e++) {
        struct graft_run_epoch epoch = {0};
        if (e < history->count)
            epoch = history->epochs[e];
        status = graft_fit_spread(job, &epoch, sizeof epoch);
        if (status == GRAFT_OK && e == history->count)
            status = graft_run_history_add(job->context, history, &epoch);
    }
    return status;
}

/* ---- a step ---- */

enum graft_status graft_fit_share_step(struct graft_fit_job *job, struct graft_fit_learning *learning,
                                       const struct graft_step *step, int64_t batch, bool stops)
{
    struct part {
        int64_t valid, batch;
        double divisor;
        int64_t stops;
    };
    struct graft_trainer_whole *const whole = &learning->trainer->whole;
    const int count = graft_ranks_count(job->ranks), rank = graft_ranks_number(job->ranks);
    const struct part mine = {step->valid, batch,
                              stops ? 0 : graft_trainer_divisor(learning->trainer, step), stops};
    struct part *const all = graft_allocate(job->context, (size_t)count, sizeof *all);
    if (!all)
        return GRAFT_ERROR_MEMORY;
    enum graft_status status = graft_ranks_gather(job->ranks, &mine, all, sizeof mine);
    *whole = (struct graft_trainer_whole){0};
    for (int r = 0; r < count && status == GRAFT_OK; r++) {
        if (all[r].stops)
            status = graft_fail(job->context, GRAFT_ERROR_CANCELLED, "cancelled in epoch %d",
                                learning->epochs_before + job->position.epoch + 1);
        else if (!stops && all[r].batch != batch)
            status = graft_fail(job->context, GRAFT_ERROR_ARGUMENT, "rank %d is at batch %lld, rank %d at %lld", r,
                                (long long)all[r].batch, rank, (long long)batch);
        whole->before += r < rank ? all[r].valid : 0;
        whole->valid += all[r].valid;
        whole->divisor += all[r].divisor;
    }
    graft_release(job->context, all);
    return status;
}

enum graft_status graft_fit_agree(const struct graft_fit_job *job, bool *yes)
{
    if (!job->ranks)
        return GRAFT_OK;
    const char mine = *yes;
    const int count = graft_ranks_count(job->ranks);
    char *const all = graft_allocate(job->context, (size_t)count, 1);
    const enum graft_status status = all ? graft_ranks_gather(job->ranks, &mine, all, 1) : GRAFT_ERROR_MEMORY;
    for (int r = 0; r < count && status == GRAFT_OK; r++)
        *yes = *yes && all[r];
    graft_release(job->context, all);
    return status;
}

/* ---- rows of a part of the data ---- */

enum graft_status graft_fit_rows_open(const struct graft_fit_job *job, enum graft_split split, uint64_t row_bytes,
                                      struct graft_fit_rows *rows)
{
    int64_t first;
    const int parts = graft_fit_parts(job, graft_dataset_count(job->dataset, split));
    const int64_t count = graft_part_of(graft_dataset_count(job->dataset, split), graft_ranks_number(job->ranks) % parts,
                                        parts, &first);
    *rows = (struct graft_fit_rows){.row_bytes = row_bytes, .shared = parts > 1};
    if (!rows->shared)
        return GRAFT_OK;
    rows->values = graft_allocate_raw(job->context, (size_t)count, (size_t)row_bytes);
    rows->samples = graft_allocate(job->context, (size_t)count, sizeof *rows->samples);
    return rows->values && rows->samples ? GRAFT_OK : GRAFT_ERROR_MEMORY;
}

void graft_fit_rows_close(const struct graft_fit_job *job, struct graft_fit_rows *rows)
{
    graft_release(job->context, rows->values);
    graft_release(job->context, rows->samples);
    *rows = (struct graft_fit_rows){0};
}

void graft_fit_rows_add(struct graft_fit_rows *rows, const void *values, int32_t sample)
{
    memcpy(rows->values + (uint64_t)rows->count * rows->row_bytes, values, (size_t)rows->row_bytes);
    rows->samples[rows->count++] = sample;
}

/* The rows of one rank, some at a time, to all. */
static enum graft_status pass(const struct graft_fit_job *job, int rank, const struct graft_fit_rows *rows, int64_t count,
                              char *values, int32_t *samples, int64_t most, graft_fit_rows_function *take, void *user)
{
    const bool own = rank == graft_ranks_number(job->ranks);
    enum graft_status status = GRAFT_OK;
    for (int64_t at = 0; at < count && status == GRAFT_OK; at += most) {
        const int64_t here = graft_min_i64(most, count - at);
        char *const data = own ? rows->values + (uint64_t)at * rows->row_bytes : values;
        int32_t *const names = own ? rows->samples + at : samples;
        status = graft_ranks_broadcast(job->ranks, rank, data, (uint64_t)here * rows->row_bytes);
        if (status == GRAFT_OK)
            status = graft_ranks_broadcast(job->ranks, rank, names, (uint64_t)here * sizeof *names);
        for (int64_t i = 0; i < here && status == GRAFT_OK; i++)
            take(user, data + (uint64_t)i * rows->row_bytes, names[i]);
    }
    return status;
}

enum graft_status graft_fit_rows_share(const struct graft_fit_job *job, struct graft_fit_rows *rows,
                                       graft_fit_rows_function *take, void *user)
{
    if (!rows->shared)
        return GRAFT_OK;
    const int ranks = graft_ranks_count(job->ranks);
    const int64_t most = graft_max_i64(1, (int64_t)(MOST_AT_ONCE / 4 / graft_max_u64(1, rows->row_bytes)));
    int64_t *const counts = graft_allocate(job->context, (size_t)ranks, sizeof *counts);
    char *const values = graft_allocate_raw(job->context, (size_t)most, (size_t)rows->row_bytes);
    int32_t *const samples = graft_allocate(job->context, (size_t)most, sizeof *samples);
    enum graft_status status = counts && values && samples ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK)
        status = graft_ranks_gather(job->ranks, &rows->count, counts, sizeof *counts);
    for (int r = 0; r < ranks && status == GRAFT_OK; r++)
        status = pass(job, r, rows, counts[r], values, samples, most, take, user);
    graft_release(job->context, counts);
    graft_release(job->context, values);
    graft_release(job->context, samples);
    return status;
}
