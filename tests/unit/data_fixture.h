/* SPDX-License-Identifier: MIT */
/* A folder of their own for tests of data sets, and what they put there. */
#ifndef GRAFT_TESTS_UNIT_DATA_FIXTURE_H
#define GRAFT_TESTS_UNIT_DATA_FIXTURE_H

#include "graft/data.h"
#include "support/seeds.h"
#include "support/support.h"

#include "data_samples.h"

#include <sys/stat.h>

struct fixture {
    struct graft_context *context;
    char folder[128];
    char log[8192];
};

static inline void keep_log(void *user, enum graft_log_level level, const char *text)
{
    char *const log = user;
    (void)level;
    snprintf(log + strlen(log), 8192 - strlen(log), "%s\n", text);
}

static inline int open_fixture(void **state)
{
    struct fixture *const f = calloc(1, sizeof *f);
    const struct graft_context_options options = {.threads = 1, .log = keep_log, .log_user = f->log};
    test_folder(f->folder, sizeof f->folder);
    *state = f;
    return graft_context_open(&options, &f->context) == GRAFT_OK ? 0 : -1;
}

static inline int close_fixture(void **state)
{
    struct fixture *const f = *state;
    graft_context_close(&f->context);
    test_folder_remove(f->folder);
    free(f);
    return 0;
}

static inline char *path_in(const struct fixture *f, const char *name, char *path)
{
    assert_true(snprintf(path, 512, "%s/%s", f->folder, name) < 512);
    return path;
}

/* Writes a file and the folders above it; a name that ends in '/' is an empty folder. */
static inline void put(const struct fixture *f, const char *name, const void *data, size_t size)
{
    char path[512];
    path_in(f, name, path);
    for (char *slash = path + strlen(f->folder) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        mkdir(path, 0777);
        *slash = '/';
    }
    if (strstr(name, ".csv") || strstr(name, ".tsv") || strstr(name, "idx")) {
        test_seed(data, size);
    }
    if (path[strlen(path) - 1] != '/') {
        FILE *const file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(data, 1, size, file), size);
        assert_int_equal(fclose(file), 0);
    }
}

/* The same pixels in every file, but bytes of its own: a comment with a hash of the name. */
static inline void put_picture(const struct fixture *f, const char *name)
{
    uint8_t data[sizeof jpeg_420 + 8] = {0xff, 0xd8, 0xff, 0xfe, 0, 6};
    uint32_t hash = 2166136261u;
    for (const char *at = name; *at != '\0'; at++) {
        hash = (hash ^ (uint8_t)*at) * 16777619u;
    }
    memcpy(data + 6, &hash, 4);
    memcpy(data + 10, jpeg_420 + 2, sizeof jpeg_420 - 2);
    put(f, name, data, sizeof data);
}

/* `count` pictures 0.jpg … in a folder. */
static inline void put_pictures(const struct fixture *f, const char *folder, int count)
{
    for (int i = 0; i < count; i++) {
        char name[512];
        snprintf(name, sizeof name, "%s/%02d.jpg", folder, i);
        put_picture(f, name);
    }
}

static inline struct graft_dataset *open_set(struct fixture *f, const char *name,
                                             const struct graft_dataset_options *options)
{
    char path[512];
    struct graft_dataset *set = NULL;
    if (graft_dataset_open(f->context, path_in(f, name, path), options, &set) != GRAFT_OK) {
        fail_msg("%s", graft_context_error(f->context));
    }
    return set;
}

static inline void expect_refusal(struct fixture *f, const char *name,
                                  const struct graft_dataset_options *options, enum graft_status expected,
                                  const char *word)
{
    char path[512];
    struct graft_dataset *set = (struct graft_dataset *)f;
    assert_int_equal(graft_dataset_open(f->context, path_in(f, name, path), options, &set), expected);
    assert_null(set);
    if (!strstr(graft_context_error(f->context), word)) {
        fail_msg("'%s' does not speak of '%s'", graft_context_error(f->context), word);
    }
}

static inline void expect_counts(const struct graft_dataset *set, int train, int val, int test)
{
    assert_int_equal(graft_dataset_count(set, GRAFT_SPLIT_TRAIN), train);
    assert_int_equal(graft_dataset_count(set, GRAFT_SPLIT_VAL), val);
    assert_int_equal(graft_dataset_count(set, GRAFT_SPLIT_TEST), test);
}

/* "train/a=2 val/b=1": the pictures of each part and class. */
static inline const char *describe(const struct graft_dataset *set, char text[1024])
{
    text[0] = '\0';
    for (int split = 0; split < GRAFT_SPLIT_COUNT; split++) {
        for (int32_t c = 0; c < graft_dataset_class_count(set); c++) {
            int count = 0;
            for (int64_t i = 0; i < graft_dataset_count(set, (enum graft_split)split); i++) {
                count += graft_dataset_label(set, (enum graft_split)split, i) == c;
            }
            const size_t used = strlen(text);
            if (count > 0) {
                snprintf(text + used, 1024 - used, "%s%s/%s=%d", used > 0 ? " " : "",
                         graft_split_name((enum graft_split)split), graft_dataset_class_names(set)[c], count);
            }
        }
    }
    return text;
}

#endif
