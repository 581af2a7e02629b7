/* SPDX-License-Identifier: MIT */
/*
 * The file: header, key text, binary. All numbers as the machine has them (the cache does not travel); the
 * checksum covers all of it. Any difference from what is expected counts as "not there".
 */
#include "backend/opencl/cache.h"

#include "base/context.h"
#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAGIC "GRAFTCL1"  /* 8 bytes; the last is the format's version */
#define BLOCK 4096        /* a file takes at least so much */
#define LEFT_SECONDS 3600 /* a partial file of that age has nobody who writes it */

struct header {
    char magic[8];
    uint64_t key_size;
    uint64_t binary_size;
    uint64_t checksum;
    double seconds;
    uint64_t state;
};

uint64_t graft_opencl_hash(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

/* Of everything in the file but the checksum itself. */
static uint64_t checksum(struct header header, const char *key, const char *binary)
{
    header.checksum = 0;
    const uint64_t parts[3] = {graft_opencl_hash(&header, sizeof(header)),
                               graft_opencl_hash(key, (size_t)header.key_size),
                               graft_opencl_hash(binary, (size_t)header.binary_size)};
    return graft_opencl_hash(parts, sizeof(parts));
}

static bool folder_of(struct graft_context *context, char *path, size_t size)
{
    const char *const folder = graft_context_cache_folder(context);
    const int length = folder != NULL ? snprintf(path, size, "%s/opencl", folder) : -1;
    return length > 0 && (size_t)length < size;
}

bool graft_opencl_cache_path(struct graft_context *context, const char *key, char *path, size_t size)
{
    char folder[3900];
    if (!folder_of(context, folder, sizeof(folder)))
        return false;
    const uint64_t hash = graft_opencl_hash(key, strlen(key));
    const int length = snprintf(path, size, "%s/%016llx.bin", folder, (unsigned long long)hash);
    return length > 0 && (size_t)length < size;
}

bool graft_opencl_cache_read(struct graft_context *context, const char *key,
                             struct graft_opencl_binary *binary)
{
    memset(binary, 0, sizeof(*binary));
    char path[4096];
    struct graft_kept_error before; /* what fails here is not for the user */
    if (!graft_opencl_cache_path(context, key, path, sizeof(path)))
        return false;
    graft_keep_error(context, &before);
    char *file = NULL;
    size_t size = 0;
    struct stat info;
    /* Anything else of that name, a pipe for example, would be waited for. */
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode))
        return false;
    if (info.st_size > GRAFT_OPENCL_CACHE_FILE_BYTES ||
        graft_file_read(context, path, GRAFT_OPENCL_CACHE_FILE_BYTES, &file, &size) != GRAFT_OK) {
        graft_restore_error(context, &before);
        return false;
    }
    struct header header;
    const size_t key_size = strlen(key);
    bool good = size >= sizeof(header);
    if (good) {
        memcpy(&header, file, sizeof(header));
        const char *body = file + sizeof(header);
        good = memcmp(header.magic, MAGIC, sizeof(header.magic)) == 0 && header.key_size == key_size &&
               size - sizeof(header) >= key_size && header.binary_size == size - sizeof(header) - key_size &&
               memcmp(body, key, key_size) == 0 &&
               checksum(header, body, body + key_size) == header.checksum &&
               (header.state == GRAFT_OPENCL_CACHED_BINARY) == (header.binary_size > 0) &&
               header.state <= GRAFT_OPENCL_CACHED_USELESS;
    }
    if (good) {
        memmove(file, file + sizeof(header) + key_size, (size_t)header.binary_size);
        binary->data = file;
        binary->size = (size_t)header.binary_size;
        binary->seconds = header.seconds;
        binary->state = (enum graft_opencl_cached)header.state;
        (void)!utimensat(AT_FDCWD, path, NULL, 0); /* used now; not possible in a read-only folder */
    } else {
        graft_release(context, file);
    }
    return good;
}

/* ---- writing, and keeping it small ---- */

struct kept {
    char name[64];
    struct timespec used;
    uint64_t bytes;
};

