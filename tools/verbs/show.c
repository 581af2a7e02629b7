/* SPDX-License-Identifier: MIT */
/* graft show: pictures of a data set with their classes on one sheet, as they are or as training varies them.
 */
#include "base/context.h"
#include "base/random.h"
#include "columns.h"
#include "data/mix.h"
#include "graft/vis.h"
#include "output.h"
#include "verbs.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS 8
#define TILE 160
#define NAME_SIZE 4096

struct request {
    const char *augment, *split, *out;
    int64_t count, input;
    struct graft_dataset_options data;
};

struct show {
    struct graft_command *command;
    const struct request *request;
    struct graft_dataset *dataset;
    enum graft_split split;
    struct graft_preprocess preprocess;
    struct graft_transforms varied;
    struct graft_mix mix;
    /* Of the sheet. */
    struct graft_image *images;
    struct graft_sheet_tile *tiles;
    char (*captions)[96];
    int32_t tile_count;
    int64_t bad;
};

/* ---- which pictures */

/* Pictures sorted by class: those of class c are order[begin[c] .. begin[c + 1]). */
static void sort_by_class(const struct show *show, int64_t *begin, int64_t *order)
{
    const int64_t count = graft_dataset_count(show->dataset, show->split);
    const int32_t classes = graft_dataset_class_count(show->dataset);
    for (int64_t i = 0; i < count; i++) {
        begin[graft_dataset_label(show->dataset, show->split, i) + 1]++;
    }
    for (int32_t c = 0; c < classes; c++) {
        begin[c + 1] += begin[c];
    }
    for (int64_t i = count - 1; i >= 0;
         i--) { /* from behind: begin[c + 1] goes down to where class c begins */
        order[--begin[graft_dataset_label(show->dataset, show->split, i) + 1]] = i;
    }
    for (int32_t c = 0; c < classes; c++) {
        begin[c] = begin[c + 1];
    }
    begin[classes] = count;
}

/* Of each class as many as of the others, spread over the class from a place that is drawn. */
static int64_t choose(const struct show *show, const int64_t *begin, const int64_t *order, int64_t number,
                      int64_t of)
{
    const int64_t classes = graft_dataset_class_count(show->dataset);
    const int64_t c = of < classes ? number * classes / of : number % classes;
    const int64_t size = begin[c + 1] - begin[c];
    if (size == 0) {
        return -1;
    }
    struct graft_random random;
    graft_random_start(&random, (uint64_t)show->command->seed, graft_hash_text("show") + (uint64_t)c);
    const int64_t each = (of + classes - 1) / classes, turn = number / classes;
    const int64_t step = size > each ? size / each : 1;
    const int64_t first = graft_random_below(&random, (uint32_t)(size < UINT32_MAX ? size : UINT32_MAX));
    return turn < size ? order[begin[c] + (first + turn * step) % size] : -1;
}

/* ---- the sheet */

static void add_tile(struct show *show, const struct graft_image *image, const char *caption)
{
    const int32_t i = show->tile_count++;
    char shown[GRAFT_NAME_SHOWN];
    show->images[i] = *image;
    (void)snprintf(show->captions[i], sizeof show->captions[i], "%.90s", graft_show_name(caption, shown));
    show->tiles[i] = (struct graft_sheet_tile){.caption = show->captions[i], .picture = &show->images[i]};
}

/* The picture as the network gets it, and as training does in its first epochs. */
static enum graft_status add_varied(struct show *show, int64_t sample, const struct graft_image *image,
                                    const char *name)
{
    const int32_t side = show->preprocess.crop_width;
    for (int64_t epoch = -1; epoch < COLUMNS - 1; epoch++) {
        struct graft_image result = {.width = side, .height = side, .channels = 3};
        char caption[96];
        result.pixels = graft_allocate_raw(show->command->context, (size_t)side * (size_t)side, 3);
        if (result.pixels == NULL) {
            return GRAFT_ERROR_MEMORY;
        }
        (void)snprintf(caption, sizeof caption, "epoch %d", (int)epoch + 1);
        add_tile(show, &result, epoch < 0 ? name : caption);
        const enum graft_status status =
            graft_transform_image(show->command->context, &show->preprocess, epoch < 0 ? NULL : &show->varied,
                                  (uint64_t)show->command->seed, epoch + 1, sample, image, result.pixels);
        if (status != GRAFT_OK) {
            return status;
        }
    }
    return GRAFT_OK;
}

