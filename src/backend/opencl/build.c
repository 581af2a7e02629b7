/* SPDX-License-Identifier: MIT */
/*
 * Building programs: all that are wanted at once, and keeping them on disk where that gains something.
 *
 * What was never compiled for this device and driver is compiled in child processes first (jobs.c), so that a
 * compiler that crashes or hangs costs a message, and all processors take part. A driver that compiles only
 * when a kernel is first launched (PoCL's second half) does that there, too, if the kernel's work-group size
 * stands in its source; else here.
 *
 * Whether keeping gains something is measured: if compiling a second time is much faster than the first, the
 * driver keeps what it compiles itself, and asking it for binaries would only cost (PoCL 3.1 compiles every
 * kernel of the program again for it: 0.1 s each). The second time is this process, behind the child; or the
 * next process, where there is no child. Once a driver is known to keep nothing, the child sends binaries;
 * that of a GPU does so from the beginning, so that what several children have compiled at once is not
 * compiled here one after the other. A binary that takes as long to load as the source to compile is no gain
 * either.
 */
#include "backend/opencl/program.h"

#include "backend/opencl/cache.h"
#include "backend/opencl/jobs.h"

#include "base/clock.h"
#include "base/context.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#define WORTH_SECONDS 0.005 /* what compiles faster is not kept */
#define LEAST_FREE 1048576   /* bytes: a disk with less is full */
#define MUCH_FASTER 0.6     /* less than this part of the time */

const char *graft_opencl_full_folder(void)
{
    static const char *const names[] = {"POCL_CACHE_DIR", "XDG_CACHE_HOME", "HOME", "TMPDIR"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct statvfs space;
        const char *const folder = getenv(names[i]);
        if (folder != NULL && statvfs(folder, &space) == 0 && space.f_bavail * space.f_frsize < LEAST_FREE)
            return folder;
    }
    return NULL;
}

/* Names the program and quotes what the log says is wrong: from the first line with "error" on, cut to fit.
 */
static enum graft_status fail_build(struct graft_opencl_device *device, const char *log, cl_int code,
                                    const char *source, const char *options)
{
    if (code != CL_BUILD_PROGRAM_FAILURE)
        return graft_opencl_fail(device->base.context, code, "clBuildProgram", source);
    const char *begin = strstr(log, "error");
    if (begin == NULL)
        begin = log[0] != '\0' ? log : "no build log";
    while (begin > log && begin[-1] != '\n')
        begin--;
    /* PoCL says nothing else where it cannot write. */
    const char *const full = strstr(log, "error") == NULL ? graft_opencl_full_folder() : NULL;
    return graft_fail(device->base.context, GRAFT_ERROR_DEVICE,
                      "program %s does not compile on %s (driver %s, options '%s'): %.1200s%s%s%s", source,
                      device->base.info.name, device->base.info.driver, options, begin,
                      full != NULL ? "; nothing can be written to " : "", full != NULL ? full : "",
                      full != NULL ? ", where drivers keep what they compile: make room, or set POCL_CACHE_DIR "
                                     "(PoCL) or XDG_CACHE_HOME to another folder"
                                   : "");
}

/* The build log, to be released; NULL if there is none. */
static char *read_log(struct graft_opencl_device *device, cl_program program)
{
    struct graft_context *context = device->base.context;
    size_t length = 0;
    if (clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &length) != CL_SUCCESS ||
        length < 2)
        return NULL;
    char *log = graft_allocate(context, length + 1, 1);
    if (log != NULL &&
        clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, length, log, NULL) != CL_SUCCESS)
        log[0] = '\0';
    return log;
}

static enum graft_status build_source(struct graft_opencl_device *device,
                                      const struct graft_opencl_source *source, const char *options,
                                      cl_program *program)
{
    cl_int code = CL_SUCCESS;
    const char *text = source->text;
    cl_program made = clCreateProgramWithSource(device->context, 1, &text, NULL, &code);
    if (code != CL_SUCCESS)
        return graft_opencl_fail(device->base.context, code, "clCreateProgramWithSource", source->name);
    code = clBuildProgram(made, 1, &device->id, options, NULL, NULL);
    if (code != CL_SUCCESS) {
        char *log = read_log(device, made);
        const enum graft_status status =
            fail_build(device, log != NULL ? log : "", code, source->name, options);
        graft_release(device->base.context, log);
        clReleaseProgram(made);
        return status;
    }
    *program = made;
    return GRAFT_OK;
}

