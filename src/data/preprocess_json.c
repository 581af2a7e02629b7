/* SPDX-License-Identifier: MIT */
#include "data/preprocess_json.h"

#include "base/context.h"
#include "data/transform.h"

#include <math.h>
#include <string.h>

static json_t *field_json(const struct graft_transform *step, const struct graft_transform_field *field)
{
    const char *const at = (const char *)step + field->offset;
    int32_t integer;
    float real[2];
    switch (field->type) {
    case GRAFT_FIELD_INTEGER:
        memcpy(&integer, at, sizeof integer);
        return json_integer(integer);
    case GRAFT_FIELD_REAL:
        memcpy(real, at, sizeof real[0]);
        return json_real((double)real[0]);
    case GRAFT_FIELD_RANGE:
        memcpy(real, at, sizeof real);
        return json_pack("[f,f]", (double)real[0], (double)real[1]);
    case GRAFT_FIELD_FILTER:
    case GRAFT_FIELD_FILL:
        memcpy(&integer, at, sizeof integer);
        return json_string(graft_transform_value_name(field->type, integer));
    }
    return NULL;
}

struct graft_json graft_transforms_json(const struct graft_transforms *transforms)
{
    struct graft_json list = graft_json_array();
    for (int32_t i = 0; i < transforms->count; i++) {
        const struct graft_transform *const step = &transforms->steps[i];
        const struct graft_transform_row *const row = graft_transform_row(step->kind);
        struct graft_json object = graft_json_object();
        graft_json_set(&object, "kind", json_string(row->name));
        for (int f = 0; f < GRAFT_TRANSFORM_FIELDS && row->fields[f].name; f++) {
            graft_json_set(&object, row->fields[f].name, field_json(step, &row->fields[f]));
        }
        graft_json_add(&list, &object);
    }
    return list;
}

static struct graft_json three(const float values[3])
{
    struct graft_json list = graft_json_array();
    for (int i = 0; i < 3; i++) {
        graft_json_append(&list, json_real((double)values[i]));
    }
    return list;
}

struct graft_json graft_preprocess_json(const struct graft_preprocess *preprocess)
{
    const struct graft_preprocess *const p = preprocess;
    struct graft_json object = graft_json_object(), mean = three(p->mean), std = three(p->std);
    struct graft_json transforms = graft_transforms_json(&p->transforms);
    graft_json_set(&object, "crop_height", json_integer(p->crop_height));
    graft_json_set(&object, "crop_width", json_integer(p->crop_width));
    graft_json_set(&object, "channels", json_integer(p->channels));
    graft_json_nest(&object, "mean", &mean);
    graft_json_nest(&object, "std", &std);
    graft_json_set(&object, "ignore_orientation", json_boolean(p->ignore_orientation));
    graft_json_set(&object, "scaled", json_boolean(p->scaled));
    graft_json_nest(&object, "transforms", &transforms);
    return object;
}

static bool read_integer(const json_t *value, int32_t *integer)
{
    const json_int_t number = json_integer_value(value);
    *integer = number >= INT32_MIN && number <= INT32_MAX ? (int32_t)number : -1;
    return json_is_integer(value) && number == *integer;
}

static bool read_real(const json_t *value, float *real)
{
    const double number = json_number_value(value);
    const bool fits = json_is_number(value) && fabs(number) < 1e30;
    *real = fits ? (float)number : 0;
    return fits;
}

static bool read_name(const json_t *value, enum graft_transform_field_type type, int32_t *number)
{
    const char *const text = json_string_value(value);
    const char *name = NULL;
    for (int32_t i = 0; text && (name = graft_transform_value_name(type, i)) != NULL; i++) {
        if (strcmp(text, name) == 0) {
            *number = i;
            return true;
        }
    }
    return false;
}

static bool read_field(const json_t *value, const struct graft_transform_field *field,
                       struct graft_transform *step)
{
    char *const at = (char *)step + field->offset;
    int32_t integer = 0;
    float real[2] = {0, 0};
    bool fits = false;
    switch (field->type) {
    case GRAFT_FIELD_INTEGER:
        fits = read_integer(value, &integer);
        memcpy(at, &integer, sizeof integer);
        break;
    case GRAFT_FIELD_REAL:
        fits = read_real(value, &real[0]);
        memcpy(at, real, sizeof real[0]);
        break;
    case GRAFT_FIELD_RANGE:
        fits = read_real(json_array_get(value, 0), &real[0]) && read_real(json_array_get(value, 1), &real[1]);
        memcpy(at, real, sizeof real);
        break;
    case GRAFT_FIELD_FILTER:
    case GRAFT_FIELD_FILL:
        fits = read_name(value, field->type, &integer);
        memcpy(at, &integer, sizeof integer);
        break;
    }
    return fits;
}

