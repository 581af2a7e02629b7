/* SPDX-License-Identifier: MIT */
/* graft features: what a network makes of pictures, as a NumPy file, for other programs. */
#include "base/context.h"
#include "base/file.h"
#include "base/text.h"
#include "columns.h"
#include "data/fault.h"
#include "embedded.h"
#include "graft/io.h"
#include "network.h"
#include "output.h"
#include "verbs.h"

#include <stdio.h>
#include <string.h>

struct request {
    struct graft_network_options network;
    struct graft_dataset_options data; /* columns of a table */
    const char *pool, *out;
    bool skip_damaged;
};

struct features {
    struct graft_command *command;
    const struct request *request;
    struct graft_classifier *classifier;
    struct graft_dataset *dataset;
    enum graft_split split; /* that is run now */
    int64_t rows, capacity; /* done; pictures of the data */
    int64_t width;
    float *table; /* [capacity, width] */
    struct graft_text list;
};

/* A name in a line of the list: its line breaks and tabs are escaped. */
static void add_field(struct features *job, const char *text, const char *end)
{
    char shown[GRAFT_NAME_SHOWN];
    graft_text_append(job->command->context, &job->list, "%s%s", graft_show_name(text, shown), end);
}

static enum graft_status take(void *user, const struct graft_classified *picture)
{
    struct features *const job = user;
    struct graft_context *const context = job->command->context;
    char name[GRAFT_NAME_SHOWN];
    if (picture->values == NULL && !job->request->skip_damaged) {
        return graft_fail(context, picture->status, "%s" GRAFT_DAMAGED_ADVICE, picture->note);
    }
    if (picture->note != NULL) {
        graft_log(context, GRAFT_LOG_WARNING, "%s: %s", picture->values == NULL ? "left out" : "suspect",
                  picture->note);
    }
    if (picture->values != NULL) {
        memcpy(job->table + job->rows++ * job->width, picture->values, (size_t)job->width * sizeof(float));
        add_field(job, graft_dataset_sample_name(job->dataset, job->split, picture->index, name, sizeof name),
                  "\t");
        add_field(job, graft_dataset_truth(job->dataset, job->split, picture->index, name, sizeof name), "\t");
        add_field(job, graft_split_name(job->split), "\n");
    }
    graft_command_progress(job->command, "features: %lld/%lld pictures", (long long)job->rows,
                           (long long)job->capacity);
    return job->list.failed ? GRAFT_ERROR_MEMORY : GRAFT_OK;
}

/* FILE.npy and FILE.txt. */
static int write_files(struct features *job)
{
    struct graft_context *const context = job->command->context;
    const char *const out = job->request->out;
    const struct graft_shape one = graft_classifier_shape(job->classifier);
    struct graft_desc desc = {.dtype = GRAFT_DTYPE_F32, .shape = {.rank = one.rank + 1, .dim = {job->rows}}};
    memcpy(desc.shape.dim + 1, one.dim, (size_t)one.rank * sizeof one.dim[0]);
    char shape[96], shown[2][GRAFT_NAME_SHOWN];
    struct graft_text list = {0};
    graft_text_append(context, &list, "%.*s.txt", (int)(strlen(out) - (graft_text_ends(out, ".npy") ? 4 : 0)),
                      out);
    enum graft_status status =
        list.failed ? GRAFT_ERROR_MEMORY : graft_npy_save(context, out, &desc, job->table);
    if (status == GRAFT_OK) {
        status = graft_file_write(context, list.data, job->list.data, job->list.length);
    }
    int code = status == GRAFT_OK ? GRAFT_EXIT_DONE : graft_command_failed(job->command, status);
    if (status == GRAFT_OK && job->command->json) {
        code = graft_json_print(job->command, json_pack("{s:o, s:o, s:o}", "features", graft_json_text(out),
                                                        "list", graft_json_text(list.data), "shape",
                                                        graft_json_shape(&desc.shape)));
    } else if (status == GRAFT_OK) {
        printf("%s: %s, in the order of %s\n", graft_show_name(out, shown[0]),
               graft_shape_format(&desc.shape, shape, sizeof shape), graft_show_name(list.data, shown[1]));
    }
    graft_text_close(context, &list);
    return code;
}

