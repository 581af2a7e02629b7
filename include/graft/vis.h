/* SPDX-License-Identifier: MIT */
/*
 * Pictures of what happened: line plots, matrices and bars as PNG, and the drawings and the report of a run
 * folder.
 *
 * Texts are UTF-8; bytes that are not are drawn as "?", texts that are too long are cut with an ellipsis.
 * They are drawn with the system's sans-serif font: where no font is installed, plots are drawn without
 * readable text. Files are written whole or not at all: after a failure the old ones are as they were.
 */
#ifndef GRAFT_VIS_H
#define GRAFT_VIS_H

#include "graft/classifier.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- lines */

struct graft_plot_line {
    const char *name; /* for the legend */
    const double *x;  /* [count], ascending; not NaN */
    const double *y;  /* [count]; NaN or Inf: a gap */
    int64_t count;
};

/* A vertical line. */
struct graft_plot_mark {
    double x;
    const char *name; /* NULL: none */
};

struct graft_plot_panel {
    const char *title;
    const char *x_label;
    const char *y_label;
    const struct graft_plot_line *lines; /* [line_count] */
    int line_count;
    const struct graft_plot_mark *marks; /* [mark_count] */
    int mark_count;
    bool whole_x;       /* x counts something: ticks at whole numbers only */
    bool percent;       /* y is a share: ticks in percent, the axis stays in 0..1 */
    bool logarithmic_x; /* all x must be above 0 */
    bool logarithmic_y; /* y of 0 and below are gaps */
};

#define GRAFT_PLOT_MAX_PANELS 6
#define GRAFT_PLOT_MAX_LINES 8 /* of a panel */

/*
 * Draws panels side by side. width and height are pixels, 0: 1440 × 600; text grows with the height.
 * GRAFT_ERROR_ARGUMENT (counts, sizes outside 200..8192, x that is not finite), GRAFT_ERROR_MEMORY,
 * GRAFT_ERROR_IO.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_plot_lines(struct graft_context *context, const char *path,
                                                              const struct graft_plot_panel *panels,
                                                              int panel_count, int width, int height);

/* ---- a matrix of counts */

struct graft_plot_matrix {
    const char *title;
    const char *row_label;
    const char *column_label;
    const char *const *names; /* [classes] of rows and columns; NULL: numbers from 0 */
    const int64_t *counts;    /* [classes (row), classes (column)], ≥ 0 */
    int32_t classes;          /* 1..65536 */
};

/*
 * Colours tell the share of a count in its row. Up to 20 classes the counts are written into the cells, up to
 * 60 the names to the sides; above that it is a plain heat map. The size of the picture follows from what is
 * in it. GRAFT_ERROR_ARGUMENT, GRAFT_ERROR_MEMORY, GRAFT_ERROR_IO.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_plot_matrix(struct graft_context *context, const char *path, const struct graft_plot_matrix *matrix);

/* ---- bars */

struct graft_plot_bars {
    const char *title;
    const char *value_label;         /* "images per second" */
    const char *const *names;        /* [groups]: one group of bars each, from top to bottom */
    int groups;                      /* 1..200 */
    const char *const *series_names; /* [series]; NULL with one series: no legend */
    int series;                      /* 1..GRAFT_PLOT_MAX_LINES: bars of a group */
    const double *values;            /* [groups, series], ≥ 0; NaN: no bar */
};

/* Horizontal bars with their values. GRAFT_ERROR_ARGUMENT, GRAFT_ERROR_MEMORY, GRAFT_ERROR_IO. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_plot_bars(struct graft_context *context, const char *path,
                                                             const struct graft_plot_bars *bars);

/* ---- pictures */

/*
 * Heat in 0..1, f32 [height, width], as colours: dark violet, red, yellow, evenly lighter to the eye. The image is
 * the caller's (graft_image_close). GRAFT_ERROR_MEMORY.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_vis_heat(struct graft_context *context, const float *heat,
                                                            int32_t width, int32_t height,
                                                            struct graft_image *result);
/*
 * The same laid over the picture that it explains, at the picture's own size. `region`: where the network's input,
 * of width × height pixels, lies in the picture (graft_preprocess_region); what lies outside was not seen and
 * becomes dark. GRAFT_ERROR_MEMORY.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_vis_overlay(struct graft_context *context,
                                                               const struct graft_image *picture,
                                                               const struct graft_region *region,
                                                               const float *heat, int32_t width, int32_t height,
                                                               struct graft_image *result);

/*
 * All channels of a map, f32 [height, width, channels], side by side in a near square of cells, in the colours of
 * graft_vis_heat from `lowest` to `highest` (all cells in one scale). A cell is the map enlarged by a whole number to
 * `cell` pixels or a little less; a channel that is 0 everywhere is crossed out. The image is the caller's.
 * GRAFT_ERROR_ARGUMENT (more than 8192 pixels), GRAFT_ERROR_MEMORY.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_vis_channels(struct graft_context *context,
                                                                const float *values, int32_t height,
                                                                int32_t width, int32_t channels, float lowest,
                                                                float highest, int32_t cell,
                                                                struct graft_image *result);

struct graft_sheet_bar {
    const char *name;
    double share; /* 0..1 */
    bool marked;  /* in another colour */
};

