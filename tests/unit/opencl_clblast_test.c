/* SPDX-License-Identifier: MIT */
/*
 * CLBlast's products where a library can be wrong without a word: sizes on both sides of where it changes its
 * algorithm, operands that do not begin where their buffer begins. Small integers, so that the sums are exact
 * in f32 in every order.
 */
#define CL_TARGET_OPENCL_VERSION 120
#include "opencl_fixture.h"
#include "graph/plan.h"

#include <dlfcn.h>
#include <string.h>

/* What the driver is asked for. The linker takes these functions instead of the loader's, for CLBlast, too.
 */
static struct {
    long buffers, parts, launches;
    const char *skipped; /* launches of this kernel do nothing */
    int failing;         /* so many launches fail */
    cl_event *events;    /* not NULL: those of launches are kept there */
    int n_events;
    long single; /* launches of Xgemm with one work-group, which is a whole tile */
} calls;

static void *real(const char *name)
{
    void *const function = dlsym(RTLD_NEXT, name);
    assert_non_null(function);
    return function;
}

cl_mem clCreateBuffer(cl_context context, cl_mem_flags flags, size_t bytes, void *host, cl_int *code)
{
    __typeof__(&clCreateBuffer) const next = (__typeof__(&clCreateBuffer))real("clCreateBuffer");
    calls.buffers++;
    return next(context, flags, bytes, host, code);
}

cl_mem clCreateSubBuffer(cl_mem whole, cl_mem_flags flags, cl_buffer_create_type type, const void *region,
                         cl_int *code)
{
    __typeof__(&clCreateSubBuffer) const next = (__typeof__(&clCreateSubBuffer))real("clCreateSubBuffer");
    calls.parts++;
    return next(whole, flags, type, region, code);
}

cl_int clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions,
                              const size_t *offset, const size_t *global, const size_t *local, cl_uint waits,
                              const cl_event *wait, cl_event *event)
{
    __typeof__(&clEnqueueNDRangeKernel) const next =
        (__typeof__(&clEnqueueNDRangeKernel))real("clEnqueueNDRangeKernel");
    char name[256] = "";
    calls.launches++;
    clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, sizeof name, name, NULL);
    calls.single += strcmp(name, "Xgemm") == 0 && global[0] == local[0] && global[1] == local[1];
    if (calls.failing > 0) {
        calls.failing--;
        return CL_OUT_OF_RESOURCES;
    }
    if (calls.skipped != NULL && strcmp(name, calls.skipped) == 0)
        return clEnqueueMarkerWithWaitList(queue, waits, wait, event);
    const cl_int code = next(queue, kernel, dimensions, offset, global, local, waits, wait, event);
    if (code == CL_SUCCESS && calls.events != NULL && event != NULL) {
        clRetainEvent(*event);
        calls.events[calls.n_events++] = *event;
    }
    return code;
}

static int tear_down(void **state)
{
    memset(&calls, 0, sizeof calls);
    return close_fixture(state);
}

static float *make_integers(struct fixture *f, size_t count)
{
    float *const data = malloc(count * sizeof *data);
    assert_non_null(data);
    for (size_t i = 0; i < count; i++) {
        data[i] = (float)((int)graft_random_below(&f->random, 7) - 3);
    }
    return data;
}

/* y r = a (b r) for a random r of −1, 0 and 1 (Freivalds, 1977): a wrong y passes with a chance of a third at
 * most. All numbers are integers below 2^53. a [m, k], b [k, n], y [m, n]. */
static bool passes_freivalds(struct fixture *f, const float *a, const float *b, const float *y, size_t m,
                             size_t n, size_t k)
{
    double *const r = malloc(n * sizeof *r), *const br = malloc(k * sizeof *br);
    bool same = true;
    for (size_t j = 0; j < n; j++) {
        r[j] = (double)graft_random_below(&f->random, 3) - 1;
    }
    for (size_t l = 0; l < k; l++) {
        br[l] = 0;
        for (size_t j = 0; j < n; j++) {
            br[l] += (double)b[l * n + j] * r[j];
        }
    }
    for (size_t i = 0; i < m && same; i++) {
        double left = 0, right = 0;
        for (size_t j = 0; j < n; j++) {
            left += (double)y[i * n + j] * r[j];
        }
        for (size_t l = 0; l < k; l++) {
            right += (double)a[i * k + l] * br[l];
        }
        same = left == right;
    }
    free(r);
    free(br);
    return same;
}

