/* SPDX-License-Identifier: MIT */
/* The suite as a whole: devices, counting, coverage, the lines that are told. */
#include "conform.h"
#include "coverage.h"
#include "harness.h"
#include "real.h"
#include "worker.h"
#include "base/clock.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEVICES 64
#define PARTS_LEAST_CALLS 500  /* of real sizes, for two processes */
#define HUGE_LEAST_SECONDS 120 /* a case with tensors of gigabytes takes half a minute */

/* A device's jobs, or a part of them in a process of its own. */
struct run {
    const struct graft_conform_options *options;
    const struct graft_jobs *jobs;
    struct graft_conform_report *report;
    const char *device;
    struct graft_worker_result *result; /* filled when the device is open */
    const struct run *beside;           /* the other part; NULL: there is none */
    pthread_mutex_t *lock; /* of the report and the options' functions; NULL: there is no other part */
    bool started;
    int last_job;                             /* the job whose variants are coming in, -1 */
    bool last_done;                           /* one of them could do it */
    char last_reason[200];
    bool failed_to_count; /* out of memory */
    double start;
    double heard; /* when the last message came */
    double budget;
};

void graft_conform_say(const struct graft_conform_options *options, enum graft_conform_line kind,
                       const char *format, ...)
{
    char text[1400];
    va_list arguments;
    if (options->line == NULL) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    options->line(options->user, kind, text);
}

/* One more in a growing array of `count` elements; NULL with the run marked. */
static void *grow(struct run *run, void **items, int count, size_t size)
{
    char *const more = realloc(*items, (size_t)(count + 1) * size);
    if (more == NULL) {
        run->failed_to_count = true;
        return NULL;
    }
    *items = more;
    return memset(more + (size_t)count * size, 0, size);
}

static struct graft_conform_coverage *coverage_of(struct run *run, enum graft_op op, const char *variant)
{
    struct graft_conform_report *const report = run->report;
    const char *const name = graft_op_get(op)->name;
    for (int i = 0; i < report->n_coverage; i++) {
        if (report->coverage[i].op == name && strcmp(report->coverage[i].variant, variant) == 0) {
            return &report->coverage[i];
        }
    }
    struct graft_conform_coverage *const row =
        grow(run, (void **)&report->coverage, report->n_coverage, sizeof *row);
    if (row == NULL) {
        return NULL;
    }
    report->n_coverage++;
    row->op = name;
    snprintf(row->variant, sizeof row->variant, "%s", variant);
    return row;
}

/* Why a variant was not tried, in place of what it refused of other shapes. */
static void note_left(struct run *run, const struct graft_job *job, const struct graft_verdict *verdict)
{
    struct graft_conform_coverage *const row = coverage_of(run, job->op, verdict->variant);
    if (row != NULL) {
        *(job->tier == GRAFT_TIER_REAL ? &row->left_real : &row->left_small) = true;
        snprintf(row->reason, sizeof row->reason, "%.199s", verdict->text);
    }
}

static void note_worst(struct graft_conform_report *report, const char *test, double share)
{
    int at = report->n_worst;
    while (at > 0 && report->worst[at - 1].share_of_tolerance < share) {
        at--;
    }
    if (share <= 0 || at >= GRAFT_CONFORM_WORST) {
        return;
    }
    const int kept = report->n_worst < GRAFT_CONFORM_WORST ? report->n_worst : GRAFT_CONFORM_WORST - 1;
    memmove(&report->worst[at + 1], &report->worst[at], (size_t)(kept - at) * sizeof report->worst[0]);
    snprintf(report->worst[at].test, sizeof report->worst[at].test, "%.199s", test);
    report->worst[at].share_of_tolerance = share;
    report->n_worst = kept + 1;
}

static void note_reason(struct run *run, enum graft_op op)
{
    struct graft_conform_report *const report = run->report;
    const char *const name = graft_op_get(op)->name;
    for (int i = 0; i < report->n_reasons; i++) {
        if (report->reasons[i].op == name && strcmp(report->reasons[i].reason, run->last_reason) == 0) {
            report->reasons[i].cases++;
            return;
        }
    }
    struct graft_conform_unsupported *const row =
        grow(run, (void **)&report->reasons, report->n_reasons, sizeof *row);
    if (row != NULL) {
        report->n_reasons++;
        row->op = name;
        row->cases = 1;
        memcpy(row->reason, run->last_reason, sizeof row->reason);
    }
}

