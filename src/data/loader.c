/* SPDX-License-Identifier: MIT */
/*
 * Batches of decoded pictures, prepared ahead of the consumer by tasks on the context's pool: one task a
 * picture, which writes straight into its row of a batch. Which picture stands in which row depends on (seed,
 * epoch) alone.
 */
#include "data/dataset.h"

#include "base/context.h"
#include "base/pool.h"
#include "base/random.h"
#include "base/size.h"
#include "data/mix.h"
#include "data/order.h"
#include "data/preprocess.h"

#include <pthread.h>
#include <string.h>

/* One row of a batch. */
struct row {
    struct graft_task task;
    struct graft_loader *loader;
    int64_t sample;
    int64_t draw;    /* what random steps count by: the picture, or where it stands if it can be there twice */
    uint8_t *target; /* in the batch */
    enum graft_status status;
    char *message; /* of a failure, or a remark */
    bool submitted;
};

struct slot {
    uint8_t *pixels;          /* [batch, h, w, c] */
    int32_t *labels;          /* [batch] */
    int64_t *samples;         /* [batch] */
    struct graft_note *notes; /* [batch] */
    struct row *rows;         /* [batch] */
    int32_t count;            /* rows in use */
};

struct spare_scratch {
    struct graft_scratch scratch;
    struct spare_scratch *next;
};

struct damage {
    int64_t sample;
    char *message;
};

/* Bits. */
enum sample_state { SAMPLE_KEPT = 1, SAMPLE_DAMAGED = 2, SAMPLE_SUSPECT = 4, SAMPLE_READ = 8 };

#define REMARKS 10 /* on suspect files: after so many it is enough to say that there are more */

struct graft_loader {
    struct graft_context *context;
    struct graft_pool *pool;
    const struct graft_dataset *dataset;
    struct graft_preprocess preprocess;
    struct graft_loader_options options;
    struct graft_transforms transforms;
    struct graft_decode_options decoding;
    bool random;         /* some step of these is */
    int64_t samples;     /* of the split */
    int64_t first;       /* sample, where the split is shared, … */
    int64_t count;       /* … and how many from there on; of an epoch */
    int64_t batches;     /* of an epoch */
    int part, parts;     /* of each batch */
    int32_t capacity;    /* rows of a batch that are this loader's */
    size_t picture_size; /* bytes of a preprocessed picture */
    size_t sample_size;  /* of one in all its views */
    bool as_stored;      /* pictures of the data set are used as they lie there */

    struct slot *slots; /* ahead + 1: the consumer holds one */
    int32_t slot_count;
    int64_t epoch;
    int64_t next;     /* batch that the consumer gets next */
    int64_t prepared; /* batches below this have been handed to the pool */
    int64_t *order;   /* [count] */
    struct graft_balance balance;
    uint8_t *states;  /* [samples] of enum sample_state */
    uint8_t *kept;    /* [samples, h, w, c] or NULL */
    uint8_t *spare_row; /* of mixing; NULL: nothing is mixed */

    pthread_mutex_t lock; /* of the spare scratch memory */
    bool lock_ready;
    struct spare_scratch *spare;
    struct damage *damaged; /* by sample */
    int64_t damaged_count, damaged_capacity, suspect_count;
};

static struct spare_scratch *take_scratch(struct graft_loader *loader)
{
    pthread_mutex_lock(&loader->lock);
    struct spare_scratch *taken = loader->spare;
    loader->spare = taken ? taken->next : NULL;
    pthread_mutex_unlock(&loader->lock);
    if (!taken) {
        taken = graft_allocate(loader->context, 1, sizeof *taken);
        if (taken) {
            taken->scratch.context = loader->context;
        }
    }
    return taken;
}

static void return_scratch(struct graft_loader *loader, struct spare_scratch *scratch)
{
    pthread_mutex_lock(&loader->lock);
    scratch->next = loader->spare;
    loader->spare = scratch;
    pthread_mutex_unlock(&loader->lock);
}

