/* SPDX-License-Identifier: MIT */
/* What a run keeps on disk while it goes on: history, weights, and the state from which it is resumed to the
 * bit. */
#include "backend/backend.h"
#include "base/clock.h"
#include "base/context.h"
#include "base/file.h"
#include "base/text.h"
#include "graft/weights.h"
#include "io/csv.h"
#include "io/json.h"
#include "train/fit.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_POSITION "graft.position"
#define KEY_HISTORY "graft.history"

static enum graft_status run_path(struct graft_fit_job *job, const char *name, char *path, size_t size)
{
    const int length = snprintf(path, size, "%s/%s", job->out, name);
    return length > 0 && (size_t)length < size ? GRAFT_OK
                                               : graft_fail(job->context, GRAFT_ERROR_ARGUMENT,
                                                            "the path \"%s\" is too long", job->out);
}

enum graft_status graft_fit_note_epoch(struct graft_fit_job *job, const struct graft_fit_epoch *epoch)
{
    struct graft_fit_result *const result = job->result;
    if (result->epochs == job->history_capacity) {
        const int capacity = job->history_capacity * 2 + 16;
        void *const history = graft_reallocate(job->context, result->history, (size_t)job->history_capacity,
                                               (size_t)capacity, sizeof *result->history);
        if (!history)
            return GRAFT_ERROR_MEMORY;
        result->history = history;
        job->history_capacity = capacity;
    }
    result->history[result->epochs++] = *epoch;
    return GRAFT_OK;
}

/* The network's weights as they are now, with their card. */
static enum graft_status snapshot(struct graft_fit_job *job, struct graft_tensor_set **set)
{
    enum graft_status status = graft_tensor_set_open(job->context, set);
    if (status == GRAFT_OK)
        status = graft_card_write(job->context, &job->card, *set);
    if (status == GRAFT_OK)
        status = graft_model_store_weights(job->whole, job->variables, *set);
    if (status != GRAFT_OK)
        graft_tensor_set_close(set);
    return status;
}

enum graft_status graft_fit_keep_best(struct graft_fit_job *job)
{
    struct graft_tensor_set *set = NULL;
    graft_fit_make_room_on_host(job, graft_fit_save_bytes(job));
    const enum graft_status status = snapshot(job, &set);
    if (status != GRAFT_OK)
        return status;
    graft_tensor_set_close(&job->best);
    job->best = set;
    job->best_unsaved = true;
    return GRAFT_OK;
}

static enum graft_status save_set(struct graft_fit_job *job, const char *name,
                                  const struct graft_tensor_set *set)
{
    char path[PATH_MAX];
    const enum graft_status status = run_path(job, name, path, sizeof path);
    return status == GRAFT_OK ? graft_safetensors_save(job->context, path, set) : status;
}

static enum graft_status save_history(struct graft_fit_job *job)
{
    struct graft_context *const context = job->context;
    struct graft_text csv = {0};
    char path[PATH_MAX];
    static const char *const columns[] = {"stage",      "epoch",    "learning_rate", "train_loss",
                                          "train_top1", "val_loss", "val_top1",      "seconds"};
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        graft_csv_text(context, &csv, columns[i]);
    graft_csv_end_row(context, &csv);
    for (int i = 0; i < job->result->epochs; i++) {
        const struct graft_fit_epoch *const epoch = &job->result->history[i];
        const double numbers[] = {epoch->learning_rate, epoch->train_loss, epoch->train_top1,
                                  epoch->val_loss,      epoch->val_top1,   epoch->seconds};
        graft_csv_text(context, &csv, job->options.stages[epoch->stage].from);
        graft_csv_integer(context, &csv, epoch->epoch);
        for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; k++)
            if (isfinite(numbers[k]))
                graft_csv_number(context, &csv, numbers[k]);
            else
                graft_csv_text(context, &csv, "");
        graft_csv_end_row(context, &csv);
    }
    enum graft_status status =
        csv.failed ? GRAFT_ERROR_MEMORY : run_path(job, "history.csv", path, sizeof path);
    if (status == GRAFT_OK)
        status = graft_file_write(context, path, csv.data, csv.length);
    graft_text_close(context, &csv);
    return status;
}

static json_t *real_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static double real_or_nan(const json_t *json)
{
    return json_is_number(json) ? json_number_value(json) : (double)NAN;
}

static struct graft_json epoch_json(const struct graft_fit_epoch *e)
{
    struct graft_json json = graft_json_object();
    graft_json_set(&json, "stage", json_integer(e->stage));
    graft_json_set(&json, "epoch", json_integer(e->epoch));
    graft_json_set(&json, "learning_rate", json_real(e->learning_rate));
    graft_json_set(&json, "train_loss", real_or_null(e->train_loss));
    graft_json_set(&json, "train_top1", real_or_null(e->train_top1));
    graft_json_set(&json, "val_loss", real_or_null(e->val_loss));
    graft_json_set(&json, "val_top1", real_or_null(e->val_top1));
    graft_json_set(&json, "seconds", json_real(e->seconds));
    return json;
}

