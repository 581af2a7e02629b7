/* SPDX-License-Identifier: MIT */
/* What becomes steps of a plan: which gradients are taken, which outputs are made, what is packed beforehand,
 * and under which name a step is measured. */
#include "support/plan_fixture.h"

enum { SIDE = 64 };

static int matrix_input(struct fixture *f, const char *name)
{
    const struct graft_shape shape = graft_shape_of(2, SIDE, SIDE);
    return graft_graph_input(f->graph, name, GRAFT_DTYPE_F32, &shape);
}

static int matrix_parameter(struct fixture *f, const char *name)
{
    const struct graft_shape shape = graft_shape_of(2, SIDE, SIDE);
    return graft_graph_parameter(f->graph, name, &shape);
}

static int vector_parameter(struct fixture *f, const char *name)
{
    const struct graft_shape shape = graft_shape_of(1, SIDE);
    return graft_graph_parameter(f->graph, name, &shape);
}

static int product(struct fixture *f, int a, int b)
{
    return graft_matmul(f->graph, a, b, -1, false, false);
}

/* The sum of all elements. */
static int total(struct fixture *f, int x)
{
    const int rank = graft_graph_desc(f->graph, x)->shape.rank;
    const struct graft_reduce_attributes all = {.kind = GRAFT_REDUCE_SUM, .axes = (1u << rank) - 1};
    return graft_reduce(f->graph, x, &all);
}

/* The next step of an op from step `from` on. */
static const struct graft_plan_step *next_step(const struct fixture *f, enum graft_op op, int *from)
{
    while (*from < f->plan->n_steps) {
        const struct graft_plan_step *const step = &f->plan->steps[(*from)++];
        if (step->node->call.op == op)
            return step;
    }
    fail_msg("no further %s in the plan", graft_op_get(op)->name);
    return NULL;
}

/* Parameters, and what is computed from them once; what each product takes is in the books. */
static void unchanging_weights_are_packed(void **state)
{
    struct fixture *const f = *state;
    const int a = matrix_parameter(f, "a");
    const int b = matrix_parameter(f, "b");
    const int first = product(f, matrix_input(f, "x"), a);
    graft_graph_output(f->graph, product(f, first, graft_mul(f->graph, a, b)));
    open_plan(f, NULL);
    struct graft_plan_memory memory;
    uint64_t sum = 0;
    int from = 0;
    for (int i = 0; i < 2; i++) {
        const struct graft_plan_step *const step = next_step(f, GRAFT_OP_MATMUL, &from);
        assert_true(step->info.prepared_bytes >= sizeof(float) * SIDE * SIDE);
        sum += step->info.prepared_bytes;
    }
    graft_plan_get_memory(f->plan, &memory);
    assert_int_equal(memory.prepared, sum);
}

/* Adding to memory takes another time than writing it. */
static void sums_are_measured_apart(void **state)
{
    struct fixture *const f = *state;
    const int a = matrix_input(f, "a");
    graft_graph_output(f->graph, product(f, a, matrix_input(f, "b")));
    graft_graph_output(f->graph, graft_graph_sum(f->graph, product(f, a, matrix_input(f, "c"))));
    open_plan(f, NULL);
    int from = 0;
    const struct graft_plan_step *const adds = next_step(f, GRAFT_OP_MATMUL, &from);
    const struct graft_plan_step *const writes = next_step(f, GRAFT_OP_MATMUL, &from);
    assert_int_equal(adds->node->call.accumulate, 1);
    assert_int_equal(writes->node->call.accumulate, 0); /* the other way round in the graph: it can wait */
    assert_string_equal(adds->text, writes->text);
    assert_string_not_equal(adds->key, writes->key);
}

/* What is told while a plan runs. */
struct front {
    struct graft_plan *plan;
    int calls;
    uint64_t bytes;
    char seen[8 * SIDE * SIDE * sizeof(float)]; /* of the sums, as they were when they were told to be final */
};

static enum graft_status note_front(void *user, uint64_t bytes)
{
    struct front *const front = user;
    uint64_t ticket;
    assert_true(bytes > front->bytes && bytes <= sizeof front->seen);
    const uint64_t begin = front->bytes;
    front->calls++;
    front->bytes = bytes;
    return graft_plan_fetch_sums(front->plan, begin, front->seen + begin, bytes - begin, &ticket);
}

