/* SPDX-License-Identifier: MIT */
/*
 * HDF5 as Keras needs it: a file made here byte by byte (headers of version 2, links, fixed texts; storage in
 * one piece or in deflated, shuffled chunks), files to refuse, files with random damage. What h5py writes
 * (symbol tables, the global heap) is tested with the files of the test data: see tests/model/keras_test.c.
 */
#include "base/random.h"
#include "io/hdf5_file.h"
#include "io/keras.h"
#include "support/support.h"

#include "parse_damaged.h"

#include <archive.h>
#include <archive_entry.h>
#include <zlib.h>

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

static void put_number(struct bytes *bytes, uint64_t number, int size)
{
    for (int i = 0; i < size; i++) {
        const uint8_t byte = (uint8_t)(i < 8 ? number >> (8 * i) : 0);
        put(bytes, &byte, 1);
    }
}

/* Type, size, flags; then the message. */
static void put_message(struct bytes *header, int type, const struct bytes *message)
{
    put_number(header, (uint64_t)type, 1);
    put_number(header, message->size, 2);
    put_number(header, 0, 1);
    put(header, message->data, message->size);
}

/* OHDR with 4 bytes for its size, and a checksum that nobody looks at. Returns its address. */
static uint64_t put_header(struct bytes *file, const struct bytes *messages)
{
    const uint64_t address = file->size;
    put(file, "OHDR\2\2", 6);
    put_number(file, messages->size, 4);
    put(file, messages->data, messages->size);
    put_number(file, 0, 4);
    return address;
}

static void put_link(struct bytes *messages, const char *name, uint64_t address)
{
    struct bytes link = {.size = 0};
    put_number(&link, 1, 1);
    put_number(&link, 0, 1);
    put_number(&link, strlen(name), 1);
    put(&link, name, strlen(name));
    put_number(&link, address, 8);
    put_message(messages, GRAFT_HDF5_LINK, &link);
}

static void put_space(struct bytes *space, const int *sizes, int rank)
{
    put_number(space, 2, 1);
    put_number(space, (uint64_t)rank, 1);
    put_number(space, 0, 1);
    put_number(space, rank > 0, 1);
    for (int i = 0; i < rank; i++) {
        put_number(space, (uint64_t)sizes[i], 8);
    }
}

/* An attribute of version 3: a list of one text of fixed length. */
static void put_text_attribute(struct bytes *messages, const char *name, const char *text)
{
    struct bytes attribute = {.size = 0}, space = {.size = 0};
    put_space(&space, (const int[1]){1}, 1);
    put_number(&attribute, 3, 1);
    put_number(&attribute, 0, 1);
    put_number(&attribute, strlen(name) + 1, 2);
    put_number(&attribute, 8, 2);
    put_number(&attribute, space.size, 2);
    put_number(&attribute, 0, 1);
    put(&attribute, name, strlen(name) + 1);
    put_number(&attribute, 0x13, 1); /* version 1, class 3 */
    put_number(&attribute, 1, 3);    /* padded with zeros */
    put_number(&attribute, strlen(text), 4);
    put(&attribute, space.data, space.size);
    put(&attribute, text, strlen(text));
    put_message(messages, GRAFT_HDF5_ATTRIBUTE, &attribute);
}

static const float values[6] = {1, -2, 3, 0.5f, 65504, -0.25f};

static void put_type_and_space(struct bytes *messages)
{
    struct bytes type = {.size = 0}, space = {.size = 0};
    put_number(&type, 0x11, 1); /* version 1, class 1: a real number, little-endian */
    put_number(&type, 0x201f00 & 0xfffffe, 3);
    put_number(&type, 4, 4);
    put_number(&type, 0, 12);
    put_space(&space, (const int[2]){2, 3}, 2);
    put_message(messages, GRAFT_HDF5_DATATYPE, &type);
    put_message(messages, GRAFT_HDF5_DATASPACE, &space);
}

