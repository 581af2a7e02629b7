/* SPDX-License-Identifier: MIT */
/* graft predict: which classes pictures are of. */
#include "base/context.h"
#include "base/pool.h"
#include "network.h"
#include "output.h"
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>

struct request {
    struct graft_network_options network;
    int64_t top;
    bool logits;
    int orientation; /* < 0: as the network's preprocessing says */
};

enum { ORIENTATION_APPLY = 0, ORIENTATION_IGNORE = 1 };

/* One batch of pictures on its way through decoding, network and printing. */
struct slot {
    struct graft_context *context;
    const struct graft_preprocess *preprocess; /* the prediction's */
    const char *path;
    uint8_t *pixels; /* of this picture in the batch's memory */
    enum graft_status status;
    struct graft_task task;
};

struct prediction {
    struct graft_command *command;
    const struct request *request;
    struct graft_classifier *classifier;
    struct graft_preprocess preprocess;
    const char *const *names;
    int32_t classes;
    int64_t batch;
    uint64_t image_bytes;
    struct slot *slots;   /* [batch] */
    uint8_t *pixels;      /* [batch, h, w, c] */
    float *logits;        /* [batch, classes] */
    float *probabilities; /* [classes] */
    int32_t *order;       /* [classes] */
    bool failed;          /* some picture could not be read */
};

static void decode(void *argument)
{
    struct slot *const slot = argument;
    slot->status = graft_preprocess_file(slot->context, slot->preprocess, slot->path, slot->pixels);
}

/* Decodes `count` pictures on all threads; those that are fine move together. Returns how many there are, or
 * -1. */
static int64_t decode_batch(struct prediction *job, const char *const *paths, int64_t count)
{
    struct graft_pool *const pool = graft_context_pool(job->command->context);
    int64_t fine = 0;
    if (pool == NULL) {
        return -1;
    }
    for (int64_t i = 0; i < count; i++) {
        job->slots[i] = (struct slot){.context = job->command->context,
                                      .preprocess = &job->preprocess,
                                      .path = paths[i],
                                      .pixels = job->pixels + (uint64_t)i * job->image_bytes,
                                      .task = {.run = decode, .argument = &job->slots[i]}};
        graft_pool_submit(pool, &job->slots[i].task);
    }
    for (int64_t i = 0; i < count; i++) {
        graft_pool_wait(pool, &job->slots[i].task);
    }
    for (int64_t i = 0; i < count; i++) {
        struct slot *const slot = &job->slots[i];
        if (slot->status != GRAFT_OK) {
            decode(slot); /* again, alone: the context keeps the text of the latest failure of any thread */
        }
        if (slot->status != GRAFT_OK) {
            graft_command_failed(job->command, slot->status);
            job->failed = true;
            continue;
        }
        if (fine < i) {
            for (uint64_t k = 0; k < job->image_bytes; k++) {
                job->pixels[(uint64_t)fine * job->image_bytes + k] = slot->pixels[k];
            }
        }
        job->slots[fine++].path = slot->path;
    }
    return fine;
}

static json_t *describe(const struct prediction *job, const char *path, const float *logits, int32_t top)
{
    json_t *const list = json_array();
    for (int32_t k = 0; k < top; k++) {
        const int32_t index = job->order[k];
        graft_json_add_item(list, json_pack("{s:i, s:o, s:o}", "index", (int)index, "name",
                                            graft_json_text(job->names[index]), "probability",
                                            graft_json_real((double)job->probabilities[index])));
    }
    json_t *const document = json_pack("{s:o, s:o}", "file", graft_json_text(path), "top", list);
    if (document != NULL && job->request->logits) {
        json_t *const values = json_array();
        for (int32_t i = 0; i < job->classes; i++) {
            graft_json_add_item(values, graft_json_real((double)logits[i]));
        }
        graft_json_add_member(document, "logits", values);
    }
    return document;
}

static int print_picture(struct prediction *job, const char *path, const float *logits)
{
    const int32_t top = job->request->top < job->classes ? (int32_t)job->request->top : job->classes;
    graft_softmax_row(logits, job->classes, job->probabilities);
    graft_top_k(job->probabilities, job->classes, top, job->order);
    if (job->command->json) {
        return graft_json_print(job->command, describe(job, path, logits, top));
    }
    printf("%s\n", path);
    for (int32_t k = 0; k < top; k++) {
        const int32_t index = job->order[k];
        printf("  %6.2f %%  %s\n", 100 * (double)job->probabilities[index], job->names[index]);
    }
    for (int32_t i = 0; job->request->logits && i < job->classes; i++) {
        printf("  %14.6g  %s\n", (double)logits[i], job->names[i]);
    }
    return GRAFT_EXIT_DONE;
}

