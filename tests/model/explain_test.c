/* SPDX-License-Identifier: MIT */
/*
 * Explanations against their definitions, in f64. Behind the map of tiny_convnet come the mean over its
 * places and one dense layer w, so the gradient of logit k at every place is w[k, c] / places: Grad-CAM,
 * Grad-CAM++ and LayerCAM can be written down (the first is Zhou's class activation map, arXiv 1512.04150).
 * Gradients at the picture are differences of logits.
 */
#include "explain/explain.h"
#include "graft/graft.h"
#include "support/support.h"

#include <math.h>

#define SIDE 64
#define CLASSES 5
#define CLASS 3
#define CHANNELS 128
#define PLACES 16

struct fixture {
    char folder[128], weights[192];
    struct graft_context *context;
    double head[CLASSES][CHANNELS];
    uint8_t pixels[SIDE * SIDE * 3];
};

static void write_weights(struct fixture *f, struct graft_device *device)
{
    struct graft_model *model = NULL;
    struct graft_variables *variables = NULL;
    struct graft_tensor_set *set = NULL;
    const struct graft_model_options options = {.classes = CLASSES};
    assert_int_equal(graft_model_open(f->context, "tiny_convnet", &options, &model), GRAFT_OK);
    assert_int_equal(graft_variables_open(device, &variables), GRAFT_OK);
    assert_int_equal(graft_model_initialize(model, variables, 11, 0), GRAFT_OK);
    assert_int_equal(graft_tensor_set_open(f->context, &set), GRAFT_OK);
    assert_int_equal(graft_model_store_weights(model, variables, set), GRAFT_OK);
    assert_int_equal(graft_safetensors_save(f->context, f->weights, set), GRAFT_OK);
    const struct graft_named_tensor *const head = graft_tensor_set_find(set, "fc.weight");
    assert_int_equal(graft_shape_count(&head->desc.shape), CLASSES * CHANNELS);
    for (int i = 0; i < CLASSES * CHANNELS; i++) {
        f->head[i / CHANNELS][i % CHANNELS] = (double)((const float *)head->data)[i];
    }
    graft_tensor_set_close(&set);
    graft_variables_close(&variables);
    graft_model_close(&model);
}

static int open_fixture(void **state)
{
    struct fixture *const f = calloc(1, sizeof *f);
    struct graft_device *device = NULL;
    test_folder(f->folder, sizeof f->folder);
    snprintf(f->weights, sizeof f->weights, "%s/weights.safetensors", f->folder);
    assert_int_equal(graft_context_open(NULL, &f->context), GRAFT_OK);
    assert_int_equal(graft_device_open(f->context, "cpu", &device), GRAFT_OK);
    write_weights(f, device);
    graft_device_close(&device);
    for (int i = 0; i < SIDE * SIDE * 3; i++) {
        const int x = i / 3 % SIDE, y = i / 3 / SIDE;
        f->pixels[i] = (uint8_t)(40 + 2 * ((x * (3 + i % 3) + y * y / 7 + (x > 30) * 25) % 80));
    }
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *const f = *state;
    graft_context_close(&f->context);
    test_folder_remove(f->folder);
    free(f);
    return 0;
}

static struct graft_explainer *open(struct fixture *f, struct graft_device *device,
                                    struct graft_explainer_options options)
{
    struct graft_explainer *explainer = NULL;
    options.classifier.network = "tiny_convnet";
    options.classifier.weights = f->weights;
    assert_int_equal(graft_explainer_open(device, &options, &explainer), GRAFT_OK);
    return explainer;
}

/* What the network's last feature map is, by the classifier. */
static void read_features(struct fixture *f, struct graft_device *device, const char *layer, float *features)
{
    struct graft_classifier *classifier = NULL;
    const struct graft_classifier_options options = {
        .network = "tiny_convnet", .weights = f->weights, .batch = 1, .output = layer};
    assert_int_equal(graft_classifier_open(device, &options, &classifier), GRAFT_OK);
    assert_int_equal(graft_classifier_width(classifier), PLACES * CHANNELS);
    assert_int_equal(graft_classifier_run(classifier, f->pixels, 1, features), GRAFT_OK);
    graft_classifier_close(&classifier);
}

