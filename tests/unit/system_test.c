/* SPDX-License-Identifier: MIT */
/* The books over memory, its limit, and what the system says is free. */
#include "support/support.h"

#include "base/context.h"
#include "base/late.h"
#include "base/system.h"

#include <limits.h>
#include <sys/stat.h>

/* 64 bytes are before each allocation. */
static void memory_is_counted(void **state)
{
    (void)state;
    struct test_memory memory;
    const struct graft_context_options options = test_memory_options(&memory, -1);
    struct graft_context *context;
    uint64_t live, peak;
    assert_int_equal(graft_context_open(&options, &context), GRAFT_OK);
    graft_context_memory(context, &live, &peak);
    const uint64_t before = live;
    char *const a = graft_allocate(context, 10, 100);
    char *b = graft_allocate_raw(context, 1, 500);
    assert_true(((uintptr_t)a | (uintptr_t)b) % 64 == 0);
    graft_context_memory(context, &live, &peak);
    assert_int_equal(live - before, 1000 + 500 + 2 * 64);
    b = graft_reallocate(context, b, 500, 600, 1);
    graft_context_memory(context, &live, &peak);
    assert_int_equal(live - before, 1000 + 600 + 2 * 64);
    assert_int_equal(peak - before, 1000 + 500 + 600 + 3 * 64); /* both while it was copied */
    graft_release(context, a);
    graft_release(context, b);
    graft_context_memory(context, &live, &peak);
    assert_int_equal(live, before);
    graft_context_close(&context);
    assert_int_equal(atomic_load(&memory.alive), 0);
}

static void the_limit_is_kept(void **state)
{
    struct graft_context *const context = *state;
    uint64_t live, peak;
    graft_context_memory(context, &live, &peak);
    graft_context_limit_memory(context, live + 1000);
    void *const most = graft_allocate(context, 936, 1);
    assert_non_null(most);
    assert_null(graft_allocate_raw(context, 1, 1));
    assert_non_null(strstr(graft_context_error(context), "limit"));
    assert_int_equal(graft_context_take(context, 1), GRAFT_ERROR_MEMORY);
    graft_release(context, most);
    assert_int_equal(graft_context_take(context, 1000), GRAFT_OK);
    assert_null(graft_allocate(context, 1, 1));
    graft_context_give(context, 1000);
    graft_context_limit_memory(context, 0);
    void *const more = graft_allocate(context, 2000, 1);
    assert_non_null(more);
    graft_release(context, more);
    uint64_t after;
    graft_context_memory(context, &after, &peak);
    assert_int_equal(after, live);
}

static void put(const char *root, const char *name, const char *text)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", root, name);
    for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        mkdir(path, 0777);
        *at = '/';
    }
    FILE *const file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

#define MIB 1048576ull

/* The forms are those of proc(5) and of the kernel's documentation of control groups. */
static void the_system_tells_what_is_free(void **state)
{
    (void)state;
    char root[128];
    uint64_t whole, left;
    test_folder(root, sizeof root);
    put(root, "proc/meminfo",
        "MemTotal:        1048576 kB\nMemFree:          102400 kB\nMemAvailable:     524288 kB\n");
    graft_system_memory_below(root, &whole, &left);
    assert_int_equal(whole, 1024 * MIB);
    assert_int_equal(left, 512 * MIB * 15 / 16);

    put(root, "proc/self/cgroup", "0::/a/b\n");
    put(root, "sys/fs/cgroup/a/b/memory.max", "max\n");
    put(root, "sys/fs/cgroup/a/b/memory.current", "1048576\n");
    graft_system_memory_below(root, &whole, &left);
    assert_int_equal(whole, 1024 * MIB);
    put(root, "sys/fs/cgroup/a/memory.max", "268435456\n"); /* of the group above */
    put(root, "sys/fs/cgroup/a/memory.current", "134217728\n");
    put(root, "sys/fs/cgroup/a/memory.stat", "anon 1\ninactive_file 33554432\nfile 7\n");
    graft_system_memory_below(root, &whole, &left);
    assert_int_equal(whole, 256 * MIB);
    assert_int_equal(left, (128 + 32) * MIB * 15 / 16);

    put(root, "proc/self/cgroup", "9:cpu:/x\n4:memory:/y\n0::/\n");
    put(root, "sys/fs/cgroup/memory/y/memory.limit_in_bytes", "104857600\n");
    put(root, "sys/fs/cgroup/memory/y/memory.usage_in_bytes", "209715200\n"); /* lowered since */
    graft_system_memory_below(root, &whole, &left);
    assert_int_equal(whole, 100 * MIB);
    assert_int_equal(left, 0);
    test_folder_remove(root);

    assert_true(graft_system_free_memory() > 0 && graft_system_free_memory() < graft_system_memory());
}

/* As Linux has it in Documentation/ABI/testing/sysfs-devices-system-cpu: of an AMD EPYC, whose C library names
 * 320 MiB. */
static void the_cache_is_what_a_core_reaches(void **state)
{
    (void)state;
    static const char *const sizes[] = {"32K\n", "32K\n", "1024K\n", "32768K\n"};
    static const char *const levels[] = {"1\n", "1\n", "2\n", "3\n"};
    char root[128], name[128];
    test_folder(root, sizeof root);
    const uint64_t without = graft_system_cache_below(root);
    assert_true(without >= 128 << 10); /* the C library's, or the usual */
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "sys/devices/system/cpu/cpu0/cache/index%d/size", i);
        put(root, name, sizes[i]);
        snprintf(name, sizeof name, "sys/devices/system/cpu/cpu0/cache/index%d/level", i);
        put(root, name, levels[i]);
        const uint64_t expected[] = {32 << 10, 32 << 10, 1 << 20, 32 << 20};
        assert_int_equal(graft_system_cache_below(root), expected[i]);
    }
    test_folder_remove(root);
}

