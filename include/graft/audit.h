/* SPDX-License-Identifier: MIT */
/* What is wrong with a data set: each picture is decoded and compared with all others. */
#ifndef GRAFT_AUDIT_H
#define GRAFT_AUDIT_H

#include "graft/data.h"

#ifdef __cplusplus
extern "C" {
#endif

/* In the order in which they are found worth telling. */
enum graft_audit_kind {
    GRAFT_AUDIT_CONTRADICTION = 0, /* the same pixels under two classes: one label is wrong */
    GRAFT_AUDIT_TWICE = 1,         /* the same pixels twice in one part: the picture counts double */
    GRAFT_AUDIT_TWO_PARTS = 2,     /* in two parts: what is measured on one was learnt from the other */
    GRAFT_AUDIT_FAULT =
        3, /* a row, folder or member that was left out, or a class of which nothing is read */
    GRAFT_AUDIT_DAMAGED = 4, /* a picture that cannot be decoded */
    GRAFT_AUDIT_SUSPECT = 5, /* one that was decoded although something is wrong with it */
    GRAFT_AUDIT_KINDS = 6
};

struct graft_audit_place {
    enum graft_split split;
    int64_t index;
};

struct graft_audit_finding {
    enum graft_audit_kind kind;
    struct graft_audit_place places[2]; /* pairs: both; damaged and suspect: the first; faults: none */
    const char *text;                   /* the reason; NULL for pairs */
};

struct graft_audit {
    struct graft_audit_finding *findings; /* by kind; pairs by the place of their first picture */
    int64_t count;
    int64_t counts[GRAFT_AUDIT_KINDS];
    int64_t pictures;      /* of all parts */
    int64_t *class_counts; /* [classes] pictures of all parts */
    int64_t least, most;   /* of those */
};

/*
 * Decodes on the context's threads. The data set was opened with keep_damaged and list_faults. `progress` may
 * be NULL; it is called on the calling thread. GRAFT_ERROR_MEMORY, GRAFT_ERROR_CANCELLED. Close the audit in
 * any case.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_dataset_audit(struct graft_context *context, struct graft_dataset *dataset,
                    void (*progress)(void *user, int64_t done, int64_t total), void *user,
                    struct graft_audit *audit);
GRAFT_API void graft_audit_close(struct graft_context *context, struct graft_audit *audit);

#ifdef __cplusplus
}
#endif
#endif
