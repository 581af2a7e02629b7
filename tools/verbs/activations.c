/* SPDX-License-Identifier: MIT */
/* graft activations: what each layer of a network makes of a picture. */
#include "base/context.h"
#include "base/text.h"
#include "graft/explain.h"
#include "graft/vis.h"
#include "inputs.h"
#include "network.h"
#include "output.h"
#include "verbs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LAYER_LIMIT 64
#define NAME_SIZE 128
#define CELL 64 /* pixels of a channel */

struct request {
    struct graft_network_options network;
    const char *layers, *out;
};

struct activations {
    struct graft_command *command;
    const struct request *request;
    struct graft_activations *all;
};

/* "a,b,c" into names. */
static int split_layers(struct graft_command *command, const char *list, char (*texts)[NAME_SIZE],
                        const char **names, int *count)
{
    for (*count = 0; list != NULL; (*count)++) {
        const char *const comma = strchr(list, ',');
        const size_t length = comma != NULL ? (size_t)(comma - list) : strlen(list);
        if (*count == LAYER_LIMIT || length >= NAME_SIZE || length == 0) {
            return graft_command_usage(command, "--layers takes 1 to %d names with commas between them",
                                       LAYER_LIMIT);
        }
        memcpy(texts[*count], list, length);
        texts[*count][length] = '\0';
        names[*count] = texts[*count];
        list = comma != NULL ? comma + 1 : NULL;
    }
    return GRAFT_EXIT_GO_ON;
}

/* "OUT/NAME-LAYER.png" */
static enum graft_status write_png(struct activations *job, const char *name, const char *layer,
                                   const struct graft_image *image)
{
    struct graft_context *const context = job->command->context;
    struct graft_text path = {0};
    graft_text_append(context, &path, "%s/%s-%s.png", job->request->out, name, layer);
    const enum graft_status status =
        path.failed ? GRAFT_ERROR_MEMORY : graft_image_write_png(context, path.data, image);
    graft_text_close(context, &path);
    return status;
}

/* The stage of a layer; -1: there is none at this place of the list. */
static int stage_at(const struct activations *job, int index)
{
    const struct graft_model *const model = graft_classifier_model(graft_activations_classifier(job->all));
    struct graft_layer_map map;
    if (index >= graft_activations_count(job->all)) {
        return -1;
    }
    graft_activations_at(job->all, index, &map);
    for (int i = 0; i < model->layer_count; i++) {
        if (strcmp(model->layers[i].name, map.name) == 0) {
            return model->layers[i].stage;
        }
    }
    return -1;
}

static enum graft_status draw_layers(struct activations *job, const char *name)
{
    enum graft_status status = GRAFT_OK;
    for (int i = 0; i < graft_activations_count(job->all) && status == GRAFT_OK; i++) {
        struct graft_layer_map map;
        struct graft_image image;
        graft_activations_at(job->all, i, &map);
        if (job->request->layers == NULL && stage_at(job, i) == stage_at(job, i + 1)) {
            continue; /* the last map of each stage */
        }
        status = graft_vis_channels(job->command->context, map.values, map.height, map.width, map.channels,
                                    map.lowest, map.highest, CELL, &image);
        if (status == GRAFT_OK) {
            status = write_png(job, name, map.name, &image);
        }
        graft_image_close(job->command->context, &image);
    }
    return status;
}

