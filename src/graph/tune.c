/* SPDX-License-Identifier: MIT */
#include "graph/tune.h"

#include "base/clock.h"
#include "base/context.h"
#include "graph/memory.h"

#include <stdio.h>
#include <string.h>

#define LEAST_ROUNDS 2
#define MOST_ROUNDS 8
#define SECONDS 0.5 /* of the rounds of a trial, about */
#define HOPELESS 5.0 /* times as long as the usual variant: not tried on larger shapes */

enum graft_status graft_tuner_open(struct graft_device *device, struct graft_tuner *tuner)
{
    *tuner = (struct graft_tuner){0};
    const enum graft_status status = graft_tuning_open(device);
    if (status != GRAFT_OK)
        return status;
    if (!device->tuning)
        return graft_fail(device->context, GRAFT_ERROR_UNSUPPORTED,
                          "%s has one kernel for each op: there is nothing to choose", device->info.id);
    struct graft_tuning *const empty = graft_allocate(device->context, 1, sizeof *empty);
    if (!empty)
        return GRAFT_ERROR_MEMORY;
    empty->told = true;
    tuner->device = device;
    tuner->kept = device->tuning;
    device->tuning = empty;
    return GRAFT_OK;
}

static void give_back(struct graft_tuner *tuner)
{
    if (!tuner->kept)
        return;
    graft_tuning_close(tuner->device);
    tuner->device->tuning = tuner->kept;
    tuner->kept = NULL;
}

void graft_tuner_close(struct graft_tuner *tuner)
{
    if (!tuner->device)
        return;
    give_back(tuner);
    for (int r = 0; r < tuner->count; r++)
        graft_release(tuner->device->context, tuner->rows[r].call);
    graft_release(tuner->device->context, tuner->rows);
    *tuner = (struct graft_tuner){0};
}

static struct graft_tune_row *find_row(const struct graft_tuner *tuner, const char *call)
{
    for (int r = 0; r < tuner->count; r++)
        if (strcmp(tuner->rows[r].call, call) == 0)
            return &tuner->rows[r];
    return NULL;
}

/* The variants that can do the step's call; the reference is no choice beside a fast one. */
static void list_candidates(const struct graft_tuner *tuner, const struct graft_plan_step *step,
                            struct graft_tune_row *row)
{
    struct graft_device *const device = tuner->device;
    struct graft_kept_error before;
    graft_keep_error(device->context, &before);
    for (int number = 0; row->count < GRAFT_TUNE_VARIANTS; number++) {
        struct graft_variant_info info = {0};
        const enum graft_status status = device->backend->check(device, &step->node->call, number, &info);
        if (status != GRAFT_OK && status != GRAFT_ERROR_UNSUPPORTED)
            break;
        if (status == GRAFT_OK && info.name && strlen(info.name) < GRAFT_TUNING_NAME &&
            (row->count == 0 || strcmp(info.name, "reference") != 0) &&
            info.workspace_bytes <= device->info.max_allocation_bytes &&
            info.prepared_bytes <= device->info.max_allocation_bytes)
            (void)snprintf(row->candidates[row->count++].name, GRAFT_TUNING_NAME, "%s", info.name);
    }
    graft_restore_error(device->context, &before);
}

static enum graft_status add_row(struct graft_tuner *tuner, const struct graft_plan_step *step,
                                 struct graft_tune_row **row)
{
    struct graft_context *const context = tuner->device->context;
    struct graft_tune_row *const rows =
        graft_reallocate(context, tuner->rows, (size_t)tuner->count, (size_t)tuner->count + 1, sizeof *rows);
    if (!rows)
        return GRAFT_ERROR_MEMORY;
    tuner->rows = rows;
    char *const call = graft_duplicate_text(context, step->key);
    if (!call)
        return GRAFT_ERROR_MEMORY;
    *row = &rows[tuner->count++];
    (*row)->call = call;
    (*row)->op = graft_op_get(step->node->call.op)->name;
    list_candidates(tuner, step, *row);
    return GRAFT_OK;
}

static bool runs(const struct graft_plan_step *step, bool update)
{
    return step->kernel && !step->node->once && (update || step->node->segment == GRAFT_SEGMENT_COMPUTE);
}

static struct graft_tune_candidate *find_candidate(struct graft_tune_row *row, const char *name)
{
    for (int c = 0; c < row->count; c++)
        if (strcmp(row->candidates[c].name, name) == 0)
            return &row->candidates[c];
    return NULL;
}

/* Rows of a plan that is seen for the first time: what it took is the usual. */
static enum graft_status look(struct graft_tuner *tuner, const struct graft_plan *plan, bool update)
{
    enum graft_status status = GRAFT_OK;
    for (int s = 0; s < plan->n_steps && status == GRAFT_OK; s++) {
        const struct graft_plan_step *const step = &plan->steps[s];
        if (!runs(step, update))
            continue;
        struct graft_tune_row *row = find_row(tuner, step->key);
        if (!row)
            status = add_row(tuner, step, &row);
        if (status != GRAFT_OK)
            break;
        row->steps++;
        for (int c = 0; c < row->count; c++)
            if (strcmp(row->candidates[c].name, step->info.name) == 0)
                row->plain = row->chosen = c;
    }
    return status;
}

