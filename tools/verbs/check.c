/* SPDX-License-Identifier: MIT */
/* graft check: decodes every picture of a data set and lists what is wrong with it. */
#include "base/context.h"
#include "graft/data.h"
#include "output.h"
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 64
#define NAME_SIZE 4096
/* The largest class has more than so many times the pictures of the smallest: out of balance. */
#define BALANCE 5

/* One picture: where it is, and a hash of its pixels. */
struct picture {
    enum graft_split split;
    int64_t index;
    uint64_t hash;
    bool damaged;
};

struct check {
    struct graft_command *command;
    struct graft_dataset *dataset;
    struct picture *pictures;
    int64_t count, damaged, suspect, duplicates;
    int64_t first;                                        /* picture of the split that is decoded now */
    json_t *damaged_list, *suspect_list, *duplicate_list; /* --json */
};

/* FNV-1a over size and pixels: the same picture in two files of any kind has the same. */
static uint64_t hash_image(const struct graft_image *image)
{
    const int32_t facts[3] = {image->width, image->height, image->channels};
    const uint64_t bytes = (uint64_t)image->width * (uint64_t)image->height * (uint64_t)image->channels;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < sizeof facts; i++) {
        hash = (hash ^ ((const uint8_t *)facts)[i]) * 0x100000001b3u;
    }
    for (uint64_t i = 0; i < bytes; i++) {
        hash = (hash ^ image->pixels[i]) * 0x100000001b3u;
    }
    return hash;
}

/* On any thread. */
static void look(void *user, int64_t sample, const struct graft_image *image)
{
    const struct check *const check = user;
    check->pictures[check->first + sample].hash = hash_image(image);
}

/* Damaged, or suspect: decoded in spite of what is wrong with it. */
static void note_fault(struct check *check, const struct graft_note *note, struct picture *picture)
{
    struct graft_command *const command = check->command;
    char name[NAME_SIZE], shown[GRAFT_NAME_SHOWN];
    picture->damaged = note->status != GRAFT_OK;
    check->damaged += picture->damaged;
    check->suspect += !picture->damaged;
    graft_dataset_sample_name(check->dataset, picture->split, picture->index, name, sizeof name);
    if (command->json) {
        graft_json_add_item(
            picture->damaged ? check->damaged_list : check->suspect_list,
            json_pack("{s:o, s:o}", "file", graft_json_text(name), "reason", graft_json_text(note->text)));
    } else {
        graft_command_progress_end(command);
        printf("%s: %s\n", picture->damaged ? "damaged" : "suspect", graft_show_name(note->text, shown));
    }
}

static enum graft_status decode_split(struct check *check, enum graft_split split)
{
    const struct graft_loader_options options = {
        .split = split, .batch = BATCH, .keep_damaged = true, .look = look, .user = check};
    struct graft_loader *loader = NULL;
    struct graft_batch batch = {.valid = 1};
    enum graft_status status =
        graft_loader_open(check->command->context, check->dataset, NULL, &options, &loader);
    while (status == GRAFT_OK && batch.valid > 0) {
        status = graft_loader_next(loader, &batch);
        for (int32_t i = 0; status == GRAFT_OK && i < batch.valid; i++) {
            if (batch.notes[i].text != NULL) {
                note_fault(check, &batch.notes[i], &check->pictures[check->first + batch.samples[i]]);
            }
        }
        graft_command_progress(check->command, "decoding: %lld/%lld pictures",
                               (long long)(check->first + batch.number * BATCH + batch.valid),
                               (long long)check->count);
    }
    graft_loader_close(&loader);
    return status;
}

static enum graft_status decode_all(struct check *check)
{
    enum graft_status status = GRAFT_OK;
    check->first = 0;
    for (int s = 0; s < GRAFT_SPLIT_COUNT && status == GRAFT_OK; s++) {
        const int64_t count = graft_dataset_count(check->dataset, (enum graft_split)s);
        status = count > 0 ? decode_split(check, (enum graft_split)s) : GRAFT_OK;
        check->first += count;
    }
    graft_command_progress_end(check->command);
    return status;
}

