/* SPDX-License-Identifier: MIT */
/*
 * The thread pool.
 *
 * `epoch` is odd while a run is on. A worker enters a run by raising `inside` and then reading `epoch` again;
 * the caller ends a run by moving `epoch` on and then waiting until `inside` is 0. Both orders are
 * sequentially consistent, so either the worker sees that the run is over or the caller sees the worker.
 * Items are claimed with an atomic counter. Workers that find nothing spin for a moment, since the kernels of
 * a network follow closely, and then sleep; `sleepers` tells the caller whether anyone needs to be woken.
 */
#include "base/pool.h"

#include "base/clock.h"
#include "base/context.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#define LINE 64                /* bytes of a cache line: what different threads write stays apart */
#define SPIN_NANOSECONDS 40000 /* a few times what it takes to wake a sleeping thread */

enum task_state { TASK_IDLE = 0, TASK_QUEUED = 1, TASK_RUNNING = 2, TASK_DONE = 3 };

struct worker {
    struct graft_pool *pool;
    pthread_t thread;
    int number; /* 1 … threads − 1; the caller of a run is 0 */
};

struct graft_pool {
    struct graft_context *context;
    struct worker *workers;
    int threads;
    int started;

    /* The run: written by its caller while epoch is even and nobody is inside. */
    void (*run)(void *argument, int64_t item, int thread);
    void *argument;
    int64_t items;
    atomic_bool running;
    _Alignas(LINE) atomic_uint_fast64_t epoch;
    _Alignas(LINE) atomic_int_fast64_t next;
    _Alignas(LINE) atomic_int inside;

    /* The queue of tasks, and sleeping. */
    _Alignas(LINE) pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_cond_t done;
    struct graft_task *first;
    struct graft_task *last;
    atomic_int queued;
    atomic_int sleepers;
    atomic_bool stop;
};

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void claim_items(struct graft_pool *pool, int thread)
{
    for (;;) {
        const int64_t item = atomic_fetch_add(&pool->next, 1);
        if (item >= pool->items) {
            return;
        }
        pool->run(pool->argument, item, thread);
    }
}

/* Takes `task` out of the queue, or the first if NULL; the lock is held. NULL if it is not there. */
static struct graft_task *dequeue(struct graft_pool *pool, const struct graft_task *task)
{
    struct graft_task *before = NULL;
    struct graft_task *found = pool->first;
    while (found != NULL && task != NULL && found != task) {
        before = found;
        found = found->next;
    }
    if (found == NULL) {
        return NULL;
    }
    if (before == NULL) {
        pool->first = found->next;
    } else {
        before->next = found->next;
    }
    if (pool->last == found) {
        pool->last = before;
    }
    found->next = NULL;
    atomic_fetch_sub(&pool->queued, 1);
    return found;
}

/* Runs a task that has left the queue; the lock is held before and after, not meanwhile. */
static void run_task(struct graft_pool *pool, struct graft_task *task)
{
    task->state = TASK_RUNNING;
    pthread_mutex_unlock(&pool->lock);
    task->run(task->argument);
    pthread_mutex_lock(&pool->lock);
    task->state = TASK_DONE;
    pthread_cond_broadcast(&pool->done);
}

/* Whether there is something to do for a worker that has taken part in runs up to `seen`. */
static bool has_work(struct graft_pool *pool, uint64_t seen)
{
    const uint64_t epoch = atomic_load(&pool->epoch);
    if (epoch & 1) {
        return epoch != seen;
    }
    return atomic_load(&pool->queued) > 0;
}

static void spin_for_work(struct graft_pool *pool, uint64_t seen)
{
    const int64_t end = graft_nanoseconds() + SPIN_NANOSECONDS;
    do {
        for (int i = 0; i < 32; i++) {
            if (has_work(pool, seen) || atomic_load_explicit(&pool->stop, memory_order_relaxed)) {
                return;
            }
            relax();
        }
        sched_yield();
    } while (graft_nanoseconds() < end);
}

static void sleep_for_work(struct graft_pool *pool, uint64_t seen)
{
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->sleepers, 1);
    while (!atomic_load(&pool->stop) && !has_work(pool, seen)) {
        pthread_cond_wait(&pool->wake, &pool->lock);
    }
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->lock);
}

static void wake_workers(struct graft_pool *pool, int64_t count)
{
    if (atomic_load(&pool->sleepers) == 0) {
        return;
    }
    pthread_mutex_lock(&pool->lock);
    if (count >= pool->threads - 1) {
        pthread_cond_broadcast(&pool->wake);
    } else {
        for (int64_t i = 0; i < count; i++) {
            pthread_cond_signal(&pool->wake);
        }
    }
    pthread_mutex_unlock(&pool->lock);
}

static void *work(void *argument)
{
    struct worker *const worker = argument;
    struct graft_pool *const pool = worker->pool;
    uint64_t seen = 0;
    while (!atomic_load(&pool->stop)) {
        const uint64_t epoch = atomic_load(&pool->epoch);
        if ((epoch & 1) != 0 && epoch != seen) {
            seen = epoch;
            atomic_fetch_add(&pool->inside, 1);
            if (atomic_load(&pool->epoch) == epoch) {
                claim_items(pool, worker->number);
            }
            atomic_fetch_sub(&pool->inside, 1);
        } else if ((epoch & 1) == 0 && atomic_load(&pool->queued) > 0) {
            pthread_mutex_lock(&pool->lock);
            struct graft_task *const task = dequeue(pool, NULL);
            if (task != NULL) {
                run_task(pool, task);
            }
            pthread_mutex_unlock(&pool->lock);
        } else {
            spin_for_work(pool, seen);
            if (!has_work(pool, seen)) {
                sleep_for_work(pool, seen);
            }
        }
    }
    return NULL;
}

