/* SPDX-License-Identifier: MIT */
#include "io/json.h"

#include "base/context.h"

#include <errno.h>

struct feed {
    const char *at;
    size_t left;
    bool memory; /* was short */
};

/* A byte at a time: the parser ignores that it had no memory to keep a character, and sets errno to 0 with
 * the next number, so that one has to look after each. */
static size_t feed_byte(void *to, size_t size, void *argument)
{
    struct feed *const feed = argument;
    feed->memory = feed->memory || errno == ENOMEM;
    if (feed->memory || feed->left == 0 || size == 0) {
        return 0;
    }
    *(char *)to = *feed->at++;
    feed->left--;
    return 1;
}

enum graft_status graft_json_read(struct graft_context *context, const char *text, size_t size, size_t flags,
                                  const char *what, json_t **value, json_error_t *error)
{
    struct feed feed = {.at = text, .left = size};
    errno = 0;
    *value = json_load_callback(feed_byte, &feed, flags, error);
    feed.memory = feed.memory || errno == ENOMEM;
    if (*value != NULL && !feed.memory) {
        return GRAFT_OK;
    }
    json_decref(*value);
    *value = NULL;
    return feed.memory ? graft_fail(context, GRAFT_ERROR_MEMORY, "%s: no memory for its JSON", what)
                       : GRAFT_ERROR_FORMAT;
}

/* After each call that may fail: `good` is whether it did not. */
static void note(struct graft_json *json, bool good)
{
    if (!good) {
        json->memory = json->memory || errno == ENOMEM;
        json->failed = true;
    }
    errno = 0;
}

struct graft_json graft_json_object(void)
{
    struct graft_json json = {0};
    errno = 0;
    json.value = json_object();
    note(&json, json.value != NULL);
    return json;
}

struct graft_json graft_json_array(void)
{
    struct graft_json json = {0};
    errno = 0;
    json.value = json_array();
    note(&json, json.value != NULL);
    return json;
}

void graft_json_set(struct graft_json *object, const char *key, json_t *value)
{
    note(object, json_object_set_new(object->value, key, value) == 0);
}

void graft_json_append(struct graft_json *array, json_t *value)
{
    note(array, json_array_append_new(array->value, value) == 0);
}

/* The value of `inner`, whose failures become those of `outer`. */
static json_t *take(struct graft_json *outer, struct graft_json *inner)
{
    json_t *const value = inner->value;
    outer->failed = outer->failed || inner->failed;
    outer->memory = outer->memory || inner->memory;
    *inner = (struct graft_json){0};
    return value;
}

void graft_json_nest(struct graft_json *object, const char *key, struct graft_json *inner)
{
    graft_json_set(object, key, take(object, inner));
}

void graft_json_add(struct graft_json *array, struct graft_json *inner)
{
    graft_json_append(array, take(array, inner));
}

void graft_json_close(struct graft_json *json)
{
    json_decref(json->value);
    *json = (struct graft_json){0};
}

enum graft_status graft_json_status(struct graft_context *context, const struct graft_json *json,
                                    const char *what)
{
    if (json->memory) {
        return graft_fail(context, GRAFT_ERROR_MEMORY, "%s: no memory for its JSON", what);
    }
    return json->failed ? graft_fail(context, GRAFT_ERROR_ARGUMENT,
                                     "%s cannot be written as JSON: a text is not UTF-8", what)
                        : GRAFT_OK;
}

/* Into memory of the right size: a dump that has to grow its memory ignores some failures to do so. */
enum graft_status graft_json_write(struct graft_context *context, struct graft_json *json, size_t flags,
                                   const char *what, char **text, size_t *size)
{
    *text = NULL;
    enum graft_status status = graft_json_status(context, json, what);
    errno = 0;
    *size = status == GRAFT_OK ? json_dumpb(json->value, NULL, 0, flags) : 0;
    if (status == GRAFT_OK) {
        note(json, *size > 0);
        status = graft_json_status(context, json, what);
    }
    char *data = status == GRAFT_OK ? graft_allocate_raw(context, *size + 1, 1) : NULL;
    if (status == GRAFT_OK && data == NULL) {
        status = GRAFT_ERROR_MEMORY;
    }
    if (status == GRAFT_OK) {
        errno = 0;
        note(json, json_dumpb(json->value, data, *size, flags) == *size);
        status = graft_json_status(context, json, what);
    }
    graft_json_close(json);
    if (status != GRAFT_OK) {
        graft_release(context, data);
        return status;
    }
    data[*size] = '\0';
    *text = data;
    return GRAFT_OK;
}
