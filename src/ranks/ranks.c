/* SPDX-License-Identifier: MIT */
#include "ranks/ranks.h"

#include "base/context.h"
#include "base/system.h"
#include "ranks/internal.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PATIENCE 900      /* seconds: a rank may have kernels to compile that another one has */
#define CLOSE_PATIENCE 60 /* seconds for others to end after a failure */

static void release(struct graft_ranks *ranks)
{
    struct graft_context *const context = ranks->own;
    graft_release(context, ranks->out);
    graft_release(context, ranks->in);
    graft_release(context, ranks->scratch);
    pthread_cond_destroy(&ranks->changed);
    pthread_mutex_destroy(&ranks->lock);
    graft_release(context, ranks);
}

static enum graft_status start(struct graft_ranks *ranks, int count)
{
    if (pthread_create(&ranks->thread, NULL, graft_ranks_work, ranks) != 0)
        return graft_fail(ranks->own, GRAFT_ERROR_MEMORY, "no thread to reach the other ranks with");
    ranks->started = true;
    pthread_mutex_lock(&ranks->lock);
    while (!ranks->ready)
        pthread_cond_wait(&ranks->changed, &ranks->lock);
    pthread_mutex_unlock(&ranks->lock);
    const struct graft_transport *const transport = ranks->transport;
    if (transport == NULL)
        return graft_fail(ranks->own, GRAFT_ERROR_IO, "%s", ranks->why.text);
    if (transport->abi != GRAFT_TRANSPORT_ABI)
        return graft_fail(ranks->own, GRAFT_ERROR_UNSUPPORTED, "the module for MPI is of another version of Graft");
    return transport->count == count
               ? GRAFT_OK
               : graft_fail(ranks->own, GRAFT_ERROR_UNSUPPORTED,
                            "%d processes were started together, but MPI knows of %d: the launcher is of another MPI "
                            "than the one that Graft was built with",
                            count, transport->count);
}

enum graft_status graft_ranks_open(struct graft_context *context, struct graft_ranks **ranks)
{
    int rank;
    const int count = graft_ranks_launched(&rank);
    *ranks = NULL;
    if (count == 1)
        return GRAFT_OK;
    struct graft_ranks *made = graft_allocate(context, 1, sizeof *made);
    if (made == NULL)
        return GRAFT_ERROR_MEMORY;
    made->own = made->context = context;
    made->patience = PATIENCE;
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->changed, NULL);
    made->out = graft_allocate(context, (size_t)count, sizeof *made->out);
    made->in = graft_allocate(context, (size_t)count, sizeof *made->in);
    enum graft_status status = made->out != NULL && made->in != NULL ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK)
        status = graft_ranks_load(made, rank, count);
    if (status == GRAFT_OK)
        status = start(made, count);
    if (status != GRAFT_OK)
        graft_ranks_close(&made);
    *ranks = made;
    return status;
}

/* Waits for the thread to end; one that hangs in MPI is left alone. */
static bool await_end(struct graft_ranks *ranks)
{
    struct timespec limit;
    int status = 0;
    (void)clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += CLOSE_PATIENCE;
    pthread_mutex_lock(&ranks->lock);
    ranks->ending = true;
    pthread_cond_broadcast(&ranks->changed);
    while (!ranks->ended && status == 0)
        status = pthread_cond_timedwait(&ranks->changed, &ranks->lock, &limit);
    const bool ended = ranks->ended;
    pthread_mutex_unlock(&ranks->lock);
    return ended;
}

void graft_ranks_close(struct graft_ranks **ranks)
{
    struct graft_ranks *const old = *ranks;
    if (old == NULL)
        return;
    *ranks = NULL;
    old->context = old->own;
    if (old->transport != NULL && !graft_ranks_lost(old)) {
        char *const all = graft_allocate(old->own, (size_t)old->transport->count, 1);
        /* Whoever does not come has said why before, or never will. */
        const enum graft_status met = all != NULL ? graft_ranks_gather(old, all, all, 1) : GRAFT_ERROR_MEMORY;
        (void)met;
        graft_release(old->own, all);
    }
    if (old->started && !await_end(old))
        return; /* its memory is in use */
    if (old->started)
        pthread_join(old->thread, NULL);
    release(old);
}

int graft_ranks_count(const struct graft_ranks *ranks)
{
    return ranks != NULL ? ranks->transport->count : 1;
}

int graft_ranks_number(const struct graft_ranks *ranks)
{
    return ranks != NULL ? ranks->transport->rank : 0;
}

int graft_ranks_local_number(const struct graft_ranks *ranks)
{
    return ranks != NULL ? ranks->transport->local_rank : 0;
}

void graft_ranks_use(struct graft_ranks *ranks, struct graft_context *context)
{
    if (ranks == NULL)
        return;
    pthread_mutex_lock(&ranks->lock);
    ranks->context = context != NULL ? context : ranks->own;
    pthread_mutex_unlock(&ranks->lock);
}

