/* SPDX-License-Identifier: MIT */
/*
 * Matrix products and convolutions on the CPU where the conformance cases are too small to lead: several
 * blocks, batches of tiles, panels of columns and splits of sums, for one thread, two and more than there
 * are. Of each result some hundred elements are compared with the definition in double; the rest around them
 * is guarded.
 */
#include "backend/backend.h"
#include "base/random.h"
#include "support/support.h"

#include <math.h>

#define SAMPLES 400
#define MARGIN 64 /* floats around each tensor that must stay as they are */
#define UNTOUCHED 12345.0f
#define TOLERANCE 2e-5 /* of Σ|a·b|: what is wrong here is wrong by whole terms */

/* One element of the output: the sum of its terms and of their absolute values. */
struct sum {
    double value, size;
};

static void add(struct sum *sum, float a, float b)
{
    sum->value += (double)a * (double)b;
    sum->size += fabs((double)a * (double)b);
}

/* ---- definitions; `in` are the operands as the call has them */

static int64_t at4(const struct graft_shape *s, int64_t a, int64_t b, int64_t c, int64_t d)
{
    return ((a * s->dim[1] + b) * s->dim[2] + c) * s->dim[3] + d;
}

/* Terms of a convolution: for each (output pixel, tap) whose input pixel exists, through `visit`. */
static struct sum conv2d(const struct graft_call *call, float *const *in, const int64_t y[4])
{
    const struct graft_conv2d_attributes *const a = &call->attributes.conv2d;
    const struct graft_shape *const x = &call->in[0].shape, *const w = &call->in[1].shape;
    const int64_t first = y[3] / (w->dim[0] / a->groups) * w->dim[3];
    struct sum sum = {0, 0};
    for (int64_t i = 0; i < w->dim[1]; i++)
        for (int64_t j = 0; j < w->dim[2]; j++) {
            const int64_t h = y[1] * a->stride[0] - a->pad[0] + i * a->dilation[0];
            const int64_t v = y[2] * a->stride[1] - a->pad[2] + j * a->dilation[1];
            for (int64_t c = 0; c < w->dim[3] && h >= 0 && h < x->dim[1] && v >= 0 && v < x->dim[2]; c++)
                add(&sum, in[0][at4(x, y[0], h, v, first + c)], in[1][at4(w, y[3], i, j, c)]);
        }
    return sum;
}

static struct sum conv2d_grad_input(const struct graft_call *call, float *const *in, const int64_t x[4])
{
    const struct graft_conv2d_attributes *const a = &call->attributes.conv2d;
    const struct graft_shape *const dy = &call->in[0].shape, *const w = &call->in[1].shape;
    const int64_t filters = w->dim[0] / a->groups, first = x[3] / w->dim[3] * filters;
    struct sum sum = {0, 0};
    for (int64_t i = 0; i < w->dim[1]; i++)
        for (int64_t j = 0; j < w->dim[2]; j++) {
            const int64_t h = x[1] + a->pad[0] - i * a->dilation[0];
            const int64_t v = x[2] + a->pad[2] - j * a->dilation[1];
            if (h < 0 || v < 0 || h % a->stride[0] || v % a->stride[1] || h / a->stride[0] >= dy->dim[1] ||
                v / a->stride[1] >= dy->dim[2])
                continue;
            for (int64_t o = first; o < first + filters; o++)
                add(&sum, in[0][at4(dy, x[0], h / a->stride[0], v / a->stride[1], o)],
                    in[1][at4(w, o, i, j, x[3] % w->dim[3])]);
        }
    return sum;
}

static struct sum conv2d_grad_weight(const struct graft_call *call, float *const *in, const int64_t w[4])
{
    const struct graft_conv2d_attributes *const a = &call->attributes.conv2d;
    const struct graft_shape *const x = &call->in[0].shape, *const dy = &call->in[1].shape;
    const int64_t channel = w[0] / (dy->dim[3] / a->groups) * call->out[0].shape.dim[3] + w[3];
    struct sum sum = {0, 0};
    for (int64_t n = 0; n < x->dim[0]; n++)
        for (int64_t oh = 0; oh < dy->dim[1]; oh++)
            for (int64_t ow = 0; ow < dy->dim[2]; ow++) {
                const int64_t h = oh * a->stride[0] - a->pad[0] + w[1] * a->dilation[0];
                const int64_t v = ow * a->stride[1] - a->pad[2] + w[2] * a->dilation[1];
                if (h >= 0 && h < x->dim[1] && v >= 0 && v < x->dim[2])
                    add(&sum, in[0][at4(x, n, h, v, channel)], in[1][at4(dy, n, oh, ow, w[0])]);
            }
    return sum;
}

