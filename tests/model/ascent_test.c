/* SPDX-License-Identifier: MIT */
/*
 * Gradient ascent: what carries slopes back through octaves, glances and the total variation is held against
 * differences; pictures of a class are known as that class, the same for a seed, alike on all devices.
 */
#include "explain/octaves.h"
#include "explain/pick.h"
#include "explain/sample.h"
#include "explain/slope.h"
#include "sure_fixture.h"

#include <math.h>

static int open_fixture(void **state)
{
    struct sure *const f = calloc(1, sizeof *f);
    open_sure(f);
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    close_sure(*state);
    free(*state);
    return 0;
}

/* Numbers that look like chance, in -1..1. */
static double number(int i)
{
    return sin(12.9898 * i + 4.1) * cos(78.233 * i);
}

static double weighed(const float *values, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += number((int)i) * (double)values[i];
    }
    return sum;
}

/* d(Σ w · pixels) / d(octave's values): after a step at rate 0 each octave holds it in `sum`. */
static void octaves_carry_slopes_back(void **state)
{
    struct sure *const f = *state;
    for (int32_t channels = 1; channels <= 3; channels += 2) {
        struct graft_octaves *octaves = NULL;
        const int64_t count = (int64_t)13 * 18 * channels;
        float slope[13 * 18 * 3];
        assert_int_equal(graft_octaves_open(f->context, 13, 18, channels, 8, &octaves), GRAFT_OK);
        assert_int_equal(octaves->count, 2); /* the next one would have less than 4 rows */
        graft_octaves_noise(octaves, 3, 0, 0.7);
        graft_octaves_render(octaves);
        for (int64_t i = 0; i < count; i++) {
            slope[i] = (float)number((int)i);
        }
        graft_octaves_step(octaves, slope, 0, 0, 0.9);
        float found[2][13 * 18 * 3];
        for (int o = 0; o < octaves->count; o++) {
            const int numbers = octaves->octave[o].height * octaves->octave[o].width * channels;
            memcpy(found[o], octaves->octave[o].sum, (size_t)numbers * sizeof(float));
        }
        for (int o = 0; o < octaves->count; o++) {
            struct graft_octave *const octave = &octaves->octave[o];
            const int numbers = octave->height * octave->width * channels;
            for (int i = 0; i < numbers; i += 7) {
                const float old = octave->values[i];
                octave->values[i] = old + 0.01f;
                graft_octaves_render(octaves);
                const double above = weighed(octaves->pixels, count);
                octave->values[i] = old - 0.01f;
                graft_octaves_render(octaves);
                const double quotient = (above - weighed(octaves->pixels, count)) / 0.02;
                octave->values[i] = old;
                assert_true(fabs(quotient - (double)found[o][i]) < 2e-3);
            }
        }
        graft_octaves_close(&octaves);
    }
}

/* A picture in, the same picture out, to the half of a level. */
static void octaves_begin_with_a_picture(void **state)
{
    struct sure *const f = *state;
    struct graft_octaves *octaves = NULL;
    uint8_t pixels[9 * 8 * 3];
    for (size_t i = 0; i < sizeof pixels; i++) {
        pixels[i] = (uint8_t)(i * 41 % 256);
    }
    assert_int_equal(graft_octaves_open(f->context, 9, 8, 3, 3, &octaves), GRAFT_OK);
    graft_octaves_picture(octaves, pixels);
    graft_octaves_render(octaves);
    for (size_t i = 0; i < sizeof pixels; i++) {
        assert_int_equal(lroundf(octaves->pixels[i] * 255), pixels[i]);
    }
    graft_octaves_close(&octaves);
}

static double variation(const float *pixels, int32_t height, int32_t width, int32_t channels)
{
    double sum = 0;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            for (int c = 0; c < channels; c++) {
                const float *const at = pixels + (y * width + x) * channels + c;
                const double down = y + 1 < height ? (double)at[width * channels] - (double)at[0] : 0;
                const double across = x + 1 < width ? (double)at[channels] - (double)at[0] : 0;
                sum += sqrt(down * down + across * across + 0.0004);
            }
        }
    }
    return sum;
}