/* A job is unsupported when all its variants have refused it. */
static void finish_job(struct run *run)
{
    char name[160];
    if (run->last_job >= 0 && !run->last_done && run->options->variant == NULL) {
        run->report->unsupported++;
        note_reason(run, run->jobs->items[run->last_job].op);
        graft_conform_say(run->options, GRAFT_CONFORM_REMARK, "%s: unsupported: %s: %s", run->device,
                          graft_job_format(&run->jobs->items[run->last_job], name, sizeof name),
                          run->last_reason);
    }
    run->last_job = -1;
}

static void fail(struct run *run, const struct graft_job *job, const struct graft_verdict *verdict)
{
    struct graft_conform_report *const report = run->report;
    struct graft_conform_failure failure = {.op = graft_op_get(job->op)->name,
                                            .difference = verdict->difference};
    const bool forced = verdict->variant[0] != '\0' && job->tier != GRAFT_TIER_GRADIENT;
    graft_job_format(job, failure.test, sizeof failure.test);
    memcpy(failure.variant, verdict->variant, sizeof failure.variant);
    snprintf(failure.command, sizeof failure.command,
             "graft conform --device %s --case %s%s%s --seed %" PRIu64, run->device, failure.test,
             forced ? " --variant " : "", forced ? verdict->variant : "", run->options->seed);
    memcpy(failure.text, verdict->text, sizeof failure.text);
    graft_conform_say(run->options, GRAFT_CONFORM_FAILURE, "%s  # %s", failure.command, failure.text);
    if (report->n_failures == GRAFT_CONFORM_FAILURES) {
        return;
    }
    struct graft_conform_failure *const kept =
        grow(run, (void **)&report->failures, report->n_failures, sizeof *kept);
    if (kept != NULL) {
        *kept = failure;
        report->n_failures++;
    }
}

static void bench_line(struct run *run, const struct graft_verdict *verdict, const char *test)
{
    if (run->options->bench && verdict->seconds > 0) {
        graft_conform_say(run->options, GRAFT_CONFORM_LISTING, "%s  %s  %s  %.1f us  %.2f GFLOP/s",
                          run->device, test, verdict->variant, verdict->seconds * 1e6,
                          verdict->flops / verdict->seconds * 1e-9);
    }
}

static void tell_progress(struct run *run, const struct graft_job *job)
{
    const struct graft_conform_options *const options = run->options;
    if (options->progress != NULL) {
        const struct graft_conform_progress progress = {
            .device = run->device,
            .op = graft_op_get(job->op)->name,
            .ran = run->report->ran,
            .failed = run->report->failed,
            .cases = run->result->cases + (run->beside != NULL ? run->beside->result->cases : 0),
            .seconds = run->heard - run->start,
            .budget = run->budget,
        };
        options->progress(options->user, &progress);
    }
}

static void note(struct run *run, const struct graft_message *message)
{
    struct graft_conform_report *const report = run->report;
    const struct graft_job *const job = &run->jobs->items[message->job];
    const struct graft_verdict *const verdict = &message->verdict;
    char name[160];
    char test[200];
    if (verdict->outcome == GRAFT_OUTCOME_LEFT) {
        note_left(run, job, verdict);
        return;
    }
    if (message->job != run->last_job) {
        finish_job(run);
        run->last_job = message->job;
        run->last_done = false;
    }
    struct graft_conform_coverage *const row = coverage_of(run, job->op, verdict->variant);
    const double before = run->heard;
    run->heard = graft_seconds();
    if (row != NULL) {
        row->seconds += run->heard - before;
    }
    graft_job_format(job, name, sizeof name);
    snprintf(test, sizeof test, "%s %s", name, verdict->variant);
    switch (verdict->outcome) {
    case GRAFT_OUTCOME_PASSED:
        report->ran++;
        report->passed++;
        run->last_done = true;
        note_worst(report, test, verdict->share);
        bench_line(run, verdict, name);
        if (row != NULL) {
            row->passed_exact += job->tier == GRAFT_TIER_EXACT;
            row->passed_real += job->tier == GRAFT_TIER_REAL;
            row->passed_rounding += job->tier != GRAFT_TIER_EXACT && job->tier != GRAFT_TIER_REAL;
            row->worst = verdict->share > row->worst ? verdict->share : row->worst;
        }
        break;
    case GRAFT_OUTCOME_SKIPPED:
        report->skipped++;
        run->last_done = true;
        break;
    case GRAFT_OUTCOME_REFUSED:
        report->left_slow += verdict->slow;
        snprintf(run->last_reason, sizeof run->last_reason, "%.199s", verdict->text);
        if (row != NULL && row->refused++ == 0) {
            snprintf(row->reason, sizeof row->reason, "%.199s", verdict->text);
        }
        break;
    default:
        report->ran++;
        report->failed++;
        run->last_done = true;
        note_worst(report, test, verdict->share);
        fail(run, job, verdict);
        if (row != NULL) {
            row->failed++;
        }
        break;
    }
    tell_progress(run, job);
}

