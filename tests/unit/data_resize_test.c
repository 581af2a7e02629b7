/* SPDX-License-Identifier: MIT */
/* Resizing, geometry and augmentation against Pillow 13 and torchvision's rules. */
#include "graft/data.h"
#include "support/support.h"

#include <math.h>

static uint64_t hash(const uint8_t *data, size_t size)
{
    uint64_t value = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++) {
        value = (value ^ data[i]) * UINT64_C(0x100000001b3);
    }
    return value;
}

static int open_context(void **state)
{
    struct graft_context *context = NULL;
    if (graft_context_open(&(struct graft_context_options){.threads = 1}, &context) != GRAFT_OK) {
        return -1;
    }
    *state = context;
    return 0;
}

static int close_context(void **state)
{
    struct graft_context *context = *state;
    graft_context_close(&context);
    return 0;
}

/* The picture of the tables below: ((37x + 101y + 59c) ^ (7xy + ⌊x²/4⌋)) mod 256. */
static struct graft_image drawn(int32_t width, int32_t height, int32_t channels)
{
    uint8_t *const pixels = malloc((size_t)(width * height * channels)), *out = pixels;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            for (int c = 0; c < channels; c++) {
                *out++ = (uint8_t)((x * 37 + y * 101 + c * 59) ^ (x * y * 7 + (x * x >> 2)));
            }
        }
    }
    return (struct graft_image){width, height, channels, pixels};
}

