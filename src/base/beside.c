/* SPDX-License-Identifier: MIT */
#include "base/beside.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* In `folder` as seen from the folder that `from` lies in. */
static bool look(const char *from, const char *folder, const char *file, int mode, char *path, size_t size)
{
    const char *const slash = strrchr(from, '/');
    if (!slash)
        return false;
    const int length = snprintf(path, size, "%.*s/%s%s", (int)(slash - from), from, folder, file);
    return length > 0 && (size_t)length < size && access(path, mode) == 0;
}

bool graft_beside(const char *file, const char *const *folders, const char *installed, int mode, char *path,
                  size_t size)
{
    char program[4096];
    Dl_info library;
    const bool known = dladdr((const void *)(uintptr_t)graft_beside, &library) != 0 && library.dli_fname;
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = '\0';
    for (int i = 0; folders[i]; i++)
        if ((known && look(library.dli_fname, folders[i], file, mode, path, size)) ||
            look(program, folders[i], file, mode, path, size))
            return true;
    return look(installed, "", file, mode, path, size);
}
