/* SPDX-License-Identifier: MIT */
/* graft dream: the ideal picture of a class. */
#include "ascending.h"
#include "base/context.h"
#include "base/text.h"
#include "graft/run.h"
#include "output.h"
#include "verbs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define CLASS_LIMIT 64

struct request {
    struct graft_network_options network;
    struct graft_ascending_options ascent;
    const char *classes, *start, *out;
    int64_t film;
};

struct dream {
    struct graft_command *command;
    const struct request *request;
    struct graft_ascent *ascent;
    const char *const *names; /* of classes */
    int32_t asked[CLASS_LIMIT];
    int asked_count;
    int first; /* of those that are made now */
    int32_t rows;
    float *logits; /* and probabilities */
    bool missed;
};

/* "OUT/CLASS.png", and of a film "OUT/CLASS-0120.png". */
static enum graft_status write_picture(struct dream *job, int32_t row, int32_t frame, struct graft_text *path)
{
    struct graft_context *const context = job->command->context;
    struct graft_image picture;
    *path = (struct graft_text){0};
    graft_text_append(context, path, "%s/", job->request->out);
    graft_append_file_name(context, job->names[job->asked[job->first + row]], path);
    if (frame >= 0) {
        graft_text_append(context, path, "-%04d", (int)frame);
    }
    graft_text_append(context, path, ".png");
    if (path->failed) {
        return GRAFT_ERROR_MEMORY;
    }
    graft_ascent_picture(job->ascent, row, &picture);
    return graft_image_write_png(context, path->data, &picture);
}

static enum graft_status watch(void *user, struct graft_ascent *ascent, int32_t step)
{
    struct dream *const job = user;
    const int64_t film = job->request->film;
    enum graft_status status = GRAFT_OK;
    graft_command_progress(job->command, "%s%s: step %d of %d", job->names[job->asked[job->first]],
                           job->rows > 1 ? " …" : "", (int)step, (int)graft_ascent_steps(ascent));
    for (int32_t r = 0; film > 0 && r < job->rows && status == GRAFT_OK; r++) {
        struct graft_text path = {0};
        if (step % film == 0) {
            status = write_picture(job, r, (int32_t)(step / film), &path);
        }
        graft_text_close(job->command->context, &path);
    }
    return status;
}

/* What counts is what the file says. */
static int tell(struct dream *job, int32_t row, const struct graft_ideal *ideal, const char *path)
{
    struct graft_classifier *const classifier = graft_ascent_classifier(job->ascent);
    const int32_t classes = graft_classifier_class_count(classifier);
    const int32_t asked = job->asked[job->first + row];
    float *const probabilities = job->logits + classes;
    int32_t best = 0;
    char shown[2][GRAFT_NAME_SHOWN];
    const enum graft_status status = graft_classifier_file(classifier, path, job->logits);
    if (status != GRAFT_OK) {
        return graft_command_failed(job->command, status);
    }
    graft_softmax_row(job->logits, classes, probabilities);
    graft_top_k(job->logits, classes, 1, &best);
    job->missed = job->missed || best != asked;
    if (job->command->json) {
        return graft_json_print(
            job->command,
            json_pack("{s:o, s:i, s:o, s:o, s:o, s:i, s:o}", "file", graft_json_text(path), "index", (int)asked,
                      "name", graft_json_text(job->names[asked]), "probability",
                      graft_json_real((double)probabilities[asked]), "score", graft_json_real((double)ideal->score),
                      "predicted", (int)best, "predicted_name", graft_json_text(job->names[best])));
    }
    graft_command_progress_end(job->command);
    printf("%s: %s, %.1f %%", graft_show_name(path, shown[0]), graft_show_name(job->names[asked], shown[1]),
           100 * (double)probabilities[asked]);
    if (best != asked) {
        printf("; more probable: %s, %.1f %%", graft_show_name(job->names[best], shown[1]),
               100 * (double)probabilities[best]);
    }
    printf("\n");
    return GRAFT_EXIT_DONE;
}

static int dream_some(struct dream *job, const struct graft_image *start)
{
    struct graft_ideal ideals[CLASS_LIMIT];
    const enum graft_status made = graft_ascent_run(job->ascent, job->asked + job->first, job->rows, start, watch,
                                                    job, ideals);
    int code = made == GRAFT_OK ? GRAFT_EXIT_DONE : graft_command_failed(job->command, made);
    for (int32_t r = 0; r < job->rows && code == GRAFT_EXIT_DONE; r++) {
        struct graft_text path = {0};
        const enum graft_status status = write_picture(job, r, -1, &path);
        code = status == GRAFT_OK ? tell(job, r, &ideals[r], path.data)
                                  : graft_command_failed(job->command, status);
        graft_text_close(job->command->context, &path);
    }
    return code;
}

