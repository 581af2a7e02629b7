/* SPDX-License-Identifier: MIT */
/* What the launcher has said, and the module that reaches the others. */
#include "base/beside.h"
#include "base/context.h"
#include "ranks/internal.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MODULE "graft-mpi.so"

/* A variable's number; -1: it is not there, or is none. */
static int read_number(const char *name)
{
    char *end = NULL;
    const char *const text = getenv(name);
    const long number = text != NULL ? strtol(text, &end, 10) : -1;
    return end != NULL && end != text && *end == '\0' && number >= 0 && number < INT_MAX ? (int)number : -1;
}

int graft_ranks_launched(int *rank)
{
    /* Open MPI's, those of MPICH and its kin, Slurm's with PMIx, and a program's own. */
    static const struct {
        const char *count, *rank;
    } names[] = {{"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"},
                 {"PMI_SIZE", "PMI_RANK"},
                 {"SLURM_NTASKS", "PMIX_RANK"},
                 {"GRAFT_RANKS", "GRAFT_RANK"}};
    *rank = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const int count = read_number(names[i].count), number = read_number(names[i].rank);
        if (count > 1 && number >= 0 && number < count) {
            *rank = number;
            return count;
        }
    }
    return 1;
}

/* $GRAFT_RANKS_MODULE is another one. */
static bool find_module(char *path, size_t size)
{
    static const char *const folders[] = {"", "graft/", "../lib/graft/", NULL};
    const char *const given = secure_getenv("GRAFT_RANKS_MODULE");
    if (given != NULL) {
        const int length = snprintf(path, size, "%s", given);
        return length > 0 && (size_t)length < size && access(path, R_OK) == 0;
    }
    return graft_beside(MODULE, folders, GRAFT_MODULES, R_OK, path, size);
}

enum graft_status graft_ranks_load(struct graft_ranks *ranks, int rank, int count)
{
    char path[PATH_MAX];
    if (!find_module(path, sizeof path))
        return graft_fail(ranks->own, GRAFT_ERROR_UNSUPPORTED,
                          "this is process %d of %d that were started together, but Graft was built without MPI: start "
                          "one alone, or build it where libopenmpi-dev is (-Dmpi=enabled)",
                          rank, count);
    /* MPI's own plug-ins look for its symbols among those of the whole program. It is never unloaded. */
    void *const module = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    void *const symbol = module != NULL ? dlsym(module, GRAFT_TRANSPORT_OPEN) : NULL;
    if (symbol == NULL)
        return graft_fail(ranks->own, GRAFT_ERROR_UNSUPPORTED, "MPI cannot be loaded: %s", dlerror());
    ranks->open = (graft_transport_open_function *)(uintptr_t)symbol;
    return GRAFT_OK;
}
