/* SPDX-License-Identifier: MIT */
/* Plans that take a few pictures at a time through many layers compute what plans of whole batches compute.
 */
#include "base/context.h"
#include "base/random.h"
#include "graft/model.h"
#include "graph/plan.h"
#include "support/support.h"

#include <math.h>
#include <sched.h>
#include <unistd.h>

enum { SIDE = 9, CHANNELS = 8, CLASSES = 5, MOST = 16 };

static const struct graft_conv2d_attributes same = {
    .stride = {1, 1}, .dilation = {1, 1}, .pad = {1, 1, 1, 1}, .groups = 1};

struct network {
    int x, early, logits;
};

static int convolution(struct graft_graph *graph, int x, const char *name, int64_t in, int64_t out)
{
    graft_graph_layer(graph, name);
    const struct graft_shape shape = graft_shape_of(4, out, 3, 3, in);
    return graft_unary(graph, GRAFT_UNARY_RELU,
                       graft_conv2d(graph, x, graft_graph_parameter(graph, name, &shape), -1, &same));
}

/* What transformers do between their products: rows that are pixels or windows of a picture, not pictures; a
 * token that is the same for all; a mask that repeats from picture to picture. */
static int attend(struct graft_graph *graph, int x, int64_t batch)
{
    const struct graft_shape maps = graft_graph_desc(graph, x)->shape;
    const struct graft_shape vector = graft_shape_of(1, CHANNELS), token = graft_shape_of(3, 1, 1, CHANNELS),
                             tokens = graft_shape_of(3, batch, 1, CHANNELS),
                             lines = graft_shape_of(3, batch, SIDE * SIDE, CHANNELS),
                             windows = graft_shape_of(4, batch * SIDE, SIDE, 2, CHANNELS / 2),
                             masks = graft_shape_of(3, SIDE, SIDE, SIDE);
    const struct graft_attention_attributes attention = {.scale = 0.5f};
    const struct graft_slice_attributes behind = {.begin = {0, 1}, .size = {batch, SIDE * SIDE, CHANNELS}};
    const int normed = graft_layer_norm(graph, x, graft_graph_parameter(graph, "gamma", &vector),
                                        graft_graph_parameter(graph, "beta", &vector), 1, 1e-5f);
    const int rows = graft_reshape(graph, normed, &windows);
    const int mixed = graft_attention(graph, rows, rows, rows, -1,
                                      graft_graph_parameter(graph, "mask", &masks), &attention);
    const int parts[] = {graft_broadcast(graph, graft_graph_parameter(graph, "token", &token), &tokens, 1.0f),
                         graft_reshape(graph, mixed, &lines)};
    const int all = graft_unary(graph, GRAFT_UNARY_SIGMOID, graft_concat(graph, parts, 2, 1));
    return graft_reshape(graph, graft_slice(graph, all, &behind), &maps);
}

/* Branches, a residual, a view, and an output in the middle, so that values of all kinds cross the chunks. */
static struct network make_network(struct graft_graph *graph, int64_t batch)
{
    const struct graft_shape input = graft_shape_of(4, batch, SIDE, SIDE, 3);
    const struct graft_shape lines = graft_shape_of(3, batch, SIDE * SIDE, CHANNELS);
    const struct graft_shape maps = graft_shape_of(4, batch, SIDE, SIDE, CHANNELS);
    const struct graft_shape flat = graft_shape_of(2, batch, SIDE * SIDE * 2 * CHANNELS);
    const struct graft_shape dense = graft_shape_of(2, CLASSES, flat.dim[1]);
    struct network net = {.x = graft_graph_input(graph, "x", GRAFT_DTYPE_F32, &input)};
    const int a = convolution(graph, net.x, "a", 3, CHANNELS);
    net.early = convolution(graph, a, "b", CHANNELS, CHANNELS);
    /* A view of what is an output, too. */
    const int view = graft_unary(graph, GRAFT_UNARY_TANH, graft_reshape(graph, net.early, &lines));
    const int sum = attend(graph, graft_add(graph, graft_reshape(graph, view, &maps), a), batch);
    const int parts[] = {sum, convolution(graph, sum, "c", CHANNELS, CHANNELS)};
    const int wide = graft_concat(graph, parts, 2, 3);
    const int rows = graft_reshape(graph, wide, &flat);
    net.logits = graft_matmul(graph, rows, graft_graph_parameter(graph, "dense", &dense), -1, false, true);
    graft_graph_output(graph, net.early);
    graft_graph_output(graph, net.logits);
    assert_int_equal(graft_graph_status(graph), GRAFT_OK);
    return net;
}

