/* SPDX-License-Identifier: MIT */
/* A run folder as readers see it, and the recipe in it. */
#include "run/run.h"

#include "base/context.h"
#include "base/file.h"
#include "io/json.h"

#include <math.h>
#include <string.h>

#define RECIPE "config.json"
#define RECIPE_LIMIT ((uint64_t)64 << 20)

enum graft_status graft_run_path(const struct graft_run *run, const char *name, struct graft_text *path)
{
    path->length = 0;
    graft_text_append(run->context, path, "%s/%s", run->folder, name);
    return path->failed ? GRAFT_ERROR_MEMORY : GRAFT_OK;
}

enum graft_status graft_run_write(const struct graft_run *run, const char *name,
                                  const struct graft_text *text)
{
    struct graft_text path = {0};
    enum graft_status status = text->failed ? GRAFT_ERROR_MEMORY : graft_run_path(run, name, &path);
    if (status == GRAFT_OK) {
        status = graft_file_write(run->context, path.data, text->data, text->length);
    }
    graft_text_close(run->context, &path);
    return status;
}

/* The classes' names are texts of the recipe. */
static enum graft_status find_classes(struct graft_run *run, const char *path)
{
    const json_t *const classes = json_object_get(run->config, "classes");
    const size_t count = json_array_size(classes);
    if (count == 0 || count > INT32_MAX) {
        return graft_fail(run->context, GRAFT_ERROR_FORMAT, "%s names no classes", path);
    }
    run->class_names = graft_allocate(run->context, count, sizeof *run->class_names);
    if (run->class_names == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    run->classes = (int32_t)count;
    const char *const task = json_string_value(json_object_get(run->config, "task"));
    const enum graft_status known =
        task != NULL ? graft_task_find(run->context, task, &run->history.task) : GRAFT_OK;
    if (known != GRAFT_OK) {
        return graft_fail_prefix(run->context, GRAFT_ERROR_FORMAT, "%s is damaged", path);
    }
    for (size_t i = 0; i < count; i++) {
        run->class_names[i] = json_string_value(json_array_get(classes, i));
        if (run->class_names[i] == NULL) {
            return graft_fail(run->context, GRAFT_ERROR_FORMAT, "%s: the name of class %zu is no text", path,
                              i);
        }
    }
    return GRAFT_OK;
}

/* Takes `text` over. */
static enum graft_status take_recipe(struct graft_run *run, char *text, size_t size, const char *path)
{
    json_error_t error;
    json_t *config = NULL;
    graft_release(run->context, run->class_names);
    graft_release(run->context, run->recipe);
    json_decref(run->config);
    run->class_names = NULL;
    run->classes = 0;
    run->recipe = text;
    const enum graft_status status =
        graft_json_read(run->context, text, size, JSON_REJECT_DUPLICATES, path, &config, &error);
    run->config = config;
    if (status == GRAFT_ERROR_FORMAT) {
        return graft_fail(run->context, status, "%s, line %d: %s", path, error.line, error.text);
    }
    return status == GRAFT_OK ? find_classes(run, path) : status;
}

enum graft_status graft_run_take_recipe(struct graft_run *run, char *text)
{
    return take_recipe(run, text, strlen(text), RECIPE);
}

enum graft_task_kind graft_run_task(const struct graft_run *run)
{
    return run->history.task == GRAFT_TASK_AUTO ? GRAFT_TASK_CLASSES : run->history.task;
}

enum graft_status graft_run_read_recipe(struct graft_run *run)
{
    struct graft_text path = {0};
    char *text = NULL;
    size_t size = 0;
    enum graft_status status = graft_run_path(run, RECIPE, &path);
    if (status == GRAFT_OK) {
        status = graft_file_read(run->context, path.data, RECIPE_LIMIT, &text, &size);
        status = status == GRAFT_OK
                     ? take_recipe(run, text, size, path.data)
                     : graft_fail_prefix(run->context, status, "%s is no run folder", run->folder);
    }
    graft_text_close(run->context, &path);
    return status;
}

enum graft_status graft_run_write_recipe(struct graft_run *run, const char *text, size_t size)
{
    struct graft_text copy = {0};
    graft_text_append_bytes(run->context, &copy, text, size);
    const enum graft_status status = graft_run_write(run, RECIPE, &copy);
    if (status != GRAFT_OK) {
        graft_text_close(run->context, &copy);
        return status;
    }
    return take_recipe(run, copy.data, size, RECIPE);
}

enum graft_status graft_run_new(struct graft_context *context, const char *folder, struct graft_run **run)
{
    struct graft_run *const made = graft_allocate(context, 1, sizeof *made);
    *run = made;
    if (made == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    made->context = context;
    made->lock = -1;
    made->folder = graft_duplicate_text(context, folder);
    return made->folder != NULL ? GRAFT_OK : GRAFT_ERROR_MEMORY;
}

/* The stage of each epoch: the file of the history holds its name, which two stages may have. */
static void find_stages(struct graft_run *run)
{
    const json_t *const stages = json_object_get(run->config, "stages");
    for (int i = 0; i < run->history.count; i++) {
        struct graft_run_epoch *const epoch = &run->history.epochs[i];
        double before = 0;
        for (size_t s = 0; s + 1 < json_array_size(stages); s++) {
            const json_t *const stage = json_array_get(stages, s);
            const json_t *const stopped = json_object_get(stage, "stopped");
            before += json_number_value(json_is_integer(stopped) ? stopped : json_object_get(stage, "epochs"));
            epoch->stage += epoch->epoch > before;
        }
    }
}

enum graft_status graft_run_open(struct graft_context *context, const char *folder, struct graft_run **run)
{
    enum graft_status status = graft_run_new(context, folder, run);
    if (status == GRAFT_OK) {
        status = graft_run_read_recipe(*run);
    }
    if (status == GRAFT_OK) {
        status = graft_run_read_csv(*run);
    }
    if (status == GRAFT_OK) {
        status = graft_run_read_evaluation(*run);
    }
    if (status == GRAFT_OK) {
        find_stages(*run);
    } else {
        graft_run_close(run);
    }
    return status;
}

const char *graft_run_folder(const struct graft_run *run)
{
    return run->folder;
}

const char *graft_run_recipe(const struct graft_run *run)
{
    return run->recipe;
}

const char *graft_run_text(const struct graft_run *run, const char *key)
{
    return json_string_value(json_object_get(run->config, key));
}

double graft_run_number(const struct graft_run *run, const char *key, double otherwise)
{
    const json_t *const value = json_object_get(run->config, key);
    if (json_is_boolean(value)) {
        return json_is_true(value);
    }
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

int32_t graft_run_class_count(const struct graft_run *run)
{
    return run->classes;
}

const char *const *graft_run_class_names(const struct graft_run *run)
{
    return run->class_names;
}

const char *graft_run_stage(const struct graft_run *run, int stage)
{
    const json_t *const stages = json_object_get(run->config, "stages");
    return json_string_value(json_object_get(json_array_get(stages, (size_t)stage), "from"));
}

int graft_run_history(const struct graft_run *run, const struct graft_run_epoch **epochs)
{
    *epochs = run->history.epochs;
    return run->history.count;
}

int graft_run_best(const struct graft_run *run)
{
    return graft_run_history_best(&run->history);
}

double graft_run_stage_top1(const struct graft_run *run, int stage)
{
    const struct graft_run_epoch *epochs;
    const int count = graft_run_history(run, &epochs);
    double best = (double)NAN;
    for (int i = 0; i < count; i++) {
        if (epochs[i].stage == stage && !isnan(epochs[i].val_top1) && !isnan(epochs[i].val_loss)) {
            best = !(best >= epochs[i].val_top1) ? epochs[i].val_top1 : best;
        }
    }
    return best;
}

const struct graft_evaluation *graft_run_evaluation(const struct graft_run *run)
{
    return run->evaluation.classes > 0 ? &run->evaluation : NULL;
}

struct graft_run_cost graft_run_cost(const struct graft_run *run)
{
    return run->cost;
}

const char *graft_run_evaluated(const struct graft_run *run)
{
    return run->evaluation.classes > 0 ? run->evaluated : NULL;
}
