/* SPDX-License-Identifier: MIT */
/* graft attack: the least change by which a network sees something else. */
#include "base/context.h"
#include "base/text.h"
#include "graft/attack.h"
#include "graft/run.h"
#include "graft/vis.h"
#include "inputs.h"
#include "network.h"
#include "output.h"
#include "verbs.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TOP 5
#define TILE 300
#define TILES 5

struct request {
    struct graft_network_options network;
    const char *target, *norm, *epsilon, *method, *out;
    int64_t steps;
    bool all;
};

/* What is known of each picture that was attacked, for the last line. */
struct outcome {
    double linf, l2, psnr;
    bool succeeded;
};

struct attack {
    struct graft_command *command;
    const struct request *request;
    struct graft_attack *attack;
    const char *const *names; /* of classes */
    int32_t class_count, target;
    struct graft_image *pictures; /* [batch] that wait */
    char (*files)[GRAFT_NAME_SHOWN];
    struct graft_attacked *attacked; /* [batch] */
    int32_t waiting;
    float *shares; /* [2, classes] */
    struct outcome *outcomes;
    size_t outcome_count, outcome_room;
};

/* ---- a picture */

/* "OUT/NAME-WHAT", NAME being the file's without its folder and ending. */
static bool path_of(struct attack *job, const char *name, const char *what, struct graft_text *path)
{
    const char *const slash = strrchr(name, '/');
    const char *const base = slash != NULL ? slash + 1 : name;
    const char *const dot = strrchr(base, '.');
    const int length = dot != NULL && dot != base ? (int)(dot - base) : (int)strlen(base);
    *path = (struct graft_text){0};
    graft_text_append(job->command->context, path, "%s/%.*s%s", job->request->out, length, base, what);
    return !path->failed;
}

/* The difference, enlarged around grey by a power of two, so that the largest is to be seen. */
static enum graft_status draw_difference(struct attack *job, const struct graft_image *original,
                                         const struct graft_attacked *attacked, struct graft_image *image, int *times)
{
    const size_t count = (size_t)original->width * (size_t)original->height * (size_t)original->channels;
    *image = *original;
    image->pixels = graft_allocate(job->command->context, count, 1);
    if (image->pixels == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    for (*times = 1; *times < 64 && 2 * *times * attacked->linf * 255 <= 127;) {
        *times *= 2;
    }
    for (size_t i = 0; i < count; i++) {
        const int by = *times * ((int)attacked->pixels[i] - (int)original->pixels[i]);
        image->pixels[i] = (uint8_t)(by < -128 ? 0 : by > 127 ? 255 : 128 + by);
    }
    return GRAFT_OK;
}

static int32_t find_bars(struct attack *job, const float *shares, int32_t marked, struct graft_sheet_bar bars[TOP])
{
    int32_t best[TOP];
    const int32_t count = job->class_count < TOP ? job->class_count : TOP;
    graft_top_k(shares, job->class_count, count, best);
    for (int32_t i = 0; i < count; i++) {
        bars[i] = (struct graft_sheet_bar){
            .name = job->names[best[i]], .share = (double)shares[best[i]], .marked = best[i] == marked};
    }
    return count;
}

/* Original, changed, difference, and what the network says of both. */
static enum graft_status draw_sheet(struct attack *job, int32_t row, const struct graft_image *changed)
{
    const struct graft_attacked *const attacked = &job->attacked[row];
    const struct graft_image *const original = &job->pictures[row];
    struct graft_sheet_bar bars[2][TOP];
    struct graft_image difference = {0};
    char captions[2][128], title[512];
    int times = 1;
    struct graft_text path;
    enum graft_status status = draw_difference(job, original, attacked, &difference, &times);
    if (status != GRAFT_OK) {
        return status;
    }
    (void)snprintf(captions[0], sizeof captions[0], "changed: L\xe2\x88\x9e %.0f/255, L2 %.2f, PSNR %.1f dB",
                   attacked->linf * 255, attacked->l2, attacked->psnr);
    (void)snprintf(captions[1], sizeof captions[1], "difference \xc3\x97 %d", times);
    (void)snprintf(title, sizeof title, "%.200s, %.1f %% \xe2\x86\x92 %.200s, %.1f %%", job->names[attacked->before],
                   100 * (double)attacked->before_share, job->names[attacked->after],
                   100 * (double)attacked->after_share);
    const int32_t before = find_bars(job, job->shares, attacked->before, bars[0]);
    const int32_t after = find_bars(job, job->shares + job->class_count, attacked->after, bars[1]);
    const struct graft_sheet_tile tiles[TILES] = {
        {.caption = "original", .picture = original},
        {.caption = captions[0], .picture = changed},
        {.caption = captions[1], .picture = &difference},
        {.caption = "what the network says of the original", .bars = bars[0], .bar_count = before},
        {.caption = "of the changed picture", .bars = bars[1], .bar_count = after}};
    status = path_of(job, job->files[row], "-sheet.png", &path)
                 ? graft_vis_sheet(job->command->context, path.data, title, tiles, TILES, TILES, TILE)
                 : GRAFT_ERROR_MEMORY;
    graft_text_close(job->command->context, &path);
    graft_image_close(job->command->context, &difference);
    return status;
}

/* The PNG is written and read back: what it says counts. */
static enum graft_status write_and_read(struct attack *job, int32_t row, struct graft_image *changed)
{
    struct graft_context *const context = job->command->context;
    struct graft_attacked *const attacked = &job->attacked[row];
    struct graft_classifier *const classifier = graft_attack_classifier(job->attack);
    const struct graft_decode_options decode = {.channels = job->pictures[row].channels};
    struct graft_text path;
    struct graft_image picture = job->pictures[row];
    float *const after = job->shares + job->class_count;
    picture.pixels = (uint8_t *)attacked->pixels;
    enum graft_status status = path_of(job, job->files[row], ".png", &path)
                                   ? graft_image_write_png(context, path.data, &picture)
                                   : GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK) {
        status = graft_image_read(context, path.data, &decode, changed);
    }
    if (status == GRAFT_OK) {
        status = graft_classifier_image(classifier, changed, after);
    }
    if (status == GRAFT_OK) {
        graft_softmax_row(after, job->class_count, after);
        graft_top_k(after, job->class_count, 1, &attacked->after);
        attacked->after_share = after[attacked->after];
        attacked->succeeded =
            job->target < 0 ? attacked->after != attacked->before : attacked->after == job->target;
        status = graft_classifier_image(classifier, &job->pictures[row], job->shares);
        graft_softmax_row(job->shares, job->class_count, job->shares);
    }
    graft_text_close(context, &path);
    return status;
}

