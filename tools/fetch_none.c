/* SPDX-License-Identifier: MIT */
/* In place of fetch.c where libcurl was not there. */
#include "fetch.h"

int graft_fetch(struct graft_command *command, struct graft_fetch *fetch)
{
    return graft_command_error(command,
                               "this graft was built without libcurl and cannot fetch: install "
                               "libcurl4-openssl-dev and build again, or fetch %s by other means and put it "
                               "where it is looked for: %s",
                               fetch->url, fetch->path);
}
