/* SPDX-License-Identifier: MIT */
/*
 * The queue of an OpenCL device as the driver sees it: which calls block, how much is under way, what happens
 * when the driver refuses. The calls are counted and made to fail by functions of their names, which the
 * linker takes instead of the loader's.
 */
#define CL_TARGET_OPENCL_VERSION 120
#include "opencl_fixture.h"
#include "opencl_gate.h"
#include "backend/opencl/fetch.h"
#include "backend/opencl/upload.h"
#include "graft/model.h"
#include "train/trainer.h"

#include <dlfcn.h>
#include <pthread.h>

static struct {
    long reads, writes, maps, waits, finishes; /* that block */
    long small;                                /* writes that do not */
    int failing_flush; /* number of pending commands at which clFlush fails; 0: never */
    const struct graft_opencl_device *device;
} calls;

static cl_command_queue watched; /* whose maps are counted; NULL: any queue's */

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
    calls.maps += blocking == CL_TRUE && (watched == NULL || queue == watched);
    return next(queue, memory, blocking, flags, at, size, n, list, event, code);
}

static int tear_down(void **state)
{
    watch_no_more(); /* a check may have failed before the device was let go */
    memset(&calls, 0, sizeof calls);
    return close_fixture(state);
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

/* In the order of the other work. */
static void copy(const struct graft_opencl_device *device, struct graft_tensor to, struct graft_tensor from,
                 size_t bytes)
{
    assert_int_equal(clEnqueueCopyBuffer(device->queue, graft_opencl_memory(from), graft_opencl_memory(to),
                                         (size_t)from.offset, (size_t)to.offset, bytes, 0, NULL, NULL),
                     CL_SUCCESS);
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
    const cl_event gate = hold_up(f->opencl);
    memset(&calls, 0, sizeof calls);
    for (int i = 0; i < WRITES; i++) {
        if (i == 10) {
            assert_int_equal(calls.writes + calls.maps + calls.waits + calls.finishes, 0);
            assert_int_equal(pthread_create(&opener, NULL, complete_soon, gate), 0);
        }
        memset(data, 10 + i, sizes[i % 4]);
        need(f, backend->buffer_write(f->device, to, data, sizes[i % 4]));
        memset(data, 0, sizes[i % 4]);
        copy(f->opencl, copies[i], to, sizes[i % 4]);
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

/* More readings than there is memory for, while the device is held up: those that fit do not wait, each
 * brings what was there when its turn came, and a ticket is for all before it. */
static void fetches_keep_their_order(void **state)
{
    enum { FETCHES = 40, LARGE = 70000 };
    struct fixture *const f = need_device(state);
    const struct graft_backend *const backend = f->device->backend;
    const struct graft_tensor none = {0};
    const bool was = f->opencl->traits.unified;
    for (int unified = 0; unified < 2; unified++) {
        struct graft_tensor from = {NULL, 64};
        uint8_t *const data = malloc((size_t)FETCHES * LARGE);
        uint64_t tickets[FETCHES] = {0};
        pthread_t opener;
        f->opencl->traits.unified = unified;
        need(f, graft_buffer_open(f->device, 64 + LARGE, &from.buffer));
        need(f,
             backend->buffer_fetch(f->device, data, from, 5000, &tickets[0])); /* memory for 20,000 bytes */
        need(f, backend->buffer_fetch(f->device, NULL, none, 0, &tickets[0]));
        const cl_event gate = hold_up(f->opencl);
        memset(&calls, 0, sizeof calls);
        for (int i = 0; i < FETCHES; i++) {
            const size_t bytes = i < 4 ? 4900 : i % 5 == 0 ? LARGE : 700;
            if (i == 4) {
                assert_int_equal(calls.reads + calls.maps + calls.waits + calls.finishes, 0);
                assert_int_equal(pthread_create(&opener, NULL, complete_soon, gate), 0);
            }
            need(f, backend->buffer_fill(f->device, from, (uint8_t)(10 + i), 64 * (LARGE / 64)));
            need(f, backend->buffer_fetch(f->device, data + (size_t)i * LARGE, from, bytes, &tickets[i]));
            assert_true(i == 0 || tickets[i] > tickets[i - 1]);
        }
        assert_int_equal(pthread_join(opener, NULL), 0);
        need(f, backend->buffer_fill(f->device, from, 1, 64 * (LARGE / 64)));
        for (int i = 1; i < FETCHES; i += 2) {
            need(f, backend->buffer_fetch(f->device, NULL, none, 0, &tickets[i]));
            for (int k = i - 1; k <= i; k++) {
                const size_t bytes = k < 4 ? 4900 : k % 5 == 0 ? 64 * (LARGE / 64) : 700;
                for (size_t b = 0; b < bytes; b++)
                    assert_int_equal(data[(size_t)k * LARGE + b], 10 + k);
            }
        }
        clReleaseEvent(gate);
        graft_buffer_close(f->device, &from.buffer, 64 + LARGE);
        graft_opencl_fetch_close(f->opencl);
        free(data);
    }
    f->opencl->traits.unified = was;
}

enum { BATCH = 2, SIDE = 64 };

/* A network that learns, one step after the other. */
struct learner {
    struct graft_model *model;
    struct graft_variables *variables;
    struct graft_trainer *trainer;
    float input[BATCH * SIDE * SIDE * 3];
};

static void learner_open(struct fixture *f, struct learner *l, float clip_norm)
{
    const struct graft_model_options options = {.batch = BATCH,
                                                .height = SIDE,
                                                .width = SIDE,
                                                .classes = 3,
                                                .training = true,
                                                .bn = GRAFT_BATCH_NORM_TRAIN,
                                                .dropout = 0.25f,
                                                .seed = 5};
    const struct graft_trainer_options training = {.optimizer = GRAFT_ADAM, .clip_norm = clip_norm};
    *l = (struct learner){0};
    for (size_t i = 0; i < sizeof l->input / sizeof l->input[0]; i++)
        l->input[i] = (float)(i % 17) / 17;
    need(f, graft_model_open(f->context, "tiny_convnet", &options, &l->model));
    need(f, graft_variables_open(f->device, &l->variables));
    need(f, graft_model_initialize(l->model, l->variables, 7, 0));
    need(f, graft_trainer_open(f->device, l->model, l->variables, &training, &l->trainer));
}

static void learner_close(struct learner *l)
{
    graft_trainer_close(&l->trainer);
    graft_variables_close(&l->variables);
    graft_model_close(&l->model);
}

static struct graft_step step_of(const struct learner *l, int number)
{
    static const int32_t labels[BATCH] = {1, 2};
    return (struct graft_step){
        .input = l->input, .labels = labels, .valid = BATCH, .learning_rate = 1e-3, .number = number};
}

/* A step writes pictures, labels, weights of rows, its number and learning rates, updates, and reads losses
 * and logits. Nothing of it waits for the device, whether it shares the host's memory or not; its results are
 * waited for, once for each, by their own events. */
static void count_step(struct fixture *f, bool unified, float clip_norm)
{
    struct learner l;
    const bool was = f->opencl->traits.unified;
    f->opencl->traits.unified = unified;
    watched = f->opencl->queue; /* stages for pictures are made on one of their own */
    learner_open(f, &l, clip_norm);
    for (int number = 1; number <= 4; number++) {
        struct graft_step step = step_of(&l, number), done;
        memset(&calls, 0, sizeof calls);
        need(f, graft_trainer_begin(l.trainer, &step));
        if (number > 2) { /* what is made once is there */
            assert_int_equal(calls.small, 3); /* labels, weights of rows, learning rates */
            assert_int_equal(calls.writes + calls.reads + calls.finishes + calls.maps + calls.waits, 0);
        }
        memset(&calls, 0, sizeof calls);
        if (number > 1)
            need(f, graft_trainer_end(l.trainer, &done));
        assert_int_equal(calls.writes + calls.reads + calls.maps + calls.finishes, 0);
        assert_int_equal(calls.waits, number > 1 ? (clip_norm > 0 ? 4 : 3) : 0);
        assert_true(number == 1 || (done.number == number - 1 && done.loss > 0));
    }
    learner_close(&l);
    watched = NULL;
    graft_opencl_upload_close(f->opencl);
    graft_opencl_fetch_close(f->opencl);
    f->opencl->traits.unified = was;
}

/* On a device that is not as fast as its host, too: the same losses and the same bits as step by step. */
static void late_results_are_the_same(void **state)
{
    enum { STEPS = 5 };
    struct fixture *const f = need_device(state);
    double losses[2][STEPS];
    float weights[2][4096] = {{0}};
    for (int late = 0; late < 2; late++) {
        struct learner l;
        learner_open(f, &l, 0.5f);
        for (int n = 0; n < STEPS; n++) {
            struct graft_step step = step_of(&l, n + 1), done = {0};
            need(f, graft_trainer_begin(l.trainer, &step));
            if (late == 0 || n > 0) {
                need(f, graft_trainer_end(l.trainer, &done));
                losses[late][n - late] = done.loss;
            }
        }
        if (late == 1) {
            struct graft_step done;
            need(f, graft_trainer_end(l.trainer, &done));
            losses[1][STEPS - 1] = done.loss;
        }
        const struct graft_model_parameter *const first = &l.model->parameters[0];
        const uint64_t bytes = (uint64_t)graft_shape_count(&first->shape) * sizeof(float);
        assert_true(bytes <= sizeof weights[late]);
        need(f, graft_variables_read(l.variables, first->name, weights[late], bytes));
        learner_close(&l);
    }
    for (int n = 0; n < STEPS; n++)
        assert_true(losses[0][n] == losses[1][n] && losses[0][n] > 0);
    assert_memory_equal(weights[0], weights[1], sizeof weights[0]);
}

static void a_training_step_waits_for_nothing(void **state)
{
    struct fixture *const f = need_device(state);
    count_step(f, false, 0);
    count_step(f, false, 1);
    count_step(f, true, 0);
}

/* The results of a step are there while the next one is held up: the device has work when they are taken. */
static void results_come_while_the_next_step_waits(void **state)
{
    struct fixture *const f = need_device(state);
    const bool was = f->opencl->traits.unified;
    struct learner l;
    struct graft_step step, done;
    f->opencl->traits.unified = false;
    learner_open(f, &l, 0);
    step = step_of(&l, 1);
    need(f, graft_trainer_step(l.trainer, &step));
    step = step_of(&l, 2);
    need(f, graft_trainer_begin(l.trainer, &step));
    const cl_event gate = hold_up(f->opencl);
    step = step_of(&l, 3);
    need(f, graft_trainer_begin(l.trainer, &step));
    need(f, graft_trainer_end(l.trainer, &done)); /* hangs if it waits for more than its own */
    assert_int_equal(done.number, 2);
    let_go(gate);
    need(f, graft_trainer_end(l.trainer, &done));
    assert_int_equal(done.number, 3);
    assert_int_equal(graft_trainer_end(l.trainer, &done), GRAFT_ERROR_ARGUMENT);
    clReleaseEvent(gate);
    learner_close(&l);
    graft_opencl_upload_close(f->opencl);
    graft_opencl_fetch_close(f->opencl);
    f->opencl->traits.unified = was;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_failed_flush_leaves_room, open_fixture, tear_down),
        cmocka_unit_test_setup_teardown(small_writes_keep_their_order, open_fixture, tear_down),
        cmocka_unit_test_setup_teardown(fetches_keep_their_order, open_fixture, tear_down),
        cmocka_unit_test_setup_teardown(a_training_step_waits_for_nothing, open_fixture, tear_down),
        cmocka_unit_test_setup_teardown(late_results_are_the_same, open_fixture, tear_down),
        cmocka_unit_test_setup_teardown(results_come_while_the_next_step_waits, open_fixture, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
