/* SPDX-License-Identifier: MIT */
/*
 * The student's training. Its features are to be the teacher's, up to an error that is small against the
 * teacher's spread; through the teacher's own classifier they are to name the same classes; and a head of its
 * own learns the labels. AdamW, a learning rate that warms up and falls as a cosine.
 */
#include "shipped.h"

#include "base/clock.h"
#include "base/context.h"
#include "io/stored.h"
#include "run/card.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define WEIGHT_FEATURES 2.0
#define WEIGHT_CLASSES 1.0
#define WEIGHT_LABELS 0.3
#define WARMUP 1000
#define KEY_EPOCH "shipped.epoch"

struct student {
    const struct shipped *job;
    struct graft_model *model;
    struct graft_variables *variables;
    struct graft_plan *plan;
    struct graft_loader *loader;
    int teacher, labels, hyper, losses[3]; /* values */
    const uint16_t **targets;              /* [versions] [pictures, features] */
    size_t target_bytes;
    float *batch_targets;
    int64_t number; /* of the latest step */
    int epoch;
};

/* ---- the graph */

static int mean(struct graft_graph *graph, int x)
{
    const struct graft_desc desc = *graft_graph_desc(graph, x);
    const struct graft_reduce_attributes sum = {.kind = GRAFT_REDUCE_SUM,
                                                .axes = (1u << desc.shape.rank) - 1};
    const double factor = 1 / (double)graft_shape_count(&desc.shape);
    const struct graft_shape one = graft_shape_of(0);
    return graft_mul(graph, graft_reduce(graph, x, &sum),
                     graft_graph_constant(graph, "factor", &one, &factor));
}

static int scale(struct graft_graph *graph, int x, double factor)
{
    const struct graft_shape one = graft_shape_of(0);
    return graft_mul(graph, x, graft_graph_constant(graph, "factor", &one, &factor));
}

static int constant_of(struct graft_graph *graph, const char *name, struct graft_shape shape,
                       const float *data)
{
    const size_t count = (size_t)graft_shape_count(&shape);
    double *const wide = malloc(count * sizeof *wide);
    if (!wide)
        return -1;
    for (size_t i = 0; i < count; i++)
        wide[i] = (double)data[i];
    const int value = graft_graph_constant(graph, name, &shape, wide);
    free(wide);
    return value;
}

/* Σ over classes of p log q, as a mean over pictures and with its sign turned: the teacher's classes as
 * targets. */
static int class_loss(struct graft_graph *graph, int own, int target, int w, int b)
{
    const int p = graft_softmax(graph, graft_matmul(graph, target, w, b, false, true));
    const int log_q = graft_log_softmax(graph, graft_matmul(graph, own, w, b, false, true));
    return scale(graph, mean(graph, graft_mul(graph, p, log_q)), -TEACHER_CLASSES);
}

static enum graft_status add_losses(struct student *student, double spread, int *loss)
{
    struct graft_graph *const graph = student->model->graph;
    const int64_t batch = student->job->batch;
    const struct graft_shape rows = graft_shape_of(2, batch, TEACHER_FEATURES),
                             label = graft_shape_of(1, batch);
    struct graft_tensor_set *set = NULL;
    const float *w = NULL, *b = NULL;
    enum graft_status status = shipped_classifier(student->job, &set, &w, &b);
    if (status != GRAFT_OK)
        return status;
    graft_graph_layer(graph, "loss");
    const int weights =
        constant_of(graph, "teacher.w", graft_shape_of(2, TEACHER_CLASSES, TEACHER_FEATURES), w);
    const int bias = constant_of(graph, "teacher.b", graft_shape_of(1, TEACHER_CLASSES), b);
    graft_tensor_set_close(&set);
    student->teacher = graft_graph_input(graph, "teacher", GRAFT_DTYPE_F32, &rows);
    student->labels = graft_graph_input(graph, "labels", GRAFT_DTYPE_I32, &label);
    const int difference = graft_sub(graph, student->model->features, student->teacher);
    student->losses[0] = scale(graph, mean(graph, graft_mul(graph, difference, difference)), 1 / spread);
    student->losses[1] = class_loss(graph, student->model->features, student->teacher, weights, bias);
    student->losses[2] =
        mean(graph, graft_cross_entropy(graph, student->model->logits, student->labels, -1, 0.1f));
    *loss = graft_add(graph,
                      graft_add(graph, scale(graph, student->losses[0], WEIGHT_FEATURES),
                                scale(graph, student->losses[1], WEIGHT_CLASSES)),
                      scale(graph, student->losses[2], WEIGHT_LABELS));
    for (int i = 0; i < 3; i++)
        graft_graph_output(graph, student->losses[i]);
    return graft_graph_status(graph);
}