static void variation_has_its_slope(void **state)
{
    float pixels[6 * 5 * 3], slope[6 * 5 * 3];
    (void)state;
    for (int i = 0; i < 90; i++) {
        pixels[i] = (float)(0.5 + 0.4 * number(i));
        slope[i] = 1;
    }
    graft_add_variation_slope(pixels, 6, 5, 3, -2, slope);
    for (int i = 0; i < 90; i++) {
        const float old = pixels[i];
        pixels[i] = old + 0.001f;
        const double above = variation(pixels, 6, 5, 3);
        pixels[i] = old - 0.001f;
        const double quotient = (above - variation(pixels, 6, 5, 3)) / 0.002;
        pixels[i] = old;
        assert_true(fabs(1 - 2 * quotient - (double)slope[i]) < 1e-2);
    }
}

/* ⟨see(a), b⟩ = ⟨a, back(b)⟩; straight on it is the centre crop, also between sizes of different parity. */
static void glances_carry_slopes_back(void **state)
{
    static float picture[20 * 17 * 3], view[15 * 12 * 3], slope[20 * 17 * 3];
    (void)state;
    for (int i = 0; i < 20 * 17 * 3; i++) {
        picture[i] = (float)number(i + 7);
    }
    const struct graft_glance straight = graft_glance_straight(20, 17, 15, 12);
    graft_glance_see(&straight, picture, 20, 17, 3, 15, 12, view);
    for (int y = 0; y < 15; y++) {
        for (int x = 0; x < 12 * 3; x++) { /* ⌊(20 - 15) / 2⌉ = 2, ⌊(17 - 12) / 2⌉ = 2: half to even */
            assert_true(fabsf(view[y * 36 + x] - picture[(y + 2) * 51 + x + 6]) < 1e-6f);
        }
    }
    for (uint64_t stream = 0; stream < 5; stream++) {
        const struct graft_glance glance = graft_glance_draw(&straight, 9, stream, 4, 17);
        double seen = 0, carried = 0;
        graft_glance_see(&glance, picture, 20, 17, 3, 15, 12, view);
        seen = weighed(view, 15 * 12 * 3);
        for (int i = 0; i < 15 * 12 * 3; i++) {
            view[i] = (float)number(i);
        }
        graft_glance_back(&glance, view, 15, 12, 3, 20, 17, slope);
        for (int i = 0; i < 20 * 17 * 3; i++) {
            carried += (double)slope[i] * (double)picture[i];
        }
        assert_true(fabs(glance.shift[0] - straight.shift[0]) <= 4 && glance.shift[0] != straight.shift[0]);
        assert_true(fabs(seen - carried) < 1e-3);
    }
}

/* Kernels 3, 3, pool 2, 3, 3, pool 2, 3, 3: 40 pixels (the sizes that VGG's authors give for their blocks). */
static void a_place_sees_so_many_pixels(void **state)
{
    struct sure *const f = *state;
    struct graft_model *model = NULL;
    assert_int_equal(graft_model_open(f->context, "vgg16", NULL, &model), GRAFT_OK);
    static const struct {
        const char *layer;
        int64_t reach;
    } known[] = {{"features.0", 3}, {"features.4", 6}, {"features.10", 24}, {"features.14", 40}, {"features.28", 196}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const int value = graft_graph_find(model->graph, known[i].layer);
        assert_int_equal(graft_slope_reach(model->graph, value), known[i].reach);
    }
    graft_model_close(&model);
}

/* ---- whole ascents */

static struct graft_ascent *open(struct sure *f, struct graft_device *device, struct graft_ascent_options options)
{
    struct graft_ascent *ascent = NULL;
    options.classifier.network = "tiny_convnet";
    options.classifier.weights = f->weights;
    if (graft_ascent_open(device, &options, &ascent) != GRAFT_OK) {
        fail_msg("%s", graft_context_error(f->context));
    }
    return ascent;
}

enum { PAINTED = 3 }; /* classes that weights by chance can be made sure of */

