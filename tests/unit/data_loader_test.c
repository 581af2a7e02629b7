/* SPDX-License-Identifier: MIT */
/* The loader: the same batches for any number of threads, all samples once, damage reported where it lies. */
#include "graft/data.h"
#include "support/support.h"

#include "data_samples.h"

#include <sys/stat.h>

static char folder[128];
static const uint8_t *const pictures[] = {jpeg_420, jpeg_progressive, jpeg_grey, jpeg_cmyk};
static const size_t sizes[] = {sizeof jpeg_420, sizeof jpeg_progressive, sizeof jpeg_grey, sizeof jpeg_cmyk};

static void write_file(const char *parent, const char *name, const void *data, size_t size)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", parent, name);
    FILE *const file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
}

static void put(const char *name, const void *data, size_t size)
{
    write_file(folder, name, data, size);
}

/* 2 classes, 21 and 20 pictures of four kinds. */
static int make_folder(void **state)
{
    (void)state;
    char name[300];
    test_folder(folder, sizeof folder);
    for (int c = 0; c < 2; c++) {
        snprintf(name, sizeof name, "%s/%s", folder, c ? "b" : "a");
        mkdir(name, 0777);
        for (int i = 0; i < 21 - c; i++) {
            snprintf(name, sizeof name, "%s/%02d.jpg", c ? "b" : "a", i);
            put(name, pictures[(i + c) % 4], sizes[(i + c) % 4]);
        }
    }
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    test_folder_remove(folder);
    return 0;
}

static struct graft_preprocess small(void)
{
    struct graft_preprocess result = graft_preprocess_imagenet();
    result.transforms = graft_transforms_usual(12, GRAFT_FILTER_BILINEAR);
    result.crop_height = 10;
    result.crop_width = 11;
    return result;
}
#define SAMPLE (10 * 11 * 3)

struct opened {
    struct graft_context *context;
    struct graft_dataset *dataset;
    struct graft_loader *loader;
};

static void keep_log(void *user, enum graft_log_level level, const char *text)
{
    char *const log = user;
    if (level == GRAFT_LOG_WARNING) {
        snprintf(log + strlen(log), 4096 - strlen(log), "%s\n", text);
    }
}

static struct opened open_all(int threads, const struct graft_loader_options *options, char *log)
{
    struct opened o = {0};
    const struct graft_context_options context_options = {
        .threads = threads, .log = log ? keep_log : NULL, .log_user = log};
    const struct graft_preprocess preprocess = small();
    assert_int_equal(graft_context_open(&context_options, &o.context), GRAFT_OK);
    if (graft_dataset_open(o.context, folder, &(struct graft_dataset_options){.val_fraction = -1},
                           &o.dataset) ||
        graft_loader_open(o.context, o.dataset, &preprocess, options, &o.loader)) {
        fail_msg("%s", graft_context_error(o.context));
    }
    return o;
}

static void close_all(struct opened *o)
{
    graft_loader_close(&o->loader);
    graft_loader_close(&o->loader);
    graft_dataset_close(&o->dataset);
    graft_context_close(&o->context);
}

static uint64_t mix(uint64_t value, const void *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        value = (value ^ ((const uint8_t *)data)[i]) * UINT64_C(0x100000001b3);
    }
    return value;
}

/* Everything that an epoch gives, from `first` on. */
static uint64_t epoch_hash(const struct opened *o, int32_t batch, int64_t epoch, int64_t first)
{
    uint64_t value = 1;
    struct graft_batch got;
    assert_int_equal(graft_loader_start(o->loader, epoch, first), GRAFT_OK);
    while (graft_loader_next(o->loader, &got) == GRAFT_OK && got.valid > 0) {
        value = mix(value, got.pixels, (size_t)batch * SAMPLE);
        value = mix(value, got.labels, (size_t)batch * sizeof *got.labels);
        value = mix(value, got.samples, (size_t)batch * sizeof *got.samples);
        value = mix(value, &got.number, sizeof got.number);
    }
    assert_int_equal(got.valid, 0);
    return value;
}

