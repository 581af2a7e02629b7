/* SPDX-License-Identifier: MIT */
/* graft features: what a network makes of pictures, as a NumPy file, for other programs. */
#include "base/context.h"
#include "base/file.h"
#include "base/text.h"
#include "graft/io.h"
#include "network.h"
#include "output.h"
#include "verbs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SIZE 4096

enum pool { POOL_NONE, POOL_AVG, POOL_MAX };

struct request {
    struct graft_network_options network;
    const char *layer, *pool, *out;
    bool skip_damaged;
};

struct features {
    struct graft_command *command;
    const struct request *request;
    struct graft_classifier *classifier;
    struct graft_dataset *dataset;
    int value;                /* of the network's graph */
    struct graft_shape shape; /* of the value: [batch, …] */
    enum pool pool;
    int64_t columns;  /* elements of a picture before pooling */
    int64_t width;    /* … and after */
    int64_t rows;     /* done */
    int64_t capacity; /* pictures of the data */
    float *one_batch; /* [batch, columns] */
    float *logits;    /* [batch, classes] */
    float *table;     /* [capacity, width] */
    struct graft_text list;
};

/* The value that is asked for: a layer's output, or what enters the head. */
static int choose_layer(struct features *job)
{
    const struct graft_model *const model = graft_classifier_model(job->classifier);
    const char *const layer = job->request->layer;
    const char **const names = calloc((size_t)model->layer_count + 1, sizeof *names);
    job->value = layer == NULL ? model->features : -1;
    for (int i = 0; layer != NULL && names != NULL && i < model->layer_count; i++) {
        names[i] = model->layers[i].name;
        job->value = strcmp(names[i], layer) == 0 ? model->layers[i].value : job->value;
    }
    const char *const nearest =
        job->value < 0 && names != NULL ? graft_text_nearest(layer, names, (size_t)model->layer_count) : NULL;
    free(names);
    if (job->value < 0) {
        return graft_command_usage(job->command, "%s has no layer \"%s\"%s%s%s: graft summary %s lists them",
                                   model->info->name, layer, nearest != NULL ? "; did you mean " : "",
                                   nearest != NULL ? nearest : "", nearest != NULL ? "?" : "",
                                   model->info->name);
    }
    job->shape = graft_graph_desc(model->graph, job->value)->shape;
    if (job->pool != POOL_NONE && job->shape.rank != 4 && job->request->pool != NULL) {
        char text[96];
        return graft_command_usage(job->command, "--pool needs maps [n, h, w, c]; this layer gives %s",
                                   graft_shape_format(&job->shape, text, sizeof text));
    }
    job->pool = job->shape.rank == 4 ? job->pool : POOL_NONE;
    job->columns = graft_shape_count(&job->shape) / model->batch;
    job->width = job->pool == POOL_NONE ? job->columns : job->shape.dim[3];
    return GRAFT_EXIT_GO_ON;
}

/* [h·w, c] → [c] */
static void pool_row(const struct features *job, const float *row, float *result)
{
    const int64_t channels = job->shape.dim[3];
    const int64_t places = job->shape.dim[1] * job->shape.dim[2];
    for (int64_t c = 0; c < channels; c++) {
        double sum = 0;
        float most = row[c];
        for (int64_t i = 0; i < places; i++) {
            sum += (double)row[i * channels + c];
            most = fmaxf(most, row[i * channels + c]);
        }
        result[c] = job->pool == POOL_AVG ? (float)(sum / (double)places) : most;
    }
}

static enum graft_status run_batch(struct features *job, const struct graft_batch *batch,
                                   enum graft_split split)
{
    struct graft_context *const context = job->command->context;
    const char *const *const names = graft_dataset_class_names(job->dataset);
    const uint64_t bytes = (uint64_t)graft_shape_count(&job->shape) * sizeof(float);
    char name[NAME_SIZE];
    enum graft_status status =
        graft_classifier_run(job->classifier, batch->pixels, batch->valid, job->logits);
    if (status == GRAFT_OK) {
        status = graft_plan_read(graft_classifier_plan(job->classifier), job->value, job->one_batch, bytes);
    }
    for (int32_t i = 0; i < batch->valid && status == GRAFT_OK; i++) {
        const float *const row = job->one_batch + i * job->columns;
        float *const result = job->table + job->rows++ * job->width;
        if (job->pool == POOL_NONE) {
            memcpy(result, row, (size_t)job->width * sizeof *row);
        } else {
            pool_row(job, row, result);
        }
        graft_dataset_sample_name(job->dataset, split, batch->samples[i], name, sizeof name);
        graft_text_append(context, &job->list, "%s\t%s\t%s\n", name, names[batch->labels[i]],
                          graft_split_name(split));
    }
    graft_command_progress(job->command, "features: %lld/%lld pictures", (long long)job->rows,
                           (long long)job->capacity);
    return status == GRAFT_OK && job->list.failed ? GRAFT_ERROR_MEMORY : status;
}

static enum graft_status run_split(struct features *job, enum graft_split split)
{
    const struct graft_loader_options options = {.split = split,
                                                 .batch = (int32_t)graft_classifier_batch(job->classifier),
                                                 .skip_damaged = job->request->skip_damaged};
    struct graft_loader *loader = NULL;
    struct graft_batch batch = {0};
    enum graft_status status = graft_loader_open(
        job->command->context, job->dataset, graft_classifier_preprocess(job->classifier), &options, &loader);
    while (status == GRAFT_OK) {
        status = graft_loader_next(loader, &batch);
        if (status != GRAFT_OK || batch.valid == 0) {
            break;
        }
        status = run_batch(job, &batch, split);
    }
    graft_loader_close(&loader);
    return status;
}