static struct sum matmul(const struct graft_call *call, float *const *in, const int64_t y[4])
{
    const struct graft_matmul_attributes *const a = &call->attributes.matmul;
    const struct graft_shape *const s = &call->in[0].shape, *const t = &call->in[1].shape;
    const int64_t k_all = a->transpose_a ? s->dim[0] : s->dim[1];
    struct sum sum = {0, 0};
    for (int64_t k = 0; k < k_all; k++)
        add(&sum, a->transpose_a ? in[0][k * s->dim[1] + y[0]] : in[0][y[0] * s->dim[1] + k],
            a->transpose_b ? in[1][y[1] * t->dim[1] + k] : in[1][k * t->dim[1] + y[1]]);
    return sum;
}

typedef struct sum definition(const struct graft_call *call, float *const *in, const int64_t at[4]);

/* ---- running */

struct device {
    struct graft_context *context;
    struct graft_device *device;
};

/* A buffer with margins; data NULL: filled with what is no number. */
static struct graft_tensor upload(struct graft_device *device, const float *data, int64_t count)
{
    const size_t all = (size_t)count + 2 * MARGIN;
    float *const padded = malloc(all * sizeof *padded);
    for (size_t i = 0; i < all; i++)
        padded[i] = UNTOUCHED;
    for (int64_t i = 0; i < count; i++)
        padded[MARGIN + i] = data ? data[i] : NAN;
    struct graft_tensor tensor = {NULL, MARGIN * sizeof(float)};
    const struct graft_tensor whole = {NULL, 0};
    assert_int_equal(graft_buffer_open(device, all * sizeof *padded, &tensor.buffer), GRAFT_OK);
    const struct graft_tensor to = {tensor.buffer, whole.offset};
    assert_int_equal(device->backend->buffer_write(device, to, padded, all * sizeof *padded), GRAFT_OK);
    free(padded);
    return tensor;
}

/* The tensor's numbers; its margins must be as they were. */
static void download(struct graft_device *device, struct graft_tensor *tensor, int64_t count, float *data)
{
    const size_t all = (size_t)count + 2 * MARGIN;
    float *const padded = malloc(all * sizeof *padded);
    const struct graft_tensor whole = {tensor->buffer, 0};
    assert_int_equal(device->backend->buffer_read(device, padded, whole, all * sizeof *padded), GRAFT_OK);
    for (size_t i = 0; i < MARGIN; i++)
        assert_true(padded[i] == UNTOUCHED && padded[all - 1 - i] == UNTOUCHED);
    memcpy(data, padded + MARGIN, (size_t)count * sizeof *data);
    free(padded);
    graft_buffer_close(device, &tensor->buffer, all * sizeof *padded);
}

static void run(struct graft_device *device, const struct graft_call *call, int variant,
                const struct graft_variant_info *info, float *const *in, float *result)
{
    struct graft_tensor tensors[GRAFT_MAX_INPUTS] = {{NULL, 0}}, out[GRAFT_MAX_OUTPUTS] = {{NULL, 0}};
    const int64_t count = graft_shape_count(&call->out[0].shape);
    const int64_t work = (int64_t)(info->workspace_bytes / sizeof(float)) + 1;
    struct graft_kernel *kernel = NULL;
    for (int i = 0; i < 2; i++)
        tensors[i] = upload(device, in[i], graft_shape_count(&call->in[i].shape));
    out[0] = upload(device, NULL, count);
    struct graft_tensor workspace = upload(device, NULL, work);
    assert_int_equal(device->backend->kernel_open(device, call, variant, &kernel), GRAFT_OK);
    if (call->constant)
        assert_int_equal(device->backend->kernel_prepare(device, kernel, tensors), GRAFT_OK);
    assert_int_equal(device->backend->kernel_run(device, kernel, tensors, out, workspace), GRAFT_OK);
    device->backend->kernel_close(device, kernel);
    float *const scratch = malloc((size_t)work * sizeof *scratch);
    download(device, &out[0], count, result);
    download(device, &workspace, work, scratch);
    for (int i = 0; i < 2; i++) {
        float *const same = malloc((size_t)graft_shape_count(&call->in[i].shape) * sizeof *same);
        download(device, &tensors[i], graft_shape_count(&call->in[i].shape), same);
        assert_memory_equal(same, in[i], (size_t)graft_desc_bytes(&call->in[i]));
        free(same);
    }
    free(scratch);
}

