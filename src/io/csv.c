/* SPDX-License-Identifier: MIT */
#include "io/csv.h"

#include <inttypes.h>
#include <string.h>

static void separate(struct graft_context *context, struct graft_text *csv)
{
    if (csv->length > 0 && csv->data[csv->length - 1] != '\n') {
        graft_text_append_bytes(context, csv, ",", 1);
    }
}

void graft_csv_text(struct graft_context *context, struct graft_text *csv, const char *field)
{
    separate(context, csv);
    /* An empty field is quoted too: at the beginning of a line it must leave a trace for the next comma. */
    if (field[0] != '\0' && strpbrk(field, ",\"\r\n") == NULL) {
        graft_text_append(context, csv, "%s", field);
        return;
    }
    graft_text_append_bytes(context, csv, "\"", 1);
    while (*field != '\0') {
        const size_t plain = strcspn(field, "\"");
        graft_text_append_bytes(context, csv, field, plain);
        field += plain;
        if (*field == '"') {
            graft_text_append_bytes(context, csv, "\"\"", 2);
            field++;
        }
    }
    graft_text_append_bytes(context, csv, "\"", 1);
}

void graft_csv_number(struct graft_context *context, struct graft_text *csv, double number)
{
    separate(context, csv);
    graft_text_append(context, csv, "%.9g", number);
}

void graft_csv_integer(struct graft_context *context, struct graft_text *csv, int64_t number)
{
    separate(context, csv);
    graft_text_append(context, csv, "%" PRId64, number);
}

void graft_csv_end_row(struct graft_context *context, struct graft_text *csv)
{
    graft_text_append_bytes(context, csv, "\n", 1);
}