static int compare_pictures(const void *a, const void *b)
{
    const struct picture *const x = a;
    const struct picture *const y = b;
    if (x->hash != y->hash) {
        return x->hash < y->hash ? -1 : 1;
    }
    return x->split != y->split ? (int)x->split - (int)y->split
                                : (x->index > y->index) - (x->index < y->index);
}

/* The same pixels in two splits: what is measured on one was learnt from the other. */
static void find_duplicates(struct check *check)
{
    char first[NAME_SIZE], second[NAME_SIZE];
    qsort(check->pictures, (size_t)check->count, sizeof *check->pictures, compare_pictures);
    for (int64_t i = 1; i < check->count; i++) {
        const struct picture *const a = &check->pictures[i - 1];
        const struct picture *const b = &check->pictures[i];
        if (a->damaged || b->damaged || a->hash != b->hash || a->split == b->split) {
            continue;
        }
        check->duplicates++;
        graft_dataset_sample_name(check->dataset, a->split, a->index, first, sizeof first);
        graft_dataset_sample_name(check->dataset, b->split, b->index, second, sizeof second);
        if (check->command->json) {
            graft_json_add_item(check->duplicate_list,
                                json_pack("[o, o]", graft_json_text(first), graft_json_text(second)));
        } else {
            char shown[2][GRAFT_NAME_SHOWN];
            printf("the same picture: %s (%s) and %s (%s)\n", graft_show_name(first, shown[0]),
                   graft_split_name(a->split), graft_show_name(second, shown[1]), graft_split_name(b->split));
        }
    }
}

/* Counts per class of all splits; NULL without memory. */
static int64_t *count_classes(const struct check *check, int64_t *least, int64_t *most)
{
    const int32_t classes = graft_dataset_class_count(check->dataset);
    int64_t *const counts = calloc((size_t)classes, sizeof *counts);
    for (int64_t i = 0; counts != NULL && i < check->count; i++) {
        counts[graft_dataset_label(check->dataset, check->pictures[i].split, check->pictures[i].index)]++;
    }
    *least = INT64_MAX;
    *most = 0;
    for (int32_t c = 0; counts != NULL && c < classes; c++) {
        *least = counts[c] < *least ? counts[c] : *least;
        *most = counts[c] > *most ? counts[c] : *most;
    }
    return counts;
}

static int report(struct check *check)
{
    struct graft_command *const command = check->command;
    const struct graft_dataset *const dataset = check->dataset;
    const int32_t classes = graft_dataset_class_count(dataset);
    const char *const *const names = graft_dataset_class_names(dataset);
    const long long splits[] = {graft_dataset_count(dataset, GRAFT_SPLIT_TRAIN),
                                graft_dataset_count(dataset, GRAFT_SPLIT_VAL),
                                graft_dataset_count(dataset, GRAFT_SPLIT_TEST)};
    char shown[GRAFT_NAME_SHOWN];
    int64_t least, most;
    int64_t *const counts = count_classes(check, &least, &most);
    if (counts == NULL) {
        return graft_command_failed(command, GRAFT_ERROR_MEMORY);
    }
    const bool balanced = most <= BALANCE * least;
    int code = check->damaged + check->duplicates > 0 ? GRAFT_EXIT_FAILED : GRAFT_EXIT_DONE;
    if (command->json) {
        json_t *const list = json_array();
        for (int32_t c = 0; c < classes; c++) {
            graft_json_add_item(list, json_pack("{s:o, s:I}", "name", graft_json_text(names[c]), "images",
                                                (json_int_t)counts[c]));
        }
        const int printed = graft_json_print(
            command,
            json_pack("{s:I, s:I, s:I, s:o, s:O, s:O, s:O, s:b, s:I}", "train", (json_int_t)splits[0], "val",
                      (json_int_t)splits[1], "test", (json_int_t)splits[2], "classes", list, "damaged",
                      check->damaged_list, "suspect", check->suspect_list, "duplicates",
                      check->duplicate_list, "balanced", (int)balanced, "skipped_files",
                      (json_int_t)graft_dataset_skipped_count(dataset)));
        code = printed != GRAFT_EXIT_DONE ? printed : code;
    } else {
        for (int64_t i = 0; i < graft_dataset_skipped_count(dataset); i++) {
            printf("no picture, left out: %s\n", graft_show_name(graft_dataset_skipped(dataset, i), shown));
        }
        for (int32_t c = 0; c < classes && (!balanced || classes <= 20); c++) {
            printf("%8lld  %s\n", (long long)counts[c], graft_show_name(names[c], shown));
        }
        printf("%lld pictures (%lld train, %lld val, %lld test) of %d classes: %lld damaged, %lld suspect, "
               "%lld in two parts%s\n",
               (long long)check->count, splits[0], splits[1], splits[2], (int)classes,
               (long long)check->damaged, (long long)check->suspect, (long long)check->duplicates,
               balanced ? "" : ", out of balance");
    }
    free(counts);
    return code;
}

