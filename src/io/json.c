/* SPDX-License-Identifier: MIT */
#include "io/json.h"

#include "base/context.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * The parser ignores that it had no memory to keep a character of a token; without its closing quote it runs
 * past the end of a string, and writes there. So its memory for tokens has to be large enough before the
 * first string: it is given "[0.000…," TEXT "]", with as many digits as the longest token has characters. It
 * also sets errno to 0 with each number, so that it is looked at after each character.
 */
struct feed {
    size_t zeros; /* still to be given */
    int stage;    /* 0 "[0.", 1 zeros, 2 ",", 3 the text, 4 "]" */
    size_t at;    /* within the stage */
    const char *text;
    size_t size;
    bool memory; /* was short */
};

static const char *const open_text = "[0.", *const comma_text = ",", *const close_text = "]";

static size_t feed_byte(void *to, size_t room, void *argument)
{
    struct feed *const feed = argument;
    feed->memory = feed->memory || errno == ENOMEM;
    while (!feed->memory && room > 0 && feed->stage < 5) {
        const char *const text = feed->stage == 0   ? open_text
                                 : feed->stage == 2 ? comma_text
                                 : feed->stage == 3 ? feed->text
                                                    : close_text;
        const size_t size = feed->stage == 1 ? feed->zeros : feed->stage == 3 ? feed->size : strlen(text);
        if (feed->at < size) {
            *(char *)to = feed->stage == 1 ? '0' : text[feed->at];
            feed->at++;
            return 1;
        }
        feed->stage++;
        feed->at = 0;
    }
    return 0;
}

/* Characters of the longest text, number or word, at least; quotes included. */
static size_t longest_token(const char *text, size_t size)
{
    size_t longest = 0;
    for (size_t i = 0; i < size;) {
        const size_t begin = i;
        if (text[i] == '"') {
            for (i++; i < size && text[i] != '"'; i++) {
                i += text[i] == '\\';
            }
            i++;
        } else {
            while (i < size && text[i] != '"' && strchr(" \t\r\n{}[]:,", text[i]) == NULL) {
                i++;
            }
            i += i == begin;
        }
        longest = i - begin > longest ? i - begin : longest;
    }
    return longest;
}

/* Is everything closed that begins before `end`? */
static bool is_outside(const char *text, size_t end)
{
    int64_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < end; i++) {
        if (quoted && text[i] == '\\') {
            i++;
        } else if (text[i] == '"') {
            quoted = !quoted;
        } else if (!quoted) {
            depth += (text[i] == '{' || text[i] == '[') - (text[i] == '}' || text[i] == ']');
        }
    }
    return depth <= 0 && !quoted;
}

/* The parser's words are about what it was given: they become about the text. */
static void reword(json_error_t *error, const char *text, size_t size, size_t before)
{
    const size_t given = error->position > 0 ? (size_t)error->position : 0;
    const size_t at = given <= before ? 0 : given - before < size ? given - before : size;
    error->position = (int)at;
    if (at == size && !is_outside(text, size)) {
        snprintf(error->text, sizeof error->text, "it ends too early");
    } else if (at > 0 && is_outside(text, at - 1)) {
        snprintf(error->text, sizeof error->text, "end of file expected");
    }
}

enum graft_status graft_json_read(struct graft_context *context, const char *text, size_t size, size_t flags,
                                  const char *what, json_t **value, json_error_t *error)
{
    struct feed feed = {.zeros = longest_token(text, size) + 8, .text = text, .size = size};
    const size_t before = strlen(open_text) + feed.zeros + strlen(comma_text);
    errno = 0;
    json_t *const list = json_load_callback(feed_byte, &feed, flags, error);
    feed.memory = feed.memory || errno == ENOMEM;
    *value = !feed.memory && json_array_size(list) == 2 ? json_incref(json_array_get(list, 1)) : NULL;
    json_decref(list);
    if (*value != NULL) {
        return GRAFT_OK;
    }
    if (list != NULL) { /* two values or none, as it were */
        error->position = (int)(before + size);
    }
    reword(error, text, size, before);
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
