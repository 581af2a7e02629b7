/* SPDX-License-Identifier: MIT */
/* Planning: passes, variants, places in memory. */
#include "graph/order.h"
#include "graph/plan.h"
#include "graph/view.h"

#include "backend/tuning.h"
#include "base/context.h"
#include "base/size.h"
#include "base/text.h"

#include <stdio.h>
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

/* Of a gradient that is made and applied piece by piece: they stay in the caches where these hold as much,
 * and are few in any case. */
#define PIECE_BYTES (UINT64_C(16) << 20)

static enum graft_status run_passes(struct graft_plan *plan)
{
    struct graft_graph *const graph = plan->graph;
    if (plan->options.keep_all)
        for (int i = 0; i < graph->n_values; i++)
            graph->values[i].output =
                graph->values[i].kind == GRAFT_VALUE_INTERMEDIATE || graph->values[i].output;
    const bool fusion = !plan->options.no_fusion && !plan->options.keep_all;
    graft_pass_prune(graph);
    if (fusion && graph->status == GRAFT_OK && graft_pass_narrow(graph, -1, NULL, 0))
        graft_pass_prune(graph);
    if (fusion && graph->status == GRAFT_OK)
        graft_pass_slope(graph);
    if (fusion && graph->status == GRAFT_OK)
        graft_pass_fold_batch_norm(graph);
    if (fusion && graph->status == GRAFT_OK)
        graft_pass_fuse(graph);
    if (graph->status == GRAFT_OK)
        graft_pass_hoist(graph);
    if (fusion && graph->status == GRAFT_OK)
        graft_pass_join(graph);
    if (fusion && graph->status == GRAFT_OK)
        graft_pass_accumulate(graph);
    if (fusion && graph->status == GRAFT_OK)
        graft_pass_pieces(graph, graft_max_u64(plan->device->cache_bytes / 2, PIECE_BYTES));
    return graph->status;
}

/* `order` gets the nodes' indexes, step by step. */
static enum graft_status make_steps(struct graft_plan *plan, int **order)
{
    struct graft_graph *const graph = plan->graph;
    *order = graft_allocate(plan->context, (size_t)graph->n_nodes, sizeof **order);
    plan->steps = graft_allocate(plan->context, (size_t)graph->n_nodes, sizeof *plan->steps);
    if (!*order || !plan->steps)
        return GRAFT_ERROR_MEMORY;
    enum graft_status status = graft_order_steps(graph, *order, &plan->n_steps);
    for (int s = 0; s < plan->n_steps && status == GRAFT_OK; s++) {
        struct graft_node *const node = &graph->nodes[(*order)[s]];
        char text[GRAFT_CALL_TEXT];
        plan->steps[s].node = node;
        node->call.tf32 = plan->options.tf32 && graft_op_get(node->call.op)->is_product;
        plan->steps[s].key =
            graft_duplicate_text(plan->context, graft_call_format(&node->call, text, sizeof text));
        status = plan->steps[s].key ? GRAFT_OK : GRAFT_ERROR_MEMORY;
        if (graft_op_get(node->call.op)->mutates)
            plan->mutates[node->segment] = true;
    }
    return status;
}

/* What a measurement is kept under: the call of the whole batch, whether its inputs can be packed beforehand,
 * whether it adds to its output. `key`: the call alone. */
static enum graft_status finish_key(struct graft_plan *plan, struct graft_plan_step *step)
{
    const struct graft_call *const call = &step->node->call;
    const struct {
        const char *what;
        uint32_t bits;
    } marks[] = {{" constant inputs", call->constant}, {" added to outputs", call->accumulate}};
    struct graft_text text = {0};
    if (call->constant == 0 && call->accumulate == 0)
        return GRAFT_OK;
    graft_text_append(plan->context, &text, "%s", step->key);
    for (int m = 0; m < 2; m++) {
        for (int i = 0; i < 32; i++) {
            if ((marks[m].bits >> i & 1u) != 0)
                graft_text_append(plan->context, &text, "%s %d",
                                  marks[m].bits >> i << i == marks[m].bits ? marks[m].what : "", i);
        }
    }
    graft_release(plan->context, step->key);
    step->key = text.failed ? NULL : graft_duplicate_text(plan->context, text.data);
    graft_text_close(plan->context, &text);
    return step->key ? GRAFT_OK : GRAFT_ERROR_MEMORY;
}

