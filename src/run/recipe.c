/* SPDX-License-Identifier: MIT */
/* The table of graft/recipe.def at work: giving and showing options, defaults, ranges, config.json. */
#include "base/context.h"
#include "base/text.h"
#include "model/head.h"
#include "model/parts.h"
#include "run/recipe.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CHOICES 8

/* Where a row's field and its bit lie in struct graft_recipe. */
struct place {
    size_t field, given;
};

#define IS(value) value, NULL
#define DECIDED(words) NULL, words
#define NONE NULL, NULL
#define WITHIN(least, most) least, most, NULL
#define ONE_OF(names) 0, 0, names
#define ANY 0, 0, NULL
#define FIXED true, false
#define FREE false, false
#define FIXED_LATER true, true
#define FREE_LATER false, true

static const struct graft_recipe_row rows[] = {
#define GRAFT_RECIPE_ROW(kind, name, flag, argument, usual, range, change, help)                             \
    {GRAFT_RECIPE_##kind, #name, flag, argument, usual, range, change, help},
#include "graft/recipe.def"
#undef GRAFT_RECIPE_ROW
};

static const struct place places[] = {
#define GRAFT_RECIPE_ROW(kind, name, flag, argument, usual, range, change, help)                             \
    {offsetof(struct graft_recipe, name), offsetof(struct graft_recipe, given.name)},
#include "graft/recipe.def"
#undef GRAFT_RECIPE_ROW
};

#define ROWS ((int)GRAFT_RECIPE_ROWS)

const struct graft_recipe_row *graft_recipe_row(int index)
{
    return index >= 0 && index < ROWS ? &rows[index] : NULL;
}

union graft_recipe_field graft_recipe_field(const struct graft_recipe *recipe, int row)
{
    return (union graft_recipe_field){.any = (char *)(uintptr_t)recipe + places[row].field};
}

bool *graft_recipe_bit(const struct graft_recipe *recipe, int row)
{
    return (bool *)(void *)((char *)(uintptr_t)recipe + places[row].given);
}

const char **graft_recipe_text_of(const struct graft_recipe *recipe, int row)
{
    return rows[row].kind <= GRAFT_RECIPE_CHOICE ? graft_recipe_field(recipe, row).text : NULL;
}

void graft_recipe_settle(struct graft_recipe *recipe)
{
    for (int r = 0; r < ROWS; r++) {
        const union graft_recipe_field field = graft_recipe_field(recipe, r);
        bool *const given = graft_recipe_bit(recipe, r);
        switch (rows[r].kind) {
        case GRAFT_RECIPE_TEXT:
        case GRAFT_RECIPE_PATH:
        case GRAFT_RECIPE_CHOICE:
            *given = *field.text && **field.text;
            *field.text = *given ? *field.text : NULL;
            break;
        case GRAFT_RECIPE_INTEGER:
        case GRAFT_RECIPE_SIDES:
            *given = *given || *field.integer != 0;
            break;
        case GRAFT_RECIPE_REAL:
            *given = *given || *field.real != 0;
            break;
        case GRAFT_RECIPE_BYTES:
            *given = *given || *field.bytes != 0;
            break;
        case GRAFT_RECIPE_FLAG:
            *given = *given || *field.flag;
            break;
        case GRAFT_RECIPE_STAGES:
            *given = recipe->stage_count > 0;
            break;
        }
    }
}

/* ---- from text and to text */

static enum graft_status refuse_number(struct graft_context *context, const struct graft_recipe_row *row,
                                       const char *value)
{
    if (row->kind == GRAFT_RECIPE_BYTES)
        return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                          "%s wants bytes such as 1500000, 512M or 2G, not \"%s\"", row->flag, value);
    if (row->kind == GRAFT_RECIPE_SIDES)
        return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                          "%s is a side of 1 to 8192 such as 224, or height x width such as 192x256, not "
                          "\"%s\"",
                          row->flag, value);
    return graft_fail(context, GRAFT_ERROR_ARGUMENT, "%s wants a %snumber from %.16g to %.16g, not \"%s\"",
                      row->flag, row->kind == GRAFT_RECIPE_INTEGER ? "whole " : "", row->least, row->most,
                      value);
}

static bool within(const struct graft_recipe_row *row, double number)
{
    return number >= row->least && number <= row->most;
}

/* "1500000", "512M", "2G" (powers of 1024). */
static bool read_bytes(const char *text, uint64_t *bytes)
{
    static const char units[] = "KMGT";
    char *end = NULL;
    const double value = graft_read_number(text, &end);
    const char *const unit = *end ? strchr(units, *end) : NULL;
    const double number = value * (unit ? (double)(1ull << (10 * (unit - units + 1))) : 1);
    end += unit != NULL;
    end += unit && strcmp(end, "iB") == 0 ? 2 : 0;
    const bool fits = end != text && !*end && number >= 1 && number <= 1e18;
    *bytes = fits ? (uint64_t)number : 0;
    return fits;
}

