/* SPDX-License-Identifier: MIT */
/*
 * How ranks reach each other: a module that is loaded when a launcher has started several. It is compiled apart,
 * because MPI's binary interface differs from maker to maker, and calls nothing of Graft.
 */
#ifndef GRAFT_SRC_RANKS_TRANSPORT_H
#define GRAFT_SRC_RANKS_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GRAFT_TRANSPORT_ABI 1
#define GRAFT_TRANSPORT_NOTE 1024 /* bytes of a note */

/* What goes to one rank, or comes from it; 0 bytes: nothing. */
struct graft_piece {
    void *data;
    uint64_t bytes;
};

/* All calls come from one thread. */
struct graft_transport {
    int abi;
    int rank, count;
    int local_rank, local_count; /* among those of the same machine */
    int host;                    /* the lowest rank of this machine */
    char error[512];             /* of the latest failure */
    /* Begins an exchange: out[r] goes to rank r, in[r] comes from there; [count] each, one's own is nothing. Sizes agree
     * on both sides. What they point to must stay until poll has ended the exchange. */
    bool (*start)(struct graft_transport *transport, const struct graft_piece *out, const struct graft_piece *in);
    /* 1: it is over; 0: not yet; -1: it cannot be, for ->error. Waits for nobody. */
    int (*poll)(struct graft_transport *transport);
    /* A note to all others, past everything that is under way; best effort. */
    void (*tell)(struct graft_transport *transport, const void *note);
    /* The rank that a note came from, which is then in `note`; -1: none has come. */
    int (*heard)(struct graft_transport *transport, void *note);
    /* `whole`: all ranks call it, so that it may wait for them. */
    void (*close)(struct graft_transport *transport, bool whole);
};

/* The module's one symbol. NULL: `text` says why not. */
#define GRAFT_TRANSPORT_OPEN "graft_transport_open"
typedef struct graft_transport *graft_transport_open_function(char *text, size_t size);

#endif
