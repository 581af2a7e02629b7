/* SPDX-License-Identifier: MIT */
#include "base/system.h"

#include <limits.h>
#include <sched.h>
#include <signal.h>
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

/* What groups allow. */
struct limits {
    uint64_t whole, free_bytes;
    int processors;
};

static void limit_memory(const char *root, const struct naming *naming, const char *group,
                         struct limits *limits)
{
    char path[PATH_MAX];
    uint64_t limit = 0, usage = 0, cache = 0;
    (void)snprintf(path, sizeof path, "%s/sys/fs/cgroup/%s%s/%s", root, naming->folder, group, naming->limit);
    if (!read_number(path, "", &limit))
        return;
    limits->whole = limit < limits->whole ? limit : limits->whole;
    (void)snprintf(path, sizeof path, "%s/sys/fs/cgroup/%s%s/%s", root, naming->folder, group, naming->usage);
    if (!read_number(path, "", &usage))
        return;
    (void)snprintf(path, sizeof path, "%s/sys/fs/cgroup/%s%s/memory.stat", root, naming->folder, group);
    if (read_number(path, naming->cache, &cache)) /* files that can be dropped at once */
        usage -= cache < usage ? cache : usage;
    const uint64_t left = limit > usage ? limit - usage : 0;
    limits->free_bytes = left < limits->free_bytes ? left : limits->free_bytes;
}

/* Microseconds of processor in each period: "150000 100000" or "max 100000" in one file; two files, -1 for no
 * limit, in version 1. */
static void limit_processors(const char *root, bool first, const char *group, struct limits *limits)
{
    char path[PATH_MAX];
    long long quota = 0, period = 0;
    (void)snprintf(path, sizeof path, "%s/sys/fs/cgroup/%s%s/%s", root, first ? "cpu/" : "", group,
                   first ? "cpu.cfs_quota_us" : "cpu.max");
    FILE *file = fopen(path, "re");
    const int read = file ? fscanf(file, "%18lld %18lld", &quota, &period) : 0;
    if (file)
        (void)fclose(file);
    uint64_t value = 0;
    (void)snprintf(path, sizeof path, "%s/sys/fs/cgroup/cpu/%s/cpu.cfs_period_us", root, group);
    if (first && read == 1 && read_number(path, "", &value) && value < INT32_MAX)
        period = (long long)value;
    if (quota <= 0 || period <= 0)
        return;
    const long long whole = quota / period + (quota % period != 0);
    limits->processors = whole < limits->processors ? (int)whole : limits->processors;
}

/* Whether "cpu,cpuacct:/group" has the controller. */
static bool controls(const char *list, const char *controller)
{
    const size_t length = strlen(controller);
    for (; *list != ':' && *list != '\0'; list += *list == ',') {
        const size_t part = strcspn(list, ",:");
        if (part == length && strncmp(list, controller, length) == 0)
            return true;
        list += part;
    }
    return false;
}

/* The process's groups, and all above them. */
static void apply_groups(const char *root, struct limits *limits)
{
    char path[PATH_MAX], line[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *const file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) { /* "4:memory:/group", "0::/group" */
        line[strcspn(line, "\n")] = '\0';
        const char *const list = strchr(line, ':');
        char *const group = list ? strchr(list + 1, ':') : NULL;
        if (!group)
            continue;
        const bool second = strncmp(line, "0::", 3) == 0;
        const bool memory = second || controls(list + 1, "memory");
        const bool processors = second || controls(list + 1, "cpu");
        for (char *end = group + strlen(group); end && (memory || processors); end = strrchr(group, '/')) {
            *end = '\0';
            if (memory)
                limit_memory(root, second ? &version2 : &version1, group + 1, limits);
            if (processors)
                limit_processors(root, !second, group + 1, limits);
        }
    }
    if (file)
        (void)fclose(file);
}

