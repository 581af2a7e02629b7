/* SPDX-License-Identifier: MIT */
/* A plan's memory: what it needs, whether that is there, taking it and giving it back. */
#include "base/context.h"
#include "base/size.h"
#include "graph/plan.h"

#include <stdio.h>

#define MIB 1048576.0
#define COMPILER_BYTES (3u << 20)

int graft_plan_buffer_count(const struct graft_plan *plan, int arena)
{
    return plan->memory.n_chunks[arena] * (arena == GRAFT_ARENA_LANE ? plan->chunks.lanes : 1);
}

static uint64_t buffer_bytes(const struct graft_plan *plan, int arena, int index)
{
    return plan->memory.chunk_bytes[arena][index % plan->memory.n_chunks[arena]];
}

void graft_plan_count(struct graft_plan *plan)
{
    uint64_t *const totals[GRAFT_ARENA_COUNT] = {&plan->books.inputs, &plan->books.constants,
                                                 &plan->books.activations, &plan->books.sums,
                                                 &plan->books.activations};
    for (int arena = 0; arena < GRAFT_ARENA_COUNT; arena++)
        for (int i = 0; i < graft_plan_buffer_count(plan, arena); i++) {
            const uint64_t bytes = buffer_bytes(plan, arena, i);
            *totals[arena] += bytes;
            plan->books.largest = bytes > plan->books.largest ? bytes : plan->books.largest;
        }
    plan->books.activations_without_reuse = plan->memory.bytes_without_reuse;
    for (int i = 0; i < plan->graph->n_values; i++) {
        const struct graft_value *const value = &plan->graph->values[i];
        if (value->kind == GRAFT_VALUE_PARAMETER)
            plan->books.parameters += graft_desc_bytes(&value->desc);
        else if (value->kind == GRAFT_VALUE_STATE)
            plan->books.state += graft_desc_bytes(&value->desc);
    }
    for (int s = 0; s < plan->n_steps; s++) {
        const uint64_t bytes = plan->steps[s].info.prepared_bytes;
        plan->books.largest = bytes > plan->books.largest ? bytes : plan->books.largest;
        for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++) {
            const struct graft_desc *const desc = &plan->steps[s].node->call.out[i];
            const uint64_t size = desc->dtype == GRAFT_DTYPE_NONE ? 0 : graft_desc_bytes(desc);
            plan->numbers_bytes = size > plan->numbers_bytes ? size : plan->numbers_bytes;
        }
    }
}

/* What the plan itself takes, without variables. */
static uint64_t own_bytes(const struct graft_plan *plan)
{
    const struct graft_plan_memory *const books = &plan->books;
    return books->inputs + books->constants + books->activations + books->sums + books->prepared;
}

uint64_t graft_plan_need(const struct graft_plan *plan)
{
    uint64_t bytes = own_bytes(plan);
    for (int i = 0; i < plan->graph->n_values; i++) {
        const struct graft_value *const value = &plan->graph->values[i];
        if ((value->kind == GRAFT_VALUE_PARAMETER || value->kind == GRAFT_VALUE_STATE) &&
            !graft_variables_find(plan->variables, value->name))
            bytes += graft_variables_size(&value->desc);
    }
    return bytes;
}

/* What is beyond the device's largest single allocation, as text: a variable, a value (which has a chunk of
 * its own), what a kernel works in. False if all can be allocated. */
static bool too_large(const struct graft_plan *plan, char *text, size_t size, bool *hopeless)
{
    *hopeless = false;
    const uint64_t limit = plan->device->info.max_allocation_bytes;
    const struct graft_graph *const graph = plan->graph;
    const struct graft_memory *const memory = &plan->memory;
    char shape[96];
    for (int pass = 0; pass < 2; pass++) /* variables first: no batch is too large then */
        for (int i = 0; i < graph->n_values; i++) {
            const struct graft_value *const value = &graph->values[i];
            const bool variable = value->kind == GRAFT_VALUE_PARAMETER || value->kind == GRAFT_VALUE_STATE;
            const uint64_t bytes = variable                  ? graft_variables_size(&value->desc)
                                   : memory->storage[i] >= 0 ? memory->storages[memory->storage[i]].bytes
                                                             : 0;
            if (variable != (pass == 0) || bytes <= limit)
                continue;
            *hopeless = variable;
            (void)snprintf(text, size, "%s \"%s\" %s of %.1f MiB",
                           variable ? "the variable" : "a tensor of layer", graft_graph_name(graph, i),
                           graft_shape_format(&value->desc.shape, shape, sizeof shape), (double)bytes / MIB);
            return true;
        }
    for (int s = 0; s < plan->n_steps; s++) {
        const struct graft_plan_step *const step = &plan->steps[s];
        const uint64_t bytes = step->info.workspace_bytes > step->info.prepared_bytes
                                   ? step->info.workspace_bytes
                                   : step->info.prepared_bytes;
        if (bytes <= limit)
            continue;
        (void)snprintf(text, size, "%.1f MiB that %s of layer \"%s\" works in", (double)bytes / MIB,
                       graft_op_get(step->node->call.op)->name,
                       step->node->layer >= 0 ? graph->layers[step->node->layer] : "-");
        return true;
    }
    return false;
}

