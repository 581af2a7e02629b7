/* SPDX-License-Identifier: MIT */
#include "fit_options.h"

#include "network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_RUNS 100000

/* "stage[:epochs[:rate]]" of `length` characters. */
static bool read_stage(const char *text, size_t length, struct graft_fit_stage *stage)
{
    char copy[128];
    char *end = NULL;
    if (length == 0 || length >= sizeof copy) {
        return false;
    }
    memcpy(copy, text, length);
    copy[length] = '\0';
    char *const epochs = strchr(copy, ':');
    if (epochs != NULL) {
        *epochs = '\0';
    }
    if (copy[0] == '\0' || strlen(copy) >= sizeof stage->from) {
        return false;
    }
    *stage = (struct graft_fit_stage){.epochs = 0};
    snprintf(stage->from, sizeof stage->from, "%s", copy);
    if (epochs == NULL) {
        return true;
    }
    const long count = strtol(epochs + 1, &end, 10);
    if (end == epochs + 1 || count < 1 || count > 100000 || (*end != '\0' && *end != ':')) {
        return false;
    }
    stage->epochs = (int)count;
    if (*end == '\0') {
        return true;
    }
    const char *const rate = end + 1;
    stage->learning_rate = strtod(rate, &end);
    return end != rate && *end == '\0' && stage->learning_rate > 0 && stage->learning_rate < 1e6;
}

static int read_stages(struct graft_command *command, struct graft_fit_request *request)
{
    struct graft_fit_options *const options = &request->options;
    for (const char *at = request->stages; at != NULL;) {
        const size_t length = strcspn(at, ",");
        if (options->stage_count == GRAFT_FIT_MAX_STAGES) {
            return graft_command_usage(command, "--stages has more than %d stages", GRAFT_FIT_MAX_STAGES);
        }
        if (!read_stage(at, length, &options->stages[options->stage_count++])) {
            return graft_command_usage(
                command,
                "--stages is STAGE[:EPOCHS[:RATE]],... such as head:10:1e-3,all:5; \"%.*s\" is "
                "not of that form",
                (int)length, at);
        }
        at = at[length] == ',' ? at + length + 1 : NULL;
    }
    return GRAFT_EXIT_GO_ON;
}

/* Names that the library resolves are checked first, so that a misspelt one is wrong usage and not a failed
 * run. */
static int check_names(struct graft_command *command, struct graft_fit_request *request)
{
    static const char *const modes[] = {"frozen", "train"};
    struct graft_fit_options *const options = &request->options;
    const struct graft_model_info *info = NULL;
    enum graft_optimizer optimizer;
    enum graft_status status = GRAFT_OK;
    if (options->model != NULL) {
        status = graft_model_find(command->context, options->model, &info);
    }
    if (status == GRAFT_OK && options->optimizer != NULL) {
        status = graft_optimizer_find(command->context, options->optimizer, &optimizer);
    }
    if (status == GRAFT_OK && request->schedule != NULL) {
        status = graft_schedule_find(command->context, request->schedule, &options->schedule);
    }
    if (status != GRAFT_OK) {
        return graft_command_failed_name(command, status);
    }
    if (request->bn != NULL) {
        const int mode = graft_command_choice(command, "--bn", request->bn, modes, 2);
        if (mode < 0) {
            return GRAFT_EXIT_USAGE;
        }
        options->bn = mode == 1 ? GRAFT_BATCH_NORM_TRAIN : GRAFT_BATCH_NORM_FROZEN;
    }
    return GRAFT_EXIT_GO_ON;
}

/* A stage that the network has not is told before the pictures are looked for. */
static int check_stages(struct graft_command *command, const struct graft_fit_options *options)
{
    struct graft_model *model = NULL;
    char list[1024] = "all";
    const char *unknown = NULL;
    if (options->model == NULL) {
        return GRAFT_EXIT_GO_ON;
    }
    const enum graft_status status = graft_model_open(command->context, options->model, NULL, &model);
    if (status != GRAFT_OK) {
        return graft_command_failed_name(command, status);
    }
    for (int s = 0; s < options->stage_count && unknown == NULL; s++) {
        const char *const from = options->stages[s].from;
        unknown = strcmp(from, "all") == 0 || graft_model_stage_find(model, from) >= 0 ? NULL : from;
    }
    for (int i = 0; i < model->stage_count; i++) {
        const size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, ", %s", model->stages[i].name);
    }
    graft_model_close(&model);
    return unknown == NULL ? GRAFT_EXIT_GO_ON
                           : graft_command_usage(command, "%s has no stage \"%s\"; there are: %s",
                                                 options->model, unknown, list);
}

