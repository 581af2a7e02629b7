/* SPDX-License-Identifier: MIT */
/*
 * Writes state dicts as torch.save does it: a pickle of protocol 2 with an OrderedDict of tensors, each on a
 * storage of its own, in the zip container. PyTorch's weights-only loader takes it. The set's texts (of keys
 * that begin with "graft.") become attributes of the dict, where PyTorch keeps _metadata too: who loads the
 * weights does not see them, and Graft finds class names and preprocessing again.
 */
#include "base/context.h"
#include "io/pytorch.h"
#include "io/zip_write.h"

#include <stdio.h>
#include <string.h>

#define ROOT "archive/"

/* ---- opcodes */

struct writer {
    struct graft_context *context;
    struct graft_text pickle;
};

static void put(struct writer *writer, const void *bytes, size_t size)
{
    graft_text_append_bytes(writer->context, &writer->pickle, bytes, size);
}

static void put_code(struct writer *writer, const char *codes)
{
    put(writer, codes, strlen(codes));
}

/* An opcode with a number behind it, little-endian. */
static void put_number(struct writer *writer, char opcode, int bytes, uint64_t number)
{
    char code[9] = {opcode};
    for (int i = 0; i < bytes; i++) {
        code[1 + i] = (char)(uint8_t)(number >> (8 * i));
    }
    put(writer, code, (size_t)bytes + 1);
}

/* BININT1, BININT2, BININT, LONG1; not negative. */
static void put_integer(struct writer *writer, int64_t value)
{
    const uint64_t number = (uint64_t)value;
    if (number < 256) {
        put_number(writer, 'K', 1, number);
    } else if (number < 65536) {
        put_number(writer, 'M', 2, number);
    } else if (number <= INT32_MAX) {
        put_number(writer, 'J', 4, number);
    } else {
        put_code(writer, "\x8a\x08");
        for (int i = 0; i < 8; i++) {
            const uint8_t byte = (uint8_t)(number >> (8 * i));
            put(writer, &byte, 1);
        }
    }
}

/* BINUNICODE */
static void put_text(struct writer *writer, const char *text)
{
    put_number(writer, 'X', 4, strlen(text));
    put_code(writer, text);
}

/* A tuple of numbers: EMPTY_TUPLE, TUPLE1 to TUPLE3, or between MARK and TUPLE. */
static void put_tuple(struct writer *writer, int count, const int64_t *numbers)
{
    static const char *const ends[] = {")", "\x85", "\x86", "\x87"};
    if (count > 3) {
        put_code(writer, "(");
    }
    for (int i = 0; i < count; i++) {
        put_integer(writer, numbers[i]);
    }
    put_code(writer, count > 3 ? "t" : ends[count]);
}

/* ---- the state dict */

static void put_tensor(struct writer *writer, const struct graft_named_tensor *tensor, size_t key)
{
    static const char *const storages[] = {[GRAFT_DTYPE_F32] = "FloatStorage",
                                           [GRAFT_DTYPE_F64] = "DoubleStorage",
                                           [GRAFT_DTYPE_I32] = "IntStorage",
                                           [GRAFT_DTYPE_U8] = "ByteStorage"};
    const struct graft_shape *const shape = &tensor->desc.shape;
    int64_t strides[GRAFT_MAX_RANK];
    int64_t stride = 1;
    char text[24];
    for (int d = shape->rank - 1; d >= 0; d--) {
        strides[d] = stride;
        stride *= shape->dim[d] > 0 ? shape->dim[d] : 1;
    }
    put_text(writer, tensor->name);
    put_code(writer, "ctorch._utils\n_rebuild_tensor_v2\n((");
    put_text(writer, "storage");
    put_code(writer, "ctorch\n");
    put_code(writer, storages[tensor->desc.dtype]);
    put_code(writer, "\n");
    (void)snprintf(text, sizeof text, "%zu", key);
    put_text(writer, text);
    put_text(writer, "cpu");
    put_integer(writer, graft_shape_count(shape));
    put_code(writer, "tQ");
    put_integer(writer, 0); /* offset */
    put_tuple(writer, shape->rank, shape->dim);
    put_tuple(writer, shape->rank, strides);
    put_code(writer, "\x89" /* no gradient is wanted; no hooks */
                     "ccollections\nOrderedDict\n)RtR");
}

