/* SPDX-License-Identifier: MIT */
/* A network with formula weights, its loss for the labels 3 and 7, and the gradient of every parameter. */
#ifndef GRAFT_TESTS_NETWORK_H
#define GRAFT_TESTS_NETWORK_H

#include "graft/model.h"

struct test_network {
    struct graft_context *context;
    struct graft_device *device;
    struct graft_model *model;
    struct graft_variables *variables;
    struct graft_plan *plan;
    int labels, loss;
    int count;       /* of parameters that have a gradient */
    int *targets;    /* [count] index in model->parameters */
    int *gradients;  /* [count] value */
    int64_t batch;   /* 0: 2; at most 64 */
    int64_t width;   /* of pictures that are no squares; 0: as high */
    int64_t classes; /* 0: as published */
    bool training;   /* batch normalization by the batch's own statistics; nothing random */
    const struct graft_tensor_set *weights; /* NULL: formula weights by the network's own names */
};

/* All of these say on stdout what failed and return false. Before `open`: *network is zero, but for batch,
 * width, classes and training; weights until they are planned. */
bool test_network_open(struct test_network *network, struct graft_context *context,
                       struct graft_device *device, const char *name, int64_t size, enum graft_dtype real);
/* Loads formula weights through a tensor set, writes input and labels. After outputs were marked. */
bool test_network_plan(struct test_network *network);
bool test_network_run(struct test_network *network);
/* A value as doubles, to be freed; NULL after a failure. */
double *test_network_read(struct test_network *network, int value, int64_t *count);
/* Writes doubles to a real input. */
bool test_network_write(struct test_network *network, int value, const double *data);
void test_network_close(struct test_network *network);

/*
 * Functions with kinks (relu, relu6, hard sigmoid and swish, maximum) pass the gradient on one side or the
 * other, and where an activation lies so near the kink that rounding decides, no f32 computation can be
 * expected to choose as f64 does. So a deviating gradient is compared once more, with f64 gradients on the
 * sides that the device chose: forward in f64, but the gradients of relu, relu6 and max_pool see the device's
 * activations. That leaves rounding alone to explain differences, and allows to compare whole gradients, not
 * only their norms.
 */
struct test_pattern {
    int64_t activations; /* of unary functions */
    int64_t flipped;     /* on the other side than in f64 */
    double farthest; /* of those: largest difference between f32 and f64, by the layer's root mean square */
    double worst;    /* largest |difference| / |gradient| of a whole gradient (L2) */
    char worst_name[GRAFT_MODEL_NAME_SIZE];
};
/* Where a gradient node reads an activation. */
struct test_site {
    int node, input;
    int value;   /* the activation */
    int pattern; /* in the graph whose gradients are on its sides: the input that takes its place */
    enum graft_unary kind;
};
/* To be freed. */
struct test_site *test_sites_find(const struct graft_graph *graph, int *count);
/* The graph's gradient nodes read inputs, to be written with the device's activations. */
void test_sites_replace(struct graft_graph *graph, struct test_site *sites, int count);

/* `network` as opened (not planned yet) on its device; `reference` opens f64. */
bool test_network_compare_pattern(struct test_network *network, struct graft_device *reference,
                                  struct test_pattern *pattern);

#endif