static void expect_map(struct fixture *f, enum graft_explain_method method, const float *a, double *map)
{
    for (int i = 0; i < PLACES; i++) {
        map[i] = 0;
        for (int c = 0; c < CHANNELS; c++) {
            const double g = f->head[CLASS][c] / PLACES;
            double sum = 0, weight = g;
            for (int k = 0; k < PLACES; k++) {
                sum += (double)a[k * CHANNELS + c];
            }
            if (method == GRAFT_EXPLAIN_GRADCAM_PLUS) {
                weight = g > 0 ? PLACES * (g * g / (2 * g * g + g * g * g * sum)) * g : 0;
            } else if (method == GRAFT_EXPLAIN_LAYERCAM) {
                weight = fmax(g, 0);
            }
            map[i] += (double)a[i * CHANNELS + c] * weight;
        }
        map[i] = fmax(map[i], 0);
    }
}

static void check_enlarged(const struct graft_heat *heat)
{
    /* The middle of a place of the map lies between four pixels of the input, whose mean is its value. */
    const int step = SIDE / heat->width;
    for (int y = 0; y < heat->height; y++) {
        for (int x = 0; x < heat->width; x++) {
            const float *const at = heat->pixels + (y * step + step / 2 - 1) * SIDE + x * step + step / 2 - 1;
            const double mean = (double)(at[0] + at[1] + at[SIDE] + at[SIDE + 1]) / 4;
            const bool edge = x == 0 || y == 0 || x == heat->width - 1 || y == heat->height - 1;
            const double value = (double)(heat->map[y * heat->width + x] / heat->largest);
            assert_true(edge || fabs(mean - value) < 0.06); /* its neighbours draw at it */
        }
    }
}

static void maps_are_as_defined_on(struct fixture *f, const char *name)
{
    static const enum graft_explain_method methods[] = {GRAFT_EXPLAIN_GRADCAM, GRAFT_EXPLAIN_GRADCAM_PLUS,
                                                        GRAFT_EXPLAIN_LAYERCAM};
    struct graft_device *device = NULL;
    float *const features = malloc(PLACES * CHANNELS * sizeof *features);
    if (graft_device_open(f->context, name, &device) != GRAFT_OK) {
        print_message("%s: skipped, it is not there\n", name);
        free(features);
        return;
    }
    for (int m = 0; m < 3; m++) {
        struct graft_explainer *explainer =
            open(f, device, (struct graft_explainer_options){.method = methods[m]});
        struct graft_heat heat;
        double map[PLACES], largest = 0;
        read_features(f, device, graft_explainer_layer(explainer), features);
        expect_map(f, methods[m], features, map);
        assert_int_equal(graft_explain_pixels(explainer, f->pixels, CLASS, &heat), GRAFT_OK);
        assert_int_equal(heat.class_index, CLASS);
        assert_int_equal(heat.height * heat.width, PLACES);
        for (int i = 0; i < PLACES; i++) {
            largest = fmax(largest, map[i]);
        }
        assert_true(largest > 0);
        for (int i = 0; i < PLACES; i++) {
            assert_true(fabs(map[i] - (double)heat.map[i]) <= 1e-5 * largest);
        }
        assert_true(fabs((double)heat.largest - largest) <= 1e-5 * largest);
        check_enlarged(&heat);
        graft_explainer_close(&explainer);
    }
    free(features);
    graft_device_close(&device);
}

static void maps_are_as_defined(void **state)
{
    maps_are_as_defined_on(*state, "reference");
    maps_are_as_defined_on(*state, "cpu");
    maps_are_as_defined_on(*state, "opencl:0");
}

static double logit_of(struct graft_classifier *classifier, const uint8_t *pixels)
{
    float logits[CLASSES];
    assert_int_equal(graft_classifier_run(classifier, pixels, 1, logits), GRAFT_OK);
    return (double)logits[CLASS];
}

