/* SPDX-License-Identifier: MIT */
/* graft similar: which pictures of a data set a network takes for nearly the same. */
#include "base/context.h"
#include "base/text.h"
#include "columns.h"
#include "embedded.h"
#include "graft/vis.h"
#include "inputs.h"
#include "output.h"
#include "verbs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SIDE 200       /* of a picture on a sheet */
#define COUNT_LIMIT 50 /* neighbours of a picture */
#define SHEET_PAIRS 20 /* near doubles that are drawn */
#define SIMILARITY 0.95
#define CAPTION 160

struct request {
    struct graft_network_options network;
    struct graft_dataset_options data;
    const char *out;
    int64_t count;
    double above;
    bool skip_damaged;
};

struct similar {
    struct graft_command *command;
    const struct request *request;
    struct graft_device *device;
    struct graft_embedded_data data;
};

static const char *name_of(const struct similar *job, int64_t row, char text[GRAFT_NAME_SHOWN])
{
    const struct graft_embedded *const picture = &job->data.embedding.pictures[row];
    return graft_dataset_sample_name(job->data.dataset, picture->split, picture->index, text,
                                     GRAFT_NAME_SHOWN);
}

/* ---- sheets */

struct sheet {
    struct graft_image images[2 * SHEET_PAIRS > COUNT_LIMIT ? 2 * SHEET_PAIRS : COUNT_LIMIT + 1];
    struct graft_sheet_tile tiles[2 * SHEET_PAIRS > COUNT_LIMIT ? 2 * SHEET_PAIRS : COUNT_LIMIT + 1];
    char captions[2 * SHEET_PAIRS > COUNT_LIMIT ? 2 * SHEET_PAIRS : COUNT_LIMIT + 1][CAPTION];
    int count;
};

static enum graft_status add_row(struct similar *job, int64_t row, double similarity, struct sheet *sheet)
{
    const int i = sheet->count;
    char note[CAPTION / 2];
    const enum graft_status status =
        graft_embedded_picture(job->command, &job->data, row, SIDE, &sheet->images[i]);
    if (status != GRAFT_OK) {
        return status;
    }
    (void)graft_format(sheet->captions[i], CAPTION, "%.3f  %s", similarity,
                       graft_embedded_note(&job->data, row, note, sizeof note));
    sheet->tiles[i] = (struct graft_sheet_tile){.caption = sheet->captions[i], .picture = &sheet->images[i]};
    sheet->count++;
    return GRAFT_OK;
}

/* "OUT/NAME": draws, and closes the pictures. */
static enum graft_status draw(struct similar *job, struct sheet *sheet, const char *name, const char *end,
                              int columns, int lent)
{
    struct graft_context *const context = job->command->context;
    struct graft_text path = {0};
    graft_text_append(context, &path, "%s/%s%s", job->request->out, name, end);
    const enum graft_status status =
        path.failed ? GRAFT_ERROR_MEMORY
                    : graft_vis_sheet(context, path.data, NULL, sheet->tiles, sheet->count, columns, SIDE);
    for (int i = lent; i < sheet->count; i++) {
        graft_image_close(context, &sheet->images[i]);
    }
    graft_text_close(context, &path);
    return status;
}

/* ---- pictures that are named */

static int print_neighbours(struct similar *job, const char *file, const struct graft_neighbour *found)
{
    char name[GRAFT_NAME_SHOWN], shown[GRAFT_NAME_SHOWN], note[CAPTION];
    json_t *const list = json_array();
    if (!job->command->json) {
        printf("%s\n", graft_show_name(file, shown));
    }
    for (int64_t i = 0; i < job->request->count && found[i].row >= 0; i++) {
        const struct graft_embedded *const picture = &job->data.embedding.pictures[found[i].row];
        (void)name_of(job, found[i].row, name);
        if (job->command->json) {
            graft_json_add_item(list,
                                json_pack("{s:o, s:o, s:o, s:s}", "file", graft_json_text(name), "similarity",
                                          graft_json_real((double)found[i].similarity), "class",
                                          picture->label >= 0 ? graft_json_text(graft_dataset_class_names(
                                                                    job->data.dataset)[picture->label])
                                                              : json_null(),
                                          "split", graft_split_name(picture->split)));
        } else {
            printf("  %.4f  %s (%s)\n", (double)found[i].similarity, graft_show_name(name, shown),
                   graft_embedded_note(&job->data, found[i].row, note, sizeof note));
        }
    }
    if (job->command->json) {
        return graft_json_print(job->command,
                                json_pack("{s:o, s:o}", "file", graft_json_text(file), "nearest", list));
    }
    json_decref(list);
    return GRAFT_EXIT_DONE;
}

