/* SPDX-License-Identifier: MIT */
/* Concatenations and slices of channels as views: what is copied no more, what has to stay, and that the
 * numbers are the same bits as with memory for each value. */
#include "graph/plan.h"
#include "support/support.h"

enum { BATCH = 4, SIDE = 6, CHANNELS = 16, GROWTH = 8, LAYERS = 5, MOST_PARAMETERS = 96 };

struct fixture {
    struct graft_context *context;
    struct graft_device *device;
    struct graft_graph *graph;
    struct graft_variables *variables;
    int n_parameters;
};

static const char *const devices[] = {"cpu", "opencl:0"};

/* False if there is no such device. */
static bool open_fixture(struct fixture *f, const char *device)
{
    const struct graft_context_options options = {.threads = 2};
    memset(f, 0, sizeof *f);
    assert_int_equal(graft_context_open(&options, &f->context), GRAFT_OK);
    if (graft_device_open(f->context, device, &f->device) != GRAFT_OK) {
        print_message("skipped on %s: %s\n", device, graft_context_error(f->context));
        graft_context_close(&f->context);
        return false;
    }
    assert_int_equal(graft_graph_open(f->context, GRAFT_DTYPE_F32, &f->graph), GRAFT_OK);
    assert_int_equal(graft_variables_open(f->device, &f->variables), GRAFT_OK);
    return true;
}

static void close_fixture(struct fixture *f)
{
    graft_variables_close(&f->variables);
    graft_graph_close(&f->graph);
    graft_device_close(&f->device);
    graft_context_close(&f->context);
}

static int input(struct fixture *f)
{
    const struct graft_shape shape = graft_shape_of(4, BATCH, SIDE, SIDE, CHANNELS);
    return graft_graph_input(f->graph, "x", GRAFT_DTYPE_F32, &shape);
}

static int parameter(struct fixture *f, struct graft_shape shape)
{
    char name[16];
    (void)snprintf(name, sizeof name, "p%d", f->n_parameters++);
    return graft_graph_parameter(f->graph, name, &shape);
}

static int channels(const struct fixture *f, int x)
{
    return (int)graft_graph_desc(f->graph, x)->shape.dim[3];
}

/* A bias's gradient is a reduction, which reads no views. */
static int convolution(struct fixture *f, int x, int filters, int kernel, bool bias)
{
    const int pad = kernel / 2;
    const struct graft_conv2d_attributes a = {
        .stride = {1, 1}, .dilation = {1, 1}, .pad = {pad, pad, pad, pad}, .groups = 1};
    const int w = parameter(f, graft_shape_of(4, filters, kernel, kernel, channels(f, x)));
    return graft_conv2d(f->graph, x, w, bias ? parameter(f, graft_shape_of(1, filters)) : -1, &a);
}

static int relu(struct fixture *f, int x)
{
    return graft_unary(f->graph, GRAFT_UNARY_RELU, x);
}

static int normalized(struct fixture *f, int x)
{
    const struct graft_shape vector = graft_shape_of(1, channels(f, x));
    return graft_batch_norm(f->graph, x, parameter(f, vector), parameter(f, vector), parameter(f, vector),
                            parameter(f, vector), 1e-3f);
}

static int part(struct fixture *f, int x, int first, int count)
{
    const struct graft_slice_attributes a = {.begin = {0, 0, 0, first}, .size = {BATCH, SIDE, SIDE, count}};
    return graft_slice(f->graph, x, &a);
}

static int joined(struct fixture *f, int a, int b)
{
    return graft_concat(f->graph, (const int[]){a, b}, 2, 3);
}

static int total(struct fixture *f, int x)
{
    const struct graft_reduce_attributes all = {.kind = GRAFT_REDUCE_SUM, .axes = 15u};
    return graft_reduce(f->graph, x, &all);
}

/* The gradients of a sum by all parameters become outputs. */
static void differentiate(struct fixture *f, int loss)
{
    int targets[MOST_PARAMETERS], gradients[MOST_PARAMETERS];
    char name[16];
    assert_true(f->n_parameters <= MOST_PARAMETERS);
    for (int i = 0; i < f->n_parameters; i++) {
        (void)snprintf(name, sizeof name, "p%d", i);
        targets[i] = graft_graph_find(f->graph, name);
    }
    assert_int_equal(graft_graph_gradient(f->graph, loss, targets, f->n_parameters, gradients), GRAFT_OK);
    for (int i = 0; i < f->n_parameters; i++)
        if (gradients[i] >= 0)
            graft_graph_output(f->graph, gradients[i]);
}