/* NULL if the driver does not take it. */
static cl_program build_binary(struct graft_opencl_device *device, const struct graft_opencl_binary *binary,
                               const char *options)
{
    cl_int code = CL_SUCCESS, binary_code = CL_SUCCESS;
    const unsigned char *data = (const unsigned char *)binary->data;
    cl_program program =
        clCreateProgramWithBinary(device->context, 1, &device->id, &binary->size, &data, &binary_code, &code);
    if (code == CL_SUCCESS && binary_code == CL_SUCCESS &&
        clBuildProgram(program, 1, &device->id, options, NULL, NULL) == CL_SUCCESS)
        return program;
    if (program != NULL)
        clReleaseProgram(program);
    return NULL;
}

/* ---- what is kept ---- */

/* Said once a device; what was the last error before stays that. */
static void note(struct graft_opencl_device *device, const struct graft_opencl_program *entry,
                 enum graft_opencl_cached state, const char *data, size_t size)
{
    struct graft_context *context = device->base.context;
    const struct graft_opencl_binary binary = {
        .state = state, .data = (char *)(uintptr_t)data, .size = size, .seconds = entry->seconds};
    struct graft_kept_error before, why;
    graft_keep_error(context, &before);
    if (graft_opencl_cache_write(context, entry->key, &binary))
        return;
    graft_keep_error(context, &why);
    if (!device->told_unkept)
        graft_log(context, GRAFT_LOG_REMARK, "compiled kernels are not kept, every start compiles again: %s",
                  why.text);
    device->told_unkept = true;
    graft_restore_error(context, &before);
}

/* Builds the binary, unless that takes about as long as compiling did: then it is noted as useless. */
static void load(struct graft_opencl_device *device, struct graft_opencl_program *entry, const char *data,
                 size_t size, bool kept)
{
    const struct graft_opencl_binary binary = {.data = (char *)(uintptr_t)data, .size = size};
    const double begin = graft_seconds();
    entry->program = build_binary(device, &binary, entry->options);
    const double seconds = graft_seconds() - begin;
    const bool useless = seconds >= WORTH_SECONDS && seconds > MUCH_FASTER * entry->seconds;
    if (entry->program != NULL && useless)
        note(device, entry, GRAFT_OPENCL_CACHED_USELESS, NULL, 0);
    else if (entry->program != NULL && !kept)
        note(device, entry, GRAFT_OPENCL_CACHED_BINARY, data, size);
}

/* A second time from source, after one that took entry->seconds: does the driver keep what it compiles? */
static void judge(struct graft_opencl_device *device, struct graft_opencl_program *entry, double again)
{
    if (entry->seconds < WORTH_SECONDS) {
        note(device, entry, GRAFT_OPENCL_CACHED_SEEN, NULL, 0);
    } else if (again < MUCH_FASTER * entry->seconds) {
        device->keeping = GRAFT_OPENCL_KEEPING_DRIVER;
        note(device, entry, GRAFT_OPENCL_CACHED_USELESS, NULL, 0);
    } else {
        device->keeping = GRAFT_OPENCL_KEEPING_NOBODY;
        /* When the device is closed: some drivers compile again for a binary. */
        entry->store = graft_context_cache_folder(device->base.context) != NULL;
        note(device, entry, GRAFT_OPENCL_CACHED_SEEN, NULL, 0);
    }
}

/* ---- building ---- */

static enum graft_status build_timed(struct graft_opencl_device *device, struct graft_opencl_program *entry,
                                     double *seconds)
{
    const double begin = graft_seconds();
    const enum graft_status status = build_source(device, entry->source, entry->options, &entry->program);
    *seconds = graft_seconds() - begin;
    return status;
}

/* What is known of it: its binary, or that it was compiled before. Not built afterwards: it is new here. */
static enum graft_status build_known(struct graft_opencl_device *device, struct graft_opencl_program *entry)
{
    struct graft_context *context = device->base.context;
    struct graft_opencl_binary cached;
    double seconds = 0;
    const bool seen = graft_opencl_cache_read(context, entry->key, &cached);
    entry->seconds = cached.seconds;
    if (seen && cached.state == GRAFT_OPENCL_CACHED_BINARY) {
        device->keeping = GRAFT_OPENCL_KEEPING_NOBODY;
        load(device, entry, cached.data, cached.size, true);
    }
    graft_release(context, cached.data);
    /* A binary that the driver does not take any more: it is not the driver that made it. */
    if (!seen || cached.state == GRAFT_OPENCL_CACHED_BINARY)
        return GRAFT_OK;
    const enum graft_status status = build_timed(device, entry, &seconds);
    if (status != GRAFT_OK)
        return status;
    if (cached.state == GRAFT_OPENCL_CACHED_USELESS)
        device->keeping = GRAFT_OPENCL_KEEPING_DRIVER;
    else if (entry->seconds >= WORTH_SECONDS)
        judge(device, entry, seconds);
    return GRAFT_OK;
}

