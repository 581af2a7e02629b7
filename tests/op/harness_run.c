/* SPDX-License-Identifier: MIT */
/* One job on one variant: every way in which a plan may run it. */
#include "harness.h"
#include "layout.h"
#include "real.h"
#include "tolerance.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What is fixed while one kernel is tried. */
struct attempt {
    const struct graft_trial *trial;
    const struct graft_truth *truth; /* with the tolerances of the variant's algorithm */
    struct graft_device *device;
    struct graft_call call;
    struct graft_variant_info info;
    struct graft_kernel *kernel;
    struct graft_verdict *verdict;
};

static void format_index(const struct graft_desc *desc, int64_t index, char *text, size_t size)
{
    int64_t at[GRAFT_MAX_RANK] = {0};
    for (int d = desc->shape.rank - 1; d >= 0; d--) {
        at[d] = index % desc->shape.dim[d];
        index /= desc->shape.dim[d];
    }
    size_t used = (size_t)snprintf(text, size, "[");
    for (int d = 0; d < desc->shape.rank && used < size; d++) {
        used += (size_t)snprintf(text + used, size - used, "%s%" PRId64, d > 0 ? ", " : "", at[d]);
    }
    if (used < size) {
        snprintf(text + used, size - used, "]");
    }
}

static bool compare_results(const struct attempt *attempt, float *const *got, char *text, size_t size)
{
    const struct graft_truth *const truth = attempt->truth;
    bool good = true;
    for (int r = 0; r < truth->n_results; r++) {
        const struct graft_result *const result = &truth->results[r];
        struct graft_comparison comparison;
        const bool near =
            graft_compare(got[r], result->wanted, result->tolerance, result->count, &comparison);
        struct graft_verdict *const verdict = attempt->verdict;
        verdict->share = comparison.share > verdict->share ? comparison.share : verdict->share;
        if (!near && good) {
            char place[96];
            format_index(result->input ? &truth->call.in[result->index] : &truth->call.out[result->index],
                         comparison.index, place, sizeof place);
            snprintf(text, size,
                     "%s %d%s (element %" PRId64 " of %" PRId64
                     "): got %.9g, wanted %.9g, tolerance %.3g; %" PRId64 " differ",
                     result->input ? "input" : "output", result->index, place, comparison.index,
                     result->count, comparison.got, comparison.wanted, comparison.tolerance, comparison.bad);
            verdict->difference = (struct graft_conform_difference){
                .known = true,
                .index = comparison.index,
                .count = result->count,
                .bad = comparison.bad,
                .got = comparison.got,
                .wanted = comparison.wanted,
                .tolerance = comparison.tolerance,
            };
            snprintf(verdict->difference.place, sizeof verdict->difference.place, "%s %d%s",
                     result->input ? "input" : "output", result->index, place);
            good = false;
        }
    }
    return good;
}

static bool same_bits(const struct attempt *attempt, float *const *a, float *const *b, const char *what,
                      char *text, size_t size)
{
    for (int r = 0; r < attempt->truth->n_results; r++) {
        const struct graft_result *const result = &attempt->truth->results[r];
        for (int64_t i = 0; i < result->count; i++) {
            if (memcmp(&a[r][i], &b[r][i], sizeof(float)) != 0) {
                snprintf(text, size, "%s %d, element %" PRId64 ": %.9g, but %.9g %s",
                         result->input ? "input" : "output", result->index, i, (double)a[r][i],
                         (double)b[r][i], what);
                return false;
            }
        }
    }
    return true;
}

/* Runs in one layout and compares; a failure is written into the verdict with the layout's name. */
static bool run_layout(const struct attempt *attempt, const struct graft_layout *layout, const char *name,
                       float **got)
{
    char text[480];
    if (graft_layout_run(attempt->trial, attempt->device, attempt->kernel, &attempt->call, &attempt->info,
                         layout, got, text, sizeof text) &&
        compare_results(attempt, got, text, sizeof text)) {
        return true;
    }
    attempt->verdict->outcome = GRAFT_OUTCOME_FAILED;
    snprintf(attempt->verdict->text, sizeof attempt->verdict->text, "%s: %s", name, text);
    return false;
}