#define SIDE 1536 /* of the matrices: beyond what CLBlast's database calls small on every device */
#define FIRST 1000
#define SAMPLES 100

/* As a network has it: all parameters in one buffer, so that the factors begin somewhere inside. */
static void large_products_inside_a_buffer(void **state)
{
    struct fixture *const f = need_device(state);
    const struct graft_shape first_shape = graft_shape_of(1, FIRST), side = graft_shape_of(2, SIDE, SIDE);
    const size_t count = (size_t)SIDE * SIDE, bytes = count * sizeof(float);
    struct graft_graph *graph = NULL;
    struct graft_variables *variables = NULL;
    struct graft_plan *plan = NULL;
    float *const a = make_integers(f, count), *const b = make_integers(f, count);
    float *const y = malloc(bytes), zeros[FIRST] = {0};
    const struct graft_plan_options options = {.variants = "matmul=clblast"};
    need(f, graft_graph_open(f->context, GRAFT_DTYPE_F32, &graph));
    need(f, graft_variables_open(f->device, &variables));
    const int first = graft_graph_parameter(graph, "first", &first_shape);
    const int product = graft_matmul(graph, graft_graph_parameter(graph, "a", &side),
                                     graft_graph_parameter(graph, "b", &side), -1, false, false);
    graft_graph_output(graph, product);
    graft_graph_output(graph, graft_unary(graph, GRAFT_UNARY_RELU, first));
    need(f, graft_graph_status(graph));
    need(f, graft_plan_open(graph, f->device, variables, &options, &plan));
    need(f, graft_variables_write(variables, "first", zeros, sizeof zeros));
    need(f, graft_variables_write(variables, "a", a, bytes));
    need(f, graft_variables_write(variables, "b", b, bytes));
    need(f, graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE));
    need(f, graft_plan_read(plan, product, y, bytes));
    int wrong = 0;
    for (int s = 0; s < SAMPLES; s++) {
        const size_t i = graft_random_below(&f->random, SIDE), j = graft_random_below(&f->random, SIDE);
        double sum = 0;
        for (size_t l = 0; l < SIDE; l++) {
            sum += (double)a[i * SIDE + l] * (double)b[l * SIDE + j];
        }
        wrong += (double)y[i * SIDE + j] != sum;
    }
    if (wrong > 0) {
        fail_msg("%d of %d elements are wrong", wrong, SAMPLES);
    }
    for (int round = 0; round < 5; round++) {
        assert_true(passes_freivalds(f, a, b, y, SIDE, SIDE, SIDE));
    }
    graft_plan_close(&plan);
    graft_variables_close(&variables);
    graft_graph_close(&graph);
    free(a);
    free(b);
    free(y);
}

/* ---- single products, all tensors in one buffer ---- */

struct sizes {
    int64_t batches, m, n, k;
    bool transpose_a, transpose_b, shared, accumulate;
};

static struct graft_call product_call(struct fixture *f, const struct sizes *z)
{
    struct graft_call call = {.op = GRAFT_OP_MATMUL, .n_inputs = 2, .accumulate = z->accumulate};
    call.attributes.matmul.transpose_a = z->transpose_a;
    call.attributes.matmul.transpose_b = z->transpose_b;
    const int64_t a[2] = {z->transpose_a ? z->k : z->m, z->transpose_a ? z->m : z->k};
    const int64_t b[2] = {z->transpose_b ? z->n : z->k, z->transpose_b ? z->k : z->n};
    call.in[0] = (struct graft_desc){GRAFT_DTYPE_F32, graft_shape_of(3, z->batches, a[0], a[1])};
    call.in[1] = (struct graft_desc){GRAFT_DTYPE_F32, z->shared ? graft_shape_of(2, b[0], b[1])
                                                                : graft_shape_of(3, z->batches, b[0], b[1])};
    need(f, graft_op_infer(f->context, &call));
    return call;
}

static enum graft_status find_variant(struct graft_device *device, const struct graft_call *call,
                                      const char *name, int *variant, struct graft_variant_info *info)
{
    for (*variant = 0;; ++*variant) {
        *info = (struct graft_variant_info){0};
        const enum graft_status status = device->backend->check(device, call, *variant, info);
        if (status == GRAFT_ERROR_NOT_FOUND || strcmp(info->name, name) == 0)
            return status;
    }
}

