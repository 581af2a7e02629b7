/* SPDX-License-Identifier: MIT */
/* Updates of many parameters are one launch, wherever they end: with the bits of one launch each. So is what a batch's
 * statistics are combined by and what they move. */
#include "backend/opencl/internal.h"
#include "base/context.h"
#include "support/support.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#define TENSORS 5
#define MOST 4099 /* more than a work-item takes, and no multiple of it */
#define BEGIN(i) ((uint64_t)(i) * (MOST + 61) / 64 * 64)
#define FLOATS (int)(BEGIN(TENSORS) + 64)

static const int64_t counts[TENSORS] = {1, 1000, 64, 4099, 3};

static int launches; /* of updates */
static int combined, moved; /* launches that do so */
static bool refused; /* they are, from now on */

cl_int clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions,
                              const size_t *offset, const size_t *global, const size_t *local, cl_uint waits,
                              const cl_event *events, cl_event *event)
{
    static __typeof__(&clEnqueueNDRangeKernel) real;
    char name[64] = "";
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "clEnqueueNDRangeKernel");
    (void)clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, sizeof name, name, NULL);
    if (refused && strcmp(name, "adam") == 0)
        return CL_OUT_OF_RESOURCES;
    launches += strcmp(name, "adam") == 0;
    combined += strcmp(name, "batch_norm_stats_combine") == 0;
    moved += strcmp(name, "batch_norm_update") == 0;
    return real(queue, kernel, dimensions, offset, global, local, waits, events, event);
}

struct fixture {
    struct graft_context *context;
    struct graft_device *device; /* NULL: there is none */
    struct graft_buffer *all, *hyper;
    struct graft_kernel *kernels[TENSORS];
    float begin[4][FLOATS];
};

static void need(struct fixture *f, enum graft_status status)
{
    if (status != GRAFT_OK) {
        fail_msg("%s", graft_context_error(f->context));
    }
}

static void open_adam(struct fixture *f, int64_t count, float decay, struct graft_kernel **kernel)
{
    struct graft_call call = {.op = GRAFT_OP_ADAM, .n_inputs = 5};
    call.attributes.update = (struct graft_update_attributes){
        .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-8f, .weight_decay = decay};
    for (int k = 0; k < 4; k++) {
        call.in[k] = (struct graft_desc){GRAFT_DTYPE_F32, graft_shape_of(1, count)};
    }
    call.in[4] = (struct graft_desc){GRAFT_DTYPE_F32, graft_shape_of(1, 4)};
    need(f, graft_op_infer(f->context, &call));
    need(f, f->device->backend->kernel_open(f->device, &call, 0, kernel));
}

static void open_kernel(struct fixture *f, int i, float decay)
{
    open_adam(f, counts[i], decay, &f->kernels[i]);
}

static int set_up(void **state)
{
    static const float hyper[8] = {0.01f, 0.1f, 0.001f, 1, 0.5f, 0.1f, 0.001f, 1};
    struct fixture *const f = calloc(1, sizeof *f);
    assert_int_equal(graft_context_open(NULL, &f->context), GRAFT_OK);
    *state = f;
    if (graft_device_open(f->context, "opencl:0", &f->device) != GRAFT_OK) {
        f->device = NULL;
        return 0;
    }
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < FLOATS; i++) {
            f->begin[k][i] = (float)((i * 7 + k * 13) % 97 + 1) / 64;
        }
    }
    need(f, graft_buffer_open(f->device, sizeof f->begin, &f->all));
    need(f, graft_buffer_open(f->device, sizeof hyper, &f->hyper));
    need(f, f->device->backend->buffer_write(f->device, (struct graft_tensor){f->hyper, 0}, hyper,
                                             sizeof hyper));
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *const f = *state;
    for (int i = 0; i < TENSORS && f->device != NULL; i++) {
        f->device->backend->kernel_close(f->device, f->kernels[i]);
    }
    if (f->device != NULL) {
        graft_buffer_close(f->device, &f->all, sizeof f->begin);
        graft_buffer_close(f->device, &f->hyper, 8 * sizeof(float));
    }
    graft_device_close(&f->device);
    graft_context_close(&f->context);
    free(f);
    return 0;
}

static void need_device(struct fixture *f)
{
    if (f->device == NULL) {
        print_message("no OpenCL device: %s\n", graft_context_error(f->context));
        skip();
    }
}