/* Sums lie in the order in which a run finishes them, whatever their sizes, and are handed on as soon as they are final. */
static void the_front_of_sums_is_final(void **state)
{
    struct fixture *const f = *state;
    static struct front front;
    static float values[3][SIDE * SIDE], all[SIDE * SIDE];
    const int a = matrix_input(f, "a"), b = matrix_input(f, "b");
    const int y = product(f, a, b), z = product(f, y, b);
    const int sums[] = {graft_graph_sum(f->graph, total(f, y)), graft_graph_sum(f->graph, z),
                        graft_graph_sum(f->graph, total(f, product(f, z, b)))};
    for (int i = 0; i < 3; i++)
        graft_graph_output(f->graph, sums[i]);
    open_plan(f, NULL);
    for (int i = 0; i < SIDE * SIDE; i++)
        all[i] = 0.01f * (float)(i % 17);
    assert_int_equal(graft_plan_write(f->plan, a, all, sizeof all), GRAFT_OK);
    assert_int_equal(graft_plan_write(f->plan, b, all, sizeof all), GRAFT_OK);
    assert_int_equal(graft_plan_clear(f->plan), GRAFT_OK);
    front = (struct front){.plan = f->plan};
    assert_int_equal(graft_plan_run_sums(f->plan, (struct graft_plan_watcher){.ready = note_front, .user = &front}),
                     GRAFT_OK);
    assert_int_equal(front.calls, 3);
    assert_int_equal(front.bytes, graft_plan_sum_bytes(f->plan));
    assert_int_equal(front.bytes, 64 + sizeof all + 64);
    for (int i = 0; i < 3; i++)
        assert_int_equal(graft_plan_read(f->plan, sums[i], values[i], i == 1 ? sizeof all : sizeof(float)), GRAFT_OK);
    assert_true(values[0][0] > 0 && values[1][0] > 0 && values[2][0] > 0);
    assert_memory_equal(front.seen, values[0], sizeof(float));
    assert_memory_equal(front.seen + 64, values[1], sizeof all);
    assert_memory_equal(front.seen + 64 + sizeof all, values[2], sizeof(float));
    /* And back. */
    values[0][0] = 7;
    assert_int_equal(graft_plan_write_sums(f->plan, 64 + sizeof all, values[0], sizeof(float)), GRAFT_OK);
    assert_int_equal(graft_plan_read(f->plan, sums[2], values[2], sizeof(float)), GRAFT_OK);
    assert_true(values[2][0] == 7);
}

/* Only the second output of a node is read. */
static void unread_outputs_are_not_made(void **state)
{
    struct fixture *const f = *state;
    int v[4], gradient = -1;
    for (int i = 0; i < 4; i++) {
        const char name[2] = {(char)('a' + i), 0};
        v[i] = vector_parameter(f, name);
    }
    const int y = graft_batch_norm(f->graph, matrix_input(f, "x"), v[0], v[1], v[2], v[3], 1e-5F);
    assert_int_equal(graft_graph_gradient(f->graph, total(f, y), &v[1], 1, &gradient), GRAFT_OK);
    graft_graph_output(f->graph, gradient);
    open_plan(f, NULL);
    int from = 0;
    const struct graft_call *const call = &next_step(f, GRAFT_OP_BATCH_NORM_GRAD_PARAM, &from)->node->call;
    assert_int_equal(call->out[0].dtype, GRAFT_DTYPE_NONE);
    assert_int_equal(call->out[1].dtype, GRAFT_DTYPE_F32);
}

/* Gradients are computed; what is added behind them belongs where it would have without them. */
static void segments_go_on_after_gradients(void **state)
{
    struct fixture *const f = *state;
    const int a = matrix_parameter(f, "a");
    const int loss = total(f, product(f, matrix_input(f, "x"), a));
    int gradient = -1;
    graft_graph_segment(f->graph, GRAFT_SEGMENT_UPDATE);
    assert_int_equal(graft_graph_gradient(f->graph, loss, &a, 1, &gradient), GRAFT_OK);
    const int next = graft_add(f->graph, gradient, a);
    const struct graft_node *const nodes = f->graph->nodes;
    assert_int_equal(nodes[f->graph->values[gradient].producer].segment, GRAFT_SEGMENT_COMPUTE);
    assert_int_equal(nodes[f->graph->values[next].producer].segment, GRAFT_SEGMENT_UPDATE);
}

/* A second output of an op without gradient lies on the way: that is told, and not taken for no way at all.
 */
