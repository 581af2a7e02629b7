/* SPDX-License-Identifier: MIT */
#include "vis/history.h"

#include "base/context.h"
#include "base/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_LIMIT ((uint64_t)64 << 20)
#define FIELDS 64 /* of a line */
#define LONGEST_NUMBER 64

static const char *const names[GRAFT_HISTORY_COLUMNS] = {
    "epoch", "learning_rate", "train_loss", "train_top1", "val_loss", "val_top1", "seconds"};

struct reader {
    struct graft_context *context;
    const char *path;
    char *next, *end;
    int64_t line; /* from 1 */
    char *fields[FIELDS];
    int count;
    int place[GRAFT_HISTORY_COLUMNS]; /* of each column among the fields */
};

static enum graft_status malformed(const struct reader *reader, const char *what, const char *detail)
{
    return graft_fail(reader->context, GRAFT_ERROR_FORMAT,
                      "%s, line %lld: %s%.60s; the file is damaged, \"graft fit --resume\" writes it again",
                      reader->path, (long long)reader->line, what, detail);
}

/* Takes a field off the line, unquoted in place. False: a quote is not closed, or text follows one. */
static bool take_field(char **next, char **field)
{
    char *in = *next;
    char *out = in;
    *field = in;
    if (*in == '"') {
        for (in++; *in != '\0' && (*in != '"' || in[1] == '"'); in++) {
            in += *in == '"' ? 1 : 0;
            *out++ = *in;
        }
        if (*in != '"') {
            return false;
        }
        in++;
    } else {
        in += strcspn(in, ",");
        out = in;
    }
    const char separator = *in;
    *out = '\0';
    *next = separator == ',' ? in + 1 : NULL;
    return separator == ',' || separator == '\0';
}

/* The next line, split into fields. *done at the end of the file. */
static enum graft_status take_line(struct reader *reader, bool *done)
{
    *done = reader->next >= reader->end;
    if (*done) {
        return GRAFT_OK;
    }
    char *const begin = reader->next;
    char *const stop = memchr(begin, '\n', (size_t)(reader->end - begin));
    char *last = stop != NULL ? stop : reader->end;
    reader->next = stop != NULL ? stop + 1 : reader->end;
    reader->line++;
    last -= last > begin && last[-1] == '\r';
    *last = '\0'; /* there is room: the newline, or the zero behind the file */
    if (strlen(begin) != (size_t)(last - begin)) {
        return malformed(reader, "it holds a zero byte", "");
    }
    reader->count = 0;
    for (char *next = begin; next != NULL;) {
        if (reader->count == FIELDS) {
            return malformed(reader, "it has too many columns", "");
        }
        if (!take_field(&next, &reader->fields[reader->count++])) {
            return malformed(reader, "a quote is out of place", "");
        }
    }
    return GRAFT_OK;
}

static enum graft_status find_columns(struct reader *reader)
{
    for (int c = 0; c < GRAFT_HISTORY_COLUMNS; c++) {
        reader->place[c] = -1;
        for (int i = 0; i < reader->count; i++) {
            reader->place[c] = strcmp(reader->fields[i], names[c]) == 0 ? i : reader->place[c];
        }
        if (reader->place[c] < 0) {
            return malformed(reader, "there is no column ", names[c]);
        }
    }
    return GRAFT_OK;
}

static enum graft_status take_number(const struct reader *reader, int column, double *number)
{
    const char *const field = reader->fields[reader->place[column]];
    char *stop = NULL;
    *number = (double)NAN;
    if (field[0] == '\0') {
        return GRAFT_OK;
    }
    *number = strtod(field, &stop);
    if (*stop != '\0' || strlen(field) > LONGEST_NUMBER || !isfinite(*number)) {
        char what[64];
        (void)snprintf(what, sizeof what, "%s is no number: ", names[column]);
        return malformed(reader, what, field);
    }
    const bool share = column == GRAFT_HISTORY_TRAIN_TOP1 || column == GRAFT_HISTORY_VAL_TOP1;
    if (share && (*number < 0 || *number > 1)) {
        char what[64];
        (void)snprintf(what, sizeof what, "%s is outside of 0 to 1: ", names[column]);
        return malformed(reader, what, field);
    }
    return GRAFT_OK;
}

