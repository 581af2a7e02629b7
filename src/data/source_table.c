/* SPDX-License-Identifier: MIT */
/*
 * Tables of pictures: columns for path and label, perhaps for the split, known by their names or asked for by
 * name or number; without a line of names the path stands first and the label second. Paths are relative to the
 * table's folder, or to train/ or images/ in it, and may lack the ending.
 */
#include "data/dataset.h"
#include "data/table.h"

#include "base/context.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct listing {
    struct graft_dataset *dataset;
    struct graft_table table;
    const char *path;
    const struct graft_source *source;
    uint8_t source_number;
    uint8_t split;    /* of all rows that name none; GRAFT_NO_SPLIT: training */
    bool found;       /* in a folder, by its name */
    bool may_lack;    /* a table without labels is left out */
    bool no_labels;   /* it was */
    int path_column, label_column, split_column; /* −1: none */
    int flag_columns[GRAFT_SPLIT_COUNT];         /* is_train, is_valid, is_test */
    int class_columns[GRAFT_TABLE_COLUMNS];      /* of 0 and 1, a label each, in place of label_column */
    const char *class_names[GRAFT_TABLE_COLUMNS];
    int class_count;
    bool surely;        /* that was asked for */
    char columns[512];  /* the row of names, for messages */
    size_t base, ending; /* with which the last picture was found */
    uint32_t lacking;    /* a bit for each of the bases that is no folder */
};

/* Capitals, blanks and underscores do not count. */
static const char *const path_names[] = {"path",     "file",      "filename",  "filepath", "filepaths",
                                         "filenames", "image",    "imagepath", "img",      "imgpath",
                                         "picture",  "photo",     "imagename", "imagefile", "imgname",
                                         "imagefilename", "imagefilepath", "name", "fname", "imageid",
                                         "imgid",    "id",        "idcode",    "fileid",   "images",
                                         NULL};
static const char *const label_names[] = {"label",     "labels", "class",   "classname",    "category", "species",
                                          "breed",     "target", "variety", "diagnosis",    "dx",       "tag",
                                          "labelname", "kind",   "type",    "categoryname", "classid",  "y",
                                          NULL};
static const char *const split_names[] = {"split", "subset", "set", "part", "partition", "dataset", "phase", NULL};
static const char *const flag_names[GRAFT_SPLIT_COUNT][4] = {
    {"istrain", "istraining", "train", NULL},
    {"isvalid", "isval", "isvalidation", NULL},
    {"istest", NULL},
};

/* Below the table's folder. */
static const char *const bases[] = {"",      "train/", "images/",     "train_images/", "train/images/", "val/",
                                    "valid/", "test/",  "test_images/", "img/",          "imgs/",         "pictures/",
                                    "data/", "../",    "../images/",  "../train/"};
static const char *const endings[] = {"",     ".jpg", ".jpeg", ".png",  ".JPG",  ".JPEG", ".PNG",
                                      ".webp", ".gif", ".bmp",  ".tif", ".tiff", ".jfif"};
#define BASES (sizeof bases / sizeof bases[0])
#define ENDINGS (sizeof endings / sizeof endings[0])

/* An error, or a fault that is noted; then the row is left out. */
static enum graft_status wrong_row(const struct listing *listing, const char *reason)
{
    return graft_fault_note(listing->dataset, GRAFT_ERROR_FORMAT, "%s, line %lld: %s", listing->path,
                            (long long)listing->table.line, reason);
}

/* "Image Path", "image_path" and "ImagePath" are one name. */
static bool same_name(const char *a, const char *b)
{
    for (;;) {
        a += strspn(a, " _-.");
        b += strspn(b, " _-.");
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b)) {
            return false;
        }
        if (*a == '\0') {
            return true;
        }
        a++;
        b++;
    }
}

static int find_column(const struct graft_table *table, const char *const *names)
{
    for (; *names; names++) {
        for (int i = 0; i < table->count; i++) {
            if (same_name(table->fields[i], *names)) {
                return i;
            }
        }
    }
    return -1;
}