/* What lies in the buffer, in floats: odd places, and the workspace where the contract wants it. */
struct layout {
    size_t a, b, y, end, workspace, all;
};

static struct layout lay_out(const struct sizes *z, uint64_t workspace_bytes, size_t first)
{
    struct layout at = {.a = first | 1};
    at.b = (at.a + (size_t)(z->batches * z->m * z->k) + 6) | 1;
    at.y = (at.b + (size_t)((z->shared ? 1 : z->batches) * z->k * z->n) + 6) | 1;
    at.end = at.y + (size_t)(z->batches * z->m * z->n) + 5;
    at.workspace = (at.end + 15) / 16 * 16 + 16;
    at.all = at.workspace + (size_t)workspace_bytes / sizeof(float) + 16;
    return at;
}

static void expect_product(const struct sizes *z, const struct layout *at, float *data)
{
    for (int64_t p = 0; p < z->batches; p++) {
        const float *const a = data + at->a + p * z->m * z->k;
        const float *const b = data + at->b + (z->shared ? 0 : p * z->k * z->n);
        float *const y = data + at->y + p * z->m * z->n;
        for (int64_t i = 0; i < z->m; i++) {
            for (int64_t j = 0; j < z->n; j++) {
                double sum = z->accumulate ? (double)y[i * z->n + j] : 0;
                for (int64_t l = 0; l < z->k; l++)
                    sum += (double)a[z->transpose_a ? l * z->m + i : i * z->k + l] *
                           (double)b[z->transpose_b ? j * z->k + l : l * z->n + j];
                y[i * z->n + j] = (float)sum;
            }
        }
    }
}

/* Runs a variant twice in a buffer whose floats before the workspace must all be what they should be; the
 * second time nothing is created. */
static void check_product(struct fixture *f, struct graft_device *device, const char *name,
                          const struct sizes *z, size_t first)
{
    const struct graft_backend *const backend = device->backend;
    struct graft_call call = product_call(f, z);
    struct graft_tensor in[GRAFT_MAX_INPUTS] = {{0}}, out[GRAFT_MAX_OUTPUTS] = {{0}}, workspace = {0};
    struct graft_variant_info info;
    struct graft_kernel *kernel = NULL;
    int variant = 0;
    need(f, find_variant(device, &call, name, &variant, &info));
    const struct layout at = lay_out(z, info.workspace_bytes, first);
    const size_t bytes = at.all * sizeof(float);
    float *const data = make_integers(f, at.all), *const wanted = malloc(bytes);
    memcpy(wanted, data, bytes);
    need(f, backend->kernel_open(device, &call, variant, &kernel));
    need(f, graft_buffer_open(device, bytes, &workspace.buffer));
    in[0] = (struct graft_tensor){workspace.buffer, at.a * sizeof(float)};
    in[1] = (struct graft_tensor){workspace.buffer, at.b * sizeof(float)};
    out[0] = (struct graft_tensor){workspace.buffer, at.y * sizeof(float)};
    need(f, backend->buffer_write(device, workspace, data, bytes));
    workspace.offset = at.workspace * sizeof(float);
    for (int round = 0; round < 2; round++) {
        calls.buffers = round == 0 ? 0 : calls.buffers;
        calls.parts = round == 0 ? 0 : calls.parts;
        const long buffers = calls.buffers, parts = calls.parts;
        need(f, backend->kernel_run(device, kernel, in, out, workspace));
        assert_int_equal(calls.buffers, buffers);
        assert_true(round == 0 || calls.parts == parts);
        expect_product(z, &at, wanted);
    }
    /* Square factors that change their places, as chunks of a batch do. */
    if (z->m == z->k && z->k == z->n && z->batches == 1) {
        const struct graft_tensor moved[GRAFT_MAX_INPUTS] = {in[1], in[0]};
        struct layout other = at;
        other.a = at.b;
        other.b = at.a;
        need(f, backend->kernel_run(device, kernel, moved, out, workspace));
        expect_product(z, &other, wanted);
    }
    workspace.offset = 0;
    need(f, backend->buffer_read(device, data, workspace, bytes));
    for (size_t i = 0; i < at.workspace; i++) {
        if (data[i] != wanted[i])
            fail_msg("%s, %d x %d x %d x %d%s%s: float %zu (y: %zu to %zu) is %g, wanted %g", name,
                     (int)z->batches, (int)z->m, (int)z->n, (int)z->k, z->transpose_a ? " ta" : "",
                     z->transpose_b ? " tb" : "", i, at.y, at.end, (double)data[i], (double)wanted[i]);
    }
    backend->kernel_close(device, kernel);
    graft_buffer_close(device, &workspace.buffer, bytes);
    free(data);
    free(wanted);
}

