/* SPDX-License-Identifier: MIT */
/* The library's side of graft-compile: start it, ask, wait, and say how it ended. */
#include "backend/opencl/child.h"

#include "backend/opencl/compile.h"
#include "backend/opencl/internal.h"
#include "base/context.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELPER "graft-compile"
#define MAX_DEVICES 64
#define DEFAULT_TIMEOUT 240
#define HELLO_TIMEOUT 30 /* seconds: a program is started */
#define TELL_AFTER 1.0   /* seconds of compiling until the user is told */
#define LOOK_EVERY 200   /* milliseconds: cancellation, progress */

extern char **environ;

struct graft_opencl_child {
    pid_t pid;
    int socket;
    bool unused;  /* nothing was asked since it was started */
    bool useless; /* there is none, or it cannot open the device: not tried again */
    bool shown;   /* a line of progress */
    int programs; /* compiled so far */
    double seconds;
};

/* ---- where it is ---- */

/* "FOLDER/HELPER" beside `file`, or "FOLDER/../libexec/graft/HELPER". */
static bool beside(const char *file, const char *between, char *path, size_t size)
{
    const char *const slash = strrchr(file, '/');
    if (slash == NULL)
        return false;
    const int length = snprintf(path, size, "%.*s/%s" HELPER, (int)(slash - file), file, between);
    return length > 0 && (size_t)length < size && access(path, X_OK) == 0;
}

bool graft_opencl_child_find(char *path, size_t size)
{
    const char *const given = secure_getenv("GRAFT_COMPILER");
    char self[4096];
    Dl_info library;
    if (given != NULL) {
        const int length = snprintf(path, size, "%s", given);
        return length > 0 && (size_t)length < size && access(path, X_OK) == 0;
    }
    const bool known = dladdr((const void *)(uintptr_t)graft_opencl_child_find, &library) != 0;
    const ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[length > 0 ? length : 0] = '\0';
    for (int i = 0; i < 2; i++) {
        const char *const between = i == 0 ? "" : "../libexec/graft/";
        if ((known && library.dli_fname != NULL && beside(library.dli_fname, between, path, size)) ||
            beside(self, between, path, size))
            return true;
    }
    return beside(GRAFT_LIBEXEC "/", "", path, size);
}

/* ---- start and end ---- */

/* Waits for its end and describes it: "crashed with SIGSEGV". */
static void reap(struct graft_opencl_child *child, char *text, size_t size)
{
    int status = 0;
    pid_t ended = -1;
    shutdown(child->socket, SHUT_RDWR); /* seen by the helper even if a forked process keeps a copy open */
    close(child->socket);
    child->socket = -1;
    do
        ended = waitpid(child->pid, &status, 0);
    while (ended < 0 && errno == EINTR);
    child->pid = 0;
    if (ended < 0) { /* the program collects all its children itself */
        snprintf(text, size, "ended");
    } else if (WIFSIGNALED(status)) {
        const char *const name = sigabbrev_np(WTERMSIG(status));
        snprintf(text, size, "crashed with SIG%s", name != NULL ? name : "?");
    } else {
        snprintf(text, size, "ended with exit code %d", WEXITSTATUS(status));
    }
}

/* Its standard input is the socket; what the driver prints goes nowhere. */
static bool spawn(struct graft_opencl_child *child, const char *path, int end)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, usual;
    char *arguments[] = {(char *)(uintptr_t)"graft-compile", NULL};
    if (posix_spawn_file_actions_init(&files) != 0)
        return false;
    if (posix_spawnattr_init(&attributes) != 0) {
        posix_spawn_file_actions_destroy(&files);
        return false;
    }
    sigemptyset(&none);
    sigfillset(&usual);
    bool good = posix_spawn_file_actions_adddup2(&files, end, 0) == 0 &&
                posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0) == 0 &&
                posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0) == 0 &&
                posix_spawnattr_setsigmask(&attributes, &none) == 0 &&
                posix_spawnattr_setsigdefault(&attributes, &usual) == 0 &&
                posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF) == 0;
    good = good && posix_spawn(&child->pid, path, &files, &attributes, arguments, environ) == 0;
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return good;
}

/* It says hello before it touches the driver: what ends without is a helper that does not run here. */
static bool hears_hello(const struct graft_opencl_child *child)
{
    uint32_t hello = 0;
    struct pollfd waiting = {child->socket, POLLIN, 0};
    const double until = graft_opencl_now() + HELLO_TIMEOUT;
    int ready = 0;
    while (ready <= 0 && graft_opencl_now() < until)
        ready = poll(&waiting, 1, LOOK_EVERY);
    return ready > 0 && recv(child->socket, &hello, sizeof(hello), MSG_WAITALL) == sizeof(hello) &&
           hello == GRAFT_COMPILE_MAGIC;
}

