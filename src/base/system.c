/* SPDX-License-Identifier: MIT */
#include "base/system.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The number behind `key` in a file of lines "key number", or the file's first word for key ""; false if
 * there is none ("max"). */
static bool read_number(const char *path, const char *key, uint64_t *number)
{
    const size_t length = strlen(key);
    char line[256];
    bool found = false;
    FILE *const file = fopen(path, "re");
    while (file && !found && fgets(line, sizeof line, file)) {
        char *end = line;
        if (strncmp(line, key, length) != 0 || (length > 0 && !strchr(": ", line[length])))
            continue;
        char *const digits = line + length + strspn(line + length, ": ");
        const unsigned long long value = strtoull(digits, &end, 10);
        found = end != digits;
        *number = value;
    }
    if (file)
        (void)fclose(file);
    return found;
}

/* How the two versions name things. */
struct naming {
    const char *folder, *limit, *usage, *cache;
};
static const struct naming version1 = {"memory/", "memory.limit_in_bytes", "memory.usage_in_bytes",
                                       "total_inactive_file"};
static const struct naming version2 = {"", "memory.max", "memory.current", "inactive_file"};

/* Lowers *whole and *free_bytes to what one group allows. */
static void apply_group(const char *root, const struct naming *naming, const char *group, uint64_t *whole,
                        uint64_t *free_bytes)
{
    char path[PATH_MAX];
    uint64_t limit = 0, usage = 0, cache = 0;
    (void)snprintf(path, sizeof path, "%s/sys/fs/cgroup/%s%s/%s", root, naming->folder, group, naming->limit);
    if (!read_number(path, "", &limit))
        return;
    *whole = limit < *whole ? limit : *whole;
    (void)snprintf(path, sizeof path, "%s/sys/fs/cgroup/%s%s/%s", root, naming->folder, group, naming->usage);
    if (!read_number(path, "", &usage))
        return;
    (void)snprintf(path, sizeof path, "%s/sys/fs/cgroup/%s%s/memory.stat", root, naming->folder, group);
    if (read_number(path, naming->cache, &cache)) /* files that can be dropped at once */
        usage -= cache < usage ? cache : usage;
    const uint64_t left = limit > usage ? limit - usage : 0;
    *free_bytes = left < *free_bytes ? left : *free_bytes;
}

/* The process's groups, and all above them. */
static void apply_groups(const char *root, uint64_t *whole, uint64_t *free_bytes)
{
    char path[PATH_MAX], line[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *const file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) { /* "4:memory:/group", "0::/group" */
        line[strcspn(line, "\n")] = '\0';
        char *const controller = strchr(line, ':');
        char *const group = controller ? strchr(controller + 1, ':') : NULL;
        if (!group)
            continue;
        const bool first = strncmp(controller, ":memory:", 8) == 0;
        if (!first && strncmp(line, "0::", 3) != 0)
            continue;
        for (char *end = group + strlen(group); end; end = strrchr(group, '/')) {
            *end = '\0';
            apply_group(root, first ? &version1 : &version2, group + 1, whole, free_bytes);
        }
    }
    if (file)
        (void)fclose(file);
}

void graft_system_memory_below(const char *root, uint64_t *whole, uint64_t *free_bytes)
{
    const long pages = sysconf(_SC_PHYS_PAGES);
    const long page_size = sysconf(_SC_PAGE_SIZE);
    char path[PATH_MAX];
    uint64_t kib;
    *whole = pages > 0 && page_size > 0 ? (uint64_t)pages * (uint64_t)page_size : UINT64_C(1) << 30;
    (void)snprintf(path, sizeof path, "%s/proc/meminfo", root);
    if (root[0] != '\0' && read_number(path, "MemTotal", &kib))
        *whole = kib * 1024;
    *free_bytes = read_number(path, "MemAvailable", &kib) ? kib * 1024 : *whole;
    apply_groups(root, whole, free_bytes);
    *free_bytes -= *free_bytes / 16;
}

uint64_t graft_system_memory(void)
{
    uint64_t whole, free_bytes;
    graft_system_memory_below("", &whole, &free_bytes);
    return whole;
}

uint64_t graft_system_free_memory(void)
{
    uint64_t whole, free_bytes;
    graft_system_memory_below("", &whole, &free_bytes);
    return free_bytes;
}

/* Bytes of the highest level that the first processor has, as Linux tells it; 0: it does not. */
static uint64_t read_cache(const char *root)
{
    uint64_t highest = 0, bytes = 0;
    for (int i = 0; i < 16; i++) {
        char path[PATH_MAX];
        uint64_t level, kib;
        (void)snprintf(path, sizeof path, "%s/sys/devices/system/cpu/cpu0/cache/index%d/level", root, i);
        if (!read_number(path, "", &level))
            break;
        (void)snprintf(path, sizeof path, "%s/sys/devices/system/cpu/cpu0/cache/index%d/size", root, i);
        if (level > highest && read_number(path, "", &kib)) { /* "32768K" */
            highest = level;
            bytes = kib * 1024;
        }
    }
    return bytes;
}

uint64_t graft_system_cache_below(const char *root)
{
    const int names[] = {_SC_LEVEL4_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE, _SC_LEVEL2_CACHE_SIZE};
    /* First, since the C library gives the sum of the whole socket's slices on some processors: 320 MiB where
     * a core reaches 32 MiB of them. */
    const uint64_t told = read_cache(root);
    if (told > 0)
        return told;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const long bytes = sysconf(names[i]);
        if (bytes > 0)
            return (uint64_t)bytes;
    }
    return (uint64_t)8 << 20;
}

uint64_t graft_system_cache(void)
{
    return graft_system_cache_below("");
}