/* A picture, or bars; with a caption above. */
struct graft_sheet_tile {
    const char *caption;               /* NULL: none */
    const struct graft_image *picture; /* NULL: none; scaled to fit */
    const struct graft_sheet_bar *bars;
    int32_t bar_count;
};

/*
 * Draws tiles of side × side pixels in rows of `columns`, with captions and a title (NULL: none), as PNG. Whole or
 * not at all. GRAFT_ERROR_ARGUMENT (nothing to draw, or a sheet of more than 8192 pixels), GRAFT_ERROR_MEMORY,
 * GRAFT_ERROR_IO.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_vis_sheet(struct graft_context *context, const char *path,
                                                             const char *title,
                                                             const struct graft_sheet_tile *tiles,
                                                             int32_t count, int32_t columns, int32_t side);

/* ---- pictures on a plane */

struct graft_plane_point {
    double x, y;                       /* finite */
    int32_t label;                     /* −1: none */
    const struct graft_image *picture; /* small; NULL: a dot stands for it */
    const char *name;                  /* for the page */
};

struct graft_plane {
    const char *title;
    const char *facts;                      /* a sentence below it; may be NULL */
    const struct graft_plane_point *points; /* [count] */
    int64_t count;
    const char *const *class_names; /* [class_count] */
    int32_t class_count;            /* 0: no classes are told apart */
};

/* All pictures where they lie, in frames of their class's colour, with a legend of up to 24 classes, as PNG of about
 * side × side pixels, 400..8000. GRAFT_ERROR_ARGUMENT, GRAFT_ERROR_MEMORY, GRAFT_ERROR_IO. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_vis_plane(struct graft_context *context, const char *path,
                                                             const struct graft_plane *plane, int32_t side);
/* The same as an HTML page, one file that loads nothing, in which one can look closer. Statuses of graft_vis_plane. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_vis_plane_page(struct graft_context *context,
                                                                  const char *path,
                                                                  const struct graft_plane *plane);

/* ---- pictures that say most about a network */

struct graft_examples;

/*
 * Of each class of a part of a data set (GRAFT_SPLIT_COUNT: all of it) the picture that the network is surest of and is
 * right, and the one that it is surest of and is wrong, with what speaks for the classes by Grad-CAM; of more than 20
 * classes those with the surest mistakes. Besides: the pictures with the largest loss, the surest mistakes, those most in
 * doubt, and of the same classes the best and the worst. The data set's classes are in the network's order. It must
 * outlive the examples. `predictions`: what the network says of all these pictures, copied; NULL: they are run once.
 * `options`: output and pool are unused. Statuses of graft_explainer_open and graft_classifier_dataset.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_examples_find(struct graft_device *device, const struct graft_classifier_options *options,
                    const struct graft_dataset *dataset, enum graft_split split,
                    const struct graft_predictions *predictions, struct graft_examples **examples);
GRAFT_API void graft_examples_close(struct graft_examples **examples);
/* One HTML file: an evaluation and, unless NULL, examples. `class_names`: [evaluation->classes]. GRAFT_ERROR_ARGUMENT (no
 * pictures), GRAFT_ERROR_MEMORY, GRAFT_ERROR_IO. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_vis_evaluation(struct graft_context *context, const char *path, const char *title,
                     const struct graft_evaluation *evaluation, const char *const *class_names,
                     const struct graft_examples *examples);

/* ---- a run */

/*
 * Draws what the run folder of graft_fit holds (config.json, history.csv) into it: curves.png (loss and
 * accuracy, with a line where each later stage begins), report.html (one file, nothing else is loaded) and,
 * with an evaluation that holds pictures, confusion.png. `evaluation` may be NULL; its classes must be those
 * of the run. GRAFT_ERROR_NOT_FOUND (no run), GRAFT_ERROR_FORMAT (a damaged file: the message names file and
 * line), GRAFT_ERROR_ARGUMENT (an evaluation of other classes), GRAFT_ERROR_MEMORY, GRAFT_ERROR_IO.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_vis_run(struct graft_context *context, const char *run,
                                                           const struct graft_evaluation *evaluation);
/* The same with examples in the report; NULL: none. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_vis_run_examples(struct graft_context *context,
                                                                    const char *run,
                                                                    const struct graft_evaluation *evaluation,
                                                                    const struct graft_examples *examples);

/* ---- runs beside each other */

/*
 * PNG files for `count` runs by the names given: bars of what each stage of each run brought (1 to 200 runs), and
 * the curves of their validation over each other with a line where a later stage begins (the first
 * GRAFT_PLOT_MAX_LINES runs). GRAFT_ERROR_ARGUMENT, GRAFT_ERROR_MEMORY, GRAFT_ERROR_IO.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_vis_compare_bars(struct graft_context *context, const char *path,
                                                                    const struct graft_run *const *runs,
                                                                    const char *const *names, int count);
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_vis_compare_curves(struct graft_context *context,
                                                                      const char *path,
                                                                      const struct graft_run *const *runs,
                                                                      const char *const *names, int count);

#ifdef __cplusplus
}
#endif
#endif
