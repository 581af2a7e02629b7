/* SPDX-License-Identifier: MIT */
/* Digests of files: SHA-256 (FIPS 180-4), and MD5 (RFC 1321) where a publisher tells nothing else. They tell
 * damage; against forgery only SHA-256 helps. */
#ifndef GRAFT_SRC_BASE_DIGEST_H
#define GRAFT_SRC_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum graft_digest_kind { GRAFT_DIGEST_SHA256 = 0, GRAFT_DIGEST_MD5 = 1 };

/* Plain data: a copy goes on by itself. */
struct graft_digest {
    enum graft_digest_kind kind;
    uint32_t state[8];
    uint64_t bytes;
    uint8_t block[64]; /* the last bytes, until there are 64 of them */
};

#define GRAFT_DIGEST_TEXT 65

void graft_digest_begin(struct graft_digest *digest, enum graft_digest_kind kind);
void graft_digest_add(struct graft_digest *digest, const void *data, size_t size);
/* Hexadecimal digits, lower case: 64 or 32. The digest must be begun again. */
void graft_digest_end(struct graft_digest *digest, char text[GRAFT_DIGEST_TEXT]);
/* "SHA-256", "MD5" */
const char *graft_digest_name(enum graft_digest_kind kind);

#endif
