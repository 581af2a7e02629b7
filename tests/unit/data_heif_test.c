/* SPDX-License-Identifier: MIT */
/* HEIC and AVIF: files that libheif's encoders write, whose colours are known; and files that are damaged. */
#include "data_pictures.h"

#include <libheif/heif.h>

#define WIDTH 64
#define HEIGHT 48

struct memory_file {
    uint8_t data[65536];
    size_t size;
};

static struct heif_error keep(struct heif_context *context, const void *data, size_t size, void *user)
{
    struct memory_file *const file = user;
    (void)context;
    assert_true(size <= sizeof file->data);
    memcpy(file->data, data, size);
    file->size = size;
    return (struct heif_error){.code = heif_error_Ok, .message = "fine"};
}

/* Four quarters of one colour each, so that chroma of half the size has the same. */
static const uint8_t quarters[4][4] = {
    {200, 40, 30, 255}, {20, 180, 60, 255}, {40, 50, 210, 255}, {120, 130, 140, 0}};

static const uint8_t *colour_at(int x, int y)
{
    return quarters[(x >= WIDTH / 2) + 2 * (y >= HEIGHT / 2)];
}

/* False: libheif has no encoder of the kind. */
static bool write_heif(enum heif_compression_format format, bool alpha, struct memory_file *file)
{
    const int channels = alpha ? 4 : 3;
    struct heif_context *const context = heif_context_alloc();
    struct heif_encoder *encoder = NULL;
    struct heif_image *image = NULL;
    struct heif_image_handle *handle = NULL;
    struct heif_writer writer = {.writer_api_version = 1, .write = keep};
    if (heif_context_get_encoder_for_format(context, format, &encoder).code != heif_error_Ok) {
        heif_context_free(context);
        return false;
    }
    heif_encoder_set_lossy_quality(encoder, 95);
    assert_int_equal(heif_image_create(WIDTH, HEIGHT, heif_colorspace_RGB,
                                       alpha ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB,
                                       &image)
                         .code,
                     heif_error_Ok);
    assert_int_equal(heif_image_add_plane(image, heif_channel_interleaved, WIDTH, HEIGHT, 8).code,
                     heif_error_Ok);
    int stride = 0;
    uint8_t *const rows = heif_image_get_plane(image, heif_channel_interleaved, &stride);
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
            memcpy(rows + y * stride + x * channels, colour_at(x, y), (size_t)channels);
        }
    }
    assert_int_equal(heif_context_encode_image(context, image, encoder, NULL, &handle).code, heif_error_Ok);
    assert_int_equal(heif_context_write(context, &writer, file).code, heif_error_Ok);
    heif_image_handle_release(handle);
    heif_image_release(image);
    heif_encoder_release(encoder);
    heif_context_free(context);
    return true;
}

static void check_colours(struct graft_context *context, const struct memory_file *file, bool alpha)
{
    struct graft_image image = decode(context, file->data, file->size, NULL);
    assert_int_equal(image.width, WIDTH);
    assert_int_equal(image.height, HEIGHT);
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
            const uint8_t *const wanted = colour_at(x, y);
            const bool edge = abs(x - WIDTH / 2) < 4 || abs(y - HEIGHT / 2) < 4;
            for (int c = 0; c < 3 && !edge; c++) {
                const int expected = alpha && wanted[3] == 0 ? 255 : wanted[c];
                assert_in_range((uint64_t)(image.pixels[3 * (y * WIDTH + x) + c] - expected + 100), 94, 106);
            }
        }
    }
    graft_image_close(context, &image);
}

static void check_format(struct graft_context *context, enum heif_compression_format format)
{
    struct memory_file *const file = calloc(1, sizeof *file);
    if (!heif_have_decoder_for_format(format) || !write_heif(format, true, file)) {
        free(file);
        skip();
    }
    check_colours(context, file, true);
    assert_true(write_heif(format, false, file));
    check_colours(context, file, false);
    for (size_t size = 40; size < file->size; size += 29) {
        uint8_t *const copy = malloc(size); /* so that reading on is noticed */
        struct graft_image image;
        memcpy(copy, file->data, size);
        if (graft_image_decode(context, copy, size, "short", NULL, &image) == GRAFT_OK) {
            assert_true(size > file->size * 3 / 4); /* the decoders make up what little lacks */
            graft_image_close(context, &image);
        }
        free(copy);
    }
    expect_failure(context, file->data, file->size / 2, GRAFT_ERROR_FORMAT,
                   format == heif_compression_AV1 ? "damaged AVIF" : "damaged HEIC");
    const struct mutations seen = mutate(file->data, file->size, 200);
    assert_true(seen.decoded > 5 && seen.refused > 5);
    free(file);
}

static void heic_is_decoded(void **state)
{
    check_format(*state, heif_compression_HEVC);
}

static void avif_is_decoded(void **state)
{
    check_format(*state, heif_compression_AV1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(heic_is_decoded, open_context, close_context),
        cmocka_unit_test_setup_teardown(avif_is_decoded, open_context, close_context),
    };
    return cmocka_run_group_tests_name("data_heif", tests, NULL, NULL);
}