static bool demand_same(const struct attempt *attempt, float *const *a, float *const *b, const char *what)
{
    char text[480];
    if (same_bits(attempt, a, b, what, text, sizeof text)) {
        return true;
    }
    attempt->verdict->outcome = GRAFT_OUTCOME_FAILED;
    snprintf(attempt->verdict->text, sizeof attempt->verdict->text, "%s", text);
    return false;
}

static bool run_aliased(const struct attempt *attempt, float **got)
{
    const struct graft_op_def *const def = graft_op_get(attempt->call.op);
    const struct graft_desc *const out = &attempt->call.out[0];
    for (int i = 0; i < attempt->call.n_inputs && attempt->call.accumulate == 0; i++) {
        const struct graft_desc *const in = &attempt->call.in[i];
        if (!(def->in_place >> i & 1u) || (attempt->call.constant >> i & 1u) || in->dtype != out->dtype ||
            in->dtype == GRAFT_DTYPE_NONE || !graft_shape_equal(&in->shape, &out->shape)) {
            continue;
        }
        char name[48];
        snprintf(name, sizeof name, "in place of input %d", i);
        if (!run_layout(attempt, &(struct graft_layout){GRAFT_PLACING_ARENA, 1, i}, name, got)) {
            return false;
        }
    }
    return true;
}

/* With one thread the device must give the same bits. */
static bool run_single(const struct attempt *attempt, float *const *first)
{
    struct attempt single = *attempt;
    float *got[GRAFT_MAX_RESULTS] = {NULL};
    single.device = attempt->trial->single;
    single.kernel = NULL;
    const struct graft_backend *const backend = single.device->backend;
    const int variant = attempt->trial->variant;
    if (backend->check(single.device, &single.call, variant, &single.info) != GRAFT_OK ||
        backend->kernel_open(single.device, &single.call, variant, &single.kernel) != GRAFT_OK) {
        single.verdict->outcome = GRAFT_OUTCOME_FAILED;
        snprintf(single.verdict->text, sizeof single.verdict->text, "with one thread: %s",
                 graft_context_error(single.device->context));
        return false;
    }
    const bool good =
        run_layout(&single, &(struct graft_layout){GRAFT_PLACING_ARENA, 0, -1}, "with one thread", got) &&
        demand_same(&single, first, got, "with one thread");
    backend->kernel_close(single.device, single.kernel);
    return good;
}

/* Sets a pitch, another for each tensor, where the variant says that it may be a view; `only` ≥ 0: of the
 * claimed ones that alone. Returns how many are claimed. */
static int make_views(const struct graft_variant_info *info, int only, struct graft_call *call)
{
    int claimed = 0;
    for (int i = 0; i < GRAFT_MAX_INPUTS + GRAFT_MAX_OUTPUTS; i++) {
        const int output = i - GRAFT_MAX_INPUTS;
        const struct graft_desc *const desc = output < 0 ? &call->in[i] : &call->out[output];
        const uint32_t bits = output < 0 ? info->pitched_inputs >> i : info->pitched_outputs >> output;
        if (!(bits & 1u) || desc->dtype == GRAFT_DTYPE_NONE || desc->shape.rank == 0 ||
            graft_shape_count(&desc->shape) == 0 || (output < 0 && i >= call->n_inputs)) {
            continue;
        }
        if (only < 0 || only == claimed) {
            *(output < 0 ? &call->in_pitch[i] : &call->out_pitch[output]) =
                graft_shape_width(&desc->shape) + 3 + 2 * i;
        }
        claimed++;
    }
    return claimed;
}

