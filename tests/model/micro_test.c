/* SPDX-License-Identifier: MIT */
/*
 * Training within limits: a batch in micro-batches is the whole batch, a limit is kept as measured, and
 * arenas beyond the largest allocation are split without changing a bit.
 *
 *   micro_test DEVICE…    a missing OpenCL device is skipped
 */
#include "backend/backend.h"
#include "base/context.h"
#include "base/random.h"
#include "graft/train.h"
#include "graph/plan.h"
#include "support/support.h"
#include "infer/micro.h"

#include <math.h>

#define MOST_SIDE 64
#define BATCH 10
#define CLASSES 4
#define MOST_PIXELS (MOST_SIDE * MOST_SIDE * 3)

/* Memory that counts what is out, and remarks that are kept. */
struct watch {
    atomic_long live, peak;
    char remarks[4096];
};

struct block {
    size_t bytes;
    char rest[56];
};

static void *watch_allocate(void *user, size_t bytes)
{
    struct watch *const watch = user;
    void *memory = NULL;
    if (posix_memalign(&memory, 64, bytes + sizeof(struct block)) != 0)
        return NULL;
    ((struct block *)memory)->bytes = bytes;
    const long live = atomic_fetch_add(&watch->live, (long)bytes) + (long)bytes;
    long peak = atomic_load(&watch->peak);
    while (live > peak && !atomic_compare_exchange_weak(&watch->peak, &peak, live)) {
    }
    return (char *)memory + sizeof(struct block);
}

static void watch_release(void *user, void *memory)
{
    struct watch *const watch = user;
    if (memory) {
        struct block *const block = (struct block *)(void *)((char *)memory - sizeof(struct block));
        atomic_fetch_sub(&watch->live, (long)block->bytes);
        free(block);
    }
}

static void watch_log(void *user, enum graft_log_level level, const char *text)
{
    struct watch *const watch = user;
    const size_t used = strlen(watch->remarks);
    if (level == GRAFT_LOG_REMARK)
        snprintf(watch->remarks + used, sizeof watch->remarks - used, "%s\n", text);
}

/* What one training is made with. */
struct setting {
    const char *device, *network;
    int side;
    enum graft_dtype real;
    enum graft_batch_norm_mode bn;
    int64_t micro_batch;
    bool deferred;
    uint64_t limit;              /* of the context, beyond what is there when the weights are; 0: none */
    uint64_t largest_allocation; /* 0: the device's */
    int64_t valid;               /* 0: all */
    int threads;
    bool apart; /* the pictures do not lie one behind the other */
};

struct session {
    struct watch watch;
    struct graft_context *context;
    struct graft_device *device;
    struct graft_model *model;
    struct graft_variables *variables;
    struct graft_trainer *trainer;
    enum graft_status status; /* of opening the trainer */
    uint64_t limit;           /* in all */
    double norm;              /* of the last step's gradients, before clipping */
};

/* False if there is no such device. */
static bool open_session(const struct setting *setting, struct session *s)
{
    static const float weights[CLASSES] = {1, 2.5f, 0.5f, 3};
    memset(s, 0, sizeof *s);
    const struct graft_context_options options = {.allocator = {watch_allocate, watch_release, &s->watch},
                                                  .log = watch_log,
                                                  .log_user = &s->watch,
                                                  .threads = setting->threads ? setting->threads : 2};
    const struct graft_model_options of_model = {.batch = BATCH,
                                                 .height = setting->side,
                                                 .width = setting->side,
                                                 .classes = CLASSES,
                                                 .real = setting->real,
                                                 .training = true,
                                                 .bn = setting->bn,
                                                 .dropout = 0.3f,
                                                 .seed = 9};
    assert_int_equal(graft_context_open(&options, &s->context), GRAFT_OK);
    const enum graft_status opened = graft_device_open(s->context, setting->device, &s->device);
    if (opened != GRAFT_OK) {
        assert_int_equal(strncmp(setting->device, "opencl", 6), 0);
        graft_context_close(&s->context);
        return false;
    }
    if (setting->largest_allocation)
        s->device->info.max_allocation_bytes = setting->largest_allocation;
    assert_int_equal(graft_model_open(s->context, setting->network, &of_model, &s->model), GRAFT_OK);
    assert_int_equal(graft_variables_open(s->device, &s->variables), GRAFT_OK);
    assert_int_equal(graft_model_initialize(s->model, s->variables, 5, 0), GRAFT_OK);
    uint64_t live, peak;
    graft_context_memory(s->context, &live, &peak);
    s->limit = setting->limit ? live + setting->limit : 0;
    graft_context_limit_memory(s->context, s->limit);
    const struct graft_trainer_options trainer = {.optimizer = GRAFT_ADAM,
                                                  .label_smoothing = 0.1f,
                                                  .class_weights = weights,
                                                  .clip_norm = 0.01f,
                                                  .keep_gradients = true,
                                                  .micro_batch = setting->micro_batch,
                                                  .plan = {.deferred = setting->deferred}};
    s->status = graft_trainer_open(s->device, s->model, s->variables, &trainer, &s->trainer);
    return true;
}

