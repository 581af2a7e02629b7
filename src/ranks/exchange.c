/* SPDX-License-Identifier: MIT */
/*
 * The thread that exchanges. A sum is cut into a slice for each rank: every rank gets its slice from all others, adds
 * them in the order of the ranks, and sends the sum to all. So each byte crosses the network twice however many ranks
 * there are, and the bits depend on nothing but the numbers.
 */
#include "base/clock.h"
#include "base/context.h"
#include "ranks/internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define GRACE 0.5 /* seconds that others are waited for after an interruption */
#define BLOCK 4096

static void sleep_for(long nanoseconds)
{
    const struct timespec time = {0, nanoseconds};
    (void)nanosleep(&time, NULL);
}

/* Nothing is exchanged any more: the first reason counts. `heard`: another rank has said so; else all are told. */
static void give_up(struct graft_ranks *ranks, enum graft_status status, const char *text, bool heard)
{
    pthread_mutex_lock(&ranks->lock);
    const bool first = !ranks->failed;
    if (first) {
        ranks->failed = true;
        ranks->told = heard;
        ranks->why.status = (int32_t)status;
        (void)snprintf(ranks->why.text, sizeof ranks->why.text, "%s", text);
    }
    pthread_cond_broadcast(&ranks->changed);
    pthread_mutex_unlock(&ranks->lock);
    if (first && !heard)
        ranks->transport->tell(ranks->transport, &ranks->why);
}

/* Notes that came, and the one that is to go. False: nothing is exchanged any more. */
static bool look_at_notes(struct graft_ranks *ranks)
{
    struct graft_transport *const transport = ranks->transport;
    struct graft_note note;
    pthread_mutex_lock(&ranks->lock);
    const bool telling = ranks->telling;
    bool failed = ranks->failed;
    ranks->telling = false;
    pthread_mutex_unlock(&ranks->lock);
    if (telling) {
        transport->tell(transport, &ranks->note);
        return false;
    }
    const int from = failed ? -1 : transport->heard(transport, &note);
    if (from >= 0) {
        char text[sizeof note.text];
        note.text[sizeof note.text - 1] = '\0';
        (void)snprintf(text, sizeof text, "rank %d: %.900s", from, note.text);
        give_up(ranks, (enum graft_status)note.status, text, true);
        failed = true;
    }
    return !failed;
}

/* Waits for the exchange that was begun. */
static bool finish(struct graft_ranks *ranks)
{
    struct graft_transport *const transport = ranks->transport;
    const double begin = graft_seconds();
    double cancelled = 0;
    for (long pause = 10000;; pause = pause < 200000 ? pause + pause / 8 : pause) {
        const int done = transport->poll(transport);
        if (done > 0)
            return true;
        if (!look_at_notes(ranks))
            return false;
        if (done < 0) {
            give_up(ranks, GRAFT_ERROR_IO, transport->error, false);
            return false;
        }
        const double now = graft_seconds();
        pthread_mutex_lock(&ranks->lock);
        const bool interrupted = graft_context_cancelled(ranks->context);
        const double patience = ranks->patience;
        pthread_mutex_unlock(&ranks->lock);
        cancelled = !interrupted ? 0 : cancelled > 0 ? cancelled : now;
        if (now - begin > patience || (interrupted && now - cancelled > GRACE)) {
            char text[160];
            (void)snprintf(text, sizeof text, "the other ranks have not answered for %.1f s", now - begin);
            give_up(ranks, interrupted ? GRAFT_ERROR_CANCELLED : GRAFT_ERROR_IO, text, false);
            return false;
        }
        sleep_for(pause);
    }
}

static bool exchange(struct graft_ranks *ranks)
{
    struct graft_transport *const transport = ranks->transport;
    if (transport->start(transport, ranks->out, ranks->in))
        return finish(ranks);
    give_up(ranks, GRAFT_ERROR_IO, transport->error, false);
    return false;
}