static void every_sample_comes_once_and_is_right(void **state)
{
    (void)state;
    struct opened o =
        open_all(2, &(struct graft_loader_options){.batch = 8, .shuffle = true, .seed = 3}, NULL);
    const struct graft_preprocess preprocess = small();
    assert_int_equal(graft_loader_batches(o.loader), 6);
    int64_t order[2][41];
    for (int epoch = 0; epoch < 2; epoch++) {
        int seen[41] = {0}, count = 0;
        struct graft_batch batch;
        if (epoch > 0) {
            assert_int_equal(graft_loader_start(o.loader, epoch, 0), GRAFT_OK);
        }
        for (int number = 0; number < 6; number++) {
            assert_int_equal(graft_loader_next(o.loader, &batch), GRAFT_OK);
            assert_int_equal(batch.number, number);
            assert_int_equal(batch.valid, number < 5 ? 8 : 1);
            assert_int_equal((uintptr_t)batch.pixels % 64, 0);
            for (int i = 0; i < 8; i++) {
                const int row = i % batch.valid;
                assert_int_equal(batch.samples[i], batch.samples[row]);
                assert_int_equal(batch.labels[i], batch.samples[i] >= 21);
                assert_memory_equal(batch.pixels + i * SAMPLE, batch.pixels + row * SAMPLE, SAMPLE);
                if (i < batch.valid) {
                    struct graft_image image;
                    uint8_t expected[SAMPLE];
                    seen[batch.samples[i]]++;
                    order[epoch][count++] = batch.samples[i];
                    assert_int_equal(
                        graft_dataset_read(o.dataset, GRAFT_SPLIT_TRAIN, batch.samples[i], NULL, &image),
                        GRAFT_OK);
                    assert_int_equal(graft_preprocess_image(o.context, &preprocess, &image, expected),
                                     GRAFT_OK);
                    assert_memory_equal(batch.pixels + i * SAMPLE, expected, SAMPLE);
                    graft_image_close(o.context, &image);
                }
            }
        }
        assert_int_equal(graft_loader_next(o.loader, &batch), GRAFT_OK);
        assert_int_equal(batch.valid, 0);
        for (int i = 0; i < 41; i++) {
            assert_int_equal(seen[i], 1);
        }
    }
    assert_memory_not_equal(order[0], order[1], sizeof order[0]);
    close_all(&o);
}

static void batches_do_not_depend_on_threads(void **state)
{
    (void)state;
    const struct graft_transforms varied = {
        .count = 3,
        .steps = {{.kind = GRAFT_TRANSFORM_RANDOM_CROP,
                   .random_crop = {.scale = {0.3f, 1}, .ratio = {0.75f, 1.3f}}},
                  {.kind = GRAFT_TRANSFORM_FLIP, .flip = {0.5f}},
                  {.kind = GRAFT_TRANSFORM_JITTER, .jitter = {0.3f, 0.3f, 0.3f}}}};
    for (int augmented = 0; augmented < 2; augmented++) {
        uint64_t expected = 0, resumed = 0, second = 0;
        for (int threads = 1; threads <= 4; threads *= 2) {
            for (int ahead = 1; ahead <= 5; ahead += 4) {
                const struct graft_loader_options options = {.batch = 7,
                                                             .shuffle = true,
                                                             .seed = 11,
                                                             .ahead = ahead,
                                                             .transforms = augmented ? &varied : NULL};
                struct opened o = open_all(threads, &options, NULL);
                const uint64_t first = epoch_hash(&o, 7, 5, 0);
                const uint64_t later = epoch_hash(&o, 7, 6, 0);
                const uint64_t tail = epoch_hash(&o, 7, 5, 3);
                if (threads == 1 && ahead == 1) {
                    expected = first;
                    second = later;
                    resumed = tail;
                }
                assert_true(first == expected && later == second && tail == resumed);
                assert_true(first != later);
                close_all(&o);
            }
        }
    }
}

/* Kept pictures are the same pictures. */
static void later_epochs_come_from_memory(void **state)
{
    (void)state;
    struct opened kept = open_all(2, &(struct graft_loader_options){.batch = 8, .keep_limit = 1 << 20}, NULL);
    const uint64_t first = epoch_hash(&kept, 8, 0, 0);
    /* The files are not needed any more. */
    char moved[200];
    snprintf(moved, sizeof moved, "%s-moved", folder);
    assert_int_equal(rename(folder, moved), 0);
    const uint64_t second = epoch_hash(&kept, 8, 1, 0);
    assert_int_equal(rename(moved, folder), 0);
    assert_true(first == second);
    close_all(&kept);
    struct opened small_limit =
        open_all(2, &(struct graft_loader_options){.batch = 8, .keep_limit = 41 * SAMPLE - 1}, NULL);
    epoch_hash(&small_limit, 8, 0, 0);
    assert_int_equal(rename(folder, moved), 0);
    struct graft_batch batch;
    assert_int_equal(graft_loader_start(small_limit.loader, 1, 0), GRAFT_OK);
    /* Files that were there before and are gone are lost pictures: all of them here. */
    assert_int_equal(graft_loader_next(small_limit.loader, &batch), GRAFT_OK);
    assert_int_equal(batch.valid, 0);
    assert_int_equal(graft_loader_damaged_count(small_limit.loader), 41);
    assert_int_equal(rename(moved, folder), 0);
    close_all(&small_limit);
}

