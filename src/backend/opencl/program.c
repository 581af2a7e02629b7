/* SPDX-License-Identifier: MIT */
/*
 * Programs: built from the embedded sources at their first use, shared by all kernels with the same options,
 * kept on disk where that gains something.
 *
 * What was never compiled for this device and driver is compiled in a child process first (child.c), so that
 * a compiler that crashes or hangs costs a message. A driver that compiles only when a kernel is first
 * launched (PoCL's second half) does that here.
 *
 * Whether keeping gains something is measured: if compiling a second time is much faster than the first, the
 * driver keeps what it compiles itself, and asking it for binaries would only cost (PoCL 3.1 compiles every
 * kernel of the program again for it: 0.1 s each). The second time is this process, behind the child; or the
 * next process, where there is no child. Once a driver is known to keep nothing, the child sends binaries. A
 * binary that takes as long to load as the source to compile is no gain either.
 */
#include "backend/opencl/cache.h"
#include "backend/opencl/child.h"
#include "backend/opencl/internal.h"

#include "base/context.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LANGUAGE "-cl-std=CL1.2 -w " /* some compilers print warnings on their own; a test looks at them */
#define MAX_OPTIONS 1024
#define WORTH_SECONDS 0.005 /* what compiles faster is not kept */
#define MUCH_FASTER 0.6     /* less than this part of the time */

struct graft_opencl_program {
    struct graft_opencl_program *next;
    cl_program program;
    const char *source; /* its name */
    char *options;
    char *key;
    double seconds; /* what compiling from source took when it was seen first */
    bool store;     /* to be kept on disk when the device is closed */
};

double graft_opencl_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static const struct graft_opencl_source *find_source(const char *name)
{
    const struct graft_opencl_source *source = graft_opencl_sources;
    while (source->name != NULL && strcmp(source->name, name) != 0)
        source++;
    return source->name != NULL ? source : NULL;
}

/* Everything that decides what the compiler makes of it. */
static char *make_key(struct graft_opencl_device *device, const struct graft_opencl_source *source,
                      const char *options)
{
    struct graft_context *context = device->base.context;
    struct graft_text key = {0};
    char version[256] = "", device_version[256] = "";
    clGetPlatformInfo(device->platform, CL_PLATFORM_VERSION, sizeof(version) - 1, version, NULL);
    clGetDeviceInfo(device->id, CL_DEVICE_VERSION, sizeof(device_version) - 1, device_version, NULL);
    graft_text_append(context, &key, "%s|%zu|%016llx|%s|%s|%s|%s|%s|%s", source->name, strlen(source->text),
                      (unsigned long long)graft_opencl_hash(source->text, strlen(source->text)), options,
                      device->base.info.name, device_version, device->base.info.driver,
                      device->base.info.platform, version);
    if (key.failed) {
        graft_text_close(context, &key);
        return NULL;
    }
    return key.data;
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
    return graft_fail(device->base.context, GRAFT_ERROR_DEVICE,
                      "program %s does not compile on %s (driver %s, options '%s'): %.1200s", source,
                      device->base.info.name, device->base.info.driver, options, begin);
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
    char before[2048];
    snprintf(before, sizeof(before), "%s", graft_context_error(context));
    if (graft_opencl_cache_write(context, entry->key, &binary))
        return;
    if (!device->told_unkept)
        graft_log(context, GRAFT_LOG_REMARK, "compiled kernels are not kept, every start compiles again: %s",
                  graft_context_error(context));
    device->told_unkept = true;
    (void)graft_fail(context, GRAFT_OK, "%s", before);
}

/* Builds the binary, unless that takes about as long as compiling did: then it is noted as useless. */
static void load(struct graft_opencl_device *device, struct graft_opencl_program *entry, const char *data,
                 size_t size, bool kept)
{
    const struct graft_opencl_binary binary = {.data = (char *)(uintptr_t)data, .size = size};
    const double begin = graft_opencl_now();
    entry->program = build_binary(device, &binary, entry->options);
    const double seconds = graft_opencl_now() - begin;
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
        entry->store = true; /* when the device is closed: some drivers compile again for a binary */
        note(device, entry, GRAFT_OPENCL_CACHED_SEEN, NULL, 0);
    }
}

/* ---- building ---- */

static enum graft_status build_timed(struct graft_opencl_device *device,
                                     const struct graft_opencl_source *source,
                                     struct graft_opencl_program *entry, double *seconds)
{
    const double begin = graft_opencl_now();
    const enum graft_status status = build_source(device, source, entry->options, &entry->program);
    *seconds = graft_opencl_now() - begin;
    return status;
}

/* Never compiled on this device and driver, as far as is known. */
static enum graft_status build_first(struct graft_opencl_device *device,
                                     const struct graft_opencl_source *source,
                                     struct graft_opencl_program *entry)
{
    struct graft_opencl_compiled compiled;
    bool asked = false;
    double seconds = 0;
    enum graft_status status = graft_opencl_child_compile(
        device, source, entry->options, device->keeping == GRAFT_OPENCL_KEEPING_NOBODY, &compiled, &asked);
    if (status == GRAFT_OK && asked && !compiled.built)
        status = fail_build(device, compiled.log, compiled.code, source->name, entry->options);
    entry->seconds = compiled.seconds;
    if (status == GRAFT_OK && compiled.binary != NULL)
        load(device, entry, compiled.binary, compiled.binary_size, false);
    graft_opencl_compiled_close(device->base.context, &compiled);
    if (status != GRAFT_OK || entry->program != NULL)
        return status;
    status = build_timed(device, source, entry, &seconds);
    if (status != GRAFT_OK)
        return status;
    if (asked) {
        judge(device, entry, seconds);
    } else {
        entry->seconds = seconds;
        note(device, entry, GRAFT_OPENCL_CACHED_SEEN, NULL, 0);
    }
    return GRAFT_OK;
}

