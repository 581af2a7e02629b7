/* SPDX-License-Identifier: MIT */
/* A recipe in config.json, and what may differ when a run is resumed. */
#include "base/context.h"
#include "base/text.h"
#include "run/recipe.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A name that is no UTF-8 behind a link: the link stays, from the current folder on. NULL: no memory, or no
 * UTF-8 there either. */
static json_t *link_json(const char *path)
{
    char text[PATH_MAX + 2];
    errno = 0;
    char *const here = path[0] == '/' ? NULL : realpath(".", NULL);
    const int length = snprintf(text, sizeof text, "%s%s%s", here ? here : "", here ? "/" : "", path);
    const bool lacking = path[0] != '/' && !here && errno == ENOMEM;
    free(here);
    return lacking || length >= (int)sizeof text ? NULL : json_string(text);
}

/* The path is made absolute, so that the run can be resumed from elsewhere; what is no path stays as it was
 * given. NULL: no memory. */
static json_t *path_json(const char *path)
{
    errno = 0;
    char *const absolute = realpath(path, NULL);
    const bool lacking = !absolute && errno == ENOMEM;
    json_t *const json = lacking                                          ? NULL
                         : absolute && !graft_text_is_utf8(absolute) ? link_json(path)
                                                                          : json_string(absolute ? absolute : path);
    free(absolute);
    return json;
}

static json_t *integer_or_null(int64_t number)
{
    return number > 0 ? json_integer((json_int_t)number) : json_null();
}

static struct graft_json stages_json(const struct graft_recipe *recipe)
{
    struct graft_json list = graft_json_array();
    for (int s = 0; s < recipe->stage_count; s++) {
        const struct graft_fit_stage *const stage = &recipe->stages[s];
        const bool rated = stage->learning_rate > 0;
        graft_json_append(&list, json_pack("{s:s,s:o,s:o,s:o,s:o}", "from", stage->from, "epochs",
                                           integer_or_null(stage->epochs), "learning_rate",
                                           rated ? json_real(stage->learning_rate) : json_null(),
                                           "micro_batch", integer_or_null(stage->micro_batch), "stopped",
                                           integer_or_null(stage->stopped)));
    }
    return list;
}

void graft_recipe_write(const struct graft_recipe *recipe, struct graft_json *config)
{
    const struct graft_recipe_row *row;
    for (int r = 0; (row = graft_recipe_row(r)); r++) {
        const union graft_recipe_field field = graft_recipe_field(recipe, r);
        char sides[64];
        json_t *json = NULL;
        if (!*graft_recipe_bit(recipe, r)) {
            graft_json_set(config, row->name, json_null());
            continue;
        }
        switch (row->kind) {
        case GRAFT_RECIPE_TEXT:
        case GRAFT_RECIPE_CHOICE:
            json = json_string(*field.text);
            break;
        case GRAFT_RECIPE_PATH:
            json = path_json(*field.text);
            break;
        case GRAFT_RECIPE_INTEGER:
            json = json_integer((json_int_t)*field.integer);
            break;
        case GRAFT_RECIPE_SIDES:
            (void)graft_recipe_get(recipe, r, sides, sizeof sides);
            json = field.integer[1] ? json_string(sides) : json_integer((json_int_t)*field.integer);
            break;
        case GRAFT_RECIPE_REAL:
            json = json_real(*field.real);
            break;
        case GRAFT_RECIPE_BYTES:
            json = json_integer((json_int_t)*field.bytes);
            break;
        case GRAFT_RECIPE_FLAG:
            json = json_boolean(*field.flag);
            break;
        case GRAFT_RECIPE_STAGES: {
            struct graft_json stages = stages_json(recipe);
            graft_json_nest(config, row->name, &stages);
            continue;
        }
        }
        graft_json_set(config, row->name, json);
    }
}

/* NULL is 0; false: no whole number in 0..most. */
static bool read_count(const json_t *json, int64_t most, int64_t *count)
{
    *count = json_integer_value(json);
    return (json_is_null(json) || json_is_integer(json)) && *count >= 0 && *count <= most;
}

