/* SPDX-License-Identifier: MIT */
/*
 * Published layouts with lists beside the pictures. Which there are is the table in lists.c; each has a function
 * that reads its lists and gives class and part to the pictures that they name, a row at a time.
 */
#ifndef GRAFT_SRC_DATA_LISTS_H
#define GRAFT_SRC_DATA_LISTS_H

#include "data/dataset.h"

#define GRAFT_LIST_MARKERS 3
#define GRAFT_LIST_LABELS 3

/* A tree: one source, or several that belong together (archives beside the lists). */
struct graft_lists {
    struct graft_dataset *dataset;
    const struct graft_listed *layout;
    int first, last;    /* its sources, first … last */
    int64_t begin, end; /* their entries, by source and path */
    const char *root;   /* a path, of which the first characters stand in front of all that the layout names */
    size_t root_length;
    int64_t labels;         /* which of the layout's, as asked */
    const char *class_name; /* the latest, so that it is kept once */
};

struct graft_listed {
    const char *name; /* for people */
    /* Files behind the root, all of them; "x/": pictures somewhere below it; "x/.": pictures in that folder itself; "*x",
     * as the first: a file whose path ends so, somewhere below the root. None: `recognizes` tells alone. */
    const char *markers[GRAFT_LIST_MARKERS];
    bool (*recognizes)(const struct graft_lists *lists); /* what else must be so; NULL: nothing */
    const char *labels[GRAFT_LIST_LABELS]; /* that can be asked for, the usual ones first; none: one kind */
    enum graft_status (*place)(struct graft_lists *lists);
};

/* A list being read: lines of words with blanks between them. Close it whatever happens. */
struct graft_list {
    const struct graft_lists *lists;
    char name[GRAFT_PATH_LIMIT]; /* for messages */
    char *text;                  /* NULL: there is no such list */
    size_t size;
    char *next;
    const char *variable; /* NULL, or what `line` counts the elements of, where there are no lines */
    int64_t line;         /* that was read last, from 1 */
    char *first;  /* its first word */
    char *rest;   /* what is behind that, without blanks around it */
};

enum graft_status graft_flowers_place(struct graft_lists *lists);
enum graft_status graft_food_place(struct graft_lists *lists);
enum graft_status graft_imagenet_place(struct graft_lists *lists);
enum graft_status graft_pets_place(struct graft_lists *lists);
enum graft_status graft_shards_place(struct graft_lists *lists);
enum graft_status graft_tiny_imagenet_place(struct graft_lists *lists);

bool graft_imagenet_recognize(const struct graft_lists *lists);
bool graft_shards_recognize(const struct graft_lists *lists);

/* ---- lists.c ---- */

/* Are these the first source's pictures and those of its companions, `last` the last of them, in a published layout?
 * Then they get classes and parts. Entries are ordered. */
enum graft_status graft_lists_lay_out(struct graft_dataset *dataset, int first, int last, int64_t begin,
                                      int64_t end, bool *found);

/* ---- lists_read.c ---- */

/* The first entry of one of the sources with this path behind the root; NULL: there is none. */
struct graft_entry *graft_lists_find(const struct graft_lists *lists, const char *path);
/* Is there a picture somewhere below `folder` (with its slash, behind the root)? "x/.": in it itself? */
bool graft_lists_holds(const struct graft_lists *lists, const char *folder);
/* The path behind the root; NULL: it lies elsewhere. */
const char *graft_lists_behind_root(const struct graft_lists *lists, const struct graft_entry *entry);
/* Opens a list by its path behind the root. One that is not there has no text and no lines. */
enum graft_status graft_list_open(const struct graft_lists *lists, const char *path, struct graft_list *list);
/* The same of an entry; list->lists is set. */
enum graft_status graft_list_read(struct graft_list *list, const struct graft_entry *entry);
/* The next line that is neither empty nor a remark ("# …"); false at the end. */
bool graft_list_next(struct graft_list *list);
/* The next word of list->rest; NULL: there is none. */
char *graft_list_word(struct graft_list *list);
/* A whole number from `least` to `most` and nothing else; −1: it is none. */
int64_t graft_list_number(const char *word, int64_t least, int64_t most);
/* Something is wrong with the line: an error, or a fault that is noted. */
enum graft_status graft_list_wrong(const struct graft_list *list, const char *format, ...) GRAFT_PRINTF(2, 3);
void graft_list_close(struct graft_list *list);
/* A class's name, kept; NULL: no memory. */
const char *graft_lists_class(struct graft_lists *lists, const char *text, size_t length);
/*
 * Gives class and part to the picture at `path` behind the root, which may lack its ending. One that is not there is an
 * error, a fault that is noted, or an entry that fails when it is read, as the options say.
 */
enum graft_status graft_lists_place(struct graft_lists *lists, const struct graft_list *list, const char *path,
                                    const char *class_name, enum graft_split split);

#endif