static void fill(float *to, uint64_t count, uint32_t seed)
{
    for (uint64_t i = 0; i < count; i++)
        to[i] = (float)((i * 2654435761u + seed * 40503u) % 1009) / 1009.0f - 0.4f;
}

static void write_variables(struct fixture *f)
{
    for (int i = 0; i < graft_variables_count(f->variables); i++) {
        struct graft_desc desc;
        const char *const name = graft_variables_at(f->variables, i, &desc, NULL);
        const uint64_t bytes = graft_desc_bytes(&desc);
        float *const values = malloc((size_t)bytes);
        fill(values, bytes / sizeof *values, (uint32_t)i + 7);
        for (uint64_t k = 0; k < bytes / sizeof *values; k++)
            values[k] = desc.shape.rank == 1 ? values[k] * values[k] + 0.25f : values[k]; /* variances, too */
        assert_int_equal(graft_variables_write(f->variables, name, values, bytes), GRAFT_OK);
        free(values);
    }
}

/* Steps of the op that run. */
static int count_steps(const struct graft_plan *plan, enum graft_op op)
{
    int count = 0;
    for (int s = 0; s < plan->n_steps; s++)
        count += plan->steps[s].node->call.op == op && plan->steps[s].kernel != NULL;
    return count;
}

static struct graft_plan *open_plan(struct fixture *f, const struct graft_plan_options *options)
{
    struct graft_plan *plan = NULL;
    if (graft_plan_open(f->graph, f->device, f->variables, options, &plan) != GRAFT_OK)
        fail_msg("%s: %s", f->device->info.id, graft_context_error(f->context));
    return plan;
}

