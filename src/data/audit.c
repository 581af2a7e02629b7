/* SPDX-License-Identifier: MIT */
/* Every picture of a data set is decoded; what is the same, damaged or left out is noted. */
#include "graft/audit.h"

#include "base/context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 64
#define TEXT_SIZE 512

/* One picture: where it is, and a hash of its pixels. */
struct picture {
    struct graft_audit_place place;
    uint64_t hash;
    bool damaged;
};

struct work {
    struct graft_context *context;
    struct graft_dataset *dataset;
    struct graft_audit *audit;
    struct picture *pictures;
    int64_t first; /* picture of the part that is decoded now */
    int64_t capacity;
    void (*progress)(void *user, int64_t done, int64_t total);
    void *user;
};

/* The text is copied. */
static enum graft_status note(struct work *work, struct graft_audit_finding finding)
{
    struct graft_audit *const audit = work->audit;
    if (audit->count == work->capacity) {
        const int64_t more = work->capacity > 0 ? work->capacity * 2 : 64;
        void *const grown = graft_reallocate(work->context, audit->findings, (size_t)audit->count,
                                             (size_t)more, sizeof *audit->findings);
        if (!grown) {
            return GRAFT_ERROR_MEMORY;
        }
        audit->findings = grown;
        work->capacity = more;
    }
    if (finding.text) {
        finding.text = graft_duplicate_text(work->context, finding.text);
        if (!finding.text) {
            return GRAFT_ERROR_MEMORY;
        }
    }
    audit->findings[audit->count++] = finding;
    audit->counts[finding.kind]++;
    return GRAFT_OK;
}

/* FNV-1a over size and pixels: the same picture in two files of any kind has the same. */
static uint64_t hash_image(const struct graft_image *image)
{
    const int32_t facts[3] = {image->width, image->height, image->channels};
    const uint64_t bytes = (uint64_t)image->width * (uint64_t)image->height * (uint64_t)image->channels;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < sizeof facts; i++) {
        hash = (hash ^ ((const uint8_t *)facts)[i]) * 0x100000001b3u;
    }
    for (uint64_t i = 0; i < bytes; i++) {
        hash = (hash ^ image->pixels[i]) * 0x100000001b3u;
    }
    return hash;
}

/* On any thread. */
static void look(void *user, int64_t sample, const struct graft_image *image)
{
    const struct work *const work = user;
    work->pictures[work->first + sample].hash = hash_image(image);
}

static enum graft_status note_batch(struct work *work, const struct graft_batch *batch)
{
    enum graft_status status = GRAFT_OK;
    for (int32_t i = 0; status == GRAFT_OK && i < batch->valid; i++) {
        const struct graft_note *const told = &batch->notes[i];
        struct picture *const picture = &work->pictures[work->first + batch->samples[i]];
        if (!told->text) {
            continue;
        }
        picture->damaged = told->status != GRAFT_OK;
        status = note(work, (struct graft_audit_finding){.kind = picture->damaged ? GRAFT_AUDIT_DAMAGED
                                                                                  : GRAFT_AUDIT_SUSPECT,
                                                         .places = {picture->place},
                                                         .text = told->text});
    }
    return status;
}

static enum graft_status decode_split(struct work *work, enum graft_split split)
{
    const struct graft_loader_options options = {
        .split = split, .batch = BATCH, .keep_damaged = true, .look = look, .user = work};
    struct graft_loader *loader = NULL;
    struct graft_batch batch = {.valid = 1};
    enum graft_status status = graft_loader_open(work->context, work->dataset, NULL, &options, &loader);
    while (status == GRAFT_OK && batch.valid > 0) {
        status = graft_loader_next(loader, &batch);
        if (status == GRAFT_OK) {
            status = note_batch(work, &batch);
        }
        if (work->progress) {
            work->progress(work->user, work->first + batch.number * BATCH + batch.valid,
                           work->audit->pictures);
        }
    }
    graft_loader_close(&loader);
    return status;
}

