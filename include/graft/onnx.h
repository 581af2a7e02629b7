/* SPDX-License-Identifier: MIT */
/* Networks from ONNX files: classifiers of pictures, whatever exporter wrote them. */
#ifndef GRAFT_ONNX_H
#define GRAFT_ONNX_H

#include "graft/io.h"
#include "graft/model.h"

#ifdef __cplusplus
extern "C" {
#endif

struct graft_onnx;

/*
 * Reads a file with its weights, which go into a new set by their names in the file; external data are looked
 * for beside it. The whole graph becomes a network with the stages "trunk" and "head"; the head is the last
 * dense layer (or 1×1 convolution), the one that makes the classes. A softmax behind it is left out: the
 * network gives logits. The file may be closed when no model of its network is open any more; the set is the
 * caller's.
 *
 * `weights` NULL: the network alone; so a run's network.onnx can be opened too, whose weights lie beside it.
 *
 * GRAFT_ERROR_NOT_FOUND, GRAFT_ERROR_IO, GRAFT_ERROR_FORMAT (damaged, hostile), GRAFT_ERROR_UNSUPPORTED (an
 * op that is not read, by name; no single picture as input; no head that can be told), GRAFT_ERROR_MEMORY.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_onnx_open(struct graft_context *context, const char *path,
                                                             struct graft_onnx **onnx,
                                                             struct graft_tensor_set **weights);
/* Whether a network's name is the path of such a file: it ends in ".onnx". */
GRAFT_API bool graft_onnx_is_path(const char *name);
GRAFT_API void graft_onnx_close(struct graft_onnx **onnx);
/* For graft_model_open_network and graft_model_load_weights. Its name is the file's. */
GRAFT_API const struct graft_network *graft_onnx_network(const struct graft_onnx *onnx);

#ifdef __cplusplus
}
#endif
#endif
