/* SPDX-License-Identifier: MIT */
#include "tuning.h"

#include "backend/notes.h"
#include "output.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum graft_status graft_tuning_measure(struct graft_command *command, struct graft_workload *workload,
                                       struct graft_tuner *tuner)
{
    bool more = true;
    enum graft_status status = graft_tuner_open(workload->device, tuner);
    for (int trial = 0; status == GRAFT_OK && more; trial++) {
        graft_command_progress(command, "%s on %s: trying kernels, round %d", workload->options.model,
                               graft_device_get_info(workload->device)->id, trial + 1);
        status = graft_workload_plan(workload);
        if (status == GRAFT_OK) {
            status = graft_workload_run(workload);
        }
        if (status == GRAFT_OK) {
            status = graft_tuner_measure(tuner, workload->plan, workload->options.train);
        }
        if (status == GRAFT_OK) {
            status = graft_tuner_next(tuner, &more);
        }
    }
    if (status == GRAFT_OK) {
        status = graft_tuner_finish(tuner);
    }
    graft_command_progress_end(command);
    return status == GRAFT_OK ? graft_workload_plan(workload) : status;
}

/* Opens the workload with forced variants, and runs it once. */
static enum graft_status replan(void *user, const char *variants, struct graft_plan **plan)
{
    struct graft_workload *const workload = user;
    struct graft_device *const device = workload->device;
    struct graft_workload_options options = workload->options;
    options.variants = variants;
    graft_workload_close(workload);
    enum graft_status status = graft_workload_open(device, &options, workload);
    workload->device = device; /* to be opened again, also after a failure */
    workload->options = options;
    if (status == GRAFT_OK) {
        status = graft_workload_run(workload);
    }
    *plan = workload->plan;
    return status;
}

enum graft_status graft_tuning_measure_clblast(struct graft_command *command, struct graft_workload *workload,
                                               struct graft_tuner *tuner, struct graft_tune_sets *sets)
{
    struct graft_workload own = {.device = workload->device, .options = workload->options};
    graft_command_progress(command, "%s on %s: trying CLBlast's parameters", workload->options.model,
                           graft_device_get_info(workload->device)->id);
    graft_plan_release(workload->plan);
    const enum graft_status status = graft_tuner_clblast(tuner, workload->options.train, replan, &own, sets);
    graft_workload_close(&own);
    graft_command_progress_end(command);
    return status;
}

static const char *set_name(const struct graft_tune_set *set)
{
    return set->name[0] != '\0' ? set->name : "its own";
}

static void print_sets(const struct graft_tune_sets *sets)
{
    if (sets->count == 0) {
        return;
    }
    printf("CLBlast's parameters, all matrix products:\n   ");
    for (int i = 0; i < sets->count; i++) {
        if (sets->sets[i].seconds > 0) {
            printf(" %s %.3f ms,", set_name(&sets->sets[i]), 1e3 * sets->sets[i].seconds);
        } else {
            printf(" %s fails,", set_name(&sets->sets[i]));
        }
    }
    if (sets->chosen >= 0) {
        printf(" chosen: %s, with CLBlast for all of them\n", set_name(&sets->sets[sets->chosen]));
    } else {
        printf(" chosen: none; what is chosen above takes %.3f ms\n", 1e3 * sets->seconds);
    }
}

static void print_row(const struct graft_tune_row *row)
{
    const struct graft_tune_candidate *const plain = &row->candidates[row->plain];
    const struct graft_tune_candidate *const chosen = &row->candidates[row->chosen];
    const size_t op = strlen(row->op);
    printf("%s, %d layer%s:%s\n   ", row->op, row->steps, row->steps == 1 ? "" : "s",
           strncmp(row->call, row->op, op) == 0 ? row->call + op : row->call);
    for (int c = 0; c < row->count; c++) {
        const struct graft_tune_candidate *const candidate = &row->candidates[c];
        if (candidate->tried) {
            printf(" %s %.3f ms,", candidate->name, 1e3 * candidate->seconds);
        } else {
            printf(" %s hopeless,", candidate->name);
        }
    }
    if (row->chosen == row->plain) {
        printf(" chosen: %s, the default\n", chosen->name);
    } else {
        printf(" chosen: %s, in %.0f %% of the time of %s, the default\n", chosen->name,
               100 * chosen->seconds / fmax(plain->seconds, 1e-12), plain->name);
    }
}

void graft_tuning_print(struct graft_command *command, const struct graft_tuner *tuner,
                        const struct graft_tune_sets *sets)
{
    char title[640];
    char path[4096];
    int rows = 0;
    int changed = 0;
    double plain = 0;
    double chosen = 0;
    printf("\n");
    for (int r = 0; r < tuner->count; r++) {
        const struct graft_tune_row *const row = &tuner->rows[r];
        if (row->count < 2) {
            continue;
        }
        print_row(row);
        rows++;
        changed += row->chosen != row->plain;
        plain += row->candidates[row->plain].seconds;
        chosen += row->candidates[row->chosen].seconds;
    }
    print_sets(sets);
    printf("%d of %d choices differ from the default: %.3f ms instead of %.3f ms for these kernels\n",
           changed, rows, 1e3 * chosen, 1e3 * plain);
    graft_tuning_title(tuner->device, title, sizeof title);
    if (graft_notes_path(command->context, title, path, sizeof path)) {
        printf("kept in %s\n", path);
    } else {
        printf("not kept: there is no cache folder\n");
    }
}

json_t *graft_tuning_json(const struct graft_tuner *tuner)
{
    json_t *const list = json_array();
    for (int r = 0; r < tuner->count; r++) {
        const struct graft_tune_row *const row = &tuner->rows[r];
        json_t *const variants = json_array();
        for (int c = 0; c < row->count; c++) {
            const struct graft_tune_candidate *const candidate = &row->candidates[c];
            graft_json_add_item(
                variants, json_pack("{s:s, s:o}", "variant", candidate->name, "ms",
                                    candidate->tried ? json_real(1e3 * candidate->seconds) : json_null()));
        }
        if (row->count < 2) {
            json_decref(variants);
            continue;
        }
        graft_json_add_item(list, json_pack("{s:s, s:s, s:i, s:o, s:s, s:s}", "op", row->op, "call",
                                            row->call, "layers", row->steps, "variants", variants, "chosen",
                                            row->candidates[row->chosen].name, "default",
                                            row->candidates[row->plain].name));
    }
    return list;
}

json_t *graft_tuning_clblast_json(const struct graft_tune_sets *sets)
{
    json_t *const list = json_array();
    for (int i = 0; i < sets->count; i++) {
        const struct graft_tune_set *const set = &sets->sets[i];
        graft_json_add_item(list, json_pack("{s:s, s:o}", "set", set->name, "ms",
                                            set->seconds > 0 ? json_real(1e3 * set->seconds) : json_null()));
    }
    return json_pack("{s:o, s:o}", "sets", list, "chosen",
                     sets->chosen >= 0 ? json_string(sets->sets[sets->chosen].name) : json_null());
}