static enum graft_status decode_all(struct work *work)
{
    enum graft_status status = GRAFT_OK;
    for (int s = 0; s < GRAFT_SPLIT_COUNT && status == GRAFT_OK; s++) {
        const int64_t count = graft_dataset_count(work->dataset, (enum graft_split)s);
        status = count > 0 ? decode_split(work, (enum graft_split)s) : GRAFT_OK;
        work->first += count;
    }
    return status;
}

/* ---- the same pixels */

static int compare_places(const struct graft_audit_place *a, const struct graft_audit_place *b)
{
    return a->split != b->split ? (int)a->split - (int)b->split
                                : (a->index > b->index) - (a->index < b->index);
}

static int compare_pictures(const void *a, const void *b)
{
    const struct picture *const x = a, *const y = b;
    if (x->hash != y->hash) {
        return x->hash < y->hash ? -1 : 1;
    }
    return compare_places(&x->place, &y->place);
}

/* Of labels and numbers all that is known of them counts. */
static bool same_truth(const struct work *work, const struct graft_audit_place *a, const struct graft_audit_place *b)
{
    char texts[2][1024];
    return strcmp(graft_dataset_truth(work->dataset, a->split, a->index, texts[0], sizeof texts[0]),
                  graft_dataset_truth(work->dataset, b->split, b->index, texts[1], sizeof texts[1])) == 0;
}

static int32_t label_of(const struct work *work, const struct graft_audit_place *place)
{
    return graft_dataset_label(work->dataset, place->split, place->index);
}

/* Neighbours by hash; a pair can be both of two classes and of two parts. */
static enum graft_status find_doubles(struct work *work)
{
    enum graft_status status = GRAFT_OK;
    qsort(work->pictures, (size_t)work->audit->pictures, sizeof *work->pictures, compare_pictures);
    for (int64_t i = 1; i < work->audit->pictures && status == GRAFT_OK; i++) {
        const struct picture *const a = &work->pictures[i - 1], *const b = &work->pictures[i];
        if (a->damaged || b->damaged || a->hash != b->hash) {
            continue;
        }
        const bool contradicting = !same_truth(work, &a->place, &b->place);
        struct graft_audit_finding pair = {.kind = GRAFT_AUDIT_CONTRADICTION, .places = {a->place, b->place}};
        if (contradicting) {
            status = note(work, pair);
        }
        pair.kind = a->place.split != b->place.split ? GRAFT_AUDIT_TWO_PARTS : GRAFT_AUDIT_TWICE;
        if (status == GRAFT_OK && (pair.kind == GRAFT_AUDIT_TWO_PARTS || !contradicting)) {
            status = note(work, pair);
        }
    }
    return status;
}

/* A picture counts for each of its labels. */
static void count_classes(struct work *work, const struct graft_audit_place *place, float *targets)
{
    const int32_t classes = graft_dataset_class_count(work->dataset);
    if (graft_dataset_task(work->dataset) != GRAFT_TASK_LABELS) {
        work->audit->class_counts[label_of(work, place)]++;
        return;
    }
    graft_dataset_targets(work->dataset, place->split, place->index, targets);
    for (int32_t c = 0; c < classes; c++) {
        work->audit->class_counts[c] += targets[c] > 0;
    }
}

/* ---- what was left out when the data set was opened, and classes of which nothing can be read */

static enum graft_status find_faults(struct work *work)
{
    const struct graft_dataset *const dataset = work->dataset;
    const int32_t classes = graft_dataset_class_count(dataset);
    int64_t *const good = graft_allocate(work->context, (size_t)classes, sizeof *good);
    int64_t *const all = graft_allocate(work->context, (size_t)classes, sizeof *all);
    float *const targets = graft_allocate(work->context, (size_t)classes, sizeof *targets);
    enum graft_status status = good && all && targets ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    for (int64_t i = 0; i < graft_dataset_fault_count(dataset) && status == GRAFT_OK; i++) {
        status = note(work, (struct graft_audit_finding){.kind = GRAFT_AUDIT_FAULT,
                                                         .text = graft_dataset_fault(dataset, i)});
    }
    for (int64_t i = 0; i < work->audit->pictures && status == GRAFT_OK; i++) {
        const struct picture *const picture = &work->pictures[i];
        const int32_t label = label_of(work, &picture->place);
        count_classes(work, &picture->place, targets);
        all[label] += picture->place.split == GRAFT_SPLIT_TRAIN;
        good[label] += picture->place.split == GRAFT_SPLIT_TRAIN && !picture->damaged;
    }
    for (int32_t c = 0; c < classes && status == GRAFT_OK; c++) {
        if (all[c] > 0 && good[c] == 0) {
            char text[TEXT_SIZE];
            snprintf(text, sizeof text, "no training picture of class '%s' can be read",
                     graft_dataset_class_names(dataset)[c]);
            status = note(work, (struct graft_audit_finding){.kind = GRAFT_AUDIT_FAULT, .text = text});
        }
    }
    graft_release(work->context, good);
    graft_release(work->context, targets);
    graft_release(work->context, all);
    return status;
}