/* "stage[:epochs[:rate]]" of `length` characters. */
static bool read_stage(const char *text, size_t length, struct graft_fit_stage *stage)
{
    char copy[128];
    char *end = NULL;
    if (length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    char *epochs = strchr(copy, ':');
    if (epochs && strncmp(copy, "last:", 5) == 0) /* a number of layers belongs to the name */
        epochs = strchr(epochs + 1, ':');
    if (epochs)
        *epochs = '\0';
    if (!copy[0] || strlen(copy) >= sizeof stage->from)
        return false;
    *stage = (struct graft_fit_stage){.epochs = 0};
    strcpy(stage->from, copy);
    if (!epochs)
        return true;
    const long count = strtol(epochs + 1, &end, 10);
    stage->epochs = count < 1 || count > GRAFT_MAX_EPOCHS ? 0 : (int)count;
    if (end == epochs + 1 || stage->epochs == 0 || (*end && *end != ':'))
        return false;
    if (!*end)
        return true;
    const char *const rate = end + 1;
    stage->learning_rate = graft_read_number(rate, &end);
    return end != rate && !*end && stage->learning_rate > 0 && stage->learning_rate <= GRAFT_MAX_RATE;
}

static enum graft_status read_stages(struct graft_context *context, struct graft_recipe *recipe,
                                     const char *text)
{
    recipe->stage_count = 0;
    for (const char *at = text; at;) {
        const size_t length = strcspn(at, ",");
        if (recipe->stage_count == GRAFT_FIT_MAX_STAGES)
            return graft_fail(context, GRAFT_ERROR_ARGUMENT, "--stages has more than %d stages",
                              GRAFT_FIT_MAX_STAGES);
        if (!read_stage(at, length, &recipe->stages[recipe->stage_count++]))
            return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                              "--stages is STAGE[:EPOCHS[:RATE]],... such as head:10:1e-3,all:5; \"%.*s\" is "
                              "not of that form",
                              (int)length, at);
        at = at[length] ? at + length + 1 : NULL;
    }
    return GRAFT_OK;
}