static enum graft_status add_updates(struct student *student, int loss)
{
    struct graft_model *const model = student->model;
    const struct graft_shape four = graft_shape_of(1, 4);
    int targets[1024], gradients[1024], places[1024], count = 0;
    for (int i = 0; i < model->parameter_count && count < 1024; i++)
        if (!model->parameters[i].state) {
            places[count] = i;
            targets[count++] = model->parameters[i].value;
        }
    enum graft_status status = graft_graph_gradient(model->graph, loss, targets, count, gradients);
    student->hyper = graft_graph_input(model->graph, "hyper", GRAFT_DTYPE_F32, &four);
    for (int i = 0; i < count && status == GRAFT_OK; i++) {
        struct graft_update_attributes update = graft_update_defaults(GRAFT_ADAMW);
        update.weight_decay = model->parameters[places[i]].layout == GRAFT_LAYOUT_VECTOR ? 0 : 0.02f;
        (void)graft_update(model->graph, GRAFT_ADAMW, targets[i], gradients[i], student->hyper, -1, &update);
        status = graft_graph_status(model->graph);
    }
    return status;
}

/* ---- the teacher's features */

/* Maps the files. The spread: the mean square of what the features are away from their means. */
static enum graft_status map_targets(struct student *student, double *spread)
{
    const struct shipped *const job = student->job;
    const int64_t count = graft_dataset_count(job->dataset, GRAFT_SPLIT_TRAIN);
    student->target_bytes = (size_t)count * TEACHER_FEATURES * sizeof(uint16_t);
    student->targets = calloc((size_t)job->versions, sizeof *student->targets);
    student->batch_targets = malloc((size_t)job->batch * TEACHER_FEATURES * sizeof(float));
    if (!student->targets || !student->batch_targets)
        return GRAFT_ERROR_MEMORY;
    for (int v = 0; v < job->versions; v++) {
        char path[4096];
        struct stat facts;
        (void)snprintf(path, sizeof path, "%s/teacher-%d.f16", job->folder, v);
        const int file = open(path, O_RDONLY);
        const bool good =
            file >= 0 && fstat(file, &facts) == 0 && (size_t)facts.st_size >= student->target_bytes;
        void *const map =
            good ? mmap(NULL, student->target_bytes, PROT_READ, MAP_SHARED, file, 0) : MAP_FAILED;
        if (file >= 0)
            (void)close(file);
        if (map == MAP_FAILED)
            return graft_fail(job->context, GRAFT_ERROR_IO, "cannot read %s: %s", path, strerror(errno));
        student->targets[v] = map;
    }
    double sum = 0, squares = 0;
    const int64_t looked = count < 2000 ? count : 2000;
    for (int64_t c = 0; c < TEACHER_FEATURES; c++) {
        double one = 0, two = 0;
        for (int64_t i = 0; i < looked; i++) {
            const double x = (double)graft_float_of_half(student->targets[0][i * TEACHER_FEATURES + c]);
            one += x;
            two += x * x;
        }
        sum += one / (double)looked;
        squares += two / (double)looked - one * one / (double)looked / (double)looked;
    }
    *spread = squares / TEACHER_FEATURES;
    printf("teacher's features: mean %.3f, mean variance %.4f\n", sum / TEACHER_FEATURES, *spread);
    return GRAFT_OK;
}

/* ---- checkpoints */

