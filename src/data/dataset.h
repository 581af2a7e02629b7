/* SPDX-License-Identifier: MIT */
/*
 * Inside of a data set. Opening goes through three steps: sources list what is there (entries), a layout
 * gives the entries of trees their split and the name of their class, and classes turns names into numbers,
 * checks, and sets validation aside.
 */
#ifndef GRAFT_SRC_DATA_DATASET_H
#define GRAFT_SRC_DATA_DATASET_H

#include "graft/data.h"

#include "base/file.h"
#include "data/decode.h"

#include <sys/stat.h>

#define GRAFT_SOURCE_MAX 130
#define GRAFT_NO_SPLIT 255
/* Longer paths are refused. */
#define GRAFT_PATH_LIMIT 4352

struct graft_entry;
struct graft_source;

/* A kind of place that pictures come from. `graft_source_kinds` in sources.c lists them. */
struct graft_source_kind {
    const char *name;             /* for people: "a table" */
    const char *expects;          /* what it is known by, for the message of one that was asked for */
    enum graft_dataset_kind kind; /* of a data set that begins with it */
    /* The layout tells split and class of its entries from their paths. */
    bool tree;
    /* Is it this kind that lies at `path`? NULL: never found by a path. */
    bool (*recognizes)(const char *path, const struct stat *facts);
    /* Adds one source or more, and their entries. */
    enum graft_status (*list)(struct graft_dataset *dataset, const char *path, uint8_t split);
    /* Full path, archive and member, or file and number. */
    void (*entry_name)(const struct graft_source *source, const struct graft_entry *entry, char *text,
                       size_t size);
    /* Hands out one picture, in memory of the source or of the scratch. Called from any thread. */
    enum graft_status (*fetch)(const struct graft_source *source, const struct graft_entry *entry,
                               struct graft_scratch *scratch, struct graft_sample *sample,
                               struct graft_fault *fault);
    /* Bytes of the picture as stored; NULL: entry->size. */
    uint64_t (*size)(const struct graft_source *source, const struct graft_entry *entry);
};

extern const struct graft_source_kind graft_source_idx, graft_source_cifar, graft_source_table, graft_source_pulled, graft_source_folder,
    graft_source_archive, graft_source_files, graft_source_memory;

struct graft_source {
    const struct graft_source_kind *kind;
    char *path;
    bool companion;            /* belongs to the source before it: pictures in an archive beside their lists */
    uint8_t split;             /* all of it belongs to this split; GRAFT_NO_SPLIT: its folders tell */
    struct graft_file_map map; /* archive */
    uint8_t **blocks;          /* archive members or IDX pixels in memory */
    size_t block_count;
    size_t block_used; /* bytes of the last block */
    size_t block_size;
    uint64_t loaded;                 /* bytes in all blocks */
    int32_t width, height, channels; /* that all its pictures share; 0: they may differ */
    struct graft_picture_source own; /* memory: the program's functions */
};

/* A file, or while a data set is opened also a folder. */
struct graft_entry {
    const char *path;       /* within the source; NULL where pictures have numbers */
    const char *class_name; /* NULL: not to be used */
    const uint8_t *data;    /* in memory: an encoded picture, or pixels (IDX); NULL: not there yet */
    uint64_t size;
    const char *fault; /* why it cannot be read, known when it was listed; NULL: nothing is */
    union { /* of tasks other than CLASSES */
        double number;
        struct {
            uint32_t first, count; /* of dataset->members */
        } set;
    } truth;
    int64_t
        number; /* line of a table, number in an IDX file or of a program's picture, order in an archive */
    int32_t label;
    uint8_t source;
    uint8_t split;
    bool folder;
    uint8_t looked; /* at its first bytes: 1 a picture, 2 none; 0: not yet */
};

/* Texts that stay where they are: blocks that are never moved. */
struct graft_names {
    char **blocks;
    size_t count;
    size_t used; /* of the last block */
    size_t size;
};