static void close_session(struct session *s)
{
    graft_trainer_close(&s->trainer);
    graft_variables_close(&s->variables);
    graft_model_close(&s->model);
    graft_device_close(&s->device);
    graft_context_close(&s->context);
    assert_int_equal(atomic_load(&s->watch.live), 0);
}

/* Two steps; the loss of the second, which says that the update of the first was right. */
static double train(const struct setting *setting, struct session *s)
{
    static double wide[BATCH * MOST_PIXELS];
    static float narrow[BATCH * MOST_PIXELS];
    int32_t labels[BATCH];
    struct graft_random random;
    double loss = 0;
    graft_random_start(&random, 11, 12);
    for (int i = 0; i < BATCH * MOST_PIXELS; i++) {
        narrow[i] = (float)graft_random_normal(&random);
        wide[i] = (double)narrow[i];
    }
    for (int i = 0; i < BATCH; i++)
        labels[i] = (int32_t)(i * i % 7 % CLASSES);
    static float scattered[BATCH * MOST_PIXELS];
    const void *rows[BATCH];
    const int64_t pixels = (int64_t)setting->side * setting->side * 3;
    for (int i = 0; i < BATCH; i++) {
        float *const row = scattered + (7 * i + 3) % BATCH * pixels;
        memcpy(row, narrow + i * pixels, (size_t)pixels * sizeof *row);
        rows[i] = row;
    }
    for (int number = 1; number <= 2; number++) {
        struct graft_step step = {.input = setting->apart                     ? NULL
                                           : setting->real == GRAFT_DTYPE_F64 ? (void *)wide
                                                                              : (void *)narrow,
                                  .rows = setting->apart ? rows : NULL,
                                  .labels = labels,
                                  .valid = setting->valid ? setting->valid : BATCH,
                                  .learning_rate = 1e-3,
                                  .number = number};
        if (graft_trainer_step(s->trainer, &step) != GRAFT_OK)
            fail_msg("%s", graft_context_error(s->context));
        loss = step.loss;
        s->norm = step.gradient_norm;
    }
    return loss;
}

static uint64_t hash_variables(struct session *s)
{
    uint64_t hash = 0xcbf29ce484222325u;
    struct graft_desc desc;
    const char *name;
    for (int i = 0; (name = graft_variables_at(s->variables, i, &desc, NULL)); i++) {
        const uint64_t bytes = graft_desc_bytes(&desc);
        uint8_t *const data = malloc((size_t)bytes + 1);
        assert_int_equal(graft_variables_read(s->variables, name, data, bytes), GRAFT_OK);
        for (uint64_t k = 0; k < bytes; k++)
            hash = (hash ^ data[k]) * 0x100000001b3u;
        free(data);
    }
    return hash;
}

/* All gradients as doubles, one behind the other; to be freed. */
static double *read_gradients(const struct setting *setting, struct session *s, int64_t *count)
{
    double *all = NULL;
    *count = 0;
    for (int p = 0; p < s->model->parameter_count; p++) {
        if (s->model->parameters[p].state)
            continue;
        const int64_t n = graft_shape_count(&s->model->parameters[p].shape);
        all = realloc(all, (size_t)(*count + n) * sizeof *all);
        double *const to = all + *count;
        if (setting->real == GRAFT_DTYPE_F64) {
            assert_int_equal(graft_trainer_gradient(s->trainer, p, to, (uint64_t)n * 8), GRAFT_OK);
        } else {
            float *const data = malloc((size_t)n * sizeof *data);
            assert_int_equal(graft_trainer_gradient(s->trainer, p, data, (uint64_t)n * 4), GRAFT_OK);
            for (int64_t i = 0; i < n; i++)
                to[i] = (double)data[i];
            free(data);
        }
        *count += n;
    }
    return all;
}

