/* SPDX-License-Identifier: MIT */
/* The context's fields: for context.c, cache.c, log_hold.c and status.c only. */
#ifndef GRAFT_SRC_BASE_CONTEXT_STATE_H
#define GRAFT_SRC_BASE_CONTEXT_STATE_H

#include "base/context.h"

#include <pthread.h>
#include <stdatomic.h>

/* DEAF: a part that is saving what it has done is not asked again. */
enum graft_cancel { GRAFT_CANCEL_NO = 0, GRAFT_CANCEL_YES = 1, GRAFT_CANCEL_DEAF = 2 };

struct graft_context {
    struct graft_allocator allocator;
    void (*log)(void *user, enum graft_log_level level, const char *text);
    void *log_user;
    int threads;
    struct graft_context *parent;       /* NULL, or whose threads, caches and memory this one uses too */
    atomic_int cancelled;               /* enum graft_cancel */
    atomic_uint_least64_t memory_limit; /* 0: none */
    atomic_uint_least64_t live_bytes;   /* taken now: allocations, and what devices take of the host */
    atomic_uint_least64_t peak_bytes;

    pthread_mutex_t error_lock;
    char error[GRAFT_ERROR_SIZE];

    pthread_mutex_t lazy_lock; /* guards what is made at the first use: */
    struct graft_pool *pool;
    char *cache_folder; /* as given, then as resolved; NULL with cache_known: there is none */
    bool cache_known;
};

#endif
