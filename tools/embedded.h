/* SPDX-License-Identifier: MIT */
/* Data of verbs that take pictures with classes or without, and what a network makes of them as vectors. */
#ifndef GRAFT_TOOLS_EMBEDDED_H
#define GRAFT_TOOLS_EMBEDDED_H

#include "graft/embed.h"
#include "network.h"

/* With classes where there are some; else without, with a remark. GRAFT_EXIT_GO_ON or an exit code. */
GRAFT_MUST_CHECK int graft_open_pictures(struct graft_command *command, const char *path,
                                         const struct graft_dataset_options *options, bool skip_damaged,
                                         struct graft_dataset **dataset);

struct graft_embedded_data {
    struct graft_classifier *classifier;
    struct graft_dataset *dataset;
    struct graft_embedding embedding;
};

/* Opens the network of the first operand with what enters its head as output, and the data of the second, and runs the
 * one on the other. Close it in any case. GRAFT_EXIT_GO_ON or an exit code. */
GRAFT_MUST_CHECK int graft_embedded_open(struct graft_command *command, struct graft_device *device,
                                         const struct graft_network_options *network,
                                         const struct graft_dataset_options *options, bool skip_damaged,
                                         struct graft_embedded_data *data);
void graft_embedded_close(struct graft_command *command, struct graft_embedded_data *data);

/* "bees, val", of what is known. */
const char *graft_embedded_note(const struct graft_embedded_data *data, int64_t row, char *text, size_t size);
/* The picture of a row, made smaller to `side` pixels at most; the image is the caller's. */
GRAFT_MUST_CHECK enum graft_status graft_embedded_picture(struct graft_command *command,
                                                          const struct graft_embedded_data *data, int64_t row,
                                                          int32_t side, struct graft_image *image);

#endif
