/* SPDX-License-Identifier: MIT */
#include "data/fault.h"

#include "base/context.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NAME_LIMIT 800

enum graft_status graft_fault_set(struct graft_fault *fault, enum graft_status status, const char *name,
                                  const char *format, ...)
{
    size_t used = 0;
    fault->status = status;
    fault->text[0] = '\0';
    if (name) {
        const size_t length = strlen(name);
        const bool cut = length > NAME_LIMIT;
        const int written = snprintf(fault->text, sizeof fault->text, "%s%s: ", cut ? "…" : "",
                                     cut ? name + (length - NAME_LIMIT) : name);
        used = written > 0 ? (size_t)written : 0;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fault->text + used, sizeof fault->text - used, format, arguments);
    va_end(arguments);
    return status;
}

enum graft_status graft_fault_report(struct graft_context *context, const struct graft_fault *fault)
{
    return graft_fail(context, fault->status, "%s", fault->text);
}
