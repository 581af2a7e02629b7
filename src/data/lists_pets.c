/* SPDX-License-Identifier: MIT */
/*
 * Oxford-IIIT Pet: images/BREED_NUMBER.jpg; annotations/trainval.txt, test.txt and list.txt (both together) with
 * rows of BREED_NUMBER, the number of the breed, 1 (cat) or 2 (dog), and the number of the breed among those.
 */
#include "data/lists.h"

#include "base/context.h"

#include <stdio.h>
#include <string.h>

#define BREEDS 4096

enum { LABELS_BREED, LABELS_SPECIES };

struct breeds {
    const char *names[BREEDS]; /* by number; NULL: not met yet */
};

static enum graft_status place_row(struct graft_lists *lists, struct graft_list *list, struct breeds *breeds,
                                   enum graft_split split)
{
    static const char *const species_names[] = {"cat", "dog"};
    char path[GRAFT_PATH_LIMIT];
    const char *const name = list->first;
    const char *const breed_word = graft_list_word(list), *const species_word = graft_list_word(list);
    const char *const end = strrchr(name, '_');
    if (!species_word) {
        return graft_list_wrong(list, "the name of a picture, breed and species are expected");
    }
    const int64_t breed = graft_list_number(breed_word, 1, BREEDS - 1);
    const int64_t species = graft_list_number(species_word, 1, 2);
    if (breed < 0 || species < 0) {
        return graft_list_wrong(list, breed < 0 ? "'%s' is no number of a breed (1, 2, …)"
                                                : "species '%s' is neither 1 (cat) nor 2 (dog)",
                                breed < 0 ? breed_word : species_word);
    }
    if (!end || end == name) {
        return graft_list_wrong(list, "'%s' is not of the form BREED_NUMBER", name);
    }
    const size_t length = (size_t)(end - name);
    const char *const known = breeds->names[breed];
    if (known && (strncmp(known, name, length) != 0 || known[length] != '\0')) {
        return graft_list_wrong(list, "%s is of breed %lld, as is '%s' before it", name, (long long)breed, known);
    }
    if (!known) {
        breeds->names[breed] = graft_names_add_utf8(lists->dataset, name, length);
    }
    snprintf(path, sizeof path, "images/%s", name);
    return graft_lists_place(lists, list, path,
                             lists->labels == LABELS_SPECIES ? species_names[species - 1] : breeds->names[breed],
                             split);
}

static enum graft_status place_list(struct graft_lists *lists, struct breeds *breeds, const char *file,
                                    enum graft_split split, bool *there)
{
    struct graft_list list;
    enum graft_status status = graft_list_open(lists, file, &list);
    *there = list.text != NULL;
    while (status == GRAFT_OK && graft_list_next(&list)) {
        status = place_row(lists, &list, breeds, split);
    }
    graft_list_close(&list);
    return status;
}

enum graft_status graft_pets_place(struct graft_lists *lists)
{
    struct breeds *const breeds = graft_allocate(lists->dataset->context, 1, sizeof *breeds);
    bool train = false, test = false, all = false;
    enum graft_status status =
        breeds ? place_list(lists, breeds, "annotations/trainval.txt", GRAFT_SPLIT_TRAIN, &train)
               : GRAFT_ERROR_MEMORY;
    status = status == GRAFT_OK ? place_list(lists, breeds, "annotations/test.txt", GRAFT_SPLIT_TEST, &test) : status;
    if (status == GRAFT_OK && !train && !test) {
        status = place_list(lists, breeds, "annotations/list.txt", GRAFT_SPLIT_TRAIN, &all);
    }
    graft_release(lists->dataset->context, breeds);
    return status;
}
