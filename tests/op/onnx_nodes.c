/* SPDX-License-Identifier: MIT */
/*
 * Runs small graphs that tools/onnx-node-tests has made of ONNX's node tests: `onnx_nodes FILE DEVICE`.
 * Words, separated by white space:
 *
 *   test NAME RTOL ATOL
 *   value KIND DTYPE RANK SIZE… NUMBER…     input, parameter or state; f32, i32 or u8; values are counted
 * from 0 op NAME                                 the op of what follows set ATTRIBUTE COUNT NUMBER… or, of a
 * shape: RANK SIZE… apply INPUTS VALUE… OUTPUTS             -1: absent; the outputs are the next values want
 * VALUE RANK SIZE… NUMBER…           |got − NUMBER| ≤ ATOL + RTOL · |NUMBER|; NaN and infinities are equal
 *   end                                     runs it: "ok NAME", or "FAILED NAME: why"
 *
 * Ends with 0 if all passed.
 */
#include "graph/graph.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_VALUES 64
#define MOST_WANTED 8

enum field_kind { FIELD_I32, FIELD_I64, FIELD_F32, FIELD_BOOL, FIELD_SHAPE };

/* Attributes as the file names them: those of an op, in the order of include/graft/op.h. */
struct field {
    const char *op, *name;
    size_t offset;
    enum field_kind kind;
};
#define FIELD(op, member, name, kind)                                                                        \
    {#op, #name, offsetof(union graft_attributes, member.name), FIELD_##kind}
static const struct field fields[] = {
    FIELD(conv2d, conv2d, stride, I32),
    FIELD(conv2d, conv2d, dilation, I32),
    FIELD(conv2d, conv2d, pad, I32),
    FIELD(conv2d, conv2d, groups, I32),
    FIELD(conv2d_grad_input, conv2d, stride, I32),
    FIELD(conv2d_grad_input, conv2d, dilation, I32),
    FIELD(conv2d_grad_input, conv2d, pad, I32),
    FIELD(conv2d_grad_input, conv2d, groups, I32),
    FIELD(conv2d_grad_input, conv2d, size, I32),
    FIELD(matmul, matmul, transpose_a, BOOL),
    FIELD(matmul, matmul, transpose_b, BOOL),
    FIELD(unary, unary, kind, I32),
    FIELD(unary, unary, alpha, F32),
    FIELD(unary, unary, low, F32),
    FIELD(unary, unary, high, F32),
    FIELD(binary, binary, kind, I32),
    FIELD(max_pool, pool, kernel, I32),
    FIELD(max_pool, pool, stride, I32),
    FIELD(max_pool, pool, pad, I32),
    FIELD(max_pool, pool, ceil_mode, BOOL),
    FIELD(avg_pool, pool, kernel, I32),
    FIELD(avg_pool, pool, stride, I32),
    FIELD(avg_pool, pool, pad, I32),
    FIELD(avg_pool, pool, ceil_mode, BOOL),
    FIELD(avg_pool, pool, count_include_pad, BOOL),
    FIELD(avg_pool, pool, adaptive, I32),
    FIELD(reduce, reduce, kind, I32),
    FIELD(reduce, reduce, axes, I32),
    FIELD(reduce, reduce, keep_dims, BOOL),
    FIELD(broadcast, broadcast, shape, SHAPE),
    FIELD(broadcast, broadcast, scale, F32),
    FIELD(batch_norm, batch_norm, epsilon, F32),
    FIELD(batch_norm, batch_norm, training, BOOL),
    FIELD(batch_norm_update, batch_norm, momentum, F32),
    FIELD(group_norm, group_norm, groups, I32),
    FIELD(group_norm, group_norm, epsilon, F32),
    FIELD(attention, attention, scale, F32),
    FIELD(attention, attention, causal, BOOL),
    FIELD(dropout, dropout, probability, F32),
    FIELD(concat, concat, axis, I32),
    FIELD(slice, slice, begin, I64),
    FIELD(slice, slice, size, I64),
    FIELD(slice, slice, step, I64),
    FIELD(pad, pad, before, I64),
    FIELD(pad, pad, after, I64),
    FIELD(pad, pad, value, F32),
    FIELD(resize, resize, mode, I32),
    FIELD(resize, resize, align_corners, BOOL),
    FIELD(resize, resize, size, I32),
    FIELD(lrn, lrn, size, I32),
    FIELD(lrn, lrn, alpha, F32),
    FIELD(lrn, lrn, beta, F32),
    FIELD(lrn, lrn, k, F32),
    FIELD(transpose, transpose, order, I32),
    FIELD(reshape, reshape, shape, SHAPE),
    FIELD(sgd, update, momentum, F32),
    FIELD(sgd, update, weight_decay, F32),
    FIELD(sgd, update, nesterov, BOOL),
    FIELD(adam, update, beta1, F32),
    FIELD(adam, update, beta2, F32),
    FIELD(adam, update, epsilon, F32),
    FIELD(adam, update, weight_decay, F32),
};

/* A value that the file gives, or what it wants one to be. */
struct tensor {
    int value;
    enum graft_value_kind kind;
    struct graft_desc desc;
    double *numbers; /* NULL: an op makes the value */
};

struct test {
    char name[128];
    double rtol, atol;
    struct graft_graph *graph;
    struct tensor values[MOST_VALUES];
    int ids[MOST_VALUES]; /* in the graph */
    int n_values;
    enum graft_op op; /* what is read now */
    union graft_attributes attributes;
    struct tensor wanted[MOST_WANTED];
    int n_wanted;
};

/* ---- reading; the file is made by our own script: what is wrong in it ends the program ---- */

static void wrong(const char *what, const char *word)
{
    fprintf(stderr, "onnx_nodes: %s '%s'\n", what, word);
    exit(2);
}

static bool read_word(FILE *file, char word[128])
{
    return fscanf(file, "%127s", word) == 1;
}

static double read_number(FILE *file)
{
    char word[128] = "", *end = word;
    if (!read_word(file, word)) {
        wrong("a number is missing at the end", "");
    }
    const double number = strtod(word, &end);
    if (*end != '\0') {
        wrong("no number", word);
    }
    return number;
}

static int read_count(FILE *file, int most)
{
    const double number = read_number(file);
    if (!(number >= -1 && number <= most)) {
        wrong("a number is out of range in", "the file");
    }
    return (int)number;
}

static void read_shape(FILE *file, struct graft_shape *shape)
{
    *shape = (struct graft_shape){.rank = read_count(file, GRAFT_MAX_RANK)};
    for (int i = 0; i < shape->rank; i++) {
        shape->dim[i] = read_count(file, 1 << 20);
    }
}

static void read_tensor(FILE *file, enum graft_dtype dtype, struct tensor *tensor)
{
    tensor->desc.dtype = dtype;
    read_shape(file, &tensor->desc.shape);
    const int64_t count = graft_shape_count(&tensor->desc.shape);
    tensor->numbers = calloc((size_t)count + 1, sizeof *tensor->numbers);
    for (int64_t i = 0; tensor->numbers != NULL && i < count; i++) {
        tensor->numbers[i] = read_number(file);
    }
}

static void read_value(FILE *file, struct test *test)
{
    char kind[128] = "", dtype[128] = "", name[16];
    if (test->n_values == MOST_VALUES || !read_word(file, kind) || !read_word(file, dtype)) {
        wrong("too many values in", test->name);
    }
    const int v = test->n_values++;
    struct tensor *const tensor = &test->values[v];
    const struct graft_shape *const shape = &tensor->desc.shape;
    read_tensor(file,
                strcmp(dtype, "f32") == 0   ? GRAFT_DTYPE_F32
                : strcmp(dtype, "i32") == 0 ? GRAFT_DTYPE_I32
                                            : GRAFT_DTYPE_U8,
                tensor);
    snprintf(name, sizeof name, "v%d", v);
    if (strcmp(kind, "input") == 0) {
        tensor->kind = GRAFT_VALUE_INPUT;
        test->ids[v] = graft_graph_input(test->graph, name, tensor->desc.dtype, shape);
    } else if (strcmp(kind, "parameter") == 0) {
        tensor->kind = GRAFT_VALUE_PARAMETER;
        test->ids[v] = graft_graph_parameter(test->graph, name, shape);
    } else {
        tensor->kind = GRAFT_VALUE_STATE;
        test->ids[v] = graft_graph_state(test->graph, name, shape, 0);
    }
}

static void read_op(FILE *file, struct test *test)
{
    char name[128] = "";
    if (!read_word(file, name) || graft_op_find(name) == GRAFT_OP_COUNT) {
        wrong("there is no op", name);
    }
    test->op = graft_op_find(name);
    memset(&test->attributes, 0, sizeof test->attributes);
}

static void read_attribute(FILE *file, struct test *test)
{
    char name[128] = "";
    const struct field *field = NULL;
    if (!read_word(file, name)) {
        wrong("an attribute is missing at the end", "");
    }
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (strcmp(fields[i].op, graft_op_get(test->op)->name) == 0 && strcmp(fields[i].name, name) == 0) {
            field = &fields[i];
        }
    }
    if (field == NULL) {
        wrong("an op's attribute is to be added to fields[] of tests/op/onnx_nodes.c:", name);
        return;
    }
    char *const to = (char *)&test->attributes + field->offset;
    if (field->kind == FIELD_SHAPE) {
        read_shape(file, (struct graft_shape *)(void *)to);
        return;
    }
    const int count = read_count(file, GRAFT_MAX_RANK);
    for (int i = 0; i < count; i++) {
        const double number = read_number(file);
        switch (field->kind) {
        case FIELD_I32:
            ((int32_t *)(void *)to)[i] = (int32_t)number;
            break;
        case FIELD_I64:
            ((int64_t *)(void *)to)[i] = (int64_t)number;
            break;
        case FIELD_F32:
            ((float *)(void *)to)[i] = (float)number;
            break;
        case FIELD_BOOL:
            ((bool *)(void *)to)[i] = number != 0;
            break;
        case FIELD_SHAPE:
            break;
        }
    }
}

