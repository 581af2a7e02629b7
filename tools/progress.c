/* SPDX-License-Identifier: MIT */
#include "progress.h"

#include "output.h"

#include <math.h>
#include <stdio.h>

void graft_show_progress(void *user, const struct graft_progress *progress)
{
    struct graft_command *const command = user;
    char epoch[48] = "", rate[48] = "";
    char figures[64] = "";
    char left[64] = "";
    char duration[32];
    if (progress->epochs > 0) {
        snprintf(epoch, sizeof epoch, ", epoch %d/%d", progress->epoch, progress->epochs);
    }
    if (progress->images_per_second > 0) {
        snprintf(rate, sizeof rate, ", %.0f images/s", progress->images_per_second);
    }
    if (isfinite(progress->loss) && isfinite(progress->accuracy)) {
        snprintf(figures, sizeof figures, ", loss %.4f, %.1f %% right", progress->loss,
                 100 * progress->accuracy);
    } else if (isfinite(progress->loss)) {
        snprintf(figures, sizeof figures, ", loss %.4f", progress->loss);
    }
    if (progress->seconds_left >= 0) {
        snprintf(left, sizeof left, ", %s left", graft_show_duration(progress->seconds_left, duration));
    }
    /* What a narrow terminal cuts off comes last. */
    graft_command_progress(command, "%s%s: %lld/%lld pictures%s%s%s", progress->phase, epoch,
                           (long long)progress->done, (long long)progress->total, rate, left, figures);
}

/* "0.1234", or "-" where there is nothing to tell. */
static const char *show_number(double value, double factor, int digits, char text[16])
{
    if (isfinite(value)) {
        snprintf(text, 16, "%.*f", digits, factor * value);
    } else {
        snprintf(text, 16, "-");
    }
    return text;
}

void graft_show_epoch(struct graft_command *command, const struct graft_run_epoch *epoch, const char *stage,
                      bool heading)
{
    char numbers[4][16];
    const enum graft_task_kind task = epoch->task;
    const double factor = task == GRAFT_TASK_NUMBER ? 1 : 100;
    const int digits = task == GRAFT_TASK_NUMBER ? 4 : 2;
    const char *const name = task == GRAFT_TASK_NUMBER ? "R2" : task == GRAFT_TASK_LABELS ? "mAP" : "top 1";
    if (heading) {
        graft_command_remark(command, "%5s  %-12s %9s %11s %7s %9s %7s %8s", "epoch", "learns from", "rate",
                             "train loss", name, "val loss", name, "seconds");
    }
    graft_command_remark(command, "%5d  %-12s %9.2e %11s %7s %9s %7s %8.2f", epoch->epoch, stage,
                         epoch->learning_rate, show_number(epoch->train_loss, 1, 4, numbers[0]),
                         show_number(epoch->train_top1, factor, digits, numbers[1]),
                         show_number(epoch->val_loss, 1, 4, numbers[2]),
                         show_number(epoch->val_top1, factor, digits, numbers[3]), epoch->seconds);
}