/* FNV-1a of what Pillow 13 makes of the drawn picture (Image.resize). */
static const struct {
    int32_t width, height, channels;
    enum graft_filter filter;
    int32_t to_width, to_height;
    uint64_t expected;
} resizes[] = {
    {31, 23, 3, GRAFT_FILTER_BILINEAR, 17, 11, UINT64_C(0x953bb14efca6b5dc)},
    {31, 23, 3, GRAFT_FILTER_NEAREST, 17, 11, UINT64_C(0x8e1f7b9a5683818f)},
    {31, 23, 3, GRAFT_FILTER_BOX, 17, 11, UINT64_C(0xfb84b13f87a77c4c)},
    {31, 23, 3, GRAFT_FILTER_BICUBIC, 17, 11, UINT64_C(0x7c13b93f11a73922)},
    {31, 23, 3, GRAFT_FILTER_LANCZOS, 17, 11, UINT64_C(0x0e370d8c3718e66d)},
    {31, 23, 3, GRAFT_FILTER_BILINEAR, 64, 50, UINT64_C(0x2d054f3ffde55238)},
    {31, 23, 3, GRAFT_FILTER_NEAREST, 64, 50, UINT64_C(0xefc7d3d12b7c7bf5)},
    {31, 23, 3, GRAFT_FILTER_BOX, 64, 50, UINT64_C(0xefc7d3d12b7c7bf5)},
    {31, 23, 3, GRAFT_FILTER_BICUBIC, 64, 50, UINT64_C(0x14a8cee1dd35e530)},
    {31, 23, 3, GRAFT_FILTER_LANCZOS, 64, 50, UINT64_C(0xfebf52a78bb7b9b7)},
    {23, 61, 3, GRAFT_FILTER_BILINEAR, 20, 13, UINT64_C(0xb064cec3c651f5ac)},
    {23, 61, 3, GRAFT_FILTER_NEAREST, 20, 13, UINT64_C(0x6cd61aa103bdd7cd)},
    {23, 61, 3, GRAFT_FILTER_BOX, 20, 13, UINT64_C(0x36b6213e10ca3d25)},
    {23, 61, 3, GRAFT_FILTER_BICUBIC, 20, 13, UINT64_C(0x2866e36267df0fd6)},
    {23, 61, 3, GRAFT_FILTER_LANCZOS, 20, 13, UINT64_C(0x8abd35fbe03b460c)},
    {40, 9, 3, GRAFT_FILTER_BILINEAR, 40, 30, UINT64_C(0xc3f3b7361bfd5a79)},
    {40, 9, 3, GRAFT_FILTER_NEAREST, 40, 30, UINT64_C(0x0ae13ba5217fe09d)},
    {40, 9, 3, GRAFT_FILTER_BOX, 40, 30, UINT64_C(0x0ae13ba5217fe09d)},
    {40, 9, 3, GRAFT_FILTER_BICUBIC, 40, 30, UINT64_C(0xa7f767d7269b7b33)},
    {40, 9, 3, GRAFT_FILTER_LANCZOS, 40, 30, UINT64_C(0xcc2cf98532696e99)},
    {19, 40, 1, GRAFT_FILTER_BILINEAR, 33, 40, UINT64_C(0x1f23313642e20756)},
    {19, 40, 1, GRAFT_FILTER_NEAREST, 33, 40, UINT64_C(0x0d5f73a62aed250d)},
    {19, 40, 1, GRAFT_FILTER_BOX, 33, 40, UINT64_C(0x0d5f73a62aed250d)},
    {19, 40, 1, GRAFT_FILTER_BICUBIC, 33, 40, UINT64_C(0xefd5353cae0ae198)},
    {19, 40, 1, GRAFT_FILTER_LANCZOS, 33, 40, UINT64_C(0x80fd092b0939e99d)},
    {64, 48, 1, GRAFT_FILTER_BILINEAR, 7, 5, UINT64_C(0xeef3fdeb04b20d12)},
    {64, 48, 1, GRAFT_FILTER_NEAREST, 7, 5, UINT64_C(0x842cdf9bdec32887)},
    {64, 48, 1, GRAFT_FILTER_BOX, 7, 5, UINT64_C(0xc722da846b8af25b)},
    {64, 48, 1, GRAFT_FILTER_BICUBIC, 7, 5, UINT64_C(0x3252913baad9d8db)},
    {64, 48, 1, GRAFT_FILTER_LANCZOS, 7, 5, UINT64_C(0x3e01e924f7717b86)},
    {5, 7, 3, GRAFT_FILTER_BILINEAR, 1, 1, UINT64_C(0x572531194489f6f6)},
    {5, 7, 3, GRAFT_FILTER_NEAREST, 1, 1, UINT64_C(0xa1235219ffaf472e)},
    {5, 7, 3, GRAFT_FILTER_BOX, 1, 1, UINT64_C(0x572530194489f543)},
    {5, 7, 3, GRAFT_FILTER_BICUBIC, 1, 1, UINT64_C(0x572532194489f8a9)},
    {5, 7, 3, GRAFT_FILTER_LANCZOS, 1, 1, UINT64_C(0x572532194489f8a9)},
    {120, 90, 3, GRAFT_FILTER_BILINEAR, 64, 48, UINT64_C(0xba06f8820c69aede)},
    {120, 90, 3, GRAFT_FILTER_NEAREST, 64, 48, UINT64_C(0xbb0c44229cf5b085)},
    {120, 90, 3, GRAFT_FILTER_BOX, 64, 48, UINT64_C(0xf965937ce477bfc1)},
    {120, 90, 3, GRAFT_FILTER_BICUBIC, 64, 48, UINT64_C(0x3ed4ab82506a9a5e)},
    {120, 90, 3, GRAFT_FILTER_LANCZOS, 64, 48, UINT64_C(0x044511cd8226503b)},
};

static void resized_pixels_are_pillows(void **state)
{
    struct graft_context *const context = *state;
    for (size_t i = 0; i < sizeof resizes / sizeof resizes[0]; i++) {
        struct graft_image source = drawn(resizes[i].width, resizes[i].height, resizes[i].channels), result;
        assert_int_equal(graft_image_resize(context, &source, resizes[i].filter, resizes[i].to_width,
                                            resizes[i].to_height, &result),
                         GRAFT_OK);
        assert_int_equal(result.width, resizes[i].to_width);
        assert_int_equal(result.height, resizes[i].to_height);
        if (hash(result.pixels, (size_t)(result.width * result.height * result.channels)) !=
            resizes[i].expected) {
            fail_msg("%d × %d to %d × %d, %s", resizes[i].width, resizes[i].height, resizes[i].to_width,
                     resizes[i].to_height, graft_filter_name(resizes[i].filter));
        }
        graft_image_close(context, &result);
        free(source.pixels);
    }
}

