/* SPDX-License-Identifier: MIT */
/* Curves, confusion matrix and report of a run folder. */
#include "vis/run.h"

#include "base/context.h"
#include "base/file.h"
#include "io/json.h"
#include "vis/plot.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define CONFIG_LIMIT ((uint64_t)64 << 20)

static enum graft_status run_path(const struct graft_run *run, const char *name, char *path, size_t size)
{
    const int length = snprintf(path, size, "%s/%s", run->folder, name);
    return length > 0 && (size_t)length < size
               ? GRAFT_OK
               : graft_fail(run->context, GRAFT_ERROR_ARGUMENT, "the path \"%s\" is too long", run->folder);
}

static enum graft_status read_config(struct graft_run *run)
{
    char path[PATH_MAX];
    char *data = NULL;
    size_t size = 0;
    json_error_t error;
    enum graft_status status = run_path(run, "config.json", path, sizeof path);
    if (status == GRAFT_OK) {
        status = graft_file_read(run->context, path, CONFIG_LIMIT, &data, &size);
    }
    if (status != GRAFT_OK) {
        return graft_fail_prefix(run->context, status, "%s is no run folder", run->folder);
    }
    json_t *config = NULL;
    status = graft_json_read(run->context, data, size, 0, path, &config, &error);
    graft_release(run->context, data);
    run->config = config;
    if (status == GRAFT_ERROR_MEMORY) {
        return status;
    }
    if (status != GRAFT_OK) {
        return graft_fail(run->context, GRAFT_ERROR_FORMAT, "%s, line %d: %s", path, error.line, error.text);
    }
    const json_t *const classes = json_object_get(config, "classes");
    const size_t count = json_array_size(classes);
    if (count == 0 || count > INT32_MAX) {
        return graft_fail(run->context, GRAFT_ERROR_FORMAT, "%s names no classes", path);
    }
    run->class_names = graft_allocate(run->context, count, sizeof *run->class_names);
    if (run->class_names == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    run->classes = (int32_t)count;
    for (size_t i = 0; i < count; i++) {
        run->class_names[i] = json_string_value(json_array_get(classes, i));
        if (run->class_names[i] == NULL) {
            return graft_fail(run->context, GRAFT_ERROR_FORMAT, "%s: the name of class %zu is no text", path,
                              i);
        }
    }
    return GRAFT_OK;
}

/* A mark where each stage but the first begins. `names` hold what they say. */
static int find_marks(const struct graft_run *run, struct graft_plot_mark marks[GRAFT_FIT_MAX_STAGES],
                      char names[GRAFT_FIT_MAX_STAGES][96])
{
    const json_t *const stages = json_object_get(run->config, "stages");
    const int64_t rows = run->history.rows;
    int count = 0;
    double epochs = 0;
    for (size_t s = 0; s < json_array_size(stages) && s < GRAFT_FIT_MAX_STAGES; s++) {
        const json_t *const stage = json_array_get(stages, s);
        const char *const from = json_string_value(json_object_get(stage, "from"));
        if (s > 0 && rows > 0 && epochs < run->history.columns[GRAFT_HISTORY_EPOCH][rows - 1]) {
            (void)snprintf(names[count], sizeof names[count], "fine-tuning: %s", from != NULL ? from : "?");
            marks[count] = (struct graft_plot_mark){.x = epochs + 0.5, .name = names[count]};
            count++;
        }
        epochs += json_number_value(json_object_get(stage, "epochs"));
    }
    return count;
}

/* Losses over more than two powers of ten are told apart on a logarithmic axis only. */
static bool spans_decades(const struct graft_history *history)
{
    double low = INFINITY, high = 0;
    for (int64_t i = 0; i < history->rows; i++) {
        for (int c = GRAFT_HISTORY_TRAIN_LOSS; c <= GRAFT_HISTORY_VAL_LOSS; c += 2) {
            const double loss = history->columns[c][i];
            low = loss > 0 ? fmin(low, loss) : low;
            high = loss > 0 ? fmax(high, loss) : high;
        }
    }
    return high > 100 * low;
}

static enum graft_status draw_curves(struct graft_run *run)
{
    const struct graft_history *const h = &run->history;
    const double *const epoch = h->columns[GRAFT_HISTORY_EPOCH];
    const struct graft_plot_line losses[] = {
        {"training", epoch, h->columns[GRAFT_HISTORY_TRAIN_LOSS], h->rows},
        {"validation", epoch, h->columns[GRAFT_HISTORY_VAL_LOSS], h->rows},
    };
    const struct graft_plot_line accuracies[] = {
        {"training", epoch, h->columns[GRAFT_HISTORY_TRAIN_TOP1], h->rows},
        {"validation", epoch, h->columns[GRAFT_HISTORY_VAL_TOP1], h->rows},
    };
    struct graft_plot_mark marks[GRAFT_FIT_MAX_STAGES];
    char names[GRAFT_FIT_MAX_STAGES][96];
    const int mark_count = find_marks(run, marks, names);
    bool validates = false;
    for (int64_t i = 0; i < h->rows; i++) {
        validates = validates || isfinite(h->columns[GRAFT_HISTORY_VAL_LOSS][i]);
    }
    const struct graft_plot_panel panels[] = {
        {.title = "Loss",
         .x_label = "epoch",
         .y_label = "cross-entropy",
         .lines = losses,
         .line_count = validates ? 2 : 1,
         .marks = marks,
         .mark_count = mark_count,
         .whole_x = true,
         .logarithmic_y = spans_decades(h)},
        {.title = "Accuracy",
         .x_label = "epoch",
         .y_label = "pictures classified right",
         .lines = accuracies,
         .line_count = validates ? 2 : 1,
         .marks = marks,
         .mark_count = mark_count,
         .whole_x = true,
         .percent = true},
    };
    return graft_draw_lines(run->context, panels, 2, 0, 0, &run->curves);
}

static enum graft_status draw_confusion(struct graft_run *run)
{
    char title[160];
    const struct graft_evaluation *const evaluation = run->evaluation;
    (void)snprintf(title, sizeof title, "Confusion: %.2f %% of %lld pictures right", 100 * evaluation->top1,
                   (long long)evaluation->images);
    const struct graft_plot_matrix matrix = {.title = title,
                                             .row_label = "true class",
                                             .column_label = "predicted class",
                                             .names = run->class_names,
                                             .counts = evaluation->confusion,
                                             .classes = evaluation->classes};
    return graft_draw_matrix(run->context, &matrix, &run->confusion);
}

static enum graft_status save(const struct graft_run *run, const char *name, const struct graft_text *text)
{
    char path[PATH_MAX];
    const enum graft_status status = run_path(run, name, path, sizeof path);
    return status == GRAFT_OK ? graft_file_write(run->context, path, text->data, text->length) : status;
}

static enum graft_status draw_and_save(struct graft_run *run)
{
    struct graft_text html = {0};
    enum graft_status status = draw_curves(run);
    if (status == GRAFT_OK && run->evaluation != NULL) {
        status = draw_confusion(run);
    }
    if (status == GRAFT_OK) {
        graft_report_write(run, &html);
        status = html.failed ? GRAFT_ERROR_MEMORY : GRAFT_OK;
    }
    if (status == GRAFT_OK) {
        status = save(run, "curves.png", &run->curves);
    }
    if (status == GRAFT_OK && run->confusion.length > 0) {
        status = save(run, "confusion.png", &run->confusion);
    }
    if (status == GRAFT_OK) {
        status = save(run, "report.html", &html);
    }
    graft_text_close(run->context, &html);
    return status;
}

enum graft_status graft_vis_run(struct graft_context *context, const char *folder,
                                const struct graft_evaluation *evaluation)
{
    struct graft_run run = {.context = context, .folder = folder};
    char path[PATH_MAX];
    enum graft_status status = read_config(&run);
    if (status == GRAFT_OK) {
        status = run_path(&run, "history.csv", path, sizeof path);
    }
    if (status == GRAFT_OK) {
        status = graft_history_read(context, path, &run.history);
    }
    if (status == GRAFT_OK && evaluation != NULL && evaluation->images > 0) {
        run.evaluation = evaluation;
        if (evaluation->classes != run.classes) {
            status = graft_fail(context, GRAFT_ERROR_ARGUMENT, "an evaluation of %d classes, but %s has %d",
                                (int)evaluation->classes, folder, (int)run.classes);
        }
    }
    if (status == GRAFT_OK) {
        status = draw_and_save(&run);
    }
    graft_text_close(context, &run.curves);
    graft_text_close(context, &run.confusion);
    graft_history_close(context, &run.history);
    graft_release(context, run.class_names);
    json_decref(run.config);
    return status;
}
