/* SPDX-License-Identifier: MIT */
/* Layers of transformers and of networks after their manner: on the last dimension, whatever stands before
 * it. */
#ifndef GRAFT_SRC_MODEL_TRANSFORMER_H
#define GRAFT_SRC_MODEL_TRANSFORMER_H

#include "model/layers.h"

/* Layer normalization over the channels. */
int graft_layer_layer_norm(struct graft_layers *b, int x, const char *name, float epsilon);
/* The same with `reserved` weight and bias (graft_layers_reserve). */
int graft_layer_layer_norm_of(struct graft_layers *b, int x, const char *name, float epsilon,
                              const int reserved[2]);
/* [.., c] → [.., outputs] */
int graft_layer_linear(struct graft_layers *b, int x, const char *name, int64_t outputs, bool bias);
/*
 * A parameter that PyTorch's order has before the layers that come before its own: made with all elements
 * `initial`, or normal with deviation `deviation` if that is above 0. Its index, -1 without x. `adopt` counts
 * it with the layer that was noted last.
 */
int graft_layers_reserve(struct graft_layers *b, int x, const char *name, struct graft_shape shape,
                         float initial, float deviation);
void graft_layers_adopt(struct graft_layers *b, int reserved);
/* The value of a parameter by its index; -1 for -1. */
int graft_layers_value(const struct graft_layers *b, int reserved);
/* A weight [outputs, inputs], and with `bias` one of zeros, of the layer that was begun: y = x · wᵀ + bias.
 * Adds the products for one picture to *multiply_adds. */
struct graft_projection {
    const char *weight, *bias; /* names; bias NULL: none */
    int64_t outputs;
};
int graft_layers_project(struct graft_layers *b, int x, struct graft_projection projection,
                         int64_t *multiply_adds);
/* The same of parameters that are there; bias -1: none. */
int graft_layers_apply(struct graft_layers *b, int x, int weight, int bias, int64_t *multiply_adds);

/* One of the `count` equal parts of the heads of x [n, t, count · heads · d], as [n, t, heads, d]. */
int graft_layers_heads(struct graft_layers *b, int x, int part, int count, int64_t heads);
/* q, k, v [n, t, heads, d] → [n, t, heads · d]; bias and mask as graft_attention has them. */
int graft_layers_attend(struct graft_layers *b, const int qkv[3], int bias, int mask, float scale,
                        int64_t *multiply_adds);
/* [(2h − 1) · (2w − 1), heads] → [1, heads, hw, hw]: of a table of numbers by relative position those of all
 * pairs of a window's places, query by key. `ahead`: the position is the key's less the query's, else the
 * query's less the key's. `name`: that of the index, which PyTorch's files hold in a shape of `rank`
 * dimensions, or NULL. */
int graft_layers_relative(struct graft_layers *b, int table, int window, bool ahead, const char *name,
                          int rank);
/* [n, h, w, c] → [n · h/p · w/p, p², c], windows of p × p places, and back. */
int graft_layers_windows(struct graft_layers *b, int x, int64_t p);
int graft_layers_join(struct graft_layers *b, int windows, int64_t p, const struct graft_shape *map);

/* `scope`, from where networks after the manner of Swin begin: patches of 4 × 4 as `channels`, and the layer
 * normalization, of these names. */
int graft_layers_patches(struct graft_layers *b, int x, const char *scope, const char *conv, int channels,
                         const char *norm, float epsilon);

/* Layer scale: x · w[c], w reserved. */
int graft_layer_scale(struct graft_layers *b, int x, const char *name, int reserved);

#endif
