/* SPDX-License-Identifier: MIT */
/* The pickle machine: a stack, a memo, marks. One pass, no recursion; what a pickle can cost is bounded by
 * its size. */
#include "io/pickle.h"

#include "base/context.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define PICKLE_LIMIT ((size_t)256 << 20) /* bytes; numbers of values fit 32 bits then */

/* ---- the stack */

static enum graft_status push(struct graft_pickle *pickle, uint32_t number)
{
    const enum graft_status status =
        graft_pickle_grow(pickle->context, (void **)&pickle->stack, pickle->stack_count,
                          &pickle->stack_capacity, sizeof *pickle->stack);
    if (status == GRAFT_OK) {
        pickle->stack[pickle->stack_count++] = number;
    }
    return status;
}

/* The number of values above the latest mark, or on the whole stack where there is none. */
static uint32_t above_mark(const struct graft_pickle *pickle)
{
    return pickle->stack_count - (pickle->mark_count > 0 ? pickle->marks[pickle->mark_count - 1] : 0);
}

static enum graft_status need(const struct graft_pickle *pickle, uint32_t count)
{
    return above_mark(pickle) >= count
               ? GRAFT_OK
               : graft_pickle_damaged(pickle, "byte %zu: the pickle takes more than it has put",
                                      pickle->at - 1);
}

static enum graft_status push_new(struct graft_pickle *pickle, enum graft_pickle_kind kind,
                                  struct graft_pickle_value **value)
{
    uint32_t number = 0;
    enum graft_status status = graft_pickle_new(pickle, kind, &number);
    if (status == GRAFT_OK) {
        status = push(pickle, number);
    }
    if (status == GRAFT_OK) {
        *value = &pickle->values[number];
    }
    return status;
}

static enum graft_status push_integer(struct graft_pickle *pickle, enum graft_pickle_kind kind,
                                      int64_t integer)
{
    struct graft_pickle_value *value = NULL;
    const enum graft_status status = push_new(pickle, kind, &value);
    if (status == GRAFT_OK) {
        value->as.integer = integer;
    }
    return status;
}

static enum graft_status push_plain(struct graft_pickle *pickle, enum graft_pickle_kind kind)
{
    struct graft_pickle_value *value = NULL;
    return push_new(pickle, kind, &value);
}

/* ---- what opcodes carry */

static enum graft_status take(struct graft_pickle *pickle, uint64_t count, const uint8_t **bytes)
{
    if (count > pickle->size - pickle->at || count > PICKLE_LIMIT) {
        return graft_pickle_damaged(pickle, "byte %zu: the pickle ends within a value", pickle->at - 1);
    }
    *bytes = pickle->data + pickle->at;
    pickle->at += (size_t)count;
    return GRAFT_OK;
}

/* A little-endian number of `size` bytes. */
static enum graft_status take_number(struct graft_pickle *pickle, int size, uint64_t *number)
{
    const uint8_t *bytes = NULL;
    const enum graft_status status = take(pickle, (uint64_t)size, &bytes);
    *number = 0;
    for (int i = size - 1; status == GRAFT_OK && i >= 0; i--) {
        *number = *number << 8 | bytes[i];
    }
    return status;
}

/* Text with its length in `size` bytes before it. */
static enum graft_status push_text(struct graft_pickle *pickle, int size, bool utf8)
{
    uint64_t length = 0;
    const uint8_t *bytes = NULL;
    enum graft_status status = take_number(pickle, size, &length);
    if (status == GRAFT_OK) {
        status = take(pickle, length, &bytes);
    }
    if (status == GRAFT_OK && !graft_bytes_are_utf8((const char *)bytes, (size_t)length)) {
        /* Bytes that are no text are nobody's name. */
        return utf8 ? graft_pickle_damaged(pickle, "byte %zu: a name is not UTF-8",
                                           pickle->at - (size_t)length)
                    : push_plain(pickle, GRAFT_PICKLE_OTHER);
    }
    struct graft_pickle_value *value = NULL;
    if (status == GRAFT_OK) {
        status = push_new(pickle, GRAFT_PICKLE_TEXT, &value);
    }
    if (status == GRAFT_OK) {
        value->as.text = (const char *)bytes;
        value->count = (uint32_t)length;
    }
    return status;
}

