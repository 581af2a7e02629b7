/* SPDX-License-Identifier: MIT */
/* Random numbers: the generator, its streams, and the numbers made of it. */
#include "base/pool.h"
#include "base/random.h"
#include "support/support.h"

#include <math.h>

/* The known answers that the authors of Philox publish with their library (Random123, kat_vectors). */
static void philox_gives_the_published_numbers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], expected[4];
    } answers[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        uint32_t result[4];
        graft_philox(answers[i].key, answers[i].counter, result);
        assert_memory_equal(result, answers[i].expected, sizeof result);
    }
}

static void a_stream_is_philox_in_order(void **state)
{
    (void)state;
    struct graft_random random;
    graft_random_start(&random, 0x299f31d0a4093822, 7);
    const uint32_t key[2] = {0xa4093822, 0x299f31d0};
    uint32_t expected[4];
    for (uint32_t block = 0; block < 3; block++) {
        graft_philox(key, (const uint32_t[4]){block, 0, 7, 0}, expected);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(graft_random_u32(&random), expected[i]);
        }
    }
    /* Words that are skipped, across that block too. */
    for (uint64_t words = 0; words < 12; words++) {
        graft_random_start(&random, 0x299f31d0a4093822, 7);
        graft_random_skip(&random, ((uint64_t)0xffffffff << 2) + words);
        for (int i = 0; i < 5; i++) {
            const uint64_t at = ((uint64_t)0xffffffff << 2) + words + (uint64_t)i;
            graft_philox(key, (const uint32_t[4]){(uint32_t)(at / 4), (uint32_t)(at / 4 >> 32), 7, 0},
                         expected);
            assert_int_equal(graft_random_u32(&random), expected[at % 4]);
        }
    }
    graft_random_start(&random, 0x299f31d0a4093822, 7);
    random.used = 4;
    /* The block after number 2^32 − 1 is number 2^32. */
    random.counter[0] = 0xffffffff;
    for (int i = 0; i < 8; i++) {
        const bool after = i >= 4;
        graft_philox(key, (const uint32_t[4]){after ? 0 : 0xffffffff, after, 7, 0}, expected);
        assert_int_equal(graft_random_u32(&random), expected[i % 4]);
    }
}

/* The least and the largest word there is: sqrt(-2 log 2^-32) and 0, times the cosine of 0. */
static void normal_numbers_are_finite(void **state)
{
    (void)state;
    struct graft_random random = {.block = {0, 0, 0xffffffff, 0}, .used = 0};
    const double largest = graft_random_normal(&random);
    assert_true(fabs(largest - sqrt(64 * log(2))) < 1e-12);
    assert_true(graft_random_normal(&random) == 0);
}

/* All 64 bits of a stream's number tell streams apart: the counter's upper half is the number itself. */
static void streams_have_64_bits(void **state)
{
    (void)state;
    const uint32_t key[2] = {5, 6}, counter[4] = {0, 0, 3, 0x80000001};
    uint32_t expected[4];
    struct graft_random random;
    graft_philox(key, counter, expected);
    graft_random_start(&random, UINT64_C(0x600000005), UINT64_C(0x8000000100000003));
    for (int i = 0; i < 4; i++)
        assert_int_equal(graft_random_u32(&random), expected[i]);
}

