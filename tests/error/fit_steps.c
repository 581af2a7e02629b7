/* SPDX-License-Identifier: MIT */
/* Whole networks: classifier, evaluation, fit, resuming, the report. */
#include "world.h"

#include "graft/ascent.h"
#include "graft/attack.h"
#include "graft/explain.h"
#include "support/support.h"

#include <stdio.h>
#include <string.h>

enum graft_status step_classifier(struct world *world)
{
    char weights[160];
    (void)snprintf(weights, sizeof weights, "%s", world_path(world, "weights.safetensors"));
    const struct graft_classifier_options options = {
        .network = "tiny_convnet", .weights = weights, .batch = 2};
    return graft_classifier_open(world->device, &options, &world->classifier);
}

enum graft_status step_classify(struct world *world)
{
    float logits[2] = {0};
    const enum graft_status status =
        graft_classifier_file(world->classifier, world_path(world, "data/val/a/1.png"), logits);
    if (status == GRAFT_OK) {
        world_hash(world, logits, sizeof logits);
    }
    return status;
}

static enum graft_status hash_row(void *user, const struct graft_classified *row)
{
    struct world *const world = user;
    /* A call that fails makes a row of its own kind: here that is the failure. */
    if (row->status != (row->index == 1 ? GRAFT_ERROR_NOT_FOUND : GRAFT_OK)) {
        return graft_context_fail(world->context, row->status,
                                  row->note ? row->note : "a row without a note");
    }
    world_hash(world, &row->index, sizeof row->index);
    world_hash(world, &row->status, sizeof row->status);
    if (row->values) {
        world_hash(world, row->values, 2 * sizeof *row->values);
    }
    return GRAFT_OK;
}

/* A list of files, one of which is not there: that is a row, what fails beside it is an error. */
enum graft_status step_classify_files(struct world *world)
{
    char first[200], second[200];
    (void)snprintf(first, sizeof first, "%s", world_path(world, "data/val/a/1.png"));
    (void)snprintf(second, sizeof second, "%s", world_path(world, "data/absent.png"));
    const char *const paths[] = {first, second, first};
    const uint64_t before = world->bits;
    const enum graft_status status = graft_classifier_files(world->classifier, paths, 3, hash_row, world);
    if (status != GRAFT_OK) {
        world->bits = before;
    }
    return status;
}

enum graft_status step_evaluate(struct world *world)
{
    struct graft_evaluation evaluation = {0};
    struct graft_predictions predictions = {0};
    enum graft_status status = GRAFT_OK;
    if (world->dataset == NULL) {
        status = graft_dataset_open(world->context, world_path(world, "data"), NULL, &world->dataset);
    }
    if (status == GRAFT_OK) {
        const struct graft_evaluate_options options = {.split = GRAFT_SPLIT_VAL, .predictions = &predictions};
        status = graft_classifier_evaluate(world->classifier, world->dataset, &options, &evaluation);
    }
    if (status == GRAFT_OK) {
        world_hash(world, &evaluation.loss, sizeof evaluation.loss);
        world_hash(world, evaluation.confusion, 4 * sizeof *evaluation.confusion);
    }
    graft_predictions_close(world->context, &predictions);
    graft_evaluation_close(world->context, &evaluation);
    return status;
}

/* A table of labels or of numbers, and an evaluation of its pictures. */
static enum graft_status judge_table(struct world *world, const char *text)
{
    char path[200];
    struct graft_dataset *dataset = NULL;
    struct graft_evaluation evaluation = {0};
    float targets[4], outputs[4] = {0.5f, -0.25f, 1, 0};
    (void)snprintf(path, sizeof path, "%s", world_path(world, "targets.csv"));
    fault_pause(true);
    FILE *const file = fopen(path, "wb");
    (void)fputs(text, file);
    (void)fclose(file);
    fault_pause(false);
    enum graft_status status = graft_dataset_open(
        world->context, path, &(struct graft_dataset_options){.val_fraction = -1}, &dataset);
    const int32_t classes = status == GRAFT_OK ? graft_dataset_class_count(dataset) : 0;
    const struct graft_target target = {
        .task = status == GRAFT_OK ? graft_dataset_task(dataset) : GRAFT_TASK_LABELS, .deviation = 1};
    if (status == GRAFT_OK) {
        status = graft_evaluation_open_target(world->context, &target, classes, 2, &evaluation);
    }
    for (int64_t i = 0; status == GRAFT_OK && i < 2; i++) {
        graft_dataset_targets(dataset, GRAFT_SPLIT_TRAIN, i, targets);
        graft_evaluation_add_targets(&evaluation, outputs, targets);
    }
    if (status == GRAFT_OK) {
        graft_evaluation_finish(&evaluation);
        world_hash(world, &evaluation.loss, sizeof evaluation.loss);
    }
    graft_evaluation_close(world->context, &evaluation);
    graft_dataset_close(&dataset);
    return status;
}

