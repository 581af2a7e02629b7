/* SPDX-License-Identifier: MIT */
/* graft evaluate: how often a network is right on pictures whose classes are known. */
#include "classified.h"
#include "data/known.h"
#include "evaluated.h"
#include "graft/vis.h"
#include "network.h"
#include "output.h"
#include "progress.h"
#include "terminal.h"
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALL GRAFT_SPLIT_COUNT

struct request {
    struct graft_network_options network;
    const char *split;
    double val_fraction;
    int64_t split_seed;
    bool drawn; /* --split-seed or --val-fraction is there */
    bool skip_damaged;
    const char *data, *report;
    double threshold;
    bool thresholded;        /* --threshold is there */
    const char *predictions; /* a table to be written */
    int64_t top;
    bool probabilities;
    struct graft_text known; /* the path of a pulled data set */
    struct graft_run *run;   /* the operand, if it is one */
    bool own;                /* the data are what the run was fitted on */
    const char *labels;      /* of the data */
    const char *class_pattern;
};

/* Are all classes of the data among these names? */
static bool all_known(struct graft_dataset *dataset, char *const *names, int32_t count)
{
    const char *const *const found = graft_dataset_class_names(dataset);
    for (int32_t i = 0; i < graft_dataset_class_count(dataset); i++) {
        bool known = false;
        for (int32_t k = 0; k < count && !known; k++) {
            known = strcmp(found[i], names[k]) == 0;
        }
        if (!known) {
            return false;
        }
    }
    return true;
}

/* Is the first operand a run, and are the data its own? */
static int find_run(struct graft_command *command, struct request *request)
{
    char *named = NULL, *known = NULL;
    request->data = command->operand_count > 1 ? command->operands[1] : NULL;
    enum graft_status status = GRAFT_OK;
    if (request->data != NULL) {
        status = graft_known_find(command->context, request->data, &request->known);
    }
    if (status != GRAFT_OK) {
        return graft_command_failed(command, status);
    }
    request->data = request->known.data != NULL ? request->known.data : request->data;
    status = graft_run_open(command->context, command->operands[0], &request->run);
    if (status != GRAFT_OK && status != GRAFT_ERROR_NOT_FOUND && status != GRAFT_ERROR_IO) {
        return graft_command_failed(command, status);
    }
    const char *const fitted = request->run != NULL ? graft_run_text(request->run, "data") : NULL;
    if (request->data == NULL && fitted == NULL) {
        return graft_command_usage(command, "%s is no run, which would know its data: name DATA",
                                   command->operands[0]);
    }
    if (fitted != NULL) {
        known = realpath(fitted, NULL);
        named = request->data != NULL ? realpath(request->data, NULL) : NULL;
        request->own = request->data == NULL || (known != NULL && named != NULL && strcmp(known, named) == 0);
    }
    free(known);
    free(named);
    if (request->data == NULL) {
        request->data = fitted;
    }
    const bool said = request->drawn || request->labels != NULL || request->class_pattern != NULL;
    return request->own && said
               ? graft_command_usage(command,
                                     "%s was fitted on %s and knows how it split it: leave "
                                     "--split-seed, --val-fraction, --labels and --class-pattern away",
                                     command->operands[0], request->data)
               : GRAFT_EXIT_GO_ON;
}

/* Opens the data with its classes in the network's order. */
static int open_data(struct graft_command *command, struct request *request, const char *const *names,
                     const struct graft_class_file *file, const struct graft_target *target,
                     struct graft_dataset **dataset)
{
    struct graft_dataset_options options = {.seed = (uint64_t)request->split_seed,
                                            .task = graft_task_info(target->task)->name};
    const bool whole = request->split == NULL || strcmp(request->split, "all") == 0;
    options.val_fraction = whole ? -1 : request->val_fraction;
    enum graft_status status = GRAFT_OK;
    if (request->own) {
        status = graft_run_open_data(request->run, dataset);
        if (status == GRAFT_OK || !whole || request->split == NULL) {
            return status == GRAFT_OK ? GRAFT_EXIT_GO_ON : graft_command_failed(command, status);
        }
        request->own = false; /* all of it, whatever it was, with the same labels */
        options.labels = graft_run_text(request->run, "labels");
        options.class_pattern = graft_run_text(request->run, "class_pattern");
        status = GRAFT_OK;
    }
    options.labels = request->labels != NULL ? request->labels : options.labels;
    options.class_pattern = request->class_pattern != NULL ? request->class_pattern : options.class_pattern;
    if (file->ids != NULL) {
        status = graft_dataset_open(command->context, request->data, &options, dataset);
        if (status == GRAFT_OK && all_known(*dataset, file->ids, file->count)) {
            names = (const char *const *)file->ids;
        }
        graft_dataset_close(dataset);
    }
    options.class_names = names;
    options.class_count = file->count;
    if (status == GRAFT_OK) {
        status = graft_dataset_open(command->context, request->data, &options, dataset);
    }
    return status == GRAFT_OK ? GRAFT_EXIT_GO_ON : graft_command_failed(command, status);
}

