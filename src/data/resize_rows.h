/* SPDX-License-Identifier: MIT */
/*
 * The inner loops of a resize: sums of u8 × weight (22 fractional bits) in 32-bit integers, so that every
 * order of summation gives the same bits. Plain loops, and loops for SSE2 (every x86-64 processor): there a
 * weight is split into an upper part and 11 lower bits, which fit the 16-bit multiply-add of pairs; sums may
 * wrap, the total does not.
 */
#ifndef GRAFT_SRC_DATA_RESIZE_ROWS_H
#define GRAFT_SRC_DATA_RESIZE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define GRAFT_RESIZE_BITS 22
#define GRAFT_RESIZE_HALF (1 << (GRAFT_RESIZE_BITS - 1))
#define GRAFT_RESIZE_LOW_BITS 11

static inline uint8_t graft_resize_round(int32_t sum)
{
    const int32_t value = sum >> GRAFT_RESIZE_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* Σ pixel[k × step] × weight[k] */
static inline uint8_t graft_resize_sum(const uint8_t *pixel, size_t step, const int32_t *weight, int32_t taps)
{
    int32_t sum = GRAFT_RESIZE_HALF;
    for (int32_t k = 0; k < taps; k++) {
        sum += pixel[(size_t)k * step] * weight[k];
    }
    return graft_resize_round(sum);
}

#ifdef __SSE2__

/* Two weights as pairs of 16 bits in all lanes: lower bits, and what is above them. */
struct graft_weight_pair {
    __m128i low, high;
};

static inline struct graft_weight_pair graft_weight_pair(int32_t first, int32_t second)
{
    const int32_t mask = (1 << GRAFT_RESIZE_LOW_BITS) - 1;
    const int32_t low = (first & mask) | (second & mask) << 16;
    const uint32_t above = (uint32_t)(second >> GRAFT_RESIZE_LOW_BITS) << 16;
    const int32_t high = (int32_t)(((uint32_t)(first >> GRAFT_RESIZE_LOW_BITS) & 0xffff) | above);
    return (struct graft_weight_pair){_mm_set1_epi32(low), _mm_set1_epi32(high)};
}

/* (low + (high << 11) + half) >> 22 */
static inline __m128i graft_weight_total(__m128i low, __m128i high)
{
    const __m128i sum = _mm_add_epi32(low, _mm_slli_epi32(high, GRAFT_RESIZE_LOW_BITS));
    return _mm_srai_epi32(_mm_add_epi32(sum, _mm_set1_epi32(GRAFT_RESIZE_HALF)), GRAFT_RESIZE_BITS);
}

/* A pixel of RGB in each of 4 rows, from `taps` neighbours; reads up to 5 bytes behind the last of them. */
static inline void graft_resize_rgb4(const uint8_t *pixel, size_t stride, const int32_t *weight, int32_t taps,
                                     uint8_t *out, size_t out_stride)
{
    const __m128i zero = _mm_setzero_si128();
    __m128i low[4] = {zero, zero, zero, zero}, high[4] = {zero, zero, zero, zero};
    for (int32_t k = 0; k < taps; k += 2, pixel += 6) {
        const struct graft_weight_pair pair = graft_weight_pair(weight[k], k + 1 < taps ? weight[k + 1] : 0);
        for (size_t i = 0; i < 4; i++) {
            const __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)(pixel + i * stride));
            const __m128i pairs = _mm_unpacklo_epi8(bytes, _mm_srli_epi64(bytes, 24)); /* r0 r1 g0 g1 b0 b1 */
            const __m128i words = _mm_unpacklo_epi8(pairs, zero);
            low[i] = _mm_add_epi32(low[i], _mm_madd_epi16(words, pair.low));
            high[i] = _mm_add_epi32(high[i], _mm_madd_epi16(words, pair.high));
        }
    }
    for (size_t i = 0; i < 4; i++) {
        const __m128i words = _mm_packs_epi32(graft_weight_total(low[i], high[i]), zero);
        const int32_t rgb = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
        out[i * out_stride] = (uint8_t)rgb;
        out[i * out_stride + 1] = (uint8_t)(rgb >> 8);
        out[i * out_stride + 2] = (uint8_t)(rgb >> 16);
    }
}

/* 16 bytes, each from `taps` rows. */
static inline void graft_resize_down16(const uint8_t *top, size_t stride, const int32_t *weight, int32_t taps,
                                       uint8_t *out)
{
    const __m128i zero = _mm_setzero_si128();
    __m128i low[4] = {zero, zero, zero, zero}, high[4] = {zero, zero, zero, zero};
    for (int32_t k = 0; k < taps; k += 2, top += 2 * stride) {
        const bool both = k + 1 < taps;
        const struct graft_weight_pair pair = graft_weight_pair(weight[k], both ? weight[k + 1] : 0);
        const __m128i first = _mm_loadu_si128((const __m128i *)(const void *)top);
        const __m128i second = both ? _mm_loadu_si128((const __m128i *)(const void *)(top + stride)) : zero;
        const __m128i left = _mm_unpacklo_epi8(first, second), right = _mm_unpackhi_epi8(first, second);
        const __m128i words[4] = {_mm_unpacklo_epi8(left, zero), _mm_unpackhi_epi8(left, zero),
                                  _mm_unpacklo_epi8(right, zero), _mm_unpackhi_epi8(right, zero)};
        for (int i = 0; i < 4; i++) {
            low[i] = _mm_add_epi32(low[i], _mm_madd_epi16(words[i], pair.low));
            high[i] = _mm_add_epi32(high[i], _mm_madd_epi16(words[i], pair.high));
        }
    }
    const __m128i left =
        _mm_packs_epi32(graft_weight_total(low[0], high[0]), graft_weight_total(low[1], high[1]));
    const __m128i right =
        _mm_packs_epi32(graft_weight_total(low[2], high[2]), graft_weight_total(low[3], high[3]));
    _mm_storeu_si128((__m128i *)(void *)out, _mm_packus_epi16(left, right));
}

#else

static inline void graft_resize_rgb4(const uint8_t *pixel, size_t stride, const int32_t *weight, int32_t taps,
                                     uint8_t *out, size_t out_stride)
{
    for (size_t i = 0; i < 4; i++, pixel += stride, out += out_stride) {
        out[0] = graft_resize_sum(pixel, 3, weight, taps);
        out[1] = graft_resize_sum(pixel + 1, 3, weight, taps);
        out[2] = graft_resize_sum(pixel + 2, 3, weight, taps);
    }
}

static inline void graft_resize_down16(const uint8_t *top, size_t stride, const int32_t *weight, int32_t taps,
                                       uint8_t *out)
{
    int32_t sum[16];
    for (int i = 0; i < 16; i++) {
        sum[i] = GRAFT_RESIZE_HALF;
    }
    for (int32_t k = 0; k < taps; k++, top += stride) {
        for (int i = 0; i < 16; i++) {
            sum[i] += top[i] * weight[k];
        }
    }
    for (int i = 0; i < 16; i++) {
        out[i] = graft_resize_round(sum[i]);
    }
}

#endif
#endif
