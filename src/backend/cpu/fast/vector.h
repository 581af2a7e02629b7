/* SPDX-License-Identifier: MIT */
/*
 * Vectors of floats for the fast kernels. A source that includes this is compiled once per instruction set
 * with -DGRAFT_FAST_ISA=<name>; FAST(x) is the name of its extern symbols in that set.
 */
#ifndef GRAFT_SRC_BACKEND_CPU_FAST_VECTOR_H
#define GRAFT_SRC_BACKEND_CPU_FAST_VECTOR_H

#include "backend/cpu/fast/loops.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#ifndef GRAFT_FAST_ISA
#error "compile fast kernels with -DGRAFT_FAST_ISA=baseline, avx2 or avx512"
#endif

#define FAST_JOIN_(isa, name) graft_fast_##isa##_##name
#define FAST_JOIN(isa, name) FAST_JOIN_(isa, name)
#define FAST(name) FAST_JOIN(GRAFT_FAST_ISA, name)

/*
 * Floats in a vector, and the register tile of the matrix product: FAST_ROWS rows (two halves of FAST_HALF)
 * times FAST_VECTORS vectors. Accumulators, FAST_VECTORS of B and one broadcast of A fill the register file.
 */
#if defined(__AVX512F__)
#define FAST_WIDTH 16
#define FAST_HALF 7
#elif defined(__AVX2__)
#define FAST_WIDTH 8
#define FAST_HALF 3
#elif defined(__aarch64__)
#define FAST_WIDTH 4
#define FAST_HALF 5
#else
#define FAST_WIDTH 4
#define FAST_HALF 3
#endif
#define FAST_ROWS (2 * FAST_HALF)
#define FAST_VECTORS 2
#define FAST_COLUMNS (FAST_VECTORS * FAST_WIDTH)

#define FAST_INLINE static inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(FAST_WIDTH * 4)));
typedef int32_t vec_int __attribute__((vector_size(FAST_WIDTH * 4)));
typedef float vec_unaligned __attribute__((vector_size(FAST_WIDTH * 4), aligned(4), may_alias));

FAST_INLINE vec vec_load(const float *from)
{
    return *(const vec_unaligned *)from;
}

FAST_INLINE void vec_store(float *to, vec value)
{
    *(vec_unaligned *)to = value;
}

FAST_INLINE vec vec_set(float value)
{
    return value - (vec){0};
}

/* The first `count` < FAST_WIDTH floats, the rest 0; touches no memory beyond them. */
FAST_INLINE vec vec_load_part(const float *from, int count)
{
#if defined(__AVX512F__)
    return _mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), from);
#elif defined(__AVX2__)
    const vec_int lane = {0, 1, 2, 3, 4, 5, 6, 7};
    return _mm256_maskload_ps(from, (__m256i)(lane < count));
#else
    vec value = {0};
    for (int i = 0; i < count; i++)
        value[i] = from[i];
    return value;
#endif
}

FAST_INLINE void vec_store_part(float *to, vec value, int count)
{
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(to, (__mmask16)((1u << count) - 1), value);
#elif defined(__AVX2__)
    const vec_int lane = {0, 1, 2, 3, 4, 5, 6, 7};
    _mm256_maskstore_ps(to, (__m256i)(lane < count), value);
#else
    for (int i = 0; i < count; i++)
        to[i] = value[i];
#endif
}

/* The first `count` ≤ FAST_WIDTH floats. */
FAST_INLINE vec vec_load_count(const float *from, int64_t count)
{
    return count == FAST_WIDTH ? vec_load(from) : vec_load_part(from, (int)count);
}

FAST_INLINE void vec_store_count(float *to, vec value, int64_t count)
{
    if (count == FAST_WIDTH)
        vec_store(to, value);
    else
        vec_store_part(to, value, (int)count);
}

/* mask ? a : b, lane by lane; masks are 0 or −1 as comparisons give them. */
FAST_INLINE vec vec_select(vec_int mask, vec a, vec b)
{
    return (vec)(((vec_int)a & mask) | ((vec_int)b & ~mask));
}

/* a < b ? yes : no, lane by lane. */
FAST_INLINE vec vec_if_less(vec a, vec b, vec yes, vec no)
{
#if defined(__AVX512F__)
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), no, yes);
#elif defined(__AVX2__)
    return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
