/* SPDX-License-Identifier: MIT */
/* Tensor sets, layouts, stored numbers, NumPy files, comma-separated values. */
#include "base/context.h"
#include "base/file.h"
#include "base/random.h"
#include "graft/io.h"
#include "io/csv.h"
#include "io/layout.h"
#include "io/stored.h"
#include "support/seeds.h"
#include "support/support.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>

static void a_set_keeps_order_and_finds_names(void **state)
{
    struct graft_context *const context = *state;
    struct graft_tensor_set *set = NULL;
    char name[32];
    assert_int_equal(graft_tensor_set_open(context, &set), GRAFT_OK);
    assert_null(graft_tensor_set_find(set, "layer.0"));
    assert_null(graft_tensor_set_at(set, 0));
    const struct graft_desc desc = {GRAFT_DTYPE_I32, graft_shape_of(1, 1)};
    for (int32_t i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "layer.%d", i);
        assert_int_equal(graft_tensor_set_add(set, name, &desc, &i), GRAFT_OK);
    }
    const void *const first = graft_tensor_set_at(set, 0)->data;
    for (int32_t i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "layer.%d", i);
        const struct graft_named_tensor *const tensor = graft_tensor_set_find(set, name);
        assert_ptr_equal(tensor, graft_tensor_set_at(set, (size_t)i));
        assert_int_equal(*(const int32_t *)tensor->data, i);
        assert_int_equal(graft_tensor_set_add(set, name, &desc, NULL), GRAFT_ERROR_ARGUMENT);
    }
    assert_int_equal(graft_tensor_set_count(set), 3000);
    assert_null(graft_tensor_set_find(set, "layer.3000"));
    assert_null(graft_tensor_set_find(set, ""));
    assert_non_null(strstr(graft_context_error(context), "'layer.2999'"));
    assert_int_equal(graft_tensor_set_add(set, "zeros", &desc, NULL), GRAFT_OK);
    assert_int_equal(*(const int32_t *)graft_tensor_set_find(set, "zeros")->data, 0);
    assert_ptr_equal(graft_tensor_set_at(set, 0)->data, first);

    const struct graft_desc none = {GRAFT_DTYPE_NONE, graft_shape_of(1, 1)};
    assert_int_equal(graft_tensor_set_add(set, "none", &none, NULL), GRAFT_ERROR_SHAPE);
    const struct graft_desc negative = {GRAFT_DTYPE_F32, graft_shape_of(2, 3, -1)};
    assert_int_equal(graft_tensor_set_add(set, "negative", &negative, NULL), GRAFT_ERROR_SHAPE);
    assert_non_null(strstr(graft_context_error(context), "'negative' cannot be f32 [3, -1]"));
    assert_int_equal(graft_tensor_set_count(set), 3001);

    const char *key = NULL, *text = NULL;
    assert_null(graft_tensor_set_text(set, "model"));
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "key %d", i);
        assert_int_equal(graft_tensor_set_put_text(set, name, name + 4), GRAFT_OK);
    }
    assert_int_equal(graft_tensor_set_put_text(set, "key 7", "seven"), GRAFT_OK);
    assert_int_equal(graft_tensor_set_text_count(set), 20);
    assert_string_equal(graft_tensor_set_text(set, "key 7"), "seven");
    assert_true(graft_tensor_set_text_at(set, 19, &key, &text));
    assert_string_equal(key, "key 19");
    assert_string_equal(text, "19");
    assert_false(graft_tensor_set_text_at(set, 20, &key, &text));
    graft_tensor_set_close(&set);
    graft_tensor_set_close(&set);
    graft_tensor_set_close(NULL);
}

