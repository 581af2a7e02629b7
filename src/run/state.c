/* SPDX-License-Identifier: MIT */
/* state.safetensors: from where a run goes on, to the bit. */
#include "base/context.h"
#include "base/file.h"
#include "io/json.h"
#include "run/run.h"

#include <math.h>
#include <string.h>

#define STATE "state.safetensors"
#define KEY_POSITION "graft.position"
#define KEY_HISTORY "graft.history"
#define KEY_EVENTS "graft.events"

/* Told of every save, in this order. */
static const struct graft_recorder *const recorders[] = {&graft_recorder_csv};

/* The fields of a position: a whole number (below 2^53), or a double. */
struct field {
    const char *name;
    size_t offset;
    enum { INT, INT64, DOUBLE } type;
};
#define FIELD(name, type) {#name, offsetof(struct graft_run_position, name), type}
/* clang-format off */
static const struct field fields[] = {
    FIELD(stage, INT),     FIELD(epoch, INT),           FIELD(batch, INT64),   FIELD(number, INT64),
    FIELD(loss_sum, DOUBLE), FIELD(correct, INT64),     FIELD(seen, INT64),    FIELD(seconds, DOUBLE),
    FIELD(train_seconds, DOUBLE), FIELD(trained, INT64), FIELD(total_seconds, DOUBLE),
};
/* clang-format on */

static struct graft_json describe_position(const struct graft_run_position *position)
{
    struct graft_json json = graft_json_object();
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const void *const from = (const char *)position + fields[i].offset;
        graft_json_set(&json, fields[i].name,
                       fields[i].type == INT     ? json_integer(*(const int *)from)
                       : fields[i].type == INT64 ? json_integer(*(const int64_t *)from)
                                                 : json_real(*(const double *)from));
    }
    return json;
}

/* False if it cannot be. */
static bool read_position(const json_t *json, struct graft_run_position *position)
{
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const json_t *const value = json_object_get(json, fields[i].name);
        const json_int_t whole = json_integer_value(value);
        const double real = json_number_value(value);
        void *const to = (char *)position + fields[i].offset;
        if (fields[i].type == DOUBLE ? !json_is_number(value)
                                     : !json_is_integer(value) || whole < 0 ||
                                           (fields[i].type == INT && whole > INT32_MAX)) {
            return false;
        }
        if (fields[i].type == INT) {
            *(int *)to = (int)whole;
        } else if (fields[i].type == INT64) {
            *(int64_t *)to = whole;
        } else {
            *(double *)to = real;
        }
    }
    return true;
}

static struct graft_json describe_epoch(struct graft_run_epoch epoch)
{
    struct graft_json json = graft_json_object();
    graft_json_set(&json, "stage", json_integer(epoch.stage));
    graft_json_set(&json, "epoch", json_integer(epoch.epoch));
    for (int c = 0; c < GRAFT_RUN_COLUMNS; c++) {
        const double number = *graft_run_number_of(&epoch, c);
        graft_json_set(&json, graft_run_columns[c].name,
                       isfinite(number) ? json_real(number) : json_null());
    }
    return json;
}

static enum graft_status read_history(struct graft_run *run, const json_t *history)
{
    const size_t stages = json_array_size(json_object_get(run->config, "stages"));
    enum graft_status status = GRAFT_OK;
    graft_run_history_close(run->context, &run->history);
    for (size_t i = 0; i < json_array_size(history) && status == GRAFT_OK; i++) {
        const json_t *const item = json_array_get(history, i);
        struct graft_run_epoch epoch = {.stage = (int)json_integer_value(json_object_get(item, "stage")),
                                        .epoch = (int)json_integer_value(json_object_get(item, "epoch"))};
        for (int c = 0; c < GRAFT_RUN_COLUMNS; c++) {
            const json_t *const value = json_object_get(item, graft_run_columns[c].name);
            *graft_run_number_of(&epoch, c) = json_is_number(value) ? json_number_value(value) : (double)NAN;
        }
        if (epoch.stage < 0 || (size_t)epoch.stage >= stages) {
            return graft_fail(run->context, GRAFT_ERROR_FORMAT, "the state's history names stage %d",
                              epoch.stage);
        }
        status = graft_run_history_add(run->context, &run->history, &epoch);
    }
    return status;
}

