/* SPDX-License-Identifier: MIT */
/*
 * Matrix products and convolutions on OpenCL where the conformance cases are too small to lead: sums in
 * several blocks, chunks and launches, copies in several passes, and the tiles of processors with narrower
 * vectors. Inputs are small integers, so all orders of summation give the same bits, and the reference device
 * says which.
 */
#include "backend/backend.h"
#include "backend/opencl/internal.h"
#include "base/random.h"
#include "support/support.h"

#include <math.h>

#define SHAPES 24 /* random ones for each set-up */
#define MARGIN 48 /* floats around each tensor that must stay as they are */
#define UNTOUCHED 12345.0f

struct fixture {
    struct graft_context *context;
    struct graft_device *opencl; /* NULL: there is none */
    struct graft_device *reference;
    struct graft_random random;
};

static int set_up(void **state)
{
    struct fixture *const f = calloc(1, sizeof *f);
    assert_int_equal(graft_context_open(NULL, &f->context), GRAFT_OK);
    assert_int_equal(graft_device_open(f->context, "reference", &f->reference), GRAFT_OK);
    if (graft_device_open(f->context, "opencl:0", &f->opencl) != GRAFT_OK) {
        f->opencl = NULL;
    }
    graft_random_start(&f->random, 7, 1);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *const f = *state;
    graft_device_close(&f->opencl);
    graft_device_close(&f->reference);
    graft_context_close(&f->context);
    free(f);
    return 0;
}

static struct graft_opencl_traits *need_traits(struct fixture *f)
{
    if (f->opencl == NULL) {
        print_message("no OpenCL device: %s\n", graft_context_error(f->context));
        skip();
    }
    return &((struct graft_opencl_device *)f->opencl)->traits;
}

static int pick(struct fixture *f, int low, int high)
{
    return low + (int)graft_random_below(&f->random, (uint32_t)(high - low + 1));
}

/* ---- running one call ---- */

static void need(struct fixture *f, enum graft_status status)
{
    if (status != GRAFT_OK) {
        fail_msg("%s", graft_context_error(f->context));
    }
}

/* A buffer with margins around `count` floats, which are `data` (NULL: nothing). */
static struct graft_tensor upload(struct fixture *f, struct graft_device *device, const float *data,
                                  int64_t count)
{
    const size_t all = (size_t)count + 2 * MARGIN;
    float *const padded = malloc(all * sizeof(float));
    for (size_t i = 0; i < all; i++) {
        padded[i] = UNTOUCHED;
    }
    if (data != NULL) {
        memcpy(padded + MARGIN, data, (size_t)count * sizeof(float));
    }
    struct graft_tensor tensor = {NULL, 0};
    need(f, device->backend->buffer_alloc(device, all * sizeof(float), &tensor.buffer));
    need(f, device->backend->buffer_write(device, tensor, padded, all * sizeof(float)));
    free(padded);
    tensor.offset = MARGIN * sizeof(float);
    return tensor;
}

/* Frees such a buffer, whose margins must be as they were; `data`, unless NULL, gets what is between them. */
static void download(struct fixture *f, struct graft_device *device, struct graft_tensor tensor, float *data,
                     int64_t count)
{
    const size_t all = (size_t)count + 2 * MARGIN;
    float *const padded = malloc(all * sizeof(float));
    tensor.offset = 0;
    need(f, device->backend->buffer_read(device, padded, tensor, all * sizeof(float)));
    for (size_t i = 0; i < MARGIN; i++) {
        assert_true(padded[i] == UNTOUCHED && padded[all - 1 - i] == UNTOUCHED);
    }
    if (data != NULL) {
        memcpy(data, padded + MARGIN, (size_t)count * sizeof(float));
    }
    free(padded);
    device->backend->buffer_free(device, tensor.buffer);
}

