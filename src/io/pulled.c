/* SPDX-License-Identifier: MIT */
#include "io/pulled.h"

#include "base/beside.h"
#include "base/cache.h"
#include "base/context.h"
#include "base/file.h"
#include "io/json.h"
#include "model/published.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOTE_LIMIT 65536

bool graft_pulled_path(struct graft_context *context, const char *file, char *path, size_t size)
{
    return graft_cache_pulled_path(context, GRAFT_PULLED_FOLDER, file, path, size);
}

static bool is_there(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISREG(facts.st_mode);
}

/* The file that the note names; "" where there is no note, or it is damaged: the list of those published
 * does then. */
static enum graft_status read_note(struct graft_context *context, const char *network, char *file,
                                   size_t size)
{
    char name[GRAFT_MODEL_NAME_SIZE + 8], path[4096];
    char *text = NULL;
    size_t length = 0;
    file[0] = '\0';
    (void)snprintf(name, sizeof name, "%s.json", network);
    if (!graft_pulled_path(context, name, path, sizeof path) || !is_there(path))
        return GRAFT_OK;
    struct graft_kept_error before; /* what fails here is not for the user */
    graft_keep_error(context, &before);
    enum graft_status status = graft_file_read(context, path, NOTE_LIMIT, &text, &length);
    json_t *note = NULL;
    json_error_t error;
    if (status == GRAFT_OK)
        status = graft_json_read(context, text, length, 0, path, &note, &error);
    const char *const named = json_string_value(json_object_get(note, "file"));
    if (named && !strchr(named, '/') && strlen(named) < size)
        strcpy(file, named);
    json_decref(note);
    graft_release(context, text);
    if (status == GRAFT_ERROR_MEMORY)
        return status;
    graft_restore_error(context, &before);
    return GRAFT_OK;
}

bool graft_shipped_find(const char *network, char *path, size_t size)
{
    /* Installed, with the library in lib/ or lib/TRIPLET/; in the build folder, of a program or the library.
     */
    static const char *const folders[] = {"../share/graft/", "../../share/graft/", "../src/model/",
                                          "src/model/", NULL};
    char name[GRAFT_MODEL_NAME_SIZE + 16];
    (void)snprintf(name, sizeof name, "%s.safetensors", network);
    return !strchr(network, '/') && graft_beside(name, folders, GRAFT_SHARE, R_OK, path, size);
}

enum graft_status graft_pulled_find(struct graft_context *context, const char *network,
                                    struct graft_text *path)
{
    char file[512], at[4096];
    const enum graft_status status = read_note(context, network, file, sizeof file);
    if (status != GRAFT_OK)
        return status;
    bool found = file[0] && graft_pulled_path(context, file, at, sizeof at) && is_there(at);
    for (int i = 0; !found && graft_published_at(i); i++) {
        const struct graft_published *const published = graft_published_at(i);
        found = strcmp(published->network, network) == 0 &&
                graft_pulled_path(context, graft_published_file(published), at, sizeof at) && is_there(at);
    }
    if (found || graft_shipped_find(network, at, sizeof at))
        graft_text_append(context, path, "%s", at);
    return path->failed ? GRAFT_ERROR_MEMORY : GRAFT_OK;
}
