/* SPDX-License-Identifier: MIT */
/* A graph and its plan on the cpu, for tests of plans. */
#ifndef GRAFT_TESTS_SUPPORT_PLAN_FIXTURE_H
#define GRAFT_TESTS_SUPPORT_PLAN_FIXTURE_H

#include "graph/plan.h"
#include "support/support.h"

struct fixture {
    struct graft_context *context;
    struct graft_device *device;
    struct graft_graph *graph;
    struct graft_variables *variables;
    struct graft_plan *plan;
};

static inline int set_up(void **state)
{
    struct fixture *const f = calloc(1, sizeof *f);
    assert_int_equal(graft_context_open(NULL, &f->context), GRAFT_OK);
    assert_int_equal(graft_device_open(f->context, "cpu", &f->device), GRAFT_OK);
    assert_int_equal(graft_graph_open(f->context, GRAFT_DTYPE_F32, &f->graph), GRAFT_OK);
    assert_int_equal(graft_variables_open(f->device, &f->variables), GRAFT_OK);
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *const f = *state;
    graft_plan_close(&f->plan);
    graft_variables_close(&f->variables);
    graft_graph_close(&f->graph);
    graft_device_close(&f->device);
    graft_context_close(&f->context);
    free(f);
    return 0;
}

/* options: NULL is the usual. */
static inline void open_plan(struct fixture *f, const struct graft_plan_options *options)
{
    if (graft_plan_open(f->graph, f->device, f->variables, options, &f->plan) != GRAFT_OK)
        fail_msg("%s", graft_context_error(f->context));
}

#endif
