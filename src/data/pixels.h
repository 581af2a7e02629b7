/* SPDX-License-Identifier: MIT */
/*
 * What can be done to pixels in place, each as Pillow 13 does it to the bit, where it does it. The steps of a
 * list of transforms draw the numbers; here they are given.
 */
#ifndef GRAFT_SRC_DATA_PIXELS_H
#define GRAFT_SRC_DATA_PIXELS_H

#include "data/decode.h"

/* u8 [height, width, channels] without gaps; channels 1 or 3. */
struct graft_pixels {
    uint8_t *data;
    int32_t width, height, channels;
};

/* from + factor × (to − from), cut off to 0..255 and rounded down, in float. */
static inline uint8_t graft_pixels_blend(int from, int to, float factor)
{
    const float value = (float)from + factor * (float)(to - from);
    return value <= 0 ? 0 : value >= 255 ? 255 : (uint8_t)value;
}

/* ImageEnhance: 1 leaves the picture as it is, 0 makes it black, grey of the mean, or grey. */
void graft_pixels_brightness(const struct graft_pixels *pixels, float factor);
void graft_pixels_contrast(const struct graft_pixels *pixels, float factor);
void graft_pixels_saturation(const struct graft_pixels *pixels, float factor);
/* Hues turn by `turns` of the circle: torchvision's adjust_hue of a Pillow picture. One channel has none. */
void graft_pixels_hue(const struct graft_pixels *pixels, double turns);
/* All channels become the luma. */
void graft_pixels_gray(const struct graft_pixels *pixels);
/* ImageOps: the upper bits, 1 to 8; what is at least the threshold is inverted; each channel stretched to
 * 0..255; each channel's histogram made flat. */
void graft_pixels_posterize(const struct graft_pixels *pixels, int bits);
void graft_pixels_solarize(const struct graft_pixels *pixels, double threshold);
void graft_pixels_autocontrast(const struct graft_pixels *pixels);
void graft_pixels_equalize(const struct graft_pixels *pixels);

/* ImageEnhance.Sharpness: 0 is ImageFilter.SMOOTH, 1 the picture. `spare` is of the same size. */
void graft_pixels_sharpness(const struct graft_pixels *pixels, uint8_t *spare, float factor);
/*
 * torchvision's gaussian_blur: a Gaussian of that deviation in pixels, cut off and normalized at `reach`
 * pixels on either side, the picture mirrored at its edge pixels (not repeated); reach < width and height.
 * Sums in float; `spare`: (width × (height + 1) + 2 × reach) × channels floats.
 */
#define GRAFT_BLUR_REACH 15
void graft_pixels_blur(const struct graft_pixels *pixels, float *spare, double deviation, int32_t reach);
/* One colour in a rectangle that lies within the picture. */
void graft_pixels_fill(const struct graft_pixels *pixels, int32_t x, int32_t y, int32_t width, int32_t height,
                       const uint8_t color[3]);

/*
 * Image.transform(AFFINE, BILINEAR): the centre (x + ½, y + ½) of a pixel of `to` shows the place
 * (m0 · (x + ½) + m1 · (y + ½) + m2, m3 · (x + ½) + m4 · (y + ½) + m5) of `from`; both have the same
 * channels. Places outside are filled: with 0 (Pillow's), with the nearest edge pixel, or from the picture
 * mirrored (edge pixels repeated) or repeated.
 */
void graft_pixels_affine(const struct graft_view *from, const double m[6], enum graft_fill fill,
                         const struct graft_pixels *to);

#endif
