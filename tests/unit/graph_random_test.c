/* SPDX-License-Identifier: MIT */
/*
 * Random graphs: whatever the passes and the memory plan make of a graph, it computes what the graph says.
 * Each is run several times, with updates, with variables written from outside and with a second plan on the
 * same variables, and compared with a plan that keeps every value in memory of its own and fuses nothing. On
 * the reference in f64 gradients are held against differences of the loss, too.
 */
#include "graph_random.h"

#include "graph/plan.h"

#include <math.h>

#define RUNS 3

/* ---- running */

static bool wide(const struct network *net)
{
    return graft_graph_real(net->graph) == GRAFT_DTYPE_F64;
}

/* Numbers in the graph's dtype, from a seed alone. */
static void *numbers(const struct network *net, int64_t count, uint64_t seed, double scale, double offset,
                     uint64_t *bytes)
{
    struct graft_random random;
    *bytes = (uint64_t)count * graft_dtype_size(graft_graph_real(net->graph));
    void *const data = malloc((size_t)*bytes + 1);
    graft_random_start(&random, seed, 5);
    for (int64_t i = 0; i < count; i++) {
        const float value = (float)(offset + scale * graft_random_normal(&random));
        if (wide(net))
            ((double *)data)[i] = (double)value;
        else
            ((float *)data)[i] = value;
    }
    return data;
}

static void write_variable(const struct network *net, struct graft_variables *variables, const char *name,
                           int64_t count, uint64_t seed)
{
    uint64_t bytes;
    const bool positive = strncmp(name, "var", 3) == 0;
    if (strstr(name, ".sgd.") != NULL)
        return;
    void *const data =
        numbers(net, count, seed ^ graft_hash_text(name), positive ? 0.05 : 0.2, positive, &bytes);
    assert_int_equal(graft_variables_write(variables, name, data, bytes), GRAFT_OK);
    free(data);
}

static void write_variables(const struct network *net, struct graft_variables *variables)
{
    struct graft_desc desc;
    for (int i = 0; i < graft_variables_count(variables); i++) {
        const char *const name = graft_variables_at(variables, i, &desc, NULL);
        write_variable(net, variables, name, graft_shape_count(&desc.shape), 1);
    }
}

static void write_inputs(const struct network *net, struct graft_plan *plan, int run)
{
    const double hyper[4] = {0.01, 1, 1, 1};
    const float narrow[4] = {0.01f, 1, 1, 1};
    const int32_t step = run + 1;
    uint64_t bytes;
    void *const x = numbers(net, ELEMENTS, 100 + (uint64_t)run, 1, 0, &bytes);
    assert_int_equal(graft_plan_write(plan, net->x, x, bytes), GRAFT_OK);
    assert_int_equal(graft_plan_write(plan, net->step, &step, sizeof step), GRAFT_OK);
    assert_int_equal(graft_plan_write(plan, net->hyper, wide(net) ? (const void *)hyper : narrow,
                                      wide(net) ? sizeof hyper : sizeof narrow),
                     GRAFT_OK);
    free(x);
}

/* What runs gave, as doubles. */
struct record {
    double *data;
    size_t count, capacity;
};

static void note(struct record *record, const struct network *net, const void *data, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        if (record->count == record->capacity) {
            record->capacity = 2 * record->capacity + 1024;
            record->data = realloc(record->data, record->capacity * sizeof *record->data);
            assert_non_null(record->data);
        }
        record->data[record->count++] =
            wide(net) ? ((const double *)data)[i] : (double)((const float *)data)[i];
    }
}

static void note_outputs(struct record *record, const struct network *net, struct graft_plan *plan)
{
    for (int i = 0; i < net->n_outputs; i++) {
        const struct graft_desc *const desc = graft_graph_desc(net->graph, net->outputs[i]);
        void *const data = malloc((size_t)graft_desc_bytes(desc) + 1);
        assert_int_equal(graft_plan_read(plan, net->outputs[i], data, graft_desc_bytes(desc)), GRAFT_OK);
        note(record, net, data, graft_shape_count(&desc->shape));
        free(data);
    }
}

