/* SPDX-License-Identifier: MIT */
/* Weights from one kind of file into another, and networks with their weights as ONNX. */
#ifndef GRAFT_CONVERT_H
#define GRAFT_CONVERT_H

#include "graft/model.h"

#ifdef __cplusplus
extern "C" {
#endif

struct graft_convert_options {
    const char *in;  /* a file of weights, a run folder (its best weights), or a network's name: the weights
                        that  `graft pull` has fetched for it */
    const char *out; /* ends in .safetensors, in .pth or .pt (PyTorch's), or in .onnx */
    bool overwrite;  /* `out` may be there already */
    const char *network; /* whose weights a file holds; NULL: as the file or the names of its tensors say */
    bool half;           /* safetensors: f32 stored as F16 */
    /*
     * ONNX: the network with its weights. Input f32 [n, c, h, w], preprocessed (the file's metadata say how),
     * output "logits". `preprocess_inside`: input u8 [n, h, w, c], red, green, blue, resized and cropped to
     * the input's size; output "probabilities". Any n, where the network allows it.
     */
    bool preprocess_inside;
    int32_t input;       /* ONNX: side of the pictures; 0: as the weights or the network say */
    int32_t input_width; /* where they are not as wide as high; 0: they are */
};

struct graft_conversion {
    const char *format;                  /* "safetensors", "PyTorch", "ONNX". Static memory */
    char network[GRAFT_MODEL_NAME_SIZE]; /* whose weights they are; "": not known */
    int64_t tensors;
    int32_t height, width, channels; /* ONNX: of the pictures; else 0 */
    bool any_batch;                  /* ONNX: the file takes any number of pictures */
};

/*
 * Writes the weights of `in` to `out`, whole or not at all. Names, layouts and tensors stay as they are; but
 * those of Keras become PyTorch's, as do other packages' names where `network` is given: then tensors that
 * the network has not are left out, with a remark. What the file says of network, classes and preprocessing
 * goes along; where it says nothing and the tensors tell the network, `out` says which, and its
 * preprocessing.
 *
 * GRAFT_ERROR_ARGUMENT (`out` has another ending or is there already, a network without weights here),
 * GRAFT_ERROR_NOT_FOUND (proposes the nearest name), GRAFT_ERROR_FORMAT (damaged; not the weights of the
 * network), GRAFT_ERROR_UNSUPPORTED (the network must be known and cannot be told), GRAFT_ERROR_NUMERIC (too
 * large for F16), GRAFT_ERROR_IO, GRAFT_ERROR_MEMORY. `conversion` may be NULL.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_convert(struct graft_context *context,
                                                           const struct graft_convert_options *options,
                                                           struct graft_conversion *conversion);

#ifdef __cplusplus
}
#endif
#endif