static bool allocate(struct prediction *job)
{
    const struct graft_preprocess *const p = &job->preprocess;
    job->preprocess = *graft_classifier_preprocess(job->classifier);
    if (job->request->orientation >= 0) {
        job->preprocess.ignore_orientation = job->request->orientation == ORIENTATION_IGNORE;
    }
    job->batch = graft_classifier_batch(job->classifier);
    job->classes = graft_classifier_class_count(job->classifier);
    job->image_bytes = (uint64_t)p->crop_height * (uint64_t)p->crop_width * (uint64_t)p->channels;
    job->slots = calloc((size_t)job->batch, sizeof *job->slots);
    job->pixels = calloc((size_t)job->batch, (size_t)job->image_bytes);
    job->logits = calloc((size_t)(job->batch * job->classes), sizeof *job->logits);
    job->probabilities = calloc((size_t)job->classes, sizeof *job->probabilities);
    job->order = calloc((size_t)job->classes, sizeof *job->order);
    return job->slots != NULL && job->pixels != NULL && job->logits != NULL && job->probabilities != NULL &&
           job->order != NULL;
}

static int predict_all(struct prediction *job, const char *const *paths, int64_t count)
{
    struct graft_command *const command = job->command;
    for (int64_t at = 0; at < count; at += job->batch) {
        const int64_t rows = count - at < job->batch ? count - at : job->batch;
        if (graft_context_cancelled(command->context)) {
            return graft_command_failed(command, GRAFT_ERROR_CANCELLED);
        }
        const int64_t fine = decode_batch(job, paths + at, rows);
        if (fine < 0) {
            return graft_command_failed(command, GRAFT_ERROR_MEMORY);
        }
        const enum graft_status status =
            fine > 0 ? graft_classifier_run(job->classifier, job->pixels, fine, job->logits) : GRAFT_OK;
        if (status != GRAFT_OK) {
            return graft_command_failed(command, status);
        }
        for (int64_t i = 0; i < fine; i++) {
            const int code = print_picture(job, job->slots[i].path, job->logits + i * job->classes);
            if (code != GRAFT_EXIT_DONE) {
                return code;
            }
        }
        fflush(stdout);
    }
    return job->failed ? GRAFT_EXIT_FAILED : GRAFT_EXIT_DONE;
}

static int predict(struct graft_command *command, const struct request *request, struct graft_device *device)
{
    struct prediction job = {.command = command, .request = request};
    struct graft_class_file names = {0};
    int code = graft_network_open(command, device, &request->network, &job.classifier);
    if (code == GRAFT_EXIT_GO_ON && !allocate(&job)) {
        code = graft_command_failed(command, GRAFT_ERROR_MEMORY);
    }
    if (code == GRAFT_EXIT_GO_ON && request->network.names != NULL) {
        code = graft_class_file_read(command, request->network.names, job.classes, &names);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        job.names =
            names.count > 0 ? (const char *const *)names.names : graft_classifier_class_names(job.classifier);
        code = predict_all(&job, command->operands + 1, command->operand_count - 1);
    }
    graft_class_file_close(&names);
    free(job.slots);
    free(job.pixels);
    free(job.logits);
    free(job.probabilities);
    free(job.order);
    graft_classifier_close(&job.classifier);
    return code;
}

static int run(struct graft_command *command)
{
    static const char *const orientations[] = {"apply", "ignore"};
    struct request request = {.top = 5, .orientation = -1};
    const char *orientation = NULL;
    struct graft_device *device = NULL;
    const struct graft_option options[] = {
        {"--top", "K", "how many classes a picture (5)", GRAFT_OPTION_INTEGER, &request.top, 1, 1000000},
        {"--logits", NULL, "all outputs of the network too", GRAFT_OPTION_FLAG, &request.logits, 0, 0},
        {"--orientation", "MODE", "apply or ignore the EXIF orientation; see above", GRAFT_OPTION_TEXT,
         &orientation, 0, 0},
        GRAFT_NETWORK_OPTIONS(request.network),
    };
    int code = graft_command_begin(command, options, sizeof options / sizeof options[0]);
    if (code != GRAFT_EXIT_GO_ON) {
        return code;
    }
    if (orientation != NULL) {
        request.orientation = graft_command_choice(command, "--orientation", orientation, orientations, 2);
        if (request.orientation < 0) {
            return GRAFT_EXIT_USAGE;
        }
    }
    request.network.smallest_batch = command->operand_count - 1;
    code = graft_network_check(command, &request.network);
    if (code == GRAFT_EXIT_GO_ON) {
        char name[GRAFT_MODEL_NAME_SIZE];
        graft_network_name(command, name);
        code = graft_command_open_device(command, name, false, &device);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = predict(command, &request, device);
    }
    graft_device_close(&device);
    return code;
}

const struct graft_verb graft_verb_predict = {
    .name = "predict",
    .operands = "RUN-or-MODEL IMAGE...",
    .purpose = "says which classes pictures are of, with probabilities",
    .examples =
        "  graft predict runs/flowers-1 rose.jpg              with a network that `graft fit` has trained\n"
        "  graft predict squeezenet1_0 --weights squeezenet1_0.safetensors --names classes.txt *.jpg\n"
        "                                                     with published weights\n"
        "  graft predict runs/flowers-1 *.jpg --top 1 --json  a line of JSON for each picture\n",
    .notes =
        "  A picture that cannot be read is named on stderr; the others are done, and the exit code is 1.\n"
        "  A run takes pictures upright, by their EXIF orientation; a published network takes them as they\n"
        "  are stored, because so its figures were measured (--orientation overrides both).\n",
    .least = 2,
    .most = -1,
    .cancels = true,
    .run = run,
};
