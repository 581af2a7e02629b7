/* SPDX-License-Identifier: MIT */
/* One real case on one variant: tensors between guards, aligned as in a plan and at odd offsets, near the
 * beginning of a buffer or far behind it. */
#include "real_truth.h"
#include "tolerance.h"
#include "base/random.h"
#include "base/size.h"
#include "base/system.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define GUARD 256                /* bytes on both sides of a tensor */
#define GUARD_BYTE 0x4b          /* as f32 a number; */
#define POISON_BYTE 0xff         /* a NaN */
#define BOTH_BYTES 4e6           /* cases of no more bytes are run at both kinds of offsets */
#define PART ((uint64_t)8 << 20) /* of an input, read back and compared at a time */
#define WORKSPACE (GRAFT_MAX_INPUTS + GRAFT_MAX_OUTPUTS)
#define SLOTS (WORKSPACE + 1)

struct slot {
    bool present;
    uint64_t bytes;
    int image;
    uint64_t offset;
    struct graft_tensor tensor;
};

/* Tensors of the case in buffers of the device. Operands stay where they are for all variants. */
struct scene {
    struct graft_device *device;
    const struct graft_real_truth *truth;
    struct slot slots[SLOTS]; /* inputs, outputs, workspace */
    int n_images;             /* the first is the workspace's */
    uint64_t image_bytes[SLOTS + 1];
    struct graft_buffer *image[SLOTS + 1];
    uint64_t workspace_room; /* bytes of the workspace's image that is open; 0: none */
    bool ready;              /* images are open, operands and guards are as they should be */
};

/* Kept from variant to variant: getting and touching memory takes as long as computing. */
struct graft_real_stage {
    struct scene scenes[2];    /* aligned, at odd offsets */
    float *results[WORKSPACE]; /* host memory for what is read */
    uint8_t *part;             /* PART bytes */
};

bool graft_real_differs(const struct graft_call *call, bool input, int tensor,
                        const struct graft_conform_difference *difference, char *text, size_t size)
{
    const struct graft_desc *const desc = input ? &call->in[tensor] : &call->out[tensor];
    char place[120] = "";
    int64_t index = difference->index;
    int64_t at[GRAFT_MAX_RANK] = {0};
    for (int d = desc->shape.rank - 1; d >= 0; d--) {
        at[d] = index % desc->shape.dim[d];
        index /= desc->shape.dim[d];
    }
    for (int d = 0; d < desc->shape.rank; d++) {
        const size_t used = strlen(place);
        snprintf(place + used, sizeof place - used, "%s%" PRId64, d > 0 ? ", " : "", at[d]);
    }
    snprintf(text, size,
             "%s %d[%s] (element %" PRId64 " of %" PRId64 "): got %.9g, wanted %.9g, tolerance %.3g; %" PRId64
             " differ",
             input ? "input" : "output", tensor, place, difference->index, difference->count, difference->got,
             difference->wanted, difference->tolerance, difference->bad);
    return false;
}

/* ---- placing ---- */

static const struct graft_desc *desc_of(const struct graft_call *call, int slot)
{
    return slot < GRAFT_MAX_INPUTS ? &call->in[slot] : &call->out[slot - GRAFT_MAX_INPUTS];
}

/* Operands in one buffer, or each in one of its own where that is too large for the device; the workspace in
 * another one. */
