/* SPDX-License-Identifier: MIT */
/* graft fit: trains a network on pictures and writes the run folder. */
#include "base/text.h"
#include "fit_options.h"
#include "graft/train.h"
#include "graft/vis.h"
#include "network.h"
#include "output.h"
#include "progress.h"
#include "several.h"
#include "together.h"
#include "verbs.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct show {
    struct graft_command *command;
    bool begun; /* the table's heading is there */
};

static void on_progress(void *user, const struct graft_progress *progress)
{
    const struct show *const show = user;
    graft_show_progress(show->command, progress);
}

static void on_epoch(void *user, const struct graft_run_epoch *epoch, const char *from)
{
    struct show *const show = user;
    graft_show_epoch(show->command, epoch, from, !show->begun);
    show->begun = true;
}

static void print_result(const struct graft_fit_result *result)
{
    char duration[32], run[GRAFT_NAME_SHOWN];
    printf("run         %s\n", graft_show_name(result->run, run));
    const bool classes = result->task == GRAFT_TASK_CLASSES;
    if (result->task == GRAFT_TASK_NUMBER) {
        printf("network     %s, a number: %s\n", result->model, graft_show_name(result->class_names[0], run));
    } else {
        printf("network     %s, %d %s\n", result->model, (int)result->classes, graft_task_info(result->task)->name);
    }
    if (isfinite(result->val_top1) && !classes) {
        printf("best epoch  %d of %d: %s of the validation pictures %.4f, loss %.4f\n", result->best_epoch,
               result->epochs, graft_task_info(result->task)->title, result->val_top1, result->val_loss);
    } else if (isfinite(result->val_top1)) {
        printf("best epoch  %d of %d: %.2f %% of the validation pictures right, loss %.4f\n",
               result->best_epoch, result->epochs, 100 * result->val_top1, result->val_loss);
    } else {
        printf("epochs      %d%s\n", result->epochs, result->cancelled ? "" : ", nothing to validate with");
    }
    if (result->task == GRAFT_TASK_NUMBER && !result->cancelled) {
        printf("%-11s mean absolute error %.4g, root of the mean square error %.4g, R² %.4f\n",
               graft_split_name(result->evaluated), result->evaluation.mae, result->evaluation.rmse,
               result->evaluation.r2);
    } else if (isfinite(result->test_top1) && !classes) {
        printf("test        mean average precision %.4f of %lld pictures\n", result->test_top1,
               (long long)result->evaluation.images);
    } else if (isfinite(result->test_top1)) {
        printf("test        %.2f %% of %lld pictures right\n", 100 * result->test_top1,
               (long long)result->evaluation.images);
    }
    printf("time        %s", graft_show_duration(result->seconds, duration));
    if (result->images_per_second > 0) {
        printf(", %.0f images/s in training steps", result->images_per_second);
    }
    printf("\n");
    char quoted[PATH_MAX];
    printf("next        graft predict %s PICTURE...\n", graft_text_quote(result->run, quoted, sizeof quoted));
}

static json_t *describe(const struct graft_fit_result *result)
{
    char val[32], test[32];
    (void)snprintf(val, sizeof val, "val_%s", graft_task_info(result->task)->figure);
    (void)snprintf(test, sizeof test, "test_%s", graft_task_info(result->task)->figure);
    return json_pack(
        "{s:o, s:i, s:o, s:o, s:o, s:o, s:o}", "run", graft_json_text(result->run), "best_epoch",
        result->best_epoch, val, graft_json_real(result->val_top1), "val_loss", graft_json_real(result->val_loss), test,
        graft_json_real(result->test_top1), "seconds", graft_json_real(result->seconds), "images_per_second",
        graft_json_real(result->images_per_second > 0 ? result->images_per_second : (double)NAN));
}

/* Where the best weights look, on the part that was evaluated last. A report without it is a report too. */
static void find_examples(struct graft_command *command, struct graft_device *device,
                          const struct graft_fit_result *result, struct graft_dataset **dataset,
                          struct graft_examples **examples)
{
    const struct graft_classifier_options options = {.network = result->run};
    struct graft_run *run = NULL;
    if (result->cancelled || result->predictions.count < 1) {
        return;
    }
    enum graft_status status = graft_run_open(command->context, result->run, &run);
    if (status == GRAFT_OK) {
        status = graft_run_open_data(run, dataset);
    }
    if (status == GRAFT_OK) {
        status = graft_examples_find(device, &options, *dataset, result->evaluated, &result->predictions, examples);
    }
    if (status != GRAFT_OK) {
        graft_command_remark(command, "the report does not show where the network looks: %s",
                             graft_context_error(command->context));
    }
    graft_run_close(&run);
}

static int finish(struct graft_command *command, struct graft_device *device,
                  const struct graft_fit_result *result, const char *resume)
{
    if (command->rank > 0) {
        return result->cancelled ? GRAFT_EXIT_INTERRUPTED : GRAFT_EXIT_DONE;
    }
    struct graft_dataset *dataset = NULL;
    struct graft_examples *examples = NULL;
    /* The run is safe by now; drawing it only reads. */
    find_examples(command, device, result, &dataset, &examples);
    const enum graft_status drawn = graft_vis_run_examples(
        command->context, result->run, result->cancelled ? NULL : &result->evaluation, examples);
    graft_examples_close(&examples);
    graft_dataset_close(&dataset);
    int code = drawn == GRAFT_OK ? GRAFT_EXIT_DONE : graft_command_failed(command, drawn);
    if (result->cancelled) {
        char quoted[PATH_MAX];
        graft_command_error(command, "interrupted after %d epoch%s; go on with: graft fit --resume %s",
                            result->epochs, result->epochs == 1 ? "" : "s",
                            graft_text_quote(resume != NULL ? resume : result->run, quoted, sizeof quoted));
        code = GRAFT_EXIT_INTERRUPTED;
    }
    if (command->json) {
        const int printed = graft_json_print(command, describe(result));
        return printed != GRAFT_EXIT_DONE ? printed : code;
    }
    print_result(result);
    return code;
}

