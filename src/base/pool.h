/* SPDX-License-Identifier: MIT */
/*
 * One thread pool, shared by kernels and by the loader.
 *
 * Kernels split work over outputs into items; items are claimed dynamically, and the caller takes part, so a
 * worker that is busy elsewhere delays nobody. Tasks (decode a picture) are run by workers that have no
 * kernel work.
 */
#ifndef GRAFT_SRC_BASE_POOL_H
#define GRAFT_SRC_BASE_POOL_H

#include "graft/base.h"

struct graft_pool;

/* Opens a pool of `threads` threads, the caller's included (1: no thread is started). */
GRAFT_MUST_CHECK enum graft_status graft_pool_open(struct graft_context *context, int threads,
                                                   struct graft_pool **pool);
/* Waits for running tasks; drops queued ones. */
void graft_pool_close(struct graft_pool **pool);
int graft_pool_threads(const struct graft_pool *pool);

/*
 * Calls run(argument, item, thread) once for each item in [0, items) and returns when all are done. `thread`
 * is in [0, threads) and no two concurrent calls of one run share it: index per-thread scratch memory by it.
 * One run at a time per pool; a call from inside a run executes its items in the calling thread with thread
 * 0.
 */
void graft_pool_run(struct graft_pool *pool, int64_t items,
                    void (*run)(void *argument, int64_t item, int thread), void *argument);

/* A task for the background. The memory is the caller's and must live until it is done. */
struct graft_task {
    void (*run)(void *argument);
    void *argument;
    struct graft_task *next; /* the pool's */
    int state;               /* the pool's: 0 idle, 1 queued, 2 running, 3 done */
};

/* Queues a task, first in, first out. With one thread it waits in the queue until somebody waits for it. */
void graft_pool_submit(struct graft_pool *pool, struct graft_task *task);
/* Returns when the task is done; runs queued tasks in the calling thread meanwhile. */
void graft_pool_wait(struct graft_pool *pool, struct graft_task *task);
/* Takes a task that has not begun out of the queue, or waits for it; afterwards its memory may go. */
void graft_pool_withdraw(struct graft_pool *pool, struct graft_task *task);

#endif
