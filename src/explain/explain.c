/* SPDX-License-Identifier: MIT */
#include "explain/explain.h"

#include "backend/backend.h"
#include "base/context.h"
#include "base/text.h"
#include "explain/slope.h"
#include "graft/run.h"
#include "infer/classifier.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define STEPS 32
#define STEPS_LIMIT 1024

struct graft_explainer {
    struct graft_context *context;
    struct graft_classifier *classifier; /* what the network says; for OCCLUSION that is all */
    enum graft_explain_method method;
    int32_t steps, window, stride;
    struct graft_model *model; /* the same network, on a picture of real numbers */
    struct graft_plan *plan;
    int chosen, target,
        gradient; /* values: the class as one of [n, classes]; what is looked at; d logit of it */
    struct graft_explain_grid grid;
    int64_t target_count; /* numbers of `target` */
    char layer[GRAFT_MODEL_NAME_SIZE];
    int32_t map_height, map_width;
    uint8_t *picture;                                    /* the input, and for OCCLUSION a batch of it */
    float *input, *one_hot, *features, *gradients;       /* of a batch */
    double *weights;                                     /* [channels], or [input's numbers] */
    float *logits, *probabilities, *map, *pixels, *hits; /* hits: windows that cover a place */
};

/* ---- names */

static const char *const method_names[GRAFT_EXPLAIN_METHODS] = {
    [GRAFT_EXPLAIN_GRADCAM] = "gradcam",   [GRAFT_EXPLAIN_GRADCAM_PLUS] = "gradcam++",
    [GRAFT_EXPLAIN_LAYERCAM] = "layercam", [GRAFT_EXPLAIN_OCCLUSION] = "occlusion",
    [GRAFT_EXPLAIN_GRADIENT] = "gradient", [GRAFT_EXPLAIN_INTEGRATED] = "integrated"};

const char *graft_explain_method_name(enum graft_explain_method method)
{
    return (int)method >= 0 && (int)method < GRAFT_EXPLAIN_METHODS ? method_names[method] : NULL;
}

