/* SPDX-License-Identifier: MIT */
/*
 * Inside of a data set. Opening goes through three steps: readers list what is there (entries), a layout
 * gives each entry its split and the name of its class, and classes turns names into numbers, checks, and
 * sets validation aside.
 */
#ifndef GRAFT_SRC_DATA_DATASET_H
#define GRAFT_SRC_DATA_DATASET_H

#include "graft/data.h"

#include "base/file.h"
#include "data/decode.h"

#define GRAFT_SOURCE_MAX 3
#define GRAFT_NO_SPLIT 255

enum graft_source_kind { GRAFT_SOURCE_FOLDER, GRAFT_SOURCE_ARCHIVE, GRAFT_SOURCE_IDX };

/* Where pictures come from: a folder, an archive, a file of IDX pixels. */
struct graft_source {
    enum graft_source_kind kind;
    char *path;
    uint8_t split;             /* all of it belongs to this split; GRAFT_NO_SPLIT: its folders tell */
    struct graft_file_map map; /* archive */
    uint8_t **blocks;          /* archive members or IDX pixels in memory */
    size_t block_count;
    size_t block_used; /* bytes of the last block */
    size_t block_size;
    uint64_t loaded;                 /* bytes in all blocks */
    int32_t width, height, channels; /* IDX */
};

/* A file, or while a data set is opened also a folder. */
struct graft_entry {
    const char *path;       /* within the source; NULL for IDX */
    const char *class_name; /* NULL: not to be used */
    const uint8_t *data;    /* encoded picture in memory; IDX: pixels; NULL: to be read from the folder */
    uint64_t size;
    int64_t number; /* line of a table or number in an IDX file */
    int32_t label;
    uint8_t source;
    uint8_t split;
    bool folder;
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
    const char **skipped;
    int64_t skipped_count;
    int64_t skipped_capacity;
};

/* ---- dataset_entries.c ---- */

/* Copies `length` bytes and a zero; NULL: no memory. */
char *graft_names_add(struct graft_dataset *dataset, const char *text, size_t length);
/* A zeroed entry at the end of the list; NULL: no memory. */
struct graft_entry *graft_entry_add(struct graft_dataset *dataset);
/* A new source; NULL with the error recorded: too many or no memory. */
struct graft_source *graft_source_add(struct graft_dataset *dataset, enum graft_source_kind kind,
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
/* True for "x/.hidden", "__MACOSX/…", "Thumbs.db": what operating systems leave behind. */
bool graft_path_is_clutter(const char *path);
/* True if the name ends as those of pictures do, readable or not. */
bool graft_path_is_picture(const char *path);
/* GRAFT_NO_SPLIT if the `length` characters are no name of a split. */
uint8_t graft_split_find(const char *name, size_t length);
/* Full path or archive and member, for people. */
void graft_entry_name(const struct graft_dataset *dataset, const struct graft_entry *entry, char *text,
                      size_t size);

/* ---- Readers: append entries ---- */

enum graft_status graft_folder_list(struct graft_dataset *dataset, int source);
enum graft_status graft_archive_list(struct graft_dataset *dataset, int source);
/* True if the folder holds IDX files. */
bool graft_idx_present(const char *folder);
/* Entries with split, class name and pixels. */
enum graft_status graft_idx_list(struct graft_dataset *dataset, const char *folder);
/* Entries with class name and perhaps split. */
enum graft_status graft_csv_list(struct graft_dataset *dataset, const char *path, uint8_t split);

/* ---- dataset_layout.c: split and class name from the path ---- */

enum graft_status graft_layout(struct graft_dataset *dataset, enum graft_dataset_kind kind);

/* ---- dataset_classes.c ---- */

/* Numbers the classes, checks them, sets validation aside, orders the entries, fills dataset->begin. */
enum graft_status graft_classes(struct graft_dataset *dataset, const struct graft_dataset_options *options);

/* ---- For the loader ---- */

const struct graft_entry *graft_dataset_entry(const struct graft_dataset *dataset, enum graft_split split,
                                              int64_t index);

/* One sample as pixels: in the scratch memory, or in the data set's own (IDX, with the file's channels). */
enum graft_status graft_dataset_view(const struct graft_dataset *dataset, const struct graft_entry *entry,
                                     struct graft_scratch *scratch,
                                     const struct graft_decode_options *options, struct graft_view *view,
                                     struct graft_fault *fault);

#endif
