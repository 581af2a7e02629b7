/* SPDX-License-Identifier: MIT */
/* Mends the checksums of a zip's stored members: libarchive refuses what has a wrong one. */
#ifndef GRAFT_TESTS_FUZZ_ZIP_H
#define GRAFT_TESTS_FUZZ_ZIP_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

static inline uint32_t fuzz_little(const uint8_t *at, int bytes)
{
    uint32_t value = 0;
    for (int i = bytes - 1; i >= 0; i--) {
        value = value << 8 | at[i];
    }
    return value;
}

static inline void fuzz_mend_zip(uint8_t *data, size_t size)
{
    /* Records of the central directory; those of 4 GiB and more have no place here. */
    for (size_t at = 0; at + 46 <= size; at++) {
        uint8_t *const record = data + at;
        if (memcmp(record, "PK\1\2", 4) != 0 || fuzz_little(record + 10, 2) != 0) {
            continue;
        }
        const size_t length = fuzz_little(record + 20, 4), local = fuzz_little(record + 42, 4);
        if (local + 30 > size) {
            continue;
        }
        const size_t begin = local + 30 + fuzz_little(data + local + 26, 2) + fuzz_little(data + local + 28, 2);
        if (begin > size || length > size - begin) {
            continue;
        }
        const uint32_t sum = (uint32_t)crc32(0, data + begin, (unsigned int)length);
        for (int i = 0; i < 4; i++) {
            record[16 + i] = data[local + 14 + (size_t)i] = (uint8_t)(sum >> 8 * i);
        }
    }
}

#endif
