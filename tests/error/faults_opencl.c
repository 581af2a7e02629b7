/* SPDX-License-Identifier: MIT */
/*
 * Every OpenCL call that the library makes, passed on to the loader or made to fail; covered.py checks that
 * none is missing here. A function that releases does so even when it reports a failure, as nobody could do
 * better.
 */
#define CL_TARGET_OPENCL_VERSION 120
#include "faults.h"

#include <CL/cl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -9999 is what a GPU's driver says after a fault on the device; it is in no header. */
static const cl_int codes[] = {CL_OUT_OF_RESOURCES, CL_OUT_OF_HOST_MEMORY, CL_MEM_OBJECT_ALLOCATION_FAILURE,
                               CL_DEVICE_NOT_AVAILABLE, -9999};
_Static_assert(sizeof codes / sizeof codes[0] == 5, "fault_variants says how many");

enum object { CONTEXT, QUEUE, BUFFER, PROGRAM, KERNEL, EVENT, OBJECTS };
static const char *const object_names[OBJECTS] = {"cl_context", "cl_command_queue", "cl_mem",
                                                  "cl_program", "cl_kernel",        "cl_event"};
static atomic_long objects[OBJECTS];

long fault_opencl_alive(const char **what)
{
    long sum = 0;
    for (int i = 0; i < OBJECTS; i++) {
        const long count = atomic_load(&objects[i]);
        if (count != 0) {
            *what = object_names[i];
        }
        sum += count < 0 ? -count : count;
    }
    return sum;
}

void fault_opencl_forget(void)
{
    for (int i = 0; i < OBJECTS; i++) {
        atomic_store(&objects[i], 0);
    }
}

static void *real(const char *name)
{
    static void *loader; /* the same for all threads: dlopen counts */
    if (loader == NULL) {
        loader = dlopen("libOpenCL.so.1", RTLD_NOW);
    }
    void *const function = loader != NULL ? dlsym(loader, name) : NULL;
    if (function == NULL) {
        fprintf(stderr, "no %s in libOpenCL.so.1\n", name);
        abort();
    }
    return function;
}

