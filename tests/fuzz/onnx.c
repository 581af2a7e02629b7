/* SPDX-License-Identifier: MIT */
/* The file and the import of its graph as a network. At most 4096 bytes. Seeds: model/onnx_made_test made.py
 * ../shared/weights/onnx */
#include "fuzz.h"
#include "graft/onnx.h"

static enum graft_status try_bytes(struct graft_context *context, const uint8_t *data, size_t size)
{
    struct graft_onnx *onnx = NULL;
    struct graft_tensor_set *weights = NULL;
    struct graft_model *model = NULL;
    enum graft_status status = graft_onnx_open(context, fuzz_file(FUZZ_NAME ".onnx", data, size), &onnx, &weights);
    if (status == GRAFT_OK) {
        status = graft_model_open_network(context, graft_onnx_network(onnx), NULL, &model);
    }
    graft_model_close(&model);
    graft_onnx_close(&onnx);
    graft_tensor_set_close(&weights);
    return status;
}

const struct fuzz_target fuzz_target = {.read = try_bytes};
