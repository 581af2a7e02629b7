/* SPDX-License-Identifier: MIT */
#include "data/links.h"

#include "base/context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Links to links to …: so many times. */
#define PASSES 8
/* Files that links may add: so many for each member, and some. Folders that hold links to folders multiply. */
#define LINKED_FACTOR 64
#define LINKED_LEAST 65536

size_t graft_path_tidy(char *path)
{
    const char *in = path;
    char *out = path;
    while (*in != '\0') {
        const size_t length = strcspn(in, "/");
        const bool dots = (length == 1 && in[0] == '.') || (length == 2 && in[0] == '.' && in[1] == '.');
        if (length > 0 && !dots) {
            if (out > path) {
                *out++ = '/';
            }
            memmove(out, in, length);
            out += length;
        }
        in += length + (in[length] == '/');
    }
    *out = '\0';
    return (size_t)(out - path);
}

bool graft_links_add(struct graft_dataset *dataset, struct graft_links *links, const char *path,
                     const char *target, bool symbolic)
{
    if (links->count == links->capacity) {
        const int64_t more = links->capacity ? links->capacity * 2 : 64;
        struct graft_link *const grown = graft_reallocate(dataset->context, links->list, (size_t)links->capacity,
                                                          (size_t)more, sizeof *grown);
        if (!grown) {
            return false;
        }
        links->list = grown;
        links->capacity = more;
    }
    links->list[links->count++] = (struct graft_link){.path = path, .target = target, .symbolic = symbolic};
    return true;
}

void graft_links_close(struct graft_dataset *dataset, struct graft_links *links)
{
    graft_release(dataset->context, links->list);
    *links = (struct graft_links){0};
}

/* The archive that is being listed. */
static const char *archive_of(const struct graft_dataset *dataset)
{
    return dataset->sources[dataset->source_count - 1].path;
}

/* Where a symbolic link leads, as a path of the archive; false: out of it. */
static bool resolve(const struct graft_link *link, char path[GRAFT_PATH_LIMIT])
{
    const char *const slash = strrchr(link->path, '/');
    size_t used = slash ? (size_t)(slash - link->path) : 0;
    if (link->target[0] == '/' || used + strlen(link->target) + 2 > GRAFT_PATH_LIMIT) {
        return false;
    }
    memcpy(path, link->path, used);
    for (const char *in = link->target; *in != '\0';) {
        const size_t length = strcspn(in, "/");
        if (length == 2 && in[0] == '.' && in[1] == '.') {
            if (used == 0) {
                return false;
            }
            while (used > 0 && path[used - 1] != '/') {
                used--;
            }
            used -= used > 0;
        } else if (length > 0 && !(length == 1 && in[0] == '.')) {
            if (used > 0) {
                path[used++] = '/';
            }
            memcpy(path + used, in, length);
            used += length;
        }
        in += length + (in[length] == '/');
    }
    path[used] = '\0';
    return true;
}

static int compare(const void *left, const void *right)
{
    const struct graft_entry *const a = left, *const b = right;
    const int order = strcmp(a->path, b->path);
    return order != 0 ? order : (a->number > b->number) - (a->number < b->number);
}

/* Orders by path; of several with one path the last stays, as unpacking would have it. */
static int64_t order(struct graft_dataset *dataset, int64_t begin)
{
    int64_t kept = begin, replaced = 0;
    if (dataset->entry_count - begin > 1) {
        qsort(dataset->entries + begin, (size_t)(dataset->entry_count - begin), sizeof dataset->entries[0],
              compare);
    }
    for (int64_t i = begin; i < dataset->entry_count; i++) {
        const bool again = kept > begin && strcmp(dataset->entries[kept - 1].path, dataset->entries[i].path) == 0;
        replaced += again && !dataset->entries[i].folder;
        dataset->entries[again ? kept - 1 : kept++] = dataset->entries[i];
    }
    dataset->entry_count = kept;
    return replaced;
}

/* The first entry whose path is not below `path`. */
static int64_t find(const struct graft_dataset *dataset, int64_t begin, int64_t end, const char *path)
{
    while (begin < end) {
        const int64_t middle = begin + (end - begin) / 2;
        const bool below = strcmp(dataset->entries[middle].path, path) < 0;
        begin = below ? middle + 1 : begin;
        end = below ? end : middle;
    }
    return begin;
}

