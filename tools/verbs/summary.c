/* SPDX-License-Identifier: MIT */
/* graft summary: a network layer by layer; with a device, also the memory that it takes there. */
#include "graft/train.h"
#include "io/network_source.h"
#include "model/head.h"
#include "keras_summary.h"
#include "network.h"
#include "output.h"
#include "verbs.h"
#include "weights.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct request {
    const char *pool, *freeze, *head;
    int64_t input[2];
    int64_t classes, batch;
    bool no_top, train, keras;
    struct graft_network_source source;
};

static json_t *describe_layer(const struct graft_model *model, const struct graft_model_layer *layer)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:I, s:I, s:b}", "name", layer->name, "op", layer->op, "stage",
                     model->stages[layer->stage].name, "shape", graft_json_shape(&layer->shape), "parameters",
                     (json_int_t)layer->parameters, "multiply_adds", (json_int_t)layer->multiply_adds,
                     "trainable", (int)layer->trainable);
}

/* The shape of what the network gives: logits, or features where it has no head. */
static const struct graft_shape *output_of(const struct graft_model *model)
{
    return &graft_graph_desc(model->graph, model->logits >= 0 ? model->logits : model->features)->shape;
}

static json_t *describe(const struct graft_model *model, const struct graft_plan_memory *memory)
{
    json_t *const layers = json_array();
    for (int i = 0; i < model->layer_count; i++) {
        if (json_array_append_new(layers, describe_layer(model, &model->layers[i])) != 0) {
            json_decref(layers);
            return NULL;
        }
    }
    json_t *const document =
        json_pack("{s:s, s:[I,I,I,i], s:o, s:I, s:I, s:I, s:I, s:o}", "model", model->info->name, "input",
                  (json_int_t)model->batch, (json_int_t)model->height, (json_int_t)model->width,
                  (int)model->info->channels, "output", graft_json_shape(output_of(model)), "classes",
                  (json_int_t)model->classes, "parameters", (json_int_t)model->total_parameters,
                  "trainable_parameters", (json_int_t)model->trainable_parameters, "multiply_adds",
                  (json_int_t)model->multiply_adds, "layers", layers);
    if (document != NULL && memory != NULL) {
        graft_json_add_member(document, "memory", graft_memory_json(memory));
    }
    return document;
}

/* What a plan of the model would take on the device; for training with adam's state. Takes nothing. */
static enum graft_status measure(struct graft_device *device, struct graft_model *model, bool train,
                                 struct graft_plan_memory *memory)
{
    struct graft_variables *variables = NULL;
    struct graft_trainer *trainer = NULL;
    struct graft_plan *plan = NULL;
    const struct graft_plan_options sizes = {.deferred = true};
    const struct graft_trainer_options options = {.optimizer = GRAFT_ADAM, .plan = sizes};
    enum graft_status status = graft_variables_open(device, &variables);
    if (status == GRAFT_OK && train) {
        status = graft_trainer_open(device, model, variables, &options, &trainer);
    } else if (status == GRAFT_OK) {
        status = graft_plan_open(model->graph, device, variables, &sizes, &plan);
    }
    if (status == GRAFT_OK) {
        graft_plan_get_memory(train ? graft_trainer_plan(trainer) : plan, memory);
    }
    graft_trainer_close(&trainer);
    graft_plan_close(&plan);
    graft_variables_close(&variables);
    return status;
}

