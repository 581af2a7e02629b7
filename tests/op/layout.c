/* SPDX-License-Identifier: MIT */
#include "layout.h"

#include "backend/measure.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GUARD_BYTES 256 /* on both sides of a tensor; a multiple of 64 */
#define WORKSPACE (GRAFT_MAX_INPUTS + GRAFT_MAX_OUTPUTS)
#define SLOTS (WORKSPACE + 1)

/* Slots: inputs, outputs, workspace. */
struct slot {
    bool present;
    bool written; /* the kernel may write it */
    int image;
    uint64_t offset;
    uint64_t bytes;
    uint64_t row, step; /* bytes of a row, and from row to row: more where the tensor is a view */
};

struct image {
    uint64_t size;
    uint32_t poison;
    uint8_t *before;
    uint8_t *after;
    struct graft_buffer *buffer;
};

struct scene {
    struct graft_device *device;
    const struct graft_call *call;
    int n_images;
    struct slot slots[SLOTS];
    struct image images[SLOTS];
    struct graft_tensor in[GRAFT_MAX_INPUTS];
    struct graft_tensor out[GRAFT_MAX_OUTPUTS];
    struct graft_tensor workspace;
};

static uint64_t round_up_64(uint64_t value)
{
    return (value + 63) & ~UINT64_C(63);
}

/* In outputs, workspace and guards. Around outputs at odd offsets there are numbers in any case: what is
 * added to a NaN behind one would not show. */
static uint32_t poison_of(const struct graft_layout *layout, int slot)
{
    static const uint32_t poisons[] = {0x7fc0a5a5, 0x4b3c614e};
    const bool output = slot >= GRAFT_MAX_INPUTS && slot < WORKSPACE;
    return poisons[layout->placing == GRAFT_PLACING_ODD && output ? 1 : layout->poison];
}

static const struct graft_desc *slot_desc(const struct graft_call *call, int slot)
{
    return slot < GRAFT_MAX_INPUTS ? &call->in[slot] : &call->out[slot - GRAFT_MAX_INPUTS];
}

/* Bytes from row to row, where the tensor is a view; else 0. */
static uint64_t view_step(const struct graft_call *call, int slot)
{
    const int64_t pitch =
        slot < GRAFT_MAX_INPUTS ? call->in_pitch[slot] : call->out_pitch[slot - GRAFT_MAX_INPUTS];
    return (uint64_t)pitch * graft_dtype_size(slot_desc(call, slot)->dtype);
}

/* How far a tensor reaches. A row of one that is no view is all of it. */
static void measure(const struct graft_call *call, int slot, struct slot *to)
{
    const struct graft_desc *const desc = slot_desc(call, slot);
    const uint64_t step = view_step(call, slot), bytes = graft_desc_bytes(desc);
    to->bytes = to->row = to->step = bytes;
    if (step > 0 && bytes > 0) {
        to->row = (uint64_t)graft_shape_width(&desc->shape) * graft_dtype_size(desc->dtype);
        to->step = step;
        to->bytes = (bytes / to->row - 1) * step + to->row;
    }
}

/* Between an image, where rows lie apart, and the bytes of a tensor. */
static void copy_rows(const struct slot *slot, uint8_t *image, uint8_t *bytes, bool out)
{
    for (uint64_t at = 0; at < slot->bytes; at += slot->step, bytes += slot->row) {
        uint8_t *const there = image + slot->offset + at;
        memcpy(out ? bytes : there, out ? there : bytes, slot->row);
    }
}

