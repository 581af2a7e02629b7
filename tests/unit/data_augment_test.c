/* SPDX-License-Identifier: MIT */
/* Changes of pixels against Pillow and numpy (pictures/augment.py), steps that draw, lists as people write
 * them. */
#include "augment_expected.h"
#include "base/context.h"
#include "data/transform.h"
#include "support/support.h"

#include <math.h>

#define WIDTH 37
#define HEIGHT 23

/* That of pictures/augment.py. */
static void draw(uint8_t *pixels, int32_t width, int32_t height, int32_t channels)
{
    uint32_t number = 12345;
    for (int32_t i = 0; i < width * height * channels; i++) {
        number = number * 1664525 + 1013904223;
        pixels[i] = (uint8_t)((number >> 24) * (uint32_t)(i / channels % width + 8) / (uint32_t)(width + 8));
    }
}

static struct graft_view view_of(const uint8_t *pixels, int32_t width, int32_t height, int32_t channels)
{
    return (struct graft_view){pixels, width, height, channels, (size_t)(width * channels)};
}

static uint64_t hash(const uint8_t *data, size_t count)
{
    uint64_t value = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < count; i++) {
        value = (value ^ data[i]) * UINT64_C(0x100000001b3);
    }
    return value;
}

static const double matrix[6] = {0.9, -0.35, 3.25, 0.4, 1.1, -5.5};

static void change(const char *name, double amount, struct graft_pixels *p)
{
    static uint8_t spare[WIDTH * HEIGHT * 3], moved[29 * 31 * 3];
    if (strcmp(name, "brightness") == 0) {
        graft_pixels_brightness(p, (float)amount);
    } else if (strcmp(name, "contrast") == 0) {
        graft_pixels_contrast(p, (float)amount);
    } else if (strcmp(name, "contrast_inverted") == 0) {
        graft_pixels_solarize(p, 0);
        graft_pixels_contrast(p, (float)amount);
    } else if (strcmp(name, "saturation") == 0) {
        graft_pixels_saturation(p, (float)amount);
    } else if (strcmp(name, "sharpness") == 0) {
        graft_pixels_sharpness(p, spare, (float)amount);
    } else if (strcmp(name, "hue") == 0) {
        graft_pixels_hue(p, amount);
    } else if (strcmp(name, "gray") == 0) {
        graft_pixels_gray(p);
    } else if (strcmp(name, "posterize") == 0) {
        graft_pixels_posterize(p, (int)amount);
    } else if (strcmp(name, "solarize") == 0) {
        graft_pixels_solarize(p, amount);
    } else if (strcmp(name, "autocontrast") == 0) {
        graft_pixels_autocontrast(p);
    } else if (strcmp(name, "equalize") == 0) {
        graft_pixels_equalize(p);
    } else if (strcmp(name, "equalize_above") == 0) { /* much in the last bin */
        for (int32_t i = 0; i < p->width * p->height * p->channels; i++) {
            p->data[i] = p->data[i] > amount ? 255 : p->data[i];
        }
        graft_pixels_equalize(p);
    } else {
        assert_string_equal(name, "affine");
        const struct graft_view from = view_of(p->data, p->width, p->height, p->channels);
        const struct graft_pixels to = {moved, 29, 31, p->channels};
        graft_pixels_affine(&from, matrix, GRAFT_FILL_CONSTANT, &to);
        *p = to;
    }
}

static void changes_are_pillows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof expected_changes / sizeof expected_changes[0]; i++) {
        for (int32_t three = 0; three < 2; three++) {
            uint8_t data[WIDTH * HEIGHT * 3];
            struct graft_pixels p = {data, WIDTH, HEIGHT, three ? 3 : 1};
            draw(data, WIDTH, HEIGHT, p.channels);
            change(expected_changes[i].change, expected_changes[i].amount, &p);
            if (hash(p.data, (size_t)(p.width * p.height * p.channels)) != expected_changes[i].hash[three]) {
                fail_msg("%s by %g of %d channels is not Pillow's", expected_changes[i].change,
                         expected_changes[i].amount, p.channels);
            }
        }
    }
}

