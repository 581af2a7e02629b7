/* SPDX-License-Identifier: MIT */
/*
 * The files of compiled programs: damage, other drivers, many processes, folders that cannot be written, and
 * how much is kept. No test here needs a device.
 */
#include "backend/opencl/cache.h"
#include "base/context.h"
#include "base/file.h"
#include "support/support.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define KEY "a key"
#define HEADER 48 /* magic, size of key, size of binary, checksum, seconds, state */

struct fixture {
    char folder[128];
    struct graft_context *context;
};

static int set_up(void **state)
{
    struct fixture *const f = calloc(1, sizeof *f);
    test_folder(f->folder, sizeof f->folder);
    const struct graft_context_options options = {.threads = 1, .cache_folder = f->folder};
    *state = f;
    return graft_context_open(&options, &f->context) == GRAFT_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *const f = *state;
    graft_context_close(&f->context);
    test_folder_remove(f->folder);
    free(f);
    return 0;
}

static bool write_binary(struct graft_context *context, const char *key, const char *data, size_t size)
{
    const struct graft_opencl_binary binary = {
        .state = GRAFT_OPENCL_CACHED_BINARY, .data = (char *)(uintptr_t)data, .size = size, .seconds = 1};
    return graft_opencl_cache_write(context, key, &binary);
}

/* True if the cache has something for the key; it must be `data` then. */
static bool has(struct graft_context *context, const char *key, const char *data, size_t size)
{
    struct graft_opencl_binary binary;
    if (!graft_opencl_cache_read(context, key, &binary)) {
        return false;
    }
    const bool same = binary.size == size && memcmp(binary.data, data, size) == 0;
    graft_release(context, binary.data);
    if (!same) {
        fprintf(stderr, "the cache gave something else\n");
        exit(3);
    }
    return true;
}

static void path_of(const struct fixture *f, const char *key, char path[512])
{
    assert_true(graft_opencl_cache_path(f->context, key, path, 512));
}

static void what_is_written_is_read(void **state)
{
    struct fixture *const f = *state;
    struct graft_opencl_binary binary;
    assert_false(graft_opencl_cache_read(f->context, KEY, &binary));
    assert_true(write_binary(f->context, KEY, "0123456789", 10));
    assert_true(has(f->context, KEY, "0123456789", 10));
    assert_false(graft_opencl_cache_read(f->context, "b key", &binary));
    const struct graft_opencl_binary seen = {.state = GRAFT_OPENCL_CACHED_SEEN, .seconds = 2.5};
    assert_true(graft_opencl_cache_write(f->context, KEY, &seen)); /* in the place of the other */
    assert_true(graft_opencl_cache_read(f->context, KEY, &binary));
    assert_int_equal(binary.state, GRAFT_OPENCL_CACHED_SEEN);
    assert_int_equal(binary.size, 0);
    assert_true(binary.seconds == 2.5);
    graft_release(f->context, binary.data);
}

/* Each byte changed in each bit, each length. */
static void damage_counts_as_absence(void **state)
{
    struct fixture *const f = *state;
    struct graft_opencl_binary again;
    char path[512], other[512], *file = NULL;
    size_t size = 0;
    assert_true(write_binary(f->context, KEY, "0123456789", 10));
    path_of(f, KEY, path);
    assert_int_equal(graft_file_read(f->context, path, 1 << 20, &file, &size), GRAFT_OK);
    assert_int_equal(size, HEADER + 5 + 10);
    for (size_t i = 0; i < size; i++) {
        for (int bit = 0; bit < 8; bit++) {
            file[i] = (char)(file[i] ^ 1 << bit);
            assert_int_equal(graft_file_write(f->context, path, file, size), GRAFT_OK);
            assert_false(graft_opencl_cache_read(f->context, KEY, &again));
            file[i] = (char)(file[i] ^ 1 << bit);
        }
        assert_int_equal(graft_file_write(f->context, path, file, i), GRAFT_OK);
        assert_false(graft_opencl_cache_read(f->context, KEY, &again));
    }
    /* More behind it; another program's file under this name. */
    char *const longer = calloc(1, size + 1);
    memcpy(longer, file, size);
    assert_int_equal(graft_file_write(f->context, path, longer, size + 1), GRAFT_OK);
    assert_false(graft_opencl_cache_read(f->context, KEY, &again));
    free(longer);
    assert_int_equal(graft_file_write(f->context, path, file, size), GRAFT_OK);
    assert_true(has(f->context, KEY, "0123456789", 10));
    path_of(f, "b key", other);
    assert_int_equal(rename(path, other), 0);
    assert_false(graft_opencl_cache_read(f->context, "b key", &again));
    graft_release(f->context, file);
    assert_string_equal(graft_context_error(f->context), ""); /* and nobody hears of it */
    assert_true(write_binary(f->context, KEY, "new", 3));     /* nothing stands in the way of the next */
    assert_true(has(f->context, KEY, "new", 3));
}