/* Of parameters in a buffer of their own; hyper: the first of the floats that say how. */
static void run_from(struct fixture *f, struct graft_kernel *kernel, struct graft_buffer *parameters,
                     uint64_t begin, uint64_t hyper)
{
    struct graft_tensor in[GRAFT_MAX_INPUTS] = {{NULL, 0}}, out[GRAFT_MAX_OUTPUTS] = {{NULL, 0}};
    for (int k = 0; k < 4; k++) {
        in[k] = (struct graft_tensor){f->all, ((uint64_t)k * FLOATS + begin) * sizeof(float)};
    }
    in[0].buffer = parameters;
    in[4] = (struct graft_tensor){f->hyper, hyper * sizeof(float)};
    need(f, f->device->backend->kernel_run(f->device, kernel, in, out, (struct graft_tensor){NULL, 0}));
}

static void run_at(struct fixture *f, struct graft_kernel *kernel, uint64_t begin)
{
    run_from(f, kernel, f->all, begin, 0);
}

static void run(struct fixture *f, int i)
{
    run_at(f, f->kernels[i], BEGIN(i));
}

static void write_all(struct fixture *f)
{
    need(f, f->device->backend->buffer_write(f->device, (struct graft_tensor){f->all, 0}, f->begin,
                                             sizeof f->begin));
    launches = 0;
}

static void read_all(struct fixture *f, float to[4][FLOATS])
{
    need(f,
         f->device->backend->buffer_read(f->device, to, (struct graft_tensor){f->all, 0}, sizeof f->begin));
}

static void many_are_one_launch(void **state)
{
    static float alone[4][FLOATS], together[4][FLOATS];
    struct fixture *const f = *state;
    need_device(f);
    for (int i = 0; i < TENSORS; i++) {
        open_kernel(f, i, 0.01f);
    }
    write_all(f);
    for (int i = 0; i < TENSORS; i++) {
        run(f, i);
        need(f, f->device->backend->synchronize(f->device, NULL));
    }
    assert_int_equal(launches, TENSORS);
    read_all(f, alone);
    for (int round = 0; round < 2; round++) { /* the second finds its table there */
        write_all(f);
        for (int i = 0; i < TENSORS; i++) {
            assert_int_equal(launches, 0);
            run(f, i);
        }
        assert_int_equal(launches, 1); /* all that are open: there is nothing to wait for */
        read_all(f, together);
        assert_memory_equal(alone, together, sizeof alone);
    }
    assert_memory_not_equal(f->begin, together, sizeof together);
    write_all(f); /* another order is another table */
    for (int i = TENSORS - 1; i >= 0; i--) {
        run(f, i);
    }
    read_all(f, together);
    assert_int_equal(launches, 1);
    assert_memory_equal(alone, together, sizeof alone);
    for (int way = 0; way < 2; way++) { /* and so is one that only begins as the one before */
        write_all(f);
        for (int i = 0; i < TENSORS; i++) {
            run(f, way == 0 || i == 0 ? i : TENSORS - i);
        }
        read_all(f, together);
        assert_memory_equal(alone, together, sizeof alone);
    }
    write_all(f);
    run(f, 0); /* a part of it, too: the rest is not done again */
    run(f, 2);
    read_all(f, together);
    assert_memory_equal(alone[0] + BEGIN(2), together[0] + BEGIN(2), (size_t)counts[2] * sizeof(float));
    assert_memory_equal(f->begin[0] + BEGIN(4), together[0] + BEGIN(4), (size_t)counts[4] * sizeof(float));
}

/* Whatever comes next, and the end of a kernel, of memory, of the device, finds them done. */
static void what_waits_is_not_forgotten(void **state)
{
    static float now[4][FLOATS];
    struct fixture *const f = *state;
    need_device(f);
    for (int i = 0; i < 3; i++) {
        open_kernel(f, i, 0.01f);
    }
    write_all(f);
    run(f, 0);
    assert_int_equal(launches, 0);
    read_all(f, now);
    assert_int_equal(launches, 1);
    assert_true(now[0][0] != f->begin[0][0]);
    run(f, 1);
    f->device->backend->kernel_close(f->device, f->kernels[1]);
    f->kernels[1] = NULL;
    assert_int_equal(launches, 2);
    run(f, 2);
    write_all(f);
    need(f, f->device->backend->synchronize(f->device, NULL));
    assert_int_equal(launches, 0); /* before what was written, not behind it */
    read_all(f, now);
    assert_memory_equal(now, f->begin, sizeof now);
}

