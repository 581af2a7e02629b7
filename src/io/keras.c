/* SPDX-License-Identifier: MIT */
/*
 * Keras' files. The older form names the layers in an attribute, in the network's order, and in each layer's
 * group the weights; a whole model keeps that below model_weights, beside the optimizer's. The newer one is
 * keras_layers.c's.
 */
#include "io/keras.h"

#include "base/context.h"
#include "base/text.h"
#include "io/zip.h"

#include <stdio.h>
#include <string.h>

enum { NAME_SIZE = 4096 };

static enum graft_status damaged(struct graft_context *context, const char *path, const char *what)
{
    return graft_fail(
        context, GRAFT_ERROR_FORMAT,
        "'%s' holds no weights of Keras: %s; save it again: model.save_weights(\"net.weights.h5\")", path,
        what);
}

/* An attribute, or its pieces NAME0, NAME1 … where it was too long for one. */
static enum graft_status read_list(struct graft_hdf5 *file, const char *object, const char *name,
                                   struct graft_hdf5_texts *texts, bool *found)
{
    enum graft_status status = graft_hdf5_attribute(file, object, name, texts, found);
    bool more = !*found;
    for (int i = 0; status == GRAFT_OK && more; i++) {
        char piece[64];
        (void)snprintf(piece, sizeof piece, "%s%d", name, i);
        status = graft_hdf5_attribute(file, object, piece, texts, &more);
        *found = *found || more;
    }
    return status;
}

/* Reads one weight. It is named as Keras 3 does it: "conv1/kernel", without ":0" and without the scopes in
 * which the layer was made ("block_1/conv1/kernel"); a name that is taken (layers of nested networks) begins
 * with the layer's. */
static enum graft_status read_weight(struct graft_hdf5 *file, const char *group, const char *layer,
                                     const char *weight, struct graft_tensor_set *set)
{
    char object[3 * NAME_SIZE], name[2 * NAME_SIZE];
    const bool bare = strchr(weight, '/') == NULL;
    (void)snprintf(object, sizeof object, "%s/%s", group, weight);
    (void)snprintf(name, sizeof name, "/%s/", layer);
    const char *const scoped = strstr(weight, name);
    (void)snprintf(name, sizeof name, "%s%s%s", bare ? layer : "", bare ? "/" : "",
                   scoped ? scoped + 1 : weight);
    if (graft_text_ends(name, ":0"))
        name[strlen(name) - 2] = 0;
    if (graft_tensor_set_find(set, name)) {
        char longer[3 * NAME_SIZE];
        (void)snprintf(longer, sizeof longer, "%s/%s", layer, name);
        return graft_hdf5_read(file, object, longer, set);
    }
    return graft_hdf5_read(file, object, name, set);
}

static enum graft_status read_layer(struct graft_context *context, struct graft_hdf5 *file, const char *path,
                                    const char *root, const char *layer, struct graft_tensor_set *set)
{
    char group[2 * NAME_SIZE];
    struct graft_hdf5_texts weights = {0};
    bool found = false;
    (void)snprintf(group, sizeof group, "%s%s%s", root, *root ? "/" : "", layer);
    enum graft_status status = read_list(file, group, "weight_names", &weights, &found);
    for (size_t i = 0; i < weights.count && status == GRAFT_OK; i++)
        status = strlen(weights.items[i]) < NAME_SIZE ? read_weight(file, group, layer, weights.items[i], set)
                                                      : damaged(context, path, "a weight's name is too long");
    graft_hdf5_texts_close(context, &weights);
    return status;
}

static enum graft_status read_legacy(struct graft_context *context, struct graft_hdf5 *file, const char *path,
                                     const char *root, struct graft_tensor_set *set)
{
    struct graft_hdf5_texts layers = {0};
    bool found = false;
    enum graft_status status = read_list(file, root, "layer_names", &layers, &found);
    if (status == GRAFT_OK && !found)
        status = damaged(context, path, "it names no layers");
    for (size_t i = 0; i < layers.count && status == GRAFT_OK; i++)
        status = strlen(layers.items[i]) < NAME_SIZE
                     ? read_layer(context, file, path, root, layers.items[i], set)
                     : damaged(context, path, "a layer's name is too long");
    graft_hdf5_texts_close(context, &layers);
    return status;
}

static enum graft_status read_file(struct graft_context *context, struct graft_hdf5 *file, const char *path,
                                   const json_t *config, struct graft_tensor_set *set)
{
    enum graft_status status;
    if (graft_hdf5_exists(file, "model_weights"))
        status = read_legacy(context, file, path, "model_weights", set);
    else if (graft_hdf5_exists(file, "layers") || graft_hdf5_exists(file, "_layer_checkpoint_dependencies"))
        status = graft_keras_read_layers(context, file, config, set);
    else
        status = read_legacy(context, file, path, "", set);
    if (status == GRAFT_OK && graft_tensor_set_count(set) == 0)
        status = damaged(context, path, "its layers are empty");
    return status == GRAFT_OK ? graft_tensor_set_put_text(set, GRAFT_KEY_CONVENTION, "keras") : status;
}

static enum graft_status parse(struct graft_context *context, const char *path, const uint8_t *data,
                               size_t size, const json_t *config, struct graft_tensor_set **set)
{
    struct graft_hdf5 file;
    enum graft_status status = graft_tensor_set_open(context, set);
    if (status == GRAFT_OK)
        status = graft_hdf5_open(context, path, data, size, &file);
    if (status == GRAFT_OK)
        status = read_file(context, &file, path, config, *set);
    if (status != GRAFT_OK)
        graft_tensor_set_close(set);
    return status;
}

enum graft_status graft_keras_parse(struct graft_context *context, const char *path, const uint8_t *data,
                                    size_t size, struct graft_tensor_set **set)
{
    return parse(context, path, data, size, NULL, set);
}

/* ---- .keras: a zip of config.json and model.weights.h5 */

enum graft_status graft_keras_parse_zip(struct graft_context *context, const char *path, const uint8_t *data,
                                        size_t size, struct graft_tensor_set **set)
{
    struct graft_zip zip;
    uint8_t *weights = NULL, *text = NULL;
    json_t *config = NULL;
    json_error_t error;
    *set = NULL;
    enum graft_status status = graft_zip_open(context, path, data, size, &zip);
    const size_t member = status == GRAFT_OK ? graft_zip_find(&zip, "model.weights.h5") : 0;
    const size_t described = status == GRAFT_OK ? graft_zip_find(&zip, "config.json") : 0;
    if (status == GRAFT_OK && member == zip.count)
        status = damaged(context, path, "there is no model.weights.h5 in it");
    if (status == GRAFT_OK && described < zip.count)
        status = graft_zip_read_one(&zip, described, &text);
    if (status == GRAFT_OK && text)
        status = graft_json_read(context, (const char *)text, (size_t)zip.members[described].size, 0, path,
                                 &config, &error);
    if (status == GRAFT_ERROR_FORMAT && text)
        status = graft_fail(context, status, "'%s' is damaged: config.json in it, line %d: %s; save it again",
                            path, error.line, error.text);
    if (status == GRAFT_OK)
        status = graft_zip_read_one(&zip, member, &weights);
    if (status == GRAFT_OK)
        status = parse(context, path, weights, (size_t)zip.members[member].size, config, set);
    json_decref(config);
    graft_release(context, weights);
    graft_release(context, text);
    graft_zip_close(&zip);
    return status;
}