/* Every half-precision number by the definition of IEEE 754 binary16, in f64. */
static void halves_are_widened_exactly(void **state)
{
    (void)state;
    for (uint32_t half = 0; half < 65536; half++) {
        const int exponent = (int)(half >> 10 & 31);
        const double fraction = (double)(half & 1023) / 1024;
        double expected = exponent == 0 ? ldexp(fraction, -14) : ldexp(1 + fraction, exponent - 15);
        const double sign = half & 0x8000 ? -1.0 : 1.0;
        const double value = (double)graft_float_of_half((uint16_t)half);
        if (exponent == 31) {
            assert_true(fraction > 0 ? isnan(value) : isinf(value) && value * sign > 0);
            continue;
        }
        expected *= sign;
        assert_true(value == expected && signbit(value) == signbit(expected));
    }
}

#define FOR_EACH(o, i, h, w)                                                                                 \
    for (int64_t o = 0; o < O; o++)                                                                          \
        for (int64_t i = 0; i < I; i++)                                                                      \
            for (int64_t h = 0; h < H; h++)                                                                  \
                for (int64_t w = 0; w < W; w++)

static void check_layout(struct graft_context *context, int64_t O, int64_t I, int64_t H, int64_t W)
{
    const size_t count = (size_t)(O * I * H * W);
    float *const oihw = graft_allocate(context, count, sizeof *oihw);
    float *const ohwi = graft_allocate(context, count, sizeof *ohwi);
    double *const wide = graft_allocate(context, count, sizeof *wide);
    double *const wide_turned = graft_allocate(context, count, sizeof *wide_turned);
    uint8_t *const bytes = graft_allocate(context, count, 1), *const bytes_turned =
                                                                  graft_allocate(context, count, 1);
    for (size_t k = 0; k < count; k++) {
        oihw[k] = (float)k;
        wide[k] = (double)k + 0.5;
        bytes[k] = (uint8_t)(k * 7);
    }
    graft_layout_ohwi_of_oihw(O, I, H, W, sizeof(float), oihw, ohwi);
    graft_layout_dense_of_chw(O, I, H, W, sizeof(double), wide, wide_turned);
    graft_layout_ohwi_of_oihw(O, I, H, W, 1, bytes, bytes_turned);
    FOR_EACH(o, i, h, w)
    {
        const int64_t from = ((o * I + i) * H + h) * W + w, to = ((o * H + h) * W + w) * I + i;
        assert_true(ohwi[to] == oihw[from]);
        assert_true(wide_turned[to] == wide[from]);
        assert_int_equal(bytes_turned[to], bytes[from]);
    }
    memset(oihw, 0xff, count * sizeof *oihw);
    memset(wide, 0xff, count * sizeof *wide);
    graft_layout_oihw_of_ohwi(O, I, H, W, sizeof(float), ohwi, oihw);
    graft_layout_chw_of_dense(O, I, H, W, sizeof(double), wide_turned, wide);
    for (size_t k = 0; k < count; k++) {
        assert_true(oihw[k] == (float)k);
        assert_true(wide[k] == (double)k + 0.5);
    }
    graft_release(context, oihw);
    graft_release(context, ohwi);
    graft_release(context, wide);
    graft_release(context, wide_turned);
    graft_release(context, bytes);
    graft_release(context, bytes_turned);
}

/* Each half is the nearest of itself; what lies between two goes to the nearer one, from the middle to the even one. */
static void floats_are_rounded_to_halves(void **state)
{
    (void)state;
    for (uint32_t half = 0; half < 0x10000; half++) {
        const float value = graft_float_of_half((uint16_t)half);
        if (isnan(value)) {
            assert_true(isnan(graft_float_of_half(graft_half_of_float(value))));
            continue;
        }
        assert_int_equal(graft_half_of_float(value), half);
        if ((half & 0x7fff) >= 0x7bff) { /* the largest, and infinity */
            continue;
        }
        const float next = graft_float_of_half((uint16_t)(half + 1)), middle = value + (next - value) / 2;
        assert_int_equal(graft_half_of_float(nextafterf(middle, value)), half);
        assert_int_equal(graft_half_of_float(middle), (half & 1) != 0 ? half + 1 : half);
        assert_int_equal(graft_half_of_float(nextafterf(middle, next)), half + 1);
    }
    assert_int_equal(graft_half_of_float(65519.996f), 0x7bff);
    assert_int_equal(graft_half_of_float(65520.0f), 0x7c00);
    assert_int_equal(graft_half_of_float(-1e30f), 0xfc00);
    assert_int_equal(graft_half_of_float(0x1p-149f), 0);
}

