/* SPDX-License-Identifier: MIT */
#include "io/network_source.h"

#include "base/context.h"
#include "base/file.h"
#include "graft/onnx.h"
#include "model/head.h"
#include "model/models.h"

#include <string.h>

bool graft_network_is_file(const char *name)
{
    return graft_onnx_is_path(name);
}

enum graft_status graft_network_source_open(struct graft_context *context, const char *name,
                                            struct graft_network_source *source,
                                            struct graft_tensor_set **weights)
{
    *source = (struct graft_network_source){.network = NULL};
    if (weights)
        *weights = NULL;
    if (!name || !graft_network_is_file(name))
        return graft_network_find(context, name, &source->network);
    const enum graft_status status = graft_onnx_open(context, name, &source->file, weights);
    source->network = source->file ? graft_onnx_network(source->file) : NULL;
    return status;
}

enum graft_status graft_network_source_put_head(struct graft_context *context, const char *head,
                                                struct graft_network_source *source)
{
    const struct graft_network *base = NULL;
    struct graft_headed *headed = NULL;
    const char *const name = source->network->info.name;
    if (source->file)
        return graft_fail(context, GRAFT_ERROR_UNSUPPORTED,
                          "%s is an ONNX file's network: --head and --pool are for those of graft models", name);
    enum graft_status status = graft_network_find(context, name, &base);
    if (status == GRAFT_OK)
        status = graft_headed_open(context, base, head, &headed);
    if (status != GRAFT_OK)
        return status;
    graft_headed_close(&source->headed);
    source->headed = headed;
    source->network = graft_headed_network(headed);
    return GRAFT_OK;
}

void graft_network_source_close(struct graft_network_source *source)
{
    graft_headed_close(&source->headed);
    graft_onnx_close(&source->file);
    *source = (struct graft_network_source){.network = NULL};
}

static void digest_of(const void *data, size_t size, char text[GRAFT_DIGEST_TEXT])
{
    struct graft_digest digest;
    graft_digest_begin(&digest, GRAFT_DIGEST_SHA256);
    graft_digest_add(&digest, data, size);
    graft_digest_end(&digest, text);
}

enum graft_status graft_network_source_graph(struct graft_context *context,
                                             const struct graft_network_source *source,
                                             struct graft_text *graph, char digest[GRAFT_DIGEST_TEXT])
{
    const struct graft_network *const network = source->network;
    digest[0] = '\0';
    if (!network->write_graph)
        return GRAFT_OK;
    const enum graft_status status = network->write_graph(network, graph);
    if (status == GRAFT_OK)
        digest_of(graph->data, graph->length, digest);
    else
        graft_text_close(context, graph);
    return status;
}

enum graft_status graft_network_source_open_graph(struct graft_context *context, const char *path,
                                                  const char *digest, struct graft_network_source *source)
{
    struct graft_file_map map;
    char found[GRAFT_DIGEST_TEXT];
    *source = (struct graft_network_source){.network = NULL};
    enum graft_status status = graft_file_map_open(context, path, &map);
    if (status != GRAFT_OK)
        return graft_fail_prefix(context, status, "the network's graph is not beside its weights");
    digest_of(map.data, map.size, found);
    graft_file_map_close(&map);
    if (strcmp(found, digest) != 0)
        return graft_fail(
            context, GRAFT_ERROR_FORMAT,
            "'%s' is not the graph that these weights were learnt with: its SHA-256 is %.12s… instead "
            "of %.12s…; put back the file of the run",
            path, found, digest);
    status = graft_onnx_open(context, path, &source->file, NULL);
    source->network = source->file ? graft_onnx_network(source->file) : NULL;
    return status;
}