#else
    return vec_select(a < b, yes, no);
#endif
}

/* The larger and the smaller; b where one of them is NaN. */
FAST_INLINE vec vec_max(vec a, vec b)
{
#if defined(__AVX512F__)
    return _mm512_max_ps(a, b);
#elif defined(__AVX2__)
    return _mm256_max_ps(a, b);
#elif defined(__SSE2__)
    return _mm_max_ps(a, b);
#else
    return vec_select(a > b, a, b);
#endif
}

FAST_INLINE vec vec_min(vec a, vec b)
{
#if defined(__AVX512F__)
    return _mm512_min_ps(a, b);
#elif defined(__AVX2__)
    return _mm256_min_ps(a, b);
#elif defined(__SSE2__)
    return _mm_min_ps(a, b);
#else
    return vec_select(a < b, a, b);
#endif
}

/* x · 2^n, rounded once, for 0.5 ≤ x ≤ 2 and whole n in [−252, 254]. */
FAST_INLINE vec vec_scale(vec x, vec n)
{
#if defined(__AVX512F__)
    return _mm512_scalef_ps(x, n);
#else
    /* Two factors: one alone might be no float. The first product is exact. */
    const vec_int power = __builtin_convertvector(n, vec_int);
    const vec_int half = power >> 1;
    return x * (vec)((half + 127) << 23) * (vec)((power - half + 127) << 23);
#endif
}

FAST_INLINE vec vec_sqrt(vec x)
{
#if defined(__AVX512F__)
    return _mm512_sqrt_ps(x);
#elif defined(__AVX2__)
    return _mm256_sqrt_ps(x);
#elif defined(__SSE2__)
    return _mm_sqrt_ps(x);
#else
    for (int i = 0; i < FAST_WIDTH; i++)
        x[i] = __builtin_sqrtf(x[i]);
    return x;
#endif
}

/* Lanes of 64 bits, half as many, and the product of their lower halves. */
typedef uint64_t vec_wide __attribute__((vector_size(FAST_WIDTH * 4)));

FAST_INLINE vec_wide vec_multiply_wide(vec_wide a, vec_wide b)
{
#if defined(__AVX512F__)
    return (vec_wide)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
    return (vec_wide)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
    return (vec_wide)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
    return (a & 0xFFFFFFFFu) * (b & 0xFFFFFFFFu);
#endif
}

/* a0 b0 a1 b1 … of the lower and of the upper half of the lanes. */
FAST_INLINE void vec_interleave_wide(vec_wide a, vec_wide b, vec_wide *lower, vec_wide *upper)
{
#if FAST_WIDTH == 16
    *lower = __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
    *upper = __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#elif FAST_WIDTH == 8
    *lower = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    *upper = __builtin_shufflevector(a, b, 2, 6, 3, 7);
#else
    *lower = __builtin_shufflevector(a, b, 0, 2);
    *upper = __builtin_shufflevector(a, b, 1, 3);
#endif
}

/* a0 b0 a1 b1 … of the lanes: those of the lower halves, and of the upper ones. */
FAST_INLINE void vec_interleave(vec a, vec b, vec *lower, vec *upper)
{
#if FAST_WIDTH == 16
    *lower = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    *upper = __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
#elif FAST_WIDTH == 8
    *lower = __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
    *upper = __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#else
    *lower = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    *upper = __builtin_shufflevector(a, b, 2, 6, 3, 7);
#endif
}

/* max(x, 0) and min(max(x, 0), 6); NaN stays. */
FAST_INLINE vec vec_relu(vec x)
{
    return (vec)((vec_int)x & ~(x < vec_set(0)));
}

FAST_INLINE vec vec_relu6(vec x)
{
    const vec six = vec_set(6);
    return vec_select(x > six, six, vec_relu(x));
}

/* Over the lanes, in their order. */
FAST_INLINE float vec_sum(vec x)
{
    float sum = 0;
    for (int lane = 0; lane < FAST_WIDTH; lane++)
        sum += x[lane];
    return sum;
}

/* Not a NaN, but for one in the first lane. */
FAST_INLINE float vec_largest(vec x)
{
    float largest = x[0];
    for (int lane = 1; lane < FAST_WIDTH; lane++)
        largest = x[lane] > largest ? x[lane] : largest;
    return largest;
}

#endif
