/* SPDX-License-Identifier: MIT */
/* The base: shapes, texts, messages, memory that fails, files. */
#include "base/context.h"
#include "base/file.h"
#include "base/pool.h"
#include "base/random.h"
#include "base/text.h"
#include "graft/tensor.h"
#include "support/support.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>

static int open_context(void **state)
{
    struct graft_context *context = NULL;
    if (graft_context_open(&(struct graft_context_options){.threads = 2}, &context) != GRAFT_OK) {
        return -1;
    }
    *state = context;
    return 0;
}

static int close_context(void **state)
{
    struct graft_context *context = *state;
    graft_context_close(&context);
    return 0;
}

/* Vectors of the FNV reference: 64-bit FNV-1a of "", "a" and "foobar". */
static void hash_gives_the_published_numbers(void **state)
{
    (void)state;
    assert_true(graft_hash_text("") == UINT64_C(0xcbf29ce484222325));
    assert_true(graft_hash_text("a") == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(graft_hash_text("foobar") == UINT64_C(0x85944171f73967e8));
}

static void shapes_are_counted_compared_and_checked(void **state)
{
    (void)state;
    char text[96];
    struct graft_shape shape = graft_shape_of(4, 2, 3, 224, 224);
    assert_int_equal(graft_shape_count(&shape), 301056);
    assert_string_equal(graft_shape_format(&shape, text, sizeof text), "[2, 3, 224, 224]");
    assert_true(graft_shape_check(&shape));
    const struct graft_desc desc = {GRAFT_DTYPE_F32, shape};
    assert_true(graft_desc_bytes(&desc) == 1204224);
    const struct graft_shape scalar = {0};
    assert_int_equal(graft_shape_count(&scalar), 1);
    assert_string_equal(graft_shape_format(&scalar, text, sizeof text), "[]");
    assert_false(graft_shape_equal(&shape, &scalar));
    struct graft_shape other = graft_shape_of(4, 2, 3, 224, 223);
    assert_false(graft_shape_equal(&shape, &other));
    other.dim[3] = 224;
    assert_true(graft_shape_equal(&shape, &other));
    assert_string_equal(graft_shape_format(&shape, text, 6), "[2, 3");
    other = graft_shape_of(4, INT64_MIN, (int64_t)0, (int64_t)-12, INT64_MAX);
    assert_string_equal(graft_shape_format(&other, text, sizeof text),
                        "[-9223372036854775808, 0, -12, 9223372036854775807]");

    shape = graft_shape_of(2, INT64_C(1) << 30, INT64_C(1) << 29); /* exactly 2^62 bytes of f64 */
    assert_true(graft_shape_check(&shape));
    shape.dim[1]++;
    assert_false(graft_shape_check(&shape));
    shape = graft_shape_of(3, INT64_MAX, INT64_MAX, 0); /* empty, but a partial product overflows */
    assert_false(graft_shape_check(&shape));
    shape = graft_shape_of(2, 3, -1);
    assert_false(graft_shape_check(&shape));
    shape = graft_shape_of(2, 3, 0);
    assert_true(graft_shape_check(&shape));
    shape.dim[4] = 1;
    assert_false(graft_shape_check(&shape));
    assert_false(graft_shape_check(&(struct graft_shape){.rank = 7}));
    assert_false(graft_shape_check(&(struct graft_shape){.rank = -1}));
    assert_int_equal(graft_dtype_size(GRAFT_DTYPE_F64), 8);
    assert_int_equal(graft_dtype_size(GRAFT_DTYPE_NONE), 0);
    assert_string_equal(graft_dtype_name(GRAFT_DTYPE_U8), "u8");
}

static void the_nearest_name_is_proposed(void **state)
{
    (void)state;
    static const char *const names[] = {"resnet18", "resnet34", NULL,  "squeezenet1_0",
                                        "vgg16",    "vgg16_bn", "fit", "mobilenet_v2"};
    const size_t count = sizeof names / sizeof names[0];
    assert_string_equal(graft_text_nearest("resnet-18", names, count), "resnet18");
    assert_string_equal(graft_text_nearest("squeezenet", names, count), "squeezenet1_0");
    assert_string_equal(graft_text_nearest("mobilenet", names, count), "mobilenet_v2");
    assert_string_equal(graft_text_nearest("vgg61", names, count), "vgg16");
    assert_string_equal(graft_text_nearest("ift", names, count), "fit");
    assert_string_equal(graft_text_nearest("mobi", names, count), "mobilenet_v2");
    assert_string_equal(graft_text_nearest("squeezent", names, count), "squeezenet1_0");
    assert_string_equal(graft_text_nearest("moblienet", names, count), "mobilenet_v2");
    assert_null(graft_text_nearest("banana", names, count));
    assert_null(graft_text_nearest("", names, count));
    assert_null(graft_text_nearest("resnet18", names, 0));
    assert_int_equal(graft_text_distance("kitten", "sitting"), 3);
    assert_int_equal(graft_text_distance("ca", "ac"), 1);
    assert_int_equal(graft_text_distance("ca", "abc"), 3); /* optimal string alignment, not Damerau's 2 */
    char longer[65] = {0};
    memset(longer, 'x', 64);
    assert_int_equal(graft_text_distance(longer, longer), 1000);
    longer[63] = '\0';
    assert_int_equal(graft_text_distance(longer, longer), 0);
    assert_true(graft_text_starts("module.conv", "module.") && !graft_text_starts("mod", "module."));
    assert_true(graft_text_ends("a.weight", ".weight") && !graft_text_ends("t", "weight"));
}

static void a_text_grows(void **state)
{
    struct graft_context *const context = *state;
    struct graft_text text = {0};
    for (int i = 0; i < 1000; i++) {
        graft_text_append(context, &text, "%d,", i);
    }
    graft_text_append_bytes(context, &text, "end\0x", 3);
    assert_false(text.failed);
    assert_int_equal(text.length, 3893); /* 10×2 + 90×3 + 900×4 + 3 */
    assert_string_equal(text.data + text.length - 7, "999,end");
    graft_text_close(context, &text);
    graft_text_close(context, &text);
}

static void a_message_is_one_line_and_cut(void **state)
{
    struct graft_context *const context = *state;
    assert_string_equal(graft_context_error(context), "");
    assert_int_equal(graft_fail(context, GRAFT_ERROR_SHAPE, "bad\nname \x1b[31m %d", 3), GRAFT_ERROR_SHAPE);
    assert_string_equal(graft_context_error(context), "bad\\nname \\x1b[31m 3");
    assert_int_equal(graft_fail_prefix(context, GRAFT_ERROR_IO, "file %s", "x"), GRAFT_ERROR_IO);
    assert_string_equal(graft_context_error(context), "file x: bad\\nname \\x1b[31m 3");
    graft_fail(context, GRAFT_ERROR_IO, "again: %s", graft_context_error(context));
    assert_string_equal(graft_context_error(context), "again: file x: bad\\nname \\x1b[31m 3");
    char *const huge = test_malloc(10000);
    memset(huge, 'y', 9999);
    huge[9999] = '\0';
    graft_fail(context, GRAFT_ERROR_IO, "%s", huge);
    assert_int_equal(strlen(graft_context_error(context)), 2047);
    graft_fail_prefix(context, GRAFT_ERROR_IO, "outer");
    assert_int_equal(strlen(graft_context_error(context)), 2047);
    assert_memory_equal(graft_context_error(context), "outer: yyy", 10);
    graft_fail_prefix(context, GRAFT_ERROR_IO, "%s", huge);
    assert_int_equal(strlen(graft_context_error(context)), 2047);
    for (int i = 0; i < 9998; i += 2) {
        memcpy(huge + i, "ü", 2);
    }
    for (int begin = 0; begin < 2;
         begin++) { /* whatever the place of the cut, no half of a character is left */
        graft_fail(context, GRAFT_ERROR_IO, "%s%s", begin ? "x" : "", huge);
        const char *const text = graft_context_error(context);
        assert_true(graft_text_is_utf8(text) && strlen(text) >= 2045);
        assert_string_equal(text + strlen(text) - 5, "ü…");
    }
    test_free(huge);
    for (int status = GRAFT_OK; status <= GRAFT_ERROR_CANCELLED + 1; status++) {
        assert_true(strlen(graft_status_name((enum graft_status)status)) > 0);
    }
}

static void expect_shown(const char *text, size_t size, const char *expected)
{
    char shown[64];
    char again[64];
    assert_true(graft_text_show(text, shown, size) == shown);
    assert_string_equal(shown, expected);
    assert_string_equal(graft_text_show(shown, again, size), expected);
}

static void paths_are_quoted_for_a_shell(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"runs/é-1.0", "runs/é-1.0"}, {"my run", "'my run'"}, {"it's", "'it'\\''s'"},
        {"-x", "./-x"},               {"", "''"},             {"-\n'\\", "$'./-\\n\\'\\\\'"},
        {"$x\xe9", "$'$x\\xe9'"},     {"long name", "long …"}};
    char quoted[64];
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        const size_t size = pairs[i][0][0] == 'l' ? 9 : sizeof quoted;
        assert_string_equal(graft_text_quote(pairs[i][0], quoted, size), pairs[i][1]);
    }
}

