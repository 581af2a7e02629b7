/* SPDX-License-Identifier: MIT */
/* Archives as people have them: links, members that are there twice, encrypted or damaged, names of all kinds. */
#include "data_fixture.h"

#include <archive.h>
#include <archive_entry.h>

enum form { TAR, TAR_GZIP, ZIP, ZIP_STORED };

struct maker {
    struct archive *archive;
    char path[512];
};

static struct maker begin(const struct fixture *f, const char *name, enum form form)
{
    struct maker maker = {.archive = archive_write_new()};
    path_in(f, name, maker.path);
    if (form == TAR || form == TAR_GZIP) {
        archive_write_set_format_gnutar(maker.archive);
        if (form == TAR_GZIP) {
            archive_write_add_filter_gzip(maker.archive);
        }
    } else {
        archive_write_set_format_zip(maker.archive);
        archive_write_set_format_option(maker.archive, "zip", "compression", form == ZIP ? "deflate" : "store");
    }
    assert_int_equal(archive_write_open_filename(maker.archive, maker.path), ARCHIVE_OK);
    return maker;
}

static void add(const struct maker *maker, const char *name, const void *data, size_t size)
{
    struct archive_entry *const entry = archive_entry_new();
    archive_entry_copy_pathname(entry, name);
    archive_entry_set_size(entry, (la_int64_t)size);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    assert_true(archive_write_header(maker->archive, entry) >= ARCHIVE_WARN);
    assert_int_equal(archive_write_data(maker->archive, data, size), size);
    archive_entry_free(entry);
}

static void add_picture(const struct maker *maker, const char *name)
{
    add(maker, name, jpeg_420, sizeof jpeg_420);
}

static void add_link(const struct maker *maker, const char *name, const char *target, bool hard)
{
    struct archive_entry *const entry = archive_entry_new();
    archive_entry_copy_pathname(entry, name);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_filetype(entry, hard ? AE_IFREG : AE_IFLNK);
    if (hard) {
        archive_entry_copy_hardlink(entry, target);
    } else {
        archive_entry_copy_symlink(entry, target);
    }
    archive_entry_unset_size(entry);
    assert_true(archive_write_header(maker->archive, entry) >= ARCHIVE_WARN);
    archive_entry_free(entry);
}

static void end(const struct maker *maker)
{
    assert_int_equal(archive_write_close(maker->archive), ARCHIVE_OK);
    archive_write_free(maker->archive);
}

/* All pictures decode. */
static void expect_good(const struct fixture *f, const struct graft_dataset *set)
{
    for (int split = 0; split < GRAFT_SPLIT_COUNT; split++) {
        for (int64_t i = 0; i < graft_dataset_count(set, (enum graft_split)split); i++) {
            struct graft_image image;
            if (graft_dataset_read(set, (enum graft_split)split, i, NULL, &image) != GRAFT_OK) {
                fail_msg("%s", graft_context_error(f->context));
            }
            assert_int_equal(image.width, 22);
            graft_image_close(f->context, &image);
        }
    }
}

