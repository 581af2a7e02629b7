/* SPDX-License-Identifier: MIT */
/* The report of a run: one HTML file that loads nothing else and runs nothing. */
#include "vis/drawing.h"

#include "base/context.h"
#include "base/file.h"
#include "io/json.h"
#include "run/run.h"
#include "vis/page.h"
#include "vis/report_targets.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_CONFUSED 10
#define HEADING 8192

struct report {
    const struct graft_run *run;
    const struct graft_evaluation *evaluation; /* NULL: none */
    const struct graft_page *page;
};

static void put_head(const struct report *report)
{
    const struct graft_run *const run = report->run;
    const struct graft_run_epoch *epochs;
    const int count = graft_run_history(run, &epochs), best = graft_run_best(run);
    const char *const network = graft_run_text(run, "network");
    const char *const data = graft_run_text(run, "data");
    const enum graft_task_kind task = graft_run_task(run);
    const char *const format = graft_report_format(task);
    const double factor = graft_report_factor(task);
    char heading[HEADING], what[128];
    (void)snprintf(heading, sizeof heading, "%s on %s", network != NULL ? network : "A run",
                   data != NULL ? data : "its data");
    graft_page_begin(report->page, run->folder, heading, run->folder, false);
    graft_page_put(report->page, "<div class=\"figures\">\n");
    if (best >= 0) {
        (void)snprintf(what, sizeof what, "%s of the validation pictures, best epoch", graft_task_info(task)->title);
        graft_page_figure(report->page, format, factor * epochs[best].val_top1,
                          task == GRAFT_TASK_CLASSES ? "of the validation pictures right, best epoch" : what);
        graft_page_figure(report->page, "%.4f", epochs[best].val_loss, "validation loss of that epoch");
        graft_page_figure(report->page, "%.0f", epochs[best].epoch, "is the best epoch");
    }
    graft_page_figure(report->page, "%.0f", count, "epochs");
    if (report->evaluation != NULL) {
        (void)snprintf(what, sizeof what, "%s, as evaluated below", graft_task_info(task)->title);
        graft_page_figure(report->page, format, factor * graft_evaluation_figure(report->evaluation),
                          task == GRAFT_TASK_CLASSES ? "right, as evaluated below" : what);
    }
    graft_page_put(report->page, "</div>\n");
}

static void put_history(const struct report *report)
{
    const struct graft_run_epoch *epochs;
    const int count = graft_run_history(report->run, &epochs), best = graft_run_best(report->run);
    const enum graft_task_kind task = graft_run_task(report->run);
    const char *const format = graft_report_format(task), *const title = graft_task_info(task)->title;
    const double factor = graft_report_factor(task);
    char heading[512];
    (void)snprintf(heading, sizeof heading,
                   "<details><summary>All epochs</summary><table><tr><th>epoch</th><th>learning rate</th>"
                   "<th>training loss</th><th>training %s</th><th>validation loss</th><th>validation %s</th>"
                   "<th>seconds</th></tr>\n",
                   title, title);
    graft_page_put(report->page, heading);
    for (int i = 0; i < count; i++) {
        graft_page_put(report->page, i == best ? "<tr class=\"best\">" : "<tr>");
        graft_page_cell(report->page, "%.0f", epochs[i].epoch);
        graft_page_cell(report->page, "%.3g", epochs[i].learning_rate);
        graft_page_cell(report->page, "%.4f", epochs[i].train_loss);
        graft_page_cell(report->page, format, factor * epochs[i].train_top1);
        graft_page_cell(report->page, "%.4f", epochs[i].val_loss);
        graft_page_cell(report->page, format, factor * epochs[i].val_top1);
        graft_page_cell(report->page, "%.2f", epochs[i].seconds);
        graft_page_put(report->page, "</tr>\n");
    }
    graft_page_put(report->page, "</table></details>\n");
}