static int by_use(const void *a, const void *b)
{
    const struct kept *const x = a, *const y = b;
    if (x->used.tv_sec != y->used.tv_sec)
        return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
    if (x->used.tv_nsec != y->used.tv_nsec)
        return x->used.tv_nsec < y->used.tv_nsec ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* "0123456789abcdef.bin", or that with ".part-…" behind. */
static bool is_ours(const char *name, bool *partial)
{
    if (strspn(name, "0123456789abcdef") != 16 || strncmp(name + 16, ".bin", 4) != 0)
        return false;
    *partial = strncmp(name + 20, ".part-", 6) == 0;
    return *partial || name[20] == '\0';
}

/* The files of the folder; old partial ones are removed. NULL if there are none or no memory for a list. */
static struct kept *list_files(struct graft_context *context, DIR *folder, size_t *count)
{
    const int descriptor = dirfd(folder);
    const time_t now = time(NULL);
    struct kept *list = NULL;
    size_t capacity = 0;
    *count = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        struct stat info;
        bool partial = false;
        if (!is_ours(entry->d_name, &partial) ||
            fstatat(descriptor, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode))
            continue;
        if (partial && now - info.st_mtime > LEFT_SECONDS)
            unlinkat(descriptor, entry->d_name, 0);
        if (partial)
            continue;
        if (*count == capacity) {
            struct kept *const more =
                graft_reallocate(context, list, capacity, 2 * capacity + 64, sizeof(*list));
            if (more == NULL)
                break;
            list = more;
            capacity = 2 * capacity + 64;
        }
        struct kept *const file = &list[(*count)++];
        snprintf(file->name, sizeof(file->name), "%.63s", entry->d_name);
        file->used = info.st_mtim;
        file->bytes = ((uint64_t)info.st_size + BLOCK - 1) / BLOCK * BLOCK;
    }
    return list;
}

void graft_opencl_cache_trim(struct graft_context *context, uint64_t limit)
{
    char path[3900];
    uint64_t bytes = 0;
    size_t count = 0;
    DIR *const folder = folder_of(context, path, sizeof(path)) ? opendir(path) : NULL;
    if (folder == NULL)
        return;
    struct kept *const list = list_files(context, folder, &count);
    for (size_t i = 0; i < count; i++)
        bytes += list[i].bytes;
    if (bytes > limit)
        qsort(list, count, sizeof(*list), by_use);
    for (size_t i = 0; i < count && bytes > limit; i++)
        if (unlinkat(dirfd(folder), list[i].name, 0) == 0)
            bytes -= list[i].bytes;
    graft_release(context, list);
    closedir(folder);
}

static bool write_file(struct graft_context *context, const char *path, const char *key,
                       const struct graft_opencl_binary *binary)
{
    struct graft_file_writer writer;
    struct header header = {.key_size = strlen(key),
                            .binary_size = binary->size,
                            .seconds = binary->seconds,
                            .state = (uint64_t)binary->state};
    memcpy(header.magic, MAGIC, sizeof(header.magic));
    header.checksum = checksum(header, key, binary->data);
    if (graft_file_writer_open(context, path, &writer) != GRAFT_OK)
        return false;
    const bool good =
        graft_file_writer_write(&writer, &header, sizeof(header)) == GRAFT_OK &&
        graft_file_writer_write(&writer, key, strlen(key)) == GRAFT_OK &&
        (binary->size == 0 || graft_file_writer_write(&writer, binary->data, binary->size) == GRAFT_OK) &&
        graft_file_writer_commit(&writer) == GRAFT_OK;
    if (!good)
        graft_file_writer_abort(&writer);
    return good;
}

bool graft_opencl_cache_write(struct graft_context *context, const char *key,
                              const struct graft_opencl_binary *binary)
{
    char path[4096], folder[3900];
    if (!folder_of(context, folder, sizeof(folder)) ||
        !graft_opencl_cache_path(context, key, path, sizeof(path)))
        return true; /* nothing is kept, by the user's choice or as was said before */
    if (binary->size > GRAFT_OPENCL_CACHE_FILE_BYTES - sizeof(struct header) - strlen(key))
        return true;
    if (graft_folder_create(context, folder) != GRAFT_OK || !write_file(context, path, key, binary))
        return false;
    graft_opencl_cache_trim(context, GRAFT_OPENCL_CACHE_BYTES);
    return true;
}
