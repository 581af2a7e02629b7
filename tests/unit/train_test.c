/* SPDX-License-Identifier: MIT */
/* The largest of some values, and what an evaluation counts. */
#include "graft/device.h"
#include "graft/train.h"
#include "support/support.h"
#include "train/fit.h"

#include "data_samples.h"

#include <math.h>
#include <sys/stat.h>

static void assert_near(double got, double wanted, double tolerance)
{
    if (!(fabs(got - wanted) <= tolerance))
        fail_msg("%.12g is not near %.12g", got, wanted);
}

static void optimizers_have_their_usual_values(void **state)
{
    (void)state;
    const struct graft_update_attributes sgd = graft_update_defaults(GRAFT_SGD);
    const struct graft_update_attributes adam = graft_update_defaults(GRAFT_ADAM);
    const struct graft_update_attributes rmsprop = graft_update_defaults(GRAFT_RMSPROP);
    assert_true(sgd.momentum == 0.9f && sgd.weight_decay == 0 && !sgd.nesterov);
    assert_true(adam.beta1 == 0.9f && adam.beta2 == 0.999f && adam.epsilon == 1e-8f && !adam.decoupled);
    assert_true(rmsprop.beta2 == 0.99f && rmsprop.epsilon == 1e-8f);
}

static void the_largest_come_first(void **state)
{
    (void)state;
    const float values[] = {1, 7, -2, 7, 3, -INFINITY, 3};
    const int32_t wanted[] = {1, 3, 4, 6, 0, 2, 5}; /* equal ones by index */
    int32_t indexes[7];
    graft_top_k(values, 7, 7, indexes);
    assert_memory_equal(indexes, wanted, sizeof wanted);
    graft_top_k(values, 7, 2, indexes);
    assert_memory_equal(indexes, wanted, 2 * sizeof *wanted);
}

static void probabilities_are_finite(void **state)
{
    (void)state;
    const float logits[] = {1000, 1001, -3000};
    float p[3];
    graft_softmax_row(logits, 3, p);
    assert_near((double)p[0], 1 / (1 + exp(1)), 1e-7);
    assert_near((double)p[1], 1 / (1 + exp(-1)), 1e-7);
    assert_near((double)p[2], 0, 0);
}

#define CLASSES 7

/*
 * Seven pictures of seven classes. Predicted: 0 0 1 1 6 0 0 for the true 0 1 1 2 2 5 0. By hand: class 0 is
 * predicted four times, twice rightly, and is there twice: precision 1/2, recall 1, f1 2/3; class 1: 1/2,
 * 1/2, 1/2; classes 2 and 5 are never right; 6 is predicted and not there.
 */
static void evaluations_count(void **state)
{
    static const int32_t labels[] = {0, 1, 1, 2, 2, 5, 0};
    static const float logits[7][CLASSES] = {
        {900, 899, 0, 0, 0, 0, 0}, {5, 4, 3, 2, 1, 0, -1}, {0, 2, 1, 1, 1, 1, 1},
        {1, 3, 2, 2, 2, 2, 2},     {5, 4, 2, 4, 4, 1, 6}, /* two is the sixth */
        {2, 2, 2, 2, 2, 2, 2},                            /* all equal: zero is the first, five the sixth */
        {3, 3, 1, 1, 1, 1, 1},
    };
    struct graft_evaluation e;
    assert_int_equal(graft_evaluation_open(*state, CLASSES, &e), GRAFT_OK);
    graft_evaluation_add(&e, logits[0], labels, 3);
    graft_evaluation_add(&e, logits[3], labels + 3, 4);
    graft_evaluation_finish(&e);
    assert_int_equal(e.images, 7);
    assert_near(e.top1, 3.0 / 7, 1e-15);
    assert_near(e.top5, 5.0 / 7, 1e-15);
    const int64_t confusion[6][CLASSES] = {{2}, {1, 1}, {0, 1, 0, 0, 0, 0, 1}, {0}, {0}, {1}};
    assert_memory_equal(e.confusion, confusion, sizeof confusion);
    /* −log softmax of the labels' logits, row by row */
    double loss = log(1 + exp(-1)); /* the others are e^−900 */
    double sum = 0;
    for (int c = 0; c < CLASSES; c++)
        sum += exp(5 - c);
    loss += log(sum) - 4;
    loss += log(1 + exp(2) + 5 * exp(1)) - 2;
    loss += log(exp(1) + exp(3) + 5 * exp(2)) - 2;
    loss += log(exp(5) + 3 * exp(4) + exp(2) + exp(1) + exp(6)) - 2;
    loss += log(7);
    loss += log(2 * exp(3) + 5 * exp(1)) - 3;
    assert_near(e.loss, loss / 7, 1e-6);
    const struct graft_class_figures wanted[CLASSES] = {
        {2, 0.5, 1, 2.0 / 3}, {2, 0.5, 0.5, 0.5}, {2, 0, 0, 0}, {0}, {0}, {1, 0, 0, 0}, {0}};
    for (int c = 0; c < CLASSES; c++) {
        assert_int_equal(e.figures[c].images, wanted[c].images);
        assert_near(e.figures[c].precision, wanted[c].precision, 1e-15);
        assert_near(e.figures[c].recall, wanted[c].recall, 1e-15);
        assert_near(e.figures[c].f1, wanted[c].f1, 1e-15);
    }
    graft_evaluation_close(*state, &e);
}

