/* SPDX-License-Identifier: MIT */
/* Names of statuses, and failing with a message. */
#include "base/context_state.h"
#include "base/text.h"

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
static void format_line(char text[GRAFT_ERROR_SIZE], const char *format, va_list arguments)
{
    char raw[2 * GRAFT_ERROR_SIZE];
    const int length = graft_format_list(raw, sizeof raw, format, arguments);
    if (length < 0) {
        raw[0] = '\0';
    } else if ((size_t)length >= sizeof raw) {
        raw[graft_text_fit(raw, sizeof raw - 5)] = '\0'; /* no part of a character at the end */
    }
    (void)graft_text_show(raw, text, GRAFT_ERROR_SIZE);
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
    format_line(text, format, arguments);
    va_end(arguments);
    pthread_mutex_lock(&context->error_lock);
    memcpy(context->error, text, sizeof text);
    pthread_mutex_unlock(&context->error_lock);
    return status;
}

enum graft_status graft_context_fail(struct graft_context *context, enum graft_status status, const char *text)
{
    return graft_fail(context, status, "%s", text);
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
    format_line(text, format, arguments);
    va_end(arguments);
    char both[2 * GRAFT_ERROR_SIZE + 2];
    pthread_mutex_lock(&context->error_lock);
    snprintf(both, sizeof both, "%s: %s", text, context->error);
    (void)graft_text_show(both, context->error, sizeof context->error);
    pthread_mutex_unlock(&context->error_lock);
    return status;
}

void graft_keep_error(struct graft_context *context, struct graft_kept_error *kept)
{
    kept->text[0] = '\0';
    if (context == NULL) {
        return;
    }
    pthread_mutex_lock(&context->error_lock);
    memcpy(kept->text, context->error, sizeof kept->text);
    pthread_mutex_unlock(&context->error_lock);
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
    format_line(text, format, arguments);
    va_end(arguments);
    context->log(context->log_user, level, text);
}
