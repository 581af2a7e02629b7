/* SPDX-License-Identifier: MIT */
/* The pickle alone, of whatever container, and the tensors that its result names.
 * At most 1024 bytes. Seeds: unit/pytorch_test:data.pkl ../shared/weights/torch:data.pkl */
#include "base/context.h"
#include "fuzz.h"
#include "io/pytorch.h"

static enum graft_status try_bytes(struct graft_context *context, const uint8_t *data, size_t size)
{
    struct graft_pytorch file = {.context = context,
                                 .path = FUZZ_NAME,
                                 .pickle = {.context = context, .path = FUZZ_NAME, .data = data, .size = size}};
    enum graft_status status = graft_pickle_read(&file.pickle);
    if (status == GRAFT_OK) {
        status = graft_pytorch_prepare(&file);
    }
    graft_release(context, file.by_key);
    graft_release(context, file.tensors);
    graft_pickle_close(&file.pickle);
    return status;
}

const struct fuzz_target fuzz_target = {.read = try_bytes};