/* What is made of a picture at random is not kept: with memory for it every epoch is what it is without. */
static void varied_pictures_are_not_kept(void **state)
{
    (void)state;
    struct graft_transforms varied = graft_transforms_usual(12, GRAFT_FILTER_BILINEAR);
    varied.steps[varied.count++] = (struct graft_transform){.kind = GRAFT_TRANSFORM_FLIP, .flip = {0.5f}};
    varied.steps[varied.count++] =
        (struct graft_transform){.kind = GRAFT_TRANSFORM_JITTER, .jitter = {.brightness = 0.3f}};
    uint64_t epochs[2][3];
    for (int kept = 0; kept < 2; kept++) {
        struct opened o =
            open_all(2,
                     &(struct graft_loader_options){
                         .batch = 8, .seed = 4, .transforms = &varied, .keep_limit = kept ? 1 << 20 : 0},
                     NULL);
        for (int epoch = 0; epoch < 3; epoch++) {
            epochs[kept][epoch] = epoch_hash(&o, 8, epoch, 0);
        }
        close_all(&o);
    }
    assert_memory_equal(epochs[0], epochs[1], sizeof epochs[0]);
    assert_true(epochs[0][0] != epochs[0][1] && epochs[0][1] != epochs[0][2]);
}

/* What was under way for an epoch that is left early does not get into the next one. */
static void an_epoch_may_be_left_early(void **state)
{
    (void)state;
    const struct graft_loader_options options = {.batch = 4, .shuffle = true, .seed = 9, .ahead = 5};
    struct opened whole = open_all(2, &options, NULL), left = open_all(2, &options, NULL);
    for (int epoch = 1; epoch < 30; epoch++) {
        struct graft_batch batch;
        assert_int_equal(graft_loader_start(left.loader, 100 + epoch, epoch % 3), GRAFT_OK);
        if (epoch % 2) {
            assert_int_equal(graft_loader_next(left.loader, &batch), GRAFT_OK);
        }
        assert_true(epoch_hash(&left, 4, epoch, 0) == epoch_hash(&whole, 4, epoch, 0));
    }
    close_all(&whole);
    close_all(&left);
}

/* Grey pictures of the size that is wanted, but wanted in colour: each number three times. */
static void idx_pictures_become_coloured(void **state)
{
    (void)state;
    uint8_t images[16 + 4 * 12] = {0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 4};
    const uint8_t labels[8 + 4] = {0, 0, 8, 1, 0, 0, 0, 4, 0, 1, 1, 0};
    char digits[100];
    struct opened o = {0};
    for (int i = 0; i < 48; i++) {
        images[16 + i] = (uint8_t)(5 * i);
    }
    test_folder(digits, sizeof digits);
    write_file(digits, "train-images-idx3-ubyte", images, sizeof images);
    write_file(digits, "train-labels-idx1-ubyte", labels, sizeof labels);
    assert_int_equal(graft_context_open(&(struct graft_context_options){.threads = 2}, &o.context), GRAFT_OK);
    assert_int_equal(graft_dataset_open(o.context, digits,
                                        &(struct graft_dataset_options){.val_fraction = -1}, &o.dataset),
                     GRAFT_OK);
    for (int channels = 1; channels <= 3; channels += 2) {
        const struct graft_preprocess preprocess = {.crop_height = 3,
                                                    .crop_width = 4,
                                                    .channels = channels,
                                                    .std = {1, 1, 1},
                                                    .transforms =
                                                        graft_transforms_usual(0, GRAFT_FILTER_BILINEAR)};
        struct graft_batch batch;
        assert_int_equal(graft_loader_open(o.context, o.dataset, &preprocess,
                                           &(struct graft_loader_options){.batch = 4}, &o.loader),
                         GRAFT_OK);
        assert_int_equal(graft_loader_next(o.loader, &batch), GRAFT_OK);
        for (int i = 0; i < 48 * channels; i++) {
            assert_int_equal(batch.pixels[i], 5 * (i / channels));
        }
        graft_loader_close(&o.loader);
    }
    close_all(&o);
    test_folder_remove(digits);
}

