/* SPDX-License-Identifier: MIT */
/* What the machine's processor is. */
#ifndef GRAFT_SRC_BACKEND_CPU_PROCESSOR_H
#define GRAFT_SRC_BACKEND_CPU_PROCESSOR_H

#include "backend/cpu/cpu.h"

/* The best instruction set here, lowered by $GRAFT_ISA. GRAFT_ERROR_ARGUMENT: the variable names none, or a
 * better one than the processor has. */
GRAFT_MUST_CHECK enum graft_status graft_processor_isa(struct graft_context *context, enum graft_isa *isa);
const char *graft_isa_name(enum graft_isa isa);
/* "Intel(R) Xeon(R) …", or "processor" where the system does not tell. */
void graft_processor_name(char *text, size_t size);
/* For tests: by files under `root` instead of "": proc/cpuinfo and the board's name in the device tree. */
void graft_processor_name_below(const char *root, char *text, size_t size);

#endif
