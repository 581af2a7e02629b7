/* SPDX-License-Identifier: MIT */
/*
 * Errors come back: whatever fails outside of Graft (memory, an OpenCL call, the system), each public call
 * gives a documented status with a message, leaves nothing behind, and can be made again with the same
 * result.
 *
 *   error_test DEVICE [--kind KIND] [--only SCENARIO] [--all] [--at N] [--variant V] [--lasting] [--trace]
 *              [--stride N]
 *
 * Each scenario is run once while the uses of a kind are counted and told apart by their call stacks. Then it
 * is run again for the first use of each stack (--all: for each use), which fails. Memory and OpenCL objects
 * are counted, so a leak shows without a sanitizer. --stride N, or GRAFT_TEST_STRIDE, lets only each N-th
 * call of OpenCL fail, for checkers under which drivers take long: other ones in each scenario.
 */
#include "world.h"

#include "base/context.h"
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    const char *kind, *only;
    bool all, lasting, trace;
    long at, variant, stride;
} chosen = {.at = -1, .variant = -1, .stride = 1};

static long passes, failures;

struct trial {
    const struct scenario *scenario;
    const char *device;
    struct fault fault;
    uint64_t bits; /* of the run without failure */
};

static void complain(const struct trial *trial, const char *what, const char *detail)
{
    printf("FAILED %s on %s: %s\n       %s; again: error_test %s --kind %s --only '%s' --at %ld --variant "
           "%d%s\n",
           trial->scenario->name, trial->device, what, detail, trial->device, fault_names[trial->fault.kind],
           trial->scenario->name, trial->fault.at, trial->fault.variant,
           trial->fault.lasting ? " --lasting" : "");
    failures++;
}

/* What the failure of a kind may turn into. */
static bool documented(enum fault_kind kind, enum graft_status status)
{
    switch (kind) {
    case FAULT_MEMORY:
        return status == GRAFT_ERROR_MEMORY;
    case FAULT_LIBRARY:
        return status == GRAFT_ERROR_MEMORY || status == GRAFT_ERROR_IO;
    case FAULT_OPENCL:
        return status == GRAFT_ERROR_MEMORY || status == GRAFT_ERROR_DEVICE ||
               status == GRAFT_ERROR_NOT_FOUND;
    case FAULT_ANSWER:
        return status == GRAFT_ERROR_MEMORY || status == GRAFT_ERROR_DEVICE ||
               status == GRAFT_ERROR_NOT_FOUND || status == GRAFT_ERROR_UNSUPPORTED;
    case FAULT_EVENT:
        return status == GRAFT_ERROR_DEVICE;
    case FAULT_SYSTEM: /* a compiler's process that is lost is the device's failure */
        return status == GRAFT_ERROR_IO || status == GRAFT_ERROR_MEMORY || status == GRAFT_ERROR_DEVICE;
    default:
        return false;
    }
}

static enum graft_status open_context(struct world *world, const struct scenario *scenario)
{
    char cache[160];
    (void)snprintf(cache, sizeof cache, "%s", world_path(world, "cache"));
    const struct graft_context_options options = {.allocator = fault_allocator,
                                                  .threads = scenario->threads > 0 ? scenario->threads : 1,
                                                  .cache_folder = cache};
    return graft_context_open(&options, &world->context);
}

/* Checks status and message of a step that failed. */
static void check_failure(const struct trial *trial, struct world *world, int step, enum graft_status status)
{
    const char *where = "";
    char what[2200];
    const char *const text = graft_context_error(world->context);
    const bool was = fault_happened(&where);
    (void)snprintf(what, sizeof what, "step %d, %s fails: %s (%s)", step, where, graft_status_name(status),
                   text);
    if (!was) {
        complain(trial, what, "nothing was made to fail");
    } else if (!documented(trial->fault.kind, status)) {
        complain(trial, what, "not a status that is documented for this");
    } else if (text[0] == '\0') {
        complain(trial, what, "there is no message");
    }
}

