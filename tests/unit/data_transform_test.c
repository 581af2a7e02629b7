/* SPDX-License-Identifier: MIT */
/* Lists of transforms: what a list does is what its steps do one after the other; JSON both ways; what makes
 * no sense is refused. */
#include "base/context.h"
#include "data/preprocess.h"
#include "data/preprocess_json.h"
#include "support/support.h"

static int open_context(void **state)
{
    struct graft_context *context = NULL;
    assert_int_equal(graft_context_open(NULL, &context), GRAFT_OK);
    *state = context;
    return 0;
}

static int close_context(void **state)
{
    struct graft_context *context = *state;
    graft_context_close(&context);
    return 0;
}

static struct graft_image drawn(int32_t width, int32_t height, int32_t channels)
{
    struct graft_image image = {.width = width, .height = height, .channels = channels};
    uint32_t number = 12345;
    image.pixels = malloc((size_t)(width * height * channels));
    for (int i = 0; i < width * height * channels; i++) {
        number = number * 1664525 + 1013904223;
        image.pixels[i] = (uint8_t)(number >> 24);
    }
    return image;
}

static struct graft_preprocess input_of(int32_t height, int32_t width, int32_t channels,
                                        struct graft_transforms transforms)
{
    return (struct graft_preprocess){.crop_height = height,
                                     .crop_width = width,
                                     .channels = channels,
                                     .std = {1, 1, 1},
                                     .transforms = transforms};
}

static struct graft_image turned(const struct graft_image *image)
{
    struct graft_image result = *image;
    const int32_t channels = image->channels;
    result.pixels = malloc((size_t)(image->width * image->height * channels));
    for (int y = 0; y < image->height; y++) {
        for (int x = 0; x < image->width; x++) {
            memcpy(result.pixels + (y * image->width + x) * channels,
                   image->pixels + (y * image->width + image->width - 1 - x) * channels, (size_t)channels);
        }
    }
    return result;
}

static const struct graft_transform always_flipped = {.kind = GRAFT_TRANSFORM_FLIP, .flip = {1}};
static const struct graft_transform middle = {.kind = GRAFT_TRANSFORM_CENTER_CROP};

/* A flip in front of a resize is the resize of the turned picture; behind it, the turned result. A picture of
 * another number of channels goes the same way. */
static void steps_act_in_their_order(void **state)
{
    struct graft_context *const context = *state;
    for (int32_t channels = 1; channels <= 3; channels += 2) {
        struct graft_image source = drawn(37, 23, 3), flipped = turned(&source);
        const struct graft_transforms usual = graft_transforms_usual(14, GRAFT_FILTER_BICUBIC);
        const struct graft_preprocess plain = input_of(13, 12, channels, usual);
        uint8_t expected[13 * 12 * 3], result[13 * 12 * 3];
        struct graft_transforms before = {.count = 3, .steps = {always_flipped, usual.steps[0], middle}};
        struct graft_transforms between = {.count = 3, .steps = {usual.steps[0], always_flipped, middle}};
        assert_int_equal(graft_preprocess_image(context, &plain, &flipped, expected), GRAFT_OK);
        assert_int_equal(graft_transform_image(context, &plain, &before, 0, 0, 0, &source, result), GRAFT_OK);
        assert_memory_equal(result, expected, (size_t)(13 * 12 * channels));
        struct graft_image whole, other;
        assert_int_equal(graft_image_resize(context, &source, GRAFT_FILTER_BICUBIC, 22, 14, &whole),
                         GRAFT_OK);
        other = turned(&whole);
        const struct graft_preprocess crop =
            input_of(13, 12, channels, (struct graft_transforms){.count = 1, .steps = {middle}});
        assert_int_equal(graft_preprocess_image(context, &crop, &other, expected), GRAFT_OK);
        assert_int_equal(graft_transform_image(context, &plain, &between, 0, 0, 0, &source, result),
                         GRAFT_OK);
        if (channels == 3) { /* grey is made before the resize, and rounds otherwise behind it */
            assert_memory_equal(result, expected, sizeof result);
        }
        graft_image_close(context, &whole);
        free(other.pixels);
        free(flipped.pixels);
        free(source.pixels);
    }
}

