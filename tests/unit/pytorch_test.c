/* SPDX-License-Identifier: MIT */
/* PyTorch's files: pickles made here byte by byte in both containers, files that PyTorch wrote, files to
 * refuse, files with random damage. */
#include "base/random.h"
#include "base/text.h"
#include "graft/io.h"
#include "io/pytorch.h"
#include "support/support.h"

#include "parse_damaged.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <jansson.h>

/* Bytes that grow. */
struct bytes {
    uint8_t data[8192];
    size_t size;
};

static void put(struct bytes *bytes, const void *data, size_t size)
{
    assert_true(size <= sizeof bytes->data - bytes->size);
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

static void put_code(struct bytes *bytes, const char *codes)
{
    put(bytes, codes, strlen(codes));
}

/* BINUNICODE */
static void put_text(struct bytes *bytes, const char *text)
{
    const uint8_t head[5] = {'X', (uint8_t)strlen(text)};
    put(bytes, head, sizeof head);
    put_code(bytes, text);
}

/* BININT1 */
static void put_number(struct bytes *bytes, int number)
{
    const uint8_t code[2] = {'K', (uint8_t)number};
    put(bytes, code, sizeof code);
}

/* A tensor of rank 2 as torch.save writes it. */
static void put_tensor(struct bytes *bytes, const char *type, int elements, bool legacy, int offset,
                       const int size[2], const int stride[2])
{
    put_code(bytes, "ctorch._utils\n_rebuild_tensor_v2\n((");
    put_text(bytes, "storage");
    put_code(bytes, "ctorch\n");
    put_code(bytes, type);
    put_code(bytes, "\n");
    put_text(bytes, "0");
    put_text(bytes, "cpu");
    put_number(bytes, elements);
    put_code(bytes, legacy ? "NtQ" : "tQ");
    put_number(bytes, offset);
    put_number(bytes, size[0]);
    put_number(bytes, size[1]);
    put_code(bytes, "\x86");
    put_number(bytes, stride[0]);
    put_number(bytes, stride[1]);
    put_code(bytes, "\x86\x89"
                    "ccollections\nOrderedDict\n)RtR");
}

/* {"state_dict": {"a": [2, 3], "b": its transposed view}, "epoch": 3} */
static void put_checkpoint(struct bytes *bytes, const char *type, bool legacy)
{
    put_code(bytes, "\x80\x02}(");
    put_text(bytes, "state_dict");
    put_code(bytes, "}(");
    put_text(bytes, "a");
    put_tensor(bytes, type, 6, legacy, 0, (const int[2]){2, 3}, (const int[2]){3, 1});
    put_text(bytes, "b");
    put_tensor(bytes, type, 6, legacy, 0, (const int[2]){3, 2}, (const int[2]){1, 3});
    put_code(bytes, "u");
    put_text(bytes, "epoch");
    put_number(bytes, 3);
    put_code(bytes, "u.");
}

static const float values[6] = {0, 1, 2, 3, 4, 5};

static void make_legacy(struct bytes *file)
{
    static const uint8_t head[] = {0x80, 2,   0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50,
                                   0x19, '.', 0x80, 2,  'M',  0xe9, 3,    '.',  0x80, 2,    '}',  '.'};
    const uint8_t count[8] = {6};
    put(file, head, sizeof head);
    put_checkpoint(file, "FloatStorage", true);
    put_code(file, "\x80\x02](");
    put_text(file, "0");
    put_code(file, "e.");
    put(file, count, sizeof count);
    put(file, values, sizeof values);
}

static void add_member(struct archive *archive, const char *name, const void *data, size_t size)
{
    struct archive_entry *const entry = archive_entry_new();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_size(entry, (int64_t)size);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
    assert_int_equal(archive_write_data(archive, data, size), (la_ssize_t)size);
    archive_entry_free(entry);
}

static void make_zip(struct bytes *file, const struct bytes *pickle, const char *options)
{
    struct archive *const archive = archive_write_new();
    assert_int_equal(archive_write_set_format_zip(archive), ARCHIVE_OK);
    assert_int_equal(archive_write_set_options(archive, options), ARCHIVE_OK);
    assert_int_equal(archive_write_open_memory(archive, file->data, sizeof file->data, &file->size),
                     ARCHIVE_OK);
    add_member(archive, "net/data.pkl", pickle->data, pickle->size);
    add_member(archive, "net/byteorder", "little", 6);
    add_member(archive, "net/data/0", values, sizeof values);
    add_member(archive, "net/version", "3\n", 2);
    assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
    archive_write_free(archive);
}

/* The two tensors of put_checkpoint, by the definition of strides. */
static void check_checkpoint(struct graft_context *context, const struct bytes *file)
{
    struct graft_tensor_set *set = NULL;
    assert_int_equal(graft_pytorch_parse(context, "made.pth", file->data, file->size, &set), GRAFT_OK);
    assert_int_equal(graft_tensor_set_count(set), 2);
    const struct graft_named_tensor *const a = graft_tensor_set_find(set, "a"), *const b =
                                                                                    graft_tensor_set_find(
                                                                                        set, "b");
    assert_true(a && b);
    assert_memory_equal(a->data, values, sizeof values);
    assert_int_equal(b->desc.shape.dim[0], 3);
    for (int i = 0; i < 6; i++) {
        assert_true(((const float *)b->data)[i] == values[(i % 2) * 3 + i / 2]);
    }
    graft_tensor_set_close(&set);
}

static void both_containers_are_read(void **state)
{
    struct bytes pickle = {.size = 0}, legacy = {.size = 0};
    put_checkpoint(&pickle, "FloatStorage", false);
    make_legacy(&legacy);
    check_checkpoint(*state, &legacy);
    static const char *const options[] = {"compression=store", "compression=deflate"};
    for (int i = 0; i < 2; i++) {
        struct bytes zip = {.size = 0};
        make_zip(&zip, &pickle, options[i]);
        check_checkpoint(*state, &zip);
    }
}

/* What a file asks for that is no part of weights is named, and nothing of it is run. */
static void globals_are_refused_by_name(void **state)
{
    struct graft_context *const context = *state;
    static const struct {
        const char *pickle, *named;
    } cases[] = {
        {"\x80\x02"
         "cposix\nsystem\nX\1",
         "posix.system"},
        {"\x80\x02"
         "c__builtin__\neval\n.",
         "__builtin__.eval"},
        {"\x80\x02"
         "ctorch.nn.modules.linear\nLinear\n.",
         "whole module"},
        {"\x80\x02(i", "opcode 0x69"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bytes pickle = {.size = 0}, zip = {.size = 0};
        struct graft_tensor_set *set = NULL;
        put_code(&pickle, cases[i].pickle);
        make_zip(&zip, &pickle, "compression=store");
        assert_int_equal(graft_pytorch_parse(context, "made.pth", zip.data, zip.size, &set),
                         GRAFT_ERROR_UNSUPPORTED);
        assert_null(set);
        assert_non_null(strstr(graft_context_error(context), cases[i].named));
        assert_non_null(strstr(graft_context_error(context), "state_dict()"));
    }
}

/* Something is put at 0, and what never was at 5 is asked for. */
static void what_was_never_put_is_damage(void **state)
{
    struct graft_context *const context = *state;
    struct bytes pickle = {.size = 0}, zip = {.size = 0};
    struct graft_tensor_set *set = NULL;
    put(&pickle, "\x80\x02}q\0h\5.", 8);
    make_zip(&zip, &pickle, "compression=store");
    assert_int_equal(graft_pytorch_parse(context, "made.pth", zip.data, zip.size, &set), GRAFT_ERROR_FORMAT);
    assert_null(set);
    assert_non_null(strstr(graft_context_error(context), "memo 5 was never put"));
}

/* A tensor whose type or numbers are not ours is left out; the others are there. */
static void unreadable_tensors_are_left_out(void **state)
{
    static const struct {
        const char *type;
        size_t bytes; /* of an element */
    } cases[] = {{"ComplexFloatStorage", 8}, {"LongStorage", 8}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bytes pickle = {.size = 0};
        put_code(&pickle, "\x80\x02}(");
        put_text(&pickle, "odd");
        put_tensor(&pickle, cases[i].type, 3, false, 0, (const int[2]){1, 3}, (const int[2]){3, 1});
        put_code(&pickle, "u.");
        struct bytes zip = {.size = 0};
        struct graft_tensor_set *set = NULL;
        make_zip(&zip, &pickle, "compression=store"); /* 24 bytes: large numbers as i64 */
        assert_int_equal(graft_pytorch_parse(*state, "made.pth", zip.data, zip.size, &set), GRAFT_OK);
        assert_int_equal(graft_tensor_set_count(set), 0);
        graft_tensor_set_close(&set);
    }
}

static void every_failing_allocation_is_reported(void **state)
{
    (void)state;
    struct bytes pickle = {.size = 0}, files[2] = {{.size = 0}, {.size = 0}};
    put_checkpoint(&pickle, "FloatStorage", false);
    make_zip(&files[0], &pickle, "compression=deflate");
    make_legacy(&files[1]);
    for (int f = 0; f < 2; f++) {
        enum graft_status status = GRAFT_ERROR_MEMORY;
        long at = 0;
        for (; status != GRAFT_OK; at++) {
            struct test_memory memory;
            const struct graft_context_options options = test_memory_options(&memory, -1);
            struct graft_context *context = NULL;
            struct graft_tensor_set *set = NULL;
            assert_int_equal(graft_context_open(&options, &context), GRAFT_OK);
            memory.fail_at = atomic_load(&memory.uses) + at;
            status = graft_pytorch_parse(context, "made.pth", files[f].data, files[f].size, &set);
            assert_true(status == GRAFT_OK || status == GRAFT_ERROR_MEMORY);
            graft_tensor_set_close(&set);
            graft_context_close(&context);
            assert_int_equal(memory.alive, 0);
        }
        assert_true(at > 10);
    }
}

/* Found by fuzzing: an empty tuple before anything is on the stack (undefined, so red under tools/sanitize only). */
static void an_empty_tuple_may_come_first(void **state)
{
    static const uint8_t bytes[] = {0x80, 2, ')', '.'};
    struct graft_pickle pickle = {
        .context = *state, .path = "tuple.pkl", .data = bytes, .size = sizeof bytes};
    assert_int_equal(graft_pickle_read(&pickle), GRAFT_OK);
    assert_int_equal(graft_pickle_at(&pickle, pickle.result)->kind, GRAFT_PICKLE_TUPLE);
    assert_int_equal(graft_pickle_at(&pickle, pickle.result)->count, 0);
    graft_pickle_close(&pickle);
}

static uint8_t any_byte(struct graft_random *random, uint8_t byte)
{
    (void)byte;
    return (uint8_t)graft_random_u32(random);
}

/* Truncated at every byte, and with damaged bytes: an answer, no crash, nothing left behind. */
static void random_damage_is_survived(void **state)
{
    (void)state;
    struct test_memory memory;
    const struct graft_context_options options = test_memory_options(&memory, -1);
    struct graft_context *context = NULL;
    assert_int_equal(graft_context_open(&options, &context), GRAFT_OK);
    struct bytes pickle = {.size = 0}, files[2] = {{.size = 0}, {.size = 0}};
    put_checkpoint(&pickle, "FloatStorage", false);
    make_zip(&files[0], &pickle, "compression=store");
    make_legacy(&files[1]);
    test_seed(files[0].data, files[0].size);
    test_seed(files[1].data, files[1].size);
    struct damage_trial trial = {
        .context = context, .memory = &memory, .parse = graft_pytorch_parse, .change = any_byte};
    graft_random_start(&trial.random, 7, 7);
    for (int round = 0; round < 20000; round++) {
        const struct bytes *const whole = &files[round % 2];
        parse_damaged(&trial, whole->data,
                      round % 8 < 2 ? graft_random_below(&trial.random, (uint32_t)whole->size) : whole->size);
    }
    assert_true(trial.refused > 5000 && trial.read > 1000);
    assert_true(memory.largest < 1 << 20); /* a file of 1 KB does not make anybody take more */
    graft_context_close(&context);
}

/* ---- files that PyTorch wrote */

static double element(const struct graft_named_tensor *tensor, size_t i)
{
    switch (tensor->desc.dtype) {
    case GRAFT_DTYPE_F32:
        return (double)((const float *)tensor->data)[i];
    case GRAFT_DTYPE_I32:
        return ((const int32_t *)tensor->data)[i];
    default:
        return ((const uint8_t *)tensor->data)[i];
    }
}

static void check_tensor(const struct graft_tensor_set *set, const char *name, const json_t *expected)
{
    const struct graft_named_tensor *const tensor = graft_tensor_set_find(set, name);
    const json_t *const shape = json_object_get(expected, "shape"), *const numbers =
                                                                        json_object_get(expected, "values");
    assert_non_null(tensor);
    assert_int_equal(tensor->desc.shape.rank, json_array_size(shape));
    for (int d = 0; d < tensor->desc.shape.rank; d++) {
        assert_int_equal(tensor->desc.shape.dim[d], json_integer_value(json_array_get(shape, (size_t)d)));
    }
    assert_int_equal(graft_shape_count(&tensor->desc.shape), json_array_size(numbers));
    for (size_t i = 0; i < json_array_size(numbers); i++) {
        assert_true(element(tensor, i) == json_number_value(json_array_get(numbers, i)));
    }
}

/* tensors.json says what PyTorch reads from the files beside it; of nested ones the model's part is read. */
static void small_files_of_pytorch_are_read(void **state)
{
    struct graft_context *const context = *state;
    char path[512];
    if (test_data("weights/torch/tensors.json", path, sizeof path) == NULL) {
        skip();
        return;
    }
    json_t *const list = json_load_file(path, 0, NULL), *file = NULL, *expected = NULL;
    const char *name = NULL, *tensor = NULL;
    int checked = 0;
    json_object_foreach(list, name, file)
    {
        char member[128];
        struct graft_tensor_set *set = NULL;
        (void)snprintf(member, sizeof member, "weights/torch/%s", name);
        assert_non_null(test_data(member, path, sizeof path));
        assert_int_equal(graft_tensor_set_load(context, path, &set), GRAFT_OK);
        json_object_foreach(json_object_get(file, "tensors"), tensor, expected)
        {
            const char *const below = strncmp(tensor, "model/", 6) == 0 ? tensor + 6 : tensor;
            if (json_is_object(expected) && strchr(below, '/') == NULL) {
                check_tensor(set, below, expected);
                checked++;
            }
        }
        graft_tensor_set_close(&set);
    }
    json_decref(list);
    assert_true(checked >= 25);
}

static void files_to_refuse_are_refused(void **state)
{
    struct graft_context *const context = *state;
    char folder[512];
    if (test_data("weights/torch/refuse", folder, sizeof folder) == NULL) {
        skip();
        return;
    }
    DIR *const listing = opendir(folder);
    int refused = 0;
    for (const struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        char path[1024];
        struct graft_tensor_set *set = NULL;
        if (entry->d_name[0] == '.' || graft_text_ends(entry->d_name, ".json")) {
            continue;
        }
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        const enum graft_status status = graft_tensor_set_load(context, path, &set);
        assert_true(status == GRAFT_ERROR_FORMAT || status == GRAFT_ERROR_UNSUPPORTED);
        assert_null(set);
        assert_non_null(strstr(graft_context_error(context), entry->d_name));
        refused++;
    }
    closedir(listing);
    assert_true(refused >= 36);
    assert_int_equal(access("/tmp/graft-hostile-pickle-ran", F_OK), -1);
}

/* ---- what is written */

static void add(struct graft_tensor_set *set, const char *name, enum graft_dtype dtype,
                struct graft_shape shape)
{
    uint8_t data[512];
    const struct graft_desc desc = {dtype, shape};
    assert_true(graft_desc_bytes(&desc) <= sizeof data);
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i % 8 == 7 ? 63 : 37 * i + strlen(name)); /* no f64 is beyond f32 */
    }
    assert_int_equal(graft_tensor_set_add(set, name, &desc, data), GRAFT_OK);
}