/* All steps; a failed one is made again without failures. False if that fails, too. */
static bool run_steps(const struct trial *trial, struct world *world)
{
    const struct scenario *const scenario = trial->scenario;
    for (int i = 0; i < MAX_STEPS && scenario->steps[i] != NULL; i++) {
        (void)graft_fail(world->context, GRAFT_OK, "%s", "");
        enum graft_status status = scenario->steps[i](world);
        if (status == GRAFT_OK) {
            continue;
        }
        if (trial->fault.kind != FAULT_NONE) {
            check_failure(trial, world, i, status);
        }
        if (trial->fault.lasting) { /* close while everything fails, then begin anew */
            world_close(world);
            (void)fault_disarm();
            world->bits = 0;
            i = -1;
            ((struct trial *)(uintptr_t)trial)->fault.lasting = false;
            continue;
        }
        (void)fault_disarm();
        status = scenario->steps[i](world);
        if (status != GRAFT_OK) {
            char what[2200];
            (void)snprintf(what, sizeof what, "step %d, once more without failure: %s (%s)", i,
                           graft_status_name(status), graft_context_error(world->context));
            complain(trial, what, "the next call does not work");
            return false;
        }
    }
    return true;
}

static int is_part(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return strstr(path, ".part-") != NULL;
}

static void run_trial(const struct trial *given, const char *folder, uint64_t *bits)
{
    struct trial trial = *given;
    struct world world = {.device_name = trial.device};
    const char *where = "", *what = "";
    const long failed_before = failures;
    (void)snprintf(world.folder, sizeof world.folder, "%s", folder);
    test_folder_remove(world_path(&world, "cache"));
    fault_arm(&trial.fault);
    enum graft_status status = open_context(&world, trial.scenario);
    if (status != GRAFT_OK) {
        if (!documented(trial.fault.kind, status) || world.context != NULL) {
            complain(&trial, "graft_context_open", graft_status_name(status));
        }
        (void)fault_disarm();
        status = open_context(&world, trial.scenario);
    }
    if (status != GRAFT_OK) {
        complain(&trial, "graft_context_open", "once more without failure");
        return;
    }
    const bool ran = run_steps(&trial, &world);
    const bool quiet =
        !trial.fault.lasting; /* a lasting failure without consequence: closing meets it, too */
    if (quiet) {
        (void)fault_disarm();
    }
    world_close(&world);
    graft_context_close(&world.context);
    (void)fault_disarm();
    (void)fault_happened(&where);
    char detail[128];
    if (fault_memory_alive() != 0) {
        (void)snprintf(detail, sizeof detail, "%ld blocks of memory are left over", fault_memory_alive());
        complain(&trial, where, detail);
        fault_memory_forget();
    }
    if (fault_opencl_alive(&what) != 0) {
        (void)snprintf(detail, sizeof detail, "%ld OpenCL objects are left over, %s among them",
                       fault_opencl_alive(&what), what);
        complain(&trial, where, detail);
        fault_opencl_forget();
    }
    if (ran && bits == NULL && trial.fault.kind != FAULT_ANSWER && world.bits != trial.bits) {
        complain(&trial, where, "the result differs from that without failure");
    }
    const bool left = strcmp(where, "unlink") != 0 && nftw(folder, is_part, 8, FTW_PHYS) != 0;
    if (world.broken || left) {
        complain(&trial, where, left ? "a partial file is left over" : "see above");
        (void)!system("find /tmp/graft-test-* -name '*.part-*' -delete");
    }
    if (bits != NULL) {
        *bits = world.bits;
    }
    passes += failures == failed_before;
}

/* A call of OpenCL may fail by an error, a wrong answer or an event that ends badly. */
static bool is_of_opencl(enum fault_kind kind)
{
    return kind == FAULT_OPENCL || kind == FAULT_ANSWER || kind == FAULT_EVENT;
}

static bool is_passed_over(const struct scenario *scenario, enum fault_kind kind, size_t place)
{
    const size_t offset = (size_t)(scenario - scenarios);
    return is_of_opencl(kind) && (place + offset) % (size_t)chosen.stride != 0;
}

