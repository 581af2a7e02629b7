/* SPDX-License-Identifier: MIT */
/* The config.json beside a file of weights. At most 1024 bytes. Seeds: made.py */
#include "fuzz.h"
#include "io/hub_config.h"

#include <stdio.h>

static enum graft_status try_bytes(struct graft_context *context, const uint8_t *data, size_t size)
{
    struct graft_hub_config config;
    char weights[4096];
    (void)fuzz_file(GRAFT_HUB_CONFIG, data, size);
    (void)snprintf(weights, sizeof weights, "%s/" FUZZ_NAME ".safetensors", fuzz_folder());
    return graft_hub_config_read(context, weights, &config);
}

const struct fuzz_target fuzz_target = {.read = try_bytes};
