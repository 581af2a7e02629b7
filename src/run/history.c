/* SPDX-License-Identifier: MIT */
/* The epochs of a run, and which of them is the best. */
#include "base/context.h"
#include "run/run.h"

#include "base/text.h"

#include <math.h>
#include <string.h>

const struct graft_run_column graft_run_columns[GRAFT_RUN_COLUMNS] = {
    {"learning_rate", offsetof(struct graft_run_epoch, learning_rate), false},
    {"train_loss", offsetof(struct graft_run_epoch, train_loss), false},
    {"train_top1", offsetof(struct graft_run_epoch, train_top1), true},
    {"val_loss", offsetof(struct graft_run_epoch, val_loss), false},
    {"val_top1", offsetof(struct graft_run_epoch, val_top1), true},
    {"seconds", offsetof(struct graft_run_epoch, seconds), false},
};

const char *graft_run_column_name(enum graft_task_kind task, int column, char name[32])
{
    const char *const usual = graft_run_columns[column].name;
    const char *const figure = graft_run_columns[column].share ? strrchr(usual, '_') + 1 : NULL;
    (void)graft_format(name, 32, "%.*s%s", figure ? (int)(figure - usual) : 31, usual,
                       figure ? graft_task_info(task)->figure : "");
    return name;
}

double *graft_run_number_of(struct graft_run_epoch *epoch, int column)
{
    return (double *)(void *)((char *)epoch + graft_run_columns[column].offset);
}

enum graft_status graft_run_history_add(struct graft_context *context, struct graft_run_history *history,
                                        const struct graft_run_epoch *epoch)
{
    if (history->count == history->capacity) {
        const int capacity = history->capacity * 2 + 16;
        void *const epochs = graft_reallocate(context, history->epochs, (size_t)history->count,
                                              (size_t)capacity, sizeof *history->epochs);
        if (epochs == NULL) {
            return GRAFT_ERROR_MEMORY;
        }
        history->epochs = epochs;
        history->capacity = capacity;
    }
    history->epochs[history->count] = *epoch;
    history->epochs[history->count++].task = history->task;
    return GRAFT_OK;
}

void graft_run_history_close(struct graft_context *context, struct graft_run_history *history)
{
    graft_release(context, history->epochs);
    *history = (struct graft_run_history){.task = history->task};
}

/* Can its weights be used? */
static bool is_sound(const struct graft_run_epoch *epoch)
{
    return isnan(epoch->val_top1) ? isfinite(epoch->train_loss) : isfinite(epoch->val_loss);
}

/* Is `epoch` better than the best of those before it? */
static bool is_better(const struct graft_run_epoch *epoch, const struct graft_run_epoch *best, bool by_loss)
{
    if (by_loss && !isnan(epoch->val_top1) && !isnan(best->val_top1)) {
        return epoch->val_loss < best->val_loss;
    }
    if (isnan(epoch->val_top1)) { /* nothing to tell by: the longer it learns the better */
        return isnan(best->val_top1);
    }
    return isnan(best->val_top1) || epoch->val_top1 > best->val_top1 ||
           (epoch->val_top1 == best->val_top1 && epoch->val_loss < best->val_loss);
}

int graft_run_history_best(const struct graft_run_history *history)
{
    const bool by_loss = graft_task_info(history->task)->by_loss;
    int best = -1;
    for (int i = 0; i < history->count; i++) {
        const struct graft_run_epoch *const epoch = &history->epochs[i];
        if (is_sound(epoch) && (best < 0 || is_better(epoch, &history->epochs[best], by_loss))) {
            best = i;
        }
    }
    return best;
}
