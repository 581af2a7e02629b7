/* SPDX-License-Identifier: MIT */
/* graft compare: runs beside each other: figures, what differs in their recipes, drawings. */
#include "base/context.h"
#include "base/file.h"
#include "base/text.h"
#include "compared.h"
#include "compared_figures.h"
#include "graft/vis.h"
#include "output.h"
#include "verbs.h"
#include "vis/page.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define RUN_LIMIT 200
#define STAGE_LIMIT 8
#define DRAWING_LIMIT (64u << 20) /* bytes of a PNG */

/* What is no choice but follows from the run, or lies in columns of its own. */
static const char *const not_compared[] = {"graft",      "rates",       "fingerprints",
                                           "preprocess", "device_name", "classes", "target"};

struct compare {
    struct graft_command *command;
    const char *out;
    struct graft_run *runs[RUN_LIMIT];
    const char *names[RUN_LIMIT];
    json_t *recipes[RUN_LIMIT];
    struct graft_compared_figures figures[RUN_LIMIT];
    int count, stages;
};

/* ---- what differs */

static bool is_compared(const char *key)
{
    for (size_t i = 0; i < sizeof not_compared / sizeof not_compared[0]; i++) {
        if (strcmp(key, not_compared[i]) == 0) {
            return false;
        }
    }
    return true;
}

/* Is it the same in all? A key that a run lacks, made by another version, is null there. */
static bool same_in_all(const struct compare *compare, const char *key)
{
    const json_t *const first = json_object_get(compare->recipes[0], key);
    for (int r = 1; r < compare->count; r++) {
        const json_t *const other = json_object_get(compare->recipes[r], key);
        const bool both_null =
            (first == NULL || json_is_null(first)) && (other == NULL || json_is_null(other));
        if (!both_null && !json_equal(first, other)) {
            return false;
        }
    }
    return true;
}

/* The keys that differ, in the order of the first run that has them. */
static json_t *find_differences(const struct compare *compare)
{
    json_t *const keys = json_array();
    for (int r = 0; r < compare->count; r++) {
        const char *key;
        json_t *value;
        json_object_foreach(compare->recipes[r], key, value)
        {
            bool listed = !is_compared(key) || same_in_all(compare, key);
            for (size_t i = 0; i < json_array_size(keys) && !listed; i++) {
                listed = strcmp(json_string_value(json_array_get(keys, i)), key) == 0;
            }
            if (!listed) {
                graft_json_add_item(keys, json_string(key));
            }
        }
    }
    return keys;
}

/* A value as people read it; stages as the option has them. */
static void show_value(const json_t *value, char *text, size_t size)
{
    char shown[GRAFT_NAME_SHOWN];
    text[0] = '\0';
    if (json_is_string(value)) {
        (void)snprintf(text, size, "%s", graft_show_name(json_string_value(value), shown));
    } else if (json_is_boolean(value)) {
        (void)snprintf(text, size, "%s", json_is_true(value) ? "yes" : "no");
    } else if (json_is_number(value)) {
        (void)graft_format(text, size, "%g", json_number_value(value));
    } else if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            const json_t *const stage = json_array_get(value, i);
            const size_t used = strlen(text);
            const char *const from = json_string_value(json_object_get(stage, "from"));
            (void)graft_format(text + used, size - used, "%s%s:%d:%g", i > 0 ? "," : "", from ? from : "?",
                               (int)json_integer_value(json_object_get(stage, "epochs")),
                               json_number_value(json_object_get(stage, "learning_rate")));
        }
    } else if (json_is_object(value)) {
        const char *key;
        json_t *part;
        json_object_foreach((json_t *)value, key, part)
        {
            const size_t used = strlen(text);
            (void)graft_format(text + used, size - used, "%s%s %g", used > 0 ? ", " : "", key,
                               json_number_value(part));
        }
    } else {
        (void)snprintf(text, size, "-");
    }
}

/* ---- tables: of rows of cells, in three forms */

enum form { FORM_TEXT, FORM_MARKDOWN, FORM_CSV };

struct table {
    struct graft_context *context;
    struct graft_text *text;
    enum form form;
    int columns, widths[RUN_LIMIT + 16];
};

