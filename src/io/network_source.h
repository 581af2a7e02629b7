/* SPDX-License-Identifier: MIT */
/*
 * Where a network comes from: the list, a file that holds one with its weights, or the graph that a run
 * keeps. Who has it uses it as a value, whatever it came from.
 */
#ifndef GRAFT_SRC_IO_NETWORK_SOURCE_H
#define GRAFT_SRC_IO_NETWORK_SOURCE_H

#include "base/digest.h"
#include "base/text.h"
#include "graft/io.h"
#include "graft/model.h"

struct graft_onnx;

/* All zero: none. The network lives until the source is closed, and must outlive its models. */
struct graft_network_source {
    const struct graft_network *network;
    struct graft_onnx *file;     /* NULL: the network is one of the list, … */
    struct graft_headed *headed; /* … with a head of one's own; NULL: as it is */
};

/* Is it the path of a file that holds a network? */
bool graft_network_is_file(const char *name);
/*
 * A name of the list, or such a file; its weights too, which the caller closes (NULL where they are not asked
 * for, and for a name). Statuses of graft_network_find and graft_onnx_open.
 */
GRAFT_MUST_CHECK enum graft_status graft_network_source_open(struct graft_context *context, const char *name,
                                                             struct graft_network_source *source,
                                                             struct graft_tensor_set **weights);
/* Gives a network of the list a head of one's own in place of the one it has: see model/head.h. GRAFT_ERROR_UNSUPPORTED: it
 * is a file's. Models of what it was before must be closed. */
GRAFT_MUST_CHECK enum graft_status graft_network_source_put_head(struct graft_context *context, const char *head,
                                                                 struct graft_network_source *source);
void graft_network_source_close(struct graft_network_source *source);

/* What a run keeps of the network, and its SHA-256; an empty text: the name is enough. The caller closes the
 * text. */
GRAFT_MUST_CHECK enum graft_status graft_network_source_graph(struct graft_context *context,
                                                              const struct graft_network_source *source,
                                                              struct graft_text *graph,
                                                              char digest[GRAFT_DIGEST_TEXT]);
/* And back: the graph at `path`, which has that digest. GRAFT_ERROR_FORMAT: it has another. */
GRAFT_MUST_CHECK enum graft_status graft_network_source_open_graph(struct graft_context *context,
                                                                   const char *path, const char *digest,
                                                                   struct graft_network_source *source);

#endif