static int64_t count_pictures(const struct graft_dataset *dataset, int split)
{
    int64_t count = 0;
    for (int s = 0; s < GRAFT_SPLIT_COUNT; s++) {
        count += split == s || split == ALL ? graft_dataset_count(dataset, (enum graft_split)s) : 0;
    }
    return count;
}

static const char *split_name(int split)
{
    return split == ALL ? "all" : graft_split_name((enum graft_split)split);
}

/* The split that is asked for, or the first that has pictures: test, validation, all. */
static int choose_split(struct graft_command *command, const struct request *request,
                        const struct graft_dataset *dataset, int *split)
{
    *split = count_pictures(dataset, GRAFT_SPLIT_TEST) > 0  ? GRAFT_SPLIT_TEST
             : count_pictures(dataset, GRAFT_SPLIT_VAL) > 0 ? GRAFT_SPLIT_VAL
                                                            : GRAFT_SPLIT_TRAIN;
    for (int s = 0; s <= ALL && request->split != NULL; s++) {
        *split = strcmp(request->split, split_name(s)) == 0 ? s : *split;
    }
    const int64_t count = count_pictures(dataset, *split);
    const int64_t trained =
        *split == ALL || *split == GRAFT_SPLIT_TRAIN ? graft_dataset_count(dataset, GRAFT_SPLIT_TRAIN) : 0;
    if (count == 0) {
        return graft_command_error(command, "%s has no %s pictures", request->data, split_name(*split));
    }
    graft_command_remark(command, "evaluating %lld pictures (%s)%s%s", (long long)count, split_name(*split),
                         request->own && trained == 0 ? ", which the run has not learnt from, of " : " of ",
                         request->data);
    if (request->own && trained > 0) {
        graft_command_remark(command,
                             "the run has learnt from %lld of them: the figures say how well it remembers, "
                             "not how well it does on new pictures",
                             (long long)trained);
    }
    return GRAFT_EXIT_GO_ON;
}

/* What an evaluation is made of, and what comes of it. */
struct work {
    struct graft_command *command;
    const struct request *request;
    struct graft_device *device;
    struct graft_classifier *classifier;
    struct graft_dataset *dataset;
    struct graft_class_file file;
    const char *const *names;
    int split;
    struct graft_rows rows;
    struct graft_evaluation evaluation;
    struct graft_predictions predictions;
    struct graft_ranking rankings[2];
};

static int show(struct work *work)
{
    struct graft_command *const command = work->command;
    const struct request *const request = work->request;
    struct graft_context *const context = command->context;
    struct graft_calibration calibration;
    const struct graft_coverage coverage = graft_coverage_at(&work->predictions, request->threshold);
    struct graft_evaluated evaluated = {.evaluation = &work->evaluation,
                                        .names = work->names,
                                        .calibration = &calibration,
                                        .coverage = request->thresholded ? &coverage : NULL};
    /* Pictures that it has learnt from say nothing that should stay with the run; nor does what other runs
     * are not compared by. */
    const bool kept = request->own && work->split != ALL && work->split != GRAFT_SPLIT_TRAIN &&
                      request->network.views == GRAFT_VIEWS_ONE;
    if (work->evaluation.task != GRAFT_TASK_CLASSES && request->thresholded) {
        return graft_command_error(command, "--threshold is of classes: labels have thresholds of their own");
    }
    graft_calibrate(&work->predictions, &calibration);
    enum graft_status status =
        kept ? graft_run_write_evaluation(request->run, &work->evaluation, split_name(work->split))
             : GRAFT_OK;
    for (int c = 0; c < 2 && work->predictions.classes == 2 && status == GRAFT_OK; c++) {
        status = graft_rank(context, &work->predictions, c, &work->rankings[c]);
        evaluated.rankings = work->rankings;
    }
    if (status != GRAFT_OK) {
        return graft_command_failed(command, status);
    }
    if (command->json) {
        return graft_json_print(command, graft_evaluated_json(&evaluated));
    }
    graft_evaluated_print(&evaluated);
    return GRAFT_EXIT_DONE;
}

