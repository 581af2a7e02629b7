/* SPDX-License-Identifier: MIT */
/* Rows of comma-separated values (RFC 4180, with plain newlines). */
#ifndef GRAFT_SRC_IO_CSV_H
#define GRAFT_SRC_IO_CSV_H

#include "base/text.h"

/* Each puts a comma before the field unless a line begins with it. Check text->failed at the end. */
void graft_csv_text(struct graft_context *context, struct graft_text *csv, const char *field);
/* As many digits as tell f32 numbers apart: 9. */
void graft_csv_number(struct graft_context *context, struct graft_text *csv, double number);
void graft_csv_integer(struct graft_context *context, struct graft_text *csv, int64_t number);
void graft_csv_end_row(struct graft_context *context, struct graft_text *csv);

#endif