static void a_way_through_statistics_is_told(void **state)
{
    struct fixture *const f = *state;
    const int x = matrix_input(f, "x");
    int outputs[GRAFT_MAX_OUTPUTS], gradient = -1;
    assert_true(graft_graph_apply(f->graph, GRAFT_OP_BATCH_NORM_STATS, NULL, &x, 1, outputs) >= 0);
    assert_int_equal(graft_graph_gradient(f->graph, total(f, outputs[1]), &x, 1, &gradient),
                     GRAFT_ERROR_UNSUPPORTED);
    assert_non_null(strstr(graft_context_error(f->context), "the gradient of batch_norm_stats"));
}

/* Bytes of a picture cannot be moved by a little: they have no gradient, which is no failure. */
static void bytes_have_no_gradient(void **state)
{
    struct fixture *const f = *state;
    const struct graft_shape picture = graft_shape_of(4, 1, 2, 2, SIDE);
    const int x = graft_graph_input(f->graph, "x", GRAFT_DTYPE_U8, &picture);
    const int mean = vector_parameter(f, "mean");
    const int y = graft_normalize(f->graph, x, mean, vector_parameter(f, "std"));
    int gradient = 0;
    assert_int_equal(graft_graph_gradient(f->graph, total(f, y), &x, 1, &gradient), GRAFT_OK);
    assert_int_equal(gradient, -1);
}

/* Numbers of values that come from elsewhere; an operand that was forgotten. */
static void values_that_are_not_there_are_told(void **state)
{
    struct fixture *const f = *state;
    for (int absent = 0; absent < 2; absent++) {
        const int x = matrix_input(f, "x"), y = absent ? -1 : graft_graph_value_count(f->graph);
        assert_int_equal(graft_add(f->graph, x, y), -1);
        assert_int_not_equal(graft_graph_status(f->graph), GRAFT_OK);
        assert_non_null(
            strstr(graft_context_error(f->context), absent ? "is missing" : "input 1 does not exist"));
        graft_graph_close(&f->graph);
        assert_int_equal(graft_graph_open(f->context, GRAFT_DTYPE_F32, &f->graph), GRAFT_OK);
    }
}

/* Each of attention's four gradients is added to its own sum: two runs have twice what one has. */
static void every_output_adds_to_its_own_sum(void **state)
{
    struct fixture *const f = *state;
    static const char *const names[4] = {"q", "k", "v", "bias"};
    const struct graft_shape rows = graft_shape_of(4, 2, 3, 2, 4), pairs = graft_shape_of(4, 1, 2, 3, 3);
    const struct graft_attention_attributes attributes = {.scale = 0.5f};
    int in[4], gradients[4], sums[4];
    float values[48], twice[4][48];
    for (int i = 0; i < 4; i++)
        in[i] = graft_graph_input(f->graph, names[i], GRAFT_DTYPE_F32, i < 3 ? &rows : &pairs);
    const int y = graft_attention(f->graph, in[0], in[1], in[2], in[3], -1, &attributes);
    assert_int_equal(graft_graph_gradient(f->graph, total(f, graft_mul(f->graph, y, y)), in, 4, gradients), GRAFT_OK);
    for (int i = 0; i < 4; i++)
        graft_graph_output(f->graph, sums[i] = graft_graph_sum(f->graph, gradients[i]));
    open_plan(f, NULL);
    int from = 0;
    const struct graft_plan_step *const step = next_step(f, GRAFT_OP_ATTENTION_GRAD, &from);
    assert_int_equal(step->node->call.accumulate, 15);
    for (int i = 0; i < 48; i++)
        values[i] = 0.1f * (float)(i % 7) - 0.2f;
    for (int i = 0; i < 4; i++)
        assert_int_equal(graft_plan_write(f->plan, in[i], values, i < 3 ? sizeof values : 18 * sizeof(float)),
                         GRAFT_OK);
    assert_int_equal(graft_plan_clear(f->plan), GRAFT_OK);
    for (int run = 1; run <= 2; run++) {
        assert_int_equal(graft_plan_run(f->plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
        for (int i = 0; i < 4; i++) {
            const int count = i < 3 ? 48 : 18;
            assert_int_equal(graft_plan_read(f->plan, sums[i], values, (size_t)count * sizeof(float)), GRAFT_OK);
            for (int k = 0; k < count; k++) {
                assert_true(run == 1 || values[k] == twice[i][k]);
                twice[i][k] = 2 * values[k];
            }
        }
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(unchanging_weights_are_packed),      TEST(sums_are_measured_apart),
        TEST(unread_outputs_are_not_made),        TEST(segments_go_on_after_gradients),
        TEST(a_way_through_statistics_is_told),   TEST(bytes_have_no_gradient),
        TEST(values_that_are_not_there_are_told), TEST(the_front_of_sums_is_final),
        TEST(every_output_adds_to_its_own_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
