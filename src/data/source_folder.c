/* SPDX-License-Identifier: MIT */
/* Lists the files below a folder, without recursion and without going round in circles through links. */
#include "data/dataset.h"

#include "base/context.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_LIMIT 16
#define ABOVE_LIMIT 64

struct folder {
    const char *path; /* within the source; "" for the source itself */
    int64_t parent;   /* −1 for the source */
    int64_t entry;    /* in the list; −1 for the source */
    dev_t device;
    ino_t inode;
    int depth;
};

struct walk {
    struct graft_dataset *dataset;
    const struct graft_source *source;
    int source_number;
    struct folder *folders; /* met so far; those behind `next` are still to be read */
    int64_t count, capacity;
    struct stat above[ABOVE_LIMIT]; /* the folders that the source lies in */
    int above_count;
    struct graft_text text; /* a path being put together */
};

static enum graft_status unreadable(const struct walk *walk, const char *path, int code)
{
    if (path[0] == '\0') { /* the source itself */
        return graft_fail(walk->dataset->context, code == ENOENT ? GRAFT_ERROR_NOT_FOUND : GRAFT_ERROR_IO,
                          "%s cannot be read: %s; check its permissions", walk->source->path, strerror(code));
    }
    return graft_fault_note(walk->dataset, code == ENOENT ? GRAFT_ERROR_NOT_FOUND : GRAFT_ERROR_IO,
                            "%s%s%s cannot be read: %s; check its permissions", walk->source->path,
                            path[0] ? "/" : "", path, strerror(code));
}

static bool inside_itself(const struct walk *walk, int64_t parent, const struct stat *facts)
{
    for (int64_t i = parent; i >= 0; i = walk->folders[i].parent) {
        if (walk->folders[i].device == facts->st_dev && walk->folders[i].inode == facts->st_ino) {
            return true;
        }
    }
    for (int i = 0; parent >= 0 && i < walk->above_count; i++) {
        if (walk->above[i].st_dev == facts->st_dev && walk->above[i].st_ino == facts->st_ino) {
            return true;
        }
    }
    return false;
}

/* The folders that the source lies in, up to the topmost: a link that leads there leads back to the source. */
static void look_above(struct walk *walk, const struct stat *facts)
{
    char path[GRAFT_PATH_LIMIT];
    struct stat before = *facts;
    size_t length = (size_t)snprintf(path, sizeof path, "%s", walk->source->path);
    while (walk->above_count < ABOVE_LIMIT && length + 4 < sizeof path) {
        memcpy(path + length, "/..", 4);
        length += 3;
        struct stat *const above = &walk->above[walk->above_count];
        if (stat(path, above) != 0 || (above->st_dev == before.st_dev && above->st_ino == before.st_ino)) {
            return;
        }
        before = *above;
        walk->above_count++;
    }
}

/* False in *added: it is left out. */
static enum graft_status add_folder(struct walk *walk, const char *path, int64_t parent,
                                    const struct stat *facts, bool *added)
{
    struct graft_context *const context = walk->dataset->context;
    *added = false;
    if (inside_itself(walk, parent, facts)) {
        graft_log(context, GRAFT_LOG_REMARK, "%s/%s leads back into a folder above it; left out",
                  walk->source->path, path);
        return GRAFT_OK;
    }
    const int depth = parent < 0 ? 0 : walk->folders[parent].depth + 1;
    if (depth > DEPTH_LIMIT) {
        graft_log(context, GRAFT_LOG_REMARK, "%s/%s lies more than %d folders deep; left out",
                  walk->source->path, path, DEPTH_LIMIT);
        return GRAFT_OK;
    }
    if (walk->count == walk->capacity) {
        const int64_t more = walk->capacity ? walk->capacity * 2 : 64;
        struct folder *const grown =
            graft_reallocate(context, walk->folders, (size_t)walk->capacity, (size_t)more, sizeof *grown);
        if (!grown) {
            return GRAFT_ERROR_MEMORY;
        }
        walk->folders = grown;
        walk->capacity = more;
    }
    walk->folders[walk->count++] = (struct folder){
        .path = path, .parent = parent, .entry = -1, .device = facts->st_dev, .inode = facts->st_ino, .depth = depth};
    *added = true;
    return GRAFT_OK;
}