static void clear(struct graft_ranks *ranks)
{
    const size_t bytes = (size_t)ranks->transport->count * sizeof *ranks->out;
    memset(ranks->out, 0, bytes);
    memset(ranks->in, 0, bytes);
}

static bool make_room(struct graft_ranks *ranks, uint64_t bytes)
{
    if (bytes <= ranks->scratch_bytes)
        return true;
    graft_release(ranks->own, ranks->scratch);
    ranks->scratch = graft_allocate_raw(ranks->own, 1, (size_t)bytes);
    ranks->scratch_bytes = ranks->scratch != NULL ? bytes : 0;
    if (ranks->scratch == NULL)
        give_up(ranks, GRAFT_ERROR_MEMORY, "no memory to add up what ranks have computed", false);
    return ranks->scratch != NULL;
}

/* Elements of a rank's slice; the first ranks have one more. */
static uint64_t slice_of(uint64_t elements, int count, int rank, uint64_t *first)
{
    const uint64_t each = elements / (uint64_t)count, rest = elements % (uint64_t)count;
    const uint64_t before = (uint64_t)rank < rest ? (uint64_t)rank : rest;
    *first = each * (uint64_t)rank + before;
    return each + ((uint64_t)rank < rest);
}

#define ADD(type)                                                                                                      \
    static void add_##type(type *own, const char *others, uint64_t elements, int count, int rank)                      \
    {                                                                                                                  \
        for (uint64_t begin = 0; begin < elements; begin += BLOCK) {                                                   \
            const uint64_t n = elements - begin < BLOCK ? elements - begin : BLOCK;                                    \
            type mine[BLOCK];                                                                                          \
            memcpy(mine, own + begin, (size_t)n * sizeof *own);                                                        \
            for (int r = 0, other = 0; r < count; r++) {                                                               \
                const type *const from =                                                                               \
                    r == rank ? mine : (const type *)(const void *)others + (uint64_t)other * elements + begin;        \
                other += r != rank;                                                                                    \
                for (uint64_t i = 0; i < n; i++)                                                                       \
                    own[begin + i] = r == 0 ? from[i] : own[begin + i] + from[i];                                      \
            }                                                                                                          \
        }                                                                                                              \
    }
ADD(float)
ADD(double)

static bool sum(struct graft_ranks *ranks, const struct graft_ranks_job *job)
{
    const struct graft_transport *const t = ranks->transport;
    const bool wide = job->kind == GRAFT_RANKS_SUM_F64;
    const uint64_t size = wide ? sizeof(double) : sizeof(float), elements = job->bytes / size;
    uint64_t first, at;
    const uint64_t own = slice_of(elements, t->count, t->rank, &first);
    char *const data = job->data;
    if (!make_room(ranks, own * size * (uint64_t)(t->count - 1)))
        return false;
    clear(ranks);
    for (int r = 0, other = 0; r < t->count; r++) {
        const uint64_t theirs = slice_of(elements, t->count, r, &at);
        if (r == t->rank)
            continue;
        ranks->out[r] = (struct graft_piece){data + at * size, theirs * size};
        ranks->in[r] = (struct graft_piece){ranks->scratch + (uint64_t)other++ * own * size, own * size};
    }
    if (!exchange(ranks))
        return false;
    if (wide)
        add_double((double *)(void *)(data + first * size), ranks->scratch, own, t->count, t->rank);
    else
        add_float((float *)(void *)(data + first * size), ranks->scratch, own, t->count, t->rank);
    for (int r = 0; r < t->count; r++) {
        const uint64_t theirs = slice_of(elements, t->count, r, &at);
        if (r == t->rank)
            continue;
        ranks->out[r] = (struct graft_piece){data + first * size, own * size};
        ranks->in[r] = (struct graft_piece){data + at * size, theirs * size};
    }
    return exchange(ranks);
}

