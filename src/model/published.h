/* SPDX-License-Identifier: MIT */
/* Weights that others publish for the networks of the list: `graft pull` fetches them, and their transforms
 * are the preprocessing where such a file is used. */
#ifndef GRAFT_SRC_MODEL_PUBLISHED_H
#define GRAFT_SRC_MODEL_PUBLISHED_H

#include "base/digest.h"
#include "graft/model.h"

struct graft_published {
    const char *network;
    const char *entry; /* "IMAGENET1K_V2" */
    const char *folder, *terms;
    const char *path; /* behind the folder */
    bool checked;     /* there are digits to check it by */
    enum graft_digest_kind digest;
    const char *digits; /* all, or the first ones; lower case */
    double mebibytes;   /* 0: not known */
    double top1, top5;  /* per cent; 0: not known */
    int32_t resize_short_side, crop;
    const char *filter; /* NULL: all three are the network's own */
};

/* In the order of the list; NULL beyond its end. Static memory. */
const struct graft_published *graft_published_at(int index);
/* The publisher's default for a network; NULL: there is none. */
const struct graft_published *graft_published_first(const char *network);
/* The entry of a network whose file it is, by the file's name; NULL: none. */
const struct graft_published *graft_published_of_file(const char *network, const char *path);
/* The file's name, without folders. */
const char *graft_published_file(const struct graft_published *published);

#endif
