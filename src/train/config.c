/* SPDX-License-Identifier: MIT */
/* config.json of a run: every option as it was resolved, so that a run says what it is and can be resumed. */
#include "base/context.h"
#include "base/file.h"
#include "data/preprocess_json.h"
#include "train/fit.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_LIMIT (64u << 20)

/* "folder/name"; false if it is too long. */
static bool join(char *path, size_t size, const char *folder, const char *name)
{
    const int length = snprintf(path, size, "%s/%s", folder, name);
    return length > 0 && (size_t)length < size;
}

enum graft_status graft_fit_folder_create(struct graft_fit_job *job)
{
    char config[PATH_MAX];
    struct stat facts;
    if (!job->options.out || !*job->options.out)
        return graft_fail(job->context, GRAFT_ERROR_ARGUMENT, "fit needs a folder for the run");
    if (!join(config, sizeof config, job->options.out, "config.json"))
        return graft_fail(job->context, GRAFT_ERROR_ARGUMENT, "the path \"%s\" is too long",
                          job->options.out);
    if (stat(config, &facts) == 0)
        return graft_fail(job->context, GRAFT_ERROR_ARGUMENT,
                          "%s holds a run already: resume it, or name another folder", job->options.out);
    if (errno != ENOENT && errno != ENOTDIR)
        return graft_fail(job->context, GRAFT_ERROR_IO, "cannot look at '%s': %s", config, strerror(errno));
    job->folder_found = stat(job->options.out, &facts) == 0;
    const enum graft_status status = graft_folder_create(job->context, job->options.out);
    job->folder_made = status == GRAFT_OK;
    return status;
}

void graft_fit_folder_abandon(struct graft_fit_job *job)
{
    char path[PATH_MAX];
    struct stat facts;
    if (!job->folder_made || !join(path, sizeof path, job->options.out, "model.safetensors") ||
        stat(path, &facts) == 0)
        return;
    if (join(path, sizeof path, job->options.out, "config.json"))
        (void)unlink(path);
    if (!job->folder_found)
        (void)rmdir(job->options.out); /* stays if there is something else in it */
}

static struct graft_json stages_json(const struct graft_fit_options *o)
{
    struct graft_json list = graft_json_array();
    for (int s = 0; s < o->stage_count; s++)
        graft_json_append(
            &list, json_pack("{s:s,s:i,s:f,s:o}", "from", o->stages[s].from, "epochs", o->stages[s].epochs,
                             "learning_rate", o->stages[s].learning_rate, "micro_batch",
                             o->stages[s].micro_batch > 0 ? json_integer((json_int_t)o->stages[s].micro_batch)
                                                          : json_null()));
    return list;
}

/* NULL becomes null. The path is made absolute, so that the run can be resumed from elsewhere; what is no
 * path stays as it was given. */
static void set_path(struct graft_json *config, const char *key, const char *path)
{
    errno = 0;
    char *const absolute = path ? realpath(path, NULL) : NULL;
    const bool lost = path && !absolute && errno == ENOMEM;
    graft_json_set(config, key, !path ? json_null() : lost ? NULL : json_string(absolute ? absolute : path));
    free(absolute);
}

static void set_options(struct graft_json *config, const struct graft_fit_options *o)
{
    set_path(config, "data", o->data);
    set_path(config, "val_path", o->dataset.val_path);
    graft_json_set(config, "val_fraction", json_real(o->dataset.val_fraction));
    graft_json_set(config, "data_seed", json_integer((json_int_t)o->dataset.seed));
    set_path(config, "weights", o->weights);
    struct graft_json stages = stages_json(o);
    graft_json_nest(config, "stages", &stages);
    graft_json_set(config, "trunk_factor", json_real(o->trunk_factor));
    graft_json_set(config, "stage_factors", o->stage_factors ? json_string(o->stage_factors) : json_null());
    graft_json_set(config, "batch", json_integer(o->batch));
    graft_json_set(config, "input", json_integer(o->input));
    graft_json_set(config, "optimizer", json_string(o->optimizer));
    graft_json_set(config, "momentum", json_real(o->momentum));
    graft_json_set(config, "nesterov", json_boolean(o->nesterov));
    graft_json_set(config, "clip_norm", json_real(o->clip_norm));
    graft_json_set(config, "weight_decay", json_real(o->weight_decay));
    graft_json_set(config, "label_smoothing", json_real(o->label_smoothing));
    graft_json_set(config, "class_weights", o->class_weights ? json_string(o->class_weights) : json_null());
    graft_json_set(config, "schedule", json_string(graft_schedule_name(o->schedule)));
    graft_json_set(config, "warmup", json_integer(o->warmup));
    graft_json_set(config, "dropout", json_real((double)o->dropout));
    graft_json_set(config, "batch_norm", json_string(o->bn == GRAFT_BATCH_NORM_TRAIN ? "train" : "frozen"));
    graft_json_set(config, "augment", json_boolean(o->augment));
    graft_json_set(config, "skip_damaged", json_boolean(o->skip_damaged));
    graft_json_set(config, "seed", json_integer((json_int_t)o->seed));
    graft_json_set(config, "features_limit", json_integer((json_int_t)o->features_limit));
    graft_json_set(config, "memory_limit",
                   o->memory_limit ? json_integer((json_int_t)o->memory_limit) : json_null());
}

