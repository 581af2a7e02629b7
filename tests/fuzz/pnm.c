/* SPDX-License-Identifier: MIT */
/* At most 512 bytes. Seeds: unit/data_pnm_test */
#include "picture.h"

static bool takes(const uint8_t *data, size_t size)
{
    return fuzz_is_picture("PPM", data, size);
}

const struct fuzz_target fuzz_target = {.read = fuzz_decode, .takes = takes};