/* In this process, after a child has had it (or could not). */
static enum graft_status build_after(struct graft_opencl_device *device, struct graft_opencl_program *entry,
                                     const struct graft_opencl_job *job)
{
    double seconds = 0;
    if (job->done && !job->built)
        return fail_build(device, job->log, job->code, entry->source->name, entry->options);
    entry->seconds = job->seconds;
    if (job->binary_data != NULL)
        load(device, entry, job->binary_data, job->binary_size, false);
    if (entry->program != NULL)
        return GRAFT_OK;
    const enum graft_status status = build_timed(device, entry, &seconds);
    if (status != GRAFT_OK)
        return status;
    if (job->done) {
        judge(device, entry, seconds);
    } else {
        entry->seconds = seconds;
        note(device, entry, GRAFT_OPENCL_CACHED_SEEN, NULL, 0);
    }
    return GRAFT_OK;
}

/* Of processors only where the driver is known to keep nothing: there it may cost as much as compiling. */
bool graft_opencl_wants_binary(const struct graft_opencl_device *device)
{
    return device->keeping == GRAFT_OPENCL_KEEPING_NOBODY ||
           (device->keeping == GRAFT_OPENCL_KEEPING_UNKNOWN && device->base.info.kind == GRAFT_DEVICE_GPU);
}

/* Those programs that no process is known to have built, in children and then here. */
static enum graft_status build_new(struct graft_opencl_device *device, struct graft_opencl_program **entries,
                                   int count, struct graft_opencl_program **failed)
{
    struct graft_context *context = device->base.context;
    int at = -1;
    struct graft_opencl_job *const jobs = graft_allocate(context, (size_t)count, sizeof(*jobs));
    if (jobs == NULL)
        return GRAFT_ERROR_MEMORY;
    for (int i = 0; i < count; i++)
        jobs[i] = (struct graft_opencl_job){.source = entries[i]->source,
                                            .options = entries[i]->options,
                                            .binary = graft_opencl_wants_binary(device)};
    enum graft_status status = graft_opencl_jobs_run(device, jobs, count, &at);
    for (int i = 0; i < count && status == GRAFT_OK; i++) {
        status = build_after(device, entries[i], &jobs[i]);
        at = i;
    }
    if (status != GRAFT_OK && at >= 0)
        *failed = entries[at];
    for (int i = 0; i < count; i++)
        graft_opencl_job_close(context, &jobs[i]);
    graft_release(context, jobs);
    return status;
}

/* ---- a driver's second half ---- */

/* "KEY|launch|KERNEL", which is in the cache if the kernel was launched before; to be released. */
static char *launch_key(struct graft_opencl_device *device, const struct graft_opencl_program *entry,
                        const char *kernel)
{
    struct graft_text key = {0};
    graft_text_append(device->base.context, &key, "%s|launch|%s", entry->key, kernel);
    if (key.failed)
        graft_text_close(device->base.context, &key);
    return key.failed ? NULL : key.data;
}

static bool was_launched(struct graft_opencl_device *device, const struct graft_opencl_program *entry,
                         const char *kernel)
{
    struct graft_opencl_binary cached = {.data = NULL};
    char *const key = launch_key(device, entry, kernel);
    const bool seen = key == NULL || graft_opencl_cache_read(device->base.context, key, &cached);
    graft_release(device->base.context, cached.data);
    graft_release(device->base.context, key);
    return seen;
}

static void note_launch(struct graft_opencl_device *device, const struct graft_opencl_program *entry,
                        const char *kernel)
{
    char *const key = launch_key(device, entry, kernel);
    const struct graft_opencl_program launch = {.key = key};
    if (key != NULL)
        note(device, &launch, GRAFT_OPENCL_CACHED_SEEN, NULL, 0);
    graft_release(device->base.context, key);
}

static bool has_fixed_group(const struct graft_opencl_device *device,
                            const struct graft_opencl_program *entry, const char *name)
{
    size_t group[3] = {0};
    cl_int code = CL_SUCCESS;
    const cl_kernel kernel = clCreateKernel(entry->program, name, &code);
    if (code != CL_SUCCESS)
        return false;
    code = clGetKernelWorkGroupInfo(kernel, device->id, CL_KERNEL_COMPILE_WORK_GROUP_SIZE, sizeof(group),
                                    group, NULL);
    clReleaseKernel(kernel);
    return code == CL_SUCCESS && group[0] * group[1] * group[2] > 0;
}

