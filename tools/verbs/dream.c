/* SPDX-License-Identifier: MIT */
/* graft dream: the ideal picture of a class. */
#include "ascending.h"
#include "base/context.h"
#include "base/text.h"
#include "data/film.h"
#include "graft/run.h"
#include "output.h"
#include "verbs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CLASS_LIMIT 64

struct request {
    struct graft_network_options network;
    struct graft_ascending_options ascent;
    const char *classes, *start, *out, *film;
};

#define FILM_FRAMES 100 /* of an animation, at most */
#define FILM_MILLISECONDS 60
#define FILM_LAST_MILLISECONDS 2000

struct dream {
    struct graft_command *command;
    const struct request *request;
    struct graft_ascent *ascent;
    const char *const *names; /* of classes */
    int32_t asked[CLASS_LIMIT];
    int asked_count;
    int first; /* of those that are made now */
    int32_t rows;
    int32_t every;           /* steps from one picture of the film to the next; 0: there is no film */
    struct graft_film *film; /* an animation; NULL: its pictures are files */
    float *logits;           /* and probabilities */
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

/* The film: how it was after so many steps. */
static enum graft_status add_frame(struct dream *job, int32_t row, int32_t step)
{
    const bool last = step == graft_ascent_steps(job->ascent);
    struct graft_image picture;
    struct graft_text path = {0};
    if (job->film != NULL) {
        graft_ascent_picture(job->ascent, row, &picture);
        return graft_film_add(job->film, &picture, last ? FILM_LAST_MILLISECONDS : FILM_MILLISECONDS);
    }
    const enum graft_status status = write_picture(job, row, step / job->every, &path);
    graft_text_close(job->command->context, &path);
    return status;
}

static enum graft_status watch(void *user, struct graft_ascent *ascent, int32_t step)
{
    struct dream *const job = user;
    const int32_t steps = graft_ascent_steps(ascent);
    const bool shown = job->every > 0 && (step % job->every == 0 || (job->film != NULL && step == steps));
    enum graft_status status = GRAFT_OK;
    graft_command_progress(job->command, "%s%s: step %d of %d", job->names[job->asked[job->first]],
                           job->rows > 1 ? " …" : "", (int)step, (int)steps);
    for (int32_t r = 0; shown && r < job->rows && status == GRAFT_OK; r++) {
        status = add_frame(job, r, step);
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
                      graft_json_real((double)probabilities[asked]), "logit", graft_json_real((double)ideal->score),
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

/* --film: a number, or the file of an animation. GRAFT_EXIT_GO_ON or an exit code. */
static int open_film(struct dream *job)
{
    const char *const film = job->request->film;
    const char *const ending = film != NULL ? strrchr(film, '.') : NULL;
    const int32_t steps = graft_ascent_steps(job->ascent);
    struct graft_image picture;
    char *end = NULL;
    if (film == NULL) {
        return GRAFT_EXIT_GO_ON;
    }
    const long number = strtol(film, &end, 10);
    if (end != film && *end == '\0' && number >= 1 && number <= 100000) {
        job->every = (int32_t)number;
        return GRAFT_EXIT_GO_ON;
    }
    if (ending == NULL || strcmp(ending, ".webp") != 0) {
        return graft_command_usage(job->command,
                                   "--film is a number of steps, or an animation's file that ends in .webp; not \"%s\"",
                                   film);
    }
    if (job->asked_count > 1) {
        return graft_command_usage(job->command, "an animation shows one class: name one, or take --film N");
    }
    job->every = (steps + FILM_FRAMES - 1) / FILM_FRAMES;
    graft_ascent_picture(job->ascent, 0, &picture);
    const enum graft_status status =
        graft_film_open(job->command->context, picture.width, picture.height, &job->film);
    return status == GRAFT_OK ? GRAFT_EXIT_GO_ON : graft_command_failed(job->command, status);
}

static int save_film(struct dream *job)
{
    const enum graft_status status =
        job->film != NULL ? graft_film_save(job->film, job->request->film) : GRAFT_OK;
    if (status != GRAFT_OK) {
        return graft_command_failed(job->command, status);
    }
    if (job->film != NULL) {
        graft_command_remark(job->command, "the way there: %s", job->request->film);
    }
    return GRAFT_EXIT_DONE;
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
    if (code == GRAFT_EXIT_DONE) {
        code = save_film(job);
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
        code = open_film(&job);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = dream_all(&job);
    }
    graft_film_close(&job.film);
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
        {"--film", "N|FILE", "the way there: a numbered PNG after every N steps, or FILE.webp, an animation",
         GRAFT_OPTION_TEXT, &request.film, 0, 0},
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
                "  graft dream runs/insects-1 --class bees --start ant.jpg --film way.webp\n",
    .notes = "  Gradient ascent on the class's logit. What is printed is what the network says of the PNG, read back\n"
             "  from its file; the exit code is 1 where it sees another class. Without octaves, jitter and variation\n"
             "  (--octaves 1 --jitter 0 --variation 0) what the network likes best looks like noise.\n",
    .least = 1,
    .most = 1,
    .cancels = true,
    .writes_files = true,
    .run = run,
};