enum graft_status step_targets(struct world *world)
{
    const uint64_t before = world->bits;
    enum graft_status status =
        judge_table(world, "path,label\ndata/val/a/1.png,x;y\ndata/val/b/1.png,y\n");
    if (status == GRAFT_OK) {
        status = judge_table(world, "path,age\ndata/val/a/1.png,1.5\ndata/val/b/1.png,3\n");
    }
    if (status != GRAFT_OK) {
        world->bits = before;
    }
    return status;
}

/* A heat by gradients, in a row of two steps a batch. */
enum graft_status step_explain(struct world *world)
{
    char weights[160];
    (void)snprintf(weights, sizeof weights, "%s", world_path(world, "weights.safetensors"));
    const struct graft_explainer_options options = {
        .classifier = {.network = "tiny_convnet", .weights = weights, .batch = 2},
        .method = GRAFT_EXPLAIN_INTEGRATED,
        .steps = 3};
    uint8_t pixels[24 * 20 * 3];
    const struct graft_image picture = {24, 20, 3, pixels};
    struct graft_explainer *explainer = NULL;
    struct graft_heat heat = {0};
    for (size_t i = 0; i < sizeof pixels; i++) {
        pixels[i] = (uint8_t)(i * 7 % 251);
    }
    enum graft_status status = graft_explainer_open(world->device, &options, &explainer);
    if (status == GRAFT_OK) {
        status = graft_explain_image(explainer, &picture, 1, &heat);
    }
    if (status == GRAFT_OK) {
        world_hash(world, heat.map, (size_t)heat.height * (size_t)heat.width * sizeof *heat.map);
    }
    graft_explainer_close(&explainer);
    return status;
}

/* Two radii of a picture that is made larger on its way. */
enum graft_status step_attack(struct world *world)
{
    char weights[160];
    (void)snprintf(weights, sizeof weights, "%s", world_path(world, "weights.safetensors"));
    const struct graft_attack_options options = {
        .classifier = {.network = "tiny_convnet", .weights = weights, .batch = 1},
        .method = GRAFT_ATTACK_MINIMAL,
        .epsilon = 2 / 255.0,
        .steps = 1};
    uint8_t pixels[24 * 20 * 3];
    const struct graft_image picture = {24, 20, 3, pixels};
    struct graft_attack *attack = NULL;
    struct graft_attacked attacked;
    for (size_t i = 0; i < sizeof pixels; i++) {
        pixels[i] = (uint8_t)(i * 7 % 251);
    }
    enum graft_status status = graft_attack_open(world->device, &options, &attack);
    if (status == GRAFT_OK) {
        status = graft_attack_run(attack, &picture, 1, -1, &attacked);
    }
    if (status == GRAFT_OK) {
        world_hash(world, attacked.pixels, sizeof pixels);
    }
    graft_attack_close(&attack);
    return status;
}

/* Two pictures of classes at once. */
enum graft_status step_ascent(struct world *world)
{
    char weights[160];
    (void)snprintf(weights, sizeof weights, "%s", world_path(world, "weights.safetensors"));
    const struct graft_ascent_options options = {
        .classifier = {.network = "tiny_convnet", .weights = weights, .batch = 2}, .steps = 2, .octaves = 2};
    struct graft_ascent *ascent = NULL;
    struct graft_ideal ideals[2];
    enum graft_status status = graft_ascent_open(world->device, &options, &ascent);
    if (status == GRAFT_OK) {
        status = graft_ascent_run(ascent, (const int32_t[]){1, 0}, 2, NULL, NULL, NULL, ideals);
    }
    if (status == GRAFT_OK) {
        world_hash(world, &ideals[0].score, sizeof ideals[0].score);
        world_hash(world, &ideals[1].score, sizeof ideals[1].score);
    }
    graft_ascent_close(&ascent);
    return status;
}

