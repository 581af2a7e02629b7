/* SPDX-License-Identifier: MIT */
/* graft conform: does a device compute what the reference computes? */
#include "conform_output.h"
#include "verbs.h"

#include "base/file.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USUAL_SECONDS 60    /* of a run without flags, all devices together */
#define PROGRESS_SECONDS 60 /* between lines of progress in a log */

struct show {
    struct graft_command *command;
    bool failed;           /* an error was told: what follows from it is a remark */
    double progress_every; /* seconds, where stderr is no terminal; 0: never */
    double progress_next;  /* of the device's seconds */
    char errors[1500];
    struct graft_conform_reports reports; /* of all devices */
};

static void on_line(void *user, enum graft_conform_line kind, const char *text)
{
    struct show *const show = user;
    struct graft_command *const command = show->command;
    switch (kind) {
    case GRAFT_CONFORM_ERROR: {
        const size_t used = strlen(show->errors);
        snprintf(show->errors + used, sizeof show->errors - used, "%s%s", used > 0 ? "; " : "", text);
        if (show->failed) {
            graft_command_remark(command, "%s", text);
        } else {
            graft_command_error(command, "%s", text);
        }
        show->failed = true;
        break;
    }
    case GRAFT_CONFORM_REMARK:
        graft_command_remark(command, "%s", text);
        break;
    case GRAFT_CONFORM_FAILURE:
        if (command->json) {
            graft_command_error(command, "%s", text);
            break;
        }
        graft_command_progress_end(command);
        printf("FAILED %s\n", text);
        fflush(stdout);
        break;
    default:
        if (command->json) {
            graft_json_print(command, graft_json_text(text));
        } else {
            printf("%s\n", text);
        }
        break;
    }
}

static void on_timing(void *user, enum graft_conform_line kind, const char *text);

static bool is_cancelled(void *user)
{
    return graft_context_cancelled(((const struct show *)user)->command->context);
}

static void on_progress(void *user, const struct graft_conform_progress *progress)
{
    struct show *const show = user;
    char left[64] = "";
    char text[200];
    char time[32];
    if (progress->budget > progress->seconds) {
        snprintf(left, sizeof left, ", %s left",
                 graft_show_duration(progress->budget - progress->seconds, time));
    }
    snprintf(text, sizeof text, "%s: %d of %d cases, %d failed%s: %s", progress->device, progress->ran,
             progress->cases, progress->failed, left, progress->op);
    graft_command_progress(show->command, "%s", text);
    if (progress->seconds < show->progress_next - show->progress_every) { /* another device */
        show->progress_next = show->progress_every;
    }
    if (!show->command->terminal && show->progress_every > 0 && progress->seconds >= show->progress_next) {
        show->progress_next = progress->seconds + show->progress_every;
        graft_command_remark(show->command, "%s", text);
    }
}

/* Puts the reports behind those of earlier devices. False: out of memory. */
static bool keep_reports(struct graft_conform_reports *all, struct graft_conform_reports *more)
{
    if (more->count > 0) {
        const size_t count = (size_t)(all->count + more->count);
        struct graft_conform_report *const items = realloc(all->items, count * sizeof *items);
        if (items == NULL) {
            return false;
        }
        memcpy(items + all->count, more->items, (size_t)more->count * sizeof *items);
        all->items = items;
        all->count += more->count;
        more->count = 0; /* what they hold is held by `all` now */
    }
    return true;
}

/* opencl:N is a device that may be missing here; anything else that is not found is a mistake. */
static bool may_be_missing(const char *device)
{
    return strncmp(device, "opencl:", 7) == 0 && isdigit((unsigned char)device[7]);
}

/* One device, or all where options->device is NULL. */
static int run_device(struct graft_command *command, const struct graft_conform_options *options)
{
    struct graft_conform_reports reports;
    int code = (int)graft_conform(options, &reports);
    graft_command_progress_end(command);
    for (int i = 0; i < reports.count && options->line != on_timing && command->json; i++) {
        const int printed = graft_json_print(command, graft_conform_json(&reports.items[i]));
        code = printed != GRAFT_EXIT_DONE ? printed : code;
    }
    if (code == GRAFT_EXIT_NOTHING && reports.count == 0 && options->device != NULL &&
        !may_be_missing(options->device)) {
        code = GRAFT_EXIT_USAGE;
    }
    if (!keep_reports(&((struct show *)options->user)->reports, &reports)) {
        code = graft_command_error(command, "not enough memory for the reports");
    }
    graft_conform_reports_close(&reports);
    return code;
}

