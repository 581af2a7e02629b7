/* SPDX-License-Identifier: MIT */
/*
 * Heat over pictures against PyTorch's in f64, within 1e-3 of a map's largest value: grad_cam.def and, of maps of
 * pixels, some of these in pixel_maps.def; grad_cam_golden.py has made both. SqueezeNet has its real weights and a photograph, the others formula weights
 * and a drawn picture.
 *
 * explain_golden_test cpu|opencl NETWORK…: "opencl" means every OpenCL device; without one it is a skip.
 */
#include "graft/graft.h"
#include "model/formula.h"
#include "support/support.h"

#include <math.h>

#define LIMIT 1e-3
#define MOST 200 /* places of a map */
#define SIDE 224 /* of the drawn picture */

struct golden {
    const char *network;
    enum graft_explain_method method;
    int32_t class_index, height, width;
    double map[MOST];
};

#define GOLDEN(network, method, class, height, width, ...)                                                   \
    {#network, GRAFT_EXPLAIN_##method, class, height, width, {__VA_ARGS__}},
static const struct golden goldens[] = {
#include "model/grad_cam.def"
};

#define LATTICE 15 /* every 15th pixel of every 15th row, and the sum of all */
#define POINTS 256

struct pixels {
    const char *network;
    enum graft_explain_method method;
    int32_t class_index, side, steps, window, stride;
    double sum;
    double map[POINTS];
};

#define PIXELS(network, method, class, side, steps, window, stride, sum, ...)                                \
    {#network, GRAFT_EXPLAIN_##method, class, side, steps, window, stride, sum, {__VA_ARGS__}},
static const struct pixels pixel_maps[] = {
#include "model/pixel_maps.def"
};

static struct graft_context *context;
static int compared, failed;

static void ok(enum graft_status status)
{
    if (status != GRAFT_OK) {
        printf("%s\n", graft_context_error(context));
        exit(1);
    }
}

static void write_formula(const char *network, const char *path)
{
    struct graft_model *model = NULL;
    struct graft_tensor_set *set = NULL;
    ok(graft_model_open(context, network, NULL, &model));
    ok(graft_tensor_set_open(context, &set));
    for (int i = 0; i < model->parameter_count; i++) {
        const struct graft_model_parameter *const p = &model->parameters[i];
        const struct graft_desc desc = {GRAFT_DTYPE_F32, p->source_shape};
        ok(graft_tensor_set_add(set, p->name, &desc, NULL));
        test_formula_tensor(network, p->name, &p->source_shape, graft_tensor_set_find(set, p->name)->data);
    }
    ok(graft_safetensors_save(context, path, set));
    graft_tensor_set_close(&set);
    graft_model_close(&model);
}

/* The zoo's first input, brought into range. */
static struct graft_image draw_picture(int side)
{
    const int count = side * side * 3;
    float *const input = malloc(2 * (size_t)count * sizeof *input);
    struct graft_image image = {side, side, 3, malloc((size_t)count)};
    test_formula_input(side, input);
    for (int i = 0; i < count; i++)
        image.pixels[i] = (uint8_t)fmin(fmax(floor(127.5 + 80 * (double)input[i] + 0.5), 0), 255);
    free(input);
    return image;
}

/* SqueezeNet's photograph goes through the steps that the golden was made with; what is drawn is the input itself. */
static struct graft_explainer *explain(struct graft_device *device, struct graft_explainer_options options,
                                       const struct graft_image *image, struct graft_heat *heat)
{
    const bool drawn = image->width == SIDE;
    struct graft_explainer *explainer = NULL;
    options.classifier.input = drawn ? 0 : 227;
    options.classifier.resize = drawn ? 0 : 256;
    ok(graft_explainer_open(device, &options, &explainer));
    if (drawn)
        ok(graft_explain_pixels(explainer, image->pixels, -1, heat));
    else
        ok(graft_explain_image(explainer, image, -1, heat));
    return explainer;
}

static void tell(struct graft_device *device, const char *network, enum graft_explain_method method,
                 struct graft_explainer *explainer, const struct graft_heat *heat, bool same, double off)
{
    printf("%s %s %s at %s, class %d, %d x %d: off by %.1e%s\n", graft_device_get_info(device)->id, network,
           graft_explain_method_name(method), graft_explainer_layer(explainer), (int)heat->class_index,
           (int)heat->height, (int)heat->width, off, same ? "" : ": FAILED");
    fflush(stdout);
    compared++;
    failed += !same;
}

static void compare(struct graft_device *device, const struct golden *golden, const char *weights,
                    const struct graft_image *image)
{
    const struct graft_explainer_options options = {
        .classifier = {.network = golden->network, .weights = weights}, .method = golden->method};
    struct graft_heat heat;
    struct graft_explainer *explainer = explain(device, options, image, &heat);
    double largest = 0, worst = 0;
    bool same = heat.class_index == golden->class_index && heat.height == golden->height &&
                heat.width == golden->width;
    for (int i = 0; same && i < heat.height * heat.width; i++) {
        largest = fmax(largest, golden->map[i]);
        worst = fmax(worst, fabs((double)heat.map[i] - golden->map[i]));
    }
    same = same && largest > 0 && worst <= LIMIT * largest;
    tell(device, golden->network, golden->method, explainer, &heat, same, worst / largest);
    graft_explainer_close(&explainer);
}

static void compare_pixels(struct graft_device *device, const struct pixels *golden, const char *weights,
                           const struct graft_image *image)
{
    const struct graft_explainer_options options = {
        .classifier = {.network = golden->network, .weights = weights, .batch = 4},
        .method = golden->method,
        .steps = golden->steps,
        .window = golden->window,
        .stride = golden->stride};
    struct graft_heat heat;
    struct graft_explainer *explainer = explain(device, options, image, &heat);
    double largest = 0, worst = 0, sum = 0;
    bool same = heat.class_index == golden->class_index && heat.height == golden->side && heat.width == golden->side;
    for (int y = 0, i = 0; same && y < golden->side; y++)
        for (int x = 0; x < golden->side; x++) {
            sum += (double)heat.map[y * golden->side + x];
            if (y % LATTICE || x % LATTICE)
                continue;
            largest = fmax(largest, golden->map[i]);
            worst = fmax(worst, fabs((double)heat.map[y * golden->side + x] - golden->map[i++]));
        }
    same = same && largest > 0 && worst <= LIMIT * largest && fabs(sum - golden->sum) <= LIMIT * golden->sum;
    tell(device, golden->network, golden->method, explainer, &heat, same, worst / largest);
    graft_explainer_close(&explainer);
}

/* All devices of the kind, one after the other, on one network. */
static void check_network(const char *network, const struct graft_device_list *devices, const char *kind)
{
    const char *const data = getenv("GRAFT_TEST_DATA");
    const bool real = strcmp(network, "squeezenet1_0") == 0;
    char folder[128], weights[512], photo[512];
    struct graft_image image = {0};
    test_folder(folder, sizeof folder);
    snprintf(weights, sizeof weights, "%s/weights.safetensors", folder);
    if (real) {
        snprintf(weights, sizeof weights, "%s/data/squeezenet1_0-imagenet.safetensors", data ? data : "");
        snprintf(photo, sizeof photo, "%s/data/imagenet-samples/n01534433_junco.JPEG", data ? data : "");
        if (access(weights, R_OK) != 0 || access(photo, R_OK) != 0) {
            printf("%s: skipped, its weights or the photograph are not there\n", network);
            test_folder_remove(folder);
            return;
        }
        ok(graft_image_read(context, photo, NULL, &image));
    } else {
        write_formula(network, weights);
        image = draw_picture(SIDE);
    }
    for (int d = 0; d < devices->count; d++) {
        struct graft_device *device = NULL;
        if (strncmp(devices->devices[d].id, kind, strlen(kind)) != 0)
            continue;
        ok(graft_device_open(context, devices->devices[d].id, &device));
        for (size_t g = 0; g < sizeof goldens / sizeof goldens[0]; g++)
            if (strcmp(goldens[g].network, network) == 0)
                compare(device, &goldens[g], weights, &image);
        for (size_t g = 0; g < sizeof pixel_maps / sizeof pixel_maps[0]; g++)
            if (strcmp(pixel_maps[g].network, network) == 0)
                compare_pixels(device, &pixel_maps[g], weights, &image);
        graft_device_close(&device);
    }
    if (real)
        graft_image_close(context, &image);
    else
        free(image.pixels);
    test_folder_remove(folder);
}

int main(int count, char **arguments)
{
    struct graft_device_list *devices = NULL;
    if (count < 3 || graft_context_open(NULL, &context) != GRAFT_OK ||
        graft_device_list_open(context, &devices) != GRAFT_OK)
        return 2;
    for (int i = 2; i < count; i++)
        check_network(arguments[i], devices, arguments[1]);
    graft_device_list_close(context, &devices);
    graft_context_close(&context);
    printf("%d maps compared, %d failed\n", compared, failed);
    return failed > 0 ? 1 : compared > 0 ? 0 : 77;
}
