/* SPDX-License-Identifier: MIT */
/* malloc and its family, for everybody in the process: what Graft's libraries take from the C library. */
#include "faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

/* dlsym itself may ask for memory before the real functions are known: it gets it from here. */
static _Alignas(16) char early[65536];
static size_t early_used;

PLAIN static void *early_memory(size_t size)
{
    size_t *const block = (size_t *)(void *)(early + early_used);
    early_used += (size + 31) / 16 * 16;
    if (early_used > sizeof early) {
        return NULL;
    }
    block[0] = size;
    return block + 2;
}

PLAIN static bool is_early(const void *memory)
{
    return (const char *)memory >= early && (const char *)memory < early + sizeof early;
}

static _Atomic(void *) known_malloc, known_calloc, known_realloc, known_aligned;
static _Thread_local bool looking;

PLAIN static void *real(_Atomic(void *) *known, const char *name)
{
    if (*known == NULL && !looking) {
        looking = true;
        *known = dlsym(RTLD_NEXT, name);
        looking = false;
    }
    return *known;
}

PLAIN static bool fails(const char *name)
{
    if (!fault_begun || looking || !fault_point(FAULT_LIBRARY, name)) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

void *test_malloc(size_t size) __asm__("malloc");
PLAIN void *test_malloc(size_t size)
{
    void *(*const next)(size_t) = (void *(*)(size_t))real(&known_malloc, "malloc");
    if (next == NULL) {
        return early_memory(size);
    }
    return fails("malloc") ? NULL : next(size);
}

void *test_calloc(size_t count, size_t size) __asm__("calloc");
PLAIN void *test_calloc(size_t count, size_t size)
{
    void *(*const next)(size_t, size_t) = (void *(*)(size_t, size_t))real(&known_calloc, "calloc");
    if (next == NULL) {
        return early_memory(count * size); /* fresh, so it is zero */
    }
    return fails("calloc") ? NULL : next(count, size);
}

void *test_realloc(void *memory, size_t size) __asm__("realloc");
PLAIN void *test_realloc(void *memory, size_t size)
{
    void *(*const next)(void *, size_t) = (void *(*)(void *, size_t))real(&known_realloc, "realloc");
    if (is_early(memory) || next == NULL) {
        void *const fresh = test_malloc(size);
        const size_t old = memory != NULL ? ((size_t *)memory)[-2] : 0;
        if (fresh != NULL && old > 0) {
            memcpy(fresh, memory, old < size ? old : size);
        }
        return fresh;
    }
    return fails("realloc") ? NULL : next(memory, size);
}

int test_posix_memalign(void **memory, size_t alignment, size_t size) __asm__("posix_memalign");
PLAIN int test_posix_memalign(void **memory, size_t alignment, size_t size)
{
    int (*const next)(void **, size_t, size_t) =
        (int (*)(void **, size_t, size_t))real(&known_aligned, "posix_memalign");
    return fails("posix_memalign") ? ENOMEM : next(memory, alignment, size);
}

void test_free(void *memory) __asm__("free");
PLAIN void test_free(void *memory)
{
    static _Atomic(void *) known;
    void (*const next)(void *) = (void (*)(void *))real(&known, "free");
    if (!is_early(memory) && next != NULL) {
        next(memory);
    }
}