/* LONG1: a signed little-endian number; beyond 64 bits it is kept as no number. */
static enum graft_status push_long(struct graft_pickle *pickle)
{
    uint64_t length = 0, bits = 0;
    const uint8_t *bytes = NULL;
    enum graft_status status = take_number(pickle, 1, &length);
    if (status == GRAFT_OK) {
        status = take(pickle, length, &bytes);
    }
    if (status != GRAFT_OK) {
        return status;
    }
    const bool negative = length > 0 && bytes[length - 1] >= 0x80;
    for (uint64_t i = 8; i < length; i++) {
        if (bytes[i] != (negative ? 0xff : 0)) {
            return push_plain(pickle, GRAFT_PICKLE_OTHER);
        }
    }
    for (int i = 7; i >= 0; i--) {
        bits = bits << 8 | ((uint64_t)i < length ? bytes[i] : negative ? 0xff : 0);
    }
    if (length > 8 && (bits >> 63 != 0) != negative) {
        return push_plain(pickle, GRAFT_PICKLE_OTHER);
    }
    return push_integer(pickle, GRAFT_PICKLE_INTEGER, (int64_t)bits);
}

static enum graft_status push_real(struct graft_pickle *pickle)
{
    const uint8_t *bytes = NULL;
    struct graft_pickle_value *value = NULL;
    enum graft_status status = take(pickle, 8, &bytes);
    if (status == GRAFT_OK) {
        status = push_new(pickle, GRAFT_PICKLE_REAL, &value);
    }
    if (status == GRAFT_OK) {
        uint64_t bits = 0;
        for (int i = 0; i < 8; i++) {
            bits = bits << 8 | bytes[i];
        }
        memcpy(&value->as.real, &bits, sizeof bits);
    }
    return status;
}

/* ---- containers */

/* A tuple of the `count` topmost values, in their place. */
static enum graft_status make_tuple(struct graft_pickle *pickle, uint32_t count)
{
    uint32_t number = 0;
    enum graft_status status = need(pickle, count);
    if (status == GRAFT_OK) {
        status = graft_pickle_new(pickle, GRAFT_PICKLE_TUPLE, &number);
    }
    if (status == GRAFT_OK && count > 0) { /* else there may be no stack yet */
        status = graft_pickle_extend(pickle, number, pickle->stack + pickle->stack_count - count, count);
    }
    if (status != GRAFT_OK) {
        return status;
    }
    pickle->stack_count -= count;
    return push(pickle, number);
}

static enum graft_status pop_mark(struct graft_pickle *pickle, uint32_t *above)
{
    if (pickle->mark_count == 0) {
        return graft_pickle_damaged(pickle, "byte %zu: the pickle ends a list that it has not begun",
                                    pickle->at - 1);
    }
    *above = above_mark(pickle);
    pickle->mark_count--;
    return GRAFT_OK;
}

/* The `count` topmost values go into the container below them. What is no container swallows them: it is
 * nothing that is looked at. */
static enum graft_status put_into(struct graft_pickle *pickle, enum graft_pickle_kind kind, uint32_t count)
{
    enum graft_status status = need(pickle, count + 1);
    if (status != GRAFT_OK) {
        return status;
    }
    const uint32_t *const items = pickle->stack + pickle->stack_count - count;
    const enum graft_pickle_kind into = pickle->values[items[-1]].kind;
    if (into != kind && into != GRAFT_PICKLE_OTHER) {
        return graft_pickle_damaged(pickle, "byte %zu: items for what is no %s", pickle->at - 1,
                                    kind == GRAFT_PICKLE_DICT ? "dict" : "list");
    }
    if (kind == GRAFT_PICKLE_DICT && count % 2 != 0) {
        return graft_pickle_damaged(pickle, "byte %zu: a key without a value", pickle->at - 1);
    }
    if (into == kind) {
        status = graft_pickle_extend(pickle, items[-1], items, count);
    }
    pickle->stack_count -= count;
    return status;
}

static enum graft_status put_marked(struct graft_pickle *pickle, enum graft_pickle_kind kind)
{
    uint32_t above = 0;
    const enum graft_status status = pop_mark(pickle, &above);
    return status == GRAFT_OK ? put_into(pickle, kind, above) : status;
}

static enum graft_status mark(struct graft_pickle *pickle)
{
    const enum graft_status status =
        graft_pickle_grow(pickle->context, (void **)&pickle->marks, pickle->mark_count,
                          &pickle->mark_capacity, sizeof *pickle->marks);
    if (status == GRAFT_OK) {
        pickle->marks[pickle->mark_count++] = pickle->stack_count;
    }
    return status;
}

