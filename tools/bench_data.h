/* SPDX-License-Identifier: MIT */
#ifndef GRAFT_TOOLS_BENCH_DATA_H
#define GRAFT_TOOLS_BENCH_DATA_H

#include "command.h"

struct graft_bench_data {
    const char *data;    /* a data set; of its training part */
    const char *augment; /* NULL, or as `fit --augment` */
    int64_t input[2];    /* height and width of the prepared pictures, see GRAFT_OPTION_SIDES; 0: 224 */
    double seconds;      /* at least, and at least an epoch, of each of the two */
};

/* Pictures a second that the loader decodes, and decodes and prepares, on the command's threads. An exit
 * code. */
GRAFT_MUST_CHECK int graft_command_bench_data(struct graft_command *command,
                                              const struct graft_bench_data *request);

#endif