static enum graft_status checkpoint_path(const struct student *student, const char *name, char *path,
                                         size_t size)
{
    return snprintf(path, size, "%s/%s", student->job->folder, name) < (int)size ? GRAFT_OK
                                                                                 : GRAFT_ERROR_ARGUMENT;
}

static enum graft_status save_checkpoint(struct student *student)
{
    struct graft_tensor_set *set = NULL;
    char path[4096], text[64];
    enum graft_status status = graft_tensor_set_open(student->job->context, &set);
    for (int i = 0; status == GRAFT_OK && i < graft_variables_count(student->variables); i++) {
        struct graft_desc desc;
        const char *const name = graft_variables_at(student->variables, i, &desc, NULL);
        status = graft_tensor_set_add(set, name, &desc, NULL);
        if (status == GRAFT_OK)
            status = graft_variables_read(student->variables, name, graft_tensor_set_find(set, name)->data,
                                          graft_desc_bytes(&desc));
    }
    (void)snprintf(text, sizeof text, "%d %lld", student->epoch, (long long)student->number);
    if (status == GRAFT_OK)
        status = graft_tensor_set_put_text(set, KEY_EPOCH, text);
    if (status == GRAFT_OK)
        status = checkpoint_path(student, "checkpoint.safetensors", path, sizeof path);
    if (status == GRAFT_OK)
        status = graft_safetensors_save(student->job->context, path, set);
    graft_tensor_set_close(&set);
    return status;
}

static enum graft_status load_checkpoint(struct student *student)
{
    struct graft_tensor_set *set = NULL;
    char path[4096];
    enum graft_status status = checkpoint_path(student, "checkpoint.safetensors", path, sizeof path);
    if (status != GRAFT_OK || access(path, F_OK) != 0)
        return status == GRAFT_OK ? graft_model_initialize(student->model, student->variables, SEED, 0)
                                  : status;
    status = graft_safetensors_load(student->job->context, path, &set);
    for (size_t i = 0; status == GRAFT_OK && i < graft_tensor_set_count(set); i++) {
        const struct graft_named_tensor *const tensor = graft_tensor_set_at(set, i);
        status = graft_variables_write(student->variables, tensor->name, tensor->data,
                                       graft_desc_bytes(&tensor->desc));
    }
    long long number = 0;
    const char *const text = status == GRAFT_OK ? graft_tensor_set_text(set, KEY_EPOCH) : NULL;
    if (status == GRAFT_OK && (!text || sscanf(text, "%d %lld", &student->epoch, &number) != 2))
        status = graft_fail(student->job->context, GRAFT_ERROR_FORMAT, "%s is no checkpoint", path);
    student->number = number;
    graft_tensor_set_close(&set);
    return status;
}

/* "goldfish" of a line "n01443537<TAB>goldfish, Carassius auratus"; the class's own name where none fits. */
static void readable_name(FILE *names, const char *class_name, char *name, size_t size)
{
    char line[512];
    (void)snprintf(name, size, "%s", class_name);
    rewind(names);
    while (fgets(line, sizeof line, names)) {
        line[strcspn(line, "\n")] = '\0';
        char *const tab = strchr(line, '\t');
        if (!tab)
            continue;
        *tab = '\0';
        if (strcmp(line, class_name) == 0) {
            tab[1 + strcspn(tab + 1, ",")] = '\0';
            (void)snprintf(name, size, "%s", tab + 1);
        }
    }
}

static enum graft_status set_classes(const struct shipped *job, struct graft_card *card)
{
    const char *const *const own = graft_dataset_class_names(job->dataset);
    const int32_t count = graft_dataset_class_count(job->dataset);
    if (!job->names_file)
        return graft_card_set_classes(job->context, card, own, count);
    FILE *const names = fopen(job->names_file, "r");
    char(*const texts)[128] = calloc((size_t)count, sizeof *texts);
    const char **const list = calloc((size_t)count, sizeof *list);
    enum graft_status status = GRAFT_ERROR_MEMORY;
    if (!names)
        status =
            graft_fail(job->context, GRAFT_ERROR_IO, "cannot read %s: %s", job->names_file, strerror(errno));
    else if (texts && list) {
        for (int32_t i = 0; i < count; i++) {
            readable_name(names, own[i], texts[i], sizeof *texts);
            list[i] = texts[i];
        }
        status = graft_card_set_classes(job->context, card, list, count);
    }
    if (names)
        (void)fclose(names);
    free(texts);
    free(list);
    return status;
}