static enum graft_status build(struct graft_opencl_device *device, const struct graft_opencl_source *source,
                               struct graft_opencl_program *entry)
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
    if (entry->program != NULL)
        return GRAFT_OK;
    /* A binary that the driver does not take any more: it is not the driver that made it. */
    if (!seen || cached.state == GRAFT_OPENCL_CACHED_BINARY)
        return build_first(device, source, entry);
    const enum graft_status status = build_timed(device, source, entry, &seconds);
    if (status != GRAFT_OK)
        return status;
    if (cached.state == GRAFT_OPENCL_CACHED_USELESS)
        device->keeping = GRAFT_OPENCL_KEEPING_DRIVER;
    else if (entry->seconds >= WORTH_SECONDS)
        judge(device, entry, seconds);
    return GRAFT_OK;
}

static void entry_close(struct graft_context *context, struct graft_opencl_program *entry)
{
    if (entry->program != NULL)
        clReleaseProgram(entry->program);
    graft_release(context, entry->options);
    graft_release(context, entry->key);
    graft_release(context, entry);
}

enum graft_status graft_opencl_program(struct graft_opencl_device *device, const char *source,
                                       const char *options, cl_program *program)
{
    struct graft_context *context = device->base.context;
    *program = NULL;
    char full[MAX_OPTIONS + sizeof(LANGUAGE)];
    const int length = snprintf(full, sizeof(full), LANGUAGE "%s", options);
    if (length < 0 || (size_t)length >= sizeof(full))
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "cl/%s: options of more than %d characters", source,
                          MAX_OPTIONS);
    for (struct graft_opencl_program *entry = device->programs; entry != NULL; entry = entry->next) {
        if (strcmp(entry->source, source) == 0 && strcmp(entry->options, full) == 0) {
            *program = entry->program;
            return GRAFT_OK;
        }
    }
    const struct graft_opencl_source *embedded = find_source(source);
    if (embedded == NULL)
        return graft_fail(context, GRAFT_ERROR_NOT_FOUND, "no kernel file cl/%s in this library", source);
    struct graft_opencl_program *entry = graft_allocate(context, 1, sizeof(*entry));
    if (entry == NULL)
        return GRAFT_ERROR_MEMORY;
    entry->source = embedded->name;
    entry->options = graft_duplicate_text(context, full);
    entry->key = entry->options != NULL ? make_key(device, embedded, full) : NULL;
    const enum graft_status status = entry->key != NULL ? build(device, embedded, entry) : GRAFT_ERROR_MEMORY;
    if (status != GRAFT_OK) {
        entry_close(context, entry);
        return status;
    }
    entry->next = device->programs;
    device->programs = entry;
    *program = entry->program;
    return GRAFT_OK;
}

static void store(struct graft_opencl_device *device, const struct graft_opencl_program *entry)
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

void graft_opencl_programs_close(struct graft_opencl_device *device)
{
    while (device->programs != NULL) {
        struct graft_opencl_program *entry = device->programs;
        device->programs = entry->next;
        if (entry->store)
            store(device, entry);
        entry_close(device->base.context, entry);
    }
}

enum graft_status graft_opencl_add(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                   const char *source, const char *name, const char *options_format, ...)
{
    struct graft_context *context = device->base.context;
    char options[MAX_OPTIONS + 1];
    va_list list;
    va_start(list, options_format);
    int length = vsnprintf(options, sizeof(options), options_format, list);
    va_end(list);
    const enum graft_unary activation = graft_op_activation(&kernel->call);
    if (length >= 0 && (size_t)length < sizeof(options) && activation > GRAFT_UNARY_RELU6)
        length +=
            snprintf(options + length, sizeof(options) - (size_t)length, " -DACTIVATION=%d", (int)activation);
    if (length < 0 || (size_t)length >= sizeof(options) || kernel->steps == GRAFT_OPENCL_MAX_STEPS)
        return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                          "%s of cl/%s: more than %d kernels or %d characters of options", name, source,
                          GRAFT_OPENCL_MAX_STEPS, MAX_OPTIONS);
    cl_program program = NULL;
    const enum graft_status status = graft_opencl_program(device, source, options, &program);
    if (status != GRAFT_OK)
        return status;
    cl_int code = CL_SUCCESS;
    cl_kernel made = clCreateKernel(program, name, &code);
    if (code != CL_SUCCESS)
        return graft_opencl_fail(context, code, "clCreateKernel", name);
    size_t group = 0;
    code = clGetKernelWorkGroupInfo(made, device->id, CL_KERNEL_WORK_GROUP_SIZE, sizeof(group), &group, NULL);
    if (code != CL_SUCCESS || group == 0) {
        clReleaseKernel(made);
        return code != CL_SUCCESS
                   ? graft_opencl_fail(context, code, "clGetKernelWorkGroupInfo", name)
                   : graft_fail(context, GRAFT_ERROR_DEVICE,
                                "clGetKernelWorkGroupInfo (%s): the driver allows no work-items", name);
    }
    kernel->step[kernel->steps] = made;
    kernel->step_group[kernel->steps] = group;
    kernel->step_name[kernel->steps] = name;
    kernel->steps++;
    return GRAFT_OK;
}
