/* SPDX-License-Identifier: MIT */
#include "worker.h"
#include "hear.h"
#include "order.h"
#include "pace.h"
#include "real.h"
#include "base/clock.h"
#include "base/system.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEFAULT_TIMEOUT_SECONDS 300

/* ---- in the child ---- */

struct child {
    const struct graft_conform_options *options;
    struct graft_order order;
    int position;
    const struct graft_jobs *jobs;
    int pipe_end;
    int leash; /* pulled: stop */
    struct graft_device *device;
    struct graft_device *single;
    struct graft_paces *paces; /* [ops] */
    uint64_t (*tried)[2];      /* [ops][small, real]: variants that were run */
};

static void tell_message(const struct child *child, int job, int variant, const struct graft_verdict *verdict)
{
    const struct graft_message message = {job, child->position, variant, *verdict};
    graft_tell(child->pipe_end, GRAFT_TOLD_MESSAGE, &message, sizeof message);
}

/* The name of a variant, "" beyond the last. */
static void name_variant(struct graft_device *device, const struct graft_call *call, int variant, char *name,
                         size_t size)
{
    struct graft_variant_info info = {.name = ""};
    if (device->backend->check(device, call, variant, &info) == GRAFT_ERROR_NOT_FOUND || info.name == NULL) {
        info.name = "";
    }
    snprintf(name, size, "%s", info.name);
}

static bool is_slow(const struct child *child, int variant, const struct graft_job *job,
                    struct graft_verdict *verdict)
{
    double expected = 0, times = 0;
    if (!graft_pace_is_slow(&child->paces[job->op], job->real, variant, &expected, &times)) {
        return false;
    }
    verdict->outcome = GRAFT_OUTCOME_REFUSED;
    verdict->slow = true;
    snprintf(verdict->text, sizeof verdict->text,
             "left out: it would take about %.1f s of the processor, %.0f times as long as others", expected,
             times);
    return true;
}

static bool is_time_up(const struct child *child)
{
    return graft_leash_is_pulled(child->leash) ||
           (child->position >= child->order.must && graft_seconds() >= child->jobs->until);
}

/* False if the time was up before the last one. */
static bool run_variants(const struct child *child, int index, int first, struct graft_truth *truth,
                         struct graft_heap *heap)
{
    const struct graft_job *const job = &child->jobs->items[index];
    const struct graft_conform_options *const options = child->options;
    for (int variant = first; variant < 64; variant++) {
        struct graft_verdict verdict = {.outcome = GRAFT_OUTCOME_BEGUN};
        name_variant(child->device, &truth->call, variant, verdict.variant, sizeof verdict.variant);
        if (verdict.variant[0] == '\0') {
            break;
        }
        if (options->variant != NULL && strcmp(options->variant, verdict.variant) != 0) {
            continue;
        }
        if (variant > first && is_time_up(child)) {
            return false;
        }
        tell_message(child, index, variant, &verdict);
        const struct graft_trial trial = {
            .device = child->device,
            .single = child->single,
            .job = job,
            .set = graft_case_set_of(job->op),
            .truth = truth,
            .heap = heap,
            .variant = variant,
            .seed = options->seed,
            .bench = options->bench,
        };
        if (job->real != NULL && is_slow(child, variant, job, &verdict)) {
            tell_message(child, index, variant, &verdict);
            continue;
        }
        if (!graft_trial_run(&trial, &verdict)) {
            break;
        }
        if (job->real != NULL) {
            graft_pace_note(&child->paces[job->op], job->real, variant, verdict.spent);
        }
        if (verdict.outcome != GRAFT_OUTCOME_REFUSED) {
            child->tried[job->op][job->real != NULL] |= (uint64_t)1 << variant;
        }
        tell_message(child, index, variant, &verdict);
    }
    return true;
}