enum graft_status graft_fit_config_write(struct graft_fit_job *job)
{
    char path[PATH_MAX];
    if (!join(path, sizeof path, job->options.out, "config.json"))
        return graft_fail(job->context, GRAFT_ERROR_ARGUMENT, "the path \"%s\" is too long",
                          job->options.out);
    struct graft_json config = graft_json_object(), classes = graft_json_array();
    for (int32_t i = 0; i < job->card.class_count; i++)
        graft_json_append(&classes, json_string(job->card.class_names[i]));
    graft_json_set(&config, "graft", json_string(GRAFT_VERSION));
    graft_json_set(&config, "network", json_string(job->card.network));
    graft_json_nest(&config, "classes", &classes);
    struct graft_json preprocess = graft_preprocess_json(&job->card.preprocess);
    graft_json_nest(&config, "preprocess", &preprocess);
    graft_json_set(&config, "images",
                   json_pack("{s:I,s:I,s:I}", "train",
                             (json_int_t)graft_dataset_count(job->dataset, GRAFT_SPLIT_TRAIN), "val",
                             (json_int_t)graft_dataset_count(job->dataset, GRAFT_SPLIT_VAL), "test",
                             (json_int_t)graft_dataset_count(job->dataset, GRAFT_SPLIT_TEST)));
    set_options(&config, &job->options);
    char *text = NULL;
    size_t size = 0;
    enum graft_status status = graft_json_write(job->context, &config, JSON_INDENT(2), path, &text, &size);
    if (status == GRAFT_OK)
        status = graft_file_write(job->context, path, text, size);
    graft_release(job->context, text);
    return status;
}

static double number(const json_t *config, const char *key)
{
    return json_number_value(json_object_get(config, key));
}

static const char *text(const json_t *config, const char *key)
{
    return json_string_value(json_object_get(config, key));
}

static bool read_stages(const json_t *config, struct graft_fit_options *o)
{
    const json_t *const list = json_object_get(config, "stages");
    const size_t count = json_array_size(list);
    if (count < 1 || count > GRAFT_FIT_MAX_STAGES)
        return false;
    o->stage_count = (int)count;
    for (size_t s = 0; s < count; s++) {
        const json_t *const item = json_array_get(list, s);
        const char *const from = text(item, "from");
        if (!from || strlen(from) >= sizeof o->stages[s].from)
            return false;
        strcpy(o->stages[s].from, from);
        o->stages[s].epochs = (int)json_integer_value(json_object_get(item, "epochs"));
        o->stages[s].learning_rate = number(item, "learning_rate");
        o->stages[s].micro_batch = (int64_t)number(item, "micro_batch");
    }
    return true;
}

enum graft_status graft_fit_config_read(struct graft_fit_job *job, const char *folder)
{
    char path[PATH_MAX];
    char *data = NULL;
    size_t size = 0;
    json_error_t error;
    if (!join(path, sizeof path, folder, "config.json"))
        return graft_fail(job->context, GRAFT_ERROR_ARGUMENT, "the path \"%s\" is too long", folder);
    enum graft_status status = graft_file_read(job->context, path, CONFIG_LIMIT, &data, &size);
    if (status != GRAFT_OK)
        return status;
    json_t *config = NULL;
    status = graft_json_read(job->context, data, size, 0, path, &config, &error);
    graft_release(job->context, data);
    job->config = config;
    if (status == GRAFT_ERROR_MEMORY)
        return status;
    struct graft_fit_options *const o = &job->options;
    o->out = folder;
    o->data = text(config, "data");
    o->model = text(config, "network");
    if (!config || !o->data || !o->model || !read_stages(config, o) || !text(config, "schedule") ||
        !text(config, "optimizer"))
        return graft_fail(job->context, GRAFT_ERROR_FORMAT, "%s is damaged (%s): the run cannot be resumed",
                          path, config ? "an entry is missing" : error.text);
    o->dataset.val_path = text(config, "val_path");
    o->dataset.val_fraction = number(config, "val_fraction");
    o->dataset.seed = (uint64_t)json_integer_value(json_object_get(config, "data_seed"));
    o->weights = text(config, "weights");
    o->trunk_factor = number(config, "trunk_factor");
    o->stage_factors = text(config, "stage_factors");
    o->batch = (int64_t)number(config, "batch");
    o->input = (int64_t)number(config, "input");
    o->optimizer = text(config, "optimizer");
    o->momentum = number(config, "momentum");
    o->nesterov = json_is_true(json_object_get(config, "nesterov"));
    o->clip_norm = number(config, "clip_norm");
    o->weight_decay = number(config, "weight_decay");
    o->label_smoothing = number(config, "label_smoothing");
    o->class_weights = text(config, "class_weights");
    o->warmup = (int)number(config, "warmup");
    o->dropout = (float)number(config, "dropout");
    o->bn = text(config, "batch_norm") && strcmp(text(config, "batch_norm"), "train") == 0
                ? GRAFT_BATCH_NORM_TRAIN
                : GRAFT_BATCH_NORM_FROZEN;
    o->augment = json_is_true(json_object_get(config, "augment"));
    o->skip_damaged = json_is_true(json_object_get(config, "skip_damaged"));
    o->seed = (uint64_t)json_integer_value(json_object_get(config, "seed"));
    o->features_limit = (uint64_t)json_integer_value(json_object_get(config, "features_limit"));
    if (o->memory_limit == 0)
        o->memory_limit = (uint64_t)json_integer_value(json_object_get(config, "memory_limit"));
    return graft_schedule_find(job->context, text(config, "schedule"), &o->schedule);
}

void graft_fit_config_close(struct graft_fit_job *job)
{
    json_decref(job->config);
    job->config = NULL;
}
