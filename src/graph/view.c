/* SPDX-License-Identifier: MIT */
#include "graph/view.h"

#include "base/context.h"
#include "base/text.h"

#include <string.h>

/* Where a value lies: `width` columns from `column` on, of the rows of `root`. */
struct view {
    int root;
    int64_t column, width;
    int made; /* the step that makes it; -1: none, it is there from the start */
    int read; /* the last step that reads it, aliases apart; n_steps: read after the run */
};

struct viewer {
    struct graft_plan *plan;
    struct graft_graph *graph;
    struct view *views; /* for each value */
    int *family; /* values that lie in the same place because they are other names of one, or sums on it */
    int n_family;
};

static struct graft_node *node_at(const struct viewer *viewer, int step)
{
    return viewer->plan->steps[step].node;
}

static bool is_alias(const struct viewer *viewer, int step)
{
    return graft_memory_is_alias(viewer->graph, node_at(viewer, step));
}

static bool is_wanted(const struct graft_node *node, int output)
{
    return node->outputs[output] >= 0 && node->call.out[output].dtype != GRAFT_DTYPE_NONE;
}

/* Everything by itself: who makes it and who reads it last. */
static void note_uses(struct viewer *viewer)
{
    const int n_steps = viewer->plan->n_steps;
    for (int v = 0; v < viewer->graph->n_values; v++) {
        const struct graft_value *const value = &viewer->graph->values[v];
        viewer->views[v] = (struct view){.root = v,
                                         .width = graft_shape_width(&value->desc.shape),
                                         .made = -1,
                                         .read = value->output ? n_steps : -1};
    }
    for (int s = 0; s < n_steps; s++) {
        const struct graft_node *const node = node_at(viewer, s);
        for (int i = 0; i < node->call.n_inputs && !is_alias(viewer, s); i++)
            if (node->inputs[i] >= 0 && viewer->views[node->inputs[i]].read < s)
                viewer->views[node->inputs[i]].read = s;
        for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++)
            if (is_wanted(node, i))
                viewer->views[node->outputs[i]].made = s;
        const int other = is_alias(viewer, s) ? node->inputs[0] : node->continues;
        if (other >= 0 && is_wanted(node, 0))
            viewer->views[node->outputs[0]].root = viewer->views[other].root;
    }
}

/* A value of a run that nobody outside sees, of rows as long as `like` has them. */
static bool may_move(const struct viewer *viewer, int value, int like)
{
    const struct graft_value *const v = &viewer->graph->values[value];
    const int made = viewer->views[value].made;
    return v->kind == GRAFT_VALUE_INTERMEDIATE && v->desc.dtype == GRAFT_DTYPE_F32 && !v->output && !v->sum &&
           made >= 0 && !node_at(viewer, made)->once &&
           viewer->views[value].width == viewer->views[like].width;
}

/* `value`, its other names, and what is added to it where it lies; false if one of them has to stay. */
static bool find_family(struct viewer *viewer, int value)
{
    viewer->n_family = 0;
    viewer->family[viewer->n_family++] = value;
    if (!may_move(viewer, value, value))
        return false;
    for (int f = 0; f < viewer->n_family; f++) {
        const int member = viewer->family[f];
        for (int s = 0; s < viewer->plan->n_steps; s++) {
            const struct graft_node *const node = node_at(viewer, s);
            const bool renames = node->call.op == GRAFT_OP_RESHAPE && is_alias(viewer, s) &&
                                 node->inputs[0] == member && is_wanted(node, 0);
            if (!renames && node->continues != member)
                continue;
            if (!may_move(viewer, node->outputs[0], value))
                return false;
            viewer->family[viewer->n_family++] = node->outputs[0];
        }
    }
    return true;
}

static bool in_family(const struct viewer *viewer, int value)
{
    for (int f = 0; f < viewer->n_family; f++)
        if (viewer->family[f] == value)
            return true;
    return false;
}

/* Can the steps that make and read the family do so with this pitch? Sets it, whatever the answer. */
static bool set_pitch(const struct viewer *viewer, int64_t pitch)
{
    struct graft_plan *const plan = viewer->plan;
    bool good = true;
    for (int s = 0; s < plan->n_steps; s++) {
        struct graft_plan_step *const step = &plan->steps[s];
        struct graft_call *const call = &step->node->call;
        bool touched = false;
        for (int i = 0; i < call->n_inputs; i++)
            if (step->node->inputs[i] >= 0 && in_family(viewer, step->node->inputs[i])) {
                call->in_pitch[i] = pitch;
                touched = true;
            }
        for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++)
            if (is_wanted(step->node, i) && in_family(viewer, step->node->outputs[i])) {
                call->out_pitch[i] = pitch;
                touched = true;
            }
        if (!touched || !good || is_alias(viewer, s))
            continue;
        struct graft_variant_info info = {0};
        good = plan->device->backend->check(plan->device, call, step->variant, &info) == GRAFT_OK &&
               graft_variant_fits(plan->device, &info);
    }
    return good;
}