/* Tells why each variant refuses the job. False if there is one that does not. */
static bool tell_refusals(const struct child *child, int index)
{
    const struct graft_job *const job = &child->jobs->items[index];
    struct graft_context *const context = child->device->context;
    struct graft_call call;
    if (child->options->variant != NULL || graft_trial_variants(child->device, job) != 0 ||
        graft_job_call(context, job, &call) != GRAFT_OK) {
        return false;
    }
    for (int variant = 0; variant < 64; variant++) {
        struct graft_verdict verdict = {.outcome = GRAFT_OUTCOME_REFUSED};
        name_variant(child->device, &call, variant, verdict.variant, sizeof verdict.variant);
        if (verdict.variant[0] == '\0') {
            break;
        }
        struct graft_variant_info info = {.name = ""};
        const enum graft_status status = job->real != NULL
                                             ? graft_real_check(child->device, job, variant, &info)
                                             : graft_trial_check(child->device, &call, variant, &info);
        if (status == GRAFT_OK) {
            verdict.outcome = GRAFT_OUTCOME_SKIPPED;
        } else {
            snprintf(verdict.text, sizeof verdict.text, "%s", graft_context_error(context));
        }
        tell_message(child, index, variant, &verdict);
    }
    return true;
}

/* False if the time was up before its last variant. */
static bool run_job(const struct child *child, int index, int first_variant)
{
    const struct graft_job *const job = &child->jobs->items[index];
    struct graft_heap heap = {NULL, 0, 0};
    struct graft_truth truth;
    struct graft_verdict verdict = {.outcome = GRAFT_OUTCOME_BEGUN};
    bool whole = true;
    tell_message(child, index, -1, &verdict);
    if (job->tier != GRAFT_TIER_GRADIENT && first_variant == 0 && tell_refusals(child, index)) {
        return true;
    }
    if (job->tier == GRAFT_TIER_GRADIENT) {
        if (first_variant == 0) {
            tell_message(child, index, 0, &verdict);
            graft_gradient_run(child->device, job, &heap, child->options->seed, &verdict);
            tell_message(child, index, 0, &verdict);
        }
    } else if (!graft_truth_make(&heap, child->device->context, job, child->options->seed, &truth,
                                 verdict.text, sizeof verdict.text)) {
        verdict.outcome = GRAFT_OUTCOME_FAILED;
        tell_message(child, index, -1, &verdict);
    } else {
        whole = run_variants(child, index, first_variant, &truth, &heap);
        graft_real_truth_close(&truth);
    }
    graft_heap_close(&heap);
    return whole;
}

/* What was not tried although it could be: its reason is not what it refused of other shapes. */
static void tell_left(struct child *child)
{
    for (int i = 0; i < child->order.n_left; i++) {
        const struct graft_left *const left = &child->order.left[i];
        const struct graft_job *const job = &child->jobs->items[left->job];
        struct graft_verdict verdict = {.outcome = GRAFT_OUTCOME_LEFT};
        struct graft_call call;
        char name[160];
        if (graft_job_call(child->device->context, job, &call) != GRAFT_OK) {
            continue;
        }
        name_variant(child->device, &call, left->variant, verdict.variant, sizeof verdict.variant);
        snprintf(verdict.text, sizeof verdict.text,
                 "left out: the smallest case for it, %s, takes about %.0f operations, and --largest is %.0f",
                 graft_job_format(job, name, sizeof name), left->cost, child->jobs->largest);
        tell_message(child, left->job, left->variant, &verdict);
    }
}

/* Variants that the order's jobs would have tried if there had been time, each once. A child that stands in for
 * one that has crashed knows what that one has tried by the order: all that came before. */
