/* SPDX-License-Identifier: MIT */
/* config.json of a run: every option as it was resolved, so that a run says what it is and can be resumed. */
#include "base/context.h"
#include "base/file.h"
#include "data/preprocess_json.h"
#include "train/fit.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
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
    if (!job->out || !*job->out)
        return graft_fail(job->context, GRAFT_ERROR_ARGUMENT, "fit needs a folder for the run");
    if (!join(config, sizeof config, job->out, "config.json"))
        return graft_fail(job->context, GRAFT_ERROR_ARGUMENT, "the path \"%s\" is too long", job->out);
    if (stat(config, &facts) == 0)
        return graft_fail(job->context, GRAFT_ERROR_ARGUMENT,
                          "%s holds a run already: resume it, or name another folder", job->out);
    if (errno != ENOENT && errno != ENOTDIR)
        return graft_fail(job->context, GRAFT_ERROR_IO, "cannot look at '%s': %s", config, strerror(errno));
    job->folder_found = stat(job->out, &facts) == 0;
    const enum graft_status status = graft_folder_create(job->context, job->out);
    job->folder_made = status == GRAFT_OK;
    return status;
}

void graft_fit_folder_abandon(struct graft_fit_job *job)
{
    char path[PATH_MAX];
    struct stat facts;
    if (!job->folder_made || !join(path, sizeof path, job->out, "model.safetensors") ||
        stat(path, &facts) == 0)
        return;
    if (join(path, sizeof path, job->out, "config.json"))
        (void)unlink(path);
    if (!job->folder_found)
        (void)rmdir(job->out); /* stays if there is something else in it */
}

enum graft_status graft_fit_config_write(struct graft_fit_job *job)
{
    char path[PATH_MAX];
    if (!join(path, sizeof path, job->out, "config.json"))
        return graft_fail(job->context, GRAFT_ERROR_ARGUMENT, "the path \"%s\" is too long", job->out);
    struct graft_json config = graft_json_object(), classes = graft_json_array();
    struct graft_json preprocess = graft_preprocess_json(&job->card.preprocess);
    for (int32_t i = 0; i < job->card.class_count; i++)
        graft_json_append(&classes, json_string(job->card.class_names[i]));
    graft_json_set(&config, "graft", json_string(GRAFT_VERSION));
    graft_json_set(&config, "network", json_string(job->card.network));
    graft_json_nest(&config, "classes", &classes);
    graft_json_nest(&config, "preprocess", &preprocess);
    graft_json_set(&config, "images",
                   json_pack("{s:I,s:I,s:I}", "train",
                             (json_int_t)graft_dataset_count(job->dataset, GRAFT_SPLIT_TRAIN), "val",
                             (json_int_t)graft_dataset_count(job->dataset, GRAFT_SPLIT_VAL), "test",
                             (json_int_t)graft_dataset_count(job->dataset, GRAFT_SPLIT_TEST)));
    graft_recipe_write(&job->options, &config);
    char *text = NULL;
    size_t size = 0;
    enum graft_status status = graft_json_write(job->context, &config, JSON_INDENT(2), path, &text, &size);
    if (status == GRAFT_OK)
        status = graft_file_write(job->context, path, text, size);
    graft_release(job->context, text);
    return status;
}

/* Network, preprocessing and class names: what must be as it was. */
static enum graft_status read_card(struct graft_fit_job *job, const json_t *config, const char *path)
{
    const char *const network = json_string_value(json_object_get(config, "network"));
    if (!network || strlen(network) >= sizeof job->card.network)
        return graft_fail(job->context, GRAFT_ERROR_FORMAT, "%s is damaged: it names no network", path);
    strcpy(job->card.network, network);
    enum graft_status status =
        graft_card_read_classes(job->context, path, json_object_get(config, "classes"), &job->card);
    if (status == GRAFT_OK)
        status = graft_preprocess_from_json(job->context, json_object_get(config, "preprocess"), path,
                                            &job->card.preprocess);
    return status;
}

enum graft_status graft_fit_config_read(struct graft_fit_job *job)
{
    char path[PATH_MAX];
    char *data = NULL;
    size_t size = 0;
    json_error_t error;
    if (!join(path, sizeof path, job->out, "config.json"))
        return graft_fail(job->context, GRAFT_ERROR_ARGUMENT, "the path \"%s\" is too long", job->out);
    enum graft_status status = graft_file_read(job->context, path, CONFIG_LIMIT, &data, &size);
    if (status != GRAFT_OK)
        return status;
    json_t *config = NULL;
    status = graft_json_read(job->context, data, size, JSON_REJECT_DUPLICATES, path, &config, &error);
    graft_release(job->context, data);
    job->config = config;
    if (status == GRAFT_ERROR_MEMORY)
        return status;
    if (!config)
        return graft_fail(job->context, GRAFT_ERROR_FORMAT, "%s is damaged (%s): the run cannot be resumed",
                          path, error.text);
    status = read_card(job, config, path);
    return status == GRAFT_OK ? graft_recipe_read(job->context, config, path, &job->options) : status;
}

void graft_fit_config_close(struct graft_fit_job *job)
{
    json_decref(job->config);
    job->config = NULL;
}
