/* SPDX-License-Identifier: MIT */
/* graft conform: does a device compute what the reference computes? */
#include "conform.h"

#include "output.h"
#include "verbs.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct show {
    struct graft_command *command;
    bool failed; /* an error was told: what follows from it is a remark */
};

static void on_line(void *user, enum graft_conform_line kind, const char *text)
{
    struct show *const show = user;
    struct graft_command *const command = show->command;
    switch (kind) {
    case GRAFT_CONFORM_ERROR:
        if (show->failed) {
            graft_command_remark(command, "%s", text);
        } else {
            graft_command_error(command, "%s", text);
        }
        show->failed = true;
        break;
    case GRAFT_CONFORM_REMARK:
        graft_command_remark(command, "%s", text);
        break;
    case GRAFT_CONFORM_FAILURE:
        if (command->json) {
            graft_command_error(command, "%s", text);
            break;
        }
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

static json_t *describe(const struct graft_conform_report *report)
{
    json_t *const worst = json_array();
    for (int i = 0; i < report->n_worst; i++) {
        json_array_append_new(worst, json_pack("{s:o, s:o}", "case", graft_json_text(report->worst[i].test),
                                               "share_of_tolerance",
                                               graft_json_real(report->worst[i].share_of_tolerance)));
    }
    return json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:o}", "device", report->info.id, "ran", report->ran,
                     "passed", report->passed, "failed", report->failed, "unsupported", report->unsupported,
                     "skipped", report->skipped, "worst", worst);
}

static int print_report(struct graft_command *command, const struct graft_conform_report *report)
{
    if (command->json) {
        return graft_json_print(command, describe(report));
    }
    printf("%s (%s): %d ran, %d passed, %d failed, %d unsupported, %d skipped, %.1f s\n", report->info.id,
           report->info.name, report->ran, report->passed, report->failed, report->unsupported, report->skipped,
           report->seconds);
    for (int i = 0; i < report->n_worst && i < 3; i++) {
        printf("  %5.1f %% of the tolerance: %s\n", 100 * report->worst[i].share_of_tolerance,
               report->worst[i].test);
    }
    return GRAFT_EXIT_DONE;
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
    for (int i = 0; i < reports.count && options->line != on_timing; i++) {
        const int printed = print_report(command, &reports.items[i]);
        code = printed != GRAFT_EXIT_DONE ? printed : code;
    }
    if (code == GRAFT_EXIT_NOTHING && reports.count == 0 && options->device != NULL &&
        !may_be_missing(options->device)) {
        code = GRAFT_EXIT_USAGE;
    }
    graft_conform_reports_close(&reports);
    return code;
}

/* The worse of two: failed, wrong usage, done, nothing run. */
static int worse(int a, int b)
{
    static const int order[] = {GRAFT_EXIT_FAILED, GRAFT_EXIT_USAGE, GRAFT_EXIT_DONE, GRAFT_EXIT_NOTHING};
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
    request.user = &show;
    return run_devices(command, &request);
}

static int run(struct graft_command *command)
{
    struct show show = {.command = command};
    struct graft_conform_options request = {.line = on_line, .user = &show};
    int64_t least_cases = 0;
    int64_t timeout = 0;
    const struct graft_option options[] = {
        {"--op", "OP", "cases of this op only", GRAFT_OPTION_TEXT, &request.op, 0, 0},
        {"--case", "CASE", "this case only: conv2d/k3_p1, conv2d/k3_p1/exact, or a pattern with * and ?",
         GRAFT_OPTION_TEXT, &request.test, 0, 0},
        {"--variant", "NAME", "this algorithm only", GRAFT_OPTION_TEXT, &request.variant, 0, 0},
        {"--list", NULL, "name the cases, run none", GRAFT_OPTION_FLAG, &request.list, 0, 0},
        {"--bench", NULL, "time each case that has passed", GRAFT_OPTION_FLAG, &request.bench, 0, 0},
        {"--min-cases", "N", "fail if fewer cases ran", GRAFT_OPTION_INTEGER, &least_cases, 0, 1e9},
        {"--timeout", "SECONDS", "of one case; 0: 300", GRAFT_OPTION_INTEGER, &timeout, 0, 1e6},
    };
    const int done = graft_command_begin(command, options, sizeof options / sizeof options[0]);
    if (done != GRAFT_EXIT_GO_ON) {
        return done;
    }
    request.seed = (uint64_t)command->seed;
    request.threads = (int)command->threads;
    request.min_cases = (int)least_cases;
    request.timeout_seconds = (int)timeout;
    return run_devices(command, &request);
}

const struct graft_verb graft_verb_conform = {
    .name = "conform",
    .operands = "",
    .purpose = "checks that devices compute what the reference computes",
    .examples = "  graft conform                              all ops on all devices\n"
                "  graft conform --device opencl:0            one device\n"
                "  graft conform --device cpu,opencl:0 --op conv2d\n"
                "                                             one op on two devices\n"
                "  graft conform --list --op matmul           the cases by name\n"
                "  graft conform --bench --op conv2d --device cpu\n"
                "                                             and how fast each is\n",
    .notes = "  Without any device or case to run the exit code is 77. A failure prints the line that runs "
             "it again.\n",
    .run = run,
};