/* Two plans on the same variables, both told nothing of what the other and the host do to them. */
static void run_all(struct graft_device *device, const struct network *nets,
                    const struct graft_plan_options *options, struct record *record)
{
    const struct network *const net = &nets[0];
    struct graft_variables *variables = NULL;
    struct graft_plan *plans[2] = {NULL};
    struct graft_desc desc;
    *record = (struct record){NULL, 0, 0};
    assert_int_equal(graft_variables_open(device, &variables), GRAFT_OK);
    for (int p = 0; p < 2; p++)
        if (graft_plan_open(nets[p].graph, device, variables, options, &plans[p]) != GRAFT_OK)
            fail_msg("%s", graft_context_error(graft_graph_context(net->graph)));
    write_variables(net, variables);
    for (int run = 0; run < RUNS; run++) {
        for (int p = 0; p < 2; p++) {
            write_inputs(&nets[p], plans[p], run);
            assert_int_equal(graft_plan_run(plans[p], GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
            note_outputs(record, &nets[p], plans[p]);
        }
        assert_int_equal(graft_plan_run(plans[0], GRAFT_SEGMENT_UPDATE), GRAFT_OK);
        if (run == 1) {
            const char *const name = graft_variables_at(variables, 0, &desc, NULL);
            if (name != NULL)
                write_variable(net, variables, name, graft_shape_count(&desc.shape), 2);
        }
    }
    for (int i = 0; i < graft_variables_count(variables); i++) {
        const char *const name = graft_variables_at(variables, i, &desc, NULL);
        void *const data = malloc((size_t)graft_desc_bytes(&desc) + 1);
        assert_int_equal(graft_variables_read(variables, name, data, graft_desc_bytes(&desc)), GRAFT_OK);
        note(record, net, data, graft_shape_count(&desc.shape));
        free(data);
    }
    graft_plan_close(&plans[0]);
    graft_plan_close(&plans[1]);
    graft_variables_close(&variables);
}

/* ---- comparing */

static void compare(const struct record *got, const struct record *wanted, double tolerance,
                    const char *device, uint64_t seed, const char *what)
{
    assert_int_equal(got->count, wanted->count);
    for (size_t i = 0; i < got->count; i++) {
        const double error = fabs(got->data[i] - wanted->data[i]);
        if (!(error <= tolerance * (1 + fabs(wanted->data[i]))))
            fail_msg("%s, graph %llu, %s: number %zu is %.17g, not %.17g", device, (unsigned long long)seed,
                     what, i, got->data[i], wanted->data[i]);
    }
}

static double loss_at(struct graft_plan *plan, const struct network *net)
{
    double loss = 0;
    assert_int_equal(graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
    assert_int_equal(graft_plan_read(plan, net->loss, &loss, sizeof loss), GRAFT_OK);
    return loss;
}

/* Moves all targets by `h` times a direction of 1 and −1, from where they were. */
static void move_targets(const struct network *net, struct graft_variables *variables, double **from,
                         double h)
{
    for (int t = 0; t < net->n_targets; t++) {
        const struct graft_desc *const desc = graft_graph_desc(net->graph, net->targets[t]);
        const int64_t count = graft_shape_count(&desc->shape);
        double *const moved = malloc((size_t)count * sizeof *moved);
        for (int64_t i = 0; i < count; i++)
            moved[i] = from[t][i] + ((i * 7 + t) % 3 == 0 ? h : -h);
        assert_int_equal(graft_variables_write(variables, graft_graph_name(net->graph, net->targets[t]),
                                               moved, (uint64_t)count * sizeof *moved),
                         GRAFT_OK);
        free(moved);
    }
}

/* The gradients along that direction against a central difference; a kink nearby asks for a smaller step. */
static void check_gradients(struct graft_device *device, const struct network *net, uint64_t seed)
{
    struct graft_variables *variables = NULL;
    struct graft_plan *plan = NULL;
    double *from[MOST_PARAMETERS] = {NULL};
    double slope = 0, size = 0, worst = 0;
    bool near = false;
    assert_int_equal(graft_variables_open(device, &variables), GRAFT_OK);
    assert_int_equal(graft_plan_open(net->graph, device, variables, NULL, &plan), GRAFT_OK);
    write_variables(net, variables);
    write_inputs(net, plan, 0);
    (void)loss_at(plan, net);
    for (int t = 0; t < net->n_targets; t++) {
        const uint64_t bytes = graft_desc_bytes(graft_graph_desc(net->graph, net->targets[t]));
        double *const gradient = calloc(1, (size_t)bytes);
        from[t] = malloc((size_t)bytes);
        assert_int_equal(
            graft_variables_read(variables, graft_graph_name(net->graph, net->targets[t]), from[t], bytes),
            GRAFT_OK);
        if (net->gradients[t] >= 0)
            assert_int_equal(graft_plan_read(plan, net->gradients[t], gradient, bytes), GRAFT_OK);
        for (int64_t i = 0; i < (int64_t)(bytes / sizeof(double)); i++) {
            slope += gradient[i] * ((i * 7 + t) % 3 == 0 ? 1 : -1);
            size += fabs(gradient[i]);
        }
        free(gradient);
    }
    for (double h = 1e-5; h > 1e-8 && !near; h /= 10) {
        /* Norms that train move statistics that others read: the same ones for both. */
        write_variables(net, variables);
        move_targets(net, variables, from, h);
        const double above = loss_at(plan, net);
        write_variables(net, variables);
        move_targets(net, variables, from, -h);
        const double difference = (above - loss_at(plan, net)) / (2 * h);
        worst = fabs(difference - slope);
        near = worst <= 1e-5 * size + 1e-6 * (1 + fabs(above)) * 1e-5 / h;
    }
    if (!near)
        fail_msg("graph %llu: the slope %.9g is off by %.3g, Σ|gradient| is %.3g", (unsigned long long)seed,
                 slope, worst, size);
    for (int t = 0; t < net->n_targets; t++)
        free(from[t]);
    graft_plan_close(&plan);
    graft_variables_close(&variables);
}

static const struct {
    const char *name;
    struct graft_plan_options options;
    uint64_t
        largest; /* single allocation, on the reference, whose kernels need no workspace; 0: the device's */
} ways[] = {{"by default", {.no_fusion = false}, 0},
            {"without fusion", {.no_fusion = true}, 0},
            {"not in place", {.no_in_place = true}, 0},
            {"in small pieces", {.no_fusion = false}, 16384}};

/* Graphs [first, last) on a device. */
static void run_graphs(const char *name, enum graft_dtype real, uint64_t first, uint64_t last,
                       double tolerance)
{
    struct graft_context *context = NULL;
    struct graft_device *device = NULL;
    struct test_memory memory;
    const struct graft_context_options options = test_memory_options(&memory, -1);
    const struct graft_plan_options apart = {.keep_all = true};
    assert_int_equal(graft_context_open(&options, &context), GRAFT_OK);
    if (graft_device_open(context, name, &device) != GRAFT_OK) {
        graft_context_close(&context);
        skip();
    }
    const uint64_t largest = device->info.max_allocation_bytes;
    for (uint64_t seed = first; seed < last; seed++) {
        struct graft_graph *graphs[2] = {NULL};
        struct network nets[2];
        struct record wanted, got;
        for (int i = 0; i < 2; i++) {
            assert_int_equal(graft_graph_open(context, real, &graphs[i]), GRAFT_OK);
            build(&nets[i], graphs[i], seed, real == GRAFT_DTYPE_F32, i == 0);
        }
        run_all(device, nets, &apart, &wanted);
        for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
            device->info.max_allocation_bytes =
                ways[i].largest && real == GRAFT_DTYPE_F64 ? ways[i].largest : largest;
            run_all(device, nets, &ways[i].options, &got);
            device->info.max_allocation_bytes = largest;
            compare(&got, &wanted, tolerance, name, seed, ways[i].name);
            free(got.data);
        }
        if (real == GRAFT_DTYPE_F64 && nets[0].n_targets > 0 && !nets[0].moving)
            check_gradients(device, &nets[0], seed);
        free(wanted.data);
        graft_graph_close(&graphs[0]);
        graft_graph_close(&graphs[1]);
    }
    graft_device_close(&device);
    graft_context_close(&context);
    assert_int_equal(atomic_load(&memory.alive), 0);
}

static void on_the_reference(void **state)
{
    (void)state;
    run_graphs("reference", GRAFT_DTYPE_F64, 0, 250, 1e-9);
}

static void on_the_cpu(void **state)
{
    (void)state;
    run_graphs("cpu", GRAFT_DTYPE_F32, 1000, 1100, 2e-3);
}

static void on_opencl(void **state)
{
    (void)state;
    run_graphs("opencl:0", GRAFT_DTYPE_F32, 2000, 2012, 2e-3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_the_reference),
        cmocka_unit_test(on_the_cpu),
        cmocka_unit_test(on_opencl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