/* Opens the network as it is asked for; `listing`: every stage that is not frozen counts as trainable. */
static int open_model(struct graft_command *command, const struct request *request, bool listing,
                      struct graft_model **model)
{
    static const char *const pools[] = {"none", "avg", "max"};
    struct graft_model_options options = {.batch = request->batch,
                                          .classes = request->classes,
                                          .part = request->no_top ? GRAFT_MODEL_BASE : GRAFT_MODEL_WHOLE,
                                          .training = listing || request->train,
                                          .bn = GRAFT_BATCH_NORM_TRAIN};
    char train_from[GRAFT_MODEL_NAME_SIZE];
    if (request->pool != NULL) {
        const int pool = graft_command_choice(command, "--pool", request->pool, pools, 3);
        if (pool < 0) {
            return GRAFT_EXIT_USAGE;
        }
        options.pool = (enum graft_model_pool)pool;
    }
    options.height = request->input[0];
    options.width = request->input[1] > 0 ? request->input[1] : request->input[0];
    if (request->freeze != NULL) {
        const int done = graft_stage_after(command, request->source.network, request->freeze, train_from);
        if (done != GRAFT_EXIT_GO_ON) {
            return done;
        }
        options.train_from = train_from;
    }
    const enum graft_status status =
        graft_model_open_network(command->context, request->source.network, &options, model);
    return status == GRAFT_OK ? GRAFT_EXIT_GO_ON : graft_command_failed_name(command, status);
}

static int show(struct graft_command *command, const struct request *request, struct graft_model *model,
                struct graft_device *device)
{
    struct graft_plan_memory memory = {0};
    char shape[96];
    if (device != NULL) {
        struct graft_model *planned = NULL;
        const int done = open_model(command, request, false, &planned);
        if (done != GRAFT_EXIT_GO_ON) {
            return done;
        }
        const enum graft_status status = measure(device, planned, request->train, &memory);
        graft_model_close(&planned);
        if (status != GRAFT_OK) {
            return graft_command_failed(command, status);
        }
    }
    if (command->json) {
        return graft_json_print(command, describe(model, device != NULL ? &memory : NULL));
    }
    const char *const text = request->keras ? "" : graft_model_summary(model);
    if (text == NULL) {
        return graft_command_failed(command, GRAFT_ERROR_MEMORY);
    }
    if (request->keras) {
        graft_keras_summary(model, request->source.headed != NULL);
    } else {
        printf("%soutput %s\n", text, graft_shape_format(output_of(model), shape, sizeof shape));
    }
    if (device != NULL) {
        printf("\nmemory on %s, batch %lld, %s\n", graft_device_get_info(device)->id, (long long)model->batch,
               request->train ? "training" : "inference");
        graft_memory_print(&memory);
    }
    return GRAFT_EXIT_DONE;
}

/* A file that holds no network, or a run folder. */
static bool is_weights(const char *name)
{
    struct stat facts;
    return graft_model_named(name) == NULL && !graft_network_is_file(name) &&
           (strpbrk(name, "./") != NULL || stat(name, &facts) == 0);
}

static int only_weights(struct graft_command *command, const struct request *request)
{
    char path[4096];
    struct stat facts;
    const char *const name = command->operands[0];
    if (request->input[0] > 0 || request->classes > 0 || request->no_top || request->freeze != NULL ||
        request->batch > 1 || request->train || request->head != NULL || request->keras || command->device != NULL) {
        return graft_command_usage(command, "%s is a file of weights: the options are for networks", name);
    }
    const bool folder = stat(name, &facts) == 0 && S_ISDIR(facts.st_mode);
    (void)snprintf(path, sizeof path, "%s%s", name, folder ? "/model.safetensors" : "");
    return graft_weights_show(command, path);
}

/* --pool without --no-top is the beginning of a head. */
static int put_head(struct graft_command *command, struct request *request)
{
    char head[GRAFT_HEAD_TEXT] = "";
    enum graft_status status = GRAFT_OK;
    if (!request->no_top) {
        static const char *const pools[] = {"none", "avg", "max"};
        if (request->pool != NULL && graft_command_choice(command, "--pool", request->pool, pools, 3) < 0) {
            return GRAFT_EXIT_USAGE;
        }
        status = graft_head_join(command->context, request->pool, request->head, head);
    }
    if (status == GRAFT_OK && head[0] != '\0') {
        status = graft_network_source_put_head(command->context, head, &request->source);
    }
    return status == GRAFT_OK ? GRAFT_EXIT_GO_ON
                              : graft_command_usage(command, "%s", graft_context_error(command->context));
}