/* The picture itself goes to the caller. */
static enum graft_status show_row(const struct row *row, struct graft_scratch *scratch,
                                  struct graft_view *view, struct graft_fault *fault)
{
    const struct graft_loader_options *const options = &row->loader->options;
    if (!graft_match_channels(scratch, 3, view)) {
        return graft_fault_set(fault, GRAFT_ERROR_MEMORY, NULL, "no memory for %d × %d pixels", view->width,
                               view->height);
    }
    const struct graft_image image = {view->width, view->height, 3, (uint8_t *)(uintptr_t)view->pixels};
    options->look(options->user, row->sample, &image);
    return GRAFT_OK;
}

static enum graft_status fill_row(struct row *row, struct graft_scratch *scratch, struct graft_fault *fault)
{
    struct graft_loader *const loader = row->loader;
    const struct graft_entry *const entry =
        graft_dataset_entry(loader->dataset, loader->options.split, row->sample);
    struct graft_view view;
    const enum graft_status status =
        graft_dataset_view(loader->dataset, entry, scratch, &loader->decoding, &view, fault);
    if (status != GRAFT_OK) {
        return status;
    }
    if (loader->options.look) {
        return show_row(row, scratch, &view, fault);
    }
    const struct graft_draw draw = {loader->options.seed, loader->epoch, row->draw};
    bool done = true;
    for (int32_t v = 0; done && v < loader->options.view_count; v++) {
        done = graft_transforms_run(scratch, &loader->preprocess, &loader->options.views[v], &draw, &view,
                                    row->target + (size_t)v * loader->picture_size);
    }
    if (!done) {
        return graft_fault_set(fault, GRAFT_ERROR_MEMORY, NULL,
                               "no memory to resize a picture of %d × %d pixels", view.width, view.height);
    }
    if (loader->kept) {
        memcpy(loader->kept + (size_t)row->sample * loader->sample_size, row->target, loader->sample_size);
        loader->states[row->sample] |= SAMPLE_KEPT;
    }
    return GRAFT_OK;
}

/* Runs on any thread. */
static void run_row(void *argument)
{
    struct row *const row = argument;
    struct graft_fault fault = {0};
    struct spare_scratch *const scratch = take_scratch(row->loader);
    row->status = GRAFT_ERROR_MEMORY;
    if (scratch) {
        row->status = fill_row(row, &scratch->scratch, &fault);
        return_scratch(row->loader, scratch);
    }
    if (fault.text[0] != '\0') {
        row->message = graft_duplicate_text(row->loader->context, fault.text);
    }
}

static void clear_row(const struct graft_loader *loader, struct row *row)
{
    graft_release(loader->context, row->message);
    row->message = NULL;
    row->status = GRAFT_OK;
    row->submitted = false;
}

/* Takes back or waits for what is under way in a slot. */
static void drain(struct graft_loader *loader, struct slot *slot)
{
    for (int32_t i = 0; i < loader->capacity; i++) {
        if (slot->rows[i].submitted) {
            graft_pool_withdraw(loader->pool, &slot->rows[i].task);
        }
        clear_row(loader, &slot->rows[i]);
    }
    slot->count = 0;
}

static void prepare_row(struct graft_loader *loader, struct row *row)
{
    if (loader->states[row->sample] & SAMPLE_DAMAGED) {
        row->status = GRAFT_ERROR_FORMAT;
        return;
    }
    const uint8_t *const source =
        loader->as_stored ? graft_dataset_entry(loader->dataset, loader->options.split, row->sample)->data
        : loader->states[row->sample] & SAMPLE_KEPT ? loader->kept + (size_t)row->sample * loader->sample_size
                                                    : NULL;
    if (source) {
        memcpy(row->target, source, loader->sample_size);
        return;
    }
    row->task = (struct graft_task){.run = run_row, .argument = row};
    row->submitted = true;
    graft_pool_submit(loader->pool, &row->task);
}