/* `cp -rl` and `ln -s`: a part that is nothing but links. */
static void links_are_followed(void **state)
{
    struct fixture *const f = *state;
    for (enum form form = TAR; form <= TAR_GZIP; form++) {
        const struct maker maker = begin(f, "set.tar", form);
        add_picture(&maker, "set/train/a/0.jpg");
        add_picture(&maker, "set/train/a/1.jpg");
        add_picture(&maker, "set/train/b/0.jpg");
        add_picture(&maker, "set/store/x/7.jpg");
        add_link(&maker, "set/val/a/9.jpg", "set/train/a/1.jpg", true);
        add_link(&maker, "set/val/b/9.jpg", "./set/train/b/0.jpg", true);
        add_link(&maker, "set/test/a", "../train/a", false);
        add_link(&maker, "set/test/b/here.jpg", "../../train/b/./0.jpg", false);
        add_link(&maker, "set/test/b/again.jpg", "here.jpg", false); /* to a link */
        add_link(&maker, "set/train/b/more", "../../store/x", false);
        add_link(&maker, "set/train/b/loop", "..", false);
        add_link(&maker, "set/train/b/self.jpg", "self.jpg", false);
        add_link(&maker, "set/train/b/out.jpg", "../../../../set/train/a/0.jpg", false);
        add_link(&maker, "set/train/b/etc.jpg", "/etc/x.jpg", false);
        add_link(&maker, "set/train/b/gone.jpg", "gone/x.jpg", false);
        end(&maker);
        f->log[0] = '\0';
        struct graft_dataset *set = open_set(f, "set.tar", NULL);
        expect_counts(set, 4, 2, 4); /* b/more/7.jpg too */
        expect_good(f, set);
        assert_non_null(strstr(f->log, "loop leads back into a folder above it"));
        assert_non_null(strstr(f->log, "out.jpg is a link to ../../../../set/train/a/0.jpg, which is not in the archive"));
        assert_non_null(strstr(f->log, "self.jpg is a link"));
        assert_non_null(strstr(f->log, "etc.jpg is a link"));
        assert_non_null(strstr(f->log, "gone.jpg is a link"));
        graft_dataset_close(&set);
    }
}

/* Folders of links to folders of links: eight of them, each twice what is below. */
static void links_that_multiply_end(void **state)
{
    struct fixture *const f = *state;
    char name[64], target[64];
    const struct maker maker = begin(f, "bomb.tar", TAR);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "d0/%d.jpg", i);
        add_picture(&maker, name);
    }
    for (int level = 1; level < 20; level++) {
        for (int k = 0; k < 12; k++) {
            snprintf(name, sizeof name, "d%d/l%d", level, k);
            snprintf(target, sizeof target, "../d%d", level - 1);
            add_link(&maker, name, target, false);
        }
    }
    end(&maker);
    expect_refusal(f, "bomb.tar", NULL, GRAFT_ERROR_FORMAT, "its links add more than");
}

static void the_last_of_two_members_counts(void **state)
{
    struct fixture *const f = *state;
    const struct maker maker = begin(f, "twice.tar", TAR);
    add(&maker, "a/0.jpg", "broken", 6);
    add_picture(&maker, "b/0.jpg");
    add_picture(&maker, "a/0.jpg");
    end(&maker);
    struct graft_dataset *set = open_set(f, "twice.tar", &(struct graft_dataset_options){.val_fraction = -1});
    expect_counts(set, 2, 0, 0);
    expect_good(f, set);
    assert_non_null(strstr(f->log, "1 members are there again"));
    graft_dataset_close(&set);
}

static void names_are_made_paths(void **state)
{
    struct fixture *const f = *state;
    const struct maker dots = begin(f, "dots.tar", TAR);
    add_picture(&dots, "../../a/./0.jpg");
    add_picture(&dots, "/b//0.jpg");
    end(&dots);
    struct graft_dataset *set = open_set(f, "dots.tar", &(struct graft_dataset_options){.val_fraction = -1});
    expect_counts(set, 2, 0, 0);
    assert_string_equal(graft_dataset_class_names(set)[0], "a");
    graft_dataset_close(&set);
    const struct maker windows = begin(f, "windows.zip", ZIP);
    add_picture(&windows, "p\\a\\0.jpg");
    add_picture(&windows, "p\\b\\0.jpg");
    end(&windows);
    set = open_set(f, "windows.zip", &(struct graft_dataset_options){.val_fraction = -1});
    assert_string_equal(graft_dataset_class_names(set)[1], "b");
    graft_dataset_close(&set);
}