/* `stored` bytes are said to be there. */
static uint64_t put_bytes(struct bytes *file, uint64_t stored)
{
    struct bytes messages = {.size = 0}, layout = {.size = 0};
    const uint64_t address = file->size;
    put(file, values, sizeof values);
    put_type_and_space(&messages);
    put_number(&layout, 3, 1);
    put_number(&layout, 1, 1);
    put_number(&layout, address, 8);
    put_number(&layout, stored, 8);
    put_message(&messages, GRAFT_HDF5_LAYOUT, &layout);
    return put_header(file, &messages);
}

static uint64_t put_contiguous(struct bytes *file)
{
    return put_bytes(file, sizeof values);
}

static uint64_t put_too_little(struct bytes *file)
{
    return put_bytes(file, sizeof values - 1);
}

/* Chunks of 2 x 2: the second one reaches beyond the array. Shuffled, then deflated. */
static uint64_t put_chunked(struct bytes *file)
{
    uint64_t addresses[2], sizes[2];
    for (int c = 0; c < 2; c++) {
        uint8_t shuffled[16], packed[64];
        for (int i = 0; i < 4; i++) {
            const int column = 2 * c + i % 2;
            const float value = column < 3 ? values[i / 2 * 3 + column] : 0;
            uint8_t element[4];
            memcpy(element, &value, 4);
            for (int b = 0; b < 4; b++) {
                shuffled[b * 4 + i] = element[b];
            }
        }
        uLongf length = sizeof packed;
        assert_int_equal(compress(packed, &length, shuffled, sizeof shuffled), Z_OK);
        addresses[c] = file->size;
        sizes[c] = length;
        put(file, packed, length);
    }
    const uint64_t tree = file->size;
    put(file, "TREE\1\0", 6);
    put_number(file, 2, 2);
    put_number(file, UINT64_MAX, 8);
    put_number(file, UINT64_MAX, 8);
    for (int c = 0; c < 2; c++) {
        put_number(file, sizes[c], 4);
        put_number(file, 0, 4);
        put_number(file, 0, 8);
        put_number(file, 2 * (uint64_t)c, 8);
        put_number(file, 0, 8);
        put_number(file, addresses[c], 8);
    }
    struct bytes messages = {.size = 0}, layout = {.size = 0}, filters = {.size = 0};
    put_type_and_space(&messages);
    put_number(&filters, 2, 1);
    put_number(&filters, 2, 1);
    for (uint64_t id = 2; id >= 1; id--) { /* shuffle, deflate */
        put_number(&filters, id, 2);
        put_number(&filters, 0, 2);
        put_number(&filters, 1, 2);
        put_number(&filters, id == 2 ? 4 : 6, 4);
    }
    put_message(&messages, GRAFT_HDF5_FILTERS, &filters);
    put_number(&layout, 3, 1);
    put_number(&layout, 2, 1);
    put_number(&layout, 3, 1);
    put_number(&layout, tree, 8);
    put_number(&layout, 2, 4);
    put_number(&layout, 2, 4);
    put_number(&layout, 4, 4);
    put_message(&messages, GRAFT_HDF5_LAYOUT, &layout);
    return put_header(file, &messages);
}

/* One layer "d" with one weight "d/kernel:0" [2, 3], as weights in Keras' older form; with a scope: within
 * "s/". */
static void make_scoped_file(struct bytes *file, uint64_t (*put_data)(struct bytes *file), bool scoped)
{
    struct bytes inner = {.size = 0}, scope = {.size = 0}, layer = {.size = 0}, root = {.size = 0};
    file->size = 0;
    put(file, "\x89HDF\r\n\x1a\n\2\x08\x08\0", 12);
    put_number(file, 0, 8);
    put_number(file, UINT64_MAX, 8);
    put_number(file, 0, 8);
    put_number(file, 0, 8); /* the root's address, below */
    put_number(file, 0, 4);
    put_link(&inner, "kernel:0", put_data(file));
    put_text_attribute(&layer, "weight_names", scoped ? "s/d/kernel:0" : "d/kernel:0");
    put_link(&scope, "d", put_header(file, &inner));
    if (scoped)
        put_link(&layer, "s", put_header(file, &scope));
    else
        put(&layer, (const char *)scope.data, scope.size);
    put_text_attribute(&root, "layer_names", "d");
    put_link(&root, "d", put_header(file, &layer));
    const uint64_t address = put_header(file, &root);
    memcpy(file->data + 36, &address, 8);
}