static void told(void *user, const struct graft_message *message)
{
    struct run *const run = user;
    if (run->lock != NULL) {
        pthread_mutex_lock(run->lock);
    }
    note(run, message);
    if (run->lock != NULL) {
        pthread_mutex_unlock(run->lock);
    }
}

static void *run_part(void *argument)
{
    struct run *const run = argument;
    run->started = graft_worker_run(run->options, run->device, run->jobs, told, run, run->result);
    return NULL;
}

/* Whether the jobs are worth two processes: cases of real sizes leave a second processor idle half of the
 * time, while operands are made and results compared. On devices of their own two would be in each other's
 * way. */
static bool runs_in_parts(const struct graft_conform_options *options, const struct graft_jobs *jobs,
                          const char *device)
{
    static struct graft_device_info none;
    char hint[512];
    if (jobs->real_calls < PARTS_LEAST_CALLS || jobs->until > 0 || options->bench || options->threads == 1 ||
        jobs->sample_real || jobs->most_work > 0) {
        return false;
    }
    struct graft_device_info *const devices = calloc(MAX_DEVICES, sizeof none);
    const int count = devices != NULL ? graft_worker_list(devices, MAX_DEVICES, hint, sizeof hint) : 0;
    bool cpu = false;
    for (int i = 0; i < count; i++) {
        cpu = cpu || (strcmp(devices[i].id, device) == 0 && devices[i].kind == GRAFT_DEVICE_CPU);
    }
    free(devices);
    return cpu;
}

/* Both parts; false: they cannot be made. */
static bool run_both(struct run runs[2], const struct graft_jobs *jobs)
{
    struct graft_jobs parts[2] = {{0}};
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER, starting = PTHREAD_MUTEX_INITIALIZER;
    pthread_t thread;
    bool good = true;
    for (int i = 0; i < 2; i++) {
        good = graft_jobs_part(jobs, i, &parts[i]) && good;
        parts[i].starting = &starting;
        runs[i].jobs = &parts[i];
        runs[i].lock = &lock;
        runs[i].beside = &runs[1 - i];
    }
    if (good && pthread_create(&thread, NULL, run_part, &runs[1]) == 0) {
        run_part(&runs[0]);
        pthread_join(thread, NULL);
        finish_job(&runs[0]);
        finish_job(&runs[1]);
    } else {
        good = false;
    }
    for (int i = 0; i < 2; i++) {
        graft_jobs_close(&parts[i]);
        runs[i].jobs = jobs;
    }
    return good;
}

/* What the parts' results are together; the first that failed decides. */
static struct graft_worker_result join(const struct run runs[2], int count)
{
    struct graft_worker_result all = *runs[0].result;
    for (int i = 1; i < count; i++) {
        const struct graft_worker_result *const other = runs[i].result;
        const int cases = all.cases + other->cases;
        const bool complete = all.complete && other->complete;
        const bool interrupted = all.interrupted || other->interrupted;
        all = all.open_status == GRAFT_OK ? *other : all;
        all.cases = cases;
        all.complete = complete;
        all.interrupted = interrupted;
    }
    return all;
}