/* Whole tiles, and one more or less in each direction. */
static void every_set_at_its_edges(void **state)
{
    static const int off[][3] = {{0, 0, 0},  {1, 0, 0},  {0, 1, 0}, {0, 0, 1},
                                 {-1, 0, 0}, {0, -1, 0}, {0, 0, -1}};
    struct fixture *const f = need_device(state);
    for (int s = 0; s < GRAFT_CLBLAST_SETS; s++) {
        const struct graft_clblast_set *const set = &graft_clblast_sets[s];
        for (size_t i = 0; i < 4 * sizeof off / sizeof off[0]; i++) {
            const int *const o = off[i / 4];
            const struct sizes z = {.batches = 1,
                                    .m = set->rows + o[0],
                                    .n = set->columns + o[1],
                                    .k = set->terms + o[2],
                                    .transpose_a = i % 2 == 1,
                                    .transpose_b = i / 2 % 2 == 1,
                                    .accumulate = i / 4 % 2 == 1};
            check_product(f, f->device, set->name, &z, 1000);
        }
    }
}

static void batches_are_a_loop(void **state)
{
    struct fixture *const f = need_device(state);
    for (int s = 0; s < GRAFT_CLBLAST_SETS; s++) {
        const char *const name = graft_clblast_sets[s].name;
        struct sizes z = {.batches = GRAFT_CLBLAST_MOST_BATCHES, .m = 32, .n = 32, .k = 32};
        struct graft_variant_info info;
        int variant = 0;
        check_product(f, f->device, name, &z, 100);
        z.shared = z.transpose_a = z.accumulate = true;
        check_product(f, f->device, name, &z, 100);
        z.batches++;
        const struct graft_call call = product_call(f, &z);
        assert_int_equal(find_variant(f->device, &call, name, &variant, &info), GRAFT_ERROR_UNSUPPORTED);
        assert_non_null(strstr(graft_context_error(f->context), "batch"));
    }
}

/* A device with so much memory that CLBlast's indices do not reach all of it, for once: what lies beyond is a
 * buffer of its own, and copies that would are refused. */
static void operands_beyond_the_indices(void **state)
{
    struct fixture *const f = need_device(state);
    struct graft_opencl_traits *const traits = &f->opencl->traits;
    const struct sizes z = {.batches = 2, .m = 33, .n = 35, .k = 31, .transpose_b = true};
    const struct graft_call call = product_call(f, &z);
    struct graft_variant_info info;
    int variant = 0;
    assert_int_equal(traits->library_reach, GRAFT_CLBLAST_REACH);
    traits->library_reach = 70000;
    for (int s = 0; s < GRAFT_CLBLAST_SETS; s++) {
        const long indirect = graft_clblast_sets[s].indirect;
        check_product(f, f->device, graft_clblast_sets[s].name, &z, 1000);
        assert_int_equal(calls.parts, indirect);
        check_product(f, f->device, graft_clblast_sets[s].name, &z, 70001);
        assert_int_equal(calls.parts, indirect + 3);
    }
    /* 21 x 21 + 7 floats apart: as far from a multiple of 128 bytes */
    check_product(f, f->device, "clblast_direct", &(struct sizes){.batches = 1, .m = 21, .n = 21, .k = 21},
                  70001);
    traits->library_reach = 5000;
    assert_int_equal(find_variant(f->device, &call, "clblast", &variant, &info), GRAFT_ERROR_UNSUPPORTED);
    assert_non_null(strstr(graft_context_error(f->context), "too large for its indices"));
    need(f, find_variant(f->device, &call, "clblast_direct", &variant, &info));
}

