/* SPDX-License-Identifier: MIT */
/* Inside of run folders: who writes one, and what it holds. */
#ifndef GRAFT_SRC_RUN_RUN_H
#define GRAFT_SRC_RUN_RUN_H

#include "base/text.h"
#include "graft/io.h"
#include "graft/run.h"
#include "io/json.h"

/* The epochs of a run, in the order in which they were. Zero it before use. */
struct graft_run_history {
    struct graft_run_epoch *epochs;
    int count, capacity;
    enum graft_task_kind task;
};
GRAFT_MUST_CHECK enum graft_status graft_run_history_add(struct graft_context *context,
                                                         struct graft_run_history *history,
                                                         const struct graft_run_epoch *epoch);
void graft_run_history_close(struct graft_context *context, struct graft_run_history *history);
/* See graft_run_best: the one rule. */
int graft_run_history_best(const struct graft_run_history *history);

/* The numbers of an epoch, by name. */
struct graft_run_column {
    const char *name;
    size_t offset; /* of a double in struct graft_run_epoch */
    bool share;    /* in [0, 1] */
};
#define GRAFT_RUN_COLUMNS 6
extern const struct graft_run_column graft_run_columns[GRAFT_RUN_COLUMNS];
double *graft_run_number_of(struct graft_run_epoch *epoch, int column);
/* What a column is called: the figure's by the task. Returns `name`. */
const char *graft_run_column_name(enum graft_task_kind task, int column, char name[32]);

/* What TensorBoard reads: see recorder_events.c. */
struct graft_run_events {
    struct graft_text pending; /* records since the last save */
    int64_t bytes;             /* of the file, that belong to the last save; 0: it is begun anew */
    int epochs;                /* of the history, that are in it or pending */
    int64_t steps;             /* done in all stages */
    double loss_sum;           /* since the step that was noted last: Σ loss · pictures, … */
    int64_t correct, seen;
    double seconds; /* of steps that run on pictures; 0: on features */
};

/* A training step that is done. */
struct graft_run_step {
    double loss, learning_rate;
    int64_t correct, seen; /* pictures */
    double seconds;        /* 0: on features */
};

struct graft_run {
    struct graft_context *context;
    char *folder;
    char *recipe;             /* text of config.json; NULL: not yet written */
    void *config;             /* json_t, the same as an object */
    const char **class_names; /* [classes], texts of config */
    int32_t classes;
    struct graft_run_history history;
    struct graft_run_events events;
    struct graft_evaluation evaluation; /* classes 0: none */
    char evaluated[16];
    struct graft_run_cost cost;
    int lock;   /* the folder, open and locked by its one writer; -1: a reader */
    bool fresh; /* the run begins with this writer, … */
    bool made;  /* … who made the folder too */
};

/* ---- claim.c: a folder belongs to one writer at a time, who loses it when the process ends, however that is
 */
struct graft_run_wish {
    const char *folder; /* NULL: runs/<data>[-<network>]-<n>, the first n that is free */
    const char *data, *network;
};
/*
 * Claims a folder for a new run and creates it; one that is there is taken if it holds nothing that a run
 * writes, or what is left of a run that never saved. GRAFT_ERROR_ARGUMENT: it holds a run, or something that
 * would be overwritten, or another fit writes it; GRAFT_ERROR_IO, GRAFT_ERROR_MEMORY.
 */
GRAFT_MUST_CHECK enum graft_status graft_run_claim(struct graft_context *context,
                                                   const struct graft_run_wish *wish, struct graft_run **run);
/* Claims the folder of a run that is to go on, with recipe and classes. GRAFT_ERROR_NOT_FOUND: it has saved
 * nothing. */
GRAFT_MUST_CHECK enum graft_status graft_run_claim_again(struct graft_context *context, const char *folder,
                                                         struct graft_run **run);
/* After a failure: a folder of this run that holds nothing saved is taken away, so that the same command can
 * be given again. */
void graft_run_abandon(struct graft_run *run);

/* ---- run.c */
/* FOLDER/NAME. */
GRAFT_MUST_CHECK enum graft_status graft_run_path(const struct graft_run *run, const char *name,
                                                  struct graft_text *path);
