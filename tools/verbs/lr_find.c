/* SPDX-License-Identifier: MIT */
/* graft lr-find: which learning rate suits, by letting it rise. */
#include "fit_options.h"
#include "graft/train.h"
#include "graft/vis.h"
#include "output.h"
#include "verbs.h"

#include "base/file.h"
#include "base/text.h"
#include "io/csv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct request {
    struct graft_fit_request fit;
    const char *out;
    double from, to;
    int64_t steps;
};

static void on_progress(void *user, const struct graft_progress *progress)
{
    graft_command_progress(user, "%s: step %lld of %lld, loss %.4f", progress->phase,
                           (long long)progress->done, (long long)progress->total, progress->loss);
}

static enum graft_status write_table(struct graft_context *context, const char *path,
                                     const struct graft_rate_search *search)
{
    struct graft_text csv = {0};
    graft_csv_text(context, &csv, "learning_rate");
    graft_csv_text(context, &csv, "loss");
    graft_csv_text(context, &csv, "smoothed");
    graft_csv_end_row(context, &csv);
    for (int i = 0; i < search->count; i++) {
        graft_csv_number(context, &csv, search->points[i].rate);
        graft_csv_number(context, &csv, search->points[i].loss);
        graft_csv_number(context, &csv, search->points[i].smoothed);
        graft_csv_end_row(context, &csv);
    }
    const enum graft_status status =
        csv.failed ? GRAFT_ERROR_MEMORY : graft_file_write(context, path, csv.data, csv.length);
    graft_text_close(context, &csv);
    return status;
}

#define BEYOND 1.5 /* times the highest average: losses that are not drawn */

