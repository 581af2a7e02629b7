/* SPDX-License-Identifier: MIT */
/* At most 512 bytes. Seeds: unit/io_test */
#include "fuzz.h"
#include "graft/io.h"

static enum graft_status try_bytes(struct graft_context *context, const uint8_t *data, size_t size)
{
    struct graft_tensor_set *set = NULL;
    enum graft_status status = graft_tensor_set_open(context, &set);
    if (status == GRAFT_OK) {
        status = graft_npy_load(context, fuzz_file("file.npy", data, size), set, "array");
    }
    graft_tensor_set_close(&set);
    return status;
}

const struct fuzz_target fuzz_target = {.read = try_bytes};