static int compute(struct features *job)
{
    enum graft_status status = GRAFT_OK;
    job->width = graft_classifier_width(job->classifier);
    for (int s = 0; s < GRAFT_SPLIT_COUNT; s++) {
        job->capacity += graft_dataset_count(job->dataset, (enum graft_split)s);
    }
    job->table =
        graft_allocate(job->command->context, (size_t)job->capacity, (size_t)job->width * sizeof(float));
    if (job->table == NULL) {
        return graft_command_error(job->command, "not enough memory for %lld x %lld numbers: use --pool avg",
                                   (long long)job->capacity, (long long)job->width);
    }
    for (int s = 0; s < GRAFT_SPLIT_COUNT && status == GRAFT_OK; s++) {
        job->split = (enum graft_split)s;
        if (graft_dataset_count(job->dataset, job->split) > 0) {
            status = graft_classifier_dataset(job->classifier, job->dataset, job->split, take, job);
        }
    }
    graft_command_progress_end(job->command);
    return status == GRAFT_OK ? write_files(job) : graft_command_failed(job->command, status);
}

static int extract(struct features *job, struct graft_device *device)
{
    struct graft_command *const command = job->command;
    int code = graft_network_open(command, device, &job->request->network, &job->classifier);
    if (code == GRAFT_EXIT_GO_ON && job->request->pool != NULL &&
        job->request->network.pool != GRAFT_MODEL_POOL_NONE && !graft_classifier_pooled(job->classifier)) {
        char text[96];
        const struct graft_shape shape = graft_classifier_shape(job->classifier);
        code = graft_command_usage(command, "--pool needs maps [n, h, w, c]; this layer gives %s a picture",
                                   graft_shape_format(&shape, text, sizeof text));
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = graft_open_pictures(command, command->operands[1], &job->request->data,
                                   job->request->skip_damaged, &job->dataset);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = compute(job);
    }
    graft_release(command->context, job->table);
    graft_text_close(command->context, &job->list);
    graft_dataset_close(&job->dataset);
    graft_classifier_close(&job->classifier);
    return code;
}

static int run(struct graft_command *command)
{
    static const char *const pools[] = {"none", "avg", "max"};
    struct request request = {.out = "features.npy",
                              .network = {.output = "features", .pool = GRAFT_MODEL_POOL_AVG}};
    struct features job = {.command = command, .request = &request};
    struct graft_device *device = NULL;
    const struct graft_option options[] = {
        {"--layer", "NAME", "output of this layer or stage; else what enters the head", GRAFT_OPTION_TEXT,
         &request.network.output, 0, 0},
        {"--pool", "KIND", "avg, max or none of a map [h, w, c]", GRAFT_OPTION_TEXT, &request.pool, 0, 0,
         .usual = "avg"},
        {"--out", "FILE", "NumPy file; the list of files goes to the same name with .txt", GRAFT_OPTION_TEXT,
         &request.out, 0, 0, .usual = "features.npy"},
        {"--skip-damaged", NULL, "leave out pictures that cannot be read, and list them", GRAFT_OPTION_FLAG,
         &request.skip_damaged, 0, 0},
        GRAFT_COLUMN_OPTIONS(request.data),
        GRAFT_NETWORK_OPTIONS(request.network),
    };
    int code = graft_command_begin(command, options, sizeof options / sizeof options[0]);
    if (code == GRAFT_EXIT_GO_ON && request.pool != NULL) {
        const int pool = graft_command_choice(command, "--pool", request.pool, pools, 3);
        if (pool < 0) {
            return GRAFT_EXIT_USAGE;
        }
        request.network.pool = (enum graft_model_pool)pool;
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = graft_network_device(command, &request.network, &device);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = extract(&job, device);
    }
    graft_device_close(&device);
    return code;
}

const struct graft_verb graft_verb_features = {
    .name = "features",
    .operands = "RUN-or-MODEL-or-FILE DATA",
    .purpose = "writes the feature vectors of pictures as a NumPy file",
    .examples = "  graft features squeezenet1_0 --weights squeezenet1_0.safetensors photos --out photos.npy\n"
                "                                                     what enters the head\n"
                "  graft features runs/flowers-1 flowers --layer features.3.squeeze --pool max\n"
                "                                                     what a layer gives\n",
    .notes =
        "  Maps are [n, h, w, c]. The list has a line for each row: file, class, part of the data; line\n"
        "  breaks and tabs in names are escaped. Pictures need no classes.\n",
    .least = 2,
    .most = 2,
    .cancels = true,
    .writes_files = true,
    .run = run,
};