/* The largest difference quotient over the channels, at places all over the picture. */
static void gradient_is_a_difference_quotient(void **state)
{
    struct fixture *const f = *state;
    struct graft_device *device = NULL;
    struct graft_heat heat;
    assert_int_equal(graft_device_open(f->context, "cpu", &device), GRAFT_OK);
    struct graft_explainer *explainer =
        open(f, device, (struct graft_explainer_options){.method = GRAFT_EXPLAIN_GRADIENT});
    struct graft_classifier *const classifier = graft_explainer_classifier(explainer);
    const float *const std = graft_classifier_preprocess(classifier)->std;
    assert_int_equal(graft_explain_pixels(explainer, f->pixels, CLASS, &heat), GRAFT_OK);
    assert_int_equal(heat.height, SIDE);
    assert_string_equal(graft_explainer_layer(explainer), "input");
    int close = 0, looked = 0;
    for (int i = 5; i < SIDE * SIDE; i += 97) {
        double most = 0;
        for (int c = 0; c < 3; c++) {
            const uint8_t old = f->pixels[3 * i + c];
            f->pixels[3 * i + c] = (uint8_t)(old + 1);
            const double above = logit_of(classifier, f->pixels);
            f->pixels[3 * i + c] = (uint8_t)(old - 1);
            const double below = logit_of(classifier, f->pixels);
            f->pixels[3 * i + c] = old;
            most = fmax(most, fabs(above - below) / (2 / (255 * (double)std[c])));
        }
        looked++;
        close += fabs(most - (double)heat.map[i]) <= 0.02 * (double)heat.largest;
    }
    /* A step of one level passes a kink of a relu or another maximum of a pool now and then. */
    assert_true(looked > 40 && close >= looked - 2);
    graft_explainer_close(&explainer);
    graft_device_close(&device);
}

/* One step: the gradient half way from black, times the way. Many: what they add up to is no less than what
 * the logit gains on the way (Sundararajan's completeness, with the sign of each place left out). */
static void integrated_gradients_lead_from_black(void **state)
{
    struct fixture *const f = *state;
    struct graft_device *device = NULL;
    struct graft_heat heat;
    uint8_t *const half = malloc(sizeof f->pixels), *const black = calloc(1, sizeof f->pixels);
    float *const way = malloc(SIDE * SIDE * sizeof *way);
    assert_int_equal(graft_device_open(f->context, "cpu", &device), GRAFT_OK);
    for (int i = 0; i < SIDE * SIDE * 3; i++) {
        assert_int_equal(f->pixels[i] % 2, 0);
        half[i] = f->pixels[i] / 2;
    }
    struct graft_explainer *explainer =
        open(f, device, (struct graft_explainer_options){.method = GRAFT_EXPLAIN_INTEGRATED, .steps = 1});
    assert_int_equal(graft_explain_pixels(explainer, f->pixels, CLASS, &heat), GRAFT_OK);
    memcpy(way, heat.map, SIDE * SIDE * sizeof *way);
    graft_explainer_close(&explainer);
    explainer = open(f, device, (struct graft_explainer_options){.method = GRAFT_EXPLAIN_GRADIENT});
    const struct graft_preprocess *p = graft_classifier_preprocess(graft_explainer_classifier(explainer));
    assert_int_equal(graft_explain_pixels(explainer, half, CLASS, &heat), GRAFT_OK);
    for (int i = 0; i < SIDE * SIDE; i++) { /* no more than all channels together could */
        double most = 0;
        for (int c = 0; c < 3; c++) {
            most += (double)heat.map[i] * f->pixels[3 * i + c] / (255 * (double)p->std[c]);
        }
        assert_true((double)way[i] <= most * (1 + 1e-4) + 1e-7);
    }
    graft_explainer_close(&explainer);
    explainer = open(f, device,
                     (struct graft_explainer_options){
                         .method = GRAFT_EXPLAIN_INTEGRATED, .steps = 50, .classifier.batch = 8});
    struct graft_classifier *const classifier = graft_explainer_classifier(explainer);
    assert_int_equal(graft_explain_pixels(explainer, f->pixels, CLASS, &heat), GRAFT_OK);
    double sum = 0;
    for (int i = 0; i < SIDE * SIDE; i++) {
        sum += (double)heat.map[i];
    }
    const double gained = logit_of(classifier, f->pixels) - logit_of(classifier, black);
    assert_true(sum >= fabs(gained) * 0.99);
    /* Where a single place is not black nothing is left out: what it gains is what it is given. */
    const double dark = logit_of(classifier, black);
    for (int c = 0; c < 3; c++) {
        black[3 * (20 * SIDE + 20) + c] = (uint8_t)(240 - 60 * c);
    }
    const double lit = logit_of(classifier, black) - dark;
    assert_int_equal(graft_explain_pixels(explainer, black, CLASS, &heat), GRAFT_OK);
    assert_true(fabs(lit) > 1e-5);
    for (int i = 0; i < SIDE * SIDE; i++) {
        const double own = i == 20 * SIDE + 20 ? fabs(lit) : 0;
        assert_true(fabs((double)heat.map[i] - own) <= 0.05 * own);
    }
    graft_explainer_close(&explainer);
    graft_device_close(&device);
    free(half);
    free(black);
    free(way);
}

