/* SPDX-License-Identifier: MIT */
/* Asking several helpers at once: who has what, waiting for the first that answers, and what to do with one
 * that does not. */
#include "backend/opencl/jobs.h"

#include "backend/opencl/child.h"
#include "backend/opencl/compile.h"
#include "backend/opencl/internal.h"
#include "base/clock.h"
#include "base/context.h"
#include "base/pool.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define MAX_DEVICES 64
#define MAX_HELPERS 8
#define DEFAULT_TIMEOUT 240
#define LAUNCH_TIMEOUT 120 /* seconds of a job that is a launch: most of it is compiling */
#define TELL_AFTER 1.0     /* seconds of compiling until the user is told */
#define LOOK_EVERY 200     /* milliseconds: cancellation, progress */

struct graft_opencl_helpers {
    struct graft_opencl_child child[MAX_HELPERS];
    bool useless;   /* there is none, or it cannot open the device: not tried again */
    double seconds; /* of all compiling so far */
};

/* A run of jobs. */
struct run {
    struct graft_opencl_device *device;
    struct graft_opencl_helpers *helpers;
    struct graft_opencl_job *jobs;
    int count, next, ended;
    int failed; /* the first job in their order that failed, -1: none. The message is about this one */
    unsigned timeout;
    char identity[1200];
    struct graft_compile_request request; /* with what is the same for all */
    int job[MAX_HELPERS];                 /* that the helper has; -1: none */
    bool out[MAX_HELPERS];                /* it cannot be started */
    double until[MAX_HELPERS];
    double begin;
    bool shown;
};

enum heard { HEARD_ALL, HEARD_END, HEARD_NONSENSE, HEARD_NOTHING, HEARD_CANCELLED };

static void show(struct run *run, double now)
{
    const double seconds = run->helpers->seconds + now - run->begin;
    if (seconds < TELL_AFTER)
        return;
    int at = 0;
    while (at + 1 < MAX_HELPERS && run->job[at] < 0)
        at++;
    const struct graft_opencl_job *const job = &run->jobs[run->job[at] < 0 ? 0 : run->job[at]];
    run->shown = true;
    graft_log(run->device->base.context, GRAFT_LOG_PROGRESS,
              "compiling kernels for %s, this time only: %d of %d %s (%s%s%s), %.0f s",
              run->device->base.info.id, run->ended + 1 < run->count ? run->ended + 1 : run->count,
              run->count, job->kernel != NULL ? "kernels" : "programs", job->source->name,
              job->kernel != NULL ? ", " : "", job->kernel != NULL ? job->kernel : "", seconds);
}

static enum heard receive(struct run *run, int helper, void *data, size_t size)
{
    char *bytes = data;
    while (size > 0) {
        struct pollfd waiting = {run->helpers->child[helper].socket, POLLIN, 0};
        const int ready = poll(&waiting, 1, LOOK_EVERY);
        const double now = graft_seconds();
        if (graft_context_cancelled(run->device->base.context))
            return HEARD_CANCELLED;
        if (ready <= 0 && now > run->until[helper])
            return HEARD_NOTHING;
        if (ready <= 0)
            continue;
        const ssize_t got = recv(waiting.fd, bytes, size, MSG_DONTWAIT);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0)
            return HEARD_END;
        bytes += got;
        size -= (size_t)got;
    }
    return HEARD_ALL;
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

/* ---- one job of one helper ---- */

/* False if it does not take it. */
static bool give(struct run *run, int helper, int number)
{
    const struct graft_opencl_job *const job = &run->jobs[number];
    const struct graft_opencl_child *const child = &run->helpers->child[helper];
    const char *const kernel = job->kernel != NULL ? job->kernel : "";
    const char *const texts[4] = {run->identity, job->options, job->source->text, kernel};
    const unsigned timeout =
        job->kernel != NULL && run->timeout > LAUNCH_TIMEOUT ? LAUNCH_TIMEOUT : run->timeout;
    struct graft_compile_request request = run->request;
    request.binary = job->binary;
    request.seconds = timeout + 10;
    uint32_t *const sizes[4] = {&request.identity_size, &request.options_size, &request.source_size,
                                &request.kernel_size};
    for (int i = 0; i < 4; i++)
        *sizes[i] = (uint32_t)strlen(texts[i]) + 1;
    run->job[helper] = number;
    run->until[helper] = graft_seconds() + timeout;
    bool good = graft_opencl_child_give(child, &request, sizeof(request));
    for (int i = 0; i < 4 && good; i++)
        good = graft_opencl_child_give(child, texts[i], *sizes[i]);
    return good;
}