static enum graft_status add_picture(struct show *show, int64_t sample)
{
    const struct graft_decode_options decode = {.channels = 3};
    char name[NAME_SIZE];
    graft_dataset_truth(show->dataset, show->split, sample, name, sizeof name);
    struct graft_image image = {0};
    enum graft_status status = graft_dataset_read(show->dataset, show->split, sample, &decode, &image);
    if (status == GRAFT_ERROR_MEMORY || status == GRAFT_ERROR_CANCELLED) {
        return status;
    }
    if (status != GRAFT_OK) { /* its message names the file */
        show->bad++;
        (void)graft_command_failed(show->command, status);
        return GRAFT_OK;
    }
    if (show->request->augment == NULL) {
        add_tile(show, &image, name);
        return GRAFT_OK;
    }
    status = add_varied(show, sample, &image, name);
    graft_image_close(show->command->context, &image);
    return status;
}

/* The pictures of each epoch are a batch: each with the one above it, the first with the last. */
static enum graft_status mix_rows(struct show *show)
{
    const int32_t rows = show->tile_count / COLUMNS, side = show->preprocess.crop_width;
    const size_t size = (size_t)side * (size_t)side * 3;
    uint8_t *const last =
        graft_mixes(&show->mix) && rows > 0 ? graft_allocate_raw(show->command->context, size, 1) : NULL;
    if (last == NULL) {
        return graft_mixes(&show->mix) && rows > 0 ? GRAFT_ERROR_MEMORY : GRAFT_OK;
    }
    for (int32_t column = 1; column < COLUMNS; column++) {
        const struct graft_draw draw = {(uint64_t)show->command->seed, column, 0};
        struct graft_mixture mixture;
        graft_mixture_draw(&show->mix, &draw, side, side, &mixture);
        memcpy(last, show->images[(rows - 1) * COLUMNS + column].pixels, size);
        for (int32_t row = rows - 1; row >= 0; row--) {
            const int32_t i = row * COLUMNS + column;
            graft_mixture_apply(&mixture, show->images[i].pixels, row > 0 ? show->images[i - COLUMNS].pixels : last,
                                side, side, 3);
            (void)snprintf(show->captions[i], sizeof show->captions[i], "epoch %d: %.0f %% its own", (int)column,
                           100 * mixture.share);
        }
    }
    graft_release(show->command->context, last);
    return GRAFT_OK;
}

static enum graft_status add_pictures(struct show *show, int64_t of)
{
    struct graft_context *const context = show->command->context;
    const size_t count = (size_t)graft_dataset_count(show->dataset, show->split);
    int64_t *const begin =
        graft_allocate(context, (size_t)graft_dataset_class_count(show->dataset) + 2, sizeof *begin);
    int64_t *const order = graft_allocate(context, count + 1, sizeof *order);
    enum graft_status status = begin != NULL && order != NULL ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK) {
        sort_by_class(show, begin, order);
    }
    for (int64_t i = 0; i < of && status == GRAFT_OK; i++) {
        const int64_t sample = choose(show, begin, order, i, of);
        status = sample < 0 ? GRAFT_OK : add_picture(show, sample);
    }
    graft_release(context, begin);
    graft_release(context, order);
    return status;
}

/* ---- all */

static int find_split(struct show *show)
{
    const char *const asked = show->request->split;
    for (int s = 0; s < GRAFT_SPLIT_COUNT; s++) {
        const bool fits = asked != NULL ? strcmp(asked, graft_split_name((enum graft_split)s)) == 0
                                        : graft_dataset_count(show->dataset, (enum graft_split)s) > 0;
        if (fits) {
            show->split = (enum graft_split)s;
            return graft_dataset_count(show->dataset, show->split) > 0
                       ? GRAFT_EXIT_GO_ON
                       : graft_command_error(show->command, "%s has no part \"%s\"",
                                             show->command->operands[0], asked);
        }
    }
    return asked != NULL
               ? graft_command_usage(show->command, "--split is train, val or test")
               : graft_command_error(show->command, "%s has no pictures", show->command->operands[0]);
}

