/* SPDX-License-Identifier: MIT */
#include "model/parts.h"

#include "base/context.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAST "last:"
#define NEAREST 3

static bool has_parameters(const struct graft_model_layer *layer)
{
    return layer->parameters > 0 && layer->value >= 0; /* that of an auxiliary head is not computed */
}

/* Is it the layer, or one of the module? */
static bool belongs(const struct graft_model_layer *layer, const char *name, size_t length)
{
    return strncmp(layer->name, name, length) == 0 && strchr("._", layer->name[length]) != NULL;
}

/* "last:N"; 0: something else. */
static int last_count(const char *name)
{
    char *end = NULL;
    if (strncmp(name, LAST, strlen(LAST)) != 0)
        return 0;
    const long count = strtol(name + strlen(LAST), &end, 10);
    return *end == '\0' && count > 0 && count <= 1000000 ? (int)count : 0;
}

static int find_last(const struct graft_model *model, int count)
{
    int layer = model->layer_count;
    for (int at = model->layer_count - 1; at >= 0 && count > 0; at--)
        if (has_parameters(&model->layers[at])) {
            layer = at;
            count--;
        }
    return count > 0 ? 0 : layer;
}

/* Where nothing but dense layers have parameters from there on; without any, the head. */
static int find_classifier(const struct graft_model *model)
{
    const int head = model->stages[model->stage_count - 1].first_layer;
    int layer = head;
    for (int at = model->layer_count - 1; at >= 0; at--) {
        if (!has_parameters(&model->layers[at]))
            continue;
        if (strncmp(model->layers[at].op, "dense", strlen("dense")) != 0)
            break;
        layer = at;
    }
    return layer < head ? layer : head;
}

/* -1: there is no such part. */
static int find(const struct graft_model *model, const char *name)
{
    const size_t length = strlen(name);
    const int stage = graft_model_stage_find(model, name);
    if (stage >= 0)
        return model->stages[stage].first_layer;
    if (strcmp(name, "all") == 0)
        return 0;
    if (strcmp(name, "classifier") == 0)
        return find_classifier(model);
    if (last_count(name) > 0)
        return find_last(model, last_count(name));
    for (int i = 0; i < model->layer_count && length > 0; i++)
        if (belongs(&model->layers[i], name, length))
            return i;
    return -1;
}

/* The names that are nearest to a wrong one, and all stages. */
static enum graft_status refuse(struct graft_context *context, const struct graft_model *model,
                                const char *name)
{
    static const char *const usual[] = {"all", "head", "classifier"};
    const size_t fixed = sizeof usual / sizeof usual[0];
    const size_t count = fixed + (size_t)model->stage_count + (size_t)model->layer_count;
    const char **const names = graft_allocate(context, count, sizeof *names);
    char near[3 * (GRAFT_MODEL_NAME_SIZE + 8)] = "", stages[1024] = "";
    if (!names)
        return GRAFT_ERROR_MEMORY;
    size_t filled = 0;
    for (size_t i = 0; i < fixed; i++)
        names[filled++] = usual[i];
    for (int s = 0; s < model->stage_count; s++) {
        const size_t used = strlen(stages);
        names[filled++] = model->stages[s].name;
        (void)snprintf(stages + used, sizeof stages - used, ", %s", model->stages[s].name);
    }
    for (int i = 0; i < model->layer_count; i++)
        if (has_parameters(&model->layers[i]))
            names[filled++] = model->layers[i].name;
    for (int n = 0; n < NEAREST; n++) {
        const char *const nearest = graft_text_nearest(name, names, filled);
        const size_t used = strlen(near);
        if (!nearest)
            break;
        (void)snprintf(near + used, sizeof near - used, "%s%s", n > 0 ? ", " : "; the nearest are ", nearest);
        for (size_t i = 0; i < filled; i++)
            if (names[i] && strcmp(names[i], nearest) == 0)
                names[i] = NULL;
    }
    graft_release(context, names);
    return graft_fail(
        context, GRAFT_ERROR_NOT_FOUND,
        "%s has no stage or layer \"%s\"%s; its stages are all%s; also classifier, last:N (layers), "
        "or layers as graft summary names them",
        model->info->name, name, near, stages);
}

enum graft_status graft_model_part_find(struct graft_context *context, const struct graft_model *model,
                                        const char *name, int *layer)
{
    *layer = find(model, name);
    return *layer >= 0 ? GRAFT_OK : refuse(context, model, name);
}

enum graft_status graft_model_part_mark(struct graft_context *context, const struct graft_model *model,
                                        const char *name, bool *layers)
{
    const size_t length = strlen(name);
    const int stage = graft_model_stage_find(model, name);
    const bool open =
        stage < 0 && (strcmp(name, "all") == 0 || strcmp(name, "classifier") == 0 || last_count(name) > 0);
    int first;
    const enum graft_status status = graft_model_part_find(context, model, name, &first);
    for (int i = 0; i < model->layer_count && status == GRAFT_OK; i++)
        layers[i] = layers[i] || (stage >= 0 ? model->layers[i].stage == stage
                                  : open     ? i >= first
                                             : belongs(&model->layers[i], name, length));
    return status;
}

const char *graft_model_part_start(const struct graft_model *model, int layer)
{
    const struct graft_model_stage *const stage = &model->stages[model->layers[layer].stage];
    return layer == stage->first_layer ? stage->name : model->layers[layer].name;
}