/* What kernels take of a limited memory besides buffers: their descriptions, and with a driver's compiler its
 * input and output. */
static uint64_t kernel_bytes(const struct graft_plan *plan)
{
    if (plan->device->memory == GRAFT_DEVICE_MEMORY_OWN || graft_context_memory_limit(plan->context) == 0)
        return 0;
    return (uint64_t)plan->n_steps * 2048 +
           (plan->device->memory == GRAFT_DEVICE_MEMORY_HOST ? COMPILER_BYTES : 0);
}

uint64_t graft_plan_room(const struct graft_plan *plan, uint64_t reserve)
{
    const uint64_t free_bytes = graft_device_free_bytes(plan->device);
    reserve += plan->acquired ? 0 : kernel_bytes(plan);
    uint64_t bytes = free_bytes > reserve ? free_bytes - reserve : 0;
    if (plan->options.memory_limit) {
        const uint64_t variables = graft_plan_need(plan) - own_bytes(plan);
        const uint64_t allowed = plan->options.memory_limit + variables;
        bytes = allowed < bytes ? allowed : bytes;
    }
    return bytes;
}

bool graft_plan_fits(const struct graft_plan *plan, uint64_t reserve)
{
    char text[256];
    bool hopeless;
    return graft_plan_need(plan) <= graft_plan_room(plan, reserve) &&
           !too_large(plan, text, sizeof text, &hopeless);
}

/* The largest value that a run makes, as text. */
static void describe_largest(const struct graft_plan *plan, char *text, size_t size)
{
    char shape[96];
    int largest = -1;
    for (int i = 0; i < plan->graph->n_values; i++)
        if (plan->graph->values[i].kind == GRAFT_VALUE_INTERMEDIATE && plan->memory.storage[i] >= 0 &&
            (largest < 0 || graft_desc_bytes(&plan->graph->values[i].desc) >
                                graft_desc_bytes(&plan->graph->values[largest].desc)))
            largest = i;
    text[0] = '\0';
    if (largest >= 0)
        (void)snprintf(text, size, "; the largest tensor, of layer %s, %s",
                       graft_graph_name(plan->graph, largest),
                       graft_shape_format(&plan->graph->values[largest].desc.shape, shape, sizeof shape));
}

enum graft_status graft_plan_refuse(const struct graft_plan *plan, uint64_t reserve, const char *advice)
{
    char text[256];
    const struct graft_plan_memory *const books = &plan->books;
    const struct graft_device *const device = plan->device;
    bool hopeless;
    if (too_large(plan, text, sizeof text, &hopeless))
        return graft_fail(plan->context, GRAFT_ERROR_MEMORY,
                          "%s: %s is more than the largest single allocation there, %.1f MiB: %s",
                          device->info.id, text, (double)device->info.max_allocation_bytes / MIB,
                          hopeless ? "use another device" : advice);
    const uint64_t need = graft_plan_need(plan);
    char reserved[64] = "";
    if (reserve > 0)
        (void)snprintf(reserved, sizeof reserved, " (with %.1f kept for what comes later)",
                       (double)reserve / MIB);
    describe_largest(plan, text, sizeof text);
    return graft_fail(
        plan->context, GRAFT_ERROR_MEMORY,
        "the plan needs %.1f MiB on %s (activations %.1f, of which workspace %.1f; packed weights "
        "%.1f; sums of gradients %.1f; new variables %.1f; inputs %.1f; constants %.1f%s), but "
        "%.1f MiB are %s%s: %s",
        (double)need / MIB, device->info.id, (double)books->activations / MIB, (double)books->workspace / MIB,
        (double)books->prepared / MIB, (double)books->sums / MIB, (double)(need - own_bytes(plan)) / MIB,
        (double)books->inputs / MIB, (double)books->constants / MIB, text,
        (double)graft_plan_room(plan, reserve) / MIB,
        plan->options.memory_limit || graft_context_memory_limit(plan->context) ? "allowed or free there"
                                                                                : "free there",
        reserved, advice);
}

static enum graft_status allocate_arenas(struct graft_plan *plan)
{
    for (int arena = 0; arena < GRAFT_ARENA_COUNT; arena++)
        for (int i = 0; i < graft_plan_buffer_count(plan, arena); i++) {
            const enum graft_status status =
                graft_buffer_open(plan->device, buffer_bytes(plan, arena, i), &plan->buffers[arena][i]);
            if (status != GRAFT_OK)
                return status;
        }
    if (plan->options.check_numbers && plan->numbers_bytes > 0) {
        plan->numbers = graft_allocate_raw(plan->context, 1, (size_t)plan->numbers_bytes);
        return plan->numbers ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    }
    return GRAFT_OK;
}