static void read_apply(FILE *file, struct test *test)
{
    int inputs[GRAFT_MAX_INPUTS], outputs[GRAFT_MAX_OUTPUTS];
    const int n_inputs = read_count(file, GRAFT_MAX_INPUTS);
    for (int i = 0; i < n_inputs; i++) {
        const int value = read_count(file, test->n_values - 1);
        inputs[i] = value < 0 ? -1 : test->ids[value];
    }
    const int n_outputs = read_count(file, GRAFT_MAX_OUTPUTS);
    const bool changes = graft_op_get(test->op)->mutates != 0;
    graft_graph_segment(test->graph, changes ? GRAFT_SEGMENT_UPDATE : GRAFT_SEGMENT_COMPUTE);
    graft_graph_apply(test->graph, test->op, &test->attributes, inputs, n_inputs, outputs);
    for (int i = 0; i < n_outputs && test->n_values < MOST_VALUES; i++) {
        test->ids[test->n_values++] = outputs[i];
    }
}

static void read_wanted(FILE *file, struct test *test)
{
    if (test->n_wanted == MOST_WANTED) {
        wrong("too many results in", test->name);
    }
    struct tensor *const want = &test->wanted[test->n_wanted++];
    want->value = read_count(file, test->n_values - 1);
    read_tensor(file, GRAFT_DTYPE_F32, want);
    if (want->value >= 0 && test->values[want->value].numbers == NULL) {
        graft_graph_output(test->graph, test->ids[want->value]);
    }
}

