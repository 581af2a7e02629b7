/* SPDX-License-Identifier: MIT */
/*
 * Between PyTorch's layouts (channels before pixels) and ours (channels last). Every one of them is the
 * transposition of [outer, rows, columns] to [outer, columns, rows]; `element` is the size of an element, 1,
 * 2, 4 or 8 bytes. `from` and `to` must not overlap.
 */
#ifndef GRAFT_SRC_IO_LAYOUT_H
#define GRAFT_SRC_IO_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

/* to[o, c, r] = from[o, r, c] */
void graft_layout_transpose(int64_t outer, int64_t rows, int64_t columns, size_t element, const void *from,
                            void *to);

/* Convolution weights [o, i, h, w] → [o, h, w, i]; with groups and depthwise `i` is input channels / groups.
 */
static inline void graft_layout_ohwi_of_oihw(int64_t o, int64_t i, int64_t h, int64_t w, size_t element,
                                             const void *from, void *to)
{
    graft_layout_transpose(o, i, h * w, element, from, to);
}

/* [o, h, w, i] → [o, i, h, w] */
static inline void graft_layout_oihw_of_ohwi(int64_t o, int64_t i, int64_t h, int64_t w, size_t element,
                                             const void *from, void *to)
{
    graft_layout_transpose(o, h * w, i, element, from, to);
}

/* Dense weights behind a flattening of c × h × w: [out, c·h·w] → [out, h·w·c]. Also activations NCHW → NHWC.
 */
static inline void graft_layout_dense_of_chw(int64_t out, int64_t c, int64_t h, int64_t w, size_t element,
                                             const void *from, void *to)
{
    graft_layout_transpose(out, c, h * w, element, from, to);
}

/* [out, h·w·c] → [out, c·h·w]. Also activations NHWC → NCHW. */
static inline void graft_layout_chw_of_dense(int64_t out, int64_t c, int64_t h, int64_t w, size_t element,
                                             const void *from, void *to)
{
    graft_layout_transpose(out, h * w, c, element, from, to);
}

/*
 * A position embedding for another grid: [before + side², channels] → [before + height · width, channels],
 * the rows before as they are, the others as pixels by PyTorch's bicubic interpolation with align_corners
 * (what torchvision's interpolate_embeddings asks for), computed in double.
 */
void graft_layout_resample(const float *from, int64_t before, int64_t side, int64_t channels, float *to,
                           int64_t height, int64_t width);

#endif
