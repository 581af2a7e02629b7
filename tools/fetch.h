/* SPDX-License-Identifier: MIT */
/*
 * Fetching a file over HTTP: to PATH.part first, which a later try goes on with; renamed when it is whole and
 * its digest is right. What fails is said in one line. fetch_part.c keeps the file, fetch.c asks the server.
 */
#ifndef GRAFT_TOOLS_FETCH_H
#define GRAFT_TOOLS_FETCH_H

#include "base/digest.h"
#include "command.h"

#include <limits.h>

struct graft_fetch {
    const char *url;
    char path[PATH_MAX];
    const char *digits; /* of the digest, at least the first ones, lower case; NULL: there are none */
    enum graft_digest_kind kind;
    int64_t digested_bytes; /* the digest is of so many first bytes; 0: of all */
    int64_t exactly;        /* so many bytes it must have; 0: not known */
    int64_t most;           /* more bytes than these cannot be it; 0: not known */
    int64_t seconds; /* of silence before a server counts as hanging */
    /* The result. */
    int64_t bytes, resumed; /* of the file, and how many of them were there before */
    char sha256[GRAFT_DIGEST_TEXT];
    bool present; /* it was there, whole; nothing was fetched */
};

/* GRAFT_EXIT_GO_ON, or an exit code with everything said; also where libcurl was not there for the build. */
GRAFT_MUST_CHECK int graft_fetch(struct graft_command *command, struct graft_fetch *fetch);

/* The file on its way. */
struct graft_part {
    struct graft_command *command;
    struct graft_fetch *fetch;
    char path[PATH_MAX + 8];
    int descriptor; /* locked; -1: not open */
    int64_t bytes;
    struct graft_digest sha256, check; /* of these bytes; `check` by the digest that is published */
};

/* Opens PATH.part, or makes it, and reads what it holds; `whole`: it is complete already. */
GRAFT_MUST_CHECK int graft_part_open(struct graft_part *part, struct graft_command *command,
                                     struct graft_fetch *fetch, bool *whole);
/* Begins anew. */
GRAFT_MUST_CHECK int graft_part_restart(struct graft_part *part);
/* Is there room for so many bytes more? */
GRAFT_MUST_CHECK int graft_part_room(struct graft_part *part, int64_t bytes);
GRAFT_MUST_CHECK int graft_part_add(struct graft_part *part, const void *data, size_t size);
/* The bytes have the digest that is asked for. Where none is, they have not before the server has said so. */
bool graft_part_matches(const struct graft_part *part);
/* Renames it, where the digest is right; else says so and removes it. */
GRAFT_MUST_CHECK int graft_part_finish(struct graft_part *part);
/* What is there so far stays for the next try. */
void graft_part_close(struct graft_part *part);

/* Reads the file itself. GRAFT_EXIT_GO_ON with `right`: it is there and has the digest. */
GRAFT_MUST_CHECK int graft_fetch_check(struct graft_command *command, struct graft_fetch *fetch, bool *there,
                                       bool *right);

#endif
