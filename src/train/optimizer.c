/* SPDX-License-Identifier: MIT */
/* Names and usual values of optimizers and schedules. */
#include "base/context.h"
#include "base/text.h"
#include "graft/train.h"

#include <stdio.h>
#include <string.h>

static const char *const optimizer_names[] = {
    [GRAFT_SGD] = "sgd", [GRAFT_ADAM] = "adam", [GRAFT_RMSPROP] = "rmsprop", [GRAFT_ADAMW] = "adamw"};
static const char *const schedule_names[] = {
    [GRAFT_SCHEDULE_COSINE] = "cosine",      [GRAFT_SCHEDULE_CONSTANT] = "constant",
    [GRAFT_SCHEDULE_STEP] = "step",          [GRAFT_SCHEDULE_EXPONENTIAL] = "exponential",
    [GRAFT_SCHEDULE_ONE_CYCLE] = "onecycle", [GRAFT_SCHEDULE_PLATEAU] = "plateau"};

#define COUNT(array) (int)(sizeof(array) / sizeof(array)[0])

/* Index of `name`, or -1 with the failure recorded. */
static int find_name(struct graft_context *context, const char *what, const char *name,
                     const char *const *names, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    const char *const nearest = graft_text_nearest(name, names, (size_t)count);
    char list[160] = "";
    for (int i = 0; i < count; i++)
        (void)snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i > 0 ? ", " : "", names[i]);
    (void)graft_fail(context, GRAFT_ERROR_NOT_FOUND, "there is no %s \"%s\"; did you mean \"%s\"? (%s)", what,
                     name, nearest ? nearest : names[0], list);
    return -1;
}

struct graft_update_attributes graft_update_defaults(enum graft_optimizer optimizer)
{
    switch (optimizer) {
    case GRAFT_SGD:
        /* The epsilon is not used: without it momentum 0 would make all of it 0, which means these values. */
        return (struct graft_update_attributes){.momentum = 0.9f, .epsilon = 1e-8f};
    case GRAFT_ADAM:
        return (struct graft_update_attributes){.beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-8f};
    case GRAFT_ADAMW:
        return (struct graft_update_attributes){
            .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-8f, .weight_decay = 1e-2f, .decoupled = true};
    case GRAFT_RMSPROP:
        break;
    }
    return (struct graft_update_attributes){.beta2 = 0.99f, .epsilon = 1e-8f};
}

const char *graft_optimizer_name(enum graft_optimizer optimizer)
{
    return (int)optimizer < COUNT(optimizer_names) ? optimizer_names[optimizer] : "";
}

enum graft_status graft_optimizer_find(struct graft_context *context, const char *name,
                                       enum graft_optimizer *optimizer)
{
    const int index = find_name(context, "optimizer", name, optimizer_names, COUNT(optimizer_names));
    if (index < 0)
        return GRAFT_ERROR_NOT_FOUND;
    *optimizer = (enum graft_optimizer)index;
    return GRAFT_OK;
}

const char *graft_schedule_name(enum graft_schedule schedule)
{
    return (int)schedule < COUNT(schedule_names) ? schedule_names[schedule] : "";
}

enum graft_status graft_schedule_find(struct graft_context *context, const char *name,
                                      enum graft_schedule *schedule)
{
    const int index = find_name(context, "schedule", name, schedule_names, COUNT(schedule_names));
    if (index < 0)
        return GRAFT_ERROR_NOT_FOUND;
    *schedule = (enum graft_schedule)index;
    return GRAFT_OK;
}