/* Rows of what cannot be decoded stay in their place, each with its own text. */
static void damaged_rows_stay_with_their_notes(void **state)
{
    (void)state;
    put("a/05.jpg", jpeg_420, sizeof jpeg_420 / 2);
    put("a/06.jpg", "", 0);
    for (int threads = 1; threads <= 4; threads += 3) {
        struct opened o =
            open_all(threads, &(struct graft_loader_options){.batch = 8, .keep_damaged = true}, NULL);
        struct graft_batch batch;
        assert_int_equal(graft_loader_next(o.loader, &batch), GRAFT_OK);
        assert_int_equal(batch.valid, 8);
        for (int i = 0; i < 8; i++) {
            assert_int_equal(batch.samples[i], i);
            assert_int_equal(batch.notes[i].status, i == 5 || i == 6 ? GRAFT_ERROR_FORMAT : GRAFT_OK);
        }
        assert_non_null(strstr(batch.notes[5].text, "a/05.jpg: "));
        assert_non_null(strstr(batch.notes[6].text, "a/06.jpg: the file is empty"));
        assert_null(batch.notes[4].text);
        for (int i = 0; i < 2 * SAMPLE; i++) {
            assert_int_equal(batch.pixels[5 * SAMPLE + i], 0);
        }
        assert_int_equal(graft_loader_damaged_count(o.loader), 0);
        close_all(&o);
    }
    put("a/05.jpg", pictures[1], sizes[1]);
    put("a/06.jpg", pictures[2], sizes[2]);
}

struct seen {
    const struct graft_dataset *dataset;
    uint64_t hashes[64];
    int width[64];
};

static void look(void *user, int64_t sample, const struct graft_image *picture)
{
    struct seen *const seen = user;
    uint64_t hash = 1;
    for (int i = 0; i < picture->width * picture->height * 3; i++) {
        hash = hash * 31 + picture->pixels[i];
    }
    seen->hashes[sample] = hash;
    seen->width[sample] = picture->channels == 3 ? picture->width : -1;
}

/* Pictures as they are, in place of preprocessing; no memory for pixels is taken. */
static void pictures_can_be_looked_at(void **state)
{
    (void)state;
    struct seen seen = {0}, expected = {0};
    struct opened o = open_all(3, &(struct graft_loader_options){.batch = 1}, NULL);
    graft_loader_close(&o.loader);
    const struct graft_loader_options options = {.batch = 7, .keep_damaged = true, .look = look, .user = &seen};
    assert_int_equal(graft_loader_open(o.context, o.dataset, NULL, &options, &o.loader), GRAFT_OK);
    struct graft_batch batch = {.valid = 1};
    int64_t count = 0;
    while (batch.valid > 0) {
        assert_int_equal(graft_loader_next(o.loader, &batch), GRAFT_OK);
        assert_null(batch.pixels);
        count += batch.valid;
    }
    assert_int_equal(count, graft_dataset_count(o.dataset, GRAFT_SPLIT_TRAIN));
    for (int64_t i = 0; i < count; i++) {
        struct graft_image image;
        assert_int_equal(graft_dataset_read(o.dataset, GRAFT_SPLIT_TRAIN, i, NULL, &image), GRAFT_OK);
        look(&expected, i, &image);
        graft_image_close(o.context, &image);
    }
    assert_memory_equal(seen.hashes, expected.hashes, sizeof seen.hashes);
    assert_memory_equal(seen.width, expected.width, sizeof seen.width);
    /* As decoding for the steps would have them: of 22 × 17 pixels a half, where 8 are needed. */
    struct graft_preprocess scaled = small();
    scaled.transforms = graft_transforms_usual(8, GRAFT_FILTER_BILINEAR);
    scaled.scaled = true;
    graft_loader_close(&o.loader);
    assert_int_equal(graft_loader_open(o.context, o.dataset, &scaled, &options, &o.loader), GRAFT_OK);
    do {
        assert_int_equal(graft_loader_next(o.loader, &batch), GRAFT_OK);
    } while (batch.valid > 0);
    for (int64_t i = 0; i < count; i++) {
        assert_int_equal(seen.width[i], 11);
    }
    close_all(&o);
}