/* Quoted where it must be: RFC 4180. In Markdown a bar would end the cell. */
static void put_cell(struct table *table, int column, const char *cell)
{
    struct graft_text *const text = table->text;
    if (table->form == FORM_CSV) {
        graft_text_append(table->context, text, "%s", column > 0 ? "," : "");
        const bool quoted = strpbrk(cell, ",\"\n\r") != NULL;
        graft_text_append(table->context, text, "%s", quoted ? "\"" : "");
        for (const char *at = cell; *at != '\0'; at++) {
            graft_text_append(table->context, text, *at == '"' ? "\"\"" : "%c", *at);
        }
        graft_text_append(table->context, text, "%s", quoted ? "\"" : "");
    } else if (table->form == FORM_MARKDOWN) {
        graft_text_append(table->context, text, "| ");
        for (const char *at = cell; *at != '\0'; at++) {
            graft_text_append(table->context, text, *at == '|' ? "\\|" : "%c", *at);
        }
        graft_text_append(table->context, text, " ");
    } else {
        graft_text_append(table->context, text, column == 0 ? "%-*s" : "  %*s", table->widths[column], cell);
    }
}

static void end_row(struct table *table)
{
    graft_text_append(table->context, table->text, table->form == FORM_MARKDOWN ? "|\n" : "\n");
}

static void rule(struct table *table)
{
    for (int c = 0; c < table->columns && table->form == FORM_MARKDOWN; c++) {
        graft_text_append(table->context, table->text, c == 0 ? "| --- " : "| ---: ");
    }
    if (table->form == FORM_MARKDOWN) {
        end_row(table);
    }
}

#define CELL 512

static void percent(char cell[CELL], double share)
{
    (void)graft_format(cell, CELL, isnan(share) ? "-" : "%.2f", 100 * share);
}

static const char *const heads[] = {"run",        "network", "right, %",          "loss",    "test, %",
                                    "best epoch", "epochs",  "parameters learnt", "seconds", "images/s", "MiB"};
#define HEADS ((int)(sizeof heads / sizeof heads[0]))

static void cell_of(const struct compare *compare, int r, int column, char cell[CELL])
{
    const struct graft_compared_figures *const f = &compare->figures[r];
    char shown[GRAFT_NAME_SHOWN], number[32];
    switch (column) {
    case 0:
        (void)snprintf(cell, CELL, "%s", graft_show_name(compare->names[r], shown));
        break;
    case 1:
        (void)snprintf(cell, CELL, "%s", f->network != NULL ? graft_show_name(f->network, shown) : "-");
        break;
    case 2:
        percent(cell, f->top1);
        break;
    case 3:
        (void)graft_format(cell, CELL, isnan(f->loss) ? "-" : "%.4f", f->loss);
        break;
    case 4:
        percent(cell, f->test);
        break;
    case 5:
        (void)snprintf(cell, CELL, f->best < 0 ? "-" : "%d", f->best);
        break;
    case 6:
        (void)snprintf(cell, CELL, "%d", f->epochs);
        break;
    case 7:
        (void)snprintf(cell, CELL, "%s", f->learnt > 0 ? graft_show_count((int64_t)f->learnt, number) : "-");
        break;
    case 8:
        (void)graft_format(cell, CELL, "%.1f", f->seconds);
        break;
    case 9:
        (void)graft_format(cell, CELL, f->cost.images_per_second > 0 ? "%.0f" : "-", f->cost.images_per_second);
        break;
    case 10:
        (void)graft_format(cell, CELL, f->cost.memory_bytes > 0 ? "%.1f" : "-", f->cost.memory_bytes / 1048576);
        break;
    default:
        percent(cell, graft_run_stage_top1(compare->runs[r], column - HEADS));
    }
}

static void head_of(const struct compare *compare, int column, char cell[CELL])
{
    const enum graft_task_kind task = graft_run_task(compare->runs[0]);
    if ((column == 2 || column == 4) && task != GRAFT_TASK_CLASSES) {
        (void)snprintf(cell, CELL, "%s%s, %%", column == 4 ? "test " : "", task == GRAFT_TASK_NUMBER ? "R2" : "mAP");
    } else if (column < HEADS) {
        (void)snprintf(cell, CELL, "%s", heads[column]);
    } else {
        (void)snprintf(cell, CELL, "stage %d, %%", column - HEADS + 1);
    }
}

/* Wide enough for every cell. */
static void measure(const struct compare *compare, struct table *table,
                    void (*fill)(const struct compare *, const json_t *, int, int, char[CELL]),
                    const json_t *keys, int rows)
{
    for (int c = 0; c < table->columns; c++) {
        table->widths[c] = 0;
        for (int row = -1; row < rows; row++) {
            char cell[CELL];
            fill(compare, keys, row, c, cell);
            const int width = (int)strlen(cell);
            table->widths[c] = width > table->widths[c] ? width : table->widths[c];
        }
    }
}

