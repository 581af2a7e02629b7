/* SPDX-License-Identifier: MIT */
/* Curves, confusion matrix and report of a run. */
#include "vis/drawing.h"

#include "base/context.h"
#include "base/file.h"
#include "run/run.h"
#include "vis/plot.h"

#include <math.h>
#include <stdio.h>

/* A mark where each stage but the first begins. `names` hold what they say. */
static int find_marks(const struct graft_run *run, struct graft_plot_mark marks[GRAFT_FIT_MAX_STAGES],
                      char names[GRAFT_FIT_MAX_STAGES][96])
{
    const struct graft_run_epoch *epochs;
    const int rows = graft_run_history(run, &epochs);
    int count = 0;
    for (int i = 1; i < rows && count < GRAFT_FIT_MAX_STAGES; i++) {
        if (epochs[i].stage != epochs[i - 1].stage) {
            const char *const from = graft_run_stage(run, epochs[i].stage);
            (void)snprintf(names[count], sizeof names[count], "fine-tuning: %s", from != NULL ? from : "?");
            marks[count] = (struct graft_plot_mark){.x = epochs[i].epoch - 0.5, .name = names[count]};
            count++;
        }
    }
    return count;
}

/* Losses over more than two powers of ten are told apart on a logarithmic axis only. */
static bool spans_decades(const struct graft_run_epoch *epochs, int count)
{
    double low = INFINITY, high = 0;
    for (int i = 0; i < count; i++) {
        const double losses[] = {epochs[i].train_loss, epochs[i].val_loss};
        for (int k = 0; k < 2; k++) {
            low = losses[k] > 0 ? fmin(low, losses[k]) : low;
            high = losses[k] > 0 ? fmax(high, losses[k]) : high;
        }
    }
    return high > 100 * low;
}

/* What is drawn of an epoch, a row each. */
enum { EPOCH, TRAIN_LOSS, VAL_LOSS, TRAIN_TOP1, VAL_TOP1, ROWS };

static enum graft_status draw_panels(struct graft_drawing *drawing, const double *numbers, int count,
                                     bool logarithmic)
{
    struct graft_plot_mark marks[GRAFT_FIT_MAX_STAGES];
    char names[GRAFT_FIT_MAX_STAGES][96];
    const int mark_count = find_marks(drawing->run, marks, names);
    const double *const epoch = numbers;
    const enum graft_task_kind task = graft_run_task(drawing->run);
    const struct graft_task_info *const info = graft_task_info(task);
    char title[64];
    (void)snprintf(title, sizeof title, "%c%s", info->title[0] & ~0x20, info->title + 1);
    bool validates = false;
    for (int i = 0; i < count; i++) {
        validates = validates || isfinite(numbers[VAL_LOSS * count + i]);
    }
    const struct graft_plot_line losses[] = {{"training", epoch, numbers + TRAIN_LOSS * count, count},
                                             {"validation", epoch, numbers + VAL_LOSS * count, count}};
    const struct graft_plot_line accuracies[] = {{"training", epoch, numbers + TRAIN_TOP1 * count, count},
                                                 {"validation", epoch, numbers + VAL_TOP1 * count, count}};
    const struct graft_plot_panel panels[] = {
        {.title = "Loss",
         .x_label = "epoch",
         .y_label = info->loss,
         .lines = losses,
         .line_count = validates ? 2 : 1,
         .marks = marks,
         .mark_count = mark_count,
         .whole_x = true,
         .logarithmic_y = logarithmic},
        {.title = title,
         .x_label = "epoch",
         .y_label = task == GRAFT_TASK_CLASSES  ? "pictures classified right"
                    : task == GRAFT_TASK_NUMBER ? "R², where it is above 0"
                                                : info->title,
         .lines = info->trained ? accuracies : accuracies + 1,
         .line_count = validates && info->trained ? 2 : 1,
         .marks = marks,
         .mark_count = mark_count,
         .whole_x = true,
         .percent = task != GRAFT_TASK_NUMBER},
    };
    return graft_draw_lines(drawing->run->context, panels, 2, 0, 0, &drawing->curves);
}

