/* SPDX-License-Identifier: MIT */
/* Mixup and CutMix against torchvision (pictures/mix.py); their shares against the distribution; the loader's
 * batches. */
#include "support/support.h"

#include "data/mix.h"
#include "mix_expected.h"

#include <math.h>

#define BATCH 4
#define HEIGHT 6
#define WIDTH 9
#define SIZE (HEIGHT * WIDTH * 3)

/* That of pictures/mix.py. */
static void draw(uint8_t pixels[BATCH][SIZE])
{
    uint32_t number = 12345;
    for (int i = 0; i < BATCH * SIZE; i++) {
        number = number * 1664525 + 1013904223;
        pixels[i / SIZE][i % SIZE] = (uint8_t)(number >> 24);
    }
}

static void mixtures_are_torchvisions(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof mixed / sizeof mixed[0]; k++) {
        uint8_t own[BATCH][SIZE], pixels[BATCH][SIZE];
        struct graft_mixture mixture = {.share = mixed[k].share};
        draw(own);
        draw(pixels);
        if (strcmp(mixed[k].kind, "cutmix") == 0) {
            graft_mixture_cut(mixed[k].share, mixed[k].x, mixed[k].y, WIDTH, HEIGHT, &mixture);
        }
        for (int i = 0; i < BATCH; i++) {
            int32_t sum = 0;
            graft_mixture_apply(&mixture, pixels[i], own[(i + BATCH - 1) % BATCH], WIDTH, HEIGHT, 3);
            for (int p = 0; p < SIZE; p++) {
                sum += pixels[i][p];
            }
            assert_int_equal(sum, mixed[k].sums[i]);
        }
        assert_memory_equal(pixels[0] + 2 * (size_t)WIDTH * 3, mixed[k].first, sizeof mixed[k].first);
        /* The labels there are 0, 1, 2, 1. */
        assert_true(fabs(mixture.share - (double)mixed[k].targets[0][0]) < 1e-7);
        assert_true(fabs(1 - mixture.share - (double)mixed[k].targets[0][1]) < 1e-7);
    }
}

/* Mean 1/2 and variance 1 / (4 (2 alpha + 1)); the fourth moment about the mean is 3 / (16 (2 alpha + 1) (2
 * alpha + 3)). Within five deviations of what 20,000 draws give. */
static void shares_are_of_the_beta_distribution(void **state)
{
    static const double alphas[] = {0.001, 0.2, 0.4, 1, 1.5, 8, 1000};
    (void)state;
    for (size_t a = 0; a < sizeof alphas / sizeof alphas[0]; a++) {
        const double alpha = alphas[a], n = 20000;
        const double variance = 1 / (4 * (2 * alpha + 1)),
                     fourth = 3 / (16 * (2 * alpha + 1) * (2 * alpha + 3));
        double sum = 0, squares = 0;
        struct graft_random random;
        graft_random_start(&random, 7, a);
        for (int i = 0; i < (int)n; i++) {
            const double share = graft_random_beta(&random, alpha);
            assert_true(share >= 0 && share <= 1);
            sum += share - 0.5;
            squares += (share - 0.5) * (share - 0.5);
        }
        if (fabs(sum / n) > 5 * sqrt(variance / n) ||
            fabs(squares / n - variance) > 5 * sqrt((fourth - variance * variance) / n)) {
            fail_msg("alpha %g: mean %g, variance %g, not %g", alpha, 0.5 + sum / n, squares / n, variance);
        }
    }
}

/* Of both each comes half the time; places and shares change with seed, epoch and batch. */
static void kinds_are_drawn_alike(void **state)
{
    const struct graft_mix both = {0.2f, 1}, none = {0, 0}, one = {0.2f, 0};
    struct graft_mixture mixture, other;
    int cuts = 0;
    (void)state;
    for (int64_t i = 0; i < 400; i++) {
        graft_mixture_draw(&both, &(struct graft_draw){3, i / 20, i % 20}, 30, 20, &mixture);
        graft_mixture_draw(&one, &(struct graft_draw){3, i / 20, i % 20}, 30, 20, &other);
        cuts += mixture.cut;
        assert_true(!other.cut && other.share >= 0 && other.share <= 1);
        assert_true(mixture.left >= 0 && mixture.right <= 30 && mixture.top >= 0 && mixture.bottom <= 20);
    }
    assert_true(abs(cuts - 200) < 50); /* five deviations */
    graft_mixture_draw(&none, &(struct graft_draw){3, 0, 0}, 30, 20, &mixture);
    assert_true(mixture.share == 1 && !mixture.cut);
    graft_mixture_draw(&one, &(struct graft_draw){3, 1, 0}, 30, 20, &mixture);
    graft_mixture_draw(&one, &(struct graft_draw){3, 0, 1}, 30, 20, &other);
    assert_true(mixture.share != other.share);
    graft_mixture_draw(&one, &(struct graft_draw){4, 1, 0}, 30, 20, &other);
    assert_true(mixture.share != other.share);
}

/* ---- through the loader: seven pictures, of which each pixel is the picture's number times ten */

static int32_t label(void *user, int64_t index)
{
    (void)user;
    return (int32_t)(index % 2);
}