static void damage_is_an_error_at_its_batch(void **state)
{
    (void)state;
    put("a/05.jpg", jpeg_420, sizeof jpeg_420 / 2);
    put("a/17.jpg", "", 0);
    struct opened o = open_all(2, &(struct graft_loader_options){.batch = 4}, NULL);
    struct graft_batch batch;
    assert_int_equal(graft_loader_next(o.loader, &batch), GRAFT_OK); /* 0 to 3 */
    assert_int_equal(graft_loader_next(o.loader, &batch), GRAFT_ERROR_FORMAT);
    assert_int_equal(batch.valid, 0);
    assert_non_null(strstr(graft_context_error(o.context), "a/05.jpg"));
    assert_non_null(strstr(graft_context_error(o.context), "truncated"));
    close_all(&o);
}

static void damage_is_left_out_on_request(void **state)
{
    (void)state;
    char log[4096] = "";
    const struct graft_preprocess preprocess = small();
    for (int i = 8; i < 12; i++) { /* a whole batch of 4 */
        char name[64];
        snprintf(name, sizeof name, "a/%02d.jpg", i);
        put(name, "<html>nothing</html>", 20);
    }
    struct opened o = open_all(2, &(struct graft_loader_options){.batch = 4, .skip_damaged = true}, log);
    for (int epoch = 0; epoch < 2; epoch++) {
        struct graft_batch batch;
        int count = 0;
        assert_int_equal(graft_loader_start(o.loader, epoch, 0), GRAFT_OK);
        for (;;) {
            assert_int_equal(graft_loader_next(o.loader, &batch), GRAFT_OK);
            if (batch.valid == 0) {
                break;
            }
            assert_int_not_equal(batch.number, 2);
            for (int i = 0; i < 4; i++) {
                const int64_t sample = batch.samples[i];
                assert_true(sample != 5 && sample != 17 && (sample < 8 || sample > 11));
                assert_int_equal(sample, batch.samples[i % batch.valid]);
                assert_int_equal(batch.labels[i], sample >= 21);
                struct graft_image image;
                uint8_t expected[SAMPLE];
                assert_int_equal(graft_dataset_read(o.dataset, GRAFT_SPLIT_TRAIN, sample, NULL, &image),
                                 GRAFT_OK);
                assert_int_equal(graft_preprocess_image(o.context, &preprocess, &image, expected), GRAFT_OK);
                assert_memory_equal(batch.pixels + i * SAMPLE, expected, SAMPLE);
                graft_image_close(o.context, &image);
            }
            count += batch.valid;
        }
        assert_int_equal(count, 41 - 6);
        assert_int_equal(graft_loader_damaged_count(o.loader), 6);
    }
    int64_t sample = 0;
    assert_non_null(strstr(graft_loader_damaged(o.loader, 5, &sample), "a/17.jpg"));
    assert_int_equal(sample, 17);
    int lines = 0;
    for (const char *at = log; (at = strchr(at, '\n')) != NULL; at++) {
        lines++;
    }
    assert_int_equal(lines, 6); /* each once, in two epochs */
    close_all(&o);
}

static void idx_pictures_are_taken_as_they_lie(void **state)
{
    (void)state;
    struct graft_context *context = NULL;
    char path[1024];
    if (!test_data("data/mnist", path, sizeof path)) {
        skip();
    }
    assert_int_equal(graft_context_open(&(struct graft_context_options){.threads = 2}, &context), GRAFT_OK);
    struct graft_dataset *dataset = NULL;
    assert_int_equal(graft_dataset_open(context, path, NULL, &dataset), GRAFT_OK);
    struct graft_preprocess preprocess = {.crop_height = 28,
                                          .crop_width = 28,
                                          .channels = 1,
                                          .mean = {0.1307f},
                                          .std = {0.3081f},
                                          .transforms = graft_transforms_usual(28, GRAFT_FILTER_BILINEAR)};
    struct graft_loader *loader = NULL;
    const struct graft_loader_options options = {.split = GRAFT_SPLIT_TEST, .batch = 100, .shuffle = true};
    assert_int_equal(graft_loader_open(context, dataset, &preprocess, &options, &loader), GRAFT_OK);
    struct graft_batch batch;
    int count = 0;
    while (graft_loader_next(loader, &batch) == GRAFT_OK && batch.valid > 0) {
        struct graft_image image;
        assert_int_equal(graft_dataset_read(dataset, GRAFT_SPLIT_TEST, batch.samples[count % 100],
                                            &(struct graft_decode_options){.channels = 1}, &image),
                         GRAFT_OK);
        assert_memory_equal(batch.pixels + count % 100 * 784, image.pixels, 784);
        assert_int_equal(batch.labels[1], graft_dataset_label(dataset, GRAFT_SPLIT_TEST, batch.samples[1]));
        graft_image_close(context, &image);
        count += batch.valid;
    }
    assert_int_equal(count, 10000);
    graft_loader_close(&loader);
    graft_dataset_close(&dataset);
    graft_context_close(&context);
}