static void layouts_are_turned_and_turned_back(void **state)
{
    check_layout(*state, 1, 1, 1, 1);
    check_layout(*state, 2, 3, 2, 5);
    check_layout(*state, 32, 1, 3, 3); /* depthwise */
    check_layout(*state, 5, 64, 3, 3);
    check_layout(*state, 3, 33, 6, 11); /* beyond a block both ways */
    check_layout(*state, 7, 31, 1, 1);
    check_layout(*state, 0, 3, 3, 3);
    /* By hand: two channels of 1×3 pixels, [c, h, w] 1 2 3 | 4 5 6. */
    const float chw[6] = {1, 2, 3, 4, 5, 6}, expected[6] = {1, 4, 2, 5, 3, 6};
    float hwc[6];
    graft_layout_dense_of_chw(1, 2, 1, 3, sizeof(float), chw, hwc);
    assert_memory_equal(hwc, expected, sizeof hwc);
}

static void numpy_files_are_as_numpy_writes_them(void **state)
{
    struct graft_context *const context = *state;
    char folder[128], path[256], *bytes = NULL;
    size_t size = 0;
    test_folder(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/a.npy", folder);
    const float values[6] = {0, 1, -2.5f, 3, (float)INFINITY, 1e-45f};
    const struct graft_desc desc = {GRAFT_DTYPE_F32, graft_shape_of(2, 2, 3)};
    assert_int_equal(graft_npy_save(context, path, &desc, values), GRAFT_OK);
    assert_int_equal(graft_file_read(context, path, 1000, &bytes, &size), GRAFT_OK);
    /* The file that numpy.save writes for such an array (format 1.0): 128 bytes of header, then the data. */
    static const char start[] =
        "\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
    assert_int_equal(size, 128 + 24);
    assert_memory_equal(bytes, start, sizeof start - 1);
    for (size_t i = sizeof start - 1; i < 127; i++) {
        assert_int_equal(bytes[i], ' ');
    }
    assert_int_equal(bytes[127], '\n');
    assert_memory_equal(bytes + 128, values, 24);
    graft_release(context, bytes);
    struct graft_tensor_set *set = NULL;
    assert_int_equal(graft_tensor_set_open(context, &set), GRAFT_OK);
    assert_int_equal(graft_npy_load(context, path, set, "a"), GRAFT_OK);
    assert_int_equal(graft_npy_load(context, path, set, "a"), GRAFT_ERROR_ARGUMENT);

    const struct graft_desc scalar = {GRAFT_DTYPE_F64, {.rank = 0}};
    const struct graft_desc labels = {GRAFT_DTYPE_I32, graft_shape_of(1, 3)};
    const struct graft_desc pixels = {GRAFT_DTYPE_U8, graft_shape_of(6, 1, 2, 1, 1, 1, 1)};
    const struct graft_desc empty = {GRAFT_DTYPE_F32, graft_shape_of(2, 0, 512)};
    const double pi = 3.141592653589793;
    const struct {
        const char *name;
        const struct graft_desc *desc;
        const void *data;
    } others[] = {{"scalar", &scalar, &pi},
                  {"labels", &labels, (const int32_t[3]){7, -1, INT32_MIN}},
                  {"pixels", &pixels, "\0\xff"},
                  {"empty", &empty, ""}};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(graft_npy_save(context, path, others[i].desc, others[i].data), GRAFT_OK);
        assert_int_equal(graft_npy_load(context, path, set, others[i].name), GRAFT_OK);
        const struct graft_named_tensor *const back = graft_tensor_set_find(set, others[i].name);
        assert_int_equal(back->desc.dtype, others[i].desc->dtype);
        assert_true(graft_shape_equal(&back->desc.shape, &others[i].desc->shape));
        assert_memory_equal(back->data, others[i].data, graft_desc_bytes(others[i].desc));
    }
    assert_int_equal(graft_npy_save(context, folder, &desc, values), GRAFT_ERROR_IO);
    const struct graft_desc none = {GRAFT_DTYPE_NONE, graft_shape_of(1, 1)};
    assert_int_equal(graft_npy_save(context, path, &none, values), GRAFT_ERROR_SHAPE);
    graft_tensor_set_close(&set);
    test_folder_remove(folder);
}