static void tell_late(struct child *child, int first)
{
    const struct graft_order *const order = &child->order;
    const bool stopped = graft_leash_is_pulled(child->leash);
    for (int i = 0; i < order->count; i++) {
        const int index = order->jobs[i];
        const struct graft_job *const job = &child->jobs->items[index];
        uint64_t *const tried = &child->tried[job->op][job->real != NULL];
        struct graft_call call;
        if (i < first || job->tier == GRAFT_TIER_GRADIENT) {
            *tried |= job->tier == GRAFT_TIER_GRADIENT ? 0 : order->can[index];
            continue;
        }
        for (int variant = 0; variant < 64; variant++) {
            struct graft_verdict verdict = {.outcome = GRAFT_OUTCOME_LEFT};
            snprintf(verdict.text, sizeof verdict.text, "left out: %s",
                     stopped ? "interrupted" : "the time of --seconds was up");
            if (!((order->can[index] & ~*tried) >> variant & 1u) ||
                graft_job_call(child->device->context, job, &call) != GRAFT_OK) {
                continue;
            }
            name_variant(child->device, &call, variant, verdict.variant, sizeof verdict.variant);
            if (child->options->variant == NULL || strcmp(child->options->variant, verdict.variant) == 0) {
                tell_message(child, index, variant, &verdict);
            }
            *tried |= (uint64_t)1 << variant;
        }
    }
}

/* True if the time was not up before the last one. */
static bool run_jobs(struct child *child, int first, int first_variant)
{
    for (child->position = first; child->position < child->order.count; child->position++) {
        const int from = child->position == first ? first_variant : 0;
        if (is_time_up(child) || !run_job(child, child->order.jobs[child->position], from)) {
            tell_late(child, first);
            return false;
        }
    }
    return true;
}

static void work(const struct graft_conform_options *options, const char *which,
                 const struct graft_jobs *jobs, int first, int first_variant, int pipe_end, int leash)
{
    static struct graft_paces paces[GRAFT_OP_COUNT]; /* this process is a child of its own */
    uint64_t tried[GRAFT_OP_COUNT][2] = {{0}};
    struct child child = {.options = options,
                          .jobs = jobs,
                          .pipe_end = pipe_end,
                          .leash = leash,
                          .paces = paces,
                          .tried = tried};
    struct graft_context *context = NULL;
    struct graft_context *single_context = NULL;
    struct graft_worker_result result = {.open_status = GRAFT_OK};
    const struct graft_context_options many = {.threads = options->threads > 0 ? options->threads : 2};
    const struct graft_context_options one = {.threads = 1};
    graft_heap_keep_memory();
    result.open_status = graft_context_open(&many, &context);
    if (result.open_status == GRAFT_OK) {
        result.open_status = graft_device_open(context, which, &child.device);
        snprintf(result.error, sizeof result.error, "%s", graft_context_error(context));
    }
    if (result.open_status == GRAFT_OK) {
        result.info = child.device->info;
        if (child.device->backend == &graft_backend_cpu &&
            graft_context_open(&one, &single_context) == GRAFT_OK &&
            graft_device_open(single_context, which, &child.single) != GRAFT_OK) {
            child.single = NULL;
        }
        if (!graft_order_open(child.device, jobs, options->seed, &child.order)) {
            result.open_status = GRAFT_ERROR_MEMORY;
            snprintf(result.error, sizeof result.error, "no memory for the order of cases");
        }
        result.cases = child.order.cases;
    }
    graft_tell(pipe_end, GRAFT_TOLD_DEVICE, &result, sizeof result);
    if (result.open_status == GRAFT_OK) {
        result.complete = run_jobs(&child, first, first_variant) && child.order.count == jobs->count;
        tell_left(&child);
        graft_tell(pipe_end, GRAFT_TOLD_DEVICE, &result, sizeof result);
    }
    graft_tell(pipe_end, GRAFT_TOLD_END, "", 0);
    graft_order_close(&child.order);
    graft_device_close(&child.single);
    graft_device_close(&child.device);
    graft_context_close(&single_context);
    graft_context_close(&context);
}

/* ---- in the parent ---- */

