/* SPDX-License-Identifier: MIT */
/*
 * RUN/tensorboard: an event file that grows with every save, so that TensorBoard can follow it. The state
 * keeps how many of its bytes belong to it: what was written beyond by a run that was killed is cut off by
 * the next save, and no step is there twice.
 */
#include "base/context.h"
#include "base/file.h"
#include "io/events.h"
#include "run/run.h"

#include <math.h>
#include <string.h>

#define FOLDER "tensorboard"
#define MOST_SETTINGS 128
#define MOST_COUNTED ((int64_t)1 << 53) /* of what a state says */

/* Every so many steps; 0: no events are written. */
static int64_t interval(const struct graft_run *run)
{
    return run->config != NULL ? (int64_t)graft_run_number(run, "tensorboard", 0) : 0;
}

void graft_run_note_step(struct graft_run *run, const struct graft_run_step *step)
{
    struct graft_run_events *const events = &run->events;
    const int64_t every = interval(run);
    events->steps++;
    if (every == 0) {
        return;
    }
    events->loss_sum += step->loss * (double)step->seen;
    events->correct += step->correct;
    events->seen += step->seen;
    events->seconds += step->seconds;
    if (events->steps % every != 0) {
        return;
    }
    const double seen = (double)events->seen;
    const bool trained = graft_task_info(run->history.task)->trained;
    const struct graft_event_scalar scalars[] = {
        {"step/loss", events->loss_sum / seen},
        {"step/top1", trained ? (double)events->correct / seen : (double)NAN},
        {"step/learning_rate", step->learning_rate},
        {"step/images_per_second", events->seconds > 0 ? seen / events->seconds : (double)NAN}};
    graft_events_put_scalars(run->context, &events->pending, events->steps, scalars, 4);
    events->loss_sum = events->seconds = 0;
    events->correct = events->seen = 0;
}

/* ---- what was set */

/* Of an entry of the recipe; false: it is none to compare runs by, or *failed. A list becomes JSON in `text`.
 */
static bool describe(struct graft_context *context, const char *key, json_t *value,
                     struct graft_event_setting *setting, char **text, bool *failed)
{
    *setting = (struct graft_event_setting){
        .name = key, .kind = GRAFT_EVENT_NUMBER, .number = json_number_value(value)};
    if (json_is_null(value) || strcmp(key, "classes") == 0 || strcmp(key, "rates") == 0) {
        return false;
    }
    if (json_is_boolean(value)) {
        setting->kind = GRAFT_EVENT_FLAG;
        setting->number = json_is_true(value);
    } else if (!json_is_number(value)) {
        setting->kind = GRAFT_EVENT_TEXT;
        setting->text = json_string_value(value);
        if (setting->text == NULL) {
            struct graft_json list = {.value = json_incref(value)};
            size_t size = 0;
            if (graft_json_write(context, &list, JSON_COMPACT | JSON_REAL_PRECISION(9), key, text, &size) !=
                GRAFT_OK) {
                *failed = true;
                return false;
            }
            setting->text = *text;
        }
    }
    return true;
}

/* "epoch/val_top1" … */
static const char *tag_of(const struct graft_run *run, int column, char tag[48])
{
    char name[32];
    (void)graft_format(tag, 48, "epoch/%s", graft_run_column_name(run->history.task, column, name));
    return tag;
}

static void put_settings(const struct graft_run *run, struct graft_text *records)
{
    const char *metrics[GRAFT_RUN_COLUMNS];
    char tags[GRAFT_RUN_COLUMNS][48];
    for (int c = 0; c < GRAFT_RUN_COLUMNS; c++) {
        metrics[c] = tag_of(run, c, tags[c]);
    }
    struct graft_context *const context = run->context;
    struct graft_event_setting settings[MOST_SETTINGS];
    char *texts[MOST_SETTINGS] = {NULL};
    int count = 0;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)run->config, key, value)
    {
        if (count < MOST_SETTINGS &&
            describe(context, key, value, &settings[count], &texts[count], &records->failed)) {
            count++;
        }
    }
    graft_events_put_settings(context, records, settings, count, metrics, GRAFT_RUN_COLUMNS);
    for (int i = 0; i < MOST_SETTINGS; i++) {
        graft_release(context, texts[i]);
    }
}

/* ---- the file */

static void put_epochs(struct graft_run *run, struct graft_text *records)
{
    for (; run->events.epochs < run->history.count; run->events.epochs++) {
        struct graft_run_epoch epoch = run->history.epochs[run->events.epochs];
        struct graft_event_scalar scalars[GRAFT_RUN_COLUMNS];
        char tags[GRAFT_RUN_COLUMNS][48];
        for (int c = 0; c < GRAFT_RUN_COLUMNS; c++) {
            scalars[c] =
                (struct graft_event_scalar){tag_of(run, c, tags[c]), *graft_run_number_of(&epoch, c)};
        }
        graft_events_put_scalars(run->context, records, epoch.epoch, scalars, GRAFT_RUN_COLUMNS);
    }
}