static double probability_of(struct graft_classifier *classifier, const uint8_t *pixels)
{
    float logits[CLASSES];
    double sum = 0;
    assert_int_equal(graft_classifier_run(classifier, pixels, 1, logits), GRAFT_OK);
    for (int i = 0; i < CLASSES; i++) {
        sum += exp((double)logits[i]);
    }
    return exp((double)logits[CLASS]) / sum;
}

/* Four windows of half the picture's side, each over a corner. */
static void occlusion_is_what_covering_costs(void **state)
{
    struct fixture *const f = *state;
    struct graft_device *device = NULL;
    struct graft_heat heat;
    uint8_t *const covered = malloc(sizeof f->pixels);
    assert_int_equal(graft_device_open(f->context, "cpu", &device), GRAFT_OK);
    struct graft_explainer *explainer =
        open(f, device,
             (struct graft_explainer_options){
                 .method = GRAFT_EXPLAIN_OCCLUSION, .window = SIDE, .stride = SIDE, .classifier.batch = 3});
    struct graft_classifier *const classifier = graft_explainer_classifier(explainer);
    const float *const mean = graft_classifier_preprocess(classifier)->mean;
    const double whole = probability_of(classifier, f->pixels);
    assert_int_equal(graft_explain_pixels(explainer, f->pixels, CLASS, &heat), GRAFT_OK);
    assert_true(fabs((double)heat.probabilities[CLASS] - whole) < 1e-6);
    for (int corner = 0; corner < 4; corner++) {
        const int top = corner / 2 * SIDE / 2, left = corner % 2 * SIDE / 2;
        memcpy(covered, f->pixels, sizeof f->pixels);
        for (int y = top; y < top + SIDE / 2; y++) {
            for (int x = left; x < left + SIDE / 2; x++) {
                for (int c = 0; c < 3; c++) {
                    covered[(y * SIDE + x) * 3 + c] = (uint8_t)lround((double)mean[c] * 255);
                }
            }
        }
        const double lost = fmax(whole - probability_of(classifier, covered), 0);
        assert_true(fabs((double)heat.map[(top + 7) * SIDE + left + 20] - lost) < 1e-6);
        assert_true(fabs((double)heat.map[(top + 31) * SIDE + left + 31] - lost) < 1e-6);
    }
    graft_explainer_close(&explainer);
    graft_device_close(&device);
    free(covered);
}