static bool start(struct graft_opencl_child *child)
{
    char path[4096], end[64];
    int ends[2];
    if (child->pid > 0)
        return true;
    if (!graft_opencl_child_find(path, sizeof(path)) ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    child->socket = ends[0];
    child->unused = true;
    const bool started = spawn(child, path, ends[1]);
    close(ends[1]);
    if (!started) {
        close(ends[0]);
        child->pid = 0;
        return false;
    }
    if (hears_hello(child))
        return true;
    kill(child->pid, SIGKILL);
    reap(child, end, sizeof(end));
    return false;
}

void graft_opencl_child_close(struct graft_opencl_device *device)
{
    struct graft_opencl_child *const child = device->child;
    char text[64];
    if (child != NULL && child->pid > 0)
        reap(child, text, sizeof(text));
    graft_release(device->base.context, child);
    device->child = NULL;
}

/* ---- one request ---- */

enum heard { HEARD_ALL, HEARD_END, HEARD_NOTHING, HEARD_CANCELLED };

struct exchange {
    struct graft_opencl_device *device;
    struct graft_opencl_child *child;
    const char *source;
    double begin;
    double until;
};

static void show(struct exchange *exchange, double now)
{
    struct graft_opencl_child *const child = exchange->child;
    const double seconds = child->seconds + now - exchange->begin;
    if (seconds < TELL_AFTER)
        return;
    child->shown = true;
    graft_log(exchange->device->base.context, GRAFT_LOG_PROGRESS,
              "compiling kernels for %s, this time only: program %d (%s), %.0f s",
              exchange->device->base.info.id, child->programs + 1, exchange->source, seconds);
}

static enum heard receive(struct exchange *exchange, void *data, size_t size)
{
    struct graft_context *const context = exchange->device->base.context;
    char *bytes = data;
    while (size > 0) {
        struct pollfd waiting = {exchange->child->socket, POLLIN, 0};
        const int ready = poll(&waiting, 1, LOOK_EVERY);
        const double now = graft_opencl_now();
        if (graft_context_cancelled(context))
            return HEARD_CANCELLED;
        if (ready <= 0 && now > exchange->until)
            return HEARD_NOTHING;
        show(exchange, now);
        if (ready <= 0)
            continue;
        const ssize_t got = recv(exchange->child->socket, bytes, size, MSG_DONTWAIT);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0)
            return HEARD_END;
        bytes += got;
        size -= (size_t)got;
    }
    return HEARD_ALL;
}

static bool give(const struct graft_opencl_child *child, const void *data, size_t size)
{
    const char *bytes = data;
    while (size > 0) {
        const ssize_t sent = send(child->socket, bytes, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        bytes += sent;
        size -= (size_t)sent;
    }
    return true;
}

/* The device's place in the loader's lists. */
static bool find_place(const struct graft_opencl_device *device, struct graft_compile_request *request)
{
    cl_platform_id platforms[MAX_DEVICES];
    cl_device_id ids[MAX_DEVICES];
    cl_uint count = 0;
    if (clGetPlatformIDs(MAX_DEVICES, platforms, &count) != CL_SUCCESS)
        return false;
    for (cl_uint p = 0; p < count && p < MAX_DEVICES; p++) {
        cl_uint devices = 0;
        if (platforms[p] != device->platform ||
            clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, MAX_DEVICES, ids, &devices) != CL_SUCCESS)
            continue;
        for (cl_uint d = 0; d < devices && d < MAX_DEVICES; d++) {
            if (ids[d] == device->id) {
                request->platform = p;
                request->device = d;
                return true;
            }
        }
    }
    return false;
}

/* The reply's log and binary, as far as they are there. */
static enum heard receive_rest(struct exchange *exchange, const struct graft_compile_reply *reply,
                               struct graft_opencl_compiled *compiled, enum graft_status *status)
{
    struct graft_context *const context = exchange->device->base.context;
    if (reply->log_size > GRAFT_COMPILE_LOG || reply->binary_size > GRAFT_COMPILE_MOST)
        return HEARD_END;
    compiled->log = graft_allocate(context, (size_t)reply->log_size + 1, 1);
    compiled->binary =
        reply->binary_size > 0 ? graft_allocate_raw(context, (size_t)reply->binary_size, 1) : NULL;
    compiled->binary_size = (size_t)reply->binary_size;
    if (compiled->log == NULL || (compiled->binary == NULL && reply->binary_size > 0)) {
        *status = GRAFT_ERROR_MEMORY;
        return HEARD_ALL;
    }
    const enum heard log = receive(exchange, compiled->log, reply->log_size);
    return log == HEARD_ALL ? receive(exchange, compiled->binary, compiled->binary_size) : log;
}

static enum heard exchange_all(struct exchange *exchange, const struct graft_compile_request *request,
                               const char *const texts[3], struct graft_compile_reply *reply,
                               struct graft_opencl_compiled *compiled, enum graft_status *status)
{
    if (!give(exchange->child, request, sizeof(*request)) ||
        !give(exchange->child, texts[0], request->identity_size) ||
        !give(exchange->child, texts[1], request->options_size) ||
        !give(exchange->child, texts[2], request->source_size))
        return HEARD_END;
    const enum heard heard = receive(exchange, reply, sizeof(*reply));
    if (heard != HEARD_ALL)
        return heard;
    return reply->magic == GRAFT_COMPILE_MAGIC ? receive_rest(exchange, reply, compiled, status) : HEARD_END;
}