/* The variant that was forced, or measured to be the fastest, or the usual one. */
static enum graft_status choose_variant(struct graft_plan *plan, struct graft_plan_step *step)
{
    const struct graft_call *const call = &step->node->call;
    char forced[64];
    const bool force =
        graft_plan_forced_variant(plan->variants, graft_op_get(call->op)->name, forced, sizeof forced);
    const struct graft_tuning_choice *const choice =
        force || call->real == GRAFT_DTYPE_F64 ? NULL : graft_tuning_find(plan->device, step->key);
    if (choice && strcmp(choice->variant, choice->plain) != 0) {
        step->tuned = graft_variant_choose(plan->device, call, choice->variant, &step->variant,
                                           &step->info) == GRAFT_OK;
        if (step->tuned)
            return GRAFT_OK;
    } /* not there any more: the usual one */
    return graft_variant_choose(plan->device, call, force ? forced : NULL, &step->variant, &step->info);
}

/* Once a device: measured choices are no secret. */
static void tell_tuned(const struct graft_plan *plan)
{
    struct graft_tuning *const tuning = plan->device->tuning;
    int tuned = 0;
    for (int s = 0; s < plan->n_steps; s++)
        tuned += plan->steps[s].tuned;
    if (tuned == 0 || tuning->told)
        return;
    tuning->told = true;
    graft_log(plan->context, GRAFT_LOG_REMARK,
              "%s: %d of %d steps use the kernels that `graft bench --tune` found to be the fastest",
              plan->device->info.id, tuned, plan->n_steps);
}

/* Which inputs may be packed; which variant runs; the call as text. */
static enum graft_status choose_variants(struct graft_plan *plan)
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
        char text[GRAFT_CALL_TEXT];
        const bool whole = !graft_chunks_has_step(&plan->chunks, s); /* its call is the one of the key */
        step->text = graft_duplicate_text(
            plan->context, whole ? step->key : graft_call_format(&node->call, text, sizeof text));
        if (!step->text)
            status = GRAFT_ERROR_MEMORY;
        step->info.name = "alias";
        if (graft_memory_is_alias(graph, node) || status != GRAFT_OK)
            continue;
        for (int i = 0; i < node->call.n_inputs && !node->once; i++)
            if (node->inputs[i] >= 0 && constant[node->inputs[i]])
                node->call.constant |= 1u << i;
        status = finish_key(plan, step);
        if (status == GRAFT_OK)
            status = choose_variant(plan, step);
        if (status != GRAFT_OK)
            status =
                graft_fail_prefix(plan->context, status, "layer %s on %s",
                                  node->layer >= 0 ? graph->layers[node->layer] : "-", plan->device->info.id);
    }
    graft_release(plan->context, constant);
    if (status == GRAFT_OK)
        tell_tuned(plan);
    return status;
}

/* What the variants need. */
static void note_needs(struct graft_plan *plan, uint64_t *workspaces)
{
    for (int s = 0; s < plan->n_steps; s++) {
        struct graft_plan_step *const step = &plan->steps[s];
        workspaces[s] = step->info.workspace_bytes;
        plan->books.prepared += step->info.prepared_bytes;
        if (plan->books.workspace < step->info.workspace_bytes)
            plan->books.workspace = step->info.workspace_bytes;
    }
}

