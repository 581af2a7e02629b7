/* SPDX-License-Identifier: MIT */
/*
 * A table of pictures: comma, semicolon or tab between the columns, quotes as in RFC 4180, with a line of
 * column names (path, label, perhaps split) or without (path first, label second). Paths are relative to the
 * table's folder.
 */
#include "data/dataset.h"

#include "base/context.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define TABLE_LIMIT ((uint64_t)1 << 30)
#define COLUMNS 256

struct table {
    struct graft_dataset *dataset;
    const char *path;
    uint8_t source;
    uint8_t split; /* of all lines that name none; GRAFT_NO_SPLIT: training */
    char *next;    /* where the next line begins */
    char *end;
    char separator;
    int64_t line; /* number of the line that was read last, from 1 */
    int64_t next_line;
    char *fields[COLUMNS];
    int count;
    int path_column, label_column, split_column; /* −1: none */
};

static enum graft_status malformed(const struct table *table, const char *reason)
{
    return graft_fail(table->dataset->context, GRAFT_ERROR_FORMAT, "%s, line %lld: %s", table->path,
                      (long long)table->line, reason);
}

/* One field, unquoted in place; leaves `next` behind its separator. *last: it ends the line. */
static char *read_field(struct table *table, bool *last)
{
    char *in = table->next;
    char *const field = in < table->end && *in == '"' ? ++in : in;
    char *out = in;
    if (field != table->next) {
        while (in < table->end && !(*in == '"' && !(in + 1 < table->end && in[1] == '"'))) {
            in += *in == '"' ? 1 : 0; /* two quotes stand for one */
            table->next_line += *in == '\n';
            *out++ = *in++;
        }
        in += in < table->end ? 1 : 0;
    }
    while (in < table->end && *in != table->separator && *in != '\n') {
        *out++ = *in++;
    }
    *last = in >= table->end || *in == '\n';
    table->next_line += in < table->end && *in == '\n';
    table->next = in < table->end ? in + 1 : in;
    if (*last && out > field && out[-1] == '\r') {
        out--;
    }
    *out = '\0'; /* there is room: a separator, or the zero behind the file */
    return field;
}

/* The next line that is not empty; false at the end. */
static bool read_line(struct table *table)
{
    while (table->next < table->end) {
        bool last = false;
        table->line = table->next_line;
        table->count = 0;
        while (!last) {
            char *const field = read_field(table, &last);
            if (table->count < COLUMNS) {
                table->fields[table->count++] = field;
            }
        }
        if (table->count > 1 || table->fields[0][0] != '\0') {
            return true;
        }
    }
    return false;
}

static int find_column(const struct table *table, const char *const *names)
{
    for (; *names; names++) {
        for (int i = 0; i < table->count; i++) {
            if (strcasecmp(table->fields[i], *names) == 0) {
                return i;
            }
        }
    }
    return -1;
}

/* Columns by the names in the first line. False: that line is a picture already. */
static bool find_columns(struct table *table)
{
    static const char *const paths[] = {"path",  "file",       "filename", "file_name", "filepath",
                                        "image", "image_path", "img",      "picture",   "name",
                                        "id",    "image_id",   NULL};
    static const char *const labels[] = {"label",  "labels",  "class", "class_name", "category",
                                         "target", "species", "breed", NULL};
    static const char *const splits[] = {"split", "subset", "set", "part", NULL};
    table->path_column = find_column(table, paths);
    table->label_column = find_column(table, labels);
    table->split_column = find_column(table, splits);
    if (table->path_column >= 0 && table->label_column >= 0) {
        return true;
    }
    table->path_column = 0;
    table->label_column = 1;
    table->split_column = -1;
    return false;
}

static enum graft_status add_picture(struct table *table)
{
    struct graft_dataset *const dataset = table->dataset;
    const int most = table->label_column > table->path_column ? table->label_column : table->path_column;
    if (table->count <= most) {
        return malformed(table, "path and label are expected, separated by a comma");
    }
    const char *const path = table->fields[table->path_column];
    const char *const label = table->fields[table->label_column];
    if (path[0] == '\0' || label[0] == '\0') {
        return malformed(table, "path or label is empty");
    }
    uint8_t split = table->split == GRAFT_NO_SPLIT ? GRAFT_SPLIT_TRAIN : table->split;
    if (table->split_column >= 0 && table->split_column < table->count) {
        const char *const name = table->fields[table->split_column];
        split = graft_split_find(name, strlen(name));
        if (split == GRAFT_NO_SPLIT) {
            return malformed(table, "the split is none of train, val and test");
        }
    }
    struct graft_entry *const entry = graft_entry_add(dataset);
    if (!entry) {
        return GRAFT_ERROR_MEMORY;
    }
    entry->path = graft_names_add(dataset, path, strlen(path));
    entry->class_name = graft_names_add(dataset, label, strlen(label));
    if (!entry->path || !entry->class_name) {
        return GRAFT_ERROR_MEMORY;
    }
    entry->number = table->line;
    entry->source = table->source;
    entry->split = split;
    char full[GRAFT_PATH_LIMIT];
    struct stat facts;
    graft_entry_name(dataset, entry, full, sizeof full);
    const bool there = stat(full, &facts) == 0;
    if (!there && errno != ENOENT && errno != ENOTDIR) {
        return graft_fail(dataset->context, GRAFT_ERROR_IO, "%s, line %lld: cannot look at '%s': %s", table->path,
                          (long long)table->line, full, strerror(errno));
    }
    if (!there || !S_ISREG(facts.st_mode)) {
        return graft_fail(dataset->context, GRAFT_ERROR_NOT_FOUND,
                          "%s, line %lld: there is no file %s; paths are relative to the table's folder",
                          table->path, (long long)table->line, full);
    }
    return GRAFT_OK;
}