/* ---- the memo: entry i holds a number + 1 */

static enum graft_status put_memo(struct graft_pickle *pickle, uint64_t index)
{
    enum graft_status status = need(pickle, 1);
    /* Entries are numbered in turn, and each takes at least a byte of the pickle. */
    if (status == GRAFT_OK && index >= pickle->at - pickle->begin) {
        status = graft_pickle_damaged(pickle, "byte %zu: memo %llu is beyond what the pickle can hold",
                                      pickle->at - 1, (unsigned long long)index);
    }
    while (status == GRAFT_OK && index >= pickle->memo_capacity) {
        status = graft_pickle_grow(pickle->context, (void **)&pickle->memo, pickle->memo_capacity,
                                   &pickle->memo_capacity, sizeof *pickle->memo);
    }
    if (status == GRAFT_OK) {
        pickle->memo[index] = pickle->stack[pickle->stack_count - 1] + 1;
        pickle->memo_count += 1;
    }
    return status;
}

static enum graft_status get_memo(struct graft_pickle *pickle, uint64_t index)
{
    if (index >= pickle->memo_capacity || pickle->memo[index] == 0) {
        return graft_pickle_damaged(pickle, "byte %zu: memo %llu was never put", pickle->at - 1,
                                    (unsigned long long)index);
    }
    return push(pickle, pickle->memo[index] - 1);
}

/* ---- globals and calls */

static enum graft_status refuse_global(const struct graft_pickle *pickle, const char *module,
                                       int module_length, const char *name, int name_length)
{
    char text[128];
    (void)snprintf(text, sizeof text, "%.*s.%.*s", module_length > 80 ? 80 : module_length, module,
                   name_length > 40 ? 40 : name_length, name);
    for (char *c = text; *c; c++) {
        *c = (unsigned char)*c < 32 || (unsigned char)*c > 126 ? '?' : *c;
    }
    const bool whole = graft_text_starts(text, "torch.nn.") || graft_text_starts(text, "torchvision.");
    return graft_fail(pickle->context, GRAFT_ERROR_UNSUPPORTED,
                      "'%s' %s %s; nothing of it was run. Save the weights alone: "
                      "torch.save(model.state_dict(), \"weights.pth\")",
                      pickle->path, whole ? "holds a whole module, not its weights:" : "asks for", text);
}

static enum graft_status push_global(struct graft_pickle *pickle, const char *module, size_t module_length,
                                     const char *name, size_t name_length)
{
    const struct graft_pickle_global *const global =
        graft_pickle_global_find(module, module_length, name, name_length);
    if (global == NULL) {
        return refuse_global(pickle, module, (int)(module_length < 80 ? module_length : 80), name,
                             (int)(name_length < 40 ? name_length : 40));
    }
    struct graft_pickle_value *value = NULL;
    const enum graft_status status = push_new(pickle, GRAFT_PICKLE_GLOBAL, &value);
    if (status == GRAFT_OK) {
        value->as.global = global;
    }
    return status;
}

/* GLOBAL: two lines. */
static enum graft_status read_global(struct graft_pickle *pickle)
{
    const char *lines[2];
    size_t lengths[2];
    for (int i = 0; i < 2; i++) {
        const uint8_t *const begin = pickle->data + pickle->at;
        const uint8_t *const end = memchr(begin, '\n', pickle->size - pickle->at);
        if (end == NULL) {
            return graft_pickle_damaged(pickle, "byte %zu: the pickle ends within a name", pickle->at);
        }
        lines[i] = (const char *)begin;
        lengths[i] = (size_t)(end - begin);
        pickle->at += lengths[i] + 1;
    }
    return push_global(pickle, lines[0], lengths[0], lines[1], lengths[1]);
}

/* STACK_GLOBAL: two texts. */
static enum graft_status stack_global(struct graft_pickle *pickle)
{
    const enum graft_status status = need(pickle, 2);
    if (status != GRAFT_OK) {
        return status;
    }
    const struct graft_pickle_value *const name = &pickle->values[pickle->stack[pickle->stack_count - 1]];
    const struct graft_pickle_value *const module = &pickle->values[pickle->stack[pickle->stack_count - 2]];
    if (name->kind != GRAFT_PICKLE_TEXT || module->kind != GRAFT_PICKLE_TEXT) {
        return graft_pickle_damaged(pickle, "byte %zu: a global whose name is no text", pickle->at - 1);
    }
    pickle->stack_count -= 2;
    return push_global(pickle, module->as.text, module->count, name->as.text, name->count);
}

