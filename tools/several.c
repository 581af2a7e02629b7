/* SPDX-License-Identifier: MIT */
/*
 * OUT/networks.json holds what was asked for, so that --resume OUT can go on: the networks, and the options
 * as they stood on the command line. Which networks are done is what their run folders say.
 */
#include "several.h"

#include "base/file.h"
#include "base/text.h"
#include "compared.h"
#include "io/network_source.h"
#include "io/pulled.h"
#include "model/published.h"
#include "network.h"
#include "output.h"
#include "run/recipe.h"
#include "run/run.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLAN "networks.json"
#define MOST 64

struct several {
    struct graft_command *command;
    struct graft_fit_options options; /* of every network, but for its name and folder */
    graft_fit_function *fit;
    json_t *plan; /* {"networks": [NAME, …], "recipe": {ROW: TEXT, …}} */
    char folder[PATH_MAX];
    int count;
    const char *names[MOST];
    char runs[MOST][PATH_MAX];
    bool done[MOST], failed[MOST];
};

static bool exists(const char *folder, const char *name)
{
    char path[PATH_MAX + 64];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

bool graft_several_is_folder(const char *folder)
{
    return exists(folder, PLAN) && !exists(folder, "config.json");
}

/* ---- the plan */

/* A path that means the same from any folder; `text` where it is none. */
static json_t *absolute(const char *text)
{
    char *const path = realpath(text, NULL);
    json_t *const value = json_string(path != NULL ? path : text);
    free(path);
    return value;
}

static json_t *describe(const struct graft_command *command, const struct graft_fit_request *request)
{
    json_t *const recipe = json_object(), *const networks = json_array();
    const struct graft_recipe_row *row;
    graft_json_add_member(recipe, "data", absolute(request->options.recipe.data));
    for (int i = 0; (row = graft_recipe_row(i)) != NULL; i++) {
        const char *const value = request->values[i];
        char number[32];
        if (!request->given[i] || strcmp(row->name, "model") == 0 || strcmp(row->name, "device") == 0 ||
            strcmp(row->name, "threads") == 0) {
            continue;
        }
        (void)snprintf(number, sizeof number, "%lld", (long long)command->seed);
        graft_json_add_member(recipe, row->name,
                              row->kind == GRAFT_RECIPE_FLAG   ? json_string("true")
                              : value == NULL                  ? json_string(number)
                              : row->kind == GRAFT_RECIPE_PATH ? absolute(value)
                                                               : json_string(value));
    }
    for (const char *at = request->networks; at != NULL;) {
        const size_t length = strcspn(at, ",");
        graft_json_add_item(networks, json_stringn(at, length));
        at = at[length] == ',' ? at + length + 1 : NULL;
    }
    return json_pack("{s:o, s:o}", "networks", networks, "recipe", recipe);
}

static int write_plan(struct several *several)
{
    struct graft_command *const command = several->command;
    struct graft_text path = {0};
    char *const text = json_dumps(several->plan, JSON_INDENT(1));
    graft_text_append(command->context, &path, "%s/" PLAN, several->folder);
    const enum graft_status status = text != NULL && !path.failed
                                         ? graft_file_write(command->context, path.data, text, strlen(text))
                                         : GRAFT_ERROR_MEMORY;
    free(text);
    graft_text_close(command->context, &path);
    return status == GRAFT_OK ? GRAFT_EXIT_GO_ON : graft_command_failed(command, status);
}

static int read_plan(struct several *several, const struct graft_fit_request *request)
{
    struct graft_command *const command = several->command;
    char path[PATH_MAX + 64];
    json_error_t error;
    const struct graft_recipe_row *row;
    for (int i = 0; (row = graft_recipe_row(i)) != NULL; i++) {
        if (request->given[i] && strcmp(row->name, "device") != 0 && strcmp(row->name, "threads") != 0) {
            return graft_command_usage(command, "%s trains several networks as it was begun: leave %s away",
                                       several->folder, row->flag);
        }
    }
    (void)snprintf(path, sizeof path, "%s/" PLAN, several->folder);
    several->plan = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    return several->plan != NULL
               ? GRAFT_EXIT_GO_ON
               : graft_command_error(command, "%s, line %d: %s", path, error.line, error.text);
}

/* The options of the plan: its texts stay its own. */
static int take_recipe(struct several *several)
{
    struct graft_command *const command = several->command;
    const char *key;
    json_t *value;
    enum graft_status status = GRAFT_OK;
    json_object_foreach(json_object_get(several->plan, "recipe"), key, value)
    {
        const char *const text = json_string_value(value);
        if (status == GRAFT_OK && strcmp(key, "data") == 0) {
            several->options.recipe.data = text;
        } else if (status == GRAFT_OK) {
            status =
                graft_recipe_set(command->context, &several->options.recipe, key, text != NULL ? text : "");
        }
    }
    several->options.recipe.device = command->device;
    if (status == GRAFT_OK && several->options.recipe.data == NULL) {
        return graft_command_error(command, "%s/" PLAN " does not say of which data", several->folder);
    }
    return status == GRAFT_OK ? GRAFT_EXIT_GO_ON : graft_command_failed(command, status);
}

/* The name of a network as part of a path: of a file without folder and ending. */
static void name_run(const struct several *several, const char *network, char path[PATH_MAX])
{
    const char *const slash = strrchr(network, '/');
    const char *const name = slash != NULL ? slash + 1 : network;
    const char *const dot = graft_network_is_file(network) ? strrchr(name, '.') : NULL;
    const size_t length = dot != NULL && dot != name ? (size_t)(dot - name) : strlen(name);
    (void)snprintf(path, PATH_MAX, "%.*s/%.*s", PATH_MAX - 300, several->folder,
                   (int)(length < 200 ? length : 200), name);
}

/* Names, each once, and recipes that make sense for each: told before anything is trained. */
static int take_networks(struct several *several)
{
    struct graft_command *const command = several->command;
    const json_t *const networks = json_object_get(several->plan, "networks");
    const size_t count = json_array_size(networks);
    if (count < 1 || count > MOST) {
        return graft_command_usage(command, "--model takes 1 to %d networks, not %zu", MOST, count);
    }
    for (size_t i = 0; i < count; i++) {
        const char *const name = json_string_value(json_array_get(networks, i));
        struct graft_recipe recipe = several->options.recipe;
        if (name == NULL || name[0] == '\0') {
            return graft_command_usage(
                command, "--model lists networks with a comma between them: number %zu has no name", i + 1);
        }
        several->names[i] = name;
        name_run(several, name, several->runs[i]);
        for (size_t k = 0; k < i; k++) {
            if (strcmp(several->runs[i], several->runs[k]) == 0) {
                return graft_command_usage(command, "--model names %s twice", name);
            }
        }
        enum graft_status status = graft_recipe_set(command->context, &recipe, "model", name);
        if (status == GRAFT_OK &&
            !graft_network_is_file(name)) { /* a file that is damaged fails in its turn */
            status = graft_recipe_check(command->context, &recipe);
        }
        if (status != GRAFT_OK) {
            return graft_command_failed_name(command, status);
        }
        several->count = (int)i + 1;
    }
    const char *const weights = several->options.recipe.weights;
    return weights == NULL || strcmp(weights, "none") == 0
               ? GRAFT_EXIT_GO_ON
               : graft_command_usage(
                     command,
                     "--weights %s are of one network: leave them away, each takes those that were "
                     "pulled for it; none: all are from scratch",
                     weights);
}

/* ---- one after the other */

/* A network that could be pretrained is not compared from scratch without being asked for. */
static int check_weights(const struct several *several, const char *name)
{
    struct graft_command *const command = several->command;
    struct graft_text path = {0};
    if (several->options.recipe.weights != NULL || graft_network_is_file(name)) {
        return GRAFT_EXIT_GO_ON;
    }
    const enum graft_status status = graft_pulled_find(command->context, name, &path);
    const bool missing = path.data == NULL && graft_published_first(name) != NULL;
    graft_text_close(command->context, &path);
    if (status != GRAFT_OK) {
        return graft_command_failed(command, status);
    }
    return missing ? graft_command_error(
                         command, "the weights of %s are not here: graft pull %s, or --weights none for all",
                         name, name)
                   : GRAFT_EXIT_GO_ON;
}

static int fit_one(struct several *several, int i)
{
    struct graft_command *const command = several->command;
    const char *const device = command->device; /* each fit may choose its own */
    const char *const run = several->runs[i];
    struct graft_fit_options options = several->options;
    graft_command_remark(command, "network %d of %d: %s", i + 1, several->count, several->names[i]);
    options.out = run;
    int code = GRAFT_EXIT_GO_ON;
    if (exists(run, "state.safetensors")) {
        options = (struct graft_fit_options){.resume = run};
        options.recipe.device = device;
    } else {
        code = check_weights(several, several->names[i]);
        if (code == GRAFT_EXIT_GO_ON &&
            graft_recipe_set(command->context, &options.recipe, "model", several->names[i]) != GRAFT_OK) {
            code = graft_command_failed(command, GRAFT_ERROR_ARGUMENT);
        }
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = several->fit(command, &options, several->folder);
    }
    command->device = device;
    return code;
}

/* Figures of those that are done; what has failed, and the way out. */
static int finish(struct several *several)
{
    struct graft_command *const command = several->command;
    const char *runs[MOST];
    char out[PATH_MAX + 16], failed[512] = "", quoted[PATH_MAX];
    int count = 0, bad = 0, code = GRAFT_EXIT_DONE;
    size_t used = 0;
    for (int i = 0; i < several->count; i++) {
        if (several->done[i]) {
            runs[count++] = several->runs[i];
        } else {
            const int length =
                snprintf(failed + used, sizeof failed - used, "%s%s", bad > 0 ? ", " : "", several->names[i]);
            used += length > 0 && (size_t)length < sizeof failed - used ? (size_t)length : 0;
            bad++;
        }
    }
    (void)snprintf(out, sizeof out, "%s/compared", several->folder);
    if (count > 0) {
        printf("%s", command->json ? "" : "\n");
        code = graft_compared(command, runs, count, out);
    }
    return bad == 0 ? code
                    : graft_command_error(
                          command, "%d of %d networks failed: %s; once more: graft fit --resume %s", bad,
                          several->count, failed, graft_text_quote(several->folder, quoted, sizeof quoted));
}

static int fit_all(struct several *several)
{
    struct graft_command *const command = several->command;
    char quoted[PATH_MAX];
    graft_command_remark(command, "%d networks, each with the same options and epochs, in %s", several->count,
                         several->folder);
    for (int i = 0; i < several->count; i++) {
        several->done[i] = exists(several->runs[i], "evaluation.json");
        if (several->done[i]) {
            graft_command_remark(command, "network %d of %d: %s is done", i + 1, several->count,
                                 several->names[i]);
            continue;
        }
        if (graft_context_cancelled(command->context)) {
            graft_command_error(command, "interrupted; go on with: graft fit --resume %s",
                                graft_text_quote(several->folder, quoted, sizeof quoted));
            return GRAFT_EXIT_INTERRUPTED;
        }
        const int code = fit_one(several, i);
        if (code == GRAFT_EXIT_INTERRUPTED || !graft_command_flush(command)) {
            return code;
        }
        several->done[i] = code == GRAFT_EXIT_DONE;
        if (!several->done[i] && i + 1 < several->count) {
            graft_command_remark(command, "%s has failed; the others go on", several->names[i]);
        }
    }
    return finish(several);
}

/* A folder of its own, which nobody else writes to while this goes on. */
static int claim(struct several *several, const struct graft_fit_request *request, struct graft_run **lock)
{
    struct graft_command *const command = several->command;
    const char *const out = request->options.out;
    const struct graft_run_wish wish = {out, request->options.recipe.data, "networks"};
    char quoted[PATH_MAX];
    if (out != NULL && exists(out, PLAN)) {
        return graft_command_error(
            command, "%s holds several networks already: graft fit --resume %s, or name another folder", out,
            graft_text_quote(out, quoted, sizeof quoted));
    }
    const enum graft_status status = graft_run_claim(command->context, &wish, lock);
    if (status != GRAFT_OK) {
        return graft_command_failed(command, status);
    }
    (void)snprintf(several->folder, sizeof several->folder, "%s", (*lock)->folder);
    return GRAFT_EXIT_GO_ON;
}

int graft_several_fit(struct graft_command *command, struct graft_fit_request *request,
                      graft_fit_function *fit)
{
    struct several *const several = calloc(1, sizeof *several);
    struct graft_run *lock = NULL;
    const char *const resume = request->options.resume;
    if (several == NULL) {
        return graft_command_error(command, "not enough memory for a list of networks");
    }
    several->command = command;
    several->fit = fit;
    int code = command->ranks == NULL
                   ? GRAFT_EXIT_GO_ON
                   : graft_command_usage(command, "under mpirun one network is trained: name one");
    if (code == GRAFT_EXIT_GO_ON && resume != NULL) {
        (void)snprintf(several->folder, sizeof several->folder, "%s", resume);
        code = read_plan(several, request);
    } else if (code == GRAFT_EXIT_GO_ON) {
        several->plan = describe(command, request);
        code = several->plan != NULL ? GRAFT_EXIT_GO_ON : graft_command_error(command, "not enough memory");
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = take_recipe(several);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = take_networks(several);
    }
    if (code == GRAFT_EXIT_GO_ON && resume == NULL) {
        code = claim(several, request, &lock);
        if (code == GRAFT_EXIT_GO_ON) {
            code = write_plan(several);
        }
        for (int i = 0; i < several->count && code == GRAFT_EXIT_GO_ON; i++) {
            name_run(several, several->names[i], several->runs[i]); /* now that the folder has a name */
        }
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = fit_all(several);
    }
    graft_run_close(&lock);
    json_decref(several->plan);
    free(several);
    return code;
}
