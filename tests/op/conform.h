/* SPDX-License-Identifier: MIT */
/*
 * The conformance suite as a function: for `graft conform` and for the test of the same name.
 *
 * Each device is opened in child processes only, so that a driver that crashes costs one case. Call it before
 * the process has started threads of its own.
 */
#ifndef GRAFT_TESTS_OP_CONFORM_H
#define GRAFT_TESTS_OP_CONFORM_H

#include "graft/device.h"

#define GRAFT_CONFORM_WORST 8
#define GRAFT_CONFORM_FAILURES 1000 /* kept of one device; more are counted only */

enum graft_conform_exit {
    GRAFT_CONFORM_PASSED = 0,
    GRAFT_CONFORM_FAILED = 1,
    GRAFT_CONFORM_USAGE = 2,
    GRAFT_CONFORM_NOTHING = 77,     /* no device, or no case fits the filters */
    GRAFT_CONFORM_INTERRUPTED = 130 /* by `stop`, before anything has failed */
};

enum graft_conform_line {
    GRAFT_CONFORM_FAILURE = 0, /* begins with the command that runs the case again */
    GRAFT_CONFORM_REMARK = 1,  /* progress, what is unsupported and why */
    GRAFT_CONFORM_LISTING = 2, /* an entry of --list or --bench */
    GRAFT_CONFORM_ERROR = 3    /* the suite itself could not run: no device, unknown op */
};

/* How far a device has come. */
struct graft_conform_progress {
    const char *device;
    const char *op;
    int ran;
    int failed;
    int cases;      /* that the device can run, all in all; 0: not counted */
    double seconds; /* since the device's beginning */
    double budget;  /* seconds; 0: no limit */
};

enum graft_conform_sizes {
    GRAFT_CONFORM_SMALL = 0, /* cases at the edges of tiles */
    GRAFT_CONFORM_REAL = 1,  /* calls as networks make them, see real.h */
    GRAFT_CONFORM_BOTH = 2
};

struct graft_reals;

struct graft_conform_options {
    const char *device;  /* NULL: every device */
    const char *op;      /* NULL: all; else the op's name */
    const char *test;    /* --case: NULL, "conv2d/k3_p1", "conv2d/k3_p1/exact", or a pattern with * and ? */
    const char *variant; /* NULL: all that can do the call */
    enum graft_conform_sizes sizes;
    bool every_network; /* of real sizes also what repeats another network's calls */
    bool real_sample; /* with BOTH and no limit of time: of real sizes only what tries every variant */
    uint64_t seed;
    int threads;   /* of the context; 0: 2. The cpu is also run with one thread and must give the same bits */
    int min_cases; /* fewer that ran make a failure */
    bool list;     /* name the cases, run none */
    bool bench;    /* time each case after it has passed */
    int timeout_seconds; /* of one case, building of kernels included; 0: 300 */
    /*
     * 0: every case. Else a sample: first each variant of each op in each tier of small sizes, which takes
     * seconds, whatever the time; then each variant in real sizes, then more, evenly over the ops and in an
     * order that the seed decides, until this time is used up. The devices share it. What was left out is a
     * row's reason.
     */
    double seconds;
    bool real_cover; /* each variant in real sizes, too, whatever the time */
    /*
     * 0: cases of any size. Else only those of at most about so many operations (for simulators), and beyond
     * them what it takes to try each variant of each op in each tier.
     */
    double most_work;
    /* 0: none. Else no case of a sample is larger: variants that only larger ones could try are left out. */
    double largest;
    struct graft_reals
        *reals; /* NULL: they are made. One list, not changed by what runs, does for many devices */
    bool (*stop)(void *user); /* asked often; true: the suite ends, and says how far it came. May be NULL */
    void (*progress)(void *user, const struct graft_conform_progress *progress); /* often. May be NULL */
    /* One line of text without newline. May be NULL. */
    void (*line)(void *user, enum graft_conform_line kind, const char *text);
    void *user;
};

struct graft_conform_worst {
    char test[200]; /* case and variant */
    double share_of_tolerance;
};

/* The first element that differs. */
struct graft_conform_difference {
    bool known;      /* false: the case failed otherwise (a crash, changed inputs) */
    char place[120]; /* "output 0[1, 2, 3]" */
    int64_t index;
    int64_t count; /* elements of the tensor */
    int64_t bad;   /* that differ */
    double got;
    double wanted;
    double tolerance; /* 0: the same number was wanted */
};

struct graft_conform_failure {
    const char *op; /* static text */
    char test[160];
    char variant[32];
    char command[320]; /* runs the case again */
    char text[700];    /* one line: what is wrong */
    struct graft_conform_difference difference;
};

/* Cases that no variant of the device can do, by the reason that the last variant gave. */
struct graft_conform_unsupported {
    const char *op; /* static text */
    char reason[200];
    int cases;
};

/* What one variant of one op went through. */
struct graft_conform_coverage {
    const char *op; /* static text */
    char variant[32];
    int passed_exact;
    int passed_rounding;
    int passed_real;
    int failed;
    int refused;      /* calls that the variant cannot do */
    char reason[200]; /* the first refusal, or why no case of it was run */
    bool left_small;  /* no case of small sizes was run, for this reason */
    bool left_real;   /* … of real sizes */
    double worst;     /* share of the tolerance, of cases that passed */
    double seconds;   /* of its cases, the truth and building of kernels included */
};

struct graft_conform_report {
    struct graft_device_info info;
    int ran; /* passed + failed */
    int passed;
    int failed;
    int unsupported; /* cases that no variant of the device can do */
    int skipped;     /* tiers that an algorithm does not have */
    int real_calls;  /* of real sizes in the list … */
    int real_repeats; /* … and that are not, because a smaller one of the kind is: --every-network */
    int left_slow;    /* real cases × variants that would have taken too long, where others ran */
    int n_worst;
    struct graft_conform_worst worst[GRAFT_CONFORM_WORST]; /* by share, descending */
    int n_coverage;
    struct graft_conform_coverage *coverage;
    int n_failures; /* at most GRAFT_CONFORM_FAILURES */
    struct graft_conform_failure *failures;
    int n_reasons;
    struct graft_conform_unsupported *reasons;
    int cases; /* that the device can run, all in all: more than `ran` where time or most_work left some out
                */
    bool complete; /* nothing was left out by time or most_work */
    bool interrupted; /* `stop` ended it */
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
