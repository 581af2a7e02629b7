/* SPDX-License-Identifier: MIT */
/*
 * What a plan needs is compiled at once, by several helpers; a driver's second half too. The layer
 * support/faulty_layer.c ($GRAFT_TEST_LAYER) is in front of the driver and writes down who builds and
 * launches what; the helper is $GRAFT_TEST_COMPILER.
 */
#include "backend/opencl/internal.h"
#include "base/context.h"
#include "support/support.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT 160
#define WIDE "-DVEC=16 -DSPAN=%d -DLANES=1" /* the work-group's size stands in the source */

static char folder[128], log_path[160];

struct fixture {
    struct graft_context *context;
    struct graft_device *device;
    char cache[192];
    int progress;
};

static void on_log(void *user, enum graft_log_level level, const char *text)
{
    struct fixture *const f = user;
    f->progress += level == GRAFT_LOG_PROGRESS && strstr(text, "of 3 programs (limit.cl)") != NULL;
}

static void open_fixture(struct fixture *f, const char *cache, const char *words)
{
    char text[512];
    snprintf(text, sizeof text, "log=%s %s", log_path, words);
    setenv("GRAFT_FAULT", text, 1);
    unlink(log_path);
    *f = (struct fixture){.progress = 0};
    if (cache[0] != '\0') {
        snprintf(f->cache, sizeof f->cache, "%s/%s", folder, cache);
    }
    const struct graft_context_options options = {
        .threads = 2, .cache_folder = f->cache, .log = on_log, .log_user = f};
    assert_int_equal(graft_context_open(&options, &f->context), GRAFT_OK);
    assert_int_equal(graft_device_open(f->context, "opencl:0", &f->device), GRAFT_OK);
}

static void close_fixture(struct fixture *f)
{
    graft_device_close(&f->device);
    graft_context_close(&f->context);
}

static struct graft_opencl_device *device_of(const struct fixture *f)
{
    return (struct graft_opencl_device *)f->device;
}

/* Names the kernel of a program, as a plan does: nothing is built yet. */
static void name_sweep(const struct fixture *f, struct graft_opencl_kernel *kernel, int span)
{
    struct graft_opencl_device *const device = device_of(f);
    *kernel = (struct graft_opencl_kernel){.steps = 0};
    device->deferring = true;
    assert_int_equal(graft_opencl_add(device, kernel, "limit.cl", "limit_sweep", WIDE, span), GRAFT_OK);
    device->deferring = false;
    assert_int_equal(kernel->ready, 0);
}

/* The kernel, run, x = x + 1 so many times: the result must be right. */
static void run_sweep(const struct fixture *f, struct graft_opencl_kernel *kernel, int times)
{
    struct graft_opencl_device *const device = device_of(f);
    struct graft_tensor y = {0};
    float result[COUNT];
    assert_int_equal(graft_opencl_ready(device, kernel), GRAFT_OK);
    assert_int_equal(graft_buffer_open(f->device, sizeof result, &y.buffer), GRAFT_OK);
    assert_int_equal(f->device->backend->buffer_fill(f->device, y, 0, sizeof result), GRAFT_OK);
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, y, sizeof(float));
    graft_opencl_arg_int(&args, COUNT / 16); /* vectors */
    graft_opencl_arg_int(&args, 1);
    graft_opencl_arg_int(&args, times);
    const struct graft_opencl_range range = {.dimensions = 1, .global = {COUNT}, .local = {1}};
    assert_int_equal(graft_opencl_launch(device, kernel, 0, &args, &range), GRAFT_OK);
    assert_int_equal(f->device->backend->buffer_read(f->device, result, y, sizeof result), GRAFT_OK);
    for (int i = 0; i < COUNT; i++) {
        assert_true(result[i] == (float)times);
    }
    graft_buffer_close(f->device, &y.buffer, sizeof result);
}

static void close_kernel(struct graft_opencl_kernel *kernel)
{
    for (int i = 0; i < kernel->ready; i++) {
        clReleaseKernel(kernel->step[i]);
    }
    kernel->ready = kernel->steps = 0;
}