void graft_system_memory_below(const char *root, uint64_t *whole, uint64_t *free_bytes)
{
    const long pages = sysconf(_SC_PHYS_PAGES);
    const long page_size = sysconf(_SC_PAGE_SIZE);
    struct limits limits = {.processors = INT_MAX};
    char path[PATH_MAX];
    uint64_t kib;
    limits.whole = pages > 0 && page_size > 0 ? (uint64_t)pages * (uint64_t)page_size : UINT64_C(1) << 30;
    (void)snprintf(path, sizeof path, "%s/proc/meminfo", root);
    if (root[0] != '\0' && read_number(path, "MemTotal", &kib))
        limits.whole = kib * 1024;
    limits.free_bytes = read_number(path, "MemAvailable", &kib) ? kib * 1024 : limits.whole;
    apply_groups(root, &limits);
    *whole = limits.whole;
    *free_bytes = limits.free_bytes - limits.free_bytes / 16;
}

int graft_system_processors_below(const char *root, int count)
{
    struct limits limits = {.whole = UINT64_MAX, .free_bytes = UINT64_MAX, .processors = count};
    apply_groups(root, &limits);
    return limits.processors;
}

/* Whether the processor is the first of its core's that are in the set: "0-1", "3,131". */
static bool is_first_of_core(const char *root, int processor, const cpu_set_t *set)
{
    char path[PATH_MAX], line[256] = "";
    (void)snprintf(path, sizeof path, "%s/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", root,
                   processor);
    FILE *const file = fopen(path, "re");
    if (!file)
        return true;
    const bool told = fgets(line, sizeof line, file) != NULL;
    (void)fclose(file);
    char *at = line;
    for (bool more = told; more;) {
        char *end = at;
        const long first = strtol(at, &end, 10);
        const long last = *end == '-' ? strtol(end + 1, &end, 10) : first;
        more = end != at && *end == ',';
        for (long other = first; end != at && other <= last && other < processor; other++) {
            if (other >= 0 && CPU_ISSET((size_t)other, set))
                return false;
        }
        at = end + 1;
    }
    return true;
}

int graft_system_cores_below(const char *root, const cpu_set_t *set)
{
    char path[PATH_MAX];
    uint64_t active = 0;
    int cores = 0;
    (void)snprintf(path, sizeof path, "%s/sys/devices/system/cpu/smt/active", root);
    if (read_number(path, "", &active) && active == 0) /* one file in place of one for each processor */
        return CPU_COUNT(set);
    for (int i = 0; i < CPU_SETSIZE; i++)
        cores += CPU_ISSET((size_t)i, set) && is_first_of_core(root, i, set);
    return cores;
}

int graft_system_processors(void)
{
    cpu_set_t set;
    long count = 0;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        count = graft_system_cores_below("", &set);
    else
        count = sysconf(_SC_NPROCESSORS_ONLN);
    return graft_system_processors_below("", count < 1 ? 1 : count > INT_MAX ? INT_MAX : (int)count);
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
    /* First, since the C library gives the sum of the whole socket's slices on some processors: 320 MiB where
     * a core reaches 32 MiB of them. */
    const uint64_t told = read_cache(root);
    if (told > 0)
        return told;
#ifdef _SC_LEVEL4_CACHE_SIZE /* glibc's */
    const int names[] = {_SC_LEVEL4_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE, _SC_LEVEL2_CACHE_SIZE};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const long bytes = sysconf(names[i]);
        if (bytes > 0)
            return (uint64_t)bytes;
    }
#endif
    return (uint64_t)8 << 20;
}

uint64_t graft_system_cache(void)
{
    return graft_system_cache_below("");
}

const char *graft_system_signal(int number)
{
    static const struct {
        int number;
        const char *name;
    } signals[] = {{SIGHUP, "HUP"},   {SIGINT, "INT"},   {SIGQUIT, "QUIT"}, {SIGILL, "ILL"},   {SIGTRAP, "TRAP"},
                   {SIGABRT, "ABRT"}, {SIGBUS, "BUS"},   {SIGFPE, "FPE"},   {SIGKILL, "KILL"}, {SIGSEGV, "SEGV"},
                   {SIGPIPE, "PIPE"}, {SIGALRM, "ALRM"}, {SIGTERM, "TERM"}, {SIGXCPU, "XCPU"}, {SIGXFSZ, "XFSZ"},
                   {SIGSYS, "SYS"},   {SIGUSR1, "USR1"}, {SIGUSR2, "USR2"}};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (signals[i].number == number)
            return signals[i].name;
    return "?";
}
