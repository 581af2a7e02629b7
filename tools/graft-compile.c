/* SPDX-License-Identifier: MIT */
/*
 * The helper that compiles OpenCL programs for the library, so that a compiler that crashes takes only this
 * process with it. Started by the library with a socket as standard input; serves requests
 * (backend/opencl/compile.h) until nobody asks any more.
 */
#include "backend/opencl/compile.h"
#include "base/clock.h"
#include "compile_launch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SOCKET 0
#define MOST 64 /* platforms, devices of one */
#define KEPT 8  /* programs whose kernels may be asked for */

/* A program that was built. */
struct built {
    char *options;
    char *source;
    cl_program program;
};

/* Between requests. */
struct helper {
    struct graft_compile_request last; /* the device that is open */
    cl_device_id device;
    cl_context context;
    struct built kept[KEPT];
    unsigned next; /* of kept, to be replaced */
};

/* A request with what follows it. */
struct work {
    struct graft_compile_request request;
    char *identity;
    char *options;
    char *source;
    char *kernel;
};

static bool receive(void *data, size_t size)
{
    char *bytes = data;
    while (size > 0) {
        const ssize_t got = recv(SOCKET, bytes, size, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        bytes += got;
        size -= (size_t)got;
    }
    return true;
}

static bool give(const void *data, size_t size)
{
    const char *bytes = data;
    while (size > 0) {
        const ssize_t sent = send(SOCKET, bytes, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            return false;
        }
        bytes += sent;
        size -= (size_t)sent;
    }
    return true;
}

/* A text of `size` bytes, its zero included; NULL at the end of the stream or if it is none. */
static char *receive_text(uint32_t size)
{
    char *const text = size > 0 && size <= GRAFT_COMPILE_MOST ? malloc(size) : NULL;
    if (text != NULL && receive(text, size) && text[size - 1] == '\0') {
        return text;
    }
    free(text);
    return NULL;
}

static void close_work(struct work *work)
{
    free(work->identity);
    free(work->options);
    free(work->source);
    free(work->kernel);
    *work = (struct work){.identity = NULL};
}

/* False when nobody asks any more. */
static bool receive_work(struct work *work)
{
    struct pollfd waiting = {SOCKET, POLLIN, 0};
    *work = (struct work){.identity = NULL};
    if (poll(&waiting, 1, GRAFT_COMPILE_IDLE * 1000) <= 0 ||
        !receive(&work->request, sizeof(work->request)) || work->request.magic != GRAFT_COMPILE_MAGIC) {
        return false;
    }
    work->identity = receive_text(work->request.identity_size);
    work->options = work->identity != NULL ? receive_text(work->request.options_size) : NULL;
    work->source = work->options != NULL ? receive_text(work->request.source_size) : NULL;
    work->kernel = work->source != NULL ? receive_text(work->request.kernel_size) : NULL;
    return work->kernel != NULL;
}

static void forget(struct built *built)
{
    if (built->program != NULL) {
        clReleaseProgram(built->program);
    }
    free(built->options);
    free(built->source);
    *built = (struct built){.program = NULL};
}

/* The program, if it was built before. */
static cl_program find_program(const struct helper *helper, const struct work *work)
{
    for (unsigned i = 0; i < KEPT; i++) {
        const struct built *const built = &helper->kept[i];
        if (built->program != NULL && strcmp(built->options, work->options) == 0 &&
            strcmp(built->source, work->source) == 0) {
            return built->program;
        }
    }
    return NULL;
}

/* Takes the program, and the texts from the work. */
static void keep_program(struct helper *helper, struct work *work, cl_program program)
{
    struct built *const built = &helper->kept[helper->next++ % KEPT];
    forget(built);
    *built = (struct built){work->options, work->source, program};
    work->options = work->source = NULL;
}

/* The device asked for, if it is that one; opened once. */
static bool open_device(struct helper *helper, const struct work *work)
{
    const struct graft_compile_request *const request = &work->request;
    cl_platform_id platforms[MOST];
    cl_device_id devices[MOST];
    cl_uint count = 0;
    char identity[1200];
    if (helper->context != NULL && helper->last.platform == request->platform &&
        helper->last.device == request->device) {
        return true;
    }
    if (clGetPlatformIDs(MOST, platforms, &count) != CL_SUCCESS || request->platform >= count ||
        request->platform >= MOST) {
        return false;
    }
    const cl_platform_id platform = platforms[request->platform];
    if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, MOST, devices, &count) != CL_SUCCESS ||
        request->device >= count || request->device >= MOST) {
        return false;
    }
    graft_compile_identity(platform, devices[request->device], identity, sizeof(identity));
    if (strcmp(identity, work->identity) != 0) {
        return false;
    }
    const cl_context_properties properties[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)platform, 0};
    cl_int code = CL_SUCCESS;
    for (unsigned i = 0; i < KEPT; i++) {
        forget(&helper->kept[i]);
    }
    if (helper->context != NULL) {
        clReleaseContext(helper->context);
    }
    helper->device = devices[request->device];
    helper->last = *request;
    helper->context = clCreateContext(properties, 1, &helper->device, NULL, NULL, &code);
    return code == CL_SUCCESS;
}

