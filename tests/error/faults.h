/* SPDX-License-Identifier: MIT */
/*
 * Failures on demand. The executable that links these files has its own version of every function that can
 * fail outside of Graft: the context's allocator, all OpenCL calls, the system's calls for files and threads,
 * and malloc. They pass the call on, until the N-th use of the armed kind, which fails.
 *
 * The functions of libraries are replaced by defining them in the executable, whose symbols come first; the
 * real ones are found with dlsym. So libraries that Graft uses (CLBlast, libarchive) meet the failures, too.
 */
#ifndef GRAFT_TESTS_ERROR_FAULTS_H
#define GRAFT_TESTS_ERROR_FAULTS_H

#include "graft/base.h"

/* A checker's library calls replaced functions before it is ready for code that it checks: what they do then
 * must not be checked, and passes calls on. */
#define PLAIN __attribute__((no_sanitize("address", "undefined", "thread")))
extern bool fault_begun; /* the process's constructors run */

enum fault_kind {
    FAULT_NONE = 0,
    FAULT_MEMORY = 1,  /* the context's allocator gives NULL */
    FAULT_OPENCL = 2,  /* an OpenCL call gives an error code: `variant` chooses which */
    FAULT_ANSWER = 3,  /* an OpenCL call that asks for something gives rubbish with CL_SUCCESS: 0 leaves the
                          memory as it was, 1 fills it with 0xFF, 2 with 0 */
    FAULT_EVENT = 4,   /* a queued command fails after it was taken: its event gets a negative status */
    FAULT_SYSTEM = 5,  /* a call of the operating system: `variant` chooses the error, or a short count */
    FAULT_LIBRARY = 6, /* malloc, calloc, realloc … of whoever calls them */
    FAULT_KINDS = 7
};

extern const char *const fault_names[FAULT_KINDS];
/* How many variants a kind has. */
extern const int fault_variants[FAULT_KINDS];

struct fault {
    enum fault_kind kind;
    long at;      /* use that fails, from 0; below 0: none */
    bool lasting; /* all uses from `at` on fail: a lost device, a full disk */
    int variant;
    bool trace; /* shows on stderr where it failed */
};

/* From now on uses of the kind are counted, and fail as asked. */
void fault_arm(const struct fault *fault);
/* Ends that; returns how many uses there were. */
long fault_disarm(void);
/* Whether a use has failed since fault_arm; its function's name goes to `where`. */
bool fault_happened(const char **where);

/*
 * While recording, each use is told apart by its call stack. fault_record_end gives the first and the last
 * use of each stack (`places` of them) that no recording of this kind has met before; the numbers are those
 * of `at` and hold until the next recording.
 */
void fault_record_begin(enum fault_kind kind);
const long *fault_record_end(size_t *places, size_t *count, long *uses);

/* What the calling thread does between is the test's own business: neither counted nor made to fail. */
void fault_pause(bool pause);

/* For the replaced functions: counts a use; true if it has to fail. */
bool fault_point(enum fault_kind kind, const char *where);
/* The armed kind, unless the calling thread has paused; and its variant. */
enum fault_kind fault_kind(void);
int fault_variant(void);

/* The context's allocator: counts, fails, and fills fresh memory with rubbish. */
extern const struct graft_allocator fault_allocator;
/* Blocks of that allocator, and OpenCL objects, that are alive. `what` names a kind of object left over. */
long fault_memory_alive(void);
long fault_opencl_alive(const char **what);
/* After a leak was told: counts from 0 again. */
void fault_memory_forget(void);
void fault_opencl_forget(void);

#endif