/* Runs a variant on `output`, which holds what is accumulated to. */
static void run(struct fixture *f, struct graft_device *device, const struct graft_call *call, int variant,
                float *const *inputs, float *output)
{
    const struct graft_backend *const backend = device->backend;
    struct graft_tensor in[GRAFT_MAX_INPUTS] = {{NULL, 0}}, out[GRAFT_MAX_OUTPUTS] = {{NULL, 0}};
    struct graft_variant_info info;
    struct graft_kernel *kernel = NULL;
    const int64_t count = graft_shape_count(&call->out[0].shape);
    need(f, backend->check(device, call, variant, &info));
    need(f, backend->kernel_open(device, call, variant, &kernel));
    for (int i = 0; i < call->n_inputs; i++) {
        if (inputs[i] != NULL) {
            in[i] = upload(f, device, inputs[i], graft_shape_count(&call->in[i].shape));
        }
    }
    out[0] = upload(f, device, output, count);
    const int64_t scratch = (int64_t)(info.workspace_bytes / sizeof(float));
    const struct graft_tensor workspace = upload(f, device, NULL, scratch);
    need(f, backend->kernel_prepare(device, kernel, in));
    need(f, backend->kernel_run(device, kernel, in, out, workspace));
    need(f, backend->synchronize(device, NULL));
    download(f, device, out[0], output, count);
    download(f, device, workspace, NULL, scratch);
    backend->kernel_close(device, kernel);
    for (int i = 0; i < call->n_inputs; i++) {
        backend->buffer_free(device, in[i].buffer);
    }
}

static float *make_data(struct fixture *f, const struct graft_desc *desc)
{
    const int64_t count = graft_shape_count(&desc->shape);
    float *const data = malloc((size_t)count * sizeof(float) + 1);
    for (int64_t i = 0; i < count; i++) {
        data[i] = (float)pick(f, -3, 3);
    }
    return data;
}

/* All sums are integers, which fractions (Winograd's) come near enough to tell them from others. */
static bool agrees(const char *variant, float got, float wanted)
{
    return strncmp(variant, "winograd4", strlen("winograd4")) == 0 ? fabsf(got - wanted) < 0.25F
                                                                   : got == wanted;
}

/* Every variant whose name is `only` (NULL: all) gives what the reference gives. */
static void check_call(struct fixture *f, struct graft_call *call, const char *only)
{
    float *inputs[GRAFT_MAX_INPUTS] = {NULL};
    char text[512];
    need(f, graft_op_infer(f->context, call));
    graft_call_format(call, text, sizeof text);
    for (int i = 0; i < call->n_inputs; i++) {
        if (call->in[i].dtype != GRAFT_DTYPE_NONE) {
            inputs[i] = make_data(f, &call->in[i]);
        }
    }
    const size_t bytes = (size_t)graft_shape_count(&call->out[0].shape) * sizeof(float);
    float *const before = make_data(f, &call->out[0]);
    float *const wanted = malloc(bytes + 1), *const got = malloc(bytes + 1);
    memcpy(wanted, before, bytes);
    run(f, f->reference, call, 0, inputs, wanted);
    int ran = 0;
    struct graft_variant_info info;
    for (int variant = 0;; variant++) {
        const enum graft_status status = f->opencl->backend->check(f->opencl, call, variant, &info);
        if (status == GRAFT_ERROR_NOT_FOUND) {
            break;
        }
        if (status == GRAFT_ERROR_UNSUPPORTED || (only != NULL && strcmp(only, info.name) != 0)) {
            continue;
        }
        memcpy(got, before, bytes);
        run(f, f->opencl, call, variant, inputs, got);
        for (size_t i = 0; i < bytes / sizeof(float); i++) {
            if (!agrees(info.name, got[i], wanted[i])) {
                fail_msg("%s, variant %s: element %zu is %g, wanted %g", text, info.name, i, (double)got[i],
                         (double)wanted[i]);
            }
        }
        ran++;
    }
    assert_true(ran > 0);
    for (int i = 0; i < call->n_inputs; i++) {
        free(inputs[i]);
    }
    free(before);
    free(wanted);
    free(got);
}

/* ---- random calls ---- */

static void set_input(struct graft_call *call, int i, struct graft_shape shape)
{
    call->in[i] = (struct graft_desc){GRAFT_DTYPE_F32, shape};
    call->n_inputs = i + 1;
}