static void put_table(const struct compare *compare, struct table *table,
                      void (*fill)(const struct compare *, const json_t *, int, int, char[CELL]),
                      const json_t *keys, int rows)
{
    measure(compare, table, fill, keys, rows);
    for (int row = -1; row < rows; row++) {
        for (int c = 0; c < table->columns; c++) {
            char cell[CELL];
            fill(compare, keys, row, c, cell);
            put_cell(table, c, cell);
        }
        end_row(table);
        if (row < 0) {
            rule(table);
        }
    }
}

static void fill_figures(const struct compare *compare, const json_t *keys, int row, int column,
                         char cell[CELL])
{
    (void)keys;
    if (row < 0) {
        head_of(compare, column, cell);
    } else {
        cell_of(compare, row, column, cell);
    }
}

static void fill_differences(const struct compare *compare, const json_t *keys, int row, int column,
                             char cell[CELL])
{
    const char *const key = row < 0 ? NULL : json_string_value(json_array_get(keys, (size_t)row));
    if (column == 0) {
        (void)snprintf(cell, CELL, "%s", key != NULL ? key : "recipe");
    } else if (key == NULL) {
        char shown[GRAFT_NAME_SHOWN];
        (void)snprintf(cell, CELL, "%s", graft_show_name(compare->names[column - 1], shown));
    } else {
        show_value(json_object_get(compare->recipes[column - 1], key), cell, CELL);
    }
}

static void put_tables(const struct compare *compare, const json_t *keys, enum form form,
                       struct graft_text *text)
{
    struct table table = {.context = compare->command->context,
                          .text = text,
                          .form = form,
                          .columns = HEADS + (compare->stages > 1 ? compare->stages : 0)};
    put_table(compare, &table, fill_figures, keys, compare->count);
    if (json_array_size(keys) > 0) {
        graft_text_append(table.context, text, "\n");
        table.columns = 1 + compare->count;
        put_table(compare, &table, fill_differences, keys, (int)json_array_size(keys));
    }
}

/* ---- files and printing */

static enum graft_status write_table(const struct compare *compare, const json_t *keys, enum form form,
                                     const char *name)
{
    struct graft_context *const context = compare->command->context;
    struct graft_text text = {0}, path = {0};
    put_tables(compare, keys, form, &text);
    graft_text_append(context, &path, "%s/%s", compare->out, name);
    const enum graft_status status = text.failed || path.failed
                                         ? GRAFT_ERROR_MEMORY
                                         : graft_file_write(context, path.data, text.data, text.length);
    graft_text_close(context, &text);
    graft_text_close(context, &path);
    return status;
}

static enum graft_status draw(const struct compare *compare)
{
    struct graft_context *const context = compare->command->context;
    const struct graft_run *const *const runs = (const struct graft_run *const *)compare->runs;
    struct graft_text bars = {0}, curves = {0};
    graft_text_append(context, &bars, "%s/accuracy.png", compare->out);
    graft_text_append(context, &curves, "%s/curves.png", compare->out);
    enum graft_status status = bars.failed || curves.failed ? GRAFT_ERROR_MEMORY : GRAFT_OK;
    if (status == GRAFT_OK) {
        status = graft_vis_compare_bars(context, bars.data, runs, compare->names, compare->count);
    }
    if (status == GRAFT_OK) {
        status = graft_vis_compare_curves(context, curves.data, runs, compare->names, compare->count);
    }
    graft_text_close(context, &bars);
    graft_text_close(context, &curves);
    return status;
}

/* The same table on a page. */
static void put_page_table(const struct graft_page *page, const struct compare *compare,
                           void (*fill)(const struct compare *, const json_t *, int, int, char[CELL]),
                           const json_t *keys, int rows, int columns)
{
    graft_page_put(page, "<div class=\"wide\" tabindex=\"0\"><table>\n");
    for (int row = -1; row < rows; row++) {
        graft_page_put(page, "<tr>");
        for (int c = 0; c < columns; c++) {
            char cell[CELL];
            fill(compare, keys, row, c, cell);
            graft_page_put(page, row < 0 ? "<th>" : "<td>");
            graft_page_text(page, cell);
            graft_page_put(page, row < 0 ? "</th>" : "</td>");
        }
        graft_page_put(page, "</tr>\n");
    }
    graft_page_put(page, "</table></div>\n");
}

