/* SPDX-License-Identifier: MIT */
/* Text helpers: a growing buffer, numbers in every locale, the nearest name for a misspelt one, names fit to
 * be printed. */
#ifndef GRAFT_SRC_BASE_TEXT_H
#define GRAFT_SRC_BASE_TEXT_H

#include "graft/base.h"

#include <stdarg.h>

/* A growing, always terminated text. Zero it before use. A failed append leaves the text as it was and sets
 * `failed`, so a series of appends needs one check at its end. */
struct graft_text {
    char *data;
    size_t length;
    size_t capacity;
    bool failed;
};

void graft_text_append(struct graft_context *context, struct graft_text *text, const char *format, ...)
    GRAFT_PRINTF(3, 4);
void graft_text_append_bytes(struct graft_context *context, struct graft_text *text, const char *bytes,
                             size_t length);
void graft_text_close(struct graft_context *context, struct graft_text *text);

/*
 * As snprintf, vsnprintf and strtod in the C locale: a program that uses the library may have set another,
 * where numbers have a decimal comma. All that is written to be read again goes through these (or
 * graft_text_append).
 */
int graft_format(char *text, size_t size, const char *format, ...) GRAFT_PRINTF(3, 4);
int graft_format_list(char *text, size_t size, const char *format, va_list arguments);
double graft_read_number(const char *text, char **end);

/* "224" or "192x256": height, and width, which is 0 where it is the height. False: something else, or not in
 * 1..8192. */
bool graft_read_sides(const char *text, int64_t sides[2]);

/* Optimal string alignment distance, for names of up to 63 characters; longer ones count as 1000. */
int graft_text_distance(const char *a, const char *b);
/* The nearest of `names` (NULL entries are skipped), or NULL if none is near enough to be meant. */
const char *graft_text_nearest(const char *name, const char *const *names, size_t count);

/* Bytes of the UTF-8 character at `text` (no surrogate, not longer than need be), 0 if there is none. */
size_t graft_text_character(const char *text);
/* True if all of it is UTF-8. */
bool graft_text_is_utf8(const char *text);
/* The same of bytes that no zero ends; one within them is a character like others. */
bool graft_bytes_are_utf8(const char *bytes, size_t length);
/* The largest number of bytes, `most` or fewer, that ends at a character's border. */
size_t graft_text_fit(const char *text, size_t most);
/*
 * Copies a name that comes from outside so that it can be printed: control characters, those that turn the
 * direction of writing, and bytes that are no UTF-8 are escaped (\n, \t, \x1b, \u202e, \xe9). What does not
 * fit into `size` bytes is cut at a character's border and ends with "…". A second time changes nothing.
 * Returns `shown`.
 */
char *graft_text_show(const char *text, char *shown, size_t size);
/*
 * Copies a path so that a shell takes it as one word, and graft not as an option: "my run" gets quotation marks,
 * "-run" becomes ./-run. What graft_text_show escapes is $'...' of bash, zsh and ksh. Where it does not fit into
 * `size` bytes it is only shown. Returns `quoted`.
 */
char *graft_text_quote(const char *path, char *quoted, size_t size);

bool graft_text_starts(const char *text, const char *prefix);
bool graft_text_ends(const char *text, const char *suffix);

#endif
