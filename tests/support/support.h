/* SPDX-License-Identifier: MIT */
/* What many tests need: memory that fails on demand, a scratch folder, the place of the test data. */
#ifndef GRAFT_TESTS_SUPPORT_H
#define GRAFT_TESTS_SUPPORT_H

#include "graft/base.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Memory that counts what is alive, notes its largest block, and fails at the n-th use (counted from 0; below 0: never). */
struct test_memory {
    atomic_long uses;
    atomic_long alive;
    atomic_size_t largest;
    long fail_at;
};

static inline void *test_allocate(void *user, size_t bytes)
{
    struct test_memory *const memory = user;
    if (atomic_fetch_add(&memory->uses, 1) == memory->fail_at) {
        return NULL;
    }
    if (bytes > atomic_load(&memory->largest)) {
        atomic_store(&memory->largest, bytes);
    }
    void *result = NULL;
    if (posix_memalign(&result, 64, bytes) != 0) {
        return NULL;
    }
    memset(result, 0xA5, bytes); /* whoever reads what it has not written shall notice */
    atomic_fetch_add(&memory->alive, 1);
    return result;
}

static inline void test_release(void *user, void *memory)
{
    if (memory != NULL) {
        atomic_fetch_sub(&((struct test_memory *)user)->alive, 1);
        free(memory);
    }
}

static inline struct graft_context_options test_memory_options(struct test_memory *memory, long fail_at)
{
    atomic_init(&memory->uses, 0);
    atomic_init(&memory->alive, 0);
    atomic_init(&memory->largest, 0);
    memory->fail_at = fail_at;
    return (struct graft_context_options){.allocator = {test_allocate, test_release, memory}, .threads = 1};
}

/* Set-up and tear-down of a group: a context with one thread and no cache, as the state. */
static inline int test_open_context(void **state)
{
    struct graft_context *context = NULL;
    const struct graft_context_options options = {.threads = 1, .cache_folder = ""};
    if (graft_context_open(&options, &context) != GRAFT_OK) {
        return -1;
    }
    *state = context;
    return 0;
}

static inline int test_close_context(void **state)
{
    struct graft_context *context = *state;
    graft_context_close(&context);
    return 0;
}

/* A fresh empty folder under $TMPDIR or /tmp; the name goes to `path` (at least 128 bytes). */
static inline void test_folder(char *path, size_t size)
{
    const char *const base = getenv("TMPDIR");
    snprintf(path, size, "%s/graft-test-XXXXXX", base != NULL && base[0] != '\0' ? base : "/tmp");
    assert_non_null(mkdtemp(path));
}

static inline int test_remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

static inline void test_folder_remove(const char *path)
{
    nftw(path, test_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Path of a file of the test data, or NULL where there is none (then: skip()). */
static inline const char *test_data(const char *name, char *path, size_t size)
{
    const char *const folder = getenv("GRAFT_TEST_DATA");
    snprintf(path, size, "%s/%s", folder != NULL && folder[0] != '\0' ? folder : "../shared", name);
    if (access(path, R_OK) != 0) {
        fprintf(stderr, "skipped: '%s' is not there (set GRAFT_TEST_DATA)\n", path);
        return NULL;
    }
    return path;
}

#endif
