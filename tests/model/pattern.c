/* SPDX-License-Identifier: MIT */
/* Gradients on the sides of kinks that a device chose: see network.h. */
#include "graph/graph.h"
#include "model/network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The gradient of unary functions reads y (or x), that of max_pool x. Both graphs are built alike, so ids
 * agree. */
struct test_site *test_sites_find(const struct graft_graph *graph, int *count)
{
    struct test_site *const sites = calloc((size_t)graph->n_nodes, sizeof *sites);
    *count = 0;
    for (int n = 0; n < graph->n_nodes; ++n) {
        const struct graft_node *const node = &graph->nodes[n];
        if (node->call.op == GRAFT_OP_UNARY_GRAD) {
            const int input = node->inputs[1] >= 0 ? 1 : 0;
            sites[(*count)++] =
                (struct test_site){n, input, node->inputs[input], -1, node->call.attributes.unary.kind};
        } else if (node->call.op == GRAFT_OP_MAX_POOL_GRAD) {
            sites[(*count)++] = (struct test_site){n, 0, node->inputs[0], -1, GRAFT_UNARY_NONE};
        }
    }
    return sites;
}

/* The f64 graph's gradient nodes read inputs, to be written with the device's activations. */
void test_sites_replace(struct graft_graph *graph, struct test_site *sites, int count)
{
    for (int i = 0; i < count; ++i) {
        char name[32];
        const struct graft_shape shape = graft_graph_desc(graph, sites[i].value)->shape;
        (void)snprintf(name, sizeof name, "pattern.%d", i);
        sites[i].pattern = graft_graph_input(graph, name, graft_graph_real(graph), &shape);
        graph->nodes[sites[i].node].inputs[sites[i].input] = sites[i].pattern;
        graft_graph_output(graph, sites[i].value);
    }
}

/* Between which kinks a site's activation lies: of y where the gradient reads that, else of x. */
static int side(double value, const struct test_site *site)
{
    const bool reads_y = site->input == 1;
    switch (site->kind) {
    case GRAFT_UNARY_RELU:
        return value > 0.0;
    case GRAFT_UNARY_RELU6:
        return (value > 0.0) + (value >= 6.0);
    case GRAFT_UNARY_HARD_SIGMOID:
        return reads_y ? (value > 0.0) + (value >= 1.0) : (value > -3.0) + (value >= 3.0);
    case GRAFT_UNARY_HARD_SWISH:
        return (value > -3.0) + (value >= 3.0);
    default: /* smooth */
        return 0;
    }
}

static void compare_activations(const struct test_site *site, const double *device, const double *truth,
                                int64_t count, struct test_pattern *pattern)
{
    double squares = 0.0, farthest = 0.0;
    for (int64_t i = 0; i < count; ++i) {
        squares += truth[i] * truth[i];
        if (side(device[i], site) != side(truth[i], site)) {
            ++pattern->flipped;
            farthest = fmax(farthest, fabs(device[i] - truth[i]));
        }
    }
    pattern->activations += count;
    pattern->farthest = fmax(pattern->farthest, farthest / sqrt(squares / (double)count));
}

static bool compare_gradients(struct test_network *device, struct test_network *truth,
                              struct test_pattern *pattern)
{
    for (int i = 0; i < device->count; ++i) {
        int64_t count = 0;
        double *const a = test_network_read(device, device->gradients[i], &count);
        double *const b = test_network_read(truth, truth->gradients[i], &count);
        double difference = 0.0, squares = 0.0;
        for (int64_t k = 0; a && b && k < count; ++k) {
            difference += (a[k] - b[k]) * (a[k] - b[k]);
            squares += b[k] * b[k];
        }
        const double relative = a && b ? sqrt(difference / squares) : NAN;
        if (!(relative <= pattern->worst)) {
            pattern->worst = relative;
            (void)snprintf(pattern->worst_name, sizeof pattern->worst_name, "%s",
                           device->model->parameters[device->targets[i]].name);
        }
        free(a);
        free(b);
        if (!(relative <= pattern->worst))
            return false; /* not a number */
    }
    return true;
}

bool test_network_compare_pattern(struct test_network *network, struct graft_device *reference,
                                  struct test_pattern *pattern)
{
    struct test_network truth = {0};
    struct test_site *sites = NULL;
    int count = 0;
    *pattern = (struct test_pattern){0};
    const struct graft_model *const model = network->model;
    bool done = test_network_open(&truth, network->context, reference, model->info->name, model->height,
                                  GRAFT_DTYPE_F64);
    if (done) {
        sites = test_sites_find(truth.model->graph, &count);
        for (int i = 0; i < count; ++i)
            graft_graph_output(model->graph, sites[i].value);
        test_sites_replace(truth.model->graph, sites, count);
        done = test_network_plan(network) && test_network_run(network) && test_network_plan(&truth);
    }
    double **const activations = calloc((size_t)count + 1, sizeof *activations);
    int64_t elements = 0;
    for (int i = 0; done && i < count; ++i) {
        activations[i] = test_network_read(network, sites[i].value, &elements);
        done = activations[i] && test_network_write(&truth, sites[i].pattern, activations[i]);
    }
    done = done && test_network_run(&truth);
    for (int i = 0; i < count; ++i) {
        double *const own =
            done && sites[i].kind ? test_network_read(&truth, sites[i].value, &elements) : NULL;
        if (own)
            compare_activations(&sites[i], activations[i], own, elements, pattern);
        free(own);
        free(activations[i]);
    }
    done = done && compare_gradients(network, &truth, pattern);
    free(activations);
    free(sites);
    test_network_close(&truth);
    return done;
}
