/* SPDX-License-Identifier: MIT */
/* What the tests of networks as descriptions share. */
#ifndef GRAFT_TESTS_MODEL_FIXTURE_H
#define GRAFT_TESTS_MODEL_FIXTURE_H

#include "graft/model.h"
#include "graph/graph.h"
#include "support/support.h"

static struct graft_context *context;

static int set_up(void **state)
{
    (void)state;
    return graft_context_open(NULL, &context);
}

static int tear_down(void **state)
{
    (void)state;
    graft_context_close(&context);
    return 0;
}

static struct graft_model *open_model(const char *name, struct graft_model_options options)
{
    struct graft_model *model = NULL;
    if (graft_model_open(context, name, &options, &model))
        fail_msg("%s", graft_context_error(context));
    return model;
}

static inline void assert_shape(const struct graft_model *model, int value, const char *expected)
{
    char text[96];
    const struct graft_desc *const desc = graft_graph_desc(model->graph, value);
    assert_non_null(desc);
    assert_string_equal(graft_shape_format(&desc->shape, text, sizeof text), expected);
}

static inline const struct graft_node *find_node(const struct graft_model *model, enum graft_op op, int number)
{
    for (int n = 0; n < model->graph->n_nodes; ++n)
        if (model->graph->nodes[n].call.op == op && number-- == 0)
            return &model->graph->nodes[n];
    return NULL;
}

#endif