/* Hands the next batches to the pool, as many as there are free slots. */
static void prepare(struct graft_loader *loader, int64_t limit)
{
    for (; loader->prepared < loader->batches && loader->prepared < limit; loader->prepared++) {
        struct slot *const slot = &loader->slots[loader->prepared % loader->slot_count];
        int64_t first = loader->prepared * loader->options.batch, before;
        slot->count = (int32_t)graft_part_of(graft_min_i64(loader->options.batch, loader->count - first), loader->part,
                                             loader->parts, &before);
        first += before;
        for (int32_t i = 0; i < slot->count; i++) {
            struct row *const row = &slot->rows[i];
            row->loader = loader;
            row->sample = loader->order[first + i];
            row->draw = loader->options.balanced ? first + i : row->sample;
            row->target = slot->pixels + (size_t)i * loader->sample_size;
            clear_row(loader, row);
            prepare_row(loader, row);
        }
    }
}

static enum graft_status note_damage(struct graft_loader *loader, const struct row *row)
{
    if (loader->damaged_count == loader->damaged_capacity) {
        const int64_t more = loader->damaged_capacity ? loader->damaged_capacity * 2 : 16;
        struct damage *const grown = graft_reallocate(
            loader->context, loader->damaged, (size_t)loader->damaged_capacity, (size_t)more, sizeof *grown);
        if (!grown) {
            return GRAFT_ERROR_MEMORY;
        }
        loader->damaged = grown;
        loader->damaged_capacity = more;
    }
    char *const message = graft_duplicate_text(loader->context, row->message ? row->message : "damaged");
    if (!message) {
        return GRAFT_ERROR_MEMORY;
    }
    int64_t at = loader->damaged_count++;
    for (; at > 0 && loader->damaged[at - 1].sample > row->sample; at--) {
        loader->damaged[at] = loader->damaged[at - 1];
    }
    loader->damaged[at] = (struct damage){row->sample, message};
    loader->states[row->sample] |= SAMPLE_DAMAGED;
    graft_log(loader->context, GRAFT_LOG_WARNING, "left out: %s", message);
    return GRAFT_OK;
}

/* A suspect file is used, and named once. */
static void note_suspect(struct graft_loader *loader, const struct row *row)
{
    if (!row->message || loader->options.keep_damaged || loader->states[row->sample] & SAMPLE_SUSPECT) {
        return;
    }
    loader->states[row->sample] |= SAMPLE_SUSPECT;
    loader->suspect_count++;
    if (loader->suspect_count <= REMARKS) {
        graft_log(loader->context, GRAFT_LOG_WARNING, "suspect: %s", row->message);
    } else if (loader->suspect_count == REMARKS + 1) {
        graft_log(loader->context, GRAFT_LOG_WARNING, "more files are suspect: graft check lists them all");
    }
}

/* *kept: the row is one of the batch's. A failed row: an error, or left out, or kept as it is. */
static enum graft_status judge(struct graft_loader *loader, const struct row *row, bool *kept)
{
    *kept = true;
    if (row->status == GRAFT_OK) {
        loader->states[row->sample] |= SAMPLE_READ;
        note_suspect(loader, row);
        return GRAFT_OK;
    }
    if (loader->options.keep_damaged && row->status != GRAFT_ERROR_MEMORY) {
        memset(row->target, 0, loader->sample_size);
        return GRAFT_OK;
    }
    *kept = false;
    if (loader->states[row->sample] & SAMPLE_DAMAGED) {
        return GRAFT_OK;
    }
    /* A file that was there in an earlier epoch and has gone is one lost picture, not the end of a training.
     */
    const bool gone = row->status == GRAFT_ERROR_NOT_FOUND && loader->states[row->sample] & SAMPLE_READ;
    if (gone || (loader->options.skip_damaged && row->status != GRAFT_ERROR_MEMORY)) {
        return note_damage(loader, row);
    }
    return graft_fail(loader->context, row->status, "%s%s",
                      row->message ? row->message : "no memory for a picture",
                      row->status == GRAFT_ERROR_MEMORY ? "" : GRAFT_DAMAGED_ADVICE);
}

/* Waits for the rows of a slot. */
static void await(struct graft_loader *loader, struct slot *slot)
{
    for (int32_t i = 0; i < slot->count; i++) {
        if (slot->rows[i].submitted) {
            graft_pool_wait(loader->pool, &slot->rows[i].task);
            slot->rows[i].submitted = false;
        }
    }
}

