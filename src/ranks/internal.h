/* SPDX-License-Identifier: MIT */
/* Inside of ranks: the queue of jobs and the thread that does them. */
#ifndef GRAFT_SRC_RANKS_INTERNAL_H
#define GRAFT_SRC_RANKS_INTERNAL_H

#include "ranks/ranks.h"
#include "ranks/transport.h"

#include <pthread.h>

/* Why a rank ends, as it tells the others. */
struct graft_note {
    int32_t status;
    char text[GRAFT_TRANSPORT_NOTE - sizeof(int32_t)];
};

struct graft_ranks {
    struct graft_context *own;     /* memory */
    struct graft_context *context; /* of those who use it now */
    graft_transport_open_function *open;
    struct graft_transport *transport; /* of the thread alone, but for its numbers */
    double patience;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under the lock */
    struct graft_ranks_job *first, *last;
    bool ready;   /* the transport is open, or is not: … */
    bool failed;  /* … nothing is exchanged any more, for … */
    bool told;    /* the others know by a note */
    bool ending;  /* the thread is to end, … */
    bool ended;   /* … and has */
    struct graft_note why;
    struct graft_note note; /* to be told */
    bool telling;
    /* the thread's */
    struct graft_piece *out, *in; /* [count] */
    char *scratch;
    uint64_t scratch_bytes;
};

/* ---- launch.c */
/* Loads what reaches the others: ranks->open. */
GRAFT_MUST_CHECK enum graft_status graft_ranks_load(struct graft_ranks *ranks, int rank, int count);

/* ---- exchange.c */
/* The thread: opens the transport, does jobs until it is to end, closes. */
void *graft_ranks_work(void *argument);

#endif