static void place(struct scene *scene, const struct graft_variant_info *info, enum graft_real_place far,
                  bool odd, bool apart)
{
    const struct graft_call *const call = &scene->truth->call;
    const uint64_t begin = far == GRAFT_REAL_NEAR ? 0 : (uint64_t)1 << (int)far;
    scene->n_images = apart ? 1 : 2;
    scene->image_bytes[0] = scene->image_bytes[1] = begin;
    for (int s = 0; s < SLOTS; s++) {
        struct slot *const slot = &scene->slots[s];
        size_t element = 0;
        *slot = (struct slot){.present = false};
        if (s == WORKSPACE) {
            slot->bytes = info->workspace_bytes;
            slot->present = slot->bytes > 0;
        } else if (s >= GRAFT_MAX_INPUTS || s < call->n_inputs) {
            slot->present = desc_of(call, s)->dtype != GRAFT_DTYPE_NONE;
            slot->bytes = slot->present ? graft_desc_bytes(desc_of(call, s)) : 0;
            element = graft_dtype_size(desc_of(call, s)->dtype);
        }
        if (!slot->present) {
            continue;
        }
        if (apart && s != WORKSPACE) {
            scene->image_bytes[scene->n_images++] = begin;
        }
        slot->image = s == WORKSPACE ? 0 : scene->n_images - 1;
        uint64_t *const end = &scene->image_bytes[slot->image];
        slot->offset = graft_round_up(*end, 64) + GUARD + (odd ? element * (uint64_t)(2 * s + 1) : 0);
        *end = slot->offset + slot->bytes + GUARD;
    }
}

static bool fits(const struct scene *scene)
{
    for (int i = 0; i < scene->n_images; i++) {
        if (scene->image_bytes[i] > scene->device->info.max_allocation_bytes) {
            return false;
        }
    }
    return true;
}

/* False: the device has no buffer that takes the case. */
static bool place_somehow(struct scene *scene, const struct graft_variant_info *info,
                          enum graft_real_place far, bool odd)
{
    place(scene, info, far, odd, false);
    if (!fits(scene)) {
        place(scene, info, far, odd, true);
    }
    return fits(scene);
}

static void release_workspace(struct scene *scene)
{
    graft_buffer_close(scene->device, &scene->image[0], scene->workspace_room);
    scene->workspace_room = 0;
}

static void release(struct scene *scene)
{
    for (int i = 1; i < scene->n_images; i++) {
        graft_buffer_close(scene->device, &scene->image[i], scene->image_bytes[i]);
    }
    release_workspace(scene);
    scene->ready = false;
}

void graft_real_truth_close(const struct graft_truth *truth)
{
    struct graft_real_stage *const stage = truth->real != NULL ? truth->real->stage : NULL;
    for (int odd = 0; odd < 2 && stage != NULL; odd++) {
        if (stage->scenes[odd].device != NULL) {
            release(&stage->scenes[odd]);
        }
    }
}

static const void *contents(const struct graft_real_truth *truth, int slot)
{
    return slot < GRAFT_MAX_INPUTS ? truth->in[slot]
           : slot < WORKSPACE      ? (const void *)truth->prior[slot - GRAFT_MAX_INPUTS]
                                   : NULL;
}

static bool is_written(const struct graft_call *call, int slot)
{
    return slot >= GRAFT_MAX_INPUTS || (graft_op_get(call->op)->mutates >> slot & 1u);
}

static enum graft_status write_guards(struct scene *scene, const struct slot *slot)
{
    const struct graft_backend *const backend = scene->device->backend;
    const struct graft_tensor before = {slot->tensor.buffer, slot->offset - GUARD};
    const struct graft_tensor after = {slot->tensor.buffer, slot->offset + slot->bytes};
    const enum graft_status status = backend->buffer_fill(scene->device, before, GUARD_BYTE, GUARD);
    return status == GRAFT_OK ? backend->buffer_fill(scene->device, after, GUARD_BYTE, GUARD) : status;
}

static enum graft_status open_images(struct scene *scene)
{
    enum graft_status status = GRAFT_OK;
    for (int i = 1; i < scene->n_images && status == GRAFT_OK && !scene->ready; i++) {
        status = graft_buffer_open(scene->device, scene->image_bytes[i], &scene->image[i]);
    }
    if (scene->slots[WORKSPACE].present && scene->workspace_room < scene->image_bytes[0] &&
        status == GRAFT_OK) {
        release_workspace(scene);
        status = graft_buffer_open(scene->device, scene->image_bytes[0], &scene->image[0]);
        scene->workspace_room = status == GRAFT_OK ? scene->image_bytes[0] : 0;
    }
    return status;
}

