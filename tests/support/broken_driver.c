/* SPDX-License-Identifier: MIT */
/* An OpenCL driver that crashes when it is loaded, or with GRAFT_BROKEN_DRIVER=hang in the environment never
 * ends loading. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((constructor)) static void break_down(void)
{
    const char *const how = getenv("GRAFT_BROKEN_DRIVER");
    while (how != NULL && strcmp(how, "hang") == 0) {
        pause();
    }
    abort();
}