static void make_file(struct bytes *file, uint64_t (*put_data)(struct bytes *file))
{
    make_scoped_file(file, put_data, false);
}

static void check_file(struct graft_context *context, const struct bytes *file)
{
    struct graft_tensor_set *set = NULL;
    if (graft_keras_parse(context, "made.h5", file->data, file->size, &set) != GRAFT_OK) {
        fail_msg("%s", graft_context_error(context));
    }
    const struct graft_named_tensor *const tensor = graft_tensor_set_find(set, "d/kernel");
    assert_non_null(tensor);
    assert_int_equal(tensor->desc.shape.rank, 2);
    assert_int_equal(tensor->desc.shape.dim[1], 3);
    assert_memory_equal(tensor->data, values, sizeof values);
    assert_string_equal(graft_tensor_set_text(set, GRAFT_KEY_CONVENTION), "keras");
    graft_tensor_set_close(&set);
}

static void weights_are_read_from_each_storage(void **state)
{
    static struct bytes file;
    make_file(&file, put_contiguous);
    check_file(*state, &file);
    make_file(&file, put_chunked);
    check_file(*state, &file);
    make_scoped_file(&file, put_contiguous, true);
    check_file(*state, &file);
}

static void what_is_wrong_is_said(void **state)
{
    struct graft_context *const context = *state;
    static struct bytes file;
    struct graft_tensor_set *set = NULL;
    make_file(&file, put_contiguous);
    file.data[8] = 9;
    assert_int_equal(graft_keras_parse(context, "made.h5", file.data, file.size, &set),
                     GRAFT_ERROR_UNSUPPORTED);
    assert_non_null(strstr(graft_context_error(context), "superblock of version 9"));
    make_file(&file, put_contiguous);
    assert_int_equal(graft_keras_parse(context, "made.h5", file.data, file.size - 40, &set),
                     GRAFT_ERROR_FORMAT);
    make_file(&file, put_contiguous);
    memcpy(memmem(file.data, file.size, "layer_names", 11), "lauer_names", 11);
    assert_int_equal(graft_keras_parse(context, "made.h5", file.data, file.size, &set), GRAFT_ERROR_FORMAT);
    assert_non_null(strstr(graft_context_error(context), "names no layers"));
    make_file(&file, put_too_little);
    assert_int_equal(graft_keras_parse(context, "made.h5", file.data, file.size, &set), GRAFT_ERROR_FORMAT);
    assert_non_null(strstr(graft_context_error(context), "announces more than is stored"));
    /* A group that is its own member ends all the same. */
    make_file(&file, put_contiguous);
    const uint64_t root = file.data[36] | (uint64_t)file.data[37] << 8;
    uint8_t *const link = memmem(file.data + root, file.size - root, "\1\0\1d", 4);
    assert_non_null(link);
    memcpy(link + 4, &root, 8);
    assert_int_equal(graft_keras_parse(context, "made.h5", file.data, file.size, &set), GRAFT_ERROR_FORMAT);
    assert_null(set);
}

/* A network that is its own member, as fuzzing made one: the refusal names the file. */
static void networks_within_networks_end(void **state)
{
    struct graft_context *const context = *state;
    static struct bytes file;
    struct bytes inner = {.size = 0}, root = {.size = 0};
    struct graft_tensor_set *set = NULL;
    make_file(&file, put_contiguous);
    put_link(&inner, "layers", file.size);
    const uint64_t address = put_header(&file, &inner);
    put_link(&root, "layers", address);
    const uint64_t top = put_header(&file, &root);
    memcpy(file.data + 36, &top, 8);
    assert_int_equal(graft_keras_parse(context, "made.h5", file.data, file.size, &set), GRAFT_ERROR_FORMAT);
    assert_non_null(strstr(graft_context_error(context), "'made.h5'"));
    assert_non_null(strstr(graft_context_error(context), "too deep"));
    assert_null(set);
}

/* A group of links to what has been put before. */
static uint64_t put_group(struct bytes *file, struct bytes *messages, int count, const char *const *names,
                          const uint64_t *addresses)
{
    for (int i = 0; i < count; i++) {
        put_link(messages, names[i], addresses[i]);
    }
    return put_header(file, messages);
}

