/* SPDX-License-Identifier: MIT */
#include "model/head.h"

#include "base/context.h"
#include "base/text.h"
#include "model/models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_UNITS 1000000

struct graft_headed {
    struct graft_network network; /* first: what it is known as */
    struct graft_context *context;
    const struct graft_network *base;
    char text[GRAFT_HEAD_TEXT];
};

enum piece_kind { PIECE_FLATTEN, PIECE_AVG, PIECE_MAX, PIECE_DENSE, PIECE_DROPOUT, PIECE_ACTIVATION };

struct piece {
    enum piece_kind kind;
    enum graft_unary activation;
    int64_t units;
    float probability;
};

static const struct {
    const char *name;
    enum graft_unary kind;
} activations[] = {{"relu", GRAFT_UNARY_RELU},           {"relu6", GRAFT_UNARY_RELU6},
                   {"silu", GRAFT_UNARY_SILU},           {"gelu", GRAFT_UNARY_GELU},
                   {"tanh", GRAFT_UNARY_TANH},           {"sigmoid", GRAFT_UNARY_SIGMOID},
                   {"hardswish", GRAFT_UNARY_HARD_SWISH}};

static bool is(const char *at, size_t length, const char *name)
{
    return strlen(name) == length && strncmp(at, name, length) == 0;
}

/* The piece at *at, which is moved behind it. */
static enum graft_status read_piece(struct graft_context *context, const char **at, struct piece *piece)
{
    const char *const text = *at;
    const size_t whole = strcspn(text, ","), length = strcspn(text, ",:");
    char *end = NULL;
    bool good = length == whole;
    *piece = (struct piece){.kind = PIECE_ACTIVATION};
    if (is(text, length, "dense") && length < whole) {
        piece->kind = PIECE_DENSE;
        piece->units = strtol(text + length + 1, &end, 10);
        good =
            end == text + whole && end > text + length + 1 && piece->units >= 1 && piece->units <= MOST_UNITS;
    } else if (is(text, length, "dropout") && length < whole) {
        piece->kind = PIECE_DROPOUT;
        piece->probability = (float)graft_read_number(text + length + 1, &end);
        good = end == text + whole && end > text + length + 1 && piece->probability >= 0 &&
               piece->probability < 1;
    } else if (is(text, whole, "flatten")) {
        piece->kind = PIECE_FLATTEN;
    } else if (is(text, whole, "avg") || is(text, whole, "max")) {
        piece->kind = text[0] == 'a' ? PIECE_AVG : PIECE_MAX;
    } else {
        for (size_t i = 0; i < sizeof activations / sizeof activations[0]; i++)
            if (is(text, whole, activations[i].name))
                piece->activation = activations[i].kind;
        good = piece->activation != GRAFT_UNARY_NONE;
    }
    if (!good)
        return graft_fail(
            context, GRAFT_ERROR_ARGUMENT,
            "--head is a list of avg, max, flatten, dense:UNITS, dropout:P, relu, relu6, silu, gelu, tanh, "
            "sigmoid and hardswish, such as flatten,dense:1024,relu,dropout:0.5; \"%.*s\" is none of these",
            (int)whole, text);
    *at = text + whole + (text[whole] == ',');
    return GRAFT_OK;
}

enum graft_status graft_head_check(struct graft_context *context, const char *text)
{
    struct piece piece = {.kind = PIECE_ACTIVATION};
    bool pooled = false; /* or made a vector otherwise */
    const char *at = text;
    enum graft_status status = strlen(text) < GRAFT_HEAD_TEXT
                                   ? GRAFT_OK
                                   : graft_fail(context, GRAFT_ERROR_ARGUMENT,
                                                "--head is longer than %d characters", GRAFT_HEAD_TEXT - 1);
    do {
        if (status == GRAFT_OK)
            status = read_piece(context, &at, &piece);
        if (status == GRAFT_OK && pooled && (piece.kind == PIECE_AVG || piece.kind == PIECE_MAX))
            status =
                graft_fail(context, GRAFT_ERROR_ARGUMENT, "--head: %s comes where there is no map any more",
                           piece.kind == PIECE_AVG ? "avg" : "max");
        pooled = pooled || piece.kind == PIECE_AVG || piece.kind == PIECE_MAX ||
                 piece.kind == PIECE_FLATTEN || piece.kind == PIECE_DENSE;
    } while (status == GRAFT_OK && *at);
    return status;
}

