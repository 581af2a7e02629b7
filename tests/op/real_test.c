/* SPDX-License-Identifier: MIT */
/* What the real cases are made of: every op, every network, both sides of every threshold. */
#include "real_edges.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct graft_reals reals;

static int set_up(void **state)
{
    char error[300];
    (void)state;
    if (!graft_reals_open(&reals, error, sizeof error)) {
        print_error("%s\n", error);
        return -1;
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    graft_reals_close(&reals);
    return 0;
}

static void both_sides_of_every_threshold(void **state)
{
    char text[300];
    (void)state;
    const char *const missing = graft_edge_missing(&reals, text, sizeof text);
    if (missing != NULL) {
        fail_msg("%s", missing);
    }
    assert_true(graft_edge_threshold_count() > 30);
}

static bool is_conv(enum graft_op op)
{
    return op == GRAFT_OP_CONV2D || op == GRAFT_OP_CONV2D_GRAD_INPUT || op == GRAFT_OP_CONV2D_GRAD_WEIGHT;
}

static bool is_vector(int64_t size)
{
    return size % 16 == 0;
}

/* The same way through the tiles: attributes, batch, and whether both sides' channels fill vectors. */
static bool are_alike(const struct graft_call *a, const struct graft_call *b)
{
    struct graft_conv2d_attributes x = a->attributes.conv2d, y = b->attributes.conv2d;
    const struct graft_shape *const v =
        a->op == GRAFT_OP_CONV2D_GRAD_WEIGHT ? &a->out[0].shape : &a->in[1].shape;
    const struct graft_shape *const w =
        a->op == GRAFT_OP_CONV2D_GRAD_WEIGHT ? &b->out[0].shape : &b->in[1].shape;
    const bool size = (x.size[0] == 0) == (y.size[0] == 0);
    const bool groups = (x.groups == 1) == (y.groups == 1);
    return a->op == b->op && a->constant == b->constant && a->accumulate == b->accumulate &&
           a->n_inputs == b->n_inputs && size && groups && v->dim[1] == w->dim[1] && v->dim[2] == w->dim[2] &&
           x.stride[0] == y.stride[0] && x.stride[1] == y.stride[1] && x.activation == y.activation &&
           x.dilation[0] == y.dilation[0] && memcmp(x.pad, y.pad, sizeof x.pad) == 0 &&
           a->in[0].shape.dim[0] == b->in[0].shape.dim[0] && is_vector(v->dim[0]) == is_vector(w->dim[0]) &&
           is_vector(v->dim[3]) == is_vector(w->dim[3]);
}

/* What is left out repeats something: of every convolution of every network there is one like it. */
static void each_kind_of_convolution_is_run(void **state)
{
    int left = 0;
    (void)state;
    for (int i = 0; i < reals.count; i++) {
        const struct graft_real *const real = &reals.items[i];
        bool found = !real->repeats || !is_conv(real->call.op);
        left += real->repeats;
        for (int k = 0; k < reals.count && !found; k++) {
            const struct graft_real *const other = &reals.items[k];
            found =
                !other->repeats && other->call.op == real->call.op && are_alike(&real->call, &other->call);
        }
        if (!found) {
            fail_msg("nothing like %s/%s is run", graft_op_get(real->call.op)->name, real->name);
        }
    }
    assert_in_range(left, reals.count / 2, reals.count - 2000);
}

/* Edges are all run, and of every op that networks have some calls; of the largest the preferred variant. */
static void what_is_left_out(void **state)
{
    int networks[GRAFT_OP_COUNT] = {0}, kept[GRAFT_OP_COUNT] = {0};
    (void)state;
    for (int i = 0; i < reals.count; i++) {
        const struct graft_real *const real = &reals.items[i];
        uint64_t largest = 0;
        for (int t = 0; t < GRAFT_MAX_INPUTS + GRAFT_MAX_OUTPUTS; t++) {
            const struct graft_desc *const desc =
                t < GRAFT_MAX_INPUTS ? &real->call.in[t] : &real->call.out[t - GRAFT_MAX_INPUTS];
            const bool is_there =
                desc->dtype != GRAFT_DTYPE_NONE && (t >= GRAFT_MAX_INPUTS || t < real->call.n_inputs);
            largest = is_there && graft_desc_bytes(desc) > largest ? graft_desc_bytes(desc) : largest;
        }
        assert_false(real->edge && real->repeats);
        assert_int_equal(real->preferred_only, largest > 2147483648u);
        networks[real->call.op] += !real->edge;
        kept[real->call.op] += !real->edge && !real->repeats;
    }
    for (int op = 0; op < GRAFT_OP_COUNT; op++) {
        assert_int_equal(networks[op] > 0, kept[op] > 0);
    }
}

/* Of every op one call lies near the beginning of a buffer and one behind 2^31, 2^32 and 2^33 bytes. */
static void each_op_is_far_away(void **state)
{
    uint32_t places[GRAFT_OP_COUNT] = {0};
    (void)state;
    for (int i = 0; i < reals.count; i++) {
        const enum graft_real_place place = reals.items[i].place;
        places[reals.items[i].call.op] |= place == GRAFT_REAL_NEAR ? 1u : 2u << (place - GRAFT_REAL_FAR_31);
    }
    for (int op = 0; op < GRAFT_OP_COUNT; op++) {
        if (places[op] != 15) {
            fail_msg("%s has no call at every place", graft_op_get((enum graft_op)op)->name);
        }
    }
}

/* Even so it is run if it is asked for by its name. */
static void a_name_finds_what_is_left_out(void **state)
{
    int repeated = 0;
    char name[160], error[300];
    struct graft_jobs jobs;
    (void)state;
    while (!reals.items[repeated].repeats) {
        repeated++;
    }
    const struct graft_real *const real = &reals.items[repeated];
    (void)snprintf(name, sizeof name, "%s/%s", graft_op_get(real->call.op)->name, real->name);
    const struct graft_conform_options asked = {.sizes = GRAFT_CONFORM_REAL, .test = name};
    assert_true(graft_jobs_open(&asked, false, false, &jobs, error, sizeof error));
    assert_int_equal(jobs.count, 1);
    assert_string_equal(jobs.items[0].real->name, real->name);
    graft_jobs_close(&jobs);
}

/* A filter that asks for small cases alone does not wait for the list of real ones; a list that is there is
 * taken. */
static void real_cases_are_made_when_they_are_asked_for(void **state)
{
    static const struct {
        const char *filter;
        bool real;
    } asked[] = {{"conv2d/k3_p1", false}, {"conv2d/*/exact", false}, {"conv2d/k3*", true}, {"conv2d", true}};
    char error[300];
    (void)state;
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        const struct graft_conform_options options = {
            .sizes = GRAFT_CONFORM_BOTH, .test = asked[i].filter, .reals = &reals};
        struct graft_jobs jobs;
        assert_true(graft_jobs_open(&options, false, false, &jobs, error, sizeof error));
        assert_true(jobs.count > 0);
        assert_ptr_equal(jobs.reals, asked[i].real ? &reals : NULL);
        graft_jobs_close(&jobs);
    }
    assert_true(reals.count > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_of_every_threshold),
        cmocka_unit_test(each_kind_of_convolution_is_run),
        cmocka_unit_test(what_is_left_out),
        cmocka_unit_test(each_op_is_far_away),
        cmocka_unit_test(a_name_finds_what_is_left_out),
        cmocka_unit_test(real_cases_are_made_when_they_are_asked_for),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