static enum graft_status draw(struct graft_context *context, const char *path,
                              const struct graft_rate_search *search)
{
    const int64_t count = search->count;
    double *const numbers = malloc(3 * (size_t)count * sizeof *numbers);
    if (numbers == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    double highest = 0;
    for (int64_t i = 0; i < count; i++) {
        numbers[i] = search->points[i].rate;
        numbers[2 * count + i] = search->points[i].smoothed;
        highest = fmax(highest, search->points[i].smoothed);
    }
    for (int64_t i = 0; i < count; i++) { /* single steps far above would flatten the curve */
        const double loss = search->points[i].loss;
        numbers[count + i] = loss <= BEYOND * highest ? loss : (double)NAN;
    }
    const struct graft_plot_line lines[] = {{"of each step", numbers, numbers + count, count},
                                            {"moving average", numbers, numbers + 2 * count, count}};
    const struct graft_plot_mark marks[] = {{search->minimum / 10, "minimum / 10"},
                                            {search->steepest, "steepest"}};
    const struct graft_plot_panel panel = {.title = "Loss while the learning rate rises",
                                           .x_label = "learning rate of the head",
                                           .y_label = "cross-entropy",
                                           .lines = lines,
                                           .line_count = 2,
                                           .marks = marks,
                                           .mark_count = isfinite(search->steepest) ? 2 : 1,
                                           .logarithmic_x = true};
    const enum graft_status status = graft_plot_lines(context, path, &panel, 1, 960, 540);
    free(numbers);
    return status;
}

static void print(const struct graft_rate_search *search, const char *plot, const char *table)
{
    const struct graft_rate_point *const last = &search->points[search->count - 1];
    printf("rates       %.3g to %.3g in %d steps%s\n", search->points[0].rate, last->rate, search->count,
           search->diverged ? ", where the loss diverged" : "");
    if (isfinite(search->steepest)) {
        printf("steepest    %.3g\n", search->steepest);
    }
    printf("minimum     %.3g; a tenth of it: %.3g\n", search->minimum, search->minimum / 10);
    printf("plot        %s\ntable       %s\n", plot, table);
    printf("next        graft fit ... --lr %.2g\n",
           isfinite(search->steepest) ? search->steepest : search->minimum / 10);
}

static json_t *describe(const struct graft_rate_search *search, const char *plot, const char *table)
{
    return json_pack("{s:i, s:b, s:o, s:o, s:o, s:o}", "steps", search->count, "diverged",
                     (int)search->diverged, "steepest", graft_json_real(search->steepest), "minimum",
                     graft_json_real(search->minimum), "plot", graft_json_text(plot), "table",
                     graft_json_text(table));
}

static int finish(struct graft_command *command, const struct request *request,
                  const struct graft_rate_search *search)
{
    char plot[4096], table[4096];
    const char *const out = request->out != NULL ? request->out : "lr-find";
    if (strlen(out) > sizeof plot - 8) {
        return graft_command_usage(command, "--out is longer than a path can be");
    }
    (void)snprintf(plot, sizeof plot, "%s.png", out);
    (void)snprintf(table, sizeof table, "%s.csv", out);
    enum graft_status status = write_table(command->context, table, search);
    if (status == GRAFT_OK) {
        status = draw(command->context, plot, search);
    }
    if (status != GRAFT_OK) {
        return graft_command_failed(command, status);
    }
    if (command->json) {
        return graft_json_print(command, describe(search, plot, table));
    }
    print(search, plot, table);
    return GRAFT_EXIT_DONE;
}

static int run(struct graft_command *command)
{
    struct request request = {.fit = {.options = {.out = NULL}}};
    struct graft_device *device = NULL;
    const struct graft_option own[] = {
        {"--from", "RATE", "the lowest rate", GRAFT_OPTION_REAL, &request.from, 1e-12, 1e6, "1e-7"},
        {"--to", "RATE", "the highest one", GRAFT_OPTION_REAL, &request.to, 1e-12, 1e6, "10"},
        {"--steps", "N", "training steps from the one to the other", GRAFT_OPTION_INTEGER, &request.steps, 10,
         100000, "100"},
        {"--out", "NAME", "of the plot and the table, without .png and .csv", GRAFT_OPTION_TEXT, &request.out,
         0, 0, "lr-find"},
    };
    int code = graft_fit_request_read(command, &request.fit, own, sizeof own / sizeof own[0]);
    if (code == GRAFT_EXIT_GO_ON && request.from > 0 && request.to > 0 && request.to <= request.from) {
        code = graft_command_usage(command, "--to %g is not above --from %g", request.to, request.from);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        graft_command_let_wait(command);
        code = graft_command_open_device(command, request.fit.options.recipe.model, true, &device);
        graft_command_opened(command);
    }
    if (code != GRAFT_EXIT_GO_ON) {
        return code;
    }
    request.fit.options.progress = on_progress;
    request.fit.options.user = command;
    const struct graft_rate_range range = {request.from, request.to, request.steps};
    struct graft_rate_search search;
    const enum graft_status status = graft_find_rate(device, &request.fit.options, &range, &search);
    graft_command_progress_end(command);
    graft_command_tell_waiting(command);
    code = status == GRAFT_OK ? finish(command, &request, &search) : graft_command_failed(command, status);
    graft_rate_search_close(command->context, &search);
    graft_device_close(&device);
    return code;
}

const struct graft_verb graft_verb_lr_find = {
    .name = "lr-find",
    .operands = "DATA",
    .purpose = "lets the learning rate rise and says which one suits",
    .examples = "  graft lr-find photos               for a new head; plot lr-find.png, table lr-find.csv\n"
                "  graft lr-find photos --model resnet18 --stages all --lr-decay exp:3\n"
                "                                     for all layers: the options are those of graft fit\n"
                "  graft lr-find photos --from 1e-5 --to 1 --steps 200 --out here\n",
    .notes = "  Trains the first stage for so many steps, at a rate that rises by the same factor from one "
             "to the next,\n"
             "  until the loss diverges. Nothing is written but plot and table. Suggested are the rate where "
             "the loss\n"
             "  falls the fastest, and a tenth of that where it is the lowest.\n",
    .least = 0,
    .most = 1,
    .cancels = true,
    .writes_files = true,
    .run = run,
};