struct result {
    struct graft_chunks chunks; /* figures only */
    float early[MOST * SIDE * SIDE * CHANNELS];
    float logits[MOST * CLASSES];
};

static void fill(const char *name, int64_t count, float *to)
{
    struct graft_random random;
    graft_random_start(&random, 3, graft_hash_text(name));
    for (int64_t i = 0; i < count; i++)
        to[i] = graft_random_uniform(&random) - 0.5f;
}

struct opened {
    struct graft_graph *graph;
    struct graft_variables *variables;
    struct graft_plan *plan;
    struct network net;
};

static void open_plan(struct graft_device *device, int64_t batch, bool whole, struct opened *o)
{
    static float data[CLASSES * SIDE * SIDE * 2 * CHANNELS];
    const struct graft_plan_options options = {.whole_batch = whole};
    assert_int_equal(graft_graph_open(device->context, GRAFT_DTYPE_F32, &o->graph), GRAFT_OK);
    assert_int_equal(graft_variables_open(device, &o->variables), GRAFT_OK);
    o->net = make_network(o->graph, batch);
    assert_int_equal(graft_plan_open(o->graph, device, o->variables, &options, &o->plan), GRAFT_OK);
    for (int i = 0; i < graft_variables_count(o->variables); i++) {
        struct graft_desc desc;
        const char *const name = graft_variables_at(o->variables, i, &desc, NULL);
        fill(name, graft_shape_count(&desc.shape), data);
        assert_int_equal(graft_variables_write(o->variables, name, data, graft_desc_bytes(&desc)), GRAFT_OK);
    }
    fill("x", batch * SIDE * SIDE * 3, data);
    assert_int_equal(graft_plan_write(o->plan, o->net.x, data, (uint64_t)batch * SIDE * SIDE * 3 * 4),
                     GRAFT_OK);
}

static void close_plan(struct opened *o)
{
    graft_plan_close(&o->plan);
    graft_variables_close(&o->variables);
    graft_graph_close(&o->graph);
}

static void compute(struct graft_device *device, int64_t batch, bool whole, bool profile,
                    struct result *result)
{
    struct opened o = {0};
    open_plan(device, batch, whole, &o);
    struct graft_plan *const plan = o.plan;
    for (int run = 0; run < 2; run++) /* the second finds what the first has left */
        assert_int_equal(profile ? graft_plan_profile(plan, GRAFT_SEGMENT_COMPUTE)
                                 : graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE),
                         GRAFT_OK);
    assert_int_equal(graft_plan_read(plan, o.net.early, result->early,
                                     (uint64_t)batch * SIDE * SIDE * CHANNELS * sizeof(float)),
                     GRAFT_OK);
    assert_int_equal(
        graft_plan_read(plan, o.net.logits, result->logits, (uint64_t)batch * CLASSES * sizeof(float)),
        GRAFT_OK);
    result->chunks = plan->chunks;
    double seconds = 0;
    for (int i = 0; i < graft_plan_node_count(plan); i++) {
        struct graft_plan_node node;
        graft_plan_node_at(plan, i, &node);
        seconds += node.seconds;
    }
    assert_true(profile ? seconds > 0 && seconds < 10 : seconds == 0);
    close_plan(&o);
}

