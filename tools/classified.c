/* SPDX-License-Identifier: MIT */
#include "classified_targets.h"

#include "base/context.h"
#include "io/csv.h"
#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* "NAME: reason" without the name, which the row has. */
static const char *reason_of(const char *note, const char *name)
{
    const size_t length = strlen(name);
    return strncmp(note, name, length) == 0 && strncmp(note + length, ": ", 2) == 0 ? note + length + 2
                                                                                    : note;
}

static json_t *describe(const struct graft_rows *rows, const char *name,
                        const struct graft_classified *picture)
{
    if (picture->values == NULL) {
        return json_pack("{s:o, s:o}", "file", graft_json_text(name), "error",
                         graft_json_text(reason_of(picture->note, name)));
    }
    if (graft_rows_targeted(rows)) {
        return graft_rows_describe_targets(rows, name);
    }
    json_t *const list = json_array();
    for (int32_t k = 0; k < rows->top; k++) {
        const int32_t index = rows->order[k];
        graft_json_add_item(list, json_pack("{s:i, s:o, s:o}", "index", (int)index, "name",
                                            graft_json_text(rows->names[index]), "probability",
                                            graft_json_real((double)rows->probabilities[index])));
    }
    json_t *const document = json_pack("{s:o, s:o}", "file", graft_json_text(name), "top", list);
    if (document != NULL && rows->logits) {
        json_t *const values = json_array();
        for (int32_t i = 0; i < rows->classes; i++) {
            graft_json_add_item(values, graft_json_real((double)picture->values[i]));
        }
        graft_json_add_member(document, "logits", values);
    }
    return document;
}

static void print_picture(const struct graft_rows *rows, const char *name,
                          const struct graft_classified *picture)
{
    char shown[GRAFT_NAME_SHOWN];
    printf("%s\n", graft_show_name(name, shown));
    if (picture->values == NULL) {
        printf("  not read: %s\n", graft_show_name(reason_of(picture->note, name), shown));
        return;
    }
    if (graft_rows_targeted(rows)) {
        graft_rows_print_targets(rows);
    }
    for (int32_t k = 0; k < rows->top && !graft_rows_targeted(rows); k++) {
        printf("  %6.2f %%  %s\n", 100 * (double)rows->probabilities[rows->order[k]],
               graft_show_name(rows->names[rows->order[k]], shown));
    }
    for (int32_t i = 0; rows->logits && i < rows->classes; i++) {
        printf("  %14.6g  %s\n", (double)picture->values[i], graft_show_name(rows->names[i], shown));
    }
}

/* ---- CSV: file; what it is, what is said, and the probability of what it is; class and probability of each
 * rank; error; logits; probabilities */

static enum graft_status end_row(struct graft_rows *rows)
{
    struct graft_context *const context = rows->command->context;
    graft_csv_end_row(context, &rows->text);
    if (rows->text.failed) {
        return GRAFT_ERROR_MEMORY;
    }
    errno = 0;
    const bool written = fwrite(rows->text.data, 1, rows->text.length, rows->csv) == rows->text.length;
    rows->text.length = 0;
    return written ? GRAFT_OK
                   : graft_fail(context, GRAFT_ERROR_IO, "%s cannot be written: %s", rows->csv_path,
                                strerror(errno));
}

static enum graft_status write_heading(struct graft_rows *rows)
{
    struct graft_context *const context = rows->command->context;
    graft_csv_text(context, &rows->text, "file");
    if (graft_rows_targeted(rows)) {
        graft_rows_head_targets(rows);
        return end_row(rows);
    }
    if (rows->truth) {
        graft_csv_text(context, &rows->text, "truth");
        graft_csv_text(context, &rows->text, "predicted");
        graft_csv_text(context, &rows->text, "probability_of_truth");
    }
    for (int32_t k = 0; k < rows->top; k++) {
        char column[48];
        snprintf(column, sizeof column, k == 0 ? "class" : "class_%d", (int)k + 1);
        graft_csv_text(context, &rows->text, column);
        snprintf(column, sizeof column, k == 0 ? "probability" : "probability_%d", (int)k + 1);
        graft_csv_text(context, &rows->text, column);
    }
    graft_csv_text(context, &rows->text, "error");
    for (int32_t i = 0; (rows->logits || rows->probabilities_of_all) && i < rows->classes; i++) {
        graft_csv_text(context, &rows->text, rows->names[i]);
    }
    return end_row(rows);
}

