/* SPDX-License-Identifier: MIT */
/* Digests: examples of FIPS 180-4 and RFC 1321, and other lengths by Python's hashlib. */
#include "base/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct example {
    const char *text, *sha256, *md5;
};

static const struct example examples[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
     "d41d8cd98f00b204e9800998ecf8427e"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
     "900150983cd24fb0d6963f7d28e17f72"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1", "8215ef0796a20bcaaae116d3876c664a"},
};

static void assert_digest(enum graft_digest_kind kind, const void *data, size_t size, size_t piece,
                          const char *expected)
{
    struct graft_digest digest;
    char text[GRAFT_DIGEST_TEXT];
    const char *from = data;
    graft_digest_begin(&digest, kind);
    for (size_t left = size; left > 0;) {
        const size_t now = left < piece ? left : piece;
        graft_digest_add(&digest, from, now);
        from += now;
        left -= now;
    }
    graft_digest_end(&digest, text);
    assert_string_equal(text, expected);
}

static void test_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        const struct example *const e = &examples[i];
        assert_digest(GRAFT_DIGEST_SHA256, e->text, strlen(e->text), 100, e->sha256);
        assert_digest(GRAFT_DIGEST_MD5, e->text, strlen(e->text), 100, e->md5);
    }
}

/* FIPS 180-4's long example: a million times "a"; in pieces of every kind of length. */
static void test_long(void **state)
{
    static char data[1000000];
    static const size_t pieces[] = {1, 55, 56, 63, 64, 65, 127, 4096, 1000000};
    (void)state;
    memset(data, 'a', sizeof data);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        assert_digest(GRAFT_DIGEST_SHA256, data, sizeof data, pieces[i],
                      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
        assert_digest(GRAFT_DIGEST_MD5, data, sizeof data, pieces[i], "7707d6ae4e027c70eea2a935c2296f21");
    }
}

/* The digest of the digests of "a" × 0, 1 … 200: every place where the last block may end. */
static void test_every_length(void **state)
{
    static const char *const expected[] = {"eb555248bd20c7831e511d4461b42c9b084e3a64b44d57b00051172f8afe03ff",
                                           "e3064b4a8a2aa7a755ef18f8faf582bb"};
    char data[200];
    (void)state;
    memset(data, 'a', sizeof data);
    for (int kind = 0; kind < 2; kind++) {
        struct graft_digest all;
        char text[GRAFT_DIGEST_TEXT];
        graft_digest_begin(&all, (enum graft_digest_kind)kind);
        for (size_t length = 0; length <= sizeof data; length++) {
            struct graft_digest one;
            graft_digest_begin(&one, (enum graft_digest_kind)kind);
            graft_digest_add(&one, data, length);
            graft_digest_end(&one, text);
            graft_digest_add(&all, text, strlen(text));
        }
        graft_digest_end(&all, text);
        assert_string_equal(text, expected[kind]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_examples), cmocka_unit_test(test_long),
                                       cmocka_unit_test(test_every_length)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