/* The weights as they ship: in halves, with their card, and with what they were made from. */
static enum graft_status write_weights(struct student *student)
{
    const struct shipped *const job = student->job;
    struct graft_card card = {.network = STUDENT, .has_preprocess = true};
    const struct graft_model_info *info = NULL;
    struct graft_tensor_set *set = NULL;
    char path[4096], made[256];
    enum graft_status status = graft_model_find(job->context, STUDENT, &info);
    if (status == GRAFT_OK)
        status = graft_card_preprocess(job->context, info, NULL, NULL, STUDENT_PICTURES, 0, &card.preprocess);
    if (status == GRAFT_OK)
        status = set_classes(job, &card);
    if (status == GRAFT_OK)
        status = graft_tensor_set_open(job->context, &set);
    if (status == GRAFT_OK)
        status = graft_card_write(job->context, &card, set);
    (void)snprintf(
        made, sizeof made,
        "%lld pictures of Tiny ImageNet in %d classes, taught by EfficientNet-Lite0's features; %d of %d "
        "epochs, batches of %lld, seed %d",
        (long long)graft_dataset_count(job->dataset, GRAFT_SPLIT_TRAIN), card.class_count, student->epoch,
        job->epochs, (long long)job->batch, SEED);
    if (status == GRAFT_OK)
        status = graft_tensor_set_put_text(set, "graft.made_from", made);
    if (status == GRAFT_OK)
        status = graft_model_store_weights(student->model, student->variables, set);
    if (status == GRAFT_OK)
        status = checkpoint_path(student, STUDENT ".safetensors", path, sizeof path);
    if (status == GRAFT_OK)
        status = graft_safetensors_save_half(job->context, path, set);
    graft_tensor_set_close(&set);
    graft_card_close(job->context, &card);
    return status;
}

/* ---- training */

static double rate(const struct student *student, int64_t steps)
{
    const double warm = fmin(1, (double)student->number / WARMUP);
    return student->job->rate * warm * 0.5 *
           (1 + cos(3.14159265358979 * (double)student->number / (double)steps));
}

static enum graft_status step(struct student *student, const struct graft_batch *batch, int version,
                              int64_t steps, double sums[3])
{
    const int64_t rows = student->job->batch;
    for (int64_t r = 0; r < rows; r++) {
        const uint16_t *const from = student->targets[version] + batch->samples[r] * TEACHER_FEATURES;
        for (int64_t c = 0; c < TEACHER_FEATURES; c++)
            student->batch_targets[r * TEACHER_FEATURES + c] = graft_float_of_half(from[c]);
    }
    student->number++;
    const struct graft_update_attributes update = graft_update_defaults(GRAFT_ADAMW);
    const float hyper[4] = {(float)rate(student, steps),
                            (float)(1 - pow((double)update.beta1, (double)student->number)),
                            (float)(1 - pow((double)update.beta2, (double)student->number)), 1};
    struct graft_plan *const plan = student->plan;
    enum graft_status status =
        graft_plan_write(plan, student->model->input, batch->pixels,
                         (uint64_t)(rows * student->job->size * student->job->size * 3));
    if (status == GRAFT_OK)
        status = graft_plan_write(plan, student->teacher, student->batch_targets,
                                  (uint64_t)rows * TEACHER_FEATURES * sizeof(float));
    if (status == GRAFT_OK)
        status = graft_plan_write(plan, student->labels, batch->labels, (uint64_t)rows * sizeof(int32_t));
    if (status == GRAFT_OK)
        status = graft_plan_write(plan, student->hyper, hyper, sizeof hyper);
    if (status == GRAFT_OK)
        status = graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE);
    for (int i = 0; i < 3 && status == GRAFT_OK; i++) {
        float loss = 0;
        status = graft_plan_read(plan, student->losses[i], &loss, sizeof loss);
        if (status == GRAFT_OK && !isfinite(loss))
            status = graft_fail(student->job->context, GRAFT_ERROR_NUMERIC, "step %lld: a loss is not finite",
                                (long long)student->number);
        sums[i] += (double)loss;
    }
    return status == GRAFT_OK ? graft_plan_run(plan, GRAFT_SEGMENT_UPDATE) : status;
}