/* Where every intermediate is looked at, the whole batch goes from step to step. */
static enum graft_status make_chunks(struct graft_plan *plan, const int *order)
{
    static const struct graft_device whole = {0};
    const struct graft_plan_options *const options = &plan->options;
    const bool apart = !options->keep_all && !options->check_numbers && !options->whole_batch;
    enum graft_status status =
        graft_chunks_open(plan->graph, apart ? plan->device : &whole, order, plan->n_steps, &plan->chunks);
    if (status != GRAFT_OK)
        return status;
    plan->lanes = graft_allocate(plan->context, (size_t)plan->chunks.lanes, sizeof *plan->lanes);
    for (int lane = 0; plan->lanes && lane < plan->chunks.lanes; lane++) {
        plan->lanes[lane].seconds = graft_allocate(plan->context, (size_t)plan->n_steps + 1, sizeof(double));
        if (!plan->lanes[lane].seconds)
            return GRAFT_ERROR_MEMORY;
    }
    return plan->lanes ? GRAFT_OK : GRAFT_ERROR_MEMORY;
}

/* Where everything is to lie, and the lists of the buffers to come. */
static enum graft_status plan_memory(struct graft_plan *plan, const int *order)
{
    uint64_t *const workspaces = graft_allocate(plan->context, (size_t)plan->n_steps, sizeof *workspaces);
    if (!workspaces)
        return GRAFT_ERROR_MEMORY;
    enum graft_status status = make_chunks(plan, order);
    if (status == GRAFT_OK)
        status = choose_variants(plan);
    const bool shares = !plan->options.no_in_place && !plan->options.keep_all;
    if (status == GRAFT_OK && shares && !plan->options.check_numbers)
        status = graft_views_make(plan);
    note_needs(plan, workspaces);
    if (status == GRAFT_OK)
        status = graft_memory_open(plan->graph, order, plan->n_steps, workspaces, &plan->chunks, shares,
                                   plan->device->info.max_allocation_bytes, &plan->memory);
    graft_release(plan->context, workspaces);
    if (status == GRAFT_OK)
        status = graft_plan_order_sums(plan);
    for (int arena = 0; arena < GRAFT_ARENA_COUNT && status == GRAFT_OK; arena++) {
        plan->buffers[arena] = graft_allocate(plan->context, (size_t)graft_plan_buffer_count(plan, arena) + 1,
                                              sizeof(struct graft_buffer *));
        status = plan->buffers[arena] ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    }
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
    if (status == GRAFT_OK && made->options.tf32)
        status = graft_device_need_tf32(device);
    if (status == GRAFT_OK)
        status = graft_graph_copy(graph, &made->graph);
    if (status == GRAFT_OK)
        status = graft_tuning_open(device);
    if (status == GRAFT_OK)
        status = run_passes(made);
    if (status == GRAFT_OK)
        status = make_steps(made, &order);
    if (status == GRAFT_OK)
        status = plan_memory(made, order);
    if (status == GRAFT_OK)
        graft_plan_count(made);
    if (status == GRAFT_OK && !made->options.deferred)
        status = graft_plan_acquire(made);
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
    graft_plan_release(old);
    for (int s = 0; s < old->n_steps; s++) {
        graft_release(old->context, old->steps[s].text);
        graft_release(old->context, old->steps[s].key);
    }
    for (int arena = 0; arena < GRAFT_ARENA_COUNT; arena++)
        graft_release(old->context, old->buffers[arena]);
    for (int lane = 0; old->lanes && lane < old->chunks.lanes; lane++)
        graft_release(old->context, old->lanes[lane].seconds);
    graft_release(old->context, old->lanes);
    graft_chunks_close(old->context, &old->chunks);
    graft_memory_close(old->context, &old->memory);
    graft_graph_close(&old->graph);
    graft_release(old->context, old->steps);
    graft_release(old->context, old->ready);
    graft_release(old->context, old->variants);
    graft_release(old->context, old);
    *plan = NULL;
}