/* Another kernel that is run meanwhile comes behind it. */
static void kernels_do_not_overtake(void **state)
{
    static float now[4][FLOATS];
    struct fixture *const f = *state;
    struct graft_call fill = {.op = GRAFT_OP_FILL};
    struct graft_tensor in[GRAFT_MAX_INPUTS] = {{NULL, 0}}, out[GRAFT_MAX_OUTPUTS] = {{NULL, 0}};
    struct graft_kernel *kernel = NULL;
    need_device(f);
    fill.attributes.fill.shape = graft_shape_of(1, FLOATS);
    fill.attributes.fill.value = 5;
    need(f, graft_op_infer(f->context, &fill));
    need(f, f->device->backend->kernel_open(f->device, &fill, 0, &kernel));
    open_kernel(f, 0, 0.01f);
    open_kernel(f, 1, 0.01f);
    write_all(f);
    run(f, 0);
    out[0].buffer = f->all; /* the parameters */
    need(f, f->device->backend->kernel_run(f->device, kernel, in, out, (struct graft_tensor){NULL, 0}));
    f->device->backend->kernel_close(f->device, kernel);
    read_all(f, now);
    assert_int_equal(launches, 1);
    assert_true(now[0][0] == 5);
    assert_true(now[2][0] != f->begin[2][0]);
}

static void others_are_launches_of_their_own(void **state)
{
    struct fixture *const f = *state;
    need_device(f);
    open_kernel(f, 0, 0.01f);
    open_kernel(f, 1, 0);
    open_kernel(f, 2, 0);
    write_all(f);
    run(f, 0);
    run(f, 1); /* other attributes */
    assert_int_equal(launches, 1);
    run(f, 2);
    need(f, f->device->backend->synchronize(f->device, NULL));
    assert_int_equal(launches, 2);
}

/* Parameters in another buffer, and other rates. */
static void what_all_share_must_be_the_same(void **state)
{
    static float alone[5][FLOATS], together[5][FLOATS];
    struct fixture *const f = *state;
    struct graft_buffer *other = NULL;
    need_device(f);
    need(f, graft_buffer_open(f->device, sizeof f->begin[0], &other));
    for (int i = 0; i < 3; i++) {
        open_kernel(f, i, 0);
    }
    for (int way = 0; way < 2; way++) {
        float(*const to)[FLOATS] = way == 0 ? alone : together;
        write_all(f);
        need(f, f->device->backend->buffer_write(f->device, (struct graft_tensor){other, 0}, f->begin[0],
                                                 sizeof f->begin[0]));
        for (int i = 0; i < 3; i++) {
            run_from(f, f->kernels[i], i < 2 ? f->all : other, BEGIN(i), i < 1 ? 0 : 4);
            if (way == 0) {
                need(f, f->device->backend->synchronize(f->device, NULL));
            }
        }
        read_all(f, to);
        need(f, f->device->backend->buffer_read(f->device, to[4], (struct graft_tensor){other, 0},
                                                sizeof to[4]));
        assert_int_equal(launches, 3);
    }
    graft_buffer_close(f->device, &other, sizeof f->begin[0]);
    assert_memory_equal(alone, together, sizeof alone);
}

/* Where nobody can be told, plans learn of it from what the device has lost. */
static void a_failure_at_the_end_is_lost_work(void **state)
{
    struct fixture *const f = *state;
    need_device(f);
    open_kernel(f, 0, 0);
    open_kernel(f, 1, 0);
    write_all(f);
    run(f, 0);
    const uint64_t lost = f->device->lost;
    refused = true;
    f->device->backend->kernel_close(f->device, f->kernels[0]);
    refused = false;
    f->kernels[0] = NULL;
    assert_int_equal(f->device->lost, lost + 1);
}

/* Of more than the table has rows: what is left over is a launch of its own. */
static void a_full_table_is_launched(void **state)
{
    enum { MOST_ROWS = 256, KERNELS = 300 };
    static float alone[4][FLOATS], together[4][FLOATS];
    static struct graft_kernel *kernels[KERNELS];
    struct fixture *const f = *state;
    need_device(f);
    for (int i = 0; i < KERNELS; i++) {
        open_adam(f, i % 7 + 1, 0.01f, &kernels[i]);
    }
    for (int way = 0; way < 2; way++) {
        write_all(f);
        for (int i = 0; i < KERNELS; i++) {
            run_at(f, kernels[i], (uint64_t)i * 64);
            if (way == 0) {
                need(f, f->device->backend->synchronize(f->device, NULL));
            }
            assert_int_equal(launches, way == 0 ? i + 1 : i >= MOST_ROWS);
        }
        read_all(f, way == 0 ? alone : together);
        assert_int_equal(launches, way == 0 ? KERNELS : 2);
    }
    for (int i = 0; i < KERNELS; i++) {
        f->device->backend->kernel_close(f->device, kernels[i]);
    }
    assert_memory_equal(alone, together, sizeof alone);
}

/* ---- statistics ---- */

enum { ROWS = 601, CHANNELS = 20, X = 0, MEAN = ROWS * CHANNELS, VAR = MEAN + 64, OTHER = MEAN + 128,
       RUNNING_MEAN = MEAN + 192, RUNNING_VAR = MEAN + 256, END = MEAN + 320 };

static struct graft_tensor at(const struct fixture *f, int floats)
{
    return (struct graft_tensor){f->all, (uint64_t)floats * sizeof(float)};
}

