/* SPDX-License-Identifier: MIT */
/* graft filters: the pattern that excites each channel of a layer most. */
#include "ascending.h"
#include "base/context.h"
#include "base/text.h"
#include "graft/vis.h"
#include "output.h"
#include "verbs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CHANNEL_LIMIT 256
#define USUAL_CHANNELS 64
#define COLUMNS 8
#define KERNEL_TILE 64

struct request {
    struct graft_network_options network;
    struct graft_ascending_options ascent;
    const char *layer, *channels, *out;
    int64_t side;
};

struct filters {
    struct graft_command *command;
    const struct request *request;
    struct graft_ascent *ascent;
    int32_t channels[CHANNEL_LIMIT];
    int32_t count;
    struct graft_image pictures[CHANNEL_LIMIT];
    struct graft_ideal ideals[CHANNEL_LIMIT];
    int32_t first; /* of those that are made now */
};

/* "0-63", "3,17,40-47" */
static int read_channels(struct filters *job, int32_t most)
{
    const char *list = job->request->channels;
    char *end = NULL;
    if (list == NULL) {
        for (job->count = 0; job->count < most && job->count < USUAL_CHANNELS; job->count++) {
            job->channels[job->count] = job->count;
        }
        return GRAFT_EXIT_GO_ON;
    }
    for (job->count = 0; *list != '\0'; list = *end == ',' ? end + 1 : end) {
        const long from = strtol(list, &end, 10);
        long to = from;
        bool sound = end != list;
        if (sound && *end == '-') {
            const char *const second = end + 1;
            to = strtol(second, &end, 10);
            sound = end != second;
        }
        if (!sound || (*end != ',' && *end != '\0') || from < 0 || to < from) {
            return graft_command_usage(job->command, "--channels are numbers such as 0-63 or 3,17,40-47, not \"%s\"",
                                       job->request->channels);
        }
        if (to >= most) {
            return graft_command_usage(job->command, "%s has channels 0 to %d, not %ld", job->request->layer,
                                       (int)most - 1, to);
        }
        for (long channel = from; channel <= to; channel++) {
            if (job->count == CHANNEL_LIMIT) {
                return graft_command_usage(job->command, "--channels takes %d at a time", CHANNEL_LIMIT);
            }
            job->channels[job->count++] = (int32_t)channel;
        }
    }
    return job->count > 0 ? GRAFT_EXIT_GO_ON
                          : graft_command_usage(job->command, "--channels names none");
}

static enum graft_status watch(void *user, struct graft_ascent *ascent, int32_t step)
{
    struct filters *const job = user;
    graft_command_progress(job->command, "%s: channels from %d of %d, step %d of %d", job->request->layer,
                           (int)job->first, (int)job->count, (int)step, (int)graft_ascent_steps(ascent));
    return GRAFT_OK;
}

static enum graft_status make_pictures(struct filters *job)
{
    struct graft_context *const context = job->command->context;
    const int32_t batch = graft_ascent_batch(job->ascent);
    enum graft_status status = GRAFT_OK;
    for (job->first = 0; job->first < job->count && status == GRAFT_OK; job->first += batch) {
        const int32_t left = job->count - job->first, rows = left < batch ? left : batch;
        status = graft_ascent_run(job->ascent, job->channels + job->first, rows, NULL, watch, job,
                                  job->ideals + job->first);
        for (int32_t r = 0; r < rows && status == GRAFT_OK; r++) {
            struct graft_image *const copy = &job->pictures[job->first + r];
            graft_ascent_picture(job->ascent, r, copy);
            const uint8_t *const pixels = copy->pixels;
            const size_t bytes = (size_t)copy->width * (size_t)copy->height * (size_t)copy->channels;
            copy->pixels = graft_allocate(context, bytes, 1);
            status = copy->pixels != NULL ? GRAFT_OK : GRAFT_ERROR_MEMORY;
            if (status == GRAFT_OK) {
                memcpy(copy->pixels, pixels, bytes);
            }
        }
    }
    graft_command_progress_end(job->command);
    return status;
}