static enum graft_status draw_curves(struct graft_drawing *drawing)
{
    struct graft_context *const context = drawing->run->context;
    const struct graft_run_epoch *epochs;
    const int count = graft_run_history(drawing->run, &epochs);
    double *const numbers = graft_allocate(context, (size_t)ROWS * (size_t)count, sizeof *numbers);
    if (numbers == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    for (int i = 0; i < count; i++) {
        numbers[EPOCH * count + i] = epochs[i].epoch;
        numbers[TRAIN_LOSS * count + i] = epochs[i].train_loss;
        numbers[VAL_LOSS * count + i] = epochs[i].val_loss;
        numbers[TRAIN_TOP1 * count + i] = epochs[i].train_top1;
        const bool below = graft_run_task(drawing->run) == GRAFT_TASK_NUMBER && epochs[i].val_top1 < 0;
        numbers[VAL_TOP1 * count + i] = below ? (double)NAN : epochs[i].val_top1;
    }
    const enum graft_status status = draw_panels(drawing, numbers, count, spans_decades(epochs, count));
    graft_release(context, numbers);
    return status;
}

enum graft_status graft_draw_confusion(struct graft_context *context,
                                       const struct graft_evaluation *evaluation,
                                       const char *const *class_names, struct graft_text *png)
{
    char title[160];
    (void)graft_format(title, sizeof title, "Confusion: %.2f %% of %lld pictures right",
                       100 * evaluation->top1, (long long)evaluation->images);
    const struct graft_plot_matrix matrix = {.title = title,
                                             .row_label = "true class",
                                             .column_label = "predicted class",
                                             .names = class_names,
                                             .counts = evaluation->confusion,
                                             .classes = evaluation->classes};
    return graft_draw_matrix(context, &matrix, png);
}

static enum graft_status draw_and_save(struct graft_drawing *drawing)
{
    const struct graft_run *const run = drawing->run;
    struct graft_text html = {0};
    enum graft_status status = draw_curves(drawing);
    if (status == GRAFT_OK && drawing->evaluation != NULL && drawing->evaluation->confusion != NULL) {
        status = graft_draw_confusion(run->context, drawing->evaluation, graft_run_class_names(run),
                                      &drawing->confusion);
    }
    if (status == GRAFT_OK) {
        status = graft_report_write(drawing, &html);
    }
    if (status == GRAFT_OK) {
        status = graft_run_write(run, "curves.png", &drawing->curves);
    }
    if (status == GRAFT_OK && drawing->confusion.length > 0) {
        status = graft_run_write(run, "confusion.png", &drawing->confusion);
    }
    if (status == GRAFT_OK) {
        status = graft_run_write(run, "report.html", &html);
    }
    if (status == GRAFT_OK) {
        status = graft_events_draw(drawing);
    }
    graft_text_close(run->context, &html);
    return status;
}

enum graft_status graft_vis_run(struct graft_context *context, const char *folder,
                                const struct graft_evaluation *evaluation)
{
    return graft_vis_run_examples(context, folder, evaluation, NULL);
}

enum graft_status graft_vis_run_examples(struct graft_context *context, const char *folder,
                                         const struct graft_evaluation *evaluation,
                                         const struct graft_examples *examples)
{
    struct graft_run *run = NULL;
    enum graft_status status = graft_run_open(context, folder, &run);
    if (status != GRAFT_OK) {
        return status;
    }
    struct graft_drawing drawing = {.run = run, .examples = examples};
    drawing.evaluation = evaluation != NULL ? evaluation : graft_run_evaluation(run);
    if (drawing.evaluation != NULL && drawing.evaluation->images == 0) {
        drawing.evaluation = NULL;
    }
    if (drawing.evaluation != NULL && drawing.evaluation->classes != graft_run_class_count(run)) {
        status = graft_fail(context, GRAFT_ERROR_ARGUMENT, "an evaluation of %d classes, but %s has %d",
                            (int)drawing.evaluation->classes, folder, (int)graft_run_class_count(run));
    } else {
        status = draw_and_save(&drawing);
    }
    graft_text_close(context, &drawing.curves);
    graft_text_close(context, &drawing.confusion);
    graft_run_close(&run);
    return status;
}
