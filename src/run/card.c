/* SPDX-License-Identifier: MIT */
#include "run/card.h"

#include "base/context.h"
#include "base/text.h"
#include "data/preprocess_json.h"
#include "io/keras.h"
#include "io/tensor_set.h"
#include "model/published.h"

#include <math.h>
#include <string.h>

#define KEY_NETWORK "graft.network"
#define KEY_CLASSES "graft.classes"
#define KEY_PREPROCESS "graft.preprocess"
#define KEY_GRAPH "graft.graph"
#define KEY_HEAD "graft.head"
#define KEY_TARGET "graft.target"

void graft_card_close(struct graft_context *context, struct graft_card *card)
{
    for (int32_t i = 0; card->class_names && i < card->class_count; i++)
        graft_release(context, (void *)(uintptr_t)card->class_names[i]);
    graft_release(context, card->class_names);
    graft_release(context, card->thresholds);
    *card = (struct graft_card){0};
}

enum graft_status graft_card_set_classes(struct graft_context *context, struct graft_card *card,
                                         const char *const *names, int32_t count)
{
    const char **const copy = graft_allocate(context, (size_t)count, sizeof *copy);
    if (!copy)
        return GRAFT_ERROR_MEMORY;
    card->class_names = copy;
    card->class_count = count;
    for (int32_t i = 0; i < count; i++) {
        copy[i] = graft_duplicate_text(context, names[i]);
        if (!copy[i])
            return GRAFT_ERROR_MEMORY;
    }
    return GRAFT_OK;
}

static enum graft_status bad(struct graft_context *context, const char *file, const char *key)
{
    return graft_fail(context, GRAFT_ERROR_FORMAT, "%s: the metadata \"%s\" is damaged", file, key);
}

enum graft_status graft_card_read_classes(struct graft_context *context, const char *file, const json_t *list,
                                          struct graft_card *card)
{
    const size_t count = json_is_array(list) ? json_array_size(list) : 0;
    enum graft_status status = count >= 1 && count <= 1000000 ? GRAFT_OK : bad(context, file, KEY_CLASSES);
    const char **const names = status == GRAFT_OK ? graft_allocate(context, count, sizeof *names) : NULL;
    for (size_t i = 0; names && i < count && status == GRAFT_OK; i++) {
        names[i] = json_string_value(json_array_get(list, i));
        if (!names[i])
            status = bad(context, file, KEY_CLASSES);
    }
    if (status == GRAFT_OK)
        status = names ? graft_card_set_classes(context, card, names, (int32_t)count) : GRAFT_ERROR_MEMORY;
    graft_release(context, names);
    return status;
}

enum graft_status graft_card_read_graph(struct graft_context *context, const char *file, const char *text,
                                        struct graft_card *card)
{
    if (strlen(text) != sizeof card->graph - 1 || strspn(text, "0123456789abcdef") != sizeof card->graph - 1)
        return bad(context, file, KEY_GRAPH);
    memcpy(card->graph, text, sizeof card->graph);
    return GRAFT_OK;
}

enum graft_status graft_card_read_head(struct graft_context *context, const char *file, const char *text,
                                       struct graft_card *card)
{
    const enum graft_status status = graft_head_check(context, text);
    if (status != GRAFT_OK)
        return graft_fail_prefix(context, GRAFT_ERROR_FORMAT, "%s: the metadata \"" KEY_HEAD "\" is damaged",
                                 file);
    strcpy(card->head, text);
    return GRAFT_OK;
}

static enum graft_status read_thresholds(struct graft_context *context, const json_t *list,
                                         struct graft_card *card)
{
    const size_t count = (size_t)card->class_count;
    if (!json_is_array(list) || json_array_size(list) != count)
        return GRAFT_ERROR_FORMAT;
    card->thresholds = graft_allocate(context, count, sizeof *card->thresholds);
    if (!card->thresholds)
        return GRAFT_ERROR_MEMORY;
    for (size_t c = 0; c < count; c++) {
        const double value = json_number_value(json_array_get(list, c));
        if (!json_is_number(json_array_get(list, c)) || !(value >= 0 && value <= 1))
            return GRAFT_ERROR_FORMAT;
        card->thresholds[c] = (float)value;
    }
    card->target.thresholds = card->thresholds;
    return GRAFT_OK;
}