static enum graft_status draw(struct show *show)
{
    struct graft_context *const context = show->command->context;
    const int64_t pictures = graft_dataset_count(show->dataset, show->split);
    const int64_t usual = show->request->augment != NULL ? 6 : 48;
    const int64_t asked = show->request->count > 0 ? show->request->count : usual;
    const int64_t of = asked < pictures ? asked : pictures;
    const size_t most = (size_t)of * (show->request->augment != NULL ? COLUMNS : 1);
    char title[512], shown[2][GRAFT_NAME_SHOWN];
    show->images = graft_allocate(context, most, sizeof *show->images);
    show->tiles = graft_allocate(context, most, sizeof *show->tiles);
    show->captions = graft_allocate(context, most, sizeof *show->captions);
    enum graft_status status = show->images != NULL && show->tiles != NULL && show->captions != NULL
                                   ? add_pictures(show, of)
                                   : GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK) {
        status = mix_rows(show);
    }
    const enum graft_task_kind task = graft_dataset_task(show->dataset);
    (void)snprintf(title, sizeof title, "%s, %s: %lld pictures, %d %s%s%s",
                   graft_show_name(show->command->operands[0], shown[0]), graft_split_name(show->split),
                   (long long)pictures, (int)graft_dataset_class_count(show->dataset),
                   task == GRAFT_TASK_LABELS   ? "labels"
                   : task == GRAFT_TASK_NUMBER ? "number"
                                               : "classes",
                   show->request->augment != NULL ? "; " : "",
                   show->request->augment != NULL ? graft_show_name(show->request->augment, shown[1]) : "");
    if (status == GRAFT_OK && show->tile_count > 0) {
        status =
            graft_vis_sheet(context, show->request->out, title, show->tiles, show->tile_count, COLUMNS, TILE);
    }
    for (int32_t i = 0; i < show->tile_count; i++) {
        graft_image_close(context, &show->images[i]);
    }
    graft_release(context, show->images);
    graft_release(context, show->tiles);
    graft_release(context, show->captions);
    return status;
}

static int show_data(struct show *show)
{
    const struct request *const request = show->request;
    const int32_t side = request->input > 0 ? (int32_t)request->input : 224;
    int code = find_split(show);
    if (code != GRAFT_EXIT_GO_ON) {
        return code;
    }
    show->preprocess = graft_preprocess_imagenet();
    show->preprocess.crop_height = show->preprocess.crop_width = side;
    show->preprocess.transforms = graft_transforms_usual(side * 8 / 7, GRAFT_FILTER_BILINEAR);
    enum graft_status status =
        request->augment == NULL
            ? GRAFT_OK
            : graft_augment_parse(show->command->context, request->augment, &show->preprocess, &show->varied, &show->mix);
    if (status == GRAFT_OK) {
        status = draw(show);
    }
    if (status != GRAFT_OK) {
        return graft_command_failed(show->command, status);
    }
    if (show->tile_count == 0) {
        return graft_command_error(show->command, "none of these pictures can be read");
    }
    if (show->command->json) {
        code = graft_json_print(
            show->command, json_pack("{s:o, s:i, s:I}", "sheet", graft_json_text(request->out), "pictures",
                                     (int)show->tile_count, "unreadable", (json_int_t)show->bad));
    } else {
        printf("%s\n", request->out);
        code = GRAFT_EXIT_DONE;
    }
    return show->bad > 0 ? GRAFT_EXIT_FAILED : code;
}

static int run(struct graft_command *command)
{
    struct request request = {.out = "show.png"};
    const struct graft_option own[] = {
        {"--augment", "LIST", "rows of a picture as `fit --augment LIST` sees it in its first epochs",
         GRAFT_OPTION_TEXT, &request.augment, 0, 0},
        {"--count", "N", "pictures (48; with --augment 6)", GRAFT_OPTION_INTEGER, &request.count, 1, 360},
        {"--split", "PART", "train, val or test: which part (the first that is there)", GRAFT_OPTION_TEXT,
         &request.split, 0, 0},
        {"--input", "SIDE", "with --augment: side of the pictures as the network sees them (224)",
         GRAFT_OPTION_INTEGER, &request.input, 1, 1024},
        {"--out", "FILE", "the sheet (show.png)", GRAFT_OPTION_TEXT, &request.out, 0, 0},
        {"--val", "FOLDER", "the validation pictures, where they lie elsewhere", GRAFT_OPTION_TEXT,
         &request.data.val_path, 0, 0},
        GRAFT_COLUMN_OPTIONS(request.data),
    };
    struct show show = {.command = command, .request = &request};
    int code = graft_command_begin(command, own, sizeof own / sizeof own[0]);
    if (code != GRAFT_EXIT_GO_ON) {
        return code;
    }
    request.data.seed = (uint64_t)command->seed;
    request.data.val_fraction = -1;
    request.data.keep_damaged = true;
    const enum graft_status status =
        graft_dataset_open(command->context, command->operands[0], &request.data, &show.dataset);
    code = status == GRAFT_OK ? show_data(&show) : graft_command_failed(command, status);
    graft_dataset_close(&show.dataset);
    return code;
}

const struct graft_verb graft_verb_show = {
    .name = "show",
    .operands = "DATA",
    .purpose =
        "draws pictures of a data set with their classes on one sheet, as they are or as training sees them",
    .examples =
        "  graft show photos                         48 pictures, of each class as many as of the others\n"
        "  graft show photos --augment light         6 of them, each as training varies it\n"
        "  graft show photos --split val --seed 3    others, of the validation part\n",
    .least = 1,
    .most = 1,
    .cancels = true,
    .run = run,
};