/* |a − b| / |b|, of the losses and of all gradients together; `tolerance` for the larger. */
static void compare(const struct setting *whole, const struct setting *parts, double tolerance)
{
    struct session a, b;
    int64_t count, same;
    if (!open_session(parts, &a))
        return;
    assert_true(open_session(whole, &b));
    assert_int_equal(a.status, GRAFT_OK);
    assert_int_equal(b.status, GRAFT_OK);
    assert_int_equal(graft_trainer_micro_batch(b.trainer), BATCH);
    assert_true(graft_trainer_micro_batch(a.trainer) < BATCH);
    assert_non_null(strstr(a.watch.remarks, "micro-batches"));
    assert_string_equal(b.watch.remarks, "");
    const double loss = train(parts, &a), expected = train(whole, &b);
    double *const got = read_gradients(parts, &a, &count), *const truth = read_gradients(whole, &b, &same);
    double error = 0, norm = 0;
    assert_int_equal(count, same);
    for (int64_t i = 0; i < count; i++) {
        error += (got[i] - truth[i]) * (got[i] - truth[i]);
        norm += truth[i] * truth[i];
    }
    print_message("%s %s, %d of %d rows: loss %.17g, %.17g; gradients differ by %.2g\n", parts->device,
                  parts->network, (int)graft_trainer_micro_batch(a.trainer),
                  (int)(parts->valid ? parts->valid : BATCH), loss, expected, sqrt(error / norm));
    assert_true(norm > 1e-4);
    assert_true(fabs(a.norm - b.norm) <= tolerance * b.norm && fabs(b.norm - sqrt(norm)) <= 1e-5 * b.norm);
    assert_true(fabs(loss - expected) <= tolerance * fabs(expected));
    assert_true(sqrt(error / norm) <= tolerance);
    free(got);
    free(truth);
    close_session(&a);
    close_session(&b);
}

/* In f64, where rounding leaves 1e-10: weights of rows, classes and smoothing, dropout's elements and the
 * last partial batch are just those of the whole batch. */
static void micro_batches_are_the_batch(void **state)
{
    (void)state;
    static const int64_t rows[] = {1, 3, 5, 9};
    static const int64_t valid[] = {10, 7, 1, 6};
    for (int i = 0; i < 4; i++) {
        struct setting whole = {.device = "reference",
                                .network = "mobilenet_v2",
                                .side = 32,
                                .real = GRAFT_DTYPE_F64,
                                .valid = valid[i]};
        struct setting parts = whole;
        parts.micro_batch = rows[i];
        compare(&whole, &parts, 1e-10);
    }
}

static char **devices;
static int n_devices;

/* In f32 on each device, in a shallow network. An activation that rounding moves over relu's kink would
 * change gradients by more; with these weights there is none. */
static void devices_agree(void **state)
{
    (void)state;
    for (int d = 0; d < n_devices; d++) {
        const struct setting whole = {.device = devices[d], .network = "tiny_convnet", .side = 32};
        struct setting parts = whole;
        parts.micro_batch = 4;
        compare(&whole, &parts, 1e-5);
    }
}

/* The same bits again, and with another number of threads. */
static void micro_batches_repeat(void **state)
{
    (void)state;
    for (int d = 0; d < n_devices; d++) {
        uint64_t bits[3];
        for (int i = 0; i < 3; i++) {
            const struct setting setting = {.device = devices[d],
                                            .network = "tiny_convnet",
                                            .side = 32,
                                            .bn = GRAFT_BATCH_NORM_TRAIN,
                                            .micro_batch = 4,
                                            .threads = i < 2 ? 2 : 1};
            struct session s;
            if (!open_session(&setting, &s))
                break;
            /* statistics are of full micro-batches: 5 of 10, not 4, 4 and 2 */
            assert_int_equal(graft_trainer_micro_batch(s.trainer), 2);
            assert_non_null(strstr(s.watch.remarks, "statistics from each micro-batch"));
            train(&setting, &s);
            bits[i] = hash_variables(&s);
            close_session(&s);
            if (i == 2)
                assert_true(bits[0] == bits[1] && bits[0] == bits[2]);
        }
    }
}

/* Pictures that lie apart are the batch, whole and in parts of which the last is not full. */
static void pictures_may_lie_apart(void **state)
{
    (void)state;
    for (int d = 0; d < n_devices; d++) {
        for (int parts = 0; parts < 2; parts++) {
            uint64_t bits[2] = {0, 1};
            for (int apart = 0; apart < 2; apart++) {
                const struct setting setting = {.device = devices[d],
                                                .network = "tiny_convnet",
                                                .side = 32,
                                                .micro_batch = parts ? 4 : 0,
                                                .valid = 9,
                                                .apart = apart};
                struct session s;
                if (!open_session(&setting, &s))
                    break;
                train(&setting, &s);
                bits[apart] = hash_variables(&s);
                close_session(&s);
                if (apart)
                    assert_true(bits[0] == bits[1]);
            }
        }
    }
}

