/* SPDX-License-Identifier: MIT */
/*
 * The queue of an OpenCL device as the driver sees it: which calls block, how much is under way, what happens
 * when the driver refuses. The calls are counted and made to fail by functions of their names, which the
 * linker takes instead of the loader's.
 */
#define CL_TARGET_OPENCL_VERSION 120
#include "backend/backend.h"
#include "backend/opencl/opencl.h"
#include "backend/opencl/upload.h"
#include "graft/model.h"
#include "graft/train.h"
#include "support/support.h"

#include <dlfcn.h>
#include <pthread.h>

static struct {
    long reads, writes, maps, waits, finishes; /* that block */
    long small;                                /* writes that do not */
    int failing_flush; /* number of pending commands at which clFlush fails; 0: never */
    const struct graft_opencl_device *device;
} calls;

static void *real(const char *name)
{
    void *const function = dlsym(RTLD_NEXT, name);
    assert_non_null(function);
    return function;
}

cl_int clFlush(cl_command_queue queue)
{
    __typeof__(&clFlush) const next = (__typeof__(&clFlush))real("clFlush");
    if (calls.failing_flush > 0 && calls.device->pending_count == calls.failing_flush)
        return CL_OUT_OF_RESOURCES;
    return next(queue);
}

cl_int clFinish(cl_command_queue queue)
{
    __typeof__(&clFinish) const next = (__typeof__(&clFinish))real("clFinish");
    calls.finishes++;
    return next(queue);
}

cl_int clWaitForEvents(cl_uint count, const cl_event *events)
{
    __typeof__(&clWaitForEvents) const next = (__typeof__(&clWaitForEvents))real("clWaitForEvents");
    calls.waits++;
    return next(count, events);
}

cl_int clEnqueueReadBuffer(cl_command_queue queue, cl_mem memory, cl_bool blocking, size_t at, size_t size,
                           void *to, cl_uint n, const cl_event *list, cl_event *event)
{
    __typeof__(&clEnqueueReadBuffer) const next =
        (__typeof__(&clEnqueueReadBuffer))real("clEnqueueReadBuffer");
    calls.reads += blocking == CL_TRUE;
    return next(queue, memory, blocking, at, size, to, n, list, event);
}

cl_int clEnqueueWriteBuffer(cl_command_queue queue, cl_mem memory, cl_bool blocking, size_t at, size_t size,
                            const void *from, cl_uint n, const cl_event *list, cl_event *event)
{
    __typeof__(&clEnqueueWriteBuffer) const next =
        (__typeof__(&clEnqueueWriteBuffer))real("clEnqueueWriteBuffer");
    calls.writes += blocking == CL_TRUE;
    calls.small += blocking != CL_TRUE && size < GRAFT_OPENCL_UPLOAD_LEAST;
    return next(queue, memory, blocking, at, size, from, n, list, event);
}

void *clEnqueueMapBuffer(cl_command_queue queue, cl_mem memory, cl_bool blocking, cl_map_flags flags,
                         size_t at, size_t size, cl_uint n, const cl_event *list, cl_event *event,
                         cl_int *code)
{
    __typeof__(&clEnqueueMapBuffer) const next = (__typeof__(&clEnqueueMapBuffer))real("clEnqueueMapBuffer");
    calls.maps += blocking == CL_TRUE;
    return next(queue, memory, blocking, flags, at, size, n, list, event, code);
}

struct fixture {
    struct graft_context *context;
    struct graft_device *device;
    struct graft_opencl_device *opencl;
};

static int set_up(void **state)
{
    struct fixture *const f = calloc(1, sizeof *f);
    const struct graft_context_options options = {.threads = 1};
    assert_int_equal(graft_context_open(&options, &f->context), GRAFT_OK);
    if (graft_device_open(f->context, "opencl:0", &f->device) != GRAFT_OK)
        f->device = NULL;
    f->opencl = (struct graft_opencl_device *)f->device;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *const f = *state;
    memset(&calls, 0, sizeof calls);
    graft_device_close(&f->device);
    graft_context_close(&f->context);
    free(f);
    return 0;
}

static struct fixture *need_device(void **state)
{
    struct fixture *const f = *state;
    if (f->device == NULL) {
        print_message("no OpenCL device: skipped\n");
        skip();
    }
    return f;
}

static void need(struct fixture *f, enum graft_status status)
{
    if (status != GRAFT_OK)
        fail_msg("%s", graft_context_error(f->context));
}

#define BYTES 256

/* The flush of the command that fills the list fails: the next command must find room for it all the same. */
static void a_failed_flush_leaves_room(void **state)
{
    struct fixture *const f = need_device(state);
    const struct graft_backend *const backend = f->device->backend;
    struct graft_tensor tensor = {0};
    uint8_t data[BYTES];
    need(f, graft_buffer_open(f->device, BYTES, &tensor.buffer));
    need(f, backend->synchronize(f->device, NULL));
    calls.device = f->opencl;
    calls.failing_flush = GRAFT_OPENCL_MAX_PENDING;
    for (int i = 1; i < GRAFT_OPENCL_MAX_PENDING; i++)
        need(f, backend->buffer_fill(f->device, tensor, (uint8_t)i, BYTES));
    assert_int_equal(f->opencl->pending_count, GRAFT_OPENCL_MAX_PENDING - 1);
    assert_int_equal(backend->buffer_fill(f->device, tensor, 1, BYTES), GRAFT_ERROR_DEVICE);
    assert_non_null(strstr(graft_context_error(f->context), "clFlush"));
    calls.failing_flush = 0;
    for (int i = 0; i < 3; i++) {
        need(f, backend->buffer_fill(f->device, tensor, (uint8_t)(40 + i), BYTES));
        assert_in_range(f->opencl->pending_count, 1, GRAFT_OPENCL_MAX_PENDING);
    }
    need(f, backend->buffer_read(f->device, data, tensor, BYTES));
    for (int i = 0; i < BYTES; i++)
        assert_int_equal(data[i], 42);
    graft_buffer_close(f->device, &tensor.buffer, BYTES);
}