/* Their pictures, all at a time; `pixels` of the first one. `variants`: other kernels. */
static void dream(struct sure *f, struct graft_device *device, uint64_t seed, const char *variants,
                  struct graft_ideal ideals[PAINTED], uint8_t *pixels)
{
    static const int32_t goals[PAINTED] = {3, 1, 4};
    struct graft_ascent *ascent = open(f, device,
                                       (struct graft_ascent_options){.steps = 60,
                                                                     .rate = 0.2f,
                                                                     .seed = seed,
                                                                     .classifier.batch = PAINTED,
                                                                     .classifier.plan.variants = variants});
    struct graft_image picture;
    assert_int_equal(graft_ascent_goals(ascent), SURE_CLASSES);
    assert_int_equal(graft_ascent_run(ascent, goals, PAINTED, NULL, NULL, NULL, ideals), GRAFT_OK);
    for (int r = 0; r < PAINTED; r++) {
        float logits[SURE_CLASSES], probabilities[SURE_CLASSES];
        struct graft_classifier *const classifier = graft_ascent_classifier(ascent);
        graft_ascent_picture(ascent, r, &picture);
        assert_int_equal(graft_classifier_image(classifier, &picture, logits), GRAFT_OK);
        graft_softmax_row(logits, SURE_CLASSES, probabilities);
        assert_int_equal(ideals[r].goal, goals[r]);
        assert_true(fabsf(ideals[r].probability - probabilities[goals[r]]) < 1e-6f);
        assert_true(fabsf(ideals[r].score - logits[goals[r]]) < 1e-3f * fabsf(logits[goals[r]]) + 1e-4f);
    }
    graft_ascent_picture(ascent, 0, &picture);
    memcpy(pixels, picture.pixels, (size_t)(picture.width * picture.height * 3));
    graft_ascent_close(&ascent);
}

/* The same class, and its probability, which `graft dream` prints, within 1 %. */
static void assert_alike(const char *where, const struct graft_ideal *ideals, const struct graft_ideal *wanted)
{
    for (int r = 0; r < PAINTED; r++) {
        print_message("%s, class %d: %.5f, logit %.2f; %.5f, logit %.2f\n", where, ideals[r].goal,
                      (double)ideals[r].probability, (double)ideals[r].score, (double)wanted[r].probability,
                      (double)wanted[r].score);
        assert_int_equal(ideals[r].predicted, ideals[r].goal);
        assert_true(fabsf(ideals[r].probability - wanted[r].probability) <= 0.01f * wanted[r].probability);
    }
}

static void pictures_of_classes_are_known(void **state)
{
    struct sure *const f = *state;
    struct graft_ideal first[PAINTED], other[PAINTED];
    static uint8_t pixels[3][128 * 128 * 3];
    dream(f, f->cpu, 1, NULL, first, pixels[0]);
    for (int r = 0; r < PAINTED; r++) {
        assert_int_equal(first[r].predicted, first[r].goal);
        assert_true(first[r].probability >= 0.9f);
    }
    dream(f, f->cpu, 1, NULL, other, pixels[1]);
    assert_memory_equal(pixels[0], pixels[1], sizeof pixels[0]);
    dream(f, f->cpu, 2, NULL, other, pixels[2]);
    assert_alike("another seed", other, first);
    assert_memory_not_equal(pixels[0], pixels[2], 64 * 64 * 3);
    dream(f, f->cpu, 1, "conv2d=gemm,conv2d_grad_input=gemm", other, pixels[1]);
    assert_alike("other kernels", other, first);
    struct graft_device *device = NULL;
    if (graft_device_open(f->context, "opencl:0", &device) != GRAFT_OK) {
        print_message("opencl:0: skipped, it is not there\n");
        return;
    }
    dream(f, device, 1, NULL, other, pixels[1]);
    assert_alike("opencl:0", other, first);
    graft_device_close(&device);
}