/* "OUT/LAYER.png", eight in a row. */
static int write_sheet(struct filters *job, const char *layer, const char *title, char (*captions)[48], int32_t side)
{
    struct graft_context *const context = job->command->context;
    struct graft_sheet_tile tiles[CHANNEL_LIMIT];
    struct graft_text path = {0};
    for (int32_t i = 0; i < job->count; i++) {
        tiles[i] = (struct graft_sheet_tile){.caption = captions[i], .picture = &job->pictures[i]};
    }
    if (mkdir(job->request->out, 0777) != 0 && errno != EEXIST) {
        return graft_command_error(job->command, "cannot make the folder %s: %s", job->request->out, strerror(errno));
    }
    graft_text_append(context, &path, "%s/", job->request->out);
    graft_append_file_name(context, layer, &path);
    graft_text_append(context, &path, ".png");
    const enum graft_status status = path.failed
                                         ? GRAFT_ERROR_MEMORY
                                         : graft_vis_sheet(context, path.data, title, tiles, job->count, COLUMNS, side);
    int code = GRAFT_EXIT_DONE;
    if (status != GRAFT_OK) {
        code = graft_command_failed(job->command, status);
    } else if (!job->command->json) {
        printf("%s: %d channels of %s\n", path.data, (int)job->count, layer);
    } else {
        json_t *const list = json_array();
        for (int32_t i = 0; i < job->count; i++) {
            graft_json_add_item(list, json_pack("{s:i, s:o}", "channel", (int)job->channels[i], "score",
                                                graft_json_real((double)job->ideals[i].score)));
        }
        code = graft_json_print(job->command, json_pack("{s:o, s:o, s:o}", "file", graft_json_text(path.data),
                                                        "layer", graft_json_text(layer), "channels", list));
    }
    graft_text_close(context, &path);
    return code;
}

static int draw_patterns(struct filters *job, const char *network)
{
    char captions[CHANNEL_LIMIT][48], title[256];
    int32_t side = 0;
    int code = read_channels(job, graft_ascent_goals(job->ascent));
    if (code != GRAFT_EXIT_GO_ON) {
        return code;
    }
    const enum graft_status status = make_pictures(job);
    if (status != GRAFT_OK) {
        return graft_command_failed(job->command, status);
    }
    for (int32_t i = 0; i < job->count; i++) {
        side = job->pictures[i].width;
        (void)snprintf(captions[i], sizeof captions[i], "%d: %.3g%s", (int)job->channels[i],
                       (double)job->ideals[i].score, job->ideals[i].score == 0 ? " (dead)" : "");
    }
    (void)snprintf(title, sizeof title, "%s, %s: what excites each channel most, and its mean then", network,
                   job->request->layer);
    return write_sheet(job, job->request->layer, title, captions, side < 200 ? side : 200);
}

/* ---- the first layer */

static int draw_kernels(struct filters *job, struct graft_classifier *classifier, const struct graft_kernels *kernels)
{
    char captions[CHANNEL_LIMIT][48], title[256];
    enum graft_status status = GRAFT_OK;
    int code = read_channels(job, kernels->count);
    for (int32_t i = 0; i < job->count && code == GRAFT_EXIT_GO_ON && status == GRAFT_OK; i++) {
        status = graft_kernels_picture(job->command->context, kernels, job->channels[i], &job->pictures[i]);
        (void)snprintf(captions[i], sizeof captions[i], "%d", (int)job->channels[i]);
    }
    if (status != GRAFT_OK) {
        return graft_command_failed(job->command, status);
    }
    (void)snprintf(title, sizeof title, "%s, %s: its %dx%d kernels as they are",
                   graft_classifier_model(classifier)->info->name, kernels->layer, (int)kernels->height,
                   (int)kernels->width);
    return code == GRAFT_EXIT_GO_ON ? write_sheet(job, kernels->layer, title, captions, KERNEL_TILE) : code;
}