/* The whole reply. */
static enum heard hear(struct run *run, int helper, enum graft_status *status)
{
    struct graft_context *const context = run->device->base.context;
    struct graft_opencl_job *const job = &run->jobs[run->job[helper]];
    struct graft_compile_reply reply;
    enum heard heard = receive(run, helper, &reply, sizeof(reply));
    if (heard != HEARD_ALL)
        return heard;
    if (reply.magic != GRAFT_COMPILE_MAGIC || reply.log_size > GRAFT_COMPILE_LOG ||
        reply.binary_size > GRAFT_COMPILE_MOST)
        return HEARD_NONSENSE;
    job->log = graft_allocate(context, (size_t)reply.log_size + 1, 1);
    job->binary_data =
        reply.binary_size > 0 ? graft_allocate_raw(context, (size_t)reply.binary_size, 1) : NULL;
    job->binary_size = (size_t)reply.binary_size;
    if (job->log == NULL || (job->binary_data == NULL && reply.binary_size > 0)) {
        *status = GRAFT_ERROR_MEMORY;
        return HEARD_ALL; /* what it still has to say is not waited for */
    }
    heard = receive(run, helper, job->log, reply.log_size);
    if (heard == HEARD_ALL)
        heard = receive(run, helper, job->binary_data, job->binary_size);
    if (heard != HEARD_ALL)
        return heard;
    run->helpers->useless = run->helpers->useless || reply.result == GRAFT_COMPILE_NO_DEVICE;
    job->done = reply.result != GRAFT_COMPILE_NO_DEVICE;
    job->built = reply.result == GRAFT_COMPILE_BUILT;
    job->code = reply.code;
    job->seconds = reply.seconds;
    return HEARD_ALL;
}

/* The helper has ended, or is ended: what is the matter? */
static enum graft_status fail(const struct run *run, int helper, enum heard heard)
{
    struct graft_context *const context = run->device->base.context;
    const struct graft_device_info *const info = &run->device->base.info;
    const struct graft_opencl_job *const job = &run->jobs[run->job[helper]];
    char end[64];
    graft_opencl_child_end(&run->helpers->child[helper], end, sizeof(end));
    if (heard == HEARD_CANCELLED)
        return graft_fail(context, GRAFT_ERROR_CANCELLED, "cancelled while program %s was compiled for %s",
                          job->source->name, info->id);
    if (job->kernel != NULL)
        return GRAFT_OK;
    if (heard == HEARD_NOTHING)
        snprintf(end, sizeof(end), "took more than %u seconds", run->timeout);
    else if (heard == HEARD_NONSENSE)
        snprintf(end, sizeof(end), "gave an answer that makes no sense");
    return graft_fail(
        context, GRAFT_ERROR_DEVICE,
        "the compiler of %s (%s, driver %s) %s at program %s (options '%s'): use another version "
        "of the driver, or another device%s",
        info->id, info->name, info->driver, end, job->source->name, job->options,
        heard == HEARD_NOTHING ? "; GRAFT_COMPILE_TIMEOUT=SECONDS lets it take longer" : "");
}

/* ---- all of them ---- */

/* Gives a helper without work the next job. False if there is no helper to be had. */
static bool start_next(struct run *run, int helper)
{
    struct graft_opencl_child *const child = &run->helpers->child[helper];
    char end[64];
    for (int attempt = 0; attempt < 2; attempt++) {
        if (!graft_opencl_child_start(child))
            return false;
        if (give(run, helper, run->next)) {
            run->next++;
            return true;
        }
        /* It may have ended for want of work just then: a fresh one is asked. */
        graft_opencl_child_end(child, end, sizeof(end));
        run->job[helper] = -1;
    }
    return false;
}

/* Ends the helpers whose jobs come after number `last`; they are of no use any more. */
static void end_after(struct run *run, int last)
{
    char end[64];
    for (int i = 0; i < MAX_HELPERS; i++) {
        if (run->job[i] > last) {
            graft_opencl_child_end(&run->helpers->child[i], end, sizeof(end));
            run->job[i] = -1;
        }
    }
    run->next = run->count;
}

/* The helper has answered, or will not: its job is over, or a fresh helper has it. */
static enum graft_status settle(struct run *run, int helper, enum heard heard, enum graft_status status)
{
    struct graft_opencl_child *const child = &run->helpers->child[helper];
    const int number = run->job[helper];
    char end[64];
    if (heard == HEARD_END && !child->unused) {
        graft_opencl_job_close(run->device->base.context, &run->jobs[number]);
        graft_opencl_child_end(child, end, sizeof(end)); /* as in start_next */
        if (graft_opencl_child_start(child) && give(run, helper, number))
            return GRAFT_OK;
    }
    child->unused = false;
    if (status != GRAFT_OK)
        graft_opencl_child_end(child, end, sizeof(end));
    else if (heard != HEARD_ALL)
        status = fail(run, helper, heard);
    run->job[helper] = -1;
    run->ended++;
    if (status == GRAFT_OK)
        return GRAFT_OK;
    /* Those before it may fail, too, and are the ones to be told of then. */
    run->failed = status != GRAFT_ERROR_CANCELLED ? number : -1;
    end_after(run, run->failed);
    return status;
}

