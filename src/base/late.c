/* SPDX-License-Identifier: MIT */
#include "base/late.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

bool graft_late_load(const char *library, const char *const *names, size_t count, void *functions, char *text,
                     size_t size)
{
    void *const handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL);
    const char *why = handle ? NULL : dlerror();
    for (size_t i = 0; handle && i < count; i++) {
        void *const function = dlsym(handle, names[i]);
        if (!function) {
            (void)snprintf(text, size, "%s has no %s", library, names[i]);
            return false;
        }
        memcpy((char *)functions + i * sizeof function, &function, sizeof function);
    }
    if (!handle)
        (void)snprintf(text, size, "%s", why ? why : library);
    return handle != NULL;
}
