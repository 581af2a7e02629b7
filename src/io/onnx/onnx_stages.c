/* SPDX-License-Identifier: MIT */
/*
 * Stages: what can be frozen, or learn at a rate of its own. A graph can be cut where a single value that
 * depends on the picture goes over; of these places those count at which the layers' names say that another
 * part begins: the first parts of "layer1.0.conv1.weight", "/features/features.3/squeeze/Conv" or
 * "net_1/conv_dw_1/kernel", as many as make some stages. Where they make very many, some of these are taken.
 */
#include "io/onnx/onnx.h"

#include "base/context.h"

#include <string.h>

#define LEAST_STAGES 4
#define DEPTHS 4

/* ---- where the graph can be cut */

/* What the search knows of values and nodes. */
struct cuts {
    int *last;     /* [values] the last node that uses it; -1: none */
    bool *depends; /* [values] on the picture, its size included */
    int *crossing; /* [nodes] the value that alone goes over before the node; -1: there are more */
};

static bool depends(const struct graft_onnx_node *node, const bool *values)
{
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i] >= 0 && values[node->inputs[i]])
            return true;
    return false;
}

static void find_uses(const struct graft_onnx *onnx, struct cuts *cuts)
{
    for (int v = 0; v < onnx->value_count; v++)
        cuts->last[v] = -1;
    cuts->depends[onnx->input] = true;
    for (int n = 0; n < onnx->node_count; n++) {
        const struct graft_onnx_node *const node = &onnx->nodes[n];
        const bool of_picture = depends(node, cuts->depends);
        for (int i = 0; i < node->input_count; i++)
            if (node->inputs[i] >= 0)
                cuts->last[node->inputs[i]] = n;
        for (int i = 0; i < node->output_count; i++)
            if (node->outputs[i] >= 0)
                cuts->depends[node->outputs[i]] = of_picture;
    }
    cuts->last[onnx->output] = onnx->node_count;
}

/* With the sum of the living values' numbers the last one left is known by itself. */
static void find_crossings(const struct graft_onnx *onnx, struct cuts *cuts)
{
    int64_t count = 1, sum = onnx->input;
    for (int n = 0; n < onnx->node_count; n++) {
        const struct graft_onnx_node *const node = &onnx->nodes[n];
        cuts->crossing[n] = count == 1 ? (int)sum : -1;
        for (int i = 0; i < node->output_count; i++) {
            const int value = node->outputs[i];
            if (value >= 0 && cuts->depends[value] && cuts->last[value] > n) {
                count++;
                sum += value;
            }
        }
        for (int i = 0; i < node->input_count; i++) {
            const int value = node->inputs[i];
            bool again = false; /* a node may read a value twice */
            for (int k = 0; k < i; k++)
                again = again || node->inputs[k] == value;
            if (value >= 0 && !again && cuts->depends[value] && cuts->last[value] == n) {
                count--;
                sum -= value;
            }
        }
    }
}

/* ---- names */

/* The first `depth` parts of a name that has more; false: it has not. "features.3" within "features" is "3".
 */
static bool take_parts(struct graft_onnx_text name, int depth, char *text)
{
    size_t at = 0, parent = 0, parent_length = 0, begin = name.length > 0 && name.data[0] == '/';
    const bool path = memchr(name.data, '/', name.length) != NULL;
    for (int d = 0; d < depth; d++) {
        size_t end = begin;
        while (end < name.length && name.data[end] != '/' && (path || name.data[end] != '.'))
            end++;
        if (end == begin || end >= name.length)
            return d > 0;
        size_t first = begin;
        if (path && parent_length > 0 && end - begin > parent_length + 1 &&
            name.data[begin + parent_length] == '.' &&
            memcmp(name.data + begin, name.data + parent, parent_length) == 0)
            first += parent_length + 1;
        if (at + 1 + end - first >= GRAFT_ONNX_STAGE_NAME)
            return d > 0;
        if (d > 0)
            text[at++] = '.';
        for (size_t i = first; i < end; i++) {
            const char c = name.data[i];
            const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                               c == '.' || c == '_' || c == '-';
            text[at++] = plain ? c : '_'; /* names stand in lists: head:10,all:5 */
        }
        text[at] = '\0';
        parent = begin;
        parent_length = end - begin;
        begin = end + 1;
    }
    return true;
}