static void check_convolution(struct fixture *f, const char *only)
{
    struct graft_conv2d_attributes a = {.groups = pick(f, 0, 3) == 0 ? pick(f, 2, 3) : 1};
    const int group_channels = pick(f, 1, 40), group_filters = pick(f, 1, 40);
    const struct graft_shape x =
        graft_shape_of(4, pick(f, 1, 3), pick(f, 6, 14), pick(f, 6, 14), group_channels * a.groups);
    const int kernel[2] = {pick(f, 1, 3), pick(f, 1, 3)};
    int64_t y_size[2];
    for (int i = 0; i < 2; i++) {
        a.stride[i] = pick(f, 1, 2);
        a.dilation[i] = pick(f, 1, 2);
        a.pad[2 * i] = pick(f, 0, 2);
        a.pad[2 * i + 1] = pick(f, 0, 2);
        y_size[i] = graft_window_output(x.dim[1 + i], kernel[i], a.stride[i], a.dilation[i], a.pad[2 * i],
                                        a.pad[2 * i + 1], false);
    }
    const struct graft_shape w =
        graft_shape_of(4, group_filters * a.groups, kernel[0], kernel[1], group_channels);
    const struct graft_shape y = graft_shape_of(4, x.dim[0], y_size[0], y_size[1], w.dim[0]);

    struct graft_call forward = {.op = GRAFT_OP_CONV2D, .attributes.conv2d = a};
    forward.attributes.conv2d.activation = (enum graft_unary)pick(f, 0, 2);
    forward.constant = pick(f, 0, 1) == 0 ? 0 : 1u << 1;
    set_input(&forward, 0, x);
    set_input(&forward, 1, w);
    set_input(&forward, 2, graft_shape_of(1, w.dim[0]));
    set_input(&forward, 3, y);
    check_call(f, &forward, only);

    struct graft_call input = {.op = GRAFT_OP_CONV2D_GRAD_INPUT, .attributes.conv2d = a};
    input.attributes.conv2d.size[0] = (int32_t)x.dim[1];
    input.attributes.conv2d.size[1] = (int32_t)x.dim[2];
    input.accumulate = (uint32_t)pick(f, 0, 1);
    set_input(&input, 0, y);
    set_input(&input, 1, w);
    check_call(f, &input, only);

    struct graft_call weight = {.op = GRAFT_OP_CONV2D_GRAD_WEIGHT, .attributes.conv2d = a};
    weight.attributes.conv2d.size[0] = kernel[0];
    weight.attributes.conv2d.size[1] = kernel[1];
    weight.accumulate = (uint32_t)pick(f, 0, 1);
    set_input(&weight, 0, x);
    set_input(&weight, 1, y);
    check_call(f, &weight, only);
}

static void check_product(struct fixture *f, const char *only)
{
    const int batches = pick(f, 1, 3), m = pick(f, 1, 70), n = pick(f, 1, 70), k = pick(f, 1, 300);
    struct graft_call call = {.op = GRAFT_OP_MATMUL, .accumulate = (uint32_t)pick(f, 0, 1)};
    struct graft_matmul_attributes *const a = &call.attributes.matmul;
    a->transpose_a = pick(f, 0, 1) == 1;
    a->transpose_b = pick(f, 0, 1) == 1;
    a->activation = (enum graft_unary)pick(f, 0, 2);
    set_input(&call, 0, a->transpose_a ? graft_shape_of(3, batches, k, m) : graft_shape_of(3, batches, m, k));
    if (pick(f, 0, 1) == 0) {
        set_input(&call, 1, a->transpose_b ? graft_shape_of(2, n, k) : graft_shape_of(2, k, n));
    } else {
        set_input(&call, 1,
                  a->transpose_b ? graft_shape_of(3, batches, n, k) : graft_shape_of(3, batches, k, n));
    }
    set_input(&call, 2, graft_shape_of(1, n));
    set_input(&call, 3, graft_shape_of(3, batches, m, n));
    check_call(f, &call, only);
}

static void check_many(struct fixture *f, const char *only)
{
    for (int i = 0; i < SHAPES; i++) {
        check_convolution(f, only);
        check_product(f, only);
    }
}

/* Pixels of few channels and a border, where a sum takes several blocks: all are added to the output, once.
 */