static void names_are_escaped_and_cut(void **state)
{
    (void)state;
    expect_shown("", 64, "");
    expect_shown("plain é 猫 😀", 64, "plain é 猫 😀");
    expect_shown("a\nb\tc\rd\x1b[31m\x7f", 64, "a\\nb\\tc\\rd\\x1b[31m\\x7f");
    expect_shown("caf\xe9", 64, "caf\\xe9");
    expect_shown("\xc2\x9b"
                 "31m \xe2\x80\xae",
                 64, "\\u009b31m \\u202e");                                  /* C1's CSI; right to left */
    expect_shown("\xc0\xaf \xed\xa0\x80", 64, "\\xc0\\xaf \\xed\\xa0\\x80"); /* overlong; a surrogate */
    expect_shown("\xf4\x90\x80\x80", 64, "\\xf4\\x90\\x80\\x80"); /* beyond U+10FFFF */
    expect_shown("a\xff\xc3(b", 64, "a\\xff\\xc3(b");
    expect_shown("猫", 64, "猫");
    expect_shown("\xe7\x8c", 64, "\\xe7\\x8c"); /* two bytes of three */
    expect_shown("12345", 6, "12345");
    expect_shown("123456", 6, "12…");
    expect_shown("猫猫猫", 10, "猫猫猫");
    expect_shown("猫猫猫", 9, "猫…");
    expect_shown("\n\n\n", 6, "\\n…");
    expect_shown("123456", 3, "");
    expect_shown("123456", 1, "");
    assert_int_equal(graft_text_fit("猫猫", 5), 3);
    assert_int_equal(graft_text_fit("猫猫", 6), 6);
    assert_int_equal(graft_text_fit("a猫", 1), 1);
    assert_int_equal(graft_text_fit("\x80\x80\x80\x80\x80\x80\x80\x80", 6), 6); /* no UTF-8 at all */
    assert_true(graft_text_is_utf8("é") && !graft_text_is_utf8("caf\xe9"));
}

