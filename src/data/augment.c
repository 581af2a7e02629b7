/* SPDX-License-Identifier: MIT */
/* Lists of augmentations as people write them:
 * "crop:0.5-1,flip,rotate:40,color:0.4,0.4,0.4,0.1,fill:reflect". */
#include "base/context.h"
#include "base/text.h"
#include "data/mix.h"
#include "data/transform.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define PART_SIZE 64

/* Presets are lists themselves. */
static const struct {
    const char *name, *list;
} presets[] = {
    {"light", "crop:0.5-1,flip,rotate:10,color:0.2,0.2,0.2,fill:reflect"},
    {"imagenet", "crop:0.08-1,flip"},
    {"keras", "flip,rotate:40,shift:0.2,shear:0.2,zoom:0.2,fill:nearest"},
};

/* What an item of the list makes, with the numbers that it has when none are written. `fields`: which of the
 * row's they fill, one after the other. */
struct item {
    const char *name;
    struct graft_transform step;
    int count;
    int fields[4];
};

static const struct item items[] = {
    {"crop",
     {.kind = GRAFT_TRANSFORM_RANDOM_CROP},
     2,
     {0, 1}}, /* with the numbers of graft_augment_default */
    {"flip", {.kind = GRAFT_TRANSFORM_FLIP, .flip = {0.5f}}, 1, {0}},
    {"rotate", {.kind = GRAFT_TRANSFORM_ROTATE, .turn = {.amount = 15}}, 1, {0}},
    {"shift", {.kind = GRAFT_TRANSFORM_SHIFT, .turn = {.amount = 0.1f}}, 1, {0}},
    {"shear", {.kind = GRAFT_TRANSFORM_SHEAR, .turn = {.amount = 10}}, 1, {0}},
    {"zoom", {.kind = GRAFT_TRANSFORM_ZOOM, .turn = {.amount = 0.2f}}, 1, {0}},
    {"color", {.kind = GRAFT_TRANSFORM_JITTER, .jitter = {0.4f, 0.4f, 0.4f, 0}}, 4, {0, 1, 2, 3}},
    {"gray", {.kind = GRAFT_TRANSFORM_GRAY, .gray = {0.1f}}, 1, {0}},
    {"blur", {.kind = GRAFT_TRANSFORM_BLUR, .blur = {{0.1f, 2}, 0.5f}}, 2, {0, 1}},
    {"erase", {.kind = GRAFT_TRANSFORM_ERASE, .erase = {0.25f, {0.02f, 0.33f}, {0.3f, 3.3f}}}, 3, {0, 1, 2}},
    {"trivial", {.kind = GRAFT_TRANSFORM_TRIVIAL}, 0, {0}},
    {"rand", {.kind = GRAFT_TRANSFORM_RAND, .policy = {.count = 2, .magnitude = 9}}, 2, {0, 1}},
};
/* What is done to whole batches. */
static const struct {
    const char *name;
    size_t offset; /* of the alpha in struct graft_mix */
    float usual;
} mixes[] = {
    {"mixup", offsetof(struct graft_mix, mixup), 0.2f},
    {"cutmix", offsetof(struct graft_mix, cutmix), 1},
};
#define MIXES (sizeof mixes / sizeof mixes[0])
#define ITEMS (sizeof items / sizeof items[0])
#define PRESETS (sizeof presets / sizeof presets[0])

struct parser {
    struct graft_context *context;
    const char *text; /* all of it */
    const char *at;
    const struct graft_preprocess *preprocess;
    struct graft_transforms *transforms;
    struct graft_mix *mix; /* NULL: nothing is mixed */
    enum graft_fill fill;
    bool has_crop;
};

static enum graft_status parse_list(struct parser *parser);

static enum graft_status fail(const struct parser *parser, const char *at, const char *problem)
{
    char shown[256];
    return graft_fail(parser->context, GRAFT_ERROR_ARGUMENT, "augmentation '%s', character %d: %s",
                      graft_text_show(parser->text, shown, sizeof shown), (int)(at - parser->text) + 1,
                      problem);
}

/* A name at *at, up to a colon, a comma or the end. */
static const char *read_name(struct parser *parser, char name[PART_SIZE])
{
    const char *const begin = parser->at;
    const size_t length = strcspn(begin, ":,");
    (void)snprintf(name, PART_SIZE, "%.*s", (int)(length < PART_SIZE ? length : PART_SIZE - 1), begin);
    parser->at += length;
    return begin;
}

