/* SPDX-License-Identifier: MIT */
/* The context's fields: for context.c, cache.c and status.c only. */
#ifndef GRAFT_SRC_BASE_CONTEXT_STATE_H
#define GRAFT_SRC_BASE_CONTEXT_STATE_H

#include "base/context.h"

#include <pthread.h>
#include <stdatomic.h>

struct graft_context {
    struct graft_allocator allocator;
    void (*log)(void *user, enum graft_log_level level, const char *text);
    void *log_user;
    int threads;
    atomic_int cancelled;
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