/* Cut off, or rounded, from numbers that are right. */
static void assert_near(const uint8_t *pixels, const double *expected, size_t count, double least,
                        double most)
{
    for (size_t i = 0; i < count; i++) {
        const double more = (double)pixels[i] - expected[i];
        if (!(more >= least && more <= most)) {
            fail_msg("value %zu is %d instead of %.4f", i, pixels[i], expected[i]);
        }
    }
}

static void blurs_and_fills_are_numpys(void **state)
{
    (void)state;
    uint8_t data[11 * 9 * 3], moved[11 * 9 * 3];
    float spare[(11 * 10 + 8) * 3];
    const struct graft_pixels p = {data, 11, 9, 3}, to = {moved, 11, 9, 3};
    const struct graft_view from = view_of(data, 11, 9, 3);
    draw(data, 11, 9, 3);
    graft_pixels_affine(&from, matrix, GRAFT_FILL_NEAREST, &to);
    assert_near(moved, expected_nearest, sizeof moved, -1 - 1e-9, 1e-9);
    graft_pixels_affine(&from, matrix, GRAFT_FILL_REFLECT, &to);
    assert_near(moved, expected_reflect, sizeof moved, -1 - 1e-9, 1e-9);
    graft_pixels_affine(&from, matrix, GRAFT_FILL_WRAP, &to);
    assert_near(moved, expected_wrap, sizeof moved, -1 - 1e-9, 1e-9);
    graft_pixels_blur(&p, spare, 1.3, 4);
    assert_near(data, expected_blur, sizeof data, -0.5001, 0.5001);
}

/* Far outside and without a number: black, not a read of memory that is not there. */
static void places_without_end_are_filled(void **state)
{
    (void)state;
    uint8_t data[11 * 9], moved[4];
    const double places[][6] = {{0, 0, 1e300, 0, 0, 0}, {0, 0, NAN, 0, 0, 2}, {1e12, 0, 0, 0, 1e12, 0}};
    const struct graft_view from = view_of(data, 11, 9, 1);
    const struct graft_pixels to = {moved, 2, 2, 1};
    memset(data, 200, sizeof data);
    for (int fill = GRAFT_FILL_CONSTANT; fill <= GRAFT_FILL_WRAP; fill++) {
        for (size_t i = 0; i < 3; i++) {
            memset(moved, 1, sizeof moved);
            graft_pixels_affine(&from, places[i], (enum graft_fill)fill, &to);
            assert_memory_equal(moved, "\0\0\0\0", 4);
        }
    }
}

static struct graft_preprocess input_of(int32_t height, int32_t width, int32_t channels)
{
    return (struct graft_preprocess){.crop_height = height,
                                     .crop_width = width,
                                     .channels = channels,
                                     .mean = {0.5f, 0.25f, 0.75f},
                                     .std = {1, 1, 1},
                                     .transforms = graft_transforms_usual(0, GRAFT_FILTER_BILINEAR)};
}

/* Turns that follow each other are one matrix, and one resampling with it. */
static void turns_are_composed(void **state)
{
    struct graft_context *const context = *state;
    struct graft_scratch scratch = {.context = context};
    const struct graft_preprocess preprocess = input_of(HEIGHT, WIDTH, 3);
    const double angle = 3.14159265358979323846 / 6;
    const double back[4] = {cos(angle), sin(angle), -sin(angle), cos(angle)};
    const double same[4] = {1, 0, 0, 1}, half[4] = {0.5, 0, 0, 1};
    uint8_t data[WIDTH * HEIGHT * 3], result[WIDTH * HEIGHT * 3], expected[WIDTH * HEIGHT * 3];
    draw(data, WIDTH, HEIGHT, 3);
    struct graft_picture picture = {.scratch = &scratch,
                                    .preprocess = &preprocess,
                                    .result = result,
                                    .view = view_of(data, WIDTH, HEIGHT, 3)};
    graft_picture_resize(&picture, HEIGHT, WIDTH, GRAFT_FILTER_BILINEAR);
    assert_true(graft_picture_turn(&picture, back, 0, 0, GRAFT_FILL_WRAP));
    assert_true(graft_picture_turn(&picture, same, 0.25, 0, GRAFT_FILL_WRAP));
    assert_true(graft_picture_turn(&picture, half, 0, 0, GRAFT_FILL_REFLECT));
    for (int i = 0; i < 6; i++) {
        assert_true(fabs(picture.matrix[i] - expected_turns[i]) < 1e-8);
    }
    const struct graft_view from = view_of(data, WIDTH, HEIGHT, 3);
    const struct graft_pixels to = {expected, WIDTH, HEIGHT, 3};
    graft_pixels_affine(&from, picture.matrix, GRAFT_FILL_REFLECT, &to);
    assert_true(graft_picture_settle(&picture) && graft_picture_settled(&picture));
    assert_memory_equal(picture.pixels, expected, sizeof expected);
    graft_scratch_close(&scratch);
}

