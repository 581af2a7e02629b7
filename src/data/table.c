/* SPDX-License-Identifier: MIT */
#include "data/table.h"

#include "base/context.h"
#include "base/file.h"

#include <string.h>

#define TABLE_LIMIT ((uint64_t)1 << 30)

static bool is_blank(const struct graft_table *table, char c)
{
    return c == ' ' || (c == '\t' && table->separator != '\t');
}

/* What is wrong with the quotes of the next row; NULL: nothing. */
static const char *check_quotes(const struct graft_table *table)
{
    const char *in = table->next;
    for (;;) {
        while (in < table->end && is_blank(table, *in)) {
            in++;
        }
        const bool quoted = in < table->end && *in == '"';
        if (quoted) {
            for (in++; in < table->end && !(*in == '"' && !(in + 1 < table->end && in[1] == '"')); in++) {
                in += *in == '"' ? 1 : 0; /* two quotes stand for one */
            }
            if (in >= table->end) {
                return "a quote is opened and never closed";
            }
            in++;
        }
        for (; in < table->end && *in != table->separator && *in != '\n'; in++) {
            if (quoted && !is_blank(table, *in) && *in != '\r') {
                return "text stands behind a closing quote; two quotes stand for one inside of a field";
            }
            if (*in == '"') {
                return "a quote stands inside of a field without quotes; put quotes around it, and two for one";
            }
        }
        if (in >= table->end || *in == '\n') {
            return NULL;
        }
        in++;
    }
}

/* One field, in place; leaves `next` behind its separator. *last: it ends the row. */
static char *read_field(struct graft_table *table, bool *last)
{
    char *in = table->next;
    while (in < table->end && is_blank(table, *in)) {
        in++;
    }
    const bool quoted = in < table->end && *in == '"';
    in += quoted;
    char *const field = in;
    char *out = in;
    while (quoted && !(*in == '"' && in[1] != '"')) { /* a zero stands behind the file */
        in += *in == '"' ? 1 : 0;
        table->next_line += *in == '\n';
        *out++ = *in++;
    }
    in += quoted;
    for (; in < table->end && *in != table->separator && *in != '\n'; in++) {
        if (!quoted) {
            *out++ = *in;
        }
    }
    *last = in >= table->end || *in == '\n';
    table->next_line += in < table->end && *in == '\n';
    table->next = in < table->end ? in + 1 : in;
    if (*last && !quoted && out > field && out[-1] == '\r') {
        out--;
    }
    while (!quoted && out > field && is_blank(table, out[-1])) {
        out--;
    }
    *out = '\0'; /* there is room: a separator, a quote, or the zero behind the file */
    return field;
}

/* Past the line that begins the next row. */
static void pass_line(struct graft_table *table)
{
    char *const end = memchr(table->next, '\n', (size_t)(table->end - table->next));
    table->next = end ? end + 1 : table->end;
    table->next_line++;
}

bool graft_table_next(struct graft_table *table)
{
    while (table->next < table->end) {
        bool last = false, any = false;
        table->line = table->next_line;
        table->count = 0;
        table->wrong = check_quotes(table);
        if (table->wrong) {
            pass_line(table);
            return true;
        }
        while (!last) {
            char *const field = read_field(table, &last);
            any = any || field[0] != '\0';
            if (table->count < GRAFT_TABLE_COLUMNS) {
                table->fields[table->count++] = field;
            }
        }
        if (any) {
            return true;
        }
    }
    return false;
}

/* The separator that is most frequent in the first line, outside of quotes. */
static char guess_separator(const char *text, const char *end)
{
    size_t commas = 0, semicolons = 0, tabs = 0;
    bool quoted = false;
    for (; text < end && (*text != '\n' || quoted); text++) {
        quoted = quoted != (*text == '"');
        commas += *text == ',' && !quoted;
        semicolons += *text == ';' && !quoted;
        tabs += *text == '\t' && !quoted;
    }
    return tabs > commas && tabs >= semicolons ? '\t' : semicolons > commas ? ';' : ',';
}

/* "sep=;": the line with which a spreadsheet tells its separator. */
static void take_separator_line(struct graft_table *table)
{
    const size_t left = (size_t)(table->end - table->next);
    if (left > 5 && memcmp(table->next, "sep=", 4) == 0 && (table->next[5] == '\n' || table->next[5] == '\r')) {
        table->separator = table->next[4];
        table->next += 5;
        table->next += *table->next == '\r' && table->next + 1 < table->end;
        table->next += *table->next == '\n';
        table->next_line = 2;
        return;
    }
    table->separator = guess_separator(table->next, table->end);
}

static const char *other_kind(const char *data, size_t size)
{
    const unsigned char *const bytes = (const unsigned char *)data;
    const bool mark = size >= 2 && ((bytes[0] == 0xff && bytes[1] == 0xfe) || (bytes[0] == 0xfe && bytes[1] == 0xff));
    if (mark || (size >= 2 && (bytes[0] == 0) != (bytes[1] == 0))) {
        return "is UTF-16; save it as UTF-8";
    }
    if (size >= 4 && memcmp(data, "PK\3\4", 4) == 0) {
        return "is a zip file or a workbook of a spreadsheet; save it as CSV in UTF-8";
    }
    return memchr(data, '\0', size) ? "is not a text file" : NULL;
}

enum graft_status graft_table_open(struct graft_context *context, const char *path, struct graft_table *table)
{
    *table = (struct graft_table){.next_line = 1};
    const enum graft_status status = graft_file_read(context, path, TABLE_LIMIT, &table->data, &table->size);
    if (status != GRAFT_OK) {
        return status;
    }
    const char *const other = other_kind(table->data, table->size);
    if (other) {
        graft_table_close(context, table);
        return graft_fail(context, GRAFT_ERROR_FORMAT, "%s %s", path, other);
    }
    const bool mark = table->size >= 3 && memcmp(table->data, "\xef\xbb\xbf", 3) == 0;
    table->next = table->data + (mark ? 3 : 0);
    table->end = table->data + table->size;
    if (!memchr(table->data, '\n', table->size)) { /* lines that end as on old Macs */
        for (char *at = table->data; (at = memchr(at, '\r', (size_t)(table->end - at))) != NULL;) {
            *at = '\n';
        }
    }
    take_separator_line(table);
    return GRAFT_OK;
}

void graft_table_close(struct graft_context *context, struct graft_table *table)
{
    graft_release(context, table->data);
    *table = (struct graft_table){0};
}