/* ---- running one test ---- */

static void *bytes_of(const struct tensor *tensor, uint64_t *bytes)
{
    *bytes = graft_desc_bytes(&tensor->desc);
    const int64_t count = graft_shape_count(&tensor->desc.shape);
    void *const data = calloc(1, (size_t)*bytes + 1);
    for (int64_t i = 0; data != NULL && i < count; i++) {
        if (tensor->desc.dtype == GRAFT_DTYPE_F32) {
            ((float *)data)[i] = (float)tensor->numbers[i];
        } else if (tensor->desc.dtype == GRAFT_DTYPE_I32) {
            ((int32_t *)data)[i] = (int32_t)tensor->numbers[i];
        } else {
            ((uint8_t *)data)[i] = (uint8_t)tensor->numbers[i];
        }
    }
    return data;
}

static enum graft_status write_values(const struct test *test, struct graft_variables *variables,
                                      struct graft_plan *plan)
{
    enum graft_status status = GRAFT_OK;
    for (int v = 0; v < test->n_values && status == GRAFT_OK; v++) {
        if (test->values[v].numbers == NULL) {
            continue;
        }
        uint64_t bytes = 0;
        char name[16];
        void *const data = bytes_of(&test->values[v], &bytes);
        snprintf(name, sizeof name, "v%d", v);
        status = test->values[v].kind == GRAFT_VALUE_INPUT
                     ? graft_plan_write(plan, test->ids[v], data, bytes)
                     : graft_variables_write(variables, name, data, bytes);
        free(data);
    }
    return status;
}

static bool near(double got, double want, const struct test *test)
{
    if (isnan(want) || isinf(want)) {
        return isnan(want) ? isnan(got) : got == want;
    }
    return fabs(got - want) <= test->atol + test->rtol * fabs(want);
}

