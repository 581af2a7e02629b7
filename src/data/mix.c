/* SPDX-License-Identifier: MIT */
#include "data/mix.h"

#include "base/context.h"

#include <math.h>
#include <string.h>

/* In (0, 1), 53 bits: its logarithm is finite. */
static double open_uniform(struct graft_random *random)
{
    const uint64_t high = graft_random_u32(random) >> 5, low = graft_random_u32(random) >> 6;
    return ((double)(high << 26 | low) + 0.5) / 9007199254740992.0;
}

/* Gamma(shape, 1) for shapes of 1 and more (Marsaglia, Tsang: "A simple method for generating gamma
 * variables", 2000). */
static double random_gamma(struct graft_random *random, double shape)
{
    const double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        const double x = graft_random_normal(random), v = pow(1 + c * x, 3);
        if (v > 0 && log(open_uniform(random)) < 0.5 * x * x + d - d * v + d * log(v)) {
            return d * v;
        }
    }
}

/* Below 1 by Jöhnk's method ("Erzeugung von betaverteilten und gammaverteilten Zufallszahlen", 1964), in
 * logarithms, since powers of 1 / alpha go to 0. */
double graft_random_beta(struct graft_random *random, double alpha)
{
    while (alpha < 1) {
        const double x = log(open_uniform(random)) / alpha, y = log(open_uniform(random)) / alpha;
        const double most = fmax(x, y), sum = most + log(exp(x - most) + exp(y - most));
        if (sum <= 0) {
            return exp(x - sum);
        }
    }
    const double a = random_gamma(random, alpha), b = random_gamma(random, alpha);
    return a / (a + b);
}

void graft_mixture_cut(double share, int32_t x, int32_t y, int32_t width, int32_t height,
                       struct graft_mixture *mixture)
{
    const double half = 0.5 * sqrt(1 - share);
    const int32_t across = (int32_t)(half * width), down = (int32_t)(half * height);
    mixture->cut = true;
    mixture->left = x > across ? x - across : 0;
    mixture->top = y > down ? y - down : 0;
    mixture->right = width - x > across ? x + across : width;
    mixture->bottom = height - y > down ? y + down : height;
    const double area = (double)(mixture->right - mixture->left) * (double)(mixture->bottom - mixture->top);
    mixture->share = 1 - area / ((double)width * (double)height);
}

void graft_mixture_draw(const struct graft_mix *mix, const struct graft_draw *draw, int32_t width,
                        int32_t height, struct graft_mixture *mixture)
{
    struct graft_random random;
    const uint64_t place =
        ((uint64_t)draw->epoch << 32 ^ (uint64_t)draw->sample) * UINT64_C(0x9E3779B97F4A7C15);
    *mixture = (struct graft_mixture){.share = 1};
    if (!graft_mixes(mix)) {
        return;
    }
    graft_random_start(&random, draw->seed, graft_hash_text("mix") ^ place);
    const bool both = mix->mixup > 0 && mix->cutmix > 0;
    const bool cut = both ? graft_random_below(&random, 2) == 1 : mix->cutmix > 0;
    mixture->share = graft_random_beta(&random, (double)(cut ? mix->cutmix : mix->mixup));
    if (cut) {
        const int32_t x = (int32_t)graft_random_below(&random, (uint32_t)width);
        const int32_t y = (int32_t)graft_random_below(&random, (uint32_t)height);
        graft_mixture_cut(mixture->share, x, y, width, height, mixture);
    }
}

void graft_mixture_apply(const struct graft_mixture *mixture, uint8_t *pixels, const uint8_t *other,
                         int32_t width, int32_t height, int32_t channels)
{
    const size_t row = (size_t)width * (size_t)channels;
    if (!mixture->cut) {
        const float own = (float)mixture->share, others = (float)(1 - mixture->share);
        for (size_t i = 0; i < row * (size_t)height; i++) {
            pixels[i] = (uint8_t)(own * (float)pixels[i] + others * (float)other[i] + 0.5f);
        }
        return;
    }
    const size_t from = (size_t)mixture->left * (size_t)channels;
    const size_t size = (size_t)(mixture->right - mixture->left) * (size_t)channels;
    for (size_t y = (size_t)mixture->top; y < (size_t)mixture->bottom; y++) {
        memcpy(pixels + y * row + from, other + y * row + from, size);
    }
}

double graft_mix_batch(const struct graft_mix *mix, const struct graft_draw *draw,
                       const struct graft_preprocess *preprocess, uint8_t *rows, int64_t count,
                       uint8_t *spare)
{
    const int32_t width = preprocess->crop_width, height = preprocess->crop_height;
    const size_t size = (size_t)width * (size_t)height * (size_t)preprocess->channels;
    struct graft_mixture mixture;
    graft_mixture_draw(mix, draw, width, height, &mixture);
    if (count < 1 || !graft_mixes(mix)) {
        return 1;
    }
    memcpy(spare, rows + (size_t)(count - 1) * size, size);
    for (int64_t i = count - 1; i >= 0; i--) { /* from behind: the row before is as it was */
        const uint8_t *const other = i > 0 ? rows + (size_t)(i - 1) * size : spare;
        graft_mixture_apply(&mixture, rows + (size_t)i * size, other, width, height, preprocess->channels);
    }
    return mixture.share;
}

enum graft_status graft_mix_check(struct graft_context *context, const struct graft_mix *mix, bool pixels)
{
    const float alphas[] = {mix->mixup, mix->cutmix};
    for (int i = 0; i < 2; i++) {
        const double alpha = (double)alphas[i];
        if (alpha != 0 && !(alpha >= GRAFT_MIX_LEAST && alpha <= GRAFT_MIX_MOST)) {
            return graft_fail(context, GRAFT_ERROR_ARGUMENT, "%s: alpha is %g; use %g to %g",
                              i == 0 ? "mixup" : "cutmix", alpha, GRAFT_MIX_LEAST, GRAFT_MIX_MOST);
        }
    }
    return pixels || !graft_mixes(mix) ? GRAFT_OK
                                       : graft_fail(context, GRAFT_ERROR_ARGUMENT,
                                                    "pictures that are only looked at cannot be mixed");
}