static int dream_all(struct dream *job)
{
    struct graft_context *const context = job->command->context;
    const struct request *const request = job->request;
    struct graft_classifier *const classifier = graft_ascent_classifier(job->ascent);
    const struct graft_preprocess *const p = graft_classifier_preprocess(classifier);
    struct graft_image start = {0};
    int code = GRAFT_EXIT_DONE;
    if (request->start != NULL) {
        const struct graft_decode_options decode = {.channels = p->channels,
                                                    .ignore_orientation = p->ignore_orientation};
        const enum graft_status status = graft_image_read(context, request->start, &decode, &start);
        if (status != GRAFT_OK) {
            return graft_command_failed(job->command, status);
        }
    }
    job->logits = graft_allocate(context, 2 * (size_t)graft_classifier_class_count(classifier), sizeof(float));
    if (job->logits == NULL) {
        code = graft_command_failed(job->command, GRAFT_ERROR_MEMORY);
    } else if (mkdir(request->out, 0777) != 0 && errno != EEXIST) {
        code = graft_command_error(job->command, "cannot make the folder %s: %s", request->out, strerror(errno));
    }
    for (; job->first < job->asked_count && code == GRAFT_EXIT_DONE; job->first += job->rows) {
        const int left = job->asked_count - job->first, most = (int)graft_ascent_batch(job->ascent);
        job->rows = left < most ? left : most;
        code = dream_some(job, request->start != NULL ? &start : NULL);
    }
    graft_command_progress_end(job->command);
    graft_release(context, job->logits);
    graft_image_close(context, &start);
    return code == GRAFT_EXIT_DONE && job->missed ? GRAFT_EXIT_FAILED : code;
}

static int open_ascent(struct dream *job, struct graft_device *device)
{
    const struct request *const request = job->request;
    const struct graft_ascent_options options =
        graft_ascending_settings(job->command, &request->network, &request->ascent);
    graft_context_limit_memory(job->command->context, request->network.memory);
    const enum graft_status status = graft_ascent_open(device, &options, &job->ascent);
    return status == GRAFT_OK ? GRAFT_EXIT_GO_ON : graft_command_failed_name(job->command, status);
}

static int dream(struct graft_command *command, const struct request *request, struct graft_device *device)
{
    struct dream job = {.command = command, .request = request};
    struct graft_class_file names = {0};
    int code = open_ascent(&job, device);
    if (code == GRAFT_EXIT_GO_ON) {
        struct graft_classifier *const classifier = graft_ascent_classifier(job.ascent);
        const int32_t count = graft_classifier_class_count(classifier);
        code = graft_network_names(command, &request->network, classifier, &names, &job.names);
        if (code == GRAFT_EXIT_GO_ON) {
            code = graft_class_find_list(command, job.names, count, request->classes, job.asked, CLASS_LIMIT,
                                         &job.asked_count);
        }
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = dream_all(&job);
    }
    graft_class_file_close(&names);
    graft_ascent_close(&job.ascent);
    return code;
}

static int run(struct graft_command *command)
{
    struct request request = {.out = "dreams"};
    struct graft_device *device = NULL;
    const struct graft_option options[] = {
        {"--class", "NAME", "of this class; several: NAME,NAME", GRAFT_OPTION_TEXT, &request.classes, 0, 0},
        {"--start", "IMAGE", "begin with this picture; else with noise", GRAFT_OPTION_TEXT, &request.start, 0, 0},
        GRAFT_ASCENDING_OPTIONS(request.ascent, "200", "0.08"),
        {"--film", "N", "a numbered PNG after every N steps", GRAFT_OPTION_INTEGER, &request.film, 1, 100000},
        {"--out", "FOLDER", "where the pictures go", GRAFT_OPTION_TEXT, &request.out, 0, 0, .usual = "dreams"},
        GRAFT_NETWORK_OPTIONS(request.network),
    };
    int code = graft_command_begin(command, options, sizeof options / sizeof options[0]);
    if (code == GRAFT_EXIT_GO_ON && request.classes == NULL) {
        code = graft_command_usage(command, "--class says of which class the ideal picture is to be");
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = graft_network_device(command, &request.network, &device);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = dream(command, &request, device);
    }
    graft_device_close(&device);
    return code;
}

const struct graft_verb graft_verb_dream = {
    .name = "dream",
    .operands = "RUN-or-MODEL-or-FILE",
    .purpose = "draws the ideal picture of a class",
    .examples = "  graft dream runs/insects-1 --class bees\n"
                "  graft dream squeezenet1_0 --class zebra,goldfish --names imagenet-classes.txt --batch 2\n"
                "  graft dream runs/insects-1 --class bees --start ant.jpg --film 10\n",
    .notes = "  Gradient ascent on the class's logit. What is printed is what the network says of the PNG, read back\n"
             "  from its file; the exit code is 1 where it sees another class. Without octaves, jitter and variation\n"
             "  (--octaves 1 --jitter 0 --variation 0) what the network likes best looks like noise.\n",
    .least = 1,
    .most = 1,
    .cancels = true,
    .writes_files = true,
    .run = run,
};
