/* SPDX-License-Identifier: MIT */
/* Inside of a recipe. `row` is a line of graft/recipe.def. */
#ifndef GRAFT_SRC_RUN_RECIPE_H
#define GRAFT_SRC_RUN_RECIPE_H

#include "graft/data.h"
#include "graft/model.h"
#include "graft/recipe.h"
#include "io/json.h"
#include "io/network_source.h"
#include "run/run.h"

#define GRAFT_MAX_EPOCHS 100000
#define GRAFT_MAX_RATE 1e6
#define GRAFT_MAX_BATCH 65536

/* A row's field, as what it is. */
union graft_recipe_field {
    void *any;
    const char **text;
    int64_t *integer; /* of SIDES two, the other one behind it */
    double *real;
    uint64_t *bytes;
    bool *flag;
};
union graft_recipe_field graft_recipe_field(const struct graft_recipe *recipe, int row);
bool *graft_recipe_bit(const struct graft_recipe *recipe, int row);

/* A row's text; NULL: it is none. */
const char **graft_recipe_text_of(const struct graft_recipe *recipe, int row);

/* Epochs of a stage: those that it was to have, or had. */
static inline int graft_stage_epochs(const struct graft_fit_stage *stage)
{
    return stage->stopped > 0 ? stage->stopped : stage->epochs;
}

/* Sets the bit of every field that is not 0; "" becomes NULL. */
void graft_recipe_settle(struct graft_recipe *recipe);
/* Gives what is not given and has a value by default. */
GRAFT_MUST_CHECK enum graft_status graft_recipe_defaults(struct graft_context *context,
                                                         struct graft_recipe *recipe);
/* Range and choice of one row that is given. */
GRAFT_MUST_CHECK enum graft_status graft_recipe_check_row(struct graft_context *context,
                                                          const struct graft_recipe *recipe, int row);
/* Turns `freeze` into a stage, and checks that the network has all stages. */
GRAFT_MUST_CHECK enum graft_status graft_recipe_find_stages(struct graft_context *context,
                                                            const struct graft_model *model,
                                                            struct graft_recipe *recipe);
/* The stage that follows `frozen`, which must not be the last one: what learns if that is frozen. */
GRAFT_MUST_CHECK enum graft_status graft_recipe_unfrozen(struct graft_context *context,
                                                         const struct graft_model *model, const char *frozen,
                                                         char *stage, size_t size);

/* ---- recipe_rates.c */
/* lr_decay: "linear:FIRST:LAST", from the head's rate to the first layer's, or "exp:BY"; what is not said is
 * 0. */
struct graft_recipe_decay {
    double first, last, by;
};
/* `text` may be NULL. GRAFT_ERROR_ARGUMENT. */
GRAFT_MUST_CHECK enum graft_status graft_recipe_read_decay(struct graft_context *context, const char *text,
                                                           struct graft_recipe_decay *decay);
/* A piece of a list NAME=NUMBER,..., which *text is moved behind. GRAFT_ERROR_ARGUMENT names `flag`. */
struct graft_recipe_part {
    char name[GRAFT_MODEL_NAME_SIZE];
    double number;
};
GRAFT_MUST_CHECK enum graft_status graft_recipe_read_part(struct graft_context *context, const char *flag,
                                                          const char **text, struct graft_recipe_part *part);
/* What these options must be like in every recipe, and what excludes each other. GRAFT_ERROR_ARGUMENT. */
GRAFT_MUST_CHECK enum graft_status graft_recipe_check_rates(struct graft_context *context,
                                                            const struct graft_recipe *recipe);

/* ---- recipe_data.c */
/* The data set of a recipe, whose kind is then given; a program's own source, or NULL; classes as in
 * graft_dataset_options. */
GRAFT_MUST_CHECK enum graft_status graft_recipe_open_data(struct graft_context *context,
                                                          struct graft_recipe *recipe,
                                                          const struct graft_picture_source *source,
                                                          const char *const *class_names, int32_t class_count,
                                                          struct graft_dataset **dataset);

/* Of names, sizes and classes of a part of the data, in hexadecimal digits. GRAFT_ERROR_IO. */
GRAFT_MUST_CHECK enum graft_status graft_run_fingerprint(struct graft_context *context,
                                                         const struct graft_dataset *dataset,
                                                         enum graft_split split, char text[20]);
/* Whether the data are what the run was begun with: as many pictures in each part, so that the parts are the
 * same, and with `files` the same names, sizes and classes. GRAFT_ERROR_ARGUMENT says what has changed. */
GRAFT_MUST_CHECK enum graft_status graft_run_check_data(const struct graft_run *run,
                                                        const struct graft_dataset *dataset, bool files);

/* ---- recipe_json.c */
/* All rows into config.json's object; what is not given is null. */
void graft_recipe_write(const struct graft_recipe *recipe, struct graft_json *config);
/* And back, each of its type and in its range. Texts stay the config's. GRAFT_ERROR_FORMAT names `path` and
 * the entry. */
GRAFT_MUST_CHECK enum graft_status graft_recipe_read(struct graft_context *context, const json_t *config,
                                                     const char *path, struct graft_recipe *recipe);
/* What is given for a resumed run: FREE rows are taken over, FIXED ones must be as they were.
 * GRAFT_ERROR_ARGUMENT names what is not. */
GRAFT_MUST_CHECK enum graft_status graft_recipe_resume(struct graft_context *context,
                                                       struct graft_recipe *recipe,
                                                       const struct graft_recipe *given);

#endif