static bool meet(const struct view *a, const struct view *b)
{
    return a->root == b->root && a->column < b->column + b->width && b->column < a->column + a->width;
}

/* Whether every value that lies where something is added later has been read by then. */
static bool is_read_in_time(const struct viewer *viewer, int root)
{
    for (int s = 0; s < viewer->plan->n_steps; s++) {
        const struct graft_node *const node = node_at(viewer, s);
        if (node->continues < 0 || viewer->views[node->continues].root != root)
            continue;
        const struct view *const sum = &viewer->views[node->continues];
        for (int v = 0; v < viewer->graph->n_values; v++)
            if (viewer->views[v].made < s && viewer->views[v].read >= s && meet(&viewer->views[v], sum))
                return false;
    }
    return true;
}

/* Where the family lies. */
static void move(const struct viewer *viewer, int root, int64_t column)
{
    for (int f = 0; f < viewer->n_family; f++) {
        viewer->views[viewer->family[f]].root = root;
        viewer->views[viewer->family[f]].column = column;
    }
}

/* From now on the family lives in `whole`, from `column` on, and bit `part` of what the step has placed says
 * so; or everything stays as it was, as one of the steps that make and read the family cannot do that. */
static void place(const struct viewer *viewer, int whole, int64_t column, int step, int part)
{
    struct graft_call *const call = &node_at(viewer, step)->call;
    const struct view *const target = &viewer->views[whole];
    const struct graft_node *const maker = node_at(viewer, target->made);
    int64_t pitch = 0;
    for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++)
        pitch = maker->outputs[i] == whole ? maker->call.out_pitch[i] : pitch;
    bool *const inner = viewer->plan->chunks.inner;
    for (int f = 0; f < viewer->n_family; f++)
        if (inner[whole] && !inner[viewer->family[f]])
            return; /* what outlives a chunk does not lie in what does not */
    move(viewer, target->root, target->column + column);
    call->placed |= 1u << part;
    if (is_read_in_time(viewer, target->root) && set_pitch(viewer, pitch ? pitch : target->width)) {
        for (int f = 0; f < viewer->n_family; f++)
            inner[viewer->family[f]] = inner[whole];
        return;
    }
    call->placed &= ~(1u << part);
    (void)set_pitch(viewer, 0);
    move(viewer, viewer->family[0], 0);
}

/* A value of a run that others can be columns of. */
static bool may_hold(const struct viewer *viewer, int whole)
{
    const struct graft_value *const v = &viewer->graph->values[whole];
    const int made = viewer->views[whole].made;
    return v->kind == GRAFT_VALUE_INTERMEDIATE && v->desc.dtype == GRAFT_DTYPE_F32 && !v->sum && made >= 0 &&
           !node_at(viewer, made)->once && graft_shape_count(&v->desc.shape) > 0;
}

/* The last step that reads what lies there. */
static int end_of(const struct viewer *viewer, int root)
{
    int end = -1;
    for (int v = 0; v < viewer->graph->n_values; v++)
        if (viewer->views[v].root == root && viewer->views[v].read > end)
            end = viewer->views[v].read;
    return end;
}

/* A tensor is not kept for much longer for the sake of a part of it that is needed late: that is better
 * copied. */
#define FEW_STEPS 64

static bool is_late(const struct viewer *viewer, int part, int end)
{
    return end_of(viewer, viewer->views[part].root) > end + FEW_STEPS;
}

static bool is_worth_it(int64_t width, int64_t whole)
{
    return 4 * width >= 3 * whole;
}