static enum graft_status add_linked(struct graft_dataset *dataset, const struct graft_entry *target,
                                    const char *path)
{
    struct graft_entry linked = *target; /* the list may move */
    linked.path = path;
    struct graft_entry *const entry = graft_entry_add(dataset);
    if (!entry) {
        return GRAFT_ERROR_MEMORY;
    }
    *entry = linked;
    return GRAFT_OK;
}

/* All that lies below the folder `target`, under the link's name. */
static enum graft_status add_folder(struct graft_dataset *dataset, struct graft_link *link, int64_t begin,
                                    int64_t end, const char *target)
{
    char folder[GRAFT_PATH_LIMIT + 1], path[2 * GRAFT_PATH_LIMIT];
    const size_t length = strlen(target) + (target[0] != '\0');
    snprintf(folder, sizeof folder, "%s%s", target, target[0] != '\0' ? "/" : "");
    if (strncmp(link->path, folder, length) == 0) {
        graft_log(dataset->context, GRAFT_LOG_REMARK, "%s:%s leads back into a folder above it; left out",
                  archive_of(dataset), link->path);
        link->done = true;
        return GRAFT_OK;
    }
    enum graft_status status = GRAFT_OK;
    for (int64_t i = find(dataset, begin, end, folder); status == GRAFT_OK && i < end; i++) {
        const char *const inside = dataset->entries[i].path;
        if (strncmp(inside, folder, length) != 0) {
            break;
        }
        const int bytes = snprintf(path, sizeof path, "%s/%s", link->path, inside + length);
        const char *const copy = bytes < GRAFT_PATH_LIMIT ? graft_names_add(dataset, path, (size_t)bytes) : NULL;
        if (bytes < GRAFT_PATH_LIMIT) {
            status = copy ? add_linked(dataset, &dataset->entries[i], copy) : GRAFT_ERROR_MEMORY;
        }
        link->done = true;
    }
    return status;
}

static enum graft_status follow(struct graft_dataset *dataset, struct graft_link *link, int64_t begin,
                                int64_t end)
{
    char target[GRAFT_PATH_LIMIT];
    if (!link->symbolic) {
        snprintf(target, sizeof target, "%s", link->target);
    } else if (!resolve(link, target)) {
        return GRAFT_OK;
    }
    const int64_t at = find(dataset, begin, end, target);
    if (at < end && strcmp(dataset->entries[at].path, target) == 0 && !dataset->entries[at].folder) {
        link->done = true;
        return add_linked(dataset, &dataset->entries[at], link->path);
    }
    return add_folder(dataset, link, begin, end, target);
}

enum graft_status graft_links_follow(struct graft_dataset *dataset, struct graft_links *links, int64_t begin)
{
    enum graft_status status = GRAFT_OK;
    const int64_t replaced = order(dataset, begin);
    if (replaced > 0) {
        graft_log(dataset->context, GRAFT_LOG_REMARK,
                  "%s: %lld members are there again further on; the last one counts", archive_of(dataset),
                  (long long)replaced);
    }
    const int64_t members = dataset->entry_count;
    const int64_t limit = (members - begin + links->count) * LINKED_FACTOR + LINKED_LEAST;
    bool more = links->count > 0;
    for (int pass = 0; pass < PASSES && more && status == GRAFT_OK; pass++) {
        const int64_t end = dataset->entry_count; /* what this pass adds, the next one sees */
        more = false;
        for (int64_t i = 0; i < links->count && status == GRAFT_OK; i++) {
            struct graft_link *const link = &links->list[i];
            status = link->done ? GRAFT_OK : follow(dataset, link, begin, end);
            if (status == GRAFT_OK && dataset->entry_count - members > limit) {
                status = graft_fail(dataset->context, GRAFT_ERROR_FORMAT,
                                    "%s: its links add more than %lld files", archive_of(dataset),
                                    (long long)limit);
            }
        }
        more = dataset->entry_count > end;
        order(dataset, begin);
    }
    for (int64_t i = 0; i < links->count && status == GRAFT_OK; i++) {
        if (!links->list[i].done) {
            graft_log(dataset->context, GRAFT_LOG_REMARK,
                      "%s:%s is a link to %s, which is not in the archive; left out", archive_of(dataset),
                      links->list[i].path, links->list[i].target);
        }
    }
    return status;
}