static void run(struct graft_context *context, const char *list, int32_t channels, int64_t sample,
                const uint8_t *data, uint8_t *result)
{
    const struct graft_preprocess preprocess = input_of(HEIGHT, WIDTH, channels);
    struct graft_transforms transforms;
    uint8_t copy[WIDTH * HEIGHT * 3];
    memcpy(copy, data, (size_t)(WIDTH * HEIGHT * channels));
    const struct graft_image image = {.width = WIDTH, .height = HEIGHT, .channels = channels, .pixels = copy};
    assert_int_equal(graft_augment_parse(context, list, &preprocess, &transforms, NULL), GRAFT_OK);
    assert_int_equal(graft_transform_image(context, &preprocess, &transforms, 5, 1, sample, &image, result),
                     GRAFT_OK);
    assert_memory_equal(copy, data, (size_t)(WIDTH * HEIGHT * channels)); /* the source is not written */
}

/* How many of 200 pictures a list changes, each picture twice the same. */
static int count_changed(struct graft_context *context, const char *list, int32_t channels)
{
    int changed = 0;
    for (int64_t sample = 0; sample < 200; sample++) {
        uint8_t data[WIDTH * HEIGHT * 3], result[WIDTH * HEIGHT * 3], again[WIDTH * HEIGHT * 3];
        const size_t size = (size_t)(WIDTH * HEIGHT * channels);
        draw(data, WIDTH, HEIGHT, channels);
        run(context, list, channels, sample, data, result);
        run(context, list, channels, sample, data, again);
        assert_memory_equal(result, again, size);
        changed += memcmp(data, result, size) != 0;
    }
    return changed;
}

/* Bounds: five deviations of the binomial distribution, 36 at most. */
static void probabilities_are_those_asked_for(void **state)
{
    static const struct {
        const char *list;
        double share;
    } cases[] = {{"flip:0.3", 0.3},
                 {"gray:0.2", 0.2},
                 {"blur:1-2,0.4", 0.4},
                 {"erase:0.6", 0.6},
                 {"flip:0", 0},
                 {"flip:1", 1},
                 {"rotate:20", 1},
                 {"shift:0.3", 1},
                 {"shear:30", 1},
                 {"zoom:0.4", 1},
                 {"rotate:0", 0},
                 {"color:0,0,0,0.2", 1},
                 {"color:0.5,0.5,0.5,0", 1},
                 {"keras", 1},
                 {"light", 1},
                 {"imagenet", 1},
                 /* One of 14 is nothing; others are nothing at level 0, or for a picture of all values. */
                 {"trivial", 12.0 / 14},
                 {"rand:1,20", 12.0 / 14}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const double expected = 200 * cases[i].share;
        const double bound = 5 * sqrt(200 * cases[i].share * (1 - cases[i].share)) + 1e-9;
        const int changed = count_changed(*state, cases[i].list, 3);
        if (fabs(changed - expected) > bound) {
            fail_msg("%s changed %d of 200 pictures instead of %.0f", cases[i].list, changed, expected);
        }
    }
    assert_true(count_changed(*state, "light,gray,blur,erase,rand:3,9,trivial", 1) > 190);
    assert_int_equal(count_changed(*state, "gray:1", 1), 0);
}