/* Bytes, presence and place of each slot; sizes of the images. */
static void place(struct scene *scene, const struct graft_variant_info *info,
                  const struct graft_layout *layout)
{
    const struct graft_op_def *const def = graft_op_get(scene->call->op);
    for (int s = 0; s < SLOTS; s++) {
        struct slot *const slot = &scene->slots[s];
        size_t element = 64;
        if (s == WORKSPACE) {
            slot->bytes = slot->row = slot->step = info->workspace_bytes;
            slot->present = slot->bytes > 0;
            slot->written = true;
        } else {
            const struct graft_desc *const desc = slot_desc(scene->call, s);
            const bool listed = s >= GRAFT_MAX_INPUTS || s < scene->call->n_inputs;
            slot->present = listed && desc->dtype != GRAFT_DTYPE_NONE;
            slot->bytes = 0;
            if (slot->present)
                measure(scene->call, s, slot);
            slot->written = s >= GRAFT_MAX_INPUTS || (def->mutates >> s & 1u);
            element = graft_dtype_size(desc->dtype);
        }
        if (!slot->present) {
            continue;
        }
        if (s == GRAFT_MAX_INPUTS && layout->alias >= 0) {
            *slot = scene->slots[layout->alias];
            slot->written = true;
            scene->slots[layout->alias].written = true;
            continue;
        }
        if (layout->placing != GRAFT_PLACING_ARENA || scene->n_images == 0) {
            scene->n_images++;
        }
        slot->image = scene->n_images - 1;
        struct image *const image = &scene->images[slot->image];
        image->poison = poison_of(layout, s);
        const uint64_t shift =
            layout->placing == GRAFT_PLACING_ODD && s != WORKSPACE ? element * (2 * s + 1) : 0;
        slot->offset = image->size + GUARD_BYTES + shift;
        image->size = slot->offset + slot->bytes;
        if (layout->placing != GRAFT_PLACING_TIGHT) {
            image->size = round_up_64(image->size) + GUARD_BYTES;
        }
    }
}

uint64_t graft_layout_bytes(const struct graft_call *call, const struct graft_variant_info *info)
{
    struct scene scene = {.call = call};
    place(&scene, info, &(struct graft_layout){GRAFT_PLACING_ARENA, 0, -1}); /* all tensors in one */
    return scene.images[0].size > info->prepared_bytes ? scene.images[0].size : info->prepared_bytes;
}

static void fill_pattern(uint8_t *bytes, uint64_t size, uint32_t pattern)
{
    for (uint64_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(pattern >> 8 * (i % 4));
    }
}

static void fill_contents(struct scene *scene, struct graft_heap *heap, const struct graft_truth *truth)
{
    for (int s = 0; s < WORKSPACE; s++) {
        const struct slot *const slot = &scene->slots[s];
        if (!slot->present) {
            continue;
        }
        const int output = s - GRAFT_MAX_INPUTS;
        const void *const values = output < 0 ? truth->inputs.in[s] : (const void *)truth->prior[output];
        if (values == NULL || slot->bytes == 0) {
            continue;
        }
        uint8_t *const bytes = graft_heap_get(heap, slot->bytes, 1);
        graft_to_device(slot_desc(scene->call, s), values, bytes);
        copy_rows(slot, scene->images[slot->image].before, bytes, false);
    }
}

static struct graft_tensor tensor_of(const struct scene *scene, int s)
{
    const struct slot *const slot = &scene->slots[s];
    return slot->present ? (struct graft_tensor){scene->images[slot->image].buffer, slot->offset}
                         : (struct graft_tensor){NULL, 0};
}

static enum graft_status upload(struct scene *scene, struct graft_heap *heap, const struct graft_truth *truth)
{
    for (int i = 0; i < scene->n_images; i++) {
        struct image *const image = &scene->images[i];
        image->before = graft_heap_get(heap, image->size, 1);
        image->after = graft_heap_get(heap, image->size, 1);
        fill_pattern(image->before, image->size, image->poison);
    }
    fill_contents(scene, heap, truth);
    for (int i = 0; i < scene->n_images; i++) {
        struct image *const image = &scene->images[i];
        enum graft_status status = graft_buffer_open(scene->device, image->size, &image->buffer);
        if (status == GRAFT_OK) {
            const struct graft_tensor whole = {image->buffer, 0};
            status = scene->device->backend->buffer_write(scene->device, whole, image->before, image->size);
        }
        if (status != GRAFT_OK) {
            return status;
        }
    }
    for (int s = 0; s < GRAFT_MAX_INPUTS; s++) {
        scene->in[s] = tensor_of(scene, s);
    }
    for (int s = 0; s < GRAFT_MAX_OUTPUTS; s++) {
        scene->out[s] = tensor_of(scene, GRAFT_MAX_INPUTS + s);
    }
    scene->workspace = tensor_of(scene, WORKSPACE);
    return GRAFT_OK;
}

