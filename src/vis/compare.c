/* SPDX-License-Identifier: MIT */
/* Runs beside each other: what each stage of training brought, and their curves. */
#include "base/context.h"
#include "base/text.h"
#include "run/run.h"
#include "vis/canvas.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int stages_of(const struct graft_run *run)
{
    int stages = 0;
    while (stages < GRAFT_PLOT_MAX_LINES && graft_run_stage(run, stages) != NULL) {
        stages++;
    }
    return stages;
}

/* "head" where all runs that have the stage call it so. */
static void name_stage(const struct graft_run *const *runs, int count, int stage, char *name, size_t size)
{
    const char *common = NULL;
    for (int r = 0; r < count; r++) {
        const char *const from = graft_run_stage(runs[r], stage);
        if (from != NULL && common != NULL && strcmp(from, common) != 0) {
            (void)snprintf(name, size, "stage %d", stage + 1);
            return;
        }
        common = from != NULL ? from : common;
    }
    (void)snprintf(name, size, "stage %d: %s", stage + 1, common);
}

enum graft_status graft_vis_compare_bars(struct graft_context *context, const char *path,
                                         const struct graft_run *const *runs, const char *const *names,
                                         int count)
{
    int stages = 0;
    char stage_names[GRAFT_PLOT_MAX_LINES][96];
    const char *series[GRAFT_PLOT_MAX_LINES];
    for (int r = 0; r < count; r++) {
        stages = stages_of(runs[r]) > stages ? stages_of(runs[r]) : stages;
    }
    double *const values = graft_allocate(context, (size_t)count * GRAFT_PLOT_MAX_LINES, sizeof *values);
    if (values == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    for (int s = 0; s < stages; s++) {
        name_stage(runs, count, s, stage_names[s], sizeof stage_names[s]);
        series[s] = stage_names[s];
        for (int r = 0; r < count; r++) {
            const double share = graft_run_stage_top1(runs[r], s);
            values[r * stages + s] = share >= 0 ? 100 * share : (double)NAN; /* R² can be below */
        }
    }
    const enum graft_task_kind task = graft_run_task(runs[0]);
    const char *const figure = graft_task_info(task)->title;
    char title[96], label[96];
    (void)snprintf(title, sizeof title, "Highest %s in validation, stage by stage", figure);
    (void)snprintf(label, sizeof label, "%s, %%", figure);
    const bool classes = task == GRAFT_TASK_CLASSES;
    const struct graft_plot_bars bars = {.title = classes ? "Most right in validation, stage by stage" : title,
                                         .value_label = classes ? "% of the validation pictures right" : label,
                                         .names = names,
                                         .groups = count,
                                         .series_names = stages > 1 ? series : NULL,
                                         .series = stages > 0 ? stages : 1,
                                         .values = values};
    const enum graft_status status =
        stages > 0 ? graft_plot_bars(context, path, &bars)
                   : graft_fail(context, GRAFT_ERROR_ARGUMENT, "the runs say nothing of their stages");
    graft_release(context, values);
    return status;
}

/* Where a later stage of some run begins, each place once. */
static int find_marks(const struct graft_run *const *runs, int count, struct graft_plot_mark *marks, int most)
{
    int found = 0;
    for (int r = 0; r < count; r++) {
        const struct graft_run_epoch *epochs;
        const int length = graft_run_history(runs[r], &epochs);
        for (int i = 1; i < length; i++) {
            const double x = epochs[i].epoch - 0.5;
            bool known = epochs[i].stage == epochs[i - 1].stage;
            for (int m = 0; m < found && !known; m++) {
                known = !(marks[m].x < x) && !(marks[m].x > x);
            }
            if (!known && found < most) {
                marks[found++] =
                    (struct graft_plot_mark){.x = x, .name = graft_run_stage(runs[r], epochs[i].stage)};
            }
        }
    }
    return found;
}

#define MARKS 8

enum graft_status graft_vis_compare_curves(struct graft_context *context, const char *path,
                                           const struct graft_run *const *runs, const char *const *names,
                                           int count)
{
    const int drawn = count < GRAFT_PLOT_MAX_LINES ? count : GRAFT_PLOT_MAX_LINES;
    struct graft_plot_line losses[GRAFT_PLOT_MAX_LINES], rights[GRAFT_PLOT_MAX_LINES];
    struct graft_plot_mark marks[MARKS];
    size_t most = 0;
    for (int r = 0; r < drawn; r++) {
        const struct graft_run_epoch *epochs;
        most += (size_t)graft_run_history(runs[r], &epochs);
    }
    double *const numbers = graft_allocate(context, 3 * most + 1, sizeof *numbers);
    if (numbers == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    double *at = numbers;
    for (int r = 0; r < drawn; r++) {
        const struct graft_run_epoch *epochs;
        const int length = graft_run_history(runs[r], &epochs);
        double *const x = at, *const loss = at + length, *const right = loss + length;
        at = right + length;
        for (int i = 0; i < length; i++) {
            x[i] = epochs[i].epoch;
            loss[i] = epochs[i].val_loss;
            right[i] = epochs[i].val_top1;
        }
        losses[r] = (struct graft_plot_line){names[r], x, loss, length};
        rights[r] = (struct graft_plot_line){names[r], x, right, length};
    }
    const int mark_count = find_marks(runs, drawn, marks, MARKS);
    const enum graft_task_kind task = graft_run_task(runs[0]);
    const struct graft_task_info *const info = graft_task_info(task);
    const bool classes = task == GRAFT_TASK_CLASSES;
    char title[96];
    (void)snprintf(title, sizeof title, "Validation: %s", info->title);
    const struct graft_plot_panel panels[2] = {{.title = "Validation loss",
                                                .x_label = "epoch",
                                                .y_label = "loss",
                                                .lines = losses,
                                                .line_count = drawn,
                                                .marks = marks,
                                                .mark_count = mark_count,
                                                .whole_x = true},
                                               {.title = classes ? "Validation pictures right" : title,
                                                .x_label = "epoch",
                                                .y_label = classes ? "share" : info->title,
                                                .lines = rights,
                                                .line_count = drawn,
                                                .marks = marks,
                                                .mark_count = mark_count,
                                                .whole_x = true,
                                                .percent = task != GRAFT_TASK_NUMBER}};
    const enum graft_status status = graft_plot_lines(context, path, panels, 2, 0, 0);
    graft_release(context, numbers);
    return status;
}
