/* SPDX-License-Identifier: MIT */
/* Files that tests make, kept as seeds of the fuzz targets: tools/fuzz asks for them by GRAFT_TEST_SEEDS. */
#ifndef GRAFT_TESTS_SEEDS_H
#define GRAFT_TESTS_SEEDS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Writes the bytes into that folder, if there is one, under a name made of their hash. */
static inline void test_seed(const void *data, size_t size)
{
    const char *const folder = getenv("GRAFT_TEST_SEEDS");
    uint64_t hash = UINT64_C(14695981039346656037);
    char path[1024];
    if (folder == NULL || folder[0] == '\0') {
        return;
    }
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ ((const uint8_t *)data)[i]) * UINT64_C(1099511628211);
    }
    (void)snprintf(path, sizeof path, "%s/%016llx", folder, (unsigned long long)hash);
    FILE *const file = fopen(path, "wb");
    if (file != NULL) {
        (void)fwrite(data, 1, size, file);
        (void)fclose(file);
    }
}

#endif