static enum graft_status read_picture(void *user, int64_t index, struct graft_sample *sample)
{
    static uint8_t pixels[7][8 * 8 * 3];
    (void)user;
    memset(pixels[index], (int)(10 * index), sizeof pixels[index]); /* the same from every thread */
    sample->pixels = pixels[index];
    sample->width = sample->height = 8;
    sample->channels = 3;
    return GRAFT_OK;
}

static const char *const names[] = {"even", "odd"};

static uint64_t load(int threads, const struct graft_loader_options *options, double shares[3])
{
    const struct graft_picture_source source = {
        .count = 7, .class_names = names, .class_count = 2, .label = label, .read = read_picture};
    struct graft_preprocess preprocess = graft_preprocess_imagenet();
    struct graft_context *context;
    struct graft_dataset *dataset;
    struct graft_loader *loader;
    struct graft_batch batch;
    uint64_t hash = 1;
    preprocess.crop_height = preprocess.crop_width = 8;
    preprocess.transforms = graft_transforms_usual(8, GRAFT_FILTER_BILINEAR);
    assert_int_equal(graft_context_open(&(struct graft_context_options){.threads = threads}, &context),
                     GRAFT_OK);
    assert_int_equal(graft_dataset_open_source(context, &source,
                                               &(struct graft_dataset_options){.val_fraction = -1}, &dataset),
                     GRAFT_OK);
    assert_int_equal(graft_loader_open(context, dataset, &preprocess, options, &loader), GRAFT_OK);
    for (int number = 0; graft_loader_next(loader, &batch) == GRAFT_OK && batch.valid > 0; number++) {
        shares[number] = batch.share;
        for (int row = 0; row < 3; row++) {
            const int of = row % batch.valid; /* rows beyond are there again */
            const double a = (double)batch.samples[of],
                         b = (double)batch.samples[(of + batch.valid - 1) % batch.valid];
            const double wanted = floor(10 * (batch.share * a + (1 - batch.share) * b) + 0.5);
            for (int i = 0; i < 8 * 8 * 3 && options->mix.cutmix == 0; i++) {
                assert_true(fabs((double)batch.pixels[row * 8 * 8 * 3 + i] - wanted) <= 1);
            }
            int64_t others = 0;
            for (int i = 0; i < 8 * 8 * 3 && options->mix.mixup == 0; i++) {
                others += batch.pixels[row * 8 * 8 * 3 + i] != 10 * batch.samples[of];
            }
            if (options->mix.mixup == 0 && batch.valid > 1) { /* samples differ in a batch */
                assert_true(fabs((double)others / (8 * 8 * 3) - (1 - batch.share)) < 1e-9);
            }
        }
        for (int i = 0; i < 3 * 8 * 8 * 3; i++) {
            hash = (hash ^ batch.pixels[i]) * UINT64_C(0x100000001b3);
        }
    }
    graft_loader_close(&loader);
    graft_dataset_close(&dataset);
    graft_context_close(&context);
    return hash;
}

static void batches_are_mixed(void **state)
{
    double shares[3], again[3];
    (void)state;
    struct graft_loader_options options = {.batch = 3, .shuffle = true, .seed = 5, .mix = {.mixup = 1}};
    const uint64_t hash = load(1, &options, shares);
    assert_true(load(4, &options, again) == hash); /* on every number of threads */
    assert_memory_equal(shares, again, sizeof shares);
    assert_true(shares[0] != shares[1] && shares[0] > 0 && shares[0] < 1);
    options.mix = (struct graft_mix){.cutmix = 1};
    assert_true(load(2, &options, shares) != hash);
    options.keep_limit = 1 << 20; /* what is kept is not what was mixed */
    load(2, &options, again);
    assert_memory_equal(shares, again, sizeof shares);
    options.mix = (struct graft_mix){0};
    load(2, &options, shares);
    assert_true(shares[0] == 1 && shares[2] == 1);
}

static void numbers_that_are_no_alpha_are_refused(void **state)
{
    static const float bad[] = {-1, 1e-6f, 2000, NAN, INFINITY};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(graft_mix_check(*state, &(struct graft_mix){.cutmix = bad[i]}, true),
                         GRAFT_ERROR_ARGUMENT);
        assert_non_null(strstr(graft_context_error(*state), "cutmix: alpha is"));
        assert_int_equal(graft_mix_check(*state, &(struct graft_mix){.mixup = bad[i]}, true),
                         GRAFT_ERROR_ARGUMENT);
    }
    assert_int_equal(graft_mix_check(*state, &(struct graft_mix){.mixup = 1}, false), GRAFT_ERROR_ARGUMENT);
    assert_int_equal(graft_mix_check(*state, &(struct graft_mix){.mixup = 1}, true), GRAFT_OK);
    assert_int_equal(graft_mix_check(*state, &(struct graft_mix){0}, false), GRAFT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mixtures_are_torchvisions),
        cmocka_unit_test(shares_are_of_the_beta_distribution),
        cmocka_unit_test(kinds_are_drawn_alike),
        cmocka_unit_test(batches_are_mixed),
        cmocka_unit_test(numbers_that_are_no_alpha_are_refused),
    };
    return cmocka_run_group_tests_name("mix", tests, test_open_context, test_close_context);
}
