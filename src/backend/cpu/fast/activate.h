/* SPDX-License-Identifier: MIT */
/*
 * Fused activations. relu and relu6 are part of every epilogue, where they cost nothing. The others come
 * late: in place over what was just stored and is still in the nearest cache, so that epilogues and their
 * registers know nothing of exponentials.
 */
#ifndef GRAFT_SRC_BACKEND_CPU_FAST_ACTIVATE_H
#define GRAFT_SRC_BACKEND_CPU_FAST_ACTIVATE_H

#include "backend/cpu/fast/vector.h"
#include "graft/op.h"

/* The part of an activation that an epilogue does, and whether the rest comes late. */
static inline enum graft_unary fast_early(enum graft_unary kind)
{
    return kind == GRAFT_UNARY_RELU || kind == GRAFT_UNARY_RELU6 ? kind : GRAFT_UNARY_NONE;
}

static inline bool fast_is_late(enum graft_unary kind)
{
    return kind != fast_early(kind);
}

/* y = f(y) for a kind that fuses. In unary.c: the same numbers as the op's. */
void FAST(activate)(float *y, int64_t count, enum graft_unary kind);

#endif
