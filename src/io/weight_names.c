/* SPDX-License-Identifier: MIT */
/*
 * Which names a file has: by which convention most of a network's tensors are found, under which prefix
 * (module., _orig_mod., backbone., in any depth), which stands before the names.
 */
#include "io/weight_names.h"

#include "base/text.h"
#include "io/keras.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

/* The number at the end of a layer's name that Keras has made up, "conv2d_17/kernel", 0 without one; −1: it
 * is of another kind or says more. *kind: characters of the kind. */
static long made_up(const char *name, size_t *kind)
{
    static const char *const kinds[] = {"conv2d", "batch_normalization"};
    for (size_t i = 0; i < COUNT(kinds); ++i) {
        const size_t length = strlen(kinds[i]);
        if (strncmp(name, kinds[i], length) != 0)
            continue;
        *kind = length;
        if (name[length] == '/')
            return 0;
        char *end = NULL;
        const long number = name[length] == '_' && isdigit((unsigned char)name[length + 1])
                                ? strtol(name + length + 1, &end, 10)
                                : -1;
        return number >= 0 && number < INT_MAX && *end == '/' ? number : -1;
    }
    return -1;
}

/* Keras counts all layers of a kind that a program makes: names of that kind begin where the program was. */
static const struct graft_named_tensor *find_made_up(const struct graft_tensor_set *set, const char *prefix,
                                                     const char *name, long number, size_t kind)
{
    const char *const weight = strchr(name, '/');
    const size_t before = strlen(prefix);
    char full[2 * GRAFT_WEIGHT_NAME_SIZE];
    long first = -1;
    for (size_t i = 0; i < graft_tensor_set_count(set); ++i) {
        const char *const tensor = graft_tensor_set_at(set, i)->name;
        size_t same = 0;
        if (strncmp(tensor, prefix, before) != 0)
            continue;
        const long other = made_up(tensor + before, &same);
        if (other >= 0 && same == kind && strcmp(strchr(tensor + before, '/'), weight) == 0 &&
            (first < 0 || other < first))
            first = other;
    }
    if (first < 0)
        return NULL;
    number += first;
    (void)snprintf(full, sizeof full, number ? "%s%.*s_%ld%s" : "%s%.*s%.0ld%s", prefix, (int)kind, name,
                   number, weight);
    return graft_tensor_set_find(set, full);
}

/* A name that ends in "/" and a star: the layer's only variable, whatever its name. */
static const struct graft_named_tensor *find_any(const struct graft_tensor_set *set, const char *name)
{
    const size_t length = strlen(name) - 1;
    for (size_t i = 0; i < graft_tensor_set_count(set); ++i) {
        const struct graft_named_tensor *const tensor = graft_tensor_set_at(set, i);
        if (strncmp(tensor->name, name, length) == 0 && !strchr(tensor->name + length, '/'))
            return tensor;
    }
    return NULL;
}

static bool is_name_of_trunk(const struct graft_weight_names *names, const struct graft_model *model,
                             const char *tensor)
{
    char name[GRAFT_WEIGHT_NAME_SIZE];
    for (int i = 0; i < model->parameter_count && model->parameters[i].stage < model->stage_count - 1; ++i) {
        if (graft_weight_conventions[names->convention].rename(model, i, name) && strcmp(name, tensor) == 0)
            return true;
    }
    return false;
}

/* The last tensor with that ending: a new head on another's trunk has a name of its own. */
static const struct graft_named_tensor *last_of(const struct graft_tensor_set *set, const char *ending)
{
    for (size_t i = graft_tensor_set_count(set); i-- > 0;) {
        if (graft_text_ends(graft_tensor_set_at(set, i)->name, ending))
            return graft_tensor_set_at(set, i);
    }
    return NULL;
}

