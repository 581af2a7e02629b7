/* SPDX-License-Identifier: MIT */
#include "tuning.h"

#include "backend/notes.h"
#include "output.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct proving {
    struct graft_command *command;
    struct graft_workload *workload;
    int runs;
};

/* A graft_tune_step. */
static enum graft_status run_step(void *user, double *seconds)
{
    struct proving *const proving = user;
    graft_command_progress(proving->command, "%s on %s: trying the choices together, run %d",
                           proving->workload->options.model,
                           graft_device_get_info(proving->workload->device)->id, ++proving->runs);
    const enum graft_status status = graft_workload_plan(proving->workload);
    return status == GRAFT_OK ? graft_workload_measure(proving->workload, seconds) : status;
}

enum graft_status graft_tuning_measure(struct graft_command *command, struct graft_workload *workload,
                                       struct graft_tuner *tuner, struct graft_tune_proof *proof)
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
        struct proving proving = {command, workload, 0};
        status = graft_tuner_finish(tuner, run_step, &proving, proof);
    }
    graft_command_progress_end(command);
    return status == GRAFT_OK ? graft_workload_plan(workload) : status;
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
            printf(" %s %.3f ms%s,", candidate->name, 1e3 * candidate->seconds,
                   candidate->impossible ? " (impossible)" : "");
        } else {
            printf(" %s hopeless,", candidate->name);
        }
    }
    if (row->taken_back >= 0) {
        printf(" chosen: %s, the default; %s was taken back: the whole step is not faster with it\n",
               chosen->name, row->candidates[row->taken_back].name);
    } else if (row->chosen == row->plain) {
        printf(" chosen: %s, the default\n", chosen->name);
    } else {
        printf(" chosen: %s, in %.0f %% of the time of %s, the default\n", chosen->name,
               100 * chosen->seconds / fmax(plain->seconds, 1e-12), plain->name);
    }
}

static void print_proof(const struct graft_tune_proof *proof)
{
    if (proof->wanted == 0) {
        printf("no kernel is faster than the default one\n");
    } else if (proof->kept == 0) {
        printf("all %d choices were taken back: the whole step was not faster with them; it takes %.3f ms\n",
               proof->wanted, 1e3 * proof->plain_seconds);
    } else {
        printf("the whole step takes %.3f ms with the choices, %.3f ms without%s\n", 1e3 * proof->seconds,
               1e3 * proof->plain_seconds,
               proof->kept < proof->wanted ? "; those that did not make it faster were taken back" : "");
    }
}

void graft_tuning_print(struct graft_command *command, const struct graft_tuner *tuner,
                        const struct graft_tune_proof *proof)
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
    printf("%d of %d choices differ from the default: %.3f ms instead of %.3f ms for these kernels\n",
           changed, rows, 1e3 * chosen, 1e3 * plain);
    print_proof(proof);
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
                variants, json_pack("{s:s, s:o, s:b}", "variant", candidate->name, "ms",
                                    candidate->tried ? json_real(1e3 * candidate->seconds) : json_null(),
                                    "impossible", candidate->impossible));
        }
        if (row->count < 2) {
            json_decref(variants);
            continue;
        }
        graft_json_add_item(
            list, json_pack("{s:s, s:s, s:i, s:o, s:s, s:s, s:o}", "op", row->op, "call", row->call, "layers",
                            row->steps, "variants", variants, "chosen", row->candidates[row->chosen].name,
                            "default", row->candidates[row->plain].name, "taken_back",
                            row->taken_back >= 0 ? json_string(row->candidates[row->taken_back].name)
                                                 : json_null()));
    }
    return list;
}

json_t *graft_tuning_proof_json(const struct graft_tune_proof *proof)
{
    return json_pack("{s:f, s:f, s:i, s:i}", "default_ms", 1e3 * proof->plain_seconds, "ms",
                     1e3 * proof->seconds, "choices", proof->wanted, "kept", proof->kept);
}
