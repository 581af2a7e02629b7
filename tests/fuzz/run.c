/* SPDX-License-Identifier: MIT */
/* A run folder: config.json, history.csv, evaluation.json and state.safetensors, in this order, with zeros
 * between them; then its recipe as a resumed run reads it. At most 4096 bytes. Seeds: made.py */
#include "fuzz.h"
#include "io/json.h"
#include "run/recipe.h"
#include "run/run.h"

#include <string.h>

static const char *const names[] = {"config.json", "history.csv", "evaluation.json", "state.safetensors"};

static enum graft_status read_recipe(struct graft_context *context, const struct graft_run *run)
{
    struct graft_recipe recipe = {0};
    return graft_recipe_read(context, run->config, FUZZ_NAME, &recipe);
}

static enum graft_status try_bytes(struct graft_context *context, const uint8_t *data, size_t size)
{
    enum { FILES = sizeof names / sizeof names[0] };
    struct graft_run *run = NULL;
    struct graft_tensor_set *variables = NULL;
    struct graft_run_position position;
    for (int i = 0; i < FILES; i++) {
        const uint8_t *const end = i + 1 < FILES && size > 0 ? memchr(data, 0, size) : NULL;
        const size_t length = end ? (size_t)(end - data) : size;
        (void)fuzz_file(names[i], data, length);
        data += length + (end != NULL);
        size -= length + (end != NULL);
    }
    enum graft_status status = graft_run_open(context, fuzz_folder(), &run);
    if (status == GRAFT_OK) {
        status = read_recipe(context, run);
    }
    if (status == GRAFT_OK) {
        status = graft_run_load(run, &position, &variables);
    }
    graft_tensor_set_close(&variables);
    graft_run_close(&run);
    return status;
}

const struct fuzz_target fuzz_target = {.read = try_bytes};