/* Corners and random elements against the definition. */
static void check(const struct graft_call *call, definition *define, float *const *in, const float *result,
                  const char *what)
{
    const struct graft_shape *const shape = &call->out[0].shape;
    struct graft_random random;
    graft_random_start(&random, 3, 4);
    for (int i = 0; i < SAMPLES; i++) {
        int64_t at[4] = {0}, element = 0;
        for (int d = 0; d < shape->rank; d++) {
            at[d] = i < 16 ? (i >> d & 1) * (shape->dim[d] - 1)
                           : (int64_t)graft_random_below(&random, (uint32_t)shape->dim[d]);
            element = element * shape->dim[d] + at[d];
        }
        const struct sum sum = define(call, in, at);
        if (!(fabs((double)result[element] - sum.value) <= TOLERANCE * sum.size)) {
            char text[512];
            fail_msg("%s, %s: element %lld is %.9g, not %.9g", what,
                     graft_call_format(call, text, sizeof text), (long long)element, (double)result[element],
                     sum.value);
        }
    }
}

/* Every fast variant that can do the call, with weights that change and with constant ones. */
static void try_call(const struct device *on, const char *set, struct graft_call call, definition *define,
                     const char *wanted)
{
    struct graft_random random;
    float *in[2];
    bool tried = false;
    if (graft_op_infer(on->context, &call) != GRAFT_OK)
        fail_msg("%s", graft_context_error(on->context));
    graft_random_start(&random, 1, 2);
    for (int i = 0; i < 2; i++) {
        const int64_t count = graft_shape_count(&call.in[i].shape);
        in[i] = malloc((size_t)count * sizeof *in[i]);
        for (int64_t k = 0; k < count; k++)
            in[i][k] = 2 * graft_random_uniform(&random) - 1;
    }
    float *const result = malloc((size_t)graft_desc_bytes(&call.out[0]));
    for (int constant = 0; constant < 2; constant++) {
        call.constant = constant ? 2u : 0;
        for (int variant = 0;; variant++) {
            struct graft_variant_info info = {.name = ""};
            const enum graft_status status = on->device->backend->check(on->device, &call, variant, &info);
            if (status == GRAFT_ERROR_NOT_FOUND)
                break;
            if (status != GRAFT_OK || strcmp(info.name, "reference") == 0)
                continue;
            char what[64];
            snprintf(what, sizeof what, "%s, %s%s", set, info.name, constant ? " prepared" : "");
            run(on->device, &call, variant, &info, in, result);
            check(&call, define, in, result, what);
            tried = tried || strcmp(info.name, wanted) == 0;
        }
    }
    if (!tried)
        fail_msg("%s: no variant %s of %s", set, wanted, graft_op_get(call.op)->name);
    free(in[0]);
    free(in[1]);
    free(result);
}

/* ---- shapes */

static const struct {
    const char *variant; /* that must be among those that run */
    int n, h, w, c, o, kernel, stride, dilation, pad[4], groups;
} convolutions[] = {
    /* Winograd: blocks of tiles with a rest; batches of tiles in phases; pads on one side; panels of columns
     */
    {"winograd4", 1, 85, 85, 16, 16, 3, 1, 1, {1, 1, 1, 1}, 1},
    {"winograd4", 1, 49, 47, 16, 1616, 3, 1, 1, {1, 1, 1, 1}, 1},
    {"winograd4", 3, 22, 21, 40, 48, 3, 1, 1, {1, 0, 0, 1}, 1},
    {"winograd4", 3, 21, 22, 48, 40, 3, 1, 1, {0, 1, 1, 0}, 1},
    {"winograd4", 2, 29, 31, 64, 208, 3, 1, 1, {1, 1, 1, 1}, 1},
    {"gemm", 1, 63, 65, 130, 131, 1, 1, 1, {0, 0, 0, 0}, 1},
    {"gemm", 2, 57, 55, 70, 90, 1, 2, 1, {0, 0, 0, 0}, 1},
    {"gemm", 2, 65, 63, 3, 64, 7, 2, 1, {3, 3, 3, 3}, 1},
    {"gemm", 1, 40, 41, 24, 36, 3, 1, 2, {2, 1, 0, 2}, 1},
    {"gemm", 2, 33, 35, 48, 96, 3, 2, 1, {0, 1, 0, 1}, 4},
    {"gemm", 1, 20, 21, 530, 17, 5, 1, 1, {2, 2, 2, 2}, 1},
    {"depthwise", 2, 45, 47, 67, 67, 3, 1, 1, {1, 1, 1, 1}, 67},
    {"depthwise", 2, 45, 47, 96, 96, 3, 2, 1, {0, 1, 0, 1}, 96},
    {"depthwise", 1, 31, 37, 40, 40, 5, 2, 1, {2, 2, 2, 2}, 40},
};

