/* SPDX-License-Identifier: MIT */
#include "data/fault.h"

#include "base/context.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NAME_LIMIT 800

static void write_text(struct graft_fault *fault, const char *name, const char *format, va_list arguments)
{
    size_t used = 0;
    fault->text[0] = '\0';
    if (name) {
        const size_t length = strlen(name);
        const bool cut = length > NAME_LIMIT;
        const int written = snprintf(fault->text, sizeof fault->text, "%s%s: ", cut ? "…" : "",
                                     cut ? name + (length - NAME_LIMIT) : name);
        used = written > 0 ? (size_t)written : 0;
    }
    graft_format_list(fault->text + used, sizeof fault->text - used, format, arguments);
}

enum graft_status graft_fault_set(struct graft_fault *fault, enum graft_status status, const char *name,
                                  const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fault->status = status;
    write_text(fault, name, format, arguments);
    va_end(arguments);
    return status;
}

void graft_fault_warn(struct graft_fault *fault, const char *name, const char *format, ...)
{
    if (graft_fault_suspect(fault)) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    fault->status = GRAFT_OK;
    write_text(fault, name, format, arguments);
    va_end(arguments);
}

enum graft_status graft_fault_report(struct graft_context *context, const struct graft_fault *fault)
{
    return graft_fail(context, fault->status, "%s", fault->text);
}
