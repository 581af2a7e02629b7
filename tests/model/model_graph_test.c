/* SPDX-License-Identifier: MIT */
/* What the graphs of networks are told: dropout, normalization, pooling, how weights begin. Nothing is computed. */
#include "model_fixture.h"

#include <math.h>

/* Probability and seed are those asked for, else the network's 1/2 and 0; each layer drops elements of its
 * own. */
static void dropout(void **state)
{
    (void)state;
    for (int chosen = 0; chosen < 2; ++chosen) {
        const struct graft_model_options options = {
            .training = true, .dropout = chosen ? 0.25f : 0, .seed = chosen ? 77 : 0};
        struct graft_model *model = open_model("vgg11", options);
        uint32_t streams[2];
        for (int i = 0; i < 2; ++i) {
            const struct graft_node *const node = find_node(model, GRAFT_OP_DROPOUT, i);
            assert_non_null(node);
            assert_true(node->call.attributes.dropout.probability == (chosen ? 0.25f : 0.5f));
            assert_int_equal(node->call.attributes.dropout.seed, options.seed);
            streams[i] = node->call.attributes.dropout.stream;
        }
        assert_null(find_node(model, GRAFT_OP_DROPOUT, 2));
        assert_int_not_equal(streams[0], streams[1]);
        graft_model_close(&model);
    }
}

/* Mean and deviation of each channel, those of the options before the network's own. */
static void channels_are_normalized_each(void **state)
{
    (void)state;
    static const float own[2][3] = {{0.1f, 0.2f, 0.3f}, {4, 5, 6}};
    static const float imagenet[2][3] = {{0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}};
    for (int i = 0; i < 2; ++i) {
        struct graft_model *model = open_model(
            "resnet18", (struct graft_model_options){
                            .input_u8 = true, .mean = i ? own[0] : NULL, .std = i ? own[1] : NULL});
        const struct graft_node *const node = find_node(model, GRAFT_OP_NORMALIZE, 0);
        for (int k = 0; k < 2; ++k)
            assert_memory_equal(model->graph->values[node->inputs[1 + k]].data, i ? own[k] : imagenet[k],
                                sizeof own[k]);
        graft_model_close(&model);
    }
}

/* What follows the last map: nothing, its mean, its largest numbers. */
static void pooled_parts(void **state)
{
    (void)state;
    for (int pool = GRAFT_MODEL_POOL_AVG; pool <= GRAFT_MODEL_POOL_MAX; ++pool) {
        struct graft_model *model =
            open_model("vgg11", (struct graft_model_options){.part = GRAFT_MODEL_BASE,
                                                             .pool = (enum graft_model_pool)pool});
        int maxima = 0;
        while (find_node(model, GRAFT_OP_MAX_POOL, maxima))
            ++maxima;
        assert_int_equal(maxima, pool == GRAFT_MODEL_POOL_MAX ? 6 : 5);
        graft_model_close(&model);
    }
}

/*
 * The scale of initial weights [o, c, h, w] from their shape alone, as PyTorch's and Keras's initializers
 * count: c × h × w numbers reach an output, o × h × w an input, whatever the groups.
 */
static void initial_scales(void **state)
{
    (void)state;
    static const char *const names[] = {"resnext50_32x4d", "squeezenet1_1", "mobilenet_v2", "mnist_convnet",
                                        "vgg11"};
    for (int i = 0; i < 5; ++i) {
        struct graft_model *model = open_model(names[i], (struct graft_model_options){.training = true});
        for (int p = 0; p < model->parameter_count; ++p) {
            const struct graft_model_parameter *const weight = &model->parameters[p];
            const struct graft_shape *const s = &weight->source_shape;
            if (weight->layout == GRAFT_LAYOUT_VECTOR)
                continue;
            const bool dense = s->rank == 2;
            const double pixels = dense ? 1 : (double)(s->dim[2] * s->dim[3]);
            const double in = (double)s->dim[1] * pixels, out = (double)s->dim[0] * pixels;
            const bool last = weight->stage == model->stage_count - 1;
            double scale = sqrt(2 / out);
            if (i == 1)
                scale = last ? 0.01 : sqrt(6 / in);
            else if (i == 3)
                scale = sqrt(6 / (in + out));
            else if (dense)
                scale = i == 0 ? 1 / sqrt(in) : 0.01;
            const bool uniform = i == 3 || (i == 1 && !last) || (i == 0 && dense);
            assert_int_equal(weight->start, uniform ? GRAFT_START_UNIFORM : GRAFT_START_NORMAL);
            if (fabs((double)weight->scale / scale - 1) > 1e-6)
                fail_msg("%s %s begins with %g, not %g", names[i], weight->name, (double)weight->scale,
                         scale);
        }
        graft_model_close(&model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dropout),
        cmocka_unit_test(channels_are_normalized_each),
        cmocka_unit_test(pooled_parts),
        cmocka_unit_test(initial_scales),
    };
    return cmocka_run_group_tests_name("model graph", tests, set_up, tear_down);
}
