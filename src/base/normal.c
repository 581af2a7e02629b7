/* SPDX-License-Identifier: MIT */
/*
 * Many normal numbers at once: the bits of graft_random_normal, at a tenth of its time.
 *
 * Eight numbers are computed together in f64 by series, each to within 2e-15 · radius of what log and cos of
 * the C library give. Where both ends of twice that interval round to the same f32, so does the library's
 * number; where they do not (one in 10^7), that number is computed by the library. So a bound is needed, not
 * luck: see BOUND.
 */
#include "base/random.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define LANES 8
#define BATCH GRAFT_NORMAL_BATCH

typedef uint64_t words __attribute__((vector_size(8 * LANES)));
typedef double reals __attribute__((vector_size(8 * LANES)));
typedef int64_t masks __attribute__((vector_size(8 * LANES)));
typedef float narrows __attribute__((vector_size(4 * LANES)));
typedef int32_t flags __attribute__((vector_size(4 * LANES)));

/*
 * Of scale · radius. The library's argument 2 pi · angle is rounded twice, below 2 pi: 1.0e-15 of the cosine.
 * Its own log and cos and ours are within 2 units in the last place, the products within one each: together
 * less than 1e-15.
 */
#define BOUND 4e-15

#define ALWAYS static inline __attribute__((always_inline))

ALWAYS reals choose(masks where, reals yes, reals no)
{
    return (reals)(((masks)yes & where) | ((masks)no & ~where));
}

/* Of integers below 2^52, through the mantissa. */
ALWAYS reals to_reals(words x)
{
    return (reals)(x | 0x4330000000000000u) - 0x1p52;
}

/*
 * -2 ln(n / 2^32), n in 1 … 2^32: n = 2^e m, m in [sqrt(1/2), sqrt(2)), and ln m = 2 artanh(s) with s = (m -
 * 1) / (m + 1), |s| < 0.1716: after 12 terms s^24 / 25 is left, 1.7e-20.
 */
ALWAYS reals minus_two_log(words n)
{
    const uint64_t half = 0x3fe6a09e667f3bcdu; /* sqrt(1/2) */
    const words bits = (words)to_reals(n) - half;
    const words exponent = bits >> 52; /* n >= 1 > sqrt(1/2): nothing is negative */
    const reals m = (reals)((bits & 0x000fffffffffffffu) + half);
    const reals f = m - 1.0;
    const reals s = f / (f + 2.0);
    const reals z = s * s;
    reals sum = z * (1.0 / 23) + 1.0 / 21;
    sum = sum * z + 1.0 / 19;
    sum = sum * z + 1.0 / 17;
    sum = sum * z + 1.0 / 15;
    sum = sum * z + 1.0 / 13;
    sum = sum * z + 1.0 / 11;
    sum = sum * z + 1.0 / 9;
    sum = sum * z + 1.0 / 7;
    sum = sum * z + 1.0 / 5;
    sum = sum * z + 1.0 / 3;
    const reals artanh = s + s * (z * sum);
    return (32.0 - to_reals(exponent)) * (2 * 0.693147180559945309417) - 4.0 * artanh;
}

/*
 * cos(2 pi w / 2^32): w = 2^30 q + r, |r| <= 2^29, so x = 2 pi r / 2^32 is at most pi / 4, and the quadrant q
 * says whether it is ±cos x or ±sin x. Taylor: x^18 / 18! < 2.1e-18, x^19 / 19! < 9e-20.
 */
ALWAYS reals cos_turn(words w)
{
    const words quadrant = (w + 0x20000000u) >> 30; /* 0 … 4 */
    const reals r = to_reals(w) - to_reals(quadrant << 30);
    const reals x = r * (6.283185307179586476925 * 0x1p-32);
    const reals z = x * x;
    reals c = z * (1.0 / 20922789888000) - 1.0 / 87178291200;
    c = c * z + 1.0 / 479001600;
    c = c * z - 1.0 / 3628800;
    c = c * z + 1.0 / 40320;
    c = c * z - 1.0 / 720;
    c = c * z + 1.0 / 24;
    c = 1.0 - z * (0.5 - z * c);
    reals s = z * (1.0 / 355687428096000) - 1.0 / 1307674368000;
    s = s * z + 1.0 / 6227020800;
    s = s * z - 1.0 / 39916800;
    s = s * z + 1.0 / 362880;
    s = s * z - 1.0 / 5040;
    s = s * z + 1.0 / 120;
    s = x + x * (z * (s * z - 1.0 / 6));
    /* cos(x), -sin(x), -cos(x), sin(x) */
    const reals value = choose((masks)((quadrant & 1) != 0), s, c);
    return (reals)((words)value ^ (((quadrant + 1) & 2) << 62));
}

/* The f32 nearest to value; *sure: all bits of it are those of the library's number. */
ALWAYS narrows round_surely(reals value, reals error, bool *sure)
{
    const narrows low = __builtin_convertvector(value - error, narrows);
    const narrows high = __builtin_convertvector(value + error, narrows);
    const flags same = (low == high) & (low != 0); /* the sign of 0 is not told by == */
    uint64_t two[LANES / 2], all = ~(uint64_t)0;
    memcpy(two, &same, sizeof(two));
    for (int i = 0; i < LANES / 2; i++)
        all &= two[i];
    *sure = all == ~(uint64_t)0;
    return low;
}