/* Closes the value. 17 digits bring a double back to the bit. */
static enum graft_status put_json(struct graft_context *context, struct graft_tensor_set *set,
                                  const char *key, struct graft_json *json)
{
    char *text = NULL;
    size_t size = 0;
    enum graft_status status =
        graft_json_write(context, json, JSON_COMPACT | JSON_REAL_PRECISION(17), key, &text, &size);
    if (status == GRAFT_OK) {
        status = graft_tensor_set_put_text(set, key, text);
    }
    graft_release(context, text);
    return status;
}

enum graft_status graft_run_save_weights(struct graft_run *run, const char *name,
                                         const struct graft_tensor_set *set)
{
    struct graft_text path = {0};
    enum graft_status status = graft_run_path(run, name, &path);
    if (status == GRAFT_OK) {
        status = graft_safetensors_save(run->context, path.data, set);
    }
    graft_text_close(run->context, &path);
    return status;
}

enum graft_status graft_run_save_state(struct graft_run *run, const struct graft_run_position *position,
                                       struct graft_tensor_set *variables)
{
    struct graft_context *const context = run->context;
    enum graft_status status = GRAFT_OK;
    for (size_t i = 0; i < sizeof recorders / sizeof recorders[0] && status == GRAFT_OK; i++) {
        struct graft_text text = {0};
        recorders[i]->record(run, &text);
        status = graft_run_write(run, recorders[i]->file, &text);
        graft_text_close(context, &text);
    }
    if (status == GRAFT_OK) {
        status = graft_run_save_events(run);
    }
    if (status != GRAFT_OK) {
        return status;
    }
    struct graft_json json = describe_position(position), history = graft_json_array();
    struct graft_json events = graft_run_events_json(run);
    for (int i = 0; i < run->history.count; i++) {
        struct graft_json epoch = describe_epoch(run->history.epochs[i]);
        graft_json_add(&history, &epoch);
    }
    status = put_json(context, variables, KEY_POSITION, &json);
    if (status == GRAFT_OK) {
        status = put_json(context, variables, KEY_HISTORY, &history);
    }
    if (status == GRAFT_OK) {
        status = put_json(context, variables, KEY_EVENTS, &events);
    }
    graft_json_close(&history);
    graft_json_close(&events);
    return status == GRAFT_OK ? graft_run_save_weights(run, STATE, variables) : status;
}

/* A text of the set as JSON. */
static enum graft_status take_json(struct graft_context *context, const struct graft_tensor_set *set,
                                   const char *key, const char *path, json_t **json)
{
    const char *const text = graft_tensor_set_text(set, key);
    json_error_t error;
    *json = NULL;
    return text != NULL ? graft_json_read(context, text, strlen(text), 0, path, json, &error) : GRAFT_OK;
}

enum graft_status graft_run_load(struct graft_run *run, struct graft_run_position *position,
                                 struct graft_tensor_set **variables)
{
    struct graft_context *const context = run->context;
    struct graft_text path = {0};
    json_t *at = NULL, *history = NULL, *events = NULL;
    *variables = NULL;
    enum graft_status status = graft_run_path(run, STATE, &path);
    if (status == GRAFT_OK) {
        status = graft_safetensors_load(context, path.data, variables);
    }
    if (status == GRAFT_OK) {
        status = take_json(context, *variables, KEY_POSITION, path.data, &at);
        if (status != GRAFT_ERROR_MEMORY) {
            status = take_json(context, *variables, KEY_HISTORY, path.data, &history);
        }
        if (status != GRAFT_ERROR_MEMORY) {
            status = take_json(context, *variables, KEY_EVENTS, path.data, &events);
        }
        if (status != GRAFT_ERROR_MEMORY) {
            status = json_is_object(at) && json_is_array(history) && read_position(at, position)
                         ? read_history(run, history)
                         : graft_fail(context, GRAFT_ERROR_FORMAT, "%s holds no position of a run",
                                      path.data);
        }
    }
    if (status == GRAFT_OK) {
        graft_run_events_read(run, events);
    }
    json_decref(at);
    json_decref(history);
    json_decref(events);
    graft_text_close(context, &path);
    if (status != GRAFT_OK) {
        graft_tensor_set_close(variables);
    }
    return status;
}