/* FILE.npy and FILE.txt. */
static int write_files(struct features *job)
{
    struct graft_context *const context = job->command->context;
    const char *const out = job->request->out;
    const size_t length = strlen(out) - (graft_text_ends(out, ".npy") ? 4 : 0);
    struct graft_desc desc = {.dtype = GRAFT_DTYPE_F32, .shape = job->shape};
    char list[NAME_SIZE], shape[96];
    if (job->pool != POOL_NONE) {
        desc.shape = graft_shape_of(2, job->rows, job->width);
    }
    desc.shape.dim[0] = job->rows;
    snprintf(list, sizeof list, "%.*s.txt", (int)length, out);
    enum graft_status status = graft_npy_save(context, out, &desc, job->table);
    if (status == GRAFT_OK) {
        status = graft_file_write(context, list, job->list.data, job->list.length);
    }
    if (status != GRAFT_OK) {
        return graft_command_failed(job->command, status);
    }
    if (job->command->json) {
        return graft_json_print(job->command,
                                json_pack("{s:o, s:o, s:o}", "features", graft_json_text(out), "list",
                                          graft_json_text(list), "shape", graft_json_shape(&desc.shape)));
    }
    printf("%s: %s, in the order of %s\n", out, graft_shape_format(&desc.shape, shape, sizeof shape), list);
    return GRAFT_EXIT_DONE;
}

static int compute(struct features *job)
{
    const struct graft_model *const model = graft_classifier_model(job->classifier);
    enum graft_status status = GRAFT_OK;
    for (int s = 0; s < GRAFT_SPLIT_COUNT; s++) {
        job->capacity += graft_dataset_count(job->dataset, (enum graft_split)s);
    }
    job->one_batch = calloc((size_t)model->batch, (size_t)job->columns * sizeof(float));
    job->logits = calloc((size_t)model->batch, (size_t)model->classes * sizeof(float));
    job->table =
        graft_allocate(job->command->context, (size_t)job->capacity, (size_t)job->width * sizeof(float));
    if (job->one_batch == NULL || job->logits == NULL || job->table == NULL) {
        return graft_command_error(job->command, "not enough memory for %lld x %lld numbers: use --pool avg",
                                   (long long)job->capacity, (long long)job->width);
    }
    for (int s = 0; s < GRAFT_SPLIT_COUNT && status == GRAFT_OK; s++) {
        if (graft_dataset_count(job->dataset, (enum graft_split)s) > 0) {
            status = run_split(job, (enum graft_split)s);
        }
    }
    graft_command_progress_end(job->command);
    return status == GRAFT_OK ? write_files(job) : graft_command_failed(job->command, status);
}

static int extract(struct features *job, struct graft_device *device)
{
    struct graft_command *const command = job->command;
    const struct graft_dataset_options options = {.val_fraction = -1};
    int code = graft_network_open(command, device, &job->request->network, &job->classifier);
    if (code == GRAFT_EXIT_GO_ON) {
        code = choose_layer(job);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        const enum graft_status status =
            graft_dataset_open(command->context, command->operands[1], &options, &job->dataset);
        code = status == GRAFT_OK ? compute(job) : graft_command_failed(command, status);
    }
    free(job->one_batch);
    free(job->logits);
    graft_release(job->command->context, job->table);
    graft_text_close(command->context, &job->list);
    graft_dataset_close(&job->dataset);
    graft_classifier_close(&job->classifier);
    return code;
}

static int run(struct graft_command *command)
{
    static const char *const pools[] = {"none", "avg", "max"};
    struct request request = {.out = "features.npy", .network.keep_all = true};
    struct features job = {.command = command, .request = &request, .pool = POOL_AVG};
    struct graft_device *device = NULL;
    const struct graft_option options[] = {
        {"--layer", "NAME", "output of this layer; else what enters the head", GRAFT_OPTION_TEXT,
         &request.layer, 0, 0},
        {"--pool", "KIND", "avg (as by default), max or none of a map [h, w, c]", GRAFT_OPTION_TEXT,
         &request.pool, 0, 0},
        {"--out", "FILE", "NumPy file (features.npy); the list of files goes to the same name with .txt",
         GRAFT_OPTION_TEXT, &request.out, 0, 0},
        {"--skip-damaged", NULL, "leave out pictures that cannot be read, and list them", GRAFT_OPTION_FLAG,
         &request.skip_damaged, 0, 0},
        GRAFT_NETWORK_OPTIONS(request.network),
    };
    int code = graft_command_begin(command, options, sizeof options / sizeof options[0]);
    if (code == GRAFT_EXIT_GO_ON && request.pool != NULL) {
        const int pool = graft_command_choice(command, "--pool", request.pool, pools, 3);
        if (pool < 0) {
            return GRAFT_EXIT_USAGE;
        }
        job.pool = (enum pool)pool;
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = graft_network_check(command, &request.network);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        char name[GRAFT_MODEL_NAME_SIZE];
        graft_network_name(command, name);
        code = graft_command_open_device(command, name, false, &device);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = extract(&job, device);
    }
    graft_device_close(&device);
    return code;
}

const struct graft_verb graft_verb_features = {
    .name = "features",
    .operands = "RUN-or-MODEL DATA",
    .purpose = "writes the feature vectors of pictures as a NumPy file",
    .examples = "  graft features squeezenet1_0 --weights squeezenet1_0.safetensors photos --out photos.npy\n"
                "                                                     what enters the head\n"
                "  graft features runs/flowers-1 flowers --layer features.3.squeeze --pool max\n"
                "                                                     what a layer gives\n",
    .notes = "  Maps are [n, h, w, c]. The list has a line for each row: file, class, part of the data.\n",
    .least = 2,
    .most = 2,
    .cancels = true,
    .run = run,
};
