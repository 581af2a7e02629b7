/* SPDX-License-Identifier: MIT */
#include "backend/notes.h"

#include "base/cache.h"
#include "base/context.h"
#include "base/file.h"
#include "base/random.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "graft notes 1\n"
#define LIMIT (1u << 20)
#define SUM_BYTES 21 /* "sum ", 16 digits, end of line */

bool graft_notes_path(struct graft_context *context, const char *title, char *path, size_t size)
{
    char name[64];
    snprintf(name, sizeof name, "tuning/%016" PRIx64 ".txt", graft_hash_text(title));
    return graft_cache_path(context, name, path, size);
}

/* The body inside of a whole file, ended; NULL if the file is not what was written for this title. */
static const char *body_of(char *file, size_t size, const char *title)
{
    char sum[SUM_BYTES + 1];
    const size_t head = strlen(MAGIC) + strlen(title) + 1;
    if (size < head + SUM_BYTES || memcmp(file, MAGIC, strlen(MAGIC)) != 0 ||
        memcmp(file + strlen(MAGIC), title, strlen(title)) != 0 || file[head - 1] != '\n' ||
        file[size - SUM_BYTES - 1] != '\n')
        return NULL;
    memcpy(sum, file + size - SUM_BYTES, SUM_BYTES);
    sum[SUM_BYTES] = '\0';
    file[size - SUM_BYTES] = '\0';
    char wanted[SUM_BYTES + 1];
    snprintf(wanted, sizeof wanted, "sum %016" PRIx64 "\n", graft_hash_text(file));
    return strlen(file) == size - SUM_BYTES && strcmp(sum, wanted) == 0 ? file + head : NULL;
}

enum graft_status graft_notes_read(struct graft_context *context, const char *title, char **body)
{
    char path[4096];
    struct graft_kept_error before;
    char *file = NULL;
    size_t size = 0;
    struct stat facts;
    *body = NULL;
    /* Anything else of that name, a pipe for example, would be waited for. */
    if (!graft_notes_path(context, title, path, sizeof path) || stat(path, &facts) != 0 ||
        !S_ISREG(facts.st_mode) || facts.st_size > LIMIT)
        return GRAFT_OK;
    graft_keep_error(context, &before);
    const enum graft_status status = graft_file_read(context, path, LIMIT, &file, &size);
    if (status == GRAFT_ERROR_MEMORY)
        return status;
    if (status != GRAFT_OK) {
        graft_restore_error(context, &before);
        return GRAFT_OK;
    }
    const char *const found = body_of(file, size, title);
    if (found == NULL) {
        graft_release(context, file);
        return GRAFT_OK;
    }
    memmove(file, found, strlen(found) + 1);
    *body = file;
    return GRAFT_OK;
}

enum graft_status graft_notes_write(struct graft_context *context, const char *title, const char *body)
{
    char path[4096], folder[3900];
    struct graft_text text = {0};
    if (!graft_cache_path(context, "tuning", folder, sizeof folder) ||
        !graft_notes_path(context, title, path, sizeof path))
        return GRAFT_OK;
    if (body[0] == '\0') {
        (void)unlink(path);
        return GRAFT_OK;
    }
    graft_text_append(context, &text, "%s%s\n%s", MAGIC, title, body);
    if (!text.failed)
        graft_text_append(context, &text, "sum %016" PRIx64 "\n", graft_hash_text(text.data));
    enum graft_status status = text.failed ? GRAFT_ERROR_MEMORY : graft_folder_create(context, folder);
    if (status == GRAFT_OK && text.length > LIMIT)
        status =
            graft_fail(context, GRAFT_ERROR_ARGUMENT, "%s: more than a MiB of notes: remove the file", path);
    if (status == GRAFT_OK)
        status = graft_file_write(context, path, text.data, text.length);
    graft_text_close(context, &text);
    return status;
}

char *graft_notes_line(char **rest)
{
    char *const line = *rest;
    if (line == NULL || line[0] == '\0')
        return NULL;
    char *const end = strchr(line, '\n');
    *rest = end != NULL ? end + 1 : NULL;
    if (end != NULL)
        *end = '\0';
    return line;
}
