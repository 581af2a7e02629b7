/* SPDX-License-Identifier: MIT */
/* What compilers are told of a loop, where they want it told in words of their own. */
#ifndef GRAFT_SRC_BACKEND_CPU_FAST_LOOPS_H
#define GRAFT_SRC_BACKEND_CPU_FAST_LOOPS_H

#define FAST_PRAGMA(text) _Pragma(#text)

/* FAST_UNROLL(most) before a loop of at most so many rounds, known when it is compiled: they become straight code, so that
 * arrays that the counter indexes live in registers. FAST_UNROLL_UP_TO: nothing depends on it, and the number of rounds may be
 * known at run time only (clang warns of FAST_UNROLL there). FAST_INDEPENDENT: no round reads what another writes. */
#if defined(__clang__)
#define FAST_UNROLL(most) FAST_PRAGMA(clang loop unroll(full))
#define FAST_UNROLL_UP_TO(most) FAST_PRAGMA(clang loop unroll_count(most))
#define FAST_INDEPENDENT FAST_PRAGMA(clang loop vectorize(assume_safety))
#else
#define FAST_UNROLL(most) FAST_PRAGMA(GCC unroll most)
#define FAST_UNROLL_UP_TO(most) FAST_UNROLL(most)
#define FAST_INDEPENDENT FAST_PRAGMA(GCC ivdep)
#endif

#endif