/* A small angle moves little; a part of the area becomes the colour that is 0 after normalization. */
static void amounts_are_those_asked_for(void **state)
{
    uint8_t data[WIDTH * HEIGHT * 3], result[WIDTH * HEIGHT * 3];
    memset(data, 7, sizeof data);
    for (int64_t sample = 0; sample < 100; sample++) {
        int erased = 0;
        run(*state, "erase:1,0.1-0.2,0.5-2", 3, sample, data, result);
        for (int i = 0; i < WIDTH * HEIGHT; i++) {
            const bool filled = result[3 * i] == 128 && result[3 * i + 1] == 64 && result[3 * i + 2] == 191;
            assert_true(filled || (result[3 * i] == 7 && result[3 * i + 1] == 7 && result[3 * i + 2] == 7));
            erased += filled;
        }
        /* Sides are rounded to whole pixels. */
        assert_true(erased > 0.1 * WIDTH * HEIGHT * 0.85 && erased < 0.2 * WIDTH * HEIGHT * 1.15);
    }
    /* A white spot in the middle, moved by up to a tenth of either side, is found there. */
    int32_t most[2] = {0, 0}, opposite = 0;
    memset(data, 0, sizeof data);
    data[HEIGHT / 2 * WIDTH + WIDTH / 2] = 255;
    for (int64_t sample = 0; sample < 200; sample++) {
        run(*state, "shift:0.2", 1, sample, data, result);
        int brightest = 0;
        for (int i = 0; i < WIDTH * HEIGHT; i++) {
            brightest = result[i] > result[brightest] ? i : brightest;
        }
        const int32_t right = brightest % WIDTH - WIDTH / 2, below = brightest / WIDTH - HEIGHT / 2;
        const int32_t x = abs(right), y = abs(below);
        opposite += right * below < 0;
        most[0] = x > most[0] ? x : most[0];
        most[1] = y > most[1] ? y : most[1];
    }
    assert_in_range(opposite, 50, 130); /* both ways by themselves: about 200 · ½ · 0.86 · 0.78 */
    assert_in_range(most[0], 6, 8); /* 0.2 × 37 = 7.4 */
    assert_in_range(most[1], 4, 5); /* 0.2 × 23 = 4.6 */
}

static void lists_are_read(void **state)
{
    struct graft_context *const context = *state;
    struct graft_preprocess p = input_of(24, 32, 3);
    struct graft_transforms t;
    p.transforms = graft_transforms_usual(40, GRAFT_FILTER_BICUBIC);
    assert_int_equal(graft_augment_parse(context,
                                         "crop:0.5-1,flip,rotate:40,color:0.4,0.3,0.2,0.1,fill:wrap,rand:3,7",
                                         &p, &t, NULL),
                     GRAFT_OK);
    assert_int_equal(t.count, 5);
    assert_true(t.steps[0].kind == GRAFT_TRANSFORM_RANDOM_CROP && t.steps[0].random_crop.scale[0] == 0.5f &&
                t.steps[0].random_crop.scale[1] == 1 &&
                t.steps[0].random_crop.filter == GRAFT_FILTER_BICUBIC);
    assert_true(t.steps[1].kind == GRAFT_TRANSFORM_FLIP && t.steps[1].flip.probability == 0.5f);
    assert_true(t.steps[2].kind == GRAFT_TRANSFORM_ROTATE && t.steps[2].turn.amount == 40 &&
                t.steps[2].turn.fill == GRAFT_FILL_WRAP); /* wherever the fill stands */
    assert_true(t.steps[3].jitter.brightness == 0.4f && t.steps[3].jitter.hue == 0.1f);
    assert_true(t.steps[4].policy.count == 3 && t.steps[4].policy.magnitude == 7 &&
                t.steps[4].policy.fill == GRAFT_FILL_WRAP);
    /* What is done to batches stands beside them; by itself it leaves the network's own steps. */
    struct graft_mix mix;
    assert_int_equal(graft_augment_parse(context, "light,mixup:0.4,cutmix", &p, &t, &mix), GRAFT_OK);
    assert_true(t.count == 4 && mix.mixup == 0.4f && mix.cutmix == 1);
    assert_int_equal(graft_augment_parse(context, "mixup", &p, &t, &mix), GRAFT_OK);
    assert_true(t.count == 2 && t.steps[0].kind == GRAFT_TRANSFORM_RESIZE && mix.mixup == 0.2f && mix.cutmix == 0);
    assert_int_equal(graft_augment_parse(context, "flip", &p, &t, &mix), GRAFT_OK);
    assert_true(mix.mixup == 0 && mix.cutmix == 0);
    assert_int_equal(graft_augment_parse(context, "mixup", &p, &t, NULL), GRAFT_ERROR_ARGUMENT);
    /* Without a crop the network's own steps come first; presets are parts of lists. */
    assert_int_equal(graft_augment_parse(context, "keras,blur", &p, &t, NULL), GRAFT_OK);
    assert_int_equal(t.count, 2 + 5 + 1);
    assert_true(t.steps[0].kind == GRAFT_TRANSFORM_RESIZE && t.steps[1].kind == GRAFT_TRANSFORM_CENTER_CROP);
    assert_true(t.steps[3].turn.fill == GRAFT_FILL_NEAREST && t.steps[7].kind == GRAFT_TRANSFORM_BLUR);
    assert_true(t.steps[7].blur.deviation[1] == 2 && t.steps[7].blur.probability == 0.5f);
}

