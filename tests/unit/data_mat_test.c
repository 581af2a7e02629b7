/* SPDX-License-Identifier: MIT */
/*
 * Lists in MATLAB's level 5 files, written as MathWorks' "MAT-File Format" describes them: Oxford Flowers 102, and the
 * development kit of ImageNet.
 */
#include "data_lists.h"

#include <zlib.h>

static size_t put_word(uint8_t *at, uint32_t word)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(word >> 8 * i);
    }
    return 4;
}

/* Flags, dimensions 1 × count and the name of a matrix at `at`; its length is filled in at its end. */
static uint8_t *begin_matrix(uint8_t *at, uint8_t kind, uint32_t count, const char *name)
{
    const uint32_t words[] = {14, 0, 6, 8, kind, 0, 5, 8, 1, count, 1, (uint32_t)strlen(name)};
    const size_t padded = (strlen(name) + 7) / 8 * 8;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        at += put_word(at, words[i]);
    }
    memset(at, 0, padded);
    memcpy(at, name, strlen(name));
    return at + padded;
}

static uint8_t *add_values(uint8_t *at, uint32_t type, const void *values, uint32_t size)
{
    at += put_word(at, type);
    at += put_word(at, size);
    memset(at, 0, (size + 7) / 8 * 8);
    memcpy(at, values, size);
    return at + (size + 7) / 8 * 8;
}

/* A matrix of one row, of class double or another; its values lie as u8, whatever the class: what MATLAB does with
 * small ones. Returns its length. */
static size_t put_matrix(uint8_t *data, const char *name, uint8_t kind, const uint8_t *values, uint32_t count)
{
    const uint8_t *const end = add_values(begin_matrix(data, kind, count, name), 2, values, count);
    put_word(data + 4, (uint32_t)(end - data - 8));
    return (size_t)(end - data);
}

struct mat_file {
    uint8_t bytes[4096];
    size_t size;
};

static void begin_mat(struct mat_file *mat)
{
    memset(mat->bytes, ' ', 116);
    memcpy(mat->bytes, "MATLAB 5.0 MAT-file", 19);
    memset(mat->bytes + 116, 0, 8);
    memcpy(mat->bytes + 124, "\0\1IM", 4);
    mat->size = 128;
}

enum { DOUBLE_CLASS = 6, BYTE_CLASS = 9, CHAR_CLASS = 4 };

static void add_matrix(struct mat_file *mat, const char *name, uint8_t kind, bool packed, const char *values)
{
    uint8_t plain[1024];
    const size_t size = put_matrix(plain, name, kind, (const uint8_t *)values, (uint32_t)strlen(values));
    uLongf length = sizeof mat->bytes - mat->size - 8;
    if (packed) {
        assert_int_equal(compress(mat->bytes + mat->size + 8, &length, plain, size), Z_OK);
        put_word(mat->bytes + mat->size, 15);
        put_word(mat->bytes + mat->size + 4, (uint32_t)length);
        mat->size += 8 + length;
    } else {
        memcpy(mat->bytes + mat->size, plain, size);
        mat->size += size;
    }
}

static void put_labels(const struct fixture *f, uint8_t kind, bool packed, const char *labels)
{
    struct mat_file mat;
    begin_mat(&mat);
    add_matrix(&mat, "labels", kind, packed, labels);
    put(f, "flowers/imagelabels.mat", mat.bytes, mat.size);
}

static void put_parts(const struct fixture *f, bool packed, const char *train, const char *val, const char *test)
{
    struct mat_file mat;
    begin_mat(&mat);
    add_matrix(&mat, "trnid", DOUBLE_CLASS, packed, train);
    add_matrix(&mat, "valid", BYTE_CLASS, packed, val);
    add_matrix(&mat, "tstid", DOUBLE_CLASS, packed, test);
    put(f, "flowers/setid.mat", mat.bytes, mat.size);
}

static void put_flowers(const struct fixture *f, const char *folder)
{
    for (int i = 1; i <= 8; i++) {
        char path[64];
        snprintf(path, sizeof path, "%s/image_%05d.jpg", folder, i);
        put_picture(f, path);
    }
}