static struct graft_json position_json(const struct graft_fit_job *job)
{
    const struct graft_fit_position *const at = &job->position;
    const struct graft_fit_result *const result = job->result;
    struct graft_json json = graft_json_object();
    graft_json_set(&json, "stage", json_integer(at->stage));
    graft_json_set(&json, "epoch", json_integer(at->epoch));
    graft_json_set(&json, "batch", json_integer(at->batch));
    graft_json_set(&json, "number", json_integer(at->number));
    graft_json_set(&json, "loss_sum", json_real(at->loss_sum));
    graft_json_set(&json, "correct", json_integer(at->correct));
    graft_json_set(&json, "seen", json_integer(at->seen));
    graft_json_set(&json, "seconds", json_real(at->seconds));
    graft_json_set(&json, "train_seconds", json_real(at->train_seconds));
    graft_json_set(&json, "trained", json_integer(at->trained));
    graft_json_set(&json, "total_seconds", json_real(at->total_seconds + graft_seconds() - job->begin));
    graft_json_set(&json, "best_epoch", json_integer(result->best_epoch));
    graft_json_set(&json, "val_top1", real_or_null(result->val_top1));
    graft_json_set(&json, "val_loss", real_or_null(result->val_loss));
    return json;
}

/* Closes the value. 17 digits bring a double back to the bit. */
static enum graft_status put_json(struct graft_context *context, struct graft_tensor_set *set,
                                  const char *key, struct graft_json *json)
{
    char *text = NULL;
    size_t size = 0;
    enum graft_status status =
        graft_json_write(context, json, JSON_COMPACT | JSON_REAL_PRECISION(17), key, &text, &size);
    if (status == GRAFT_OK)
        status = graft_tensor_set_put_text(set, key, text);
    graft_release(context, text);
    return status;
}

static enum graft_status put_position(struct graft_fit_job *job, struct graft_tensor_set *set)
{
    const struct graft_fit_result *const result = job->result;
    struct graft_json position = position_json(job), history = graft_json_array();
    for (int i = 0; i < result->epochs; i++) {
        struct graft_json epoch = epoch_json(&result->history[i]);
        graft_json_add(&history, &epoch);
    }
    enum graft_status status = put_json(job->context, set, KEY_POSITION, &position);
    if (status == GRAFT_OK)
        status = put_json(job->context, set, KEY_HISTORY, &history);
    graft_json_close(&history);
    return status;
}

/* All variables in our own layout, and the position. */
static enum graft_status save_state(struct graft_fit_job *job)
{
    struct graft_tensor_set *set = NULL;
    enum graft_status status = graft_tensor_set_open(job->context, &set);
    for (int i = 0; status == GRAFT_OK; i++) {
        struct graft_desc desc;
        const char *const name = graft_variables_at(job->variables, i, &desc, NULL);
        if (!name)
            break;
        status = graft_tensor_set_add(set, name, &desc, NULL);
        if (status == GRAFT_OK)
            status = graft_variables_read(job->variables, name, graft_tensor_set_find(set, name)->data,
                                          graft_desc_bytes(&desc));
    }
    if (status == GRAFT_OK)
        status = put_position(job, set);
    if (status == GRAFT_OK)
        status = save_set(job, "state.safetensors", set);
    graft_tensor_set_close(&set);
    return status;
}

enum graft_status graft_fit_save(struct graft_fit_job *job)
{
    struct graft_tensor_set *last = NULL;
    enum graft_status status = GRAFT_OK;
    graft_fit_make_room_on_host(job, graft_fit_save_bytes(job));
    if (job->best && job->best_unsaved)
        status = save_set(job, "model.safetensors", job->best);
    if (status == GRAFT_OK)
        status = snapshot(job, &last);
    if (status == GRAFT_OK)
        status = save_set(job, "last.safetensors", last);
    graft_tensor_set_close(&last);
    if (status == GRAFT_OK)
        status = save_history(job);
    if (status == GRAFT_OK)
        status = save_state(job);
    if (status == GRAFT_OK)
        job->best_unsaved = false;
    job->last_saved = graft_seconds();
    return status;
}

static enum graft_status read_history(struct graft_fit_job *job, const json_t *history)
{
    enum graft_status status = GRAFT_OK;
    for (size_t i = 0; i < json_array_size(history) && status == GRAFT_OK; i++) {
        const json_t *const item = json_array_get(history, i);
        const struct graft_fit_epoch epoch = {
            .stage = (int)json_integer_value(json_object_get(item, "stage")),
            .epoch = (int)json_integer_value(json_object_get(item, "epoch")),
            .learning_rate = json_number_value(json_object_get(item, "learning_rate")),
            .train_loss = real_or_nan(json_object_get(item, "train_loss")),
            .train_top1 = real_or_nan(json_object_get(item, "train_top1")),
            .val_loss = real_or_nan(json_object_get(item, "val_loss")),
            .val_top1 = real_or_nan(json_object_get(item, "val_top1")),
            .seconds = json_number_value(json_object_get(item, "seconds"))};
        if (epoch.stage < 0 || epoch.stage >= job->options.stage_count)
            return graft_fail(job->context, GRAFT_ERROR_FORMAT, "the state's history names stage %d",
                              epoch.stage);
        status = graft_fit_note_epoch(job, &epoch);
    }
    return status;
}