struct failing {
    struct graft_context *context;
    atomic_bool over;
};

static void *fail_again_and_again(void *argument)
{
    struct failing *const failing = argument;
    char text[2][1900] = {""};
    memset(text[0], 'a', sizeof text[0] - 1);
    memset(text[1], 'b', sizeof text[1] - 1);
    for (int i = 0; !atomic_load(&failing->over); i++) {
        (void)graft_fail(failing->context, GRAFT_ERROR_IO, "%s", text[i % 2]);
    }
    return NULL;
}

/* What is kept is one message, not parts of two. */
static void a_message_is_kept_whole_while_others_fail(void **state)
{
    struct failing failing = {.context = *state};
    pthread_t thread;
    int seen[2] = {0};
    assert_int_equal(pthread_create(&thread, NULL, fail_again_and_again, &failing), 0);
    for (int i = 0; i < 2000000 && (i < 20000 || seen[0] < 1000 || seen[1] < 1000); i++) {
        struct graft_kept_error kept;
        graft_keep_error(*state, &kept);
        const char first = kept.text[0];
        if (first == '\0') {
            continue;
        }
        const size_t same = strspn(kept.text, first == 'a' ? "a" : "b");
        if (same != 1899 || kept.text[same] != '\0') {
            atomic_store(&failing.over, true);
            pthread_join(thread, NULL);
            fail_msg("a message of %zu '%c', then '%.8s'", same, first, kept.text + same);
        }
        seen[first == 'b']++;
    }
    atomic_store(&failing.over, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(seen[0] > 0 && seen[1] > 0);
}

/* A part has its own error, cancelling and limit; what it takes counts above too. */
static void parts_of_a_context_are_apart(void **state)
{
    struct graft_context *const whole = *state;
    struct graft_context *parts[2];
    uint64_t before, live, peak;
    graft_context_memory(whole, &before, &peak);
    for (int i = 0; i < 2; i++)
        assert_int_equal(graft_context_fork(whole, &parts[i]), GRAFT_OK);
    assert_ptr_equal(graft_context_pool(parts[0]), graft_context_pool(whole));
    graft_context_memory(whole, &before, &peak);
    graft_fail(parts[0], GRAFT_ERROR_IO, "of the first");
    graft_fail(parts[1], GRAFT_ERROR_IO, "of the second");
    assert_string_equal(graft_context_error(parts[0]), "of the first");
    assert_string_not_equal(graft_context_error(whole), "of the second");

    graft_context_cancel(parts[0]);
    assert_true(graft_context_cancelled(parts[0]) && !graft_context_cancelled(parts[1]));
    assert_false(graft_context_cancelled(whole));
    graft_context_cancel(whole); /* asks all, but not who is saving already */
    assert_true(graft_context_cancelled(parts[1]));
    graft_context_ignore_cancel(parts[0]);
    graft_context_cancel(parts[0]);
    assert_false(graft_context_cancelled(parts[0]));
    graft_context_cancel_clear(whole);

    graft_context_limit_memory(parts[0], 1 << 20);
    assert_null(graft_allocate(parts[0], 1, 2 << 20));
    void *const second = graft_allocate(parts[1], 1, 2 << 20);
    void *const first = graft_allocate(parts[0], 1, 512 << 10);
    assert_true(second && first);
    graft_context_memory(whole, &live, &peak);
    assert_true(live - before >= (2 << 20) + (512 << 10) && live - before < 3 << 20);
    graft_context_memory(parts[0], &live, &peak);
    assert_true(live >= 512 << 10 && live < 1 << 20);
    graft_context_limit_memory(whole, before + (3 << 20)); /* holds for all of them together */
    assert_null(graft_allocate(parts[1], 1, 1 << 20));
    assert_non_null(strstr(graft_context_error(parts[1]), "the limit of"));
    assert_true(graft_context_memory_limit(parts[1]) == before + (3 << 20));
    assert_true(graft_context_memory_limit(parts[0]) == 1 << 20);
    graft_context_limit_memory(whole, 0);
    graft_release(parts[1], second);
    graft_release(parts[0], first);
    for (int i = 0; i < 2; i++)
        graft_context_close(&parts[i]);
    graft_context_memory(whole, &live, &peak);
    assert_true(live == before);
}

static void cancelling_is_asked_and_taken_back(void **state)
{
    struct graft_context *const context = *state;
    assert_false(graft_context_cancelled(context));
    graft_context_cancel(context);
    assert_true(graft_context_cancelled(context));
    graft_context_cancel_clear(context);
    assert_false(graft_context_cancelled(context));
}

static void wrong_options_are_refused(void **state)
{
    (void)state;
    struct graft_context *context = (struct graft_context *)1;
    assert_int_equal(graft_context_open(&(struct graft_context_options){.threads = -1}, &context),
                     GRAFT_ERROR_ARGUMENT);
    assert_null(context);
    assert_int_equal(graft_context_open(&(struct graft_context_options){.threads = 1025}, &context),
                     GRAFT_ERROR_ARGUMENT);
    const struct graft_context_options half = {.allocator = {.allocate = test_allocate}};
    assert_int_equal(graft_context_open(&half, &context), GRAFT_ERROR_ARGUMENT);
    assert_int_equal(graft_context_open(NULL, &context), GRAFT_OK);
    assert_true(graft_context_threads(context) >= 1);
    graft_context_close(&context);
    graft_context_close(&context);
    graft_context_close(NULL);
}

static void memory_is_aligned_zeroed_and_checked(void **state)
{
    struct graft_context *const context = *state;
    uint8_t *memory = graft_allocate(context, 100, 3);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(memory[i], 0);
    }
    assert_int_equal((uintptr_t)memory % 64, 0);
    memset(memory, 7, 300);
    memory = graft_reallocate(context, memory, 100, 200, 3);
    assert_int_equal(memory[299], 7);
    assert_int_equal(memory[300], 0);
    assert_int_equal(memory[599], 0);
    memory = graft_reallocate(context, memory, 200, 0, 3);
    assert_non_null(memory);
    graft_release(context, memory);
    graft_release(context, NULL);
    assert_null(graft_allocate(context, SIZE_MAX / 2, 3));
    assert_non_null(strstr(graft_context_error(context), "more than can be addressed"));
    assert_null(graft_allocate(context, SIZE_MAX, 1));
    memory = graft_allocate(context, 0, 8);
    assert_non_null(memory);
    graft_release(context, memory);
    memory = graft_allocate_raw(context, 1, 4 << 20); /* behind the first 64 bytes of a large page */
    assert_int_equal((uintptr_t)memory % (2 << 20), 64);
    graft_release(context, memory);
}

