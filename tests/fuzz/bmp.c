/* SPDX-License-Identifier: MIT */
/* At most 512 bytes. Seeds: unit/data_bmp_test */
#include "picture.h"

static bool takes(const uint8_t *data, size_t size)
{
    return fuzz_is_picture("BMP", data, size);
}

const struct fuzz_target fuzz_target = {.read = fuzz_decode, .takes = takes};