/* REDUCE and NEWOBJ: a callable below its arguments. */
static enum graft_status call(struct graft_pickle *pickle)
{
    enum graft_status status = need(pickle, 2);
    if (status != GRAFT_OK) {
        return status;
    }
    const uint32_t arguments = pickle->stack[pickle->stack_count - 1];
    const struct graft_pickle_value *const callable = &pickle->values[pickle->stack[pickle->stack_count - 2]];
    if (callable->kind != GRAFT_PICKLE_GLOBAL || pickle->values[arguments].kind != GRAFT_PICKLE_TUPLE) {
        return graft_pickle_damaged(pickle, "byte %zu: a call of what cannot be called", pickle->at - 1);
    }
    uint32_t result = 0;
    status = graft_pickle_call(pickle, callable->as.global, arguments, &result);
    pickle->stack_count -= 2;
    return status == GRAFT_OK ? push(pickle, result) : status;
}

static enum graft_status persistent(struct graft_pickle *pickle)
{
    uint32_t result = 0;
    enum graft_status status = need(pickle, 1);
    if (status == GRAFT_OK) {
        status = graft_pickle_persistent(pickle, pickle->stack[pickle->stack_count - 1], &result);
    }
    if (status == GRAFT_OK) {
        pickle->stack[pickle->stack_count - 1] = result;
    }
    return status;
}

/* ---- opcodes */

static enum graft_status pop(struct graft_pickle *pickle, uint32_t count)
{
    const enum graft_status status = need(pickle, count);
    pickle->stack_count -= status == GRAFT_OK ? count : 0;
    return status;
}

/* BUILD: attributes, such as a state dict's _metadata. */
static enum graft_status build(struct graft_pickle *pickle)
{
    const enum graft_status status = need(pickle, 1);
    if (status == GRAFT_OK) {
        pickle->attributes = pickle->stack[--pickle->stack_count];
        pickle->has_attributes = true;
    }
    return status;
}

/* Opcodes that carry a number of `size` bytes. */
static enum graft_status step_number(struct graft_pickle *pickle, uint8_t opcode, int size)
{
    uint64_t number = 0;
    const enum graft_status status = take_number(pickle, size, &number);
    if (status != GRAFT_OK) {
        return status;
    }
    switch (opcode) {
    case 'K':
    case 'M':
        return push_integer(pickle, GRAFT_PICKLE_INTEGER, (int64_t)number);
    case 'J':
        return push_integer(pickle, GRAFT_PICKLE_INTEGER, (int32_t)(uint32_t)number);
    case 'q':
    case 'r':
        return put_memo(pickle, number);
    case 'h':
    case 'j':
        return get_memo(pickle, number);
    default:
        return GRAFT_OK; /* PROTO, FRAME */
    }
}

static enum graft_status step_marked(struct graft_pickle *pickle, uint8_t opcode)
{
    uint32_t above = 0;
    enum graft_status status = GRAFT_OK;
    switch (opcode) {
    case '(':
        return mark(pickle);
    case 't':
        status = pop_mark(pickle, &above);
        return status == GRAFT_OK ? make_tuple(pickle, above) : status;
    case 'u':
        return put_marked(pickle, GRAFT_PICKLE_DICT);
    case 'e':
        return put_marked(pickle, GRAFT_PICKLE_LIST);
    default: /* ADDITEMS, of a set */
        status = pop_mark(pickle, &above);
        return status == GRAFT_OK ? pop(pickle, above) : status;
    }
}

static enum graft_status refuse_opcode(const struct graft_pickle *pickle, uint8_t opcode)
{
    return graft_fail(pickle->context, GRAFT_ERROR_UNSUPPORTED,
                      "'%s': byte %zu: pickle opcode 0x%02x is none that weights are written with; save the "
                      "weights alone: torch.save(model.state_dict(), \"weights.pth\")",
                      pickle->path, pickle->at - 1, (unsigned)opcode);
}