/* The names in the first row, for messages. */
static const char *list_columns(const struct graft_table *table, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < table->count && used + 1 < size; i++) {
        const int length = snprintf(text + used, size - used, "%s%s", i > 0 ? ", " : "", table->fields[i]);
        used += length > 0 ? (size_t)length : 0;
    }
    if (used >= size) {
        text[graft_text_fit(text, size - 1)] = '\0';
    }
    return text;
}

/* A column that was asked for: its number from 1, or its name; *named: by name, so there is a row of names. */
static enum graft_status find_asked(const struct listing *listing, const char *asked, int *column, bool *named)
{
    const struct graft_table *const table = &listing->table;
    char text[512];
    char *end = NULL;
    const long number = strtol(asked, &end, 10);
    if (*asked != '\0' && *end == '\0' && number >= 1 && number <= table->count) {
        *column = (int)number - 1;
        return GRAFT_OK;
    }
    *column = -1;
    for (int pass = 0; pass < 2 && *column < 0; pass++) { /* exactly so, then in other case */
        for (int i = 0; i < table->count && *column < 0; i++) {
            const bool same = pass == 0 ? strcmp(table->fields[i], asked) == 0
                                        : strcasecmp(table->fields[i], asked) == 0;
            *column = same ? i : -1;
        }
    }
    *named = *named || *column >= 0;
    return *column >= 0 ? GRAFT_OK
                        : graft_fail(listing->dataset->context, GRAFT_ERROR_ARGUMENT,
                                     "%s has no column '%s'; it has %s (numbers count from 1)", listing->path,
                                     asked, list_columns(table, text, sizeof text));
}

static bool is_regular(const char *path, int *code)
{
    struct stat facts;
    if (stat(path, &facts) != 0) {
        *code = errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG ? 0 : errno;
        return false;
    }
    return S_ISREG(facts.st_mode);
}

/* The picture that a cell means, relative to the table's folder; *code: why it could not be looked for. */
static bool try_path(const struct listing *listing, const char *cell, size_t base, size_t ending,
                     char path[GRAFT_PATH_LIMIT], int *code)
{
    char full[2 * GRAFT_PATH_LIMIT];
    const bool absolute = cell[0] == '/';
    if ((absolute && base > 0) || (listing->lacking >> base & 1) != 0) {
        return false;
    }
    const int length = snprintf(path, GRAFT_PATH_LIMIT, "%s%s%s", bases[base], cell, endings[ending]);
    if (length >= GRAFT_PATH_LIMIT) {
        return false;
    }
    snprintf(full, sizeof full, "%s%s%s", absolute ? "" : listing->source->path, absolute ? "" : "/", path);
    return is_regular(full, code);
}

/* Most bases are not there; a table of pictures that are not there either would look for each of them in all. */
static void find_bases(struct listing *listing)
{
    char folder[GRAFT_PATH_LIMIT + 32];
    struct stat facts;
    for (size_t base = 1; base < BASES; base++) {
        snprintf(folder, sizeof folder, "%s/%s", listing->source->path, bases[base]);
        if (stat(folder, &facts) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
            listing->lacking |= UINT32_C(1) << base;
        }
    }
}

static bool find_picture(struct listing *listing, const char *cell, char path[GRAFT_PATH_LIMIT], int *code)
{
    const size_t most = graft_path_is_picture(cell) ? 1 : ENDINGS;
    *code = 0;
    if (listing->ending < most && try_path(listing, cell, listing->base, listing->ending, path, code)) {
        return true;
    }
    for (size_t base = 0; base < BASES && *code == 0; base++) {
        for (size_t ending = 0; ending < most && *code == 0; ending++) {
            if (try_path(listing, cell, base, ending, path, code)) {
                listing->base = base;
                listing->ending = ending;
                return true;
            }
        }
    }
    return false;
}

static bool find_cell(struct listing *listing, const char *cell, char path[GRAFT_PATH_LIMIT], int *code)
{
    char slashes[GRAFT_PATH_LIMIT];
    while (cell[0] == '.' && cell[1] == '/') {
        cell += 2;
    }
    if (find_picture(listing, cell, path, code)) {
        return true;
    }
    if (*code != 0 || !strchr(cell, '\\') || strlen(cell) >= sizeof slashes) {
        return false;
    }
    snprintf(slashes, sizeof slashes, "%s", cell); /* a table written on Windows */
    for (char *at = slashes; (at = strchr(at, '\\')) != NULL;) {
        *at = '/';
    }
    return find_picture(listing, slashes, path, code);
}

