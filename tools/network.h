/* SPDX-License-Identifier: MIT */
/* Networks as the verbs name them: a run folder, or a network with its weights; stages; class names from a
 * file. */
#ifndef GRAFT_TOOLS_NETWORK_H
#define GRAFT_TOOLS_NETWORK_H

#include "command.h"
#include "graft/classifier.h"

/* Options of verbs that use a trained network. */
struct graft_network_options {
    const char *weights, *names, *variants, *precision;
    int64_t batch;
    uint64_t memory;
    int64_t most_rows; /* there are no more: a larger batch would be computed in vain; 0: not known */
    int64_t input[2], resize; /* height and width, see GRAFT_OPTION_SIDES */
    const char *output; /* see graft_classifier_options */
    enum graft_model_pool pool;
    enum graft_orientation orientation;
    enum graft_views views;
    const char *tta; /* as it is given: graft_network_views */
};

/* Rows for the verb's table. */
#define GRAFT_PRECISION_OPTION(to)                                                                           \
    {                                                                                                        \
        .name = "--precision", .argument = "KIND",                                                           \
        .help = "of products: f32, or tf32: faster by a GPU's matrix units, errs by 2^-10", .target = &(to), \
        .kind = GRAFT_OPTION_TEXT, .usual = "f32"                                                            \
    }
#define GRAFT_NETWORK_OPTIONS(o)                                                                             \
    {                                                                                                        \
        "--weights",                                                                                         \
        "FILE",                                                                                              \
        "weights of the network; else those pulled for it. A run folder has its own",                                                  \
        GRAFT_OPTION_TEXT,                                                                                   \
        &(o).weights,                                                                                        \
        0,                                                                                                   \
        0},                                                                                                  \
        {"--names",                                                                                          \
         "FILE",                                                                                             \
         "class names: one a line, or lines of index, id, name",                                             \
         GRAFT_OPTION_TEXT,                                                                                  \
         &(o).names,                                                                                         \
         0,                                                                                                  \
         0},                                                                                                 \
        {"--input",                                                                                          \
         "SIDE",                                                                                             \
         "side of the pictures as the network sees them, or 192x256; else as it was trained",                \
         GRAFT_OPTION_SIDES,                                                                                 \
         (o).input,                                                                                          \
         0,                                                                                                  \
         0},                                                                                                 \
        {"--resize",                                                                                         \
         "SIDE",                                                                                             \
         "short side of the pictures before the crop; else in proportion to --input",                        \
         GRAFT_OPTION_INTEGER,                                                                               \
         &(o).resize,                                                                                        \
         1,                                                                                                  \
         8192},                                                                                              \
        {"--batch", "N", "pictures at a time", GRAFT_OPTION_INTEGER, &(o).batch, 1, 65536},                  \
        {"--memory",                                                                                         \
         "BYTES",                                                                                            \
         "take no more, computing less at a time: 512M, 2G",                                                 \
         GRAFT_OPTION_BYTES,                                                                                 \
         &(o).memory,                                                                                        \
         0,                                                                                                  \
         0},                                                                                                 \
        {"--variants",                                                                                       \
         "LIST",                                                                                             \
         "force algorithms: conv2d=reference,matmul=...",                                                    \
         GRAFT_OPTION_TEXT,                                                                                  \
         &(o).variants,                                                                                      \
         0,                                                                                                  \
         0},                                                                                                 \
        GRAFT_PRECISION_OPTION((o).precision)

/* What was given with --precision: GRAFT_EXIT_GO_ON or GRAFT_EXIT_USAGE; whether it is tf32. NULL: f32. */
GRAFT_MUST_CHECK int graft_network_check_precision(struct graft_command *command, const char *given);
bool graft_network_is_tf32(const char *given);

/* For verbs that see pictures in several ways. */
#define GRAFT_TTA_OPTION(o)                                                                                  \
    {                                                                                                        \
        "--tta", "VIEWS", "the mean over several views of each picture: flip, five or ten crops",            \
            GRAFT_OPTION_TEXT, &(o).tta, 0, 0                                                                \
    }
/* What it says. GRAFT_EXIT_GO_ON or GRAFT_EXIT_USAGE. */
GRAFT_MUST_CHECK int graft_network_views(struct graft_command *command, struct graft_network_options *options);

struct graft_class_file {
    int32_t count;
    char **names; /* [count] */
    char **ids;   /* [count], or NULL if the file has none */
};

/* Opens --device for the network of the first operand: a run folder, or a network with --weights. Wrong usage
 * is told before anything is opened. GRAFT_EXIT_GO_ON or an exit code. */
GRAFT_MUST_CHECK int graft_network_device(struct graft_command *command,
                                          const struct graft_network_options *options,
                                          struct graft_device **device);
/* What they say of the first operand's network, for whoever opens it. */
struct graft_classifier_options graft_network_classifier(const struct graft_command *command,
                                                         const struct graft_network_options *options);
/* Opens the network. GRAFT_EXIT_GO_ON or an exit code. */
GRAFT_MUST_CHECK int graft_network_open(struct graft_command *command, struct graft_device *device,
                                        const struct graft_network_options *options,
                                        struct graft_classifier **classifier);

/* The text of a run's config.json under a key; "" if it is not to be found. */
void graft_network_of_run(const char *run, const char *key, char *text, size_t size);

/* Reads class names: one a line, or "index<tab>id<tab>name". `count`: how many there must be.
 * GRAFT_EXIT_GO_ON or an exit code. */
GRAFT_MUST_CHECK int graft_class_file_read(struct graft_command *command, const char *path, int32_t count,
                                           struct graft_class_file *names);
void graft_class_file_close(struct graft_class_file *names);
/* The names of the network's classes: those of --names, which `file` keeps, else its own. GRAFT_EXIT_GO_ON or an exit
 * code. */
GRAFT_MUST_CHECK int graft_network_names(struct graft_command *command, const struct graft_network_options *options,
                                         const struct graft_classifier *classifier, struct graft_class_file *file,
                                         const char *const **names);

/*
 * Classes by name, or by number: "ants,bees" into indexes; a class whose name has a comma is named alone. `list` NULL:
 * one, -1. More than `most`, or one that there is not (the nearest is proposed): GRAFT_EXIT_USAGE.
 */
GRAFT_MUST_CHECK int graft_class_find_list(struct graft_command *command, const char *const *names, int32_t count,
                                           const char *list, int32_t *indexes, int most, int *found);

/* The stage that follows `frozen` in a network; it must not be the last one. */
GRAFT_MUST_CHECK int graft_stage_after(struct graft_command *command, const struct graft_network *network,
                                       const char *frozen, char stage[GRAFT_MODEL_NAME_SIZE]);

#endif