enum graft_status graft_card_read_target(struct graft_context *context, const char *file,
                                         const json_t *object, struct graft_card *card)
{
    struct graft_target *const target = &card->target;
    const char *const task = json_string_value(json_object_get(object, "task"));
    const char *const loss = json_string_value(json_object_get(object, "loss"));
    const json_t *const list = json_object_get(object, "thresholds");
    if (!task || !loss || graft_task_find(context, task, &target->task) != GRAFT_OK ||
        graft_loss_find(context, loss, &target->loss) != GRAFT_OK)
        return bad(context, file, KEY_TARGET);
    target->mean = json_number_value(json_object_get(object, "mean"));
    target->deviation = json_number_value(json_object_get(object, "deviation"));
    if (target->task == GRAFT_TASK_NUMBER && (card->class_count != 1 || !(target->deviation > 0)))
        return bad(context, file, KEY_TARGET);
    const enum graft_status status =
        list && !card->thresholds ? read_thresholds(context, list, card) : GRAFT_OK;
    return status == GRAFT_ERROR_FORMAT ? bad(context, file, KEY_TARGET) : status;
}

struct graft_json graft_card_target_json(const struct graft_card *card, bool thresholds)
{
    const struct graft_target *const target = &card->target;
    struct graft_json json = graft_json_object();
    graft_json_set(&json, "task", json_string(graft_task_info(target->task)->name));
    graft_json_set(&json, "loss", json_string(graft_loss_name(target->loss)));
    if (target->task == GRAFT_TASK_NUMBER) {
        graft_json_set(&json, "mean", json_real(target->mean));
        graft_json_set(&json, "deviation", json_real(target->deviation));
    }
    if (card->thresholds && thresholds) {
        struct graft_json list = graft_json_array();
        for (int32_t c = 0; c < card->class_count; c++)
            graft_json_append(&list, json_real((double)card->thresholds[c]));
        graft_json_nest(&json, "thresholds", &list);
    }
    return json;
}

enum graft_status graft_card_set_thresholds(struct graft_context *context, struct graft_card *card,
                                            const struct graft_evaluation *evaluation)
{
    if (!card->thresholds)
        card->thresholds = graft_allocate(context, (size_t)card->class_count, sizeof *card->thresholds);
    if (!card->thresholds)
        return GRAFT_ERROR_MEMORY;
    for (int32_t c = 0; c < card->class_count; c++)
        card->thresholds[c] = (float)evaluation->figures[c].threshold;
    card->target.thresholds = card->thresholds;
    return GRAFT_OK;
}

enum graft_status graft_card_open_network(struct graft_context *context, const struct graft_card *card,
                                          const char *file, struct graft_network_source *source)
{
    struct graft_text path = {0};
    const char *const slash = strrchr(file, '/');
    if (!card->graph[0]) {
        const enum graft_status opened = graft_network_source_open(context, card->network, source, NULL);
        return opened == GRAFT_OK && card->head[0]
                   ? graft_network_source_put_head(context, card->head, source)
                   : opened;
    }
    graft_text_append(context, &path, "%.*s%s", slash ? (int)(slash + 1 - file) : 0, file, GRAFT_CARD_GRAPH);
    enum graft_status status = path.failed
                                   ? GRAFT_ERROR_MEMORY
                                   : graft_network_source_open_graph(context, path.data, card->graph, source);
    if (status != GRAFT_OK && !path.failed)
        status = graft_fail_prefix(context, status, "%s", card->network);
    graft_text_close(context, &path);
    return status;
}

/* What is no JSON is NULL: its reader says so. */
static enum graft_status parse(struct graft_context *context, const char *file, const char *text,
                               json_t **json)
{
    json_error_t error;
    const enum graft_status status = graft_json_read(context, text, strlen(text), 0, file, json, &error);
    return status == GRAFT_ERROR_MEMORY ? status : GRAFT_OK;
}

/* Three numbers of a layer that normalizes pictures, of a file by Keras: "normalization_1/mean". */
static const float *normalization(const struct graft_tensor_set *set, const char *what)
{
    for (size_t i = 0; i < graft_tensor_set_count(set); i++) {
        const struct graft_named_tensor *const tensor = graft_tensor_set_at(set, i);
        if (graft_text_starts(tensor->name, "normalization") && graft_text_ends(tensor->name, what) &&
            tensor->desc.dtype == GRAFT_DTYPE_F32 && graft_shape_count(&tensor->desc.shape) == 3)
            return tensor->data;
    }
    return NULL;
}

/* EfficientNet's published files hold deviations where variances should be, and the network that reads them
 * divides by their root once more (keras.applications.efficientnet): both are the deviations of ImageNet. */
static void read_normalization(const struct graft_tensor_set *set, struct graft_card *card)
{
    static const float deviations[3] = {0.229f, 0.224f, 0.225f};
    const char *const convention = graft_tensor_set_text(set, GRAFT_KEY_CONVENTION);
    if (!convention || strcmp(convention, "keras") != 0)
        return;
    const float *const mean = normalization(set, "/mean"), *const variance = normalization(set, "/variance");
    if (!mean || !variance)
        return;
    bool published = true;
    for (int c = 0; c < 3; c++) {
        if (!isfinite(mean[c]) || !(variance[c] > 0) || !isfinite(variance[c]))
            return;
        published = published && fabsf(variance[c] - deviations[c]) < 1e-3f;
    }
    card->has_normalization = true;
    for (int c = 0; c < 3; c++) {
        card->mean[c] = mean[c];
        card->std[c] = published ? variance[c] : sqrtf(variance[c]);
    }
}