#ifdef GRAFT_HAVE_MATIO
/* meta.mat of ImageNet's development kit: an array of structures. */
static size_t make_meta(uint8_t *data, const char *const *ids, int count)
{
    static const char fields[64] = "ILSVRC2012_ID\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0WNID";
    uint8_t *at = begin_matrix(data, 2, (uint32_t)count, "synsets");
    at += put_word(at, 4 << 16 | 5); /* a small element: length of a field's name */
    at += put_word(at, 32);
    at = add_values(at, 1, fields, 64);
    for (int i = 0; i < count; i++) {
        const uint8_t number = (uint8_t)(i + 1);
        uint16_t letters[16];
        for (size_t c = 0; c < strlen(ids[i]); c++) {
            letters[c] = (uint16_t)ids[i][c];
        }
        uint8_t *one = at;
        at = add_values(begin_matrix(one, DOUBLE_CLASS, 1, ""), 2, &number, 1);
        put_word(one + 4, (uint32_t)(at - one - 8));
        one = at;
        at = add_values(begin_matrix(one, CHAR_CLASS, (uint32_t)strlen(ids[i]), ""), 4, letters,
                        2 * (uint32_t)strlen(ids[i]));
        put_word(one + 4, (uint32_t)(at - one - 8));
    }
    put_word(data + 4, (uint32_t)(at - data - 8));
    return (size_t)(at - data);
}

static void the_development_kit_numbers_its_classes(void **state)
{
    struct fixture *const f = *state;
    static const char *const ids[] = {"n01443537", "n01440764"};
    struct mat_file mat;
    put_imagenet(f, "kit");
    put_text(f, "kit/devkit/data/ILSVRC2012_validation_ground_truth.txt", "2\n1\n");
    begin_mat(&mat);
    mat.size += make_meta(mat.bytes + mat.size, ids, 2);
    put(f, "kit/devkit/data/meta.mat", mat.bytes, mat.size);
    expect(f, "kit", USUAL, LISTS, "train/n01440764=1 train/n01443537=2 val/n01440764=1 val/n01443537=1");
    for (size_t size = 130; size < mat.size; size += 3) { /* cut anywhere */
        put(f, "kit/devkit/data/meta.mat", mat.bytes, size);
        expect_refusal(f, "kit", NULL, GRAFT_ERROR_FORMAT, "");
    }
}

/* 8 pictures: classes 1 and 2 and, of two digits, 12. */
static void flowers_are_read_from_their_matlab_files(void **state)
{
    struct fixture *const f = *state;
    put_flowers(f, "flowers/jpg");
    put_labels(f, DOUBLE_CLASS, true, "\1\1\1\2\2\2\14\14");
    put_parts(f, true, "\1\4\7", "\2\5", "\3\6\10");
    expect(f, "flowers", USUAL, LISTS,
           "train/01=1 train/02=1 train/12=1 val/01=1 val/02=1 test/01=1 test/02=1 test/12=1");
    assert_non_null(strstr(f->log, "Oxford Flowers 102; 3 classes"));
    expect(f, "flowers", WITH(.parts = "train=test,val=train+val"), LISTS,
           "train/01=1 train/02=1 train/12=1 val/01=2 val/02=2 val/12=1");
    put_labels(f, BYTE_CLASS, false, "\1\1\1\2\2\2\14\14");
    put_parts(f, false, "\1\4\7", "\2\5", "\3\6\10");
    put_text(f, "flowers/cat_to_name.json", "{\"1\": \"pink primrose\", \"2\": \"hard-leaved pocket orchid\"}");
    expect(f, "flowers", USUAL, LISTS,
           "train/12=1 train/hard-leaved pocket orchid=1 train/pink primrose=1 val/hard-leaved pocket orchid=1 "
           "val/pink primrose=1 test/12=1 test/hard-leaved pocket orchid=1 test/pink primrose=1");
    remove(path_in(f, "flowers/cat_to_name.json", (char[512]){0}));
    /* the archive as it is published, beside the two files */
    static const char *const names[] = {"flowers/jpg/image_00001.jpg", "flowers/jpg/image_00002.jpg",
                                        "flowers/jpg/image_00003.jpg", "flowers/jpg/image_00004.jpg",
                                        "flowers/jpg/image_00005.jpg", "flowers/jpg/image_00006.jpg",
                                        "flowers/jpg/image_00007.jpg", "flowers/jpg/image_00008.jpg"};
    pack(f, names, 8, "", "flowers/102flowers.tgz", false, true);
    for (int i = 0; i < 8; i++) {
        remove(path_in(f, names[i], (char[512]){0}));
    }
    remove(path_in(f, "flowers/jpg", (char[512]){0}));
    expect(f, "flowers", USUAL, LISTS,
           "train/01=1 train/02=1 train/12=1 val/01=1 val/02=1 test/01=1 test/02=1 test/12=1");
    remove(path_in(f, "flowers/setid.mat", (char[512]){0}));
    expect(f, "flowers", USUAL, LISTS, "train/01=3 train/02=3 train/12=2");
}