/* Lengths in the header that no file has, with a file that is small, empty or huge: no memory is taken. */
static void sizes_are_not_believed(void **state)
{
    static const uint64_t sizes[] = {
        0, 4, 6, 1u << 31, UINT64_C(1) << 40, UINT64_C(1) << 63, UINT64_MAX - 47, UINT64_MAX};
    struct fixture *const f = *state;
    struct graft_opencl_binary again;
    char path[512], *file = NULL;
    size_t size = 0;
    assert_true(write_binary(f->context, KEY, "0123456789", 10));
    path_of(f, KEY, path);
    assert_int_equal(graft_file_read(f->context, path, 1 << 20, &file, &size), GRAFT_OK);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t at = 8; at <= 16; at += 8) { /* of the key, of the binary */
            char *const wrong = malloc(size);
            memcpy(wrong, file, size);
            memcpy(wrong + at, &sizes[i], sizeof sizes[i]);
            assert_int_equal(graft_file_write(f->context, path, wrong, size), GRAFT_OK);
            assert_false(graft_opencl_cache_read(f->context, KEY, &again));
            free(wrong);
        }
    }
    graft_release(f->context, file);
    struct test_memory memory;
    struct graft_context_options options = test_memory_options(&memory, -1);
    options.cache_folder = f->folder;
    struct graft_context *counting = NULL;
    assert_int_equal(graft_context_open(&options, &counting), GRAFT_OK);
    assert_int_equal(truncate(path, (off_t)1 << 40), 0); /* a hole: it takes no room on the disk */
    const long before = atomic_load(&memory.uses);
    assert_false(graft_opencl_cache_read(counting, KEY, &again));
    assert_in_range(atomic_load(&memory.uses) - before, 0, 3); /* texts of paths, not the file */
    graft_context_close(&counting);
    assert_int_equal(atomic_load(&memory.alive), 0);
    assert_int_equal(truncate(path, 0), 0);
    assert_false(graft_opencl_cache_read(f->context, KEY, &again));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); /* opening it would wait for a writer */
    alarm(20);
    assert_false(graft_opencl_cache_read(f->context, KEY, &again));
    alarm(0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(graft_opencl_cache_read(f->context, KEY, &again));
    assert_string_equal(graft_context_error(f->context), "");
    assert_false(write_binary(f->context, KEY, "0123456789", 10));
}

/* Contents that tell who wrote them: size and every byte follow from the number. */
static size_t contents(int number, char *data)
{
    const size_t size = 50000 + 1000 * (size_t)number;
    memset(data, 'a' + number, size);
    return size;
}

static int write_many(struct graft_context *context, int number)
{
    char *const data = malloc(100000);
    const size_t size = contents(number, data);
    for (int i = 0; i < 300; i++) {
        if (!write_binary(context, KEY, data, size)) {
            return 1;
        }
    }
    free(data);
    return 0;
}