static void *complete_soon(void *event)
{
    usleep(100000);
    clSetUserEventStatus((cl_event)event, CL_COMPLETE);
    return NULL;
}

/* More small writes than there is memory for, to a device that is held up: each keeps its place in the order
 * and what it was given. Those that fit do not wait. */
static void small_writes_keep_their_order(void **state)
{
    struct fixture *const f = need_device(state);
    const struct graft_backend *const backend = f->device->backend;
    static const size_t sizes[] = {4, 100, GRAFT_OPENCL_UPLOAD_LEAST - 1, 5000};
    enum { WRITES = 60 };
    struct graft_tensor to = {NULL, 64}, copies[WRITES] = {{0}};
    uint8_t data[GRAFT_OPENCL_UPLOAD_LEAST];
    pthread_t opener;
    need(f, graft_buffer_open(f->device, 64 + sizeof data, &to.buffer));
    for (int i = 0; i < WRITES; i++)
        need(f, graft_buffer_open(f->device, sizeof data, &copies[i].buffer));
    need(f, backend->synchronize(f->device, NULL));
    const cl_event gate = clCreateUserEvent(f->opencl->context, NULL);
    assert_int_equal(clEnqueueBarrierWithWaitList(f->opencl->queue, 1, &gate, NULL), CL_SUCCESS);
    memset(&calls, 0, sizeof calls);
    for (int i = 0; i < WRITES; i++) {
        if (i == 10) {
            assert_int_equal(calls.writes + calls.maps + calls.waits + calls.finishes, 0);
            assert_int_equal(pthread_create(&opener, NULL, complete_soon, gate), 0);
        }
        memset(data, 10 + i, sizes[i % 4]);
        need(f, backend->buffer_write(f->device, to, data, sizes[i % 4]));
        memset(data, 0, sizes[i % 4]);
        need(f, backend->buffer_copy(f->device, copies[i], to, sizes[i % 4]));
    }
    assert_int_equal(calls.small, WRITES);
    assert_int_equal(pthread_join(opener, NULL), 0);
    for (int i = 0; i < WRITES; i++) {
        need(f, backend->buffer_read(f->device, data, copies[i], sizes[i % 4]));
        for (size_t b = 0; b < sizes[i % 4]; b++)
            assert_int_equal(data[b], 10 + i);
        graft_buffer_close(f->device, &copies[i].buffer, sizeof data);
    }
    clReleaseEvent(gate);
    graft_buffer_close(f->device, &to.buffer, 64 + sizeof data);
}

enum { BATCH = 2, SIDE = 64 };

/* A step writes pictures, labels, weights of rows, its number and learning rates, and reads losses and
 * logits. It waits once: for the losses, whose being finite decides on the update. */
static void count_step(struct fixture *f, bool unified)
{
    static float input[BATCH * SIDE * SIDE * 3];
    const int32_t labels[BATCH] = {1, 2};
    const struct graft_model_options options = {.batch = BATCH,
                                                .height = SIDE,
                                                .width = SIDE,
                                                .classes = 3,
                                                .training = true,
                                                .bn = GRAFT_BATCH_NORM_TRAIN,
                                                .dropout = 0.25f,
                                                .seed = 5};
    const struct graft_trainer_options training = {.optimizer = GRAFT_ADAM};
    struct graft_model *model = NULL;
    struct graft_variables *variables = NULL;
    struct graft_trainer *trainer = NULL;
    const bool was = f->opencl->traits.unified;
    for (size_t i = 0; i < sizeof input / sizeof input[0]; i++)
        input[i] = (float)(i % 17) / 17;
    f->opencl->traits.unified = unified;
    need(f, graft_model_open(f->context, "tiny_convnet", &options, &model));
    need(f, graft_variables_open(f->device, &variables));
    need(f, graft_model_initialize(model, variables, 7, 0));
    need(f, graft_trainer_open(f->device, model, variables, &training, &trainer));
    for (int number = 1; number <= 3; number++) {
        struct graft_step step = {
            .input = input, .labels = labels, .valid = BATCH, .learning_rate = 1e-3, .number = number};
        memset(&calls, 0, sizeof calls);
        need(f, graft_trainer_step(trainer, &step));
    }
    assert_true(calls.small >= 4);
    assert_int_equal(calls.writes, 0);
    assert_int_equal(calls.finishes, 0);
    assert_int_equal(calls.reads + calls.maps, unified ? 3 : 2); /* losses, logits; pictures are mapped */
    assert_int_equal(calls.waits, unified ? 3 : 0);
    graft_trainer_close(&trainer);
    graft_variables_close(&variables);
    graft_model_close(&model);
    graft_opencl_upload_close(f->opencl);
    f->opencl->traits.unified = was;
}

static void a_training_step_waits_once(void **state)
{
    struct fixture *const f = need_device(state);
    count_step(f, false);
    count_step(f, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_failed_flush_leaves_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(small_writes_keep_their_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_training_step_waits_once, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