static int find_similar(void *user, const char *file, const struct graft_image *image)
{
    struct similar *const job = user;
    struct graft_context *const context = job->command->context;
    const struct graft_embedding *const e = &job->data.embedding;
    struct graft_neighbour found[COUNT_LIMIT];
    struct sheet sheet = {.images = {*image}, .count = 1};
    char base[256];
    float *const values = graft_allocate(context, (size_t)e->width, sizeof *values);
    enum graft_status status =
        values != NULL ? graft_classifier_image(job->data.classifier, image, values) : GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK) {
        status = graft_embedding_nearest(job->device, e, values, 1, (int32_t)job->request->count, found);
    }
    graft_release(context, values);
    if (status != GRAFT_OK) {
        return graft_command_failed(job->command, status);
    }
    (void)snprintf(base, sizeof base, "%.250s", strrchr(file, '/') != NULL ? strrchr(file, '/') + 1 : file);
    (void)snprintf(sheet.captions[0], CAPTION, "%.150s", base);
    sheet.tiles[0] = (struct graft_sheet_tile){.caption = sheet.captions[0], .picture = &sheet.images[0]};
    for (int64_t i = 0; i < job->request->count && found[i].row >= 0 && status == GRAFT_OK; i++) {
        status = add_row(job, found[i].row, (double)found[i].similarity, &sheet);
    }
    char *const dot = strrchr(base, '.');
    if (dot != NULL && dot != base) {
        *dot = '\0';
    }
    const enum graft_status drawn = draw(job, &sheet, base, "-similar.png", 5, 1);
    status = status == GRAFT_OK ? drawn : status;
    if (status != GRAFT_OK) {
        return graft_command_failed(job->command, status);
    }
    return print_neighbours(job, file, found) == GRAFT_EXIT_DONE ? GRAFT_EXIT_GO_ON : GRAFT_EXIT_FAILED;
}

/* ---- near doubles of the data itself */

static json_t *pair_json(struct similar *job, const struct graft_near_pair *pair)
{
    char names[2][GRAFT_NAME_SHOWN];
    return json_pack("{s:[o, o], s:o}", "files", graft_json_text(name_of(job, pair->rows[0], names[0])),
                     graft_json_text(name_of(job, pair->rows[1], names[1])), "similarity",
                     graft_json_real((double)pair->similarity));
}

static int print_pairs(struct similar *job, const struct graft_near_pair *pairs, int64_t count, int64_t found)
{
    char names[2][GRAFT_NAME_SHOWN], shown[2][GRAFT_NAME_SHOWN], notes[2][CAPTION];
    if (job->command->json) {
        json_t *const list = json_array();
        for (int64_t i = 0; i < count; i++) {
            graft_json_add_item(list, pair_json(job, &pairs[i]));
        }
        return graft_json_print(job->command, json_pack("{s:I, s:I, s:o}", "pictures",
                                                        (json_int_t)job->data.embedding.count, "found",
                                                        (json_int_t)found, "pairs", list));
    }
    for (int64_t i = 0; i < count; i++) {
        for (int k = 0; k < 2; k++) {
            graft_show_name(name_of(job, pairs[i].rows[k], names[k]), shown[k]);
            graft_embedded_note(&job->data, pairs[i].rows[k], notes[k], CAPTION);
        }
        printf("%.4f  %s (%s) and %s (%s)\n", (double)pairs[i].similarity, shown[0], notes[0], shown[1],
               notes[1]);
    }
    printf("%lld pairs of %lld pictures in two classes or parts are at least %.3f alike\n", (long long)found,
           (long long)job->data.embedding.count, job->request->above);
    return GRAFT_EXIT_DONE;
}