static enum graft_status epoch(struct student *student, int64_t steps)
{
    const int version = student->epoch % student->job->versions;
    const int64_t batches =
        graft_dataset_count(student->job->dataset, GRAFT_SPLIT_TRAIN) / student->job->batch;
    const double begin = graft_seconds();
    double sums[3] = {0};
    enum graft_status status = graft_loader_start(student->loader, version, 0);
    for (int64_t i = 0; i < batches && status == GRAFT_OK; i++) { /* the last partial batch is left out */
        struct graft_batch batch;
        status = graft_loader_next(student->loader, &batch);
        if (status == GRAFT_OK)
            status = step(student, &batch, version, steps, sums);
        if (status == GRAFT_OK && i % 50 == 49) {
            printf("\repoch %d, step %lld of %lld: features %.4f, classes %.4f, labels %.4f, %.0f pictures a "
                   "second ",
                   student->epoch + 1, (long long)i + 1, (long long)batches, sums[0] / (double)(i + 1),
                   sums[1] / (double)(i + 1), sums[2] / (double)(i + 1),
                   (double)((i + 1) * student->job->batch) / (graft_seconds() - begin));
            (void)fflush(stdout);
        }
    }
    printf("\n");
    student->epoch++;
    return status;
}

static enum graft_status open_student(struct student *student)
{
    const struct shipped *const job = student->job;
    const struct graft_model_options options = {.batch = job->batch,
                                                .height = job->size,
                                                .width = job->size,
                                                .classes = graft_dataset_class_count(job->dataset),
                                                .input_u8 = true,
                                                .training = true,
                                                .bn = GRAFT_BATCH_NORM_TRAIN};
    double spread = 1;
    int loss = -1;
    enum graft_status status = map_targets(student, &spread);
    if (status == GRAFT_OK)
        status = graft_model_open(job->context, STUDENT, &options, &student->model);
    if (status == GRAFT_OK)
        status = add_losses(student, spread, &loss);
    if (status == GRAFT_OK)
        status = add_updates(student, loss);
    if (status == GRAFT_OK)
        status = graft_variables_open(job->device, &student->variables);
    if (status == GRAFT_OK)
        status = graft_variables_add(student->variables, student->model->graph);
    if (status == GRAFT_OK)
        status = load_checkpoint(student);
    if (status == GRAFT_OK)
        status =
            graft_plan_open(student->model->graph, job->device, student->variables, NULL, &student->plan);
    if (status == GRAFT_OK)
        status = shipped_loader(job, job->size, (int32_t)job->batch, true, &student->loader);
    return status;
}

enum graft_status shipped_learn(const struct shipped *job)
{
    struct student student = {.job = job};
    enum graft_status status = open_student(&student);
    const int64_t batches = graft_dataset_count(job->dataset, GRAFT_SPLIT_TRAIN) / job->batch;
    while (status == GRAFT_OK && student.epoch < job->until) {
        status = epoch(&student, batches * job->epochs);
        if (status == GRAFT_OK)
            status = save_checkpoint(&student);
    }
    if (status == GRAFT_OK)
        status = write_weights(&student);
    for (int v = 0; student.targets && v < job->versions; v++)
        if (student.targets[v])
            (void)munmap((void *)(uintptr_t)student.targets[v], student.target_bytes);
    free(student.targets);
    free(student.batch_targets);
    graft_loader_close(&student.loader);
    graft_plan_close(&student.plan);
    graft_variables_close(&student.variables);
    graft_model_close(&student.model);
    return status;
}
