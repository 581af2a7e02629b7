/* SPDX-License-Identifier: MIT */
/* Planning: passes, variants, memory, kernels. Everything that a run needs is there when a plan is open. */
#include "graph/plan.h"

#include "base/context.h"
#include "base/size.h"
#include "base/text.h"

#include <string.h>

bool graft_plan_forced_variant(const char *variants, const char *op, char *name, size_t size)
{
    const size_t length = strlen(op);
    for (const char *at = variants; at && *at;) {
        const char *const end = at + strcspn(at, ",");
        if (strncmp(at, op, length) == 0 && at[length] == '=') {
            const size_t n = (size_t)(end - at) - length - 1;
            if (n >= size)
                return false;
            memcpy(name, at + length + 1, n);
            name[n] = '\0';
            return true;
        }
        at = *end ? end + 1 : end;
    }
    return false;
}

/* Every "op=variant" must name an op. */
static enum graft_status check_forced(struct graft_context *context, const char *variants)
{
    for (const char *at = variants; at && *at;) {
        const char *const end = at + strcspn(at, ",");
        char op[64] = "";
        const size_t length = strcspn(at, "=,");
        if (length < sizeof op) {
            memcpy(op, at, length);
            op[length] = '\0';
        }
        if (at[length] != '=' || graft_op_find(op) == GRAFT_OP_COUNT)
            return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                              "forced variants are \"op=variant,…\"; there is no op \"%s\"", op);
        at = *end ? end + 1 : end;
    }
    return GRAFT_OK;
}

static enum graft_status run_passes(struct graft_plan *plan)
{
    struct graft_graph *const graph = plan->graph;
    if (plan->options.keep_all)
        for (int i = 0; i < graph->n_values; i++)
            graph->values[i].output =
                graph->values[i].kind == GRAFT_VALUE_INTERMEDIATE || graph->values[i].output;
    const bool fusion = !plan->options.no_fusion && !plan->options.keep_all;
    graft_pass_prune(graph);
    if (fusion && graph->status == GRAFT_OK)
        graft_pass_fold_batch_norm(graph);
    if (fusion && graph->status == GRAFT_OK)
        graft_pass_fuse(graph);
    if (graph->status == GRAFT_OK)
        graft_pass_hoist(graph);
    if (fusion && graph->status == GRAFT_OK)
        graft_pass_accumulate(graph);
    return graph->status;
}

/* Steps: what is run once, then the compute segment, then the update segment. `order` gets the nodes'
 * indexes. */
static enum graft_status make_steps(struct graft_plan *plan, int **order)
{
    struct graft_graph *const graph = plan->graph;
    *order = graft_allocate(plan->context, (size_t)graph->n_nodes, sizeof **order);
    plan->steps = graft_allocate(plan->context, (size_t)graph->n_nodes, sizeof *plan->steps);
    if (!*order || !plan->steps)
        return GRAFT_ERROR_MEMORY;
    for (int phase = 0; phase < 3; phase++)
        for (int n = 0; n < graph->n_nodes; n++) {
            struct graft_node *const node = &graph->nodes[n];
            const int of_node = node->once ? 0 : 1 + (int)node->segment;
            if (node->dead || of_node != phase)
                continue;
            (*order)[plan->n_steps] = n;
            plan->steps[plan->n_steps++].node = node;
            if (graft_op_get(node->call.op)->mutates)
                plan->mutates[node->segment] = true;
        }
    return GRAFT_OK;
}