static enum graft_status read_step(struct graft_context *context, const json_t *object, const char *what,
                                   struct graft_transform *step)
{
    const char *const name = json_string_value(json_object_get(object, "kind"));
    const struct graft_transform_row *row = NULL;
    *step = (struct graft_transform){0};
    for (int i = 0; name && (row = graft_transform_row((enum graft_transform_kind)i)) != NULL; i++) {
        if (strcmp(name, row->name) == 0) {
            step->kind = (enum graft_transform_kind)i;
            break;
        }
    }
    if (!row) {
        return graft_fail(context, GRAFT_ERROR_FORMAT,
                          "%s: this version of Graft knows no transform \"%.64s\"", what, name ? name : "");
    }
    for (int f = 0; f < GRAFT_TRANSFORM_FIELDS && row->fields[f].name; f++) {
        if (!read_field(json_object_get(object, row->fields[f].name), &row->fields[f], step)) {
            return graft_fail(context, GRAFT_ERROR_FORMAT, "%s: %s of the transform \"%s\" is damaged", what,
                              row->fields[f].name, row->name);
        }
    }
    return GRAFT_OK;
}

enum graft_status graft_transforms_from_json(struct graft_context *context, const json_t *list,
                                             const char *what, struct graft_transforms *transforms)
{
    const size_t count = json_array_size(list);
    *transforms = (struct graft_transforms){0};
    if (count < 1 || count > GRAFT_TRANSFORM_LIMIT) {
        return graft_fail(context, GRAFT_ERROR_FORMAT, "%s: the list of transforms is damaged", what);
    }
    for (size_t i = 0; i < count; i++) {
        const enum graft_status status =
            read_step(context, json_array_get(list, i), what, &transforms->steps[i]);
        if (status != GRAFT_OK) {
            return status;
        }
    }
    transforms->count = (int32_t)count;
    return GRAFT_OK;
}

/* As it was before there was a list. */
static bool read_old_transforms(const json_t *object, struct graft_transforms *transforms)
{
    int32_t filter, side;
    const bool fits = read_name(json_object_get(object, "filter"), GRAFT_FIELD_FILTER, &filter) &&
                      read_integer(json_object_get(object, "resize_short_side"), &side);
    if (fits) {
        *transforms = graft_transforms_usual(side, (enum graft_filter)filter);
    }
    return fits && side >= 0;
}

enum graft_status graft_preprocess_from_json(struct graft_context *context, const json_t *object,
                                             const char *what, struct graft_preprocess *preprocess)
{
    struct graft_preprocess *const p = preprocess;
    *p = (struct graft_preprocess){0};
    bool fits = read_integer(json_object_get(object, "crop_height"), &p->crop_height) &&
                read_integer(json_object_get(object, "crop_width"), &p->crop_width) &&
                read_integer(json_object_get(object, "channels"), &p->channels);
    for (size_t i = 0; i < 3 && fits; i++) {
        fits = read_real(json_array_get(json_object_get(object, "mean"), i), &p->mean[i]) &&
               read_real(json_array_get(json_object_get(object, "std"), i), &p->std[i]);
    }
    p->ignore_orientation = json_is_true(json_object_get(object, "ignore_orientation"));
    p->scaled = json_is_true(json_object_get(object, "scaled")); /* older weights do not say it */
    const json_t *const list = json_object_get(object, "transforms");
    if (fits && list) {
        const enum graft_status status = graft_transforms_from_json(context, list, what, &p->transforms);
        if (status != GRAFT_OK) {
            return status;
        }
    } else if (!fits || !read_old_transforms(object, &p->transforms)) {
        return graft_fail(context, GRAFT_ERROR_FORMAT, "%s: the preprocessing is damaged", what);
    }
    const enum graft_status status = graft_preprocess_check(context, p);
    return status == GRAFT_OK ? GRAFT_OK : graft_fail_prefix(context, GRAFT_ERROR_FORMAT, "%s", what);
}