/* The numbers of the file, in its order of rows, columns and channels there: [o, i, kh, kw]. */
static void kernels_are_the_weights(void **state)
{
    struct sure *const f = *state;
    struct graft_tensor_set *set = NULL;
    struct graft_kernels kernels;
    struct graft_image picture;
    struct graft_ascent *ascent = open(f, f->cpu, (struct graft_ascent_options){.steps = 1});
    assert_int_equal(graft_kernels_read(graft_ascent_classifier(ascent), &kernels), GRAFT_OK);
    assert_string_equal(kernels.layer, "block1.conv");
    assert_true(kernels.count == 16 && kernels.height == 3 && kernels.width == 3 && kernels.channels == 3);
    assert_int_equal(graft_tensor_set_load(f->context, f->weights, &set), GRAFT_OK);
    const float *const stored = graft_tensor_set_find(set, "block1.conv.weight")->data;
    for (int o = 0; o < 16; o++) {
        float largest = 0;
        for (int i = 0; i < 27; i++) {
            largest = fmaxf(largest, fabsf(stored[o * 27 + i]));
        }
        assert_int_equal(graft_kernels_picture(f->context, &kernels, o, &picture), GRAFT_OK);
        for (int i = 0; i < 27; i++) {
            const float weight = stored[o * 27 + i % 3 * 9 + i / 3];
            assert_true(kernels.values[o * 27 + i] == weight);
            assert_int_equal(picture.pixels[i], lroundf(127.5f + 127.5f * (weight / largest)));
        }
        graft_image_close(f->context, &picture);
    }
    graft_tensor_set_close(&set);
    graft_kernels_close(f->context, &kernels);
    graft_ascent_close(&ascent);
}

static enum graft_status count_steps(void *user, struct graft_ascent *ascent, int32_t step)
{
    int *const seen = user;
    struct graft_image picture;
    graft_ascent_picture(ascent, 0, &picture);
    assert_int_equal(step, *seen);
    ++*seen;
    return step == 3 ? GRAFT_ERROR_CANCELLED : GRAFT_OK;
}

static void excite(struct sure *f, struct graft_device *device, int32_t steps, float rate,
                   struct graft_ideal ideals[3])
{
    static const int32_t goals[3] = {0, 5, 31};
    struct graft_ascent *ascent = open(f, device,
                                       (struct graft_ascent_options){.layer = "block2",
                                                                     .steps = steps,
                                                                     .rate = rate,
                                                                     .side = 48,
                                                                     .seed = 4,
                                                                     .classifier.batch = 3});
    assert_int_equal(graft_ascent_goals(ascent), 32);
    assert_int_equal(graft_ascent_run(ascent, goals, 3, NULL, NULL, NULL, ideals), GRAFT_OK);
    graft_ascent_close(&ascent);
}

/*
 * Means of some channels, also of one twice, are those of the whole map: where only these filters are computed (a
 * convolution with batch normalization, relu and pooling behind it) and where all are (a sum of two maps).
 */
