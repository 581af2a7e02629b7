/* SPDX-License-Identifier: MIT */
#include "base/cache.h"

#include "base/context_state.h"

#include <stdio.h>
#include <stdlib.h>

static bool present(const char *text)
{
    return text != NULL && text[0] != '\0';
}

/* The same places as graft_context_cache_folder's. */
bool graft_cache_path(struct graft_context *context, const char *name, char *path, size_t size)
{
    const char *const own = getenv("GRAFT_CACHE");
    const char *const shared = getenv("XDG_CACHE_HOME");
    const char *const home = getenv("HOME");
    int length = -1;
    pthread_mutex_lock(&context->lazy_lock);
    const bool given = context->cache_known || context->cache_folder != NULL;
    if (given && present(context->cache_folder))
        length = snprintf(path, size, "%s/%s", context->cache_folder, name);
    else if (!given && present(own))
        length = snprintf(path, size, "%s/%s", own, name);
    else if (!given && own == NULL && present(shared))
        length = snprintf(path, size, "%s/graft/%s", shared, name);
    else if (!given && own == NULL && present(home))
        length = snprintf(path, size, "%s/.cache/graft/%s", home, name);
    pthread_mutex_unlock(&context->lazy_lock);
    return length > 0 && (size_t)length < size;
}

bool graft_cache_pulled_path(struct graft_context *context, const char *folder, const char *file, char *path,
                             size_t size)
{
    char name[512];
    const char *const wanted = getenv("GRAFT_PULLED");
    const int length = snprintf(name, sizeof name, "%s/%s", folder, file);
    return (!wanted || *wanted) && length > 0 && (size_t)length < sizeof name &&
           graft_cache_path(context, name, path, size);
}