static void requests_are_checked_and_work_is_cancelled(void **state)
{
    (void)state;
    struct opened o = open_all(2, &(struct graft_loader_options){.batch = 4, .skip_damaged = true}, NULL);
    const struct graft_preprocess preprocess = small();
    struct graft_loader *other = NULL;
    const struct graft_loader_options wrong[] = {{.batch = 0},
                                                 {.batch = 1 << 20},
                                                 {.batch = 1, .ahead = 99},
                                                 {.batch = 1, .split = GRAFT_SPLIT_TEST},
                                                 {.batch = 4, .part = 2, .parts = 2},
                                                 {.batch = 4, .part = -1, .parts = 2},
                                                 {.batch = 4, .parts = 60},
                                                 {.batch = 4, .shuffle = true, .parts = 5},
                                                 {.batch = 1, .split = (enum graft_split)3}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(graft_loader_open(o.context, o.dataset, &preprocess, &wrong[i], &other),
                         GRAFT_ERROR_ARGUMENT);
        assert_null(other);
    }
    assert_int_equal(graft_loader_start(o.loader, -1, 0), GRAFT_ERROR_ARGUMENT);
    assert_int_equal(graft_loader_start(o.loader, 0, 12), GRAFT_ERROR_ARGUMENT);
    struct graft_batch batch;
    assert_int_equal(graft_loader_next(o.loader, &batch), GRAFT_OK);
    graft_context_cancel(o.context);
    assert_int_equal(graft_loader_next(o.loader, &batch), GRAFT_ERROR_CANCELLED);
    close_all(&o);
}

/* Each allocation fails once: an error, and nothing is left behind. */
static void failing_memory_is_an_error(void **state)
{
    (void)state;
    const struct graft_preprocess preprocess = small();
    const struct graft_loader_options options = {.batch = 8, .skip_damaged = true, .keep_limit = 1 << 20};
    int failures = 0;
    for (long at = 0, done = 0; !done; at++) {
        struct test_memory memory;
        const struct graft_context_options context_options = test_memory_options(&memory, at);
        struct opened o = {0};
        struct graft_batch batch;
        bool good = graft_context_open(&context_options, &o.context) == GRAFT_OK;
        good = good && graft_dataset_open(o.context, folder, NULL, &o.dataset) == GRAFT_OK;
        good = good && graft_loader_open(o.context, o.dataset, &preprocess, &options, &o.loader) == GRAFT_OK;
        while (good && (good = graft_loader_next(o.loader, &batch) == GRAFT_OK) && batch.valid > 0) {
        }
        failures += !good;
        done = atomic_load(&memory.uses) <= at;
        close_all(&o);
        assert_int_equal(atomic_load(&memory.alive), 0);
        assert_true(at < 2000);
    }
    assert_true(failures > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_comes_once_and_is_right),
        cmocka_unit_test(batches_do_not_depend_on_threads),
        cmocka_unit_test(later_epochs_come_from_memory),
        cmocka_unit_test(varied_pictures_are_not_kept),
        cmocka_unit_test(an_epoch_may_be_left_early),
        cmocka_unit_test(idx_pictures_become_coloured),
        cmocka_unit_test(idx_pictures_are_taken_as_they_lie),
        /* from here on some pictures are damaged */
        cmocka_unit_test(damaged_rows_stay_with_their_notes),
        cmocka_unit_test(pictures_can_be_looked_at),
        cmocka_unit_test(damage_is_an_error_at_its_batch),
        cmocka_unit_test(damage_is_left_out_on_request),
        cmocka_unit_test(requests_are_checked_and_work_is_cancelled),
        cmocka_unit_test(failing_memory_is_an_error),
    };
    return cmocka_run_group_tests_name("data_loader", tests, make_folder, remove_folder);
}
