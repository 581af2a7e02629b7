/* SPDX-License-Identifier: MIT */
/* Layers of transformers and of networks after their manner: on the last dimension, whatever stands before it. */
#ifndef GRAFT_SRC_MODEL_TRANSFORMER_H
#define GRAFT_SRC_MODEL_TRANSFORMER_H

#include "model/layers.h"

/* Layer normalization over the channels. */
int graft_layer_layer_norm(struct graft_layers *b, int x, const char *name, float epsilon);
/* [.., c] → [.., outputs] */
int graft_layer_linear(struct graft_layers *b, int x, const char *name, int64_t outputs, bool bias);

/*
 * Layer scale: x · w[c], where w comes in PyTorch's order before the layers whose result it scales, as [c, 1, 1] or [c].
 * `reserve` makes the parameter, all elements `initial`, and gives its index (-1 without x); it is then counted with
 * the layer `name`.
 */
int graft_layer_scale_reserve(struct graft_layers *b, int x, const char *parameter, int source_rank, float initial);
int graft_layer_scale(struct graft_layers *b, int x, const char *name, int reserved);

#endif
