/* SPDX-License-Identifier: MIT */
/* Tables of pictures. The reader looks for each of them below many folders and with many endings, in hundreds
 * of system calls an execution: those are answered here. Some pictures are there, and damaged. At most 160
 * bytes. Seeds: unit/data_table_test made.py */
#include "data/table.h"
#include "fuzz.h"
#include "graft/data.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define TABLE "table.csv"

static const char *const pictures[] = {"1.jpg", "2.png", "b.jpg", "17.jpg", "p"};

/* Of the target's folder: the table, the pictures, and no folder below it. Else as it is. */
int stat(const char *restrict path, struct stat *restrict facts)
{
    const size_t length = strlen(fuzz_folder());
    if (strncmp(path, fuzz_folder(), length) == 0 && path[length] == '/' && path[length + 1] != '\0' &&
        strcmp(path + length + 1, TABLE) != 0) {
        for (size_t i = 0; i < sizeof pictures / sizeof pictures[0]; i++) {
            if (strcmp(path + length + 1, pictures[i]) == 0) {
                *facts = (struct stat){.st_mode = S_IFREG | 0600, .st_size = 1, .st_dev = 1, .st_ino = i + 1};
                return 0;
            }
        }
        errno = ENOENT;
        return -1;
    }
    return fstatat(AT_FDCWD, path, facts, 0);
}

static enum graft_status try_bytes(struct graft_context *context, const uint8_t *data, size_t size)
{
    const struct graft_dataset_options options = {
        .kind = GRAFT_DATASET_CSV, .keep_damaged = true, .list_faults = true};
    struct graft_table table;
    struct graft_dataset *dataset = NULL;
    for (size_t i = 0; i < sizeof pictures / sizeof pictures[0]; i++) {
        (void)fuzz_file(pictures[i], (const uint8_t *)"?", 1);
    }
    const char *const path = fuzz_file(TABLE, data, size);
    enum graft_status status = graft_table_open(context, path, &table);
    if (status != GRAFT_OK) {
        return status;
    }
    while (graft_table_next(&table)) {
    }
    graft_table_close(context, &table);
    status = graft_dataset_open(context, path, &options, &dataset);
    graft_dataset_close(&dataset);
    return status;
}

const struct fuzz_target fuzz_target = {.read = try_bytes};
