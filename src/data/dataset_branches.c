/* SPDX-License-Identifier: MIT */
/*
 * What the folders of a tree are: classes, parts (train, val, test), or a copy of what lies beside them, as
 * archives of competitions often have. A name alone does not decide: a class may be called "train".
 */
#include "data/layout.h"

#include "base/context.h"

#include <stdlib.h>
#include <string.h>

static int compare_names(const char *a, size_t a_length, const char *b, size_t b_length)
{
    const int order = memcmp(a, b, a_length < b_length ? a_length : b_length);
    return order != 0 ? order : (a_length > b_length) - (a_length < b_length);
}

static int compare_branches(const void *a, const void *b)
{
    const struct graft_branch *const x = a, *const y = b;
    return compare_names(x->name, x->length, y->name, y->length);
}

static const struct graft_branch *find(const struct graft_layout *layout, const char *name, size_t length)
{
    const struct graft_branch key = {.name = name, .length = length};
    return layout->branch_count == 0 ? NULL
                                     : bsearch(&key, layout->branches, (size_t)layout->branch_count,
                                               sizeof key, compare_branches);
}

const struct graft_branch *graft_branch_of(const struct graft_layout *layout, const char *path)
{
    const size_t length = strcspn(path, "/");
    return path[length] == '/' ? find(layout, path, length) : NULL;
}

const struct graft_branch *graft_branch_named(const struct graft_layout *layout, const char *name)
{
    return find(layout, name, strlen(name));
}

bool graft_layout_has(const struct graft_layout *layout, const char *path)
{
    const struct graft_entry *const entries = layout->dataset->entries;
    int64_t low = layout->begin, high = layout->end;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        const char *const other = entries[middle].path;
        int order = strncmp(other, layout->root ? layout->root : "", layout->root_length);
        order = order != 0 ? order : strcmp(other + layout->root_length, path);
        if (order == 0) {
            return true;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return false;
}

static struct graft_branch *add(struct graft_layout *layout, const char *name, size_t length)
{
    if (layout->branch_count == layout->branch_capacity) {
        const int64_t more = layout->branch_capacity ? layout->branch_capacity * 2 : 64;
        struct graft_branch *const grown =
            graft_reallocate(layout->dataset->context, layout->branches, (size_t)layout->branch_capacity,
                             (size_t)more, sizeof *grown);
        if (!grown) {
            return NULL;
        }
        layout->branches = grown;
        layout->branch_capacity = more;
    }
    struct graft_branch *const branch = &layout->branches[layout->branch_count++];
    *branch = (struct graft_branch){.name = name, .length = length, .split = graft_split_find(name, length)};
    return branch;
}

/* Counts a picture; what lies in a folder comes in a row, as entries are ordered by path. */
static void count(const struct graft_layout *layout, struct graft_branch *branch, const char *inside)
{
    const size_t length = strcspn(inside, "/");
    if (inside[length] != '/') {
        branch->direct++;
        branch->named += graft_class_in_name(layout, inside) > 0;
        return;
    }
    branch->deep++;
    if (branch->children == 0 || branch->child_length != length ||
        strncmp(branch->child, inside, length) != 0) {
        branch->child = inside;
        branch->child_length = length;
        branch->children++;
    }
}

static enum graft_status list_branches(struct graft_layout *layout)
{
    struct graft_branch *branch = NULL;
    for (int64_t i = layout->begin; i < layout->end; i++) {
        struct graft_entry *const entry = &layout->dataset->entries[i];
        const char *const path = entry->folder ? NULL : graft_layout_behind_root(layout, entry);
        const size_t length = path ? strcspn(path, "/") : 0;
        if (length == 0 || path[length] != '/' || !graft_layout_is_picture(layout, entry)) {
            continue;
        }
        if (!branch || branch->length != length || strncmp(branch->name, path, length) != 0) {
            branch = add(layout, path, length);
        }
        if (!branch) {
            return GRAFT_ERROR_MEMORY;
        }
        count(layout, branch, path + length + 1);
    }
    if (layout->branch_count > 0) {
        qsort(layout->branches, (size_t)layout->branch_count, sizeof *layout->branches, compare_branches);
    }
    return GRAFT_OK;
}

/* A branch that holds just one folder of its own name (training_set/training_set) is what that folder holds. */
static void look_inside(struct graft_layout *layout)
{
    for (int64_t b = 0; b < layout->branch_count; b++) {
        struct graft_branch *const branch = &layout->branches[b];
        if (branch->children == 1 && branch->direct == 0 &&
            compare_names(branch->child, branch->child_length, branch->name, branch->length) == 0) {
            branch->shared = branch->name;
            branch->inner = branch->length + 1;
            branch->deep = branch->children = 0;
        }
    }
    for (int64_t i = layout->begin; i < layout->end; i++) {
        struct graft_entry *const entry = &layout->dataset->entries[i];
        const char *const path = entry->folder ? NULL : graft_layout_behind_root(layout, entry);
        const struct graft_branch *const branch = path ? graft_branch_of(layout, path) : NULL;
        if (branch && branch->inner > 0 && graft_layout_is_picture(layout, entry)) {
            count(layout, &layout->branches[branch - layout->branches], path + branch->length + 1 + branch->inner);
        }
    }
}

/* Which branches hold nothing but folders with the names of other branches? */
static void compare_children(struct graft_layout *layout)
{
    for (int64_t b = 0; b < layout->branch_count; b++) {
        layout->branches[b].children_beside = layout->branches[b].direct == 0;
    }
    for (int64_t i = layout->begin; i < layout->end; i++) {
        struct graft_entry *const entry = &layout->dataset->entries[i];
        const char *const path = entry->folder ? NULL : graft_layout_behind_root(layout, entry);
        const struct graft_branch *const branch = path ? graft_branch_of(layout, path) : NULL;
        if (!branch || !graft_layout_is_picture(layout, entry)) {
            continue;
        }
        const char *const inside = path + branch->length + 1;
        const struct graft_branch *const beside = find(layout, inside, strcspn(inside, "/"));
        if (!beside || beside == branch) {
            layout->branches[branch - layout->branches].children_beside = false;
        }
    }
}

/* seg_train and seg_test, train_images and test_images: parts by a word of their names, if what is left of the
 * names is the same. */
static void find_parts_by_word(struct graft_layout *layout)
{
    bool train = false, other = false;
    const char *rest = NULL;
    size_t rest_length = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t b = 0; b < layout->branch_count; b++) {
            struct graft_branch *const branch = &layout->branches[b];
            const char *begin = branch->name;
            size_t length = branch->length;
            const uint8_t split = graft_split_in_name(&begin, &length);
            const bool fits =
                split != GRAFT_NO_SPLIT && rest && compare_names(rest, rest_length, begin, length) == 0;
            if (pass == 0 && split == GRAFT_SPLIT_TRAIN) {
                rest = begin;
                rest_length = length;
            }
            train = train || (pass == 1 && fits && split == GRAFT_SPLIT_TRAIN);
            other = other || (pass == 1 && fits && split != GRAFT_SPLIT_TRAIN);
        }
    }
    for (int64_t b = 0; b < layout->branch_count && train && other; b++) {
        const char *begin = layout->branches[b].name;
        size_t length = layout->branches[b].length;
        const uint8_t split = graft_split_in_name(&begin, &length);
        if (split != GRAFT_NO_SPLIT && compare_names(rest, rest_length, begin, length) == 0) {
            layout->branches[b].split = split;
        }
    }
}