/* Closes the gaps of rows that are left out, mixes rows, and repeats them at the end. */
static enum graft_status finish(struct graft_loader *loader, struct slot *slot, struct graft_batch *batch)
{
    enum graft_status status = GRAFT_OK;
    int32_t count = 0;
    await(loader, slot);
    for (int32_t i = 0; i < slot->count; i++) {
        const struct row *const row = &slot->rows[i];
        bool kept;
        status = judge(loader, row, &kept);
        if (status != GRAFT_OK) {
            break;
        }
        if (!kept) {
            continue;
        }
        if (count < i) {
            memcpy(slot->pixels + (size_t)count * loader->sample_size, row->target, loader->sample_size);
        }
        slot->samples[count] = row->sample;
        slot->labels[count] = graft_dataset_label(loader->dataset, loader->options.split, row->sample);
        slot->notes[count] = (struct graft_note){row->status, row->message};
        count++;
    }
    const struct graft_draw draw = {loader->options.seed, loader->epoch, batch->number};
    batch->share = graft_mix_batch(&loader->options.mix, &draw, &loader->preprocess, slot->pixels, count,
                                   loader->spare_row);
    for (int32_t i = count; count > 0 && i < loader->capacity; i++) {
        const int32_t from = i - count; /* filled already: goes round */
        memcpy(slot->pixels + (size_t)i * loader->sample_size,
               slot->pixels + (size_t)from * loader->sample_size, loader->sample_size);
        slot->samples[i] = slot->samples[from];
        slot->labels[i] = slot->labels[from];
    }
    batch->valid = status == GRAFT_OK ? count : 0;
    return status;
}

enum graft_status graft_loader_next(struct graft_loader *loader, struct graft_batch *batch)
{
    *batch = (struct graft_batch){0};
    while (loader->next < loader->batches) {
        if (graft_context_cancelled(loader->context)) {
            return graft_fail(loader->context, GRAFT_ERROR_CANCELLED, "cancelled while pictures were read");
        }
        /* The slot of the batch before is free now. */
        prepare(loader, loader->next + loader->slot_count);
        struct slot *const slot = &loader->slots[loader->next % loader->slot_count];
        *batch = (struct graft_batch){.pixels = loader->options.look ? NULL : slot->pixels,
                                      .labels = slot->labels,
                                      .samples = slot->samples,
                                      .notes = slot->notes,
                                      .number = loader->next++};
        const enum graft_status status = finish(loader, slot, batch);
        if (status != GRAFT_OK || batch->valid > 0 || loader->parts > 1) {
            return status;
        }
    }
    *batch = (struct graft_batch){.share = 1, .number = loader->batches};
    return GRAFT_OK;
}

int64_t graft_loader_batches(const struct graft_loader *loader)
{
    return loader->batches;
}

static void make_order(struct graft_loader *loader)
{
    struct graft_random random;
    const uint64_t mixed = (uint64_t)loader->epoch * UINT64_C(0x9E3779B97F4A7C15);
    graft_random_start(&random, loader->options.seed, graft_hash_text("order") ^ mixed);
    for (int64_t i = 0; i < loader->count && !loader->options.shuffle; i++) {
        loader->order[i] = loader->first + i;
    }
    if (loader->options.shuffle && loader->balance.classes > 0) {
        graft_balance_draw(&loader->balance, &random, loader->order, loader->count);
    } else if (loader->options.shuffle) {
        graft_order_shuffle(&random, loader->order, loader->count);
    }
}

enum graft_status graft_loader_start(struct graft_loader *loader, int64_t epoch, int64_t first_batch)
{
    if (epoch < 0 || first_batch < 0 || first_batch > loader->batches) {
        return graft_fail(loader->context, GRAFT_ERROR_ARGUMENT,
                          "epoch %lld, batch %lld; an epoch has %lld batches", (long long)epoch,
                          (long long)first_batch, (long long)loader->batches);
    }
    for (int32_t i = 0; i < loader->slot_count; i++) {
        drain(loader, &loader->slots[i]);
    }
    loader->epoch = epoch;
    loader->next = first_batch;
    loader->prepared = first_batch;
    make_order(loader);
    prepare(loader, first_batch + loader->slot_count - 1);
    return GRAFT_OK;
}

