/* SPDX-License-Identifier: MIT */
/* Inside of the layout: what the folders of a tree are, before files get their classes. */
#ifndef GRAFT_SRC_DATA_LAYOUT_H
#define GRAFT_SRC_DATA_LAYOUT_H

#include "data/dataset.h"

#include <regex.h>

/* What a folder at the first level (behind the root) is. */
enum graft_branch_role {
    GRAFT_BRANCH_CLASS,  /* a class, or nothing at all where other folders are parts */
    GRAFT_BRANCH_PART,   /* train, val or test: classes lie below it */
    GRAFT_BRANCH_NESTED, /* holds the folders that lie beside it once more */
};

struct graft_branch {
    const char *name; /* in a path: `length` characters of it */
    size_t length;
    int64_t direct;      /* pictures in the folder itself … */
    int64_t named;       /* … of them with names like CLASS.NUMBER.jpg */
    int64_t deep;        /* pictures further down */
    int64_t children;    /* folders in it that hold pictures */
    const char *child;   /* the latest of them that was met */
    size_t child_length;
    bool children_beside; /* each of them has the name of another branch */
    uint8_t split;        /* by its name; GRAFT_NO_SPLIT */
    enum graft_branch_role role;
    const char *shared; /* a folder behind its name that all its pictures share: training_set/training_set/ … */
    size_t inner;       /* … its length with the slash; 0: none */
};

struct graft_layout {
    struct graft_dataset *dataset;
    enum graft_dataset_kind kind; /* as asked */
    const struct graft_class_pattern *pattern; /* that tells the class of each path; NULL: none was asked for */
    int source_number;
    const struct graft_source *source;
    int64_t begin, end; /* its entries */
    const char *root;   /* a path, of which the first characters are those that all pictures share */
    size_t root_length; /* how many */
    struct graft_branch *branches; /* by name */
    int64_t branch_count, branch_capacity;
    bool parts;             /* some branches are parts: the others are left out */
    int64_t pictures;       /* that have a class */
    int64_t flat_named;     /* flat files named CLASS.NUMBER.jpg */
    int64_t flat_unnamed;   /* other flat pictures */
    int64_t class_folders;  /* files in class folders */
    int64_t lettered;       /* … of them in folders as Places has them: a/abbey, b/balcony/exterior */
    bool nested;            /* all are: the class is the path behind the letter */
    int64_t copies;         /* files that lie there once more in a nested branch … */
    const char *copy;       /* … one of them */
    const char *class_name; /* the most recent, so that it is kept once; in UTF-8 */
    const char *class_as_found; /* the same in a path … */
    size_t class_length;        /* … so many bytes */
};

/* ---- class_pattern.c ---- */

struct graft_class_pattern {
    regex_t regex;
    bool *no_memory; /* set where a search lacked it */
};

/* GRAFT_ERROR_ARGUMENT: it cannot be read, or has not just one group. Else regfree its regex. */
enum graft_status graft_class_pattern_open(struct graft_context *context, const char *text,
                                           struct graft_class_pattern *pattern);
/* Where the class stands in the path; 0: the pattern is not in it. */
size_t graft_class_pattern_find(const struct graft_class_pattern *pattern, const char *path, const char **name);

/* ---- dataset_layout.c, dataset_branches.c ---- */

/* By its name, or by its first bytes. */
bool graft_layout_is_picture(const struct graft_layout *layout, struct graft_entry *entry);
/* Length of CLASS in CLASS.NUMBER.ending, 0 if the name is not of that form. CLASS_NUMBER.ending counts too where
 * classes from names are asked for: cameras give such names. */
size_t graft_class_in_name(const struct graft_layout *layout, const char *name);
/* The path behind the root; NULL for what does not lie below it. */
const char *graft_layout_behind_root(const struct graft_layout *layout, const struct graft_entry *entry);
/* Finds the folders at the first level and what they are. */
enum graft_status graft_branches_find(struct graft_layout *layout);
/* The one that `path` (behind the root) begins with; NULL: the path has no folder, or one without pictures. */
const struct graft_branch *graft_branch_of(const struct graft_layout *layout, const char *path);
/* The one with just this name. */
const struct graft_branch *graft_branch_named(const struct graft_layout *layout, const char *name);
/* Does an entry have just this path (behind the root)? */
bool graft_layout_has(const struct graft_layout *layout, const char *path);

#endif