/* One name in folder number `parent`. */
static enum graft_status add_name(struct walk *walk, int64_t parent, int descriptor,
                                  const struct dirent *item)
{
    struct graft_dataset *const dataset = walk->dataset;
    struct graft_context *const context = dataset->context;
    if (graft_path_is_clutter(item->d_name)) {
        return GRAFT_OK;
    }
    const char *const folder = walk->folders[parent].path;
    walk->text.length = 0;
    graft_text_append(context, &walk->text, "%s%s%s", folder, folder[0] ? "/" : "", item->d_name);
    if (walk->text.failed) {
        return GRAFT_ERROR_MEMORY;
    }
    struct stat facts = {0};
    bool is_folder = item->d_type == DT_DIR;
    bool is_file = item->d_type == DT_REG;
    if (!is_file) {
        if (fstatat(descriptor, item->d_name, &facts, 0) != 0) {
            if (errno == ENOENT || errno == ELOOP) {
                graft_log(context, GRAFT_LOG_REMARK, "%s/%s is a link that leads nowhere; left out",
                          walk->source->path, walk->text.data);
                return GRAFT_OK;
            }
            return unreadable(walk, walk->text.data, errno);
        }
        is_folder = S_ISDIR(facts.st_mode);
        is_file = S_ISREG(facts.st_mode);
    }
    if (!is_folder && !is_file) {
        return GRAFT_OK;
    }
    const char *const path = graft_names_add(dataset, walk->text.data, walk->text.length);
    if (!path) {
        return GRAFT_ERROR_MEMORY;
    }
    bool added = true;
    const enum graft_status status = is_folder ? add_folder(walk, path, parent, &facts, &added) : GRAFT_OK;
    if (status != GRAFT_OK || !added) {
        return status;
    }
    struct graft_entry *const entry = graft_entry_add(dataset);
    if (!entry) {
        return GRAFT_ERROR_MEMORY;
    }
    entry->path = path;
    entry->source = (uint8_t)walk->source_number;
    entry->folder = is_folder;
    if (is_folder) {
        walk->folders[walk->count - 1].entry = dataset->entry_count - 1;
    }
    return GRAFT_OK;
}

static enum graft_status read_folder(struct walk *walk, int64_t number)
{
    enum graft_status status = GRAFT_OK;
    const char *const path = walk->folders[number].path;
    walk->text.length = 0;
    graft_text_append(walk->dataset->context, &walk->text, "%s/%s", walk->source->path, path);
    if (walk->text.failed) {
        return GRAFT_ERROR_MEMORY;
    }
    DIR *const stream = opendir(walk->text.data);
    if (!stream) {
        const int code = errno;
        if (walk->folders[number].entry >= 0) { /* told once: not as an empty class too */
            walk->dataset->entries[walk->folders[number].entry].fault = "cannot be read";
        }
        return unreadable(walk, path, code);
    }
    while (status == GRAFT_OK) {
        errno = 0;
        const struct dirent *const item = readdir(stream);
        if (!item) {
            status = errno ? unreadable(walk, path, errno) : GRAFT_OK;
            break;
        }
        status = add_name(walk, number, dirfd(stream), item);
    }
    closedir(stream);
    return status;
}

static bool is_folder(const char *path, const struct stat *facts)
{
    (void)path;
    return S_ISDIR(facts->st_mode);
}

static enum graft_status list_folder(struct graft_dataset *dataset, const char *path, uint8_t split)
{
    const struct graft_source *const source = graft_source_add(dataset, &graft_source_folder, path, split);
    if (!source) {
        return GRAFT_ERROR_MEMORY;
    }
    struct walk walk = {
        .dataset = dataset, .source = source, .source_number = dataset->source_count - 1};
    struct stat facts;
    enum graft_status status = GRAFT_OK;
    if (stat(walk.source->path, &facts) != 0) {
        return unreadable(&walk, "", errno);
    }
    bool added = true;
    look_above(&walk, &facts);
    status = add_folder(&walk, "", -1, &facts, &added);
    for (int64_t next = 0; status == GRAFT_OK && next < walk.count; next++) {
        status = read_folder(&walk, next);
    }
    graft_release(dataset->context, walk.folders);
    graft_text_close(dataset->context, &walk.text);
    return status;
}

const struct graft_source_kind graft_source_folder = {
    .name = "a folder for each class",
    .expects = "a folder, tar or zip",
    .kind = GRAFT_DATASET_FOLDERS,
    .tree = true,
    .recognizes = is_folder,
    .list = list_folder,
    .entry_name = graft_file_entry_name,
    .fetch = graft_file_fetch,
    .size = graft_file_size,
};