static int print(struct attack *job, const char *file, const struct graft_attacked *attacked)
{
    const char *const before = job->names[attacked->before], *const after = job->names[attacked->after];
    char shown[3][GRAFT_NAME_SHOWN];
    if (job->command->json) {
        return graft_json_print(
            job->command,
            json_pack("{s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i}", "file", graft_json_text(file), "succeeded",
                      (int)attacked->succeeded, "before", graft_json_text(before), "before_probability",
                      graft_json_real((double)attacked->before_share), "after", graft_json_text(after),
                      "after_probability", graft_json_real((double)attacked->after_share), "linf",
                      graft_json_real(attacked->linf), "l2", graft_json_real(attacked->l2), "psnr",
                      graft_json_real(attacked->psnr), "gradients", (int)attacked->looks));
    }
    printf("%s: %s, %.1f %% -> %s, %.1f %%%s; Linf %.0f/255, L2 %.2f, PSNR %.1f dB\n", graft_show_name(file, shown[0]),
           graft_show_name(before, shown[1]), 100 * (double)attacked->before_share, graft_show_name(after, shown[2]),
           100 * (double)attacked->after_share, attacked->succeeded ? "" : " (not found)", attacked->linf * 255,
           attacked->l2, attacked->psnr);
    return GRAFT_EXIT_DONE;
}

static int note(struct attack *job, const struct graft_attacked *attacked)
{
    if (job->outcome_count == job->outcome_room) {
        const size_t room = 2 * job->outcome_room + 64;
        struct outcome *const grown = realloc(job->outcomes, room * sizeof *grown);
        if (grown == NULL) {
            return graft_command_error(job->command, "not enough memory for the table");
        }
        job->outcomes = grown;
        job->outcome_room = room;
    }
    job->outcomes[job->outcome_count++] =
        (struct outcome){attacked->linf, attacked->l2, attacked->psnr, attacked->succeeded};
    return GRAFT_EXIT_GO_ON;
}

