/* SPDX-License-Identifier: MIT */
/* safetensors to refuse: hostile headers, wrong lengths, numbers that do not fit. */
#include "base/context.h"
#include "base/text.h"
#include "graft/io.h"
#include "safetensors_made.h"

#include <math.h>

struct hostile {
    const char *header;
    size_t data_size;
    enum graft_status status;
    const char *message; /* a part of it */
};

#define F32(name, shape, offsets)                                                                            \
    "\"" name "\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define BAD GRAFT_ERROR_FORMAT

static const struct hostile hostile_headers[] = {
    {"", 0, BAD, "byte 8"},
    {"[]", 0, BAD, "no JSON object"},
    {"{\"a\":", 0, BAD, "byte"},
    {"{\"a\":1}", 0, BAD, "'a' has no dtype"},
    {"{} {}", 0, BAD, "end of file expected"},
    {"{\"a\\u0000b\":{}}", 0, BAD, "byte"},
    {"{\"a\xff\":{}}", 0, BAD, "byte 11: unable to decode"},
    {"{" F32("a", "[1]", "[0,4]") "," F32("a", "[1]", "[4,8]") "}", 8, BAD, "duplicate object key"},
    {"{" F32("a", "[1]", "[0,4]") "," F32("\\u0061", "[1]", "[4,8]") "}", 8, BAD, "duplicate object key"},
    {"{" F32("a", "[2]", "[0,8]") "," F32("b", "[2]", "[4,12]") "}", 12, BAD,
     "'a' and 'b' overlap at byte 4"},
    {"{" F32("a", "[1]", "[0,4]") "," F32("b", "[1]", "[0,4]") "}", 4, BAD, "overlap at byte 0"},
    {"{" F32("a", "[1]", "[0,4]") "," F32("b", "[1]", "[8,12]") "}", 12, BAD, "bytes 4 to 8"},
    {"{" F32("a", "[1]", "[4,8]") "}", 8, BAD, "bytes 0 to 4"},
    {"{" F32("a", "[1]", "[0,4]") "}", 5, BAD, "1 bytes follow the last tensor"},
    {"{}", 5, BAD, "5 bytes follow"},
    {"{" F32("a", "[2]", "[0,8]") "}", 4, BAD, "truncated?"},
    {"{" F32("a", "[2]", "[0,4]") "}", 4, BAD, "takes 8 bytes, but its data_offsets span 4"},
    {"{" F32("a", "[1]", "[0,8]") "}", 8, BAD, "takes 4 bytes, but its data_offsets span 8"},
    {"{" F32("a", "[1]", "[4,0]") "}", 4, BAD, "no valid data_offsets"},
    {"{" F32("a", "[1]", "[-4,0]") "}", 4, BAD, "no valid data_offsets"},
    {"{" F32("a", "[1]", "[0]") "}", 4, BAD, "no valid data_offsets"},
    {"{" F32("a", "[1]", "[0,4,4]") "}", 4, BAD, "no valid data_offsets"},
    {"{" F32("a", "[1]", "[0,4.0]") "}", 4, BAD, "no valid data_offsets"},
    {"{" F32("a", "[1]", "\"0,4\"") "}", 4, BAD, "no valid data_offsets"},
    {"{" F32("a", "[1]", "[0,9223372036854775807]") "}", 4, BAD, "ends at byte 9223372036854775807"},
    {"{" F32("a", "[1]", "[0,9223372036854775808]") "}", 4, BAD, "integer"},
    {"{" F32("a", "[-1]", "[0,4]") "}", 4, BAD, "dimension 0 is no count"},
    {"{" F32("a", "[1,1.5]", "[0,4]") "}", 4, BAD, "dimension 1 is no count"},
    {"{" F32("a", "[true]", "[0,4]") "}", 4, BAD, "dimension 0 is no count"},
    {"{" F32("a", "7", "[0,4]") "}", 4, BAD, "no list as shape"},
    {"{" F32("a", "[4294967296,4294967296]", "[0,4]") "}", 4, BAD, "larger than any memory"},
    {"{" F32("a", "[4611686018427387905,4]", "[0,16]") "}", 16, BAD, "larger than any memory"},
    {"{" F32("a", "[0,9223372036854775807,2]", "[0,0]") "}", 0, BAD, "larger than any memory"},
    {"{" F32("a", "[1,1,1,1,1,1,1]", "[0,4]") "}", 4, GRAFT_ERROR_UNSUPPORTED, "7 dimensions"},
    {"{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4, GRAFT_ERROR_UNSUPPORTED,
     "F8_E4M3"},
    {"{\"a\":{\"dtype\":\"none\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4, GRAFT_ERROR_UNSUPPORTED,
     "'none'"},
    {"{\"a\":{\"dtype\":4,\"shape\":[4],\"data_offsets\":[0,4]}}", 4, BAD, "no dtype"},
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, BAD, "no list as shape"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, BAD, "no valid data_offsets"},
    {"{\"__metadata__\":[]}", 0, BAD, "__metadata__ is no JSON object"},
    {"{\"__metadata__\":{\"x\":1}}", 0, BAD, "'x' in __metadata__ is no text"},
    {"{\"bad\\nname\":{}}", 0, BAD, "'bad\\nname' has no dtype"},
};