static struct graft_kernel *open_batch_norm(struct fixture *f, enum graft_op op)
{
    struct graft_call call = {.op = op, .n_inputs = op == GRAFT_OP_BATCH_NORM_UPDATE ? 5 : 1};
    struct graft_kernel *kernel = NULL;
    for (int i = 0; i < call.n_inputs; i++) {
        call.in[i] = (struct graft_desc){GRAFT_DTYPE_F32, graft_shape_of(1, CHANNELS)};
    }
    call.in[call.n_inputs - 1].shape = graft_shape_of(2, ROWS, CHANNELS);
    call.attributes.batch_norm = (struct graft_batch_norm_attributes){.momentum = 0.25f, .training = true};
    need(f, graft_op_infer(f->context, &call));
    need(f, f->device->backend->kernel_open(f->device, &call, 0, &kernel));
    return kernel;
}

static void run_stats(struct fixture *f, struct graft_kernel *kernel)
{
    const struct graft_tensor in[GRAFT_MAX_INPUTS] = {at(f, X)}, parts = at(f, FLOATS);
    const struct graft_tensor out[GRAFT_MAX_OUTPUTS] = {at(f, MEAN), at(f, VAR)};
    need(f, f->device->backend->kernel_run(f->device, kernel, in, out, parts));
}

static void run_update(struct fixture *f, struct graft_kernel *kernel, int mean)
{
    const struct graft_tensor in[GRAFT_MAX_INPUTS] = {at(f, RUNNING_MEAN), at(f, RUNNING_VAR), at(f, mean), at(f, VAR),
                                                      at(f, X)};
    const struct graft_tensor out[GRAFT_MAX_OUTPUTS] = {{NULL, 0}};
    need(f, f->device->backend->kernel_run(f->device, kernel, in, out, (struct graft_tensor){NULL, 0}));
}

static void near(const float *a, const float *b, int count)
{
    for (int i = 0; i < count; i++) {
        assert_float_equal(a[i], b[i], 1e-5f);
    }
}

static void statistics_are_combined_and_moved_at_once(void **state)
{
    static float apart[4][FLOATS], joined[4][FLOATS], other[4][FLOATS];
    struct fixture *const f = *state;
    need_device(f);
    struct graft_kernel *const stats = open_batch_norm(f, GRAFT_OP_BATCH_NORM_STATS);
    struct graft_kernel *const update = open_batch_norm(f, GRAFT_OP_BATCH_NORM_UPDATE);
    struct graft_kernel *const last = open_batch_norm(f, GRAFT_OP_BATCH_NORM_STATS);
    write_all(f);
    combined = moved = 0;
    run_stats(f, stats);
    assert_int_equal(combined, 0);
    need(f, f->device->backend->synchronize(f->device, NULL));
    assert_int_equal(combined, 1);
    run_update(f, update, MEAN);
    assert_int_equal(moved, 1);
    read_all(f, apart);
    double sum = 0;
    for (int row = 0; row < ROWS; row++) {
        sum += (double)apart[0][row * CHANNELS];
    }
    assert_float_equal(apart[0][MEAN], (float)(sum / ROWS), 1e-5f);
    assert_float_equal(apart[0][RUNNING_MEAN], 0.75f * f->begin[0][RUNNING_MEAN] + 0.25f * apart[0][MEAN], 1e-5f);
    write_all(f);
    run_stats(f, stats);
    run_update(f, update, MEAN);
    assert_int_equal(combined, 2);
    assert_int_equal(moved, 1);
    read_all(f, joined);
    near(apart[0], joined[0], END);
    write_all(f); /* of another mean it is an update of its own, behind them */
    run_stats(f, stats);
    run_update(f, update, OTHER);
    assert_int_equal(combined, 3);
    assert_int_equal(moved, 2);
    read_all(f, other);
    near(apart[0], other[0], RUNNING_MEAN);
    assert_float_equal(other[0][RUNNING_MEAN], 0.75f * f->begin[0][RUNNING_MEAN] + 0.25f * f->begin[0][OTHER], 1e-5f);
    write_all(f); /* and the end of a kernel finds them done */
    run_stats(f, last);
    f->device->backend->kernel_close(f->device, last);
    assert_int_equal(combined, 4);
    read_all(f, other);
    near(apart[0], other[0], RUNNING_MEAN);
    f->device->backend->kernel_close(f->device, stats);
    f->device->backend->kernel_close(f->device, update);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_are_one_launch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_waits_is_not_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(kernels_do_not_overtake, set_up, tear_down),
        cmocka_unit_test_setup_teardown(others_are_launches_of_their_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_all_share_must_be_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failure_at_the_end_is_lost_work, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_table_is_launched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(statistics_are_combined_and_moved_at_once, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
