/* SPDX-License-Identifier: MIT */
/* Names of statuses, and failing with a message. */
#include "base/context_state.h"

#include <stdio.h>
#include <string.h>

const char *graft_status_name(enum graft_status status)
{
    switch (status) {
    case GRAFT_OK:
        return "done";
    case GRAFT_ERROR_ARGUMENT:
        return "wrong argument";
    case GRAFT_ERROR_SHAPE:
        return "shapes do not fit";
    case GRAFT_ERROR_MEMORY:
        return "out of memory";
    case GRAFT_ERROR_IO:
        return "input or output failed";
    case GRAFT_ERROR_FORMAT:
        return "file format";
    case GRAFT_ERROR_NOT_FOUND:
        return "not found";
    case GRAFT_ERROR_UNSUPPORTED:
        return "unsupported";
    case GRAFT_ERROR_DEVICE:
        return "device failure";
    case GRAFT_ERROR_NUMERIC:
        return "not a number";
    case GRAFT_ERROR_CANCELLED:
        return "cancelled";
    }
    return "unknown status";
}

/* Names in messages may come from hostile files: a message stays one line and sends no terminal commands. */
static void make_one_line(char *text)
{
    for (; *text != '\0'; text++) {
        const unsigned char byte = (unsigned char)*text;
        if (byte < 0x20 || byte == 0x7f) {
            *text = '?';
        }
    }
}

enum graft_status graft_fail(struct graft_context *context, enum graft_status status, const char *format, ...)
{
    if (context == NULL) {
        return status;
    }
    /* Formatted aside, because an argument may be the message that is there now. */
    char text[GRAFT_ERROR_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    make_one_line(text);
    pthread_mutex_lock(&context->error_lock);
    memcpy(context->error, text, sizeof text);
    pthread_mutex_unlock(&context->error_lock);
    return status;
}

enum graft_status graft_fail_prefix(struct graft_context *context, enum graft_status status,
                                    const char *format, ...)
{
    if (context == NULL) {
        return status;
    }
    char text[GRAFT_ERROR_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    make_one_line(text);
    const size_t length = strnlen(text, sizeof text - 3);
    memcpy(text + length, ": ", 3);
    pthread_mutex_lock(&context->error_lock);
    const size_t room = sizeof text - 1 - (length + 2);
    const size_t kept = strnlen(context->error, room);
    memcpy(text + length + 2, context->error, kept);
    text[length + 2 + kept] = '\0';
    memcpy(context->error, text, sizeof text);
    pthread_mutex_unlock(&context->error_lock);
    return status;
}

void graft_keep_error(const struct graft_context *context, struct graft_kept_error *kept)
{
    snprintf(kept->text, sizeof kept->text, "%s", graft_context_error(context));
}

void graft_restore_error(struct graft_context *context, const struct graft_kept_error *kept)
{
    (void)graft_fail(context, GRAFT_OK, "%s", kept->text);
}

void graft_log(struct graft_context *context, enum graft_log_level level, const char *format, ...)
{
    if (context == NULL || context->log == NULL) {
        return;
    }
    char text[GRAFT_ERROR_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    make_one_line(text);
    context->log(context->log_user, level, text);
}
