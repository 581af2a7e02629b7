/* SPDX-License-Identifier: MIT */
/*
 * The card of trained weights: what one must know to use them. It travels in the `__metadata__` of the
 * safetensors file (keys graft.network, graft.classes, graft.preprocess), so that the file alone is enough; a
 * network that is none of the list has its graph beside it (graft.graph: its digest).
 */
#ifndef GRAFT_SRC_RUN_CARD_H
#define GRAFT_SRC_RUN_CARD_H

#include "graft/data.h"
#include "graft/io.h"
#include "graft/model.h"
#include "graft/run.h"
#include "model/head.h"
#include "io/hub_config.h"
#include "io/json.h"
#include "io/network_source.h"

struct graft_card {
    char network[64];              /* "" if the file does not say */
    char graph[GRAFT_DIGEST_TEXT]; /* SHA-256 of the graph beside the weights; "": the network is one of the
                                      list */
    char head[GRAFT_HEAD_TEXT];    /* laid on the network in place of its own; "": none */
    int32_t class_count;           /* 0 if it does not say */
    const char **class_names;      /* [class_count] */
    struct graft_preprocess preprocess;
    bool has_preprocess;
    bool has_normalization; /* of a file by Keras, whose networks may normalize pictures themselves: … */
    float mean[3], std[3];  /* … by these, of values in 0..1 */
    struct graft_hub_config hub; /* of a file without a card: what config.json beside it says */
    struct graft_target target;  /* what outputs mean; its thresholds are … */
    float *thresholds;           /* … the card's own, [class_count]; NULL: none */
};

/* Reads what is there; damaged JSON is GRAFT_ERROR_FORMAT. `file` is for messages, and config.json is looked
 * for beside it where the set itself says nothing. */
GRAFT_MUST_CHECK enum graft_status graft_card_read(struct graft_context *context,
                                                   const struct graft_tensor_set *set, const char *file,
                                                   struct graft_card *card);
GRAFT_MUST_CHECK enum graft_status
graft_card_write(struct graft_context *context, const struct graft_card *card, struct graft_tensor_set *set);
/* The card without class names; `network` may be NULL. */
GRAFT_MUST_CHECK enum graft_status graft_card_describe(struct graft_context *context, const char *network,
                                                       const struct graft_preprocess *preprocess,
                                                       struct graft_tensor_set *set);
/* The graph of a network that is none of the list, beside weights and config.json. */
#define GRAFT_CARD_GRAPH "network.onnx"
/* The network of a card: of the list, or the graph in the folder of `file`, checked by its digest. */
GRAFT_MUST_CHECK enum graft_status graft_card_open_network(struct graft_context *context,
                                                           const struct graft_card *card, const char *file,
                                                           struct graft_network_source *source);
/* As it stands in the weights' metadata or config.json: a SHA-256 in hexadecimal digits. GRAFT_ERROR_FORMAT
 * names `file`. */
GRAFT_MUST_CHECK enum graft_status graft_card_read_graph(struct graft_context *context, const char *file,
                                                         const char *text, struct graft_card *card);
/* A head of one's own, likewise. */
GRAFT_MUST_CHECK enum graft_status graft_card_read_head(struct graft_context *context, const char *file,
                                                        const char *text, struct graft_card *card);
/* What outputs mean, likewise: an object. Thresholds need the classes to be there. */
GRAFT_MUST_CHECK enum graft_status graft_card_read_target(struct graft_context *context, const char *file,
                                                          const json_t *object, struct graft_card *card);
/* And back. */
struct graft_json graft_card_target_json(const struct graft_card *card, bool thresholds);
/* Copies the thresholds of an evaluation's figures. GRAFT_ERROR_MEMORY. */
GRAFT_MUST_CHECK enum graft_status graft_card_set_thresholds(struct graft_context *context,
                                                             struct graft_card *card,
                                                             const struct graft_evaluation *evaluation);
/* Copies the names. */
GRAFT_MUST_CHECK enum graft_status graft_card_set_classes(struct graft_context *context,
                                                          struct graft_card *card, const char *const *names,
                                                          int32_t count);
/* As it stands in JSON, of weights or of config.json. GRAFT_ERROR_FORMAT names `file`. */
GRAFT_MUST_CHECK enum graft_status graft_card_read_classes(struct graft_context *context, const char *file,
                                                           const json_t *list, struct graft_card *card);
void graft_card_close(struct graft_context *context, struct graft_card *card);

/* The preprocessing of weights whose card has none, or has it for another size, for an input of `height` (0: their
 * own) and `width` (0: as high): as config.json beside them says, unless it is of another network; as published with
 * them, where `weights` has the name of a published file; else what the network's description carries, with the
 * file's own normalization. What a card says of normalization, filter and orientation stays. To an input that is no
 * square pictures are stretched. `card` may be NULL, and `preprocess` may be the card's. */
GRAFT_MUST_CHECK enum graft_status graft_card_preprocess(struct graft_context *context,
                                                         const struct graft_model_info *info,
                                                         const struct graft_card *card, const char *weights,
                                                         int64_t height, int64_t width,
                                                         struct graft_preprocess *preprocess);

#endif