/* Where no layer is named. */
static int draw_first(struct filters *job, struct graft_device *device)
{
    struct graft_classifier *classifier = NULL;
    struct graft_kernels kernels = {0};
    struct graft_classifier_options options = graft_network_classifier(job->command, &job->request->network);
    options.batch = 1;
    enum graft_status status = graft_classifier_open(device, &options, &classifier);
    if (status == GRAFT_OK) {
        status = graft_kernels_read(classifier, &kernels);
    }
    const int code = status == GRAFT_OK ? draw_kernels(job, classifier, &kernels)
                                        : graft_command_failed_name(job->command, status);
    graft_kernels_close(job->command->context, &kernels);
    graft_classifier_close(&classifier);
    return code;
}

/* The first layer needs no ascent: its kernels are pictures. */
static int draw_layer(struct filters *job, struct graft_device *device)
{
    const struct request *const request = job->request;
    struct graft_kernels kernels = {0};
    struct graft_ascent_options options = graft_ascending_settings(job->command, &request->network, &request->ascent);
    options.layer = request->layer;
    options.side = (int32_t)request->side;
    const enum graft_status status = graft_ascent_open(device, &options, &job->ascent);
    if (status != GRAFT_OK) {
        return graft_command_failed_name(job->command, status);
    }
    struct graft_classifier *const classifier = graft_ascent_classifier(job->ascent);
    const bool first =
        graft_kernels_read(classifier, &kernels) == GRAFT_OK && strcmp(request->layer, kernels.layer) == 0;
    const int code = first ? draw_kernels(job, classifier, &kernels)
                           : draw_patterns(job, graft_classifier_model(classifier)->info->name);
    graft_kernels_close(job->command->context, &kernels);
    return code;
}

static int filters(struct graft_command *command, const struct request *request, struct graft_device *device)
{
    struct filters *const job = calloc(1, sizeof *job);
    if (job == NULL) {
        return graft_command_error(command, "not enough memory for the sheet");
    }
    *job = (struct filters){.command = command, .request = request};
    graft_context_limit_memory(command->context, request->network.memory);
    const int code = request->layer == NULL ? draw_first(job, device) : draw_layer(job, device);
    for (int32_t i = 0; i < job->count; i++) {
        graft_image_close(command->context, &job->pictures[i]);
    }
    graft_ascent_close(&job->ascent);
    free(job);
    return code;
}

static int run(struct graft_command *command)
{
    struct request request = {.out = "filters"};
    struct graft_device *device = NULL;
    const struct graft_option options[] = {
        {"--layer", "L", "of this layer or stage; else the kernels of the first convolution as they are",
         GRAFT_OPTION_TEXT, &request.layer, 0, 0},
        {"--channels", "LIST", "which: 0-63, or 3,17,40-47", GRAFT_OPTION_TEXT, &request.channels, 0, 0,
         .usual = "the first 64"},
        {"--side", "PIXELS", "of a pattern", GRAFT_OPTION_INTEGER, &request.side, 16, 2048,
         .usual = "150, or as a place of the layer sees"},
        GRAFT_ASCENDING_OPTIONS(request.ascent, "30", "0.3"),
        {"--out", "FOLDER", "where the sheets go", GRAFT_OPTION_TEXT, &request.out, 0, 0, .usual = "filters"},
        GRAFT_NETWORK_OPTIONS(request.network),
    };
    int code = graft_command_begin(command, options, sizeof options / sizeof options[0]);
    if (code == GRAFT_EXIT_GO_ON) {
        code = graft_network_device(command, &request.network, &device);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = filters(command, &request, device);
    }
    graft_device_close(&device);
    return code;
}

const struct graft_verb graft_verb_filters = {
    .name = "filters",
    .operands = "RUN-or-MODEL-or-FILE",
    .purpose = "draws the pattern that excites each channel of a layer most",
    .examples = "  graft filters resnet18                                    the kernels of its first layer\n"
                "  graft filters resnet18 --layer layer2 --channels 0-63\n"
                "  graft filters vgg16 --layer block3 --side 150 --steps 60 --blur 0.1\n",
    .notes = "  Gradient ascent from noise on the mean of each channel over its places; `graft summary` lists the layers.\n"
             "  A channel that stays 0 (dead) has nothing to climb on from this noise: another --seed, more --side.\n",
    .least = 1,
    .most = 1,
    .cancels = true,
    .writes_files = true,
    .run = run,
};