/* Class names by Python's codecs: NULL: refused. */
static const struct {
    const char *bytes, *expected;
} encodings[] = {
    {"Caf\x82", "Café"},                    /* CP437 */
    {"M\x81ller", "Müller"},                /* CP437 */
    {"Gr\x81n-wei\xe1", "Grün-weiß"},       /* CP437 */
    {"pi\xa4" "ata", "piñata"},             /* CP437 */
    {"Caf\xe9", "Café"},                    /* Latin-1 */
    {"M\xfcller", "Müller"},                /* Latin-1 */
    {"Gr\xfcn-wei\xdf", "Grün-weiß"},       /* Latin-1 */
    {"Caf\xc3\xa9", "Café"},                /* UTF-8 */
    {"\xe7\x8c\xab", "猫"},                 /* UTF-8 */
    {"\x94L\x83\\", NULL},                  /* Shift JIS */
    {"\xb9\xb7", NULL},                     /* GBK */
    {"\xea\xee\xf8\xea\xe0", NULL},         /* Windows-1251 */
    {"Caf\x82 M\xfcller", NULL},            /* two at a time */
};

static void names_of_other_systems_are_converted_or_refused(void **state)
{
    struct fixture *const f = *state;
    const struct graft_dataset_options options = {.val_fraction = -1};
    for (size_t i = 0; i < sizeof encodings / sizeof encodings[0]; i++) {
        for (int zip = 0; zip < 2; zip++) {
            char name[128], other[64];
            snprintf(name, sizeof name, "x/%s/0.jpg", encodings[i].bytes);
            snprintf(other, sizeof other, zip ? "set%zu.zip" : "set%zu", i);
            f->log[0] = '\0';
            if (zip) {
                const struct maker maker = begin(f, other, ZIP);
                add_picture(&maker, name);
                add_picture(&maker, "x/0/0.jpg");
                end(&maker);
            } else {
                char path[256];
                snprintf(path, sizeof path, "%s/%s", other, name);
                put_picture(f, path);
                snprintf(path, sizeof path, "%s/x/0/0.jpg", other);
                put_picture(f, path);
            }
            if (!encodings[i].expected) {
                expect_refusal(f, other, &options, GRAFT_ERROR_FORMAT, "is not UTF-8");
                continue;
            }
            struct graft_dataset *set = open_set(f, other, &options);
            assert_string_equal(graft_dataset_class_names(set)[1], encodings[i].expected);
            expect_good(f, set);
            const bool utf8 = strcmp(encodings[i].bytes, encodings[i].expected) == 0;
            assert_true(utf8 == (strstr(f->log, "are read as") == NULL));
            graft_dataset_close(&set);
        }
    }
}

static void put_changed(const struct fixture *f, const char *from, const char *to, size_t at, uint8_t change,
                        size_t cut)
{
    char path[512];
    static uint8_t data[1 << 16];
    FILE *const file = fopen(path_in(f, from, path), "rb");
    assert_non_null(file);
    const size_t size = fread(data, 1, sizeof data, file);
    fclose(file);
    assert_true(size < sizeof data && at < size && cut < size);
    data[at] ^= change;
    put(f, to, data, cut ? cut : size);
}

/* A member whose sum is wrong is a damaged picture, whatever its pixels; the others are read. */
static void a_wrong_sum_is_damage(void **state)
{
    struct fixture *const f = *state;
    const struct maker maker = begin(f, "good.zip", ZIP_STORED);
    add_picture(&maker, "a/0.jpg");
    add_picture(&maker, "b/0.jpg");
    add_picture(&maker, "b/1.jpg");
    end(&maker);
    put_changed(f, "good.zip", "bad.zip", 400, 0x55, 0); /* among the pixels of the first */
    const struct graft_dataset_options options = {.val_fraction = -1};
    struct graft_dataset *set = open_set(f, "bad.zip", &options);
    struct graft_image image;
    expect_counts(set, 3, 0, 0);
    assert_int_equal(graft_dataset_read(set, GRAFT_SPLIT_TRAIN, 0, NULL, &image), GRAFT_ERROR_FORMAT);
    assert_non_null(strstr(graft_context_error(f->context), "a/0.jpg: damaged in the archive"));
    for (int i = 1; i < 3; i++) {
        assert_int_equal(graft_dataset_read(set, GRAFT_SPLIT_TRAIN, i, NULL, &image), GRAFT_OK);
        graft_image_close(f->context, &image);
    }
    graft_dataset_close(&set);
    /* cut in the middle: an error, or a fault and what came before */
    put_changed(f, "good.zip", "cut.zip", 0, 0, 1500);
    expect_refusal(f, "cut.zip", &options, GRAFT_ERROR_FORMAT, "damaged after member");
    const struct graft_dataset_options all = {.val_fraction = -1, .keep_damaged = true, .list_faults = true};
    set = open_set(f, "cut.zip", &all);
    assert_int_equal(graft_dataset_fault_count(set), 1);
    assert_true(graft_dataset_count(set, GRAFT_SPLIT_TRAIN) >= 1);
    graft_dataset_close(&set);
}

