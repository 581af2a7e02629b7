/* SPDX-License-Identifier: MIT */
/* What the tests of decoding share: a context, decoding that must succeed, fail or come with a remark. */
#ifndef GRAFT_TESTS_DATA_PICTURES_H
#define GRAFT_TESTS_DATA_PICTURES_H

#include "data/decode.h"
#include "pictures_expected.h"
#include "support/seeds.h"
#include "support/support.h"

#include <stdint.h>

static inline uint64_t hash(const uint8_t *data, size_t size)
{
    uint64_t value = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++) {
        value = (value ^ data[i]) * UINT64_C(0x100000001b3);
    }
    return value;
}

static inline int open_context(void **state)
{
    struct graft_context *context = NULL;
    if (graft_context_open(&(struct graft_context_options){.threads = 1}, &context) != GRAFT_OK) {
        return -1;
    }
    *state = context;
    return 0;
}

static inline int close_context(void **state)
{
    struct graft_context *context = *state;
    graft_context_close(&context);
    return 0;
}

static inline struct graft_image decode(struct graft_context *context, const void *data, size_t size,
                                        const struct graft_decode_options *options)
{
    struct graft_image image;
    const enum graft_status status = graft_image_decode(context, data, size, "sample", options, &image);
    if (status != GRAFT_OK) {
        fail_msg("%s", graft_context_error(context));
    }
    return image;
}

static inline void expect_failure(struct graft_context *context, const void *data, size_t size,
                                  enum graft_status expected, const char *word)
{
    struct graft_image image = {.width = 1};
    assert_int_equal(graft_image_decode(context, data, size, "folder/odd.jpg", NULL, &image), expected);
    assert_null(image.pixels);
    assert_int_equal(image.width, 0);
    if (!strstr(graft_context_error(context), "folder/odd.jpg") ||
        !strstr(graft_context_error(context), word)) {
        fail_msg("'%s' does not name the file and '%s'", graft_context_error(context), word);
    }
}

/* Decodes to the same pixels as without, and says `word`. */
static inline void expect_remark(struct graft_context *context, const void *data, size_t size,
                                 const char *word)
{
    struct graft_scratch scratch = {.context = context};
    struct graft_view view;
    struct graft_fault fault;
    assert_int_equal(graft_decode(&scratch, data, size, "folder/odd.jpg", NULL, &view, &fault), GRAFT_OK);
    if (!graft_fault_suspect(&fault) || !strstr(fault.text, "folder/odd.jpg") || !strstr(fault.text, word)) {
        fail_msg("remark '%s' does not name the file and '%s'", fault.text, word);
    }
    graft_scratch_close(&scratch);
}

static inline void expect_no_remark(struct graft_context *context, const void *data, size_t size)
{
    struct graft_scratch scratch = {.context = context};
    struct graft_view view;
    struct graft_fault fault;
    assert_int_equal(graft_decode(&scratch, data, size, "fine", NULL, &view, &fault), GRAFT_OK);
    assert_string_equal(fault.text, "");
    graft_scratch_close(&scratch);
}

/* Every file of pictures_expected.h whose name begins so: Pillow's pixels, no remark; returns how many. */
static inline int expect_pixels(struct graft_context *context, const char *prefix)
{
    int checked = 0;
    for (size_t i = 0; i < sizeof expected_pictures / sizeof expected_pictures[0]; i++) {
        const struct expected_picture *const picture = &expected_pictures[i];
        if (strncmp(picture->name, prefix, strlen(prefix)) != 0) {
            continue;
        }
        uint8_t *const copy = malloc(picture->size); /* so that reading on is noticed */
        memcpy(copy, picture->data, picture->size);
        struct graft_image image = decode(context, copy, picture->size, NULL);
        if (image.width != picture->width || image.height != picture->height ||
            hash(image.pixels, (size_t)(3 * image.width * image.height)) != picture->hash) {
            fail_msg("%s has not Pillow's pixels", picture->name);
        }
        struct graft_image grey =
            decode(context, copy, picture->size, &(struct graft_decode_options){.channels = 1});
        for (int p = 0; p < image.width * image.height; p++) {
            assert_int_equal(grey.pixels[p], graft_luma(image.pixels + 3 * p));
        }
        graft_image_close(context, &grey);
        graft_image_close(context, &image);
        free(copy);
        checked++;
    }
    assert_true(checked > 0);
    return checked;
}

