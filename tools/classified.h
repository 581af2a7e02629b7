/* SPDX-License-Identifier: MIT */
/* What a network says of pictures, a row each: for people, as lines of JSON, or as a table (CSV). */
#ifndef GRAFT_TOOLS_CLASSIFIED_H
#define GRAFT_TOOLS_CLASSIFIED_H

#include "base/text.h"
#include "command.h"
#include "graft/classifier.h"

#include <stdio.h>

struct graft_rows {
    struct graft_command *command;
    const char *const *names; /* [classes] */
    int32_t classes, top;
    bool logits;
    const struct graft_target *target; /* NULL: classes */
    const struct graft_dataset *dataset; /* with `truth`, of labels and numbers */
    bool probabilities_of_all; /* of every class, in the table */
    bool truth;                /* the data know the classes: what it is, what is said, and what that got */
    const char *csv_path; /* NULL: no table; "-": on stdout */
    float *probabilities;     /* [classes] */
    int32_t *order;       /* [classes] */
    FILE *csv;
    struct graft_text text; /* of a row of the table */
};

/* Memory, and the table with its heading; what stands above it in the struct is filled in before.
 * GRAFT_EXIT_GO_ON or an exit code. */
GRAFT_MUST_CHECK int graft_rows_open(struct graft_rows *rows);
/* Closes the table. Returns `code`, or GRAFT_EXIT_FAILED if it could not be written. */
int graft_rows_close(struct graft_rows *rows, int code);
/* Prints a row; `name` is the picture's. */
GRAFT_MUST_CHECK enum graft_status graft_rows_add(struct graft_rows *rows, const char *name,
                                                  const struct graft_classified *picture);

#endif
