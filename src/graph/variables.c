/* SPDX-License-Identifier: MIT */
#include "graph/variables.h"

#include "base/context.h"
#include "base/random.h"
#include "base/size.h"
#include "graph/graph.h"

#include <string.h>

#define ALIGNMENT 64u

enum graft_status graft_variables_open(struct graft_device *device, struct graft_variables **variables)
{
    *variables = graft_allocate(device->context, 1, sizeof **variables);
    if (!*variables)
        return GRAFT_ERROR_MEMORY;
    (*variables)->device = device;
    (*variables)->version = 1;
    return GRAFT_OK;
}

void graft_variables_close(struct graft_variables **variables)
{
    struct graft_variables *const old = *variables;
    if (!old)
        return;
    struct graft_context *const context = old->device->context;
    for (int i = 0; i < old->count; i++)
        graft_release(context, old->entries[i].name);
    for (int i = 0; i < old->n_arenas; i++)
        graft_buffer_close(old->device, &old->arenas[i].buffer, old->arenas[i].bytes);
    graft_release(context, old->entries);
    graft_release(context, old->arenas);
    graft_release(context, old);
    *variables = NULL;
}

const struct graft_variable *graft_variables_find(const struct graft_variables *variables, const char *name)
{
    const uint64_t hash = graft_hash_text(name);
    for (int i = 0; i < variables->count; i++)
        if (variables->entries[i].hash == hash && strcmp(variables->entries[i].name, name) == 0)
            return &variables->entries[i];
    return NULL;
}

uint64_t graft_variables_size(const struct graft_desc *desc)
{
    return graft_round_up(graft_desc_bytes(desc) + 1, ALIGNMENT);
}

/* Room for `more` entries and one more arena. */
static bool reserve(struct graft_variables *variables, int more)
{
    struct graft_context *const context = variables->device->context;
    if (variables->count + more > variables->capacity) {
        const int capacity = (variables->count + more) * 2;
        void *const entries = graft_reallocate(context, variables->entries, (size_t)variables->capacity,
                                               (size_t)capacity, sizeof *variables->entries);
        if (!entries)
            return false;
        variables->entries = entries;
        variables->capacity = capacity;
    }
    if (variables->n_arenas == variables->arena_capacity) {
        const int capacity = variables->arena_capacity * 2 + 4;
        void *const arenas = graft_reallocate(context, variables->arenas, (size_t)variables->arena_capacity,
                                              (size_t)capacity, sizeof *variables->arenas);
        if (!arenas)
            return false;
        variables->arenas = arenas;
        variables->arena_capacity = capacity;
    }
    return true;
}

/* Fills a variable with one value; large ones through a bounded block. */
static enum graft_status fill_variable(struct graft_variables *variables,
                                       const struct graft_variable *variable, double initial)
{
    const struct graft_backend *const backend = variables->device->backend;
    const uint64_t bytes = graft_desc_bytes(&variable->desc);
    if (bytes == 0)
        return GRAFT_OK;
    if (initial == 0)
        return backend->buffer_fill(variables->device, variable->tensor, 0, bytes);
    const size_t size = graft_dtype_size(variable->desc.dtype);
    const uint64_t block = bytes < 65536 ? bytes : 65536;
    void *const data = graft_allocate_raw(variables->device->context, (size_t)(block / size), size);
    if (!data)
        return GRAFT_ERROR_MEMORY;
    for (uint64_t i = 0; i < block / size; i++) {
        if (variable->desc.dtype == GRAFT_DTYPE_F64)
            ((double *)data)[i] = initial;
        else
            ((float *)data)[i] = (float)initial;
    }
    enum graft_status status = GRAFT_OK;
    for (uint64_t at = 0; at < bytes && status == GRAFT_OK; at += block) {
        const struct graft_tensor to = {variable->tensor.buffer, variable->tensor.offset + at};
        status = backend->buffer_write(variables->device, to, data, bytes - at < block ? bytes - at : block);
    }
    graft_release(variables->device->context, data);
    return status;
}

/* The new variables of one kind, from value *next on, as many as fit in one arena. *next moves behind them.
 */