/* Which inputs may be packed; which variant runs; what it needs. */
static enum graft_status choose_variants(struct graft_plan *plan, uint64_t *workspaces)
{
    struct graft_graph *const graph = plan->graph;
    bool *const constant = graft_allocate(plan->context, (size_t)graph->n_values, sizeof *constant);
    if (!constant)
        return GRAFT_ERROR_MEMORY;
    graft_graph_mark_constant(graph, constant);
    enum graft_status status = GRAFT_OK;
    for (int s = 0; s < plan->n_steps && status == GRAFT_OK; s++) {
        struct graft_plan_step *const step = &plan->steps[s];
        struct graft_node *const node = step->node;
        char text[1024];
        step->text = graft_duplicate_text(plan->context, graft_call_format(&node->call, text, sizeof text));
        if (!step->text)
            status = GRAFT_ERROR_MEMORY;
        step->info.name = "alias";
        if (graft_memory_is_alias(graph, node) || status != GRAFT_OK)
            continue;
        for (int i = 0; i < node->call.n_inputs && !node->once; i++)
            if (node->inputs[i] >= 0 && constant[node->inputs[i]])
                node->call.constant |= 1u << i;
        char forced[64];
        const char *const op = graft_op_get(node->call.op)->name;
        const bool force = graft_plan_forced_variant(plan->variants, op, forced, sizeof forced);
        status = graft_variant_choose(plan->device, &node->call, force ? forced : NULL, &step->variant,
                                      &step->info);
        if (status != GRAFT_OK)
            status =
                graft_fail_prefix(plan->context, status, "layer %s on %s",
                                  node->layer >= 0 ? graph->layers[node->layer] : "-", plan->device->info.id);
        workspaces[s] = step->info.workspace_bytes;
        plan->books.prepared += step->info.prepared_bytes;
        if (plan->books.workspace < step->info.workspace_bytes)
            plan->books.workspace = step->info.workspace_bytes;
    }
    graft_release(plan->context, constant);
    return status;
}

/* Adds up, and refuses what does not fit before anything is allocated. */
static enum graft_status check_memory(struct graft_plan *plan)
{
    uint64_t *const totals[GRAFT_ARENA_COUNT] = {&plan->books.inputs, &plan->books.constants,
                                                 &plan->books.activations};
    uint64_t need = plan->books.prepared;
    for (int arena = 0; arena < GRAFT_ARENA_COUNT; arena++)
        for (int chunk = 0; chunk < plan->memory.n_chunks[arena]; chunk++) {
            *totals[arena] += plan->memory.chunk_bytes[arena][chunk];
            need += plan->memory.chunk_bytes[arena][chunk];
        }
    plan->books.activations_without_reuse = plan->memory.bytes_without_reuse;
    for (int i = 0; i < plan->graph->n_values; i++) {
        const struct graft_value *const value = &plan->graph->values[i];
        if (value->kind == GRAFT_VALUE_PARAMETER)
            plan->books.parameters += graft_desc_bytes(&value->desc);
        else if (value->kind == GRAFT_VALUE_STATE)
            plan->books.state += graft_desc_bytes(&value->desc);
    }
    const struct graft_device *const device = plan->device;
    const uint64_t in_use = device->live_bytes;
    const uint64_t memory = device->info.memory_bytes;
    const uint64_t available = memory > in_use ? memory - in_use : 0;
    const uint64_t limit = plan->options.memory_limit && plan->options.memory_limit < available
                               ? plan->options.memory_limit
                               : available;
    if (need <= limit)
        return GRAFT_OK;
    const double mib = 1024.0 * 1024.0;
    return graft_fail(
        plan->context, GRAFT_ERROR_MEMORY,
        "the plan needs %.1f MiB on %s (activations %.1f, of which workspace %.1f; packed weights %.1f; "
        "inputs %.1f; constants %.1f), but %.1f MiB are %s: use a smaller batch or smaller pictures",
        (double)need / mib, device->info.id, (double)plan->books.activations / mib,
        (double)plan->books.workspace / mib, (double)plan->books.prepared / mib,
        (double)plan->books.inputs / mib, (double)plan->books.constants / mib, (double)limit / mib,
        limit == available ? "free there" : "allowed");
}