/* The worse of two: failed, interrupted, wrong usage, done, nothing run. */
static int worse(int a, int b)
{
    static const int order[] = {GRAFT_EXIT_FAILED, GRAFT_EXIT_INTERRUPTED, GRAFT_EXIT_USAGE, GRAFT_EXIT_DONE,
                                GRAFT_EXIT_NOTHING};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (a == order[i] || b == order[i]) {
            return order[i];
        }
    }
    return GRAFT_EXIT_FAILED;
}

/* The devices of --device, or all. */
static int run_devices(struct graft_command *command, struct graft_conform_options *request)
{
    int code = GRAFT_EXIT_NOTHING;
    if (command->device == NULL || request->list) {
        return run_device(command, request);
    }
    for (const char *rest = command->device; rest != NULL;) {
        char device[128];
        const int next = graft_command_next_device(command, &rest, device, sizeof device);
        if (next != GRAFT_EXIT_GO_ON) {
            return next;
        }
        if (is_cancelled(request->user)) {
            graft_command_remark(command, "%s: nothing was run: interrupted", device);
            continue;
        }
        request->device = device;
        ((struct show *)request->user)->failed = false;
        code = worse(code, run_device(command, request));
    }
    return code;
}

/* "device  case  variant  T us  G GFLOP/s" as an object. */
static void on_timing(void *user, enum graft_conform_line kind, const char *text)
{
    struct graft_command *const command = ((struct show *)user)->command;
    char device[32], test[160], variant[64];
    double microseconds = 0;
    double gflops = 0;
    if (kind == GRAFT_CONFORM_LISTING && command->json &&
        sscanf(text, "%31s %159s %63s %lf us %lf", device, test, variant, &microseconds, &gflops) == 5) {
        graft_json_print(command,
                         json_pack("{s:s, s:s, s:s, s:f, s:f}", "device", device, "case", test, "variant",
                                   variant, "microseconds", microseconds, "gflops", gflops));
    } else {
        on_line(user, kind, text);
    }
}

int graft_command_bench_op(struct graft_command *command, const char *op)
{
    struct graft_conform_options request = {
        .op = op, .bench = true, .seed = (uint64_t)command->seed, .threads = (int)command->threads};
    struct show show = {.command = command};
    request.line = on_timing;
    request.stop = is_cancelled;
    request.user = &show;
    const int code = run_devices(command, &request);
    graft_conform_reports_close(&show.reports);
    return code;
}

/* The page can be written: said before the minutes of work, not after. */
static int check_page(struct graft_command *command, const char *path)
{
    struct graft_file_writer writer;
    const enum graft_status status = graft_file_writer_open(command->context, path, &writer);
    if (status != GRAFT_OK) {
        return graft_command_failed(command, status);
    }
    graft_file_writer_abort(&writer);
    return GRAFT_EXIT_GO_ON;
}

/* "graft conform --device opencl:0": what was typed. */
static void command_line(const struct graft_command *command, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "graft conform");
    for (int i = 0; i < command->argument_count && used < size; i++) {
        used += (size_t)snprintf(text + used, size - used, " %s", command->arguments[i]);
    }
}

/* Table, verdicts and page. Returns `code`, or that of what failed here. */
static int conclude(struct graft_command *command, const struct show *show, const char *page, int code)
{
    char line[1000];
    if (!command->json) {
        graft_conform_print(&show->reports, page != NULL);
    }
    if (page == NULL || (show->reports.count == 0 && show->errors[0] == '\0')) {
        return code;
    }
    command_line(command, line, sizeof line);
    const struct graft_conform_page what = {.reports = &show->reports,
                                            .command_line = line,
                                            .errors = show->errors,
                                            .seed = (uint64_t)command->seed};
    const int written = graft_conform_page_write(command, &what, page);
    if (written != GRAFT_EXIT_DONE) {
        return written;
    }
    graft_command_remark(command, "%s is written", page);
    return code;
}

