/* SPDX-License-Identifier: MIT */
/*
 * Cases of real sizes: calls as networks make them, on both sides of every size at which code changes its
 * way, far into large buffers.
 *
 * The truth of such a call in f64 would take hours. Products are computed on small integers, so that every
 * order of summation gives the same bits, and checked as a whole by Freivalds' check (freivalds.h); single
 * outputs are summed up as the definition says. What only moves, chooses and adds integers is compared with
 * the reference kernel, element by element. Of the rest a slice that stands for itself (some channels, some
 * rows) is held against the f64 reference within the bounds of the small cases.
 */
#ifndef GRAFT_TESTS_OP_REAL_H
#define GRAFT_TESTS_OP_REAL_H

#include "harness.h"

#include "graph/plan.h"

/* Where the tensors lie. */
enum graft_real_place {
    GRAFT_REAL_NEAR = 0,
    GRAFT_REAL_FAR_31 = 31, /* behind 2^31 bytes */
    GRAFT_REAL_FAR_32 = 32, /* behind 2^32 bytes */
    GRAFT_REAL_FAR_33 = 33  /* behind more floats than an int counts */
};

struct graft_real {
    struct graft_call call; /* f32, shapes inferred, accumulate and constant as planned */
    enum graft_real_place place;
    bool edge;     /* of real_edges.c; else some network's */
    uint64_t kind; /* as real_kinds.c tells calls apart */
    double cost;   /* graft_real_cost */
    /* real_kinds.c, for a run that ends in minutes: */
    bool repeats;        /* a smaller call shows as much: left out */
    bool preferred_only; /* run on the variant that the device prefers, not on each */
    char name[120]; /* unique in the op: sizes of two inputs, and a hash of all */
};

/* Plain loops are given no larger calls: they would take hours. */
#define GRAFT_REAL_PLAIN_COST 5e7
/* What the call takes, for estimates: operations and elements. */
double graft_real_cost(const struct graft_call *call);

struct graft_reals {
    struct graft_real *items; /* op by op */
    int count;
    int *places; /* while they are collected: 1 + the index of an item, or 0, found by the hash of op and name */
    uint32_t place_count; /* a power of 2, more than twice as many as items */
    uint64_t *calls;      /* hashes of the bytes of calls that were seen: most come again in another plan */
};

/*
 * Every call of every network in models.def, for inference and for a training step of all layers, at batch 1
 * and 32, from their plans; and those of real_edges.c. False with a text: they cannot be made.
 */
bool graft_reals_open(struct graft_reals *reals, char *error, size_t error_size);
void graft_reals_close(struct graft_reals *reals);
/* Adds a call unless the same is there. False: out of memory. */
bool graft_reals_add(struct graft_reals *reals, const struct graft_call *call, enum graft_real_place place,
                     bool edge);

/* All that decides how a call is computed and its description does not say. */
#define GRAFT_REAL_TEXT (GRAFT_CALL_TEXT + 64)
void graft_real_append_flags(const struct graft_call *call, char text[GRAFT_REAL_TEXT]);
/* Of a call's text without these. */
uint64_t graft_real_kind(const struct graft_call *call, const char *text);
/* Marks what a run of minutes leaves out; the items are sorted. False: out of memory. */
bool graft_reals_mark(struct graft_reals *reals);

/* real_edges.c: appends its calls. */
bool graft_reals_add_edges(struct graft_reals *reals, struct graft_context *context);

/* The truth of a real job; on failure a text. */
struct graft_real_truth;
bool graft_real_truth_make(struct graft_heap *heap, struct graft_context *context,
                           const struct graft_job *job, uint64_t seed, struct graft_truth *truth, char *error,
                           size_t error_size);
/* Gives back the device's memory that running variants has taken; the heap has the rest. */
void graft_real_truth_close(const struct graft_truth *truth);
/* The backend's check; GRAFT_ERROR_UNSUPPORTED also where no buffer of the device holds the case. */
GRAFT_MUST_CHECK enum graft_status graft_real_check(struct graft_device *device, const struct graft_job *job,
                                                    int variant, struct graft_variant_info *info);
/* What graft_trial_run does for real jobs. */
bool graft_real_run(const struct graft_trial *trial, struct graft_verdict *verdict);

#endif