/* What is wrong with a result goes to `text`. */
static enum graft_status compare(const struct test *test, const struct tensor *want,
                                 struct graft_variables *variables, struct graft_plan *plan, char *text,
                                 size_t size)
{
    const int id = test->ids[want->value];
    const struct graft_desc *const desc = graft_graph_desc(test->graph, id);
    char shapes[2][160], name[16];
    if (!graft_shape_equal(&desc->shape, &want->desc.shape)) {
        snprintf(text, size, "value %d has the shape %s, not %s", want->value,
                 graft_shape_format(&desc->shape, shapes[0], sizeof shapes[0]),
                 graft_shape_format(&want->desc.shape, shapes[1], sizeof shapes[1]));
        return GRAFT_OK;
    }
    const int64_t count = graft_shape_count(&desc->shape);
    float *const got = calloc((size_t)count + 1, sizeof *got);
    const uint64_t bytes = (uint64_t)count * sizeof *got;
    snprintf(name, sizeof name, "v%d", want->value);
    const enum graft_status status = test->values[want->value].numbers != NULL
                                         ? graft_variables_read(variables, name, got, bytes)
                                         : graft_plan_read(plan, id, got, bytes);
    for (int64_t i = 0; i < count && status == GRAFT_OK && text[0] == '\0'; i++) {
        if (!near((double)got[i], want->numbers[i], test)) {
            snprintf(text, size, "element %" PRId64 " of value %d is %.9g, not %.9g", i, want->value,
                     (double)got[i], want->numbers[i]);
        }
    }
    free(got);
    return status;
}

static bool run(struct test *test, struct graft_context *context, struct graft_device *device)
{
    struct graft_variables *variables = NULL;
    struct graft_plan *plan = NULL;
    char text[400] = "";
    enum graft_status status = graft_graph_status(test->graph);
    if (status == GRAFT_OK) {
        status = graft_variables_open(device, &variables);
    }
    if (status == GRAFT_OK) {
        status = graft_plan_open(test->graph, device, variables, NULL, &plan);
    }
    if (status == GRAFT_OK) {
        status = write_values(test, variables, plan);
    }
    for (int segment = 0; segment < 2 && status == GRAFT_OK; segment++) {
        status = graft_plan_run(plan, (enum graft_segment)segment);
    }
    for (int w = 0; w < test->n_wanted && status == GRAFT_OK && text[0] == '\0'; w++) {
        status = compare(test, &test->wanted[w], variables, plan, text, sizeof text);
    }
    if (status != GRAFT_OK) {
        snprintf(text, sizeof text, "%s", graft_context_error(context));
    }
    const bool good = text[0] == '\0' && test->n_wanted > 0;
    printf("%s %s%s%s\n", good ? "ok" : "FAILED", test->name, good ? "" : ": ", text);
    graft_plan_close(&plan);
    graft_variables_close(&variables);
    return good;
}

static void forget(struct test *test)
{
    graft_graph_close(&test->graph);
    for (int v = 0; v < test->n_values; v++) {
        free(test->values[v].numbers);
    }
    for (int w = 0; w < test->n_wanted; w++) {
        free(test->wanted[w].numbers);
    }
    memset(test, 0, sizeof *test);
}

/* Every test of the file; false if one failed. */
static bool run_file(FILE *file, struct graft_context *context, struct graft_device *device)
{
    static struct test test;
    char word[128];
    bool good = true;
    while (read_word(file, word)) {
        if (strcmp(word, "test") == 0 && test.graph == NULL && read_word(file, test.name)) {
            test.rtol = read_number(file);
            test.atol = read_number(file);
            good = graft_graph_open(context, GRAFT_DTYPE_F32, &test.graph) == GRAFT_OK && good;
        } else if (test.graph == NULL) {
            wrong("a test begins with", word);
        } else if (strcmp(word, "value") == 0) {
            read_value(file, &test);
        } else if (strcmp(word, "op") == 0) {
            read_op(file, &test);
        } else if (strcmp(word, "set") == 0) {
            read_attribute(file, &test);
        } else if (strcmp(word, "apply") == 0) {
            read_apply(file, &test);
        } else if (strcmp(word, "want") == 0) {
            read_wanted(file, &test);
        } else if (strcmp(word, "end") == 0) {
            good = run(&test, context, device) && good;
            forget(&test);
        } else {
            wrong("unknown word", word);
        }
    }
    return good;
}

int main(int count, char **arguments)
{
    struct graft_context *context = NULL;
    struct graft_device *device = NULL;
    FILE *const file = count == 3 ? fopen(arguments[1], "r") : NULL;
    if (file == NULL) {
        fprintf(stderr, "usage: %s FILE DEVICE\n", arguments[0]);
        return 2;
    }
    bool good = graft_context_open(NULL, &context) == GRAFT_OK;
    if (good && graft_device_open(context, arguments[2], &device) != GRAFT_OK) {
        fprintf(stderr, "%s\n", graft_context_error(context));
        good = false;
    }
    good = good && run_file(file, context, device);
    graft_device_close(&device);
    graft_context_close(&context);
    fclose(file);
    return good ? 0 : 1;
}