static void hostile_headers_are_refused_by_name(void **state)
{
    (void)state;
    static const uint8_t data[16];
    for (size_t i = 0; i < sizeof hostile_headers / sizeof hostile_headers[0]; i++) {
        const struct hostile *const hostile = &hostile_headers[i];
        struct test_memory memory;
        const struct graft_context_options options = test_memory_options(&memory, -1);
        struct graft_context *context = NULL;
        assert_int_equal(graft_context_open(&options, &context), GRAFT_OK);
        struct graft_tensor_set *set = (struct graft_tensor_set *)1;
        const enum graft_status status = parse(context, hostile->header, data, hostile->data_size, &set);
        const char *const message = graft_context_error(context);
        if (status != hostile->status || set != NULL || strstr(message, "'made.safetensors'") == NULL ||
            strstr(message, hostile->message) == NULL) {
            fail_msg("%s: status %d, message: %s", hostile->header, status, message);
        }
        graft_context_close(&context);
        assert_int_equal(memory.alive, 0);
    }
}

static void expect_refusal(struct graft_context *context, uint64_t length, const char *bytes, size_t count,
                           const char *message)
{
    size_t size = 0;
    uint8_t *const file = make_file(length, bytes, count, NULL, 0, &size);
    struct graft_tensor_set *set = NULL;
    assert_int_equal(graft_safetensors_parse(context, "x", file, size, &set), GRAFT_ERROR_FORMAT);
    assert_null(set);
    if (strstr(graft_context_error(context), message) == NULL) {
        fail_msg("'%s' is not in: %s", message, graft_context_error(context));
    }
    free(file);
}

static void wrong_lengths_and_other_files_are_refused(void **state)
{
    struct graft_context *const context = *state;
    struct graft_tensor_set *set = NULL;
    expect_refusal(context, 3, "{}", 2, "a header of 3 bytes is announced, but only 2 follow");
    expect_refusal(context, UINT64_MAX, "{}", 2, "above the limit of 100000000");
    expect_refusal(context, 100000001, "{}", 2, "above the limit of 100000000");
    expect_refusal(context, 100000000, "{}", 2, "but only 2 follow");
    expect_refusal(context, 0, "{}", 2, "byte 8");
    for (size_t size = 0; size < 8; size++) {
        assert_int_equal(graft_safetensors_parse(context, "x", (const uint8_t *)"\2\0\0\0\0\0\0", size, &set),
                         GRAFT_ERROR_FORMAT);
    }
    expect_refusal(context, UINT64_C(0x0800000804034b50), "", 0, "a zip archive");
    expect_refusal(context, UINT64_C(0x1950a86a20f90280), "", 0, "old PyTorch");
    /* Deep nesting, and far more values than a network has. */
    char *const deep = malloc(5000000);
    memset(deep, '[', 5000000);
    expect_refusal(context, 100000, deep, 100000, "depth");
    expect_refusal(context, 5000000, deep, 5000000, "values");
    free(deep);
    struct graft_text many = {0};
    graft_text_append(context, &many, "{");
    for (int i = 0; i < 65537; i++) {
        graft_text_append(context, &many, "%s\"%d\":0", i > 0 ? "," : "", i);
    }
    graft_text_append(context, &many, "}");
    expect_refusal(context, many.length, many.data, many.length, "65537 tensors");
    graft_text_close(context, &many);
}

static void numbers_that_do_not_fit_are_refused(void **state)
{
    struct graft_context *const context = *state;
    struct graft_tensor_set *set = NULL;
    const int64_t large[2] = {1, INT64_C(2147483648)};
    assert_int_equal(
        parse(context, "{\"n\":{\"dtype\":\"I64\",\"shape\":[2],\"data_offsets\":[0,16]}}", large, 16, &set),
        GRAFT_ERROR_NUMERIC);
    assert_non_null(strstr(graft_context_error(context), "element 1 of tensor 'n' (I64)"));
    assert_int_equal(parse(context, "{\"n\":{\"dtype\":\"U64\",\"shape\":[1],\"data_offsets\":[0,8]}}",
                           "\xff\xff\xff\xff\xff\xff\xff\xff", 8, &set),
                     GRAFT_ERROR_NUMERIC);
    assert_int_equal(parse(context, "{\"n\":{\"dtype\":\"U32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
                           "\0\0\0\x80", 4, &set),
                     GRAFT_ERROR_NUMERIC);
    const double huge[1] = {1e39};
    assert_int_equal(
        parse(context, "{\"n\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]}}", huge, 8, &set),
        GRAFT_ERROR_NUMERIC);
    const double infinite[1] = {(double)INFINITY}; /* infinity itself does fit */
    assert_int_equal(
        parse(context, "{\"n\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]}}", infinite, 8, &set),
        GRAFT_OK);
    graft_tensor_set_close(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_headers_are_refused_by_name),
        cmocka_unit_test_setup_teardown(wrong_lengths_and_other_files_are_refused, test_open_context,
                                        test_close_context),
        cmocka_unit_test_setup_teardown(numbers_that_do_not_fit_are_refused, test_open_context,
                                        test_close_context),
    };
    return cmocka_run_group_tests_name("safetensors refused", tests, NULL, NULL);
}