int64_t graft_loader_damaged_count(const struct graft_loader *loader)
{
    return loader->damaged_count;
}

const char *graft_loader_damaged(const struct graft_loader *loader, int64_t index, int64_t *sample)
{
    if (sample) {
        *sample = loader->damaged[index].sample;
    }
    return loader->damaged[index].message;
}

/* Are the pictures of the data set just what preprocessing would make of them? */
static bool fits_as_stored(const struct graft_loader *loader)
{
    const struct graft_preprocess *const p = &loader->preprocess;
    int32_t width = 0, height = 0, channels = 0;
    return graft_dataset_fixed_size(loader->dataset, &width, &height, &channels) && channels == p->channels &&
           graft_transforms_keep(p, &loader->transforms, height, width);
}

static int32_t label_of(const void *user, int64_t index)
{
    const struct graft_loader *const loader = user;
    return graft_dataset_label(loader->dataset, loader->options.split, index);
}

static enum graft_status allocate_all(struct graft_loader *loader)
{
    struct graft_context *const context = loader->context;
    const size_t batch = (size_t)loader->capacity;
    loader->order = graft_allocate(context, (size_t)loader->count, sizeof *loader->order);
    loader->states = graft_allocate(context, (size_t)loader->samples, 1);
    loader->slots = graft_allocate(context, (size_t)loader->slot_count, sizeof *loader->slots);
    const bool mixes = graft_mixes(&loader->options.mix);
    loader->spare_row = mixes ? graft_allocate_raw(context, loader->sample_size, 1) : NULL;
    if (!loader->order || !loader->states || !loader->slots || (mixes && !loader->spare_row)) {
        return GRAFT_ERROR_MEMORY;
    }
    for (int32_t i = 0; i < loader->slot_count; i++) {
        struct slot *const slot = &loader->slots[i];
        slot->pixels = graft_allocate_raw(context, batch, loader->sample_size);
        slot->labels = graft_allocate(context, batch, sizeof *slot->labels);
        slot->samples = graft_allocate(context, batch, sizeof *slot->samples);
        slot->notes = graft_allocate(context, batch, sizeof *slot->notes);
        slot->rows = graft_allocate(context, batch, sizeof *slot->rows);
        if (!slot->pixels || !slot->labels || !slot->samples || !slot->notes || !slot->rows) {
            return GRAFT_ERROR_MEMORY;
        }
    }
    if (loader->options.balanced) {
        const enum graft_status status =
            graft_balance_open(context, loader->count, graft_dataset_class_count(loader->dataset), label_of,
                               loader, &loader->balance);
        if (status != GRAFT_OK) {
            return status;
        }
    }
    size_t total = 0; /* a picture that is drawn twice would be written by two tasks */
    if (!loader->random && !loader->as_stored && !loader->options.look && !loader->options.balanced &&
        graft_multiply_size((size_t)loader->samples, loader->sample_size, &total) &&
        total <= loader->options.keep_limit) {
        loader->kept = graft_allocate_raw(context, total, 1);
        if (!loader->kept) {
            return GRAFT_ERROR_MEMORY;
        }
    }
    return GRAFT_OK;
}

/* So that pictures suffice for each of their views, also where they are only looked at. */
static void choose_decoding(struct graft_loader *loader, const struct graft_preprocess *preprocess)
{
    int32_t side = 0;
    for (int32_t v = 0; v < loader->options.view_count && preprocess; v++) {
        const int32_t own = graft_preprocess_decoding(preprocess, &loader->options.views[v]).least_side;
        side = v > 0 && (side == 0 || own == 0) ? 0 : side > own ? side : own;
    }
    const struct graft_preprocess *const p = &loader->preprocess;
    loader->decoding = (struct graft_decode_options){p->channels, p->ignore_orientation, side};
}

