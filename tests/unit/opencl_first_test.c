/* SPDX-License-Identifier: MIT */
/*
 * The first use of a device: programs are compiled in a child process, a compiler that crashes or hangs costs
 * a message, and what is kept on disk is what gains something. Drivers that do so are made by the layer
 * support/faulty_layer.c ($GRAFT_TEST_LAYER) in front of a real one; the helper is $GRAFT_TEST_COMPILER.
 *
 * Each test runs in a process of its own, because the loader reads its environment once; a few at a time, as
 * most of them sleep most of the time.
 */
#include "opencl_world.h"

#include "backend/opencl/child.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

/* ---- running tests in processes of their own, a few at a time ---- */

#define TOGETHER 4

struct alone {
    const char *name;
    int (*run)(struct world *w);
    pid_t child;
    struct world world;
};

static void start(struct alone *test)
{
    struct world *const w = &test->world;
    test_folder(w->folder, sizeof w->folder);
    snprintf(w->cache, sizeof w->cache, "%s/cache", w->folder);
    snprintf(w->log, sizeof w->log, "%s/log", w->folder);
    fflush(NULL);
    test->child = fork();
    if (test->child == 0) {
        setenv("POCL_CACHE_DIR", pocl, 1);
        setenv("GRAFT_COMPILER", getenv("GRAFT_TEST_COMPILER"), 1);
        setenv("OPENCL_LAYERS", getenv("GRAFT_TEST_LAYER"), 1);
        faults(w, "");
        alarm(400);
        _exit(test->run(w));
    }
}

static int finish(struct alone *test)
{
    int status = -1;
    while (test->child > 0 && waitpid(test->child, &status, 0) < 0 && errno == EINTR) {
    }
    test_folder_remove(test->world.folder);
    if (test->child > 0 && WIFSIGNALED(status)) {
        fprintf(stderr, "%s: ended by signal %d\n", test->name, WTERMSIG(status));
    }
    return test->child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static int have_device(struct world *w)
{
    struct graft_context *context = NULL;
    struct graft_device *device = NULL;
    CHECK(graft_context_open(NULL, &context) == GRAFT_OK);
    const bool there = graft_device_open(context, "opencl:0", &device) == GRAFT_OK;
    graft_device_close(&device);
    graft_context_close(&context);
    if (!there) {
        return 77;
    }
    CHECK(live(w, "") == GRAFT_OK); /* and it is compiled once, so that tests are quick */
    return 0;
}

#define ALONE(name) static int name(struct world *w)

/* ---- the child ---- */

ALONE(what_is_new_is_compiled_in_a_child_first)
{
    CHECK(live(w, w->cache) == GRAFT_OK);
    CHECK(builds(w, "source", false) == 1 && builds(w, "source", true) == 1);
    CHECK(kept_state(w) >= 0 && w->remarks == 0);
    faults(w, "");
    CHECK(live(w, w->cache) == GRAFT_OK);
    CHECK(builds(w, "source", false) == 0 && builds(w, "binary", false) == 0); /* it is known now */
    return 0;
}

ALONE(another_driver_is_a_new_device)
{
    faults(w, "driver=1");
    CHECK(live(w, w->cache) == GRAFT_OK);
    faults(w, "driver=2");
    CHECK(live(w, w->cache) == GRAFT_OK);
    CHECK(builds(w, "source", false) == 1);
    faults(w, "driver=1"); /* back again: still known */
    CHECK(live(w, w->cache) == GRAFT_OK);
    CHECK(builds(w, "source", false) == 0);
    return 0;
}

/* A message with all names, nothing kept, and the next attempt works. */
static void expect_failure(struct world *w, const char *words, const char *said)
{
    faults(w, words);
    const enum graft_status status = live(w, w->cache);
    if (status != GRAFT_ERROR_DEVICE || strstr(w->error, said) == NULL ||
        strstr(w->error, "program limit.cl") == NULL || strstr(w->error, "opencl:0 (") == NULL ||
        strstr(w->error, "driver ") == NULL || strstr(w->error, "-DVEC=1") == NULL) {
        fprintf(stderr, "%s: %s, %s\n", words, graft_status_name(status), w->error);
        _exit(1);
    }
    CHECK(kept_state(w) == -1);
    CHECK(builds(w, "source", true) == 0);
}

ALONE(a_compiler_that_crashes_costs_a_message)
{
    expect_failure(w, "crash", "crashed with SIGSEGV");
    expect_failure(w, "abort", "crashed with SIGABRT");
    expect_failure(w, "exit", "ended with exit code 3");
    /* The same device goes on after a crash. */
    open_world(w, w->cache);
    faults(w, "crash");
    CHECK(sweep(w, PLAIN, 1) == GRAFT_ERROR_DEVICE);
    faults(w, "");
    /* The layer in the helper reads the environment of its start: a new helper, without the fault. */
    CHECK(sweep(w, PLAIN, 1) == GRAFT_OK);
    CHECK(sweep(w, OTHER, 2) == GRAFT_OK);
    CHECK(waitpid(-1, NULL, WNOHANG) == 0); /* one child lives, none is left as a zombie */
    close_world(w);
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    CHECK(live(w, w->cache) == GRAFT_OK && w->remarks == 0);
    return 0;
}

ALONE(a_compiler_that_hangs_is_ended)
{
    setenv("GRAFT_COMPILE_TIMEOUT", "1", 1);
    expect_failure(w, "hang", "took more than 1 seconds");
    expect_failure(w, "hang", "GRAFT_COMPILE_TIMEOUT=SECONDS");
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    return 0;
}

static void *cancel_soon(void *user)
{
    usleep(600000);
    graft_context_cancel(user);
    return NULL;
}

ALONE(compiling_can_be_cancelled)
{
    pthread_t thread;
    faults(w, "hang");
    open_world(w, w->cache);
    CHECK(pthread_create(&thread, NULL, cancel_soon, w->context) == 0);
    CHECK(sweep(w, PLAIN, 1) == GRAFT_ERROR_CANCELLED);
    CHECK(strstr(graft_context_error(w->context), "limit.cl") != NULL);
    pthread_join(thread, NULL);
    close_world(w);
    return 0;
}

/* What the program itself does wrong is told as if it were compiled here. */
ALONE(what_does_not_compile_is_quoted)
{
    open_world(w, w->cache);
    CHECK(sweep(w, "-DVEC=16", 1) == GRAFT_ERROR_DEVICE);
    CHECK(strstr(graft_context_error(w->context), "program limit.cl does not compile") != NULL);
    CHECK(strstr(graft_context_error(w->context), "vector.h needs -DSPAN") != NULL);
    CHECK(builds(w, "source", false) == 1 && builds(w, "source", true) == 0);
    close_world(w);
    return 0;
}

/* Without a helper, and with one that does not run here, it is compiled in this process. */
ALONE(without_a_helper_it_is_compiled_here)
{
    static const char *const helpers[] = {"", "/no/such/file", "/bin/false", "/bin/true", "/"};
    for (size_t i = 0; i < sizeof helpers / sizeof helpers[0]; i++) {
        setenv("GRAFT_COMPILER", helpers[i], 1);
        faults(w, "");
        CHECK(live(w, "") == GRAFT_OK);
        CHECK(builds(w, "source", false) == 0 && builds(w, "source", true) == 1);
        CHECK(w->error[0] == '\0');
    }
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD && w->remarks == 0);
    return 0;
}