/* Lines of a kind by others than this process; `processes`: how many others. */
static int count_lines(const char *kind, int *processes)
{
    long seen[16];
    char line[64];
    int count = 0;
    *processes = 0;
    FILE *const file = fopen(log_path, "rb");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char what[16] = "";
        long process = 0;
        int at = 0;
        assert_int_equal(sscanf(line, "%15s %ld", what, &process), 2);
        if (strcmp(what, kind) != 0 || process == getpid()) {
            continue;
        }
        count++;
        while (at < *processes && seen[at] != process) {
            at++;
        }
        if (at == *processes && at < 16) {
            seen[(*processes)++] = process;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return count;
}

static void programs_are_built_at_once(void **state)
{
    (void)state;
    struct fixture f;
    struct graft_opencl_kernel kernels[3];
    int processes = 0;
    open_fixture(&f, "", "slow=1");
    for (int i = 0; i < 3; i++) {
        name_sweep(&f, &kernels[i], i + 1);
    }
    assert_int_equal(count_lines("source", &processes), 0);
    assert_int_equal(f.device->backend->synchronize(f.device, NULL), GRAFT_OK);
    const int built = count_lines("source", &processes);
    /* More where a helper launches a kernel of what another one has built, or one ended for want of work. */
    assert_true(built >= 3 && processes >= 2);
    assert_true(f.progress > 0);
    for (int i = 0; i < 3; i++) {
        run_sweep(&f, &kernels[i], i + 1);
        close_kernel(&kernels[i]);
    }
    assert_int_equal(count_lines("source", &processes), built);
    close_fixture(&f);
}

/* A program that does not compile is told to those who want it, and to them each time. */
static void others_do_not_fail(void **state)
{
    (void)state;
    struct fixture f;
    struct graft_opencl_kernel good, bad = {.steps = 0};
    open_fixture(&f, "others", "");
    device_of(&f)->deferring = true;
    assert_int_equal(graft_opencl_add(device_of(&f), &bad, "limit.cl", "limit_sweep", "-DVEC=16"), GRAFT_OK);
    name_sweep(&f, &good, 1);
    run_sweep(&f, &good, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(graft_opencl_ready(device_of(&f), &bad), GRAFT_ERROR_DEVICE);
        assert_non_null(strstr(graft_context_error(f.context), "vector.h needs -DSPAN"));
    }
    run_sweep(&f, &good, 3);
    /* Who waits for all hears of it once; it is forgotten then, until it is wanted again. */
    close_kernel(&bad);
    device_of(&f)->deferring = true;
    assert_int_equal(graft_opencl_add(device_of(&f), &bad, "limit.cl", "limit_sweep", "-DVEC=16"), GRAFT_OK);
    device_of(&f)->deferring = false;
    assert_int_equal(f.device->backend->synchronize(f.device, NULL), GRAFT_ERROR_DEVICE);
    assert_int_equal(f.device->backend->synchronize(f.device, NULL), GRAFT_OK);
    close_kernel(&good);
    close_fixture(&f);
}

/* Where the driver keeps what it compiles: a helper launches what is new, once. */
static void kernels_are_launched_in_a_helper(void **state)
{
    (void)state;
    struct fixture f;
    struct graft_opencl_kernel kernel;
    char words[256];
    int processes = 0;
    snprintf(words, sizeof words, "slow-once=%s/once:1", folder);
    for (int life = 0; life < 2; life++) {
        open_fixture(&f, "launched", words);
        for (int i = 0; i < 2; i++) {
            name_sweep(&f, &kernel, 4);
            run_sweep(&f, &kernel, 4);
            close_kernel(&kernel);
        }
        assert_int_equal(count_lines("launch", &processes), life == 0);
        close_fixture(&f);
    }
}

/* … and is not tried again. */
static void a_launch_that_crashes_is_no_failure(void **state)
{
    (void)state;
    struct fixture f;
    struct graft_opencl_kernel kernel;
    char words[256];
    int processes = 0;
    snprintf(words, sizeof words, "slow-once=%s/crash:1 crash-launch=limit_sweep", folder);
    for (int life = 0; life < 2; life++) {
        open_fixture(&f, "crashing", words);
        name_sweep(&f, &kernel, 5);
        run_sweep(&f, &kernel, 5);
        assert_int_equal(count_lines("launch", &processes) > 0, life == 0);
        assert_string_equal(graft_context_error(f.context), "");
        close_kernel(&kernel);
        close_fixture(&f);
    }
}

/* ---- helpers that do what none should: shell scripts ---- */

static void write_script(const char *path, const char *words)
{
    FILE *const file = fopen(path, "wb");
    assert_non_null(file);
    fprintf(file, "#!/bin/sh\n%s\n", words);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0700), 0);
}

