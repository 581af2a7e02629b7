/* SPDX-License-Identifier: MIT */
#include "network.h"

#include "base/context.h"
#include "base/file.h"
#include "base/text.h"
#include "io/network_source.h"
#include "io/pulled.h"
#include "model/published.h"
#include "run/recipe.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_LIMIT (16u << 20)
#define USUAL_BATCH 16

bool graft_network_is_tf32(const char *given)
{
    return given != NULL && strcmp(given, "tf32") == 0;
}

int graft_network_check_precision(struct graft_command *command, const char *given)
{
    static const char *const names[] = {"f32", "tf32"};
    return given == NULL || graft_command_choice(command, "--precision", given, names, 2) >= 0 ? GRAFT_EXIT_GO_ON
                                                                                               : GRAFT_EXIT_USAGE;
}

/* Is the first operand a run folder, or a network with --weights? */
static int check_network(struct graft_command *command, const struct graft_network_options *options)
{
    const char *const name = command->operands[0];
    const struct graft_model_info *info = NULL;
    const int precise = graft_network_check_precision(command, options->precision);
    if (precise != GRAFT_EXIT_GO_ON) {
        return precise;
    }
    if (graft_classifier_is_run(name, options->weights)) {
        return GRAFT_EXIT_GO_ON;
    }
    if (graft_network_is_file(name) || graft_classifier_is_weights(name, options->weights)) {
        return GRAFT_EXIT_GO_ON;
    }
    if (strchr(name, '/') != NULL) {
        return graft_command_error(command, "there is no run folder \"%s\"", name);
    }
    const enum graft_status status = graft_model_find(command->context, name, &info);
    if (status != GRAFT_OK) {
        return graft_command_failed_name(command, status);
    }
    if (options->weights != NULL) {
        return GRAFT_EXIT_GO_ON;
    }
    struct graft_text pulled = {0};
    const enum graft_status searched = graft_pulled_find(command->context, info->name, &pulled);
    const bool found = pulled.data != NULL;
    const bool published = graft_published_first(info->name) != NULL;
    graft_text_close(command->context, &pulled);
    if (searched != GRAFT_OK) {
        return graft_command_failed(command, searched);
    }
    if (!found && strcmp(info->name, GRAFT_SHIPPED_NETWORK) == 0) {
        return graft_command_error(command, GRAFT_SHIPPED_ABSENT "; or name a file with --weights");
    }
    return found ? GRAFT_EXIT_GO_ON
                 : graft_command_usage(command,
                                       "%s needs weights: name a .pth or safetensors file with --weights%s%s",
                                       info->name, published ? ", or fetch them: graft pull " : "",
                                       published ? info->name : "");
}

struct graft_classifier_options graft_network_classifier(const struct graft_command *command,
                                                         const struct graft_network_options *options)
{
    return (struct graft_classifier_options){.network = command->operands[0],
                                             .weights = options->weights,
                                             .batch = options->batch,
                                             .output = options->output,
                                             .pool = options->pool,
                                             .input = (int32_t)options->input[0],
                                             .input_width = (int32_t)options->input[1],
                                             .resize = (int32_t)options->resize,
                                             .orientation = options->orientation,
                                             .views = options->views,
                                             .plan = {.variants = options->variants,
                                                      .tf32 = graft_network_is_tf32(options->precision)}};
}

int graft_network_views(struct graft_command *command, struct graft_network_options *options)
{
    const char *names[GRAFT_VIEWS_COUNT - 1];
    if (options->tta == NULL) {
        return GRAFT_EXIT_GO_ON;
    }
    for (int i = 1; i < GRAFT_VIEWS_COUNT; i++) {
        names[i - 1] = graft_views_name((enum graft_views)i);
    }
    const int found = graft_command_choice(command, "--tta", options->tta, names, GRAFT_VIEWS_COUNT - 1);
    options->views = found < 0 ? GRAFT_VIEWS_ONE : (enum graft_views)(found + 1);
    return found < 0 ? GRAFT_EXIT_USAGE : GRAFT_EXIT_GO_ON;
}

