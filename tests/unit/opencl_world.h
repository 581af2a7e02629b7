/* SPDX-License-Identifier: MIT */
/* A life of a program with a folder, a cache and a log of its own, in front of a driver that does something wrong. */
#ifndef GRAFT_TESTS_OPENCL_WORLD_H
#define GRAFT_TESTS_OPENCL_WORLD_H

#include "backend/opencl/cache.h"
#include "backend/opencl/internal.h"
#include "base/context.h"
#include "base/file.h"
#include "support/support.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#define COUNT 100
#define PLAIN "-DVEC=1 -DSPAN=1 -DLANES=1"
#define OTHER "-DVEC=1 -DSPAN=2 -DLANES=1"

/* In a child process there is no test to fail: it ends with 1 and says why. */
#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: not true: %s\n%d remarks, the last line: %s\n", __FILE__, __LINE__,      \
                    #condition, w->remarks, w->last);                                                        \
            _exit(1);                                                                                        \
        }                                                                                                    \
    } while (0)

struct world {
    char folder[128]; /* cache/, pocl/, log */
    char cache[160];
    char log[160];
    int remarks, progress, taken_back;
    char last[512];
    char error[2048]; /* of the last life */
    struct graft_context *context;
    struct graft_device *device;
};

static char pocl[128]; /* PoCL's own cache, of all tests together: what it has compiled once is quick */

static void on_log(void *user, enum graft_log_level level, const char *text)
{
    struct world *const w = user;
    w->remarks += level != GRAFT_LOG_PROGRESS;
    w->progress += level == GRAFT_LOG_PROGRESS && text[0] != '\0';
    w->taken_back += level == GRAFT_LOG_PROGRESS && text[0] == '\0';
    if (text[0] != '\0' && (level != GRAFT_LOG_PROGRESS || w->remarks == 0)) { /* a remark stays */
        snprintf(w->last, sizeof w->last, "%s", text);
    }
}

static void open_world(struct world *w, const char *cache)
{
    const struct graft_context_options options = {
        .threads = 1, .cache_folder = cache, .log = on_log, .log_user = w};
    CHECK(graft_context_open(&options, &w->context) == GRAFT_OK);
    CHECK(graft_device_open(w->context, "opencl:0", &w->device) == GRAFT_OK);
}

static void close_world(struct world *w)
{
    graft_device_close(&w->device);
    graft_context_close(&w->context);
}

/* A kernel of the program with these options (one of few kernels), run: x = x / 2 + 1 so many times, from 0.
 */
static enum graft_status sweep(struct world *w, const char *options, int times)
{
    struct graft_opencl_device *const device = (struct graft_opencl_device *)w->device;
    struct graft_opencl_kernel kernel = {0};
    struct graft_tensor y = {0};
    float result[COUNT] = {0};
    const enum graft_status status =
        graft_opencl_add(device, &kernel, "limit.cl", "limit_sweep", "%s", options);
    if (status != GRAFT_OK) {
        return status;
    }
    CHECK(graft_buffer_open(w->device, sizeof result, &y.buffer) == GRAFT_OK &&
          w->device->backend->buffer_fill(w->device, y, 0, sizeof result) == GRAFT_OK);
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, y, sizeof(float));
    graft_opencl_arg_int(&args, COUNT / 4); /* vectors */
    graft_opencl_arg_int(&args, 1);
    graft_opencl_arg_int(&args, times);
    const struct graft_opencl_range range = {.dimensions = 1, .global = {COUNT}, .local = {1}};
    CHECK(graft_opencl_launch(device, &kernel, 0, &args, &range) == GRAFT_OK);
    CHECK(w->device->backend->buffer_read(w->device, result, y, sizeof result) == GRAFT_OK);
    for (int i = 0; i < COUNT; i++) {
        CHECK(result[i] == (float)times);
    }
    clReleaseKernel(kernel.step[0]);
    graft_buffer_close(w->device, &y.buffer, sizeof result);
    return GRAFT_OK;
}

/* Opens, sweeps, closes: a whole life of a program that uses one kernel. */
static enum graft_status live(struct world *w, const char *cache)
{
    open_world(w, cache);
    const enum graft_status status = sweep(w, PLAIN, 3);
    snprintf(w->error, sizeof w->error, "%s", graft_context_error(w->context));
    close_world(w);
    return status;
}

/* Lines of the layer's log: builds of a kind ("source", "binary"), by this process or by others. */
static int builds(const struct world *w, const char *kind, bool own)
{
    char line[64];
    int count = 0;
    FILE *const file = fopen(w->log, "rb");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char what[16] = "";
        long process = 0;
        CHECK(sscanf(line, "%15s %ld", what, &process) == 2);
        count += strcmp(what, kind) == 0 && (process == getpid()) == own;
    }
    if (file != NULL) {
        fclose(file);
    }
    return count;
}

/* Sets what the driver does wrong; it logs its builds besides. */
static void faults(struct world *w, const char *words)
{
    char text[512];
    snprintf(text, sizeof text, "log=%s %s", w->log, words);
    setenv("GRAFT_FAULT", text, 1);
    unlink(w->log);
}

/* The path of the one file of the cache; false if there is none. */
static bool find_kept(const struct world *w, char *path, size_t size)
{
    char folder[192];
    int files = 0;
    snprintf(folder, sizeof folder, "%s/opencl", w->cache);
    DIR *const list = opendir(folder);
    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
        if (entry->d_name[0] != '.') {
            snprintf(path, size, "%s/%s", folder, entry->d_name);
            files++;
        }
    }
    if (list != NULL) {
        closedir(list);
    }
    CHECK(files <= 1);
    return files == 1;
}

/* The state in that file, -1 if there is none. */
static int kept_state(const struct world *w)
{
    char path[512], *file = NULL;
    size_t size = 0;
    uint64_t state = 0;
    if (!find_kept(w, path, sizeof path)) {
        return -1;
    }
    struct graft_context *context = NULL;
    CHECK(graft_context_open(NULL, &context) == GRAFT_OK);
    CHECK(graft_file_read(context, path, 1 << 28, &file, &size) == GRAFT_OK && size > 48);
    memcpy(&state, file + 40, sizeof state);
    graft_release(context, file);
    graft_context_close(&context);
    return (int)state;
}

#endif
