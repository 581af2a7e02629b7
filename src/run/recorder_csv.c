/* SPDX-License-Identifier: MIT */
/* history.csv: written by its recorder, and read back. */
#include "base/context.h"
#include "base/file.h"
#include "base/text.h"
#include "io/csv.h"
#include "run/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME "history.csv"
#define FILE_LIMIT ((uint64_t)64 << 20)
#define FIELDS 64 /* of a line */
#define LONGEST_NUMBER 64

static void record(const struct graft_run *run, struct graft_text *csv)
{
    struct graft_context *const context = run->context;
    graft_csv_text(context, csv, "stage");
    graft_csv_text(context, csv, "epoch");
    for (int c = 0; c < GRAFT_RUN_COLUMNS; c++) {
        char name[32];
        graft_csv_text(context, csv, graft_run_column_name(run->history.task, c, name));
    }
    graft_csv_end_row(context, csv);
    for (int i = 0; i < run->history.count; i++) {
        struct graft_run_epoch epoch = run->history.epochs[i];
        const char *const from = graft_run_stage(run, epoch.stage);
        graft_csv_text(context, csv, from != NULL ? from : "");
        graft_csv_integer(context, csv, epoch.epoch);
        for (int c = 0; c < GRAFT_RUN_COLUMNS; c++) {
            const double number = *graft_run_number_of(&epoch, c);
            if (isfinite(number)) {
                graft_csv_number(context, csv, number);
            } else {
                graft_csv_text(context, csv, "");
            }
        }
        graft_csv_end_row(context, csv);
    }
}

const struct graft_recorder graft_recorder_csv = {FILE_NAME, record};

struct reader {
    struct graft_context *context;
    const char *path;
    char *next, *end;
    int64_t line; /* from 1 */
    char *fields[FIELDS];
    int count;
    int epoch;                    /* the place of the epoch's number among the fields, and … */
    int place[GRAFT_RUN_COLUMNS]; /* … of each column */
    enum graft_task_kind task;
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

static enum graft_status find_column(const struct reader *reader, const char *name, int *place)
{
    *place = -1;
    for (int i = 0; i < reader->count; i++) {
        *place = strcmp(reader->fields[i], name) == 0 ? i : *place;
    }
    return *place >= 0 ? GRAFT_OK : malformed(reader, "there is no column ", name);
}

static enum graft_status find_columns(struct reader *reader)
{
    enum graft_status status = find_column(reader, "epoch", &reader->epoch);
    for (int c = 0; c < GRAFT_RUN_COLUMNS && status == GRAFT_OK; c++) {
        char name[32];
        status = find_column(reader, graft_run_column_name(reader->task, c, name), &reader->place[c]);
    }
    return status;
}

static enum graft_status take_number(const struct reader *reader, int column, double *number)
{
    const struct graft_run_column *const known = &graft_run_columns[column];
    const char *const field = reader->fields[reader->place[column]];
    char *stop = NULL;
    char what[64], name[32];
    graft_run_column_name(reader->task, column, name);
    *number = (double)NAN;
    if (field[0] == '\0') {
        return GRAFT_OK;
    }
    *number = graft_read_number(field, &stop);
    if (*stop != '\0' || strlen(field) > LONGEST_NUMBER || !isfinite(*number)) {
        (void)graft_format(what, sizeof what, "%s is no number: ", name);
        return malformed(reader, what, field);
    }
    if (known->share && ((*number < 0 && reader->task != GRAFT_TASK_NUMBER) || *number > 1)) {
        (void)graft_format(what, sizeof what, "%s is outside of 0 to 1: ", name);
        return malformed(reader, what, field);
    }
    return GRAFT_OK;
}

static enum graft_status take_row(const struct reader *reader, struct graft_run *run)
{
    const struct graft_run_history *const history = &run->history;
    const char *const field = reader->fields[reader->epoch];
    struct graft_run_epoch epoch = {0};
    char *stop = NULL;
    for (int c = 0; c < GRAFT_RUN_COLUMNS; c++) {
        const enum graft_status status = take_number(reader, c, graft_run_number_of(&epoch, c));
        if (status != GRAFT_OK) {
            return status;
        }
    }
    const long number = strtol(field, &stop, 10);
    const int before = history->count > 0 ? history->epochs[history->count - 1].epoch : 0;
    if (*stop != '\0' || number <= before || number >= 1000000000) {
        return malformed(reader, "epochs do not count upwards: ", field);
    }
    epoch.epoch = (int)number;
    return graft_run_history_add(run->context, &run->history, &epoch);
}

enum graft_status graft_run_read_csv(struct graft_run *run)
{
    struct graft_text path = {0};
    char *data = NULL;
    size_t size = 0;
    bool done = false;
    enum graft_status status = graft_run_path(run, FILE_NAME, &path);
    if (status == GRAFT_OK) {
        status = graft_file_read(run->context, path.data, FILE_LIMIT, &data, &size);
    }
    struct reader reader = {.context = run->context, .path = path.data, .next = data, .end = data + size, .task = run->history.task};
    if (status == GRAFT_OK) {
        status = take_line(&reader, &done);
    }
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
        (void)graft_format(counts, sizeof counts, "%d fields, %d are expected", reader.count, columns);
        status = reader.count == columns ? take_row(&reader, run) : malformed(&reader, "it has ", counts);
    }
    graft_release(run->context, data);
    graft_text_close(run->context, &path);
    return status;
}