static enum graft_status allocate_arenas(struct graft_plan *plan)
{
    for (int arena = 0; arena < GRAFT_ARENA_COUNT; arena++) {
        plan->buffers[arena] = graft_allocate(plan->context, (size_t)plan->memory.n_chunks[arena] + 1,
                                              sizeof(struct graft_buffer *));
        if (!plan->buffers[arena])
            return GRAFT_ERROR_MEMORY;
        for (int chunk = 0; chunk < plan->memory.n_chunks[arena]; chunk++) {
            const enum graft_status status = graft_buffer_open(
                plan->device, plan->memory.chunk_bytes[arena][chunk], &plan->buffers[arena][chunk]);
            if (status != GRAFT_OK)
                return status;
        }
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
    return (struct graft_tensor){plan->buffers[at->arena][at->chunk], at->offset};
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

static enum graft_status open_kernels(struct graft_plan *plan)
{
    for (int s = 0; s < plan->n_steps; s++) {
        struct graft_plan_step *const step = &plan->steps[s];
        const struct graft_node *const node = step->node;
        if (graft_memory_is_alias(plan->graph, node))
            continue;
        for (int i = 0; i < node->call.n_inputs; i++)
            step->in[i] = graft_plan_tensor(plan, node->inputs[i]);
        for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++)
            if (node->outputs[i] >= 0 && node->call.out[i].dtype != GRAFT_DTYPE_NONE) {
                step->out[i] = graft_plan_tensor(plan, node->outputs[i]);
                const uint64_t bytes = graft_desc_bytes(&node->call.out[i]);
                plan->numbers_bytes = bytes > plan->numbers_bytes ? bytes : plan->numbers_bytes;
            }
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
    return GRAFT_OK;
}

static enum graft_status plan_memory(struct graft_plan *plan, const int *order)
{
    uint64_t *const workspaces = graft_allocate(plan->context, (size_t)plan->n_steps, sizeof *workspaces);
    if (!workspaces)
        return GRAFT_ERROR_MEMORY;
    enum graft_status status = choose_variants(plan, workspaces);
    if (status == GRAFT_OK)
        status = graft_memory_open(plan->graph, order, plan->n_steps, workspaces,
                                   !plan->options.no_in_place && !plan->options.keep_all,
                                   plan->device->info.max_allocation_bytes, &plan->memory);
    graft_release(plan->context, workspaces);
    return status;
}

enum graft_status graft_plan_open(const struct graft_graph *graph, struct graft_device *device,
                                  struct graft_variables *variables, const struct graft_plan_options *options,
                                  struct graft_plan **plan)
{
    struct graft_context *const context = graph->context;
    *plan = NULL;
    if (graph->status != GRAFT_OK)
        return graph->status;
    struct graft_plan *made = graft_allocate(context, 1, sizeof *made);
    if (!made)
        return GRAFT_ERROR_MEMORY;
    int *order = NULL;
    made->context = context;
    made->device = device;
    made->variables = variables;
    made->n_graph_values = graph->n_values;
    enum graft_status status = GRAFT_OK;
    if (options) {
        made->options = *options;
        made->options.variants = NULL;
        if (options->variants) {
            made->variants = graft_duplicate_text(context, options->variants);
            status = made->variants ? check_forced(context, made->variants) : GRAFT_ERROR_MEMORY;
        }
    }
    if (status == GRAFT_OK)
        status = graft_variables_add(variables, graph);
    if (status == GRAFT_OK)
        status = graft_graph_copy(graph, &made->graph);
    if (status == GRAFT_OK)
        status = run_passes(made);
    if (status == GRAFT_OK)
        status = make_steps(made, &order);
    if (status == GRAFT_OK)
        status = plan_memory(made, order);
    if (status == GRAFT_OK)
        status = check_memory(made);
    if (status == GRAFT_OK)
        status = allocate_arenas(made);
    if (status == GRAFT_OK)
        status = write_constants(made);
    if (status == GRAFT_OK)
        status = open_kernels(made);
    if (status == GRAFT_OK && made->options.check_numbers && made->numbers_bytes > 0) {
        made->numbers = graft_allocate_raw(context, 1, (size_t)made->numbers_bytes);
        status = made->numbers ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    }
    graft_release(context, order);
    if (status != GRAFT_OK)
        graft_plan_close(&made);
    *plan = made;
    return status;
}

void graft_plan_close(struct graft_plan **plan)
{
    struct graft_plan *const old = *plan;
    if (!old)
        return;
    for (int s = 0; s < old->n_steps; s++) {
        if (old->steps[s].kernel)
            old->device->backend->kernel_close(old->device, old->steps[s].kernel);
        graft_release(old->context, old->steps[s].text);
    }
    for (int arena = 0; arena < GRAFT_ARENA_COUNT; arena++) {
        for (int chunk = 0; old->buffers[arena] && chunk < old->memory.n_chunks[arena]; chunk++)
            graft_buffer_close(old->device, &old->buffers[arena][chunk],
                               old->memory.chunk_bytes[arena][chunk]);
        graft_release(old->context, old->buffers[arena]);
    }
    graft_memory_close(old->context, &old->memory);
    graft_graph_close(&old->graph);
    graft_release(old->context, old->steps);
    graft_release(old->context, old->variants);
    graft_release(old->context, old->numbers);
    graft_release(old->context, old);
    *plan = NULL;
}
