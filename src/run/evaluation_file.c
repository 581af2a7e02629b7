/* SPDX-License-Identifier: MIT */
/* evaluation.json: what the best weights were worth, written and read back. */
#include "base/context.h"
#include "base/file.h"
#include "base/text.h"
#include "io/json.h"
#include "run/run.h"

#include <math.h>
#include <string.h>

#define FILE_NAME "evaluation.json"
#define FILE_LIMIT ((uint64_t)1 << 30)

static json_t *real_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static struct graft_json describe_class(const char *name, const struct graft_class_figures *figures)
{
    struct graft_json json = graft_json_object();
    graft_json_set(&json, "name", json_string(name));
    graft_json_set(&json, "images", json_integer(figures->images));
    graft_json_set(&json, "precision", real_or_null(figures->precision));
    graft_json_set(&json, "recall", real_or_null(figures->recall));
    graft_json_set(&json, "f1", real_or_null(figures->f1));
    return json;
}

static void describe_labels(const struct graft_run *run, const struct graft_evaluation *evaluation,
                            struct graft_json *json)
{
    struct graft_json classes = graft_json_array();
    for (int32_t c = 0; c < evaluation->classes; c++) {
        struct graft_json one = describe_class(run->class_names[c], &evaluation->figures[c]);
        graft_json_set(&one, "average_precision", real_or_null(evaluation->figures[c].average_precision));
        graft_json_set(&one, "threshold", real_or_null(evaluation->figures[c].threshold));
        graft_json_add(&classes, &one);
    }
    graft_json_set(json, "map", real_or_null(evaluation->map));
    graft_json_nest(json, "classes", &classes);
}

static void describe_number(const struct graft_evaluation *evaluation, struct graft_json *json)
{
    graft_json_set(json, "mae", real_or_null(evaluation->mae));
    graft_json_set(json, "rmse", real_or_null(evaluation->rmse));
    graft_json_set(json, "r2", real_or_null(evaluation->r2));
}

static void describe_classes(const struct graft_run *run, const struct graft_evaluation *evaluation,
                             struct graft_json *json)
{
    struct graft_json classes = graft_json_array(), rows = graft_json_array();
    const int64_t count = evaluation->classes;
    for (int64_t c = 0; c < count; c++) {
        struct graft_json one = describe_class(run->class_names[c], &evaluation->figures[c]);
        struct graft_json row = graft_json_array();
        for (int64_t p = 0; p < count; p++) {
            graft_json_append(&row, json_integer(evaluation->confusion[c * count + p]));
        }
        graft_json_add(&classes, &one);
        graft_json_add(&rows, &row);
    }
    graft_json_set(json, "top1", real_or_null(evaluation->top1));
    graft_json_set(json, "top5", real_or_null(evaluation->top5));
    graft_json_nest(json, "classes", &classes);
    graft_json_nest(json, "confusion", &rows);
}

/* What teaching took goes with the figures, since it is known when they are. */
static void describe_cost(const struct graft_run_cost *cost, struct graft_json *json)
{
    struct graft_json taught = graft_json_object();
    if (cost->images_per_second > 0)
        graft_json_set(&taught, "images_per_second", real_or_null(cost->images_per_second));
    if (cost->memory_bytes > 0)
        graft_json_set(&taught, "memory_bytes", real_or_null(cost->memory_bytes));
    graft_json_nest(json, "training", &taught);
}

static struct graft_json describe(const struct graft_run *run, const struct graft_evaluation *evaluation,
                                  const char *part)
{
    struct graft_json json = graft_json_object();
    graft_json_set(&json, "split", json_string(part));
    graft_json_set(&json, "images", json_integer(evaluation->images));
    graft_json_set(&json, "loss", real_or_null(evaluation->loss));
    graft_json_set(&json, "seconds", real_or_null(evaluation->seconds));
    describe_cost(&run->cost, &json);
    if (evaluation->task == GRAFT_TASK_LABELS) {
        describe_labels(run, evaluation, &json);
    } else if (evaluation->task == GRAFT_TASK_NUMBER) {
        describe_number(evaluation, &json);
    } else {
        describe_classes(run, evaluation, &json);
    }
    return json;
}

enum graft_status graft_run_write_evaluation(struct graft_run *run, const struct graft_evaluation *evaluation,
                                             const char *part)
{
    struct graft_text text = {0};
    if (evaluation->classes != run->classes ||
        strcmp(graft_task_info(evaluation->task)->name, graft_task_info(graft_run_task(run))->name) != 0) {
        return graft_fail(run->context, GRAFT_ERROR_ARGUMENT, "an evaluation of %d classes, but %s has %d",
                          (int)evaluation->classes, run->folder, (int)run->classes);
    }
    struct graft_json json = describe(run, evaluation, part);
    enum graft_status status =
        graft_json_write(run->context, &json, JSON_INDENT(1), FILE_NAME, &text.data, &text.length);
    if (status == GRAFT_OK) {
        status = graft_run_write(run, FILE_NAME, &text);
    }
    graft_text_close(run->context, &text);
    return status;
}

