/* SPDX-License-Identifier: MIT */
/*
 * Training pictures that are there more than once, byte for byte. Only files of one size are looked into, at
 * their beginnings first: of photographs that is a small part.
 */
#include "data/dataset.h"

#include "base/context.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD 4096
#define BLOCK 65536

struct content {
    uint64_t size;
    uint64_t hash; /* of the beginning, then of all */
    int64_t entry;
    bool known; /* it could be read */
};

static int compare(const void *left, const void *right)
{
    const struct content *const a = left, *const b = right;
    if (a->known != b->known) {
        return a->known ? -1 : 1;
    }
    if (a->size != b->size) {
        return a->size < b->size ? -1 : 1;
    }
    if (a->hash != b->hash) {
        return a->hash < b->hash ? -1 : 1;
    }
    return (a->entry > b->entry) - (a->entry < b->entry);
}

/* Eight bytes at a time, mixed as MurmurHash3 ends. */
static uint64_t hash_bytes(uint64_t hash, const uint8_t *data, size_t size)
{
    while (size > 0) {
        uint64_t word = 0;
        const size_t step = size < 8 ? size : 8;
        memcpy(&word, data, step);
        hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
        hash ^= hash >> 32;
        data += step;
        size -= step;
    }
    return hash;
}

/* Hashes up to `most` bytes of a file; false: it cannot be read. */
static bool hash_file(const char *path, size_t most, uint8_t *block, uint64_t *hash)
{
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool good = descriptor >= 0;
    size_t done = 0;
    *hash = 1;
    while (good && done < most) {
        const size_t left = most - done;
        const ssize_t got = read(descriptor, block, left < BLOCK ? left : BLOCK);
        good = got >= 0;
        if (got <= 0) {
            break;
        }
        *hash = hash_bytes(*hash, block, (size_t)got);
        done += (size_t)got;
    }
    if (descriptor >= 0) {
        close(descriptor);
    }
    return good;
}

static void look_into(const struct graft_dataset *dataset, struct content *content, size_t most, uint8_t *block)
{
    const struct graft_entry *const entry = &dataset->entries[content->entry];
    if (entry->data) {
        content->hash = hash_bytes(1, entry->data, content->size < most ? (size_t)content->size : most);
        return;
    }
    char path[GRAFT_PATH_LIMIT];
    graft_entry_name(dataset, entry, path, sizeof path);
    content->known = hash_file(path, most, block, &content->hash);
}

/* Hashes those of which another one has the same size and hash so far, and orders them anew. */
static void look_further(const struct graft_dataset *dataset, struct content *contents, int64_t count, size_t most,
                         uint8_t *block)
{
    for (int64_t i = 0; i < count;) {
        int64_t end = i + 1;
        while (end < count && contents[end].known && contents[end].size == contents[i].size &&
               contents[end].hash == contents[i].hash) {
            end++;
        }
        for (int64_t k = i; k < end; k++) {
            if (end - i < 2) {
                contents[k].known = false;
            } else if (contents[k].known) {
                look_into(dataset, &contents[k], most, block);
            }
        }
        i = end;
    }
    qsort(contents, (size_t)count, sizeof *contents, compare);
}

static int64_t list_contents(const struct graft_dataset *dataset, struct content *contents)
{
    int64_t count = 0;
    for (int64_t i = 0; i < dataset->entry_count; i++) {
        const struct graft_entry *const entry = &dataset->entries[i];
        const struct graft_source *const source = &dataset->sources[entry->source];
        const bool there = entry->data || source->kind->size; /* a program's own are not asked for */
        if (entry->split != GRAFT_SPLIT_TRAIN || entry->fault || !there) {
            continue;
        }
        const uint64_t size = source->kind->size ? source->kind->size(source, entry) : entry->size;
        if (size > 0) {
            contents[count++] = (struct content){.size = size, .entry = i, .known = true};
        }
    }
    return count;
}

enum graft_status graft_doubles_find(struct graft_dataset *dataset, int64_t *next, int64_t *doubles)
{
    struct graft_context *const context = dataset->context;
    struct content *const contents =
        graft_allocate_raw(context, (size_t)dataset->entry_count, sizeof *contents);
    uint8_t *const block = graft_allocate_raw(context, BLOCK, 1);
    *doubles = 0;
    for (int64_t i = 0; i < dataset->entry_count; i++) {
        next[i] = i;
    }
    if (contents && block) {
        const int64_t count = list_contents(dataset, contents);
        qsort(contents, (size_t)count, sizeof *contents, compare);
        look_further(dataset, contents, count, HEAD, block);
        look_further(dataset, contents, count, SIZE_MAX, block);
        for (int64_t i = 1; i < count && contents[i].known; i++) {
            const struct content *const a = &contents[i - 1], *const b = &contents[i];
            if (a->size == b->size && a->hash == b->hash) { /* into the ring of the one before */
                next[b->entry] = next[a->entry];
                next[a->entry] = b->entry;
                ++*doubles;
            }
        }
    }
    graft_release(context, contents);
    graft_release(context, block);
    return contents && block ? GRAFT_OK : GRAFT_ERROR_MEMORY;
}