/* Everything in the base that takes memory, in one go; the status of the first failure. */
static enum graft_status use_memory(const struct graft_context_options *options, const char *folder)
{
    struct graft_context *context = NULL;
    struct graft_text text = {0};
    char path[256], *data = NULL;
    size_t size = 0;
    enum graft_status status = graft_context_open(options, &context);
    if (status != GRAFT_OK) {
        assert_null(context);
        return status;
    }
    status = graft_context_pool(context) == NULL ? GRAFT_ERROR_MEMORY : GRAFT_OK;
    if (status == GRAFT_OK) {
        graft_text_append(context, &text, "%500s", "x");
        graft_text_append_bytes(context, &text, "y", 1);
        status = text.failed ? GRAFT_ERROR_MEMORY : GRAFT_OK;
    }
    snprintf(path, sizeof path, "%s/sub/folder", folder);
    if (status == GRAFT_OK) {
        status = graft_folder_create(context, path);
    }
    snprintf(path, sizeof path, "%s/sub/folder/file", folder);
    if (status == GRAFT_OK) {
        status = graft_file_write(context, path, text.data, text.length);
    }
    if (status == GRAFT_OK) {
        status = graft_file_read(context, path, 1000, &data, &size);
    }
    if (status == GRAFT_OK) {
        assert_int_equal(size, 501);
        assert_int_equal(data[500], 'y');
    } else {
        assert_non_null(strstr(graft_context_error(context), "no memory for "));
    }
    graft_release(context, data);
    graft_text_close(context, &text);
    graft_context_close(&context);
    return status;
}