static void place_inputs(struct viewer *viewer, int step)
{
    const struct graft_node *const node = node_at(viewer, step);
    const int last = node->call.out[0].shape.rank - 1;
    int64_t column = 0, late = 0;
    if (node->call.op != GRAFT_OP_CONCAT || node->call.attributes.concat.axis != last ||
        node->call.n_inputs < 2 || !is_wanted(node, 0) || !may_hold(viewer, node->outputs[0]))
        return;
    const int end = end_of(viewer, viewer->views[node->outputs[0]].root);
    for (int i = 0; i < node->call.n_inputs; i++)
        late += is_late(viewer, node->inputs[i], end) ? graft_shape_width(&node->call.in[i].shape) : 0;
    const bool keeps = is_worth_it(late, graft_shape_width(&node->call.out[0].shape));
    for (int i = 0; i < node->call.n_inputs; i++) {
        const int value = node->inputs[i];
        const struct view *const view = &viewer->views[value];
        const struct graft_node *const maker = view->made < 0 ? NULL : node_at(viewer, view->made);
        if (maker && maker->segment == node->segment && view->root == value && view->width > 0 &&
            maker->continues < 0 && (keeps || !is_late(viewer, value, end)) && find_family(viewer, value))
            place(viewer, node->outputs[0], column, step, i);
        column += graft_shape_width(&node->call.in[i].shape);
    }
}

static void place_slice(struct viewer *viewer, int step)
{
    const struct graft_node *const node = node_at(viewer, step);
    const struct graft_slice_attributes *const a = &node->call.attributes.slice;
    const struct graft_shape *const x = &node->call.in[0].shape;
    if (node->call.op != GRAFT_OP_SLICE || node->call.accumulate || x->rank < 1 || !is_wanted(node, 0) ||
        viewer->views[node->outputs[0]].root != node->outputs[0] || !may_hold(viewer, node->inputs[0]) ||
        node_at(viewer, viewer->views[node->inputs[0]].made)->segment != node->segment ||
        a->step[x->rank - 1] > 1)
        return;
    for (int d = 0; d < x->rank - 1; d++)
        if (a->size[d] != x->dim[d] || a->step[d] > 1)
            return;
    const int end = end_of(viewer, viewer->views[node->inputs[0]].root);
    if (a->size[x->rank - 1] > 0 && find_family(viewer, node->outputs[0]) &&
        (!is_late(viewer, node->outputs[0], end) ||
         is_worth_it(viewer->views[node->outputs[0]].width, graft_shape_width(x))))
        place(viewer, node->inputs[0], a->begin[x->rank - 1], step, 0);
}

static bool has_views(const struct graft_call *call)
{
    bool any = call->placed != 0;
    for (int i = 0; i < GRAFT_MAX_INPUTS; i++)
        any = any || call->in_pitch[i];
    for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++)
        any = any || call->out_pitch[i];
    return any;
}

/* What the variants need for the calls as they are now, and these as text. */
static enum graft_status check_again(struct graft_plan *plan)
{
    enum graft_status status = GRAFT_OK;
    for (int s = 0; s < plan->n_steps && status == GRAFT_OK; s++) {
        struct graft_plan_step *const step = &plan->steps[s];
        const struct graft_call *const call = &step->node->call;
        char text[GRAFT_CALL_TEXT];
        if (!has_views(call))
            continue;
        graft_release(plan->context, step->text);
        step->text = graft_duplicate_text(plan->context, graft_call_format(call, text, sizeof text));
        if (!step->text)
            return GRAFT_ERROR_MEMORY;
        if (graft_memory_is_alias(plan->graph, step->node))
            step->info = (struct graft_variant_info){.name = "alias"};
        else
            status = plan->device->backend->check(plan->device, call, step->variant, &step->info);
    }
    return status;
}

enum graft_status graft_views_make(struct graft_plan *plan)
{
    struct graft_graph *const graph = plan->graph;
    bool any = false;
    for (int s = 0; s < plan->n_steps; s++)
        any = any || plan->steps[s].node->call.op == GRAFT_OP_CONCAT ||
              plan->steps[s].node->call.op == GRAFT_OP_SLICE;
    if (!any)
        return GRAFT_OK;
    struct viewer viewer = {.plan = plan, .graph = graph};
    viewer.views = graft_allocate(plan->context, (size_t)graph->n_values + 1, sizeof *viewer.views);
    viewer.family = graft_allocate(plan->context, (size_t)graph->n_values + 1, sizeof *viewer.family);
    enum graft_status status = GRAFT_ERROR_MEMORY;
    if (viewer.views && viewer.family) {
        struct graft_kept_error before;
        graft_keep_error(plan->context, &before);
        note_uses(&viewer);
        for (int s = plan->n_steps - 1; s >= 0; s--) /* where the last of a chain lies is known first */
            place_inputs(&viewer, s);
        for (int s = 0; s < plan->n_steps; s++)
            place_slice(&viewer, s);
        graft_restore_error(plan->context, &before);
        status = check_again(plan);
    }
    graft_release(plan->context, viewer.views);
    graft_release(plan->context, viewer.family);
    return status;
}