/* --report: the figures, the pictures that say most, and where the network looks. GRAFT_EXIT_DONE or an exit
 * code. */
static int write_report(struct work *work)
{
    struct graft_command *const command = work->command;
    const struct graft_classifier_options options =
        graft_network_classifier(command, &work->request->network);
    struct graft_examples *examples = NULL;
    char title[512];
    (void)snprintf(title, sizeof title, "%.200s on %.200s (%s)", command->operands[0], work->request->data,
                   split_name(work->split));
    enum graft_status status =
        work->evaluation.task == GRAFT_TASK_CLASSES
            ? graft_examples_find(work->device, &options, work->dataset, (enum graft_split)work->split,
                                  &work->predictions, &examples)
            : GRAFT_OK;
    if (status == GRAFT_OK) {
        status = graft_vis_evaluation(command->context, work->request->report, title, &work->evaluation,
                                      work->names, examples);
    }
    graft_examples_close(&examples);
    return status == GRAFT_OK ? GRAFT_EXIT_DONE : graft_command_failed(command, status);
}

static enum graft_status take(void *user, const struct graft_classified *picture)
{
    struct work *const work = user;
    char name[GRAFT_NAME_SHOWN];
    graft_dataset_sample_name(work->dataset, picture->split, picture->index, name, sizeof name);
    return graft_rows_add(&work->rows, name, picture);
}

static int measure(struct work *work)
{
    struct graft_command *const command = work->command;
    const struct request *const request = work->request;
    const int32_t classes = work->file.count;
    const struct graft_evaluate_options options = {
        .split = (enum graft_split)work->split,
        .skip_damaged =
            request->skip_damaged || (request->own && graft_run_number(request->run, "skip_damaged", 0) > 0),
        .predictions = &work->predictions,
        .each = request->predictions != NULL ? take : NULL,
        .each_user = work,
        .progress = graft_show_progress,
        .progress_user = command};
    work->rows = (struct graft_rows){.command = command,
                                     .names = work->names,
                                     .classes = classes,
                                     .top = request->top < classes ? (int32_t)request->top : classes,
                                     .target = graft_classifier_target(work->classifier),
                                     .dataset = work->dataset,
                                     .probabilities_of_all = request->probabilities,
                                     .truth = true,
                                     .csv_path = request->predictions};
    int code = request->predictions != NULL ? graft_rows_open(&work->rows) : GRAFT_EXIT_GO_ON;
    if (code == GRAFT_EXIT_GO_ON) {
        const enum graft_status status =
            graft_classifier_evaluate(work->classifier, work->dataset, &options, &work->evaluation);
        graft_command_progress_end(command);
        code = status == GRAFT_OK ? GRAFT_EXIT_GO_ON : graft_command_failed(command, status);
    }
    return graft_rows_close(&work->rows, code);
}

static int evaluate(struct graft_command *command, struct request *request, struct graft_device *device)
{
    struct work work = {
        .command = command, .request = request, .device = device, .rows = {.command = command}};
    int code = graft_network_open(command, device, &request->network, &work.classifier);
    if (code == GRAFT_EXIT_GO_ON) {
        code = graft_network_names(command, &request->network, work.classifier, &work.file, &work.names);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        work.file.count = graft_classifier_class_count(work.classifier);
        code = open_data(command, request, work.names, &work.file, graft_classifier_target(work.classifier),
                         &work.dataset);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = choose_split(command, request, work.dataset, &work.split);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = measure(&work);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = show(&work);
        if (code == GRAFT_EXIT_DONE && request->report != NULL) {
            code = write_report(&work);
        }
    }
    graft_ranking_close(command->context, &work.rankings[0]);
    graft_ranking_close(command->context, &work.rankings[1]);
    graft_predictions_close(command->context, &work.predictions);
    graft_evaluation_close(command->context, &work.evaluation);
    graft_dataset_close(&work.dataset);
    graft_class_file_close(&work.file);
    graft_classifier_close(&work.classifier);
    return code;
}