static bool is_filter(const char *name)
{
    const char *known = NULL;
    for (int i = 0; (known = graft_filter_name((enum graft_filter)i)) != NULL; i++)
        if (strcmp(known, name) == 0)
            return true;
    return false;
}

/* An ONNX file brings its network, and has its own preprocessing. */
static enum graft_status read_beside(struct graft_context *context, const char *file, struct graft_card *card)
{
    struct graft_hub_config *const hub = &card->hub;
    if (graft_network_is_file(file))
        return GRAFT_OK;
    const enum graft_status status = graft_hub_config_read(context, file, hub);
    const bool filtered = hub->crop == 0 || is_filter(hub->filter);
    if (!filtered)
        hub->crop = 0;
    if (status == GRAFT_OK && (hub->untold[0] || !filtered))
        graft_log(context, GRAFT_LOG_REMARK,
                  "%s: of " GRAFT_HUB_CONFIG " beside it this is not taken: %s%s%s", file, hub->untold,
                  hub->untold[0] && !filtered ? ", " : "", filtered ? "" : "interpolation");
    return status;
}

enum graft_status graft_card_read(struct graft_context *context, const struct graft_tensor_set *set,
                                  const char *file, struct graft_card *card)
{
    *card = (struct graft_card){0};
    const char *const network = graft_tensor_set_text(set, KEY_NETWORK);
    const char *const classes = graft_tensor_set_text(set, KEY_CLASSES);
    const char *const preprocess = graft_tensor_set_text(set, KEY_PREPROCESS);
    const char *const graph = graft_tensor_set_text(set, KEY_GRAPH);
    const char *const head = graft_tensor_set_text(set, KEY_HEAD);
    const char *const target = graft_tensor_set_text(set, KEY_TARGET);
    enum graft_status status = network || preprocess ? GRAFT_OK : read_beside(context, file, card);
    read_normalization(set, card);
    if (status == GRAFT_OK && network && strlen(network) < sizeof card->network)
        strcpy(card->network, network);
    else if (status == GRAFT_OK && network)
        status = bad(context, file, KEY_NETWORK);
    if (status == GRAFT_OK && graph)
        status = graft_card_read_graph(context, file, graph, card);
    if (status == GRAFT_OK && head)
        status = graft_card_read_head(context, file, head, card);
    json_t *json = NULL;
    if (status == GRAFT_OK && classes)
        status = parse(context, file, classes, &json);
    if (status == GRAFT_OK && classes)
        status = graft_card_read_classes(context, file, json, card);
    json_decref(json);
    json = NULL;
    if (status == GRAFT_OK && target)
        status = parse(context, file, target, &json);
    if (status == GRAFT_OK && target)
        status = graft_card_read_target(context, file, json, card);
    json_decref(json);
    json = NULL;
    if (status == GRAFT_OK && preprocess)
        status = parse(context, file, preprocess, &json);
    if (status == GRAFT_OK && preprocess) {
        status = json_is_object(json) ? graft_preprocess_from_json(context, json, file, &card->preprocess)
                                      : bad(context, file, KEY_PREPROCESS);
        card->has_preprocess = status == GRAFT_OK;
    }
    json_decref(json);
    if (status != GRAFT_OK)
        graft_card_close(context, card);
    return status;
}

/* Puts a JSON value under a key and closes it. */
static enum graft_status put(struct graft_context *context, struct graft_tensor_set *set, const char *key,
                             struct graft_json *json)
{
    char *text = NULL;
    size_t size = 0;
    enum graft_status status =
        graft_json_write(context, json, JSON_COMPACT | JSON_REAL_PRECISION(9), key, &text, &size);
    if (status == GRAFT_OK)
        status = graft_tensor_set_put_text(set, key, text);
    graft_release(context, text);
    return status;
}

enum graft_status graft_card_write(struct graft_context *context, const struct graft_card *card,
                                   struct graft_tensor_set *set)
{
    struct graft_json names = graft_json_array();
    for (int32_t i = 0; i < card->class_count; i++) {
        graft_json_append(&names, json_string(card->class_names[i]));
        if (names.failed && !names.memory) {
            graft_json_close(&names);
            return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                              "the class name \"%s\" is not UTF-8: rename the folder", card->class_names[i]);
        }
    }
    enum graft_status status = put(context, set, KEY_CLASSES, &names);
    if (status == GRAFT_OK && card->graph[0])
        status = graft_tensor_set_put_text(set, KEY_GRAPH, card->graph);
    if (status == GRAFT_OK && card->head[0])
        status = graft_tensor_set_put_text(set, KEY_HEAD, card->head);
    const bool classes = card->target.task == GRAFT_TASK_AUTO || card->target.task == GRAFT_TASK_CLASSES;
    if (status == GRAFT_OK && !classes) {
        struct graft_json json = graft_card_target_json(card, true);
        status = put(context, set, KEY_TARGET, &json);
        graft_json_close(&json);
    }
    return status == GRAFT_OK ? graft_card_describe(context, card->network, &card->preprocess, set) : status;
}