/* ---- */

static int compare_findings(const void *left, const void *right)
{
    const struct graft_audit_finding *const a = left, *const b = right;
    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }
    if (a->kind ==
        GRAFT_AUDIT_FAULT) { /* as they were found: the places in memory say so, see sort_findings */
        return (a->places[1].index > b->places[1].index) - (a->places[1].index < b->places[1].index);
    }
    const int order = compare_places(&a->places[0], &b->places[0]);
    return order != 0 ? order : compare_places(&a->places[1], &b->places[1]);
}

/* By kind and place; faults keep their order. */
static void sort_findings(struct graft_audit *audit)
{
    for (int64_t i = 0; i < audit->count; i++) {
        if (audit->findings[i].kind == GRAFT_AUDIT_FAULT) {
            audit->findings[i].places[1].index = i;
        }
    }
    if (audit->count > 1) {
        qsort(audit->findings, (size_t)audit->count, sizeof *audit->findings, compare_findings);
    }
}

static enum graft_status begin(struct work *work)
{
    struct graft_audit *const audit = work->audit;
    for (int s = 0; s < GRAFT_SPLIT_COUNT; s++) {
        audit->pictures += graft_dataset_count(work->dataset, (enum graft_split)s);
    }
    work->pictures = graft_allocate(work->context, (size_t)audit->pictures, sizeof *work->pictures);
    audit->class_counts = graft_allocate(work->context, (size_t)graft_dataset_class_count(work->dataset),
                                         sizeof *audit->class_counts);
    int64_t at = 0;
    for (int s = 0; s < GRAFT_SPLIT_COUNT && work->pictures; s++) {
        for (int64_t i = 0; i < graft_dataset_count(work->dataset, (enum graft_split)s); i++) {
            work->pictures[at++].place = (struct graft_audit_place){(enum graft_split)s, i};
        }
    }
    return work->pictures && audit->class_counts ? GRAFT_OK : GRAFT_ERROR_MEMORY;
}

enum graft_status graft_dataset_audit(struct graft_context *context, struct graft_dataset *dataset,
                                      void (*progress)(void *user, int64_t done, int64_t total), void *user,
                                      struct graft_audit *audit)
{
    struct work work = {
        .context = context, .dataset = dataset, .audit = audit, .progress = progress, .user = user};
    *audit = (struct graft_audit){0};
    enum graft_status status = begin(&work);
    if (status == GRAFT_OK) {
        status = decode_all(&work);
    }
    if (status == GRAFT_OK) {
        status = find_faults(&work);
    }
    if (status == GRAFT_OK) {
        status = find_doubles(&work);
    }
    sort_findings(audit);
    audit->least = INT64_MAX;
    for (int32_t c = 0; c < graft_dataset_class_count(dataset) && audit->class_counts; c++) {
        audit->least = audit->class_counts[c] < audit->least ? audit->class_counts[c] : audit->least;
        audit->most = audit->class_counts[c] > audit->most ? audit->class_counts[c] : audit->most;
    }
    graft_release(context, work.pictures);
    return status;
}

void graft_audit_close(struct graft_context *context, struct graft_audit *audit)
{
    for (int64_t i = 0; i < audit->count; i++) {
        graft_release(context, (char *)(uintptr_t)audit->findings[i].text);
    }
    graft_release(context, audit->findings);
    graft_release(context, audit->class_counts);
    *audit = (struct graft_audit){0};
}