/* What is in use when the weights are there. */
static uint64_t before_trainer(const struct setting *setting)
{
    struct setting limited = *setting;
    struct session s;
    limited.limit = 1000;
    limited.deferred = false;
    assert_true(open_session(&limited, &s));
    const uint64_t live = s.limit - 1000;
    close_session(&s);
    return live;
}

/* What micro-batches of so many rows take beside the weights. */
static uint64_t room_of(const struct setting *wanted, int64_t rows)
{
    struct setting setting = *wanted;
    struct session s;
    uint64_t live, peak;
    setting.micro_batch = rows < BATCH ? rows : 0;
    setting.deferred = true;
    assert_true(open_session(&setting, &s));
    graft_context_memory(s.context, &live, &peak);
    const struct graft_plan *const plan = graft_trainer_plan(s.trainer);
    graft_context_limit_memory(s.context, live + (256u << 20));
    const uint64_t kernels = (256u << 20) - graft_plan_room(plan, 0);
    const uint64_t room = graft_plan_need(plan) + kernels + live;
    close_session(&s);
    return room - before_trainer(&setting);
}

static void limits_are_kept(void **state)
{
    (void)state;
    for (int d = 0; d < n_devices; d++) {
        struct setting setting = {.device = devices[d], .network = "tiny_convnet", .side = 64};
        struct session s;
        if (!open_session(&setting, &s))
            continue;
        close_session(&s);
        const int64_t expected[] = {BATCH, 5, 2, 1, 0};
        uint64_t room[5]; /* that so many rows take, with what comes to it on the host */
        for (int k = 0; k < 4; k++)
            room[k] = room_of(&setting, expected[k]);
        const double each = (double)(room[1] - room[3]) / 4; /* sizes of micro-batches are nearly linear */
        room[4] = room[3] - (uint64_t)each;
        setting.deferred = false;
        setting.micro_batch = 0;
        for (int k = 0; k < 5; k++) { /* less and less, down to what one row cannot do with */
            setting.limit = room[k] + (uint64_t)(0.4 * each);
            assert_true(open_session(&setting, &s));
            if (expected[k] == 0) {
                assert_int_equal(s.status, GRAFT_ERROR_MEMORY);
                assert_non_null(strstr(graft_context_error(s.context), "not even one picture"));
                assert_non_null(strstr(graft_context_error(s.context), "activations"));
                close_session(&s);
                continue;
            }
            if (s.status != GRAFT_OK)
                fail_msg("%s", graft_context_error(s.context));
            train(&setting, &s);
            uint64_t live, peak, buffers, most;
            graft_context_memory(s.context, &live, &peak);
            graft_device_memory(s.device, &buffers, &most);
            const uint64_t host = (uint64_t)atomic_load(&s.watch.peak);
            const uint64_t measured = host + (strncmp(devices[d], "opencl", 6) == 0 ? most : 0);
            print_message("%s: limit %.2f MiB, %d rows, %.2f MiB by the allocator, %.2f in buffers\n",
                          devices[d], (double)s.limit / 1048576, (int)graft_trainer_micro_batch(s.trainer),
                          (double)host / 1048576, (double)most / 1048576);
            assert_int_equal(graft_trainer_micro_batch(s.trainer), expected[k]);
            assert_true(peak <= s.limit &&
                        measured <= s.limit + 65536); /* the context itself is not counted */
            close_session(&s);
        }
    }
}

static int chunks_of(const struct graft_plan *plan)
{
    return plan->memory.n_chunks[GRAFT_ARENA_ACTIVATION] + plan->memory.n_chunks[GRAFT_ARENA_SUM];
}

/* Bytes of the largest intermediate: unlike workspaces these grow with the batch. */
static uint64_t largest_value(const struct graft_plan *plan)
{
    uint64_t largest = 0;
    for (int v = 0; v < plan->graph->n_values; v++) {
        const int storage = plan->memory.storage[v];
        const uint64_t bytes = storage < 0 ? 0 : plan->memory.storages[storage].bytes;
        largest = bytes > largest ? bytes : largest;
    }
    return largest;
}