static enum graft_status write_constants(struct scene *scene, struct graft_heap *heap, bool garbage)
{
    for (int s = 0; s < GRAFT_MAX_INPUTS; s++) {
        const struct slot *const slot = &scene->slots[s];
        if (!(scene->call->constant >> s & 1u) || !slot->present || slot->bytes == 0) {
            continue;
        }
        const uint8_t *const bytes = scene->images[slot->image].before + slot->offset;
        uint8_t *const noise = graft_heap_get(heap, slot->bytes, 1);
        fill_pattern(noise, slot->bytes, 0x40490fdb);
        const enum graft_status status = scene->device->backend->buffer_write(
            scene->device, scene->in[s], garbage ? noise : bytes, slot->bytes);
        if (status != GRAFT_OK) {
            return status;
        }
    }
    return GRAFT_OK;
}

/* Prepares twice, first for other weights: the second time must replace them. Other inputs are not to be seen
 * yet. */
static enum graft_status prepare(struct scene *scene, struct graft_kernel *kernel, struct graft_heap *heap)
{
    const struct graft_backend *const backend = scene->device->backend;
    struct graft_tensor in[GRAFT_MAX_INPUTS] = {{NULL, 0}};
    for (int s = 0; s < GRAFT_MAX_INPUTS; s++) {
        if (scene->call->constant >> s & 1u) {
            in[s] = scene->in[s];
        }
    }
    enum graft_status status = write_constants(scene, heap, true);
    status = status == GRAFT_OK ? backend->kernel_prepare(scene->device, kernel, in) : status;
    status = status == GRAFT_OK ? write_constants(scene, heap, false) : status;
    return status == GRAFT_OK ? backend->kernel_prepare(scene->device, kernel, in) : status;
}

static void describe_place(const struct scene *scene, int image, uint64_t at, char *text, size_t size)
{
    int nearest = -1;
    uint64_t best = UINT64_MAX;
    for (int s = 0; s < SLOTS; s++) {
        const struct slot *const slot = &scene->slots[s];
        if (!slot->present || slot->image != image) {
            continue;
        }
        const uint64_t end = slot->offset + slot->bytes;
        const uint64_t distance = at < slot->offset ? slot->offset - at : at >= end ? at - end + 1 : 0;
        if (distance < best) {
            best = distance;
            nearest = s;
        }
    }
    const struct slot *const slot = &scene->slots[nearest];
    const char *const kind = nearest == WORKSPACE         ? "workspace"
                             : nearest < GRAFT_MAX_INPUTS ? "input"
                                                          : "output";
    const int number = nearest < GRAFT_MAX_INPUTS ? nearest : nearest - GRAFT_MAX_INPUTS;
    if (best == 0 && slot->written) {
        snprintf(text, size, "wrote between the rows of %s %d, at byte %" PRIu64 " of %" PRIu64, kind, number,
                 at - slot->offset, slot->bytes);
    } else if (best == 0) {
        snprintf(text, size, "%s %d was changed at byte %" PRIu64 " of %" PRIu64, kind, number,
                 at - slot->offset, slot->bytes);
    } else {
        snprintf(text, size, "wrote %" PRIu64 " bytes %s %s %d (%" PRIu64 " bytes)", best,
                 at < slot->offset ? "before" : "behind", kind, number, slot->bytes);
    }
}

/* Everything but what the kernel may write must be as it was. */
static bool unchanged(const struct scene *scene, char *text, size_t size)
{
    for (int i = 0; i < scene->n_images; i++) {
        const struct image *const image = &scene->images[i];
        for (int s = 0; s < SLOTS; s++) {
            const struct slot *const slot = &scene->slots[s];
            for (uint64_t at = 0; slot->present && slot->written && slot->image == i && at < slot->bytes;
                 at += slot->step) {
                memcpy(image->before + slot->offset + at, image->after + slot->offset + at, slot->row);
            }
        }
        for (uint64_t at = 0; at < image->size; at++) {
            if (image->before[at] != image->after[at]) {
                describe_place(scene, i, at, text, size);
                return false;
            }
        }
    }
    return true;
}