static bool read_stages(const json_t *list, struct graft_recipe *recipe)
{
    const size_t count = json_array_size(list);
    if (count < 1 || count > GRAFT_FIT_MAX_STAGES)
        return false;
    recipe->stage_count = (int)count;
    for (size_t s = 0; s < count; s++) {
        const json_t *const item = json_array_get(list, s);
        const json_t *const rate = json_object_get(item, "learning_rate");
        const char *const from = json_string_value(json_object_get(item, "from"));
        struct graft_fit_stage *const stage = &recipe->stages[s];
        int64_t epochs, stopped;
        if (!from || !*from || strlen(from) >= sizeof stage->from ||
            !read_count(json_object_get(item, "epochs"), GRAFT_MAX_EPOCHS, &epochs) ||
            !read_count(json_object_get(item, "micro_batch"), GRAFT_MAX_BATCH, &stage->micro_batch) ||
            !read_count(json_object_get(item, "stopped"), epochs, &stopped))
            return false;
        strcpy(stage->from, from);
        stage->epochs = (int)epochs;
        stage->stopped = (int)stopped;
        stage->learning_rate = json_number_value(rate);
        if (!(json_is_null(rate) || (stage->learning_rate > 0 && stage->learning_rate <= GRAFT_MAX_RATE)))
            return false;
    }
    return true;
}

/* False: of another type. */
static bool read_row(const json_t *json, enum graft_recipe_kind kind, union graft_recipe_field field)
{
    switch (kind) {
    case GRAFT_RECIPE_TEXT:
    case GRAFT_RECIPE_PATH:
    case GRAFT_RECIPE_CHOICE:
        *field.text = json_string_value(json);
        return *field.text && **field.text;
    case GRAFT_RECIPE_INTEGER:
        *field.integer = json_integer_value(json);
        return json_is_integer(json);
    case GRAFT_RECIPE_SIDES:
        field.integer[0] = json_integer_value(json);
        field.integer[1] = 0;
        return json_is_integer(json) ||
               (json_is_string(json) && graft_read_sides(json_string_value(json), field.integer));
    case GRAFT_RECIPE_BYTES:
        *field.bytes = (uint64_t)json_integer_value(json);
        return json_is_integer(json) && json_integer_value(json) >= 0;
    case GRAFT_RECIPE_REAL:
        *field.real = json_number_value(json);
        return json_is_number(json);
    case GRAFT_RECIPE_FLAG:
        *field.flag = json_is_true(json);
        return json_is_boolean(json);
    case GRAFT_RECIPE_STAGES:
        break;
    }
    return false;
}

static const char *const kinds[] = {
    [GRAFT_RECIPE_TEXT] = "a text",
    [GRAFT_RECIPE_PATH] = "a path",
    [GRAFT_RECIPE_CHOICE] = "a name",
    [GRAFT_RECIPE_INTEGER] = "a whole number",
    [GRAFT_RECIPE_SIDES] = "a side, or height x width",
    [GRAFT_RECIPE_REAL] = "a number",
    [GRAFT_RECIPE_BYTES] = "a number of bytes",
    [GRAFT_RECIPE_FLAG] = "true or false",
    [GRAFT_RECIPE_STAGES] = "a list of stages as a run writes it",
};

#define LACKING_SHOWN 6

/* The first version had a flag for what is a list now. */
static bool read_old_augment(const json_t *json, const char **text)
{
    *text = json_is_true(json) ? "imagenet" : "none";
    return true;
}

/* What a run of an older version does not say is as it was then: by default. */
static enum graft_status say_lacking(struct graft_context *context, const char *path, int count,
                                     const char *const flags[LACKING_SHOWN])
{
    struct graft_text list = {0};
    for (int i = 0; i < count && i < LACKING_SHOWN; i++)
        graft_text_append(context, &list, "%s%s", i > 0 ? ", " : "", flags[i]);
    if (count > LACKING_SHOWN)
        graft_text_append(context, &list, " and %d more", count - LACKING_SHOWN);
    const enum graft_status status = list.failed ? GRAFT_ERROR_MEMORY : GRAFT_OK;
    if (count > 0 && status == GRAFT_OK)
        graft_log(context, GRAFT_LOG_REMARK,
                  "%s is of an older version of Graft, and does not say %s: they stay as they were then, by default", path,
                  list.data);
    graft_text_close(context, &list);
    return status;
}

