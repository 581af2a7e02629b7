/* SPDX-License-Identifier: MIT */
/*
 * The harness that puts every variant of every op through its cases.
 *
 * A case (struct graft_case, declared in tests/op/<op>.c) is one call with its inputs. It becomes up to five
 * jobs: the exact and the rounding tier, each with and without accumulation where the op knows it, and the
 * gradient tier. A job is run on every variant of a device; job × variant is what is counted.
 */
#ifndef GRAFT_TESTS_OP_HARNESS_H
#define GRAFT_TESTS_OP_HARNESS_H

#include "backend/backend.h"
#include "base/context.h"
#include "op/op.h"

#include "compare.h"
#include "conform.h"

#include <pthread.h>

/* ---- declaring cases ---- */

enum graft_tier {
    GRAFT_TIER_EXACT = 1,    /* small integers: equality */
    GRAFT_TIER_ROUNDING = 2, /* real numbers: the bound of tolerance.c */
    GRAFT_TIER_GRADIENT = 4, /* central differences against the gradient rule, on the f64 reference */
    GRAFT_TIER_REAL = 8      /* sizes of networks and beyond: real.h */
};

/* What an input is filled with. Exact tier → rounding tier. */
enum graft_values {
    GRAFT_VALUES_NORMAL = 0, /* integers −3 … 3 → standard normal */
    GRAFT_VALUES_POSITIVE,   /* integers 1 … 4 → 0.25 + |normal| */
    GRAFT_VALUES_UNIT,       /* 1, 2 or 4 → 0.2 … 1.2: scales and deviations */
    GRAFT_VALUES_TIES,       /* 0, 1 or 2 in both: maxima that are met twice */
    GRAFT_VALUES_DISTINCT,   /* a shuffled run of multiples of 1/8: no two are near each other */
    GRAFT_VALUES_KINKS,      /* −2 … 8 in steps of 1/2, with −0, 0 and 6 */
    GRAFT_VALUES_AWAY,       /* normal × 4, but no nearer than 0.05 to the kinks at 0 and 6 */
    GRAFT_VALUES_SPECIAL,    /* normal with a NaN, +Inf or −Inf in about one of 19 places */
    GRAFT_VALUES_INFINITE,   /* normal with a −Inf in about one of 7 places */
    GRAFT_VALUES_EXTREME,    /* normal × 40, with some of ±1000 */
    GRAFT_VALUES_DEEP,       /* −300 + normal × 4: exp is 0 unless the maximum is taken off first */
    GRAFT_VALUES_OFFSET,     /* 100 + normal: the mean is large against the deviation */
    GRAFT_VALUES_LITERAL     /* `literal`, repeated */
};

/* Real inputs have dtype F32; F64 stands nowhere in a case. */
struct graft_case_input {
    enum graft_dtype dtype; /* NONE: absent */
    enum graft_values values;
    struct graft_shape shape;
    const double *literal;
    int32_t below;         /* i32: values are in [0, below) */
    int32_t literal_count; /* numbers at `literal` */
};

struct graft_case {
    const char *name; /* unique in the op */
    union graft_attributes attributes;
    struct graft_case_input in[GRAFT_MAX_INPUTS];
    uint32_t tiers;    /* 0: exact and rounding as the op has them, gradient if nothing speaks against it */
    uint32_t unwanted; /* bit i: output i is not wanted */
};

struct graft_inputs;

struct graft_case_set {
    const struct graft_case *cases;
    int count;
    uint32_t constants;   /* inputs that are weights in a network: run plain and as call.constant */
    uint32_t no_gradient; /* real inputs for which the gradient rule gives nothing by design */
    /* Computes inputs that depend on others (mean and variance of x). May be NULL. */
    void (*derive)(const struct graft_call *call, double *const *in);
};

/* One per op, in tests/op/<op>.c: an op without cases does not link. */
#define GRAFT_OP(name, NAME) extern const struct graft_case_set graft_cases_##name;
#include "op/ops.def"
#undef GRAFT_OP

#define DIMS(...)                                                                                            \
    {                                                                                                        \
        (int32_t)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),                                 \
        {                                                                                                    \
            __VA_ARGS__                                                                                      \
        }                                                                                                    \
    }
#define REAL(...)                                                                                            \
    {                                                                                                        \
        GRAFT_DTYPE_F32, GRAFT_VALUES_NORMAL, DIMS(__VA_ARGS__), NULL, 0                                     \
    }
#define REAL_OF(kind, ...)                                                                                   \
    {                                                                                                        \
        GRAFT_DTYPE_F32, GRAFT_VALUES_##kind, DIMS(__VA_ARGS__), NULL, 0                                     \
    }
