/* SPDX-License-Identifier: MIT */
/* safetensors: files made here byte by byte, real weights, files with random damage. Files to
 * refuse: safetensors_refused_test.c. */
#include "base/context.h"
#include "base/file.h"
#include "base/random.h"
#include "base/text.h"
#include "graft/io.h"
#include "safetensors_made.h"

#include "parse_damaged.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>

static void all_element_types_are_read(void **state)
{
    struct graft_context *const context = *state;
    struct graft_tensor_set *set = NULL;
    /* The header is 1 byte longer than a multiple of 8, so everything is unaligned; leading space is
     * tolerated. */
    static const char header[] = " {\"f64\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]},"
                                 "\"f32\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]},"
                                 "\"f16\":{\"dtype\":\"F16\",\"shape\":[1,3],\"data_offsets\":[16,22]},"
                                 "\"bf16\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[22,26]},"
                                 "\"i64\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[26,34]},"
                                 "\"i32\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[34,38]},"
                                 "\"i16\":{\"dtype\":\"I16\",\"shape\":[1],\"data_offsets\":[38,40]},"
                                 "\"i8\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[40,41]},"
                                 "\"u8\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[41,42]},"
                                 "\"bool\":{\"dtype\":\"BOOL\",\"shape\":[2],\"data_offsets\":[42,44]},"
                                 "\"u16\":{\"dtype\":\"U16\",\"shape\":[1],\"data_offsets\":[44,46]},"
                                 "\"u32\":{\"dtype\":\"U32\",\"shape\":[1],\"data_offsets\":[46,50]},"
                                 "\"u64\":{\"dtype\":\"U64\",\"shape\":[1],\"data_offsets\":[50,58]},"
                                 "\"empty\":{\"dtype\":\"F32\",\"shape\":[3,0],\"data_offsets\":[16,16]},"
                                 "\"__metadata__\":{\"format\":\"pt\"}}  ";
    static const uint8_t data[] = {
        0,    0,    0,    0,    0,    0,    0xf8, 0xbf, /* −1.5: sign, exponent 0x3ff, half */
        0,    0,    0x80, 0x3f, 0xdb, 0x0f, 0x49, 0x40, /* 1, 3.14159274 */
        0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00,             /* 1, −2, 2^−24 */
        0x80, 0x3f, 0x20, 0xc1,                         /* 1, −10 */
        0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* −2 */
        0x15, 0xcd, 0x5b, 0x07,                         /* 123456789 */
        0x00, 0x80,                                     /* −32768 */
        0x80,                                           /* −128 */
        0xff,                                           /* 255 */
        0,    7,                                        /* false, true */
        0xff, 0xff,                                     /* 65535 */
        0xff, 0xff, 0xff, 0x7f,                         /* 2147483647 */
        3,    0,    0,    0,    0,    0,    0,    0,
    };
    assert_int_equal(parse(context, header, data, sizeof data, &set), GRAFT_OK);
    assert_int_equal(graft_tensor_set_count(set), 14);
    static const struct {
        const char *name;
        enum graft_dtype dtype;
        double values[3];
        int count;
    } expected[] = {
        {"f64", GRAFT_DTYPE_F32, {-1.5}, 1},
        {"f32", GRAFT_DTYPE_F32, {1, 3.1415927410125732}, 2},
        {"f16", GRAFT_DTYPE_F32, {1, -2, 0x1p-24}, 3},
        {"bf16", GRAFT_DTYPE_F32, {1, -10}, 2},
        {"i64", GRAFT_DTYPE_I32, {-2}, 1},
        {"i32", GRAFT_DTYPE_I32, {123456789}, 1},
        {"i16", GRAFT_DTYPE_I32, {-32768}, 1},
        {"i8", GRAFT_DTYPE_I32, {-128}, 1},
        {"u8", GRAFT_DTYPE_U8, {255}, 1},
        {"bool", GRAFT_DTYPE_U8, {0, 1}, 2},
        {"u16", GRAFT_DTYPE_I32, {65535}, 1},
        {"u32", GRAFT_DTYPE_I32, {2147483647}, 1},
        {"u64", GRAFT_DTYPE_I32, {3}, 1},
        {"empty", GRAFT_DTYPE_F32, {0}, 0},
    };
    for (size_t i = 0; i < 14; i++) { /* also: in the order of the header */
        const struct graft_named_tensor *const tensor = graft_tensor_set_at(set, i);
        assert_string_equal(tensor->name, expected[i].name);
        assert_int_equal(tensor->desc.dtype, expected[i].dtype);
        assert_int_equal(graft_shape_count(&tensor->desc.shape), expected[i].count);
        assert_int_equal((uintptr_t)tensor->data % 64, 0);
        for (int k = 0; k < expected[i].count; k++) {
            const double value = tensor->desc.dtype == GRAFT_DTYPE_F32 ? (double)((float *)tensor->data)[k]
                                 : tensor->desc.dtype == GRAFT_DTYPE_I32
                                     ? (double)((int32_t *)tensor->data)[k]
                                     : (double)((uint8_t *)tensor->data)[k];
            assert_true(value == expected[i].values[k]);
        }
    }
    assert_string_equal(graft_tensor_set_text(set, "format"), "pt");
    graft_tensor_set_close(&set);
}