#define PICTURES 3
#define EPOCHS 1200

/* Three pictures whose features are 10 + i and 20 + i, their labels 7 - i; in batches of two. */
static void features_come_in_every_order(void **state)
{
    uint8_t rows[PICTURES][2] = {{10, 20}, {11, 21}, {12, 22}};
    int32_t labels[PICTURES] = {7, 6, 5};
    int64_t samples[PICTURES] = {3, 4, 5};
    const struct graft_features features = {
        .count = PICTURES, .row_bytes = 2, .rows = &rows[0][0], .labels = labels, .samples = samples};
    struct graft_fit_job job = {.context = *state, .options = {.seed = 3}};
    struct graft_fit_source source;
    int orders[27] = {0};
    assert_int_equal(graft_fit_source_open_features(&job, &features, 2, true, &source), GRAFT_OK);
    assert_int_equal(graft_fit_source_batches(&source), 2);
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        struct graft_fit_batch batch;
        int order = 0;
        for (int number = 0; number < 2; number++) {
            assert_int_equal(graft_fit_source_start(&source, epoch, number), GRAFT_OK); /* as after a pause */
            assert_int_equal(graft_fit_source_next(&source, &batch), GRAFT_OK);
            assert_int_equal(batch.valid, 2 - number);
            for (int row = 0; row < 2; row++) {
                const uint8_t *const data = batch.rows[row];
                const int picture = data[0] - 10;
                assert_in_range(picture, 0, 2);
                assert_int_equal(data[1], 20 + picture);
                assert_int_equal(batch.labels[row], 7 - picture);
                assert_int_equal(batch.samples[row], 3 + picture);
                order = row < batch.valid ? order * 3 + picture : order;
            }
            if (number == 1) { /* the batch is filled up with what it has */
                assert_ptr_equal(batch.rows[0], batch.rows[1]);
            }
        }
        assert_int_equal(graft_fit_source_next(&source, &batch), GRAFT_OK);
        assert_int_equal(batch.valid, 0);
        orders[order]++;
    }
    graft_fit_source_close(&source);
    int seen = 0;
    for (int order = 0; order < 27; order++) {
        if (orders[order] > 0) { /* 200 of each of six, give or take 13 */
            assert_in_range(orders[order], 150, 250);
            seen++;
        }
    }
    assert_int_equal(seen, 6);
    assert_int_equal(graft_fit_source_open_features(&job, &features, 3, false, &source), GRAFT_OK);
    for (int epoch = 0; epoch < 3; epoch++) { /* for evaluation they come as they lie */
        struct graft_fit_batch batch;
        assert_int_equal(graft_fit_source_start(&source, epoch, 0), GRAFT_OK);
        assert_int_equal(graft_fit_source_next(&source, &batch), GRAFT_OK);
        assert_int_equal(batch.valid, 3);
        assert_ptr_equal(batch.rows[2], rows[2]);
        assert_memory_equal(batch.labels, labels, sizeof labels);
    }
    graft_fit_source_close(&source);
}

static void keep_remarks(void *user, enum graft_log_level level, const char *text)
{
    char *const log = user;
    if (level == GRAFT_LOG_REMARK)
        snprintf(log + strlen(log), 4096 - strlen(log), "%s\n", text);
}

/* Features of six pictures to train and two to validate, 128 numbers each, are kept within their bytes and
 * not in one byte less; the validation's loss is the same. */