ALWAYS void normals(const uint64_t *pairs, double scale, float *values)
{
    const double bound = (scale < 0 ? -scale : scale) * BOUND;
    for (int at = 0; at < BATCH; at += LANES) {
        words pair;
        bool sure;
        memcpy(&pair, pairs + at, sizeof(pair));
        const reals square = minus_two_log((pair & 0xffffffffu) + 1);
        reals radius;
        for (int i = 0; i < LANES; i++)
            radius[i] = __builtin_sqrt(square[i]);
        const narrows rounded = round_surely(scale * (radius * cos_turn(pair >> 32)), bound * radius, &sure);
        memcpy(values + at, &rounded, sizeof(rounded));
        for (int i = 0; i < LANES && !sure; i++)
            values[at + i] = (float)(scale * graft_normal_of(pairs[at + i]));
    }
}

/* Blocks first, first + 1, … of Philox: two pairs of words each. */
ALWAYS void blocks(const struct graft_random *random, uint64_t first, uint64_t *pairs, int count)
{
    for (int at = 0; at < count; at += LANES) {
        words index = {0};
        for (int i = 0; i < LANES; i++)
            index[i] = first + (uint64_t)(at + i);
        words c0 = index & 0xffffffffu, c1 = index >> 32;
        words c2 = random->counter[2] + (words){0}, c3 = random->counter[3] + (words){0};
        uint32_t k0 = random->key[0], k1 = random->key[1];
        for (int round = 0; round < 10; round++) {
            const words product0 = c0 * 0xD2511F53u, product1 = c2 * 0xCD9E8D57u;
            c0 = (product1 >> 32) ^ c1 ^ k0;
            c2 = (product0 >> 32) ^ c3 ^ k1;
            c1 = product1 & 0xffffffffu;
            c3 = product0 & 0xffffffffu;
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        const words a = c0 | c1 << 32, b = c2 | c3 << 32;
        for (int i = 0; i < LANES; i++) {
            pairs[2 * (at + i)] = a[i];
            pairs[2 * (at + i) + 1] = b[i];
        }
    }
}

/* `batches` of BATCH numbers; from the words themselves if there are any. */
struct task {
    const struct graft_random *random;
    const uint64_t *given;
    uint64_t first;
    double scale;
    float *values;
    int64_t batches;
};

ALWAYS void draw(const struct task *task)
{
    uint64_t drawn[BATCH];
    for (int64_t i = 0; i < task->batches; i++) {
        if (task->given == NULL)
            blocks(task->random, task->first + (uint64_t)i * (BATCH / 2), drawn, BATCH / 2);
        normals(task->given != NULL ? task->given + i * BATCH : drawn, task->scale, task->values + i * BATCH);
    }
}

/* The same in the instructions of several generations of processors. */
static void draw_plain(const struct task *task)
{
    draw(task);
}

#ifdef __x86_64__
__attribute__((target("avx2,fma"))) static void draw_avx2(const struct task *task)
{
    draw(task);
}

/* clang ignores the whole attribute where it has a part that it does not know. */
#ifdef __clang__
#define AVX512 __attribute__((target("avx2,fma,avx512f,avx512dq,avx512vl"), min_vector_width(512)))
#else
#define AVX512 __attribute__((target("avx2,fma,avx512f,avx512dq,avx512vl,prefer-vector-width=512")))
#endif
AVX512 static void draw_avx512(const struct task *task)
{
    draw(task);
}
#endif

static void draw_here(const struct task *task)
{
#ifdef __x86_64__
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl")) {
        draw_avx512(task);
        return;
    }
    if (avx2) {
        draw_avx2(task);
        return;
    }
#endif
    draw_plain(task);
}

void graft_normals_of(const uint64_t *pairs, double scale, float *values, int64_t count)
{
    const struct task task = {
        .given = pairs, .scale = scale, .values = values, .batches = count / GRAFT_NORMAL_BATCH};
    draw_here(&task);
    for (int64_t i = task.batches * GRAFT_NORMAL_BATCH; i < count; i++)
        values[i] = (float)(scale * graft_normal_of(pairs[i]));
}

void graft_random_normals(struct graft_random *random, double scale, float *values, int64_t count)
{
    int64_t done = 0;
    while (done < count && random->used < 4)
        values[done++] = (float)(scale * graft_random_normal(random));
    const struct task task = {.random = random,
                              .first = random->counter[0] | (uint64_t)random->counter[1] << 32,
                              .scale = scale,
                              .values = values + done,
                              .batches = (count - done) / GRAFT_NORMAL_BATCH};
    draw_here(&task);
    done += task.batches * GRAFT_NORMAL_BATCH;
    const uint64_t next = task.first + (uint64_t)task.batches * (GRAFT_NORMAL_BATCH / 2);
    random->counter[0] = (uint32_t)next;
    random->counter[1] = (uint32_t)(next >> 32);
    while (done < count)
        values[done++] = (float)(scale * graft_random_normal(random));
}