#define LITERAL(values, ...)                                                                                 \
    {                                                                                                        \
        GRAFT_DTYPE_F32, GRAFT_VALUES_LITERAL, DIMS(__VA_ARGS__), values, 0, CASE_COUNT(values)              \
    }
#define SCALAR                                                                                               \
    {                                                                                                        \
        GRAFT_DTYPE_F32, GRAFT_VALUES_NORMAL, {0, {0}}, NULL, 0                                              \
    }
#define LABELS(n, classes)                                                                                   \
    {                                                                                                        \
        GRAFT_DTYPE_I32, GRAFT_VALUES_NORMAL, DIMS(n), NULL, classes                                         \
    }
#define PIXELS(...)                                                                                          \
    {                                                                                                        \
        GRAFT_DTYPE_U8, GRAFT_VALUES_NORMAL, DIMS(__VA_ARGS__), NULL, 0                                      \
    }
#define ABSENT                                                                                               \
    {                                                                                                        \
        GRAFT_DTYPE_NONE, GRAFT_VALUES_NORMAL, {0, {0}}, NULL, 0                                             \
    }
#define CASE_COUNT(cases) ((int)(sizeof(cases) / sizeof((cases)[0])))

/* ---- jobs ---- */

struct graft_real;

struct graft_job {
    enum graft_op op;
    int index; /* of the case in its set; real cases: 0 */
    enum graft_tier tier;
    bool accumulate;
    const struct graft_real *real; /* real.h; NULL: a small case */
};

struct graft_jobs {
    struct graft_job *items;
    int count;
    double until;     /* CLOCK_MONOTONIC, seconds: a sample is run, until then; 0: all, in this order */
    double most_work; /* of a job that is not needed for coverage; 0: any */
    double largest;   /* of any job of a sample; 0: any. What only larger ones could cover is left out */
    bool sample_real; /* of real cases only those that try every variant, and what time allows */
    bool cover_real;  /* real cases that try every variant are run even if the time is up */
    bool leave_huge;  /* of a sample those with tensors of more than 2^31 bytes, if others try as much */
    int real_calls;   /* of real sizes among the jobs … */
    int real_repeats; /* … and those that were left out because a smaller one shows as much */
    struct graft_reals *reals; /* what jobs point to */
    bool borrowed;             /* options->reals: closed by who made it */
    pthread_mutex_t *starting; /* held while a child is started, where several are at work; NULL: one */
};

const struct graft_case_set *graft_case_set_of(enum graft_op op);
const struct graft_case *graft_job_case(const struct graft_job *job);
/* call.accumulate of a job: all outputs, and for every other case of ops with two only one of them. */
uint32_t graft_job_accumulate(const struct graft_job *job);
/* "conv2d/g3_s2_p1/exact+accumulate" */
char *graft_job_format(const struct graft_job *job, char *text, size_t size);
/* Whether the options ask for real cases at all: making them takes a second. */
bool graft_jobs_want_real(const struct graft_conform_options *options);
/* All jobs that pass the filters; gradient jobs only if `gradients`; real ones of any size, or (small_real)
 * only those that the reference's loops can do in seconds. False with a text. */
bool graft_jobs_open(const struct graft_conform_options *options, bool gradients, bool small_real,
                     struct graft_jobs *jobs, char *error, size_t error_size);
void graft_jobs_close(struct graft_jobs *jobs);
/* One of two parts of the jobs, for processes side by side: all that take gigabytes are in the first. It
 * borrows what the whole has, and is closed before it. False: out of memory. */
bool graft_jobs_part(const struct graft_jobs *jobs, int part, struct graft_jobs *own);
/* The call of a job, f32, with what it accumulates. */
GRAFT_MUST_CHECK enum graft_status graft_job_call(struct graft_context *context, const struct graft_job *job,
                                                  struct graft_call *call);
/* The call of a case with shapes inferred, real F32 or F64. */
GRAFT_MUST_CHECK enum graft_status graft_case_call(struct graft_context *context, enum graft_op op,
                                                   const struct graft_case *test, enum graft_dtype real,
                                                   struct graft_call *call);

/* ---- inputs ---- */

/* Values as the f64 reference gets them: double for real inputs, else the dtype itself. NULL: absent. */
struct graft_inputs {
    void *in[GRAFT_MAX_INPUTS];
};

/* Memory that lives as long as a job. A worker that gets none exits with a message: a failed case. */
struct graft_heap {
    void **blocks;
    int count;
    int capacity;
    size_t bytes;
};
void *graft_heap_get(struct graft_heap *heap, size_t count, size_t size); /* zeroed */
void graft_heap_close(struct graft_heap *heap);
/* For a process that runs many jobs: memory that one has given back is the next one's, but for that of jobs
 * of gigabytes. Touching memory of the system's takes a third of the time of real cases. */