const struct graft_named_tensor *graft_weight_names_find(const struct graft_weight_names *names,
                                                         const struct graft_model *model,
                                                         const struct graft_tensor_set *set, int parameter)
{
    char name[GRAFT_WEIGHT_NAME_SIZE], full[2 * GRAFT_WEIGHT_NAME_SIZE];
    if (!graft_weight_conventions[names->convention].rename(model, parameter, name))
        return NULL;
    (void)snprintf(full, sizeof full, "%s%s", names->prefix, name);
    size_t kind = 0;
    const long number = names->keras ? made_up(name, &kind) : -1;
    const struct graft_named_tensor *const tensor =
        number >= 0                   ? find_made_up(set, names->prefix, name, number, kind)
        : graft_text_ends(full, "/*") ? find_any(set, full)
                                      : graft_tensor_set_find(set, full);
    const bool of_head = model->parameters[parameter].stage == model->stage_count - 1;
    if (tensor || !names->keras || !of_head)
        return tensor;
    const char *const weight = strrchr(name, '/');
    const struct graft_named_tensor *const last = weight ? last_of(set, weight) : NULL;
    /* It must be no layer of the trunk. */
    const bool known = last && graft_text_starts(last->name, names->prefix) &&
                       is_name_of_trunk(names, model, last->name + strlen(names->prefix));
    return known ? NULL : last;
}

static int count_found(const struct graft_weight_names *names, const struct graft_model *model,
                       const struct graft_tensor_set *set)
{
    int found = 0;
    for (int i = 0; i < model->parameter_count; ++i)
        found += graft_weight_names_find(names, model, set, i) != NULL;
    return found;
}

/* The prefix of a tensor that ends in the name, at a dot or slash. */
static bool take_prefix(const char *tensor, const char *name, char *prefix)
{
    const size_t length = strlen(tensor), tail = strlen(name);
    if (length <= tail || length - tail >= GRAFT_WEIGHT_NAME_SIZE ||
        (tensor[length - tail - 1] != '.' && tensor[length - tail - 1] != '/') ||
        strcmp(tensor + length - tail, name) != 0)
        return false;
    memcpy(prefix, tensor, length - tail);
    prefix[length - tail] = 0;
    return true;
}

/* Tries the prefixes under which the set has one parameter, a few of them. */
static int try_prefixes(struct graft_weight_names *names, const struct graft_model *model,
                        const struct graft_tensor_set *set, int parameter)
{
    struct graft_weight_names trial = *names;
    char name[GRAFT_WEIGHT_NAME_SIZE];
    int most = -1, tried = 0;
    if (!graft_weight_conventions[names->convention].rename(model, parameter, name))
        return most;
    for (size_t i = 0; i < graft_tensor_set_count(set) && tried < 8; ++i) {
        if (!take_prefix(graft_tensor_set_at(set, i)->name, name, trial.prefix))
            continue;
        ++tried;
        const int found = count_found(&trial, model, set);
        if (found > most) {
            most = found;
            *names = trial;
        }
    }
    return most;
}

struct graft_weight_names graft_weight_names_choose(const struct graft_model *model,
                                                    const struct graft_tensor_set *set)
{
    const char *const convention = graft_tensor_set_text(set, GRAFT_KEY_CONVENTION);
    const bool keras = convention && strcmp(convention, "keras") == 0;
    struct graft_weight_names best = {.keras = keras};
    int most = -1;
    for (size_t c = 0; c < graft_weight_convention_count; ++c) {
        if (graft_weight_conventions[c].keras != keras ||
            (graft_weight_conventions[c].family &&
             strcmp(graft_weight_conventions[c].family, model->info->family) != 0))
            continue;
        struct graft_weight_names names = {.convention = (int)c, .keras = keras};
        int found = count_found(&names, model, set);
        /* By the first and by the last parameter of the trunk: a head may have another name. */
        const int last =
            model->stage_count > 1 ? model->stages[model->stage_count - 1].first_parameter - 1 : 0;
        for (int k = 0; k < 2 && found < model->parameter_count && model->parameter_count > 0; ++k) {
            struct graft_weight_names prefixed = {.convention = (int)c, .keras = keras};
            const int more = try_prefixes(&prefixed, model, set, k == 0 || last < 0 ? 0 : last);
            if (more > found) {
                found = more;
                names = prefixed;
            }
        }
        if (found > most) {
            most = found;
            best = names;
        }
    }
    return best;
}
