/* SPDX-License-Identifier: MIT */
/*
 * Programs: wanted by the kernels of calls, shared by all with the same options, built from the embedded
 * sources at their first use: all that are wanted by then at once (build.c).
 */
#include "backend/opencl/program.h"

#include "backend/opencl/cache.h"

#include "base/context.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Some compilers print warnings on their own; a test looks at them. What arguments are is asked by
 * graft-compile. */
#define LANGUAGE "-cl-std=CL1.2 -w -cl-kernel-arg-info "
#define MAX_OPTIONS 1024

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

static void entry_close(struct graft_context *context, struct graft_opencl_program *entry)
{
    if (entry->program != NULL)
        clReleaseProgram(entry->program);
    graft_release(context, entry->options);
    graft_release(context, entry->key);
    graft_release(context, entry->wanted);
    graft_release(context, entry);
}

/* The program of these options, built or not. */
static enum graft_status find_program(struct graft_opencl_device *device, const char *source,
                                      const char *options, struct graft_opencl_program **found)
{
    struct graft_context *context = device->base.context;
    char full[MAX_OPTIONS + sizeof(LANGUAGE)];
    const int length = snprintf(full, sizeof(full), LANGUAGE "%s", options);
    if (length < 0 || (size_t)length >= sizeof(full))
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "cl/%s: options of more than %d characters", source,
                          MAX_OPTIONS);
    struct graft_opencl_program **last = &device->programs;
    for (; *last != NULL; last = &(*last)->next) {
        if (strcmp((*last)->source->name, source) == 0 && strcmp((*last)->options, full) == 0) {
            *found = *last;
            return GRAFT_OK;
        }
    }
    const struct graft_opencl_source *embedded = find_source(source);
    if (embedded == NULL)
        return graft_fail(context, GRAFT_ERROR_NOT_FOUND, "no kernel file cl/%s in this library", source);
    struct graft_opencl_program *entry = graft_allocate(context, 1, sizeof(*entry));
    if (entry == NULL)
        return GRAFT_ERROR_MEMORY;
    entry->source = embedded;
    entry->options = graft_duplicate_text(context, full);
    entry->key = entry->options != NULL ? make_key(device, embedded, full) : NULL;
    if (entry->key == NULL) {
        entry_close(context, entry);
        return GRAFT_ERROR_MEMORY;
    }
    *found = *last = entry;
    return GRAFT_OK;
}

/* Builds what is queued until these are there; what others want and cannot have is left to them. */
static enum graft_status build_until(struct graft_opencl_device *device,
                                     struct graft_opencl_program *const *entries, int count)
{
    for (int i = 0; i < count; i++)
        entries[i]->queued = entries[i]->queued || entries[i]->program == NULL;
    for (;;) {
        struct graft_opencl_program *failed = NULL;
        const enum graft_status status = graft_opencl_build_queued(device, &failed);
        if (status == GRAFT_OK || failed == NULL)
            return status;
        for (int i = 0; i < count; i++)
            if (entries[i] == failed)
                return status;
    }
}

enum graft_status graft_opencl_program(struct graft_opencl_device *device, const char *source,
                                       const char *options, cl_program *program)
{
    struct graft_opencl_program *entry = NULL;
    *program = NULL;
    enum graft_status status = find_program(device, source, options, &entry);
    if (status == GRAFT_OK)
        status = build_until(device, &entry, 1);
    if (status == GRAFT_OK)
        *program = entry->program;
    return status;
}

enum graft_status graft_opencl_programs_build(struct graft_opencl_device *device)
{
    struct graft_opencl_program *failed;
    enum graft_status status = graft_opencl_build_queued(device, &failed);
    while (status == GRAFT_OK && device->waiting != NULL) {
        struct graft_opencl_kernel *const kernel = device->waiting;
        device->waiting = kernel->next_waiting;
        status = graft_opencl_ready(device, kernel);
    }
    return status;
}

void graft_opencl_programs_close(struct graft_opencl_device *device)
{
    while (device->programs != NULL) {
        struct graft_opencl_program *entry = device->programs;
        device->programs = entry->next;
        if (entry->store && entry->program != NULL)
            graft_opencl_program_store(device, entry);
        entry_close(device->base.context, entry);
    }
}

/* ---- kernels ---- */

/* Notes that the kernel is wanted, for the driver's second half of compiling. */
static enum graft_status want(struct graft_opencl_device *device, struct graft_opencl_program *entry,
                              const char *name)
{
    entry->queued = true;
    for (int i = 0; i < entry->n_wanted; i++)
        if (strcmp(entry->wanted[i], name) == 0)
            return GRAFT_OK;
    if (entry->n_wanted == entry->wanted_capacity) {
        const size_t before = (size_t)entry->wanted_capacity, after = 2 * before + 8;
        const char **const more =
            graft_reallocate(device->base.context, entry->wanted, before, after, sizeof(*entry->wanted));
        if (more == NULL)
            return GRAFT_ERROR_MEMORY;
        entry->wanted = more;
        entry->wanted_capacity = (int)after;
    }
    entry->wanted[entry->n_wanted++] = name;
    return GRAFT_OK;
}

static enum graft_status create(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                int step)
{
    struct graft_context *context = device->base.context;
    const char *const name = kernel->step_name[step];
    cl_int code = CL_SUCCESS;
    const cl_kernel made = clCreateKernel(kernel->program[step]->program, name, &code);
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
    kernel->step[step] = made;
    kernel->step_group[step] = group;
    return GRAFT_OK;
}

enum graft_status graft_opencl_ready(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    if (kernel->ready == kernel->steps)
        return GRAFT_OK;
    enum graft_status status =
        build_until(device, kernel->program + kernel->ready, kernel->steps - kernel->ready);
    while (status == GRAFT_OK && kernel->ready < kernel->steps) {
        status = create(device, kernel, kernel->ready);
        kernel->ready += status == GRAFT_OK;
    }
    return status;
}

enum graft_status graft_opencl_add(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                   const char *source, const char *name, const char *options_format, ...)
{
    struct graft_context *context = device->base.context;
    char options[MAX_OPTIONS + 1];
    va_list list;
    va_start(list, options_format);
    int length = graft_format_list(options, sizeof(options), options_format, list);
    va_end(list);
    const enum graft_unary slope = graft_op_slope(&kernel->call);
    const enum graft_unary activation =
        slope != GRAFT_UNARY_NONE ? slope : graft_op_activation(&kernel->call);
    if (length >= 0 && (size_t)length < sizeof(options) && activation > GRAFT_UNARY_RELU6)
        length +=
            snprintf(options + length, sizeof(options) - (size_t)length, " -DACTIVATION=%d", (int)activation);
    if (length < 0 || (size_t)length >= sizeof(options) || kernel->steps == GRAFT_OPENCL_MAX_STEPS)
        return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                          "%s of cl/%s: more than %d kernels or %d characters of options", name, source,
                          GRAFT_OPENCL_MAX_STEPS, MAX_OPTIONS);
    struct graft_opencl_program *entry = NULL;
    enum graft_status status = find_program(device, source, options, &entry);
    if (status == GRAFT_OK)
        status = want(device, entry, name);
    if (status != GRAFT_OK)
        return status;
    kernel->program[kernel->steps] = entry;
    kernel->step_name[kernel->steps] = name;
    kernel->steps++;
    if (device->deferring)
        return GRAFT_OK;
    status = graft_opencl_ready(device, kernel);
    kernel->steps = kernel->ready;
    return status;
}