static void check_names(struct graft_context *context, struct bytes *file, uint64_t root, size_t count,
                        const char *const *names)
{
    struct graft_tensor_set *set = NULL;
    memcpy(file->data + 36, &root, 8);
    if (graft_keras_parse(context, "made.h5", file->data, file->size, &set) != GRAFT_OK) {
        fail_msg("%s", graft_context_error(context));
    }
    assert_int_equal(graft_tensor_set_count(set), count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(graft_tensor_set_at(set, i)->name, names[i]);
    }
    graft_tensor_set_close(&set);
}

/* A network as a layer of another has layers of names that are taken: in the older form they begin with the
 * outer layer's, in the newer one they are named by their place. A normalization of three variables has no
 * gamma. */
static void layers_of_one_name_are_kept_apart(void **state)
{
    static const char *const older[] = {"d/kernel", "e/d/kernel"};
    static const char *const newer[] = {"batch_normalization/beta",
                                        "batch_normalization/moving_mean",
                                        "batch_normalization/moving_variance",
                                        "layers/functional/layers/batch_normalization/beta",
                                        "layers/functional/layers/batch_normalization/moving_mean",
                                        "layers/functional/layers/batch_normalization/moving_variance"};
    static struct bytes file;
    struct bytes inner = {.size = 0}, layer = {.size = 0}, root = {.size = 0};
    make_file(&file, put_contiguous);
    const uint64_t data = put_contiguous(&file);
    put_text_attribute(&layer, "weight_names", "d/kernel:0");
    const uint64_t d = put_group(&file, &inner, 1, (const char *[]){"kernel:0"}, &data);
    const uint64_t both = put_group(&file, &layer, 1, (const char *[]){"d"}, &d);
    put_text_attribute(&root, "layer_names0", "d");
    put_text_attribute(&root, "layer_names1", "e");
    check_names(*state, &file,
                put_group(&file, &root, 2, (const char *[]){"d", "e"}, (const uint64_t[]){both, both}), 2,
                older);

    struct bytes groups[5] = {{.size = 0}};
    make_file(&file, put_contiguous);
    const uint64_t number = put_contiguous(&file);
    const uint64_t variables = put_group(&file, &groups[0], 3, (const char *[]){"0", "1", "2"},
                                         (const uint64_t[]){number, number, number});
    const uint64_t normalization = put_group(&file, &groups[1], 1, (const char *[]){"vars"}, &variables);
    const uint64_t within =
        put_group(&file, &groups[2], 1, (const char *[]){"batch_normalization"}, &normalization);
    const uint64_t functional = put_group(&file, &groups[3], 1, (const char *[]){"layers"}, &within);
    const uint64_t layers =
        put_group(&file, &groups[4], 2, (const char *[]){"batch_normalization", "functional"},
                  (const uint64_t[]){normalization, functional});
    root.size = 0;
    check_names(*state, &file, put_group(&file, &root, 1, (const char *[]){"layers"}, &layers), 6, newer);

    /* Three layers of one name in one group: the refusal names the file; fuzzing found that it did not. */
    struct graft_tensor_set *set = NULL;
    groups[4].size = root.size = 0;
    const uint64_t same = put_group(&file, &groups[4], 3, (const char *[]){"dense", "dense", "dense"},
                                    (const uint64_t[]){normalization, normalization, normalization});
    const uint64_t top = put_group(&file, &root, 1, (const char *[]){"layers"}, &same);
    memcpy(file.data + 36, &top, 8);
    assert_int_equal(graft_keras_parse(*state, "made.h5", file.data, file.size, &set), GRAFT_ERROR_FORMAT);
    assert_non_null(strstr(graft_context_error(*state), "'made.h5'"));
    assert_non_null(strstr(graft_context_error(*state), "layers/dense/"));
}

static void add_member(struct archive *archive, const char *name, const void *data, size_t size)
{
    struct archive_entry *const entry = archive_entry_new();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_size(entry, (int64_t)size);
    archive_entry_set_filetype(entry, AE_IFREG);
    assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
    assert_int_equal(archive_write_data(archive, data, size), (la_ssize_t)size);
    archive_entry_free(entry);
}