static enum graft_status download(struct scene *scene)
{
    for (int i = 0; i < scene->n_images; i++) {
        struct image *const image = &scene->images[i];
        const struct graft_tensor whole = {image->buffer, 0};
        const enum graft_status status =
            scene->device->backend->buffer_read(scene->device, image->after, whole, image->size);
        if (status != GRAFT_OK) {
            return status;
        }
    }
    return GRAFT_OK;
}

static void release(struct scene *scene)
{
    for (int i = 0; i < scene->n_images; i++) {
        graft_buffer_close(scene->device, &scene->images[i].buffer, scene->images[i].size);
    }
}

static void take_results(const struct scene *scene, struct graft_heap *heap, const struct graft_truth *truth,
                         float *got[GRAFT_MAX_RESULTS])
{
    for (int r = 0; r < truth->n_results; r++) {
        const struct graft_result *const result = &truth->results[r];
        const struct slot *const slot =
            &scene->slots[result->input ? result->index : GRAFT_MAX_INPUTS + result->index];
        got[r] = graft_heap_get(heap, (size_t)result->count, sizeof(float));
        copy_rows(slot, scene->images[slot->image].after, (uint8_t *)got[r], true);
    }
}

bool graft_layout_run(const struct graft_trial *trial, struct graft_device *device,
                      struct graft_kernel *kernel, const struct graft_call *call,
                      const struct graft_variant_info *info, const struct graft_layout *layout,
                      float *got[GRAFT_MAX_RESULTS], char *text, size_t size)
{
    struct graft_heap heap = {NULL, 0, 0};
    struct scene scene = {.device = device, .call = call};
    const struct graft_backend *const backend = device->backend;
    bool good = false;
    place(&scene, info, layout);
    enum graft_status status = upload(&scene, &heap, trial->truth);
    if (status == GRAFT_OK && call->constant != 0) {
        status = prepare(&scene, kernel, &heap);
    }
    if (status == GRAFT_OK) {
        status = backend->kernel_run(device, kernel, scene.in, scene.out, scene.workspace);
    }
    if (status == GRAFT_OK) {
        status = backend->synchronize(device, NULL);
    }
    if (status == GRAFT_OK) {
        status = download(&scene);
    }
    if (status != GRAFT_OK) {
        snprintf(text, size, "%s: %s", graft_status_name(status), graft_context_error(device->context));
    } else {
        take_results(&scene, trial->heap, trial->truth, got);
        good = unchanged(&scene, text, size);
    }
    release(&scene);
    graft_heap_close(&heap);
    return good;
}

struct timed {
    const struct scene *scene;
    struct graft_kernel *kernel;
};

/* A graft_measure_function. */
static enum graft_status run_rounds(void *user, int64_t rounds)
{
    const struct timed *const timed = user;
    const struct scene *const scene = timed->scene;
    const struct graft_backend *const backend = scene->device->backend;
    enum graft_status status = GRAFT_OK;
    for (int64_t i = 0; status == GRAFT_OK && i < rounds; i++) {
        status = backend->kernel_run(scene->device, timed->kernel, scene->in, scene->out, scene->workspace);
    }
    return status == GRAFT_OK ? backend->synchronize(scene->device, NULL) : status;
}

double graft_layout_time(const struct graft_trial *trial, struct graft_kernel *kernel,
                         const struct graft_call *call, const struct graft_variant_info *info)
{
    struct graft_heap heap = {NULL, 0, 0};
    struct scene scene = {.device = trial->device, .call = call};
    struct timed timed = {&scene, kernel};
    double seconds = -1;
    place(&scene, info, &(struct graft_layout){GRAFT_PLACING_ARENA, 0, -1});
    enum graft_status status = upload(&scene, &heap, trial->truth);
    if (status == GRAFT_OK && call->constant != 0) {
        status = prepare(&scene, kernel, &heap);
    }
    if (status == GRAFT_OK) {
        status = run_rounds(&timed, 1); /* what is built at the first use is no part of it */
    }
    if (status == GRAFT_OK) {
        status = graft_measure(run_rounds, &timed, &seconds);
    }
    release(&scene);
    graft_heap_close(&heap);
    return status == GRAFT_OK ? seconds : -1;
}