static int run(struct graft_command *command)
{
    struct show show = {.command = command, .progress_every = PROGRESS_SECONDS};
    struct graft_conform_options request = {
        .line = on_line, .progress = on_progress, .stop = is_cancelled, .user = &show};
    const char *page = NULL;
    const char *sizes = NULL;
    bool full = false;
    int64_t least_cases = 0;
    int64_t timeout = 0;
    const struct graft_option options[] = {
        {"--op", "OP", "cases of this op only", GRAFT_OPTION_TEXT, &request.op, 0, 0},
        {"--case", "CASE", "this case only: conv2d/k3_p1, conv2d/k3_p1/exact, or a pattern with * and ?",
         GRAFT_OPTION_TEXT, &request.test, 0, 0},
        {"--sizes", "small|real", "cases at the edges of tiles, or of the sizes that networks have; both",
         GRAFT_OPTION_TEXT, &sizes, 0, 0},
        {"--variant", "NAME", "this algorithm only", GRAFT_OPTION_TEXT, &request.variant, 0, 0},
        {"--full", NULL, "every case, all of real sizes too, however long that takes", GRAFT_OPTION_FLAG,
         &full, 0, 0},
        {"--every-network", NULL, "of real sizes also what repeats another network's calls: many hours",
         GRAFT_OPTION_FLAG, &request.every_network, 0, 0},
        {"--seconds", "N", "about as long; with no other flag: 60", GRAFT_OPTION_REAL, &request.seconds,
         0.001, 1e6},
        {"--most-work", "N", "cases of at most about N operations, and what it takes to try everything once",
         GRAFT_OPTION_REAL, &request.most_work, 1, 1e15},
        {"--largest", "N", "and no case of more operations: leaves out what only such cases try",
         GRAFT_OPTION_REAL, &request.largest, 1, 1e15},
        {"--report", "FILE", "write a page (HTML) to send to a maker", GRAFT_OPTION_TEXT, &page, 0, 0},
        {"--list", NULL, "name the cases, run none", GRAFT_OPTION_FLAG, &request.list, 0, 0},
        {"--bench", NULL, "time each case that has passed", GRAFT_OPTION_FLAG, &request.bench, 0, 0},
        {"--progress", "SECONDS", "between lines of progress in a log; 0: none; 60", GRAFT_OPTION_REAL,
         &show.progress_every, 0, 1e6},
        {"--min-cases", "N", "fail if fewer cases ran", GRAFT_OPTION_INTEGER, &least_cases, 0, 1e9},
        {"--timeout", "SECONDS", "of one case; 0: 300", GRAFT_OPTION_INTEGER, &timeout, 0, 1e6},
    };
    const int done = graft_command_begin(command, options, sizeof options / sizeof options[0]);
    if (done != GRAFT_EXIT_GO_ON) {
        return done;
    }
    show.progress_next = show.progress_every;
    request.seed = (uint64_t)command->seed;
    request.threads = (int)command->threads;
    request.min_cases = (int)least_cases;
    request.timeout_seconds = (int)timeout;
    if (full && request.seconds > 0) {
        return graft_command_usage(command, "--full runs every case; --seconds runs as many as fit");
    }
    if (sizes != NULL && strcmp(sizes, "small") != 0 && strcmp(sizes, "real") != 0) {
        return graft_command_usage(command, "--sizes is small or real, not \"%s\"", sizes);
    }
    request.sizes = sizes == NULL                ? GRAFT_CONFORM_BOTH
                    : strcmp(sizes, "real") == 0 ? GRAFT_CONFORM_REAL
                                                 : GRAFT_CONFORM_SMALL;
    request.real_sample = sizes == NULL && !full && request.test == NULL && !request.list;
    const bool chosen = command->device != NULL || request.op != NULL || request.test != NULL ||
                        request.variant != NULL || request.bench || least_cases > 0;
    if (!full && !chosen && sizes == NULL && request.seconds == 0) {
        request.seconds = USUAL_SECONDS;
    }
    const int writable = page != NULL && !request.list ? check_page(command, page) : GRAFT_EXIT_GO_ON;
    if (writable != GRAFT_EXIT_GO_ON) {
        return writable;
    }
    const int code = run_devices(command, &request);
    const int said = request.list ? code : conclude(command, &show, page, code);
    graft_conform_reports_close(&show.reports);
    return said;
}

const struct graft_verb graft_verb_conform = {
    .name = "conform",
    .operands = "",
    .purpose = "checks that devices compute what the reference computes",
    .examples =
        "  graft conform                              all devices, for a minute\n"
        "  graft conform --report page.html           and a page to send to a maker\n"
        "  graft conform --full                       every case; many minutes a device\n"
        "  graft conform --device opencl:0            every small case on one device, some of real sizes\n"
        "  graft conform --device opencl:0 --sizes real\n"
        "                                             each kind of call that networks make, and beyond\n"
        "  graft conform --device cpu,opencl:0 --op conv2d\n"
        "                                             one op on two devices\n"
        "  graft conform --list --op matmul           the cases by name\n"
        "  graft conform --bench --op conv2d --device cpu\n"
        "                                             and how fast each is\n",
    .notes =
        "  A run of limited time tries every op in every variant first, then more as --seed shuffles "
        "them.\n"
        "  Small sizes come first and take seconds, whatever the limit; variants that it did not reach in "
        "real\n"
        "  sizes are named.\n"
        "  Without any device or case to run the exit code is 77. A failure prints the line that runs "
        "it again.\n"
        "  Ctrl-C ends it after the case under way, with the table of what ran; the exit code is 130 then, "
        "or 1\n"
        "  if a case has failed.\n",
    .cancels = true,
    .run = run,
};
