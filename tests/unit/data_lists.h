/* SPDX-License-Identifier: MIT */
/* What the tests of published layouts share: texts of lists, what a data set is to hold, archives of a tree. */
#ifndef GRAFT_TESTS_DATA_LISTS_H
#define GRAFT_TESTS_DATA_LISTS_H

#include "data_fixture.h"

#include <archive.h>
#include <archive_entry.h>

static inline void put_text(const struct fixture *f, const char *name, const char *text)
{
    put(f, name, text, strlen(text));
}

static inline void expect(struct fixture *f, const char *name, struct graft_dataset_options options,
                   enum graft_dataset_kind kind, const char *expected)
{
    char text[1024];
    options.val_fraction = options.val_fraction == 0 ? -1 : options.val_fraction;
    struct graft_dataset *set = open_set(f, name, &options);
    assert_string_equal(describe(set, text), expected);
    assert_int_equal(graft_dataset_kind(set), kind);
    graft_dataset_close(&set);
}

#define LISTS GRAFT_DATASET_LISTS
#define USUAL ((struct graft_dataset_options){0})
#define WITH(...) ((struct graft_dataset_options){__VA_ARGS__})

/* The tree as a tar, compressed or not, or a zip, with a folder around it. */
static inline void pack(const struct fixture *f, const char *const *names, int count, const char *folder,
                 const char *target, bool zip, bool gzip)
{
    char path[512], inside[512];
    struct archive *const archive = archive_write_new();
    assert_int_equal(zip ? archive_write_set_format_zip(archive) : archive_write_set_format_ustar(archive), ARCHIVE_OK);
    assert_int_equal(gzip ? archive_write_add_filter_gzip(archive) : ARCHIVE_OK, ARCHIVE_OK);
    assert_int_equal(archive_write_open_filename(archive, path_in(f, target, path)), ARCHIVE_OK);
    for (int i = 0; i < count; i++) {
        uint8_t data[8192];
        FILE *const file = fopen(path_in(f, names[i], path), "rb");
        assert_non_null(file);
        const size_t size = fread(data, 1, sizeof data, file);
        fclose(file);
        struct archive_entry *const item = archive_entry_new();
        snprintf(inside, sizeof inside, "%s%s", folder, strchr(names[i], '/') + 1);
        archive_entry_set_pathname(item, inside);
        archive_entry_set_size(item, (la_int64_t)size);
        archive_entry_set_filetype(item, AE_IFREG);
        archive_entry_set_perm(item, 0644);
        assert_int_equal(archive_write_header(archive, item), ARCHIVE_OK);
        assert_int_equal(archive_write_data(archive, data, size), (la_ssize_t)size);
        archive_entry_free(item);
    }
    assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
    archive_write_free(archive);
}

static inline void put_imagenet(const struct fixture *f, const char *base)
{
    static const char *const names[] = {"train/n01440764/n01440764_18.JPEG", "train/n01443537/n01443537_2.JPEG",
                                        "train/n01443537/n01443537_3.JPEG", "val/ILSVRC2012_val_00000001.JPEG",
                                        "val/ILSVRC2012_val_00000002.JPEG"};
    for (int i = 0; i < 5; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", base, names[i]);
        put_picture(f, path);
    }
}

#endif