/* --freeze S: one stage that learns from what follows S on. */
static int read_freeze(struct graft_command *command, struct graft_fit_request *request)
{
    struct graft_fit_options *const options = &request->options;
    char stage[GRAFT_MODEL_NAME_SIZE];
    if (request->freeze == NULL) {
        return GRAFT_EXIT_GO_ON;
    }
    if (request->stages != NULL) {
        return graft_command_usage(command, "--freeze and --stages say the same thing: give one of them");
    }
    if (options->model == NULL) {
        return graft_command_usage(command, "--freeze names a stage of a network: give --model too");
    }
    const int done = graft_stage_after(command, options->model, request->freeze, stage);
    if (done != GRAFT_EXIT_GO_ON) {
        return done;
    }
    options->stage_count = 1;
    snprintf(options->stages[0].from, sizeof options->stages[0].from, "%.63s", stage);
    return GRAFT_EXIT_GO_ON;
}

/* runs/<data>[-<model>]-<n>, the first n that is free. */
static int choose_out(struct graft_command *command, struct graft_fit_request *request)
{
    struct graft_fit_options *const options = &request->options;
    struct stat facts;
    char data[256];
    size_t length = strlen(options->data);
    while (length > 1 && options->data[length - 1] == '/') {
        length--;
    }
    size_t begin = length;
    while (begin > 0 && options->data[begin - 1] != '/') {
        begin--;
    }
    snprintf(data, sizeof data, "%.*s", (int)(length - begin < 200 ? length - begin : 200),
             options->data + begin);
    char *const dot = strchr(data, '.');
    if (dot != NULL && dot != data) {
        *dot = '\0';
    }
    if (data[0] == '\0' || data[0] == '.' || data[0] == '/') {
        snprintf(data, sizeof data, "data");
    }
    for (int n = 1; n < MAX_RUNS; n++) {
        snprintf(request->out, sizeof request->out, "runs/%s%s%s-%d", data, options->model != NULL ? "-" : "",
                 options->model != NULL ? options->model : "", n);
        if (lstat(request->out, &facts) != 0) {
            options->out = request->out;
            return GRAFT_EXIT_GO_ON;
        }
    }
    return graft_command_error(command, "%s and all before it are there: name a folder with --out",
                               request->out);
}

static int fill(struct graft_command *command, struct graft_fit_request *request,
                uint64_t allowed_with_resume)
{
    struct graft_fit_options *const options = &request->options;
    options->seed = (uint64_t)command->seed;
    options->dataset.seed = options->seed;
    if (options->resume != NULL) {
        return command->operand_count > 0 || (command->given & ~allowed_with_resume) != 0
                   ? graft_command_usage(
                         command, "--resume goes on as the run was begun: it takes no DATA and no other "
                                  "options of training")
                   : GRAFT_EXIT_GO_ON;
    }
    if (command->operand_count == 0) {
        return graft_command_usage(command, "fit needs DATA: a folder with a folder for each class");
    }
    options->data = command->operands[0];
    options->epochs = (int)request->epochs;
    options->warmup = (int)request->warmup;
    options->dropout = (float)request->dropout;
    options->label_smoothing = request->label_smoothing;
    options->momentum = request->momentum == 0 ? -1 : request->momentum < 0 ? 0 : request->momentum;
    options->weight_decay = request->weight_decay == 0  ? -1
                            : request->weight_decay < 0 ? 0
                                                        : request->weight_decay;
    options->dataset.val_fraction = request->val_fraction == 0  ? -1
                                    : request->val_fraction < 0 ? 0
                                                                : request->val_fraction;
    int code = check_names(command, request);
    if (code == GRAFT_EXIT_GO_ON) {
        code = read_freeze(command, request);
    }
    if (code == GRAFT_EXIT_GO_ON && request->stages != NULL) {
        code = read_stages(command, request);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = check_stages(command, options);
    }
    return code == GRAFT_EXIT_GO_ON && options->out == NULL ? choose_out(command, request) : code;
}