/* Windows of any size and distance: a loss of probability, nothing else. */
static void any_window_gives_a_map(void **state)
{
    static const int sizes[][2] = {{0, 0}, {7, 7}, {64, 63}, {13, 5}};
    struct fixture *const f = *state;
    struct graft_device *device = NULL;
    assert_int_equal(graft_device_open(f->context, "cpu", &device), GRAFT_OK);
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct graft_heat heat;
        struct graft_explainer *explainer =
            open(f, device,
                 (struct graft_explainer_options){
                     .method = GRAFT_EXPLAIN_OCCLUSION, .window = sizes[s][0], .stride = sizes[s][1]});
        assert_int_equal(graft_explain_pixels(explainer, f->pixels, -1, &heat), GRAFT_OK);
        for (int i = 0; i < SIDE * SIDE; i++) {
            assert_true(heat.map[i] >= 0 && heat.map[i] <= heat.probabilities[heat.class_index]);
            assert_true(heat.pixels[i] >= 0 && heat.pixels[i] <= 1.0001f);
        }
        graft_explainer_close(&explainer);
    }
    graft_device_close(&device);
}

/* The class that is explained where none is named is the most probable one. */
static void the_most_probable_class(void **state)
{
    struct fixture *const f = *state;
    struct graft_device *device = NULL;
    struct graft_heat heat;
    assert_int_equal(graft_device_open(f->context, "cpu", &device), GRAFT_OK);
    struct graft_explainer *explainer = open(f, device, (struct graft_explainer_options){.layer = "block3"});
    assert_int_equal(graft_explain_pixels(explainer, f->pixels, -1, &heat), GRAFT_OK);
    assert_string_equal(graft_explainer_layer(explainer), "block3");
    for (int i = 0; i < CLASSES; i++) {
        assert_true(heat.probabilities[i] <= heat.probabilities[heat.class_index]);
    }
    assert_int_equal(graft_explain_pixels(explainer, f->pixels, CLASSES, &heat), GRAFT_ERROR_ARGUMENT);
    assert_int_equal(graft_explain_pixels(explainer, f->pixels, -2, &heat), GRAFT_ERROR_ARGUMENT);
    graft_explainer_close(&explainer);
    graft_device_close(&device);
}

/* Each layer is what the classifier gives of it; zeros and dead channels are counted here once more. */
static void layers_are_looked_at(void **state)
{
    struct fixture *const f = *state;
    struct graft_device *device = NULL;
    struct graft_activations *all = NULL, *some = NULL;
    struct graft_layer_map map;
    const struct graft_image image = {SIDE, SIDE, 3, f->pixels};
    const struct graft_classifier_options options = {.network = "tiny_convnet", .weights = f->weights};
    static const char *const names[] = {"block2", "block4.relu"};
    int rectified = 0;
    assert_int_equal(graft_device_open(f->context, "cpu", &device), GRAFT_OK);
    assert_int_equal(graft_activations_open(device, &options, NULL, 0, &all), GRAFT_OK);
    assert_true(graft_activations_count(all) > 15);
    assert_int_equal(graft_activations_image(all, &image), GRAFT_OK);
    for (int i = 0; i < graft_activations_count(all); i++) {
        struct graft_classifier *classifier = NULL;
        struct graft_classifier_options one = options;
        graft_activations_at(all, i, &map);
        one.output = map.name;
        one.batch = 1;
        const int64_t count = (int64_t)map.height * map.width * map.channels;
        float *const values = malloc((size_t)count * sizeof *values), lowest = 0, highest = 0;
        int64_t zeros = 0;
        int32_t dead = 0;
        assert_int_equal(graft_classifier_open(device, &one, &classifier), GRAFT_OK);
        assert_int_equal(graft_classifier_width(classifier), count);
        assert_int_equal(graft_classifier_run(classifier, f->pixels, 1, values), GRAFT_OK);
        for (int64_t k = 0; k < count; k++) {
            highest = fmaxf(highest, values[k]);
            lowest = fminf(lowest, values[k]);
        }
        for (int64_t k = 0; k < count; k++) {
            assert_true(fabsf(map.values[k] - values[k]) <= 1e-5f * (highest - lowest));
            zeros += map.values[k] == 0;
        }
        for (int c = 0; c < map.channels; c++) {
            bool none = true;
            for (int64_t k = c; k < count; k += map.channels)
                none = none && map.values[k] == 0;
            dead += none;
        }
        assert_true(fabs(map.zeros - (double)zeros / (double)count) < 1e-12);
        assert_int_equal(map.dead, dead);
        assert_true(map.lowest <= map.highest && map.highest > 0);
        rectified += map.lowest == 0 && map.zeros > 0.1;
        graft_classifier_close(&classifier);
        free(values);
    }
    assert_true(rectified >= 5);
    assert_int_equal(graft_activations_open(device, &options, names, 2, &some), GRAFT_OK);
    assert_int_equal(graft_activations_count(some), 2);
    graft_activations_at(some, 0, &map);
    assert_string_equal(map.name, "block2");
    graft_activations_close(&some);
    assert_int_equal(graft_activations_open(device, &options, (const char *const[]){"fc"}, 1, &some),
                     GRAFT_ERROR_ARGUMENT);
    assert_null(some);
    graft_activations_close(&all);
    graft_device_close(&device);
}

