/* SPDX-License-Identifier: MIT */
/*
 * Libraries that few runs need and that take long to load are not linked: the first call that needs one looks its functions up.
 * A table of them, as macros:
 *
 *     #define FUNCTIONS(X) X(heif_context_alloc) X(heif_context_free)
 *     struct heif {
 *         FUNCTIONS(GRAFT_LATE_MEMBER)
 *     };
 *     static const char *const names[] = {FUNCTIONS(GRAFT_LATE_NAME)};
 */
#ifndef GRAFT_SRC_BASE_LATE_H
#define GRAFT_SRC_BASE_LATE_H

#include <stdbool.h>
#include <stddef.h>

#define GRAFT_LATE_MEMBER(function) __typeof__(function) *function;
#define GRAFT_LATE_NAME(function) #function,

/*
 * Fills `functions`, a struct of `count` pointers, with the functions of `library` that `names` names. The library stays
 * loaded, so that a second call costs microseconds. False: `text` says why. Thread-safe.
 */
bool graft_late_load(const char *library, const char *const *names, size_t count, void *functions, char *text, size_t size);

#endif