static struct graft_preprocess plain(int32_t side, enum graft_filter filter, int32_t height, int32_t width,
                                     int32_t channels)
{
    struct graft_preprocess result = graft_preprocess_imagenet();
    result.transforms = graft_transforms_usual(side, filter);
    result.crop_height = height;
    result.crop_width = width;
    result.channels = channels;
    return result;
}

/* ../shared/golden: resize and centre crop by Pillow 13 and torchvision. */
static void golden_pictures_are_met(void **state)
{
    struct graft_context *const context = *state;
    static const struct {
        const char *image, *expected;
        int32_t side, crop;
        enum graft_filter filter;
    } cases[] = {
        {"n01491361_tiger_shark", "0-resize256-bilinear-crop224", 256, 224, GRAFT_FILTER_BILINEAR},
        {"n01534433_junco", "1-resize256-bicubic-crop224", 256, 224, GRAFT_FILTER_BICUBIC},
        {"n01616318_vulture", "2-resize256-bilinear-crop227", 256, 227, GRAFT_FILTER_BILINEAR},
        {"n01664065_loggerhead", "3-resize342-bilinear-crop299", 342, 299, GRAFT_FILTER_BILINEAR},
        {"n01688243_frilled_lizard", "4-resize64-bicubic-crop64", 64, 64, GRAFT_FILTER_BICUBIC},
        {"n01728920_ringneck_snake", "5-resize232-lanczos-crop224", 232, 224, GRAFT_FILTER_LANCZOS},
    };
    char name[256], path[1024];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(name, sizeof name, "golden/%s.png", cases[i].expected);
        if (!test_data(name, path, sizeof path)) {
            skip();
        }
        struct graft_image golden;
        assert_int_equal(graft_image_read(context, path, NULL, &golden), GRAFT_OK);
        snprintf(name, sizeof name, "data/imagenet-samples/%s.JPEG", cases[i].image);
        assert_non_null(test_data(name, path, sizeof path));
        const struct graft_preprocess preprocess =
            plain(cases[i].side, cases[i].filter, cases[i].crop, cases[i].crop, 3);
        const size_t size = (size_t)(cases[i].crop * cases[i].crop * 3);
        uint8_t *const result = malloc(size);
        assert_int_equal(graft_preprocess_file(context, &preprocess, path, result), GRAFT_OK);
        assert_int_equal(golden.width, cases[i].crop);
        assert_memory_equal(result, golden.pixels, size);
        free(result);
        graft_image_close(context, &golden);
    }
}

/* Computing only what a crop needs gives what a whole resize followed by a crop gives. */
static void crop_equals_whole_resize_then_crop(void **state)
{
    struct graft_context *const context = *state;
    for (int i = 0; i < 60; i++) {
        const enum graft_filter filter = (enum graft_filter)(i % 5);
        const int32_t channels = i % 2 ? 3 : 1, width = 20 + i * 3 % 47, height = 20 + i * 7 % 61,
                      side = 9 + i % 40;
        struct graft_image source = drawn(width, height, channels), whole;
        const bool upright = height >= width;
        const int32_t longer =
            (int32_t)((double)side * (upright ? height : width) / (upright ? width : height));
        const int32_t w = upright ? side : longer, h = upright ? longer : side;
        const int32_t crop_w = w - i % 7 > 0 ? w - i % 7 : 1, crop_h = h - i % 5 > 0 ? h - i % 5 : 1;
        assert_int_equal(graft_image_resize(context, &source, filter, w, h, &whole), GRAFT_OK);
        const struct graft_preprocess preprocess = plain(side, filter, crop_h, crop_w, channels);
        uint8_t *const result = malloc((size_t)(crop_h * crop_w * channels));
        assert_int_equal(graft_preprocess_image(context, &preprocess, &source, result), GRAFT_OK);
        /* Python's round: 0.5 to 0, 1.5 to 2, 2.5 to 2 */
        static const int32_t half[] = {0, 0, 1, 2, 2, 2, 3};
        const int32_t left = half[w - crop_w], top = half[h - crop_h];
        for (int y = 0; y < crop_h; y++) {
            assert_memory_equal(result + y * crop_w * channels,
                                whole.pixels + ((top + y) * w + left) * channels,
                                (size_t)(crop_w * channels));
        }
        free(result);
        graft_image_close(context, &whole);
        free(source.pixels);
    }
}