/* Attacks the pictures that wait. */
static int attack_waiting(struct attack *job)
{
    int code = GRAFT_EXIT_GO_ON;
    if (job->waiting == 0) {
        return code;
    }
    graft_command_progress(job->command, "%s", job->files[0]);
    enum graft_status status =
        graft_attack_run(job->attack, job->pictures, job->waiting, job->target, job->attacked);
    for (int32_t r = 0; r < job->waiting && status == GRAFT_OK && code == GRAFT_EXIT_GO_ON; r++) {
        struct graft_image changed = {0};
        status = write_and_read(job, r, &changed);
        if (status == GRAFT_OK && !job->request->all) {
            status = draw_sheet(job, r, &changed);
        }
        graft_image_close(job->command->context, &changed);
        if (status == GRAFT_OK) {
            graft_command_progress_end(job->command);
            code = print(job, job->files[r], &job->attacked[r]);
            code = code == GRAFT_EXIT_DONE ? note(job, &job->attacked[r]) : code;
        }
    }
    for (int32_t r = 0; r < job->waiting; r++) {
        graft_image_close(job->command->context, &job->pictures[r]);
    }
    job->waiting = 0;
    graft_command_progress_end(job->command);
    return status == GRAFT_OK ? code : graft_command_failed(job->command, status);
}

static int take_picture(void *user, const char *name, const struct graft_image *image)
{
    struct attack *const job = user;
    struct graft_image *const copy = &job->pictures[job->waiting];
    const size_t bytes = (size_t)image->width * (size_t)image->height * (size_t)image->channels;
    *copy = *image;
    copy->pixels = graft_allocate_raw(job->command->context, bytes, 1);
    if (copy->pixels == NULL) {
        return graft_command_failed(job->command, GRAFT_ERROR_MEMORY);
    }
    memcpy(copy->pixels, image->pixels, bytes);
    (void)snprintf(job->files[job->waiting], sizeof job->files[0], "%s", name);
    job->waiting++;
    return job->waiting == graft_attack_batch(job->attack) ? attack_waiting(job) : GRAFT_EXIT_GO_ON;
}

/* ---- all of them */

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of those that succeeded; the mean of the middle two. */
static double median(struct attack *job, size_t offset, double *room)
{
    size_t count = 0;
    for (size_t i = 0; i < job->outcome_count; i++) {
        if (job->outcomes[i].succeeded) {
            memcpy(&room[count++], (const char *)&job->outcomes[i] + offset, sizeof *room);
        }
    }
    qsort(room, count, sizeof *room, by_size);
    return count > 0 ? (room[(count - 1) / 2] + room[count / 2]) / 2 : (double)NAN;
}

static int print_rate(struct attack *job)
{
    const struct request *const request = job->request;
    const char *const method = request->method != NULL ? request->method : "pgd",
                      *const norm = request->norm != NULL ? request->norm : "linf";
    double *const room = calloc(job->outcome_count + 1, sizeof *room);
    size_t flipped = 0;
    if (room == NULL) {
        return graft_command_error(job->command, "not enough memory for the table");
    }
    for (size_t i = 0; i < job->outcome_count; i++) {
        flipped += job->outcomes[i].succeeded;
    }
    const double rate = job->outcome_count > 0 ? (double)flipped / (double)job->outcome_count : (double)NAN;
    const double linf = median(job, offsetof(struct outcome, linf), room),
                 l2 = median(job, offsetof(struct outcome, l2), room),
                 psnr = median(job, offsetof(struct outcome, psnr), room);
    const double epsilon = graft_attack_epsilon(job->attack);
    free(room);
    if (job->command->json) {
        return graft_json_print(
            job->command,
            json_pack("{s:s, s:s, s:o, s:i, s:i, s:o, s:o, s:o, s:o}", "method", method, "norm", norm, "epsilon",
                      graft_json_real(epsilon), "pictures", (int)job->outcome_count, "changed", (int)flipped, "rate",
                      graft_json_real(rate), "median_linf", graft_json_real(linf), "median_l2", graft_json_real(l2),
                      "median_psnr", graft_json_real(psnr)));
    }
    printf("\n%-8s %-5s %9s %9s %9s %8s %12s %10s %12s\n", "attack", "norm", "epsilon", "pictures", "changed", "rate",
           "median Linf", "median L2", "median PSNR");
    printf("%-8s %-5s %9.5f %9zu %9zu %6.1f %% %8.2f/255 %10.3f %9.1f dB\n", method, norm, epsilon, job->outcome_count,
           flipped, 100 * rate, 255 * linf, l2, psnr);
    return GRAFT_EXIT_DONE;
}