ALONE(long_compiles_show_progress)
{
    faults(w, "slow=2.5");
    CHECK(live(w, w->cache) == GRAFT_OK);
    CHECK(w->progress >= 3 && w->taken_back == 1);
    CHECK(strstr(w->last, "compiling kernels for opencl:0") != NULL && strstr(w->last, "limit.cl") != NULL);
    CHECK(w->remarks == 0);
    return 0;
}

/* ---- what is kept ---- */

/* The driver keeps nothing: one program is compiled twice to find out, the next ones come as binaries. */
ALONE(binaries_are_kept_where_they_gain)
{
    faults(w, "slow=3");
    open_world(w, w->cache);
    CHECK(sweep(w, PLAIN, 1) == GRAFT_OK);
    CHECK(builds(w, "source", false) == 1 && builds(w, "source", true) == 1);
    close_world(w);
    CHECK(kept_state(w) == GRAFT_OPENCL_CACHED_BINARY);
    faults(w, "slow=3");
    open_world(w, w->cache);
    CHECK(sweep(w, PLAIN, 2) == GRAFT_OK);
    CHECK(builds(w, "source", true) == 0 && builds(w, "binary", true) == 1);
    CHECK(sweep(w, OTHER, 3) == GRAFT_OK);
    CHECK(builds(w, "source", true) == 0 && builds(w, "source", false) == 1 &&
          builds(w, "binary", true) == 2);
    close_world(w);
    return 0;
}

ALONE(nothing_is_kept_where_the_driver_keeps_it)
{
    char words[256];
    snprintf(words, sizeof words, "slow-once=%s/built:3", w->folder);
    faults(w, words);
    CHECK(live(w, w->cache) == GRAFT_OK);
    CHECK(kept_state(w) == GRAFT_OPENCL_CACHED_USELESS);
    faults(w, words);
    CHECK(live(w, w->cache) == GRAFT_OK);
    CHECK(builds(w, "source", true) == 1 && builds(w, "binary", true) == 0);
    return 0;
}

