/* SPDX-License-Identifier: MIT */
/* Lines of the log that wait: what is found out later is to be read before them. */
#ifndef GRAFT_SRC_BASE_LOG_HOLD_H
#define GRAFT_SRC_BASE_LOG_HOLD_H

#include "base/text.h"

/* Zero it before use; it stays where it is until the lines are told. */
struct graft_log_hold {
    struct graft_context *context; /* NULL: nothing is held */
    void (*log)(void *user, enum graft_log_level level, const char *text);
    void *log_user;
    struct graft_text lines;
};

/* From now on remarks and warnings of the context wait; progress does not. Of a fork, and while nobody else logs or forks
 * it. Where memory is short for it a line is told at once. */
void graft_log_hold(struct graft_context *context, struct graft_log_hold *hold);
/* Ends it: from now on lines are told at once, those that wait … */
void graft_log_end_hold(struct graft_log_hold *hold);
/* … now. */
void graft_log_tell_held(struct graft_context *context, struct graft_log_hold *hold);

#endif
