/* SPDX-License-Identifier: MIT */
/* What the system says about its memory and processors. */
#ifndef GRAFT_SRC_BASE_SYSTEM_H
#define GRAFT_SRC_BASE_SYSTEM_H

#include <sched.h>
#include <stdint.h>

/* Bytes that this process could have at most: what the machine has, or its control group allows. */
uint64_t graft_system_memory(void);
/* Bytes that can still be taken without pushing others out, less a sixteenth: what is free, and what the
 * system keeps of files without need; by the control group too. */
uint64_t graft_system_free_memory(void);

/* Bytes of the last cache that one core reaches; 8 MiB where the system does not tell. */
uint64_t graft_system_cache(void);

/* Processors that this process may use at once: the cores that it may run on (two hyper-threads of a core share what our
 * kernels wait for, so they count as one), or as many as its control group has time for (one and a half are two). At
 * least 1. */
int graft_system_processors(void);

/* "SEGV", "KILL": a signal that ends a process, without its SIG; "?" for others. (glibc's sigabbrev_np is not everywhere.) */
const char *graft_system_signal(int number);

/* For tests: the same from files under `root` instead of "". Linux: <root>/proc/meminfo,
 * <root>/proc/self/cgroup, <root>/sys/fs/cgroup (versions 1 and 2, with all groups above). What is not there
 * limits nothing. */
void graft_system_memory_below(const char *root, uint64_t *whole, uint64_t *free_bytes);
/* <root>/sys/devices/system/cpu/cpu0/cache; where it is not there, what the C library says. */
uint64_t graft_system_cache_below(const char *root);
int graft_system_processors_below(const char *root, int count); /* `count`: that it may run on */
/* How many cores the processors of the set belong to, by <root>/sys/devices/system/cpu. One of which nothing is told is a
 * core. */
int graft_system_cores_below(const char *root, const cpu_set_t *set);

#endif