static void sweep(const struct scenario *scenario, const char *device, enum fault_kind kind,
                  const char *folder)
{
    struct trial trial = {.scenario = scenario, .device = device};
    size_t places = 0, count = 0;
    long uses = 0;
    run_trial(&trial, folder, &trial.bits); /* what is made at the first use is there then */
    fault_record_begin(kind);
    trial.fault = (struct fault){.kind = kind, .at = -1};
    run_trial(&trial, folder, NULL);
    const long *const numbers = fault_record_end(&places, &count, &uses);
    long trials = 0;
    for (size_t i = 0; i < (chosen.all ? (size_t)uses : count); i++) {
        const long at = chosen.all ? (long)i : numbers[i];
        if (chosen.at < 0 && is_passed_over(scenario, kind, i)) {
            continue;
        }
        for (int v = 0; v < fault_variants[kind]; v++) {
            /* One variant for each place, in turn, where there are many of them. */
            const bool wanted = chosen.all || (kind == FAULT_SYSTEM && !scenario->of_opencl) ||
                                v == (int)(i % (size_t)fault_variants[kind]);
            if ((chosen.at >= 0 && at != chosen.at) ||
                (chosen.variant >= 0 ? v != chosen.variant : !wanted)) {
                continue;
            }
            trial.fault = (struct fault){
                .kind = kind, .at = at, .variant = v, .lasting = chosen.lasting, .trace = chosen.trace};
            run_trial(&trial, folder, NULL);
            trials++;
        }
    }
    printf("       %-10s %-8s %-8s %ld uses at %zu new places, %ld made to fail\n", scenario->name, device,
           fault_names[kind], uses, places, trials);
    fflush(stdout);
}

static bool is_there(const char *name)
{
    struct graft_context *context = NULL;
    struct graft_device *device = NULL;
    const bool there = graft_context_open(NULL, &context) == GRAFT_OK &&
                       graft_device_open(context, name, &device) != GRAFT_ERROR_NOT_FOUND;
    graft_device_close(&device);
    graft_context_close(&context);
    return there;
}

int main(int count, char **arguments)
{
    const char *const device = count > 1 ? arguments[1] : "cpu";
    const char *const stride = getenv("GRAFT_TEST_STRIDE");
    chosen.stride = stride != NULL ? atol(stride) : 1;
    for (int i = 2; i < count; i++) {
        const char *const next = i + 1 < count ? arguments[i + 1] : "";
        if (strcmp(arguments[i], "--kind") == 0) {
            chosen.kind = next;
        } else if (strcmp(arguments[i], "--only") == 0) {
            chosen.only = next;
        } else if (strcmp(arguments[i], "--at") == 0) {
            chosen.at = atol(next);
        } else if (strcmp(arguments[i], "--variant") == 0) {
            chosen.variant = atol(next);
        } else if (strcmp(arguments[i], "--stride") == 0) {
            chosen.stride = atol(next);
        }
        chosen.all = chosen.all || strcmp(arguments[i], "--all") == 0;
        chosen.trace = chosen.trace || strcmp(arguments[i], "--trace") == 0;
        chosen.lasting = chosen.lasting || strcmp(arguments[i], "--lasting") == 0;
    }
    chosen.stride = chosen.stride > 1 ? chosen.stride : 1;
    struct world world = {0};
    test_folder(world.folder, sizeof world.folder);
    if (!world_prepare(&world)) {
        return 1;
    }
    const bool opencl = strncmp(device, "opencl", 6) == 0;
    if (opencl && !is_there(device)) {
        printf("skipped: there is no device %s\n", device);
        test_folder_remove(world.folder);
        return 77;
    }
    for (int kind = 1; kind < FAULT_KINDS; kind++) {
        const bool of_opencl = is_of_opencl((enum fault_kind)kind);
        for (int s = 0; s < scenario_count; s++) {
            if ((scenarios[s].kinds >> kind & 1u) != 0 &&
                (opencl || !(of_opencl || scenarios[s].of_opencl)) &&
                (chosen.kind == NULL || strstr(chosen.kind, fault_names[kind]) != NULL) &&
                (chosen.only == NULL || strcmp(chosen.only, scenarios[s].name) == 0)) {
                sweep(&scenarios[s], device, (enum fault_kind)kind, world.folder);
            }
        }
    }
    test_folder_remove(world.folder);
    printf("%ld passed, %ld failed\n", passes, failures);
    return passes + failures == 0 ? 77 : failures > 0;
}
