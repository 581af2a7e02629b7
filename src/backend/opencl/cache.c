/* SPDX-License-Identifier: MIT */
/*
 * The file: header, key text, binary. All numbers as the machine has them (the cache does not travel); the
 * checksum covers all of it. Any difference from what is expected counts as "not there".
 */
#include "backend/opencl/cache.h"

#include "base/context.h"
#include "base/file.h"

#include <stdio.h>
#include <string.h>

#define MAGIC "GRAFTCL1" /* 8 bytes; the last is the format's version */
#define MAX_FILE (256u << 20)

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

bool graft_opencl_cache_path(struct graft_context *context, const char *key, char *path, size_t size)
{
    const char *folder = graft_context_cache_folder(context);
    if (folder == NULL)
        return false;
    const uint64_t hash = graft_opencl_hash(key, strlen(key));
    const int length = snprintf(path, size, "%s/opencl/%016llx.bin", folder, (unsigned long long)hash);
    return length > 0 && (size_t)length < size;
}

/* The text of the context's last error is not for the user here: put back what was there. */
static void keep_quiet(struct graft_context *context, const char *before)
{
    (void)graft_fail(context, GRAFT_OK, "%s", before);
}

bool graft_opencl_cache_read(struct graft_context *context, const char *key,
                             struct graft_opencl_binary *binary)
{
    memset(binary, 0, sizeof(*binary));
    char path[4096], before[2048];
    if (!graft_opencl_cache_path(context, key, path, sizeof(path)))
        return false;
    snprintf(before, sizeof(before), "%s", graft_context_error(context));
    char *file = NULL;
    size_t size = 0;
    if (graft_file_read(context, path, MAX_FILE, &file, &size) != GRAFT_OK) {
        keep_quiet(context, before);
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
    } else {
        graft_release(context, file);
    }
    return good;
}

void graft_opencl_cache_write(struct graft_context *context, const char *key,
                              const struct graft_opencl_binary *binary)
{
    char path[4096], folder[4096], before[2048];
    if (!graft_opencl_cache_path(context, key, path, sizeof(path)))
        return;
    snprintf(folder, sizeof(folder), "%s", path);
    *strrchr(folder, '/') = '\0';
    snprintf(before, sizeof(before), "%s", graft_context_error(context));

    struct header header = {.key_size = strlen(key),
                            .binary_size = binary->size,
                            .seconds = binary->seconds,
                            .state = (uint64_t)binary->state};
    memcpy(header.magic, MAGIC, sizeof(header.magic));
    header.checksum = checksum(header, key, binary->data);
    struct graft_file_writer writer;
    bool good = graft_folder_create(context, folder) == GRAFT_OK;
    if (good && graft_file_writer_open(context, path, &writer) == GRAFT_OK) {
        good =
            graft_file_writer_write(&writer, &header, sizeof(header)) == GRAFT_OK &&
            graft_file_writer_write(&writer, key, strlen(key)) == GRAFT_OK &&
            (binary->size == 0 || graft_file_writer_write(&writer, binary->data, binary->size) == GRAFT_OK) &&
            graft_file_writer_commit(&writer) == GRAFT_OK;
        if (!good)
            graft_file_writer_abort(&writer);
    } else {
        good = false;
    }
    if (!good)
        keep_quiet(context, before);
}
