/* SPDX-License-Identifier: MIT */
#include "fit_options.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The rows of the recipe as options; what the command has for every verb is kept where it keeps it. */
static size_t fill_options(struct graft_command *command, struct graft_fit_request *r,
                           struct graft_option *options)
{
    const struct graft_recipe_row *row;
    size_t count = 0;
    for (int i = 0; (row = graft_recipe_row(i)) != NULL; i++) {
        struct graft_option option = {.name = row->flag,
                                      .argument = row->argument,
                                      .help = row->help,
                                      .kind = GRAFT_OPTION_TEXT,
                                      .target = &r->values[i],
                                      .usual = row->value != NULL ? row->value : row->decided,
                                      .given = &r->given[i]};
        if (row->flag[0] != '-') {
            continue; /* the operand */
        }
        if (row->kind == GRAFT_RECIPE_FLAG) {
            option.kind = GRAFT_OPTION_FLAG;
            option.usual = NULL; /* not given */
            option.target = &r->given[i];
        }
        if (strcmp(row->flag, "--device") == 0) {
            option.target = &command->device;
        } else if (strcmp(row->flag, "--threads") == 0 || strcmp(row->flag, "--seed") == 0) {
            option.kind = GRAFT_OPTION_INTEGER;
            option.target = strcmp(row->flag, "--seed") == 0 ? &command->seed : &command->threads;
            option.least = row->least;
            option.most = row->most;
        }
        options[count++] = option;
    }
    return count;
}

/* "+5": so many epochs more. 0: it is something else. */
static int more_epochs(const char *value)
{
    char *end = NULL;
    const long count = value[0] == '+' ? strtol(value + 1, &end, 10) : 0;
    return end != NULL && *end == '\0' && count > 0 && count <= 100000 ? (int)count : 0;
}

/* A comma may be part of a file's name. */
static bool is_list(const struct graft_fit_request *r, const struct graft_recipe_row *row, const char *value)
{
    return r->several && strcmp(row->name, "model") == 0 && strchr(value, ',') != NULL &&
           access(value, F_OK) != 0;
}

static int fill(struct graft_command *command, struct graft_fit_request *r)
{
    struct graft_fit_options *const options = &r->options;
    const struct graft_recipe_row *row;
    enum graft_status status = GRAFT_OK;
    options->recipe.data = command->operand_count > 0 ? command->operands[0] : NULL;
    for (int i = 0; (row = graft_recipe_row(i)) != NULL && status == GRAFT_OK; i++) {
        if (r->given[i] && r->values[i] != NULL && strcmp(row->name, "epochs") == 0 &&
            more_epochs(r->values[i]) > 0) {
            options->more_epochs = more_epochs(r->values[i]);
        } else if (r->given[i] && r->values[i] != NULL && is_list(r, row, r->values[i])) {
            r->networks = r->values[i];
        } else if (r->given[i] && r->values[i] != NULL) {
            status = graft_recipe_set(command->context, &options->recipe, row->name, r->values[i]);
        } else if (r->given[i] && row->kind == GRAFT_RECIPE_FLAG) {
            status = graft_recipe_set(command->context, &options->recipe, row->name, "true");
        } else if (r->given[i] && strcmp(row->name, "seed") == 0) {
            options->recipe.seed = command->seed;
            options->recipe.given.seed = true;
        }
    }
    options->recipe.device = command->device;
    if (status == GRAFT_OK) {
        status = graft_recipe_check(command->context, &options->recipe);
    }
    if (status == GRAFT_ERROR_ARGUMENT || status == GRAFT_ERROR_NOT_FOUND) {
        return graft_command_usage(command, "%s", graft_context_error(command->context));
    }
    if (status != GRAFT_OK) {
        return graft_command_failed(command, status);
    }
    if (options->more_epochs > 0 && options->resume == NULL) {
        return graft_command_usage(command, "--epochs +%d goes on with a run: name it with --resume",
                                   options->more_epochs);
    }
    if (options->resume != NULL) {
        return options->out == NULL
                   ? GRAFT_EXIT_GO_ON
                   : graft_command_usage(command, "--resume goes on in its own folder: leave --out away");
    }
    if (command->operand_count == 0) {
        return graft_command_usage(command, "%s needs DATA: a folder with a folder for each class",
                                   command->verb->name);
    }
    return GRAFT_EXIT_GO_ON;
}

int graft_fit_request_read(struct graft_command *command, struct graft_fit_request *r,
                           const struct graft_option *own, size_t count)
{
    struct graft_option options[GRAFT_RECIPE_ROWS + 8];
    memcpy(options, own, count * sizeof *own);
    count += fill_options(command, r, options + count);
    const int done = graft_command_begin(command, options, count);
    return done == GRAFT_EXIT_GO_ON ? fill(command, r) : done;
}