/* A file of version 1 to 3 with this dictionary and `data_size` zero bytes. */
static void write_npy(struct graft_context *context, const char *path, int version, const char *header,
                      size_t data_size)
{
    static const char zeros[64];
    struct graft_text file = {0};
    const size_t length = strlen(header);
    const char prefix[12] = {
        '\x93', 'N', 'U', 'M', 'P', 'Y', (char)version, 0, (char)length, (char)(length >> 8), 0, 0};
    graft_text_append_bytes(context, &file, prefix, version == 1 ? 10 : 12);
    graft_text_append_bytes(context, &file, header, length);
    graft_text_append_bytes(context, &file, zeros, data_size);
    assert_int_equal(graft_file_write(context, path, file.data, file.length), GRAFT_OK);
    graft_text_close(context, &file);
}

#define F4 "'descr': '<f4', "
#define C_ORDER "'fortran_order': False, "

static void numpy_headers_are_checked(void **state)
{
    struct graft_context *const context = *state;
    static const struct {
        const char *header;
        int version;
        size_t size;
        enum graft_status status;
        const char *message;
    } cases[] = {
        {"{" F4 C_ORDER "'shape': (2,), }\n", 1, 8, GRAFT_OK, ""},
        {"{" F4 C_ORDER "'shape': (2,), }\n", 2, 8, GRAFT_OK, ""},
        {"{" F4 C_ORDER "'shape': (2,), }\n", 3, 8, GRAFT_OK, ""},
        {"{'shape':(1,2),'fortran_order':False,'descr':'<i8'}", 1, 16, GRAFT_OK, ""},
        {"{" F4 "'fortran_order': True, 'shape': (2,), }", 1, 8, GRAFT_OK, ""},
        {"{" F4 "'fortran_order': True, 'shape': (2, 1), }", 1, 8, GRAFT_ERROR_FORMAT, "Fortran order"},
        {"{" F4 C_ORDER "'shape': (2,), }", 4, 8, GRAFT_ERROR_FORMAT, "does not begin"},
        {"{" F4 C_ORDER "'shape': (2,), }", 1, 7, GRAFT_ERROR_FORMAT, "longer or shorter"},
        {"{" F4 C_ORDER "'shape': (2,), }", 1, 9, GRAFT_ERROR_FORMAT, "longer or shorter"},
        {"{'descr': '>f4', " C_ORDER "'shape': (2,), }", 1, 8, GRAFT_ERROR_FORMAT, "of a type"},
        {"{'descr': '|O', " C_ORDER "'shape': (1,), }", 1, 8, GRAFT_ERROR_FORMAT, "of a type"},
        {"{" F4 C_ORDER "'shape': (-2,), }", 1, 8, GRAFT_ERROR_FORMAT, "shape"},
        {"{" F4 C_ORDER "'shape': (99999999999999999999,), }", 1, 8, GRAFT_ERROR_FORMAT, "shape"},
        {"{" F4 C_ORDER "'shape': (4294967296, 4294967296), }", 1, 8, GRAFT_ERROR_FORMAT, "shape"},
        {"{" F4 C_ORDER "'shape': (1,1,1,1,1,1,2), }", 1, 8, GRAFT_ERROR_FORMAT, "shape"},
        {"{" F4 C_ORDER "'shape': (2", 1, 8, GRAFT_ERROR_FORMAT, "shape"},
        {"{" F4 C_ORDER "'shape': (2,)", 1, 8, GRAFT_ERROR_FORMAT, "damaged"},
        {"{" F4 F4 C_ORDER "'shape': (2,), }", 1, 8, GRAFT_ERROR_FORMAT, "damaged"},
        {"{" F4 C_ORDER "}", 1, 8, GRAFT_ERROR_FORMAT, "lacks"},
        {"{" F4 "'fortran_order': 0, 'shape': (2,), }", 1, 8, GRAFT_ERROR_FORMAT, "damaged"},
        {"", 1, 8, GRAFT_ERROR_FORMAT, "no dictionary"},
    };
    char folder[128], path[256];
    test_folder(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/a.npy", folder);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct graft_tensor_set *set = NULL;
        assert_int_equal(graft_tensor_set_open(context, &set), GRAFT_OK);
        write_npy(context, path, cases[i].version, cases[i].header, cases[i].size);
        const enum graft_status status = graft_npy_load(context, path, set, "a");
        if (status != cases[i].status ||
            (status != GRAFT_OK && (strstr(graft_context_error(context), path) == NULL ||
                                    strstr(graft_context_error(context), cases[i].message) == NULL))) {
            fail_msg("%s: %d, %s", cases[i].header, status, graft_context_error(context));
        }
        assert_int_equal(graft_tensor_set_count(set), status == GRAFT_OK);
        graft_tensor_set_close(&set);
    }
    test_folder_remove(folder);
}