/* Without a helper it takes two processes to find out. */
ALONE(the_second_process_decides_without_a_helper)
{
    char words[256];
    setenv("GRAFT_COMPILER", "", 1);
    snprintf(words, sizeof words, "slow-once=%s/built:3", w->folder);
    faults(w, words);
    CHECK(live(w, w->cache) == GRAFT_OK);
    CHECK(kept_state(w) == GRAFT_OPENCL_CACHED_SEEN);
    CHECK(live(w, w->cache) == GRAFT_OK);
    CHECK(kept_state(w) == GRAFT_OPENCL_CACHED_USELESS);
    test_folder_remove(w->cache);
    faults(w, "slow=3");
    CHECK(live(w, w->cache) == GRAFT_OK);
    CHECK(kept_state(w) == GRAFT_OPENCL_CACHED_SEEN);
    CHECK(live(w, w->cache) == GRAFT_OK);
    CHECK(kept_state(w) == GRAFT_OPENCL_CACHED_BINARY);
    CHECK(builds(w, "source", false) == 0);
    return 0;
}

ALONE(binaries_that_load_slowly_are_given_up)
{
    faults(w, "slow=3 slow-binary=3");
    CHECK(live(w, w->cache) == GRAFT_OK);
    CHECK(kept_state(w) == GRAFT_OPENCL_CACHED_BINARY); /* it is not known yet */
    CHECK(live(w, w->cache) == GRAFT_OK);
    CHECK(kept_state(w) == GRAFT_OPENCL_CACHED_USELESS);
    faults(w, "slow=3 slow-binary=3");
    CHECK(live(w, w->cache) == GRAFT_OK);
    CHECK(builds(w, "source", true) == 1 && builds(w, "binary", true) == 0);
    return 0;
}

/* A whole file whose contents the driver does not take any more: as if it were new. */
ALONE(binaries_of_another_driver_are_replaced)
{
    char path[512];
    faults(w, "slow=3");
    CHECK(live(w, w->cache) == GRAFT_OK);
    CHECK(kept_state(w) == GRAFT_OPENCL_CACHED_BINARY);
    CHECK(find_kept(w, path, sizeof path));
    struct graft_context *context = NULL;
    const struct graft_context_options options = {.threads = 1, .cache_folder = w->cache};
    char *file = NULL;
    size_t size = 0;
    uint64_t key_size = 0;
    CHECK(graft_context_open(&options, &context) == GRAFT_OK);
    CHECK(graft_file_read(context, path, 1 << 28, &file, &size) == GRAFT_OK);
    memcpy(&key_size, file + 8, sizeof key_size);
    char *const key = calloc(1, (size_t)key_size + 1);
    memcpy(key, file + 48, (size_t)key_size);
    const struct graft_opencl_binary wrong = {.state = GRAFT_OPENCL_CACHED_BINARY,
                                              .data = (char *)(uintptr_t) "no program of any driver",
                                              .size = 24,
                                              .seconds = 3};
    CHECK(graft_opencl_cache_write(context, key, &wrong));
    faults(w, "slow=3");
    CHECK(live(w, w->cache) == GRAFT_OK);
    CHECK(w->error[0] == '\0' && w->remarks == 0);
    CHECK(builds(w, "source", false) == 1);
    struct graft_opencl_binary binary;
    CHECK(graft_opencl_cache_read(context, key, &binary));
    CHECK(binary.state != GRAFT_OPENCL_CACHED_BINARY || binary.size > 24);
    graft_release(context, binary.data);
    graft_release(context, file);
    graft_context_close(&context);
    free(key);
    return 0;
}

/* Two programs at once, both for the first time. */
ALONE(two_first_uses_at_once_are_both_right)
{
    pid_t processes[2];
    for (int i = 0; i < 2; i++) {
        processes[i] = fork();
        CHECK(processes[i] >= 0);
        if (processes[i] == 0) {
            _exit(live(w, w->cache) == GRAFT_OK && w->remarks == 0 ? 0 : 1);
        }
    }
    for (int i = 0; i < 2; i++) {
        int status = 0;
        CHECK(waitpid(processes[i], &status, 0) == processes[i] && status == 0);
    }
    CHECK(kept_state(w) >= 0 && live(w, w->cache) == GRAFT_OK);
    return 0;
}

/* ---- where nothing can be kept: right results, one remark at most ---- */

