/* SPDX-License-Identifier: MIT */
/*
 * What a sweep goes through: scenarios, each a list of public calls (steps) on one context. A step that
 * failed can be called again on the same world, and the end is then the same bits as without a failure.
 */
#ifndef GRAFT_TESTS_ERROR_WORLD_H
#define GRAFT_TESTS_ERROR_WORLD_H

#include "graft/graft.h"

#include "faults.h"

struct world {
    struct graft_context *context;
    const char *device_name;
    char folder[128]; /* a scratch folder; `data` and `weights` below it are there from the beginning */
    int threads;
    uint64_t bits; /* FNV-1a of all results */
    bool broken;   /* a step has found something wrong, and said so */

    struct graft_device *device;
    struct graft_device_list *list;
    struct graft_graph *graph;
    struct graft_model *model;
    struct graft_variables *variables;
    struct graft_plan *plan;
    struct graft_trainer *trainer;
    struct graft_classifier *classifier;
    struct graft_dataset *dataset;
    struct graft_loader *loader;
    struct graft_tensor_set *set, *other;
    int values[8]; /* ids in the graph */
};

typedef enum graft_status step_function(struct world *world);

#define MAX_STEPS 12

struct scenario {
    const char *name;
    unsigned
        kinds; /* 1 << enum fault_kind: what it is swept with; OpenCL's kinds count on an OpenCL device */
    step_function *steps[MAX_STEPS]; /* up to the first NULL */
    int threads;                     /* of the context; 0: 1 */
    bool of_opencl;                  /* nothing of it happens on other devices */
};

extern const struct scenario scenarios[];
extern const int scenario_count;

/* Steps that many scenarios begin with. */
enum graft_status step_open_device(struct world *world);
void world_hash(struct world *world, const void *data, size_t bytes);
/* Contents of a file below the folder. An absent one changes nothing. */
void world_hash_file(struct world *world, const char *name);
/* Path below the folder; the text holds until the call after the next. */
const char *world_path(const struct world *world, const char *name);
/* Closes everything but the context. */
void world_close(struct world *world);

/* Makes data and weights below the folder; false with a message on stdout. */
bool world_prepare(struct world *world);

/* run_steps.c */
/* Kernels are compiled by the helper at $GRAFT_TEST_COMPILER, where that is set. */
enum graft_status step_use_helper(struct world *world);
enum graft_status step_small(struct world *world);
enum graft_status step_list_devices(struct world *world);
enum graft_status step_graph(struct world *world);
enum graft_status step_plan(struct world *world);
enum graft_status step_run(struct world *world);
enum graft_status step_check_numbers(struct world *world);
enum graft_status step_library(struct world *world);
enum graft_status step_profile(struct world *world);
enum graft_status step_model(struct world *world);
enum graft_status step_trainer(struct world *world);
enum graft_status step_train(struct world *world);
enum graft_status step_train_not_finite(struct world *world);

/* embed_steps.c */
enum graft_status step_embed(struct world *world);
enum graft_status step_plane(struct world *world);

/* file_steps.c */
enum graft_status step_fill_set(struct world *world);
enum graft_status step_save_set(struct world *world);
enum graft_status step_load_set(struct world *world);
enum graft_status step_pulled(struct world *world);
enum graft_status step_hub_config(struct world *world);
enum graft_status step_load_weights(struct world *world);
enum graft_status step_convert(struct world *world);
enum graft_status step_convert_zip(struct world *world);
enum graft_status step_npy(struct world *world);
enum graft_status step_pictures(struct world *world);
enum graft_status step_tiff(struct world *world);
enum graft_status step_open_data(struct world *world);
enum graft_status step_open_table(struct world *world);
enum graft_status step_open_archive(struct world *world);
enum graft_status step_open_links(struct world *world);
enum graft_status step_open_pets(struct world *world);
enum graft_status step_open_food(struct world *world);
enum graft_status step_open_cifar(struct world *world);
enum graft_status step_open_pattern(struct world *world);
enum graft_status step_open_doubles(struct world *world);
enum graft_status step_open_faults(struct world *world);
enum graft_status step_open_idx(struct world *world);
enum graft_status step_open_source(struct world *world);
enum graft_status step_load_data(struct world *world);
enum graft_status step_plots(struct world *world);
enum graft_status step_sheet(struct world *world);

/* fit_steps.c */
enum graft_status step_classifier(struct world *world);
enum graft_status step_classify(struct world *world);
enum graft_status step_classify_files(struct world *world);
enum graft_status step_evaluate(struct world *world);
enum graft_status step_targets(struct world *world);
enum graft_status step_explain(struct world *world);
enum graft_status step_ascent(struct world *world);
enum graft_status step_attack(struct world *world);
enum graft_status step_examples(struct world *world);
enum graft_status step_fit(struct world *world);
enum graft_status step_resume(struct world *world);
enum graft_status step_report(struct world *world);

#endif