/* Is it the column of something else than a label? */
static bool is_taken(const struct listing *listing, int column)
{
    bool taken = column == listing->path_column || column == listing->split_column;
    for (int s = 0; s < GRAFT_SPLIT_COUNT; s++) {
        taken = taken || column == listing->flag_columns[s];
    }
    return taken;
}

/* All columns that are left are labels. */
static enum graft_status take_class_columns(struct listing *listing)
{
    for (int i = 0; i < listing->table.count; i++) {
        if (is_taken(listing, i)) {
            continue;
        }
        const char *const name = listing->table.fields[i];
        listing->class_columns[listing->class_count] = i;
        listing->class_names[listing->class_count] = graft_names_add_utf8(listing->dataset, name, strlen(name));
        if (!listing->class_names[listing->class_count++]) {
            return GRAFT_ERROR_MEMORY;
        }
    }
    return GRAFT_OK;
}

/* The one column that is left for the label: the only one that is not taken, or that has "label" in its name. */
static int guess_label(const struct listing *listing)
{
    const struct graft_table *const table = &listing->table;
    int free_column = -1, named = -1, free_count = 0, named_count = 0;
    for (int i = 0; i < table->count; i++) {
        if (is_taken(listing, i)) {
            continue;
        }
        free_column = i;
        free_count++;
        if (strcasestr(table->fields[i], "label") || strcasestr(table->fields[i], "class")) {
            named = i;
            named_count++;
        }
    }
    return named_count == 1 ? named : free_count == 1 ? free_column : -1;
}

static enum graft_status unknown_column(const struct listing *listing, const char *what)
{
    return graft_fail(listing->dataset->context, GRAFT_ERROR_FORMAT,
                      "%s, line %lld: none of the columns %s is known as the %s; name it with --column-%s%s",
                      listing->path, (long long)listing->table.line, listing->columns, what, what,
                      listing->found ? ", or move this table away if folders are the classes" : "");
}

/* Columns by the names in the first row. *header: that row is one of names. */
static enum graft_status find_columns(struct listing *listing, bool *header)
{
    const struct graft_dataset_options *const options = &listing->dataset->options;
    const enum graft_task_kind asked = listing->dataset->task;
    const struct graft_table *const table = &listing->table;
    char path[GRAFT_PATH_LIMIT];
    int code = 0;
    bool named = false;
    enum graft_status status = GRAFT_OK;
    list_columns(table, listing->columns, sizeof listing->columns);
    listing->path_column = find_column(table, path_names);
    listing->label_column = find_column(table, label_names);
    listing->split_column = find_column(table, split_names);
    for (int s = 0; s < GRAFT_SPLIT_COUNT; s++) {
        listing->flag_columns[s] = find_column(table, flag_names[s]);
    }
    if (options->column_path) {
        status = find_asked(listing, options->column_path, &listing->path_column, &named);
    }
    if (status == GRAFT_OK && options->column_label) {
        status = find_asked(listing, options->column_label, &listing->label_column, &named);
    }
    if (status == GRAFT_OK && options->column_split) {
        status = find_asked(listing, options->column_split, &listing->split_column, &named);
    }
    if (status != GRAFT_OK) {
        return status;
    }
    const char *const first = table->fields[options->column_path ? listing->path_column : 0];
    const bool picture =
        find_cell(listing, first, path, &code) || strchr(first, '/') || graft_path_is_picture(first);
    *header = named || !picture;
    if (!*header) { /* no names: the first row is a picture */
        listing->path_column = options->column_path ? listing->path_column : 0;
        listing->label_column = options->column_label ? listing->label_column
                                : table->count > 1    ? listing->path_column == 1 ? 0 : 1
                                                      : -1;
        listing->split_column = options->column_split ? listing->split_column : -1;
        for (int s = 0; s < GRAFT_SPLIT_COUNT; s++) {
            listing->flag_columns[s] = -1;
        }
        return GRAFT_OK;
    }
    if (listing->path_column < 0) {
        return unknown_column(listing, "path");
    }
    if (listing->label_column < 0 || listing->label_column == listing->path_column) {
        listing->label_column = guess_label(listing);
    }
    if (listing->label_column < 0 && !options->unlabelled &&
        (asked == GRAFT_TASK_AUTO || asked == GRAFT_TASK_LABELS) && (!listing->may_lack || listing->dataset->flags)) {
        listing->surely = asked == GRAFT_TASK_LABELS;
        status = take_class_columns(listing);
    }
    if (status != GRAFT_OK || listing->class_count > 0) {
        return status;
    }
    if (listing->label_column >= 0) {
        const char *const title = table->fields[listing->label_column];
        listing->dataset->label_title = graft_names_add_utf8(listing->dataset, title, strlen(title));
        if (!listing->dataset->label_title) {
            return GRAFT_ERROR_MEMORY;
        }
    }
    listing->no_labels = listing->label_column < 0 && listing->may_lack;
    return listing->label_column < 0 && !options->unlabelled && !listing->no_labels ? unknown_column(listing, "label")
                                                                                    : GRAFT_OK;
}