static enum graft_status write_row(struct graft_rows *rows, const char *name,
                                   const struct graft_classified *picture)
{
    struct graft_context *const context = rows->command->context;
    const bool read = picture->values != NULL;
    graft_csv_text(context, &rows->text, name);
    if (graft_rows_targeted(rows)) {
        graft_rows_put_targets(rows, picture, read ? "" : reason_of(picture->note, name));
        return end_row(rows);
    }
    if (rows->truth && read) {
        graft_csv_text(context, &rows->text, rows->names[picture->label]);
        graft_csv_text(context, &rows->text, rows->names[rows->order[0]]);
        graft_csv_number(context, &rows->text, (double)rows->probabilities[picture->label]);
    }
    for (int32_t k = 0; k < rows->top; k++) {
        graft_csv_text(context, &rows->text, read ? rows->names[rows->order[k]] : "");
        if (read) {
            graft_csv_number(context, &rows->text, (double)rows->probabilities[rows->order[k]]);
        } else {
            graft_csv_text(context, &rows->text, "");
        }
    }
    graft_csv_text(context, &rows->text, read ? "" : reason_of(picture->note, name));
    for (int32_t i = 0; rows->logits && i < rows->classes; i++) {
        if (read) {
            graft_csv_number(context, &rows->text, (double)picture->values[i]);
        } else {
            graft_csv_text(context, &rows->text, "");
        }
    }
    for (int32_t i = 0; rows->probabilities_of_all && read && i < rows->classes; i++) {
        graft_csv_number(context, &rows->text, (double)rows->probabilities[i]);
    }
    return end_row(rows);
}

enum graft_status graft_rows_add(struct graft_rows *rows, const char *name,
                                 const struct graft_classified *picture)
{
    struct graft_command *const command = rows->command;
    if (picture->values != NULL && graft_rows_targeted(rows)) {
        graft_rows_read_targets(rows, picture->values);
    } else if (picture->values != NULL) {
        graft_softmax_row(picture->values, rows->classes, rows->probabilities);
        graft_top_k(rows->probabilities, rows->classes, rows->top, rows->order);
    }
    if (rows->csv != NULL) {
        return write_row(rows, name, picture);
    }
    if (command->json) {
        return graft_json_print(command, describe(rows, name, picture)) == GRAFT_EXIT_DONE
                   ? GRAFT_OK
                   : GRAFT_ERROR_MEMORY;
    }
    print_picture(rows, name, picture);
    return GRAFT_OK;
}

int graft_rows_open(struct graft_rows *rows)
{
    const char *const path = rows->csv_path;
    rows->probabilities = calloc((size_t)rows->classes, sizeof *rows->probabilities);
    rows->order = calloc((size_t)rows->classes, sizeof *rows->order);
    if (rows->probabilities == NULL || rows->order == NULL) {
        return graft_command_error(rows->command, "not enough memory for %d classes", (int)rows->classes);
    }
    if (path == NULL) {
        return GRAFT_EXIT_GO_ON;
    }
    rows->csv = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
    if (rows->csv == NULL) {
        return graft_command_error(rows->command, "%s cannot be written: %s", path, strerror(errno));
    }
    const enum graft_status status = write_heading(rows);
    return status == GRAFT_OK ? GRAFT_EXIT_GO_ON : graft_command_failed(rows->command, status);
}

int graft_rows_close(struct graft_rows *rows, int code)
{
    free(rows->probabilities);
    free(rows->order);
    graft_text_close(rows->command->context, &rows->text);
    errno = 0;
    if (rows->csv == NULL || rows->csv == stdout || fclose(rows->csv) == 0) {
        return code;
    }
    return graft_command_error(rows->command, "%s cannot be written: %s", rows->csv_path, strerror(errno));
}