/* What is written by kernels anew for each; the rest once. */
static enum graft_status fill(struct scene *scene)
{
    const struct graft_backend *const backend = scene->device->backend;
    enum graft_status status = open_images(scene);
    for (int s = 0; s < SLOTS && status == GRAFT_OK; s++) {
        struct slot *const slot = &scene->slots[s];
        if (!slot->present) {
            continue;
        }
        slot->tensor = (struct graft_tensor){scene->image[slot->image], slot->offset};
        if (!scene->ready || s == WORKSPACE) {
            status = write_guards(scene, slot);
        }
        const void *const values = contents(scene->truth, s);
        const bool anew = !scene->ready || is_written(&scene->truth->call, s);
        if (status == GRAFT_OK && slot->bytes > 0 && anew) {
            status = values != NULL
                         ? backend->buffer_write(scene->device, slot->tensor, values, slot->bytes)
                         : backend->buffer_fill(scene->device, slot->tensor, POISON_BYTE, slot->bytes);
        }
    }
    scene->ready = status == GRAFT_OK;
    return status;
}

/* ---- looking at what came ---- */

static enum graft_status read_results(const struct scene *scene, struct graft_heap *heap,
                                      struct graft_real_results *got)
{
    struct graft_real_stage *const stage = scene->truth->stage;
    const struct graft_call *const call = &scene->truth->call;
    enum graft_status status = GRAFT_OK;
    *got = (struct graft_real_results){{NULL}, {NULL}};
    for (int s = 0; s < WORKSPACE && status == GRAFT_OK; s++) {
        const struct slot *const slot = &scene->slots[s];
        if (!slot->present || !is_written(call, s) || slot->bytes == 0) {
            continue;
        }
        if (stage->results[s] == NULL) {
            stage->results[s] = graft_heap_get(heap, slot->bytes / sizeof(float), sizeof(float));
        }
        float *const values = stage->results[s];
        *(s < GRAFT_MAX_INPUTS ? &got->in[s] : &got->out[s - GRAFT_MAX_INPUTS]) = values;
        status = scene->device->backend->buffer_read(scene->device, values, slot->tensor, slot->bytes);
    }
    return status;
}

static bool input_unchanged(const struct scene *scene, int s, uint8_t *part)
{
    const struct slot *const slot = &scene->slots[s];
    for (uint64_t at = 0; at < slot->bytes; at += PART) {
        const uint64_t bytes = graft_min_u64(slot->bytes - at, PART);
        const struct graft_tensor from = {slot->tensor.buffer, slot->offset + at};
        if (scene->device->backend->buffer_read(scene->device, part, from, bytes) != GRAFT_OK ||
            memcmp(part, (const uint8_t *)scene->truth->in[s] + at, bytes) != 0) {
            return false;
        }
    }
    return true;
}

/* Guards and inputs are as they were. */
static bool unchanged(const struct scene *scene, struct graft_heap *heap, char *text, size_t size)
{
    const struct graft_backend *const backend = scene->device->backend;
    const struct graft_call *const call = &scene->truth->call;
    struct graft_real_stage *const stage = scene->truth->stage;
    stage->part = stage->part != NULL ? stage->part : graft_heap_get(heap, PART, 1);
    for (int s = 0; s < SLOTS; s++) {
        const struct slot *const slot = &scene->slots[s];
        const char *const kind = s == WORKSPACE ? "workspace" : s < GRAFT_MAX_INPUTS ? "input" : "output";
        const int number = s < GRAFT_MAX_INPUTS ? s : s - GRAFT_MAX_INPUTS;
        uint8_t guards[2 * GUARD];
        if (!slot->present) {
            continue;
        }
        const struct graft_tensor before = {slot->tensor.buffer, slot->offset - GUARD};
        const struct graft_tensor after = {slot->tensor.buffer, slot->offset + slot->bytes};
        if (backend->buffer_read(scene->device, guards, before, GUARD) != GRAFT_OK ||
            backend->buffer_read(scene->device, guards + GUARD, after, GUARD) != GRAFT_OK) {
            snprintf(text, size, "%s", graft_context_error(scene->device->context));
            return false;
        }
        for (int i = 0; i < 2 * GUARD; i++) {
            if (guards[i] != GUARD_BYTE) {
                snprintf(text, size, "wrote %d bytes %s %s %d (%" PRIu64 " bytes)",
                         i < GUARD ? GUARD - i : i - GUARD + 1, i < GUARD ? "before" : "behind", kind, number,
                         slot->bytes);
                return false;
            }
        }
        if (s < GRAFT_MAX_INPUTS && !is_written(call, s) && slot->bytes > 0) {
            if (!input_unchanged(scene, s, stage->part)) {
                snprintf(text, size, "input %d was changed", number);
                return false;
            }
        }
    }
    return true;
}

