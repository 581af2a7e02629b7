/* SPDX-License-Identifier: MIT */
/* Inside of the context: failing with a message, logging, memory. */
#ifndef GRAFT_SRC_BASE_CONTEXT_H
#define GRAFT_SRC_BASE_CONTEXT_H

#include "graft/base.h"

#include <stdarg.h>

struct graft_pool;

/* Records the message (cut at 2 KiB) and returns `status`: `return graft_fail(context, …);`. Thread-safe. */
enum graft_status graft_fail(struct graft_context *context, enum graft_status status, const char *format, ...)
    GRAFT_PRINTF(3, 4);

/* Puts "prefix: " before the recorded message, so that an outer layer can name its file or node. */
enum graft_status graft_fail_prefix(struct graft_context *context, enum graft_status status,
                                    const char *format, ...) GRAFT_PRINTF(3, 4);

#define GRAFT_ERROR_SIZE 2048

/* A copy of the recorded message: kept while something is tried whose failure is none for the user, or to be
 * told. Inside of the library always this one, because other threads may fail meanwhile. */
struct graft_kept_error {
    char text[GRAFT_ERROR_SIZE];
};
void graft_keep_error(struct graft_context *context, struct graft_kept_error *kept);
void graft_restore_error(struct graft_context *context, const struct graft_kept_error *kept);

void graft_log(struct graft_context *context, enum graft_log_level level, const char *format, ...)
    GRAFT_PRINTF(3, 4);

/* Memory for `count` elements of `size` bytes, zeroed, aligned to 64; NULL with the error recorded (also on
 * overflow). A count of 0 gives a valid pointer. */
void *graft_allocate(struct graft_context *context, size_t count, size_t size);
/* The same without zeroing: for large buffers that are written whole. */
void *graft_allocate_raw(struct graft_context *context, size_t count, size_t size);
/* Copies `old_count` elements over, zeroes the rest and releases the old; on failure the old one stays valid.
 */
void *graft_reallocate(struct graft_context *context, void *memory, size_t old_count, size_t count,
                       size_t size);
void graft_release(struct graft_context *context, void *memory);
char *graft_duplicate_text(struct graft_context *context, const char *text);

/* Books memory of the host that is not taken by graft_allocate (a driver's buffers): GRAFT_ERROR_MEMORY
 * beyond the context's limit. What was taken is given back. */
GRAFT_MUST_CHECK enum graft_status graft_context_take(struct graft_context *context, uint64_t bytes);
void graft_context_give(struct graft_context *context, uint64_t bytes);
uint64_t graft_context_memory_limit(const struct graft_context *context); /* 0: none */

/*
 * A part of a context: threads, caches, allocator and log are the parent's, and what it takes counts there
 * too; error text, cancelling and limit of memory are its own. It must be closed before the parent.
 */
GRAFT_MUST_CHECK enum graft_status graft_context_fork(struct graft_context *parent,
                                                      struct graft_context **context);
/* From now on the part works to its end whoever cancels. */
void graft_context_ignore_cancel(struct graft_context *context);

/* The context's thread pool, started at the first call; NULL with the error recorded. */
struct graft_pool *graft_context_pool(struct graft_context *context);

/* The folder for caches (created if absent), or NULL when there is none to be used. */
const char *graft_context_cache_folder(struct graft_context *context);

#endif