/* The part of the network that a node with weights is of; false: it has none, or no name that says it. */
static bool name_part(const struct graft_onnx *onnx, const struct graft_onnx_node *node, int depth,
                      char *text)
{
    for (int i = 0; i < node->input_count; i++) {
        const struct graft_onnx_tensor *const w =
            node->inputs[i] >= 0 ? onnx->constants[node->inputs[i]] : NULL;
        if (!w || !w->name)
            continue;
        const struct graft_onnx_text name = {w->name, strlen(w->name)};
        const bool own = !strstr(w->name, "::") && strpbrk(w->name, "./");
        return take_parts(own ? name : node->name, depth, text);
    }
    return false;
}

/* ---- stages */

static bool is_known(const struct graft_onnx_stages *stages, const char *name)
{
    if (strcmp(name, "head") == 0 || strcmp(name, "all") == 0) /* what these mean is known */
        return true;
    for (int s = 0; s < stages->count; s++)
        if (strcmp(stages->list[s].name, name) == 0)
            return true;
    return false;
}

/* Every so many of those that the names make; how many these are. */
static int find_stages(const struct graft_onnx *onnx, const struct cuts *cuts, int depth, int every,
                       struct graft_onnx_stages *stages)
{
    char name[GRAFT_ONNX_STAGE_NAME], latest[GRAFT_ONNX_STAGE_NAME] = "";
    int cut = 0, found = 0; /* the latest place since the latest node with weights */
    stages->count = 0;
    for (int n = 0; n < onnx->head; n++) {
        cut = cuts->crossing[n] >= 0 ? n : cut;
        if (!name_part(onnx, &onnx->nodes[n], depth, name))
            continue;
        const bool begins =
            (found == 0 || (cut >= 0 && strcmp(name, latest) != 0)) && !is_known(stages, name);
        if (begins && found++ % every == 0 && stages->count < GRAFT_ONNX_STAGES) {
            struct graft_onnx_stage *const stage = &stages->list[stages->count++];
            *stage = (struct graft_onnx_stage){.node = cut, .value = cuts->crossing[cut]};
            memcpy(stage->name, name, sizeof name);
        }
        memcpy(latest, name, sizeof name);
        cut = -1;
    }
    return found;
}

enum graft_status graft_onnx_find_stages(struct graft_onnx *onnx)
{
    struct graft_context *const context = onnx->context;
    const size_t values = (size_t)onnx->value_count, nodes = (size_t)onnx->node_count;
    struct cuts cuts = {.last = graft_allocate(context, values, sizeof *cuts.last),
                        .depends = graft_allocate(context, values, sizeof *cuts.depends),
                        .crossing = graft_allocate(context, nodes, sizeof *cuts.crossing)};
    const bool taken = cuts.last && cuts.depends && cuts.crossing;
    if (taken) {
        find_uses(onnx, &cuts);
        find_crossings(onnx, &cuts);
    }
    for (int depth = 1; taken && depth <= DEPTHS && onnx->stages.count < LEAST_STAGES; depth++) {
        struct graft_onnx_stages found;
        const int count = find_stages(onnx, &cuts, depth, 1, &found);
        if (count > GRAFT_ONNX_STAGES)
            (void)find_stages(onnx, &cuts, depth, (count + GRAFT_ONNX_STAGES / 2) / (GRAFT_ONNX_STAGES / 2),
                              &found);
        if (found.count > onnx->stages.count)
            onnx->stages = found;
    }
    if (onnx->stages.count < 2) { /* no name says anything */
        onnx->stages.count = 1;
        onnx->stages.list[0] = (struct graft_onnx_stage){.value = onnx->input, .name = "trunk"};
    }
    onnx->stages.list[0].node = 0;
    onnx->stages.list[0].value = onnx->input;
    graft_release(context, cuts.last);
    graft_release(context, cuts.depends);
    graft_release(context, cuts.crossing);
    return taken ? GRAFT_OK : GRAFT_ERROR_MEMORY;
}