/* 1: yes, 0: no, −1: neither. */
static int truth(const char *text)
{
    static const char *const yes[] = {"1", "true", "yes", "t", "y", "1.0"};
    static const char *const no[] = {"", "0", "false", "no", "f", "n", "0.0"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (strcasecmp(text, yes[i]) == 0) {
            return 1;
        }
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        if (strcasecmp(text, no[i]) == 0) {
            return 0;
        }
    }
    return -1;
}

static const char *cell(const struct listing *listing, int column)
{
    return column >= 0 && column < listing->table.count ? listing->table.fields[column] : "";
}

/* The split of the row; a text if what stands there is none. */
static const char *row_split(const struct listing *listing, uint8_t *split)
{
    *split = listing->split == GRAFT_NO_SPLIT ? GRAFT_SPLIT_TRAIN : listing->split;
    if (listing->split_column >= 0 && listing->split_column < listing->table.count) {
        const char *const name = cell(listing, listing->split_column);
        *split = graft_split_find(name, strlen(name));
        return *split == GRAFT_NO_SPLIT ? "the split is none of train, val and test" : NULL;
    }
    for (int s = GRAFT_SPLIT_TEST; s >= GRAFT_SPLIT_TRAIN; s--) { /* test before val before train */
        if (listing->flag_columns[s] < 0) {
            continue;
        }
        const int yes = truth(cell(listing, listing->flag_columns[s]));
        if (yes < 0) {
            return "yes or no (true, false, 1, 0) is expected in the column that tells the part";
        }
        if (yes > 0 || s == GRAFT_SPLIT_TRAIN) {
            *split = yes > 0 ? (uint8_t)s : GRAFT_SPLIT_VAL;
            return NULL;
        }
    }
    return NULL;
}

static enum graft_status missing_picture(const struct listing *listing, const char *path, int code)
{
    struct graft_context *const context = listing->dataset->context;
    if (code != 0) {
        return graft_fail(context, GRAFT_ERROR_IO, "%s, line %lld: cannot look for '%s': %s", listing->path,
                          (long long)listing->table.line, path, strerror(code));
    }
    return graft_fail(context, GRAFT_ERROR_NOT_FOUND,
                      "%s, line %lld: there is no file %s%s%s, nor one below train/ or images/; paths are "
                      "relative to the table's folder",
                      listing->path, (long long)listing->table.line, path[0] == '/' ? "" : listing->source->path,
                      path[0] == '/' ? "" : "/", path);
}

/* Why the picture of this row will not be there. */
static const char *keep_missing(const struct listing *listing)
{
    char text[GRAFT_PATH_LIMIT + 128];
    const int length = snprintf(text, sizeof text, "there is no such file; it stands in line %lld of %s",
                                (long long)listing->table.line, listing->path);
    return graft_names_add(listing->dataset, text, (size_t)length);
}