static void put_classes(const struct graft_page *page, const struct graft_evaluation *e,
                        const char *const *names)
{
    char text[256], top5[64] = "";
    if (e->classes > 5) { /* else all are among the first five */
        (void)graft_format(top5, sizeof top5, ", %.2f %% among the first five", 100 * e->top5);
    }
    (void)graft_format(text, sizeof text,
                       "<h2>Classes</h2>\n<p>%lld pictures: %.2f %% right%s, loss %.4f.</p>\n",
                       (long long)e->images, 100 * e->top1, top5, e->loss);
    graft_page_put(page, text);
    graft_page_put(
        page,
        "<table><tr><th>class</th><th>pictures</th><th>precision</th><th>recall</th><th>F1</th></tr>\n");
    for (int32_t i = 0; i < e->classes; i++) {
        graft_page_put(page, "<tr><td class=\"text\">");
        graft_page_text(page, names[i]);
        graft_page_put(page, "</td>");
        graft_page_cell(page, "%.0f", (double)e->figures[i].images);
        graft_page_cell(page, "%.2f %%", 100 * e->figures[i].precision);
        graft_page_cell(page, "%.2f %%", 100 * e->figures[i].recall);
        graft_page_cell(page, "%.4f", e->figures[i].f1);
        graft_page_put(page, "</tr>\n");
    }
    graft_page_put(page, "</table>\n");
}

/* The pairs that are confused most often, the worst first. */
static void put_confused(const struct graft_page *page, const struct graft_evaluation *e,
                         const char *const *names)
{
    int64_t worst[MOST_CONFUSED];
    int count = 0;
    for (int64_t i = 0; i < (int64_t)e->classes * e->classes; i++) {
        if (i / e->classes == i % e->classes || e->confusion[i] == 0) {
            continue;
        }
        int place = count;
        while (place > 0 && e->confusion[worst[place - 1]] < e->confusion[i]) {
            place--;
        }
        if (place < MOST_CONFUSED) {
            count += count < MOST_CONFUSED ? 1 : 0;
            memmove(&worst[place + 1], &worst[place], (size_t)(count - 1 - place) * sizeof *worst);
            worst[place] = i;
        }
    }
    if (count == 0) {
        return;
    }
    graft_page_put(
        page,
        "<h2>Most often confused</h2>\n<table><tr><th>is</th><th>is taken for</th><th>pictures</th></tr>\n");
    for (int i = 0; i < count; i++) {
        graft_page_put(page, "<tr><td class=\"text\">");
        graft_page_text(page, names[worst[i] / e->classes]);
        graft_page_put(page, "</td><td class=\"text\">");
        graft_page_text(page, names[worst[i] % e->classes]);
        graft_page_put(page, "</td>");
        graft_page_cell(page, "%.0f", (double)e->confusion[worst[i]]);
        graft_page_put(page, "</tr>\n");
    }
    graft_page_put(page, "</table>\n");
}

/* What learnt at which rate. */
static void put_rates(const struct report *report)
{
    const json_t *const rates = json_object_get(report->run->config, "rates");
    if (json_array_size(rates) == 0) {
        return;
    }
    graft_page_put(report->page,
                   "<h2>Learning rates</h2>\n<table><tr><th>part</th><th>stage</th><th>parameters</th>"
                   "<th>learning rate</th></tr>\n");
    for (size_t i = 0; i < json_array_size(rates); i++) {
        const json_t *const line = json_array_get(rates, i);
        const char *const part = json_string_value(json_object_get(line, "part"));
        graft_page_put(report->page, "<tr><td class=\"text\">");
        graft_page_text(report->page, part != NULL ? part : "?");
        graft_page_put(report->page, "</td>");
        graft_page_cell(report->page, "%.0f", json_number_value(json_object_get(line, "stage")));
        graft_page_cell(report->page, "%.0f", json_number_value(json_object_get(line, "parameters")));
        graft_page_cell(report->page, "%.4g", json_number_value(json_object_get(line, "learning_rate")));
        graft_page_put(report->page, "</tr>\n");
    }
    graft_page_put(report->page, "</table>\n");
}