/* Which pictures, and which rows of a batch, are this loader's. */
static void share(struct graft_loader *loader)
{
    const struct graft_loader_options *const options = &loader->options;
    const int parts = options->parts > 1 ? options->parts : 1;
    loader->samples = loader->count = graft_dataset_count(loader->dataset, options->split);
    loader->parts = options->shuffle ? parts : 1;
    loader->part = options->shuffle ? options->part : 0;
    if (!options->shuffle) {
        loader->count = graft_part_of(loader->samples, options->part, parts, &loader->first);
    }
    int64_t before;
    loader->capacity = (int32_t)graft_part_of(options->batch, loader->part, loader->parts, &before);
    loader->batches = graft_ceil_div(loader->count, options->batch);
}

enum graft_status graft_loader_open(struct graft_context *context, const struct graft_dataset *dataset,
                                    const struct graft_preprocess *preprocess,
                                    const struct graft_loader_options *options, struct graft_loader **loader)
{
    *loader = NULL;
    enum graft_status status = graft_loader_check(context, dataset, preprocess, options);
    if (status != GRAFT_OK) {
        return status;
    }
    struct graft_loader *opened = graft_allocate(context, 1, sizeof *opened);
    if (!opened) {
        return GRAFT_ERROR_MEMORY;
    }
    opened->context = context;
    opened->dataset = dataset;
    opened->preprocess = options->look ? (struct graft_preprocess){.channels = 3} : *preprocess;
    opened->options = *options;
    opened->transforms = options->transforms ? *options->transforms
                                             : (preprocess ? preprocess : &opened->preprocess)->transforms;
    opened->options.transforms = NULL;
    opened->random = options->view_count > 0 || graft_transforms_random(&opened->transforms);
    opened->options.views = options->view_count > 0 ? options->views : &opened->transforms;
    opened->options.view_count = options->view_count > 0 ? options->view_count : 1;
    choose_decoding(opened, preprocess);
    share(opened);
    opened->picture_size = (size_t)opened->preprocess.crop_height * (size_t)opened->preprocess.crop_width *
                           (size_t)opened->preprocess.channels;
    opened->sample_size = opened->picture_size * (size_t)opened->options.view_count;
    opened->as_stored = !options->look && options->view_count == 0 && fits_as_stored(opened);
    opened->slot_count = (int32_t)graft_min_i64(opened->batches, options->ahead ? options->ahead : 3) + 1;
    opened->pool = graft_context_pool(context);
    status = opened->pool ? allocate_all(opened) : GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK && pthread_mutex_init(&opened->lock, NULL) != 0) {
        status = graft_fail(context, GRAFT_ERROR_MEMORY, "no memory for a lock");
    } else if (status == GRAFT_OK) {
        opened->lock_ready = true;
        status = graft_loader_start(opened, 0, 0);
    }
    if (status != GRAFT_OK) {
        graft_loader_close(&opened);
    }
    *loader = opened;
    return status;
}

void graft_loader_close(struct graft_loader **loader)
{
    struct graft_loader *const closed = *loader;
    if (!closed) {
        return;
    }
    struct graft_context *const context = closed->context;
    for (int32_t i = 0; closed->slots && i < closed->slot_count; i++) {
        struct slot *const slot = &closed->slots[i];
        if (slot->rows) {
            drain(closed, slot);
        }
        graft_release(context, slot->pixels);
        graft_release(context, slot->labels);
        graft_release(context, slot->samples);
        graft_release(context, slot->notes);
        graft_release(context, slot->rows);
    }
    while (closed->spare) {
        struct spare_scratch *const scratch = closed->spare;
        closed->spare = scratch->next;
        graft_scratch_close(&scratch->scratch);
        graft_release(context, scratch);
    }
    for (int64_t i = 0; i < closed->damaged_count; i++) {
        graft_release(context, closed->damaged[i].message);
    }
    if (closed->lock_ready) {
        pthread_mutex_destroy(&closed->lock);
    }
    graft_release(context, closed->damaged);
    graft_release(context, closed->slots);
    graft_release(context, closed->order);
    graft_balance_close(context, &closed->balance);
    graft_release(context, closed->states);
    graft_release(context, closed->kept);
    graft_release(context, closed->spare_row);
    graft_release(context, closed);
    *loader = NULL;
}