enum graft_status graft_card_describe(struct graft_context *context, const char *network,
                                      const struct graft_preprocess *preprocess, struct graft_tensor_set *set)
{
    struct graft_json json = graft_preprocess_json(preprocess);
    enum graft_status status = put(context, set, KEY_PREPROCESS, &json);
    graft_json_close(&json);
    if (status == GRAFT_OK && network)
        status = graft_tensor_set_put_text(set, KEY_NETWORK, network);
    return status;
}

/* How pictures are resized and cropped. */
struct geometry {
    int32_t crop, width, short_side;
    const char *filter;
};

/* As whoever says most of the file: config.json beside it, the list of what is published, the network. */
static struct geometry find_geometry(const struct graft_model_info *info, const struct graft_hub_config *hub,
                                     const char *weights)
{
    const struct graft_model_preprocess *const p = &info->preprocess;
    const struct graft_published *const published =
        weights ? graft_published_of_file(info->name, weights) : NULL;
    if (hub && hub->crop > 0)
        return (struct geometry){hub->crop, 0, hub->resize_short_side, hub->filter};
    if (published && published->filter)
        return (struct geometry){published->crop, 0, published->resize_short_side, published->filter};
    return (struct geometry){p->crop, p->crop_width, p->resize_short_side, p->filter};
}

/* What does not depend on the input's size stays as the card has it. */
static void keep_told(const struct graft_preprocess *told, struct graft_preprocess *preprocess)
{
    struct graft_transforms *const t = &preprocess->transforms;
    memcpy(preprocess->mean, told->mean, sizeof told->mean);
    memcpy(preprocess->std, told->std, sizeof told->std);
    preprocess->ignore_orientation = told->ignore_orientation;
    preprocess->scaled = told->scaled;
    for (int32_t i = 0; i < told->transforms.count; i++)
        if (told->transforms.steps[i].kind == GRAFT_TRANSFORM_RESIZE)
            t->steps[0].resize.filter = told->transforms.steps[i].resize.filter;
}

enum graft_status graft_card_preprocess(struct graft_context *context, const struct graft_model_info *info,
                                        const struct graft_card *card, const char *weights, int64_t height,
                                        int64_t width, struct graft_preprocess *preprocess)
{
    const struct graft_model_preprocess *const p = &info->preprocess;
    const struct graft_hub_config *const hub =
        card && (!card->hub.info || card->hub.info == info) ? &card->hub : NULL;
    const struct graft_preprocess told_before = card ? card->preprocess : (struct graft_preprocess){0};
    const struct geometry usual = find_geometry(info, hub, weights);
    const int32_t crop = height > 0 ? (int32_t)height : usual.crop;
    const int32_t wide = height > 0 ? (int32_t)width : usual.width;
    const bool square = wide == 0 || wide == crop; /* else a share of the short side would say nothing */
    const int32_t short_side = square ? (int32_t)((int64_t)usual.short_side * crop / usual.crop) : 0;
    enum graft_filter filter;
    const enum graft_status status = graft_filter_find(context, usual.filter, &filter);
    if (status != GRAFT_OK)
        return status;
    *preprocess = (struct graft_preprocess){.crop_height = crop,
                                            .crop_width = square ? crop : wide,
                                            .channels = info->channels,
                                            .ignore_orientation = p->ignore_orientation,
                                            .mean = {p->mean[0], p->mean[1], p->mean[2]},
                                            .std = {p->std[0], p->std[1], p->std[2]},
                                            .transforms = graft_transforms_usual(short_side, filter)};
    const bool told = hub && hub->has_normalization, own = card && card->has_normalization;
    for (int c = 0; c < 3 && (told || own); c++) {
        preprocess->mean[c] = told ? hub->mean[c] : card->mean[c];
        preprocess->std[c] = told ? hub->std[c] : card->std[c];
    }
    if (card && card->has_preprocess)
        keep_told(&told_before, preprocess);
    else if (told || (hub && hub->crop > 0))
        graft_log(context, GRAFT_LOG_REMARK,
                  "%s: its pictures are prepared as " GRAFT_HUB_CONFIG " beside it says", weights);
    return graft_preprocess_check(context, preprocess);
}
