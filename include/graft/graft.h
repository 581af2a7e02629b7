/* SPDX-License-Identifier: MIT */
/* Everything. Each of these headers also stands alone. */
#ifndef GRAFT_GRAFT_H
#define GRAFT_GRAFT_H

#include "graft/ascent.h"
#include "graft/attack.h"
#include "graft/audit.h"
#include "graft/base.h"
#include "graft/classifier.h"
#include "graft/convert.h"
#include "graft/data.h"
#include "graft/device.h"
#include "graft/embed.h"
#include "graft/explain.h"
#include "graft/graph.h"
#include "graft/io.h"
#include "graft/model.h"
#include "graft/onnx.h"
#include "graft/op.h"
#include "graft/ranks.h"
#include "graft/run.h"
#include "graft/task.h"
#include "graft/tensor.h"
#include "graft/train.h"
#include "graft/vis.h"
#include "graft/weights.h"

#endif