static enum graft_status unknown(const struct parser *parser, const char *at, const char *name)
{
    const char *names[ITEMS + PRESETS + 1 + MIXES];
    const size_t count = ITEMS + PRESETS + 1 + (parser->mix ? MIXES : 0);
    char problem[256], shown[PART_SIZE];
    for (size_t i = 0; i < ITEMS; i++) {
        names[i] = items[i].name;
    }
    for (size_t i = 0; i < PRESETS; i++) {
        names[ITEMS + i] = presets[i].name;
    }
    names[ITEMS + PRESETS] = "fill";
    for (size_t i = 0; i < MIXES; i++) {
        names[ITEMS + PRESETS + 1 + i] = mixes[i].name;
    }
    const char *const nearest = graft_text_nearest(name, names, count);
    struct graft_text all = {0};
    for (size_t i = 0; !nearest && i < count; i++) {
        graft_text_append(parser->context, &all, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    (void)graft_format(problem, sizeof problem,
                       nearest ? "there is no '%s'; did you mean '%s'?" : "there is no '%s'; there are %s",
                       graft_text_show(name, shown, sizeof shown),
                       nearest      ? nearest
                       : all.failed ? "others"
                                    : all.data);
    graft_text_close(parser->context, &all);
    return fail(parser, at, problem);
}

/* The numbers of an item: "0.4,0.4", "0.5-1,0.75-1.33"; a comma goes on with them if a number follows. */
static enum graft_status read_numbers(struct parser *parser, const struct item *item,
                                      struct graft_transform *step)
{
    const struct graft_transform_row *const row = graft_transform_row(step->kind);
    for (int i = 0;; i++) {
        const char *const begin = ++parser->at;
        char *end;
        float values[2];
        values[0] = values[1] = (float)graft_read_number(begin, &end);
        if (end == begin || !isfinite(values[0])) {
            return fail(parser, begin, "a number is expected");
        }
        if (i == item->count) {
            return fail(parser, begin, item->count > 0 ? "that is a number too many" : "it takes no numbers");
        }
        const struct graft_transform_field *const field = &row->fields[item->fields[i]];
        char *const to = (char *)step + field->offset;
        if (field->type == GRAFT_FIELD_RANGE && *end == '-') {
            const char *const second = end + 1;
            values[1] = (float)graft_read_number(second, &end);
            if (end == second || !isfinite(values[1])) {
                return fail(parser, second, "a number is expected");
            }
        }
        const int32_t integer = fabsf(values[0]) < 1e6f ? (int32_t)values[0] : -1;
        if (field->type == GRAFT_FIELD_INTEGER && (float)integer != values[0]) {
            return fail(parser, begin, "a whole number is expected");
        }
        if (field->type == GRAFT_FIELD_INTEGER) {
            memcpy(to, &integer, sizeof integer);
        } else {
            memcpy(to, values, field->type == GRAFT_FIELD_RANGE ? sizeof values : sizeof values[0]);
        }
        parser->at = end;
        if (*end != '\0' && *end != ',') {
            return fail(parser, end, "a comma is expected");
        }
        if (*end == '\0' || !strchr("0123456789.+-", end[1]) || end[1] == '\0') {
            return GRAFT_OK;
        }
    }
}

static enum graft_status add(struct parser *parser, const char *at, const struct item *item,
                             const struct graft_transform *step)
{
    struct graft_transforms *const all = parser->transforms;
    if (all->count == GRAFT_TRANSFORM_LIMIT) {
        return fail(parser, at, "that is a step too many; there may be 16");
    }
    all->steps[all->count++] = *step;
    /* Checked by itself here, so that the message names the place. */
    const struct graft_transforms one = {.count = 2, .steps = {{.kind = GRAFT_TRANSFORM_CENTER_CROP}, *step}};
    const enum graft_status status = graft_transforms_check(parser->context, &one);
    struct graft_kept_error kept;
    if (status == GRAFT_OK) {
        return GRAFT_OK;
    }
    graft_keep_error(parser->context, &kept);
    const char *const said = strchr(kept.text, ':');
    char problem[256];
    (void)snprintf(problem, sizeof problem, "%s%s", item->name, said ? said : "");
    return fail(parser, at, problem);
}

static enum graft_status read_fill(struct parser *parser, const char *at)
{
    char name[PART_SIZE];
    if (*parser->at != ':') {
        return fail(parser, at, "fill:constant, fill:nearest, fill:reflect or fill:wrap is expected");
    }
    parser->at++;
    at = read_name(parser, name);
    const char *known;
    for (int i = 0; (known = graft_fill_name((enum graft_fill)i)) != NULL; i++) {
        if (strcmp(name, known) == 0) {
            parser->fill = (enum graft_fill)i;
            return GRAFT_OK;
        }
    }
    return fail(parser, at, "the fill is constant, nearest, reflect or wrap");
}

/* mixup:0.2, cutmix:1 */
static enum graft_status read_mix(struct parser *parser, const char *at, size_t which)
{
    char *const to = (char *)parser->mix + mixes[which].offset;
    float alpha = mixes[which].usual, before;
    memcpy(&before, to, sizeof before);
    if (before != 0) {
        return fail(parser, at, "that stands there already");
    }
    if (*parser->at == ':') {
        const char *const begin = parser->at + 1;
        char *end;
        alpha = (float)graft_read_number(begin, &end);
        if (end == begin) {
            return fail(parser, begin, "a number is expected");
        }
        if (!((double)alpha >= GRAFT_MIX_LEAST && (double)alpha <= GRAFT_MIX_MOST)) {
            return fail(parser, begin, "alpha is from 0.001 to 1000");
        }
        parser->at = end;
    }
    memcpy(to, &alpha, sizeof alpha);
    return GRAFT_OK;
}

static enum graft_status read_item(struct parser *parser)
{
    char name[PART_SIZE];
    const char *const at = read_name(parser, name);
    if (strcmp(name, "fill") == 0) {
        return read_fill(parser, at);
    }
    for (size_t i = 0; i < MIXES && parser->mix; i++) {
        if (strcmp(name, mixes[i].name) == 0) {
            return read_mix(parser, at, i);
        }
    }
    for (size_t i = 0; i < PRESETS; i++) {
        if (strcmp(name, presets[i].name) == 0) {
            struct parser inner = *parser;
            inner.text = inner.at = presets[i].list;
            const enum graft_status status = parse_list(&inner);
            parser->fill = inner.fill;
            parser->has_crop = inner.has_crop;
            return status;
        }
    }
    for (size_t i = 0; i < ITEMS; i++) {
        if (strcmp(name, items[i].name) == 0) {
            struct graft_transform step = items[i].step;
            if (step.kind == GRAFT_TRANSFORM_RANDOM_CROP) {
                step = graft_augment_default(parser->preprocess).steps[0];
                parser->has_crop = true;
            }
            const enum graft_status status =
                *parser->at == ':' ? read_numbers(parser, &items[i], &step) : GRAFT_OK;
            return status == GRAFT_OK ? add(parser, at, &items[i], &step) : status;
        }
    }
    return unknown(parser, at, name);
}

static enum graft_status parse_list(struct parser *parser)
{
    for (;;) {
        const enum graft_status status = read_item(parser);
        if (status != GRAFT_OK || *parser->at == '\0') {
            return status;
        }
        if (*parser->at != ',') {
            return fail(parser, parser->at, "a comma is expected");
        }
        parser->at++;
    }
}

static void fill_all(struct graft_transforms *transforms, enum graft_fill fill)
{
    for (int32_t i = 0; i < transforms->count; i++) {
        struct graft_transform *const step = &transforms->steps[i];
        const struct graft_transform_row *const row = graft_transform_row(step->kind);
        for (int f = 0; f < GRAFT_TRANSFORM_FIELDS && row->fields[f].name; f++) {
            if (row->fields[f].type == GRAFT_FIELD_FILL) {
                memcpy((char *)step + row->fields[f].offset, &fill, sizeof fill);
            }
        }
    }
}

enum graft_status graft_augment_parse(struct graft_context *context, const char *text,
                                      const struct graft_preprocess *preprocess,
                                      struct graft_transforms *transforms, struct graft_mix *mix)
{
    struct graft_transforms own = {0};
    struct parser parser = {context, text, text, preprocess, &own, mix, GRAFT_FILL_CONSTANT, false};
    *transforms = (struct graft_transforms){0};
    if (mix) {
        *mix = (struct graft_mix){0};
    }
    enum graft_status status = parse_list(&parser);
    if (status != GRAFT_OK) {
        return status;
    }
    fill_all(&own, parser.fill);
    if (!parser.has_crop) {
        *transforms = preprocess->transforms;
    }
    if (transforms->count + own.count > GRAFT_TRANSFORM_LIMIT) {
        return fail(&parser, text, "with the steps of preprocessing these are too many; there may be 16");
    }
    memcpy(transforms->steps + transforms->count, own.steps, (size_t)own.count * sizeof own.steps[0]);
    transforms->count += own.count;
    status = graft_transforms_check(context, transforms);
    return status;
}
