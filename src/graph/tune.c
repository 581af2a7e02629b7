/* SPDX-License-Identifier: MIT */
#include "graph/tune.h"

#include "backend/measure.h"
#include "base/context.h"

#include <stdio.h>
#include <string.h>

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

static bool fits(const struct graft_device *device, const struct graft_variant_info *info)
{
    return info->name && strlen(info->name) < GRAFT_TUNING_NAME && graft_variant_fits(device, info);
}

/* Adds the variants that can do the step's call; the reference is no choice beside a fast one. */
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
        if (status != GRAFT_OK || info.emulated || (info.tf32 && !step->node->call.tf32) ||
            !fits(device, &info) || find_candidate(row, info.name) ||
            (row->count > 0 && strcmp(info.name, "reference") == 0))
            continue;
        struct graft_tune_candidate *const candidate = &row->candidates[row->count++];
        candidate->saving = info.saving;
        (void)snprintf(candidate->name, sizeof candidate->name, "%s", info.name);
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
    **row = (struct graft_tune_row){
        .call = call, .op = graft_op_get(step->node->call.op)->name, .taken_back = -1, .is_trusted = true};
    return GRAFT_OK;
}

static enum graft_tune_part part_of(const struct graft_plan *plan, int s)
{
    return graft_chunks_has_step(&plan->chunks, s) ? GRAFT_TUNE_CHUNKS : GRAFT_TUNE_WHOLE;
}

/* Rows of a plan that is seen for the first time: what it took is the usual. */
static enum graft_status look(struct graft_tuner *tuner, const struct graft_plan *plan, bool update)
{
    for (int s = 0; s < plan->n_steps; s++) {
        const struct graft_plan_step *const step = &plan->steps[s];
        const enum graft_tune_part part = part_of(plan, s);
        if (!runs(step, update))
            continue;
        struct graft_tune_row *row = find_row(tuner, step->key);
        const enum graft_status status = row ? GRAFT_OK : add_row(tuner, step, &row);
        if (status != GRAFT_OK)
            return status;
        row->steps++;
        if (row->part_steps[part]++ > 0)
            continue;
        list_candidates(tuner, step, row);
        const struct graft_tune_candidate *const usual = find_candidate(row, step->info.name);
        if (!usual) { /* a name that cannot be kept: nothing to choose */
            row->count = 0;
            continue;
        }
        row->usual[part] = (int)(usual - row->candidates);
        if (row->steps == 1)
            row->plain = row->chosen = row->usual[part];
    }
    return GRAFT_OK;
}

static enum graft_status measure_limits(struct graft_tuner *tuner)
{
    struct graft_device_limits limits;
    const enum graft_status status = graft_device_measure(tuner->device, &limits);
    if (status == GRAFT_OK && tuner->limited)
        graft_measure_merge(&tuner->limits, &limits);
    else if (status == GRAFT_OK)
        tuner->limits = limits;
    tuner->limited = tuner->limited || status == GRAFT_OK;
    return status;
}

/* Times a step with the variant that it runs, and holds the time against the limits. What cannot be is
 * measured once more, and so are the limits: others may use the machine, too. */
static enum graft_status time_step(struct graft_tuner *tuner, struct graft_plan *plan, int s,
                                   struct graft_tune_row *row, struct graft_tune_candidate *candidate)
{
    const enum graft_tune_part part = part_of(plan, s);
    double *const seconds = &candidate->step[part], *const least = &candidate->least[part];
    enum graft_status status = tuner->limited ? GRAFT_OK : measure_limits(tuner);
    for (int attempt = 0; attempt < 2 && status == GRAFT_OK; attempt++) {
        status = graft_plan_time_step(plan, s, seconds);
        *least = graft_plan_least_seconds(plan, s, &tuner->limits, candidate->saving);
        if (status != GRAFT_OK || graft_measure_is_possible(*least, *seconds))
            break;
        if (attempt == 0)
            status = measure_limits(tuner);
        else
            candidate->impossible = true;
    }
    if (status != GRAFT_OK || !candidate->impossible)
        return status;
    row->is_trusted = row->is_trusted && candidate != &row->candidates[row->usual[part]];
    graft_log(plan->context, GRAFT_LOG_REMARK,
              "%s of %s (%s) was measured to take %.3f us, but %s needs %.3f us at least: an error of "
              "measurement, it is not chosen",
              candidate->name, row->op, row->call, 1e6 * *seconds, plan->device->info.id, 1e6 * *least);
    return GRAFT_OK;
}