/* One device for `budget` seconds, 0: until it is done; false if there is none of that name. */
static bool run_device(const struct graft_conform_options *options, const char *device, double budget,
                       struct graft_conform_reports *reports, bool *broken)
{
    struct graft_conform_report *const items =
        realloc(reports->items, (size_t)(reports->count + 1) * sizeof *reports->items);
    if (items == NULL) {
        graft_conform_say(options, GRAFT_CONFORM_ERROR, "no memory for a report");
        *broken = true;
        return true;
    }
    reports->items = items;
    struct graft_conform_report *const report = &items[reports->count];
    *report = (struct graft_conform_report){.ran = 0};
    struct graft_jobs jobs;
    char error[300];
    const bool reference = strcmp(device, "reference") == 0;
    const double start = graft_seconds();
    if (!graft_jobs_open(options, reference, reference, &jobs, error, sizeof error)) {
        graft_conform_say(options, GRAFT_CONFORM_ERROR, "%s", error);
        *broken = true;
        return true;
    }
    struct graft_worker_result results[2] = {{.cases = 0}};
    struct run runs[2];
    for (int i = 0; i < 2; i++) {
        runs[i] = (struct run){.options = options,
                               .jobs = &jobs,
                               .report = report,
                               .device = device,
                               .result = &results[i],
                               .last_job = -1,
                               .last_done = true,
                               .start = start,
                               .heard = start,
                               .budget = budget};
    }
    jobs.until = budget > 0 ? start + budget : 0;
    jobs.most_work = options->most_work;
    jobs.largest = options->largest;
    jobs.sample_real = options->real_sample;
    jobs.cover_real = options->real_cover;
    jobs.leave_huge = budget > 0 && budget < HUGE_LEAST_SECONDS;
    const int count = runs_in_parts(options, &jobs, device) && run_both(runs, &jobs) ? 2 : 1;
    if (count == 1) {
        run_part(&runs[0]);
    }
    const bool started = runs[0].started && (count == 1 || runs[1].started);
    const struct graft_worker_result result = join(runs, count);
    if (!started) {
        graft_conform_say(options, GRAFT_CONFORM_ERROR, "no child process can be started");
        *broken = true;
    } else if (result.open_status != GRAFT_OK && result.interrupted) {
        graft_conform_say(options, GRAFT_CONFORM_REMARK,
                          "%s: nothing was run: interrupted while it was opened", device);
    } else if (result.open_status != GRAFT_OK) {
        graft_conform_say(options, GRAFT_CONFORM_ERROR, "%s: %s", device, result.error);
        *broken = *broken || result.open_status != GRAFT_ERROR_NOT_FOUND;
    } else {
        reports->count++;
        finish_job(&runs[0]);
        for (int i = 0; i < report->n_coverage; i++) { /* what the other part has tried is not left out */
            struct graft_conform_coverage *const row = &report->coverage[i];
            row->left_small = row->left_small && row->passed_exact + row->passed_rounding + row->failed == 0;
            row->left_real = row->left_real && row->passed_real + row->failed == 0;
        }
        report->info = result.info;
        report->complete = result.complete;
        report->interrupted = result.interrupted;
        report->real_calls = jobs.real_calls;
        report->real_repeats = jobs.real_repeats;
        report->cases = report->complete || result.cases < report->ran ? report->ran : result.cases;
        if (options->op == NULL && options->test == NULL && options->variant == NULL &&
            !report->interrupted) {
            graft_conform_check_coverage(options, device, report);
        }
        report->seconds = graft_seconds() - start;
        *broken = *broken || runs[0].failed_to_count || runs[1].failed_to_count;
    }
    graft_jobs_close(&jobs);
    return !started || result.open_status == GRAFT_OK;
}

static bool is_stopped(const struct graft_conform_options *options)
{
    return options->stop != NULL && options->stop(options->user);
}

static enum graft_conform_exit check_names(const struct graft_conform_options *options)
{
    if (options->op == NULL || graft_op_find(options->op) != GRAFT_OP_COUNT) {
        return GRAFT_CONFORM_PASSED;
    }
    const char *names[GRAFT_OP_COUNT];
    for (int op = 0; op < GRAFT_OP_COUNT; op++) {
        names[op] = graft_op_get((enum graft_op)op)->name;
    }
    const char *const nearest = graft_text_nearest(options->op, names, GRAFT_OP_COUNT);
    graft_conform_say(options, GRAFT_CONFORM_ERROR, "there is no op %s%s%s%s", options->op,
                      nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "",
                      nearest != NULL ? "?" : "");
    return GRAFT_CONFORM_USAGE;
}

static enum graft_conform_exit list_cases(const struct graft_conform_options *options)
{
    struct graft_jobs jobs;
    struct graft_context *context = NULL;
    char name[160];
    char text[400];
    if (!graft_jobs_open(options, true, false, &jobs, text, sizeof text) ||
        graft_context_open(NULL, &context) != GRAFT_OK) {
        graft_conform_say(options, GRAFT_CONFORM_ERROR, "%s", text);
        return GRAFT_CONFORM_FAILED;
    }
    const enum graft_conform_exit exit = jobs.count > 0 ? GRAFT_CONFORM_PASSED : GRAFT_CONFORM_NOTHING;
    for (int i = 0; i < jobs.count; i++) {
        struct graft_call call;
        const struct graft_job *const job = &jobs.items[i];
        if (graft_job_call(context, job, &call) == GRAFT_OK) {
            graft_call_format(&call, text, sizeof text);
        } else {
            snprintf(text, sizeof text, "refused: %s", graft_context_error(context));
        }
        graft_conform_say(options, GRAFT_CONFORM_LISTING, "%s  %s", graft_job_format(job, name, sizeof name),
                          text);
    }
    graft_context_close(&context);
    graft_jobs_close(&jobs);
    return exit;
}