static enum graft_status step(struct graft_pickle *pickle, uint8_t opcode)
{
    switch (opcode) {
    case 0x80:
        return step_number(pickle, opcode, 1); /* PROTO */
    case 0x95:
        return step_number(pickle, opcode, 8); /* FRAME */
    case 'K':                                  /* BININT1 */
    case 'q':                                  /* BINPUT */
    case 'h':
        return step_number(pickle, opcode, 1); /* BINGET */
    case 'M':
        return step_number(pickle, opcode, 2); /* BININT2 */
    case 'J':                                  /* BININT */
    case 'r':                                  /* LONG_BINPUT */
    case 'j':
        return step_number(pickle, opcode, 4); /* LONG_BINGET */
    case 0x8a:
        return push_long(pickle); /* LONG1 */
    case 'G':
        return push_real(pickle); /* BINFLOAT */
    case 'X':
        return push_text(pickle, 4, true); /* BINUNICODE */
    case 0x8c:
        return push_text(pickle, 1, true); /* SHORT_BINUNICODE */
    case 0x8d:
        return push_text(pickle, 8, true); /* BINUNICODE8 */
    case 'U':                              /* SHORT_BINSTRING */
    case 'C':
        return push_text(pickle, 1, false); /* SHORT_BINBYTES */
    case 'T':                               /* BINSTRING */
    case 'B':
        return push_text(pickle, 4, false); /* BINBYTES */
    case 'N':
        return push_plain(pickle, GRAFT_PICKLE_NONE); /* NONE */
    case 0x88:
        return push_integer(pickle, GRAFT_PICKLE_BOOL, 1);
    case 0x89:
        return push_integer(pickle, GRAFT_PICKLE_BOOL, 0);
    case '}':
        return push_plain(pickle, GRAFT_PICKLE_DICT);
    case ']':
        return push_plain(pickle, GRAFT_PICKLE_LIST);
    case 0x8f:
        return push_plain(pickle, GRAFT_PICKLE_OTHER); /* EMPTY_SET */
    case ')':
        return make_tuple(pickle, 0);
    case 0x85:
    case 0x86:
    case 0x87:
        return make_tuple(pickle, (uint32_t)opcode - 0x84);
    case '(':
    case 't':
    case 'u':
    case 'e':
    case 0x90:
        return step_marked(pickle, opcode);
    case 's':
        return put_into(pickle, GRAFT_PICKLE_DICT, 2);
    case 'a':
        return put_into(pickle, GRAFT_PICKLE_LIST, 1);
    case 'c':
        return read_global(pickle);
    case 0x93:
        return stack_global(pickle);
    case 0x94:
        return put_memo(pickle, pickle->memo_count); /* MEMOIZE */
    case 'R':
    case 0x81:
        return call(pickle);
    case 'b':
        return build(pickle);
    case 'Q':
        return persistent(pickle);
    case '0':
        return pop(pickle, 1);
    default:
        return refuse_opcode(pickle, opcode);
    }
}

void graft_pickle_close(struct graft_pickle *pickle)
{
    graft_pickle_release(pickle);
    graft_release(pickle->context, pickle->values);
    graft_release(pickle->context, pickle->stack);
    graft_release(pickle->context, pickle->marks);
    graft_release(pickle->context, pickle->memo);
    pickle->values = NULL;
    pickle->stack = pickle->marks = pickle->memo = NULL;
    pickle->value_capacity = pickle->stack_capacity = pickle->mark_capacity = pickle->memo_capacity = 0;
}

enum graft_status graft_pickle_read(struct graft_pickle *pickle)
{
    graft_pickle_release(pickle);
    pickle->stack_count = pickle->mark_count = pickle->memo_count = 0;
    pickle->has_attributes = false;
    if (pickle->memo_capacity > 0) {
        memset(pickle->memo, 0, pickle->memo_capacity * sizeof *pickle->memo);
    }
    /* Storages' data may follow in the same file: what matters is how far the pickle itself goes. */
    pickle->begin = pickle->at;
    while (pickle->at < pickle->size && pickle->at - pickle->begin < PICKLE_LIMIT) {
        const uint8_t opcode = pickle->data[pickle->at++];
        if (opcode == '.') {
            if (pickle->stack_count == 0) {
                return graft_pickle_damaged(pickle, "byte %zu: the pickle holds nothing", pickle->at - 1);
            }
            pickle->result = pickle->stack[pickle->stack_count - 1];
            return GRAFT_OK;
        }
        const enum graft_status status = step(pickle, opcode);
        if (status != GRAFT_OK) {
            return status;
        }
    }
    return graft_pickle_damaged(pickle, pickle->at < pickle->size
                                            ? "its pickle is longer than 256 MiB"
                                            : "its pickle ends without STOP (truncated?)");
}