/*
 * Kernels that were never launched on this device are launched in children, where the driver keeps what it
 * makes of that. On processors only: there a launch on nonsense can do no harm but to its own process.
 */
static enum graft_status launch_new(struct graft_opencl_device *device)
{
    struct graft_context *context = device->base.context;
    int count = 0, failed;
    for (const struct graft_opencl_program *entry = device->programs; entry != NULL; entry = entry->next)
        count += entry->n_wanted;
    struct graft_opencl_job *const jobs = graft_allocate(context, (size_t)count + 1, sizeof(*jobs));
    struct graft_opencl_program **const of =
        graft_allocate(context, (size_t)count + 1, sizeof(struct graft_opencl_program *));
    enum graft_status status = jobs != NULL && of != NULL ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    const bool gains =
        device->keeping == GRAFT_OPENCL_KEEPING_DRIVER && device->base.info.kind == GRAFT_DEVICE_CPU;
    count = 0;
    for (struct graft_opencl_program *entry = device->programs; entry != NULL && status == GRAFT_OK;
         entry = entry->next) {
        if (entry->program == NULL)
            continue;
        for (int i = 0; i < entry->n_wanted && gains; i++) {
            if (!has_fixed_group(device, entry, entry->wanted[i]) ||
                was_launched(device, entry, entry->wanted[i]))
                continue;
            of[count] = entry;
            jobs[count++] = (struct graft_opencl_job){
                .source = entry->source, .options = entry->options, .kernel = entry->wanted[i]};
        }
        entry->n_wanted = 0;
    }
    if (count > 0 && status == GRAFT_OK)
        status = graft_opencl_jobs_run(device, jobs, count, &failed);
    /* Those that crashed or did not end, too: it would be the same the next time. */
    for (int i = 0; i < count && status == GRAFT_OK; i++)
        note_launch(device, of[i], jobs[i].kernel);
    for (int i = 0; i < count; i++)
        graft_opencl_job_close(context, &jobs[i]);
    graft_release(context, of);
    graft_release(context, jobs);
    return status;
}

/* ---- all of it ---- */

enum graft_status graft_opencl_build_queued(struct graft_opencl_device *device,
                                            struct graft_opencl_program **failed)
{
    struct graft_context *context = device->base.context;
    int count = 0, fresh = 0;
    *failed = NULL;
    for (const struct graft_opencl_program *entry = device->programs; entry != NULL; entry = entry->next)
        count += entry->queued;
    if (count == 0)
        return GRAFT_OK;
    struct graft_opencl_program **const entries =
        graft_allocate(context, (size_t)count, sizeof(struct graft_opencl_program *));
    if (entries == NULL)
        return GRAFT_ERROR_MEMORY;
    enum graft_status status = GRAFT_OK;
    for (struct graft_opencl_program *entry = device->programs; entry != NULL && status == GRAFT_OK;
         entry = entry->next) {
        if (!entry->queued)
            continue;
        if (entry->program == NULL)
            status = build_known(device, entry);
        if (status != GRAFT_OK)
            *failed = entry;
        else if (entry->program == NULL)
            entries[fresh++] = entry;
    }
    if (status == GRAFT_OK && fresh > 0)
        status = build_new(device, entries, fresh, failed);
    graft_release(context, entries);
    if (status == GRAFT_OK)
        status = launch_new(device);
    for (struct graft_opencl_program *entry = device->programs; entry != NULL && status == GRAFT_OK;
         entry = entry->next)
        entry->queued = false;
    if (*failed != NULL)
        (*failed)->queued = false; /* until somebody wants it again */
    return status;
}

void graft_opencl_program_store(struct graft_opencl_device *device, const struct graft_opencl_program *entry)
{
    struct graft_context *context = device->base.context;
    size_t size = 0;
    if (clGetProgramInfo(entry->program, CL_PROGRAM_BINARY_SIZES, sizeof(size), &size, NULL) != CL_SUCCESS ||
        size == 0)
        return;
    char *data = graft_allocate_raw(context, size, 1);
    if (data == NULL)
        return;
    if (clGetProgramInfo(entry->program, CL_PROGRAM_BINARIES, sizeof(data), &data, NULL) == CL_SUCCESS)
        note(device, entry, GRAFT_OPENCL_CACHED_BINARY, data, size);
    graft_release(context, data);
}
