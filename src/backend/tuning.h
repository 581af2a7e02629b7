/* SPDX-License-Identifier: MIT */
/*
 * What was measured on a device, and is kept for later runs: the fastest variant of an op for a call.
 *
 * Kept as notes (notes.h) under the title "tuning|DEVICE|PLATFORM|DRIVER|VERSION OF GRAFT": what another
 * driver or another Graft has measured does not count, nor anything if $GRAFT_TUNING is set to nothing.
 * Lines, in any order; one that makes no sense is left out:
 *
 *   choice VARIANT SECONDS PLAIN-VARIANT SECONDS CALL
 *
 * CALL is the op with shapes and attributes as graft_call_format writes them, of the whole batch. A variant
 * that is not there any more, or cannot do the call, is passed over: the choice is the usual one then. The
 * same file makes the same choices, so results are the same bits from run to run and for any number of
 * threads.
 */
#ifndef GRAFT_SRC_BACKEND_TUNING_H
#define GRAFT_SRC_BACKEND_TUNING_H

#include "backend/backend.h"

#define GRAFT_TUNING_NAME 32      /* bytes of a variant's name at most, its end included */
#define GRAFT_TUNING_CHOICES 4096 /* of a device, at most; the oldest go first */

struct graft_tuning_choice {
    char *call;
    char variant[GRAFT_TUNING_NAME];
    char plain[GRAFT_TUNING_NAME]; /* what is taken without measurement */
    double seconds, plain_seconds;
    uint64_t hash; /* of call */
};

struct graft_tuning {
    struct graft_tuning_choice *choices; /* oldest first */
    int count;
    bool told; /* that choices are in use */
};

/* Reads what is kept of the device, once; from then on device->tuning is there. The reference device has
 * none, and is not changed. GRAFT_ERROR_MEMORY. */
GRAFT_MUST_CHECK enum graft_status graft_tuning_open(struct graft_device *device);
void graft_tuning_close(struct graft_device *device);

/* NULL: nothing was measured for the call. */
const struct graft_tuning_choice *graft_tuning_find(const struct graft_device *device, const char *call);
/* Replaces what there is for choice->call, or appends; texts are copied. */
GRAFT_MUST_CHECK enum graft_status graft_tuning_set(struct graft_device *device,
                                                    const struct graft_tuning_choice *choice);
void graft_tuning_remove(struct graft_device *device, const char *call);

/* Keeps all of it. */
GRAFT_MUST_CHECK enum graft_status graft_tuning_save(struct graft_device *device);
/* The notes' title. */
void graft_tuning_title(const struct graft_device *device, char *title, size_t size);

#endif