static void every_failing_allocation_is_reported_and_nothing_leaks(void **state)
{
    (void)state;
    char folder[128];
    test_folder(folder, sizeof folder);
    enum graft_status status = GRAFT_ERROR_MEMORY;
    long n = 0;
    for (; n < 100 && status != GRAFT_OK; n++) {
        struct test_memory memory;
        struct graft_context_options options = test_memory_options(&memory, n);
        options.cache_folder = "";
        options.threads = 2;
        status = use_memory(&options, folder);
        assert_true(status == GRAFT_OK || status == GRAFT_ERROR_MEMORY);
        assert_int_equal(memory.alive, 0);
    }
    assert_int_equal(status, GRAFT_OK);
    assert_true(n > 8); /* the failures were really made */
    test_folder_remove(folder);
}

static void files_are_read_whole_and_within_the_limit(void **state)
{
    struct graft_context *const context = *state;
    char folder[128], path[256], *data = NULL;
    size_t size = 0;
    test_folder(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/a", folder);
    assert_int_equal(graft_file_read(context, path, 10, &data, &size), GRAFT_ERROR_NOT_FOUND);
    assert_non_null(strstr(graft_context_error(context), path));
    assert_int_equal(graft_file_read(context, folder, 10, &data, &size), GRAFT_ERROR_IO);
    assert_int_equal(graft_file_write(context, path, "0123456789", 10), GRAFT_OK);
    assert_int_equal(graft_file_read(context, path, 9, &data, &size), GRAFT_ERROR_FORMAT);
    assert_null(data);
    assert_int_equal(graft_file_read(context, path, 10, &data, &size), GRAFT_OK);
    assert_int_equal(size, 10);
    assert_string_equal(data, "0123456789");
    graft_release(context, data);
    /* A device has no size; reading ends at the limit. */
    assert_int_equal(graft_file_read(context, "/dev/zero", 100000, &data, &size), GRAFT_ERROR_FORMAT);
    assert_int_equal(graft_file_read(context, "/proc/self/status", 1 << 20, &data, &size), GRAFT_OK);
    assert_true(size > 100 && strncmp(data, "Name:", 5) == 0);
    graft_release(context, data);

    struct graft_file_map map;
    assert_int_equal(graft_file_map_open(context, path, &map), GRAFT_OK);
    assert_int_equal(map.size, 10);
    assert_memory_equal(map.data, "0123456789", 10);
    graft_file_map_close(&map);
    graft_file_map_close(&map);
    assert_int_equal(graft_file_map_open(context, folder, &map), GRAFT_ERROR_IO);
    assert_int_equal(graft_file_write(context, path, "", 0), GRAFT_OK);
    assert_int_equal(graft_file_map_open(context, path, &map), GRAFT_OK);
    assert_int_equal(map.size, 0);
    graft_file_map_close(&map);
    assert_int_equal(graft_file_read(context, path, 0, &data, &size), GRAFT_OK);
    assert_int_equal(size, 0);
    assert_string_equal(data, "");
    graft_release(context, data);
    test_folder_remove(folder);
}

static void expect_content(struct graft_context *context, const char *path, const char *expected)
{
    char *data = NULL;
    size_t size = 0;
    assert_int_equal(graft_file_read(context, path, 1000, &data, &size), GRAFT_OK);
    assert_string_equal(data, expected);
    graft_release(context, data);
}

static void a_failed_write_leaves_the_old_file(void **state)
{
    struct graft_context *const context = *state;
    char folder[128], path[256], part[300];
    test_folder(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/kept", folder);
    snprintf(part, sizeof part, "%s.part-%ld", path, (long)getpid());
    assert_int_equal(graft_file_write(context, path, "old", 3), GRAFT_OK);
    assert_int_equal(chmod(path, 0640), 0);

    struct graft_file_writer writer;
    assert_int_equal(graft_file_writer_open(context, path, &writer), GRAFT_OK);
    assert_int_equal(graft_file_writer_write(&writer, "new", 3), GRAFT_OK);
    assert_int_equal(access(part, F_OK), 0);
    graft_file_writer_abort(&writer);
    graft_file_writer_abort(&writer);
    assert_int_equal(access(part, F_OK), -1);
    expect_content(context, path, "old");

    /* A limit on the size of files stands for the full disk: it holds for root too. */
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = (struct rlimit){1000, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    static const char big[5000];
    const enum graft_status status = graft_file_write(context, path, big, sizeof big);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(status, GRAFT_ERROR_IO);
    assert_non_null(strstr(graft_context_error(context), path));
    assert_non_null(strstr(graft_context_error(context), strerror(EFBIG)));
    assert_int_equal(access(part, F_OK), -1);
    expect_content(context, path, "old");

    assert_int_equal(graft_file_write(context, path, "newer", 5), GRAFT_OK);
    expect_content(context, path, "newer");
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
    test_folder_remove(folder);
}

static void what_cannot_be_written_is_refused(void **state)
{
    struct graft_context *const context = *state;
    char folder[128], path[256];
    test_folder(folder, sizeof folder);
    assert_int_equal(graft_file_write(context, folder, "x", 1), GRAFT_ERROR_IO);
    snprintf(path, sizeof path, "%s/no/such/file", folder);
    assert_int_equal(graft_file_write(context, path, "x", 1), GRAFT_ERROR_IO);
    assert_non_null(strstr(graft_context_error(context), strerror(ENOENT)));
    if (access("/dev/full", W_OK) == 0) { /* a device: written in place, never replaced */
        assert_int_equal(graft_file_write(context, "/dev/full", "x", 1), GRAFT_ERROR_IO);
        assert_non_null(strstr(graft_context_error(context), strerror(ENOSPC)));
        assert_int_equal(graft_file_write(context, "/dev/null", "x", 1), GRAFT_OK);
        struct stat info;
        assert_int_equal(stat("/dev/null", &info), 0);
        assert_true(S_ISCHR(info.st_mode));
    }
    snprintf(path, sizeof path, "%s/a/b//c/", folder);
    assert_int_equal(graft_folder_create(context, path), GRAFT_OK);
    assert_int_equal(graft_folder_create(context, path), GRAFT_OK);
    snprintf(path, sizeof path, "%s/a/b/c/file", folder);
    assert_int_equal(graft_file_write(context, path, "x", 1), GRAFT_OK);
    strcat(path, "/deeper");
    assert_int_equal(graft_folder_create(context, path), GRAFT_ERROR_IO);
    assert_int_equal(graft_folder_create(context, ""), GRAFT_ERROR_IO);
    test_folder_remove(folder);
}

static void the_cache_folder_is_made_or_absent(void **state)
{
    (void)state;
    char folder[128], path[256];
    test_folder(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/deep/cache", folder);
    struct graft_context *context = NULL;
    const struct graft_context_options named = {.cache_folder = path}, none = {.cache_folder = ""};
    assert_int_equal(graft_context_open(&named, &context), GRAFT_OK);
    assert_string_equal(graft_context_cache_folder(context), path);
    assert_int_equal(access(path, W_OK), 0);
    graft_context_close(&context);
    assert_int_equal(graft_context_open(&none, &context), GRAFT_OK);
    assert_null(graft_context_cache_folder(context));
    graft_context_close(&context);
    const struct graft_context_options blocked = {.cache_folder = "/dev/null/cache"};
    assert_int_equal(graft_context_open(&blocked, &context), GRAFT_OK);
    assert_null(graft_context_cache_folder(context));
    graft_context_close(&context);
    setenv("GRAFT_CACHE", folder, 1);
    assert_int_equal(graft_context_open(NULL, &context), GRAFT_OK);
    assert_string_equal(graft_context_cache_folder(context), folder);
    graft_context_close(&context);
    unsetenv("GRAFT_CACHE");
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_gives_the_published_numbers),
        cmocka_unit_test(shapes_are_counted_compared_and_checked),
        cmocka_unit_test(the_nearest_name_is_proposed),
        cmocka_unit_test(paths_are_quoted_for_a_shell),
        cmocka_unit_test_setup_teardown(a_text_grows, open_context, close_context),
        cmocka_unit_test_setup_teardown(a_message_is_one_line_and_cut, open_context, close_context),
        cmocka_unit_test_setup_teardown(names_are_escaped_and_cut, open_context, close_context),
        cmocka_unit_test_setup_teardown(a_message_is_kept_whole_while_others_fail, open_context,
                                        close_context),
        cmocka_unit_test_setup_teardown(parts_of_a_context_are_apart, open_context, close_context),
        cmocka_unit_test_setup_teardown(cancelling_is_asked_and_taken_back, open_context, close_context),
        cmocka_unit_test(wrong_options_are_refused),
        cmocka_unit_test_setup_teardown(memory_is_aligned_zeroed_and_checked, open_context, close_context),
        cmocka_unit_test(every_failing_allocation_is_reported_and_nothing_leaks),
        cmocka_unit_test_setup_teardown(files_are_read_whole_and_within_the_limit, open_context,
                                        close_context),
        cmocka_unit_test_setup_teardown(a_failed_write_leaves_the_old_file, open_context, close_context),
        cmocka_unit_test_setup_teardown(what_cannot_be_written_is_refused, open_context, close_context),
        cmocka_unit_test(the_cache_folder_is_made_or_absent),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