/* The same as views of wider tensors, wherever the variant takes them: between rows nothing may change. */
static bool run_views(const struct attempt *attempt, float *const *first, int only)
{
    struct attempt views = *attempt;
    const struct graft_backend *const backend = views.device->backend;
    float *got[GRAFT_MAX_RESULTS] = {NULL};
    if (make_views(&attempt->info, only, &views.call) == 0) {
        return true;
    }
    views.kernel = NULL;
    if (backend->check(views.device, &views.call, views.trial->variant, &views.info) != GRAFT_OK ||
        backend->kernel_open(views.device, &views.call, views.trial->variant, &views.kernel) != GRAFT_OK) {
        views.verdict->outcome = GRAFT_OUTCOME_FAILED;
        snprintf(views.verdict->text, sizeof views.verdict->text,
                 "says that tensors may be views, but then: %s", graft_context_error(views.device->context));
        return false;
    }
    const bool good = run_layout(&views, &(struct graft_layout){GRAFT_PLACING_ODD, 0, -1},
                                 only < 0 ? "views" : "one view", got) &&
                      demand_same(&views, first, got, "as views");
    backend->kernel_close(views.device, views.kernel);
    return good;
}

/* In one of the tiers is enough: all tensors as views, and in every fourth case one of them, by turns. */
static bool run_all_views(const struct attempt *attempt, float *const *first)
{
    const struct graft_job *const job = attempt->trial->job;
    struct graft_call call = attempt->call;
    const int claimed = make_views(&attempt->info, -1, &call);
    const bool exact = graft_tolerance_has_exact(job->op) && graft_variant_has_exact(attempt->info.name);
    if (claimed == 0 || attempt->call.constant != 0 || exact != (job->tier == GRAFT_TIER_EXACT)) {
        return true;
    }
    const bool one = claimed > 1 && job->index % 4 == 0;
    return run_views(attempt, first, -1) && (!one || run_views(attempt, first, job->index / 4 % claimed));
}

static bool run_all_layouts(const struct attempt *attempt)
{
    float *first[GRAFT_MAX_RESULTS] = {NULL};
    float *got[GRAFT_MAX_RESULTS] = {NULL};
    const bool constant = attempt->call.constant != 0;
    const char *const name = !constant                          ? "plain"
                             : attempt->call.constant >> 1 & 1u ? "constant weights"
                                                                : "constant, but not the weights";
    if (!run_layout(attempt, &(struct graft_layout){GRAFT_PLACING_ARENA, 0, -1}, name, first) ||
        !run_layout(attempt, &(struct graft_layout){GRAFT_PLACING_TIGHT, 1, -1}, "second run", got) ||
        !demand_same(attempt, first, got, "in a second run")) {
        return false;
    }
    if (!run_layout(attempt, &(struct graft_layout){GRAFT_PLACING_ODD, 0, -1}, "odd offsets", got) ||
        !run_aliased(attempt, got)) {
        return false;
    }
    return run_all_views(attempt, first) && (attempt->trial->single == NULL || run_single(attempt, first));
}

static void run_kernel(struct attempt *attempt)
{
    const struct graft_trial *const trial = attempt->trial;
    const struct graft_backend *const backend = trial->device->backend;
    const enum graft_status status =
        backend->kernel_open(trial->device, &attempt->call, trial->variant, &attempt->kernel);
    if (status != GRAFT_OK) {
        attempt->verdict->outcome = GRAFT_OUTCOME_FAILED;
        snprintf(attempt->verdict->text, sizeof attempt->verdict->text,
                 "check accepts it, but kernel_open: %s", graft_context_error(trial->device->context));
        return;
    }
    if (run_all_layouts(attempt) && trial->bench) {
        struct graft_work work = {0};
        graft_op_get(attempt->call.op)->work(&attempt->call, &work);
        attempt->verdict->flops = work.flops;
        attempt->verdict->seconds = graft_layout_time(trial, attempt->kernel, &attempt->call, &attempt->info);
    }
    backend->kernel_close(trial->device, attempt->kernel);
    attempt->kernel = NULL;
}

#define MODES 3

/* Which inputs are constants, one way after the other: none; all that the set names and the case gives; these
 * without the first, as when weights are trained and biases are not. Returns how many ways there are. */
static int constant_masks(const struct graft_case_set *set, const struct graft_call *call,
                          uint32_t masks[MODES])
{
    int modes = 1;
    masks[0] = masks[1] = 0;
    for (int i = 0; i < call->n_inputs; i++) {
        if ((set->constants >> i & 1u) && call->in[i].dtype != GRAFT_DTYPE_NONE) {
            masks[1] |= 1u << i;
        }
    }
    masks[2] = masks[1] & (masks[1] - 1);
    while (modes < MODES && masks[modes] != 0) {
        modes++;
    }
    return modes;
}

