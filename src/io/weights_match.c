/* SPDX-License-Identifier: MIT */
/* Which networks of the list a set of weights fits. */
#include "base/context.h"
#include "graft/weights.h"

#include <stdlib.h>

/* Tensors that agree in name, shape and type. */
static int agreeing(const struct graft_weights_match *match)
{
    return match->tensors - match->report.missing - match->report.misshaped;
}

/* Of all that one of them has. */
static double share(const struct graft_weights_match *match)
{
    return (double)agreeing(match) / (double)(match->tensors + match->report.unused);
}

/* By what was said in the header, then in the order of the list. */
static int compare(const void *a, const void *b)
{
    const struct graft_weights_match *const left = a, *const right = b;
    const double l = share(left), r = share(right);
    if (left->fits != right->fits)
        return left->fits ? -1 : 1;
    if (l > r || l < r)
        return l > r ? -1 : 1;
    return left->info < right->info ? -1 : left->info > right->info;
}

static enum graft_status open_and_compare(struct graft_context *context, const struct graft_tensor_set *set,
                                          int64_t classes, struct graft_weights_match *match)
{
    struct graft_model *model = NULL;
    const struct graft_model_options options = {.classes = classes};
    enum graft_status status = graft_model_open(context, match->info->name, &options, &model);
    if (status)
        return status;
    status = graft_model_compare_weights(model, set, &match->report);
    match->tensors = 0;
    for (int i = 0; i < model->parameter_count; ++i) /* an auxiliary head may be absent */
        match->tensors += !model->parameters[i].idle;
    match->classes = graft_model_count_classes(model, set);
    match->fits = match->report.missing == 0 && match->report.misshaped == 0;
    graft_model_close(&model);
    return status;
}

enum graft_status graft_weights_match(struct graft_context *context, const struct graft_tensor_set *set,
                                      struct graft_weights_match *matches, int *count)
{
    enum graft_status status = GRAFT_OK;
    *count = 0;
    for (int i = 0; graft_model_at(i) && !status; ++i) {
        struct graft_weights_match *const match = &matches[*count];
        *match = (struct graft_weights_match){.info = graft_model_at(i)};
        status = open_and_compare(context, set, 0, match);
        /* A head for other classes is no difference. */
        const int64_t classes = match->classes;
        if (!status && match->report.misshaped > 0 && classes > 0 && classes <= 1000000 &&
            classes != match->info->classes)
            status = open_and_compare(context, set, classes, match);
        if (!status && agreeing(match) > 0)
            ++*count;
    }
    qsort(matches, (size_t)*count, sizeof *matches, compare);
    return status;
}