/* Corners are those of the resized picture, in torchvision's order; an axis that is too short has no corners. */
static void corners_are_cut(void **state)
{
    struct graft_context *const context = *state;
    struct graft_image source = drawn(10, 7, 3);
    const struct graft_preprocess plain = input_of(4, 5, 3, (struct graft_transforms){.count = 1, .steps = {middle}});
    for (int32_t corner = 0; corner < 4; corner++) {
        const struct graft_transforms cut = {
            .count = 1, .steps = {{.kind = GRAFT_TRANSFORM_CORNER_CROP, .corner = {corner}}}};
        const int32_t top = corner >= 2 ? 7 - 4 : 0, left = corner == 1 || corner == 3 ? 10 - 5 : 0;
        uint8_t result[4 * 5 * 3];
        assert_int_equal(graft_transform_image(context, &plain, &cut, 0, 0, 0, &source, result), GRAFT_OK);
        for (int32_t y = 0; y < 4; y++)
            assert_memory_equal(result + y * 15, source.pixels + ((top + y) * 10 + left) * 3, 15);
    }
    const struct graft_preprocess tall = input_of(9, 5, 3, (struct graft_transforms){.count = 1, .steps = {middle}});
    const struct graft_transforms last = {.count = 1,
                                          .steps = {{.kind = GRAFT_TRANSFORM_CORNER_CROP, .corner = {3}}}};
    uint8_t result[9 * 5 * 3];
    static const uint8_t nothing[15];
    assert_int_equal(graft_transform_image(context, &tall, &last, 0, 0, 0, &source, result), GRAFT_OK);
    for (int32_t y = 0; y < 9; y++)
        assert_memory_equal(result + y * 15, y < 1 || y > 7 ? nothing : source.pixels + ((y - 1) * 10 + 5) * 3, 15);
    free(source.pixels);
}

/* A crop of what was padded, a second resize, a crop at random behind a resize: each works on what the steps
 * before it have made, and memory of the result is not overwritten while it is read. */
static void later_steps_work_on_what_there_is(void **state)
{
    struct graft_context *const context = *state;
    struct graft_image source = drawn(31, 19, 3), first, second;
    uint8_t result[8 * 8 * 3], expected[8 * 8 * 3];
    const struct graft_transform wide = {.kind = GRAFT_TRANSFORM_RESIZE, .resize = {8, GRAFT_FILTER_BOX}};
    const struct graft_transform stretch = {.kind = GRAFT_TRANSFORM_RESIZE,
                                            .resize = {0, GRAFT_FILTER_LANCZOS}};
    const struct graft_transform part = {.kind = GRAFT_TRANSFORM_RANDOM_CROP,
                                         .random_crop = {{1, 1}, {1, 1}, GRAFT_FILTER_BILINEAR}};
    const struct graft_preprocess plain =
        input_of(8, 8, 3, (struct graft_transforms){.count = 2, .steps = {wide, stretch}});
    assert_int_equal(graft_image_resize(context, &source, GRAFT_FILTER_BOX, 13, 8, &first), GRAFT_OK);
    assert_int_equal(graft_image_resize(context, &first, GRAFT_FILTER_LANCZOS, 8, 8, &second), GRAFT_OK);
    assert_int_equal(graft_preprocess_image(context, &plain, &source, result), GRAFT_OK);
    assert_memory_equal(result, second.pixels, sizeof result);
    /* All of the area, ratio 1: the whole of a square picture, whatever is drawn; flipped twice. */
    const struct graft_transforms many = {
        .count = 6, .steps = {wide, stretch, always_flipped, part, always_flipped, part}};
    assert_int_equal(graft_transform_image(context, &plain, &many, 5, 1, 2, &source, expected), GRAFT_OK);
    assert_memory_equal(expected, second.pixels, sizeof expected);
    graft_image_close(context, &first);
    graft_image_close(context, &second);
    free(source.pixels);
}