/* Several processes write one program, others read it: whole or not at all, and nothing is left over. */
static void processes_do_not_disturb_each_other(void **state)
{
    enum { WRITERS = 3 };
    struct fixture *const f = *state;
    pid_t writers[WRITERS];
    int running = WRITERS, read = 0;
    char path[512], folder[256];
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = fork();
        assert_true(writers[i] >= 0);
        if (writers[i] == 0) {
            _exit(write_many(f->context, i));
        }
    }
    while (running > 0) {
        struct graft_opencl_binary binary;
        if (graft_opencl_cache_read(f->context, KEY, &binary)) {
            const int number = binary.data[0] - 'a';
            assert_in_range(number, 0, WRITERS - 1);
            assert_int_equal(binary.size, 50000 + 1000 * number);
            for (size_t i = 0; i < binary.size; i++) {
                assert_int_equal(binary.data[i], 'a' + number);
            }
            graft_release(f->context, binary.data);
            read++;
        } else {
            assert_int_equal(read, 0); /* once there, it is never gone */
        }
        int status = 0;
        const pid_t ended = waitpid(-1, &status, WNOHANG);
        if (ended > 0) {
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
            running--;
        }
    }
    assert_true(read > 0);
    path_of(f, KEY, path);
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    DIR *const list = opendir(folder);
    int files = 0;
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        files += entry->d_name[0] != '.';
    }
    closedir(list);
    assert_int_equal(files, 1);
}

/* ---- where nothing can be written: in a process of its own, whose rights are taken away ---- */

static int in_child(int (*run)(const struct fixture *f), const struct fixture *f)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(run(f));
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static int fail_to_write(const struct fixture *f)
{
    struct graft_context *context = NULL;
    const struct graft_context_options options = {.threads = 1, .cache_folder = f->folder};
    if (graft_context_open(&options, &context) != GRAFT_OK) {
        return 2;
    }
    const bool kept = has(context, KEY, "0123456789", 10);
    const bool written = write_binary(context, "b key", "9876543210", 10);
    const bool said = strstr(graft_context_error(context), f->folder) != NULL;
    return !kept ? 10 : written ? 11 : !said ? 12 : has(context, "b key", "9876543210", 10) ? 13 : 0;
}

static int with_a_limit(const struct fixture *f)
{
    const struct rlimit limit = {16, 16};
    signal(SIGXFSZ, SIG_IGN);
    return setrlimit(RLIMIT_FSIZE, &limit) == 0 ? fail_to_write(f) : 2;
}

static int as_nobody(const struct fixture *f)
{
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) {
        return 77;
    }
    return fail_to_write(f);
}

/* A disk of some blocks, filled up. */
static int on_a_full_disk(const struct fixture *f)
{
    char path[256];
    char block[4096] = {1};
    struct graft_context *context = NULL;
    const struct graft_context_options options = {.threads = 1, .cache_folder = f->folder};
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", f->folder, "tmpfs", 0, "size=64k") != 0) {
        return 77; /* not allowed here */
    }
    if (graft_context_open(&options, &context) != GRAFT_OK || !write_binary(context, KEY, "0123456789", 10)) {
        return 2;
    }
    graft_context_close(&context);
    snprintf(path, sizeof path, "%s/ballast", f->folder);
    const int file = open(path, O_CREAT | O_WRONLY, 0600);
    while (write(file, block, sizeof block) > 0) {
    }
    close(file);
    return fail_to_write(f);
}

static void what_cannot_be_written_is_left(void **state)
{
    struct fixture *const f = *state;
    char folder[192];
    assert_true(write_binary(f->context, KEY, "0123456789", 10));
    assert_int_equal(in_child(with_a_limit, f), 0);
    const int full = in_child(on_a_full_disk, f);
    if (full == 77) {
        print_message("no disk can be mounted here: the full disk is tried by a limit only\n");
    } else {
        assert_int_equal(full, 0);
    }
    snprintf(folder, sizeof folder, "%s/opencl", f->folder);
    assert_int_equal(chmod(f->folder, 0555), 0);
    assert_int_equal(chmod(folder, 0555), 0);
    const int nobody = in_child(as_nobody, f);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(chmod(f->folder, 0755), 0);
    assert_true(nobody == 0 || nobody == 77);
    assert_true(has(f->context, KEY, "0123456789", 10));
    assert_true(write_binary(f->context, "b key", "9876543210", 10));
}