static enum graft_status take_row(const struct reader *reader, struct graft_history *history)
{
    if (history->rows == history->capacity) {
        const size_t old = (size_t)history->capacity, capacity = 2 * old + 16;
        for (int c = 0; c < GRAFT_HISTORY_COLUMNS; c++) {
            double *const column =
                graft_reallocate(reader->context, history->columns[c], old, capacity, sizeof *column);
            if (column == NULL) {
                return GRAFT_ERROR_MEMORY;
            }
            history->columns[c] = column;
        }
        history->capacity = (int64_t)capacity;
    }
    for (int c = 0; c < GRAFT_HISTORY_COLUMNS; c++) {
        const enum graft_status status = take_number(reader, c, &history->columns[c][history->rows]);
        if (status != GRAFT_OK) {
            return status;
        }
    }
    const double epoch = history->columns[GRAFT_HISTORY_EPOCH][history->rows];
    const double before = history->rows > 0 ? history->columns[GRAFT_HISTORY_EPOCH][history->rows - 1] : 0;
    if (!(epoch > before && epoch == floor(epoch) && epoch < 1e9)) {
        return malformed(reader,
                         "epochs do not count upwards: ", reader->fields[reader->place[GRAFT_HISTORY_EPOCH]]);
    }
    history->rows++;
    return GRAFT_OK;
}

enum graft_status graft_history_read(struct graft_context *context, const char *path,
                                     struct graft_history *history)
{
    *history = (struct graft_history){0};
    struct reader reader = {.context = context, .path = path};
    char *data = NULL;
    size_t size = 0;
    bool done = false;
    enum graft_status status = graft_file_read(context, path, FILE_LIMIT, &data, &size);
    if (status != GRAFT_OK) {
        return status;
    }
    reader.next = data;
    reader.end = data + size;
    status = take_line(&reader, &done);
    if (status == GRAFT_OK && done) {
        reader.line = 1;
        status = malformed(&reader, "the file is empty", "");
    }
    if (status == GRAFT_OK) {
        status = find_columns(&reader);
    }
    const int columns = reader.count;
    while (status == GRAFT_OK) {
        status = take_line(&reader, &done);
        if (status != GRAFT_OK || done) {
            break;
        }
        char counts[64];
        (void)snprintf(counts, sizeof counts, "%d fields, %d are expected", reader.count, columns);
        status = reader.count == columns ? take_row(&reader, history) : malformed(&reader, "it has ", counts);
    }
    graft_release(context, data);
    if (status != GRAFT_OK) {
        graft_history_close(context, history);
    }
    return status;
}

void graft_history_close(struct graft_context *context, struct graft_history *history)
{
    for (int c = 0; c < GRAFT_HISTORY_COLUMNS; c++) {
        graft_release(context, history->columns[c]);
    }
    *history = (struct graft_history){0};
}

int64_t graft_history_best(const struct graft_history *history)
{
    int64_t best = history->rows - 1;
    bool found = false;
    for (int64_t i = 0; i < history->rows; i++) {
        const double top1 = history->columns[GRAFT_HISTORY_VAL_TOP1][i];
        const double loss = history->columns[GRAFT_HISTORY_VAL_LOSS][i];
        const double best_top1 = history->columns[GRAFT_HISTORY_VAL_TOP1][best];
        const double best_loss = history->columns[GRAFT_HISTORY_VAL_LOSS][best];
        const bool better = !found || top1 > best_top1 || (top1 == best_top1 && loss < best_loss);
        if (!isnan(top1) && better) {
            best = i;
            found = true;
        }
    }
    return best;
}
