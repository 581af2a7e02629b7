/* SPDX-License-Identifier: MIT */
/* IDX files, plain or gzip: the bytes are the pictures' or, with one dimension, the labels'; the other file fits
 * what they announce. At most 512 bytes. Seeds: unit/data_idx_test made.py */
#include "fuzz.h"
#include "graft/data.h"

#include <string.h>

#define MOST 4096

/* A file of `count` labels, or of pictures of one pixel: both are `count` bytes behind their headers. */
static void put_other(const char *name, uint32_t count, int dimensions)
{
    static uint8_t file[16 + MOST];
    const size_t header = 4 + 4 * (size_t)dimensions;
    memset(file, 0, sizeof file);
    file[2] = 8;
    file[3] = (uint8_t)dimensions;
    for (int i = 0; i < 4; i++) {
        file[4 + i] = (uint8_t)(count >> (24 - 8 * i));
    }
    for (int d = 1; d < dimensions; d++) {
        file[7 + 4 * d] = 1;
    }
    for (uint32_t i = 0; i < count && i < MOST; i++) {
        file[header + i] = (uint8_t)(i % 2);
    }
    (void)fuzz_file(name, file, header + (count < MOST ? count : MOST));
}

static enum graft_status try_bytes(struct graft_context *context, const uint8_t *data, size_t size)
{
    static const char pictures[] = "train-images-idx3-ubyte", labels[] = "train-labels-idx1-ubyte";
    const bool gzip = size >= 2 && data[0] == 0x1f && data[1] == 0x8b;
    const bool are_labels = size >= 4 && data[3] == 1 && !gzip;
    const struct graft_dataset_options options = {.unlabelled = gzip};
    uint32_t count = 0;
    for (size_t i = 4; i < 8 && i < size; i++) {
        count = count << 8 | data[i];
    }
    put_other(are_labels ? pictures : labels, count, are_labels ? 3 : 1);
    (void)fuzz_file(are_labels ? labels : pictures, data, size);
    struct graft_dataset *dataset = NULL;
    const enum graft_status status = graft_dataset_open(context, fuzz_folder(), &options, &dataset);
    graft_dataset_close(&dataset);
    return status;
}

const struct fuzz_target fuzz_target = {.read = try_bytes};
