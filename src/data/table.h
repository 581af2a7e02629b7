/* SPDX-License-Identifier: MIT */
/* A table of text: comma, semicolon or tab between the columns, quotes as in RFC 4180. */
#ifndef GRAFT_SRC_DATA_TABLE_H
#define GRAFT_SRC_DATA_TABLE_H

#include "graft/base.h"

#define GRAFT_TABLE_COLUMNS 256

struct graft_table {
    char *data;
    size_t size;
    char *next; /* where the next row begins */
    char *end;
    char separator;
    int64_t line; /* where the row that was read last begins, from 1 */
    int64_t next_line;
    char *fields[GRAFT_TABLE_COLUMNS]; /* of the row: without quotes and blanks around them */
    int count;
    const char *wrong; /* with the quotes of the row, which then has no fields; NULL: nothing */
};

/* Reads the file. GRAFT_ERROR_FORMAT also for UTF-16 and what is no text. */
GRAFT_MUST_CHECK enum graft_status graft_table_open(struct graft_context *context, const char *path,
                                                    struct graft_table *table);
/* The next row that is not empty; false at the end. After a row with table->wrong the line below is read. */
bool graft_table_next(struct graft_table *table);
void graft_table_close(struct graft_context *context, struct graft_table *table);

#endif