static void damaged_matlab_files_are_named(void **state)
{
    struct fixture *const f = *state;
    struct mat_file mat;
    put_flowers(f, "flowers/jpg");
    put_labels(f, DOUBLE_CLASS, true, "\1\1\1\2\2\2\3\3");
    put_parts(f, true, "\1\4\11", "\2", "\3");
    expect_refusal(f, "flowers", NULL, GRAFT_ERROR_FORMAT,
                   "setid.mat, trnid(3): picture 9 lies beyond the 8 labels of imagelabels.mat");
    put_parts(f, true, "\1\4\7", "\2\1", "\3");
    expect_refusal(f, "flowers", NULL, GRAFT_ERROR_FORMAT, "setid.mat, valid(2): jpg/image_00001.jpg stands in the lists twice");
    put_labels(f, DOUBLE_CLASS, true, "\1\1\1\2\2\2\3\3\3");
    put_parts(f, true, "\1\4\11", "\2", "\3");
    expect_refusal(f, "flowers", NULL, GRAFT_ERROR_FORMAT, "setid.mat, trnid(3): there is no picture jpg/image_00009.jpg");
    put_labels(f, CHAR_CLASS, false, "abc");
    expect_refusal(f, "flowers", NULL, GRAFT_ERROR_FORMAT, "'labels' is no row or column of numbers");
    begin_mat(&mat);
    add_matrix(&mat, "label", DOUBLE_CLASS, true, "\1\2");
    put(f, "flowers/imagelabels.mat", mat.bytes, mat.size);
    expect_refusal(f, "flowers", NULL, GRAFT_ERROR_FORMAT, "has no variable 'labels' that can be read; it has label");
    put(f, "flowers/imagelabels.mat", "no such file at all", 19);
    expect_refusal(f, "flowers", NULL, GRAFT_ERROR_FORMAT, "imagelabels.mat is no MATLAB file");
    /* wherever it is cut */
    begin_mat(&mat);
    add_matrix(&mat, "labels", DOUBLE_CLASS, true, "\1\1\1\2\2\2\3\3");
    for (size_t size = 0; size < mat.size; size += size < 128 ? 31 : 1) {
        put(f, "flowers/imagelabels.mat", mat.bytes, size);
        expect_refusal(f, "flowers", NULL, GRAFT_ERROR_FORMAT, "imagelabels.mat");
    }
}
#else
static void the_development_kit_numbers_its_classes(void **state)
{
    (void)state;
    skip();
}

static void flowers_are_read_from_their_matlab_files(void **state)
{
    struct fixture *const f = *state;
    put_flowers(f, "flowers/jpg");
    put_labels(f, DOUBLE_CLASS, true, "\1\1\1\2\2\2\3\3");
    put_parts(f, false, "\1", "\2", "\3");
    expect_refusal(f, "flowers", NULL, GRAFT_ERROR_UNSUPPORTED, "install libmatio-dev");
}

static void damaged_matlab_files_are_named(void **state)
{
    (void)state;
    skip();
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_development_kit_numbers_its_classes, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(flowers_are_read_from_their_matlab_files, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(damaged_matlab_files_are_named, open_fixture, close_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
