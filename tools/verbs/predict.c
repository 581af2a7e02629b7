/* SPDX-License-Identifier: MIT */
/* graft predict: which classes pictures are of. */
#include "base/clock.h"
#include "base/context.h"
#include "classified.h"
#include "inputs.h"
#include "network.h"
#include "output.h"
#include "verbs.h"

#include <stdio.h>
#include <unistd.h>

#define FLUSH_SECONDS 0.1

struct request {
    struct graft_network_options network;
    int64_t top;
    bool logits;
    const char *csv;
};

struct prediction {
    struct graft_command *command;
    struct graft_classifier *classifier;
    const struct graft_dataset *dataset; /* that is run now */
    struct graft_rows rows;
    int64_t done, bad;
    double flushed; /* clock */
    bool stopped;   /* nobody reads what is printed */
};

static enum graft_status take(void *user, const struct graft_classified *picture)
{
    struct prediction *const job = user;
    struct graft_command *const command = job->command;
    char name[GRAFT_NAME_SHOWN];
    graft_dataset_sample_name(job->dataset, GRAFT_SPLIT_TRAIN, picture->index, name, sizeof name);
    const enum graft_status status = graft_rows_add(&job->rows, name, picture);
    if (status != GRAFT_OK) {
        return status;
    }
    job->done++;
    job->bad += picture->values == NULL;
    /* On a terminal the row says it just above. */
    if (picture->values == NULL && (command->json || job->rows.csv != NULL || isatty(STDOUT_FILENO) != 1)) {
        graft_command_error(command, "%s", picture->note);
    } else if (picture->values != NULL && picture->note != NULL) {
        graft_log(command->context, GRAFT_LOG_WARNING, "suspect: %s", picture->note);
    }
    if (job->rows.csv != NULL || isatty(STDOUT_FILENO) != 1) {
        graft_command_progress(command, "%lld pictures", (long long)job->done);
    }
    const double now = graft_seconds();
    if (now - job->flushed > FLUSH_SECONDS) {
        job->flushed = now;
        job->stopped = !graft_command_flush(command);
    }
    return job->stopped ? GRAFT_ERROR_CANCELLED : GRAFT_OK;
}

static int run_pictures(void *user, const struct graft_dataset *dataset)
{
    struct prediction *const job = user;
    job->dataset = dataset;
    const enum graft_status status =
        graft_classifier_dataset(job->classifier, dataset, GRAFT_SPLIT_TRAIN, take, job);
    const bool flushed = graft_command_flush(job->command);
    if (job->stopped || !flushed) {
        return GRAFT_EXIT_DONE; /* what is wrong with stdout is told at the end */
    }
    return status == GRAFT_OK ? GRAFT_EXIT_GO_ON : graft_command_failed(job->command, status);
}

/* What came of all of them. */
static int finish(const struct prediction *job, int64_t failed)
{
    if (job->bad > 0 && job->done > 1) {
        graft_command_remark(job->command, "%lld of %lld pictures could not be read", (long long)job->bad,
                             (long long)job->done);
    }
    return job->bad + failed > 0 ? GRAFT_EXIT_FAILED : GRAFT_EXIT_DONE;
}

static int predict(struct graft_command *command, const struct request *request, struct graft_device *device)
{
    struct prediction job = {.command = command, .rows = {.command = command}};
    struct graft_class_file names = {0};
    int64_t failed = 0;
    int code = graft_network_open(command, device, &request->network, &job.classifier);
    const int32_t classes = code == GRAFT_EXIT_GO_ON ? graft_classifier_class_count(job.classifier) : 0;
    if (code == GRAFT_EXIT_GO_ON) {
        job.rows = (struct graft_rows){.command = command,
                                       .classes = classes,
                                       .top = request->top < classes ? (int32_t)request->top : classes,
                                       .logits = request->logits,
                                       .target = graft_classifier_target(job.classifier),
                                       .csv_path = request->csv};
        code = graft_network_names(command, &request->network, job.classifier, &names, &job.rows.names);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = graft_rows_open(&job.rows);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = graft_inputs_each(command, command->operands + 1, command->operand_count - 1, run_pictures,
                                 &job, &failed);
    }
    graft_command_progress_end(command);
    code = graft_rows_close(&job.rows, code);
    graft_class_file_close(&names);
    graft_classifier_close(&job.classifier);
    return code == GRAFT_EXIT_GO_ON ? finish(&job, failed) : code;
}

static int run(struct graft_command *command)
{
    static const char *const orientations[] = {"as-trained", "apply", "ignore"};
    struct request request = {.top = 5};
    const char *orientation = NULL;
    const struct graft_option options[] = {
        {"--top", "K", "how many classes a picture", GRAFT_OPTION_INTEGER, &request.top, 1, 1000000,
         .usual = "5"},
        {"--logits", NULL, "all outputs of the network too", GRAFT_OPTION_FLAG, &request.logits, 0, 0},
        {"--csv", "FILE", "a table with a row for each picture; - is standard output", GRAFT_OPTION_TEXT,
         &request.csv, 0, 0},
        {"--orientation", "MODE", "apply or ignore the EXIF orientation; see above", GRAFT_OPTION_TEXT,
         &orientation, 0, 0},
        GRAFT_TTA_OPTION(request.network),
        GRAFT_NETWORK_OPTIONS(request.network),
    };
    int code = graft_command_begin(command, options, sizeof options / sizeof options[0]);
    if (code != GRAFT_EXIT_GO_ON) {
        return code;
    }
    if (orientation != NULL) {
        const int mode = graft_command_choice(command, "--orientation", orientation, orientations, 3);
        if (mode < 0) {
            return GRAFT_EXIT_USAGE;
        }
        request.network.orientation = (enum graft_orientation)mode;
    }
    code = graft_network_views(command, &request.network);
    if (code != GRAFT_EXIT_GO_ON) {
        return code;
    }
    if (command->json && request.csv != NULL) {
        return graft_command_usage(command, "--json and --csv are two forms of the same: give one of them");
    }
    request.network.most_rows = graft_inputs_files(command->operands + 1, command->operand_count - 1);
    struct graft_device *device = NULL;
    code = graft_network_device(command, &request.network, &device);
    if (code == GRAFT_EXIT_GO_ON) {
        code = predict(command, &request, device);
    }
    graft_device_close(&device);
    return code;
}

const struct graft_verb graft_verb_predict = {
    .name = "predict",
    .operands = "RUN-or-MODEL-or-FILE INPUT...",
    .purpose = "says which classes pictures are of, with probabilities",
    .examples =
        "  graft predict runs/flowers-1 rose.jpg              with a network that `graft fit` has trained\n"
        "  graft predict squeezenet1_0 --weights squeezenet1_0.safetensors --names classes.txt *.jpg\n"
        "                                                     with published weights\n"
        "  graft predict runs/flowers-1 new-photos photos.zip --csv table.csv\n"
        "                                                     all pictures below a folder, and in an "
        "archive\n"
        "  find . -name '*.jpg' -print0 | graft predict runs/flowers-1 - --top 1 --json\n"
        "                                                     a list of paths; a line of JSON for each "
        "picture\n",
    .notes =
        "  A picture that cannot be read is a row that says why; the others are done, and the exit code is "
        "1.\n"
        "  A run takes pictures upright, by their EXIF orientation; a published network takes them as they\n"
        "  are stored, because so its figures were measured (--orientation overrides both).\n",
    .least = 2,
    .most = -1,
    .cancels = true,
    .run = run,
};