struct listener {
    struct graft_ear ear;
    struct graft_worker_result *result;
    void (*told)(void *user, const struct graft_message *message);
    void *user;
    struct graft_message last; /* the trial under way, or the last one that ended */
    bool ended;
};

static void listen_to(struct listener *listener)
{
    struct graft_told_header header;
    while (graft_hear(&listener->ear, &header, sizeof header)) {
        if (header.kind == GRAFT_TOLD_END) {
            listener->ended = true; /* what remains is to close the device */
            continue;
        }
        if (header.kind == GRAFT_TOLD_DEVICE) {
            if (!graft_hear(&listener->ear, listener->result, sizeof *listener->result)) {
                return;
            }
            continue;
        }
        struct graft_message message;
        if (!graft_hear(&listener->ear, &message, sizeof message)) {
            return;
        }
        listener->last = message;
        if (message.verdict.outcome != GRAFT_OUTCOME_BEGUN) {
            listener->told(listener->user, &message);
        }
    }
}

/* "SIGSEGV", "exit code 1": how a child ended. */
static void describe_end(int status, bool late, int timeout, char *text, size_t size)
{
    if (late) {
        snprintf(text, size, "no answer within %d seconds: ended", timeout);
    } else if (WIFSIGNALED(status)) {
        snprintf(text, size, "crashed with SIG%s", graft_system_signal(WTERMSIG(status)));
    } else {
        snprintf(text, size, "the process ended with exit code %d",
                 WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    }
}

/* What a child and its parent have in common. */
struct line {
    int ends[2];  /* the child tells */
    int leash[2]; /* the parent stops it */
};

static bool open_line(struct line *line)
{
    if (pipe(line->ends) != 0) {
        return false;
    }
    if (pipe(line->leash) != 0) {
        close(line->ends[0]);
        close(line->ends[1]);
        return false;
    }
    return true;
}

/* A child from the job at `first` on; -1: none. Children that are started meanwhile must not keep the writing
 * end of this one's pipe: it would not be seen to end. */
static pid_t start_child(const struct graft_conform_options *options, const char *device,
                         const struct graft_jobs *jobs, int first, int first_variant, struct line *line)
{
    if (jobs->starting != NULL) {
        pthread_mutex_lock(jobs->starting);
    }
    pid_t child = -1;
    if (open_line(line)) {
        fflush(NULL);
        child = fork();
        if (child == 0) {
            close(line->ends[0]);
            close(line->leash[1]);
            signal(SIGPIPE, SIG_DFL);
            signal(SIGINT, SIG_IGN); /* a terminal sends it to both: the parent ends us by the leash */
            signal(SIGTERM, SIG_DFL);
            signal(SIGHUP, SIG_DFL);
            work(options, device, jobs, first, first_variant, line->ends[1], line->leash[0]);
            _exit(0); /* not exit: the parent's exit handlers and buffers are not ours */
        }
        close(line->ends[1]);
        close(line->leash[0]);
        if (child < 0) {
            close(line->ends[0]);
            close(line->leash[1]);
        }
    }
    if (jobs->starting != NULL) {
        pthread_mutex_unlock(jobs->starting);
    }
    return child;
}

/* One child from the job at `first` on; its end text if it did not reach the end by itself. */
static bool run_child(const struct graft_conform_options *options, const char *device,
                      const struct graft_jobs *jobs, int first, int first_variant, struct listener *listener,
                      char *end, size_t end_size)
{
    struct line line;
    const pid_t child = start_child(options, device, jobs, first, first_variant, &line);
    if (child < 0) {
        return false;
    }
    listener->ear.descriptor = line.ends[0];
    listener->ear.leash = line.leash[1];
    listen_to(listener);
    close(line.ends[0]);
    close(line.leash[1]);
    if (listener->ear.late) {
        kill(child, SIGKILL);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    const bool clean = listener->ended && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    end[0] = '\0';
    if (!clean) {
        describe_end(status, listener->ear.late, listener->ear.timeout, end, end_size);
    }
    return true;
}

bool graft_worker_run(const struct graft_conform_options *options, const char *device,
                      const struct graft_jobs *jobs,
                      void (*told)(void *user, const struct graft_message *message), void *user,
                      struct graft_worker_result *result)
{
    int position = 0;
    int variant = 0;
    for (;;) {
        const int timeout = options->timeout_seconds > 0 ? options->timeout_seconds : DEFAULT_TIMEOUT_SECONDS;
        struct listener listener = {
            .ear = {.timeout = timeout, .stop = options->stop, .user = options->user},
            .result = result,
            .told = told,
            .user = user,
        };
        char end[160];
        /* Blamed if nothing is heard: */
        listener.last = (struct graft_message){.job = position, .position = position, .variant = -1};
        *result = (struct graft_worker_result){.open_status = GRAFT_ERROR_DEVICE};
        if (!run_child(options, device, jobs, position, variant, &listener, end, sizeof end)) {
            return false;
        }
        result->interrupted = listener.ear.stopped_at > 0 && (listener.ear.late || !result->complete);
        if (result->interrupted && listener.ear.late) {
            result->complete = false;
            return true;
        }
        if (end[0] == '\0' || result->open_status != GRAFT_OK) {
            if (end[0] != '\0') {
                snprintf(result->error, sizeof result->error, "opening %s: %s", device, end);
            }
            return true;
        }
        struct graft_message failed = listener.last;
        const char *const when = listener.ended ? " when the device was closed"
                                 : failed.verdict.outcome != GRAFT_OUTCOME_BEGUN ? " after this case"
                                 : failed.variant < 0 ? " while the truth was computed"
                                                      : "";
        failed.verdict.outcome = GRAFT_OUTCOME_FAILED;
        snprintf(failed.verdict.text, sizeof failed.verdict.text, "%s%s", end, when);
        told(user, &failed);
        position = failed.variant >= 0 ? failed.position : failed.position + 1;
        variant = failed.variant + 1;
        if (listener.ended || position >= jobs->count) {
            result->complete = result->complete || position >= jobs->count;
            return true;
        }
    }
}

int graft_worker_list(struct graft_device_info *devices, int capacity, char *hint, size_t hint_size)
{
    int ends[2];
    hint[0] = '\0';
    if (pipe(ends) != 0) {
        return -1;
    }
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        struct graft_context *context = NULL;
        struct graft_device_list *list = NULL;
        if (graft_context_open(NULL, &context) != GRAFT_OK ||
            graft_device_list_open(context, &list) != GRAFT_OK) {
            _exit(1);
        }
        for (int i = 0; i < list->count; i++) {
            graft_tell(ends[1], GRAFT_TOLD_INFO, &list->devices[i], sizeof list->devices[i]);
        }
        graft_tell(ends[1], GRAFT_TOLD_END, list->hint, sizeof list->hint);
        _exit(0);
    }
    close(ends[1]);
    int count = child < 0 ? -1 : 0;
    bool ended = false;
    struct graft_ear ear = {.descriptor = ends[0], .timeout = DEFAULT_TIMEOUT_SECONDS, .leash = -1};
    struct graft_told_header header;
    while (count >= 0 && !ended && graft_hear(&ear, &header, sizeof header)) {
        struct graft_device_info info;
        char text[512] = "";
        if (header.kind == GRAFT_TOLD_INFO && graft_hear(&ear, &info, sizeof info)) {
            if (count < capacity) {
                devices[count++] = info;
            }
        } else if (header.kind == GRAFT_TOLD_END && graft_hear(&ear, text, sizeof text)) {
            text[sizeof text - 1] = '\0';
            snprintf(hint, hint_size, "%s", text);
            ended = true;
        }
    }
    close(ends[0]);
    if (child > 0) {
        if (ear.late) {
            kill(child, SIGKILL);
        }
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    return ended ? count : -1;
}
