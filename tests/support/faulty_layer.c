/* SPDX-License-Identifier: MIT */
/*
 * An OpenCL layer: a driver with faults, made of a real one. The loader puts it before every driver if
 * OPENCL_LAYERS names this library. $GRAFT_FAULT says what is wrong, as words separated by blanks:
 *
 *   crash, abort, exit, hang  while a program is built from source (not from a binary)
 *   slow=SECONDS              each build from source takes so much longer
 *   slow-once=FILE:SECONDS    the same, but only the first time, as if the driver kept what it built: FILE
 *                             remembers (a line for each source and options)
 *   slow-binary=SECONDS       each build from a binary takes so much longer
 *   log=FILE                  a line for each build: "source" or "binary", and the process; and for each
 *                             launch in graft-compile: "launch"
 *   driver=VERSION            the driver's version
 *   name=TEXT                 the device's name ("_" stands for a blank)
 *   skip=KERNEL               launches of this kernel do nothing
 *   crash-launch=KERNEL       a launch of this kernel crashes, in graft-compile only
 */
#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_1_APIS
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl_layer.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static const cl_icd_dispatch *target;
static cl_icd_dispatch table;

/* The value of a word, "" if it has none, NULL if it is not there. */
static const char *fault(const char *word, char value[512])
{
    const char *const all = getenv("GRAFT_FAULT");
    const size_t length = strlen(word);
    for (const char *at = all; at != NULL && *at != '\0';) {
        const size_t size = strcspn(at, " ");
        if (size >= length && memcmp(at, word, length) == 0 && (size == length || at[length] == '=')) {
            const size_t skip = size > length ? length + 1 : length;
            snprintf(value, 512, "%.*s", (int)(size - skip), at + skip);
            return value;
        }
        at += size + strspn(at + size, " ");
    }
    return NULL;
}

static void wait_for(double seconds)
{
    struct timespec time = {(time_t)seconds, (long)(1e9 * (seconds - (double)(time_t)seconds))};
    while (nanosleep(&time, &time) != 0) {
    }
}

static void append_line(const char *path, const char *line)
{
    FILE *const file = fopen(path, "ab");
    if (file != NULL) {
        fprintf(file, "%s\n", line);
        fclose(file);
    }
}

/* True if the file has the line already; else it has it now. */
static bool remembers(const char *path, const char *line)
{
    char text[1024];
    bool found = false;
    FILE *const file = fopen(path, "rb");
    while (file != NULL && !found && fgets(text, sizeof text, file) != NULL) {
        text[strcspn(text, "\n")] = '\0';
        found = strcmp(text, line) == 0;
    }
    if (file != NULL) {
        fclose(file);
    }
    if (!found) {
        append_line(path, line);
    }
    return found;
}

/* By the processor: of a signal that is sent PoCL's handler thinks that it is done with it. A sanitizer would
 * end it in its own way. */
__attribute__((no_sanitize("undefined"))) static void crash(void)
{
    volatile int *const volatile nowhere = NULL;
    *nowhere = 1;
}

static void die(void)
{
    char value[512];
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    if (fault("crash", value) != NULL) {
        crash();
    }
    if (fault("abort", value) != NULL) {
        abort();
    }
    if (fault("exit", value) != NULL) {
        _exit(3);
    }
    while (fault("hang", value) != NULL) {
        wait_for(1);
    }
}

/* "4711 -DVEC=4": the source's length and the options tell programs of one library apart. */
static void be_slow_once(size_t source_size, const char *options)
{
    char value[512], line[900];
    if (fault("slow-once", value) == NULL) {
        return;
    }
    char *const colon = strrchr(value, ':');
    if (colon != NULL) {
        *colon = '\0';
        snprintf(line, sizeof line, "%zu %s", source_size, options != NULL ? options : "");
        if (!remembers(value, line)) {
            wait_for(atof(colon + 1));
        }
    }
}