/* A drawing that was just written. */
static enum graft_status put_drawing(const struct graft_page *page, const struct compare *compare,
                                     const char *name, const char *alt)
{
    struct graft_text path = {0}, png = {0};
    graft_text_append(page->context, &path, "%s/%s", compare->out, name);
    enum graft_status status =
        path.failed ? GRAFT_ERROR_MEMORY
                    : graft_file_read(page->context, path.data, DRAWING_LIMIT, &png.data, &png.length);
    if (status == GRAFT_OK) {
        graft_page_png(page, &png, alt);
    }
    graft_release(page->context, png.data);
    graft_text_close(page->context, &path);
    return status;
}

/* "OUT/index.html": tables and drawings. */
static enum graft_status write_page(const struct compare *compare, const json_t *keys)
{
    struct graft_context *const context = compare->command->context;
    struct graft_text html = {0}, path = {0};
    const struct graft_page page = {context, &html};
    const int stages = compare->stages > 1 ? compare->stages : 0;
    graft_page_begin(&page, "Runs beside each other", "Runs beside each other", NULL, false);
    put_page_table(&page, compare, fill_figures, keys, compare->count, HEADS + stages);
    enum graft_status status =
        put_drawing(&page, compare, "accuracy.png", "bars: most right in validation, stage by stage");
    if (status == GRAFT_OK) {
        status = put_drawing(&page, compare, "curves.png", "curves of validation loss and accuracy");
    }
    if (json_array_size(keys) > 0) {
        graft_page_put(&page, "<h2>What differs in their recipes</h2>\n");
        put_page_table(&page, compare, fill_differences, keys, (int)json_array_size(keys),
                       1 + compare->count);
    }
    graft_page_end(&page, NULL);
    graft_text_append(context, &path, "%s/index.html", compare->out);
    if (status == GRAFT_OK) {
        status = html.failed || path.failed ? GRAFT_ERROR_MEMORY
                                            : graft_file_write(context, path.data, html.data, html.length);
    }
    graft_text_close(context, &html);
    graft_text_close(context, &path);
    return status;
}

static json_t *known(double value)
{
    return value > 0 ? graft_json_real(value) : json_null();
}

static int print_json(const struct compare *compare, const json_t *keys)
{
    json_t *const list = json_array(), *const different = json_object();
    const char *const figure = graft_task_info(graft_run_task(compare->runs[0]))->figure;
    char best[32], stage[32], test[32];
    (void)snprintf(test, sizeof test, "test_%s", figure);
    (void)snprintf(best, sizeof best, "val_%s", figure);
    (void)snprintf(stage, sizeof stage, "stage_%s", figure);
    for (int r = 0; r < compare->count; r++) {
        const struct graft_compared_figures *const f = &compare->figures[r];
        json_t *const stages = json_array();
        for (int s = 0; s < compare->stages; s++) {
            graft_json_add_item(stages, graft_json_real(graft_run_stage_top1(compare->runs[r], s)));
        }
        graft_json_add_item(list, json_pack("{s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:o, s:o, s:o, s:o, s:o}", "run",
                                            graft_json_text(compare->names[r]), "network",
                                            f->network != NULL ? graft_json_text(f->network) : json_null(),
                                            best, graft_json_real(f->top1), "val_loss",
                                            graft_json_real(f->loss), test, graft_json_real(f->test),
                                            "best_epoch", f->best, "epochs",
                                            f->epochs, "parameters_learnt", graft_json_real(f->learnt),
                                            "seconds", graft_json_real(f->seconds), "images_per_second",
                                            known(f->cost.images_per_second), "memory_bytes",
                                            known(f->cost.memory_bytes), stage, stages));
    }
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const char *const key = json_string_value(json_array_get(keys, i));
        json_t *const values = json_array();
        for (int r = 0; r < compare->count; r++) {
            json_t *const value = json_object_get(compare->recipes[r], key);
            graft_json_add_item(values, value != NULL ? json_incref(value) : json_null());
        }
        graft_json_add_member(different, key, values);
    }
    return graft_json_print(compare->command,
                            json_pack("{s:o, s:o}", "runs", list, "differences", different));
}