static void assert_near(const float *a, const float *b, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (!(fabsf(a[i] - b[i]) <= 1e-5f * (1 + fabsf(b[i]))))
            fail_msg("element %lld: %.9g against %.9g", (long long)i, (double)a[i], (double)b[i]);
}

/* All sizes of batch for some numbers of threads: chunks for all lanes, some left over, fewer than lanes. */
static void try_device(const char *name, int threads, int *chunked)
{
    static struct result parts, whole;
    struct test_memory memory = {0};
    struct graft_context_options options = test_memory_options(&memory, -1);
    struct graft_context *context = NULL;
    struct graft_device *device = NULL;
    options.threads = threads;
    assert_int_equal(graft_context_open(&options, &context), GRAFT_OK);
    const enum graft_status status = graft_device_open(context, name, &device);
    if (status == GRAFT_ERROR_NOT_FOUND) {
        graft_context_close(&context);
        skip();
    }
    assert_int_equal(status, GRAFT_OK);
    int most = 0;
    for (int64_t batch = 1; batch <= MOST; batch++) {
        /* Room for one row; for some. */
        device->cache_bytes = batch % 3 ? 1 : 1 << 20;
        compute(device, batch, true, false, &whole);
        compute(device, batch, false, batch % 2, &parts);
        assert_int_equal(whole.chunks.begin, whole.chunks.end);
        if (parts.chunks.end > parts.chunks.begin) {
            assert_int_equal(parts.chunks.rows * parts.chunks.count, batch);
            assert_true(parts.chunks.count >= parts.chunks.lanes);
            ++*chunked;
            most =
                parts.chunks.end - parts.chunks.begin > most ? parts.chunks.end - parts.chunks.begin : most;
        }
        assert_near(parts.early, whole.early, batch * SIDE * SIDE * CHANNELS);
        assert_near(parts.logits, whole.logits, batch * CLASSES);
    }
    /* three convolutions, tanh between two views, sum, normalization and attention between views, two
     * concatenations, sigmoid, slice and its view */
    assert_true(most >= 17);
    graft_device_close(&device);
    graft_context_close(&context);
    assert_int_equal(atomic_load(&memory.alive), 0);
}

static void on_cpu(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 4; threads++) {
        int chunked = 0;
        try_device("cpu", threads, &chunked);
        assert_true(chunked >= MOST / 2);
    }
}

/* A device without lanes takes chunk after chunk. */
static void on_opencl(void **state)
{
    (void)state;
    int chunked = 0;
    try_device("opencl:0", 2, &chunked);
    assert_true(chunked >= MOST / 2);
}

/* A device whose N-th kernel from now on fails. */
static struct {
    const struct graft_backend *real;
    atomic_int left;
} failing;

static enum graft_status run_or_fail(struct graft_device *device, struct graft_kernel *kernel,
                                     const struct graft_tensor *in, const struct graft_tensor *out,
                                     struct graft_tensor workspace)
{
    if (atomic_fetch_sub(&failing.left, 1) == 1)
        return graft_fail(device->context, GRAFT_ERROR_DEVICE, "kernels fail here");
    return failing.real->kernel_run(device, kernel, in, out, workspace);
}

/* Whichever chunk's kernel fails, in whichever lane: the run does, and the next one is as if nothing had
 * been. */
