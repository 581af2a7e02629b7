/* SPDX-License-Identifier: MIT */
/*
 * Programs: built from the embedded sources at their first use, shared by all kernels with the same options,
 * kept on disk where that gains something. That is measured: the first process that compiles a program notes
 * how long it took. If the second process needs about as long, the driver keeps nothing itself, and the
 * binary is stored when the device is closed; if it is much faster, the driver does, and asking it for
 * binaries would only cost (PoCL 3.1 compiles every kernel of the program again for it: 0.1 s each).
 */
#include "backend/opencl/cache.h"
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
#define DRIVER_KEEPS                                                                                         \
    0.6 /* the second time takes less than this part of the first: the driver has a cache                    \
         */

struct graft_opencl_program {
    struct graft_opencl_program *next;
    cl_program program;
    const char *source;
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

/* The part of a build log that says what is wrong: from the first line with "error" on, cut to fit. */
static void log_excerpt(struct graft_opencl_device *device, cl_program program, char *text, size_t size)
{
    struct graft_context *context = device->base.context;
    size_t length = 0;
    snprintf(text, size, "no build log");
    if (clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &length) != CL_SUCCESS ||
        length < 2)
        return;
    char *log = graft_allocate(context, length + 1, 1);
    if (log == NULL)
        return;
    if (clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, length, log, NULL) == CL_SUCCESS) {
        char *begin = strstr(log, "error");
        if (begin == NULL)
            begin = log;
        while (begin > log && begin[-1] != '\n')
            begin--;
        snprintf(text, size, "%s", begin);
    }
    graft_release(context, log);
}

static enum graft_status fail_build(struct graft_opencl_device *device, cl_program program, cl_int code,
                                    const char *source, const char *options)
{
    char excerpt[1200];
    if (code != CL_BUILD_PROGRAM_FAILURE)
        return graft_opencl_fail(device->base.context, code, "clBuildProgram", source);
    log_excerpt(device, program, excerpt, sizeof(excerpt));
    return graft_fail(device->base.context, GRAFT_ERROR_DEVICE,
                      "program %s does not compile on %s (driver %s, options '%s'): %s", source,
                      device->base.info.name, device->base.info.driver, options, excerpt);
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
        const enum graft_status status = fail_build(device, made, code, source->name, options);
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

static enum graft_status build(struct graft_opencl_device *device, const struct graft_opencl_source *source,
                               struct graft_opencl_program *entry)
{
    struct graft_context *context = device->base.context;
    struct graft_opencl_binary cached;
    const bool seen = graft_opencl_cache_read(context, entry->key, &cached);
    if (seen && cached.state == GRAFT_OPENCL_CACHED_BINARY)
        entry->program = build_binary(device, &cached, entry->options);
    graft_release(context, cached.data);
    if (entry->program != NULL)
        return GRAFT_OK;

    const double begin = graft_opencl_now();
    const enum graft_status status = build_source(device, source, entry->options, &entry->program);
    if (status != GRAFT_OK)
        return status;
    const double seconds = graft_opencl_now() - begin;
    struct graft_opencl_binary note = {.state = GRAFT_OPENCL_CACHED_SEEN, .seconds = seconds};
    if (seen && cached.state == GRAFT_OPENCL_CACHED_SEEN && seconds < DRIVER_KEEPS * cached.seconds) {
        note = (struct graft_opencl_binary){.state = GRAFT_OPENCL_CACHED_USELESS, .seconds = cached.seconds};
        graft_opencl_cache_write(context, entry->key, &note);
    } else if (!seen && seconds >= WORTH_SECONDS) {
        graft_opencl_cache_write(context, entry->key, &note);
    }
    /* A binary that the driver did not take any more is stored again. */
    entry->store =
        seen && cached.state != GRAFT_OPENCL_CACHED_USELESS && note.state == GRAFT_OPENCL_CACHED_SEEN;
    entry->seconds = seconds;
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
    struct graft_opencl_binary binary = {.state = GRAFT_OPENCL_CACHED_BINARY, .seconds = entry->seconds};
    if (clGetProgramInfo(entry->program, CL_PROGRAM_BINARY_SIZES, sizeof(binary.size), &binary.size, NULL) !=
            CL_SUCCESS ||
        binary.size == 0)
        return;
    binary.data = graft_allocate_raw(context, binary.size, 1);
    if (binary.data == NULL)
        return;
    if (clGetProgramInfo(entry->program, CL_PROGRAM_BINARIES, sizeof(binary.data), &binary.data, NULL) ==
        CL_SUCCESS)
        graft_opencl_cache_write(context, entry->key, &binary);
    graft_release(context, binary.data);
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
    if (code != CL_SUCCESS) {
        clReleaseKernel(made);
        return graft_opencl_fail(context, code, "clGetKernelWorkGroupInfo", name);
    }
    kernel->step[kernel->steps] = made;
    kernel->step_group[kernel->steps] = group;
    kernel->step_name[kernel->steps] = name;
    kernel->steps++;
    return GRAFT_OK;
}