static int run(struct graft_command *command)
{
    struct request request = {.batch = 1};
    const struct graft_option options[] = {
        {"--input", "SIDE", "height and width of the pictures: 224 or 192x256", GRAFT_OPTION_SIDES,
         request.input, 0, 0},
        {"--classes", "N", "another number of classes", GRAFT_OPTION_INTEGER, &request.classes, 1, 1000000},
        {"--no-top", NULL, "without the head", GRAFT_OPTION_FLAG, &request.no_top, 0, 0},
        {"--pool", "KIND", "with --no-top or --head: avg, max or none of the last feature map", GRAFT_OPTION_TEXT,
         &request.pool, 0, 0},
        {"--head", "LIST", "another head, as of graft fit: flatten,dense:1024,relu,dropout:0.5", GRAFT_OPTION_TEXT,
         &request.head, 0, 0},
        {"--keras", NULL, "in the form of Keras' model.summary()", GRAFT_OPTION_FLAG, &request.keras, 0, 0},
        {"--freeze", "STAGE", "nothing up to and with this stage is trainable", GRAFT_OPTION_TEXT,
         &request.freeze, 0, 0},
        {"--batch", "N", "pictures at a time", GRAFT_OPTION_INTEGER, &request.batch, 1, 65536},
        {"--train", NULL, "with --device: the memory of training, with Adam", GRAFT_OPTION_FLAG,
         &request.train, 0, 0},
    };
    const int done = graft_command_begin(command, options, sizeof options / sizeof options[0]);
    if (done != GRAFT_EXIT_GO_ON) {
        return done;
    }
    if (request.no_top && request.train) {
        return graft_command_usage(command, "--train needs the head that --no-top leaves out");
    }
    if (request.no_top && request.head != NULL) {
        return graft_command_usage(command, "--no-top leaves out the head that --head puts there");
    }
    if (is_weights(command->operands[0])) {
        return only_weights(command, &request);
    }
    struct graft_model *model = NULL;
    struct graft_device *device = NULL;
    const enum graft_status found =
        graft_network_source_open(command->context, command->operands[0], &request.source, NULL);
    const int headed = found == GRAFT_OK ? put_head(command, &request) : GRAFT_EXIT_GO_ON;
    int code = headed != GRAFT_EXIT_GO_ON ? headed
               : found == GRAFT_OK        ? open_model(command, &request, true, &model)
                                 : graft_command_failed_name(command, found);
    if (code == GRAFT_EXIT_GO_ON && command->device != NULL) {
        code = graft_command_open_device(command, command->operands[0], request.train, &device);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = show(command, &request, model, device);
    }
    graft_device_close(&device);
    graft_model_close(&model);
    graft_network_source_close(&request.source);
    return code;
}

const struct graft_verb graft_verb_summary = {
    .name = "summary",
    .operands = "MODEL-or-FILE",
    .purpose = "shows a network layer by layer, or what is in a file of weights",
    .examples = "  graft summary resnet18                             layer by layer\n"
                "  graft summary resnet18 --classes 10 --input 64     for other pictures and classes\n"
                "  graft summary resnet18 --freeze layer3             what is left to train\n"
                "  graft summary vgg16 --no-top --pool avg            as an extractor of features\n"
                "  graft summary vgg16 --input 300 --classes 10 --head flatten,dense:1024,relu,dropout:0.5\n"
                "                                                     with a head of one's own\n"
                "  graft summary resnet50 --device cpu --batch 32 --train\n"
                "                                                     and the memory that it takes\n"
                "  graft summary net.onnx                             the network of an ONNX file\n"
                "  graft summary weights.pth                          of weights: whose they are, metadata, "
                "tensors\n",
    .least = 1,
    .most = 1,
    .run = run,
};