static json_t *through_text(struct graft_context *context, struct graft_json *json)
{
    char *text = NULL;
    size_t size = 0;
    json_error_t error;
    json_t *value = NULL;
    assert_int_equal(
        graft_json_write(context, json, JSON_COMPACT | JSON_REAL_PRECISION(9), "test", &text, &size),
        GRAFT_OK);
    assert_int_equal(graft_json_read(context, text, size, 0, "test", &value, &error), GRAFT_OK);
    graft_release(context, text);
    return value;
}

static void json_goes_both_ways(void **state)
{
    struct graft_context *const context = *state;
    struct graft_preprocess in = graft_preprocess_imagenet(), out;
    in.ignore_orientation = true;
    in.transforms = graft_transforms_usual(61, GRAFT_FILTER_LANCZOS);
    struct graft_json json = graft_preprocess_json(&in);
    json_t *value = through_text(context, &json);
    assert_int_equal(graft_preprocess_from_json(context, value, "card", &out), GRAFT_OK);
    json_decref(value);
    assert_memory_equal(in.std, out.std, sizeof in.std);
    assert_memory_equal(in.mean, out.mean, sizeof in.mean);
    assert_true(out.ignore_orientation && out.crop_height == 224 && out.crop_width == 224);
    assert_int_equal(out.transforms.count, 2);
    assert_int_equal(out.transforms.steps[0].resize.short_side, 61);
    assert_int_equal(out.transforms.steps[0].resize.filter, GRAFT_FILTER_LANCZOS);
    assert_int_equal(out.transforms.steps[1].kind, GRAFT_TRANSFORM_CENTER_CROP);
    struct graft_transforms varied = graft_augment_default(&in), read;
    varied.steps[varied.count++] =
        (struct graft_transform){.kind = GRAFT_TRANSFORM_JITTER, .jitter = {0.1f, 0.2f, 0.3f}};
    json = graft_transforms_json(&varied);
    value = through_text(context, &json);
    assert_int_equal(graft_transforms_from_json(context, value, "config", &read), GRAFT_OK);
    json_decref(value);
    assert_int_equal(read.count, varied.count);
    for (int32_t i = 0; i < read.count; i++)
        assert_int_equal(read.steps[i].kind, varied.steps[i].kind);
    assert_int_equal(read.steps[0].kind, GRAFT_TRANSFORM_RANDOM_CROP);
    const struct graft_random_crop_step *const crop = &read.steps[0].random_crop;
    assert_true(crop->scale[0] == 0.08f && crop->scale[1] == 1 && crop->ratio[0] == 3.0f / 4 &&
                crop->ratio[1] == 4.0f / 3 && crop->filter == GRAFT_FILTER_LANCZOS);
    assert_int_equal(read.steps[1].kind, GRAFT_TRANSFORM_FLIP);
    assert_true(read.steps[1].flip.probability == 0.5f);
    const struct graft_jitter_step *const jitter = &read.steps[read.count - 1].jitter;
    assert_true(jitter->brightness == 0.1f && jitter->contrast == 0.2f && jitter->saturation == 0.3f &&
                jitter->hue == 0);
}

static void parse(struct graft_context *context, const char *text, enum graft_status expected,
                  struct graft_preprocess *result)
{
    json_error_t error;
    json_t *value = NULL;
    assert_int_equal(graft_json_read(context, text, strlen(text), 0, "test", &value, &error), GRAFT_OK);
    assert_int_equal(graft_preprocess_from_json(context, value, "old.safetensors", result), expected);
    if (expected != GRAFT_OK) {
        assert_non_null(strstr(graft_context_error(context), "old.safetensors"));
    }
    json_decref(value);
}

#define INPUT "\"crop_height\":64,\"crop_width\":48,\"channels\":3,\"mean\":[0.5,0.5,0.5],\"std\":[1,1,1]"

/* Cards that were written before there were lists. */
static void old_cards_are_read(void **state)
{
    struct graft_preprocess p;
    parse(*state, "{\"resize_short_side\":73,\"filter\":\"bicubic\"," INPUT ",\"ignore_orientation\":true}",
          GRAFT_OK, &p);
    assert_true(p.crop_height == 64 && p.crop_width == 48 && p.ignore_orientation);
    assert_int_equal(p.transforms.count, 2);
    assert_int_equal(p.transforms.steps[0].resize.short_side, 73);
    assert_int_equal(p.transforms.steps[0].resize.filter, GRAFT_FILTER_BICUBIC);
    assert_int_equal(p.transforms.steps[1].kind, GRAFT_TRANSFORM_CENTER_CROP);
    parse(*state, "{\"resize_short_side\":0,\"filter\":\"bicubic\"," INPUT "}", GRAFT_OK, &p);
    assert_int_equal(p.transforms.count, 1);
}