void graft_ranks_set_patience(struct graft_ranks *ranks, double seconds)
{
    pthread_mutex_lock(&ranks->lock);
    ranks->patience = seconds;
    pthread_mutex_unlock(&ranks->lock);
}

void graft_ranks_begin(struct graft_ranks *ranks, struct graft_ranks_job *job)
{
    job->done = false;
    job->next = NULL;
    pthread_mutex_lock(&ranks->lock);
    if (ranks->first == NULL)
        ranks->first = job;
    else
        ranks->last->next = job;
    ranks->last = job;
    pthread_cond_broadcast(&ranks->changed);
    pthread_mutex_unlock(&ranks->lock);
}

enum graft_status graft_ranks_wait(struct graft_ranks *ranks, struct graft_ranks_job *job)
{
    pthread_mutex_lock(&ranks->lock);
    while (!job->done)
        pthread_cond_wait(&ranks->changed, &ranks->lock);
    struct graft_context *const context = ranks->context;
    const struct graft_note why = ranks->why;
    pthread_mutex_unlock(&ranks->lock);
    return job->status == GRAFT_OK ? GRAFT_OK : graft_fail(context, job->status, "%s", why.text);
}

enum graft_status graft_ranks_gather(struct graft_ranks *ranks, const void *mine, void *all, uint64_t bytes)
{
    struct graft_ranks_job job = {.kind = GRAFT_RANKS_GATHER, .data = all, .bytes = bytes, .mine = mine};
    graft_ranks_begin(ranks, &job);
    return graft_ranks_wait(ranks, &job);
}

enum graft_status graft_ranks_broadcast(struct graft_ranks *ranks, int root, void *data, uint64_t bytes)
{
    struct graft_ranks_job job = {.kind = GRAFT_RANKS_BROADCAST, .data = data, .bytes = bytes, .root = root};
    graft_ranks_begin(ranks, &job);
    return graft_ranks_wait(ranks, &job);
}

void graft_ranks_fail(struct graft_ranks *ranks, enum graft_status status, const char *why)
{
    if (ranks == NULL)
        return;
    pthread_mutex_lock(&ranks->lock);
    if (!ranks->failed) {
        ranks->failed = ranks->told = ranks->telling = true;
        ranks->why.status = (int32_t)status;
        (void)snprintf(ranks->why.text, sizeof ranks->why.text, "%s", why);
        ranks->note = ranks->why;
    }
    pthread_cond_broadcast(&ranks->changed);
    pthread_mutex_unlock(&ranks->lock);
}

bool graft_ranks_lost(const struct graft_ranks *ranks)
{
    struct graft_ranks *const open = (struct graft_ranks *)(uintptr_t)ranks;
    if (open == NULL)
        return false;
    pthread_mutex_lock(&open->lock);
    const bool failed = open->failed;
    pthread_mutex_unlock(&open->lock);
    return failed;
}

/* What a rank may compute on. */
struct share {
    int32_t host;
    int32_t processors; /* that its group allows; INT_MAX: all */
    cpu_set_t set;
};

enum graft_status graft_ranks_threads(struct graft_ranks *ranks, int *threads)
{
    struct share mine;
    *threads = graft_system_processors();
    if (ranks == NULL)
        return GRAFT_OK;
    struct share *const all = graft_allocate(ranks->own, (size_t)graft_ranks_count(ranks), sizeof *all);
    if (all == NULL)
        return GRAFT_ERROR_MEMORY;
    memset(&mine, 0, sizeof mine);
    mine.host = ranks->transport->host;
    mine.processors = graft_system_processors_below("", INT_MAX);
    if (sched_getaffinity(0, sizeof mine.set, &mine.set) != 0)
        CPU_SET(0, &mine.set);
    const enum graft_status status = graft_ranks_gather(ranks, &mine, all, sizeof mine);
    int here = 0, beside = 0; /* on this machine; where some processor is the same one */
    for (int r = 0; r < graft_ranks_count(ranks) && status == GRAFT_OK; r++) {
        cpu_set_t both;
        CPU_AND(&both, &mine.set, &all[r].set);
        here += all[r].host == mine.host;
        beside += all[r].host == mine.host && CPU_COUNT(&both) > 0;
    }
    graft_release(ranks->own, all);
    if (status != GRAFT_OK)
        return status;
    const int own = graft_system_cores_below("", &mine.set) / (beside > 0 ? beside : 1);
    const int allowed = mine.processors == INT_MAX ? INT_MAX : mine.processors / (here > 0 ? here : 1);
    *threads = own < allowed ? own : allowed;
    *threads = *threads < 1 ? 1 : *threads;
    return GRAFT_OK;
}