struct graft_dataset {
    struct graft_context *context;
    char *path;
    enum graft_dataset_kind kind;
    const char *title;                    /* what its kind is called, where it has a name of its own; else NULL */
    struct graft_dataset_options options; /* while it is opened */
    uint64_t memory_limit;
    struct graft_source sources[GRAFT_SOURCE_MAX];
    int source_count;
    struct graft_names names;
    struct graft_entry *entries; /* at the end: samples, ordered by split, source, path */
    int64_t entry_count;
    int64_t entry_capacity;
    int64_t begin[GRAFT_SPLIT_COUNT + 1]; /* of each split in entries */
    const char **class_names;
    int32_t class_count;
    enum graft_task_kind task;    /* AUTO: to be found out */
    const char *label_title; /* a table's column of labels; NULL: it has no name */
    bool flags;              /* a table had a column of 0 and 1 for each class: names are joined by GRAFT_FLAG_BREAK */
    int32_t *members;        /* LABELS: classes of entries, one entry's after the other's */
    const char **skipped;
    int64_t skipped_count;
    int64_t skipped_capacity;
    const char **faults;
    int64_t fault_count;
    int64_t fault_capacity;
    bool converted; /* a name that was no UTF-8 has been told */
};

/* ---- dataset_entries.c ---- */

/* Copies `length` bytes and a zero; NULL: no memory. */
char *graft_names_add(struct graft_dataset *dataset, const char *text, size_t length);
/* The same in UTF-8: converted from CP437 or Latin-1, with a remark, where it is one of them; else as it is.
 */
const char *graft_names_add_utf8(struct graft_dataset *dataset, const char *text, size_t length);
/* Something is wrong: an error, unless faults are to be listed; then GRAFT_OK, and it goes on without it. */
enum graft_status graft_fault_note(struct graft_dataset *dataset, enum graft_status status,
                                   const char *format, ...) GRAFT_PRINTF(3, 4);
/* A zeroed entry at the end of the list; NULL: no memory. */
struct graft_entry *graft_entry_add(struct graft_dataset *dataset);
/* A new source; NULL with the error recorded: too many or no memory. */
struct graft_source *graft_source_add(struct graft_dataset *dataset, const struct graft_source_kind *kind,
                                      const char *path, uint8_t split);
/* Memory for `size` bytes that lives as long as the source; NULL with the error recorded. */
uint8_t *graft_source_store(struct graft_dataset *dataset, struct graft_source *source, uint64_t size);
void graft_source_close(struct graft_dataset *dataset, struct graft_source *source);
void graft_names_close(struct graft_dataset *dataset);
/* Notes a file that is left out. False: no memory. */
bool graft_skip(struct graft_dataset *dataset, const char *path);
/* By source, then path, then number. */
void graft_entries_sort(struct graft_dataset *dataset);
/* Drops the entries without a class name. */
void graft_entries_compact(struct graft_dataset *dataset);
/* True for "x/.hidden", "__MACOSX/…", "Thumbs.db", "@eaDir": what systems leave behind, and nobody put there.
 */
bool graft_path_is_clutter(const char *path);
/* True if the name ends as those of pictures do, readable or not. */
bool graft_path_is_picture(const char *path);
/* True if the name ends as those of lists beside pictures do: text, tables, JSON, classes of web data sets. */
bool graft_path_is_list(const char *path);
/* True if the name ends as those of archives do. */
bool graft_path_is_archive(const char *path);
/* GRAFT_NO_SPLIT if the `length` characters are no name of a split ("train", "Test", "validation_set"). */
uint8_t graft_split_find(const char *name, size_t length);
/* The split that a word of the name tells ("seg_train", "train_images", "val2017"); leaves the rest of the
 * name in *name and *length. */
uint8_t graft_split_in_name(const char **name, size_t *length);
/* Full path or archive and member, for people. */
void graft_entry_name(const struct graft_dataset *dataset, const struct graft_entry *entry, char *text,
                      size_t size);

/* Fails: nothing of the split could be decoded, which no skipping makes a success. */
enum graft_status graft_dataset_unreadable(const struct graft_dataset *dataset, enum graft_split split);

/* ---- sources.c ---- */

/* Lists what lies at `path`: the first kind that recognizes it, of those that `kind` allows. */
enum graft_status graft_source_list(struct graft_dataset *dataset, const char *path,
                                    enum graft_dataset_kind kind, uint8_t split);