static void put_texts(struct writer *writer, const struct graft_tensor_set *set)
{
    const char *key = NULL, *text = NULL;
    if (graft_tensor_set_text_count(set) == 0) {
        return;
    }
    put_code(writer, "}(");
    for (size_t i = 0; graft_tensor_set_text_at(set, i, &key, &text); i++) {
        if (graft_text_starts(key, GRAFT_PYTORCH_TEXTS)) {
            put_text(writer, key);
            put_text(writer, text);
        }
    }
    put_code(writer, "ub"); /* SETITEMS, BUILD */
}

static void put_state_dict(struct writer *writer, const struct graft_tensor_set *set)
{
    const size_t count = graft_tensor_set_count(set);
    put_code(writer, "\x80\x02"
                     "ccollections\nOrderedDict\n)R(");
    for (size_t i = 0; i < count; i++) {
        put_tensor(writer, graft_tensor_set_at(set, i), i);
    }
    put_code(writer, "u");
    put_texts(writer, set);
    put_code(writer, ".");
}

/* ---- the container */

static enum graft_status check_texts(struct graft_context *context, const char *path,
                                     const struct graft_tensor_set *set)
{
    const char *key = NULL, *text = NULL;
    const char *bad = NULL;
    for (size_t i = 0; i < graft_tensor_set_count(set) && bad == NULL; i++) {
        const char *const name = graft_tensor_set_at(set, i)->name;
        bad = graft_text_is_utf8(name) ? NULL : name;
    }
    for (size_t i = 0; graft_tensor_set_text_at(set, i, &key, &text) && bad == NULL; i++) {
        bad = graft_text_is_utf8(key) && graft_text_is_utf8(text) ? NULL : key;
    }
    return bad == NULL ? GRAFT_OK
                       : graft_fail(context, GRAFT_ERROR_ARGUMENT,
                                    "'%s': the name or text of '%.200s' is not UTF-8", path, bad);
}

static enum graft_status write_members(struct graft_zip_writer *zip, const struct graft_text *pickle,
                                       const struct graft_tensor_set *set)
{
    static const uint16_t probe = 1;
    const bool little = *(const uint8_t *)&probe == 1;
    enum graft_status status = graft_zip_write(zip, ROOT "data.pkl", pickle->data, pickle->length);
    if (status == GRAFT_OK) {
        status = graft_zip_write(zip, ROOT "byteorder", little ? "little" : "big", little ? 6 : 3);
    }
    for (size_t i = 0; i < graft_tensor_set_count(set) && status == GRAFT_OK; i++) {
        const struct graft_named_tensor *const tensor = graft_tensor_set_at(set, i);
        char name[40];
        (void)snprintf(name, sizeof name, ROOT "data/%zu", i);
        status = graft_zip_write(zip, name, tensor->data, (size_t)graft_desc_bytes(&tensor->desc));
    }
    if (status == GRAFT_OK) {
        status = graft_zip_write(zip, ROOT "version", "3\n", 2);
    }
    return status == GRAFT_OK ? graft_zip_write_end(zip) : status;
}

enum graft_status graft_pytorch_save(struct graft_context *context, const char *path,
                                     const struct graft_tensor_set *set)
{
    struct graft_file_writer file = {.descriptor = -1};
    struct graft_zip_writer zip = {.file = &file};
    struct writer writer = {.context = context};
    enum graft_status status = check_texts(context, path, set);
    if (status == GRAFT_OK) {
        put_state_dict(&writer, set);
        status = writer.pickle.failed ? GRAFT_ERROR_MEMORY : graft_file_writer_open(context, path, &file);
    }
    if (status == GRAFT_OK) {
        status = write_members(&zip, &writer.pickle, set);
        graft_zip_write_close(&zip);
    }
    if (status == GRAFT_OK) {
        status = graft_file_writer_commit(&file);
    } else {
        graft_file_writer_abort(&file);
    }
    graft_text_close(context, &writer.pickle);
    return status;
}