int graft_network_open(struct graft_command *command, struct graft_device *device,
                       const struct graft_network_options *options, struct graft_classifier **classifier)
{
    const int64_t views = graft_views_count(options->views);
    const int64_t usual = (USUAL_BATCH + views - 1) / views * views; /* whole pictures */
    const int64_t asked = options->batch > 0 ? options->batch : usual;
    const int64_t most = options->most_rows > 0 ? options->most_rows * views : asked;
    graft_context_limit_memory(command->context, options->memory);
    struct graft_classifier_options settings = graft_network_classifier(command, options);
    settings.batch = asked < most ? asked : most;
    const enum graft_status status = graft_classifier_open(device, &settings, classifier);
    const int code = status == GRAFT_OK ? GRAFT_EXIT_GO_ON : graft_command_failed(command, status);
    return status == GRAFT_ERROR_ARGUMENT ? GRAFT_EXIT_USAGE : code;
}

void graft_network_of_run(const char *run, const char *key, char *text, size_t size)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/config.json", run);
    json_t *const config = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    const char *const value = json_string_value(json_object_get(config, key));
    (void)snprintf(text, size, "%s", value != NULL ? value : "");
    json_decref(config);
}

int graft_network_device(struct graft_command *command, const struct graft_network_options *options,
                         struct graft_device **device)
{
    const char *const operand = command->operands[0];
    char name[GRAFT_MODEL_NAME_SIZE];
    const int code = check_network(command, options);
    if (code != GRAFT_EXIT_GO_ON) {
        return code;
    }
    if (!graft_classifier_is_run(operand, options->weights)) {
        const bool named = !graft_classifier_is_weights(operand, options->weights);
        return graft_command_open_device(command, named ? operand : NULL, false, device);
    }
    graft_network_of_run(operand, "network", name, sizeof name);
    return graft_command_open_device(command, name, false, device);
}

/* Splits "index<tab>id<tab>name" in place; false if the line is not of that form. */
static bool split_line(char *line, long *index, char **id, char **name)
{
    char *end = NULL;
    char *const first = strchr(line, '\t');
    char *const second = first != NULL ? strchr(first + 1, '\t') : NULL;
    if (second == NULL) {
        return false;
    }
    *index = strtol(line, &end, 10);
    if (end != first || end == line) {
        return false;
    }
    *second = '\0';
    *id = first + 1;
    *name = second + 1;
    return true;
}

/* One line; NULL if it is fine, else what is wrong with it. */
static const char *read_line(struct graft_class_file *names, int32_t count, int32_t number, char *line)
{
    long index = number;
    char *id = NULL;
    char *name = line;
    const bool table = split_line(line, &index, &id, &name);
    if (number > 0 && table != (names->ids != NULL)) {
        return "some lines have an index and an id, some have not";
    }
    if (table && names->ids == NULL) {
        names->ids = calloc((size_t)count, sizeof *names->ids);
    }
    if (index < 0 || index >= count || names->names[index] != NULL) {
        return "the index is too large or comes twice";
    }
    names->names[index] = strdup(name);
    if (table && names->ids != NULL) {
        names->ids[index] = strdup(id);
    }
    return names->names[index] != NULL && (!table || (names->ids != NULL && names->ids[index] != NULL))
               ? NULL
               : "not enough memory";
}

