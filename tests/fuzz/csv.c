/* SPDX-License-Identifier: MIT */
/* Tables of pictures; none of these is there. Seeds: unit/data_table_test made.py */
#include "data/table.h"
#include "fuzz.h"
#include "graft/data.h"

static enum graft_status try_bytes(struct graft_context *context, const uint8_t *data, size_t size)
{
    const struct graft_dataset_options options = {
        .kind = GRAFT_DATASET_CSV, .keep_damaged = true, .list_faults = true};
    const char *const path = fuzz_file("table.csv", data, size);
    struct graft_table table;
    struct graft_dataset *dataset = NULL;
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