/* Of the time that is left, to the first of `count` devices: the oracle, which the others are held against,
 * gets a third of what they get. What is used up already leaves a moment each. */
static double share_of_time(const struct graft_conform_options *options, double start,
                            const struct graft_device_info *devices, int count)
{
    double weights = 0;
    double first = 1;
    for (int i = 0; i < count; i++) {
        const double weight = strcmp(devices[i].id, "reference") == 0 ? 1 : 3;
        weights += weight;
        first = i == 0 ? weight : first;
    }
    const double left = start + options->seconds - graft_seconds();
    return options->seconds > 0 ? (left > 1e-3 ? left : 1e-3) * first / weights : 0;
}

/* All devices, one after the other. */
static void run_every_device(const struct graft_conform_options *given, struct graft_conform_reports *reports,
                             bool *broken)
{
    struct graft_conform_options with_reals = *given;
    const struct graft_conform_options *const options = &with_reals;
    struct graft_reals reals = {0};
    char error[300];
    static const struct graft_device_info none;
    const double start = graft_seconds();
    struct graft_device_info *const devices = calloc(MAX_DEVICES, sizeof *devices);
    char hint[512];
    const int count = devices != NULL ? graft_worker_list(devices, MAX_DEVICES, hint, sizeof hint) : -1;
    if (count < 0) {
        graft_conform_say(options, GRAFT_CONFORM_ERROR,
                          "listing the devices failed: a driver may have crashed");
        *broken = true;
    } else if (hint[0] != '\0') {
        graft_conform_say(options, GRAFT_CONFORM_REMARK, "%s", hint);
    }
    if (given->reals == NULL && graft_jobs_want_real(options) &&
        graft_reals_open(&reals, error, sizeof error)) { /* else each device says why not */
        with_reals.reals = &reals;
    }
    for (int i = 0; i < count; i++) {
        char id[sizeof none.id];
        snprintf(id, sizeof id, "%s", devices[i].id);
        const double budget = share_of_time(options, start, &devices[i], count - i);
        if (is_stopped(options)) {
            graft_conform_say(options, GRAFT_CONFORM_REMARK, "%s: nothing was run: interrupted", id);
            continue;
        }
        if (strcmp(id, "auto") != 0 && !run_device(options, id, budget, reports, broken)) {
            *broken = true; /* it was in the list a moment ago */
        }
    }
    graft_reals_close(&reals);
    free(devices);
}

enum graft_conform_exit graft_conform(const struct graft_conform_options *options,
                                      struct graft_conform_reports *reports)
{
    *reports = (struct graft_conform_reports){NULL, 0};
    const enum graft_conform_exit usage = check_names(options);
    if (usage != GRAFT_CONFORM_PASSED) {
        return usage;
    }
    if (options->list) {
        return list_cases(options);
    }
    bool broken = false;
    if (options->device != NULL) {
        run_device(options, options->device, options->seconds, reports, &broken);
    } else {
        run_every_device(options, reports, &broken);
    }
    int ran = 0;
    int failed = 0;
    for (int i = 0; i < reports->count; i++) {
        ran += reports->items[i].ran;
        failed += reports->items[i].failed;
    }
    if (!broken && failed == 0 && is_stopped(options)) {
        return GRAFT_CONFORM_INTERRUPTED;
    }
    if (options->min_cases > 0 && ran < options->min_cases) {
        graft_conform_say(options, GRAFT_CONFORM_ERROR,
                          "%d cases ran, fewer than the %d that --min-cases demands", ran,
                          options->min_cases);
        return GRAFT_CONFORM_FAILED;
    }
    if (broken || failed > 0) {
        return GRAFT_CONFORM_FAILED;
    }
    if (ran == 0) {
        graft_conform_say(options, GRAFT_CONFORM_ERROR, "nothing was run: no case or device fits");
        return GRAFT_CONFORM_NOTHING;
    }
    return GRAFT_CONFORM_PASSED;
}

void graft_conform_reports_close(struct graft_conform_reports *reports)
{
    for (int i = 0; i < reports->count; i++) {
        free(reports->items[i].coverage);
        free(reports->items[i].failures);
        free(reports->items[i].reasons);
    }
    free(reports->items);
    *reports = (struct graft_conform_reports){NULL, 0};
}