/* Elements from `first` on against those that are wanted there; NULL: that they were written. */
static void compare_run(const float *got, const float *wanted, int64_t first, int64_t count,
                        struct graft_conform_difference *d)
{
    for (int64_t k = 0; k < count; k++) {
        const float value = got[first + k];
        if (!(wanted != NULL ? value == wanted[k] : value == value) && d->bad++ == 0) {
            d->known = true;
            d->index = first + k;
            d->got = (double)value;
            d->wanted = wanted != NULL ? (double)wanted[k] : 0;
        }
    }
}

static bool compare_exact(const struct graft_real_truth *truth, const struct graft_real_results *got,
                          struct graft_verdict *verdict, char *text, size_t size)
{
    for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++) {
        if (truth->wanted[i] == NULL) {
            continue;
        }
        struct graft_conform_difference *const d = &verdict->difference;
        *d = (struct graft_conform_difference){.count = graft_shape_count(&truth->call.out[i].shape)};
        const int64_t each = truth->n_images > 0 ? d->count / truth->call.out[i].shape.dim[0] : 0;
        int64_t at = 0;
        for (int k = 0; k < truth->n_images; k++) { /* in order */
            const int64_t begin = truth->images[k] * each;
            compare_run(got->out[i], NULL, at, begin - at, d);
            compare_run(got->out[i], truth->wanted[i] + k * each, begin, each, d);
            at = begin + each;
        }
        compare_run(got->out[i], truth->n_images > 0 ? NULL : truth->wanted[i], at, d->count - at, d);
        if (d->bad > 0) {
            return graft_real_differs(&truth->call, false, i, d, text, size);
        }
    }
    return true;
}

static bool compare_product(const struct graft_real_truth *truth, struct graft_heap *heap, const float *got,
                            bool exact, struct graft_verdict *verdict, char *text, size_t size)
{
    struct graft_conform_difference *const d = &verdict->difference;
    const double limit = exact ? 0 : ldexp(0.25, -truth->product.exponent);
    struct graft_freivalds_verdict found = {.good = true};
    *d = (struct graft_conform_difference){.count = graft_shape_count(&truth->call.out[0].shape),
                                           .tolerance = limit};
    for (int i = 0; i < GRAFT_REAL_SAMPLES; i++) {
        const double value = (double)got[truth->sample[i]];
        if (!(fabs(value - truth->sum[i]) <= limit)) {
            found = (struct graft_freivalds_verdict){
                .index = truth->sample[i], .bad = found.bad + 1, .got = value, .wanted = truth->sum[i]};
        }
    }
    if (found.bad == 0 && graft_freivalds_compare(&truth->check, heap, got, !exact, &found)) {
        return true;
    }
    if (found.index < 0) {
        snprintf(text, size,
                 "Freivalds' check fails at %" PRId64 " of %" PRId64 " places, place %" PRId64 " first",
                 found.bad, truth->check.form.places, found.place);
        return false;
    }
    d->known = true;
    d->index = found.index;
    d->bad = found.bad;
    d->got = found.got;
    d->wanted = found.wanted;
    return graft_real_differs(&truth->call, false, 0, d, text, size);
}

