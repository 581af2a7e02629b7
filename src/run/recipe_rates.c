/* SPDX-License-Identifier: MIT */
/* Learning rates and weight decay of parts of the network, as texts of a recipe. */
#include "base/context.h"
#include "base/text.h"
#include "run/recipe.h"

#include <string.h>

#define MOST 1e6 /* of rates and factors */

enum graft_status graft_recipe_read_decay(struct graft_context *context, const char *text,
                                          struct graft_recipe_decay *decay)
{
    char *end = NULL;
    *decay = (struct graft_recipe_decay){.by = 0};
    if (!text)
        return GRAFT_OK;
    if (strncmp(text, "exp:", 4) == 0) {
        decay->by = graft_read_number(text + 4, &end);
        if (end != text + 4 && !*end && decay->by >= 1 && decay->by <= MOST)
            return GRAFT_OK;
    } else if (strncmp(text, "linear:", 7) == 0) {
        decay->first = graft_read_number(text + 7, &end);
        const char *const second = end + 1;
        const bool both = end != text + 7 && *end == ':';
        if (both)
            decay->last = graft_read_number(second, &end);
        if (both && end != second && !*end && decay->first > 0 && decay->first <= MOST && decay->last >= 0 &&
            decay->last <= decay->first)
            return GRAFT_OK;
    }
    return graft_fail(
        context, GRAFT_ERROR_ARGUMENT,
        "--lr-decay is linear:HEAD:FIRST, two rates of which the second is the smaller one, such as "
        "linear:1e-4:1e-7, or exp:FACTOR, by which each stage is slower than the next, such as exp:3; "
        "not \"%s\"",
        text);
}

enum graft_status graft_recipe_read_part(struct graft_context *context, const char *flag, const char **text,
                                         struct graft_recipe_part *part)
{
    const char *const at = *text;
    const size_t length = strcspn(at, "=,"), whole = strcspn(at, ",");
    char *end = NULL;
    const bool fits = at[length] == '=' && length > 0 && length < sizeof part->name;
    part->number = fits ? graft_read_number(at + length + 1, &end) : 0;
    if (!fits || end == at + length + 1 || end != at + whole || !(part->number >= 0 && part->number <= MOST))
        return graft_fail(
            context, GRAFT_ERROR_ARGUMENT,
            "%s is NAME=NUMBER,... with stages or layers of the network and numbers from 0 to 1e6; "
            "\"%.*s\" is not of that form",
            flag, (int)whole, at);
    memcpy(part->name, at, length);
    part->name[length] = '\0';
    *text = at + whole + (at[whole] == ',' ? 1 : 0);
    return GRAFT_OK;
}

enum graft_status graft_recipe_check_rates(struct graft_context *context, const struct graft_recipe *recipe)
{
    const char *const lists[][2] = {{"--lr-factors", recipe->stage_factors},
                                    {"--lr-groups", recipe->lr_groups},
                                    {"--decay-factors", recipe->decay_factors}};
    struct graft_recipe_decay decay;
    struct graft_recipe_part part;
    enum graft_status status = graft_recipe_read_decay(context, recipe->lr_decay, &decay);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        for (const char *at = lists[i][1]; status == GRAFT_OK && at && *at;)
            status = graft_recipe_read_part(context, lists[i][0], &at, &part);
    if (status == GRAFT_OK && recipe->lr_decay && recipe->given.trunk_factor)
        status = graft_fail(
            context, GRAFT_ERROR_ARGUMENT,
            "--lr-decay and --trunk-factor both say how slowly what is before the head learns: give "
            "one of them");
    return status;
}
