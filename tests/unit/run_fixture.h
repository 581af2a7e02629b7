/* SPDX-License-Identifier: MIT */
/* A folder with a context, and the text of a run's files, for what is tested of a run on the disk. */
#ifndef GRAFT_TESTS_UNIT_RUN_FIXTURE_H
#define GRAFT_TESTS_UNIT_RUN_FIXTURE_H

#include "base/file.h"
#include "support/support.h"

#define HEADER "stage,epoch,learning_rate,train_loss,train_top1,val_loss,val_top1,seconds\n"
#define HISTORY                                                                                              \
    HEADER "head,1,0.001,1.5,0.4,1.25,0.5,0.5\n"                                                             \
           "head,2,0.0005,0.75,0.75,0.5,0.875,0.5\n"                                                         \
           "all,3,0.0001,0.5,0.9,0.45,0.875,2\n"
#define CONFIG                                                                                               \
    "{\"network\": \"squeezenet1_0\", \"data\": \"photos\", \"classes\": [\"ants\", \"<bees> & "             \
    "\\\"co\\\"\"],\n"                                                                                       \
    "\"stages\": [{\"from\": \"head\", \"epochs\": 2}, {\"from\": \"all\", \"epochs\": 2}], \"seed\": 7, "   \
    "\"weights\": null}\n"

struct place {
    struct graft_context *context;
    char folder[128];
};

static inline int open_place(void **state)
{
    struct place *const place = calloc(1, sizeof *place);
    test_folder(place->folder, sizeof place->folder);
    *state = place;
    return graft_context_open(&(struct graft_context_options){.threads = 1}, &place->context) == GRAFT_OK
               ? 0
               : -1;
}

static inline int close_place(void **state)
{
    struct place *const place = *state;
    graft_context_close(&place->context);
    test_folder_remove(place->folder);
    free(place);
    return 0;
}

static inline const char *in(const struct place *place, const char *name, char *path)
{
    snprintf(path, 256, "%s/%s", place->folder, name);
    return path;
}

static inline void write_text(const struct place *place, const char *name, const char *text, size_t size)
{
    char path[256];
    assert_int_equal(graft_file_write(place->context, in(place, name, path), text, size), GRAFT_OK);
}

#endif
