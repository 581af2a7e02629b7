/* SPDX-License-Identifier: MIT */
/* The context: memory, cancellation, and what is made at the first use (threads, cache folder). */
#include "base/context_state.h"
#include "base/file.h"
#include "base/pool.h"
#include "base/size.h"
#include "base/system.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ALIGNMENT 64
#define LARGE_PAGE ((size_t)2 << 20)
#define MAX_THREADS 1024

/* What is large lies in large pages where the system has them: a product's rows lie on hundreds of small ones, more
 * than the processor keeps the addresses of. The system may decline, and nothing is lost. */
static void *default_allocate(void *user, size_t bytes)
{
    (void)user;
    void *memory = NULL;
    const bool large = bytes >= 2 * LARGE_PAGE;
    if (posix_memalign(&memory, large ? LARGE_PAGE : ALIGNMENT, bytes) != 0) {
        return NULL;
    }
#ifdef MADV_HUGEPAGE
    if (large) {
        (void)madvise(memory, bytes / LARGE_PAGE * LARGE_PAGE, MADV_HUGEPAGE);
    }
#endif
    return memory;
}

static void default_release(void *user, void *memory)
{
    (void)user;
    free(memory);
}

/* What an allocation was, in the 64 bytes before it: so that releasing it can be booked. */
struct header {
    uint64_t bytes; /* header included */
};

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define HIDE_HEADER(header) ASAN_POISON_MEMORY_REGION(header, ALIGNMENT)
#define SHOW_HEADER(header) ASAN_UNPOISON_MEMORY_REGION(header, ALIGNMENT)
#else
#define HIDE_HEADER(header) (void)(header)
#define SHOW_HEADER(header) (void)(header)
#endif