/* Signals that a program handles belong to its own threads; faults stay with the thread that made them. */
static void block_signals(sigset_t *old)
{
    sigset_t blocked;
    sigfillset(&blocked);
    const int kept[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGPROF};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        sigdelset(&blocked, kept[i]);
    }
    pthread_sigmask(SIG_SETMASK, &blocked, old);
}

enum graft_status graft_pool_open(struct graft_context *context, int threads, struct graft_pool **pool)
{
    *pool = NULL;
    if (threads < 1) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                          "a pool of %d threads is asked for; at least 1 is needed", threads);
    }
    struct graft_pool *made = graft_allocate(context, 1, sizeof *made);
    if (made == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    made->context = context;
    made->threads = threads;
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->wake, NULL);
    pthread_cond_init(&made->done, NULL);
    made->workers = graft_allocate(context, (size_t)threads, sizeof *made->workers);
    if (made->workers == NULL) {
        graft_pool_close(&made);
        return GRAFT_ERROR_MEMORY;
    }
    sigset_t old;
    block_signals(&old);
    int number = 0;
    for (int i = 1; i < threads && number == 0; i++) {
        struct worker *const worker = &made->workers[i - 1];
        worker->pool = made;
        worker->number = i;
        number = pthread_create(&worker->thread, NULL, work, worker);
        made->started += number == 0;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (number != 0) {
        const int started = made->started;
        graft_pool_close(&made);
        return graft_fail(context, GRAFT_ERROR_MEMORY,
                          "only %d of %d threads could be started: %s; ask for fewer", started + 1, threads,
                          strerror(number));
    }
    *pool = made;
    return GRAFT_OK;
}

void graft_pool_close(struct graft_pool **pool)
{
    if (pool == NULL || *pool == NULL) {
        return;
    }
    struct graft_pool *const old = *pool;
    *pool = NULL;
    pthread_mutex_lock(&old->lock);
    atomic_store(&old->stop, true);
    while (old->first != NULL) {
        dequeue(old, NULL)->state = TASK_IDLE;
    }
    pthread_cond_broadcast(&old->wake);
    pthread_mutex_unlock(&old->lock);
    for (int i = 0; i < old->started; i++) {
        pthread_join(old->workers[i].thread, NULL);
    }
    pthread_cond_destroy(&old->done);
    pthread_cond_destroy(&old->wake);
    pthread_mutex_destroy(&old->lock);
    graft_release(old->context, old->workers);
    graft_release(old->context, old);
}

int graft_pool_threads(const struct graft_pool *pool)
{
    return pool->threads;
}

static bool is_worker(const struct graft_pool *pool)
{
    const pthread_t self = pthread_self();
    for (int i = 0; i < pool->started; i++) {
        if (pthread_equal(self, pool->workers[i].thread)) {
            return true;
        }
    }
    return false;
}

/* Waits until no worker is inside a run any more; each is at its last item. */
static void wait_for_workers(struct graft_pool *pool)
{
    for (int spins = 0; atomic_load(&pool->inside) != 0; spins++) {
        if (spins < 1000) {
            relax();
        } else {
            sched_yield();
        }
    }
}

void graft_pool_run(struct graft_pool *pool, int64_t items,
                    void (*run)(void *argument, int64_t item, int thread), void *argument)
{
    if (items <= 0) {
        return;
    }
    /* Nested in a run, beside one, or in a task on a worker: in this thread. */
    bool expected = false;
    const bool mine = !is_worker(pool) && atomic_compare_exchange_strong(&pool->running, &expected, true);
    if (!mine || items == 1 || pool->threads == 1) {
        for (int64_t item = 0; item < items; item++) {
            run(argument, item, 0);
        }
        if (mine) {
            atomic_store(&pool->running, false);
        }
        return;
    }
    pool->run = run;
    pool->argument = argument;
    pool->items = items;
    atomic_store(&pool->next, 0);
    atomic_fetch_add(&pool->epoch, 1);
    wake_workers(pool, items - 1);
    claim_items(pool, 0);
    atomic_fetch_add(&pool->epoch, 1);
    wait_for_workers(pool);
    atomic_store(&pool->running, false);
    const int queued = atomic_load(&pool->queued);
    if (queued > 0) { /* tasks had to wait for the run */
        wake_workers(pool, queued);
    }
}

void graft_pool_submit(struct graft_pool *pool, struct graft_task *task)
{
    pthread_mutex_lock(&pool->lock);
    task->next = NULL;
    task->state = TASK_QUEUED;
    if (pool->last == NULL) {
        pool->first = task;
    } else {
        pool->last->next = task;
    }
    pool->last = task;
    atomic_fetch_add(&pool->queued, 1);
    pthread_cond_signal(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
}

void graft_pool_wait(struct graft_pool *pool, struct graft_task *task)
{
    pthread_mutex_lock(&pool->lock);
    while (task->state == TASK_QUEUED || task->state == TASK_RUNNING) {
        struct graft_task *const mine = dequeue(pool, task->state == TASK_QUEUED ? task : NULL);
        if (mine != NULL) {
            run_task(pool, mine);
        } else {
            pthread_cond_wait(&pool->done, &pool->lock);
        }
    }
    pthread_mutex_unlock(&pool->lock);
}

void graft_pool_withdraw(struct graft_pool *pool, struct graft_task *task)
{
    pthread_mutex_lock(&pool->lock);
    if (task->state == TASK_QUEUED) {
        dequeue(pool, task)->state = TASK_IDLE;
    }
    while (task->state == TASK_RUNNING) {
        pthread_cond_wait(&pool->done, &pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
}