static unsigned timeout_seconds(void)
{
    const char *const given = getenv("GRAFT_COMPILE_TIMEOUT");
    const long seconds = given != NULL ? strtol(given, NULL, 10) : 0;
    return seconds > 0 && seconds <= 1000000 ? (unsigned)seconds : DEFAULT_TIMEOUT;
}

static enum graft_status fail(const struct exchange *exchange, enum heard heard, const char *options,
                              unsigned timeout)
{
    struct graft_context *const context = exchange->device->base.context;
    const struct graft_device_info *const info = &exchange->device->base.info;
    struct graft_opencl_child *const child = exchange->child;
    char end[64];
    if (heard != HEARD_END)
        kill(child->pid, SIGKILL);
    reap(child, end, sizeof(end));
    if (heard == HEARD_CANCELLED)
        return graft_fail(context, GRAFT_ERROR_CANCELLED, "cancelled while program %s was compiled for %s",
                          exchange->source, info->id);
    if (heard == HEARD_NOTHING)
        snprintf(end, sizeof(end), "took more than %u seconds", timeout);
    return graft_fail(
        context, GRAFT_ERROR_DEVICE,
        "the compiler of %s (%s, driver %s) %s at program %s (options '%s'): use another version "
        "of the driver, or another device%s",
        info->id, info->name, info->driver, end, exchange->source, options,
        heard == HEARD_NOTHING ? "; GRAFT_COMPILE_TIMEOUT=SECONDS lets it take longer" : "");
}

static struct graft_opencl_child *child_of(struct graft_opencl_device *device)
{
    if (device->child == NULL)
        device->child = graft_allocate(device->base.context, 1, sizeof(*device->child));
    return device->child;
}

enum graft_status graft_opencl_child_compile(struct graft_opencl_device *device,
                                             const struct graft_opencl_source *source, const char *options,
                                             bool binary, struct graft_opencl_compiled *compiled, bool *asked)
{
    struct graft_context *const context = device->base.context;
    struct graft_opencl_child *const child = child_of(device);
    const unsigned timeout = timeout_seconds();
    char identity[1200];
    *compiled = (struct graft_opencl_compiled){.built = false};
    *asked = false;
    if (child == NULL)
        return GRAFT_ERROR_MEMORY;
    graft_compile_identity(device->platform, device->id, identity, sizeof(identity));
    const char *const texts[3] = {identity, options, source->text};
    struct graft_compile_request request = {.magic = GRAFT_COMPILE_MAGIC,
                                            .binary = binary,
                                            .seconds = timeout + 10,
                                            .identity_size = (uint32_t)strlen(identity) + 1,
                                            .options_size = (uint32_t)strlen(options) + 1,
                                            .source_size = (uint32_t)strlen(source->text) + 1};
    struct graft_compile_reply reply = {.result = GRAFT_COMPILE_NO_DEVICE};
    for (int attempt = 0; !child->useless; attempt++) {
        enum graft_status status = GRAFT_OK;
        child->useless = !find_place(device, &request) || !start(child);
        if (child->useless)
            break;
        const double begin = graft_opencl_now();
        struct exchange exchange = {device, child, source->name, begin, begin + timeout};
        const bool unused = child->unused;
        child->unused = false;
        const enum heard heard = exchange_all(&exchange, &request, texts, &reply, compiled, &status);
        if (heard == HEARD_END && !unused && attempt == 0) {
            /* It may have ended for want of work just then: a fresh one is asked. */
            char end[64];
            reap(child, end, sizeof(end));
            graft_opencl_compiled_close(context, compiled);
            continue;
        }
        if (heard != HEARD_ALL)
            return fail(&exchange, heard, options, timeout);
        child->programs++;
        child->seconds += graft_opencl_now() - begin;
        if (child->shown)
            graft_log(context, GRAFT_LOG_PROGRESS, "%s", "");
        child->shown = false;
        if (status != GRAFT_OK) {
            char end[64];
            reap(child, end, sizeof(end)); /* what it still has to say is not waited for */
            return status;
        }
        child->useless = reply.result == GRAFT_COMPILE_NO_DEVICE;
        break;
    }
    *asked = !child->useless;
    compiled->built = *asked && reply.result == GRAFT_COMPILE_BUILT;
    compiled->code = reply.code;
    compiled->seconds = reply.seconds;
    return GRAFT_OK;
}

void graft_opencl_compiled_close(struct graft_context *context, struct graft_opencl_compiled *compiled)
{
    graft_release(context, compiled->log);
    graft_release(context, compiled->binary);
    *compiled = (struct graft_opencl_compiled){.built = false};
}