static cl_int CL_API_CALL build(cl_program program, cl_uint count, const cl_device_id *devices,
                                const char *options, void(CL_CALLBACK *done)(cl_program, void *), void *user)
{
    char value[512], line[64];
    size_t source_size = 0;
    target->clGetProgramInfo(program, CL_PROGRAM_SOURCE, 0, NULL, &source_size);
    const bool source = source_size > 1;
    if (fault("log", value) != NULL) {
        snprintf(line, sizeof line, "%s %ld", source ? "source" : "binary", (long)getpid());
        append_line(value, line);
    }
    if (source) {
        die();
        be_slow_once(source_size, options);
    }
    if (fault(source ? "slow" : "slow-binary", value) != NULL) {
        wait_for(atof(value));
    }
    return target->clBuildProgram(program, count, devices, options, done, user);
}

static cl_int CL_API_CALL device_info(cl_device_id device, cl_device_info what, size_t size, void *result,
                                      size_t *needed)
{
    char value[512];
    const char *const text = what == CL_DRIVER_VERSION ? fault("driver", value)
                             : what == CL_DEVICE_NAME  ? fault("name", value)
                                                       : NULL;
    if (text == NULL) {
        return target->clGetDeviceInfo(device, what, size, result, needed);
    }
    for (char *at = value; *at != '\0'; at++) {
        *at = *at == '_' ? ' ' : *at;
    }
    if (needed != NULL) {
        *needed = strlen(text) + 1;
    }
    if (result != NULL) {
        if (size < strlen(text) + 1) {
            return CL_INVALID_VALUE;
        }
        memcpy(result, text, strlen(text) + 1);
    }
    return CL_SUCCESS;
}

static cl_int CL_API_CALL launch(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions,
                                 const size_t *offset, const size_t *global, const size_t *local,
                                 cl_uint waits, const cl_event *wait, cl_event *event)
{
    char value[512], name[256] = "";
    target->clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, sizeof name, name, NULL);
    if (strcmp(program_invocation_short_name, "graft-compile") == 0) {
        if (fault("log", value) != NULL) {
            char line[64];
            snprintf(line, sizeof line, "launch %ld", (long)getpid());
            append_line(value, line);
        }
        if (fault("crash-launch", value) != NULL && strcmp(name, value) == 0) {
            abort();
        }
    }
    if (fault("skip", value) != NULL && strcmp(name, value) == 0) {
        return event != NULL ? target->clEnqueueMarkerWithWaitList(queue, waits, wait, event) : CL_SUCCESS;
    }
    return target->clEnqueueNDRangeKernel(queue, kernel, dimensions, offset, global, local, waits, wait,
                                          event);
}

__attribute__((visibility("default"))) cl_int CL_API_CALL clGetLayerInfo(cl_layer_info what, size_t size,
                                                                         void *result, size_t *needed)
{
    static const cl_layer_api_version version = CL_LAYER_API_VERSION_100;
    static const char name[] = "faults for tests";
    const void *const value = what == CL_LAYER_API_VERSION ? (const void *)&version : name;
    const size_t value_size = what == CL_LAYER_API_VERSION ? sizeof version : sizeof name;
    if (what != CL_LAYER_API_VERSION && what != CL_LAYER_NAME) {
        return CL_INVALID_VALUE;
    }
    if (needed != NULL) {
        *needed = value_size;
    }
    if (result != NULL) {
        if (size < value_size) {
            return CL_INVALID_VALUE;
        }
        memcpy(result, value, value_size);
    }
    return CL_SUCCESS;
}

__attribute__((visibility("default"))) cl_int CL_API_CALL clInitLayer(cl_uint entries,
                                                                      const cl_icd_dispatch *loader,
                                                                      cl_uint *given,
                                                                      const cl_icd_dispatch **result)
{
    const cl_uint count = sizeof table / sizeof table.clGetPlatformIDs;
    if (loader == NULL || given == NULL || result == NULL || entries < count) {
        return CL_INVALID_VALUE;
    }
    target = loader;
    table = *loader;
    table.clBuildProgram = build;
    table.clGetDeviceInfo = device_info;
    table.clEnqueueNDRangeKernel = launch;
    *given = count;
    *result = &table;
    return CL_SUCCESS;
}