/* "OUT/NAME-zeros.png": how much is 0 through the depth, of the layers that have nothing below 0. */
static enum graft_status draw_zeros(struct activations *job, const char *name)
{
    struct graft_context *const context = job->command->context;
    const int most = graft_activations_count(job->all);
    double *const numbers = graft_allocate(context, 3 * (size_t)most, sizeof *numbers);
    struct graft_text path = {0};
    int64_t count = 0;
    if (numbers == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    for (int i = 0; i < most; i++) {
        struct graft_layer_map map;
        graft_activations_at(job->all, i, &map);
        if (map.lowest >= 0) {
            numbers[count] = i + 1;
            numbers[most + count] = map.zeros;
            numbers[2 * most + count++] = (double)map.dead / map.channels;
        }
    }
    const struct graft_plot_line lines[2] = {{"zeros", numbers, numbers + most, count},
                                             {"dead channels", numbers, numbers + 2 * most, count}};
    const struct graft_plot_panel panel = {.title = "Share of zeros in rectified layers",
                                           .x_label = "layer",
                                           .y_label = "share",
                                           .lines = lines,
                                           .line_count = 2,
                                           .whole_x = true,
                                           .percent = true};
    graft_text_append(context, &path, "%s/%s-zeros.png", job->request->out, name);
    const enum graft_status status =
        path.failed ? GRAFT_ERROR_MEMORY : graft_plot_lines(context, path.data, &panel, 1, 0, 0);
    graft_text_close(context, &path);
    graft_release(context, numbers);
    return status;
}

static int print(struct activations *job, const char *file)
{
    char shown[GRAFT_NAME_SHOWN], shape[64];
    json_t *const list = json_array();
    if (!job->command->json) {
        printf("%s\n  %-36s %-14s %12s %12s %8s %6s\n", graft_show_name(file, shown), "layer", "map",
               "lowest", "highest", "zeros", "dead");
    }
    for (int i = 0; i < graft_activations_count(job->all); i++) {
        struct graft_layer_map map;
        graft_activations_at(job->all, i, &map);
        (void)snprintf(shape, sizeof shape, "%dx%dx%d", map.height, map.width, map.channels);
        if (job->command->json) {
            graft_json_add_item(list, json_pack("{s:s, s:[i,i,i], s:o, s:o, s:o, s:i}", "layer", map.name,
                                                "map", (int)map.height, (int)map.width, (int)map.channels,
                                                "lowest", graft_json_real((double)map.lowest), "highest",
                                                graft_json_real((double)map.highest), "zeros",
                                                graft_json_real(map.zeros), "dead", (int)map.dead));
        } else {
            printf("  %-36s %-14s %12.4g %12.4g %6.1f %% %6d\n", map.name, shape, (double)map.lowest,
                   (double)map.highest, 100 * map.zeros, map.dead);
        }
    }
    if (job->command->json) {
        return graft_json_print(job->command,
                                json_pack("{s:o, s:o}", "file", graft_json_text(file), "layers", list));
    }
    json_decref(list);
    return GRAFT_EXIT_DONE;
}

static int run_picture(void *user, const char *file, const struct graft_image *image)
{
    struct activations *const job = user;
    const char *const slash = strrchr(file, '/');
    char name[256];
    (void)snprintf(name, sizeof name, "%.250s", slash != NULL ? slash + 1 : file);
    char *const dot = strrchr(name, '.');
    if (dot != NULL && dot != name) {
        *dot = '\0';
    }
    enum graft_status status = graft_activations_image(job->all, image);
    if (status == GRAFT_OK) {
        status = draw_layers(job, name);
    }
    if (status == GRAFT_OK) {
        status = draw_zeros(job, name);
    }
    if (status != GRAFT_OK) {
        return graft_command_failed(job->command, status);
    }
    const int printed = print(job, file);
    return printed == GRAFT_EXIT_DONE ? GRAFT_EXIT_GO_ON : printed;
}

static int show(struct graft_command *command, const struct request *request, struct graft_device *device)
{
    struct activations job = {.command = command, .request = request};
    char texts[LAYER_LIMIT][NAME_SIZE];
    const char *names[LAYER_LIMIT];
    int count = 0;
    struct graft_inputs_count seen = {0};
    struct graft_classifier_options options = graft_network_classifier(command, &request->network);
    options.batch = 0; /* a picture at a time */
    int code = split_layers(command, request->layers, texts, names, &count);
    if (code == GRAFT_EXIT_GO_ON) {
        graft_context_limit_memory(command->context, request->network.memory);
        const enum graft_status status = graft_activations_open(device, &options, names, count, &job.all);
        code = status == GRAFT_OK ? GRAFT_EXIT_GO_ON : graft_command_failed_name(command, status);
    }
    if (code == GRAFT_EXIT_GO_ON && mkdir(request->out, 0777) != 0 && errno != EEXIST) {
        code = graft_command_error(command, "cannot make the folder %s: %s", request->out, strerror(errno));
    }
    if (code == GRAFT_EXIT_GO_ON) {
        const struct graft_preprocess *const p =
            graft_classifier_preprocess(graft_activations_classifier(job.all));
        const struct graft_decode_options decode = {.channels = p->channels,
                                                    .ignore_orientation = p->ignore_orientation};
        code = graft_inputs_pictures(command, command->operands + 1, command->operand_count - 1, &decode,
                                     run_picture, &job, &seen);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = seen.bad > 0 ? GRAFT_EXIT_FAILED : GRAFT_EXIT_DONE;
        if (seen.done > seen.bad) {
            graft_command_remark(command, "in %s: NAME-LAYER.png, NAME-zeros.png", request->out);
        }
    }
    graft_activations_close(&job.all);
    return code;
}

static int run(struct graft_command *command)
{
    struct request request = {.out = "activations"};
    struct graft_device *device = NULL;
    const struct graft_option options[] = {
        {"--layers", "A,B", "these layers or stages; else all in the table, the last of each stage drawn",
         GRAFT_OPTION_TEXT, &request.layers, 0, 0},
        {"--out", "FOLDER", "where the pictures go", GRAFT_OPTION_TEXT, &request.out, 0, 0,
         .usual = "activations"},
        GRAFT_NETWORK_OPTIONS(request.network),
    };
    int code = graft_command_begin(command, options, sizeof options / sizeof options[0]);
    if (code == GRAFT_EXIT_GO_ON) {
        code = graft_network_device(command, &request.network, &device);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = show(command, &request, device);
    }
    graft_device_close(&device);
    return code;
}

const struct graft_verb graft_verb_activations = {
    .name = "activations",
    .operands = "RUN-or-MODEL-or-FILE IMAGE...",
    .purpose = "shows what each layer of a network makes of pictures",
    .examples = "  graft activations runs/insects-1 bee.jpg             the last layer of each stage\n"
                "  graft activations resnet18 bee.jpg --layers layer1,layer2.0.relu\n",
    .notes = "  A drawing has all channels of a layer side by side in one scale; channels that are 0 "
             "everywhere are\n"
             "  crossed out. The table and NAME-zeros.png tell how much of each layer is 0.\n",
    .least = 2,
    .most = -1,
    .cancels = true,
    .writes_files = true,
    .run = run,
};