/* The row's time with a candidate. */
static void sum_parts(const struct graft_tune_row *row, struct graft_tune_candidate *candidate)
{
    candidate->tried = false;
    candidate->seconds = 0;
    for (int part = 0; part < GRAFT_TUNE_PARTS; part++) {
        const struct graft_tune_candidate *const usual = &row->candidates[row->usual[part]];
        const bool is_usual = candidate == &row->candidates[row->plain];
        const double own = is_usual ? usual->step[part] : candidate->step[part];
        candidate->tried = candidate->tried || candidate->step[part] > 0;
        candidate->seconds += row->part_steps[part] * (own > 0 ? own : usual->step[part]);
    }
}

enum graft_status graft_tuner_measure(struct graft_tuner *tuner, struct graft_plan *plan, bool update)
{
    enum graft_status status = tuner->count == 0 ? look(tuner, plan, update) : GRAFT_OK;
    for (int s = 0; s < plan->n_steps && status == GRAFT_OK; s++) {
        const struct graft_plan_step *const step = &plan->steps[s];
        if (!runs(step, update))
            continue;
        struct graft_tune_row *const row = find_row(tuner, step->key);
        struct graft_tune_candidate *const candidate =
            row && row->count > 1 ? find_candidate(row, step->info.name) : NULL;
        if (!candidate || row->part_steps[part_of(plan, s)] == 0 || candidate->step[part_of(plan, s)] > 0)
            continue;
        status = graft_context_cancelled(plan->context) ? GRAFT_ERROR_CANCELLED
                                                        : time_step(tuner, plan, s, row, candidate);
    }
    for (int r = 0; r < tuner->count; r++)
        for (int c = 0; c < tuner->rows[r].count; c++)
            sum_parts(&tuner->rows[r], &tuner->rows[r].candidates[c]);
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

enum graft_status graft_tuner_choose(struct graft_tuner *tuner, const struct graft_tune_row *row,
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
        status = graft_tuner_choose(tuner, &tuner->rows[r], candidate);
    }
    return status;
}

/* The fastest of what can be true. */
static void pick(struct graft_tune_row *row)
{
    const double plain = row->candidates[row->plain].seconds;
    row->chosen = row->plain;
    for (int c = 0; c < row->count && row->is_trusted; c++) {
        const struct graft_tune_candidate *const candidate = &row->candidates[c];
        if (candidate->tried && !candidate->impossible &&
            candidate->seconds < (1 - GRAFT_TUNE_GAIN) * plain &&
            candidate->seconds < row->candidates[row->chosen].seconds)
            row->chosen = c;
    }
}

enum graft_status graft_tuner_finish(struct graft_tuner *tuner, graft_tune_step *step, void *user,
                                     struct graft_tune_proof *proof)
{
    for (int r = 0; r < tuner->count; r++)
        pick(&tuner->rows[r]);
    enum graft_status status = graft_tuner_prove(tuner, step, user, proof);
    give_back(tuner);
    for (int r = 0; r < tuner->count && status == GRAFT_OK; r++) {
        struct graft_tune_row *const row = &tuner->rows[r];
        if (row->count > 1)
            status = graft_tuner_choose(tuner, row, &row->candidates[row->chosen]);
    }
    return status == GRAFT_OK ? graft_tuning_save(tuner->device) : status;
}