static void small_picture_is_padded_with_zero(void **state)
{
    struct graft_context *const context = *state;
    struct graft_image source = drawn(5, 4, 1);
    const struct graft_preprocess preprocess = plain(4, GRAFT_FILTER_BILINEAR, 9, 8, 1);
    uint8_t result[9 * 8];
    assert_int_equal(graft_preprocess_image(context, &preprocess, &source, result), GRAFT_OK);
    for (int y = 0; y < 9; y++) {
        for (int x = 0; x < 8; x++) { /* (8 − 5) / 2 = 1 column, (9 − 4) / 2 = 2 rows in front */
            const bool inside = x >= 1 && x < 6 && y >= 2 && y < 6;
            assert_int_equal(result[y * 8 + x], inside ? source.pixels[(y - 2) * 5 + x - 1] : 0);
        }
    }
    free(source.pixels);
}

static void stretched_to_the_crop_without_a_side(void **state)
{
    struct graft_context *const context = *state;
    struct graft_image source = drawn(31, 17, 3), whole;
    const struct graft_preprocess preprocess = plain(0, GRAFT_FILTER_BICUBIC, 20, 12, 3);
    uint8_t result[20 * 12 * 3];
    assert_int_equal(graft_preprocess_image(context, &preprocess, &source, result), GRAFT_OK);
    assert_int_equal(graft_image_resize(context, &source, GRAFT_FILTER_BICUBIC, 12, 20, &whole), GRAFT_OK);
    assert_memory_equal(result, whole.pixels, sizeof result);
    graft_image_close(context, &whole);
    free(source.pixels);
}

/* FNV-1a of what Pillow 13 gives for the drawn picture of 97 × 61 in 32 × 24, bilinear, with crop, flip and
 * jitter drawn as documented (seed 7, epoch 3, samples 0, 1, 2); made by a program of its own, Philox
 * included. */
static void augmented_pixels_are_pillows(void **state)
{
    struct graft_context *const context = *state;
    static const struct {
        int32_t channels;
        float brightness, contrast, saturation;
        uint64_t expected[3];
    } cases[] = {
        {3,
         0,
         0,
         0,
         {UINT64_C(0xe40300d0f1a31c3c), UINT64_C(0x531d547557c65717), UINT64_C(0x060083524efd634f)}},
        {3,
         .4f,
         .4f,
         .4f,
         {UINT64_C(0xf105312ab1aab2a2), UINT64_C(0xc230afe7c9d90257), UINT64_C(0x246881d710004724)}},
        {1,
         .4f,
         .4f,
         0,
         {UINT64_C(0x5ba45f5edab4f294), UINT64_C(0xb2ec905d5a5c60f0), UINT64_C(0x8b334dc0b816e773)}},
    };
    struct graft_image source = drawn(97, 61, 3);
    uint8_t result[32 * 24 * 3];
    for (size_t i = 0; i < 9; i++) {
        const struct graft_preprocess preprocess =
            plain(10, GRAFT_FILTER_BILINEAR, 24, 32, cases[i / 3].channels);
        struct graft_transforms varied = graft_augment_default(&preprocess);
        varied.steps[varied.count++] =
            (struct graft_transform){.kind = GRAFT_TRANSFORM_JITTER,
                                     .jitter = {.brightness = cases[i / 3].brightness,
                                                .contrast = cases[i / 3].contrast,
                                                .saturation = cases[i / 3].saturation}};
        const int64_t sample = (int64_t)(i % 3);
        assert_int_equal(graft_transform_image(context, &preprocess, &varied, 7, 3, sample, &source, result),
                         GRAFT_OK);
        assert_true(hash(result, (size_t)(32 * 24 * cases[i / 3].channels)) == cases[i / 3].expected[i % 3]);
    }
    free(source.pixels);
}

