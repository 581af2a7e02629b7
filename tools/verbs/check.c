/* SPDX-License-Identifier: MIT */
/* graft check: decodes every picture of a data set and lists what is wrong with it. */
#include "base/context.h"
#include "columns.h"
#include "graft/data.h"
#include "output.h"
#include "verbs.h"

#include <stdarg.h>
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

/* What is wrong, in the order in which it is told. */
enum matter { CONTRADICTING, TWICE, IN_TWO_PARTS, FAULTS, DAMAGED, SUSPECT, MATTERS };

/* Findings of one kind: lines for people, a list for --json. */
struct findings {
    int64_t count;
    char **lines;
    int64_t capacity;
    json_t *list;
};

struct check {
    struct graft_command *command;
    struct graft_dataset *dataset;
    struct picture *pictures;
    int64_t count;
    int64_t first; /* picture of the split that is decoded now */
    struct findings found[MATTERS];
    bool no_memory;
};

/* Notes a line, which is taken, or a value for --json, which is taken too. */
static void note(struct check *check, enum matter matter, char *line, json_t *value)
{
    struct findings *const findings = &check->found[matter];
    findings->count++;
    if (value != NULL) {
        graft_json_add_item(findings->list, value);
        free(line);
        return;
    }
    if (findings->count > findings->capacity) {
        const int64_t more = findings->capacity > 0 ? findings->capacity * 2 : 64;
        char **const grown = realloc(findings->lines, (size_t)more * sizeof *grown);
        if (grown != NULL) {
            findings->lines = grown;
            findings->capacity = more;
        }
    }
    check->no_memory = check->no_memory || line == NULL || findings->count > findings->capacity;
    if (check->no_memory) {
        free(line);
        findings->count--;
        return;
    }
    findings->lines[findings->count - 1] = line;
}

static char *line_of(const char *format, ...) GRAFT_PRINTF(1, 2);

static char *line_of(const char *format, ...)
{
    char text[4 * GRAFT_NAME_SHOWN];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return strdup(text);
}

