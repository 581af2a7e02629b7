/* SPDX-License-Identifier: MIT */
/* Which networks of the list a set of weights fits, and of which it is. */
#include "io/weights_match.h"

#include "base/context.h"
#include "io/hub_config.h"
#include "model/published.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Tensors that agree in name, shape and type. */
static int agreeing(const struct graft_weights_match *match)
{
    return match->tensors - match->report.missing - match->report.misshaped;
}

/* Of all that one of them has. */
static double share(const struct graft_weights_match *match)
{
    return (double)agreeing(match) / (double)(match->tensors + match->report.unused);
}

/* By what was said in the header, then in the order of the list. */
static int compare(const void *a, const void *b)
{
    const struct graft_weights_match *const left = a, *const right = b;
    const double l = share(left), r = share(right);
    if (left->fits != right->fits)
        return left->fits ? -1 : 1;
    if (l > r || l < r)
        return l > r ? -1 : 1;
    return left->info < right->info ? -1 : left->info > right->info;
}

static enum graft_status open_and_compare(struct graft_context *context, const struct graft_tensor_set *set,
                                          int64_t classes, struct graft_weights_match *match)
{
    struct graft_model *model = NULL;
    const struct graft_model_options options = {.classes = classes};
    enum graft_status status = graft_model_open(context, match->info->name, &options, &model);
    if (status)
        return status;
    status = graft_model_compare_weights(model, set, &match->report);
    match->tensors = 0;
    for (int i = 0; i < model->parameter_count; ++i) /* an auxiliary head may be absent */
        match->tensors += !model->parameters[i].idle;
    match->classes = graft_model_count_classes(model, set);
    match->fits = match->report.missing == 0 && match->report.misshaped == 0;
    graft_model_close(&model);
    return status;
}

enum graft_status graft_weights_match(struct graft_context *context, const struct graft_tensor_set *set,
                                      struct graft_weights_match *matches, int *count)
{
    enum graft_status status = GRAFT_OK;
    *count = 0;
    for (int i = 0; graft_model_at(i) && !status; ++i) {
        struct graft_weights_match *const match = &matches[*count];
        *match = (struct graft_weights_match){.info = graft_model_at(i)};
        status = open_and_compare(context, set, 0, match);
        /* A head for other classes is no difference. */
        const int64_t classes = match->classes;
        if (!status && match->report.misshaped > 0 && classes > 0 && classes <= 1000000 &&
            classes != match->info->classes)
            status = open_and_compare(context, set, classes, match);
        if (!status && agreeing(match) > 0)
            ++*count;
    }
    qsort(matches, (size_t)*count, sizeof *matches, compare);
    return status;
}

/* ---- of which it is */

/* The network with the longest name that a text of so many characters begins with, as a word. */
static const struct graft_model_info *named_by(const char *text, size_t length)
{
    const char *name = NULL, *best = NULL;
    for (int i = 0; (name = graft_model_name_at(i)) != NULL; ++i) {
        const size_t size = strlen(name);
        if (size <= length && strncmp(text, name, size) == 0 &&
            (size == length || !isalnum((unsigned char)text[size])) && (!best || size > strlen(best)))
            best = name;
    }
    return best ? graft_model_named(best) : NULL;
}

/* By the last part of a path that names one: "tf_efficientnet_b0_ns-c0e6a31c.pth",
 * "resnet50/model.safetensors", "models--timm--vit_base_patch16_224.augreg_in1k/…/model.safetensors". */
static const struct graft_model_info *named_in(const char *path)
{
    const struct graft_model_info *info = NULL;
    for (size_t end = strlen(path); end > 0 && !info;) {
        size_t begin = end;
        while (begin > 0 && path[begin - 1] != '/' &&
               !(begin > 1 && path[begin - 1] == '-' && path[begin - 2] == '-'))
            --begin;
        info = named_by(path + begin, end - begin);
        end = begin > 0 ? begin - 1 : 0;
    }
    return info;
}

/* The one of `count` matches that the path tells, or NULL. */
static const struct graft_weights_match *tell(const struct graft_weights_match *matches, int count,
                                              const char *path)
{
    const struct graft_model_info *const named = named_in(path);
    const struct graft_weights_match *found = NULL;
    int published = 0;
    for (int i = 0; i < count; ++i) {
        if (graft_published_of_file(matches[i].info->name, path)) {
            published++;
            found = &matches[i];
        }
    }
    if (count == 1 || published == 1)
        return count == 1 ? matches : found;
    for (int i = 0; i < count; ++i) {
        if (matches[i].info == named)
            return &matches[i];
    }
    return NULL;
}

static enum graft_status say_nearest(struct graft_context *context, const struct graft_weights_match *matches,
                                     int count, const char *path)
{
    if (count == 0)
        return graft_fail(context, GRAFT_ERROR_UNSUPPORTED,
                          "'%s' has no tensor of a network that Graft knows; `graft models` lists them",
                          path);
    return graft_fail(
        context, GRAFT_ERROR_UNSUPPORTED,
        "'%s' holds no weights of a network that Graft knows; the nearest is %s: of its %d tensors %d "
        "are missing, %d misshaped, and %d are unused",
        path, matches[0].info->name, matches[0].tensors, matches[0].report.missing,
        matches[0].report.misshaped, matches[0].report.unused);
}

