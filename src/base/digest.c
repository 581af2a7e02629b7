/* SPDX-License-Identifier: MIT */
#include "base/digest.h"

#include <stdio.h>
#include <string.h>

/* FIPS 180-4, 4.2.2: fractional parts of the cube roots of the first 64 primes. */
static const uint32_t sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

/* RFC 1321, 3.4: 2^32 × |sin(i + 1)|. */
static const uint32_t md5_constants[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};

static const uint8_t md5_shifts[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

static uint32_t rotate_right(uint32_t value, unsigned bits)
{
    return value >> bits | value << (32 - bits);
}

/* FIPS 180-4, 6.2.2 */
static void sha256_block(uint32_t state[8], const uint8_t *block)
{
    uint32_t w[64];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        const uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + w[i - 7] + (rotate_right(a, 7) ^ rotate_right(a, 18) ^ a >> 3) +
               (rotate_right(b, 17) ^ rotate_right(b, 19) ^ b >> 10);
    }
    uint32_t s[8];
    memcpy(s, state, sizeof s);
    for (int i = 0; i < 64; i++) {
        const uint32_t e = s[4], a = s[0];
        const uint32_t one = s[7] + (rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25)) +
                             ((e & s[5]) ^ (~e & s[6])) + sha256_constants[i] + w[i];
        const uint32_t two = (rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22)) +
                             ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof s[0]);
        s[4] += one;
        s[0] = one + two;
    }
    for (int i = 0; i < 8; i++)
        state[i] += s[i];
}

/* RFC 1321, 3.4 */
static void md5_block(uint32_t state[8], const uint8_t *block)
{
    uint32_t w[16], a = state[0], b = state[1], c = state[2], d = state[3];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i + 3] << 24 | (uint32_t)block[4 * i + 2] << 16 |
               (uint32_t)block[4 * i + 1] << 8 | block[4 * i];
    for (int i = 0; i < 64; i++) {
        const int round = i / 16;
        const uint32_t mixed = round == 0   ? (b & c) | (~b & d)
                               : round == 1 ? (b & d) | (c & ~d)
                               : round == 2 ? b ^ c ^ d
                                            : c ^ (b | ~d);
        const int word = (round == 0 ? i : round == 1 ? 5 * i + 1 : round == 2 ? 3 * i + 5 : 7 * i) % 16;
        const uint32_t sum = a + mixed + md5_constants[i] + w[word];
        a = d;
        d = c;
        c = b;
        b += rotate_right(sum, 32u - md5_shifts[round][i % 4]);
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

static void add_block(struct graft_digest *digest, const uint8_t *block)
{
    if (digest->kind == GRAFT_DIGEST_MD5)
        md5_block(digest->state, block);
    else
        sha256_block(digest->state, block);
}

void graft_digest_begin(struct graft_digest *digest, enum graft_digest_kind kind)
{
    static const uint32_t starts[2][8] = {
        {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19},
        {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}};
    *digest = (struct graft_digest){.kind = kind};
    memcpy(digest->state, starts[kind], sizeof digest->state);
}

void graft_digest_add(struct graft_digest *digest, const void *data, size_t size)
{
    const uint8_t *from = data;
    const size_t held = (size_t)(digest->bytes % 64);
    digest->bytes += size;
    if (held > 0) {
        const size_t wanted = 64 - held;
        const size_t piece = size < wanted ? size : wanted;
        memcpy(digest->block + held, from, piece);
        from += piece;
        size -= piece;
        if (held + piece < 64)
            return;
        add_block(digest, digest->block);
    }
    for (; size >= 64; from += 64, size -= 64)
        add_block(digest, from);
    if (size > 0)
        memcpy(digest->block, from, size);
}

void graft_digest_end(struct graft_digest *digest, char text[GRAFT_DIGEST_TEXT])
{
    static const uint8_t padding[64] = {0x80};
    const bool md5 = digest->kind == GRAFT_DIGEST_MD5;
    const uint64_t bits = 8 * digest->bytes;
    const size_t held = (size_t)(digest->bytes % 64);
    uint8_t length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)(bits >> (md5 ? 8 * i : 56 - 8 * i));
    graft_digest_add(digest, padding, held < 56 ? 56 - held : 120 - held);
    graft_digest_add(digest, length, sizeof length);
    for (int i = 0; i < (md5 ? 4 : 8); i++) {
        const uint32_t v = digest->state[i];
        const uint32_t shown = md5 ? v >> 24 | (v >> 8 & 0xff00) | (v << 8 & 0xff0000) | v << 24 : v;
        (void)snprintf(text + 8 * i, 9, "%08x", shown);
    }
}

const char *graft_digest_name(enum graft_digest_kind kind)
{
    return kind == GRAFT_DIGEST_MD5 ? "MD5" : "SHA-256";
}
