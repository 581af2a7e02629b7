/* SPDX-License-Identifier: MIT */
/* A network's layers in the form in which Keras' model.summary() prints them. */
#ifndef GRAFT_TOOLS_KERAS_SUMMARY_H
#define GRAFT_TOOLS_KERAS_SUMMARY_H

#include "graft/model.h"

/* `headed`: a head of one's own; what is before it is one layer then, as an application of Keras' under a
 * Sequential. */
void graft_keras_summary(const struct graft_model *model, bool headed);

#endif