/* A graft_fit_function; `resume` NULL: the run itself. */
static int fit(struct graft_command *command, struct graft_fit_options *options, const char *resume)
{
    struct show show = {.command = command};
    struct graft_device *device = NULL;
    struct graft_fit_result result;
    char device_of_run[64] = "", own[64];
    if (options->resume != NULL && command->device == NULL) {
        graft_network_of_run(options->resume, "device", device_of_run, sizeof device_of_run);
        command->device = device_of_run[0] != '\0' ? device_of_run : NULL;
        if (command->ranks == NULL && strcmp(device_of_run, "opencl:rank") == 0) {
            command->device = "opencl:0"; /* one goes on alone */
        }
    }
    const int chosen = graft_together_device(command, own);
    if (chosen != GRAFT_EXIT_GO_ON) {
        return chosen;
    }
    if (options->resume == NULL) {
        graft_command_let_wait(command);
    }
    const int opened = graft_command_open_device(command, options->recipe.model, true, &device);
    graft_command_opened(command);
    if (opened != GRAFT_EXIT_GO_ON) {
        return opened;
    }
    options->ranks = command->ranks;
    if (command->rank == 0) {
        options->progress = on_progress;
        options->epoch_done = on_epoch;
        options->user = &show;
    }
    const enum graft_status status = graft_fit(device, options, &result);
    graft_command_progress_end(command);
    graft_command_tell_waiting(command);
    const int code =
        status == GRAFT_OK ? finish(command, device, &result, resume) : graft_command_failed(command, status);
    graft_fit_result_close(command->context, &result);
    graft_device_close(&device);
    return code;
}

static int run(struct graft_command *command)
{
    struct graft_fit_request request = {.options = {.out = NULL}, .several = true};
    const struct graft_option own[] = {
        {"--resume", "RUN", "go on with an interrupted run, or with --epochs +N with a finished one", GRAFT_OPTION_TEXT,
         &request.options.resume, 0, 0},
        {"--out", "RUN", "the run folder", GRAFT_OPTION_TEXT, &request.options.out, 0, 0, "runs/DATA-MODEL-N"},
    };
    int code = graft_together_begin(command);
    if (code == GRAFT_EXIT_GO_ON) {
        code = graft_fit_request_read(command, &request, own, sizeof own / sizeof own[0]);
    }
    if (code != GRAFT_EXIT_GO_ON) {
        return code;
    }
    const char *const resume = request.options.resume;
    return request.networks != NULL || (resume != NULL && graft_several_is_folder(resume))
               ? graft_several_fit(command, &request, fit)
               : fit(command, &request.options, NULL);
}

const struct graft_verb graft_verb_fit = {
    .name = "fit",
    .operands = "DATA",
    .purpose = "trains a network on a folder of pictures (or tar, zip, IDX, CSV)",
    .examples =
        "  graft fit photos                   a new head on the network that ships; photos/CLASS/*.jpg,\n"
        "                                     or photos/train/CLASS/*.jpg with photos/val, photos/test\n"
        "  graft fit photos --model squeezenet1_0 --weights squeezenet1_0.safetensors\n"
        "                                     on a larger one\n"
        "  graft fit photos --model squeezenet1_0 --weights w.safetensors --stages head:10,all:5:1e-4\n"
        "                                     then all layers, more slowly\n"
        "  graft fit photos --model resnet18 --weights w.safetensors --freeze layer3 --augment light\n"
        "                                     what follows layer3, on varied pictures\n"
        "  graft fit mnist --model mnist_convnet --optimizer rmsprop --epochs 5\n"
        "                                     from scratch: no weights are published for it\n"
        "  graft fit photos --model resnet50,vgg16_bn,resnet152 --stages head:16:1e-3,all:8\n"
        "                                     three networks, one after the other, then beside each other\n"
        "  mpirun -n 4 graft fit photos --model resnet50 --device opencl:rank\n"
        "                                     four processes, each on a device of its own; also on several machines\n"
        "  graft fit --resume runs/photos-squeezenet1_0-1\n"
        "                                     goes on after Ctrl-C\n"
        "  graft fit --resume runs/photos-squeezenet1_0-1 --epochs +5\n"
        "                                     five epochs more of what learnt last\n",
    .notes = "  Parts of --stages are head, classifier, all, a stage (layer4, block5), a layer or module as graft\n"
             "  summary names it (features.7), and last:N, the last N layers with parameters.\n"
             "  The run folder holds model.safetensors (the best epoch), last.safetensors, history.csv, "
             "config.json\n"
             "  and drawings: curves.png, confusion.png, report.html. Ctrl-C saves it and ends with exit "
             "code 130.\n"
             "  Several networks have the same options and epochs each, a run folder each below --out, and \"graft\n"
             "  compare\" of them in OUT/compared; one that fails is told, and the others go on (exit code 1).\n",
    .least = 0,
    .most = 1,
    .cancels = true,
    .writes_files = true,
    .run = run,
};