static void senseless_json_is_refused(void **state)
{
    static const char *const texts[] = {
        "{}",
        "{" INPUT "}",
        "{\"resize_short_side\":-1,\"filter\":\"box\"," INPUT "}",
        "{\"resize_short_side\":4294967297,\"filter\":\"box\"," INPUT "}",
        "{\"resize_short_side\":64,\"filter\":\"cubic\"," INPUT "}",
        "{\"transforms\":[]," INPUT "}",
        "{\"transforms\":7," INPUT "}",
        "{\"transforms\":[{\"kind\":\"center_crop\"},{\"kind\":\"unknown\"}]," INPUT "}",
        "{\"transforms\":[{\"kind\":\"resize\",\"short_side\":\"64\",\"filter\":\"box\"}]," INPUT "}",
        "{\"transforms\":[{\"kind\":\"resize\",\"short_side\":64,\"filter\":\"box\"}]," INPUT "}",
        "{\"transforms\":[{\"kind\":\"center_crop\"},{\"kind\":\"flip\",\"probability\":0.5}]," INPUT "}",
        "{\"transforms\":[{\"kind\":\"center_crop\"},{\"kind\":\"flip\",\"probability\":1e300}]," INPUT "}",
        ("{\"transforms\":[{\"kind\":\"center_crop\"}],\"crop_height\":64,\"crop_width\":48,\"channels\":3,"
         "\"mean\":[0,0,0],\"std\":[1,0,1]}"),
    };
    struct graft_preprocess p;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        parse(*state, texts[i], GRAFT_ERROR_FORMAT, &p);
    }
}

static void senseless_lists_are_refused(void **state)
{
    struct graft_context *const context = *state;
    struct graft_image source = drawn(9, 9, 3);
    const struct graft_preprocess plain = input_of(4, 4, 3, graft_transforms_usual(5, GRAFT_FILTER_BOX));
    const struct graft_transforms lists[] = {
        {.count = 0},
        {.count = GRAFT_TRANSFORM_LIMIT + 1},
        {.count = 1, .steps = {always_flipped}},
        {.count = 2, .steps = {middle, plain.transforms.steps[0]}},
        {.count = 2, .steps = {middle, {.kind = (enum graft_transform_kind)99}}},
        {.count = 2, .steps = {{.resize = {-1, GRAFT_FILTER_BOX}}, middle}},
        {.count = 2, .steps = {{.resize = {5, (enum graft_filter)9}}, middle}},
        {.count = 2, .steps = {middle, {.kind = GRAFT_TRANSFORM_JITTER, .jitter = {.contrast = 11}}}},
        {.count = 1, .steps = {{.kind = GRAFT_TRANSFORM_RANDOM_CROP, .random_crop = {{1, 0.5f}, {1, 1}, 0}}}},
    };
    uint8_t result[4 * 4 * 3];
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        assert_int_equal(graft_transform_image(context, &plain, &lists[i], 0, 0, 0, &source, result),
                         GRAFT_ERROR_ARGUMENT);
    }
    assert_string_equal(graft_transform_name(GRAFT_TRANSFORM_RANDOM_CROP), "random_crop");
    assert_null(graft_transform_name((enum graft_transform_kind)99));
    free(source.pixels);
}