/* Adds records behind the bytes of the last save. */
static enum graft_status extend(const struct graft_run *run, const struct graft_text *records)
{
    struct graft_text path = {0};
    enum graft_status status = records->failed ? GRAFT_ERROR_MEMORY : graft_run_path(run, FOLDER, &path);
    if (status == GRAFT_OK) {
        status = graft_folder_create(run->context, path.data);
    }
    if (status == GRAFT_OK) {
        status = graft_run_path(run, GRAFT_RUN_EVENTS, &path);
    }
    if (status == GRAFT_OK) {
        status = graft_file_extend(run->context, path.data, (uint64_t)run->events.bytes, records->data,
                                   records->length);
    }
    graft_text_close(run->context, &path);
    return status;
}

static enum graft_status write_new(struct graft_run *run)
{
    struct graft_run_events *const events = &run->events;
    struct graft_text records = {0};
    if (events->bytes == 0) {
        events->epochs = 0;
        graft_events_put_version(run->context, &records);
        put_settings(run, &records);
    }
    const int epochs = events->epochs;
    put_epochs(run, &records);
    records.failed = records.failed || events->pending.failed;
    graft_text_append_bytes(run->context, &records, events->pending.data, events->pending.length);
    const enum graft_status status = extend(run, &records);
    if (status == GRAFT_OK) {
        events->bytes += (int64_t)records.length;
        graft_text_close(run->context, &events->pending);
    } else {
        events->epochs = epochs;
    }
    graft_text_close(run->context, &records);
    return status;
}

enum graft_status graft_run_save_events(struct graft_run *run)
{
    if (interval(run) == 0) {
        return GRAFT_OK;
    }
    const enum graft_status status = write_new(run);
    if (status != GRAFT_ERROR_FORMAT) {
        return status;
    }
    graft_log(run->context, GRAFT_LOG_REMARK,
              "%s; it is begun again, with the epochs and without the steps before",
              graft_context_error(run->context));
    run->events.bytes = 0;
    return write_new(run);
}

enum graft_status graft_run_end_events(struct graft_run *run, const struct graft_evaluation *evaluation)
{
    struct graft_text records = {0};
    const int count = run->history.count;
    if (interval(run) == 0 || run->events.bytes == 0) {
        return GRAFT_OK;
    }
    enum graft_status status =
        graft_run_save_events(run); /* nothing is new, but the file may have gone meanwhile */
    if (status != GRAFT_OK) {
        return status;
    }
    char tag[48];
    (void)graft_format(tag, sizeof tag, "evaluation/%s", graft_task_info(run->history.task)->figure);
    const bool classes = evaluation->figures != NULL && evaluation->confusion != NULL;
    const struct graft_event_scalar scalars[] = {
        {tag, graft_evaluation_figure(evaluation)},
        {"evaluation/top5", classes ? evaluation->top5 : (double)NAN},
        {"evaluation/loss", evaluation->loss}};
    graft_events_put_scalars(run->context, &records, count > 0 ? run->history.epochs[count - 1].epoch : 0,
                             scalars, 3);
    graft_events_put_end(run->context, &records);
    status = extend(run, &records);
    graft_text_close(run->context, &records);
    return status;
}

/* ---- in the state */

struct graft_json graft_run_events_json(const struct graft_run *run)
{
    const struct graft_run_events *const events = &run->events;
    struct graft_json json = graft_json_object();
    graft_json_set(&json, "bytes", json_integer(events->bytes));
    graft_json_set(&json, "epochs", json_integer(events->epochs));
    graft_json_set(&json, "steps", json_integer(events->steps));
    graft_json_set(&json, "loss_sum", json_real(isfinite(events->loss_sum) ? events->loss_sum : 0));
    graft_json_set(&json, "correct", json_integer(events->correct));
    graft_json_set(&json, "seen", json_integer(events->seen));
    graft_json_set(&json, "seconds", json_real(events->seconds));
    return json;
}

/* What cannot be is taken as nothing. */
static int64_t whole(const json_t *json, const char *key, int64_t most)
{
    const json_int_t number = json_integer_value(json_object_get(json, key));
    return number >= 0 && number <= most ? number : 0;
}

void graft_run_events_read(struct graft_run *run, const void *json)
{
    struct graft_run_events *const events = &run->events;
    events->bytes = whole(json, "bytes", MOST_COUNTED);
    events->epochs = (int)whole(json, "epochs", run->history.count);
    events->steps = whole(json, "steps", MOST_COUNTED);
    events->loss_sum = json_number_value(json_object_get(json, "loss_sum"));
    events->correct = whole(json, "correct", MOST_COUNTED);
    events->seen = whole(json, "seen", MOST_COUNTED);
    events->seconds = json_number_value(json_object_get(json, "seconds"));
}
