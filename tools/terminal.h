/* SPDX-License-Identifier: MIT */
/* The terminal: what it can show, how wide it is, and how wide texts are on it. */
#ifndef GRAFT_TOOLS_TERMINAL_H
#define GRAFT_TOOLS_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* Can a line on stderr be overwritten? Not in a file or pipe, and not where TERM=dumb or NO_COLOR ask for
 * plain text. */
bool graft_terminal_rewrites(void);
/* Columns of the terminal on stderr as it is now; 80 where it does not say. */
int graft_terminal_width(void);

/* Columns that a UTF-8 text takes: two for the wide characters of East Asia, none for marks. */
int graft_columns(const char *text);
/* Bytes of `text` that take `columns` at most, whole characters. */
size_t graft_columns_fit(const char *text, int columns);
/*
 * A name that comes from outside, escaped (graft_text_show) and just `columns` wide: cut with "…", or filled
 * up with blanks, on the left for columns < 0. Returns `shown`.
 */
const char *graft_show_column(const char *name, int columns, char *shown, size_t size);

#endif
