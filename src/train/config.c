/* SPDX-License-Identifier: MIT */
/* config.json of a run: every option as it was resolved, so that a run says what it is and can be resumed. */
#include "base/context.h"
#include "data/preprocess_json.h"
#include "graft/device.h"
#include "train/rates.h"
#include "train/share.h"

#include <stdio.h>
#include <string.h>

enum graft_status graft_fit_config_write(struct graft_fit_job *job)
{
    if (!graft_fit_writes(job))
        return GRAFT_OK;
    struct graft_json config = graft_json_object(), classes = graft_json_array();
    struct graft_json images = graft_json_object(), prints = graft_json_object();
    struct graft_json preprocess = graft_preprocess_json(&job->card.preprocess);
    for (int32_t i = 0; i < job->card.class_count; i++)
        graft_json_append(&classes, json_string(job->card.class_names[i]));
    graft_json_set(&config, "graft", json_string(GRAFT_VERSION));
    graft_json_set(&config, "network", json_string(job->card.network));
    if (job->card.graph[0])
        graft_json_set(&config, "graph", json_string(job->card.graph));
    if (job->card.head[0])
        graft_json_set(&config, "network_head", json_string(job->card.head));
    graft_json_nest(&config, "classes", &classes);
    struct graft_json target = graft_card_target_json(&job->card, false); /* those are the weights' */
    graft_json_nest(&config, "target", &target);
    graft_json_nest(&config, "preprocess", &preprocess);
    for (int split = 0; split < GRAFT_SPLIT_COUNT; split++) {
        const int64_t count = graft_dataset_count(job->dataset, (enum graft_split)split);
        graft_json_set(&images, graft_split_name((enum graft_split)split), json_integer((json_int_t)count));
        graft_json_set(&prints, graft_split_name((enum graft_split)split),
                       json_string(job->fingerprints[split]));
    }
    graft_json_nest(&config, "images", &images);
    graft_json_nest(&config, "fingerprints", &prints);
    graft_json_set(&config, "device_name", json_string(graft_device_get_info(job->device)->name));
    graft_recipe_write(&job->options, &config);
    struct graft_json rates = graft_json_array();
    enum graft_status status = graft_fit_rates_json(job, &rates);
    graft_json_nest(&config, "rates", &rates);
    char *text = NULL;
    size_t size = 0;
    if (status != GRAFT_OK) {
        graft_json_close(&config);
        return status;
    }
    status = graft_json_write(job->context, &config, JSON_INDENT(2), "the run's recipe", &text, &size);
    if (status == GRAFT_OK)
        status = graft_run_write_recipe(job->run, text, size);
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
    const char *const graph = json_string_value(json_object_get(config, "graph"));
    enum graft_status status =
        graph ? graft_card_read_graph(job->context, path, graph, &job->card) : GRAFT_OK;
    const char *const head = json_string_value(json_object_get(config, "network_head"));
    if (status == GRAFT_OK && head)
        status = graft_card_read_head(job->context, path, head, &job->card);
    if (status == GRAFT_OK)
        status = graft_card_read_classes(job->context, path, json_object_get(config, "classes"), &job->card);
    const json_t *const target = json_object_get(config, "target"); /* older runs have none: classes */
    if (status == GRAFT_OK && target)
        status = graft_card_read_target(job->context, path, target, &job->card);
    if (status == GRAFT_OK)
        status = graft_preprocess_from_json(job->context, json_object_get(config, "preprocess"), path,
                                            &job->card.preprocess);
    return status;
}

/* What a newer version has written, or a hand: it is named, since it has no effect. */
static void say_unknown(const struct graft_fit_job *job, const json_t *config, const char *path)
{
    static const char *const own[] = {"graft", "network", "graph", "network_head", "classes", "target", "preprocess",
                                      "images", "fingerprints", "device_name", "rates"};
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)config, name, value) {
        bool known = false;
        const struct graft_recipe_row *row;
        for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
            known = known || strcmp(name, own[i]) == 0;
        for (int r = 0; (row = graft_recipe_row(r)) != NULL; r++)
            known = known || strcmp(name, row->name) == 0;
        if (!known)
            graft_log(job->context, GRAFT_LOG_WARNING,
                      "%s: this version of Graft knows no \"%.64s\": the run goes on without it", path, name);
    }
}

enum graft_status graft_fit_config_read(struct graft_fit_job *job)
{
    struct graft_text path = {0};
    job->config = json_incref(job->run->config);
    enum graft_status status = graft_run_path(job->run, "config.json", &path);
    if (status == GRAFT_OK)
        status = read_card(job, job->config, path.data);
    if (status == GRAFT_OK)
        status = graft_recipe_read(job->context, job->config, path.data, &job->options);
    if (status == GRAFT_OK)
        say_unknown(job, job->config, path.data);
    graft_text_close(job->context, &path);
    return status;
}

void graft_fit_config_close(struct graft_fit_job *job)
{
    json_decref(job->config);
    job->config = NULL;
}