struct graft_tensor graft_plan_tensor(const struct graft_plan *plan, int value)
{
    const struct graft_tensor none = {NULL, 0};
    if (value < 0 || value >= plan->graph->n_values)
        return none;
    const struct graft_value *const root = &plan->graph->values[plan->memory.root[value]];
    if (root->kind == GRAFT_VALUE_PARAMETER || root->kind == GRAFT_VALUE_STATE) {
        const struct graft_variable *const variable = graft_variables_find(plan->variables, root->name);
        return variable ? variable->tensor : none;
    }
    const int storage = plan->memory.storage[value];
    if (storage < 0)
        return none;
    const struct graft_storage *const at = &plan->memory.storages[storage];
    const uint64_t column =
        (uint64_t)plan->memory.column[value] * graft_dtype_size(plan->graph->values[value].desc.dtype);
    return (struct graft_tensor){plan->buffers[at->arena][at->chunk], at->offset + column};
}

static enum graft_status write_constants(struct graft_plan *plan)
{
    for (int i = 0; i < plan->graph->n_values; i++) {
        const struct graft_value *const value = &plan->graph->values[i];
        const uint64_t bytes = graft_desc_bytes(&value->desc);
        if (value->kind != GRAFT_VALUE_CONSTANT || plan->memory.storage[i] < 0 || bytes == 0)
            continue;
        const enum graft_status status =
            plan->device->backend->buffer_write(plan->device, graft_plan_tensor(plan, i), value->data, bytes);
        if (status != GRAFT_OK)
            return status;
    }
    return GRAFT_OK;
}

/* Where an input lies; of an update of some rows, that of the first of them. */
static struct graft_tensor input_of(const struct graft_plan *plan, const struct graft_node *node, int input)
{
    struct graft_tensor tensor = graft_plan_tensor(plan, node->inputs[input]);
    if (node->row > 0 && (graft_op_get(node->call.op)->mutates >> input & 1u)) {
        const struct graft_desc *const whole = &plan->graph->values[node->inputs[input]].desc;
        tensor.offset += graft_desc_bytes(whole) / (uint64_t)whole->shape.dim[0] * (uint64_t)node->row;
    }
    return tensor;
}

static enum graft_status open_kernels(struct graft_plan *plan)
{
    for (int s = 0; s < plan->n_steps; s++) {
        struct graft_plan_step *const step = &plan->steps[s];
        const struct graft_node *const node = step->node;
        if (graft_memory_is_alias(plan->graph, node))
            continue;
        for (int i = 0; i < node->call.n_inputs; i++)
            step->in[i] = input_of(plan, node, i);
        for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++)
            if (node->outputs[i] >= 0 && node->call.out[i].dtype != GRAFT_DTYPE_NONE)
                step->out[i] = graft_plan_tensor(plan, node->outputs[i]);
        if (plan->memory.workspace[s] >= 0) {
            const struct graft_storage *const at = &plan->memory.storages[plan->memory.workspace[s]];
            step->workspace = (struct graft_tensor){plan->buffers[at->arena][at->chunk], at->offset};
        }
        const enum graft_status status =
            plan->device->backend->kernel_open(plan->device, &node->call, step->variant, &step->kernel);
        if (status != GRAFT_OK)
            return graft_fail_prefix(plan->context, status, "layer %s",
                                     node->layer >= 0 ? plan->graph->layers[node->layer] : "-");
    }
    return plan->device->backend->synchronize(plan->device, NULL);
}

enum graft_status graft_plan_acquire(struct graft_plan *plan)
{
    if (plan->acquired)
        return GRAFT_OK;
    if (!graft_plan_fits(plan, 0))
        return graft_plan_refuse(plan, 0, "use a smaller batch or smaller pictures");
    enum graft_status status = graft_variables_add(plan->variables, plan->graph);
    if (status == GRAFT_OK)
        status = allocate_arenas(plan);
    if (status == GRAFT_OK)
        status = write_constants(plan);
    if (status == GRAFT_OK)
        status = open_kernels(plan);
    plan->acquired = true;
    if (status != GRAFT_OK)
        graft_plan_release(plan);
    return status;
}

void graft_plan_release(struct graft_plan *plan)
{
    if (!plan->acquired)
        return;
    for (int s = 0; s < plan->n_steps; s++) {
        if (plan->steps[s].kernel)
            plan->device->backend->kernel_close(plan->device, plan->steps[s].kernel);
        plan->steps[s].kernel = NULL;
    }
    for (int arena = 0; arena < GRAFT_ARENA_COUNT; arena++)
        for (int i = 0; plan->buffers[arena] && i < graft_plan_buffer_count(plan, arena); i++)
            graft_buffer_close(plan->device, &plan->buffers[arena][i], buffer_bytes(plan, arena, i));
    graft_release(plan->context, plan->numbers);
    plan->numbers = NULL;
    plan->version = 0; /* weights are to be packed anew */
    plan->acquired = false;
}