/* A picture whose levels tell the place: a pixel of the input shows what lies at its region. */
static void the_input_lies_where_its_region_says(void **state)
{
    static const int32_t sizes[][2] = {{256, 200}, {120, 250}, {40, 40}};
    static const int32_t sides[] = {0, 64, 90};
    struct graft_context *const context = *state;
    for (int i = 0; i < 9; i++) {
        const int32_t width = sizes[i / 3][0], height = sizes[i / 3][1];
        const struct graft_preprocess p =
            input_of(48, 56, 3, graft_transforms_usual(sides[i % 3], GRAFT_FILTER_BILINEAR));
        const struct graft_region region = graft_preprocess_region(&p, width, height);
        struct graft_image image = drawn(width, height, 3);
        uint8_t *const input = malloc(48 * 56 * 3);
        for (int k = 0; k < width * height; k++) {
            image.pixels[3 * k] = (uint8_t)(k % width);
            image.pixels[3 * k + 1] = (uint8_t)(k / width);
        }
        assert_int_equal(graft_preprocess_image(context, &p, &image, input), GRAFT_OK);
        for (int y = 4; y < 44; y++) {
            for (int x = 4; x < 52; x++) {
                const double across = region.left + (x + 0.5) * region.across - 0.5;
                const double down = region.top + (y + 0.5) * region.down - 0.5;
                if (across < 3 || down < 3 || across > width - 4 || down > height - 4) {
                    continue; /* at an edge, or padded */
                }
                assert_true(abs(input[(y * 56 + x) * 3] - (int)(across + 0.5)) <= 1);
                assert_true(abs(input[(y * 56 + x) * 3 + 1] - (int)(down + 0.5)) <= 1);
            }
        }
        free(image.pixels);
        free(input);
    }
    /* A picture that is smaller than the crop lies in its middle: the input begins before it. */
    const struct graft_transforms crop = {.count = 1, .steps = {{.kind = GRAFT_TRANSFORM_CENTER_CROP}}};
    const struct graft_preprocess padded = input_of(48, 56, 3, crop);
    const struct graft_region around = graft_preprocess_region(&padded, 40, 44);
    assert_true(around.left == -8 && around.top == -2 && around.across == 1 && around.down == 1);
}

/* The short side that a JPEG must have left, so that no step enlarges it; 0: it is decoded as it is. */
static void decoding_keeps_what_the_steps_need(void **state)
{
    static const struct {
        const char *augment; /* NULL: preprocessing itself */
        int32_t height, width, short_side, least;
    } cases[] = {
        {NULL, 224, 224, 256, 256},
        {NULL, 100, 60, 0, 100}, /* stretched: the longer side of the input */
        {"flip,rotate:20", 224, 224, 256, 256},
        {"crop:0.08-1", 224, 224, 256, 915}, /* 224 / √(0.08 · 3/4) = 914.5 */
        {"flip,crop:0.25-1,1-1", 224, 224, 256, 448},
        {"crop:0.25-1,0.5-1", 90, 60, 256, 180}, /* 90 / √(0.25 / 1) */
        {"blur,crop", 224, 224, 256, 0},         /* a blur counts in pixels of what it sees */
        {"trivial,crop", 224, 224, 256, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct graft_preprocess p = input_of(cases[i].height, cases[i].width, 3,
                                             graft_transforms_usual(cases[i].short_side, GRAFT_FILTER_BILINEAR));
        struct graft_transforms steps = p.transforms;
        if (cases[i].augment) {
            assert_int_equal(graft_augment_parse(*state, cases[i].augment, &p, &steps, NULL), GRAFT_OK);
        }
        assert_int_equal(graft_preprocess_decoding(&p, &steps).least_side, 0);
        p.scaled = true;
        assert_int_equal(graft_preprocess_decoding(&p, &steps).least_side, cases[i].least);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(steps_act_in_their_order, open_context, close_context),
        cmocka_unit_test_setup_teardown(corners_are_cut, open_context, close_context),
        cmocka_unit_test_setup_teardown(later_steps_work_on_what_there_is, open_context, close_context),
        cmocka_unit_test_setup_teardown(the_input_lies_where_its_region_says, open_context, close_context),
        cmocka_unit_test_setup_teardown(decoding_keeps_what_the_steps_need, open_context, close_context),
        cmocka_unit_test_setup_teardown(json_goes_both_ways, open_context, close_context),
        cmocka_unit_test_setup_teardown(old_cards_are_read, open_context, close_context),
        cmocka_unit_test_setup_teardown(senseless_json_is_refused, open_context, close_context),
        cmocka_unit_test_setup_teardown(senseless_lists_are_refused, open_context, close_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