static int find_pairs(struct similar *job)
{
    struct graft_near_pair pairs[100];
    struct sheet sheet = {.count = 0};
    int64_t found = 0;
    enum graft_status status =
        graft_embedding_near_pairs(job->device, &job->data.embedding, (float)job->request->above,
                                   sizeof pairs / sizeof pairs[0], pairs, &found);
    const int64_t count = found < 100 ? found : 100;
    for (int64_t i = 0; i < count && i < SHEET_PAIRS && status == GRAFT_OK; i++) {
        for (int k = 0; k < 2 && status == GRAFT_OK; k++) {
            status = add_row(job, pairs[i].rows[k], (double)pairs[i].similarity, &sheet);
        }
    }
    if (sheet.count > 0) {
        const enum graft_status drawn = draw(job, &sheet, "near", ".png", 4, 0);
        status = status == GRAFT_OK ? drawn : status;
    }
    return status == GRAFT_OK ? print_pairs(job, pairs, count, found)
                              : graft_command_failed(job->command, status);
}

/* ---- all */

static int find(struct similar *job)
{
    struct graft_command *const command = job->command;
    const struct request *const request = job->request;
    struct graft_inputs_count seen = {0};
    int code = graft_embedded_open(command, job->device, &request->network, &request->data,
                                   request->skip_damaged, &job->data);
    if (code == GRAFT_EXIT_GO_ON && mkdir(request->out, 0777) != 0 && errno != EEXIST) {
        code = graft_command_error(command, "cannot make the folder %s: %s", request->out, strerror(errno));
    }
    if (code != GRAFT_EXIT_GO_ON) {
        return code;
    }
    if (command->operand_count == 2) {
        return find_pairs(job);
    }
    const struct graft_decode_options decode = {
        .ignore_orientation = graft_classifier_preprocess(job->data.classifier)->ignore_orientation};
    code = graft_inputs_pictures(command, command->operands + 2, command->operand_count - 2, &decode,
                                 find_similar, job, &seen);
    if (code == GRAFT_EXIT_GO_ON) {
        code = seen.bad > 0 ? GRAFT_EXIT_FAILED : GRAFT_EXIT_DONE;
        graft_command_remark(command, "in %s: NAME-similar.png", request->out);
    }
    return code;
}

static int run(struct graft_command *command)
{
    struct request request = {.out = "similar", .count = 9, .above = SIMILARITY};
    struct similar job = {.command = command, .request = &request};
    const struct graft_option options[] = {
        {"--count", "N", "so many of the nearest pictures", GRAFT_OPTION_INTEGER, &request.count, 1,
         COUNT_LIMIT, .usual = "9"},
        {"--above", "X", "without IMAGE: pairs that are at least so much alike (the cosine)",
         GRAFT_OPTION_REAL, &request.above, -1, 1, .usual = "0.95"},
        {"--layer", "NAME", "compare what this layer or stage gives; else what enters the head",
         GRAFT_OPTION_TEXT, &request.network.output, 0, 0},
        {"--out", "FOLDER", "where the sheets go", GRAFT_OPTION_TEXT, &request.out, 0, 0, .usual = "similar"},
        {"--skip-damaged", NULL, "leave out pictures that cannot be read, and list them", GRAFT_OPTION_FLAG,
         &request.skip_damaged, 0, 0},
        GRAFT_COLUMN_OPTIONS(request.data),
        GRAFT_NETWORK_OPTIONS(request.network),
    };
    int code = graft_command_begin(command, options, sizeof options / sizeof options[0]);
    if (code == GRAFT_EXIT_GO_ON) {
        code = graft_network_device(command, &request.network, &job.device);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = find(&job);
    }
    graft_embedded_close(command, &job.data);
    graft_device_close(&job.device);
    return code;
}

const struct graft_verb graft_verb_similar = {
    .name = "similar",
    .operands = "RUN-or-MODEL-or-FILE DATA [IMAGE...]",
    .purpose = "finds the pictures of a data set that are nearest to others",
    .examples =
        "  graft similar runs/insects-1 insects bee.jpg         its nine nearest\n"
        "  graft similar graft_small photos                    near doubles in two classes or parts\n",
    .notes =
        "  Near means a large cosine between features. For each IMAGE a sheet, NAME-similar.png; without\n"
        "  any the pairs of DATA's own pictures that lie in two classes or in two of train, val and test,\n"
        "  and near.png, a sheet of the first 20.\n",
    .least = 2,
    .most = -1,
    .cancels = true,
    .writes_files = true,
    .run = run,
};