static void try_convolutions(const struct device *on, const char *set)
{
    for (size_t i = 0; i < sizeof convolutions / sizeof convolutions[0]; i++) {
        const int k = convolutions[i].kernel, s = convolutions[i].stride, d = convolutions[i].dilation;
        const int *const pad = convolutions[i].pad, groups = convolutions[i].groups;
        const struct graft_shape x =
            graft_shape_of(4, convolutions[i].n, convolutions[i].h, convolutions[i].w, convolutions[i].c);
        const struct graft_shape w = graft_shape_of(4, convolutions[i].o, k, k, convolutions[i].c / groups);
        struct graft_call call = {.op = GRAFT_OP_CONV2D, .n_inputs = 2};
        call.attributes.conv2d = (struct graft_conv2d_attributes){
            .stride = {s, s}, .dilation = {d, d}, .pad = {pad[0], pad[1], pad[2], pad[3]}, .groups = groups};
        call.in[0] = (struct graft_desc){GRAFT_DTYPE_F32, x};
        call.in[1] = (struct graft_desc){GRAFT_DTYPE_F32, w};
        try_call(on, set, call, conv2d, convolutions[i].variant);
        assert_int_equal(graft_op_infer(on->context, &call), GRAFT_OK);
        const struct graft_desc y = call.out[0];

        struct graft_call grad = call;
        grad.op = GRAFT_OP_CONV2D_GRAD_INPUT;
        grad.in[0] = y;
        grad.attributes.conv2d.size[0] = (int32_t)x.dim[1];
        grad.attributes.conv2d.size[1] = (int32_t)x.dim[2];
        /* Winograd's kernels take pads of one there; with none the gradient would need pads of two. */
        const bool even = pad[0] && pad[1] && pad[2] && pad[3];
        try_call(on, set, grad, conv2d_grad_input, even || groups > 4 ? convolutions[i].variant : "gemm");

        grad = call;
        grad.op = GRAFT_OP_CONV2D_GRAD_WEIGHT;
        grad.in[1] = y;
        grad.attributes.conv2d.size[0] = grad.attributes.conv2d.size[1] = k;
        try_call(on, set, grad, conv2d_grad_weight, convolutions[i].variant);
    }
}

static void try_products(const struct device *on, const char *set)
{
    static const int sizes[][3] = {
        {300, 500, 700}, {3, 1000, 513}, {64, 300, 1100}, {65, 2050, 40}, {700, 33, 31}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int turned = 0; turned < 4; turned++) {
            const int m = sizes[i][0], k = sizes[i][1], n = sizes[i][2];
            struct graft_call call = {.op = GRAFT_OP_MATMUL, .n_inputs = 2};
            call.attributes.matmul.transpose_a = turned & 1;
            call.attributes.matmul.transpose_b = turned >> 1;
            call.in[0].dtype = call.in[1].dtype = GRAFT_DTYPE_F32;
            call.in[0].shape = turned & 1 ? graft_shape_of(2, k, m) : graft_shape_of(2, m, k);
            call.in[1].shape = turned >> 1 ? graft_shape_of(2, n, k) : graft_shape_of(2, k, n);
            try_call(on, set, call, matmul, "gemm");
        }
}

static void for_threads(int threads)
{
    const struct graft_context_options options = {.threads = threads};
    struct device on = {NULL, NULL};
    char set[32];
    snprintf(set, sizeof set, "%d threads", threads);
    assert_int_equal(graft_context_open(&options, &on.context), GRAFT_OK);
    assert_int_equal(graft_device_open(on.context, "cpu", &on.device), GRAFT_OK);
    try_convolutions(&on, set);
    try_products(&on, set);
    graft_device_close(&on.device);
    graft_context_close(&on.context);
}

static void with_one_thread(void **state)
{
    (void)state;
    for_threads(1);
}

static void with_two_threads(void **state)
{
    (void)state;
    for_threads(2);
}

static void with_many_threads(void **state)
{
    (void)state;
    for_threads(12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_one_thread),
        cmocka_unit_test(with_two_threads),
        cmocka_unit_test(with_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