/* Activations, sums, parameters and optimizer state in many buffers: the same bits as in few. */
static void splitting_changes_nothing(void **state)
{
    (void)state;
    for (int d = 0; d < n_devices; d++)
        for (int parts = 0; parts < 2; parts++) {
            struct setting setting = {.device = devices[d],
                                      .network = parts ? "squeezenet1_1" : "tiny_convnet",
                                      .side = 64,
                                      .micro_batch = parts ? 1 : 0};
            struct session s;
            if (!open_session(&setting, &s))
                continue;
            train(&setting, &s);
            const uint64_t bits = hash_variables(&s);
            const int chunks = chunks_of(s.trainer ? graft_trainer_plan(s.trainer) : NULL);
            const int arenas = s.variables->n_arenas;
            /* The largest of all single tensors: nothing is refused, all arenas are split. */
            uint64_t largest = 0;
            const struct graft_plan *const plan = graft_trainer_plan(s.trainer);
            for (int i = 0; i < plan->memory.n_storages; i++)
                largest = plan->memory.storages[i].bytes > largest ? plan->memory.storages[i].bytes : largest;
            const uint64_t tensor = largest_value(plan);
            close_session(&s);
            setting.largest_allocation = largest;
            assert_true(open_session(&setting, &s));
            if (s.status != GRAFT_OK)
                fail_msg("%s", graft_context_error(s.context));
            assert_int_equal(graft_trainer_micro_batch(s.trainer), parts ? 1 : BATCH);
            assert_true(chunks_of(graft_trainer_plan(s.trainer)) > chunks);
            assert_true(s.variables->n_arenas > arenas || !parts); /* parameters and optimizer state */
            train(&setting, &s);
            assert_true(hash_variables(&s) == bits);
            close_session(&s);
            if (parts)
                continue;
            setting.largest_allocation = tensor * 3 / 5; /* one tensor is too large: the batch is cut */
            assert_true(open_session(&setting, &s));
            if (s.status != GRAFT_OK)
                fail_msg("%s", graft_context_error(s.context));
            assert_int_equal(graft_trainer_micro_batch(s.trainer), 5);
            train(&setting, &s);
            close_session(&s);
        }
}

/* ---- the search alone */

struct linear {
    uint64_t fixed, each, room;
    int64_t last;
    int calls;
};

static enum graft_status linear_attempt(void *user, int64_t rows, struct graft_micro_size *size)
{
    struct linear *const linear = user;
    linear->calls++;
    linear->last = rows;
    size->need = linear->fixed + linear->each * (uint64_t)rows + (uint64_t)(rows % 3); /* nearly */
    size->room = linear->room;
    size->fits = size->need <= size->room;
    return GRAFT_OK;
}

static void the_search_finds_the_least_cut(void **state)
{
    (void)state;
    int most_calls = 0;
    for (int64_t batch = 1; batch <= 130; batch += batch < 12 ? 1 : 13)
        for (uint64_t room = 100; room < 100 + 20 * (uint64_t)batch + 40; room += 7)
            for (int divide = 0; divide < 2; divide++) {
                struct linear linear = {.fixed = 100, .each = 20, .room = room};
                struct graft_micro_size size;
                int64_t rows;
                assert_int_equal(
                    graft_micro_search(batch, batch, divide, linear_attempt, &linear, &rows, &size),
                    GRAFT_OK);
                assert_int_equal(linear.last, rows);
                int64_t runs = 1; /* the least count by looking at all */
                while (runs < batch &&
                       100 + 20 * ((batch + runs - 1) / runs) + (batch + runs - 1) / runs % 3 > (int64_t)room)
                    runs++;
                int64_t expected = (batch + runs - 1) / runs;
                for (int64_t k = runs; divide && k <= 2 * runs && k <= batch; k++)
                    if (batch % k == 0) {
                        expected = batch / k;
                        break;
                    }
                assert_int_equal(rows, expected);
                assert_true(size.fits == (size.need <= room));
                most_calls = linear.calls > most_calls ? linear.calls : most_calls;
            }
    print_message("at most %d attempts\n", most_calls);
    assert_true(most_calls <= 7);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_search_finds_the_least_cut),
        cmocka_unit_test(micro_batches_are_the_batch),
        cmocka_unit_test(devices_agree),
        cmocka_unit_test(micro_batches_repeat),
        cmocka_unit_test(pictures_may_lie_apart),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(splitting_changes_nothing),
    };
    devices = arguments + 1;
    n_devices = count - 1;
    return cmocka_run_group_tests_name("micro", tests, NULL, NULL);
}