static void check_border(struct fixture *f, const char *only)
{
    struct graft_call call = {.op = GRAFT_OP_CONV2D, .accumulate = 1};
    call.attributes.conv2d = (struct graft_conv2d_attributes){
        .stride = {1, 1}, .dilation = {1, 1}, .pad = {1, 1, 1, 1}, .groups = 1};
    set_input(&call, 0, graft_shape_of(4, 1, 5, 6, 13));
    set_input(&call, 1, graft_shape_of(4, 18, 1, 1, 13));
    check_call(f, &call, only);
}

/* ---- tests ---- */

static void test_many_launches(void **state)
{
    struct fixture *const f = *state;
    struct graft_opencl_traits *const traits = need_traits(f);
    traits->launch_flops = 2e5;
    traits->scratch_bytes = 4096;
    traits->block_terms = 5;
    check_many(f, "tile");
    check_border(f, "tile");
    traits->launch_flops = 2e6;
    for (int i = 0; i < SHAPES / 4; i++) {
        check_convolution(f, "local");
        check_product(f, "local");
    }
}

static void test_narrow_vectors(void **state)
{
    struct fixture *const f = *state;
    struct graft_opencl_traits *const traits = need_traits(f);
    static const int widths[] = {4, 8, 16};
    for (int i = 0; i < 3; i++) {
        traits->vector_floats = widths[i];
        check_many(f, "tile");
    }
}

/* The gradient to the weight of several chunks of pixels, and of filters that do not fill a tile. */
static void test_many_chunks(void **state)
{
    struct fixture *const f = *state;
    struct graft_opencl_traits *const traits = need_traits(f);
    static const int filters[] = {3, 30}, scratch[] = {1 << 25, 100000, 1};
    for (int i = 0; i < 6; i++) {
        struct graft_call call = {.op = GRAFT_OP_CONV2D_GRAD_WEIGHT, .accumulate = (uint32_t)(i % 2)};
        call.attributes.conv2d = (struct graft_conv2d_attributes){
            .stride = {1, 1}, .dilation = {1, 1}, .pad = {1, 1, 1, 1}, .groups = 1, .size = {3, 3}};
        traits->scratch_bytes = (uint64_t)scratch[i / 2];
        set_input(&call, 0, graft_shape_of(4, 3, 37, 40, 17));
        set_input(&call, 1, graft_shape_of(4, 3, 37, 40, filters[i % 2]));
        check_call(f, &call, i / 2 == 1 ? NULL : "tile");
    }
}

/* The gradient to the weights of a depthwise convolution: a second chunk of lines, smaller than the first. */
static void test_depthwise_chunks(void **state)
{
    struct fixture *const f = *state;
    need_traits(f);
    for (int stride = 1; stride <= 3; stride++) {
        struct graft_call call = {.op = GRAFT_OP_CONV2D_GRAD_WEIGHT, .accumulate = (uint32_t)(stride % 2)};
        call.attributes.conv2d = (struct graft_conv2d_attributes){.stride = {stride, stride},
                                                                  .dilation = {1, 1},
                                                                  .pad = {1, 1, 1, 1},
                                                                  .groups = 35,
                                                                  .size = {3, 3}};
        set_input(&call, 0, graft_shape_of(4, 3, 31 * stride, 40 * stride, 35));
        set_input(&call, 1, graft_shape_of(4, 3, 31, 40, 35));
        check_call(f, &call, "depthwise");
        check_call(f, &call, "depthwise_narrow");
    }
}