struct remarks {
    char text[1024];
    int count;
};

static void keep_remark(void *user, enum graft_log_level level, const char *text)
{
    struct remarks *const remarks = user;
    assert_int_equal(level, GRAFT_LOG_REMARK);
    (void)snprintf(remarks->text, sizeof remarks->text, "%s", text);
    remarks->count++;
}

/* Tensors of a kind that is not read are left out with one remark; their places are looked at all the same.
 */
static void tensors_of_other_kinds_are_left_out(void **state)
{
    static const char header[] =
        "{\"scale\":{\"dtype\":\"F8_E4M3\",\"shape\":[4],\"data_offsets\":[4,8]},"
        "\"weight\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
        "\"deep\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1],\"data_offsets\":[8,12]}}";
    static const float numbers[3] = {2.5f, 3, 4};
    struct remarks remarks = {.count = 0};
    struct graft_context *context = NULL;
    struct graft_tensor_set *set = NULL;
    (void)state;
    const struct graft_context_options options = {.log = keep_remark, .log_user = &remarks};
    assert_int_equal(graft_context_open(&options, &context), GRAFT_OK);
    assert_int_equal(parse(context, header, numbers, sizeof numbers, &set), GRAFT_OK);
    assert_int_equal(graft_tensor_set_count(set), 1);
    assert_true(*(const float *)graft_tensor_set_find(set, "weight")->data == 2.5f);
    assert_int_equal(remarks.count, 1);
    assert_non_null(strstr(remarks.text, "2 of 3 tensors are left out"));
    assert_non_null(strstr(remarks.text, "'scale' has elements of type 'F8_E4M3'"));
    graft_tensor_set_close(&set);
    assert_int_equal(parse(context, header, numbers, 8, &set), GRAFT_ERROR_FORMAT);
    assert_non_null(strstr(graft_context_error(context), "truncated?"));
    graft_context_close(&context);
}