GRAFT_MUST_CHECK enum graft_status graft_run_write(const struct graft_run *run, const char *name,
                                                   const struct graft_text *text);
GRAFT_MUST_CHECK enum graft_status graft_run_new(struct graft_context *context, const char *folder,
                                                 struct graft_run **run);
GRAFT_MUST_CHECK enum graft_status graft_run_read_recipe(struct graft_run *run);
/* The recipe of a folder that is somewhere else; `text` is taken over. */
GRAFT_MUST_CHECK enum graft_status graft_run_take_recipe(struct graft_run *run, char *text);
/* Writes config.json; `text` is the recipe as JSON. */
GRAFT_MUST_CHECK enum graft_status graft_run_write_recipe(struct graft_run *run, const char *text,
                                                          size_t size);

/* ---- evaluation_targets.c: of labels and numbers */
void graft_evaluation_finish_targets(struct graft_evaluation *evaluation);
/* Releases the rows: figures stay. */
void graft_evaluation_forget(struct graft_context *context, struct graft_evaluation *evaluation);

/* ---- evaluation_file.c */
GRAFT_MUST_CHECK enum graft_status graft_run_read_evaluation(struct graft_run *run);

/* ---- recorders: each turns the history into a file of the run folder; that is written anew at every save,
 * so that nothing stands there twice after a resumed epoch */
struct graft_recorder {
    const char *file;
    void (*record)(const struct graft_run *run, struct graft_text *text); /* failures are in `text` */
};
extern const struct graft_recorder graft_recorder_csv;
/* history.csv, read back. GRAFT_ERROR_FORMAT names file and line. */
GRAFT_MUST_CHECK enum graft_status graft_run_read_csv(struct graft_run *run);

/* ---- recorder_events.c: TENSORBOARD, which grows with every save, where the recipe's `tensorboard` is not 0
 */
#define GRAFT_RUN_EVENTS "tensorboard/events.out.tfevents.graft"
/* After each step. */
void graft_run_note_step(struct graft_run *run, const struct graft_run_step *step);
/* Before a state is saved: adds what is new. What a run that was killed wrote beyond its last state is cut
 * off. */
GRAFT_MUST_CHECK enum graft_status graft_run_save_events(struct graft_run *run);
/* When all is done: what it came to, and that the session has ended; of no state, so that going on takes it
 * back. */
GRAFT_MUST_CHECK enum graft_status graft_run_end_events(struct graft_run *run,
                                                        const struct graft_evaluation *evaluation);
/* What of it a state keeps, as JSON, and back; NULL: an older state knew nothing of it. */
struct graft_json graft_run_events_json(const struct graft_run *run);
void graft_run_events_read(struct graft_run *run, const void *json);

/* ---- state.c: from where a run goes on, to the bit */
struct graft_run_position {
    int stage;
    int epoch;            /* within the stage, from 0 */
    int64_t batch;        /* within the epoch, from 0 */
    int64_t number;       /* training steps done in this stage */
    double loss_sum;      /* of this epoch: Σ loss · pictures */
    int64_t correct;      /* … */
    int64_t seen;         /* … */
    double seconds;       /* of this epoch before the interruption */
    double train_seconds; /* of all training steps on pictures, not on cached features */
    int64_t trained;      /* pictures through them */
    double total_seconds;
};
/* model.safetensors (best) or last.safetensors. */
#define GRAFT_RUN_BEST "model.safetensors"
#define GRAFT_RUN_LAST "last.safetensors"
GRAFT_MUST_CHECK enum graft_status graft_run_save_weights(struct graft_run *run, const char *name,
                                                          const struct graft_tensor_set *set);
/* What recorders write, then state.safetensors with these variables; last, so that a state never speaks of
 * weights that are not there. Texts are put into the set. */
GRAFT_MUST_CHECK enum graft_status graft_run_save_state(struct graft_run *run,
                                                        const struct graft_run_position *position,
                                                        struct graft_tensor_set *variables);
/* Position, history and variables of the last save; the caller closes the set. */
GRAFT_MUST_CHECK enum graft_status graft_run_load(struct graft_run *run, struct graft_run_position *position,
                                                  struct graft_tensor_set **variables);

#endif
