/* SPDX-License-Identifier: MIT */
#include "faults.h"

#include <execinfo.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 24  /* frames of a stack that are shown */
#define TOLD_BY 7 /* … and that tell one place from another */

const char *const fault_names[FAULT_KINDS] = {"none",  "memory", "opencl", "answer",
                                              "event", "system", "library"};
const int fault_variants[FAULT_KINDS] = {1, 1, 5, 3, 1, 3, 1};

bool fault_begun;

__attribute__((constructor)) PLAIN static void begin(void)
{
    fault_begun = true;
}

static struct fault armed;
static atomic_int armed_kind;
static atomic_long uses;
static atomic_bool happened;
static const char *happened_where;

/* Of recordings: hashes of all stacks, first and last use of each that is new. Written under the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool recording;
static uint64_t *hashes;
static struct uses {
    long first, last;
} *uses_of;
static long *chosen;
static size_t hash_count, known_count /* by earlier recordings */, record_capacity;
static enum fault_kind recorded;
static _Thread_local bool inside; /* what recording itself and the test use is not counted */

void fault_arm(const struct fault *fault)
{
    armed = *fault;
    atomic_store(&uses, 0);
    atomic_store(&happened, false);
    happened_where = "";
    atomic_store(&armed_kind, (int)fault->kind);
}

long fault_disarm(void)
{
    atomic_store(&armed_kind, FAULT_NONE);
    return atomic_load(&uses);
}

bool fault_happened(const char **where)
{
    *where = happened_where;
    return atomic_load(&happened);
}

enum fault_kind fault_kind(void)
{
    return inside ? FAULT_NONE : (enum fault_kind)atomic_load_explicit(&armed_kind, memory_order_relaxed);
}

int fault_variant(void)
{
    return armed.variant;
}

void fault_pause(bool pause)
{
    inside = pause;
}

static void record(long number)
{
    void *frames[TOLD_BY];
    inside = true;
    const int depth = backtrace(frames, TOLD_BY);
    uint64_t hash = 0xcbf29ce484222325u;
    for (int i = 1; i < depth; i++) {
        hash = (hash ^ (uint64_t)(uintptr_t)frames[i]) * 0x100000001b3u;
    }
    pthread_mutex_lock(&lock);
    size_t at = 0;
    while (at < hash_count && hashes[at] != hash) {
        at++;
    }
    if (at == hash_count) {
        if (hash_count == record_capacity) {
            record_capacity = 2 * record_capacity + 256;
            hashes = realloc(hashes, record_capacity * sizeof *hashes);
            uses_of = realloc(uses_of, record_capacity * sizeof *uses_of);
            chosen = realloc(chosen, 2 * record_capacity * sizeof *chosen);
        }
        uses_of[hash_count] = (struct uses){number, number};
        hashes[hash_count++] = hash;
    } else if (at >= known_count) {
        uses_of[at].last = number;
    }
    pthread_mutex_unlock(&lock);
    inside = false;
}

bool fault_point(enum fault_kind kind, const char *where)
{
    if (atomic_load_explicit(&armed_kind, memory_order_relaxed) != (int)kind || inside) {
        return false;
    }
    const long number = atomic_fetch_add(&uses, 1);
    if (recording) {
        record(number);
    }
    const bool fails = armed.at >= 0 && (number == armed.at || (armed.lasting && number > armed.at));
    if (fails && !atomic_exchange(&happened, true)) {
        happened_where = where;
        if (armed.trace) {
            void *frames[DEPTH];
            backtrace_symbols_fd(frames, backtrace(frames, DEPTH), 2);
        }
    }
    return fails;
}

void fault_record_begin(enum fault_kind kind)
{
    void *frames[2];
    (void)backtrace(frames, 2); /* loads what it needs */
    if (kind != recorded) {
        hash_count = 0;
    }
    recorded = kind;
    known_count = hash_count;
    recording = true;
    fault_arm(&(struct fault){.kind = kind, .at = -1});
}

const long *fault_record_end(size_t *places, size_t *count, long *all)
{
    *all = fault_disarm();
    recording = false;
    *places = hash_count - known_count;
    *count = 0;
    for (size_t i = known_count; i < hash_count; i++) {
        chosen[(*count)++] = uses_of[i].first;
        if (uses_of[i].last != uses_of[i].first) {
            chosen[(*count)++] = uses_of[i].last;
        }
    }
    return chosen;
}

/* ---- the context's allocator */

static atomic_long alive;

static void *allocate(void *user, size_t bytes)
{
    (void)user;
    if (fault_point(FAULT_MEMORY, "allocate")) {
        return NULL;
    }
    void *memory = NULL;
    const bool was = inside;
    inside = true; /* this is not malloc's turn */
    const int code = posix_memalign(&memory, 64, bytes);
    inside = was;
    if (code != 0) {
        return NULL;
    }
    memset(memory, 0xA5,
           bytes < 4096 ? bytes : 4096); /* whoever reads what it has not written shall notice */
    atomic_fetch_add(&alive, 1);
    return memory;
}

static void release(void *user, void *memory)
{
    (void)user;
    if (memory != NULL) {
        atomic_fetch_sub(&alive, 1);
        free(memory);
    }
}

const struct graft_allocator fault_allocator = {allocate, release, NULL};

long fault_memory_alive(void)
{
    return atomic_load(&alive);
}

void fault_memory_forget(void)
{
    atomic_store(&alive, 0);
}
