/* SPDX-License-Identifier: MIT */
#include "model/formula.h"

#include <math.h>
#include <string.h>

/* FNV-1a, 64 bit: written out here, so that the library's own is not what checks it. */
static uint64_t hash(const char *text)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (; *text; ++text)
        h = (h ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return h;
}

/* In [-1, 1). */
static double u(uint64_t h, uint64_t i)
{
    uint64_t z = h + (i + 1) * UINT64_C(0x9E3779B97F4A7C15);
    z ^= z >> 30;
    z *= UINT64_C(0xBF58476D1CE4E5B9);
    z ^= z >> 27;
    z *= UINT64_C(0x94D049BB133111EB);
    z ^= z >> 31;
    return (double)(z >> 40) / 8388608.0 - 1.0;
}

static int ends(const char *text, const char *suffix)
{
    const size_t a = strlen(text), b = strlen(suffix);
    return a >= b && strcmp(text + a - b, suffix) == 0;
}

/* The first row that fits gives factor × (base + scale × u). */
struct rule {
    const char *network; /* its name begins with this; "*": contains what follows */
    const char *others;  /* but is none of these */
    const char *ends[4];
    bool matrices; /* two or more dimensions: scale is multiplied by sqrt(6 / fan in) */
    double factor, base, scale;
};

static const struct rule rules[] = {
    {"", "", {"running_var"}, false, 1, 1, 0.5},
    {"", "", {"running_mean", "bias"}, false, 1, 0, 0.1},
    {"", "", {"class_token", "cls_token", "pos_embedding", "pos_embed"}, false, 1, 0, 0.5},
    {"", "", {"layer_scale", "f.c.1.weight"}, false, 0.3, 1, 0.1},
    {"efficientnet_b", "efficientnet_b0 efficientnet_b3", {"block.3.1.weight"}, false, 0.8, 1, 0.1},
    {"efficientnet_v2", "", {"block.3.1.weight"}, false, 0.3, 1, 0.1},
    {"efficientnet_v2", "", {"block.1.1.weight"}, false, 0.7, 1, 0.1},
    {"", "", {"logit_scale"}, false, 1, 2.3, 1},
    {"", "", {"conv_c.weight", "conv3_1x1.weight"}, true, 0.2, 0, 1},
    {"", "", {""}, true, 1, 0, 1},
    {"*resne", "", {"bn2.weight", "bn3.weight"}, false, 0.3, 1, 0.1},
    {"", "", {""}, false, 1, 1, 0.1},
};

static bool fits(const struct rule *rule, const char *network, const char *tensor,
                 const struct graft_shape *shape)
{
    const bool named = rule->network[0] == '*' ? strstr(network, rule->network + 1) != NULL
                                               : strncmp(network, rule->network, strlen(rule->network)) == 0;
    if (!named || (rule->others[0] && strstr(rule->others, network)) || (rule->matrices && shape->rank < 2))
        return false;
    for (int i = 0; i < 4 && rule->ends[i]; ++i) {
        if (ends(tensor, rule->ends[i]))
            return true;
    }
    return false;
}

void test_formula_tensor(const char *network, const char *tensor, const struct graft_shape *shape,
                         float *data)
{
    const uint64_t h = hash(tensor);
    const int64_t count = graft_shape_count(shape);
    const struct rule *rule = rules;
    while (!fits(rule, network, tensor, shape))
        ++rule;
    const double scale = rule->scale * (rule->matrices ? sqrt(6.0 / (double)(count / shape->dim[0])) : 1.0);
    for (int64_t i = 0; i < count; ++i)
        data[i] = (float)(rule->factor * (rule->base + scale * u(h, (uint64_t)i)));
}

void test_formula_keras(const char *path, const struct graft_shape *shape, float *data)
{
    const uint64_t h = hash(path);
    const int64_t count = graft_shape_count(shape);
    const bool depthwise = strstr(path, "_dw") || strstr(path, "depthwise");
    double base = 1.0, scale = 0.1;
    if (strstr(path, "layer_scale")) {
        base = 0.3;
        scale = 0.03;
    } else if (ends(path, "variance")) {
        scale = 0.5;
    } else if (ends(path, "/bias") || ends(path, "/beta") || ends(path, "mean")) {
        base = 0.0;
    } else if (shape->rank >= 2) {
        const int64_t inputs = depthwise && shape->rank == 4 ? shape->dim[0] * shape->dim[1]
                                                             : count / shape->dim[shape->rank - 1];
        base = 0.0;
        scale = sqrt(6.0 / (double)inputs);
    } else if (ends(path, "_3_bn/gamma")) {
        base = 0.5;
        scale = 0.05;
    }
    for (int64_t i = 0; i < count; ++i)
        data[i] = (float)(base + scale * u(h, (uint64_t)i));
}

void test_formula_onnx(const char *name, const struct graft_shape *shape, float *data)
{
    const uint64_t h = hash(name);
    const int64_t count = graft_shape_count(shape);
    double base = 0.0, scale = 0.1;
    if (ends(name, "running_var")) {
        base = 1.0;
        scale = 0.5;
    } else if (shape->rank >= 2 && count > 1) {
        scale = sqrt(6.0 / (double)(count / shape->dim[0]));
    } else if (ends(name, "weight") || ends(name, "gamma")) {
        base = 1.0;
    }
    for (int64_t i = 0; i < count; ++i)
        data[i] = (float)(base + scale * u(h, (uint64_t)i));
}

void test_formula_input(int size, float *data)
{
    test_formula_pictures(2, size, size, data);
}

void test_formula_pictures(int count, int height, int width, float *data)
{
    const uint64_t blocks = hash("input.blocks"), noise = hash("input.noise");
    for (int n = 0; n < count; ++n) {
        for (int y = 0; y < height; ++y) {
            for (int x = 0; x < width; ++x) {
                for (int c = 0; c < 3; ++c) {
                    const int block = ((n * 3 + c) * 8 + 8 * y / height) * 8 + 8 * x / width;
                    const int64_t pixel = ((int64_t)(n * 3 + c) * height + y) * width + x;
                    *data++ = (float)(u(blocks, (uint64_t)block) + 0.25 * u(noise, (uint64_t)pixel));
                }
            }
        }
    }
}