int graft_fit_request_read(struct graft_command *command, struct graft_fit_request *r)
{
    struct graft_fit_options *const o = &r->options;
    const struct graft_option options[] = {
        {"--resume", "RUN", "go on with an interrupted run", GRAFT_OPTION_TEXT, &o->resume, 0, 0},
        {"--memory", "BYTES", "take no more, computing less at a time: 512M, 2G", GRAFT_OPTION_BYTES,
         &o->memory_limit, 0, 0},
        {"--variants", "LIST", "force algorithms: conv2d=reference,matmul=...", GRAFT_OPTION_TEXT,
         &o->plan.variants, 0, 0},
        {"--model", "MODEL", "the network (graft models); else one that suits the data", GRAFT_OPTION_TEXT,
         &o->model, 0, 0},
        {"--weights", "FILE", "pretrained weights; else from scratch", GRAFT_OPTION_TEXT, &o->weights, 0, 0},
        {"--out", "RUN", "the run folder (runs/DATA-MODEL-N)", GRAFT_OPTION_TEXT, &o->out, 0, 0},
        {"--stages", "LIST", "STAGE[:EPOCHS[:RATE]],...: what learns, one after the other", GRAFT_OPTION_TEXT,
         &r->stages, 0, 0},
        {"--freeze", "STAGE", "train what follows this stage", GRAFT_OPTION_TEXT, &r->freeze, 0, 0},
        {"--epochs", "N", "of stages that name none", GRAFT_OPTION_INTEGER, &r->epochs, 1, 100000},
        {"--lr", "RATE", "of stages that name none", GRAFT_OPTION_REAL, &o->learning_rate, 1e-12, 1e6},
        {"--lr-factors", "LIST", "STAGE=FACTOR,...: slower or faster stages", GRAFT_OPTION_TEXT,
         &o->stage_factors, 0, 0},
        {"--batch", "N", "pictures a step", GRAFT_OPTION_INTEGER, &o->batch, 1, 65536},
        {"--input", "SIDE", "side of the pictures", GRAFT_OPTION_INTEGER, &o->input, 1, 8192},
        {"--optimizer", "NAME", "adam, adamw, sgd or rmsprop", GRAFT_OPTION_TEXT, &o->optimizer, 0, 0},
        {"--momentum", "X", "of sgd (0.9)", GRAFT_OPTION_REAL, &r->momentum, 0, 1},
        {"--nesterov", NULL, "sgd looks ahead along its momentum", GRAFT_OPTION_FLAG, &o->nesterov, 0, 0},
        {"--clip-norm", "X", "gradients of a larger norm are scaled down to it", GRAFT_OPTION_REAL,
         &o->clip_norm, 1e-12, 1e12},
        {"--schedule", "NAME", "of the learning rate: cosine, constant or step", GRAFT_OPTION_TEXT,
         &r->schedule, 0, 0},
        {"--warmup", "STEPS", "with a rising learning rate", GRAFT_OPTION_INTEGER, &r->warmup, 0, 1e9},
        {"--weight-decay", "X", "pulls weights to 0 (adamw: 0.01, else none)", GRAFT_OPTION_REAL,
         &r->weight_decay, 0, 1e6},
        {"--label-smoothing", "X", "share of each label that goes to all classes", GRAFT_OPTION_REAL,
         &r->label_smoothing, 0, 0.999},
        {"--class-weights", "LIST", "of the loss: balanced, none, or a number for each class: 1,2.5",
         GRAFT_OPTION_TEXT, &o->class_weights, 0, 0},
        {"--dropout", "P", "probability; the network's own if not given, -1 for none", GRAFT_OPTION_REAL,
         &r->dropout, -1, 0.999},
        {"--bn", "MODE", "frozen or train: statistics of batch normalization", GRAFT_OPTION_TEXT, &r->bn, 0,
         0},
        {"--augment", NULL, "random crops and flips", GRAFT_OPTION_FLAG, &o->augment, 0, 0},
        {"--val", "FOLDER", "the validation pictures, where they lie elsewhere", GRAFT_OPTION_TEXT,
         &o->dataset.val_path, 0, 0},
        {"--val-fraction", "X", "share to validate with if the data has no such part (0.2)",
         GRAFT_OPTION_REAL, &r->val_fraction, 0, 0.99},
        {"--skip-damaged", NULL, "leave out pictures that cannot be read, and list them", GRAFT_OPTION_FLAG,
         &o->skip_damaged, 0, 0},
    };
    const int done = graft_command_begin(command, options, sizeof options / sizeof options[0]);
    return done == GRAFT_EXIT_GO_ON ? fill(command, r, 7) : done;
}