/* "GCC2" is the hello; what is written to >&0 goes to the library. */
static void bad_helpers_cost_a_message(void **state)
{
    static const struct {
        const char *words, *said, *seconds;
    } bad[] = {{"printf GCC2 >&0; exec sleep 1000", "took more than 1 seconds at program limit.cl", "1"},
               {"printf GCC2 >&0; printf %0100d 0 >&0; exec sleep 1000",
                "gave an answer that makes no sense at program limit.cl", "60"},
               {"printf GCC2 >&0; exec sleep 1000 <&-", "at program limit.cl", "60"},
               {"printf GCC2 >&0; head -c 1 <&0 >/dev/null; exit 7",
                "ended with exit code 7 at program limit.cl", "60"}};
    (void)state;
    struct fixture f;
    struct graft_opencl_kernel kernel;
    char path[160];
    snprintf(path, sizeof path, "%s/script", folder);
    char *const helper = strdup(getenv("GRAFT_COMPILER"));
    setenv("GRAFT_COMPILER", path, 1);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_script(path, bad[i].words);
        setenv("GRAFT_COMPILE_TIMEOUT", bad[i].seconds, 1);
        open_fixture(&f, "bad", "");
        name_sweep(&f, &kernel, 6);
        assert_int_equal(graft_opencl_ready(device_of(&f), &kernel), GRAFT_ERROR_DEVICE);
        if (strstr(graft_context_error(f.context), bad[i].said) == NULL) {
            fail_msg("%s: %s", bad[i].words, graft_context_error(f.context));
        }
        assert_true(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
        close_fixture(&f);
    }
    /* The first of several, whichever is noticed first; and nothing is left of the others. */
    struct graft_opencl_kernel kernels[3];
    write_script(path, "printf GCC2 >&0; head -c 1 <&0 >/dev/null\n"
                       "mkdir \"$0.first\" 2>/dev/null && sleep 0.4\n" /* who makes it has the first job */
                       "exit 7");
    for (int i = 0; i < 3; i++) {
        char first[192];
        snprintf(first, sizeof first, "%s.first", path);
        rmdir(first);
        open_fixture(&f, "bad", "");
        for (int k = 0; k < 3; k++) {
            name_sweep(&f, &kernels[k], 10 + k);
        }
        assert_int_equal(f.device->backend->synchronize(f.device, NULL), GRAFT_ERROR_DEVICE);
        assert_non_null(strstr(graft_context_error(f.context), "-DSPAN=10"));
        assert_true(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
        close_fixture(&f);
    }
    setenv("GRAFT_COMPILER", helper, 1);
    unsetenv("GRAFT_COMPILE_TIMEOUT");
    free(helper);
}

int main(void)
{
    const char *const layer = getenv("GRAFT_TEST_LAYER");
    const char *const helper = getenv("GRAFT_TEST_COMPILER");
    struct fixture f = {.context = NULL};
    if (layer == NULL || helper == NULL || access(layer, R_OK) != 0 || access(helper, X_OK) != 0) {
        print_message("no layers in this OpenCL loader, or no helper: skipped\n");
        return 77;
    }
    test_folder(folder, sizeof folder);
    snprintf(log_path, sizeof log_path, "%s/log", folder);
    setenv("POCL_CACHE_DIR", folder, 1);
    setenv("GRAFT_COMPILER", helper, 1);
    setenv("OPENCL_LAYERS", layer, 1);
    assert_int_equal(graft_context_open(NULL, &f.context), GRAFT_OK);
    const bool there = graft_device_open(f.context, "opencl:0", &f.device) == GRAFT_OK &&
                       f.device->info.kind == GRAFT_DEVICE_CPU;
    close_fixture(&f);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_are_built_at_once),
        cmocka_unit_test(others_do_not_fail),
        cmocka_unit_test(kernels_are_launched_in_a_helper),
        cmocka_unit_test(a_launch_that_crashes_is_no_failure),
        cmocka_unit_test(bad_helpers_cost_a_message),
    };
    int result = 77;
    if (there) {
        result = cmocka_run_group_tests(tests, NULL, NULL);
    } else {
        print_message("no OpenCL device that is a processor: skipped\n");
    }
    test_folder_remove(folder);
    return result;
}