static void tokens_are_folded(void **state)
{
    struct graft_explain_grid grid;
    (void)state;
    assert_true(graft_explain_grid_of(&(struct graft_shape){.rank = 3, .dim = {2, 197, 768}}, &grid));
    assert_true(grid.skip == 1 && grid.height == 14 && grid.width == 14 && grid.channels == 768);
    assert_true(graft_explain_grid_of(&(struct graft_shape){.rank = 3, .dim = {2, 49, 96}}, &grid));
    assert_true(grid.skip == 0 && grid.height == 7 && grid.channels == 96);
    assert_true(graft_explain_grid_of(&(struct graft_shape){.rank = 4, .dim = {1, 5, 9, 3}}, &grid));
    assert_true(grid.height == 5 && grid.width == 9 && grid.channels == 3);
    assert_false(graft_explain_grid_of(&(struct graft_shape){.rank = 3, .dim = {2, 12, 96}}, &grid));
    assert_false(graft_explain_grid_of(&(struct graft_shape){.rank = 2, .dim = {2, 10}}, &grid));
}

static void what_makes_no_sense_is_refused(void **state)
{
    static const struct {
        struct graft_explainer_options options;
        const char *says;
    } bad[] = {
        {{.layer = "block33"}, "block3"},
        {{.layer = "fc"}, "no map"},
        {{.method = GRAFT_EXPLAIN_OCCLUSION, .window = 65}, "65"},
        {{.method = GRAFT_EXPLAIN_OCCLUSION, .window = 8, .stride = 9}, "9 pixels apart"},
        {{.method = GRAFT_EXPLAIN_INTEGRATED, .steps = -1}, "-1 steps"},
        {{.method = (enum graft_explain_method)17}, "17"},
    };
    struct fixture *const f = *state;
    struct graft_device *device = NULL;
    assert_int_equal(graft_device_open(f->context, "cpu", &device), GRAFT_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct graft_explainer_options options = bad[i].options;
        struct graft_explainer *explainer = (struct graft_explainer *)&options;
        options.classifier.network = "tiny_convnet";
        options.classifier.weights = f->weights;
        assert_int_equal(graft_explainer_open(device, &options, &explainer), GRAFT_ERROR_ARGUMENT);
        assert_null(explainer);
        if (!strstr(graft_context_error(f->context), bad[i].says)) {
            fail_msg("\"%s\" does not say \"%s\"", graft_context_error(f->context), bad[i].says);
        }
    }
    enum graft_explain_method method;
    assert_int_equal(graft_explain_method_find(f->context, "gradcam++", &method), GRAFT_OK);
    assert_int_equal(method, GRAFT_EXPLAIN_GRADCAM_PLUS);
    assert_int_equal(graft_explain_method_find(f->context, "oclusion", &method), GRAFT_ERROR_NOT_FOUND);
    assert_non_null(strstr(graft_context_error(f->context), "'occlusion'"));
    graft_device_close(&device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_are_as_defined),
        cmocka_unit_test(gradient_is_a_difference_quotient),
        cmocka_unit_test(integrated_gradients_lead_from_black),
        cmocka_unit_test(occlusion_is_what_covering_costs),
        cmocka_unit_test(any_window_gives_a_map),
        cmocka_unit_test(the_most_probable_class),
        cmocka_unit_test(layers_are_looked_at),
        cmocka_unit_test(tokens_are_folded),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