/* Adds up what the steps of each row took in this round, as long as all of them ran the same variant. */
static void note_round(struct graft_tuner *tuner, const struct graft_plan *plan, bool update)
{
    for (int r = 0; r < tuner->count; r++) {
        struct graft_tune_row *const row = &tuner->rows[r];
        struct graft_tune_candidate *candidate = NULL;
        double seconds = 0;
        for (int s = 0; s < plan->n_steps && row->count > 1; s++) {
            const struct graft_plan_step *const step = &plan->steps[s];
            if (!runs(step, update) || strcmp(step->key, row->call) != 0)
                continue;
            candidate = find_candidate(row, step->info.name);
            seconds += step->seconds;
        }
        if (candidate && (!candidate->tried || seconds < candidate->seconds)) {
            candidate->tried = true;
            candidate->seconds = seconds;
        }
    }
}

enum graft_status graft_tuner_measure(struct graft_tuner *tuner, struct graft_plan *plan, bool update)
{
    const double begin = graft_seconds();
    enum graft_status status = tuner->count == 0 ? look(tuner, plan, update) : GRAFT_OK;
    for (int round = 0; round < MOST_ROUNDS && status == GRAFT_OK; round++) {
        if (round >= LEAST_ROUNDS && graft_seconds() - begin > SECONDS)
            break;
        if (graft_context_cancelled(plan->context))
            return GRAFT_ERROR_CANCELLED;
        status = graft_plan_profile(plan, GRAFT_SEGMENT_COMPUTE);
        if (status == GRAFT_OK && update)
            status = graft_plan_profile(plan, GRAFT_SEGMENT_UPDATE);
        if (status == GRAFT_OK)
            note_round(tuner, plan, update);
    }
    return status;
}

/* Has the variant been tried for the op, and how did it do at best: times as long as the usual one? */
static bool was_tried(const struct graft_tuner *tuner, const char *op, const char *name, double *times)
{
    bool tried = false;
    for (int r = 0; r < tuner->count; r++) {
        struct graft_tune_row *const row = &tuner->rows[r];
        const struct graft_tune_candidate *const candidate =
            strcmp(row->op, op) == 0 ? find_candidate(row, name) : NULL;
        if (!candidate || !candidate->tried || candidate == &row->candidates[row->plain])
            continue;
        const double plain = row->candidates[row->plain].seconds;
        const double now_times = plain > 0 ? candidate->seconds / plain : 1;
        *times = tried && *times < now_times ? *times : now_times;
        tried = true;
    }
    return tried;
}

/* Is the row the cheapest of its op that can try the variant? */
static bool is_cheapest(const struct graft_tuner *tuner, const struct graft_tune_row *row, const char *name)
{
    for (int r = 0; r < tuner->count; r++) {
        struct graft_tune_row *const other = &tuner->rows[r];
        const double mine = row->candidates[row->plain].seconds;
        const double theirs = other->candidates[other->plain].seconds;
        if (other == row || strcmp(other->op, row->op) != 0 || !find_candidate(other, name) ||
            strcmp(other->candidates[other->plain].name, name) == 0)
            continue;
        if (theirs < mine || (theirs == mine && other < row))
            return false;
    }
    return true;
}

static enum graft_status choose(struct graft_tuner *tuner, const struct graft_tune_row *row,
                                const struct graft_tune_candidate *candidate)
{
    const struct graft_tune_candidate *const plain = &row->candidates[row->plain];
    struct graft_tuning_choice choice = {
        .call = row->call, .seconds = candidate->seconds, .plain_seconds = plain->seconds};
    (void)snprintf(choice.variant, sizeof choice.variant, "%s", candidate->name);
    (void)snprintf(choice.plain, sizeof choice.plain, "%s", plain->name);
    return graft_tuning_set(tuner->device, &choice);
}

/* What the row can try next: what did well on a shape of its op, or what nobody has tried. */
static struct graft_tune_candidate *find_untried(const struct graft_tuner *tuner, struct graft_tune_row *row)
{
    for (int c = 0; c < row->count; c++) {
        struct graft_tune_candidate *const candidate = &row->candidates[c];
        double times = 0;
        if (candidate->asked || candidate->tried)
            continue;
        if (was_tried(tuner, row->op, candidate->name, &times) ? times <= HOPELESS
                                                               : is_cheapest(tuner, row, candidate->name))
            return candidate;
    }
    return NULL;
}

enum graft_status graft_tuner_next(struct graft_tuner *tuner, bool *more)
{
    enum graft_status status = GRAFT_OK;
    *more = false;
    for (int r = 0; r < tuner->count && status == GRAFT_OK; r++) {
        struct graft_tune_candidate *const candidate = find_untried(tuner, &tuner->rows[r]);
        graft_tuning_remove(tuner->device, tuner->rows[r].call);
        if (!candidate)
            continue;
        candidate->asked = true;
        *more = true;
        status = choose(tuner, &tuner->rows[r], candidate);
    }
    return status;
}

enum graft_status graft_tuner_finish(struct graft_tuner *tuner)
{
    enum graft_status status = GRAFT_OK;
    give_back(tuner);
    for (int r = 0; r < tuner->count && status == GRAFT_OK; r++) {
        struct graft_tune_row *const row = &tuner->rows[r];
        if (row->count < 2)
            continue;
        const double plain = row->candidates[row->plain].seconds;
        row->chosen = row->plain;
        for (int c = 0; c < row->count; c++) {
            const struct graft_tune_candidate *const candidate = &row->candidates[c];
            if (candidate->tried && candidate->seconds < (1 - GRAFT_TUNE_GAIN) * plain &&
                candidate->seconds < row->candidates[row->chosen].seconds)
                row->chosen = c;
        }
        status = choose(tuner, row, &row->candidates[row->chosen]);
    }
    return status == GRAFT_OK ? graft_tuning_save(tuner->device) : status;
}
