/* SPDX-License-Identifier: MIT */
#include "base/log_hold.h"

#include "base/context_state.h"

#include <string.h>

/* A character for the level, the text, a newline: a line of the log has none. */
static void keep_line(void *user, enum graft_log_level level, const char *text)
{
    struct graft_log_hold *const hold = user;
    const size_t before = hold->lines.length;
    if (level != GRAFT_LOG_PROGRESS) {
        graft_text_append(hold->context, &hold->lines, "%c%s\n", (char)('0' + level), text);
    }
    if (hold->lines.length == before) {
        hold->log(hold->log_user, level, text);
    }
}

void graft_log_hold(struct graft_context *context, struct graft_log_hold *hold)
{
    if (context->log == NULL) {
        return;
    }
    hold->context = context;
    hold->log = context->log;
    hold->log_user = context->log_user;
    context->log = keep_line;
    context->log_user = hold;
}

void graft_log_end_hold(struct graft_log_hold *hold)
{
    if (hold->context != NULL) {
        hold->context->log = hold->log;
        hold->context->log_user = hold->log_user;
        hold->context = NULL;
    }
}

void graft_log_tell_held(struct graft_context *context, struct graft_log_hold *hold)
{
    char *line = hold->lines.data;
    for (char *end; line != NULL && (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        hold->log(hold->log_user, (enum graft_log_level)(line[0] - '0'), line + 1);
    }
    graft_text_close(context, &hold->lines);
}