enum graft_status graft_head_join(struct graft_context *context, const char *pool, const char *head,
                                  char text[GRAFT_HEAD_TEXT])
{
    const bool pools = pool && *pool && strcmp(pool, "none") != 0;
    const bool lays = head && *head;
    const int length = snprintf(text, GRAFT_HEAD_TEXT, "%s%s%s", pools ? pool : "", pools && lays ? "," : "",
                                lays ? head : "");
    if (length >= GRAFT_HEAD_TEXT)
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "--head is longer than %d characters",
                          GRAFT_HEAD_TEXT - 8);
    return *text ? graft_head_check(context, text) : GRAFT_OK;
}

/* A map is only said to be flat: what is dense reads it in PyTorch's order then (graft_layer_dense). */
static int flatten(struct graft_layers *b, int x, const char *name)
{
    char text[GRAFT_MODEL_NAME_SIZE];
    if (x < 0)
        return -1;
    graft_layers_name(b, name, text);
    graft_layers_begin(b, text);
    return graft_layers_end(b, graft_flatten(b->graph, x), text, 0, "flatten") >= 0 ? x : -1;
}

static int pool_max(struct graft_layers *b, int x, const char *name)
{
    char text[GRAFT_MODEL_NAME_SIZE];
    if (x < 0)
        return -1;
    graft_layers_name(b, name, text);
    graft_layers_begin(b, text);
    return graft_layers_end(b, graft_global_max_pool(b->graph, x), text, 0, "global_max_pool");
}

static int lay(struct graft_layers *b, int x, const struct piece *piece, const char *name)
{
    switch (piece->kind) {
    case PIECE_FLATTEN:
        return flatten(b, x, name);
    case PIECE_AVG:
        return graft_layer_global_pool(b, x, name);
    case PIECE_MAX:
        return pool_max(b, x, name);
    case PIECE_DENSE:
        return graft_layer_dense(b, x, name, piece->units);
    case PIECE_DROPOUT:
        return graft_layer_dropout(b, x, name, piece->probability);
    case PIECE_ACTIVATION:
        break;
    }
    return graft_layer_activation(b, x, name, piece->activation);
}

static int build(struct graft_layers *b, int x, const void *configuration)
{
    const struct graft_headed *const headed = configuration;
    struct piece piece;
    char name[16];
    int number = 0;
    b->replaces_head = true;
    (void)headed->base->build(b, x, headed->base->configuration);
    if (!b->ended) {
        if (b->status == GRAFT_OK)
            b->status =
                graft_fail(b->context, GRAFT_ERROR_UNSUPPORTED,
                           "%s has no last feature map that a head could be laid on: leave --head out",
                           b->model->info->name);
        return -1;
    }
    b->dense_init = GRAFT_INIT_DEFAULT;
    graft_layers_scope(b, "head");
    x = graft_layers_stage_after_base(b, "head");
    for (const char *at = headed->text; *at; number++) {
        if (read_piece(b->context, &at, &piece) != GRAFT_OK)
            return -1;
        (void)snprintf(name, sizeof name, "%d", number);
        x = lay(b, x, &piece, name);
    }
    (void)snprintf(name, sizeof name, "%d", number);
    return graft_layer_dense(b, x, name, b->model->classes);
}

enum graft_status graft_headed_open(struct graft_context *context, const struct graft_network *base,
                                    const char *text, struct graft_headed **headed)
{
    *headed = NULL;
    const enum graft_status status = graft_head_check(context, text);
    if (status != GRAFT_OK)
        return status;
    struct graft_headed *const made = graft_allocate(context, 1, sizeof *made);
    if (!made)
        return GRAFT_ERROR_MEMORY;
    made->context = context;
    made->base = base;
    strcpy(made->text, text);
    made->network = (struct graft_network){.info = base->info, .build = build, .configuration = made};
    *headed = made;
    return GRAFT_OK;
}

const struct graft_network *graft_headed_network(const struct graft_headed *headed)
{
    return &headed->network;
}

void graft_headed_close(struct graft_headed **headed)
{
    if (*headed)
        graft_release((*headed)->context, *headed);
    *headed = NULL;
}
