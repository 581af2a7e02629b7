/* SPDX-License-Identifier: MIT */
/*
 * Several ranks make one step: their gradients lie in one range of memory, which is added up piece by piece while the
 * rest of them is computed. What is sent when depends on sizes alone, so that all ranks do the same; who is fast decides
 * nothing but the time.
 */
#include "base/context.h"
#include "base/size.h"
#include "graph/plan.h"
#include "train/trainer.h"

#include <string.h>

#define PIECE (UINT64_C(4) << 20)

/* Running statistics of normalization that learns: each rank's are of its own rows. */
static const struct graft_variable *statistic_at(const struct graft_trainer *trainer, int parameter)
{
    const struct graft_model_parameter *const p = &trainer->model->parameters[parameter];
    return trainer->statistics && p->state ? graft_variables_find(trainer->variables, p->name) : NULL;
}

/* Plans of the same network must have put their sums in the same places. */
static enum graft_status check_layout(struct graft_trainer *trainer)
{
    const uint64_t mine = graft_plan_sum_layout(trainer->part.plan);
    const int count = graft_ranks_count(trainer->ranks);
    uint64_t *const all = graft_allocate(trainer->context, (size_t)count, sizeof *all);
    enum graft_status status = all ? graft_ranks_gather(trainer->ranks, &mine, all, sizeof mine) : GRAFT_ERROR_MEMORY;
    for (int r = 0; r < count && status == GRAFT_OK; r++)
        if (all[r] != mine)
            status = graft_fail(trainer->context, GRAFT_ERROR_ARGUMENT,
                                "the gradients of rank %d do not lie as those of rank %d: all ranks must train the same "
                                "network, with the same version of Graft",
                                r, graft_ranks_number(trainer->ranks));
    graft_release(trainer->context, all);
    return status;
}

enum graft_status graft_trainer_reduction_open(struct graft_trainer *trainer)
{
    struct graft_trainer_reduction *const reduction = &trainer->reduction;
    struct graft_context *const context = trainer->context;
    reduction->bytes = graft_plan_sum_bytes(trainer->part.plan);
    reduction->pieces = (int)((reduction->bytes + PIECE - 1) / PIECE);
    for (int p = 0; p < trainer->model->parameter_count; p++) {
        const struct graft_variable *const statistic = statistic_at(trainer, p);
        reduction->statistics_bytes += statistic ? graft_desc_bytes(&statistic->desc) : 0;
    }
    reduction->sums = graft_allocate_raw(context, 1, (size_t)reduction->bytes);
    reduction->jobs = graft_allocate(context, (size_t)reduction->pieces, sizeof *reduction->jobs);
    reduction->tickets = graft_allocate(context, (size_t)reduction->pieces, sizeof *reduction->tickets);
    reduction->statistics = graft_allocate_raw(context, 1, (size_t)reduction->statistics_bytes);
    const bool there = reduction->sums && reduction->jobs && reduction->tickets && reduction->statistics;
    const enum graft_status status = !there ? GRAFT_ERROR_MEMORY : trainer->sync ? graft_trainer_sync_open(trainer) : GRAFT_OK;
    return status == GRAFT_OK ? check_layout(trainer) : status;
}

void graft_trainer_reduction_close(struct graft_trainer *trainer)
{
    graft_trainer_sync_close(trainer);
    graft_release(trainer->context, trainer->reduction.sums);
    graft_release(trainer->context, trainer->reduction.jobs);
    graft_release(trainer->context, trainer->reduction.tickets);
    graft_release(trainer->context, trainer->reduction.statistics);
    trainer->reduction = (struct graft_trainer_reduction){0};
}

static uint64_t piece_bytes(const struct graft_trainer_reduction *reduction, int piece)
{
    return graft_min_u64(PIECE, reduction->bytes - (uint64_t)piece * PIECE);
}

/* Hands the pieces on that have come from the device, the first `count` of them. */
static enum graft_status begin_pieces(struct graft_trainer *trainer, int count)
{
    static const struct graft_tensor none;
    struct graft_trainer_reduction *const reduction = &trainer->reduction;
    enum graft_status status = GRAFT_OK;
    for (; reduction->begun < count && status == GRAFT_OK; reduction->begun += status == GRAFT_OK) {
        const int piece = reduction->begun;
        struct graft_ranks_job *const job = &reduction->jobs[piece];
        status = trainer->device->backend->buffer_fetch(trainer->device, NULL, none, 0, &reduction->tickets[piece]);
        if (status != GRAFT_OK)
            break;
        *job = (struct graft_ranks_job){.kind = graft_trainer_wide(trainer) ? GRAFT_RANKS_SUM_F64 : GRAFT_RANKS_SUM_F32,
                                        .data = reduction->sums + (uint64_t)piece * PIECE,
                                        .bytes = piece_bytes(reduction, piece)};
        graft_ranks_begin(trainer->ranks, job);
    }
    return status;
}

/* So many bytes of the sums are final. Where a device works by itself, they come later. */
static enum graft_status take_sums(void *user, uint64_t bytes)
{
    struct graft_trainer *const trainer = user;
    struct graft_trainer_reduction *const reduction = &trainer->reduction;
    const int whole = bytes == reduction->bytes ? reduction->pieces : (int)(bytes / PIECE);
    enum graft_status status = GRAFT_OK;
    for (; reduction->fetched < whole && status == GRAFT_OK; reduction->fetched += status == GRAFT_OK) {
        const int piece = reduction->fetched;
        reduction->tickets[piece] = 0;
        status = graft_plan_fetch_sums(trainer->now->plan, (uint64_t)piece * PIECE,
                                       reduction->sums + (uint64_t)piece * PIECE, piece_bytes(reduction, piece),
                                       &reduction->tickets[piece]);
    }
    const bool there = status == GRAFT_OK && reduction->fetched > 0 && reduction->tickets[reduction->fetched - 1] == 0;
    return there ? begin_pieces(trainer, reduction->fetched) : status;
}