/* Can there be classes in it? */
static bool has_classes(const struct graft_branch *branch)
{
    return branch->deep > 0 || branch->named > 0;
}

/*
 * Are the branches named train, val, test parts? Yes if nothing else holds pictures, or if there are two kinds
 * of them. A lone "train" beside other folders with pictures is a class like them, unless pictures lie at
 * another depth there: folders of classes, or names with classes, and loose pictures beside it.
 */
static bool are_parts(const struct graft_layout *layout)
{
    bool kinds[GRAFT_SPLIT_COUNT] = {false};
    const struct graft_branch *train = NULL;
    int64_t others = 0, others_deep = 0, others_named = 0;
    for (int64_t b = 0; b < layout->branch_count; b++) {
        const struct graft_branch *const branch = &layout->branches[b];
        if (branch->role == GRAFT_BRANCH_NESTED) {
            continue;
        }
        if (branch->split == GRAFT_NO_SPLIT) {
            others++;
            others_deep += branch->deep;
            others_named += branch->named;
        } else if (has_classes(branch)) {
            kinds[branch->split] = true;
            train = branch->split == GRAFT_SPLIT_TRAIN ? branch : train;
        }
    }
    const int found = kinds[GRAFT_SPLIT_TRAIN] + kinds[GRAFT_SPLIT_VAL] + kinds[GRAFT_SPLIT_TEST];
    if (others == 0 || !train) {
        return others == 0;
    }
    const bool folders = train->children >= 2 && train->direct == 0 && others_deep == 0;
    const bool names = train->named > 0 && train->named == train->direct && train->deep == 0 &&
                       others_deep + others_named == 0;
    return found >= 2 || folders || names;
}

/* One folder that holds all of a part, of the same name in all parts: train/images, val/images. */
static void find_inner(struct graft_layout *layout)
{
    const struct graft_branch *first = NULL;
    int64_t parts = 0;
    for (int64_t b = 0; b < layout->branch_count; b++) {
        const struct graft_branch *const branch = &layout->branches[b];
        if (branch->role != GRAFT_BRANCH_PART || !has_classes(branch)) {
            continue;
        }
        parts++;
        first = first ? first : branch;
        if (branch->children != 1 || branch->direct > 0 || branch->inner > 0 ||
            compare_names(branch->child, branch->child_length, first->child, first->child_length) != 0) {
            return;
        }
    }
    for (int64_t b = 0; b < layout->branch_count && parts >= 2; b++) {
        struct graft_branch *const branch = &layout->branches[b];
        if (branch->role == GRAFT_BRANCH_PART && has_classes(branch)) {
            branch->shared = branch->child;
            branch->inner = branch->child_length + 1;
        }
    }
}

enum graft_status graft_branches_find(struct graft_layout *layout)
{
    const enum graft_status status = list_branches(layout);
    if (status != GRAFT_OK) {
        return status;
    }
    look_inside(layout);
    compare_children(layout);
    const bool whole = layout->source->split == GRAFT_NO_SPLIT;
    if (whole) {
        find_parts_by_word(layout);
    }
    for (int64_t b = 0; b < layout->branch_count; b++) {
        struct graft_branch *const branch = &layout->branches[b];
        const bool repeats = branch->children_beside && branch->children > 0 &&
                             (branch->children >= 2 || branch->split != GRAFT_NO_SPLIT);
        branch->role = repeats ? GRAFT_BRANCH_NESTED : GRAFT_BRANCH_CLASS;
    }
    layout->parts = whole && layout->branch_count > 0 && are_parts(layout);
    for (int64_t b = 0; b < layout->branch_count; b++) {
        struct graft_branch *const branch = &layout->branches[b];
        if (layout->parts && branch->role == GRAFT_BRANCH_CLASS && branch->split != GRAFT_NO_SPLIT) {
            branch->role = GRAFT_BRANCH_PART;
        }
    }
    find_inner(layout);
    return GRAFT_OK;
}