/* Looked up once for each function. */
#define REAL(name)                                                                                           \
    static _Atomic(void *) known;                                                                            \
    if (known == NULL) {                                                                                     \
        known = real(#name);                                                                                 \
    }                                                                                                        \
    __typeof__(&name) const next = (__typeof__(&name))known;

static bool fails(const char *name, cl_int *code)
{
    if (!fault_point(FAULT_OPENCL, name)) {
        return false;
    }
    *code = codes[fault_variant() % 5];
    return true;
}

#define CALL(name, parameters, arguments)                                                                    \
    cl_int name parameters                                                                                   \
    {                                                                                                        \
        REAL(name)                                                                                           \
        cl_int code;                                                                                         \
        return fails(#name, &code) ? code : next arguments;                                                  \
    }

/* Asks for something: `size` bytes at `to`. */
#define QUESTION(name, parameters, arguments, size, to)                                                      \
    cl_int name parameters                                                                                   \
    {                                                                                                        \
        REAL(name)                                                                                           \
        cl_int code;                                                                                         \
        if (fails(#name, &code)) {                                                                           \
            return code;                                                                                     \
        }                                                                                                    \
        if (fault_point(FAULT_ANSWER, #name)) {                                                              \
            rubbish(to, size, needed);                                                                       \
            return CL_SUCCESS;                                                                               \
        }                                                                                                    \
        return next arguments;                                                                               \
    }

static void rubbish(void *to, size_t size, size_t *needed)
{
    const int byte = fault_variant() == 1 ? 0xFF : 0;
    if (to != NULL && fault_variant() > 0) {
        memset(to, byte, size);
    }
    if (needed != NULL) {
        memset(needed, byte, sizeof *needed);
    }
}

#define CREATE(type, name, kind, parameters, arguments)                                                      \
    type name parameters                                                                                     \
    {                                                                                                        \
        REAL(name)                                                                                           \
        cl_int code = CL_SUCCESS, ignored;                                                                   \
        if (result == NULL) {                                                                                \
            result = &ignored;                                                                               \
        }                                                                                                    \
        if (fails(#name, &code)) {                                                                           \
            *result = code;                                                                                  \
            return NULL;                                                                                     \
        }                                                                                                    \
        type const made = next arguments;                                                                    \
        if (made != NULL) {                                                                                  \
            atomic_fetch_add(&objects[kind], 1);                                                             \
        }                                                                                                    \
        return made;                                                                                         \
    }

#define COUNTED(name, kind, step, type)                                                                      \
    cl_int name(type object)                                                                                 \
    {                                                                                                        \
        REAL(name)                                                                                           \
        cl_int code = CL_SUCCESS;                                                                            \
        const cl_int done = next(object);                                                                    \
        if (done == CL_SUCCESS) {                                                                            \
            atomic_fetch_add(&objects[kind], step);                                                          \
        }                                                                                                    \
        return fails(#name, &code) ? code : done;                                                            \
    }

/* ---- commands that fail after they were taken: a marker runs in their place, and its event is remembered */

#define MAX_FAILED 4096
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    cl_event event;
    int references; /* the program's; a driver has some of its own */
} failed[MAX_FAILED];
static int failed_count;

static bool is_failed(cl_event event)
{
    pthread_mutex_lock(&lock);
    bool found = false;
    for (int i = 0; i < failed_count; i++) {
        found = found || failed[i].event == event;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

/* Then a command is given up, too. */
static bool waits_for_failed(cl_uint count, const cl_event *events)
{
    bool found = false;
    for (cl_uint i = 0; i < count; i++) {
        found = found || is_failed(events[i]);
    }
    return found;
}

/* With the last reference it is forgotten: another event may have its address. */
static void refer(cl_event event, int step)
{
    pthread_mutex_lock(&lock);
    for (int i = 0; i < failed_count; i++) {
        if (failed[i].event == event && (failed[i].references += step) == 0) {
            failed[i--] = failed[--failed_count];
        }
    }
    pthread_mutex_unlock(&lock);
}

static cl_int counted(cl_int code, const cl_event *event)
{
    if (code == CL_SUCCESS && event != NULL) {
        atomic_fetch_add(&objects[EVENT], 1);
    }
    return code;
}

static cl_int take_and_fail(cl_command_queue queue, cl_event *event)
{
    const cl_int code = counted(clEnqueueMarkerWithWaitList(queue, 0, NULL, event), NULL);
    if (code == CL_SUCCESS && event != NULL) {
        pthread_mutex_lock(&lock);
        if (failed_count < MAX_FAILED) {
            failed[failed_count].event = *event;
            failed[failed_count++].references = 1;
        }
        pthread_mutex_unlock(&lock);
    }
    return code;
}

/* Nobody can learn that a blocking command failed but from its code. */
#define ENQUEUE(name, parameters, arguments, blocking)                                                       \
    cl_int name parameters                                                                                   \
    {                                                                                                        \
        REAL(name)                                                                                           \
        cl_int code;                                                                                         \
        if (fails(#name, &code)) {                                                                           \
            return code;                                                                                     \
        }                                                                                                    \
        if (fault_point(FAULT_EVENT, #name) || waits_for_failed(wait_count, wait)) {                         \
            return blocking ? CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST : take_and_fail(queue, event);    \
        }                                                                                                    \
        return counted(next arguments, event);                                                               \
    }

#define LIST cl_uint wait_count, const cl_event *wait, cl_event *event
#define LISTED wait_count, wait, event

/* ---- platforms and devices */
CALL(clGetPlatformIDs, (cl_uint room, cl_platform_id *ids, cl_uint *count), (room, ids, count))
QUESTION(clGetPlatformInfo,
         (cl_platform_id id, cl_platform_info what, size_t size, void *value, size_t *needed),
         (id, what, size, value, needed), size, value)
CALL(clGetDeviceIDs,
     (cl_platform_id platform, cl_device_type type, cl_uint room, cl_device_id *ids, cl_uint *count),
     (platform, type, room, ids, count))
QUESTION(clGetDeviceInfo, (cl_device_id id, cl_device_info what, size_t size, void *value, size_t *needed),
         (id, what, size, value, needed), size, value)
QUESTION(clGetContextInfo,
         (cl_context object, cl_context_info what, size_t size, void *value, size_t *needed),
         (object, what, size, value, needed), size, value)
QUESTION(clGetCommandQueueInfo,
         (cl_command_queue object, cl_command_queue_info what, size_t size, void *value, size_t *needed),
         (object, what, size, value, needed), size, value)
CREATE(cl_command_queue, clCreateCommandQueue, QUEUE,
       (cl_context context, cl_device_id id, cl_command_queue_properties properties, cl_int *result),
       (context, id, properties, result))
COUNTED(clRetainContext, CONTEXT, 1, cl_context)
COUNTED(clReleaseContext, CONTEXT, -1, cl_context)

static void keep_context(cl_context context)
{
    REAL(clRetainContext)(void) next(context);
}

/* One context of the driver stands for all of a device, so that programs outlive trials (see below). */
cl_context clCreateContext(const cl_context_properties *properties, cl_uint count, const cl_device_id *ids,
                           void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *), void *user,
                           cl_int *result)
{
    static cl_context kept;
    static cl_device_id kept_id;
    REAL(clCreateContext)
    if (fails("clCreateContext", result)) {
        return NULL;
    }
    const bool simple = count == 1 && notify == NULL;
    const bool same = simple && kept != NULL && kept_id == ids[0];
    const cl_context made = same ? kept : next(properties, count, ids, notify, user, result);
    if (made != NULL && simple) {
        kept = made;
        kept_id = ids[0];
        keep_context(made); /* for who asked, or for us */
        *result = CL_SUCCESS;
    }
    atomic_fetch_add(&objects[CONTEXT], made != NULL);
    return made;
}
COUNTED(clRetainCommandQueue, QUEUE, 1, cl_command_queue)
COUNTED(clReleaseCommandQueue, QUEUE, -1, cl_command_queue)

/* ---- buffers */
CREATE(cl_mem, clCreateBuffer, BUFFER,
       (cl_context context, cl_mem_flags flags, size_t size, void *host, cl_int *result),
       (context, flags, size, host, result))
CREATE(cl_mem, clCreateSubBuffer, BUFFER,
       (cl_mem buffer, cl_mem_flags flags, cl_buffer_create_type type, const void *region, cl_int *result),
       (buffer, flags, type, region, result))
COUNTED(clRetainMemObject, BUFFER, 1, cl_mem)
COUNTED(clReleaseMemObject, BUFFER, -1, cl_mem)

/*
 * ---- programs and kernels
 *
 * A trial builds what all trials before it have built, and a driver needs a tenth of a second for each
 * program that it has compiled before (PoCL): so what was built stays, and stands for the same source and
 * options later. What the library sees as a program is one of these.
 */
#define MAX_PROGRAMS 512
#define MAX_OPTIONS 1200
static struct seen {
    cl_program real; /* NULL: free */
    cl_context context;
    uint64_t source; /* its hash; 0: from a binary */
} seen[MAX_PROGRAMS];
static struct built {
    cl_context context;
    cl_program real;
    uint64_t source;
    char options[MAX_OPTIONS];
} built[MAX_PROGRAMS];
static int built_count;

static struct seen *seen_of(cl_program program)
{
    return (struct seen *)(void *)program;
}

static void count_real(cl_program program, bool more)
{
    if (more) {
        REAL(clRetainProgram)(void) next(program);
    } else {
        REAL(clReleaseProgram)(void) next(program);
    }
}

/* A program for the library to see; it takes the real one. */
static cl_program show_program(cl_context context, cl_program real, uint64_t source)
{
    for (int i = 0; i < MAX_PROGRAMS && real != NULL; i++) {
        if (seen[i].real == NULL) {
            seen[i] = (struct seen){real, context, source};
            atomic_fetch_add(&objects[PROGRAM], 1);
            return (cl_program)(void *)&seen[i];
        }
    }
    return NULL;
}

cl_program clCreateProgramWithSource(cl_context context, cl_uint count, const char **texts,
                                     const size_t *sizes, cl_int *result)
{
    REAL(clCreateProgramWithSource)
    uint64_t hash = 0xcbf29ce484222325u;
    if (fails("clCreateProgramWithSource", result)) {
        return NULL;
    }
    for (cl_uint i = 0; i < count; i++) {
        const size_t size = sizes != NULL && sizes[i] != 0 ? sizes[i] : strlen(texts[i]);
        for (size_t k = 0; k < size; k++) {
            hash = (hash ^ (unsigned char)texts[i][k]) * 0x100000001b3u;
        }
    }
    return show_program(context, next(context, count, texts, sizes, result), hash);
}

cl_program clCreateProgramWithBinary(cl_context context, cl_uint count, const cl_device_id *ids,
                                     const size_t *sizes, const unsigned char **binaries, cl_int *each,
                                     cl_int *result)
{
    REAL(clCreateProgramWithBinary)
    if (fails("clCreateProgramWithBinary", result)) {
        return NULL;
    }
    return show_program(context, next(context, count, ids, sizes, binaries, each, result), 0);
}

cl_int clBuildProgram(cl_program program, cl_uint count, const cl_device_id *ids, const char *options,
                      void(CL_CALLBACK *notify)(cl_program, void *), void *user)
{
    REAL(clBuildProgram)
    struct seen *const see = seen_of(program);
    cl_int code;
    if (fails("clBuildProgram", &code)) {
        return code;
    }
    const char *const text = options != NULL ? options : "";
    for (int i = 0; i < built_count; i++) {
        if (built[i].source == see->source && built[i].context == see->context &&
            strcmp(built[i].options, text) == 0) {
            count_real(built[i].real, true);
            count_real(see->real, false);
            see->real = built[i].real;
            return CL_SUCCESS;
        }
    }
    code = next(see->real, count, ids, options, notify, user);
    if (code == CL_SUCCESS && see->source != 0 && built_count < MAX_PROGRAMS && strlen(text) < MAX_OPTIONS) {
        struct built *const entry = &built[built_count++];
        *entry = (struct built){.context = see->context, .real = see->real, .source = see->source};
        (void)snprintf(entry->options, sizeof entry->options, "%s", text);
        count_real(entry->real, true);
    }
    return code;
}

cl_int clReleaseProgram(cl_program program)
{
    cl_int code = CL_SUCCESS;
    count_real(seen_of(program)->real, false);
    seen_of(program)->real = NULL;
    atomic_fetch_sub(&objects[PROGRAM], 1);
    return fails("clReleaseProgram", &code) ? code : CL_SUCCESS;
}

QUESTION(clGetProgramInfo,
         (cl_program object, cl_program_info what, size_t size, void *value, size_t *needed),
         (seen_of(object)->real, what, size, value, needed), what == CL_PROGRAM_BINARIES ? 0 : size, value)
QUESTION(clGetProgramBuildInfo,
         (cl_program object, cl_device_id id, cl_program_build_info what, size_t size, void *value,
          size_t *needed),
         (seen_of(object)->real, id, what, size, value, needed), size, value)
CREATE(cl_kernel, clCreateKernel, KERNEL, (cl_program program, const char *name, cl_int *result),
       (seen_of(program)->real, name, result))
QUESTION(clGetKernelWorkGroupInfo,
         (cl_kernel object, cl_device_id id, cl_kernel_work_group_info what, size_t size, void *value,
          size_t *needed),
         (object, id, what, size, value, needed), size, value)
CALL(clSetKernelArg, (cl_kernel kernel, cl_uint index, size_t size, const void *value),
     (kernel, index, size, value))
COUNTED(clReleaseKernel, KERNEL, -1, cl_kernel)

/* ---- the queue */
ENQUEUE(clEnqueueNDRangeKernel,
        (cl_command_queue queue, cl_kernel kernel, cl_uint dimensions, const size_t *offset,
         const size_t *global, const size_t *local, LIST),
        (queue, kernel, dimensions, offset, global, local, LISTED), false)
ENQUEUE(clEnqueueCopyBuffer,
        (cl_command_queue queue, cl_mem from, cl_mem to, size_t from_at, size_t to_at, size_t size, LIST),
        (queue, from, to, from_at, to_at, size, LISTED), false)
ENQUEUE(clEnqueueFillBuffer,
        (cl_command_queue queue, cl_mem to, const void *pattern, size_t pattern_size, size_t at, size_t size,
         LIST),
        (queue, to, pattern, pattern_size, at, size, LISTED), false)
ENQUEUE(clEnqueueReadBuffer,
        (cl_command_queue queue, cl_mem from, cl_bool blocking, size_t at, size_t size, void *to, LIST),
        (queue, from, blocking, at, size, to, LISTED), blocking)
ENQUEUE(clEnqueueWriteBuffer,
        (cl_command_queue queue, cl_mem to, cl_bool blocking, size_t at, size_t size, const void *from, LIST),
        (queue, to, blocking, at, size, from, LISTED), blocking)
ENQUEUE(clEnqueueUnmapMemObject, (cl_command_queue queue, cl_mem memory, void *mapped, LIST),
        (queue, memory, mapped, LISTED), false)

cl_int clEnqueueMarkerWithWaitList(cl_command_queue queue, LIST)
{
    REAL(clEnqueueMarkerWithWaitList)
    cl_int code;
    return fails("clEnqueueMarkerWithWaitList", &code) ? code : counted(next(queue, LISTED), event);
}

void *clEnqueueMapBuffer(cl_command_queue queue, cl_mem memory, cl_bool blocking, cl_map_flags flags,
                         size_t at, size_t size, LIST, cl_int *result)
{
    REAL(clEnqueueMapBuffer)
    cl_int code, ignored;
    result = result == NULL ? &ignored : result;
    if (fails("clEnqueueMapBuffer", &code)) {
        *result = code;
        return NULL;
    }
    if (fault_point(FAULT_EVENT, "clEnqueueMapBuffer")) {
        *result = CL_MAP_FAILURE;
        return NULL;
    }
    void *const mapped = next(queue, memory, blocking, flags, at, size, LISTED, result);
    (void)counted(*result, event);
    return mapped;
}

CALL(clFlush, (cl_command_queue queue), (queue))
CALL(clFinish, (cl_command_queue queue), (queue))

/* ---- events */
cl_int clRetainEvent(cl_event event)
{
    REAL(clRetainEvent)
    cl_int code = CL_SUCCESS;
    const cl_int done = next(event);
    if (done == CL_SUCCESS) {
        atomic_fetch_add(&objects[EVENT], 1);
        refer(event, 1);
    }
    return fails("clRetainEvent", &code) ? code : done;
}

cl_int clReleaseEvent(cl_event event)
{
    REAL(clReleaseEvent)
    cl_int code = CL_SUCCESS;
    refer(event, -1);
    const cl_int done = next(event);
    if (done == CL_SUCCESS) {
        atomic_fetch_sub(&objects[EVENT], 1);
    }
    return fails("clReleaseEvent", &code) ? code : done;
}

cl_int clWaitForEvents(cl_uint count, const cl_event *events)
{
    REAL(clWaitForEvents)
    cl_int code = CL_SUCCESS;
    if (fails("clWaitForEvents", &code)) {
        return code;
    }
    code = next(count, events);
    for (cl_uint i = 0; i < count; i++) {
        code = is_failed(events[i]) ? CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST : code;
    }
    return code;
}

cl_int clGetEventInfo(cl_event event, cl_event_info what, size_t size, void *value, size_t *needed)
{
    REAL(clGetEventInfo)
    cl_int code = CL_SUCCESS;
    if (fails("clGetEventInfo", &code)) {
        return code;
    }
    if (what == CL_EVENT_COMMAND_EXECUTION_STATUS && size >= sizeof code && is_failed(event)) {
        code = CL_OUT_OF_RESOURCES;
        memcpy(value, &code, sizeof code);
        return CL_SUCCESS;
    }
    return next(event, what, size, value, needed);
}

cl_int clGetEventProfilingInfo(cl_event event, cl_profiling_info what, size_t size, void *value,
                               size_t *needed)
{
    REAL(clGetEventProfilingInfo)
    cl_int code = CL_SUCCESS;
    if (fails("clGetEventProfilingInfo", &code)) {
        return code;
    }
    return is_failed(event) ? CL_PROFILING_INFO_NOT_AVAILABLE : next(event, what, size, value, needed);
}