/* All ranks' running statistics become their mean, by rows: what the mean of the ranks' statistics would have made. */
static enum graft_status share_statistics(struct graft_trainer *trainer, bool computes)
{
    struct graft_trainer_reduction *const reduction = &trainer->reduction;
    const struct graft_backend *const backend = trainer->device->backend;
    const struct graft_step *const step =
        &trainer->flights[(trainer->first + trainer->in_flight) % GRAFT_TRAINER_FLIGHTS].step;
    const double share = computes ? (double)step->valid / (double)trainer->whole.valid : 0;
    const bool wide = graft_trainer_wide(trainer);
    struct graft_ranks_job job = {.kind = wide ? GRAFT_RANKS_SUM_F64 : GRAFT_RANKS_SUM_F32,
                                  .data = reduction->statistics,
                                  .bytes = reduction->statistics_bytes};
    enum graft_status status = GRAFT_OK;
    uint64_t at = 0;
    for (int p = 0; p < trainer->model->parameter_count && status == GRAFT_OK; p++) {
        const struct graft_variable *const statistic = statistic_at(trainer, p);
        const uint64_t bytes = statistic ? graft_desc_bytes(&statistic->desc) : 0;
        if (bytes > 0)
            status = backend->buffer_read(trainer->device, reduction->statistics + at, statistic->tensor, bytes);
        at += bytes;
    }
    for (uint64_t i = 0; i < at / sizeof(float) && !wide; i++)
        ((float *)(void *)reduction->statistics)[i] *= (float)share;
    for (uint64_t i = 0; i < at / sizeof(double) && wide; i++)
        ((double *)(void *)reduction->statistics)[i] *= share;
    if (status == GRAFT_OK) {
        graft_ranks_begin(trainer->ranks, &job);
        status = graft_ranks_wait(trainer->ranks, &job);
    }
    at = 0;
    for (int p = 0; p < trainer->model->parameter_count && status == GRAFT_OK; p++) {
        const struct graft_variable *const statistic = statistic_at(trainer, p);
        const uint64_t bytes = statistic ? graft_desc_bytes(&statistic->desc) : 0;
        if (bytes > 0)
            status = backend->buffer_write(trainer->device, statistic->tensor, reduction->statistics + at, bytes);
        at += bytes;
    }
    return status;
}

/* Takes the sums of all ranks back to the device. */
static enum graft_status finish_pieces(struct graft_trainer *trainer)
{
    struct graft_trainer_reduction *const reduction = &trainer->reduction;
    enum graft_status status = begin_pieces(trainer, reduction->pieces);
    for (int piece = 0; piece < reduction->begun; piece++) {
        const enum graft_status summed = graft_ranks_wait(trainer->ranks, &reduction->jobs[piece]);
        status = status == GRAFT_OK ? summed : status;
        if (status == GRAFT_OK)
            status = graft_plan_write_sums(trainer->now->plan, (uint64_t)piece * PIECE,
                                           reduction->sums + (uint64_t)piece * PIECE, piece_bytes(reduction, piece));
    }
    return status;
}

enum graft_status graft_trainer_reduction_run(struct graft_trainer *trainer, bool computes)
{
    struct graft_trainer_reduction *const reduction = &trainer->reduction;
    reduction->fetched = reduction->begun = 0;
    const struct graft_plan_watcher watcher = {
        .ready = take_sums, .made = trainer->sync ? graft_trainer_sync_step : NULL, .user = trainer};
    enum graft_status status = computes ? graft_plan_run_sums(trainer->now->plan, watcher)
                                        : take_sums(trainer, reduction->bytes);
    if (status == GRAFT_OK)
        status = finish_pieces(trainer);
    if (status == GRAFT_OK && reduction->statistics_bytes > 0)
        status = share_statistics(trainer, computes);
    if (status == GRAFT_OK)
        return GRAFT_OK;
    struct graft_kept_error kept;
    graft_keep_error(trainer->context, &kept);
    graft_ranks_fail(trainer->ranks, status, kept.text); /* then all that was begun ends */
    for (int piece = 0; piece < reduction->begun; piece++) {
        const enum graft_status ended = graft_ranks_wait(trainer->ranks, &reduction->jobs[piece]);
        (void)ended;
    }
    graft_restore_error(trainer->context, &kept);
    return status;
}

enum graft_status graft_trainer_reduction_results(struct graft_trainer *trainer, struct graft_step *step)
{
    struct results {
        double loss;
        int64_t correct;
    };
    const struct results mine = {step->loss, step->correct};
    const int count = graft_ranks_count(trainer->ranks);
    struct results *const all = graft_allocate(trainer->context, (size_t)count, sizeof *all);
    if (!all)
        return GRAFT_ERROR_MEMORY;
    const enum graft_status status = graft_ranks_gather(trainer->ranks, &mine, all, sizeof mine);
    step->loss = 0;
    step->correct = 0;
    for (int r = 0; r < count && status == GRAFT_OK; r++) {
        step->loss += all[r].loss;
        step->correct += all[r].correct;
    }
    graft_release(trainer->context, all);
    return status;
}