/* Several fit, and nothing says which; `config` may name a network that is none of the list. */
static enum graft_status say_several(struct graft_context *context, const struct graft_weights_match *matches,
                                     int fitting, const struct graft_hub_config *config, const char *path)
{
    const bool named = config->architecture[0] != '\0';
    return graft_fail(
        context, GRAFT_ERROR_UNSUPPORTED,
        "'%s' fits %s and %s%s%s%s%s: say of which network it is (--model NAME, or NAME --weights FILE)",
        path, matches[0].info->name, matches[1].info->name, fitting > 2 ? " and others" : "",
        named ? ", and " GRAFT_HUB_CONFIG " beside it names none of them but " : "", config->architecture,
        named ? ", which Graft does not know" : "");
}

/* The one that config.json beside the file names, if it is among the `count` matches and fits. */
static enum graft_status take_named(struct graft_context *context, const struct graft_weights_match *matches,
                                    int count, const struct graft_hub_config *config, const char *path,
                                    const struct graft_model_info **info)
{
    for (int i = 0; i < count; ++i) {
        if (matches[i].info == config->info && matches[i].fits)
            *info = config->info;
    }
    return *info ? GRAFT_OK
                 : graft_fail(
                       context, GRAFT_ERROR_UNSUPPORTED,
                       "'%s': by " GRAFT_HUB_CONFIG " beside it these are weights of %s, but by names and "
                       "shapes of their tensors of %s: say of which network it is (--model NAME, or NAME "
                       "--weights FILE)",
                       path, config->info->name, matches[0].info->name);
}

/* Of `count` matches the first `fitting` fit equally well. */
static enum graft_status choose(struct graft_context *context, const struct graft_weights_match *matches,
                                int count, int fitting, const char *path,
                                const struct graft_model_info **info)
{
    struct graft_hub_config config;
    const enum graft_status status = graft_hub_config_read(context, path, &config);
    if (status != GRAFT_OK)
        return status;
    if (fitting == 0)
        return say_nearest(context, matches, count, path);
    if (config.info)
        return take_named(context, matches, count, &config, path, info);
    const struct graft_weights_match *const found = tell(matches, fitting, path);
    if (!found)
        return say_several(context, matches, fitting, &config, path);
    if (config.architecture[0])
        graft_log(context, GRAFT_LOG_REMARK,
                  "%s: " GRAFT_HUB_CONFIG
                  " beside it says %s, which Graft does not know: it may compute otherwise "
                  "than %s, whose tensors have the same names and shapes",
                  path, config.architecture, found->info->name);
    *info = found->info;
    return GRAFT_OK;
}

enum graft_status graft_weights_recognize(struct graft_context *context, const struct graft_tensor_set *set,
                                          const char *path, const struct graft_model_info **info,
                                          int *fitting)
{
    int count = 0, best = 0;
    *info = NULL;
    struct graft_weights_match *const matches =
        graft_allocate(context, (size_t)graft_model_count(), sizeof *matches);
    enum graft_status status =
        matches ? graft_weights_match(context, set, matches, &count) : GRAFT_ERROR_MEMORY;
    while (status == GRAFT_OK && best < count && matches[best].fits &&
           matches[best].report.unused == matches[0].report.unused)
        ++best;
    if (fitting)
        *fitting = best;
    if (status == GRAFT_OK)
        status = choose(context, matches, count, best, path, info);
    graft_release(context, matches);
    return status;
}

enum graft_status graft_weights_remark_name(const struct graft_model *model,
                                            const struct graft_tensor_set *set, const char *path)
{
    struct graft_context *const context = graft_graph_context(model->graph);
    struct graft_hub_config config;
    enum graft_status status = graft_hub_config_read(context, path, &config);
    if (status != GRAFT_OK)
        return status;
    struct graft_weights_match match = {.info = config.info ? config.info : named_in(path)};
    if (!match.info || strcmp(match.info->name, model->info->name) == 0)
        return GRAFT_OK;
    const int64_t classes = graft_model_count_classes(model, set);
    status = open_and_compare(context, set, classes > 1000000 ? 0 : classes, &match);
    if (status == GRAFT_OK && match.fits)
        graft_log(context, GRAFT_LOG_REMARK,
                  "%s: by %s these are weights of %s, whose tensors have the same names and shapes; if "
                  "they are, "
                  "take %s instead of %s",
                  path, config.info ? GRAFT_HUB_CONFIG " beside it" : "its name", match.info->name,
                  match.info->name, model->info->name);
    return status;
}

enum graft_status graft_weights_say_whose(struct graft_context *context, enum graft_status status,
                                          const struct graft_tensor_set *set, const char *path)
{
    const struct graft_model_info *info = NULL;
    struct graft_kept_error before;
    graft_keep_error(context, &before);
    const enum graft_status found = status == GRAFT_ERROR_FORMAT
                                        ? graft_weights_recognize(context, set, path, &info, NULL)
                                        : GRAFT_ERROR_UNSUPPORTED;
    if (found == GRAFT_ERROR_MEMORY)
        return found;
    if (info)
        return graft_fail(context, status, "%s: these are weights of %s; %s", path, info->name, before.text);
    graft_restore_error(context, &before);
    return graft_fail_prefix(context, status, "%s", path);
}