static void channels_are_picked(void **state)
{
    enum { SIDE = 12, COUNT = 4, CHANNELS = 10 };
    static const int32_t picked[COUNT] = {7, 0, 7, 9};
    struct sure *const f = *state;
    for (int sums = 0; sums < 2; sums++) {
        static float data[COUNT * SIDE * SIDE * 3 + CHANNELS * 27];
        const struct graft_shape input = graft_shape_of(4, COUNT, SIDE, SIDE, 3), vector = graft_shape_of(1, CHANNELS),
                                 filters = graft_shape_of(4, CHANNELS, 3, 3, 3);
        const struct graft_conv2d_attributes convolution = {
            .stride = {1, 1}, .dilation = {1, 1}, .pad = {1, 1, 1, 1}, .groups = 1};
        const struct graft_pool_attributes pool = {.kernel = {2, 2}, .stride = {2, 2}};
        struct graft_graph *graph = NULL;
        struct graft_variables *variables = NULL;
        struct graft_plan *plan = NULL;
        float all[COUNT * CHANNELS], some[COUNT * COUNT];
        assert_int_equal(graft_graph_open(f->context, GRAFT_DTYPE_F32, &graph), GRAFT_OK);
        const int x = graft_graph_input(graph, "x", GRAFT_DTYPE_F32, &input);
        int map = graft_conv2d(graph, x, graft_graph_parameter(graph, "w", &filters),
                               graft_graph_parameter(graph, "bias", &vector), &convolution);
        map = graft_batch_norm(graph, map, graft_graph_parameter(graph, "gamma", &vector),
                               graft_graph_parameter(graph, "beta", &vector),
                               graft_graph_parameter(graph, "mean", &vector),
                               graft_graph_state(graph, "variance", &vector, 0.5), 1e-5f);
        if (sums)
            map = graft_add(graph, map, graft_unary(graph, GRAFT_UNARY_TANH, map));
        map = graft_max_pool(graph, graft_unary(graph, GRAFT_UNARY_RELU, map), &pool);
        const int means = graft_mean_of_places(graph, map), few = graft_pick_means(graph, map, picked, COUNT);
        graft_graph_output(graph, means);
        graft_graph_output(graph, few);
        assert_int_equal(graft_graph_status(graph), GRAFT_OK);
        assert_int_equal(graft_variables_open(f->cpu, &variables), GRAFT_OK);
        assert_int_equal(graft_plan_open(graph, f->cpu, variables, NULL, &plan), GRAFT_OK);
        for (int i = 0; i < (int)(sizeof data / sizeof *data); i++) {
            data[i] = (float)number(i);
        }
        static const char *const names[] = {"w", "bias", "gamma", "beta", "mean"};
        for (int i = 0; i < 5; i++) {
            const uint64_t bytes = (i == 0 ? CHANNELS * 27 : CHANNELS) * sizeof(float);
            assert_int_equal(graft_variables_write(variables, names[i], data + i, bytes), GRAFT_OK);
        }
        assert_int_equal(graft_plan_write(plan, x, data + 9, COUNT * SIDE * SIDE * 3 * sizeof *data), GRAFT_OK);
        assert_int_equal(graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
        assert_int_equal(graft_plan_read(plan, means, all, sizeof all), GRAFT_OK);
        assert_int_equal(graft_plan_read(plan, few, some, sizeof some), GRAFT_OK);
        for (int r = 0; r < COUNT; r++) {
            for (int k = 0; k < COUNT; k++) {
                assert_true(fabsf(some[r * COUNT + k] - all[r * CHANNELS + picked[k]]) < 1e-5f);
            }
            assert_true(some[r * COUNT + 3] != some[r * COUNT]);
        }
        bool narrow = false;
        for (int i = 0; i < graft_plan_node_count(plan); i++) {
            struct graft_plan_node node;
            graft_plan_node_at(plan, i, &node);
            narrow = narrow || (strcmp(node.op, "conv2d") == 0 && strstr(node.call, "w[4, 3, 3, 3]"));
        }
        assert_int_equal(narrow, !sums);
        graft_plan_close(&plan);
        graft_variables_close(&variables);
        graft_graph_close(&graph);
    }
}

/* A mean that was there before grows, and as much on every device. */
static void channels_are_excited(void **state)
{
    struct sure *const f = *state;
    struct graft_ideal before[3], after[3], there[3];
    excite(f, f->cpu, 1, 2e-6f, before);
    excite(f, f->cpu, 20, 0, after);
    for (int r = 0; r < 3; r++) {
        assert_int_equal(after[r].predicted, -1);
        assert_true(after[r].score > 1.5f * before[r].score);
    }
    static const char *const names[] = {"reference", "opencl:0"};
    for (int d = 0; d < 2; d++) {
        struct graft_device *device = NULL;
        if (graft_device_open(f->context, names[d], &device) != GRAFT_OK) {
            print_message("%s: skipped, it is not there\n", names[d]);
            continue;
        }
        excite(f, device, 20, 0, there);
        for (int r = 0; r < 3; r++) {
            if (fabsf(there[r].score - after[r].score) > 0.01f * after[r].score) {
                fail_msg("%s: %g, not %g", names[d], (double)there[r].score, (double)after[r].score);
            }
        }
        graft_device_close(&device);
    }
}

static void a_picture_is_where_it_begins(void **state)
{
    struct sure *const f = *state;
    static uint8_t pixels[90 * 120 * 3];
    struct graft_ascent *ascent =
        open(f, f->cpu, (struct graft_ascent_options){.steps = 1, .rate = 2e-6f, .classifier.batch = 1});
    struct graft_image start = {120, 90, 3, pixels}, picture;
    struct graft_ideal ideal;
    int seen = 0;
    for (size_t i = 0; i < sizeof pixels; i++) {
        pixels[i] = (uint8_t)(60 + 40 * (i % 3) + (i / 360));
    }
    assert_int_equal(graft_ascent_run(ascent, &(int32_t){2}, 1, &start, NULL, NULL, &ideal), GRAFT_OK);
    graft_ascent_picture(ascent, 0, &picture);
    for (int y = 0; y < picture.height; y++) { /* the middle of it, rows from 60 to 150 in between */
        const double row = 60 + (y + 0.5) * 90 / picture.height - 0.5;
        const uint8_t *const at = picture.pixels + ((int64_t)y * picture.width + picture.width / 2) * 3;
        for (int c = 0; c < 3; c++) {
            assert_true(fabs(at[c] - (row + 40 * c)) <= 2);
        }
    }
    graft_ascent_close(&ascent);
    ascent = open(f, f->cpu, (struct graft_ascent_options){.steps = 10});
    assert_int_equal(graft_ascent_run(ascent, &(int32_t){2}, 1, NULL, count_steps, &seen, &ideal),
                     GRAFT_ERROR_CANCELLED);
    assert_int_equal(seen, 4);
    assert_int_equal(graft_ascent_run(ascent, &(int32_t){SURE_CLASSES}, 1, NULL, NULL, NULL, &ideal), GRAFT_ERROR_ARGUMENT);
    assert_int_equal(graft_ascent_run(ascent, &(int32_t){0}, 2, NULL, NULL, NULL, &ideal), GRAFT_ERROR_ARGUMENT);
    graft_ascent_close(&ascent);
}

static void what_makes_no_sense_is_refused(void **state)
{
    static const struct {
        struct graft_ascent_options options;
        const char *says;
    } bad[] = {
        {{.layer = "block33"}, "block3"},
        {{.layer = "fc"}, "no map"},
        {{.layer = "block4", .side = 20}, "sees"},
        {{.layer = "block1", .side = 4000}, "16 to 2048"},
        {{.steps = -1}, "1 to 100000"},
        {{.octaves = 9}, "octaves"},
        {{.rate = -0.5f}, "rate"},
        {{.rate = NAN}, "rate"},
        {{.variation = 1000}, "variation"},
        {{.jitter = 40}, "jitter"},
        {{.blur = 1.5f}, "blur"},
    };
    struct sure *const f = *state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct graft_ascent_options options = bad[i].options;
        struct graft_ascent *ascent = (struct graft_ascent *)&options;
        options.classifier.network = "tiny_convnet";
        options.classifier.weights = f->weights;
        assert_int_equal(graft_ascent_open(f->cpu, &options, &ascent), GRAFT_ERROR_ARGUMENT);
        assert_null(ascent);
        if (!strstr(graft_context_error(f->context), bad[i].says)) {
            fail_msg("\"%s\" does not say \"%s\"", graft_context_error(f->context), bad[i].says);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(octaves_carry_slopes_back),     cmocka_unit_test(octaves_begin_with_a_picture),
        cmocka_unit_test(variation_has_its_slope),       cmocka_unit_test(glances_carry_slopes_back),
        cmocka_unit_test(a_place_sees_so_many_pixels),   cmocka_unit_test(pictures_of_classes_are_known),
        cmocka_unit_test(channels_are_picked),           cmocka_unit_test(channels_are_excited),
        cmocka_unit_test(kernels_are_the_weights),
        cmocka_unit_test(a_picture_is_where_it_begins),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