static bool compare_all(const struct graft_trial *trial, struct graft_heap *heap,
                        const struct graft_real_results *got, struct graft_verdict *verdict, char *text,
                        size_t size)
{
    const struct graft_real_truth *const truth = trial->truth->real;
    const bool exact = graft_variant_has_exact(verdict->variant);
    if (truth->is_product && !compare_product(truth, heap, got->out[0], exact, verdict, text, size)) {
        return false;
    }
    if (truth->wanted[0] != NULL) {
        return compare_exact(truth, got, verdict, text, size);
    }
    if (truth->is_product && exact) {
        return true;
    }
    const bool good = graft_real_slice_compare(truth, trial->device->context, got, verdict->variant,
                                               &verdict->share, &verdict->difference, text, size);
    if (good) {
        verdict->difference = (struct graft_conform_difference){.known = false};
    }
    return good;
}

/* ---- running ---- */

static double processor_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* *spent becomes the least of itself and what this run takes; 0: none was before. */
static enum graft_status run_kernel(struct scene *scene, struct graft_kernel *kernel, double *spent)
{
    const struct graft_backend *const backend = scene->device->backend;
    const uint32_t constant = scene->truth->call.constant;
    struct graft_tensor in[GRAFT_MAX_INPUTS] = {{NULL, 0}};
    struct graft_tensor out[GRAFT_MAX_OUTPUTS] = {{NULL, 0}};
    struct graft_tensor packed[GRAFT_MAX_INPUTS] = {{NULL, 0}};
    for (int i = 0; i < GRAFT_MAX_INPUTS; i++) {
        in[i] = scene->slots[i].tensor;
        packed[i] = constant >> i & 1u ? in[i] : packed[i];
    }
    for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++) {
        out[i] = scene->slots[GRAFT_MAX_INPUTS + i].tensor;
    }
    enum graft_status status =
        constant != 0 ? backend->kernel_prepare(scene->device, kernel, packed) : GRAFT_OK;
    if (status == GRAFT_OK) {
        status = backend->synchronize(scene->device, NULL);
    }
    const double before = processor_seconds();
    if (status == GRAFT_OK) {
        status = backend->kernel_run(scene->device, kernel, in, out, scene->slots[WORKSPACE].tensor);
    }
    if (status == GRAFT_OK) {
        status = backend->synchronize(scene->device, NULL);
    }
    const double seconds = processor_seconds() - before;
    *spent = *spent == 0 || seconds < *spent ? seconds : *spent;
    return status;
}

static bool run_place(const struct graft_trial *trial, struct graft_kernel *kernel,
                      const struct graft_variant_info *info, bool odd, struct graft_verdict *verdict)
{
    struct graft_heap heap = {NULL, 0, 0}; /* what the variant needs; trial->heap is the case's */
    struct scene *const scene = &trial->truth->real->stage->scenes[odd];
    struct graft_real_results got;
    char text[500];
    scene->device = trial->device;
    scene->truth = trial->truth->real;
    place_somehow(scene, info, trial->job->real->place, odd);
    enum graft_status status = fill(scene);
    status = status == GRAFT_OK ? run_kernel(scene, kernel, &verdict->spent) : status;
    status = status == GRAFT_OK ? read_results(scene, trial->heap, &got) : status;
    bool good = status == GRAFT_OK;
    if (!good) {
        snprintf(text, sizeof text, "%s: %s", graft_status_name(status),
                 graft_context_error(trial->device->context));
    } else {
        good = compare_all(trial, &heap, &got, verdict, text, sizeof text) &&
               unchanged(scene, trial->heap, text, sizeof text);
    }
    graft_heap_close(&heap);
    if (!good) {
        release(scene); /* whatever it has written */
        verdict->outcome = GRAFT_OUTCOME_FAILED;
        snprintf(verdict->text, sizeof verdict->text, "%s: %s", odd ? "odd offsets" : "plain", text);
    }
    return good;
}

static double bytes_of(const struct scene *scene)
{
    double bytes = 0;
    for (int s = 0; s < SLOTS; s++) {
        bytes += (double)scene->slots[s].bytes;
    }
    return bytes;
}

/* Operands, results, what they should be, and the device's own. */
static bool host_has_room(const struct scene *scene)
{
    const double needed = 4 * bytes_of(scene);
    return needed < 2e9 || needed < (double)graft_system_free_memory();
}