/* The labels of a row of 0 and 1, joined: see GRAFT_FLAG_BREAK. *reason: what is wrong, where something is. */
static enum graft_status join_flags(struct listing *listing, char reason[512], const char **label)
{
    struct graft_context *const context = listing->dataset->context;
    struct graft_text text = {0};
    enum graft_status status = GRAFT_OK;
    reason[0] = '\0';
    for (int i = 0; i < listing->class_count && status == GRAFT_OK && reason[0] == '\0'; i++) {
        const char *const flag = cell(listing, listing->class_columns[i]);
        const int yes = strcmp(flag, "-1") == 0 ? 0 : truth(flag);
        if (yes > 0) {
            graft_text_append(context, &text, "%s%c", listing->class_names[i], GRAFT_FLAG_BREAK);
        } else if (flag[0] == '\0') {
            (void)graft_format(reason, 512, "the column '%.100s' is empty, where 0 or 1 is expected", listing->class_names[i]);
        } else if (yes < 0 && !listing->surely) {
            status = unknown_column(listing, "label"); /* they are something else */
        } else if (yes < 0) {
            (void)graft_format(reason, 512, "the column '%.100s' holds '%.100s', where 0 or 1 is expected: leave other columns out",
                               listing->class_names[i], flag);
        }
    }
    listing->surely = true;
    listing->dataset->flags = true;
    *label = graft_names_add(listing->dataset, text.data ? text.data : "", text.length);
    const bool failed = text.failed || !*label;
    graft_text_close(context, &text);
    return status == GRAFT_OK && failed ? GRAFT_ERROR_MEMORY : status;
}

static enum graft_status add_picture(struct listing *listing)
{
    struct graft_dataset *const dataset = listing->dataset;
    const bool unlabelled = dataset->options.unlabelled, flags = listing->class_count > 0;
    const char *const name = cell(listing, listing->path_column);
    const char *label = unlabelled || flags ? "" : cell(listing, listing->label_column);
    char path[GRAFT_PATH_LIMIT], reason[512];
    enum graft_status status = flags ? join_flags(listing, reason, &label) : GRAFT_OK;
    if (status != GRAFT_OK) {
        return status;
    }
    if (flags && reason[0] != '\0') {
        return wrong_row(listing, reason);
    }
    uint8_t split = GRAFT_NO_SPLIT;
    int code = 0;
    const char *const no_split = row_split(listing, &split);
    if (listing->table.count == 1 && !unlabelled) {
        return wrong_row(listing, "path and label are expected, separated by a comma");
    }
    if (name[0] == '\0' || (label[0] == '\0' && !unlabelled && !flags)) {
        return wrong_row(listing, name[0] == '\0' ? "the path is empty" : "the label is empty");
    }
    if (no_split) {
        return wrong_row(listing, no_split);
    }
    const bool found = find_cell(listing, name, path, &code);
    if (!found && (code != 0 || !dataset->options.keep_damaged)) {
        return missing_picture(listing, name, code);
    }
    struct graft_entry *const entry = graft_entry_add(dataset);
    if (!entry) {
        return GRAFT_ERROR_MEMORY;
    }
    const char *const kept = found ? path : name;
    entry->path = graft_names_add(dataset, kept, strlen(kept));
    entry->class_name = unlabelled ? "" : flags ? label : graft_names_add_utf8(dataset, label, strlen(label));
    entry->fault = found ? NULL : keep_missing(listing);
    if (!entry->path || !entry->class_name || (!found && !entry->fault)) {
        return GRAFT_ERROR_MEMORY;
    }
    entry->number = listing->table.line;
    entry->source = listing->source_number;
    entry->split = split;
    return GRAFT_OK;
}

