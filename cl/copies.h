/* SPDX-License-Identifier: MIT */
/*
 * Copies from global to local memory that go on by themselves: a work-item says which, in groups, and waits for a group
 * when it needs it; no register holds what is under way. Other work-items see it behind a barrier. What is not there
 * is 0, and not read.
 *
 * Required -D: COPIES. 1: the instruction itself, where the compiler makes code for one that is known here; #error
 * elsewhere, by which the host finds out (backend/opencl/gemm_matrix.c). 0: an emulation in plain OpenCL C, and
 * COPY_GROUPS and COPY_EACH, how many groups may be under way and how many copies a group has at most.
 *
 * Another maker's instruction is a block of its own with the same macros: a work-item's `struct copies`, COPIES_BEGIN;
 * COPY_FOUR and COPY_ONE, of four floats, aligned to as many, and of one; COPY_COMMIT ends a group; COPY_WAIT(n) waits
 * until n of them, a literal number, are under way at most.
 */
#ifndef GRAFT_CL_COPIES_H
#define GRAFT_CL_COPIES_H

#include "matrix.h"

#ifndef COPIES
#error "copies.h needs -DCOPIES=0 or 1"
#endif

#if COPIES == 0
#if !defined(COPY_GROUPS) || !defined(COPY_EACH)
#error "copies.h needs COPY_GROUPS and COPY_EACH"
#endif
struct copy {
    local float *to;
    global const float *from;
    int floats;
};

/* Work-items of even number copy at once, the others as late as they may: neither what is awaited too late nor what
 * is overwritten too early stays unseen. */
struct copies {
    struct copy at[COPY_GROUPS][COPY_EACH];
    int count[COPY_GROUPS];
    int begun, done; /* groups that are committed, or awaited */
    bool late;
};

INLINE void copies_begin(struct copies *c)
{
    c->begun = c->done = 0;
    c->late = get_local_id(0) % 2 != 0;
    for (int group = 0; group < COPY_GROUPS; ++group)
        c->count[group] = 0;
}

INLINE void copy_now(const struct copy *copy, const bool there)
{
    for (int i = 0; i < copy->floats; ++i)
        copy->to[i] = there ? copy->from[i] : 0.0f;
}

INLINE void copy_floats(struct copies *c, local float *to, global const float *from, const int floats,
                               const bool there)
{
    const struct copy copy = {to, there ? from : 0, floats};
    const int group = c->begun % COPY_GROUPS;
    if (c->late)
        c->at[group][c->count[group]++] = copy;
    else
        copy_now(&copy, there);
}

INLINE void copy_wait(struct copies *c, const int under_way)
{
    for (; c->done < c->begun - under_way; ++c->done) {
        const int group = c->done % COPY_GROUPS;
        for (int i = 0; i < c->count[group]; ++i)
            copy_now(&c->at[group][i], c->at[group][i].from != 0);
        c->count[group] = 0;
    }
}

#define COPIES_BEGIN(copies) copies_begin(copies)
#define COPY_FOUR(copies, to, from, there) copy_floats(copies, (local float *)(to), from, 4, there)
#define COPY_ONE(copies, to, from, there) copy_floats(copies, to, from, 1, there)
#define COPY_COMMIT(copies) ((copies)->begun++)
#define COPY_WAIT(copies, under_way) copy_wait(copies, under_way)

#elif defined(__NV_CL_C_VERSION) || defined(__NVPTX__)
/* cp.async of NVIDIA's PTX, of sm_80 on: a local pointer's number is its place in local memory. */
#ifdef __NV_CL_C_VERSION
#define COPY_ASM asm
#else
#define COPY_ASM __asm__
#endif
struct copies {
    int unused;
};
#define COPY_PLACE(to) ((uint)(size_t)(to))
#define COPIES_BEGIN(copies) ((void)(copies))
#define COPY_FOUR(copies, to, from, there)                                                                             \
    COPY_ASM volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(COPY_PLACE(to)), "l"(from),                \
                      "r"((there) ? 16 : 0)                                                                            \
                      : "memory")
#define COPY_ONE(copies, to, from, there)                                                                              \
    COPY_ASM volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(COPY_PLACE(to)), "l"(from),                 \
                      "r"((there) ? 4 : 0)                                                                             \
                      : "memory")
#define COPY_COMMIT(copies) COPY_ASM volatile("cp.async.commit_group;" ::: "memory")
#define COPY_WAIT_TEXT(under_way) "cp.async.wait_group " #under_way ";"
#define COPY_WAIT(copies, under_way) COPY_ASM volatile(COPY_WAIT_TEXT(under_way) ::: "memory")
#else
#error "no asynchronous copies are known here"
#endif

#endif