/* What zip -P writes: bit 0 of the flags is set, and 12 bytes more come before the data. */
static void encrypted_members_are_called_so(void **state)
{
    struct fixture *const f = *state;
    for (int all = 0; all < 2; all++) {
        char path[512];
        static uint8_t data[1 << 14];
        const struct maker maker = begin(f, "plain.zip", ZIP_STORED);
        add_picture(&maker, "a/0.jpg");
        add_picture(&maker, "b/0.jpg");
        end(&maker);
        FILE *const file = fopen(path_in(f, "plain.zip", path), "rb");
        const size_t size = fread(data, 1, sizeof data, file);
        fclose(file);
        bool one = false;
        for (size_t i = 0; i + 10 < size; i++) {
            const bool local = memcmp(data + i, "PK\3\4", 4) == 0, central = memcmp(data + i, "PK\1\2", 4) == 0;
            if (local || central) {
                const size_t name = i + (local ? 30 : 46);
                if (all || data[name] == 'a') {
                    data[i + (local ? 6 : 8)] |= 1;
                    one = true;
                }
            }
        }
        assert_true(one);
        put(f, "locked.zip", data, size);
        if (all) {
            expect_refusal(f, "locked.zip", NULL, GRAFT_ERROR_FORMAT, "encrypted");
            continue;
        }
        struct graft_image image;
        struct graft_dataset *set = open_set(f, "locked.zip", &(struct graft_dataset_options){.val_fraction = -1});
        assert_int_equal(graft_dataset_read(set, GRAFT_SPLIT_TRAIN, 0, NULL, &image), GRAFT_ERROR_FORMAT);
        assert_non_null(strstr(graft_context_error(f->context), "a/0.jpg: it is encrypted"));
        assert_int_equal(graft_dataset_read(set, GRAFT_SPLIT_TRAIN, 1, NULL, &image), GRAFT_OK);
        graft_image_close(f->context, &image);
        graft_dataset_close(&set);
    }
}

static void what_is_no_archive_is_named(void **state)
{
    struct fixture *const f = *state;
    const struct maker packed = begin(f, "set.tgz", TAR_GZIP);
    add_picture(&packed, "a/0.jpg");
    end(&packed);
    put_changed(f, "set.tgz", "cut.tgz", 0, 0, 100);
    expect_refusal(f, "cut.tgz", NULL, GRAFT_ERROR_FORMAT, "damaged at its beginning");
    put(f, "text", "no archive", 10);
    expect_refusal(f, "text", NULL, GRAFT_ERROR_FORMAT, "is neither a folder");
    const struct maker maker = begin(f, "outer.zip", ZIP);
    add(&maker, "inner.zip", "PK\3\4 and more", 13);
    end(&maker);
    expect_refusal(f, "outer.zip", NULL, GRAFT_ERROR_FORMAT, "an archive, inner.zip");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(links_are_followed, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(links_that_multiply_end, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(the_last_of_two_members_counts, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(names_are_made_paths, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(names_of_other_systems_are_converted_or_refused, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(a_wrong_sum_is_damage, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(encrypted_members_are_called_so, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(what_is_no_archive_is_named, open_fixture, close_fixture),
    };
    return cmocka_run_group_tests_name("data_archive", tests, NULL, NULL);
}
