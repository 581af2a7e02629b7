/* SPDX-License-Identifier: MIT */
/* Philox 4x32-10 and the distributions made from it. */
#include "base/random.h"

#include <math.h>

void graft_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t result[4])
{
    uint32_t k0 = key[0], k1 = key[1];
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    for (int round = 0; round < 10; round++) {
        const uint64_t product0 = (uint64_t)0xD2511F53u * c0;
        const uint64_t product1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(product1 >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(product0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)product1;
        c3 = (uint32_t)product0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    result[0] = c0;
    result[1] = c1;
    result[2] = c2;
    result[3] = c3;
}

void graft_random_start(struct graft_random *random, uint64_t seed, uint64_t stream)
{
    *random = (struct graft_random){
        .key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
        .counter = {0, 0, (uint32_t)stream, (uint32_t)(stream >> 32)},
        .used = 4,
    };
}

void graft_random_skip(struct graft_random *random, uint64_t words)
{
    const uint64_t blocks = words / 4;
    random->counter[0] = (uint32_t)blocks;
    random->counter[1] = (uint32_t)(blocks >> 32);
    for (uint64_t i = 0; i < words % 4; i++) {
        (void)graft_random_u32(random);
    }
}

uint32_t graft_random_u32(struct graft_random *random)
{
    if (random->used >= 4) {
        graft_philox(random->key, random->counter, random->block);
        random->used = 0;
        if (++random->counter[0] == 0) {
            random->counter[1]++;
        }
    }
    return random->block[random->used++];
}

float graft_random_uniform(struct graft_random *random)
{
    return (float)(graft_random_u32(random) >> 8) * 0x1p-24f;
}

uint32_t graft_random_below(struct graft_random *random, uint32_t bound)
{
    /* The lowest 2^32 mod bound numbers are thrown again, so that each remainder is equally likely. */
    const uint32_t surplus = (uint32_t)(-bound) % bound;
    uint32_t number = graft_random_u32(random);
    while (number < surplus) {
        number = graft_random_u32(random);
    }
    return number % bound;
}

double graft_normal_of(uint64_t pair)
{
    const double pi = 3.14159265358979323846;
    const double radius = ((double)(uint32_t)pair + 1) * 0x1p-32; /* (0, 1]: log is finite */
    const double angle = (double)(uint32_t)(pair >> 32) * 0x1p-32;
    return sqrt(-2 * log(radius)) * cos(2 * pi * angle);
}

double graft_random_normal(struct graft_random *random)
{
    const uint64_t radius = graft_random_u32(random), angle = graft_random_u32(random);
    return graft_normal_of(radius | angle << 32);
}

uint64_t graft_hash_text(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    }
    return hash;
}