ALONE(no_home_is_no_trouble)
{
    unsetenv("HOME");
    unsetenv("XDG_CACHE_HOME");
    unsetenv("GRAFT_CACHE");
    CHECK(live(w, NULL) == GRAFT_OK && w->remarks == 0);
    setenv("HOME", "/proc/no/home", 1);
    CHECK(live(w, NULL) == GRAFT_OK);
    CHECK(w->remarks == 1 && strstr(w->last, "/proc/no/home") != NULL);
    return 0;
}

ALONE(a_file_as_the_folder_costs_one_remark)
{
    char file[192];
    snprintf(file, sizeof file, "%s/file", w->folder);
    FILE *const made = fopen(file, "wb");
    CHECK(made != NULL);
    fclose(made);
    CHECK(live(w, file) == GRAFT_OK);
    CHECK(w->remarks == 1 && strstr(w->last, file) != NULL);
    w->remarks = 0;
    snprintf(file, sizeof file, "%s/opencl", w->cache);
    CHECK(mkdir(w->cache, 0700) == 0);
    CHECK(symlink("/dev/null", file) == 0); /* CACHE/opencl is no folder */
    open_world(w, w->cache);
    CHECK(sweep(w, PLAIN, 1) == GRAFT_OK && sweep(w, OTHER, 2) == GRAFT_OK);
    CHECK(w->remarks == 1 && strstr(w->last, "not kept") != NULL &&
          graft_context_error(w->context)[0] == '\0');
    close_world(w);
    return 0;
}

ALONE(a_folder_that_cannot_be_written_costs_one_remark)
{
    CHECK(mkdir(w->cache, 0555) == 0 && chmod(w->folder, 0777) == 0 && chmod(pocl, 0777) == 0);
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) {
        return 0; /* not allowed here */
    }
    snprintf(w->log, sizeof w->log, "%s/log2", w->folder);
    setenv("POCL_CACHE_DIR", w->folder, 1); /* one that it may write */
    faults(w, "");
    open_world(w, w->cache);
    CHECK(sweep(w, PLAIN, 1) == GRAFT_OK && sweep(w, OTHER, 2) == GRAFT_OK);
    close_world(w);
    CHECK(w->remarks == 1 && strstr(w->last, "not kept") != NULL && strstr(w->last, w->cache) != NULL);
    return 0;
}

#define TEST(name)                                                                                           \
    {                                                                                                        \
#name, name, 0,                                                                                      \
        {                                                                                                    \
            .remarks = 0                                                                                     \
        }                                                                                                    \
    }

/* Those that sleep longest come first. */
static struct alone all[] = {TEST(binaries_that_load_slowly_are_given_up),
                             TEST(the_second_process_decides_without_a_helper),
                             TEST(binaries_are_kept_where_they_gain),
                             TEST(binaries_of_another_driver_are_replaced),
                             TEST(nothing_is_kept_where_the_driver_keeps_it),
                             TEST(long_compiles_show_progress),
                             TEST(a_compiler_that_hangs_is_ended),
                             TEST(a_compiler_that_crashes_costs_a_message),
                             TEST(compiling_can_be_cancelled),
                             TEST(what_is_new_is_compiled_in_a_child_first),
                             TEST(another_driver_is_a_new_device),
                             TEST(what_does_not_compile_is_quoted),
                             TEST(without_a_helper_it_is_compiled_here),
                             TEST(two_first_uses_at_once_are_both_right),
                             TEST(no_home_is_no_trouble),
                             TEST(a_file_as_the_folder_costs_one_remark),
                             TEST(a_folder_that_cannot_be_written_costs_one_remark)};
enum { ALL = sizeof all / sizeof all[0] };

/* A test of cmocka: its state is its place in the list. The next ones are begun before this one is waited
 * for. */
static void is_right(void **state)
{
    struct alone *const test = *state;
    static int begun;
    while (begun < ALL && &all[begun] < test + TOGETHER) {
        start(&all[begun++]);
    }
    assert_int_equal(finish(test), 0);
}

int main(void)
{
    const char *const layer = getenv("GRAFT_TEST_LAYER");
    const char *const helper = getenv("GRAFT_TEST_COMPILER");
    if (layer == NULL || helper == NULL || access(layer, R_OK) != 0 || access(helper, X_OK) != 0) {
        print_message("no layers in this OpenCL loader, or no helper: skipped\n");
        return 77;
    }
    test_folder(pocl, sizeof pocl);
    struct alone first = TEST(have_device);
    start(&first);
    if (finish(&first) == 77) {
        print_message("no OpenCL device: skipped\n");
        test_folder_remove(pocl);
        return 77;
    }
    struct CMUnitTest tests[ALL] = {0};
    for (int i = 0; i < ALL; i++) {
        tests[i] = (struct CMUnitTest){.name = all[i].name, .test_func = is_right, .initial_state = &all[i]};
    }
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_folder_remove(pocl);
    return failed;
}