/* Waits for a while, and takes what was answered. */
static enum graft_status wait_for(struct run *run)
{
    struct pollfd waiting[MAX_HELPERS];
    for (int i = 0; i < MAX_HELPERS; i++)
        waiting[i] = (struct pollfd){run->job[i] >= 0 ? run->helpers->child[i].socket : -1, POLLIN, 0};
    (void)poll(waiting, MAX_HELPERS, LOOK_EVERY);
    const double now = graft_seconds();
    const bool cancelled = graft_context_cancelled(run->device->base.context);
    show(run, now);
    enum graft_status result = GRAFT_OK;
    for (int i = 0; i < MAX_HELPERS; i++) {
        enum heard heard = HEARD_CANCELLED;
        enum graft_status status = GRAFT_OK;
        if (run->job[i] < 0 || (!cancelled && waiting[i].revents == 0 && now <= run->until[i]))
            continue;
        if (!cancelled)
            heard = waiting[i].revents != 0 ? hear(run, i, &status) : HEARD_NOTHING;
        status = settle(run, i, heard, status);
        result = status != GRAFT_OK ? status : result;
    }
    return result;
}

static unsigned timeout_seconds(void)
{
    const char *const given = getenv("GRAFT_COMPILE_TIMEOUT");
    const long seconds = given != NULL ? strtol(given, NULL, 10) : 0;
    return seconds > 0 && seconds <= 1000000 ? (unsigned)seconds : DEFAULT_TIMEOUT;
}

static enum graft_status run_all(struct run *run, int helpers)
{
    enum graft_status result = GRAFT_OK;
    for (bool busy = true; busy;) {
        busy = false;
        for (int i = 0; i < helpers; i++) {
            if (run->job[i] < 0 && run->next < run->count && !run->out[i] && !run->helpers->useless)
                run->out[i] = !start_next(run, i); /* the others do it */
            busy = busy || run->job[i] >= 0;
        }
        const enum graft_status status = busy ? wait_for(run) : GRAFT_OK;
        result = status != GRAFT_OK ? status : result;
    }
    if (run->next < run->count)
        run->helpers->useless = true; /* none could be started */
    return result;
}

enum graft_status graft_opencl_jobs_run(struct graft_opencl_device *device, struct graft_opencl_job *jobs,
                                        int count, int *failed)
{
    struct graft_context *const context = device->base.context;
    struct graft_pool *const pool = graft_context_pool(context);
    *failed = -1;
    if (device->helpers == NULL)
        device->helpers = graft_allocate(context, 1, sizeof(*device->helpers));
    if (device->helpers == NULL || pool == NULL)
        return GRAFT_ERROR_MEMORY;
    struct run run = {.device = device,
                      .helpers = device->helpers,
                      .jobs = jobs,
                      .count = count,
                      .failed = -1,
                      .timeout = timeout_seconds(),
                      .request = {.magic = GRAFT_COMPILE_MAGIC},
                      .begin = graft_seconds()};
    for (int i = 0; i < MAX_HELPERS; i++)
        run.job[i] = -1;
    run.helpers->useless = run.helpers->useless || !find_place(device, &run.request);
    graft_compile_identity(device->platform, device->id, run.identity, sizeof(run.identity));
    const int threads = graft_pool_threads(pool);
    const enum graft_status status = run_all(&run, threads < MAX_HELPERS ? threads : MAX_HELPERS);
    *failed = run.failed;
    run.helpers->seconds += graft_seconds() - run.begin;
    if (run.shown)
        graft_log(context, GRAFT_LOG_PROGRESS, "%s", "");
    return status;
}

void graft_opencl_job_close(struct graft_context *context, struct graft_opencl_job *job)
{
    graft_release(context, job->log);
    graft_release(context, job->binary_data);
    job->log = job->binary_data = NULL;
}

void graft_opencl_helpers_reap(struct graft_opencl_device *device)
{
    for (int i = 0; device->helpers != NULL && i < MAX_HELPERS; i++)
        graft_opencl_child_reap(&device->helpers->child[i]);
}

void graft_opencl_helpers_close(struct graft_opencl_device *device)
{
    char end[64];
    for (int i = 0; device->helpers != NULL && i < MAX_HELPERS; i++)
        graft_opencl_child_end(&device->helpers->child[i], end, sizeof(end));
    graft_release(device->base.context, device->helpers);
    device->helpers = NULL;
}