static bool gather(struct graft_ranks *ranks, const struct graft_ranks_job *job)
{
    const struct graft_transport *const t = ranks->transport;
    char *const all = job->data;
    clear(ranks);
    memcpy(all + (uint64_t)t->rank * job->bytes, job->mine, (size_t)job->bytes);
    for (int r = 0; r < t->count; r++)
        if (r != t->rank) {
            ranks->out[r] = (struct graft_piece){all + (uint64_t)t->rank * job->bytes, job->bytes};
            ranks->in[r] = (struct graft_piece){all + (uint64_t)r * job->bytes, job->bytes};
        }
    return exchange(ranks);
}

static bool broadcast(struct graft_ranks *ranks, const struct graft_ranks_job *job)
{
    const struct graft_transport *const t = ranks->transport;
    const struct graft_piece whole = {job->data, job->bytes};
    clear(ranks);
    for (int r = 0; r < t->count && t->rank == job->root; r++)
        if (r != t->rank)
            ranks->out[r] = whole;
    if (t->rank != job->root)
        ranks->in[job->root] = whole;
    return exchange(ranks);
}

static bool run(struct graft_ranks *ranks, const struct graft_ranks_job *job)
{
    switch (job->kind) {
    case GRAFT_RANKS_SUM_F32:
    case GRAFT_RANKS_SUM_F64:
        return sum(ranks, job);
    case GRAFT_RANKS_GATHER:
        return gather(ranks, job);
    case GRAFT_RANKS_BROADCAST:
        break;
    }
    return broadcast(ranks, job);
}

/* The lock is held. */
static void end_job(struct graft_ranks *ranks, struct graft_ranks_job *job, enum graft_status status)
{
    job->status = status;
    job->done = true;
    pthread_cond_broadcast(&ranks->changed);
}

/* Until there is something to do. */
static struct graft_ranks_job *take(struct graft_ranks *ranks)
{
    pthread_mutex_lock(&ranks->lock);
    while (ranks->first == NULL && !ranks->telling && !ranks->ending)
        pthread_cond_wait(&ranks->changed, &ranks->lock);
    struct graft_ranks_job *const job = ranks->first;
    if (job != NULL)
        ranks->first = job->next;
    pthread_mutex_unlock(&ranks->lock);
    return job;
}

static void open_transport(struct graft_ranks *ranks)
{
    char text[sizeof ranks->transport->error] = "";
    struct graft_transport *const transport = ranks->open(text, sizeof text);
    pthread_mutex_lock(&ranks->lock);
    ranks->transport = transport;
    ranks->ready = true;
    if (transport == NULL)
        (void)snprintf(ranks->why.text, sizeof ranks->why.text, "%s", text);
    pthread_cond_broadcast(&ranks->changed);
    pthread_mutex_unlock(&ranks->lock);
}

void *graft_ranks_work(void *argument)
{
    struct graft_ranks *const ranks = argument;
    open_transport(ranks);
    for (bool ending = ranks->transport == NULL; !ending;) {
        struct graft_ranks_job *const job = take(ranks);
        const bool done = look_at_notes(ranks) && (job == NULL || run(ranks, job));
        pthread_mutex_lock(&ranks->lock);
        if (job != NULL)
            end_job(ranks, job, done ? GRAFT_OK : (enum graft_status)ranks->why.status);
        ending = ranks->ending && ranks->first == NULL && !ranks->telling;
        pthread_mutex_unlock(&ranks->lock);
    }
    pthread_mutex_lock(&ranks->lock);
    const bool whole = !ranks->failed || ranks->told;
    pthread_mutex_unlock(&ranks->lock);
    if (ranks->transport != NULL)
        ranks->transport->close(ranks->transport, whole);
    pthread_mutex_lock(&ranks->lock);
    ranks->ended = true;
    pthread_cond_broadcast(&ranks->changed);
    pthread_mutex_unlock(&ranks->lock);
    return NULL;
}