static void distributions_have_their_moments(void **state)
{
    (void)state;
    enum { COUNT = 200000 };
    struct graft_random random;
    graft_random_start(&random, 1, 2);
    double sum = 0, squares = 0, uniform = 0;
    long histogram[6] = {0};
    for (int i = 0; i < COUNT; i++) {
        const double x = graft_random_normal(&random);
        const float u = graft_random_uniform(&random);
        assert_true(u >= 0 && u < 1);
        sum += x;
        squares += x * x;
        uniform += (double)u;
        const uint32_t die = graft_random_below(&random, 6);
        assert_true(die < 6);
        histogram[die]++;
    }
    /* Five standard errors: 1/sqrt(n), sqrt(2/n), 1/sqrt(12n), sqrt(5/36 n). */
    assert_true(fabs(sum / COUNT) < 5 / sqrt(COUNT));
    assert_true(fabs(squares / COUNT - 1) < 5 * sqrt(2.0 / COUNT));
    assert_true(fabs(uniform / COUNT - 0.5) < 5 / sqrt(12.0 * COUNT));
    for (int i = 0; i < 6; i++) {
        assert_true(fabs((double)histogram[i] - COUNT / 6.0) < 5 * sqrt(5.0 / 36.0 * COUNT));
    }
    graft_random_start(&random, 1, 3);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(graft_random_below(&random, 1), 0);
    }
    /* Of three quarters of all numbers the first third must not come twice as often as the others. */
    int low = 0;
    for (int i = 0; i < 3000; i++) {
        low += graft_random_below(&random, 0xC0000000) < 0x40000000;
    }
    assert_in_range(low, 870, 1130); /* 1000 ± 5 standard deviations */
}

static void expect_normals(const uint64_t *pairs, double scale, const float *values, int count)
{
    for (int i = 0; i < count; i++) {
        const float expected = (float)(scale * graft_normal_of(pairs[i]));
        if (memcmp(&expected, &values[i], sizeof expected) != 0) {
            fail_msg("%016llx, scale %g: %a, not %a", (unsigned long long)pairs[i], scale, (double)values[i],
                     (double)expected);
        }
    }
}

/* The fast way gives the bits of the plain one: at the ends of each branch, and one after the other. */
static void many_normals_are_the_same_numbers(void **state)
{
    (void)state;
    enum { EDGES = 24, MANY = 1 << 20 };
    static uint64_t pairs[EDGES * EDGES * 3 * 3];
    static float values[MANY];
    uint32_t edges[EDGES] = {0xb504f333}; /* 2^32 sqrt(1/2): where m changes */
    int count = 0;
    for (int i = 1; i < EDGES; i++) {
        edges[i] =
            i <= 8 ? (uint32_t)i << 29 : (uint32_t)1 << (2 * (i - 8)); /* eighths of a turn, powers of 2 */
    }
    for (int i = 0; i < EDGES * 3; i++) {
        for (int k = 0; k < EDGES * 3; k++) {
            const uint32_t radius = edges[i / 3] + (uint32_t)(i % 3) - 1;
            const uint32_t angle = edges[k / 3] + (uint32_t)(k % 3) - 1;
            pairs[count++] = radius | (uint64_t)angle << 32;
        }
    }
    static const double scales[] = {1, -0.3, 0, 1e-40, 3e37};
    for (size_t i = 0; i < sizeof scales / sizeof scales[0]; i++) {
        graft_normals_of(pairs, scales[i], values, count);
        expect_normals(pairs, scales[i], values, count);
    }
    struct graft_random many, each;
    graft_random_start(&many, 5, 0x123456789);
    graft_random_skip(&many, ((uint64_t)0xffffffff << 2) - 4002); /* over the end of the counter's low half */
    each = many;
    graft_random_normals(&many, 0.02, values, MANY - 77);
    for (int i = 0; i < MANY - 77; i++) {
        const float expected = (float)(0.02 * graft_random_normal(&each));
        assert_memory_equal(&values[i], &expected, sizeof expected);
    }
    for (int i = 0; i < 9; i++) {
        assert_int_equal(graft_random_u32(&many), graft_random_u32(&each));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_published_numbers),
        cmocka_unit_test(a_stream_is_philox_in_order),
        cmocka_unit_test(normal_numbers_are_finite),
        cmocka_unit_test(streams_have_64_bits),
        cmocka_unit_test(distributions_have_their_moments),
        cmocka_unit_test(many_normals_are_the_same_numbers),
    };
    return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