/* Whether the device would take another variant than this one, which can do the call too. */
static bool others_are_preferred(struct graft_device *device, const struct graft_call *call, int variant)
{
    struct graft_variant_info info;
    int preferred = -1;
    return graft_variant_choose(device, call, NULL, &preferred, &info) == GRAFT_OK && preferred != variant;
}

enum graft_status graft_real_check(struct graft_device *device, const struct graft_job *job, int variant,
                                   struct graft_variant_info *info)
{
    const struct graft_real_truth truth = {.call = job->real->call};
    struct scene scene = {.device = device, .truth = &truth};
    const enum graft_status status = device->backend->check(device, &truth.call, variant, info);
    if (status == GRAFT_OK && strcmp(info->name, "reference") == 0 &&
        graft_real_cost(&truth.call) > GRAFT_REAL_PLAIN_COST) {
        return graft_fail(device->context, GRAFT_ERROR_UNSUPPORTED, "plain loops are for smaller cases");
    }
    if (status == GRAFT_OK && job->real->preferred_only &&
        others_are_preferred(device, &truth.call, variant)) {
        return graft_fail(device->context, GRAFT_ERROR_UNSUPPORTED,
                          "tensors of more than 2^31 bytes are tried with the preferred variant "
                          "(--every-network: with each)");
    }
    if (status == GRAFT_OK && !place_somehow(&scene, info, job->real->place, true)) {
        return graft_fail(device->context, GRAFT_ERROR_UNSUPPORTED,
                          "the case takes a buffer of more bytes than %s has: %" PRIu64, device->info.id,
                          device->info.max_allocation_bytes);
    }
    if (status == GRAFT_OK && !host_has_room(&scene)) {
        return graft_fail(device->context, GRAFT_ERROR_UNSUPPORTED,
                          "the case takes %.0f MiB of memory, and %.0f are free",
                          4 * bytes_of(&scene) / 1048576, (double)graft_system_free_memory() / 1048576);
    }
    return status;
}

bool graft_real_run(const struct graft_trial *trial, struct graft_verdict *verdict)
{
    struct graft_device *const device = trial->device;
    struct graft_variant_info info = {.name = ""};
    struct scene scene = {.device = device, .truth = trial->truth->real};
    struct graft_real_truth *const real = trial->truth->real;
    real->stage = real->stage != NULL ? real->stage : graft_heap_get(trial->heap, 1, sizeof *real->stage);
    *verdict = (struct graft_verdict){.outcome = GRAFT_OUTCOME_PASSED};
    const enum graft_status status = graft_real_check(device, trial->job, trial->variant, &info);
    if (status == GRAFT_ERROR_NOT_FOUND) {
        return false;
    }
    snprintf(verdict->variant, sizeof verdict->variant, "%s", info.name);
    if (status != GRAFT_OK) {
        verdict->outcome = GRAFT_OUTCOME_REFUSED;
        snprintf(verdict->text, sizeof verdict->text, "%s", graft_context_error(device->context));
        return true;
    }
    struct graft_kernel *kernel = NULL;
    if (device->backend->kernel_open(device, &trial->truth->real->call, trial->variant, &kernel) !=
        GRAFT_OK) {
        verdict->outcome = GRAFT_OUTCOME_FAILED;
        snprintf(verdict->text, sizeof verdict->text, "check accepts it, but kernel_open: %s",
                 graft_context_error(device->context));
        return true;
    }
    place_somehow(&scene, &info, trial->job->real->place, true);
    const bool both = bytes_of(&scene) <= BOTH_BYTES && trial->job->real->place == GRAFT_REAL_NEAR;
    const bool odd =
        graft_hash_text(trial->job->real->name) % 2 != 0 || trial->job->real->place != GRAFT_REAL_NEAR;
    if (run_place(trial, kernel, &info, odd, verdict) && both) {
        run_place(trial, kernel, &info, !odd, verdict);
    }
    device->backend->kernel_close(device, kernel);
    return true;
}