static enum graft_status check_choice(struct graft_context *context, const struct graft_recipe_row *row,
                                      const char *value)
{
    char copy[128], list[160] = "";
    const char *names[MAX_CHOICES];
    size_t count = 0;
    (void)snprintf(copy, sizeof copy, "%s", row->choices);
    for (char *at = copy; at && count < MAX_CHOICES; count++) {
        names[count] = at;
        at = strchr(at, ' ');
        if (at)
            *at++ = '\0';
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], value) == 0)
            return GRAFT_OK;
        (void)snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s",
                       i == 0           ? ""
                       : i + 1 == count ? " or "
                                        : ", ",
                       names[i]);
    }
    const char *const nearest = graft_text_nearest(value, names, count);
    return graft_fail(context, GRAFT_ERROR_NOT_FOUND, "%s is %s, not \"%s\"%s%s%s", row->flag, list, value,
                      nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

static enum graft_status set_row(struct graft_context *context, struct graft_recipe *recipe, int r,
                                 const char *value)
{
    const struct graft_recipe_row *const row = &rows[r];
    const union graft_recipe_field field = graft_recipe_field(recipe, r);
    enum graft_status status = GRAFT_OK;
    char *end = NULL;
    bool fits = true;
    errno = 0;
    switch (row->kind) {
    case GRAFT_RECIPE_TEXT:
    case GRAFT_RECIPE_PATH:
    case GRAFT_RECIPE_CHOICE:
        *field.text = value;
        if (row->kind == GRAFT_RECIPE_CHOICE)
            status = check_choice(context, row, value);
        break;
    case GRAFT_RECIPE_INTEGER:
        *field.integer = strtoll(value, &end, 10);
        fits = errno == 0 && end != value && !*end && within(row, (double)*field.integer);
        break;
    case GRAFT_RECIPE_SIDES:
        fits = graft_read_sides(value, field.integer);
        break;
    case GRAFT_RECIPE_REAL:
        *field.real = graft_read_number(value, &end);
        fits = end != value && !*end && within(row, *field.real);
        break;
    case GRAFT_RECIPE_BYTES:
        fits = read_bytes(value, field.bytes);
        break;
    case GRAFT_RECIPE_FLAG:
        *field.flag = strcmp(value, "true") == 0;
        if (!*field.flag && strcmp(value, "false") != 0)
            status = graft_fail(context, GRAFT_ERROR_ARGUMENT, "%s is true or false, not \"%s\"", row->flag,
                                value);
        break;
    case GRAFT_RECIPE_STAGES:
        status = read_stages(context, recipe, value);
        break;
    }
    if (!fits)
        status = refuse_number(context, row, value);
    *graft_recipe_bit(recipe, r) = status == GRAFT_OK;
    return status;
}

enum graft_status graft_recipe_set(struct graft_context *context, struct graft_recipe *recipe,
                                   const char *name, const char *value)
{
    const char *names[ROWS];
    for (int r = 0; r < ROWS; r++) {
        names[r] = rows[r].name;
        if (strcmp(rows[r].name, name) == 0)
            return set_row(context, recipe, r, value);
    }
    const char *const nearest = graft_text_nearest(name, names, ROWS);
    return graft_fail(context, GRAFT_ERROR_NOT_FOUND, "a recipe has no \"%s\"%s%s%s", name,
                      nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

/* As few digits as bring a double back to the bit. */
static void put_real(char *text, size_t size, double number)
{
    for (int digits = 6; digits <= 17; digits++) {
        (void)graft_format(text, size, "%.*g", digits, number);
        if (graft_read_number(text, NULL) == number)
            return;
    }
}

static void put_stages(const struct graft_recipe *recipe, char *text, size_t size)
{
    for (int s = 0; s < recipe->stage_count; s++) {
        const struct graft_fit_stage *const stage = &recipe->stages[s];
        char rate[32] = "", epochs[32] = "";
        if (stage->learning_rate > 0) {
            rate[0] = ':';
            put_real(rate + 1, sizeof rate - 1, stage->learning_rate);
        }
        if (stage->epochs > 0)
            (void)snprintf(epochs, sizeof epochs, ":%d", stage->epochs);
        const size_t used = strlen(text);
        (void)snprintf(text + used, size - used, "%s%s%s%s", s > 0 ? "," : "", stage->from, epochs, rate);
    }
}

char *graft_recipe_get(const struct graft_recipe *recipe, int index, char *text, size_t size)
{
    struct graft_recipe settled = *recipe;
    graft_recipe_settle(&settled);
    const union graft_recipe_field field = graft_recipe_field(&settled, index);
    text[0] = '\0';
    if (!*graft_recipe_bit(&settled, index))
        return text;
    switch (rows[index].kind) {
    case GRAFT_RECIPE_TEXT:
    case GRAFT_RECIPE_PATH:
    case GRAFT_RECIPE_CHOICE:
        (void)snprintf(text, size, "%s", *field.text);
        break;
    case GRAFT_RECIPE_INTEGER:
        (void)snprintf(text, size, "%lld", (long long)*field.integer);
        break;
    case GRAFT_RECIPE_SIDES:
        (void)snprintf(text, size, field.integer[1] ? "%lldx%lld" : "%lld", (long long)field.integer[0],
                       (long long)field.integer[1]);
        break;
    case GRAFT_RECIPE_BYTES:
        (void)snprintf(text, size, "%llu", (unsigned long long)*field.bytes);
        break;
    case GRAFT_RECIPE_REAL:
        put_real(text, size, *field.real);
        break;
    case GRAFT_RECIPE_FLAG:
        (void)snprintf(text, size, "%s", *field.flag ? "true" : "false");
        break;
    case GRAFT_RECIPE_STAGES:
        put_stages(&settled, text, size);
        break;
    }
    return text;
}

/* ---- what holds for every recipe */

/* Fields that a program has filled by itself. */
enum graft_status graft_recipe_check_row(struct graft_context *context, const struct graft_recipe *recipe,
                                         int r)
{
    const struct graft_recipe_row *const row = &rows[r];
    const union graft_recipe_field field = graft_recipe_field(recipe, r);
    char value[64];
    bool fits = true;
    if (row->kind == GRAFT_RECIPE_CHOICE)
        return check_choice(context, row, *field.text);
    if ((row->kind == GRAFT_RECIPE_TEXT || row->kind == GRAFT_RECIPE_PATH) && *field.text &&
        !graft_text_is_utf8(*field.text))
        return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                          "%s is '%s', which is not UTF-8 and cannot be kept in a run: rename it, or give a link to it",
                          row->flag, *field.text);
    if (row->kind == GRAFT_RECIPE_INTEGER)
        fits = within(row, (double)*field.integer);
    else if (row->kind == GRAFT_RECIPE_SIDES)
        fits = within(row, (double)field.integer[0]) &&
               (field.integer[1] == 0 || within(row, (double)field.integer[1]));
    else if (row->kind == GRAFT_RECIPE_REAL)
        fits = within(row, *field.real);
    else if (row->kind == GRAFT_RECIPE_BYTES)
        fits = within(row, (double)*field.bytes);
    return fits ? GRAFT_OK : refuse_number(context, row, graft_recipe_get(recipe, r, value, sizeof value));
}

static enum graft_status check_stages(struct graft_context *context, const struct graft_recipe *recipe)
{
    if (recipe->stage_count < 0 || recipe->stage_count > GRAFT_FIT_MAX_STAGES)
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "--stages has %d stages: it is 1 to %d",
                          recipe->stage_count, GRAFT_FIT_MAX_STAGES);
    for (int s = 0; s < recipe->stage_count; s++) {
        const struct graft_fit_stage *const stage = &recipe->stages[s];
        const bool ends = memchr(stage->from, '\0', sizeof stage->from) != NULL;
        if (!ends || stage->epochs < 0 || stage->epochs > GRAFT_MAX_EPOCHS || stage->micro_batch < 0 ||
            stage->micro_batch > GRAFT_MAX_BATCH ||
            !(stage->learning_rate >= 0 && stage->learning_rate <= GRAFT_MAX_RATE))
            return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                              "stage %.63s: %d epochs at learning rate %g make no sense", stage->from,
                              stage->epochs, stage->learning_rate);
    }
    return GRAFT_OK;
}