/* Its parameters are the process's: two that use one device must not mix them up. */
static void devices_take_turns(void **state)
{
    struct fixture *const f = need_device(state);
    struct graft_device *other = NULL;
    const struct sizes z = {.batches = 1, .m = 100, .n = 70, .k = 90};
    need(f, graft_device_open(f->context, "opencl:0", &other));
    for (int i = 0; i < 3; i++) {
        check_product(f, f->device, "clblast", &z, 10);
        check_product(f, other, "clblast_direct16", &z, 10);
        check_product(f, f->device, "clblast_direct", &z, 10);
        check_product(f, other, "clblast", &z, 10);
    }
    graft_device_close(&other);
    check_product(f, f->device, "clblast", &z, 10);
}

/* ---- the trial at the first use ---- */

static void wrong_kernels_are_not_used(void **state)
{
    static const char *const kernels[] = {"XgemmDirectTN", "Xgemm", "CopyPadMatrix", "CopyMatrix"};
    struct fixture *const f = need_device(state);
    const struct sizes z = {.batches = 1, .m = 10, .n = 10, .k = 10};
    const struct graft_call call = product_call(f, &z);
    for (int i = 0; i < 4; i++) {
        const char *const name = i == 0 ? "clblast_direct" : "clblast";
        struct graft_variant_info info;
        int variant = 0;
        graft_device_close(&f->device);
        need(f, graft_device_open(f->context, "opencl:0", &f->device));
        f->opencl = (struct graft_opencl_device *)f->device;
        calls.skipped = kernels[i];
        assert_int_equal(find_variant(f->device, &call, name, &variant, &info), GRAFT_ERROR_UNSUPPORTED);
        assert_non_null(strstr(graft_context_error(f->context), "wrong results"));
        /* It stays so, and is not tried again; another one is taken. */
        calls.skipped = NULL;
        calls.launches = 0;
        assert_int_equal(find_variant(f->device, &call, name, &variant, &info), GRAFT_ERROR_UNSUPPORTED);
        assert_int_equal(calls.launches, 0);
        const struct sizes large = {.batches = 1, .m = 1024, .n = 1024, .k = 512};
        const struct graft_call other = product_call(f, &large);
        f->opencl->traits.family = GRAFT_OPENCL_GPU;
        need(f, graft_variant_choose(f->device, &other, NULL, &variant, &info));
        assert_string_equal(info.name, i == 0 ? "local_wide" : "clblast_direct");
    }
}

/* Once may be want of something; twice is the device. */
static void kernels_that_fail_are_not_used(void **state)
{
    struct fixture *const f = need_device(state);
    const struct sizes z = {.batches = 1, .m = 10, .n = 10, .k = 10};
    const struct graft_call call = product_call(f, &z);
    struct graft_variant_info info;
    int variant = 0;
    calls.failing = 1;
    need(f, find_variant(f->device, &call, "clblast_direct", &variant, &info));
    need(f, find_variant(f->device, &call, "clblast_128", &variant, &info));
    assert_int_equal(calls.single, 2 * 4); /* of clblast, too: whole tiles in each orientation */
    calls.failing = 2;
    assert_int_equal(find_variant(f->device, &call, "clblast_plain", &variant, &info),
                     GRAFT_ERROR_UNSUPPORTED);
    assert_non_null(strstr(graft_context_error(f->context), "CL_OUT_OF_RESOURCES"));
}

/* ---- time ---- */

/* A product with copies is four launches, and CLBlast gives the event of the last one: the time is that of
 * all. */
static void copies_take_time(void **state)
{
    enum { MOST = 64 };
    struct fixture *const f = need_device(state);
    const struct sizes z = {.batches = 2, .m = 300, .n = 301, .k = 299};
    cl_event events[MOST];
    double seconds = 0, sum = 0;
    check_product(f, f->device, "clblast", &z, 10); /* tried out and compiled */
    need(f, f->device->backend->synchronize(f->device, &seconds));
    calls.events = events;
    check_product(f, f->device, "clblast", &z, 10);
    need(f, f->device->backend->synchronize(f->device, &seconds));
    assert_in_range(calls.n_events, 2 * 2 * 4, MOST);
    for (int i = 0; i < calls.n_events; i++) {
        cl_ulong begin = 0, end = 0;
        clGetEventProfilingInfo(events[i], CL_PROFILING_COMMAND_START, sizeof begin, &begin, NULL);
        clGetEventProfilingInfo(events[i], CL_PROFILING_COMMAND_END, sizeof end, &end, NULL);
        sum += 1e-9 * (double)(end - begin);
        clReleaseEvent(events[i]);
    }
    calls.events = NULL;
    assert_true(sum > 0);
    if (seconds < sum)
        fail_msg("%g s, the launches alone take %g s", seconds, sum);
}

