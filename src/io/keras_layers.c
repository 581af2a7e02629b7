/* SPDX-License-Identifier: MIT */
/*
 * `.weights.h5` of Keras 3: layers/CLASS[_n]/vars/INDEX, where n counts the layers of a class, and networks
 * within networks have layers of their own. The order and, in files of Keras 2, the names are those of
 * config.json; Keras 3 also writes each layer's name beside its variables.
 */
#include "io/keras.h"

#include "base/context.h"
#include "base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { PATH_SIZE = 2048, NAME_SIZE = 512, DEPTH = 8 };

/* The variables of a layer, in Keras' order, by the class's name in snake case and how many there are. */
static const struct {
    const char *group;
    size_t count; /* 0: any */
    const char *names[4];
} classes[] = {
    {"conv2d", 0, {"kernel", "bias"}},
    {"depthwise_conv2d", 0, {"kernel", "bias"}},
    {"separable_conv2d", 0, {"depthwise_kernel", "pointwise_kernel", "bias"}},
    {"dense", 0, {"kernel", "bias"}},
    {"batch_normalization", 4, {"gamma", "beta", "moving_mean", "moving_variance"}},
    {"batch_normalization", 3, {"beta", "moving_mean", "moving_variance"}},
    {"batch_normalization", 2, {"moving_mean", "moving_variance"}},
    {"layer_normalization", 0, {"gamma", "beta"}},
    {"normalization", 0, {"mean", "variance", "count"}},
    {"layer_scale", 0, {"gamma"}},
};

/* Whether a group is of a class: its name, or that and a number. */
static bool is_of(const char *group, const char *class)
{
    const size_t length = strlen(class);
    if (strncmp(group, class, length) != 0)
        return false;
    const char *rest = group + length;
    if (*rest == '_' && isdigit((unsigned char)rest[1]))
        for (rest++; isdigit((unsigned char)*rest); rest++) {
        }
    return *rest == 0;
}

/* The name of variable `index` of `count`; its number where the class is none of those. */
static void variable_name(const char *group, size_t index, size_t count, char *name, size_t size)
{
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        if (is_of(group, classes[i].group) && (classes[i].count == 0 || classes[i].count == count) &&
            index < 4 && classes[i].names[index]) {
            (void)snprintf(name, size, "%s", classes[i].names[index]);
            return;
        }
    }
    (void)snprintf(name, size, "%zu", index);
}

/* Keras' to_snake_case: "BatchNormalization" → "batch_normalization", "Conv2D" → "conv2d", "ReLU" → "re_lu".
 */
static void snake_case(const char *class, char *name, size_t size)
{
    size_t at = 0;
    for (size_t i = 0; class[i] && at + 2 < size; i++) {
        const unsigned char c = (unsigned char)class[i], next = (unsigned char)class[i + 1];
        const unsigned char before = i > 0 ? (unsigned char)class[i - 1] : 0;
        const bool word = isupper(c) && i > 0 && before != '_' && (islower(next) || islower(before));
        if (word)
            name[at++] = '_';
        name[at++] = (char)tolower(c);
    }
    name[at] = 0;
}

/* ---- one layer */

static enum graft_status read_variables(struct graft_hdf5 *file, const char *path, const char *group,
                                        const char *layer, struct graft_context *context,
                                        struct graft_tensor_set *set)
{
    struct graft_hdf5_texts list = {0}, told = {0};
    char object[2 * PATH_SIZE], name[2 * NAME_SIZE], variable[64];
    bool found = false;
    (void)snprintf(object, sizeof object, "%s/vars", path);
    enum graft_status status = graft_hdf5_list(file, object, &list);
    if (status == GRAFT_OK)
        status = graft_hdf5_attribute(file, object, "name", &told, &found);
    const char *const called = told.count == 1 ? told.items[0] : layer;
    for (size_t i = 0; i < list.count && status == GRAFT_OK; i++) {
        variable_name(group, i, list.count, variable, sizeof variable);
        (void)snprintf(object, sizeof object, "%s/vars/%zu", path, i);
        (void)snprintf(name, sizeof name, "%.*s/%s", NAME_SIZE, called, variable);
        if (graft_tensor_set_find(set, name)) /* in another network within this one */
            (void)snprintf(name, sizeof name, "%.*s/%s", NAME_SIZE, path, variable);
        status = graft_hdf5_read(file, object, name, set);
    }
    graft_hdf5_texts_close(context, &list);
    graft_hdf5_texts_close(context, &told);
    return status;
}