enum graft_status graft_recipe_read(struct graft_context *context, const json_t *config, const char *path,
                                    struct graft_recipe *recipe)
{
    const struct graft_recipe_row *row;
    const char *lacking[LACKING_SHOWN];
    int lacks = 0;
    for (int r = 0; (row = graft_recipe_row(r)); r++) {
        const json_t *const json = json_object_get(config, row->name);
        bool *const given = graft_recipe_bit(recipe, r);
        *given = json && !json_is_null(json);
        if (!json && !row->later)
            return graft_fail(context, GRAFT_ERROR_FORMAT,
                              "%s is damaged: the entry \"%s\" is missing, and the run cannot be resumed",
                              path, row->name);
        if (!json && lacks++ < LACKING_SHOWN)
            lacking[lacks - 1] = row->flag;
        if (!*given)
            continue;
        const union graft_recipe_field field = graft_recipe_field(recipe, r);
        const bool good = row->kind == GRAFT_RECIPE_STAGES                              ? read_stages(json, recipe)
                          : field.text == &recipe->augment && json_is_boolean(json) ? read_old_augment(json, field.text)
                                                                                        : read_row(json, row->kind, field);
        if (!good)
            return graft_fail(context, GRAFT_ERROR_FORMAT,
                              "%s is damaged: \"%s\" is not %s; put back what stood there, or begin another "
                              "run",
                              path, row->name, kinds[row->kind]);
        if (graft_recipe_check_row(context, recipe, r) != GRAFT_OK)
            return graft_fail_prefix(context, GRAFT_ERROR_FORMAT, "%s is damaged", path);
    }
    return say_lacking(context, path, lacks, lacking);
}

static bool same_path(const char *a, const char *b)
{
    char resolved[PATH_MAX];
    return strcmp(a, b) == 0 || (realpath(b, resolved) && strcmp(a, resolved) == 0);
}

/* What is not said of a stage is as it was. */
static bool same_stages(const struct graft_recipe *was, const struct graft_recipe *given)
{
    bool same = was->stage_count == given->stage_count;
    for (int s = 0; same && s < was->stage_count; s++) {
        const struct graft_fit_stage *const a = &was->stages[s], *const b = &given->stages[s];
        same = strcmp(a->from, b->from) == 0 && (b->epochs == 0 || a->epochs == b->epochs) &&
               (b->learning_rate == 0 || a->learning_rate == b->learning_rate);
    }
    return same;
}

static bool same_row(const struct graft_recipe *was, const struct graft_recipe *given, int r,
                     enum graft_recipe_kind kind)
{
    char texts[2][512];
    if (!*graft_recipe_bit(was, r))
        return false;
    if (kind == GRAFT_RECIPE_STAGES)
        return same_stages(was, given);
    if (kind == GRAFT_RECIPE_PATH)
        return same_path(*graft_recipe_field(was, r).text, *graft_recipe_field(given, r).text);
    if (kind == GRAFT_RECIPE_TEXT || kind == GRAFT_RECIPE_CHOICE)
        return strcmp(*graft_recipe_field(was, r).text, *graft_recipe_field(given, r).text) == 0;
    return strcmp(graft_recipe_get(was, r, texts[0], sizeof texts[0]),
                  graft_recipe_get(given, r, texts[1], sizeof texts[1])) == 0;
}

static void take_over(struct graft_recipe *recipe, const struct graft_recipe *given, int r,
                      enum graft_recipe_kind kind)
{
    const union graft_recipe_field to = graft_recipe_field(recipe, r), from = graft_recipe_field(given, r);
    if (kind == GRAFT_RECIPE_INTEGER)
        *to.integer = *from.integer;
    else if (kind == GRAFT_RECIPE_SIDES)
        memcpy(to.integer, from.integer, 2 * sizeof *to.integer);
    else if (kind == GRAFT_RECIPE_REAL)
        *to.real = *from.real;
    else if (kind == GRAFT_RECIPE_BYTES)
        *to.bytes = *from.bytes;
    else if (kind == GRAFT_RECIPE_FLAG)
        *to.flag = *from.flag;
    else
        *to.text = *from.text;
    *graft_recipe_bit(recipe, r) = true;
}

enum graft_status graft_recipe_resume(struct graft_context *context, struct graft_recipe *recipe,
                                      const struct graft_recipe *given)
{
    const struct graft_recipe_row *row;
    char was[512], asked[512];
    for (int r = 0; (row = graft_recipe_row(r)); r++) {
        if (!*graft_recipe_bit(given, r) || same_row(recipe, given, r, row->kind))
            continue;
        if (!row->fixed) {
            take_over(recipe, given, r, row->kind);
            continue;
        }
        (void)graft_recipe_get(recipe, r, was, sizeof was);
        return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                          "%s is %s in the run that is resumed, not %s: it goes on as it was begun; leave it "
                          "out, or begin another run",
                          row->flag, was[0] ? was : "not given",
                          graft_recipe_get(given, r, asked, sizeof asked));
    }
    return GRAFT_OK;
}