/* A set with every element type that can be written, odd names and texts. */
static enum graft_status make_set(struct graft_context *context, struct graft_tensor_set **set)
{
    static const float weights[6] = {1, -2, 0.5f, 3e38f, -0.0f, 1e-45f};
    static const int32_t labels[3] = {INT32_MIN, 0, INT32_MAX};
    static const double doubles[2] = {0.1, -1e-300};
    const struct {
        const char *name;
        struct graft_desc desc;
        const void *data;
    } tensors[] = {
        {"pixels", {GRAFT_DTYPE_U8, graft_shape_of(1, 3)}, "\1\2\3"},
        {"features.0.weight", {GRAFT_DTYPE_F32, graft_shape_of(3, 1, 2, 3)}, weights},
        {"", {GRAFT_DTYPE_F32, {.rank = 0}}, &weights[3]},
        {"h\xc3\xa4lfte \"\\\n", {GRAFT_DTYPE_I32, graft_shape_of(2, 3, 1)}, labels},
        {"double", {GRAFT_DTYPE_F64, graft_shape_of(1, 2)}, doubles},
        {"empty", {GRAFT_DTYPE_F32, graft_shape_of(2, 0, 5)}, weights},
    };
    enum graft_status status = graft_tensor_set_open(context, set);
    for (size_t i = 0; i < sizeof tensors / sizeof tensors[0] && status == GRAFT_OK; i++) {
        status = graft_tensor_set_add(*set, tensors[i].name, &tensors[i].desc, tensors[i].data);
    }
    if (status == GRAFT_OK) {
        status = graft_tensor_set_put_text(*set, "classes", "[\"ant\",\"bee\"]");
    }
    if (status == GRAFT_OK) {
        status = graft_tensor_set_put_text(*set, "empty", "");
    }
    if (status != GRAFT_OK) {
        graft_tensor_set_close(set);
    }
    return status;
}

static void expect_equal_sets(const struct graft_tensor_set *a, const struct graft_tensor_set *b)
{
    assert_int_equal(graft_tensor_set_count(a), graft_tensor_set_count(b));
    for (size_t i = 0; i < graft_tensor_set_count(a); i++) {
        const struct graft_named_tensor *const left = graft_tensor_set_at(a, i), *const right =
                                                                                     graft_tensor_set_at(b,
                                                                                                         i);
        assert_string_equal(left->name, right->name);
        assert_true(graft_shape_equal(&left->desc.shape, &right->desc.shape));
        if (left->desc.dtype == GRAFT_DTYPE_F64) { /* read back as f32 */
            assert_int_equal(right->desc.dtype, GRAFT_DTYPE_F32);
            for (int64_t k = 0; k < graft_shape_count(&left->desc.shape); k++) {
                assert_true(((float *)right->data)[k] == (float)((double *)left->data)[k]);
            }
            continue;
        }
        assert_int_equal(left->desc.dtype, right->desc.dtype);
        assert_memory_equal(left->data, right->data, graft_desc_bytes(&left->desc));
    }
    assert_int_equal(graft_tensor_set_text_count(a), graft_tensor_set_text_count(b));
    for (size_t i = 0; i < graft_tensor_set_text_count(a); i++) {
        const char *key = NULL, *text = NULL;
        assert_true(graft_tensor_set_text_at(a, i, &key, &text));
        assert_string_equal(graft_tensor_set_text(b, key), text);
    }
}

