/* SPDX-License-Identifier: MIT */
/*
 * Status codes and the context on which everything hangs: allocator, log, threads, error text.
 *
 * Rules for the whole library:
 *  - A function that can fail returns `enum graft_status`; GRAFT_OK is 0. The detail (names, shapes, the
 * failing call) is one line of text in the context: graft_context_error().
 *  - `graft_x_open` stores NULL on failure; `graft_x_close` takes the address of the pointer, frees, stores
 * NULL and accepts NULL (twice).
 *  - Threads: one context may serve several, each with devices of its own and what is opened on them (plans,
 *    classifiers, sessions); a device and all that is on it belong to one thread at a time. Data sets can be
 *    read by several; a loader belongs to one. graft_context_cancel and graft_session_cancel may be called
 *    from anywhere. Log functions, allocators and a program's source of pictures are called from any thread.
 *  - The library never prints, aborts or exits, and has no mutable globals.
 */
#ifndef GRAFT_BASE_H
#define GRAFT_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define GRAFT_API __attribute__((visibility("default")))
#define GRAFT_MUST_CHECK __attribute__((warn_unused_result))
#define GRAFT_PRINTF(format_at, first_at) __attribute__((format(printf, format_at, first_at)))
#define GRAFT_UNNAMED __extension__ /* structs without a name, which C++ does not know */
#else
#define GRAFT_API
#define GRAFT_MUST_CHECK
#define GRAFT_PRINTF(format_at, first_at)
#define GRAFT_UNNAMED
#endif

#define GRAFT_VERSION "0.1.0"

enum graft_status {
    GRAFT_OK = 0,
    GRAFT_ERROR_ARGUMENT = 1,    /* the caller asked for something that makes no sense */
    GRAFT_ERROR_SHAPE = 2,       /* shapes or dtypes that do not fit together */
    GRAFT_ERROR_MEMORY = 3,      /* host or device memory is not enough */
    GRAFT_ERROR_IO = 4,          /* the operating system refused to open, read or write */
    GRAFT_ERROR_FORMAT = 5,      /* a file that is damaged, hostile or of another kind */
    GRAFT_ERROR_NOT_FOUND = 6,   /* no file, device, network, tensor or variant of that name */
    GRAFT_ERROR_UNSUPPORTED = 7, /* meaningful, but this device or version cannot do it */
    GRAFT_ERROR_DEVICE = 8,      /* the driver reported a failure */
    GRAFT_ERROR_NUMERIC = 9,     /* NaN or Inf where none may be */
    GRAFT_ERROR_CANCELLED = 10   /* graft_context_cancel was called */
};

/* "out of memory", "file format" …: a short English name; never NULL. */
GRAFT_API const char *graft_status_name(enum graft_status status);

/* PROGRESS: a line that takes the place of the one before; an empty one takes it away. */
enum graft_log_level { GRAFT_LOG_PROGRESS = 0, GRAFT_LOG_REMARK = 1, GRAFT_LOG_WARNING = 2 };

/* `allocate` returns memory aligned to 64 bytes or NULL; `release` takes NULL. Both are called from any
 * thread. */
struct graft_allocator {
    void *(*allocate)(void *user, size_t bytes);
    void (*release)(void *user, void *memory);
    void *user;
};

/* All fields may be zero: the C library's memory, no log, one thread a core. */
struct graft_context_options {
    struct graft_allocator allocator;
    void (*log)(void *user, enum graft_log_level level, const char *text); /* one line, no newline */
    void *log_user;
    int threads; /* 0: as many as cores that this process may use */
    const char
        *cache_folder; /* NULL: $GRAFT_CACHE, else $XDG_CACHE_HOME/graft, else ~/.cache/graft; "" for none */
};

struct graft_context;

/* Opens a context. `options` may be NULL. GRAFT_ERROR_MEMORY, GRAFT_ERROR_ARGUMENT (threads outside 0..1024).
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_context_open(const struct graft_context_options *options,
                                                                struct graft_context **context);
/* Everything opened on the context must have been closed before. */
GRAFT_API void graft_context_close(struct graft_context **context);

/* The text of the most recent failure of any thread, "" if none. Owned by the context, valid until the next
 * failure. (A session keeps its own.) */
GRAFT_API const char *graft_context_error(const struct graft_context *context);

/* For functions of a program that the library calls: records why one fails, so that graft_context_error tells
 * it. Returns `status`. */
GRAFT_API enum graft_status graft_context_fail(struct graft_context *context, enum graft_status status,
                                               const char *text);

/* Asks all running work (fit, sessions, evaluate, loaders) to end at the next step, until it is taken back.
 * Safe to call in a signal handler. */
GRAFT_API void graft_context_cancel(struct graft_context *context);
GRAFT_API bool graft_context_cancelled(const struct graft_context *context);
/* Takes the request back. */
GRAFT_API void graft_context_cancel_clear(struct graft_context *context);

GRAFT_API int graft_context_threads(const struct graft_context *context);

/*
 * Limits the memory that is taken from now on through the context: of the host, and of each device; a device
 * that computes in the host's memory shares the host's limit. What is in use already counts. 0: no limit.
 * Beyond it there is GRAFT_ERROR_MEMORY; what can do with less (batches, caches of pictures and features)
 * does, with a remark. Not counted: the program itself, threads' stacks, and what other libraries and the
 * driver take for themselves.
 */
GRAFT_API void graft_context_limit_memory(struct graft_context *context, uint64_t bytes);
/* Bytes of the host in use now and the most there were, with the buffers of devices that share its memory. */
GRAFT_API void graft_context_memory(const struct graft_context *context, uint64_t *live, uint64_t *peak);

#ifdef __cplusplus
}
#endif
#endif