static enum graft_status add_arena(struct graft_variables *variables, const struct graft_graph *graph,
                                   enum graft_value_kind kind, int *next)
{
    struct graft_device *const device = variables->device;
    const int first_entry = variables->count, first_arena = variables->n_arenas;
    enum graft_status status = GRAFT_OK;
    uint64_t bytes = 0;
    int value = *next;
    if (!reserve(variables, graph->n_values))
        return GRAFT_ERROR_MEMORY;
    for (; value < graph->n_values && status == GRAFT_OK; value++) {
        const struct graft_value *const v = &graph->values[value];
        if (v->kind != kind || graft_variables_find(variables, v->name))
            continue;
        const uint64_t size = graft_variables_size(&v->desc);
        if (bytes > 0 && bytes + size > device->info.max_allocation_bytes)
            break;
        char *const name = graft_duplicate_text(device->context, v->name);
        if (!name) {
            status = GRAFT_ERROR_MEMORY;
            break;
        }
        variables->entries[variables->count++] = (struct graft_variable){.name = name,
                                                                         .hash = graft_hash_text(name),
                                                                         .desc = v->desc,
                                                                         .kind = kind,
                                                                         .tensor = {NULL, bytes}};
        bytes += size;
    }
    if (bytes > 0 && status == GRAFT_OK) {
        struct graft_variables_arena *const arena = &variables->arenas[variables->n_arenas];
        status = graft_buffer_open(device, bytes, &arena->buffer);
        if (status == GRAFT_OK) {
            arena->bytes = bytes;
            variables->n_arenas++;
        }
        for (int i = first_entry; i < variables->count && status == GRAFT_OK; i++) {
            variables->entries[i].tensor.buffer = arena->buffer;
            const int id = graft_graph_find(graph, variables->entries[i].name);
            status = fill_variable(variables, &variables->entries[i], graph->values[id].initial);
        }
    }
    /* Zeros may still be on their way: a variable that is there must hold its value. */
    if (bytes > 0 && status == GRAFT_OK)
        status = device->backend->synchronize(device, NULL);
    while (status != GRAFT_OK && variables->count > first_entry)
        graft_release(device->context, variables->entries[--variables->count].name);
    while (status != GRAFT_OK && variables->n_arenas > first_arena) {
        variables->n_arenas--;
        graft_buffer_close(device, &variables->arenas[variables->n_arenas].buffer,
                           variables->arenas[variables->n_arenas].bytes);
    }
    *next = value;
    return status;
}

enum graft_status graft_variables_add(struct graft_variables *variables, const struct graft_graph *graph)
{
    for (int i = 0; i < graph->n_values; i++) {
        const struct graft_value *const v = &graph->values[i];
        const struct graft_variable *const there =
            v->kind == GRAFT_VALUE_PARAMETER || v->kind == GRAFT_VALUE_STATE
                ? graft_variables_find(variables, v->name)
                : NULL;
        char have[96], want[96];
        if (there &&
            (there->desc.dtype != v->desc.dtype || !graft_shape_equal(&there->desc.shape, &v->desc.shape)))
            return graft_fail(graph->context, GRAFT_ERROR_SHAPE,
                              "variable \"%s\" is there as %s %s, but the graph "
                              "has it as %s %s",
                              v->name, graft_dtype_name(there->desc.dtype),
                              graft_shape_format(&there->desc.shape, have, sizeof have),
                              graft_dtype_name(v->desc.dtype),
                              graft_shape_format(&v->desc.shape, want, sizeof want));
    }
    const enum graft_value_kind kinds[] = {GRAFT_VALUE_PARAMETER, GRAFT_VALUE_STATE};
    for (int k = 0; k < 2; k++)
        for (int next = 0; next < graph->n_values;) {
            const enum graft_status status = add_arena(variables, graph, kinds[k], &next);
            if (status != GRAFT_OK)
                return status;
        }
    variables->version++;
    return GRAFT_OK;
}

/* Finds the variable and checks the size. */
static enum graft_status find_checked(const struct graft_variables *variables, const char *name,
                                      uint64_t bytes, const struct graft_variable **found)
{
    struct graft_context *const context = variables->device->context;
    *found = graft_variables_find(variables, name);
    if (!*found)
        return graft_fail(context, GRAFT_ERROR_NOT_FOUND, "there is no variable \"%s\"", name);
    if (graft_desc_bytes(&(*found)->desc) != bytes)
        return graft_fail(context, GRAFT_ERROR_SHAPE, "variable \"%s\" has %llu bytes, not %llu", name,
                          (unsigned long long)graft_desc_bytes(&(*found)->desc), (unsigned long long)bytes);
    return GRAFT_OK;
}

enum graft_status graft_variables_write(struct graft_variables *variables, const char *name, const void *data,
                                        uint64_t bytes)
{
    const struct graft_variable *variable;
    const enum graft_status status = find_checked(variables, name, bytes, &variable);
    if (status != GRAFT_OK)
        return status;
    variables->version++;
    return bytes ? variables->device->backend->buffer_write(variables->device, variable->tensor, data, bytes)
                 : GRAFT_OK;
}

enum graft_status graft_variables_read(struct graft_variables *variables, const char *name, void *data,
                                       uint64_t bytes)
{
    const struct graft_variable *variable;
    const enum graft_status status = find_checked(variables, name, bytes, &variable);
    if (status != GRAFT_OK)
        return status;
    return bytes ? variables->device->backend->buffer_read(variables->device, data, variable->tensor, bytes)
                 : GRAFT_OK;
}

int graft_variables_count(const struct graft_variables *variables)
{
    return variables->count;
}

const char *graft_variables_at(const struct graft_variables *variables, int index, struct graft_desc *desc,
                               enum graft_value_kind *kind)
{
    if (index < 0 || index >= variables->count)
        return NULL;
    if (desc)
        *desc = variables->entries[index].desc;
    if (kind)
        *kind = variables->entries[index].kind;
    return variables->entries[index].name;
}