/* ---- memory and choice ---- */

/* The room for copies counts in the plan, so a limit below it is one that the plan does not fit in. */
static void copies_count(void **state)
{
    enum { M = 200, N = 300, K = 100 };
    struct fixture *const f = need_device(state);
    const struct graft_shape x = graft_shape_of(2, M, K), w = graft_shape_of(2, K, N);
    const uint64_t copies = (uint64_t)(M * K + K * N + M * N) * sizeof(float);
    struct graft_graph *graph = NULL;
    struct graft_variables *variables = NULL;
    struct graft_plan *plan = NULL;
    struct graft_plan_memory sizes;
    struct graft_plan_options options = {.variants = "matmul=clblast", .whole_batch = true};
    need(f, graft_graph_open(f->context, GRAFT_DTYPE_F32, &graph));
    need(f, graft_variables_open(f->device, &variables));
    const int in = graft_graph_input(graph, "x", GRAFT_DTYPE_F32, &x);
    graft_graph_output(graph,
                       graft_matmul(graph, in, graft_graph_parameter(graph, "w", &w), -1, false, false));
    need(f, graft_plan_open(graph, f->device, variables, &options, &plan));
    graft_plan_get_memory(plan, &sizes);
    assert_true(sizes.workspace >= copies);
    assert_true(sizes.workspace < 3 * copies);
    graft_plan_close(&plan);
    /* As much as without copies, and half of them. */
    options.variants = "matmul=clblast_direct";
    for (int limited = 0; limited < 2; limited++) {
        need(f, graft_plan_open(graph, f->device, variables, &options, &plan));
        options.memory_limit = graft_plan_need(plan) + copies / 2;
        graft_plan_close(&plan);
    }
    options.variants = "matmul=clblast";
    assert_int_equal(graft_plan_open(graph, f->device, variables, &options, &plan), GRAFT_ERROR_MEMORY);
    graft_plan_close(&plan);
    graft_variables_close(&variables);
    graft_graph_close(&graph);
}

/* On a GPU, where nothing was measured: by the number of multiply-adds, in all and for each float. */
static void usual_sets(void **state)
{
    static const struct {
        struct sizes sizes;
        const char *set;
    } cases[] = {
        {{.batches = 1, .m = 1472, .n = 1472, .k = 1472}, "clblast"},
        {{.batches = 1, .m = 1472, .n = 1472, .k = 1471}, "clblast_direct"},
        {{.batches = 1, .m = 8192, .n = 8192, .k = 133}, "clblast"}, /* 128.8 for each float, 127.9 … */
        {{.batches = 1, .m = 8192, .n = 8192, .k = 132}, "clblast_direct"},
        {{.batches = 1, .m = 32, .n = 4096, .k = 25088}, "clblast_direct"}, /* VGG-16's first dense layer */
        {{.batches = 1, .m = 25088, .n = 4096, .k = 32, .transpose_a = true}, "clblast_direct"},
    };
    struct fixture *const f = need_device(state);
    f->opencl->traits.family = GRAFT_OPENCL_GPU;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct graft_call call = product_call(f, &cases[i].sizes);
        struct graft_variant_info info;
        int variant = 0;
        need(f, graft_variant_choose(f->device, &call, NULL, &variant, &info));
        assert_string_equal(info.name, cases[i].set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(large_products_inside_a_buffer, open_fixture, tear_down),
        cmocka_unit_test_setup_teardown(every_set_at_its_edges, open_fixture, tear_down),
        cmocka_unit_test_setup_teardown(batches_are_a_loop, open_fixture, tear_down),
        cmocka_unit_test_setup_teardown(operands_beyond_the_indices, open_fixture, tear_down),
        cmocka_unit_test_setup_teardown(devices_take_turns, open_fixture, tear_down),
        cmocka_unit_test_setup_teardown(wrong_kernels_are_not_used, open_fixture, tear_down),
        cmocka_unit_test_setup_teardown(kernels_that_fail_are_not_used, open_fixture, tear_down),
        cmocka_unit_test_setup_teardown(copies_take_time, open_fixture, tear_down),
        cmocka_unit_test_setup_teardown(copies_count, open_fixture, tear_down),
        cmocka_unit_test_setup_teardown(usual_sets, open_fixture, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