enum graft_status graft_context_open(const struct graft_context_options *options,
                                     struct graft_context **context)
{
    if (context == NULL) {
        return GRAFT_ERROR_ARGUMENT;
    }
    *context = NULL;
    struct graft_context_options given = {0};
    if (options != NULL) {
        given = *options;
    }
    if (given.threads < 0 || given.threads > MAX_THREADS ||
        (given.allocator.allocate == NULL) != (given.allocator.release == NULL)) {
        return GRAFT_ERROR_ARGUMENT;
    }
    if (given.allocator.allocate == NULL) {
        given.allocator = (struct graft_allocator){default_allocate, default_release, NULL};
    }
    struct graft_context *made = given.allocator.allocate(given.allocator.user, sizeof *made);
    if (made == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    memset(made, 0, sizeof *made);
    made->allocator = given.allocator;
    made->log = given.log;
    made->log_user = given.log_user;
    made->threads = given.threads;
    if (made->threads == 0)
        made->threads = (int)graft_min_i64(graft_system_processors(), MAX_THREADS);
    atomic_init(&made->cancelled, 0);
    atomic_init(&made->memory_limit, 0);
    atomic_init(&made->live_bytes, 0);
    atomic_init(&made->peak_bytes, 0);
    pthread_mutex_init(&made->error_lock, NULL);
    pthread_mutex_init(&made->lazy_lock, NULL);
    if (given.cache_folder != NULL) {
        made->cache_folder = graft_duplicate_text(made, given.cache_folder);
        if (made->cache_folder == NULL) {
            graft_context_close(&made);
            return GRAFT_ERROR_MEMORY;
        }
    }
    *context = made;
    return GRAFT_OK;
}

void graft_context_close(struct graft_context **context)
{
    if (context == NULL || *context == NULL) {
        return;
    }
    struct graft_context *const old = *context;
    *context = NULL;
    graft_pool_close(&old->pool);
    graft_release(old, old->cache_folder);
    pthread_mutex_destroy(&old->lazy_lock);
    pthread_mutex_destroy(&old->error_lock);
    const struct graft_allocator allocator = old->allocator;
    allocator.release(allocator.user, old);
}

enum graft_status graft_context_fork(struct graft_context *parent, struct graft_context **context)
{
    const struct graft_context_options options = {.allocator = parent->allocator,
                                                  .log = parent->log,
                                                  .log_user = parent->log_user,
                                                  .threads = parent->threads};
    const enum graft_status status = graft_context_open(&options, context);
    if (status != GRAFT_OK) {
        return graft_fail(parent, status, "no memory for a part of a context");
    }
    (*context)->parent = parent;
    return GRAFT_OK;
}

const char *graft_context_error(const struct graft_context *context)
{
    return context == NULL ? "" : context->error;
}

void graft_context_cancel(struct graft_context *context)
{
    int no = GRAFT_CANCEL_NO;
    (void)atomic_compare_exchange_strong(&context->cancelled, &no, GRAFT_CANCEL_YES);
}

bool graft_context_cancelled(const struct graft_context *context)
{
    const int own = atomic_load_explicit(&context->cancelled, memory_order_relaxed);
    return own == GRAFT_CANCEL_YES ||
           (own == GRAFT_CANCEL_NO && context->parent != NULL && graft_context_cancelled(context->parent));
}

void graft_context_cancel_clear(struct graft_context *context)
{
    atomic_store_explicit(&context->cancelled, GRAFT_CANCEL_NO, memory_order_relaxed);
}

void graft_context_ignore_cancel(struct graft_context *context)
{
    atomic_store_explicit(&context->cancelled, GRAFT_CANCEL_DEAF, memory_order_relaxed);
}

int graft_context_threads(const struct graft_context *context)
{
    return context->threads;
}

void graft_context_limit_memory(struct graft_context *context, uint64_t bytes)
{
    atomic_store_explicit(&context->memory_limit, bytes, memory_order_relaxed);
}

/* What the context has in use. Of a part it may go below 0: what was taken before it began can be given back
 * through it (a device's tables). */
static uint64_t above_zero(uint64_t live)
{
    return live > INT64_MAX ? 0 : live;
}

/* The context itself or the parent: whose limit is the lower one. */
static const struct graft_context *limiting(const struct graft_context *context)
{
    const struct graft_context *const parent = context->parent;
    const uint64_t own = atomic_load_explicit(&context->memory_limit, memory_order_relaxed);
    const uint64_t above = parent == NULL ? 0 : graft_context_memory_limit(parent);
    return above > 0 && (own == 0 || above < own) ? parent : context;
}

uint64_t graft_context_memory_limit(const struct graft_context *context)
{
    return atomic_load_explicit(&limiting(context)->memory_limit, memory_order_relaxed);
}

void graft_context_memory(const struct graft_context *context, uint64_t *live, uint64_t *peak)
{
    context = limiting(context);
    *live = above_zero(atomic_load_explicit(&context->live_bytes, memory_order_relaxed));
    *peak = atomic_load_explicit(&context->peak_bytes, memory_order_relaxed);
}

enum graft_status graft_context_take(struct graft_context *context, uint64_t bytes)
{
    const uint64_t limit = atomic_load_explicit(&context->memory_limit, memory_order_relaxed);
    const enum graft_status above =
        context->parent == NULL ? GRAFT_OK : graft_context_take(context->parent, bytes);
    if (above != GRAFT_OK) {
        struct graft_kept_error kept;
        graft_keep_error(context->parent, &kept);
        return graft_fail(context, above, "%s", kept.text);
    }
    const uint64_t after = atomic_fetch_add(&context->live_bytes, bytes) + bytes;
    const uint64_t live = above_zero(after);
    if (limit > 0 && live > limit) {
        graft_context_give(context, bytes);
        return graft_fail(context, GRAFT_ERROR_MEMORY,
                          "%.1f MiB more than the %.1f MiB in use would exceed the limit of %.1f MiB: allow "
                          "more memory, or use a smaller batch or smaller pictures",
                          (double)bytes / 1048576, (double)(live - bytes) / 1048576, (double)limit / 1048576);
    }
    uint64_t peak = atomic_load_explicit(&context->peak_bytes, memory_order_relaxed);
    while (live > peak && !atomic_compare_exchange_weak(&context->peak_bytes, &peak, live)) {
    }
    return GRAFT_OK;
}

void graft_context_give(struct graft_context *context, uint64_t bytes)
{
    atomic_fetch_sub(&context->live_bytes, bytes);
    if (context->parent != NULL) {
        graft_context_give(context->parent, bytes);
    }
}

void *graft_allocate_raw(struct graft_context *context, size_t count, size_t size)
{
    size_t bytes = 0;
    if (!graft_multiply_size(count, size, &bytes) || bytes > PTRDIFF_MAX - 2 * ALIGNMENT) {
        graft_fail(context, GRAFT_ERROR_MEMORY, "%zu elements of %zu bytes are more than can be addressed",
                   count, size);
        return NULL;
    }
    const size_t all = ALIGNMENT + (bytes > 0 ? bytes : 1);
    if (graft_context_take(context, all) != GRAFT_OK) {
        return NULL;
    }
    struct header *const header = context->allocator.allocate(context->allocator.user, all);
    if (header == NULL) {
        graft_context_give(context, all);
        graft_fail(context, GRAFT_ERROR_MEMORY,
                   "no memory for %zu bytes; make the batch smaller or free some memory", bytes);
        return NULL;
    }
    header->bytes = all;
    HIDE_HEADER(header);
    return (char *)header + ALIGNMENT;
}

void *graft_allocate(struct graft_context *context, size_t count, size_t size)
{
    void *const memory = graft_allocate_raw(context, count, size);
    if (memory != NULL) {
        memset(memory, 0, count * size);
    }
    return memory;
}

void *graft_reallocate(struct graft_context *context, void *memory, size_t old_count, size_t count,
                       size_t size)
{
    char *const fresh = graft_allocate_raw(context, count, size);
    if (fresh == NULL) {
        return NULL;
    }
    const size_t kept = memory == NULL ? 0 : old_count < count ? old_count : count;
    if (kept > 0) {
        memcpy(fresh, memory, kept * size);
    }
    memset(fresh + kept * size, 0, (count - kept) * size);
    graft_release(context, memory);
    return fresh;
}

void graft_release(struct graft_context *context, void *memory)
{
    if (memory == NULL) {
        return;
    }
    struct header *const header = (struct header *)(void *)((char *)memory - ALIGNMENT);
    SHOW_HEADER(header);
    graft_context_give(context, header->bytes);
    context->allocator.release(context->allocator.user, header);
}

char *graft_duplicate_text(struct graft_context *context, const char *text)
{
    const size_t size = strlen(text) + 1;
    char *const copy = graft_allocate_raw(context, size, 1);
    if (copy != NULL) {
        memcpy(copy, text, size);
    }
    return copy;
}

struct graft_pool *graft_context_pool(struct graft_context *context)
{
    if (context->parent != NULL) {
        return graft_context_pool(context->parent);
    }
    pthread_mutex_lock(&context->lazy_lock);
    if (context->pool == NULL && graft_pool_open(context, context->threads, &context->pool) != GRAFT_OK) {
        context->pool = NULL;
    }
    struct graft_pool *const pool = context->pool;
    pthread_mutex_unlock(&context->lazy_lock);
    return pool;
}

static bool present(const char *text)
{
    return text != NULL && text[0] != '\0';
}

/* The default place: $GRAFT_CACHE, else $XDG_CACHE_HOME/graft, else ~/.cache/graft; NULL if none is known. */
static char *default_cache_folder(struct graft_context *context)
{
    const char *const own = getenv("GRAFT_CACHE");
    const char *const shared = getenv("XDG_CACHE_HOME");
    const char *const home = getenv("HOME");
    struct graft_text path = {0};
    if (own != NULL) { /* set but empty: no cache */
        graft_text_append(context, &path, "%s", own);
    } else if (present(shared)) {
        graft_text_append(context, &path, "%s/graft", shared);
    } else if (present(home)) {
        graft_text_append(context, &path, "%s/.cache/graft", home);
    }
    if (path.failed) {
        graft_text_close(context, &path);
    }
    return path.data;
}

const char *graft_context_cache_folder(struct graft_context *context)
{
    if (context->parent != NULL) {
        return graft_context_cache_folder(context->parent);
    }
    pthread_mutex_lock(&context->lazy_lock);
    if (!context->cache_known) {
        context->cache_known = true;
        if (context->cache_folder == NULL) {
            context->cache_folder = default_cache_folder(context);
        }
        char *const folder = context->cache_folder;
        const bool wanted = present(folder);
        const bool usable = wanted && graft_folder_create(context, folder) == GRAFT_OK;
        if (wanted && !usable) {
            struct graft_kept_error why;
            graft_keep_error(context, &why);
            graft_log(context, GRAFT_LOG_WARNING, "nothing is cached: %s", why.text);
        }
        if (!usable) {
            graft_release(context, folder);
            context->cache_folder = NULL;
        }
    }
    const char *const result = context->cache_folder;
    pthread_mutex_unlock(&context->lazy_lock);
    return result;
}