static char guess_separator(const char *text, const char *end)
{
    size_t commas = 0, semicolons = 0, tabs = 0;
    for (; text < end && *text != '\n'; text++) {
        commas += *text == ',';
        semicolons += *text == ';';
        tabs += *text == '\t';
    }
    return commas > 0 ? ',' : semicolons > 0 ? ';' : tabs > 0 ? '\t' : ',';
}

static enum graft_status list_table(struct graft_dataset *dataset, const char *path, uint8_t split)
{
    char folder[GRAFT_PATH_LIMIT];
    snprintf(folder, sizeof folder, "%s", path);
    char *const slash = strrchr(folder, '/');
    snprintf(slash ? slash + (slash == folder) : folder, 2, "%s", slash ? "" : ".");
    struct graft_source *const source = graft_source_add(dataset, &graft_source_table, folder, split);
    if (!source) {
        return GRAFT_ERROR_MEMORY;
    }
    struct table table = {.dataset = dataset,
                          .path = path,
                          .source = (uint8_t)(dataset->source_count - 1),
                          .split = split,
                          .next_line = 1};
    char *data = NULL;
    size_t size = 0;
    enum graft_status status = graft_file_read(dataset->context, path, TABLE_LIMIT, &data, &size);
    if (status != GRAFT_OK) {
        return status;
    }
    table.next = size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0 ? data + 3 : data;
    table.end = data + size;
    table.separator = guess_separator(table.next, table.end);
    if (memchr(data, '\0', size)) {
        status = graft_fail(dataset->context, GRAFT_ERROR_FORMAT, "%s is not a text file", path);
    } else if (!read_line(&table)) {
        status = graft_fail(dataset->context, GRAFT_ERROR_FORMAT, "%s is empty; path and label are expected",
                            path);
    } else if (!find_columns(&table)) {
        status = add_picture(&table);
    }
    while (status == GRAFT_OK && read_line(&table)) {
        status = add_picture(&table);
    }
    graft_release(dataset->context, data);
    return status;
}

static bool exists(const char *folder, const char *name, char path[GRAFT_PATH_LIMIT])
{
    struct stat facts;
    return snprintf(path, GRAFT_PATH_LIMIT, "%s/%s", folder, name) < GRAFT_PATH_LIMIT &&
           stat(path, &facts) == 0;
}

static bool is_table(const char *path, const struct stat *facts)
{
    char file[GRAFT_PATH_LIMIT];
    if (S_ISDIR(facts->st_mode)) {
        return exists(path, "labels.csv", file) || exists(path, "train.csv", file);
    }
    return S_ISREG(facts->st_mode) && (graft_text_ends(path, ".csv") || graft_text_ends(path, ".tsv"));
}

/* A table for everything, or one for each split. */
static enum graft_status list_tables(struct graft_dataset *dataset, const char *path, uint8_t split)
{
    static const struct {
        const char *name;
        uint8_t split;
    } tables[] = {{"train.csv", GRAFT_SPLIT_TRAIN},
                  {"val.csv", GRAFT_SPLIT_VAL},
                  {"valid.csv", GRAFT_SPLIT_VAL},
                  {"validation.csv", GRAFT_SPLIT_VAL},
                  {"test.csv", GRAFT_SPLIT_TEST}};
    char file[GRAFT_PATH_LIMIT];
    struct stat facts;
    enum graft_status status = GRAFT_OK;
    if (stat(path, &facts) != 0 || !S_ISDIR(facts.st_mode)) {
        return list_table(dataset, path, split);
    }
    if (exists(path, "labels.csv", file)) {
        return list_table(dataset, file, split);
    }
    for (size_t i = 0; status == GRAFT_OK && i < sizeof tables / sizeof tables[0]; i++) {
        if (exists(path, tables[i].name, file)) {
            status = list_table(dataset, file, split == GRAFT_NO_SPLIT ? tables[i].split : split);
        }
    }
    return status;
}

const struct graft_source_kind graft_source_table = {
    .name = "a table",
    .expects = "labels.csv or train.csv",
    .kind = GRAFT_DATASET_CSV,
    .recognizes = is_table,
    .list = list_tables,
    .entry_name = graft_file_entry_name,
    .fetch = graft_file_fetch,
    .size = graft_file_size,
};