static void a_chunk_that_fails_is_told(void **state)
{
    (void)state;
    static struct result whole, after;
    const struct graft_context_options options = {.threads = 2};
    struct graft_context *context = NULL;
    struct graft_device *device = NULL;
    assert_int_equal(graft_context_open(&options, &context), GRAFT_OK);
    assert_int_equal(graft_device_open(context, "cpu", &device), GRAFT_OK);
    device->cache_bytes = 1;
    compute(device, 7, true, false, &whole);
    struct opened o = {0};
    open_plan(device, 7, false, &o);
    assert_true(o.plan->chunks.count == 7 && o.plan->chunks.lanes == 2);
    failing.real = device->backend;
    struct graft_backend faulty = *device->backend;
    faulty.kernel_run = run_or_fail;
    device->backend = &faulty;
    int at = 0;
    for (enum graft_status status = GRAFT_ERROR_DEVICE; status != GRAFT_OK;) {
        atomic_store(&failing.left, ++at);
        status = graft_plan_run(o.plan, GRAFT_SEGMENT_COMPUTE);
        if (status != GRAFT_OK) {
            assert_int_equal(status, GRAFT_ERROR_DEVICE);
            assert_non_null(strstr(graft_context_error(context), "kernels fail here"));
            assert_int_equal(graft_plan_run(o.plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
        }
        assert_int_equal(graft_plan_read(o.plan, o.net.logits, after.logits, 7 * CLASSES * sizeof(float)),
                         GRAFT_OK);
        assert_near(after.logits, whole.logits, 7 * CLASSES);
    }
    assert_true(at > 7 * (o.plan->chunks.end - o.plan->chunks.begin) / 2);
    device->backend = failing.real;
    close_plan(&o);
    graft_device_close(&device);
    graft_context_close(&context);
}

/* Kernels that tell whether two of them work in the same memory at once; slow enough to meet. */
static struct {
    const struct graft_buffer *busy[8];
    atomic_flag lock;
    atomic_int met, shared;
} watched = {.lock = ATOMIC_FLAG_INIT};

static void note_busy(const struct graft_buffer *from, const struct graft_buffer *to)
{
    bool done = false;
    int others = 0;
    while (atomic_flag_test_and_set(&watched.lock))
        sched_yield();
    for (int i = 0; i < 8; i++) {
        others += watched.busy[i] != NULL;
        watched.shared += to != NULL && watched.busy[i] == to;
    }
    for (int i = 0; i < 8 && !done; i++)
        if (watched.busy[i] == from) {
            watched.busy[i] = to;
            done = true;
        }
    watched.met += to != NULL && others > 0;
    atomic_flag_clear(&watched.lock);
    assert_true(done);
}

static enum graft_status run_watched(struct graft_device *device, struct graft_kernel *kernel,
                                     const struct graft_tensor *in, const struct graft_tensor *out,
                                     struct graft_tensor workspace)
{
    if (!workspace.buffer)
        return failing.real->kernel_run(device, kernel, in, out, workspace);
    note_busy(NULL, workspace.buffer);
    usleep(3000);
    const enum graft_status status = failing.real->kernel_run(device, kernel, in, out, workspace);
    note_busy(workspace.buffer, NULL);
    return status;
}

/* Each lane has a workspace of its own. */
static void lanes_do_not_share_workspace(void **state)
{
    (void)state;
    const struct graft_context_options options = {.threads = 4};
    struct graft_context *context = NULL;
    struct graft_device *device = NULL;
    assert_int_equal(graft_context_open(&options, &context), GRAFT_OK);
    assert_int_equal(graft_device_open(context, "cpu", &device), GRAFT_OK);
    device->cache_bytes = 1;
    struct opened o = {0};
    open_plan(device, MOST, false, &o);
    assert_int_equal(o.plan->chunks.lanes, 4);
    failing.real = device->backend;
    struct graft_backend slow = *device->backend;
    slow.kernel_run = run_watched;
    device->backend = &slow;
    assert_int_equal(graft_plan_run(o.plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
    device->backend = failing.real;
    assert_true(watched.met > 0);
    assert_int_equal(watched.shared, 0);
    close_plan(&o);
    graft_device_close(&device);
    graft_context_close(&context);
}

/* An input of two dimensions whose first is not the batch's is whole for each chunk. */
static void other_inputs_are_no_batch(void **state)
{
    (void)state;
    enum { ROWS = 6, WIDTH = 4 };
    const struct graft_shape rows = graft_shape_of(2, ROWS, WIDTH), one = graft_shape_of(2, 1, WIDTH);
    const struct graft_context_options options = {.threads = 2};
    struct graft_context *context = NULL;
    struct graft_device *device = NULL;
    struct graft_graph *graph = NULL;
    struct graft_variables *variables = NULL;
    struct graft_plan *plan = NULL;
    float x[ROWS * WIDTH], y[ROWS * WIDTH] = {0};
    const float bias[WIDTH] = {1, 10, 100, 1000};
    for (int i = 0; i < ROWS * WIDTH; i++)
        x[i] = (float)i;
    assert_int_equal(graft_context_open(&options, &context), GRAFT_OK);
    assert_int_equal(graft_device_open(context, "cpu", &device), GRAFT_OK);
    device->cache_bytes = 1;
    assert_int_equal(graft_graph_open(context, GRAFT_DTYPE_F32, &graph), GRAFT_OK);
    assert_int_equal(graft_variables_open(device, &variables), GRAFT_OK);
    const int in = graft_graph_input(graph, "x", GRAFT_DTYPE_F32, &rows);
    const int other = graft_graph_input(graph, "bias", GRAFT_DTYPE_F32, &one);
    const int out = graft_unary(graph, GRAFT_UNARY_RELU,
                                graft_add(graph, graft_unary(graph, GRAFT_UNARY_RELU, in), other));
    graft_graph_output(graph, out);
    assert_int_equal(graft_plan_open(graph, device, variables, NULL, &plan), GRAFT_OK);
    assert_int_equal(graft_plan_write(plan, in, x, sizeof x), GRAFT_OK);
    assert_int_equal(graft_plan_write(plan, other, bias, sizeof bias), GRAFT_OK);
    assert_int_equal(graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
    assert_int_equal(graft_plan_read(plan, out, y, sizeof y), GRAFT_OK);
    for (int i = 0; i < ROWS * WIDTH; i++)
        assert_true(y[i] == x[i] + bias[i % WIDTH]);
    graft_plan_close(&plan);
    graft_variables_close(&variables);
    graft_graph_close(&graph);
    graft_device_close(&device);
    graft_context_close(&context);
}

enum { PICTURES = 6, LOGITS = 10 };

/* Steps that are taken in chunks; the logits of pictures of 64 × 64. */
static int run_network(struct graft_device *device, const char *name, bool whole, float *logits)
{
    enum { COUNT = PICTURES * 64 * 64 * 3 };
    const struct graft_model_options options = {
        .batch = PICTURES, .height = 64, .width = 64, .classes = LOGITS};
    const struct graft_plan_options planning = {.whole_batch = whole};
    struct graft_model *model = NULL;
    struct graft_variables *variables = NULL;
    struct graft_plan *plan = NULL;
    float *const x = malloc(COUNT * sizeof *x);
    assert_non_null(x);
    fill("x", COUNT, x);
    assert_int_equal(graft_model_open(device->context, name, &options, &model), GRAFT_OK);
    assert_int_equal(graft_variables_open(device, &variables), GRAFT_OK);
    assert_int_equal(graft_model_initialize(model, variables, 7, 0), GRAFT_OK);
    assert_int_equal(graft_plan_open(model->graph, device, variables, &planning, &plan), GRAFT_OK);
    assert_int_equal(graft_plan_write(plan, model->input, x, COUNT * sizeof *x), GRAFT_OK);
    assert_int_equal(graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
    assert_int_equal(
        graft_plan_read(plan, model->logits, logits, (uint64_t)PICTURES * LOGITS * sizeof *logits), GRAFT_OK);
    const int steps = plan->chunks.end - plan->chunks.begin;
    graft_plan_close(&plan);
    graft_variables_close(&variables);
    graft_model_close(&model);
    free(x);
    return steps;
}

/* Layer norm, windows that are shifted and masked, and layer scale leave the pictures to themselves. */
static void networks_of_attention_keep_their_chunks(void **state)
{
    (void)state;
    static const char *const names[] = {"convnext_tiny", "swin_t", "swin_v2_t"};
    const struct graft_context_options options = {.threads = 2};
    struct graft_context *context = NULL;
    struct graft_device *device = NULL;
    assert_int_equal(graft_context_open(&options, &context), GRAFT_OK);
    assert_int_equal(graft_device_open(context, "cpu", &device), GRAFT_OK);
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        float whole[PICTURES * LOGITS], parts[PICTURES * LOGITS];
        assert_int_equal(run_network(device, names[n], true, whole), 0);
        assert_true(run_network(device, names[n], false, parts) > 30);
        assert_near(parts, whole, PICTURES * LOGITS);
    }
    graft_device_close(&device);
    graft_context_close(&context);
}

enum { WIDE = 21, PAINTED = 6 };

/* d(Σ c · means of maps) / d(pictures) through all that convolutional networks are made of; how many of the plan's steps
 * were in chunks. */
static int run_gradient(struct graft_device *device, bool whole, float *slope)
{
    static float data[PAINTED * WIDE * WIDE * 3];
    const struct graft_pool_attributes most = {.kernel = {2, 2}, .stride = {2, 2}},
                                       mean = {.kernel = {3, 3}, .stride = {1, 1}, .pad = {1, 1, 1, 1}};
    const struct graft_shape input = graft_shape_of(4, PAINTED, WIDE, WIDE, 3), vector = graft_shape_of(1, CHANNELS),
                             chosen = graft_shape_of(2, PAINTED, CHANNELS);
    const struct graft_reduce_attributes sum = {.kind = GRAFT_REDUCE_SUM, .axes = 3};
    const struct graft_plan_options options = {.whole_batch = whole};
    struct graft_graph *graph = NULL;
    struct graft_variables *variables = NULL;
    struct graft_plan *plan = NULL;
    int gradient = -1;
    assert_int_equal(graft_graph_open(device->context, GRAFT_DTYPE_F32, &graph), GRAFT_OK);
    const int x = graft_graph_input(graph, "x", GRAFT_DTYPE_F32, &input);
    const int c = graft_graph_input(graph, "c", GRAFT_DTYPE_F32, &chosen);
    int map = graft_avg_pool(graph, convolution(graph, x, "a", 3, CHANNELS), &mean);
    map = graft_batch_norm(graph, map, graft_graph_parameter(graph, "gamma", &vector),
                           graft_graph_parameter(graph, "beta", &vector), graft_graph_parameter(graph, "mean", &vector),
                           graft_graph_state(graph, "variance", &vector, 0.7), 1e-5f);
    map = graft_max_pool(graph, graft_unary(graph, GRAFT_UNARY_SIGMOID, map), &most);
    const int parts[] = {map, convolution(graph, map, "b", CHANNELS, CHANNELS)};
    const int last = convolution(graph, graft_concat(graph, parts, 2, 3), "d", 2 * CHANNELS, CHANNELS);
    const int score = graft_reduce(graph, graft_mul(graph, graft_global_avg_pool(graph, last), c), &sum);
    assert_int_equal(graft_graph_status(graph), GRAFT_OK);
    assert_int_equal(graft_graph_gradient(graph, score, &x, 1, &gradient), GRAFT_OK);
    graft_graph_output(graph, gradient);
    assert_int_equal(graft_variables_open(device, &variables), GRAFT_OK);
    assert_int_equal(graft_plan_open(graph, device, variables, &options, &plan), GRAFT_OK);
    for (int i = 0; i < graft_variables_count(variables); i++) {
        struct graft_desc desc;
        enum graft_value_kind kind;
        const char *const name = graft_variables_at(variables, i, &desc, &kind);
        fill(name, graft_shape_count(&desc.shape), data);
        if (kind == GRAFT_VALUE_PARAMETER)
            assert_int_equal(graft_variables_write(variables, name, data, graft_desc_bytes(&desc)), GRAFT_OK);
    }
    fill("x", graft_shape_count(&input), data);
    assert_int_equal(graft_plan_write(plan, x, data, sizeof data), GRAFT_OK);
    fill("c", graft_shape_count(&chosen), data);
    assert_int_equal(graft_plan_write(plan, c, data, PAINTED * CHANNELS * sizeof *data), GRAFT_OK);
    assert_int_equal(graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
    assert_int_equal(graft_plan_read(plan, gradient, slope, sizeof data), GRAFT_OK);
    const int steps = plan->chunks.end - plan->chunks.begin;
    assert_true(whole || plan->chunks.end == plan->n_steps);
    graft_plan_close(&plan);
    graft_variables_close(&variables);
    graft_graph_close(&graph);
    return steps;
}

/* A gradient to the pictures goes back through its chunk's own activations. */
static void gradients_to_pictures_keep_their_chunks(void **state)
{
    (void)state;
    static float whole[PAINTED * WIDE * WIDE * 3], parts[PAINTED * WIDE * WIDE * 3];
    const struct graft_context_options options = {.threads = 2};
    struct graft_context *context = NULL;
    struct graft_device *device = NULL;
    assert_int_equal(graft_context_open(&options, &context), GRAFT_OK);
    assert_int_equal(graft_device_open(context, "cpu", &device), GRAFT_OK);
    device->cache_bytes = 1;
    assert_int_equal(run_gradient(device, true, whole), 0);
    assert_true(run_gradient(device, false, parts) >= 16);
    assert_near(parts, whole, PAINTED * WIDE * WIDE * 3);
    double size = 0;
    for (int i = 0; i < PAINTED * WIDE * WIDE * 3; i++)
        size += fabs((double)whole[i]);
    assert_true(size > 1e-2);
    graft_device_close(&device);
    graft_context_close(&context);
}

/* The oracle stays as plain as it is. */
static void reference_has_whole_batches(void **state)
{
    (void)state;
    static struct result result;
    struct graft_context *context = NULL;
    struct graft_device *device = NULL;
    assert_int_equal(graft_context_open(NULL, &context), GRAFT_OK);
    assert_int_equal(graft_device_open(context, "reference", &device), GRAFT_OK);
    compute(device, 4, false, false, &result);
    assert_int_equal(result.chunks.begin, result.chunks.end);
    graft_device_close(&device);
    graft_context_close(&context);
}

/* Who looks at every number wants to hear of the first layer that goes wrong, of the whole batch. */
static void numbers_are_looked_at_in_whole_batches(void **state)
{
    (void)state;
    const struct graft_plan_options options = {.check_numbers = true};
    struct graft_context *context = NULL;
    struct graft_device *device = NULL;
    struct opened o = {0};
    assert_int_equal(graft_context_open(NULL, &context), GRAFT_OK);
    assert_int_equal(graft_device_open(context, "cpu", &device), GRAFT_OK);
    device->cache_bytes = 1;
    open_plan(device, 8, false, &o);
    assert_true(o.plan->chunks.end > o.plan->chunks.begin);
    graft_plan_close(&o.plan);
    assert_int_equal(graft_plan_open(o.graph, device, o.variables, &options, &o.plan), GRAFT_OK);
    assert_int_equal(o.plan->chunks.end, o.plan->chunks.begin);
    close_plan(&o);
    graft_device_close(&device);
    graft_context_close(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_cpu),
        cmocka_unit_test(on_opencl),
        cmocka_unit_test(a_chunk_that_fails_is_told),
        cmocka_unit_test(lanes_do_not_share_workspace),
        cmocka_unit_test(other_inputs_are_no_batch),
        cmocka_unit_test(networks_of_attention_keep_their_chunks),
        cmocka_unit_test(gradients_to_pictures_keep_their_chunks),
        cmocka_unit_test(reference_has_whole_batches),
        cmocka_unit_test(numbers_are_looked_at_in_whole_batches),
    };
    return cmocka_run_group_tests_name("chunk", tests, NULL, NULL);
}