int graft_class_file_read(struct graft_command *command, const char *path, int32_t count,
                          struct graft_class_file *names)
{
    char *text = NULL;
    size_t size = 0;
    int32_t lines = 0;
    const char *fault = NULL;
    *names = (struct graft_class_file){.count = count};
    const enum graft_status status = graft_file_read(command->context, path, NAMES_LIMIT, &text, &size);
    if (status != GRAFT_OK) {
        return graft_command_failed(command, status);
    }
    names->names = calloc((size_t)count, sizeof *names->names);
    fault = names->names == NULL ? "not enough memory" : strlen(text) != size ? "it is no text" : NULL;
    for (char *line = text, *next; fault == NULL && line != NULL && *line != '\0'; line = next) {
        next = strchr(line, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        line[strcspn(line, "\r")] = '\0';
        fault = lines < count ? read_line(names, count, lines, line) : NULL;
        lines++;
    }
    graft_release(command->context, text);
    int code = GRAFT_EXIT_GO_ON;
    if (fault != NULL) {
        code = graft_command_error(command, "%s, line %d: %s", path, (int)lines, fault);
    } else if (lines != count) {
        code = graft_command_error(command, "%s names %d classes, the network has %d", path, (int)lines,
                                   (int)count);
    }
    if (code != GRAFT_EXIT_GO_ON) {
        graft_class_file_close(names);
    }
    return code;
}

void graft_class_file_close(struct graft_class_file *names)
{
    for (int32_t i = 0; i < names->count; i++) {
        if (names->names != NULL) {
            free(names->names[i]);
        }
        if (names->ids != NULL) {
            free(names->ids[i]);
        }
    }
    free(names->names);
    free(names->ids);
    *names = (struct graft_class_file){0};
}

int graft_network_names(struct graft_command *command, const struct graft_network_options *options,
                        const struct graft_classifier *classifier, struct graft_class_file *file,
                        const char *const **names)
{
    *names = graft_classifier_class_names(classifier);
    if (options->names == NULL) {
        return GRAFT_EXIT_GO_ON;
    }
    const int code =
        graft_class_file_read(command, options->names, graft_classifier_class_count(classifier), file);
    *names = (const char *const *)file->names;
    return code;
}

static bool has_class(const char *const *names, int32_t count, const char *name, int32_t *index)
{
    for (*index = 0; *index < count; ++*index) {
        if (strcmp(names[*index], name) == 0) {
            return true;
        }
    }
    return false;
}

/* By name, or by number. */
static int find_class(struct graft_command *command, const char *const *names, int32_t count, const char *name,
                      int32_t *index)
{
    char *end = NULL;
    if (has_class(names, count, name, index)) {
        return GRAFT_EXIT_GO_ON;
    }
    const long number = strtol(name, &end, 10);
    if (*name != '\0' && *end == '\0' && number >= 0 && number < count) {
        *index = (int32_t)number;
        return GRAFT_EXIT_GO_ON;
    }
    const char *const nearest = graft_text_nearest(name, names, (size_t)count);
    return nearest != NULL
               ? graft_command_usage(command, "the network has no class \"%s\"; did you mean \"%s\"?", name, nearest)
               : graft_command_usage(command,
                                     "the network has no class \"%s\"; it has %d, the first is \"%s\"", name,
                                     (int)count, names[0]);
}

int graft_class_find_list(struct graft_command *command, const char *const *names, int32_t count, const char *list,
                          int32_t *indexes, int most, int *found)
{
    const char *const all = list;
    int code = GRAFT_EXIT_GO_ON;
    *found = 1;
    indexes[0] = -1;
    if (list == NULL || has_class(names, count, list, &indexes[0])) {
        return GRAFT_EXIT_GO_ON;
    }
    for (*found = 0; list != NULL && code == GRAFT_EXIT_GO_ON; ++*found) {
        char name[512];
        const char *const comma = strchr(list, ',');
        const size_t length = comma != NULL ? (size_t)(comma - list) : strlen(list);
        if (*found == most) {
            return graft_command_usage(command, "%d class%s can be named, not as many as in \"%s\"", most,
                                       most > 1 ? "es" : "", all);
        }
        (void)snprintf(name, sizeof name, "%.*s", (int)length, list);
        code = find_class(command, names, count, name, &indexes[*found]);
        list = comma != NULL ? comma + 1 : NULL;
    }
    return code;
}

int graft_stage_after(struct graft_command *command, const struct graft_network *network, const char *frozen,
                      char stage[GRAFT_MODEL_NAME_SIZE])
{
    struct graft_model *model = NULL;
    enum graft_status status = graft_model_open_network(command->context, network, NULL, &model);
    if (status != GRAFT_OK) {
        return graft_command_failed_name(command, status);
    }
    status = graft_recipe_unfrozen(command->context, model, frozen, stage, GRAFT_MODEL_NAME_SIZE);
    graft_model_close(&model);
    return status == GRAFT_OK ? GRAFT_EXIT_GO_ON
                              : graft_command_usage(command, "%s", graft_context_error(command->context));
}