static void close_findings(struct check *check)
{
    for (int m = 0; m < MATTERS; m++) {
        for (int64_t i = 0; i < check->found[m].count && check->found[m].lines != NULL; i++) {
            free(check->found[m].lines[i]);
        }
        free(check->found[m].lines);
        json_decref(check->found[m].list);
    }
}

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
static void note_picture(struct check *check, const struct graft_note *told, struct picture *picture)
{
    char name[NAME_SIZE], shown[GRAFT_NAME_SHOWN];
    picture->damaged = told->status != GRAFT_OK;
    const enum matter matter = picture->damaged ? DAMAGED : SUSPECT;
    graft_dataset_sample_name(check->dataset, picture->split, picture->index, name, sizeof name);
    if (check->command->json) {
        note(check, matter, NULL,
             json_pack("{s:o, s:o}", "file", graft_json_text(name), "reason", graft_json_text(told->text)));
    } else {
        note(check, matter,
             line_of("%s: %s", picture->damaged ? "damaged" : "suspect", graft_show_name(told->text, shown)), NULL);
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
                note_picture(check, &batch.notes[i], &check->pictures[check->first + batch.samples[i]]);
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

/* Two pictures with the same pixels. */
static void note_pair(struct check *check, enum matter matter, const struct picture *a, const struct picture *b)
{
    const char *const *const classes = graft_dataset_class_names(check->dataset);
    char first[NAME_SIZE], second[NAME_SIZE], shown[4][GRAFT_NAME_SHOWN];
    graft_dataset_sample_name(check->dataset, a->split, a->index, first, sizeof first);
    graft_dataset_sample_name(check->dataset, b->split, b->index, second, sizeof second);
    if (check->command->json) {
        note(check, matter, NULL, json_pack("[o, o]", graft_json_text(first), graft_json_text(second)));
        return;
    }
    graft_show_name(first, shown[0]);
    graft_show_name(second, shown[1]);
    const char *const of_first = classes[graft_dataset_label(check->dataset, a->split, a->index)];
    const char *const of_second = classes[graft_dataset_label(check->dataset, b->split, b->index)];
    const char *const parts[] = {graft_split_name(a->split), graft_split_name(b->split)};
    note(check, matter,
         matter == CONTRADICTING ? line_of("contradicting labels: %s (%s, %s) and %s (%s, %s) are the same picture",
                                           shown[0], parts[0], graft_show_name(of_first, shown[2]), shown[1],
                                           parts[1], graft_show_name(of_second, shown[3]))
         : matter == TWICE ? line_of("twice in %s: %s and %s", parts[0], shown[0], shown[1])
                           : line_of("the same picture: %s (%s) and %s (%s)", shown[0], parts[0], shown[1], parts[1]),
         NULL);
}

struct pair {
    struct picture a, b;
};

static int compare_pairs(const void *left, const void *right)
{
    const struct pair *const x = left, *const y = right;
    const int order = x->a.split != y->a.split ? (int)x->a.split - (int)y->a.split
                                               : (x->a.index > y->a.index) - (x->a.index < y->a.index);
    return order != 0 ? order : (x->b.index > y->b.index) - (x->b.index < y->b.index);
}

/* The same pixels under two classes: one label is wrong; in two splits: what is measured on one was learnt from
 * the other; twice in one: it counts double. In the order of the pictures. */
static void find_doubles(struct check *check)
{
    qsort(check->pictures, (size_t)check->count, sizeof *check->pictures, compare_pictures);
    struct pair *const pairs = malloc(((size_t)check->count + 1) * sizeof *pairs);
    int64_t count = 0;
    check->no_memory = check->no_memory || pairs == NULL;
    for (int64_t i = 1; i < check->count && pairs != NULL; i++) {
        const struct picture *const a = &check->pictures[i - 1];
        const struct picture *const b = &check->pictures[i];
        if (!a->damaged && !b->damaged && a->hash == b->hash) {
            pairs[count++] = (struct pair){*a, *b};
        }
    }
    if (count > 1) {
        qsort(pairs, (size_t)count, sizeof *pairs, compare_pairs);
    }
    for (int64_t i = 0; i < count; i++) {
        const struct picture *const a = &pairs[i].a, *const b = &pairs[i].b;
        const bool contradicting = graft_dataset_label(check->dataset, a->split, a->index) !=
                                   graft_dataset_label(check->dataset, b->split, b->index);
        if (contradicting) {
            note_pair(check, CONTRADICTING, a, b);
        }
        if (a->split != b->split) {
            note_pair(check, IN_TWO_PARTS, a, b);
        } else if (!contradicting) {
            note_pair(check, TWICE, a, b);
        }
    }
    free(pairs);
}

static void note_text(struct check *check, const char *text)
{
    char shown[GRAFT_NAME_SHOWN];
    note(check, FAULTS, check->command->json ? NULL : line_of("wrong: %s", graft_show_name(text, shown)),
         check->command->json ? graft_json_text(text) : NULL);
}

/* What was left out when the data set was opened, and classes of which nothing can be read. */
static enum graft_status find_faults(struct check *check)
{
    const struct graft_dataset *const dataset = check->dataset;
    const int32_t classes = graft_dataset_class_count(dataset);
    int64_t *const good = calloc((size_t)classes + 1, sizeof *good);
    int64_t *const all = calloc((size_t)classes + 1, sizeof *all);
    const enum graft_status status = good != NULL && all != NULL ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    for (int64_t i = 0; i < graft_dataset_fault_count(dataset); i++) {
        note_text(check, graft_dataset_fault(dataset, i));
    }
    for (int64_t i = 0; i < check->count && status == GRAFT_OK; i++) {
        const struct picture *const picture = &check->pictures[i];
        if (picture->split == GRAFT_SPLIT_TRAIN) {
            const int32_t label = graft_dataset_label(dataset, picture->split, picture->index);
            all[label]++;
            good[label] += !picture->damaged;
        }
    }
    for (int32_t c = 0; c < classes && status == GRAFT_OK; c++) {
        if (all[c] > 0 && good[c] == 0) {
            char text[GRAFT_NAME_SHOWN];
            snprintf(text, sizeof text, "no training picture of class '%s' can be read",
                     graft_dataset_class_names(dataset)[c]);
            note_text(check, text);
        }
    }
    free(good);
    free(all);
    return status;
}

/* Counts per class of all splits; NULL without memory. */
static int64_t *count_classes(const struct check *check, int64_t *least, int64_t *most)
{
    const int32_t classes = graft_dataset_class_count(check->dataset);
    int64_t *const counts = calloc((size_t)classes + 1, sizeof *counts);
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

static int report_json(struct check *check, const int64_t *counts, const long long *splits, bool balanced)
{
    const struct graft_dataset *const dataset = check->dataset;
    const char *const *const names = graft_dataset_class_names(dataset);
    json_t *const list = json_array();
    for (int32_t c = 0; c < graft_dataset_class_count(dataset); c++) {
        graft_json_add_item(
            list, json_pack("{s:o, s:I}", "name", graft_json_text(names[c]), "images", (json_int_t)counts[c]));
    }
    const struct findings *const found = check->found;
    return graft_json_print(
        check->command,
        json_pack("{s:I, s:I, s:I, s:o, s:O, s:O, s:O, s:O, s:O, s:O, s:b, s:I}", "train", (json_int_t)splits[0],
                  "val", (json_int_t)splits[1], "test", (json_int_t)splits[2], "classes", list, "damaged",
                  found[DAMAGED].list, "suspect", found[SUSPECT].list, "duplicates", found[IN_TWO_PARTS].list,
                  "contradictions", found[CONTRADICTING].list, "twice", found[TWICE].list, "faults",
                  found[FAULTS].list, "balanced", (int)balanced, "skipped_files",
                  (json_int_t)graft_dataset_skipped_count(dataset)));
}

static void report_text(const struct check *check, const int64_t *counts, const long long *splits, bool balanced)
{
    const struct graft_dataset *const dataset = check->dataset;
    const int32_t classes = graft_dataset_class_count(dataset);
    const char *const *const names = graft_dataset_class_names(dataset);
    const struct findings *const found = check->found;
    char shown[GRAFT_NAME_SHOWN];
    for (int m = 0; m < MATTERS; m++) {
        for (int64_t i = 0; i < found[m].count; i++) {
            printf("%s\n", found[m].lines[i]);
        }
    }
    for (int64_t i = 0; i < graft_dataset_skipped_count(dataset); i++) {
        printf("left out, as no picture or outside of class folders: %s\n",
               graft_show_name(graft_dataset_skipped(dataset, i), shown));
    }
    for (int32_t c = 0; c < classes && (!balanced || classes <= 20); c++) {
        printf("%8lld  %s\n", (long long)counts[c], graft_show_name(names[c], shown));
    }
    printf("%lld pictures (%lld train, %lld val, %lld test) of %d classes: %lld damaged, %lld suspect, "
           "%lld in two parts",
           (long long)check->count, splits[0], splits[1], splits[2], (int)classes,
           (long long)found[DAMAGED].count, (long long)found[SUSPECT].count, (long long)found[IN_TWO_PARTS].count);
    if (found[TWICE].count > 0) {
        printf(", %lld twice in one", (long long)found[TWICE].count);
    }
    if (found[CONTRADICTING].count > 0) {
        printf(", %lld under two classes", (long long)found[CONTRADICTING].count);
    }
    if (found[FAULTS].count > 0) {
        printf(", %lld other fault%s", (long long)found[FAULTS].count, found[FAULTS].count == 1 ? "" : "s");
    }
    printf("%s\n", balanced ? "" : ", out of balance");
}

static int report(struct check *check)
{
    const struct graft_dataset *const dataset = check->dataset;
    const long long splits[] = {graft_dataset_count(dataset, GRAFT_SPLIT_TRAIN),
                                graft_dataset_count(dataset, GRAFT_SPLIT_VAL),
                                graft_dataset_count(dataset, GRAFT_SPLIT_TEST)};
    const struct findings *const found = check->found;
    int64_t least, most;
    int64_t *const counts = count_classes(check, &least, &most);
    if (counts == NULL || check->no_memory) {
        free(counts);
        return graft_command_failed(check->command, GRAFT_ERROR_MEMORY);
    }
    const bool balanced = most <= BALANCE * least;
    const int64_t wrong = found[DAMAGED].count + found[IN_TWO_PARTS].count + found[CONTRADICTING].count +
                          found[FAULTS].count;
    int code = wrong > 0 ? GRAFT_EXIT_FAILED : GRAFT_EXIT_DONE;
    if (check->command->json) {
        const int printed = report_json(check, counts, splits, balanced);
        code = printed != GRAFT_EXIT_DONE ? printed : code;
    } else {
        report_text(check, counts, splits, balanced);
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
    bool good = check->pictures != NULL;
    for (int m = 0; m < MATTERS; m++) {
        check->found[m].list = json_array();
        good = good && check->found[m].list != NULL;
    }
    if (!good) {
        return graft_command_failed(check->command, GRAFT_ERROR_MEMORY);
    }
    int64_t at = 0;
    for (int s = 0; s < GRAFT_SPLIT_COUNT; s++) {
        for (int64_t i = 0; i < graft_dataset_count(dataset, (enum graft_split)s); i++) {
            check->pictures[at++] = (struct picture){.split = (enum graft_split)s, .index = i};
        }
    }
    enum graft_status status = decode_all(check);
    status = status == GRAFT_OK ? find_faults(check) : status;
    if (status != GRAFT_OK) {
        return graft_command_failed(check->command, status);
    }
    find_doubles(check);
    return report(check);
}

static int run(struct graft_command *command)
{
    struct check check = {.command = command};
    struct graft_dataset_options options = {0};
    const struct graft_option own[] = {
        {"--val", "FOLDER", "the validation pictures, where they lie elsewhere", GRAFT_OPTION_TEXT,
         &options.val_path, 0, 0},
        GRAFT_COLUMN_OPTIONS(options),
    };
    int code = graft_command_begin(command, own, sizeof own / sizeof own[0]);
    if (code != GRAFT_EXIT_GO_ON) {
        return code;
    }
    options.seed = (uint64_t)command->seed;
    options.val_fraction = -1;
    options.keep_damaged = true;
    options.list_faults = true;
    const enum graft_status status =
        graft_dataset_open(command->context, command->operands[0], &options, &check.dataset);
    code = status == GRAFT_OK ? check_data(&check) : graft_command_failed(command, status);
    close_findings(&check);
    free(check.pictures);
    graft_dataset_close(&check.dataset);
    return code;
}

const struct graft_verb graft_verb_check = {
    .name = "check",
    .operands = "DATA",
    .purpose = "decodes every picture of a data set and lists what is damaged, twice there or wrong",
    .examples = "  graft check photos              is the folder fit for `graft fit`?\n"
                "  graft check photos --json       the same for programs\n",
    .notes = "  First come pictures under two classes and doubles, then rows of tables, folders and members of archives\n"
             "  that are wrong, then damaged pictures. The exit code is 1 if a picture is damaged, is in two of train,\n"
             "  val and test or under two classes, or if anything else is wrong.\n",
    .least = 1,
    .most = 1,
    .cancels = true,
    .run = run,
};