/* ---- layers within layers: a stack of groups, each at one of its members */

struct level {
    char path[PATH_SIZE];           /* of the group that holds the layers */
    const json_t *config;           /* their list in config.json, or NULL */
    struct graft_hdf5_texts groups; /* without config: the groups' names */
    size_t next;
};

struct walk {
    struct graft_context *context;
    struct graft_hdf5 *file;
    struct graft_tensor_set *set;
    struct level levels[DEPTH];
    int depth;
};

/* Enters the layers of a group; nothing to do where it has none. */
static enum graft_status enter(struct walk *walk, const char *path, const json_t *config)
{
    static const char *const names[] = {"layers", "_layer_checkpoint_dependencies"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char inner[PATH_SIZE];
        const int length = snprintf(inner, sizeof inner, "%s%s%s", path, *path ? "/" : "", names[i]);
        if (length < 0 || length >= PATH_SIZE || !graft_hdf5_exists(walk->file, inner))
            continue;
        if (walk->depth == DEPTH)
            return graft_hdf5_damaged(walk->file, inner, "is a network too deep within other networks");
        struct level *const level = &walk->levels[walk->depth];
        *level = (struct level){.config = json_object_get(json_object_get(config, "config"), "layers")};
        (void)snprintf(level->path, sizeof level->path, "%s", inner);
        walk->depth++;
        return json_is_array(level->config) ? GRAFT_OK : graft_hdf5_list(walk->file, inner, &level->groups);
    }
    return GRAFT_OK;
}

static void leave(struct walk *walk)
{
    walk->depth--;
    graft_hdf5_texts_close(walk->context, &walk->levels[walk->depth].groups);
}

/* The group of a layer of config.json: its class, and how many of that class come before it. */
static bool group_of(const json_t *layers, size_t index, char *group, size_t size)
{
    const char *const class = json_string_value(json_object_get(json_array_get(layers, index), "class_name"));
    size_t before = 0;
    if (!class || strlen(class) >= NAME_SIZE / 2)
        return false;
    for (size_t i = 0; i < index; i++) {
        const char *const other = json_string_value(json_object_get(json_array_get(layers, i), "class_name"));
        before += other && strcmp(other, class) == 0;
    }
    char name[NAME_SIZE];
    snake_case(class, name, sizeof name);
    (void)snprintf(group, size, before ? "%s_%zu" : "%s", name, before);
    return true;
}

/* The next layer of the innermost group. */
static enum graft_status visit(struct walk *walk)
{
    struct level *const level = &walk->levels[walk->depth - 1];
    const size_t index = level->next++;
    const json_t *const config = level->config ? json_array_get(level->config, index) : NULL;
    char group[NAME_SIZE + 32], path[PATH_SIZE], variables[PATH_SIZE + 8];
    if (level->config && !group_of(level->config, index, group, sizeof group))
        return GRAFT_OK;
    if (!level->config)
        (void)snprintf(group, sizeof group, "%s", level->groups.items[index]);
    if (snprintf(path, sizeof path, "%s/%s", level->path, group) >= PATH_SIZE)
        return GRAFT_OK;
    const char *const name = json_string_value(json_object_get(json_object_get(config, "config"), "name"));
    (void)snprintf(variables, sizeof variables, "%s/vars", path);
    enum graft_status status = GRAFT_OK;
    if (graft_hdf5_exists(walk->file, variables))
        status = read_variables(walk->file, path, group, name ? name : group, walk->context, walk->set);
    return status == GRAFT_OK ? enter(walk, path, config) : status;
}

enum graft_status graft_keras_read_layers(struct graft_context *context, struct graft_hdf5 *file,
                                          const json_t *config, struct graft_tensor_set *set)
{
    struct walk *const walk = graft_allocate(context, 1, sizeof *walk);
    if (!walk)
        return GRAFT_ERROR_MEMORY;
    walk->context = context;
    walk->file = file;
    walk->set = set;
    enum graft_status status = enter(walk, "", config);
    while (status == GRAFT_OK && walk->depth > 0) {
        const struct level *const level = &walk->levels[walk->depth - 1];
        if (level->next < (level->config ? json_array_size(level->config) : level->groups.count))
            status = visit(walk);
        else
            leave(walk);
    }
    while (walk->depth > 0)
        leave(walk);
    graft_release(context, walk);
    return status;
}
