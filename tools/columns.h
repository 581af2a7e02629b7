/* SPDX-License-Identifier: MIT */
/* Options of verbs that read data sets without a run; fit has them in graft/recipe.def. */
#ifndef GRAFT_TOOLS_COLUMNS_H
#define GRAFT_TOOLS_COLUMNS_H

/* `data`: a struct graft_dataset_options. */
#define GRAFT_COLUMN_OPTIONS(data)                                                                             \
    {"--column-path",                                                                                          \
     "NAME",                                                                                                   \
     "a table's column with the pictures' paths: its name, or its number from 1",                              \
     GRAFT_OPTION_TEXT,                                                                                        \
     &(data).column_path,                                                                                      \
     0,                                                                                                        \
     0},                                                                                                       \
        {"--column-label", "NAME", "a table's column with the classes", GRAFT_OPTION_TEXT,                     \
         &(data).column_label, 0, 0},                                                                          \
        {"--column-split", "NAME", "a table's column that tells train, val or test", GRAFT_OPTION_TEXT,        \
         &(data).column_split, 0, 0},                                                                          \
        {"--class-pattern", "REGEX", "its group in parentheses is the class in a picture's path",              \
         GRAFT_OPTION_TEXT, &(data).class_pattern, 0, 0},                                                      \
        {"--labels", "NAME", "which labels, of data sets that have several", GRAFT_OPTION_TEXT,                \
         &(data).labels, 0, 0},                                                                                \
        {"--task", "KIND", "of a table: classes, labels or number; else found out", GRAFT_OPTION_TEXT,         \
         &(data).task, 0, 0}

#endif