/* Of each class of the data the surest pictures, on a page. */
enum graft_status step_examples(struct world *world)
{
    char weights[160];
    (void)snprintf(weights, sizeof weights, "%s", world_path(world, "weights.safetensors"));
    const struct graft_classifier_options options = {
        .network = "tiny_convnet", .weights = weights, .batch = 2};
    int64_t confusion[4] = {2, 1, 0, 3};
    struct graft_class_figures figures[2] = {{.images = 3}, {.images = 3}};
    const struct graft_evaluation evaluation = {
        .images = 6, .classes = 2, .confusion = confusion, .figures = figures};
    struct graft_examples *examples = NULL;
    enum graft_status status =
        graft_examples_find(world->device, &options, world->dataset, GRAFT_SPLIT_COUNT, NULL, &examples);
    const uint64_t before = world->bits;
    if (status == GRAFT_OK) {
        status = graft_vis_evaluation(world->context, world_path(world, "evaluation.html"), "Ants",
                                      &evaluation, graft_dataset_class_names(world->dataset), examples);
    }
    world->bits = before; /* a font that is missing for once changes the picture */
    graft_examples_close(&examples);
    return status;
}

static enum graft_status fit(struct world *world, const struct graft_fit_options *options)
{
    struct graft_fit_result result;
    const enum graft_status status = graft_fit(world->device, options, &result);
    if (status == GRAFT_OK) {
        world_hash(world, &result.val_loss, sizeof result.val_loss);
        world_hash(world, &result.evaluation.loss, sizeof result.evaluation.loss);
        fault_pause(true);
        world_hash_file(world, "run/model.safetensors");
        world_hash_file(world, "run/last.safetensors");
        fault_pause(false);
    }
    graft_fit_result_close(world->context, &result);
    return status;
}

/* The head on cached features, then everything. A run that failed leaves what is needed to go on, or nothing:
 * it is taken away here, since this step begins anew. */
enum graft_status step_fit(struct world *world)
{
    char data[160], weights[160], out[160];
    (void)snprintf(data, sizeof data, "%s", world_path(world, "data"));
    (void)snprintf(weights, sizeof weights, "%s", world_path(world, "weights.safetensors"));
    (void)snprintf(out, sizeof out, "%s", world_path(world, "run"));
    const struct graft_fit_options options = {
        .recipe = {.data = data,
                   .model = "tiny_convnet",
                   .weights = weights,
                   .stages = {{"head", 1, 1e-2}, {"all", 1, 1e-3}},
                   .stage_count = 2,
                   .batch = 4,
                   .input = 16,
                   .seed = 3,
                   .tensorboard = 2},
        .out = out,
    };
    fault_pause(true);
    test_folder_remove(out);
    fault_pause(false);
    return fit(world, &options);
}

/* The run that world_prepare interrupted. */
enum graft_status step_resume(struct world *world)
{
    char from[160], out[160];
    (void)snprintf(from, sizeof from, "%s", world_path(world, "interrupted"));
    (void)snprintf(out, sizeof out, "%s", world_path(world, "run"));
    const struct graft_fit_options options = {.resume = out};
    fault_pause(true);
    test_folder_remove(out);
    char command[400];
    (void)snprintf(command, sizeof command, "cp -r '%s' '%s'", from, out);
    if (system(command) != 0) {
        printf("       cannot copy the interrupted run\n");
        world->broken = true;
    }
    fault_pause(false);
    return fit(world, &options);
}

enum graft_status step_report(struct world *world)
{
    int64_t confusion[4] = {2, 1, 0, 1};
    struct graft_class_figures figures[2] = {{3, 1, 0.6, 0.8}, {1, 0.5, 1, 0.7}};
    const struct graft_evaluation evaluation = {.images = 4,
                                                .loss = 0.5,
                                                .top1 = 0.75,
                                                .top5 = 1,
                                                .classes = 2,
                                                .figures = figures,
                                                .confusion = confusion};
    return graft_vis_run(world->context, world_path(world, "interrupted"), &evaluation);
}