/* A file where the folder should be, and no folder at all. */
static void without_a_folder_nothing_is_kept(void **state)
{
    struct fixture *const f = *state;
    struct graft_opencl_binary binary;
    char file[192];
    snprintf(file, sizeof file, "%s/opencl", f->folder);
    assert_int_equal(graft_file_write(f->context, file, "", 0), GRAFT_OK);
    assert_false(write_binary(f->context, KEY, "0123456789", 10));
    assert_non_null(strstr(graft_context_error(f->context), file));
    assert_false(graft_opencl_cache_read(f->context, KEY, &binary));
    graft_opencl_cache_trim(f->context, 0);
    struct graft_context *none = NULL;
    const struct graft_context_options options = {.threads = 1, .cache_folder = ""};
    assert_int_equal(graft_context_open(&options, &none), GRAFT_OK);
    assert_true(write_binary(none, KEY, "0123456789", 10)); /* as wanted */
    assert_false(graft_opencl_cache_read(none, KEY, &binary));
    assert_string_equal(graft_context_error(none), "");
    graft_context_close(&none);
}

/* ---- the limit ---- */

/* A file of a size (with a hole), last used so many seconds ago. */
static void make_file(const struct fixture *f, const char *name, uint64_t bytes, int age)
{
    char path[512];
    snprintf(path, sizeof path, "%s/opencl/%s", f->folder, name);
    const int file = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    assert_true(file >= 0);
    assert_int_equal(ftruncate(file, (off_t)bytes), 0);
    struct timespec times[2];
    clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= age;
    times[1] = times[0];
    assert_int_equal(futimens(file, times), 0);
    close(file);
}

static bool is_there(const struct fixture *f, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/opencl/%s", f->folder, name);
    return access(path, F_OK) == 0;
}

static void the_least_used_goes_first(void **state)
{
    struct fixture *const f = *state;
    char path[512];
    assert_true(write_binary(f->context, KEY, "0123456789", 10));
    path_of(f, KEY, path);
    const struct timespec old[2] = {{1000000000, 0}, {1000000000, 0}};
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    make_file(f, "0000000000000001.bin", 100u << 20, 300);
    make_file(f, "0000000000000002.bin", 100u << 20, 200);
    make_file(f, "0000000000000003.bin", 60u << 20, 100);
    make_file(f, "somebody else's", 400u << 20, 400);
    make_file(f, "0000000000000004.bin.part-1", 1u << 20, 7200);
    make_file(f, "0000000000000005.bin.part-1", 1u << 20, 60);
    assert_true(has(f->context, KEY, "0123456789", 10)); /* the oldest, but used just now */
    assert_true(write_binary(f->context, "b key", "new", 3));
    assert_false(is_there(f, "0000000000000001.bin")); /* 260 MiB and a bit are more than 256 */
    assert_true(is_there(f, "0000000000000002.bin"));
    assert_true(is_there(f, "0000000000000003.bin"));
    assert_true(is_there(f, "somebody else's"));
    assert_false(is_there(f, "0000000000000004.bin.part-1"));
    assert_true(is_there(f, "0000000000000005.bin.part-1")); /* somebody may be writing it */
    assert_true(has(f->context, KEY, "0123456789", 10));
    graft_opencl_cache_trim(f->context, 100u << 20);
    assert_false(is_there(f, "0000000000000002.bin"));
    assert_true(is_there(f, "0000000000000003.bin"));
    graft_opencl_cache_trim(f->context, 4096);
    assert_false(is_there(f, "0000000000000003.bin"));
    assert_int_equal(has(f->context, KEY, "0123456789", 10) + has(f->context, "b key", "new", 3), 1);
    assert_string_equal(graft_context_error(f->context), "");
}

/* What is larger than a file may be is not written, and no reason to remove others. */
static void giants_are_not_kept(void **state)
{
    struct fixture *const f = *state;
    struct graft_opencl_binary binary;
    char *const data = calloc(1, GRAFT_OPENCL_CACHE_FILE_BYTES);
    assert_true(write_binary(f->context, KEY, data, GRAFT_OPENCL_CACHE_FILE_BYTES));
    assert_false(graft_opencl_cache_read(f->context, KEY, &binary));
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damage_counts_as_absence, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sizes_are_not_believed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(processes_do_not_disturb_each_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_written_is_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_folder_nothing_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_least_used_goes_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(giants_are_not_kept, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