static void signals_have_names(void **state)
{
    (void)state;
    assert_string_equal(graft_system_signal(11), "SEGV"); /* POSIX and Linux number these alike */
    assert_string_equal(graft_system_signal(9), "KILL");
    assert_string_equal(graft_system_signal(6), "ABRT");
    assert_string_equal(graft_system_signal(0), "?");
    assert_string_equal(graft_system_signal(64), "?");
}

static void groups_limit_the_processors(void **state)
{
    (void)state;
    char root[128];
    test_folder(root, sizeof root);
    assert_int_equal(graft_system_processors_below(root, 64), 64); /* nothing is told */
    put(root, "proc/self/cgroup", "0::/a/b\n");
    put(root, "sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    assert_int_equal(graft_system_processors_below(root, 64), 64);
    put(root, "sys/fs/cgroup/a/cpu.max", "250000 100000\n"); /* of the group above */
    assert_int_equal(graft_system_processors_below(root, 64), 3);
    assert_int_equal(graft_system_processors_below(root, 2), 2);
    put(root, "sys/fs/cgroup/a/b/cpu.max", "1000 100000\n");
    assert_int_equal(graft_system_processors_below(root, 64), 1);

    put(root, "proc/self/cgroup", "9:cpuset:/z\n5:cpu,cpuacct:/x\n4:memory:/y\n0::/\n");
    put(root, "sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "-1\n");
    put(root, "sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n");
    assert_int_equal(graft_system_processors_below(root, 64), 64);
    put(root, "sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "400000\n");
    assert_int_equal(graft_system_processors_below(root, 64), 4);
    put(root, "sys/fs/cgroup/cpu/y/cpu.cfs_quota_us", "100000\n"); /* not of this controller's group */
    put(root, "sys/fs/cgroup/cpu/y/cpu.cfs_period_us", "100000\n");
    assert_int_equal(graft_system_processors_below(root, 64), 4);
    test_folder_remove(root);
    assert_true(graft_system_processors() >= 1);
}

static int cores_of(const char *root, int first, int last)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = first; i <= last; i++)
        CPU_SET((size_t)i, &set);
    return graft_system_cores_below(root, &set);
}

/* The forms are those of the kernel's Documentation/admin-guide/cputopology.rst. */
static void two_threads_of_a_core_count_once(void **state)
{
    (void)state;
    char root[128], name[96], text[64];
    test_folder(root, sizeof root);
    assert_int_equal(cores_of(root, 0, 255), 256); /* nothing is told */
    for (int i = 0; i < 256; i++) { /* a server: the second threads are numbered behind all first ones */
        snprintf(name, sizeof name, "sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", i);
        snprintf(text, sizeof text, "%d,%d\n", i % 128, i % 128 + 128);
        put(root, name, text);
    }
    assert_int_equal(cores_of(root, 0, 255), 128);
    assert_int_equal(cores_of(root, 0, 127), 128);
    assert_int_equal(cores_of(root, 100, 155), 56); /* each core once: 100 to 127 and 0 to 27 */
    assert_int_equal(cores_of(root, 130, 130), 1);
    put(root, "sys/devices/system/cpu/smt/active", "1\n");
    assert_int_equal(cores_of(root, 0, 255), 128);
    put(root, "sys/devices/system/cpu/cpu0/topology/thread_siblings_list", "0-1\n"); /* a virtual machine */
    put(root, "sys/devices/system/cpu/cpu1/topology/thread_siblings_list", "0-1\n");
    put(root, "sys/devices/system/cpu/cpu2/topology/thread_siblings_list", "?\n");
    assert_int_equal(cores_of(root, 0, 1), 1);
    assert_int_equal(cores_of(root, 1, 1), 1);
    assert_int_equal(cores_of(root, 0, 2), 2);
    put(root, "sys/devices/system/cpu/smt/active", "0\n");
    assert_int_equal(cores_of(root, 0, 1), 2);
    test_folder_remove(root);
}

/* crc32("a") is 0xe8b7be43, as any table of CRC-32 says. */
static void libraries_are_loaded_when_they_are_needed(void **state)
{
    (void)state;
    static const char *const names[] = {"crc32", "graft_is_no_function_of_zlib"};
    struct {
        unsigned long (*crc32)(unsigned long before, const unsigned char *data, unsigned size);
        void (*absent)(void);
    } zlib = {0};
    char text[256] = "";
    for (int i = 0; i < 2; i++) {
        assert_true(graft_late_load("libz.so.1", names, 1, &zlib, text, sizeof text));
        assert_int_equal(zlib.crc32(0, (const unsigned char *)"a", 1), 0xe8b7be43);
    }
    assert_false(graft_late_load("libz.so.1", names, 2, &zlib, text, sizeof text));
    assert_string_equal(text, "libz.so.1 has no graft_is_no_function_of_zlib");
    assert_false(graft_late_load("libgraft-nowhere.so.9", names, 1, &zlib, text, sizeof text));
    assert_non_null(strstr(text, "libgraft-nowhere.so.9"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_counted),
        cmocka_unit_test(the_limit_is_kept),
        cmocka_unit_test(the_system_tells_what_is_free),
        cmocka_unit_test(the_cache_is_what_a_core_reaches),
        cmocka_unit_test(groups_limit_the_processors),
        cmocka_unit_test(two_threads_of_a_core_count_once),
        cmocka_unit_test(signals_have_names),
        cmocka_unit_test(libraries_are_loaded_when_they_are_needed),
    };
    return cmocka_run_group_tests_name("system", tests, test_open_context, test_close_context);
}