void graft_heap_keep_memory(void);

/* Fills the inputs of a job; every double is representable as f32. */
void graft_inputs_make(struct graft_heap *heap, const struct graft_job *job, const struct graft_call *call,
                       uint64_t seed, struct graft_inputs *inputs);
/* What the outputs hold before an accumulating run. */
double *graft_prior_make(struct graft_heap *heap, const struct graft_job *job, int output, int64_t count,
                         uint64_t seed);
/* From the reference's form to that of the device: f32 for doubles. */
void graft_to_device(const struct graft_desc *desc, const void *values, void *bytes);

/* ---- truth ---- */

#define GRAFT_MAX_RESULTS 6

/* A tensor that the call writes: an output, or a mutated input. */
struct graft_result {
    bool input;
    int index; /* of the output or input */
    int64_t count;
    double *wanted;
    double *tolerance; /* NULL: equality */
};

struct graft_truth {
    struct graft_call call; /* real F32 */
    struct graft_inputs inputs;
    double *prior[GRAFT_MAX_OUTPUTS]; /* NULL unless accumulating */
    double terms;                     /* K */
    int n_results;
    struct graft_result results[GRAFT_MAX_RESULTS];
    struct graft_real_truth *real; /* of real cases, which have nothing else here but the call */
};

/* Runs the f64 reference kernel; in[] and out[] as in the call. */
void graft_reference_run(const struct graft_call *call, void *const *in, double *const *out);
/* Lists what the call writes and runs it into that; what is accumulated on truth->prior is added. */
void graft_truth_compute(struct graft_heap *heap, const struct graft_call *call, struct graft_truth *truth);
/* Truth and tolerances of a job. False with a text if the case itself is wrong. */
bool graft_truth_make(struct graft_heap *heap, struct graft_context *context, const struct graft_job *job,
                      uint64_t seed, struct graft_truth *truth, char *error, size_t error_size);
/* The truth for a variant: Winograd's algorithm has a bound of its own (tolerance_winograd.c) and no exact
 * tier, factors of TF32 widen the bound. False if the tier does not apply to the variant. */
bool graft_truth_adapt(struct graft_heap *heap, const struct graft_job *job, const char *variant,
                       const struct graft_truth *plain, struct graft_truth *adapted);

/* ---- running one job on one variant ---- */

enum graft_outcome {
    GRAFT_OUTCOME_BEGUN = 0, /* in messages of a worker: from now on a crash is this trial's */
    GRAFT_OUTCOME_PASSED,
    GRAFT_OUTCOME_FAILED,
    GRAFT_OUTCOME_REFUSED, /* this variant cannot do the call; text: why */
    GRAFT_OUTCOME_SKIPPED, /* the tier does not apply to the variant's algorithm */
    GRAFT_OUTCOME_LEFT     /* the variant was not tried, or not in real sizes; text: why */
};

struct graft_trial {
    struct graft_device *device;
    struct graft_device *single; /* the same with one thread, or NULL */
    const struct graft_job *job;
    const struct graft_case_set *set;
    struct graft_truth *truth;
    struct graft_heap *heap;
    int variant;
    uint64_t seed;
    bool bench;
};

struct graft_verdict {
    enum graft_outcome outcome;
    char variant[32];
    double share;   /* the largest error in tolerances */
    double seconds; /* bench: of one run; else 0 */
    double spent;   /* real cases: of the processor, in the fastest run of the kernel */
    bool slow;      /* a real case that was refused because it would take too long */
    double flops;
    char text[700];
    struct graft_conform_difference difference;
};

/* The variants (bit i: variant i, 64 at most) that can do the job's call, plain or with constant weights, and
 * whose algorithm has its tier. Computes nothing. */
uint64_t graft_trial_variants(struct graft_device *device, const struct graft_job *job);
/* The backend's check; GRAFT_ERROR_UNSUPPORTED also where the case with its guards does not fit into a
 * buffer. */
GRAFT_MUST_CHECK enum graft_status graft_trial_check(struct graft_device *device,
                                                     const struct graft_call *call, int variant,
                                                     struct graft_variant_info *info);
/* Runs one variant; GRAFT_ERROR_NOT_FOUND from the backend's check ends the variants: returns false then. */
bool graft_trial_run(const struct graft_trial *trial, struct graft_verdict *verdict);
/* The gradient tier; fills the verdict. */
void graft_gradient_run(struct graft_device *reference, const struct graft_job *job, struct graft_heap *heap,
                        uint64_t seed, struct graft_verdict *verdict);
/* True if the job can be run as a gradient job at all. */
bool graft_gradient_applies(enum graft_op op, const struct graft_case *test);

#endif
