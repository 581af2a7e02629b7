/* SPDX-License-Identifier: MIT */
/* The pictures of a run: the same ones, split in the same way, while it is fitted and ever after. */
#include "base/context.h"
#include "graft/train.h"
#include "run/recipe.h"

#include <stdio.h>
#include <string.h>

enum graft_status graft_recipe_open_data(struct graft_context *context, struct graft_recipe *recipe,
                                         const struct graft_picture_source *source,
                                         const char *const *class_names, int32_t class_count,
                                         struct graft_dataset **dataset)
{
    static const char *const kinds[] = {"auto", "folders", "names", "idx", "csv", "memory", "lists", "cifar"};
    struct graft_dataset_options options = {
        .seed = (uint64_t)recipe->split_seed,
        .val_fraction = recipe->given.val_fraction && recipe->val_fraction == 0 ? -1 : recipe->val_fraction,
        .val_path = recipe->val,
        .column_path = recipe->column_path,
        .column_label = recipe->column_label,
        .column_split = recipe->column_split,
        .parts = recipe->parts,
        .take = recipe->take,
        .class_pattern = recipe->class_pattern,
        .labels = recipe->labels,
        .task = recipe->task,
        .keep_damaged = recipe->skip_damaged,
        .memory_limit = recipe->archive_limit,
        .class_names = class_names,
        .class_count = class_count};
    for (int kind = 1; recipe->kind && kind < (int)(sizeof kinds / sizeof kinds[0]); kind++)
        if (strcmp(kinds[kind], recipe->kind) == 0)
            options.kind = (enum graft_dataset_kind)kind;
    if (options.kind == GRAFT_DATASET_MEMORY && !source)
        return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                          "the pictures came from a program of its own: only that can go on with them");
    const enum graft_status status = source ? graft_dataset_open_source(context, source, &options, dataset)
                                            : graft_dataset_open(context, recipe->data, &options, dataset);
    if (status != GRAFT_OK)
        return status;
    recipe->kind = kinds[graft_dataset_kind(*dataset)];
    recipe->given.kind = true;
    recipe->task = graft_task_info(graft_dataset_task(*dataset))->name;
    recipe->given.task = true;
    return GRAFT_OK;
}

enum graft_status graft_run_fingerprint(struct graft_context *context, const struct graft_dataset *dataset,
                                        enum graft_split split, char text[20])
{
    const uint64_t number = graft_dataset_fingerprint(dataset, split);
    (void)snprintf(text, 20, "%016llx", (unsigned long long)number);
    return number != 0
               ? GRAFT_OK
               : graft_fail(context, GRAFT_ERROR_IO,
                            "the system refuses to tell the size of a %s picture: look at the permissions "
                            "of its folders",
                            graft_split_name(split));
}

enum graft_status graft_run_check_data(const struct graft_run *run, const struct graft_dataset *dataset,
                                       bool files)
{
    const json_t *const images = json_object_get(run->config, "images");
    const json_t *const prints = json_object_get(run->config, "fingerprints");
    for (int s = 0; s < GRAFT_SPLIT_COUNT; s++) {
        const enum graft_split split = (enum graft_split)s;
        const char *const name = graft_split_name(split);
        const char *const was = json_string_value(json_object_get(prints, name));
        const json_int_t before = json_integer_value(json_object_get(images, name));
        const int64_t now = graft_dataset_count(dataset, split);
        char text[20];
        /* A picture more or less moves others to another part. */
        if (before != now)
            return graft_fail(
                run->context, GRAFT_ERROR_ARGUMENT,
                "%s has changed since %s was begun with it: %lld %s pictures were there, %lld are "
                "now; put back what was there, or begin another run",
                graft_run_text(run, "data"), run->folder, (long long)before, name, (long long)now);
        const enum graft_status status =
            files ? graft_run_fingerprint(run->context, dataset, split, text) : GRAFT_OK;
        if (status != GRAFT_OK)
            return status;
        if (files && (!was || strcmp(was, text) != 0))
            return graft_fail(run->context, GRAFT_ERROR_ARGUMENT,
                              "%s has changed since %s was begun with it: other %s pictures (names, sizes or "
                              "classes); put back what was there, or begin another run",
                              graft_run_text(run, "data"), run->folder, name);
    }
    return GRAFT_OK;
}

enum graft_status graft_run_open_data(const struct graft_run *run, struct graft_dataset **dataset)
{
    struct graft_recipe recipe = {0};
    struct graft_text path = {0};
    *dataset = NULL;
    enum graft_status status = graft_run_path(run, "config.json", &path);
    if (status == GRAFT_OK)
        status = graft_recipe_read(run->context, run->config, path.data, &recipe);
    if (status == GRAFT_OK)
        status = graft_recipe_open_data(run->context, &recipe, NULL, run->class_names, run->classes, dataset);
    if (status == GRAFT_OK)
        status = graft_run_check_data(run, *dataset, false);
    if (status != GRAFT_OK)
        graft_dataset_close(dataset);
    graft_text_close(run->context, &path);
    return status;
}