static int print_text(const struct compare *compare, const json_t *keys)
{
    struct graft_text text = {0};
    put_tables(compare, keys, FORM_TEXT, &text);
    if (text.failed) {
        return graft_command_failed(compare->command, GRAFT_ERROR_MEMORY);
    }
    (void)fputs(text.data, stdout);
    graft_text_close(compare->command->context, &text);
    return GRAFT_EXIT_DONE;
}

static int compare_runs(struct compare *compare)
{
    json_t *const keys = find_differences(compare);
    int code = compare->command->json ? print_json(compare, keys) : print_text(compare, keys);
    if (code == GRAFT_EXIT_DONE && mkdir(compare->out, 0777) != 0 && errno != EEXIST) {
        code = graft_command_error(compare->command, "cannot make the folder %s: %s", compare->out,
                                   strerror(errno));
    }
    if (code == GRAFT_EXIT_DONE) {
        enum graft_status status = write_table(compare, keys, FORM_MARKDOWN, "table.md");
        if (status == GRAFT_OK) {
            status = write_table(compare, keys, FORM_CSV, "table.csv");
        }
        if (status == GRAFT_OK) {
            status = draw(compare);
        }
        if (status == GRAFT_OK) {
            status = write_page(compare, keys);
        }
        if (status != GRAFT_OK) {
            code = graft_command_failed(compare->command, status);
        } else {
            graft_command_remark(
                compare->command, "in %s: index.html, accuracy.png, curves.png, table.md, table.csv%s",
                compare->out,
                compare->count > GRAFT_PLOT_MAX_LINES ? "; curves of the first eight runs" : "");
        }
    }
    json_decref(keys);
    return code;
}

static int open_runs(struct compare *compare, const char *const *folders, int count)
{
    struct graft_command *const command = compare->command;
    for (int r = 0; r < count && r < RUN_LIMIT; r++) {
        const enum graft_status status = graft_run_open(command->context, folders[r], &compare->runs[r]);
        if (status != GRAFT_OK) {
            return graft_command_failed(command, status);
        }
        compare->names[r] = folders[r];
        compare->recipes[r] = json_loads(graft_run_recipe(compare->runs[r]), 0, NULL);
        compare->count = r + 1;
        if (compare->recipes[r] == NULL) {
            return graft_command_failed(command, GRAFT_ERROR_MEMORY);
        }
        if (graft_run_task(compare->runs[r]) != graft_run_task(compare->runs[0])) {
            return graft_command_error(command, "%s has learnt %s and %s %s: they have no figure in common",
                                       command->operands[0], graft_task_info(graft_run_task(compare->runs[0]))->name,
                                       command->operands[r], graft_task_info(graft_run_task(compare->runs[r]))->name);
        }
        compare->figures[r] = graft_compared_figures(compare->runs[r], compare->recipes[r]);
        int stages = 0;
        while (stages < STAGE_LIMIT && graft_run_stage(compare->runs[r], stages) != NULL) {
            stages++;
        }
        compare->stages = stages > compare->stages ? stages : compare->stages;
    }
    return GRAFT_EXIT_GO_ON;
}

int graft_compared(struct graft_command *command, const char *const *runs, int count, const char *out)
{
    struct compare compare = {.command = command, .out = out};
    int code = open_runs(&compare, runs, count);
    if (code == GRAFT_EXIT_GO_ON) {
        code = compare_runs(&compare);
    }
    for (int r = 0; r < RUN_LIMIT; r++) {
        json_decref(compare.recipes[r]);
        graft_run_close(&compare.runs[r]);
    }
    return code;
}

static int run(struct graft_command *command)
{
    const char *out = "compared";
    const struct graft_option own[] = {
        {"--out", "FOLDER", "for the drawings and tables (compared)", GRAFT_OPTION_TEXT, &out, 0, 0},
    };
    const int code = graft_command_begin(command, own, sizeof own / sizeof own[0]);
    return code == GRAFT_EXIT_GO_ON ? graft_compared(command, command->operands, command->operand_count, out) : code;
}

const struct graft_verb graft_verb_compare = {
    .name = "compare",
    .operands = "RUN...",
    .purpose = "puts runs beside each other: figures, what differs in their recipes, drawings",
    .examples = "  graft compare runs/flowers-1 runs/flowers-2\n"
                "  graft compare runs/* --out compared\n",
    .notes = "  In the folder: index.html (all of it on one page), accuracy.png (most right in validation, "
             "stage by stage), curves.png, table.md, "
             "table.csv.\n",
    .least = 1,
    .most = RUN_LIMIT,
    .run = run,
};
