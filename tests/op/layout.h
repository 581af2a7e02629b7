/* SPDX-License-Identifier: MIT */
/* Placing the tensors of a call in guarded, poisoned device memory, running it, and getting the results back.
 */
#ifndef GRAFT_TESTS_OP_LAYOUT_H
#define GRAFT_TESTS_OP_LAYOUT_H

#include "harness.h"

enum graft_placing {
    GRAFT_PLACING_ARENA, /* all tensors in one buffer at multiples of 64 bytes, as the memory plan has them */
    GRAFT_PLACING_TIGHT, /* each in a buffer of its own that ends with it: reading beyond shows in a memory
                            checker */
    GRAFT_PLACING_ODD    /* each in a buffer of its own at an odd multiple of its element size */
};

struct graft_layout {
    enum graft_placing placing;
    int poison; /* 0: NaN, 1: large numbers; in outputs, workspace and guards (ODD: numbers around outputs) */
    int alias;  /* the input whose memory output 0 shares, -1 */
};

/* The largest buffer that any layout of the call takes. */
uint64_t graft_layout_bytes(const struct graft_call *call, const struct graft_variant_info *info);

/*
 * Runs `kernel`, opened for `call` with `info`, once. got[] receives the results as f32, from the heap. False
 * with a text when the backend fails, memory outside of the results has changed, or an input has.
 */
bool graft_layout_run(const struct graft_trial *trial, struct graft_device *device,
                      struct graft_kernel *kernel, const struct graft_call *call,
                      const struct graft_variant_info *info, const struct graft_layout *layout,
                      float *got[GRAFT_MAX_RESULTS], char *text, size_t size);

/* Seconds of a run as graft_measure takes them, -1 after a failure. */
double graft_layout_time(const struct graft_trial *trial, struct graft_kernel *kernel,
                         const struct graft_call *call, const struct graft_variant_info *info);

#endif