/* All outputs, one behind the other. */
static float *outputs_of(struct fixture *f, struct graft_plan *plan, uint64_t *bytes)
{
    float *data = NULL;
    float x[BATCH * SIDE * SIDE * CHANNELS];
    fill(x, sizeof x / sizeof *x, 1);
    *bytes = 0;
    assert_int_equal(graft_plan_write(plan, graft_graph_find(f->graph, "x"), x, sizeof x), GRAFT_OK);
    for (int run = 0; run < 2; run++) /* what a run leaves behind does not matter */
        assert_int_equal(graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
    for (int v = 0; v < f->graph->n_values; v++) {
        if (!f->graph->values[v].output)
            continue;
        const uint64_t more = graft_desc_bytes(&f->graph->values[v].desc);
        data = realloc(data, (size_t)(*bytes + more));
        assert_int_equal(graft_plan_read(plan, v, (char *)data + *bytes, more), GRAFT_OK);
        *bytes += more;
    }
    return data;
}

/* Whatever memory is shared, the outputs are the same bits. Returns the usual plan. */
static struct graft_plan *compare(struct fixture *f)
{
    static const struct graft_plan_options ways[] = {{.no_in_place = true},
                                                     {.no_in_place = true, .whole_batch = true},
                                                     {.whole_batch = true},
                                                     {.variants = NULL}};
    struct graft_plan *plan = NULL;
    uint64_t wanted_bytes = 0;
    float *wanted = NULL;
    for (int i = 0; i < 4; i++) {
        uint64_t bytes;
        graft_plan_close(&plan);
        plan = open_plan(f, &ways[i]);
        if (i == 0)
            write_variables(f);
        float *const got = outputs_of(f, plan, &bytes);
        if (i == 0) {
            wanted = got;
            wanted_bytes = bytes;
            continue;
        }
        assert_int_equal(bytes, wanted_bytes);
        for (uint64_t k = 0; k < bytes / sizeof *got; k++)
            if (memcmp(&got[k], &wanted[k], sizeof *got) != 0)
                fail_msg("%s, way %d: number %llu is %.9g, not %.9g", f->device->info.id, i,
                         (unsigned long long)k, (double)got[k], (double)wanted[k]);
        free(got);
    }
    free(wanted);
    return plan;
}

/* As in DenseNet: each layer reads what all before it have made. */
static int dense_block(struct fixture *f, int x, int *blocks)
{
    for (int i = 0; i < LAYERS; i++) {
        int y = convolution(f, relu(f, normalized(f, x)), 2 * GROWTH, 1, false);
        y = convolution(f, relu(f, normalized(f, y)), GROWTH, 3, false);
        x = joined(f, x, y);
        blocks[i] = x;
    }
    return x;
}

/* One tensor of the final width, for all layers; and one for their gradients. */
static void dense_blocks_are_one_tensor(void **state)
{
    (void)state;
    for (int d = 0; d < 2; d++)
        for (int training = 0; training < 2; training++) {
            struct fixture f;
            int blocks[LAYERS];
            if (!open_fixture(&f, devices[d]))
                continue;
            const int x = convolution(&f, input(&f), CHANNELS, 1, false);
            const int loss = total(&f, relu(&f, normalized(&f, dense_block(&f, x, blocks))));
            graft_graph_output(f.graph, loss);
            if (training)
                differentiate(&f, loss);
            struct graft_plan *plan = compare(&f);
            for (int i = 0; i < LAYERS; i++) {
                assert_int_equal(plan->memory.root[blocks[i]], plan->memory.root[blocks[LAYERS - 1]]);
                assert_int_equal(plan->memory.column[blocks[i]], 0);
            }
            assert_int_equal(plan->memory.root[x], plan->memory.root[blocks[0]]);
            assert_int_equal(count_steps(plan, GRAFT_OP_CONCAT), 0);
            assert_int_equal(count_steps(plan, GRAFT_OP_SLICE), 0);
            graft_plan_close(&plan);
            close_fixture(&f);
        }
}

/* As in ShuffleNet: half of the channels pass by. The gradient of the halves is one tensor again. */
static void halves_pass_by(void **state)
{
    (void)state;
    for (int d = 0; d < 2; d++) {
        struct fixture f;
        if (!open_fixture(&f, devices[d]))
            continue;
        const int x = relu(&f, convolution(&f, input(&f), CHANNELS, 1, true));
        const int right =
            relu(&f, convolution(&f, part(&f, x, CHANNELS / 2, CHANNELS / 2), CHANNELS / 2, 3, true));
        const int loss =
            total(&f, relu(&f, convolution(&f, joined(&f, part(&f, x, 0, CHANNELS / 2), right), 4, 1, true)));
        graft_graph_output(f.graph, loss);
        differentiate(&f, loss);
        struct graft_plan *plan = compare(&f);
        assert_int_equal(count_steps(plan, GRAFT_OP_CONCAT), 0);
        assert_int_equal(count_steps(plan, GRAFT_OP_PAD), 0);
        /* The half that passes by has two places, in what it is cut from and in what it goes into, and so has
         * its gradient: one of each is a copy. */
        assert_int_equal(count_steps(plan, GRAFT_OP_SLICE), 2);
        graft_plan_close(&plan);
        close_fixture(&f);
    }
}

/* As queries, keys and values are cut from one product: the gradient of the parts, in whatever order they are
 * used, is one tensor; of parts that leave a gap it is a sum. */
static void parts_become_one(void **state)
{
    (void)state;
    static const struct {
        int begin[3], count[3];
        bool whole;
    } cuts[] = {{{0, 4, 10}, {4, 6, 6}, true}, {{10, 0, 4}, {6, 4, 6}, true}, {{0, 5, 10}, {4, 5, 6}, false}};
    for (int c = 0; c < 3; c++) {
        struct fixture f;
        assert_true(open_fixture(&f, "cpu"));
        const int x = convolution(&f, input(&f), CHANNELS, 1, true);
        int loss = -1;
        for (int i = 0; i < 3; i++) {
            const int y = total(
                &f, relu(&f, convolution(&f, part(&f, x, cuts[c].begin[i], cuts[c].count[i]), 4, 1, true)));
            loss = loss < 0 ? y : graft_add(f.graph, loss, y);
        }
        graft_graph_output(f.graph, loss);
        differentiate(&f, loss);
        struct graft_plan *plan = compare(&f);
        assert_int_equal(count_steps(plan, GRAFT_OP_PAD), cuts[c].whole ? 0 : 3);
        graft_plan_close(&plan);
        close_fixture(&f);
    }
}

/* A value has one place, others are copies; what is read from outside lies by itself. */
static void what_has_to_stay_is_copied(void **state)
{
    (void)state;
    for (int d = 0; d < 2; d++) {
        struct fixture f;
        if (!open_fixture(&f, devices[d]))
            continue;
        const int x = input(&f);
        const int a = relu(&f, convolution(&f, x, 5, 1, true)), b = relu(&f, convolution(&f, x, 3, 3, true));
        const int twice = joined(&f, a, a), one = joined(&f, a, b), other = joined(&f, b, a);
        const int seen = relu(&f, convolution(&f, x, 7, 1, true));
        graft_graph_output(f.graph, seen);
        const int all = joined(&f, joined(&f, seen, one), joined(&f, other, twice));
        graft_graph_output(f.graph, all);
        graft_graph_output(f.graph, total(&f, convolution(&f, all, 4, 3, true)));
        graft_graph_output(f.graph, part(&f, all, 3, 9));
        graft_graph_output(f.graph, total(&f, joined(&f, x, b))); /* an input stays where it is written to */
        struct graft_plan *plan = compare(&f);
        assert_true(count_steps(plan, GRAFT_OP_CONCAT) >= 4);
        assert_int_equal(count_steps(plan, GRAFT_OP_SLICE), 1);
        graft_plan_close(&plan);
        close_fixture(&f);
    }
}

/* What is added to a part of a tensor is not added where the whole is read later. */
static void sums_do_not_change_what_is_read_later(void **state)
{
    (void)state;
    for (int d = 0; d < 2; d++) {
        struct fixture f;
        if (!open_fixture(&f, devices[d]))
            continue;
        const int x = input(&f);
        const int a = relu(&f, convolution(&f, x, 16, 1, true)),
                  b = relu(&f, convolution(&f, x, 16, 1, true));
        const int first = part(&f, a, 0, 8), second = part(&f, b, 3, 8); /* the second adds to the first */
        const int sum = graft_add(f.graph, first, second);
        graft_graph_output(f.graph, total(&f, convolution(&f, sum, 4, 1, true)));
        graft_graph_output(f.graph, total(&f, convolution(&f, a, 4, 3, true)));
        struct graft_plan *plan = compare(&f);
        int sums = 0;
        for (int s = 0; s < plan->n_steps; s++)
            sums += plan->steps[s].node->continues >= 0;
        assert_int_equal(sums, 1);
        assert_int_equal(count_steps(plan, GRAFT_OP_SLICE), 2);
        graft_plan_close(&plan);
        close_fixture(&f);
    }
}

/* Whether that is read later depends on where in the whole it lies: as the last of four parts, of which two
 * were joined before. */
static void parts_of_parts_are_told_apart(void **state)
{
    (void)state;
    for (int d = 0; d < 2; d++) {
        struct fixture f;
        if (!open_fixture(&f, devices[d]))
            continue;
        const int x = input(&f);
        const int inner = relu(&f, convolution(&f, x, 4, 3, true)),
                  last = relu(&f, convolution(&f, x, 4, 1, true));
        const int parts[3] = {relu(&f, convolution(&f, x, 2, 1, true)),
                              relu(&f, convolution(&f, x, 6, 1, true)), joined(&f, inner, last)};
        const int all = graft_concat(f.graph, parts, 3, 3);
        const int again = part(&f, all, 12, 4),
                  other = part(&f, relu(&f, convolution(&f, x, 16, 1, true)), 3, 4);
        graft_graph_output(f.graph, total(&f, convolution(&f, graft_add(f.graph, again, other), 4, 1, true)));
        graft_graph_output(f.graph, total(&f, convolution(&f, last, 4, 3, true)));
        struct graft_plan *plan = compare(&f);
        graft_plan_close(&plan); /* a batch in chunks keeps apart what is read behind them */
        plan = open_plan(&f, &(struct graft_plan_options){.whole_batch = true});
        assert_int_equal(count_steps(plan, GRAFT_OP_CONCAT), 0);
        assert_int_equal(count_steps(plan, GRAFT_OP_SLICE), 2);
        graft_plan_close(&plan);
        close_fixture(&f);
    }
}

/* Channels that are no neighbours are no columns. */
static void every_other_channel_is_copied(void **state)
{
    (void)state;
    for (int d = 0; d < 2; d++) {
        struct fixture f;
        if (!open_fixture(&f, devices[d]))
            continue;
        const struct graft_slice_attributes a = {
            .begin = {0, 0, 0, 1}, .size = {BATCH, SIDE, SIDE, 8}, .step = {1, 1, 1, 2}};
        const int y = relu(&f, convolution(&f, input(&f), 16, 1, true));
        graft_graph_output(f.graph, total(&f, convolution(&f, graft_slice(f.graph, y, &a), 4, 3, true)));
        struct graft_plan *plan = compare(&f);
        assert_int_equal(count_steps(plan, GRAFT_OP_SLICE), 1);
        graft_plan_close(&plan);
        close_fixture(&f);
    }
}

/* The reference is the definition: it reads and writes tensors whose rows lie one behind the other. */
static void the_reference_has_no_views(void **state)
{
    (void)state;
    struct fixture f;
    assert_true(open_fixture(&f, "reference"));
    const int x = input(&f);
    graft_graph_output(f.graph, total(&f, joined(&f, relu(&f, x), part(&f, relu(&f, x), 2, 4))));
    struct graft_plan *plan = open_plan(&f, NULL);
    assert_int_equal(count_steps(plan, GRAFT_OP_CONCAT), 1);
    assert_int_equal(count_steps(plan, GRAFT_OP_SLICE), 1);
    graft_plan_close(&plan);
    close_fixture(&f);
}

/* Every allocation of a plan with views may fail: that is told, and nothing is lost. */
static void memory_may_be_missing(void **state)
{
    (void)state;
    struct test_memory memory;
    const struct graft_context_options options = test_memory_options(&memory, -1);
    struct fixture f = {0};
    struct graft_plan *plan = NULL;
    int blocks[LAYERS], failures = 0;
    assert_int_equal(graft_context_open(&options, &f.context), GRAFT_OK);
    assert_int_equal(graft_device_open(f.context, "cpu", &f.device), GRAFT_OK);
    assert_int_equal(graft_graph_open(f.context, GRAFT_DTYPE_F32, &f.graph), GRAFT_OK);
    assert_int_equal(graft_variables_open(f.device, &f.variables), GRAFT_OK);
    graft_graph_output(f.graph, total(&f, dense_block(&f, relu(&f, input(&f)), blocks)));
    const struct graft_plan_options deferred = {.deferred = true};
    plan = open_plan(&f, &deferred); /* what the device keeps from its first plan on is there then */
    graft_plan_close(&plan);
    for (;; failures++) {
        const long alive = atomic_load(&memory.alive);
        memory.fail_at = atomic_load(&memory.uses) + failures;
        const enum graft_status status = graft_plan_open(f.graph, f.device, f.variables, &deferred, &plan);
        if (status == GRAFT_OK)
            break;
        assert_int_equal(status, GRAFT_ERROR_MEMORY);
        assert_null(plan);
        assert_int_equal(atomic_load(&memory.alive), alive);
    }
    memory.fail_at = -1;
    assert_true(failures > 100);
    assert_int_equal(count_steps(plan, GRAFT_OP_CONCAT), 0);
    graft_plan_close(&plan);
    close_fixture(&f);
    assert_int_equal(atomic_load(&memory.alive), 0);
}

/* Where every value is looked at, each lies by itself. */
static void numbers_are_checked_without_views(void **state)
{
    (void)state;
    struct fixture f;
    assert_true(open_fixture(&f, "cpu"));
    const int x = input(&f);
    const int y =
        joined(&f, relu(&f, convolution(&f, x, 5, 1, true)), relu(&f, convolution(&f, x, 3, 1, true)));
    graft_graph_output(f.graph, total(&f, y));
    struct graft_plan *plan = open_plan(&f, &(struct graft_plan_options){.check_numbers = true});
    assert_int_equal(count_steps(plan, GRAFT_OP_CONCAT), 1);
    graft_plan_close(&plan);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dense_blocks_are_one_tensor),
        cmocka_unit_test(halves_pass_by),
        cmocka_unit_test(parts_become_one),
        cmocka_unit_test(what_has_to_stay_is_copied),
        cmocka_unit_test(sums_do_not_change_what_is_read_later),
        cmocka_unit_test(parts_of_parts_are_told_apart),
        cmocka_unit_test(every_other_channel_is_copied),
        cmocka_unit_test(the_reference_has_no_views),
        cmocka_unit_test(memory_may_be_missing),
        cmocka_unit_test(numbers_are_checked_without_views),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