/* Winograd: blocks of tiles with a rest, batches of tiles in phases, several launches, pads on one side. */
static void test_winograd(void **state)
{
    struct fixture *const f = *state;
    struct graft_opencl_traits *const traits = need_traits(f);
    static const struct {
        const char *variant;
        int n, h, w, c, o, pad[4];
        double launch_flops;
        int scratch, vector, units; /* 0: those of the device */
    } shapes[] = {
        {"winograd4", 1, 85, 85, 16, 16, {1, 1, 1, 1}, 1.2e10, 200000, 16}, /* fused */
        {"winograd4", 3, 41, 38, 40, 48, {1, 1, 1, 1}, 1e6, 200000, 8},     /* and in several launches */
        {"winograd4", 2, 49, 47, 17, 50, {1, 1, 1, 1}, 1.2e10, 200000, 4},
        {"winograd4", 1, 49, 47, 16, 1616, {1, 1, 1, 1}, 1e8, 200000, 16}, /* in phases, of several batches */
        {"winograd4", 1, 22, 21, 64, 100, {1, 1, 1, 1}, 1e8, 1000000, 16}, /* the gradient: some filters at
                                                                             once */
        {"winograd4", 3, 22, 21, 40, 48, {1, 0, 0, 1}, 1.2e10, 200000, 16},
        {"winograd4_local", 2, 22, 21, 18, 33, {0, 1, 1, 0}, 1e6, 200000, 16},
        {"winograd4_local", 1, 9, 10, 40, 65, {1, 1, 1, 1}, 1.2e10, 200000, 16},
        {"winograd4_local", 1, 22, 21, 20, 40, {1, 1, 1, 1}, 1e8, 400000, 16},
        {"winograd4_matrix", 1, 18, 17, 18, 32, {1, 1, 1, 1}, 1e6, 200000, 16},
        {"winograd4_matrix", 2, 9, 10, 20, 30, {0, 1, 1, 0}, 1.2e10, 200000, 16},
        {"winograd4", 3, 33, 41, 16, 275, {1, 1, 1, 1}, 1.2e10, 200000, 16},   /* the gradient: parts of two
                                                                                  blocks, and a last one */
        {"winograd4", 1, 27, 27, 16, 34, {1, 1, 1, 1}, 1.2e10, 200000, 16, 1}, /* one more tile than whole
                                                                                  groups of them */
    };
    const int units = traits->compute_units;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        const int *const pad = shapes[i].pad;
        struct graft_call call = {.op = GRAFT_OP_CONV2D, .constant = (uint32_t)(i % 2) << 1};
        struct graft_conv2d_attributes *const a = &call.attributes.conv2d;
        *a = (struct graft_conv2d_attributes){
            .stride = {1, 1}, .dilation = {1, 1}, .pad = {pad[0], pad[1], pad[2], pad[3]}, .groups = 1};
        a->activation = i % 3 == 0 ? GRAFT_UNARY_RELU : GRAFT_UNARY_NONE;
        traits->scratch_bytes = (uint64_t)shapes[i].scratch;
        traits->launch_flops = shapes[i].launch_flops;
        traits->vector_floats = shapes[i].vector;
        traits->compute_units = shapes[i].units > 0 ? shapes[i].units : units;
        const int o = shapes[i].o, h = shapes[i].h + pad[0] + pad[1] - 2,
                  w = shapes[i].w + pad[2] + pad[3] - 2;
        const struct graft_shape x = graft_shape_of(4, shapes[i].n, shapes[i].h, shapes[i].w, shapes[i].c);
        const struct graft_shape y = graft_shape_of(4, shapes[i].n, h, w, o);
        set_input(&call, 0, x);
        set_input(&call, 1, graft_shape_of(4, o, 3, 3, shapes[i].c));
        set_input(&call, 2, graft_shape_of(1, o));
        set_input(&call, 3, y);
        check_call(f, &call, shapes[i].variant);

        a->activation = GRAFT_UNARY_NONE;
        call.constant = 0;
        call.accumulate = (uint32_t)(i % 2);
        call.n_inputs = 2;
        call.in[2] = call.in[3] = (struct graft_desc){.dtype = GRAFT_DTYPE_NONE};
        const int tiles = shapes[i].n * ((h + 3) / 4) * ((w + 3) / 4);
        if (tiles >= 28) {
            a->size[0] = a->size[1] = 3;
            call.op = GRAFT_OP_CONV2D_GRAD_WEIGHT;
            set_input(&call, 1, y);
            check_call(f, &call, shapes[i].variant);
        }
        if (pad[0] + pad[1] + pad[2] + pad[3] < 4)
            continue; /* the gradient would need pads of two */
        a->size[0] = shapes[i].h;
        a->size[1] = shapes[i].w;
        call.op = GRAFT_OP_CONV2D_GRAD_INPUT;
        set_input(&call, 0, y);
        set_input(&call, 1, graft_shape_of(4, o, 3, 3, shapes[i].c));
        check_call(f, &call, shapes[i].variant);
    }
}