static double real(const json_t *json, const char *key)
{
    const json_t *const value = json_object_get(json, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

/* Of another version, or damaged: not known. */
static void read_cost(const json_t *json, struct graft_run_cost *cost)
{
    const json_t *const taught = json_object_get(json, "training");
    cost->images_per_second = fmax(real(taught, "images_per_second"), 0);
    cost->memory_bytes = fmax(real(taught, "memory_bytes"), 0);
}

/* As many numbers as the run's classes ask for: checked before memory is taken for them. */
static bool has_rows(const struct graft_run *run, const json_t *json)
{
    const json_t *const rows = json_object_get(json, "confusion");
    const size_t count = (size_t)run->classes;
    const enum graft_task_kind task = graft_run_task(run);
    if (task != GRAFT_TASK_CLASSES) {
        return task == GRAFT_TASK_NUMBER || json_array_size(json_object_get(json, "classes")) == count;
    }
    bool right = json_array_size(rows) == count;
    for (size_t c = 0; c < count && right; c++) {
        right = json_array_size(json_array_get(rows, c)) == count;
    }
    return right;
}

static struct graft_class_figures read_class(const json_t *one, bool label)
{
    return (struct graft_class_figures){.images = json_integer_value(json_object_get(one, "images")),
                                        .precision = real(one, "precision"),
                                        .recall = real(one, "recall"),
                                        .f1 = real(one, "f1"),
                                        .average_precision = label ? real(one, "average_precision") : 0,
                                        .threshold = label ? real(one, "threshold") : 0};
}

static bool read_figures(struct graft_run *run, const json_t *json)
{
    struct graft_evaluation *const evaluation = &run->evaluation;
    const json_t *const classes = json_object_get(json, "classes");
    const json_t *const rows = json_object_get(json, "confusion");
    const char *const part = json_string_value(json_object_get(json, "split"));
    const size_t count = (size_t)run->classes;
    const bool confused = evaluation->confusion != NULL;
    if ((evaluation->figures && json_array_size(classes) != count) || part == NULL) {
        return false;
    }
    (void)graft_format(run->evaluated, sizeof run->evaluated, "%s", part);
    evaluation->images = json_integer_value(json_object_get(json, "images"));
    evaluation->loss = real(json, "loss");
    evaluation->top1 = real(json, "top1");
    evaluation->top5 = real(json, "top5");
    evaluation->seconds = real(json, "seconds");
    evaluation->map = real(json, "map");
    evaluation->mae = real(json, "mae");
    evaluation->rmse = real(json, "rmse");
    evaluation->r2 = real(json, "r2");
    for (size_t c = 0; c < count && evaluation->figures; c++) {
        const json_t *const one = json_array_get(classes, c), *const row = json_array_get(rows, c);
        evaluation->figures[c] = read_class(one, evaluation->task == GRAFT_TASK_LABELS);
        for (size_t p = 0; p < count && confused; p++) {
            const json_int_t pictures = json_integer_value(json_array_get(row, p));
            if (pictures < 0) {
                return false;
            }
            evaluation->confusion[c * count + p] = pictures;
        }
    }
    read_cost(json, &run->cost);
    return evaluation->images >= 0;
}

enum graft_status graft_run_read_evaluation(struct graft_run *run)
{
    struct graft_text path = {0};
    char *data = NULL;
    size_t size = 0;
    json_t *json = NULL;
    json_error_t error;
    enum graft_status status = graft_run_path(run, FILE_NAME, &path);
    if (status == GRAFT_OK) {
        status = graft_file_read(run->context, path.data, FILE_LIMIT, &data, &size);
    }
    if (status == GRAFT_ERROR_NOT_FOUND) { /* not evaluated yet */
        graft_text_close(run->context, &path);
        return GRAFT_OK;
    }
    if (status == GRAFT_OK) {
        status = graft_json_read(run->context, data, size, 0, path.data, &json, &error);
        if (status == GRAFT_ERROR_FORMAT) {
            status = graft_fail(run->context, status, "%s, line %d: %s", path.data, error.line, error.text);
        }
    }
    const bool whole = status == GRAFT_OK && has_rows(run, json);
    if (whole) {
        const struct graft_target target = {.task = graft_run_task(run)};
        status = graft_evaluation_open_target(run->context, &target, run->classes, 0, &run->evaluation);
        graft_evaluation_forget(run->context, &run->evaluation); /* the rows are not in the file */
    }
    if (status == GRAFT_OK && !(whole && read_figures(run, json))) {
        char quoted[512];
        status = graft_fail(run->context, GRAFT_ERROR_FORMAT,
                            "%s is no evaluation of this run: \"graft evaluate %s\" writes it again",
                            path.data, graft_text_quote(run->folder, quoted, sizeof quoted));
    }
    json_decref(json);
    graft_release(run->context, data);
    graft_text_close(run->context, &path);
    return status;
}