enum graft_status graft_explain_method_find(struct graft_context *context, const char *name,
                                            enum graft_explain_method *method)
{
    for (int i = 0; i < GRAFT_EXPLAIN_METHODS; i++)
        if (strcmp(name, method_names[i]) == 0) {
            *method = (enum graft_explain_method)i;
            return GRAFT_OK;
        }
    const char *const nearest = graft_text_nearest(name, method_names, GRAFT_EXPLAIN_METHODS);
    return graft_fail(context, GRAFT_ERROR_NOT_FOUND,
                      "no way to explain is called '%s'%s%s%s: gradcam, gradcam++, layercam, occlusion, "
                      "gradient, integrated",
                      name, nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

/* ---- opening */

static bool looks_at_features(const struct graft_explainer *explainer)
{
    return explainer->method == GRAFT_EXPLAIN_GRADCAM || explainer->method == GRAFT_EXPLAIN_GRADCAM_PLUS ||
           explainer->method == GRAFT_EXPLAIN_LAYERCAM;
}

static const struct graft_preprocess *preprocess_of(const struct graft_explainer *explainer)
{
    return graft_classifier_preprocess(explainer->classifier);
}

static enum graft_status check_numbers(struct graft_explainer *explainer,
                                       const struct graft_explainer_options *options)
{
    const struct graft_preprocess *const p = preprocess_of(explainer);
    const int32_t side = p->crop_height < p->crop_width ? p->crop_height : p->crop_width;
    explainer->steps = options->steps == 0 ? STEPS : options->steps;
    explainer->window = options->window != 0 ? options->window : side > 5 ? side / 5 : 1;
    explainer->stride = options->stride != 0    ? options->stride
                        : explainer->window > 4 ? explainer->window / 4
                                                : 1;
    if (explainer->steps < 1 || explainer->steps > STEPS_LIMIT)
        return graft_fail(explainer->context, GRAFT_ERROR_ARGUMENT, "%d steps; use 1 to %d", explainer->steps,
                          STEPS_LIMIT);
    if (explainer->window < 1 || explainer->window > side)
        return graft_fail(explainer->context, GRAFT_ERROR_ARGUMENT,
                          "a window of %d pixels; use 1 to %d, the input's side", explainer->window, side);
    if (explainer->stride < 1 || explainer->stride > explainer->window)
        return graft_fail(explainer->context, GRAFT_ERROR_ARGUMENT,
                          "windows %d pixels apart; use 1 to %d, the window's side", explainer->stride,
                          explainer->window);
    return GRAFT_OK;
}

static enum graft_status look_at(struct graft_explainer *explainer, const char *name, int value)
{
    const struct graft_model *const model = explainer->model;
    (void)snprintf(explainer->layer, sizeof explainer->layer, "%s", name);
    explainer->target = value;
    return graft_explain_grid_of(&graft_graph_desc(model->graph, value)->shape, &explainer->grid)
               ? GRAFT_OK
               : graft_fail(explainer->context, GRAFT_ERROR_ARGUMENT,
                            "\"%s\" of %s gives no map over the picture: name a layer before it", name,
                            model->info->name);
}

/* The map that is looked at. */
static enum graft_status choose_layer(struct graft_explainer *explainer, const char *layer)
{
    const struct graft_model *const model = explainer->model;
    if (layer && *layer) {
        int value = -1;
        const enum graft_status status =
            graft_classifier_find_output(explainer->context, model, layer, &value);
        return status == GRAFT_OK ? look_at(explainer, layer, value) : status;
    }
    if (model->map < 0)
        return graft_fail(
            explainer->context, GRAFT_ERROR_ARGUMENT,
            "%s does not say which layer its last feature map is: name one (graft summary lists "
            "them)",
            model->info->name);
    return look_at(explainer, graft_graph_name(model->graph, model->map), model->map);
}

/* Behind the last attention of a ViT the classes depend on the class token alone: what enters it is the last
 * map that all of its places bear on. */
static const struct graft_model_layer *before_last_attention(const struct graft_model *model)
{
    for (int i = model->layer_count - 1; i > 0; i--)
        if (strcmp(model->layers[i].op, "attention") == 0)
            return &model->layers[i - 1];
    return NULL;
}

/* d(logit of the chosen class) / d(target), for each picture of the batch. */
static enum graft_status add_gradient(struct graft_explainer *explainer, bool named)
{
    struct graft_graph *const graph = explainer->model->graph;
    const int score = graft_slope_score(graph, explainer->model->logits, &explainer->chosen);
    enum graft_status status = graft_graph_status(graph);
    if (status == GRAFT_OK)
        status = graft_graph_gradient(graph, score, &explainer->target, 1, &explainer->gradient);
    if (status == GRAFT_OK && explainer->gradient < 0 && !named) {
        const struct graft_model_layer *const tokens = before_last_attention(explainer->model);
        if (tokens)
            status = look_at(explainer, tokens->name, tokens->value);
        if (tokens && status == GRAFT_OK)
            status = graft_graph_gradient(graph, score, &explainer->target, 1, &explainer->gradient);
    }
    if (status == GRAFT_OK && explainer->gradient < 0)
        return graft_fail(
            explainer->context, GRAFT_ERROR_ARGUMENT,
            "the classes do not depend on \"%s\" in a way that can be followed back: name another "
            "layer, or take occlusion",
            explainer->layer);
    if (status == GRAFT_OK) {
        graft_graph_output(graph, explainer->target);
        graft_graph_output(graph, explainer->gradient);
        status = graft_graph_status(graph);
    }
    return status;
}

static enum graft_status open_gradient(struct graft_explainer *explainer,
                                       const struct graft_explainer_options *options)
{
    const struct graft_classifier *const classifier = explainer->classifier;
    const struct graft_preprocess *const p = &classifier->card.preprocess;
    const bool steps = explainer->method == GRAFT_EXPLAIN_INTEGRATED;
    const struct graft_model_options model = {.batch = steps ? classifier->model->batch : 1,
                                              .height = p->crop_height,
                                              .width = p->crop_width,
                                              .classes = classifier->card.class_count};
    enum graft_status status =
        graft_model_open_network(explainer->context, classifier->source.network, &model, &explainer->model);
    if (status != GRAFT_OK)
        return status;
    explainer->target = explainer->model->input;
    (void)snprintf(explainer->layer, sizeof explainer->layer, "input");
    if (looks_at_features(explainer))
        status = choose_layer(explainer, options->layer);
    if (status == GRAFT_OK)
        status =
            add_gradient(explainer, !looks_at_features(explainer) || (options->layer && *options->layer));
    if (status == GRAFT_OK)
        status = graft_plan_open(explainer->model->graph, classifier->device, classifier->variables,
                                 &options->classifier.plan, &explainer->plan);
    if (status == GRAFT_OK)
        explainer->target_count =
            graft_shape_count(&graft_graph_desc(explainer->model->graph, explainer->target)->shape);
    return status;
}

static enum graft_status allocate(struct graft_explainer *explainer)
{
    struct graft_context *const context = explainer->context;
    const struct graft_preprocess *const p = preprocess_of(explainer);
    const size_t places = (size_t)p->crop_height * (size_t)p->crop_width;
    const size_t numbers = places * (size_t)p->channels;
    const size_t classes = (size_t)graft_classifier_class_count(explainer->classifier);
    const size_t batch = (size_t)graft_classifier_batch(explainer->classifier);
    const size_t target = (size_t)explainer->target_count;
    const bool features = looks_at_features(explainer);
    explainer->map_height = features ? explainer->grid.height : p->crop_height;
    explainer->map_width = features ? explainer->grid.width : p->crop_width;
    explainer->picture = graft_allocate(context, (1 + batch) * numbers, 1);
    explainer->input = graft_allocate(context, batch * numbers, sizeof(float));
    explainer->one_hot = graft_allocate(context, batch * classes, sizeof(float));
    explainer->features = graft_allocate(context, features ? target : 1, sizeof(float));
    explainer->gradients = graft_allocate(context, target, sizeof(float));
    explainer->weights =
        graft_allocate(context, features ? (size_t)explainer->grid.channels : numbers, sizeof(double));
    explainer->logits = graft_allocate(context, batch * classes, sizeof(float));
    explainer->probabilities = graft_allocate(context, classes, sizeof(float));
    explainer->map = graft_allocate(
        context, features ? (size_t)explainer->map_height * (size_t)explainer->map_width : places,
        sizeof(float));
    explainer->pixels = graft_allocate(context, places, sizeof(float));
    explainer->hits = graft_allocate(context, places, sizeof(float));
    return explainer->picture && explainer->input && explainer->one_hot && explainer->features &&
                   explainer->gradients && explainer->weights && explainer->logits &&
                   explainer->probabilities && explainer->map && explainer->pixels && explainer->hits
               ? GRAFT_OK
               : GRAFT_ERROR_MEMORY;
}

enum graft_status graft_explainer_open(struct graft_device *device,
                                       const struct graft_explainer_options *options,
                                       struct graft_explainer **explainer)
{
    struct graft_context *const context = device->context;
    struct graft_explainer *made = graft_allocate(context, 1, sizeof *made);
    *explainer = NULL;
    if (!made)
        return GRAFT_ERROR_MEMORY;
    made->context = context;
    made->method = options->method;
    struct graft_classifier_options classifier = options->classifier;
    classifier.output = NULL;
    const bool one =
        options->method != GRAFT_EXPLAIN_OCCLUSION && options->method != GRAFT_EXPLAIN_INTEGRATED;
    if (one)
        classifier.batch = 1;
    enum graft_status status =
        graft_explain_method_name(options->method)
            ? graft_classifier_open(device, &classifier, &made->classifier)
            : graft_fail(context, GRAFT_ERROR_ARGUMENT, "there is no method %d", (int)options->method);
    if (status == GRAFT_OK)
        status = graft_classifier_tells_classes(made->classifier, "an explanation");
    if (status == GRAFT_OK)
        status = check_numbers(made, options);
    if (status == GRAFT_OK && options->method != GRAFT_EXPLAIN_OCCLUSION)
        status = open_gradient(made, options);
    if (status == GRAFT_OK)
        status = allocate(made);
    if (status != GRAFT_OK)
        graft_explainer_close(&made);
    *explainer = made;
    return status;
}

void graft_explainer_close(struct graft_explainer **explainer)
{
    struct graft_explainer *const old = *explainer;
    if (!old)
        return;
    void *const memory[] = {old->picture,   old->input,   old->one_hot, old->features,
                            old->gradients, old->weights, old->logits,  old->probabilities,
                            old->map,       old->pixels,  old->hits};
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++)
        graft_release(old->context, memory[i]);
    graft_plan_close(&old->plan);
    graft_model_close(&old->model);
    graft_classifier_close(&old->classifier);
    graft_release(old->context, old);
    *explainer = NULL;
}

struct graft_classifier *graft_explainer_classifier(struct graft_explainer *explainer)
{
    return explainer->classifier;
}

const char *graft_explainer_layer(const struct graft_explainer *explainer)
{
    return explainer->layer[0] ? explainer->layer : "input";
}

/* ---- running */

/* `share`: how far on the way from a black picture. */
static void set_input(struct graft_explainer *explainer, const uint8_t *pixels, int64_t row, double share)
{
    const struct graft_preprocess *const p = preprocess_of(explainer);
    const int64_t numbers = (int64_t)p->crop_height * p->crop_width * p->channels;
    graft_slope_normalize(p, pixels, numbers, share, explainer->input + row * numbers);
}

static enum graft_status run_gradient(struct graft_explainer *explainer)
{
    const struct graft_preprocess *const p = preprocess_of(explainer);
    const uint64_t batch = (uint64_t)explainer->model->batch;
    const uint64_t numbers = (uint64_t)p->crop_height * (uint64_t)p->crop_width * (uint64_t)p->channels;
    const uint64_t classes = (uint64_t)graft_classifier_class_count(explainer->classifier);
    enum graft_status status = graft_plan_write(explainer->plan, explainer->model->input, explainer->input,
                                                batch * numbers * sizeof(float));
    if (status == GRAFT_OK)
        status = graft_plan_write(explainer->plan, explainer->chosen, explainer->one_hot,
                                  batch * classes * sizeof(float));
    if (status == GRAFT_OK)
        status = graft_plan_run(explainer->plan, GRAFT_SEGMENT_COMPUTE);
    if (status == GRAFT_OK)
        status = graft_plan_read(explainer->plan, explainer->gradient, explainer->gradients,
                                 (uint64_t)explainer->target_count * sizeof(float));
    return status;
}

static enum graft_status heat_features(struct graft_explainer *explainer, const uint8_t *pixels)
{
    set_input(explainer, pixels, 0, 1);
    enum graft_status status = run_gradient(explainer);
    if (status == GRAFT_OK)
        status = graft_plan_read(explainer->plan, explainer->target, explainer->features,
                                 (uint64_t)explainer->target_count * sizeof(float));
    if (status == GRAFT_OK)
        graft_heat_of_features(explainer->method, &explainer->grid, explainer->features, explainer->gradients,
                               explainer->weights, explainer->map);
    return status;
}

static enum graft_status heat_gradient(struct graft_explainer *explainer, const uint8_t *pixels)
{
    const struct graft_preprocess *const p = preprocess_of(explainer);
    set_input(explainer, pixels, 0, 1);
    const enum graft_status status = run_gradient(explainer);
    for (int64_t i = 0; status == GRAFT_OK && i < (int64_t)p->crop_height * p->crop_width; i++) {
        explainer->map[i] = 0;
        for (int32_t c = 0; c < p->channels; c++)
            explainer->map[i] = fmaxf(explainer->map[i], fabsf(explainer->gradients[i * p->channels + c]));
    }
    return status;
}

static enum graft_status heat_integrated(struct graft_explainer *explainer, const uint8_t *pixels)
{
    const struct graft_preprocess *const p = preprocess_of(explainer);
    const int64_t places = (int64_t)p->crop_height * p->crop_width, numbers = places * p->channels;
    const int64_t batch = explainer->model->batch;
    enum graft_status status = GRAFT_OK;
    memset(explainer->weights, 0, (size_t)numbers * sizeof *explainer->weights);
    for (int64_t first = 0; first < explainer->steps && status == GRAFT_OK; first += batch) {
        const int64_t count = explainer->steps - first < batch ? explainer->steps - first : batch;
        for (int64_t r = 0; r < batch; r++) /* rows behind the last step are computed and not looked at */
            set_input(explainer, pixels, r, ((double)(first + (r < count ? r : 0)) + 0.5) / explainer->steps);
        status = run_gradient(explainer);
        for (int64_t r = 0; r < count && status == GRAFT_OK; r++)
            for (int64_t i = 0; i < numbers; i++)
                explainer->weights[i] += (double)explainer->gradients[r * numbers + i];
    }
    for (int64_t i = 0; i < places && status == GRAFT_OK; i++) {
        double sum = 0;
        for (int64_t c = 0; c < p->channels; c++)
            sum += explainer->weights[i * p->channels + c] / explainer->steps *
                   (pixels[i * p->channels + c] / (255 * (double)p->std[c]));
        explainer->map[i] = (float)fabs(sum);
    }
    return status;
}

/* A window whose middle is at (y, x), as far as it lies in the picture. */
struct window {
    int32_t top, bottom, left, right;
};

static struct window window_at(const struct graft_explainer *explainer, int32_t y, int32_t x)
{
    const struct graft_preprocess *const p = preprocess_of(explainer);
    const int32_t half = explainer->window / 2;
    const struct window whole = {y - half, y - half + explainer->window, x - half,
                                 x - half + explainer->window};
    return (struct window){
        whole.top > 0 ? whole.top : 0, whole.bottom < p->crop_height ? whole.bottom : p->crop_height,
        whole.left > 0 ? whole.left : 0, whole.right < p->crop_width ? whole.right : p->crop_width};
}

static void cover(const struct graft_explainer *explainer, const struct window *at, uint8_t *pixels)
{
    const struct graft_preprocess *const p = preprocess_of(explainer);
    for (int32_t y = at->top; y < at->bottom; y++)
        for (int32_t x = at->left; x < at->right; x++)
            for (int32_t c = 0; c < p->channels; c++)
                pixels[((int64_t)y * p->crop_width + x) * p->channels + c] =
                    (uint8_t)lroundf(fminf(fmaxf(p->mean[c], 0), 1) * 255);
}

static enum graft_status heat_occlusion(struct graft_explainer *explainer, const uint8_t *pixels,
                                        int32_t chosen)
{
    const struct graft_preprocess *const p = preprocess_of(explainer);
    const int64_t batch = graft_classifier_batch(explainer->classifier);
    const int64_t places = (int64_t)p->crop_height * p->crop_width, numbers = places * p->channels;
    const int32_t classes = graft_classifier_class_count(explainer->classifier);
    /* The middles of the windows begin at the edge and end at or behind the other one: all is covered. */
    const int32_t rows = (p->crop_height - 2 + explainer->stride) / explainer->stride + 1,
                  columns = (p->crop_width - 2 + explainer->stride) / explainer->stride + 1;
    const int64_t count = (int64_t)rows * columns;
    const float whole = explainer->probabilities[chosen];
    uint8_t *const covered = explainer->picture + numbers;
    memset(explainer->map, 0, (size_t)places * sizeof(float));
    memset(explainer->hits, 0, (size_t)places * sizeof(float));
    for (int64_t first = 0; first < count; first += batch) {
        const int64_t here = count - first < batch ? count - first : batch;
        for (int64_t r = 0; r < here; r++) {
            const struct window at =
                window_at(explainer, (int32_t)((first + r) / columns) * explainer->stride,
                          (int32_t)((first + r) % columns) * explainer->stride);
            memcpy(covered + r * numbers, pixels, (size_t)numbers);
            cover(explainer, &at, covered + r * numbers);
        }
        const enum graft_status status =
            graft_classifier_run(explainer->classifier, covered, here, explainer->logits);
        if (status != GRAFT_OK)
            return status;
        for (int64_t r = 0; r < here; r++) {
            const struct window at =
                window_at(explainer, (int32_t)((first + r) / columns) * explainer->stride,
                          (int32_t)((first + r) % columns) * explainer->stride);
            graft_softmax_row(explainer->logits + r * classes, classes, explainer->one_hot);
            for (int32_t y = at.top; y < at.bottom; y++)
                for (int32_t x = at.left; x < at.right; x++) {
                    explainer->map[(int64_t)y * p->crop_width + x] += whole - explainer->one_hot[chosen];
                    explainer->hits[(int64_t)y * p->crop_width + x] += 1;
                }
        }
    }
    for (int64_t i = 0; i < places; i++)
        explainer->map[i] = explainer->hits[i] > 0 ? fmaxf(explainer->map[i] / explainer->hits[i], 0) : 0;
    return GRAFT_OK;
}

/* Which class: as asked, or the most probable. */
static enum graft_status choose_class(struct graft_explainer *explainer, int32_t asked, int32_t *chosen)
{
    const int32_t classes = graft_classifier_class_count(explainer->classifier);
    if (asked < -1 || asked >= classes)
        return graft_fail(explainer->context, GRAFT_ERROR_ARGUMENT, "class %d; there are %d", asked, classes);
    *chosen = asked;
    if (asked < 0)
        graft_top_k(explainer->probabilities, classes, 1, chosen);
    return GRAFT_OK;
}

enum graft_status graft_explain_pixels(struct graft_explainer *explainer, const uint8_t *pixels,
                                       int32_t class_index, struct graft_heat *heat)
{
    const struct graft_preprocess *const p = preprocess_of(explainer);
    const int32_t classes = graft_classifier_class_count(explainer->classifier);
    int32_t chosen = 0;
    enum graft_status status = graft_classifier_run(explainer->classifier, pixels, 1, explainer->logits);
    if (status != GRAFT_OK)
        return status;
    graft_softmax_row(explainer->logits, classes, explainer->probabilities);
    status = choose_class(explainer, class_index, &chosen);
    if (status != GRAFT_OK)
        return status;
    if (explainer->method == GRAFT_EXPLAIN_OCCLUSION) {
        status = heat_occlusion(explainer, pixels, chosen);
    } else {
        const int64_t rows = explainer->model->batch;
        memset(explainer->one_hot, 0, (size_t)(rows * classes) * sizeof(float));
        for (int64_t r = 0; r < rows; r++)
            explainer->one_hot[r * classes + chosen] = 1;
        status = looks_at_features(explainer)                  ? heat_features(explainer, pixels)
                 : explainer->method == GRAFT_EXPLAIN_GRADIENT ? heat_gradient(explainer, pixels)
                                                               : heat_integrated(explainer, pixels);
    }
    if (status != GRAFT_OK)
        return status;
    const float largest =
        graft_heat_largest(explainer->map, (int64_t)explainer->map_height * explainer->map_width);
    graft_heat_enlarge(explainer->map, explainer->map_height, explainer->map_width,
                       largest > 0 ? 1 / largest : 0, p->crop_height, p->crop_width, explainer->pixels);
    *heat = (struct graft_heat){.class_index = chosen,
                                .probabilities = explainer->probabilities,
                                .map = explainer->map,
                                .height = explainer->map_height,
                                .width = explainer->map_width,
                                .largest = largest,
                                .pixels = explainer->pixels};
    return GRAFT_OK;
}

enum graft_status graft_explain_image(struct graft_explainer *explainer, const struct graft_image *image,
                                      int32_t class_index, struct graft_heat *heat)
{
    const enum graft_status status =
        graft_preprocess_image(explainer->context, preprocess_of(explainer), image, explainer->picture);
    return status == GRAFT_OK ? graft_explain_pixels(explainer, explainer->picture, class_index, heat)
                              : status;
}
