/* SPDX-License-Identifier: MIT */
/* graft evaluate: how often a network is right on pictures whose classes are known. */
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
                     const struct graft_class_file *file, struct graft_dataset **dataset)
{
    struct graft_dataset_options options = {.seed = (uint64_t)request->split_seed};
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

static int show(struct graft_command *command, const struct request *request,
                const struct graft_evaluation *evaluation, const char *const *names, int split)
{
    /* Pictures that it has learnt from say nothing that should stay with the run. */
    const bool kept = request->own && split != ALL && split != GRAFT_SPLIT_TRAIN;
    const enum graft_status status =
        kept ? graft_run_write_evaluation(request->run, evaluation, split_name(split)) : GRAFT_OK;
    int code = GRAFT_EXIT_DONE;
    if (command->json) {
        code = graft_json_print(command, graft_evaluated_json(evaluation, names));
    } else {
        graft_evaluated_print(evaluation, names);
    }
    return status == GRAFT_OK ? code : graft_command_failed(command, status);
}

/* --report: the figures, and where the network looks. GRAFT_EXIT_DONE or an exit code. */
static int write_report(struct graft_command *command, const struct request *request,
                        struct graft_device *device, const struct graft_dataset *dataset,
                        const struct graft_evaluation *evaluation, const char *const *names, int split)
{
    const struct graft_classifier_options options = graft_network_classifier(command, &request->network);
    struct graft_examples *examples = NULL;
    char title[512];
    (void)snprintf(title, sizeof title, "%.200s on %.200s (%s)", command->operands[0], request->data,
                   split_name(split));
    enum graft_status status =
        graft_examples_find(device, &options, dataset, (enum graft_split)split, &examples);
    if (status == GRAFT_OK) {
        status = graft_vis_evaluation(command->context, request->report, title, evaluation, names, examples);
    }
    graft_examples_close(&examples);
    return status == GRAFT_OK ? GRAFT_EXIT_DONE : graft_command_failed(command, status);
}

static int evaluate(struct graft_command *command, struct request *request, struct graft_device *device)
{
    struct graft_classifier *classifier = NULL;
    struct graft_dataset *dataset = NULL;
    struct graft_class_file file = {0};
    struct graft_evaluation evaluation = {0};
    int split = GRAFT_SPLIT_TEST;
    const char *const *names = NULL;
    int code = graft_network_open(command, device, &request->network, &classifier);
    if (code == GRAFT_EXIT_GO_ON) {
        code = graft_network_names(command, &request->network, classifier, &file, &names);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        file.count = graft_classifier_class_count(classifier);
        code = open_data(command, request, names, &file, &dataset);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = choose_split(command, request, dataset, &split);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        const bool skip =
            request->skip_damaged || (request->own && graft_run_number(request->run, "skip_damaged", 0) > 0);
        const enum graft_status status = graft_classifier_evaluate(
            classifier, dataset, (enum graft_split)split, skip, graft_show_progress, command, &evaluation);
        graft_command_progress_end(command);
        code = status == GRAFT_OK ? show(command, request, &evaluation, names, split)
                                  : graft_command_failed(command, status);
        if (code == GRAFT_EXIT_DONE && request->report != NULL) {
            code = write_report(command, request, device, dataset, &evaluation, names, split);
        }
    }
    graft_evaluation_close(command->context, &evaluation);
    graft_dataset_close(&dataset);
    graft_class_file_close(&file);
    graft_classifier_close(&classifier);
    return code;
}

static int run(struct graft_command *command)
{
    static const char *const splits[] = {"train", "val", "test", "all"};
    bool seed = false, fraction = false;
    struct request request = {0};
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
        {"--labels", "NAME", "which labels, of data sets that have several", GRAFT_OPTION_TEXT, &request.labels, 0, 0},
        {"--class-pattern", "REGEX", "its group in parentheses is the class in a picture's path", GRAFT_OPTION_TEXT,
         &request.class_pattern, 0, 0},
        {"--report", "FILE",
         "an HTML page with the figures and, of each class, the surest right and wrong picture",
         GRAFT_OPTION_TEXT, &request.report, 0, 0},
        GRAFT_NETWORK_OPTIONS(request.network),
    };
    int code = graft_command_begin(command, options, sizeof options / sizeof options[0]);
    if (code == GRAFT_EXIT_GO_ON && request.split != NULL &&
        graft_command_choice(command, "--split", request.split, splits, 4) < 0) {
        return GRAFT_EXIT_USAGE;
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
        "                                                     published weights\n",
    .notes =
        "  A run knows the data that it was fitted on and how it was split; what its test or validation\n"
        "  pictures say is kept in the run folder, in evaluation.json.\n",
    .least = 1,
    .most = 2,
    .cancels = true,
    .run = run,
};
