/* SPDX-License-Identifier: MIT */
/*
 * Lists beside pictures, and what else tells classes: the first byte says of which published layout. CIFAR's
 * records and a web data set are there too. At most 512 bytes. Seeds: made.py
 */
#include "fuzz.h"
#include "graft/data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Pictures (empty ones will do: nothing is decoded) and lists that stay, and the list that the bytes become.
 */
static const struct {
    const char *list;
    const char *pictures[4];
    const char *other, *text;
} layouts[] = {
    {"pets/annotations/trainval.txt", {"pets/images/A_1.jpg", "pets/images/b_2.jpg"}, NULL, NULL},
    {"food/meta/train.txt", {"food/images/a/1.jpg", "food/images/b/2.jpg"}, NULL, NULL},
    {"json/meta/train.json", {"json/images/a/1.jpg", "json/images/b/2.jpg"}, NULL, NULL},
    {"tiny/val/val_annotations.txt",
     {"tiny/train/n1/images/1.JPEG", "tiny/train/n2/images/1.JPEG", "tiny/val/images/val_0.JPEG"},
     "tiny/words.txt",
     "n1\tant\nn2\tbee\n"},
    {"words/words.txt",
     {"words/train/n1/images/1.JPEG", "words/train/n2/images/1.JPEG", "words/val/images/val_0.JPEG"},
     "words/val/val_annotations.txt",
     "val_0.JPEG\tn1\t0\t32\t44\t62\n"},
    {"net/val.txt", {"net/train/n1/1.JPEG", "net/train/n2/1.JPEG", "net/val/1.JPEG"}, NULL, NULL},
    {"kaggle/LOC_val_solution.csv",
     {"kaggle/train/n1/1.JPEG", "kaggle/train/n2/1.JPEG", "kaggle/val/1.JPEG"},
     NULL,
     NULL},
    {"truth/i_validation_ground_truth.txt",
     {"truth/train/n1/1.JPEG", "truth/train/n2/1.JPEG", "truth/val/i_val_00000001.JPEG",
      "truth/val/i_val_00000002.JPEG"},
     "truth/map_clsloc.txt",
     "n1 1 ant\nn2 2 bee\n"},
    {"map/map_clsloc.txt",
     {"map/train/n1/1.JPEG", "map/train/n2/1.JPEG", "map/val/i_val_00000001.JPEG"},
     "map/i_validation_ground_truth.txt",
     "1\n"},
    {"cifar/data_batch_1.bin", {NULL}, NULL, NULL},
    {"shard.tar", {NULL}, NULL, NULL},
};

#define LAYOUTS (sizeof layouts / sizeof layouts[0])
#define TAR_BLOCK 512

/* Makes the folders above a file of the target's. */
static void make_folders(const char *name)
{
    char path[512];
    const int length = snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    for (char *slash = path + length - (int)strlen(name); (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
}

static void make_picture(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    make_folders(name);
    FILE *const file = fopen(path, "w");
    if (!file || fclose(file) != 0) {
        perror(path);
        _Exit(1);
    }
}

static void make_layouts(void)
{
    for (size_t l = 0; l < LAYOUTS; l++) {
        for (int i = 0; i < 4 && layouts[l].pictures[i]; i++) {
            make_picture(layouts[l].pictures[i]);
        }
        make_folders(layouts[l].list);
        if (layouts[l].other) {
            (void)fuzz_file(layouts[l].other, (const uint8_t *)layouts[l].text, strlen(layouts[l].text));
        }
    }
}

/* A tar's member; returns where the next one begins. */
static uint8_t *put_member(uint8_t *at, const char *name, const uint8_t *data, size_t size)
{
    unsigned sum = 0;
    char *const header = (char *)at;
    snprintf(header, 100, "%s", name);
    snprintf(header + 100, 8, "0000644");
    snprintf(header + 124, 12, "%011zo", size);
    memcpy(header + 148, "        0", 9);
    memcpy(header + 257, "ustar\00000", 8);
    for (int i = 0; i < TAR_BLOCK; i++) {
        sum += at[i];
    }
    snprintf(header + 148, 8, "%06o", sum);
    memcpy(at + TAR_BLOCK, data, size);
    return at + TAR_BLOCK + (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
}

/* The classes of a web data set: as text of one picture, as JSON of another. */
static void put_shard(const char *name, const uint8_t *data, size_t size)
{
    static uint8_t tar[16 * TAR_BLOCK];
    uint8_t *at = tar;
    memset(tar, 0, sizeof tar);
    at = put_member(at, "0.jpg", (const uint8_t *)"", 0);
    at = put_member(at, "0.json", (const uint8_t *)"{\"cls\":1}", 9);
    at = put_member(at, "1.jpg", (const uint8_t *)"", 0);
    at = put_member(at, "1.json", data, size);
    (void)fuzz_file(name, tar, (size_t)(at - tar) + 2 * TAR_BLOCK);
}

/* CIFAR's records: up to eight labels with black pictures, and what is left of the bytes. */
static void put_records(const char *name, const uint8_t *data, size_t size)
{
    static uint8_t records[8 * 3073 + 512];
    const size_t count = size < 8 ? size : 8, rest = size - count;
    memset(records, 0, sizeof records);
    for (size_t i = 0; i < count; i++) {
        records[3073 * i] = data[i];
    }
    memcpy(records + 3073 * count, data + count, rest);
    (void)fuzz_file(name, records, 3073 * count + rest);
}

static enum graft_status try_bytes(struct graft_context *context, const uint8_t *data, size_t size)
{
    static bool made;
    const char *const list = layouts[data[0] % LAYOUTS].list;
    const struct graft_dataset_options options = {.list_faults = size % 2 == 0,
                                                  .keep_damaged = size % 3 == 0};
    char folder[512];
    struct graft_dataset *dataset = NULL;
    if (!made) {
        make_layouts();
        made = true;
    }
    if (size > 512) {
        return GRAFT_OK;
    }
    if (strcmp(list, "shard.tar") == 0) {
        put_shard(list, data + 1, size - 1);
    } else if (strcmp(list, "cifar/data_batch_1.bin") == 0) {
        put_records(list, data + 1, size - 1);
    } else {
        (void)fuzz_file(list, data + 1, size - 1);
    }
    snprintf(folder, sizeof folder, "%s/%.*s", fuzz_folder(), (int)strcspn(list, "/"), list);
    const enum graft_status status = graft_dataset_open(context, folder, &options, &dataset);
    graft_dataset_close(&dataset);
    return status;
}

static bool takes(const uint8_t *data, size_t size)
{
    (void)data;
    return size > 0;
}

const struct fuzz_target fuzz_target = {.read = try_bytes, .takes = takes};