static void put_settings(const struct report *report)
{
    const char *key;
    json_t *value;
    graft_page_put(report->page, "<h2>Settings</h2>\n<table>\n");
    json_object_foreach((json_t *)report->run->config, key, value)
    {
        if (strcmp(key, "classes") == 0 || strcmp(key, "rates") == 0) {
            continue;
        }
        graft_page_put(report->page, "<tr><td class=\"text\">");
        graft_page_text(report->page, key);
        graft_page_put(report->page, "</td><td class=\"text\">");
        if (json_is_string(value)) {
            graft_page_text(report->page, json_string_value(value));
        } else {
            struct graft_json shown = {.value = json_incref(value)};
            char *text = NULL;
            size_t size = 0;
            if (graft_json_write(report->run->context, &shown, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6), key,
                                 &text, &size) != GRAFT_OK) {
                report->page->html->failed = true;
                return;
            }
            graft_page_text(report->page, json_is_null(value) ? "none" : text);
            graft_release(report->run->context, text);
        }
        graft_page_put(report->page, "</td></tr>\n");
    }
    graft_page_put(report->page, "</table>\n");
}

static enum graft_status put_evaluation(const struct graft_page *page, const struct graft_evaluation *e,
                                        const char *const *names, const struct graft_text *confusion)
{
    if (e->task > GRAFT_TASK_CLASSES) {
        return graft_report_targets(page, e, names);
    }
    put_classes(page, e, names);
    put_confused(page, e, names);
    graft_page_put(page, "<h2>Confusion matrix</h2>\n");
    graft_page_png(page, confusion, "confusion matrix");
    return GRAFT_OK;
}

enum graft_status graft_report_write(const struct graft_drawing *drawing, struct graft_text *html)
{
    const struct graft_page page = {drawing->run->context, html};
    const struct report report = {drawing->run, drawing->evaluation, &page};
    enum graft_status status = GRAFT_OK;
    put_head(&report);
    graft_page_png(&page, &drawing->curves, "curves of loss and accuracy");
    put_history(&report);
    if (drawing->evaluation != NULL) {
        status = put_evaluation(&page, drawing->evaluation, graft_run_class_names(drawing->run), &drawing->confusion);
    }
    if (status == GRAFT_OK && drawing->examples != NULL) {
        status = graft_examples_put(&page, drawing->examples);
    }
    put_rates(&report);
    put_settings(&report);
    graft_page_end(&page, NULL);
    return status == GRAFT_OK && html->failed ? GRAFT_ERROR_MEMORY : status;
}

enum graft_status graft_vis_evaluation(struct graft_context *context, const char *path, const char *title,
                                       const struct graft_evaluation *evaluation,
                                       const char *const *class_names, const struct graft_examples *examples)
{
    struct graft_text html = {0}, confusion = {0};
    const struct graft_page page = {context, &html};
    if (evaluation->images < 1) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "%s: an evaluation of no pictures", path);
    }
    enum graft_status status = evaluation->confusion != NULL
                                   ? graft_draw_confusion(context, evaluation, class_names, &confusion)
                                   : GRAFT_OK;
    if (status == GRAFT_OK) {
        graft_page_begin(&page, title, title, NULL, false);
        status = put_evaluation(&page, evaluation, class_names, &confusion);
    }
    if (status == GRAFT_OK) {
        status = examples != NULL ? graft_examples_put(&page, examples) : GRAFT_OK;
        graft_page_end(&page, NULL);
    }
    if (status == GRAFT_OK) {
        status = html.failed ? GRAFT_ERROR_MEMORY : graft_file_write(context, path, html.data, html.length);
    }
    graft_text_close(context, &html);
    graft_text_close(context, &confusion);
    return status;
}