enum graft_status graft_recipe_check(struct graft_context *context, const struct graft_recipe *recipe)
{
    struct graft_recipe settled = *recipe;
    graft_recipe_settle(&settled);
    enum graft_status status = check_stages(context, &settled);
    for (int r = 0; r < ROWS && status == GRAFT_OK; r++)
        if (*graft_recipe_bit(&settled, r))
            status = graft_recipe_check_row(context, &settled, r);
    if (status != GRAFT_OK)
        return status;
    if (settled.given.freeze && settled.given.stages)
        return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                          "--freeze and --stages say the same thing: give one of them");
    char head[GRAFT_HEAD_TEXT];
    status = graft_head_join(context, settled.pool, settled.head, head);
    if (status == GRAFT_OK)
        status = graft_recipe_check_rates(context, &settled);
    if (status != GRAFT_OK || !settled.model)
        return status;
    struct graft_model *model = NULL;
    struct graft_network_source source;
    status = graft_network_source_open(context, settled.model, &source, NULL);
    if (status == GRAFT_OK && head[0])
        status = graft_network_source_put_head(context, head, &source);
    if (status == GRAFT_OK)
        status = graft_model_open_network(context, source.network, NULL, &model);
    if (status == GRAFT_OK)
        status = graft_recipe_find_stages(context, model, &settled);
    graft_model_close(&model);
    graft_network_source_close(&source);
    return status;
}

enum graft_status graft_recipe_unfrozen(struct graft_context *context, const struct graft_model *model,
                                        const char *frozen, char *stage, size_t size)
{
    const int index = graft_model_stage_find(model, frozen);
    char list[1024] = "";
    if (index >= 0 && index + 1 < model->stage_count) {
        (void)snprintf(stage, size, "%s", model->stages[index + 1].name);
        return GRAFT_OK;
    }
    for (int i = 0; i + 1 < model->stage_count; i++) {
        const size_t used = strlen(list);
        (void)snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? ", " : "", model->stages[i].name);
    }
    return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                      "--freeze takes a stage of %s other than its last, not \"%s\": %s", model->info->name,
                      frozen, list);
}

enum graft_status graft_recipe_find_stages(struct graft_context *context, const struct graft_model *model,
                                           struct graft_recipe *recipe)
{
    if (recipe->freeze && recipe->stage_count == 0) {
        recipe->stage_count = 1;
        recipe->stages[0] = (struct graft_fit_stage){.epochs = 0};
        return graft_recipe_unfrozen(context, model, recipe->freeze, recipe->stages[0].from,
                                     sizeof recipe->stages[0].from);
    }
    enum graft_status status = GRAFT_OK;
    int layer;
    for (int s = 0; s < recipe->stage_count && status == GRAFT_OK; s++)
        status = graft_model_part_find(context, model, recipe->stages[s].from, &layer);
    return status == GRAFT_ERROR_NOT_FOUND
               ? graft_fail(context, GRAFT_ERROR_ARGUMENT, "--stages: %s", graft_context_error(context))
               : status;
}

enum graft_status graft_recipe_defaults(struct graft_context *context, struct graft_recipe *recipe)
{
    enum graft_status status = GRAFT_OK;
    for (int r = 0; r < ROWS && status == GRAFT_OK; r++)
        if (rows[r].value && !*graft_recipe_bit(recipe, r))
            status = set_row(context, recipe, r, rows[r].value);
    return status;
}