static void what_cannot_be_read_is_named_with_its_place(void **state)
{
    static const char *const cases[][2] = {
        {"", "character 1: there is no ''"},
        {"flip,rotat:3", "character 6: there is no 'rotat'; did you mean 'rotate'"},
        {"flip,fnord", "character 6: there is no 'fnord'; there are crop, flip"},
        {"flip,", "character 6"},
        {"flip,,rotate", "character 6"},
        {"rotate:", "character 8: a number is expected"},
        {"rotate:x", "character 8: a number is expected"},
        {"rotate:nan", "character 8: a number is expected"},
        {"rotate:3x", "character 9: a comma is expected"},
        {"rotate:3,4", "character 10: that is a number too many"},
        {"rotate:200", "character 1: rotate: amount is 200; use 0 to 180"},
        {"trivial:3", "character 9: it takes no numbers"},
        {"rand:2.5,9", "character 6: a whole number is expected"},
        {"rand:2,31", "magnitude is 31"},
        {"crop:0.5-", "character 10: a number is expected"},
        {"crop:1-0.5", "lowest <= highest"},
        {"crop:0-1", "0 < lowest"},
        {"blur:0.1-9", "highest <= 5"},
        {"color:0.1,0.1,0.1,0.6", "hue is 0.6"},
        {"flip:-0.1", "character 1"},
        {"mixup:", "character 7: a number is expected"},
        {"flip,mixup:0", "character 12: alpha is from 0.001 to 1000"},
        {"cutmix:nan", "character 8: alpha"},
        {"mixup:0.2,0.4", "character 11: there is no '0.4'"},
        {"mixup,flip,mixup:1", "character 12: that stands there already"},
        {"flip,mixip", "did you mean 'mixup'"},
        {"fill", "fill:constant"},
        {"fill:black", "character 6: the fill is constant"},
        {"flip,flip,flip,flip,flip,flip,flip,flip,flip,flip,flip,flip,flip,flip,flip,flip,flip", "too many"},
        {"flip,flip,flip,flip,flip,flip,flip,flip,flip,flip,flip,flip,flip,flip,flip,flip", "too many"},
    };
    const struct graft_preprocess p = input_of(24, 32, 3);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct graft_transforms t;
        struct graft_mix mix;
        assert_int_equal(graft_augment_parse(*state, cases[i][0], &p, &t, &mix), GRAFT_ERROR_ARGUMENT);
        if (!strstr(graft_context_error(*state), cases[i][1])) {
            fail_msg("'%s': %s", cases[i][0], graft_context_error(*state));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_pillows),
        cmocka_unit_test(blurs_and_fills_are_numpys),
        cmocka_unit_test(places_without_end_are_filled),
        cmocka_unit_test(turns_are_composed),
        cmocka_unit_test(probabilities_are_those_asked_for),
        cmocka_unit_test(amounts_are_those_asked_for),
        cmocka_unit_test(lists_are_read),
        cmocka_unit_test(what_cannot_be_read_is_named_with_its_place),
    };
    return cmocka_run_group_tests_name("augment", tests, test_open_context, test_close_context);
}