static char *read_log(const struct helper *helper, cl_program program, uint32_t *size)
{
    size_t length = 0;
    *size = 0;
    if (clGetProgramBuildInfo(program, helper->device, CL_PROGRAM_BUILD_LOG, 0, NULL, &length) !=
            CL_SUCCESS ||
        length == 0) {
        return NULL;
    }
    char *const log = calloc(length + 1, 1);
    if (log != NULL) {
        clGetProgramBuildInfo(program, helper->device, CL_PROGRAM_BUILD_LOG, length, log, NULL);
        *size = (uint32_t)(length < GRAFT_COMPILE_LOG ? length + 1 : GRAFT_COMPILE_LOG);
        log[*size - 1] = '\0';
    }
    return log;
}

static unsigned char *read_binary(cl_program program, uint64_t *result)
{
    size_t size = 0;
    *result = 0;
    if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof(size), &size, NULL) != CL_SUCCESS ||
        size == 0 || size > GRAFT_COMPILE_MOST) {
        return NULL;
    }
    unsigned char *const binary = calloc(size, 1);
    if (binary != NULL &&
        clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof(binary), (void *)&binary, NULL) == CL_SUCCESS) {
        *result = size;
    }
    return binary;
}

/* Builds the program; NULL with what goes wrong in reply and log. */
static cl_program build(const struct helper *helper, const struct work *work,
                        struct graft_compile_reply *reply, char **log)
{
    const char *const source = work->source;
    cl_int code = CL_SUCCESS;
    const cl_program program =
        clCreateProgramWithSource(helper->context, 1, (const char **)&source, NULL, &code);
    if (program == NULL) {
        return NULL;
    }
    const double begin = graft_seconds();
    reply->code = clBuildProgram(program, 1, &helper->device, work->options, NULL, NULL);
    reply->seconds = graft_seconds() - begin;
    reply->result = reply->code == CL_SUCCESS ? GRAFT_COMPILE_BUILT : GRAFT_COMPILE_FAILED;
    if (reply->code == CL_SUCCESS) {
        return program;
    }
    *log = read_log(helper, program, &reply->log_size);
    clReleaseProgram(program);
    return NULL;
}

static bool serve(struct helper *helper, struct work *work)
{
    struct graft_compile_reply reply = {.magic = GRAFT_COMPILE_MAGIC, .result = GRAFT_COMPILE_NO_DEVICE};
    char *log = NULL;
    unsigned char *binary = NULL;
    if (open_device(helper, work)) {
        cl_program program = find_program(helper, work);
        if (program != NULL) {
            reply.result = GRAFT_COMPILE_BUILT;
        } else {
            program = build(helper, work, &reply, &log);
            if (program != NULL) {
                keep_program(helper, work, program);
            }
        }
        if (program != NULL && work->kernel[0] != '\0') {
            (void)graft_compile_launch(helper->context, helper->device, program, work->kernel);
        }
        if (program != NULL && work->request.binary != 0) {
            binary = read_binary(program, &reply.binary_size);
        }
    }
    const bool good =
        give(&reply, sizeof(reply)) && give(log, reply.log_size) && give(binary, (size_t)reply.binary_size);
    free(log);
    free(binary);
    return good;
}

/* close_range() is not in every C library, nor in every kernel. */
static void close_from(int first)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, (unsigned)first, ~0u, 0u) == 0)
        return;
#endif
    for (long i = first, end = sysconf(_SC_OPEN_MAX); i < end && i < 65536; i++)
        close((int)i);
}

int main(void)
{
    const struct rlimit none = {0, 0};
    struct helper helper = {.context = NULL};
    struct work work;
    bool good = true;
    /* Whatever the starting process had open is not ours: a pipe kept open here would never end there. */
    close_from(3);
    setrlimit(RLIMIT_CORE, &none);
    signal(SIGINT, SIG_IGN); /* who started us decides, and our socket ends with it */
    const uint32_t hello = GRAFT_COMPILE_MAGIC;
    good = give(&hello, sizeof(hello));
    while (good && receive_work(&work)) {
        alarm(work.request.seconds);
        good = serve(&helper, &work);
        alarm(0);
        close_work(&work);
    }
    /* The driver is not closed: what is left goes with the process, and its clean-up can only go wrong. */
    _exit(0);
}