/* All element types and ranks; names, texts and their bits come back, f64 rounded to f32. */
static void what_is_written_is_read(void **state)
{
    struct graft_context *const context = *state;
    struct graft_tensor_set *set = NULL, *again = NULL;
    const char path[] = "what_is_written_is_read.pth";
    assert_int_equal(graft_tensor_set_open(context, &set), GRAFT_OK);
    add(set, "layer.weight", GRAFT_DTYPE_F32, graft_shape_of(4, 2, 3, 2, 1));
    add(set, "scalar", GRAFT_DTYPE_F32, (struct graft_shape){.rank = 0});
    add(set, "empty", GRAFT_DTYPE_F32, graft_shape_of(2, 0, 70000));
    add(set, "wide", GRAFT_DTYPE_F64, graft_shape_of(2, 3, 4));
    add(set, "numbers", GRAFT_DTYPE_I32, graft_shape_of(1, 77));
    add(set, "bytes", GRAFT_DTYPE_U8, graft_shape_of(3, 1, 300, 1));
    add(set, "größe", GRAFT_DTYPE_U8, graft_shape_of(1, 1));
    assert_int_equal(graft_tensor_set_put_text(set, "graft.classes", "[\"ant\",\"bee\"]"), GRAFT_OK);
    assert_int_equal(graft_tensor_set_put_text(set, "format", "pt"), GRAFT_OK); /* stays behind */
    assert_int_equal(graft_pytorch_save(context, path, set), GRAFT_OK);
    assert_int_equal(graft_tensor_set_load(context, path, &again), GRAFT_OK);
    assert_int_equal(graft_tensor_set_count(again), graft_tensor_set_count(set));
    for (size_t i = 0; i < graft_tensor_set_count(set); i++) {
        const struct graft_named_tensor *const a = graft_tensor_set_at(set, i), *const b =
                                                                                    graft_tensor_set_at(again,
                                                                                                        i);
        const bool wide = a->desc.dtype == GRAFT_DTYPE_F64;
        assert_string_equal(a->name, b->name);
        assert_true(graft_shape_equal(&a->desc.shape, &b->desc.shape));
        assert_int_equal(b->desc.dtype, wide ? GRAFT_DTYPE_F32 : a->desc.dtype);
        for (int64_t k = 0; wide && k < 12; k++) {
            assert_true((float)((const double *)a->data)[k] == ((const float *)b->data)[k]);
        }
        assert_true(wide || memcmp(a->data, b->data, (size_t)graft_desc_bytes(&a->desc)) == 0);
    }
    assert_int_equal(graft_tensor_set_text_count(again), 1);
    assert_string_equal(graft_tensor_set_text(again, "graft.classes"), "[\"ant\",\"bee\"]");
    graft_tensor_set_close(&again);
    assert_int_equal(graft_tensor_set_put_text(set, "graft.bad", "\xff"), GRAFT_OK);
    assert_int_equal(graft_pytorch_save(context, path, set), GRAFT_ERROR_ARGUMENT);
    assert_non_null(strstr(graft_context_error(context), "graft.bad"));
    graft_tensor_set_close(&set);
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read, test_open_context, test_close_context),
        cmocka_unit_test_setup_teardown(both_containers_are_read, test_open_context, test_close_context),
        cmocka_unit_test_setup_teardown(globals_are_refused_by_name, test_open_context, test_close_context),
        cmocka_unit_test_setup_teardown(what_was_never_put_is_damage, test_open_context, test_close_context),
        cmocka_unit_test_setup_teardown(unreadable_tensors_are_left_out, test_open_context,
                                        test_close_context),
        cmocka_unit_test(every_failing_allocation_is_reported),
        cmocka_unit_test(random_damage_is_survived),
        cmocka_unit_test_setup_teardown(an_empty_tuple_may_come_first, test_open_context, test_close_context),
        cmocka_unit_test_setup_teardown(small_files_of_pytorch_are_read, test_open_context,
                                        test_close_context),
        cmocka_unit_test_setup_teardown(files_to_refuse_are_refused, test_open_context, test_close_context),
    };
    return cmocka_run_group_tests_name("pytorch", tests, NULL, NULL);
}