static enum graft_status read_rows(struct listing *listing)
{
    bool header = false;
    enum graft_status status = GRAFT_OK;
    if (!graft_table_next(&listing->table)) {
        return graft_fail(listing->dataset->context, GRAFT_ERROR_FORMAT,
                          "%s is empty; path and label are expected", listing->path);
    }
    if (listing->table.wrong) {
        return graft_fail(listing->dataset->context, GRAFT_ERROR_FORMAT, "%s, line %lld: %s", listing->path,
                          (long long)listing->table.line, listing->table.wrong);
    }
    find_bases(listing);
    status = find_columns(listing, &header);
    if (status == GRAFT_OK && listing->no_labels) {
        graft_log(listing->dataset->context, GRAFT_LOG_REMARK, "%s has no labels and is left out", listing->path);
        return GRAFT_OK;
    }
    if (status == GRAFT_OK && !header) {
        status = add_picture(listing);
    }
    while (status == GRAFT_OK && graft_table_next(&listing->table)) {
        status = listing->table.wrong ? wrong_row(listing, listing->table.wrong) : add_picture(listing);
    }
    return status;
}

static enum graft_status list_table(struct graft_dataset *dataset, const char *path, uint8_t split, bool found,
                                    bool may_lack)
{
    char folder[GRAFT_PATH_LIMIT];
    snprintf(folder, sizeof folder, "%s", path);
    char *const slash = strrchr(folder, '/');
    snprintf(slash ? slash + (slash == folder) : folder, 2, "%s", slash ? "" : ".");
    struct graft_source *const source = graft_source_add(dataset, &graft_source_table, folder, split);
    if (!source) {
        return GRAFT_ERROR_MEMORY;
    }
    struct listing listing = {.dataset = dataset,
                              .path = path,
                              .source = source,
                              .source_number = (uint8_t)(dataset->source_count - 1),
                              .split = split,
                              .found = found,
                              .may_lack = may_lack};
    enum graft_status status = graft_table_open(dataset->context, path, &listing.table);
    if (status == GRAFT_OK) {
        status = read_rows(&listing);
    }
    graft_table_close(dataset->context, &listing.table);
    return status;
}

static bool exists(const char *folder, const char *name, char path[GRAFT_PATH_LIMIT])
{
    struct stat facts;
    return snprintf(path, GRAFT_PATH_LIMIT, "%s/%s", folder, name) < GRAFT_PATH_LIMIT &&
           stat(path, &facts) == 0;
}

static bool is_table(const char *path, const struct stat *facts)
{
    char file[GRAFT_PATH_LIMIT];
    if (S_ISDIR(facts->st_mode)) {
        return exists(path, "labels.csv", file) || exists(path, "train.csv", file);
    }
    return S_ISREG(facts->st_mode) && (graft_text_ends(path, ".csv") || graft_text_ends(path, ".tsv") ||
                                       graft_text_ends(path, ".CSV"));
}

/* A table for everything, or one for each split. */
static enum graft_status list_tables(struct graft_dataset *dataset, const char *path, uint8_t split)
{
    static const struct {
        const char *name;
        uint8_t split;
    } tables[] = {{"train.csv", GRAFT_SPLIT_TRAIN},    {"val.csv", GRAFT_SPLIT_VAL},
                  {"valid.csv", GRAFT_SPLIT_VAL},      {"dev.csv", GRAFT_SPLIT_VAL},
                  {"validation.csv", GRAFT_SPLIT_VAL}, {"test.csv", GRAFT_SPLIT_TEST}};
    char file[GRAFT_PATH_LIMIT];
    struct stat facts;
    enum graft_status status = GRAFT_OK;
    if (stat(path, &facts) != 0 || !S_ISDIR(facts.st_mode)) {
        return list_table(dataset, path, split, false, false);
    }
    if (exists(path, "labels.csv", file)) {
        return list_table(dataset, file, split, true, false);
    }
    for (size_t i = 0; status == GRAFT_OK && i < sizeof tables / sizeof tables[0]; i++) {
        if (exists(path, tables[i].name, file)) {
            status = list_table(dataset, file, split == GRAFT_NO_SPLIT ? tables[i].split : split, true, i > 0);
        }
    }
    return status;
}

const struct graft_source_kind graft_source_table = {
    .name = "a table",
    .expects = "labels.csv or train.csv",
    .kind = GRAFT_DATASET_CSV,
    .recognizes = is_table,
    .list = list_tables,
    .entry_name = graft_file_entry_name,
    .fetch = graft_file_fetch,
    .size = graft_file_size,
};