/* "IDX files" …: what a data set of this kind is called. */
const char *graft_dataset_kind_name(enum graft_dataset_kind kind);
/* Lists a program's own pictures; dataset->path is what they are called. */
enum graft_status graft_source_memory_list(struct graft_dataset *dataset,
                                           const struct graft_picture_source *own);
/* Parts of the table that the kinds share: a file below the source's folder. */
void graft_file_entry_name(const struct graft_source *source, const struct graft_entry *entry, char *text,
                           size_t size);
enum graft_status graft_file_fetch(const struct graft_source *source, const struct graft_entry *entry,
                                   struct graft_scratch *scratch, struct graft_sample *sample,
                                   struct graft_fault *fault);
#define GRAFT_SIZE_UNKNOWN UINT64_MAX /* the system refuses to tell it; of a file that is not there it is 0  \
                                       */
uint64_t graft_file_size(const struct graft_source *source, const struct graft_entry *entry);

/* ---- dataset_layout.c: split and class name from the path ---- */

enum graft_status graft_layout(struct graft_dataset *dataset);

/* ---- dataset_classes.c ---- */

/* Numbers the classes, checks them, sets validation aside, orders the entries, fills dataset->begin. */
enum graft_status graft_classes(struct graft_dataset *dataset);

/* ---- dataset_task.c: what is to be learnt of a table's labels */

#define GRAFT_FLAG_BREAK '\n'
/* dataset->task. *separator: of labels in a cell; 0: there is one label in each. GRAFT_ERROR_FORMAT: it cannot be told. */
enum graft_status graft_task_choose(struct graft_dataset *dataset, char *separator);

/* ---- dataset_targets.c: labels and numbers of entries */

/* Of LABELS and NUMBER: classes, members, truths. GRAFT_ERROR_FORMAT names what is missing or unknown. */
enum graft_status graft_targets_read(struct graft_dataset *dataset, char separator);

/* ---- dataset_parts.c: parts that change places ---- */

/* options.parts; GRAFT_ERROR_ARGUMENT with what cannot be read, or a part that the data lacks. */
enum graft_status graft_parts_exchange(struct graft_dataset *dataset);

/* ---- dataset_draw.c ---- */

/* Moves pictures of each class from train to `split`: `wanted`, or if that is below 0 their share (one at least); drawn by
 * the seed and the class's name. A class keeps one to train. */
enum graft_status graft_set_aside(struct graft_dataset *dataset, enum graft_split split, double share,
                                  int64_t wanted);
/* options.take: so many of each class for each part; −1: all. */
enum graft_status graft_take_read(const struct graft_dataset *dataset, int64_t wanted[GRAFT_SPLIT_COUNT]);
/* Leaves just so many; GRAFT_ERROR_ARGUMENT: a class has fewer. */
enum graft_status graft_take(struct graft_dataset *dataset, const int64_t wanted[GRAFT_SPLIT_COUNT]);

/* ---- doubles.c ---- */

/* next[i]: another training entry with the bytes of entry i, round in a ring; i itself if it is alone.
 * *doubles: how many there are beyond the first of each. */
enum graft_status graft_doubles_find(struct graft_dataset *dataset, int64_t *next, int64_t *doubles);

/* ---- For the loader ---- */

/* Whether it can do what is asked for. GRAFT_ERROR_ARGUMENT. */
GRAFT_MUST_CHECK enum graft_status graft_loader_check(struct graft_context *context,
                                                      const struct graft_dataset *dataset,
                                                      const struct graft_preprocess *preprocess,
                                                      const struct graft_loader_options *options);

const struct graft_entry *graft_dataset_entry(const struct graft_dataset *dataset, enum graft_split split,
                                              int64_t index);

/* One sample as pixels: in the scratch memory, or in the data set's own (with the channels it has there). */
enum graft_status graft_dataset_view(const struct graft_dataset *dataset, const struct graft_entry *entry,
                                     struct graft_scratch *scratch,
                                     const struct graft_decode_options *options, struct graft_view *view,
                                     struct graft_fault *fault);

#endif
