/* SPDX-License-Identifier: MIT */
/* Whether the choices that looked good one by one make the whole step faster. */
#include "base/clock.h"
#include "base/context.h"
#include "graph/tune.h"

#include <math.h>

#define TURNS 2           /* of a race */
#define MOST_SECONDS 300. /* of taking back one by one; then all is taken back */

struct proof {
    struct graft_tuner *tuner;
    graft_tune_step *step;
    void *user;
    double deadline;
};

static bool is_choice(const struct graft_tune_row *row)
{
    return row->count > 1 && row->chosen != row->plain;
}

static int count_choices(const struct graft_tuner *tuner)
{
    int count = 0;
    for (int r = 0; r < tuner->count; r++)
        count += is_choice(&tuner->rows[r]);
    return count;
}

/* Seconds of a step with the choices of the rows, or with none. */
static enum graft_status time_with(const struct proof *proof, bool choices, double *seconds)
{
    struct graft_tuner *const tuner = proof->tuner;
    enum graft_status status =
        graft_context_cancelled(tuner->device->context) ? GRAFT_ERROR_CANCELLED : GRAFT_OK;
    for (int r = 0; r < tuner->count && status == GRAFT_OK; r++) {
        const struct graft_tune_row *const row = &tuner->rows[r];
        graft_tuning_remove(tuner->device, row->call);
        if (choices && is_choice(row))
            status = graft_tuner_choose(tuner, row, &row->candidates[row->chosen]);
    }
    return status == GRAFT_OK ? proof->step(proof->user, seconds) : status;
}

/* In turns, so that a machine that slows down slows both; the best of each counts. */
static enum graft_status race(const struct proof *proof, double *plain, double *chosen)
{
    enum graft_status status = GRAFT_OK;
    for (int turn = 0; turn < TURNS && status == GRAFT_OK; turn++) {
        double without = 0, with = 0;
        status = time_with(proof, false, &without);
        if (status == GRAFT_OK)
            status = time_with(proof, true, &with);
        *plain = turn == 0 ? without : fmin(*plain, without);
        *chosen = turn == 0 ? with : fmin(*chosen, with);
    }
    return status;
}

static bool is_faster(double seconds, double plain)
{
    return seconds < (1 - GRAFT_TUNE_STEP_GAIN) * plain;
}

/* What a choice promises. */
static double promise(const struct graft_tune_row *row)
{
    return row->candidates[row->plain].seconds - row->candidates[row->chosen].seconds;
}

static void take_back(struct graft_tune_row *row)
{
    row->taken_back = row->chosen;
    row->chosen = row->plain;
}

static void take_all_back(const struct graft_tuner *tuner)
{
    for (int r = 0; r < tuner->count; r++)
        if (is_choice(&tuner->rows[r]))
            take_back(&tuner->rows[r]);
}

/* One choice after the other, the one that promises most first: whatever lies most does most harm. Where the
 * step without it is not slower, it stays taken back. `seconds`: of the step with all; then with what is
 * left. */
static enum graft_status take_back_one_by_one(const struct proof *proof, double plain, double *seconds)
{
    struct graft_tuner *const tuner = proof->tuner;
    while (!is_faster(*seconds, plain) && graft_seconds() < proof->deadline) {
        struct graft_tune_row *next = NULL;
        for (int r = 0; r < tuner->count; r++) {
            struct graft_tune_row *const row = &tuner->rows[r];
            if (is_choice(row) && !row->proven && (!next || promise(row) > promise(next)))
                next = row;
        }
        if (!next)
            break;
        double without = 0;
        next->proven = true;
        take_back(next);
        const enum graft_status status = time_with(proof, true, &without);
        if (status != GRAFT_OK)
            return status;
        if (without > *seconds) { /* it does help */
            next->chosen = next->taken_back;
            next->taken_back = -1;
        } else {
            *seconds = without;
        }
    }
    return GRAFT_OK;
}

enum graft_status graft_tuner_prove(struct graft_tuner *tuner, graft_tune_step *step, void *user,
                                    struct graft_tune_proof *result)
{
    const struct proof proof = {tuner, step, user, graft_seconds() + MOST_SECONDS};
    *result = (struct graft_tune_proof){.wanted = count_choices(tuner)};
    if (result->wanted == 0)
        return GRAFT_OK;
    enum graft_status status = race(&proof, &result->plain_seconds, &result->seconds);
    if (status != GRAFT_OK)
        return status;
    if (!is_faster(result->seconds, result->plain_seconds)) {
        status = take_back_one_by_one(&proof, result->plain_seconds, &result->seconds);
        /* The best of many times is lucky: what is left has to win once more. */
        if (status == GRAFT_OK && count_choices(tuner) > 0)
            status = race(&proof, &result->plain_seconds, &result->seconds);
        if (!is_faster(result->seconds, result->plain_seconds))
            take_all_back(tuner);
    }
    result->kept = count_choices(tuner);
    if (result->kept == 0)
        result->seconds = result->plain_seconds;
    return status;
}