/* ---- sizes from what a device says of itself ---- */

static void test_sizes(void **state)
{
    static const uint64_t GB = UINT64_C(1) << 30, MB = UINT64_C(1) << 20;
    static const struct {
        enum graft_opencl_family family;
        int units;
        uint64_t memory, allocation, mhz; /* GiB, GiB, MHz */
        uint64_t scratch;                 /* MiB */
        double least_flops, most_flops;
    } devices[] = {
        {GRAFT_OPENCL_GPU, 132, 140, 35, 1980, 512, 3e11, 4e11},     /* NVIDIA H200 */
        {GRAFT_OPENCL_GPU, 82, 24, 6, 1700, 96, 1e11, 3e11},         /* a card for games */
        {GRAFT_OPENCL_GPU, 24, 4, 1, 1100, 32, 2e10, 5e10},          /* beside a processor */
        {GRAFT_OPENCL_GPU, 2, 140, 140, 0, 512, 1.2e10, 1.2e10},     /* a driver that tells little … */
        {GRAFT_OPENCL_GPU, 132, 140, 35, 1u << 31, 512, 1e11, 2e11}, /* … or nonsense */
        {GRAFT_OPENCL_CPU, 128, 512, 128, 3000, 32, 1.2e10, 1.2e10},
    };
    (void)state;
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        struct graft_opencl_traits traits = {.family = devices[i].family,
                                             .compute_units = devices[i].units,
                                             .max_allocation = devices[i].allocation * GB};
        graft_opencl_choose_sizes(&traits, devices[i].memory * GB, devices[i].mhz);
        assert_int_equal(traits.scratch_bytes, devices[i].scratch * MB);
        assert_true(traits.launch_flops >= devices[i].least_flops &&
                    traits.launch_flops <= devices[i].most_flops);
        assert_int_equal(traits.library_reach, INT32_MAX);
    }
    struct graft_opencl_traits small = {.family = GRAFT_OPENCL_GPU, .compute_units = 1, .max_allocation = MB};
    graft_opencl_choose_sizes(&small, 2 * MB, 500);
    assert_int_equal(small.scratch_bytes, 32 * MB);
}

/* A 3×3 convolution of 256 channels and a batch of 64: on a GPU with 140 GiB a product sees thousands of
 * tiles of Winograd's, on one with 4 GiB hundreds. */
static void test_tiles_of_large_devices(void **state)
{
    struct fixture *const f = *state;
    struct graft_opencl_traits *const traits = need_traits(f);
    const uint64_t GB = UINT64_C(1) << 30, memory[] = {4 * GB, 140 * GB};
    struct graft_call call = {.op = GRAFT_OP_CONV2D};
    call.attributes.conv2d = (struct graft_conv2d_attributes){
        .stride = {1, 1}, .dilation = {1, 1}, .pad = {1, 1, 1, 1}, .groups = 1};
    set_input(&call, 0, graft_shape_of(4, 64, 56, 56, 256));
    set_input(&call, 1, graft_shape_of(4, 256, 3, 3, 256));
    need(f, graft_op_infer(f->context, &call));
    traits->family = GRAFT_OPENCL_GPU;
    for (int large = 0; large < 2; large++) {
        const uint64_t tile = (uint64_t)36 * 2 * 256 * sizeof(float);
        struct graft_variant_info info = {0};
        int variant = 0;
        traits->max_allocation = memory[large] / 4;
        graft_opencl_choose_sizes(traits, memory[large], 1980);
        need(f, graft_variant_choose(f->opencl, &call, "winograd4_local", &variant, &info));
        const uint64_t tiles = (info.workspace_bytes - (uint64_t)36 * 256 * 256 * sizeof(float)) / tile;
        assert_true(large ? tiles > 6000 : tiles > 300 && tiles < 500);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_many_launches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_narrow_vectors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_chunks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_depthwise_chunks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_winograd, set_up, tear_down),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test_setup_teardown(test_tiles_of_large_devices, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