static void damaged_numpy_files_are_survived(void **state)
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
    snprintf(path, sizeof path, "%s/a.npy", folder);
    write_npy(context, path, 1, "{" F4 C_ORDER "'shape': (2, 4), }\n", 32);
    assert_int_equal(graft_file_read(context, path, 1000, &bytes, &size), GRAFT_OK);
    test_seed(bytes, size);
    struct graft_random random;
    graft_random_start(&random, 7, 1);
    const long before = memory.alive;
    int refused = 0;
    static char copy[1000];
    for (int round = 0; round < 2000; round++) {
        memcpy(copy, bytes, size);
        const size_t kept = round % 4 == 0 ? graft_random_below(&random, (uint32_t)size + 1) : size;
        for (int k = 0; k < round % 3; k++) {
            copy[graft_random_below(&random, (uint32_t)size)] = (char)graft_random_u32(&random);
        }
        FILE *const file = fopen(path, "wb");
        assert_int_equal(fwrite(copy, 1, kept, file), kept);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(graft_tensor_set_open(context, &set), GRAFT_OK);
        refused += graft_npy_load(context, path, set, "a") != GRAFT_OK;
        graft_tensor_set_close(&set);
        assert_int_equal(memory.alive, before);
    }
    assert_true(refused > 500 && refused < 2000);
    graft_release(context, bytes);
    graft_context_close(&context);
    test_folder_remove(folder);
}