static int check_data(struct check *check)
{
    struct graft_dataset *const dataset = check->dataset;
    for (int s = 0; s < GRAFT_SPLIT_COUNT; s++) {
        check->count += graft_dataset_count(dataset, (enum graft_split)s);
    }
    check->pictures = calloc((size_t)check->count + 1, sizeof *check->pictures);
    check->damaged_list = json_array();
    check->suspect_list = json_array();
    check->duplicate_list = json_array();
    if (check->pictures == NULL || check->damaged_list == NULL || check->suspect_list == NULL ||
        check->duplicate_list == NULL) {
        return graft_command_failed(check->command, GRAFT_ERROR_MEMORY);
    }
    int64_t at = 0;
    for (int s = 0; s < GRAFT_SPLIT_COUNT; s++) {
        for (int64_t i = 0; i < graft_dataset_count(dataset, (enum graft_split)s); i++) {
            check->pictures[at++] = (struct picture){.split = (enum graft_split)s, .index = i};
        }
    }
    const enum graft_status status = decode_all(check);
    if (status != GRAFT_OK) {
        return graft_command_failed(check->command, status);
    }
    find_duplicates(check);
    return report(check);
}

static int run(struct graft_command *command)
{
    struct check check = {.command = command};
    struct graft_dataset_options options = {0};
    const struct graft_option own[] = {
        {"--val", "FOLDER", "the validation pictures, where they lie elsewhere", GRAFT_OPTION_TEXT,
         &options.val_path, 0, 0},
    };
    int code = graft_command_begin(command, own, 1);
    if (code != GRAFT_EXIT_GO_ON) {
        return code;
    }
    options.seed = (uint64_t)command->seed;
    options.val_fraction = -1;
    const enum graft_status status =
        graft_dataset_open(command->context, command->operands[0], &options, &check.dataset);
    code = status == GRAFT_OK ? check_data(&check) : graft_command_failed(command, status);
    json_decref(check.damaged_list);
    json_decref(check.suspect_list);
    json_decref(check.duplicate_list);
    free(check.pictures);
    graft_dataset_close(&check.dataset);
    return code;
}

const struct graft_verb graft_verb_check = {
    .name = "check",
    .operands = "DATA",
    .purpose = "decodes every picture of a data set and lists what is damaged or twice there",
    .examples = "  graft check photos              is the folder fit for `graft fit`?\n"
                "  graft check photos --json       the same for programs\n",
    .notes = "  The exit code is 1 if a picture is damaged, or is in two of train, val and test.\n",
    .least = 1,
    .most = 1,
    .cancels = true,
    .run = run,
};