/* Shapes in which no crop of all the area and a ratio of 3 : 4 to 4 : 3 fits: its largest middle part is
 * taken, 13 pixels of 10 × 4/3 or 10 / (3/4), after (100 - 13) / 2 = 43 in front. */
static void crops_that_cannot_be_are_the_middle(void **state)
{
    struct graft_context *const context = *state;
    const struct graft_preprocess preprocess = plain(8, GRAFT_FILTER_BILINEAR, 6, 7, 3);
    struct graft_transforms varied = graft_augment_default(&preprocess);
    varied.count = 1;
    varied.steps[0].random_crop.scale[0] = 1;
    for (int tall = 0; tall < 2; tall++) {
        struct graft_image source = drawn(tall ? 10 : 100, tall ? 100 : 10, 3), resized;
        struct graft_image part = {.width = tall ? 10 : 13, .height = tall ? 13 : 10, .channels = 3};
        uint8_t result[6 * 7 * 3];
        part.pixels = malloc(10 * 13 * 3);
        for (int y = 0; y < part.height; y++) {
            memcpy(part.pixels + (size_t)(y * part.width * 3),
                   source.pixels + (((tall ? 43 : 0) + y) * source.width + (tall ? 0 : 43)) * 3,
                   (size_t)(part.width * 3));
        }
        assert_int_equal(graft_image_resize(context, &part, GRAFT_FILTER_BILINEAR, 7, 6, &resized), GRAFT_OK);
        assert_int_equal(graft_transform_image(context, &preprocess, &varied, 1, 0, 5, &source, result),
                         GRAFT_OK);
        assert_memory_equal(result, resized.pixels, sizeof result);
        graft_image_close(context, &resized);
        free(part.pixels);
        free(source.pixels);
    }
}

/* Half of the pictures are flipped, and without a random crop a flip is all that changes. */
static void flips_are_fair_and_exact(void **state)
{
    struct graft_context *const context = *state;
    struct graft_image source = drawn(7, 6, 3);
    const struct graft_preprocess preprocess = plain(6, GRAFT_FILTER_BILINEAR, 6, 7, 3);
    struct graft_transforms varied = preprocess.transforms;
    varied.steps[varied.count++] = (struct graft_transform){.kind = GRAFT_TRANSFORM_FLIP, .flip = {0.5f}};
    int flipped = 0;
    for (int64_t sample = 0; sample < 1000; sample++) {
        uint8_t result[7 * 6 * 3];
        assert_int_equal(graft_transform_image(context, &preprocess, &varied, 1, 0, sample, &source, result),
                         GRAFT_OK);
        const bool turned = memcmp(result, source.pixels, sizeof result) != 0;
        for (int i = 0; i < 42; i++) {
            const int from = turned ? i / 7 * 7 + 6 - i % 7 : i;
            assert_memory_equal(result + 3 * i, source.pixels + 3 * from, 3);
        }
        flipped += turned;
    }
    assert_in_range(flipped, 440, 560); /* 500 ± 3.8 standard deviations */
    flipped = 0;
    for (int64_t sample = 0; sample < 1000; sample++) {
        varied.steps[2].flip.probability = 0.9f;
        uint8_t result[7 * 6 * 3];
        assert_int_equal(graft_transform_image(context, &preprocess, &varied, 1, 0, sample, &source, result),
                         GRAFT_OK);
        flipped += memcmp(result, source.pixels, sizeof result) != 0;
    }
    assert_in_range(flipped, 860, 940); /* 900 ± 4.2 standard deviations */
    free(source.pixels);
}