static int run(struct graft_command *command)
{
    static const char *const splits[] = {"train", "val", "test", "all"};
    bool seed = false, fraction = false;
    struct request request = {.top = 5};
    bool top = false;
    struct graft_device *device = NULL;
    const struct graft_option options[] = {
        {"--split", "PART", "train, val, test or all; else test, val or all, whichever there are first",
         GRAFT_OPTION_TEXT, &request.split, 0, 0},
        {"--val-fraction", "X", "with --split, where the data has no validation part: the share to set aside",
         GRAFT_OPTION_REAL, &request.val_fraction, 0, 0.99, .given = &fraction},
        {"--split-seed", "N", "of the choice of these pictures", GRAFT_OPTION_INTEGER, &request.split_seed, 0,
         9007199254740992.0, .given = &seed},
        {"--skip-damaged", NULL, "leave out pictures that cannot be read, and list them", GRAFT_OPTION_FLAG,
         &request.skip_damaged, 0, 0},
        {"--labels", "NAME", "which labels, of data sets that have several", GRAFT_OPTION_TEXT,
         &request.labels, 0, 0},
        {"--class-pattern", "REGEX", "its group in parentheses is the class in a picture's path",
         GRAFT_OPTION_TEXT, &request.class_pattern, 0, 0},
        {"--report", "FILE",
         "an HTML page: figures, calibration, the pictures with the largest loss, and where it looks",
         GRAFT_OPTION_TEXT, &request.report, 0, 0},
        {"--predictions", "FILE", "a table (CSV): each picture's class, what is said, and how probable",
         GRAFT_OPTION_TEXT, &request.predictions, 0, 0},
        {"--top", "K", "in this table: the K most probable classes", GRAFT_OPTION_INTEGER, &request.top, 1,
         1000000, .usual = "5", .given = &top},
        {"--probabilities", NULL, "in this table: those of all classes too", GRAFT_OPTION_FLAG,
         &request.probabilities, 0, 0},
        {"--threshold", "X", "less confidence than this is unsure: how many are left, how many of them right",
         GRAFT_OPTION_REAL, &request.threshold, 0, 1, .given = &request.thresholded},
        GRAFT_TTA_OPTION(request.network),
        GRAFT_NETWORK_OPTIONS(request.network),
    };
    int code = graft_command_begin(command, options, sizeof options / sizeof options[0]);
    if (code == GRAFT_EXIT_GO_ON && request.split != NULL &&
        graft_command_choice(command, "--split", request.split, splits, 4) < 0) {
        return GRAFT_EXIT_USAGE;
    }
    if (code == GRAFT_EXIT_GO_ON && request.predictions == NULL && (top || request.probabilities)) {
        return graft_command_usage(command,
                                   "--top and --probabilities are of the table: name it with --predictions");
    }
    if (code == GRAFT_EXIT_GO_ON && request.predictions != NULL && strcmp(request.predictions, "-") == 0) {
        return graft_command_usage(command,
                                   "the figures go to standard output: name a file for --predictions");
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = graft_network_views(command, &request.network);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        request.drawn = seed || fraction;
        code = find_run(command, &request);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = graft_network_device(command, &request.network, &device);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = evaluate(command, &request, device);
    }
    graft_device_close(&device);
    graft_run_close(&request.run);
    graft_text_close(command->context, &request.known);
    return code;
}

const struct graft_verb graft_verb_evaluate = {
    .name = "evaluate",
    .operands = "RUN-or-MODEL-or-FILE [DATA]",
    .purpose = "measures loss, top 1, top 5, figures of each class and the confusion matrix",
    .examples =
        "  graft evaluate runs/flowers-1                      on the test or validation pictures of its own "
        "data\n"
        "  graft evaluate runs/flowers-1 --split all          on all of them, those it has learnt from too\n"
        "  graft evaluate runs/flowers-1 other-flowers        on all of a folder with a folder per class\n"
        "  graft evaluate squeezenet1_0 --weights squeezenet1_0.safetensors --names classes.txt photos\n"
        "                                                     published weights\n"
        "  graft evaluate runs/flowers-1 --tta ten --predictions table.csv --threshold 0.9\n"
        "                                                     the mean over ten crops; a row for each "
        "picture\n",
    .notes =
        "  A run knows the data that it was fitted on and how it was split; what its test or validation\n"
        "  pictures say is kept in the run folder, in evaluation.json.\n",
    .least = 1,
    .most = 2,
    .cancels = true,
    .run = run,
};
