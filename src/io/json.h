/* SPDX-License-Identifier: MIT */
/*
 * JSON by jansson, whose memory is the C library's. Where that is short, jansson does not always tell it from
 * bad input, leaves out characters, and may write where it must not; here it is GRAFT_ERROR_MEMORY, always.
 * (malloc sets errno to ENOMEM when it fails; nothing else that jansson calls does.)
 */
#ifndef GRAFT_SRC_IO_JSON_H
#define GRAFT_SRC_IO_JSON_H

#include "graft/base.h"

#include <jansson.h>

/* Parses a text. GRAFT_ERROR_MEMORY, with a message that names `what` (a file); GRAFT_ERROR_FORMAT, with the
 * place in `error` and no message: the caller knows what to say. The value is released with json_decref. */
GRAFT_MUST_CHECK enum graft_status graft_json_read(struct graft_context *context, const char *text,
                                                   size_t size, size_t flags, const char *what,
                                                   json_t **value, json_error_t *error);

/*
 * A value in the making, which remembers what failed so that a caller looks once, at the end. `value`
 * arguments are taken over, also on failure; NULL (of json_string and others that failed) is a failure.
 */
struct graft_json {
    json_t *value;
    bool failed; /* a text that is not UTF-8, or … */
    bool memory; /* … no memory */
};
struct graft_json graft_json_object(void);
struct graft_json graft_json_array(void);
void graft_json_set(struct graft_json *object, const char *key, json_t *value);
void graft_json_append(struct graft_json *array, json_t *value);
/* An inner object or array, with its failures; it is closed. */
void graft_json_add(struct graft_json *array, struct graft_json *inner);
void graft_json_nest(struct graft_json *object, const char *key, struct graft_json *inner);
void graft_json_close(struct graft_json *json);

/* GRAFT_OK; GRAFT_ERROR_MEMORY; or GRAFT_ERROR_ARGUMENT: a text is not UTF-8. `what` is the message's
 * subject. */
GRAFT_MUST_CHECK enum graft_status graft_json_status(struct graft_context *context,
                                                     const struct graft_json *json, const char *what);

/* The value as text, ended by a zero that `size` does not count; release it with graft_release. Closes the
 * value. Statuses of graft_json_status. */
GRAFT_MUST_CHECK enum graft_status graft_json_write(struct graft_context *context, struct graft_json *json,
                                                    size_t flags, const char *what, char **text,
                                                    size_t *size);

#endif