static void extreme_shapes_are_resized(void **state)
{
    struct graft_context *const context = *state;
    static const int32_t shapes[][2] = {{1, 4000}, {4000, 1}, {1, 1}, {2, 3000}, {3000, 2}};
    uint8_t result[32 * 32 * 3];
    for (size_t i = 0; i < 5; i++) {
        struct graft_image source = drawn(shapes[i][0], shapes[i][1], 3);
        for (int filter = 0; filter < 5; filter++) {
            const struct graft_preprocess preprocess = plain(40, (enum graft_filter)filter, 32, 32, 3);
            assert_int_equal(graft_preprocess_image(context, &preprocess, &source, result), GRAFT_OK);
            const struct graft_transforms varied = graft_augment_default(&preprocess);
            assert_int_equal(graft_transform_image(context, &preprocess, &varied, 1, 2, 3, &source, result),
                             GRAFT_OK);
        }
        free(source.pixels);
    }
}

static void senseless_requests_are_refused(void **state)
{
    struct graft_context *const context = *state;
    struct graft_image source = drawn(8, 8, 3), result;
    uint8_t pixels[8 * 8 * 3];
    assert_int_equal(graft_image_resize(context, &source, GRAFT_FILTER_BOX, 0, 5, &result),
                     GRAFT_ERROR_ARGUMENT);
    assert_int_equal(graft_image_resize(context, &source, GRAFT_FILTER_BOX, 65536, 65536, &result),
                     GRAFT_ERROR_ARGUMENT);
    assert_int_equal(graft_image_resize(context, &source, (enum graft_filter)9, 5, 5, &result),
                     GRAFT_ERROR_ARGUMENT);
    struct graft_preprocess preprocess = plain(8, GRAFT_FILTER_BOX, 8, 8, 2);
    assert_int_equal(graft_preprocess_image(context, &preprocess, &source, pixels), GRAFT_ERROR_ARGUMENT);
    preprocess = plain(8, GRAFT_FILTER_BOX, 8, 8, 3);
    preprocess.std[1] = 0;
    assert_int_equal(graft_preprocess_check(context, &preprocess), GRAFT_ERROR_ARGUMENT);
    preprocess = plain(8, GRAFT_FILTER_BOX, 8, 8, 3);
    struct graft_transforms varied = graft_augment_default(&preprocess);
    varied.steps[0].random_crop.scale[0] = 0;
    assert_int_equal(graft_transform_image(context, &preprocess, &varied, 0, 0, 0, &source, pixels),
                     GRAFT_ERROR_ARGUMENT);
    varied = graft_augment_default(&preprocess);
    varied.steps[1].flip.probability = NAN;
    assert_int_equal(graft_transform_image(context, &preprocess, &varied, 0, 0, 0, &source, pixels),
                     GRAFT_ERROR_ARGUMENT);
    enum graft_filter filter = GRAFT_FILTER_BOX;
    assert_int_equal(graft_filter_find(context, "lanczos", &filter), GRAFT_OK);
    assert_int_equal(filter, GRAFT_FILTER_LANCZOS);
    assert_int_equal(graft_filter_find(context, "bicubik", &filter), GRAFT_ERROR_NOT_FOUND);
    assert_non_null(strstr(graft_context_error(context), "'bicubic'"));
    free(source.pixels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(resized_pixels_are_pillows, open_context, close_context),
        cmocka_unit_test_setup_teardown(golden_pictures_are_met, open_context, close_context),
        cmocka_unit_test_setup_teardown(crop_equals_whole_resize_then_crop, open_context, close_context),
        cmocka_unit_test_setup_teardown(small_picture_is_padded_with_zero, open_context, close_context),
        cmocka_unit_test_setup_teardown(stretched_to_the_crop_without_a_side, open_context, close_context),
        cmocka_unit_test_setup_teardown(augmented_pixels_are_pillows, open_context, close_context),
        cmocka_unit_test_setup_teardown(crops_that_cannot_be_are_the_middle, open_context, close_context),
        cmocka_unit_test_setup_teardown(flips_are_fair_and_exact, open_context, close_context),
        cmocka_unit_test_setup_teardown(extreme_shapes_are_resized, open_context, close_context),
        cmocka_unit_test_setup_teardown(senseless_requests_are_refused, open_context, close_context),
    };
    return cmocka_run_group_tests_name("data_resize", tests, NULL, NULL);
}
