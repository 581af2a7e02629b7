/* SPDX-License-Identifier: MIT */
/* What the packages' files of names share: weight_names_<package>.c hold functions that make a package's name
 * of ours, weight_conventions.c the table of them. */
#ifndef GRAFT_SRC_IO_WEIGHT_CONVENTIONS_H
#define GRAFT_SRC_IO_WEIGHT_CONVENTIONS_H

#include "io/weight_names.h"

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

/* One name within a block or outside, as far as it reaches, and what stands for it. */
struct graft_renaming {
    const char *ours, *theirs;
};
/* What stands for the beginning of a name, and the rest of it; NULL where the list has it not. */
const char *graft_rename_part(const char *name, const struct graft_renaming *list, size_t count,
                              const char **rest);
/* Names our name by the list, if it is in it. */
bool graft_rename_by(const char *own, const struct graft_renaming *list, size_t count, char *name);
graft_weight_renaming graft_rename_same;

graft_weight_renaming graft_timm_efficientnet, graft_timm_regnet, graft_timm_mobilenet_v2,
    graft_timm_mobilenet_v3, graft_timm_mnasnet, graft_timm_vit, graft_timm_swin, graft_timm_convnext,
    graft_timm_vgg;
graft_weight_renaming graft_swin_published, graft_convnext_published; /* as their authors have it */
graft_weight_renaming graft_keras3, graft_keras2, graft_keras_mobilenet_v3_published, graft_keras_convnext;

#endif
