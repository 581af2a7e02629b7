/* SPDX-License-Identifier: MIT */
/* What a child process tells its parent through a pipe, and how the parent makes it stop. */
#ifndef GRAFT_TESTS_OP_HEAR_H
#define GRAFT_TESTS_OP_HEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Through the pipe go a header and its body; both sides are the same program. */
enum graft_told { GRAFT_TOLD_DEVICE = 1, GRAFT_TOLD_MESSAGE = 2, GRAFT_TOLD_END = 3, GRAFT_TOLD_INFO = 4 };

struct graft_told_header {
    enum graft_told kind;
    uint32_t bytes;
};

/* In the child, which ends if nobody listens any more. */
void graft_tell(int pipe_end, enum graft_told kind, const void *body, size_t bytes);
/* In the child: the parent has pulled its end of the leash, or has ended. */
bool graft_leash_is_pulled(int leash);

/* In the parent. */
struct graft_ear {
    int descriptor;
    int timeout;              /* seconds */
    bool (*stop)(void *user); /* may be NULL */
    void *user;
    int leash;         /* pulled when `stop` says so: the child ends after its case; -1: there is none */
    double stopped_at; /* CLOCK_MONOTONIC, 0: it was not */
    bool late;         /* there was no news for so long, or the child went on for too long after that */
};

/* False at the end of the stream, when the pipe breaks, or too late. */
bool graft_hear(struct graft_ear *ear, void *data, size_t size);

#endif
