/* SPDX-License-Identifier: MIT */
/*
 * The conformance suite as a function: for `graft conform` and for the test of the same name.
 *
 * Each device is opened in child processes only, so that a driver that crashes costs one case. Call it before
 * the process has started threads of its own.
 */
#ifndef GRAFT_TESTS_OP_CONFORM_H
#define GRAFT_TESTS_OP_CONFORM_H

#include <stdbool.h>
#include <stdint.h>

#define GRAFT_CONFORM_WORST 8

enum graft_conform_exit {
    GRAFT_CONFORM_PASSED = 0,
    GRAFT_CONFORM_FAILED = 1,
    GRAFT_CONFORM_USAGE = 2,
    GRAFT_CONFORM_NOTHING = 77 /* no device, or no case fits the filters */
};

enum graft_conform_line {
    GRAFT_CONFORM_FAILURE = 0, /* begins with the command that runs the case again */
    GRAFT_CONFORM_REMARK = 1,  /* progress, what is unsupported and why */
    GRAFT_CONFORM_LISTING = 2, /* an entry of --list or --bench */
    GRAFT_CONFORM_ERROR = 3    /* the suite itself could not run: no device, unknown op */
};

struct graft_conform_options {
    const char *device;  /* NULL: every device */
    const char *op;      /* NULL: all; else the op's name */
    const char *test;    /* --case: NULL, "conv2d/k3_p1", "conv2d/k3_p1/exact", or a pattern with * and ? */
    const char *variant; /* NULL: all that can do the call */
    uint64_t seed;
    int threads;   /* of the context; 0: 2. The cpu is also run with one thread and must give the same bits */
    int min_cases; /* fewer that ran make a failure */
    bool list;     /* name the cases, run none */
    bool bench;    /* time each case after it has passed */
    int timeout_seconds; /* of one case, building of kernels included; 0: 300 */
    /* One line of text without newline. May be NULL. */
    void (*line)(void *user, enum graft_conform_line kind, const char *text);
    void *user;
};

struct graft_conform_worst {
    char test[200]; /* case and variant */
    double share_of_tolerance;
};

/* What one variant of one op went through. */
struct graft_conform_coverage {
    const char *op; /* static text */
    char variant[32];
    int passed_exact;
    int passed_rounding;
    int failed;
    int refused;      /* calls that the variant cannot do */
    char reason[200]; /* the first refusal */
};

struct graft_conform_report {
    char device[24];
    char name[128];
    char driver[128];
    int ran; /* passed + failed */
    int passed;
    int failed;
    int unsupported; /* cases that no variant of the device can do */
    int skipped;     /* tiers that an algorithm does not have */
    int n_worst;
    struct graft_conform_worst worst[GRAFT_CONFORM_WORST]; /* by share, descending */
    int n_coverage;
    struct graft_conform_coverage *coverage;
    double seconds;
};

struct graft_conform_reports {
    struct graft_conform_report *items;
    int count;
};

/* Runs the suite; `reports` is filled as far as it came, and must be closed. Returns the process's exit code.
 */
enum graft_conform_exit graft_conform(const struct graft_conform_options *options,
                                      struct graft_conform_reports *reports);
void graft_conform_reports_close(struct graft_conform_reports *reports);

#endif