static void what_is_written_is_read_back(void **state)
{
    struct graft_context *const context = *state;
    struct graft_tensor_set *set = NULL, *back = NULL;
    char folder[128], path[256], *bytes = NULL;
    size_t size = 0;
    test_folder(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/a.safetensors", folder);
    assert_int_equal(make_set(context, &set), GRAFT_OK);
    assert_int_equal(graft_safetensors_save(context, path, set), GRAFT_OK);
    assert_int_equal(graft_safetensors_load(context, path, &back), GRAFT_OK);
    expect_equal_sets(set, back);
    graft_tensor_set_close(&back);

    /* As the format has it: the header begins with a brace, is padded to 8, and the widest elements come
     * first. */
    assert_int_equal(graft_file_read(context, path, 10000, &bytes, &size), GRAFT_OK);
    uint64_t length = 0;
    memcpy(&length, bytes, 8);
    assert_int_equal(length % 8, 0);
    assert_int_equal(bytes[8], '{');
    assert_int_equal(size, 8 + length + 16 + 24 + 4 + 12 + 3);
    json_t *const header = json_loadb(bytes + 8, (size_t)length, 0, NULL);
    assert_int_equal(json_integer_value(json_array_get(
                         json_object_get(json_object_get(header, "double"), "data_offsets"), 1)),
                     16);
    assert_int_equal(json_integer_value(json_array_get(
                         json_object_get(json_object_get(header, "pixels"), "data_offsets"), 1)),
                     59);
    json_decref(header);
    assert_memory_equal(bytes + size - 3, "\1\2\3", 3);
    graft_release(context, bytes);
    graft_tensor_set_close(&set);

    assert_int_equal(graft_tensor_set_open(context, &set), GRAFT_OK); /* nothing in it */
    assert_int_equal(graft_safetensors_save(context, path, set), GRAFT_OK);
    assert_int_equal(graft_safetensors_load(context, path, &back), GRAFT_OK);
    assert_int_equal(graft_tensor_set_count(back), 0);
    graft_tensor_set_close(&back);
    graft_tensor_set_close(&set);
    test_folder_remove(folder);
}

/* In halves a file is half as large, and what is read back is each number rounded; others stay as they are.
 */
static void weights_are_written_as_halves(void **state)
{
    struct graft_context *const context = *state;
    char folder[] = "/tmp/graft-test-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/half.safetensors", folder);
    static const float reals[3] = {1.0f, 0.1f, -65504.0f};
    static const int32_t numbers[2] = {70000, -1};
    const struct graft_desc real = {GRAFT_DTYPE_F32, graft_shape_of(1, 3)},
                            number = {GRAFT_DTYPE_I32, graft_shape_of(1, 2)};
    struct graft_tensor_set *set = NULL, *back = NULL;
    assert_int_equal(graft_tensor_set_open(context, &set), GRAFT_OK);
    assert_int_equal(graft_tensor_set_add(set, "reals", &real, reals), GRAFT_OK);
    assert_int_equal(graft_tensor_set_add(set, "numbers", &number, numbers), GRAFT_OK);
    assert_int_equal(graft_safetensors_save_half(context, path, set), GRAFT_OK);
    assert_int_equal(graft_safetensors_load(context, path, &back), GRAFT_OK);
    const float *const read = graft_tensor_set_find(back, "reals")->data;
    assert_true(read[0] == 1.0f && read[1] == 0x1.998p-4f && read[2] == -65504.0f); /* 0.1 has 11 bits then */
    assert_memory_equal(graft_tensor_set_find(back, "numbers")->data, numbers, sizeof numbers);
    graft_tensor_set_close(&back);
    ((float *)graft_tensor_set_find(set, "reals")->data)[1] = 70000.0f;
    assert_int_equal(graft_safetensors_save_half(context, path, set), GRAFT_ERROR_NUMERIC);
    assert_non_null(strstr(graft_context_error(context), "'reals'"));
    graft_tensor_set_close(&set);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void what_cannot_be_written_leaves_the_old_file(void **state)
{
    struct graft_context *const context = *state;
    struct graft_tensor_set *set = NULL, *back = NULL;
    char folder[128], path[256];
    test_folder(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/a.safetensors", folder);
    assert_int_equal(make_set(context, &set), GRAFT_OK);
    assert_int_equal(graft_safetensors_save(context, path, set), GRAFT_OK);

    /* The limit on the size of a file stands for a full disk. */
    struct graft_tensor_set *large = NULL;
    assert_int_equal(graft_tensor_set_open(context, &large), GRAFT_OK);
    const struct graft_desc desc = {GRAFT_DTYPE_F32, graft_shape_of(1, 100000)};
    assert_int_equal(graft_tensor_set_add(large, "w", &desc, NULL), GRAFT_OK);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    const struct rlimit small = {100000, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const enum graft_status status = graft_safetensors_save(context, path, large);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(status, GRAFT_ERROR_IO);
    assert_non_null(strstr(graft_context_error(context), path));
    assert_non_null(strstr(graft_context_error(context), strerror(EFBIG)));

    const struct graft_desc one = {GRAFT_DTYPE_F32, graft_shape_of(1, 1)};
    assert_int_equal(graft_tensor_set_add(large, "bad \xff name", &one, NULL), GRAFT_OK);
    assert_int_equal(graft_safetensors_save(context, path, large), GRAFT_ERROR_ARGUMENT);
    graft_tensor_set_close(&large);
    assert_int_equal(graft_tensor_set_open(context, &large), GRAFT_OK);
    assert_int_equal(graft_tensor_set_add(large, "__metadata__", &one, NULL), GRAFT_OK);
    assert_int_equal(graft_safetensors_save(context, path, large), GRAFT_ERROR_ARGUMENT);
    assert_int_equal(graft_safetensors_save(context, "/nowhere/at/all", set), GRAFT_ERROR_IO);
    graft_tensor_set_close(&large);

    assert_int_equal(graft_safetensors_load(context, path, &back), GRAFT_OK);
    expect_equal_sets(set, back);
    graft_tensor_set_close(&back);
    assert_int_equal(graft_safetensors_load(context, "/nowhere/at/all", &back), GRAFT_ERROR_NOT_FOUND);
    assert_null(back);
    assert_int_equal(graft_safetensors_load(context, folder, &back), GRAFT_ERROR_IO);
    graft_tensor_set_close(&set);
    test_folder_remove(folder);
}

static void every_failing_allocation_is_reported(void **state)
{
    (void)state;
    char folder[128], path[256];
    test_folder(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/a.safetensors", folder);
    enum graft_status status = GRAFT_ERROR_MEMORY;
    long n = 0;
    for (; n < 200 && status != GRAFT_OK; n++) {
        struct test_memory memory;
        const struct graft_context_options options = test_memory_options(&memory, n);
        struct graft_context *context = NULL;
        struct graft_tensor_set *set = NULL, *back = NULL;
        status = graft_context_open(&options, &context);
        if (status == GRAFT_OK) {
            status = make_set(context, &set);
        }
        if (status == GRAFT_OK) {
            status = graft_safetensors_save(context, path, set);
        }
        if (status == GRAFT_OK) {
            status = graft_safetensors_load(context, path, &back);
        }
        assert_true(status == GRAFT_OK || status == GRAFT_ERROR_MEMORY);
        graft_tensor_set_close(&set);
        graft_tensor_set_close(&back);
        graft_context_close(&context);
        assert_int_equal(memory.alive, 0);
    }
    assert_int_equal(status, GRAFT_OK);
    assert_true(n > 30);
    test_folder_remove(folder);
}

static uint8_t likely_byte(struct graft_random *random, uint8_t byte)
{
    static const char likely[] = "{}[],:\"0123456789-.eE\\ FIUB";
    switch (graft_random_below(random, 3)) {
    case 0:
        return (uint8_t)graft_random_u32(random);
    case 1:
        return (uint8_t)likely[graft_random_below(random, sizeof likely - 1)];
    default:
        return byte ^ (uint8_t)(1u << graft_random_below(random, 8));
    }
}

/* Random damage: whatever comes, an answer, no crash, no leak. Found faults are kept here as cases of their
 * own. */
static void random_damage_is_survived(void **state)
{
    (void)state;
    struct test_memory memory;
    const struct graft_context_options options = test_memory_options(&memory, -1);
    struct graft_context *context = NULL;
    struct graft_tensor_set *set = NULL;
    char folder[128], path[256], *bytes = NULL;
    size_t size = 0;
    assert_int_equal(graft_context_open(&options, &context), GRAFT_OK);
    test_folder(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/a.safetensors", folder);
    assert_int_equal(make_set(context, &set), GRAFT_OK);
    assert_int_equal(graft_safetensors_save(context, path, set), GRAFT_OK);
    assert_int_equal(graft_file_read(context, path, 10000, &bytes, &size), GRAFT_OK);
    graft_tensor_set_close(&set);
    test_folder_remove(folder);

    struct damage_trial trial = {
        .context = context, .memory = &memory, .parse = graft_safetensors_parse, .change = likely_byte};
    test_seed(bytes, size);
    graft_random_start(&trial.random, 20240601, 1);
    for (int round = 0; round < 20000; round++) {
        parse_damaged(&trial, (const uint8_t *)bytes,
                      round % 4 == 0 ? graft_random_below(&trial.random, (uint32_t)size + 1) : size);
    }
    assert_true(trial.refused > 5000);
    assert_true(trial.read > 1000); /* the undamaged ones, and those whose data only were hit */
    graft_release(context, bytes);
    graft_context_close(&context);
    assert_int_equal(memory.alive, 0);
}

/* SqueezeNet's published weights against the list of names and shapes that comes with the test data. */
static void real_weights_are_read(void **state)
{
    struct graft_context *const context = *state;
    char path[512], zoo_path[512], *bytes = NULL;
    size_t size = 0;
    struct graft_tensor_set *set = NULL;
    if (test_data("data/squeezenet1_0-imagenet.safetensors", path, sizeof path) == NULL ||
        test_data("zoo/squeezenet1_0.json", zoo_path, sizeof zoo_path) == NULL) {
        skip();
        return;
    }
    assert_int_equal(graft_safetensors_load(context, path, &set), GRAFT_OK);
    assert_int_equal(graft_tensor_set_count(set), 52);
    json_t *const zoo = json_load_file(zoo_path, 0, NULL);
    json_t *const tensors = json_object_get(zoo, "tensors");
    assert_int_equal(json_array_size(tensors), 52);
    for (size_t i = 0; i < 52; i++) {
        json_t *const expected = json_array_get(tensors, i);
        const char *const name = json_string_value(json_array_get(expected, 0));
        const struct graft_named_tensor *const tensor = graft_tensor_set_find(set, name);
        assert_non_null(tensor);
        assert_int_equal(tensor->desc.dtype, GRAFT_DTYPE_F32);
        json_t *const shape = json_array_get(expected, 1);
        assert_int_equal(tensor->desc.shape.rank, json_array_size(shape));
        for (int k = 0; k < tensor->desc.shape.rank; k++) {
            assert_int_equal(tensor->desc.shape.dim[k], json_integer_value(json_array_get(shape, (size_t)k)));
        }
    }
    json_decref(zoo);
    /* This file's tensors lie in the order of its header: their bytes in a row are the file's data. */
    assert_int_equal(graft_file_read(context, path, 1 << 24, &bytes, &size), GRAFT_OK);
    uint64_t at = 8 + 4888;
    for (size_t i = 0; i < 52; i++) {
        const struct graft_named_tensor *const tensor = graft_tensor_set_at(set, i);
        assert_true(at + graft_desc_bytes(&tensor->desc) <= size);
        assert_int_equal(memcmp(tensor->data, bytes + at, graft_desc_bytes(&tensor->desc)), 0);
        at += graft_desc_bytes(&tensor->desc);
    }
    assert_int_equal(at, size);
    graft_release(context, bytes);
    graft_tensor_set_close(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_element_types_are_read, test_open_context, test_close_context),
        cmocka_unit_test(tensors_of_other_kinds_are_left_out),
        cmocka_unit_test_setup_teardown(what_is_written_is_read_back, test_open_context, test_close_context),
        cmocka_unit_test_setup_teardown(weights_are_written_as_halves, test_open_context, test_close_context),
        cmocka_unit_test_setup_teardown(what_cannot_be_written_leaves_the_old_file, test_open_context,
                                        test_close_context),
        cmocka_unit_test(every_failing_allocation_is_reported),
        cmocka_unit_test(random_damage_is_survived),
        cmocka_unit_test_setup_teardown(real_weights_are_read, test_open_context, test_close_context),
    };
    return cmocka_run_group_tests_name("safetensors", tests, NULL, NULL);
}
