/* SPDX-License-Identifier: MIT */
/* The blocks of EfficientNet, MobileNetV2 and MobileNetV3, under timm's names. */
#ifndef GRAFT_SRC_MODEL_MOBILE_BLOCKS_H
#define GRAFT_SRC_MODEL_MOBILE_BLOCKS_H

#include "model/layers.h"

enum graft_mobile_kind {
    GRAFT_MOBILE_PLAIN,     /* k×k */
    GRAFT_MOBILE_FUSED,     /* k×k to `hidden` channels, 1×1 without activation */
    GRAFT_MOBILE_SEPARABLE, /* depthwise k×k, 1×1 without activation */
    GRAFT_MOBILE_INVERTED   /* 1×1 to `hidden` channels, depthwise k×k, 1×1 without activation */
};

struct graft_mobile_block {
    enum graft_mobile_kind kind;
    int hidden, out, kernel, stride;
    int squeezed; /* channels in the middle of squeeze-and-excite, before the last convolution; 0: there is
                     none */
    enum graft_unary activation, squeeze_activation, gate;
    bool same; /* TensorFlow's padding */
};

/* A block, with a residual where the shape stays. */
int graft_mobile_block(struct graft_layers *b, int x, const struct graft_mobile_block *block);
/* A convolution, its normalization and activation by these names. */
int graft_mobile_conv(struct graft_layers *b, int x, const char *conv, int index, struct graft_conv shape,
                      enum graft_unary activation);
/* conv_stem: 3×3 with stride 2. */
int graft_mobile_stem(struct graft_layers *b, int x, int channels, enum graft_unary activation, bool same);

#endif
