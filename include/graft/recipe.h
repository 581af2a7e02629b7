/* SPDX-License-Identifier: MIT */
/*
 * A recipe: all that can be said about a training run. Its fields are the lines of graft/recipe.def, which
 * also says what each means, its default and its range.
 */
#ifndef GRAFT_RECIPE_H
#define GRAFT_RECIPE_H

#include "graft/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One stage of training: which part learns, how long, how fast. */
struct graft_fit_stage {
    char from[64];        /* the first part that learns: "head", "classifier", "all", a stage ("layer4"), a
                             layer or module ("features.7"), "last:N" layers with parameters */
    int epochs;           /* 0: not given */
    double learning_rate; /* 0: not given */
    int64_t micro_batch;  /* the most pictures computed at a time; 0: the batch. See graft_trainer_open */
    int stopped;          /* the epoch after which it ended early; 0: it did not */
};
#define GRAFT_FIT_MAX_STAGES 8

#define GRAFT_RECIPE_TYPE_TEXT(name) const char *name;
#define GRAFT_RECIPE_TYPE_PATH(name) const char *name;
#define GRAFT_RECIPE_TYPE_CHOICE(name) const char *name;
#define GRAFT_RECIPE_TYPE_INTEGER(name) int64_t name;
#define GRAFT_RECIPE_TYPE_SIDES(name) int64_t name, name##_width; /* the latter 0: as wide as high */
#define GRAFT_RECIPE_TYPE_REAL(name) double name;
#define GRAFT_RECIPE_TYPE_BYTES(name) uint64_t name;
#define GRAFT_RECIPE_TYPE_FLAG(name) bool name;
#define GRAFT_RECIPE_TYPE_STAGES(name)                                                                       \
    struct graft_fit_stage name[GRAFT_FIT_MAX_STAGES];                                                       \
    int stage_count;

/* How many lines the table has. */
enum {
    GRAFT_RECIPE_ROWS = 0
#define GRAFT_RECIPE_ROW(kind, name, flag, argument, usual, range, change, help) +1
#include "graft/recipe.def"
#undef GRAFT_RECIPE_ROW
};

/* Which options are given. */
struct graft_recipe_given {
#define GRAFT_RECIPE_ROW(kind, name, flag, argument, usual, range, change, help) bool name;
#include "graft/recipe.def"
#undef GRAFT_RECIPE_ROW
};

/*
 * All zero: nothing is given. A field that is neither 0 nor NULL nor "" counts as given; to give just 0 (no
 * dropout, no momentum), say so: {.batch = 16, .dropout = 0, .given = {.dropout = true}}.
 */
struct graft_recipe {
#define GRAFT_RECIPE_ROW(kind, name, flag, argument, usual, range, change, help)                             \
    GRAFT_RECIPE_TYPE_##kind(name)
#include "graft/recipe.def"
#undef GRAFT_RECIPE_ROW
    struct graft_recipe_given given;
};

enum graft_recipe_kind {
    GRAFT_RECIPE_TEXT,
    GRAFT_RECIPE_PATH,
    GRAFT_RECIPE_CHOICE,
    GRAFT_RECIPE_INTEGER,
    GRAFT_RECIPE_SIDES,
    GRAFT_RECIPE_REAL,
    GRAFT_RECIPE_BYTES,
    GRAFT_RECIPE_FLAG,
    GRAFT_RECIPE_STAGES
};

/* A line of the table. */
struct graft_recipe_row {
    enum graft_recipe_kind kind;
    const char *name;     /* of the field, and in config.json */
    const char *flag;     /* of the command: "--batch"; or the name of its operand */
    const char *argument; /* what follows the flag; NULL: nothing */
    const char *value;    /* the default, as graft_recipe_set takes it; NULL: none, or … */
    const char *decided;  /* … said in words: it depends on the rest */
    double least, most;   /* of numbers */
    const char *choices;  /* of a CHOICE, with blanks between them */
    bool fixed;           /* a resumed run has what it was begun with */
    bool later;           /* runs of older versions lack it, and did what its default does */
    const char *help;
};

/* Line number `index` of the table; NULL: there are no more. */
GRAFT_API const struct graft_recipe_row *graft_recipe_row(int index);
/* Gives an option by its name and a text: "batch", "32"; a FLAG takes "true" or "false". Texts are not
 * copied. GRAFT_ERROR_NOT_FOUND (no such option, or choice), GRAFT_ERROR_ARGUMENT (out of its range, no
 * number). */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_recipe_set(struct graft_context *context,
                                                              struct graft_recipe *recipe, const char *name,
                                                              const char *value);
/* What line number `index` is in a recipe, in the form that graft_recipe_set takes, into `text` (cut at
 * `size`); "" if it is not given. Returns `text`. */
GRAFT_API char *graft_recipe_get(const struct graft_recipe *recipe, int index, char *text, size_t size);
/* Ranges, choices, names of networks and stages, and what excludes each other. GRAFT_ERROR_ARGUMENT or
 * GRAFT_ERROR_NOT_FOUND, naming the option. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_recipe_check(struct graft_context *context,
                                                                const struct graft_recipe *recipe);

#ifdef __cplusplus
}
#endif
#endif