/* .keras: a config.json that is none. */
static void an_archive_with_a_damaged_config_is_named(void **state)
{
    struct graft_context *const context = *state;
    static struct bytes file, zip;
    struct graft_tensor_set *set = NULL;
    struct archive *const archive = archive_write_new();
    make_file(&file, put_contiguous);
    assert_int_equal(archive_write_set_format_zip(archive), ARCHIVE_OK);
    assert_int_equal(archive_write_open_memory(archive, zip.data, sizeof zip.data, &zip.size), ARCHIVE_OK);
    add_member(archive, "config.json", "{\"config\":\n[1,,]}", 18);
    add_member(archive, "model.weights.h5", file.data, file.size);
    assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
    archive_write_free(archive);
    assert_int_equal(graft_keras_parse_zip(context, "made.keras", zip.data, zip.size, &set),
                     GRAFT_ERROR_FORMAT);
    assert_non_null(
        strstr(graft_context_error(context), "'made.keras' is damaged: config.json in it, line 2: "));
    assert_null(set);
}

static void every_failing_allocation_is_reported(void **state)
{
    static struct bytes file;
    (void)state;
    make_file(&file, put_chunked);
    enum graft_status status = GRAFT_ERROR_MEMORY;
    long at = 0;
    for (; status != GRAFT_OK; at++) {
        struct test_memory memory;
        const struct graft_context_options options = test_memory_options(&memory, -1);
        struct graft_context *context = NULL;
        struct graft_tensor_set *set = NULL;
        assert_int_equal(graft_context_open(&options, &context), GRAFT_OK);
        memory.fail_at = atomic_load(&memory.uses) + at;
        status = graft_keras_parse(context, "made.h5", file.data, file.size, &set);
        assert_true(status == GRAFT_OK || status == GRAFT_ERROR_MEMORY);
        graft_tensor_set_close(&set);
        graft_context_close(&context);
        assert_int_equal(memory.alive, 0);
    }
    assert_true(at > 10);
}

static uint8_t often_ones(struct graft_random *random, uint8_t byte)
{
    (void)byte;
    return graft_random_below(random, 3) == 0 ? 0xff : (uint8_t)graft_random_u32(random);
}

static void random_damage_is_survived(void **state)
{
    static struct bytes files[2];
    struct test_memory memory;
    const struct graft_context_options options = test_memory_options(&memory, -1);
    struct graft_context *context = NULL;
    (void)state;
    assert_int_equal(graft_context_open(&options, &context), GRAFT_OK);
    make_file(&files[0], put_contiguous);
    make_file(&files[1], put_chunked);
    test_seed(files[0].data, files[0].size);
    test_seed(files[1].data, files[1].size);
    struct damage_trial trial = {
        .context = context, .memory = &memory, .parse = graft_keras_parse, .change = often_ones};
    graft_random_start(&trial.random, 5, 5);
    for (int round = 0; round < 40000; round++) {
        const struct bytes *const whole = &files[round % 2];
        parse_damaged(&trial, whole->data,
                      round % 8 < 2 ? graft_random_below(&trial.random, (uint32_t)whole->size) : whole->size);
    }
    assert_true(trial.refused > 5000 && trial.read > 5000);
    assert_true(memory.largest < 1 << 22);
    graft_context_close(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(weights_are_read_from_each_storage, test_open_context,
                                        test_close_context),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_said, test_open_context, test_close_context),
        cmocka_unit_test_setup_teardown(networks_within_networks_end, test_open_context, test_close_context),
        cmocka_unit_test_setup_teardown(layers_of_one_name_are_kept_apart, test_open_context,
                                        test_close_context),
        cmocka_unit_test_setup_teardown(an_archive_with_a_damaged_config_is_named, test_open_context,
                                        test_close_context),
        cmocka_unit_test(every_failing_allocation_is_reported),
        cmocka_unit_test(random_damage_is_survived),
    };
    return cmocka_run_group_tests_name("hdf5", tests, NULL, NULL);
}