static int attack_all(struct attack *job)
{
    struct graft_classifier *const classifier = graft_attack_classifier(job->attack);
    const struct graft_preprocess *const p = graft_classifier_preprocess(classifier);
    const struct graft_decode_options decode = {.channels = p->channels, .ignore_orientation = p->ignore_orientation};
    struct graft_inputs_count seen = {0};
    const size_t batch = (size_t)graft_attack_batch(job->attack);
    int code = GRAFT_EXIT_GO_ON;
    job->pictures = calloc(batch, sizeof *job->pictures);
    job->files = calloc(batch, sizeof *job->files);
    job->attacked = calloc(batch, sizeof *job->attacked);
    job->shares = calloc(2 * (size_t)job->class_count, sizeof *job->shares);
    if (job->pictures == NULL || job->files == NULL || job->attacked == NULL || job->shares == NULL) {
        return graft_command_error(job->command, "not enough memory for %zu pictures at a time", batch);
    }
    if (mkdir(job->request->out, 0777) != 0 && errno != EEXIST) {
        return graft_command_error(job->command, "cannot make the folder %s: %s", job->request->out, strerror(errno));
    }
    code = graft_inputs_pictures(job->command, job->command->operands + 1, job->command->operand_count - 1, &decode,
                                 take_picture, job, &seen);
    if (code == GRAFT_EXIT_GO_ON) {
        code = attack_waiting(job);
    }
    if (code == GRAFT_EXIT_GO_ON && job->request->all) {
        code = print_rate(job);
        code = code == GRAFT_EXIT_DONE ? GRAFT_EXIT_GO_ON : code;
    }
    if (code != GRAFT_EXIT_GO_ON) {
        return code;
    }
    bool missed = false;
    for (size_t i = 0; i < job->outcome_count && !job->request->all; i++) {
        missed = missed || !job->outcomes[i].succeeded;
    }
    if (seen.done > seen.bad) {
        graft_command_remark(job->command, "in %s: NAME.png%s", job->request->out,
                             job->request->all ? "" : ", NAME-sheet.png");
    }
    return seen.bad > 0 || missed ? GRAFT_EXIT_FAILED : GRAFT_EXIT_DONE;
}

/* "0.01" or "2/255". */
static int read_epsilon(struct graft_command *command, const char *text, double *epsilon)
{
    char *end = NULL;
    *epsilon = 0;
    if (text == NULL) {
        return GRAFT_EXIT_GO_ON;
    }
    double value = graft_read_number(text, &end), below = 1;
    if (end != text && *end == '/') {
        const char *const second = end + 1;
        below = graft_read_number(second, &end);
        end = end == second ? (char *)text : end;
    }
    *epsilon = value / below;
    return end != text && *end == '\0' && *epsilon > 0 && isfinite(*epsilon)
               ? GRAFT_EXIT_GO_ON
               : graft_command_usage(command, "--epsilon is a number above 0 such as 2/255 or 0.01, not \"%s\"", text);
}

static int open_attack(struct attack *job, struct graft_device *device)
{
    struct graft_context *const context = job->command->context;
    const struct request *const request = job->request;
    const struct graft_network_options *const network = &request->network;
    const int64_t few = graft_inputs_files(job->command->operands + 1, job->command->operand_count - 1);
    struct graft_attack_options options = {
        .classifier = graft_network_classifier(job->command, network), .steps = (int32_t)request->steps};
    if (network->batch == 0) {
        options.classifier.batch = few > 0 && few < 8 ? few : 8;
    }
    const int code = read_epsilon(job->command, request->epsilon, &options.epsilon);
    enum graft_status status = GRAFT_OK;
    if (code != GRAFT_EXIT_GO_ON) {
        return code;
    }
    graft_context_limit_memory(context, network->memory);
    if (request->norm != NULL) {
        status = graft_attack_norm_find(context, request->norm, &options.norm);
    }
    if (status == GRAFT_OK && request->method != NULL) {
        status = graft_attack_method_find(context, request->method, &options.method);
    }
    if (status == GRAFT_OK) {
        status = graft_attack_open(device, &options, &job->attack);
    }
    return status == GRAFT_OK ? GRAFT_EXIT_GO_ON : graft_command_failed_name(job->command, status);
}