static inline const struct expected_picture *expected_file(const char *name)
{
    for (size_t i = 0; i < sizeof expected_pictures / sizeof expected_pictures[0]; i++) {
        if (strcmp(expected_pictures[i].name, name) == 0) {
            return &expected_pictures[i];
        }
    }
    fail_msg("no expected file %s", name);
    return NULL;
}

/*
 * `rounds` copies of a file with up to three wrong bytes each (half of them among the first 300), or cut: a
 * picture or a message, never a crash, and nothing is left over.
 */
struct mutations {
    int decoded, refused;
};

static inline struct mutations mutate(const uint8_t *data, size_t size, int rounds)
{
    struct test_memory memory;
    const struct graft_context_options options = test_memory_options(&memory, -1);
    struct graft_context *context = NULL;
    assert_int_equal(graft_context_open(&options, &context), GRAFT_OK);
    const long alive = atomic_load(&memory.alive);
    graft_context_limit_memory(context, 64 << 20); /* hostile sizes cost no time */
    uint64_t random = 12345 + size;
    struct mutations seen = {0};
    for (int i = 0; i < rounds; i++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const size_t length = i % 5 == 4 ? (size_t)(random >> 33) % size : size;
        uint8_t *const copy = malloc(length > 0 ? length : 1); /* no more, so that reading on is noticed */
        memcpy(copy, data, length);
        for (int k = 0; k <= i % 3 && length > 0; k++) {
            random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            copy[(random >> 33) % (i % 8 < 4 && length > 300 ? 300 : length)] = (uint8_t)(random >> 24);
        }
        struct graft_image image;
        const enum graft_status status = graft_image_decode(context, copy, length, "mutated", NULL, &image);
        seen.decoded += status == GRAFT_OK;
        seen.refused += status != GRAFT_OK;
        graft_image_close(context, &image);
        free(copy);
    }
    assert_int_equal(atomic_load(&memory.alive), alive);
    graft_context_close(&context);
    return seen;
}

/* The same of all expected files of a format; both must come up often. */
static inline void mutate_expected(const char *prefix, int rounds)
{
    struct mutations all = {0};
    for (size_t i = 0; i < sizeof expected_pictures / sizeof expected_pictures[0]; i++) {
        if (strncmp(expected_pictures[i].name, prefix, strlen(prefix)) == 0) {
            test_seed(expected_pictures[i].data, expected_pictures[i].size);
            const struct mutations one = mutate(expected_pictures[i].data, expected_pictures[i].size, rounds);
            all.decoded += one.decoded;
            all.refused += one.refused;
        }
    }
    assert_true(all.decoded > 100 && all.refused > 100);
}

/* Decodes with memory that fails at each use in turn; at most `most` uses. */
static inline void fail_memory(const uint8_t *data, size_t size, long most)
{
    for (long at = 0, done = 0; !done; at++) {
        assert_true(at < most);
        struct test_memory memory;
        const struct graft_context_options options = test_memory_options(&memory, at);
        struct graft_context *context = NULL;
        if (graft_context_open(&options, &context) == GRAFT_OK) {
            struct graft_image image;
            const enum graft_status status = graft_image_decode(context, data, size, "x", NULL, &image);
            assert_true(status == GRAFT_OK || status == GRAFT_ERROR_MEMORY);
            done = status == GRAFT_OK;
            graft_image_close(context, &image);
            graft_context_close(&context);
        }
        assert_int_equal(atomic_load(&memory.alive), 0);
    }
}

#endif