enum graft_status graft_trial_check(struct graft_device *device, const struct graft_call *call, int variant,
                                    struct graft_variant_info *info)
{
    const enum graft_status status = device->backend->check(device, call, variant, info);
    const uint64_t bytes = status == GRAFT_OK ? graft_layout_bytes(call, info) : 0;
    if (bytes > device->info.max_allocation_bytes) {
        return graft_fail(device->context, GRAFT_ERROR_UNSUPPORTED,
                          "the case takes a buffer of %" PRIu64 " bytes; the largest on %s is %" PRIu64,
                          bytes, device->info.id, device->info.max_allocation_bytes);
    }
    return status;
}

static uint64_t real_variants(struct graft_device *device, const struct graft_job *job)
{
    uint64_t can = 0;
    for (int variant = 0; variant < 64; variant++) {
        struct graft_variant_info info;
        const enum graft_status status = graft_real_check(device, job, variant, &info);
        if (status == GRAFT_ERROR_NOT_FOUND) {
            break;
        }
        can |= (uint64_t)(status == GRAFT_OK) << variant;
    }
    return can;
}

uint64_t graft_trial_variants(struct graft_device *device, const struct graft_job *job)
{
    struct graft_call call;
    uint64_t can = 0;
    if (job->real != NULL) {
        return real_variants(device, job);
    }
    if (graft_job_call(device->context, job, &call) != GRAFT_OK) {
        return 1; /* running it tells what is wrong */
    }
    uint32_t masks[MODES];
    const int modes = constant_masks(graft_case_set_of(job->op), &call, masks);
    for (int variant = 0; variant < 64; variant++) {
        for (int mode = 0; mode < modes; mode++) {
            struct graft_variant_info info = {.name = ""};
            call.constant = masks[mode];
            const enum graft_status status = graft_trial_check(device, &call, variant, &info);
            if (status == GRAFT_ERROR_NOT_FOUND) {
                return can;
            }
            if (status == GRAFT_OK && (job->tier != GRAFT_TIER_EXACT || graft_variant_has_exact(info.name))) {
                can |= (uint64_t)1 << variant;
            }
        }
    }
    return can;
}

bool graft_trial_run(const struct graft_trial *trial, struct graft_verdict *verdict)
{
    if (trial->job->real != NULL) {
        return graft_real_run(trial, verdict);
    }
    uint32_t masks[MODES];
    const int modes = constant_masks(trial->set, &trial->truth->call, masks);
    struct graft_truth adapted;
    bool tried = false;
    *verdict = (struct graft_verdict){.outcome = GRAFT_OUTCOME_PASSED};
    for (int mode = 0; mode < modes; mode++) {
        struct attempt attempt = {.trial = trial, .device = trial->device, .verdict = verdict};
        attempt.call = trial->truth->call;
        attempt.call.constant = masks[mode];
        const enum graft_status status =
            graft_trial_check(trial->device, &attempt.call, trial->variant, &attempt.info);
        if (status == GRAFT_ERROR_NOT_FOUND) {
            return false;
        }
        snprintf(verdict->variant, sizeof verdict->variant, "%s", attempt.info.name);
        if (status != GRAFT_OK) {
            if (!tried) {
                snprintf(verdict->text, sizeof verdict->text, "%s",
                         graft_context_error(trial->device->context));
            }
            continue;
        }
        tried = true;
        verdict->text[0] = '\0';
        if (!graft_truth_adapt(trial->heap, trial->job, attempt.info.name, trial->truth, &adapted)) {
            verdict->outcome = GRAFT_OUTCOME_SKIPPED;
            return true;
        }
        attempt.truth = &adapted;
        run_kernel(&attempt);
        if (verdict->outcome != GRAFT_OUTCOME_PASSED) {
            return true;
        }
    }
    if (!tried) {
        verdict->outcome = GRAFT_OUTCOME_REFUSED;
    }
    return true;
}