static int attack(struct graft_command *command, const struct request *request, struct graft_device *device)
{
    struct attack job = {.command = command, .request = request};
    struct graft_class_file names = {0};
    int found = 0;
    int code = open_attack(&job, device);
    if (code == GRAFT_EXIT_GO_ON) {
        struct graft_classifier *const classifier = graft_attack_classifier(job.attack);
        job.class_count = graft_classifier_class_count(classifier);
        code = graft_network_names(command, &request->network, classifier, &names, &job.names);
        if (code == GRAFT_EXIT_GO_ON) {
            code = graft_class_find_list(command, job.names, job.class_count, request->target, &job.target,
                                         1, &found);
        }
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = attack_all(&job);
    }
    for (int32_t r = 0; r < job.waiting; r++) {
        graft_image_close(command->context, &job.pictures[r]);
    }
    free(job.pictures);
    free(job.files);
    free(job.attacked);
    free(job.shares);
    free(job.outcomes);
    graft_class_file_close(&names);
    graft_attack_close(&job.attack);
    return code;
}

static int run(struct graft_command *command)
{
    struct request request = {.out = "attacked"};
    struct graft_device *device = NULL;
    const struct graft_option options[] = {
        {"--target", "NAME", "the class that is to be seen; else any other", GRAFT_OPTION_TEXT, &request.target, 0, 0},
        {"--norm", "NORM", "how a change is measured: linf (the largest), l2", GRAFT_OPTION_TEXT, &request.norm, 0, 0,
         .usual = "linf"},
        {"--epsilon", "X", "the largest change, of numbers in 0..1: 2/255, 0.01", GRAFT_OPTION_TEXT, &request.epsilon,
         0, 0, .usual = "2/255; l2 0.5; minimal 32/255, 16"},
        {"--method", "METHOD", "pgd, fgsm, or minimal: the least epsilon that succeeds", GRAFT_OPTION_TEXT,
         &request.method, 0, 0, .usual = "pgd"},
        {"--steps", "N", "gradients for one epsilon", GRAFT_OPTION_INTEGER, &request.steps, 1, 10000, .usual = "20"},
        {"--all", NULL, "no sheets, but a table: how many pictures, how large a change", GRAFT_OPTION_FLAG,
         &request.all, 0, 0},
        {"--out", "FOLDER", "where the pictures go", GRAFT_OPTION_TEXT, &request.out, 0, 0, .usual = "attacked"},
        GRAFT_NETWORK_OPTIONS(request.network),
    };
    int code = graft_command_begin(command, options, sizeof options / sizeof options[0]);
    if (code == GRAFT_EXIT_GO_ON) {
        code = graft_network_device(command, &request.network, &device);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = attack(command, &request, device);
    }
    graft_device_close(&device);
    return code;
}

const struct graft_verb graft_verb_attack = {
    .name = "attack",
    .operands = "RUN-or-MODEL-or-FILE IMAGE...",
    .purpose = "changes pictures as little as possible so that a network sees something else",
    .examples = "  graft attack runs/insects-1 bee.jpg --method minimal\n"
                "  graft attack squeezenet1_0 cat.jpg --names imagenet-classes.txt --target zebra --epsilon 4/255\n"
                "  graft attack runs/insects-1 photos/val --all    how easily it is deceived\n",
    .notes = "  What counts is the PNG at the picture's own size, read back through resizing, cropping and rounding. A\n"
             "  sheet shows the original, the changed picture, their difference enlarged, and what is seen in both. The\n"
             "  exit code is 1 where no change was found (not with --all).\n",
    .least = 2,
    .most = -1,
    .cancels = true,
    .writes_files = true,
    .run = run,
};