/* False if it cannot be. */
static bool read_position(struct graft_fit_job *job, const json_t *json)
{
    struct graft_fit_position *const at = &job->position;
    at->stage = (int)json_integer_value(json_object_get(json, "stage"));
    at->epoch = (int)json_integer_value(json_object_get(json, "epoch"));
    at->batch = json_integer_value(json_object_get(json, "batch"));
    at->number = json_integer_value(json_object_get(json, "number"));
    at->loss_sum = json_number_value(json_object_get(json, "loss_sum"));
    at->correct = json_integer_value(json_object_get(json, "correct"));
    at->seen = json_integer_value(json_object_get(json, "seen"));
    at->seconds = json_number_value(json_object_get(json, "seconds"));
    at->train_seconds = json_number_value(json_object_get(json, "train_seconds"));
    at->trained = json_integer_value(json_object_get(json, "trained"));
    at->total_seconds = json_number_value(json_object_get(json, "total_seconds"));
    job->result->best_epoch = (int)json_integer_value(json_object_get(json, "best_epoch"));
    job->result->val_top1 = real_or_nan(json_object_get(json, "val_top1"));
    job->result->val_loss = real_or_nan(json_object_get(json, "val_loss"));
    return at->stage >= 0 && at->epoch >= 0 && at->batch >= 0 && at->number >= 0 && at->seen >= 0;
}

/* Variables that only a later stage's plan creates are created here, from the state's own description. */
static enum graft_status read_variables(struct graft_fit_job *job, const struct graft_tensor_set *set)
{
    struct graft_graph *graph = NULL;
    enum graft_status status = graft_graph_open(job->context, GRAFT_DTYPE_F32, &graph);
    for (size_t i = 0; i < graft_tensor_set_count(set) && status == GRAFT_OK; i++) {
        const struct graft_named_tensor *const tensor = graft_tensor_set_at(set, i);
        bool known = false;
        const char *name;
        for (int k = 0; !known && (name = graft_variables_at(job->variables, k, NULL, NULL)); k++)
            known = strcmp(name, tensor->name) == 0;
        if (!known)
            (void)graft_graph_state(graph, tensor->name, &tensor->desc.shape, 0);
        status = graft_graph_status(graph);
    }
    if (status == GRAFT_OK)
        status = graft_variables_add(job->variables, graph);
    for (size_t i = 0; i < graft_tensor_set_count(set) && status == GRAFT_OK; i++) {
        const struct graft_named_tensor *const tensor = graft_tensor_set_at(set, i);
        status = graft_variables_write(job->variables, tensor->name, tensor->data,
                                       graft_desc_bytes(&tensor->desc));
    }
    graft_graph_close(&graph);
    return status;
}

enum graft_status graft_fit_load(struct graft_fit_job *job)
{
    char path[PATH_MAX];
    struct graft_tensor_set *set = NULL;
    enum graft_status status = run_path(job, "state.safetensors", path, sizeof path);
    if (status == GRAFT_OK)
        status = graft_safetensors_load(job->context, path, &set);
    if (status != GRAFT_OK)
        return status;
    const char *const position_text = graft_tensor_set_text(set, KEY_POSITION);
    const char *const history_text = graft_tensor_set_text(set, KEY_HISTORY);
    json_t *position = NULL, *history = NULL;
    json_error_t error;
    if (position_text)
        status =
            graft_json_read(job->context, position_text, strlen(position_text), 0, path, &position, &error);
    if (history_text && status != GRAFT_ERROR_MEMORY)
        status = graft_json_read(job->context, history_text, strlen(history_text), 0, path, &history, &error);
    if (status != GRAFT_ERROR_MEMORY &&
        (!json_is_object(position) || !json_is_array(history) || !read_position(job, position)))
        status = graft_fail(job->context, GRAFT_ERROR_FORMAT, "%s holds no position of a run", path);
    if (status == GRAFT_OK)
        status = read_history(job, history);
    if (status == GRAFT_OK)
        status = read_variables(job, set);
    json_decref(position);
    json_decref(history);
    graft_tensor_set_close(&set);
    if (status == GRAFT_OK)
        status = run_path(job, "model.safetensors", path, sizeof path);
    if (status == GRAFT_OK)
        status = graft_safetensors_load(job->context, path, &job->best);
    if (status == GRAFT_OK && job->position.stage >= job->options.stage_count)
        graft_log(job->context, GRAFT_LOG_REMARK, "the run %s is complete; it is evaluated again",
                  job->out);
    return status;
}