static void every_failing_allocation_is_reported(void **state)
{
    (void)state;
    char folder[128], path[256];
    test_folder(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/a.npy", folder);
    const struct graft_desc desc = {GRAFT_DTYPE_I32, graft_shape_of(1, 2)};
    enum graft_status status = GRAFT_ERROR_MEMORY;
    long n = 0;
    for (; n < 100 && status != GRAFT_OK; n++) {
        struct test_memory memory;
        const struct graft_context_options options = test_memory_options(&memory, n);
        struct graft_context *context = NULL;
        struct graft_tensor_set *set = NULL;
        status = graft_context_open(&options, &context);
        if (status == GRAFT_OK) {
            status = graft_tensor_set_open(context, &set);
        }
        if (status == GRAFT_OK) {
            status = graft_npy_save(context, path, &desc, (const int32_t[2]){1, 2});
        }
        if (status == GRAFT_OK) {
            status = graft_npy_load(context, path, set, "a");
        }
        assert_true(status == GRAFT_OK || status == GRAFT_ERROR_MEMORY);
        graft_tensor_set_close(&set);
        graft_context_close(&context);
        assert_int_equal(memory.alive, 0);
    }
    assert_int_equal(status, GRAFT_OK);
    assert_true(n > 8);
    test_folder_remove(folder);
}

static void csv_fields_are_quoted_where_needed(void **state)
{
    struct graft_context *const context = *state;
    struct graft_text csv = {0};
    graft_csv_text(context, &csv, "epoch");
    graft_csv_text(context, &csv, "a,b");
    graft_csv_text(context, &csv, "say \"hi\"");
    graft_csv_text(context, &csv, "two\nlines");
    graft_csv_text(context, &csv, "back\r");
    graft_csv_end_row(context, &csv);
    graft_csv_text(context, &csv, "");
    graft_csv_integer(context, &csv, -3);
    graft_csv_number(context, &csv, (double)0.1f);
    graft_csv_text(context, &csv, "");
    graft_csv_end_row(context, &csv);
    assert_false(csv.failed);
    assert_string_equal(csv.data,
                        "epoch,\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",\"back\r\"\n\"\",-3,0.100000001,\"\"\n");
    graft_text_close(context, &csv);
}

/* Cubic convolution with a = −0.75 half way between two places: −3/32, 19/32, 19/32, −3/32; at the border the last place
 * stands for those behind it. */
static void position_embeddings(void **state)
{
    (void)state;
    static const float two[] = {5, 6, 1, 2, 3, 4, 7, 8, 9, 10}; /* a row before, then 2 × 2 places of 2 channels */
    static const float line[] = {1, 2, 4, 1, 2, 4, 1, 2, 4};    /* 3 × 3 places of one channel */
    float to[2 + 9 * 2], wide[3 * 5];
    graft_layout_resample(two, 1, 2, 2, to, 3, 3);
    assert_true(to[0] == 5 && to[1] == 6);
    assert_true(to[2] == 1 && to[3] == 2 && to[2 + 2 * 2] == 3 && to[2 + 8 * 2] == 9);
    assert_true(to[2 + 4 * 2] == 5 && to[2 + 4 * 2 + 1] == 6); /* the middle is the mean of all */
    graft_layout_resample(line, 0, 3, 1, wide, 3, 5);
    for (int y = 0; y < 3; ++y) {
        assert_true(wide[5 * y] == 1 && wide[5 * y + 2] == 2 && wide[5 * y + 4] == 4);
        assert_true(fabsf(wide[5 * y + 1] - (1 * 16 + 2 * 19 - 4 * 3) / 32.0f) < 1e-6f);
        assert_true(fabsf(wide[5 * y + 3] - (4 * 16 + 2 * 19 - 1 * 3) / 32.0f) < 1e-6f);
    }
    graft_layout_resample(line, 0, 3, 1, wide, 1, 1); /* one place: the first one, as align_corners has it */
    assert_true(wide[0] == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(position_embeddings),
        cmocka_unit_test_setup_teardown(a_set_keeps_order_and_finds_names, test_open_context,
                                        test_close_context),
        cmocka_unit_test(halves_are_widened_exactly),
        cmocka_unit_test(floats_are_rounded_to_halves),
        cmocka_unit_test_setup_teardown(layouts_are_turned_and_turned_back, test_open_context,
                                        test_close_context),
        cmocka_unit_test_setup_teardown(numpy_files_are_as_numpy_writes_them, test_open_context,
                                        test_close_context),
        cmocka_unit_test_setup_teardown(numpy_headers_are_checked, test_open_context, test_close_context),
        cmocka_unit_test(damaged_numpy_files_are_survived),
        cmocka_unit_test(every_failing_allocation_is_reported),
        cmocka_unit_test_setup_teardown(csv_fields_are_quoted_where_needed, test_open_context,
                                        test_close_context),
    };
    return cmocka_run_group_tests_name("io", tests, NULL, NULL);
}