static void features_have_a_limit(void **state)
{
    (void)state;
    static const char *const folders[] = {"", "/train", "/train/a", "/train/b", "/val", "/val/a", "/val/b"};
    char folder[128], path[300];
    double loss[2];
    test_folder(folder, sizeof folder);
    for (int i = 0; i < 7; i++) {
        snprintf(path, sizeof path, "%s/data%s", folder, folders[i]);
        mkdir(path, 0777);
        for (int k = 0; i % 3 != 1 && i > 0 && k < (i < 4 ? 3 : 1); k++) {
            snprintf(path, sizeof path, "%s/data%s/%d.jpg", folder, folders[i], k);
            FILE *const file = fopen(path, "wb");
            assert_non_null(file);
            const bool first = (i + k) % 2 == 0;
            const size_t size = first ? sizeof jpeg_420 : sizeof jpeg_progressive;
            assert_int_equal(fwrite(first ? jpeg_420 : jpeg_progressive, 1, size, file), size);
            fclose(file);
        }
    }
    for (int fits = 0; fits < 2; fits++) {
        char data[200], out[200], log[4096] = "";
        struct graft_context *context = NULL;
        struct graft_device *device = NULL;
        struct graft_fit_result result;
        snprintf(data, sizeof data, "%s/data", folder);
        snprintf(out, sizeof out, "%s/run%d", folder, fits);
        const struct graft_fit_options options = {
            .recipe = {.data = data,
                       .model = "tiny_convnet",
                       .input = 32,
                       .stages = {{.from = "head", .epochs = 1, .learning_rate = 1e-12}},
                       .stage_count = 1,
                       .features_limit = 8 * 128 * sizeof(float) - (fits ? 0 : 1)},
            .out = out};
        assert_int_equal(graft_context_open(
                             &(struct graft_context_options){.log = keep_remarks, .log_user = log}, &context),
                         GRAFT_OK);
        assert_int_equal(graft_device_open(context, "cpu", &device), GRAFT_OK);
        if (graft_fit(device, &options, &result) != GRAFT_OK)
            fail_msg("%s", graft_context_error(context));
        assert_int_equal(strstr(log, "computed anew in every epoch") == NULL, fits);
        assert_int_equal(result.evaluation.images, 2);
        loss[fits] = result.history[0].val_loss;
        graft_fit_result_close(context, &result);
        graft_device_close(&device);
        graft_context_close(&context);
    }
    assert_near(loss[0], loss[1], 1e-5);
    test_folder_remove(folder);
}

/* ---- mixed pictures: all pixels of picture i are 10 · i, its class is i % 3 */

static int32_t mixed_label(void *user, int64_t index)
{
    (void)user;
    return (int32_t)(index % 3);
}

static enum graft_status mixed_picture(void *user, int64_t index, struct graft_sample *sample)
{
    static uint8_t pixels[7][8 * 8 * 3];
    (void)user;
    memset(pixels[index], (int)(10 * index), sizeof pixels[index]); /* the same from every thread */
    *sample = (struct graft_sample){.pixels = pixels[index], .width = 8, .height = 8, .channels = 3};
    return GRAFT_OK;
}

/* What is learnt of each row is what was mixed into it. */
static void classes_have_the_shares_of_their_pictures(void **state)
{
    static const char *const names[] = {"a", "b", "c"};
    const struct graft_picture_source own = {
        .count = 7, .class_names = names, .class_count = 3, .label = mixed_label, .read = mixed_picture};
    char best; /* weights are there: none need be reserved */
    struct graft_fit_job job = {.context = *state,
                                .options = {.seed = 3, .batch = 4, .cache = "auto"},
                                .mix = {.mixup = 1},
                                .loss = GRAFT_LOSS_SOFT,
                                .card = {.class_count = 3, .preprocess = graft_preprocess_imagenet()},
                                .best = (void *)&best};
    struct graft_fit_source source;
    struct graft_fit_batch batch;
    int rows = 0;
    job.card.preprocess.crop_height = job.card.preprocess.crop_width = 8;
    job.card.preprocess.transforms = graft_transforms_usual(8, GRAFT_FILTER_BILINEAR);
    assert_int_equal(graft_device_open(*state, "cpu", &job.device), GRAFT_OK);
    assert_int_equal(graft_dataset_open_source(*state, &own, &(struct graft_dataset_options){.val_fraction = -1},
                                               &job.dataset),
                     GRAFT_OK);
    assert_int_equal(graft_fit_source_open_pictures(&job, GRAFT_SPLIT_TRAIN, 4, true, &source), GRAFT_OK);
    assert_int_equal(graft_fit_source_start(&source, 0, 0), GRAFT_OK);
    while (graft_fit_source_next(&source, &batch) == GRAFT_OK && batch.valid > 0) {
        assert_true(batch.share > 0 && batch.share < 1);
        for (int64_t row = 0; row < batch.valid; row++, rows++) {
            const int64_t a = batch.samples[row], b = batch.samples[row > 0 ? row - 1 : batch.valid - 1];
            float wanted[3] = {0};
            wanted[a % 3] += (float)batch.share;
            wanted[b % 3] += (float)(1 - batch.share);
            for (int c = 0; c < 3; c++)
                assert_near((double)batch.targets[row * 3 + c], (double)wanted[c], 1e-6);
            const uint8_t level = ((const uint8_t *)batch.input)[row * 8 * 8 * 3];
            assert_near(level, 10 * (batch.share * (double)a + (1 - batch.share) * (double)b), 1);
        }
    }
    assert_int_equal(rows, 7);
    graft_fit_source_close(&source);
    graft_dataset_close(&job.dataset);
    graft_device_close(&job.device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(optimizers_have_their_usual_values), cmocka_unit_test(the_largest_come_first),
        cmocka_unit_test(probabilities_are_finite),           cmocka_unit_test(evaluations_count),
        cmocka_unit_test(classes_have_the_shares_of_their_pictures),
        cmocka_unit_test(features_come_in_every_order),       cmocka_unit_test(features_have_a_limit),
    };
    return cmocka_run_group_tests(tests, test_open_context, test_close_context);
}
